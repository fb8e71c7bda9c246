//! What clients send is shown in logs and pages.

use crate::input::assert_line;
use qos_core::config::printable;
use qos_core::text::{Text, html};

pub fn run(data: &[u8]) {
    let text = Text::from(data);
    assert_line(&text.to_string());
    assert_line(&text.for_log());
    assert_line(&printable(data));
    assert!(text.for_log().is_ascii());
    let page = html(&text.to_string());
    assert!(!page.contains(['<', '>', '"', '\'']));
    assert!(page.len() >= text.to_string().len());
}
