//! Header rules: the built-in ones judge as PCRE does, own ones as well; what is shown of a header in a log does no harm.
//!
//! The first field is a rule of one's own, those behind it are names and values by turns.

use crate::input::fields;
use qos_core::header_filter::{Action, HeaderFilter, REQUEST, Rule, Verdict, shown};
use qos_core::pattern::{Match, Pattern};
use std::sync::LazyLock;

static BUILTIN: LazyLock<(HeaderFilter, Vec<Pattern>)> = LazyLock::new(|| {
    let filter = HeaderFilter::new(&REQUEST, [].iter()).expect("the built-in rules");
    let patterns = filter.rules().iter().map(|rule| Pattern::new(rule.pattern().as_bytes()).expect("a pattern")).collect();
    (filter, patterns)
});

/// Longer patterns are slow and not different.
const LONGEST: usize = 60;

pub fn run(data: &[u8]) {
    let mut fields = fields(data);
    let own = fields.next().filter(|text| text.len() <= LONGEST).and_then(|text| Pattern::new(text).ok());
    let own = own.map(|pattern| {
        let rule = Rule::new(b"X-Own", Action::Deny, pattern.clone(), 1000);
        (HeaderFilter::new(&[], [rule].iter()).expect("no built-in rule"), pattern)
    });
    let headers: Vec<&[u8]> = fields.take(16).collect();
    for pair in headers.chunks(2) {
        let (name, value) = (pair[0], pair.get(1).copied().unwrap_or_default());
        let (filter, patterns) = &*BUILTIN;
        let place = filter.rules().iter().position(|rule| rule.name().eq_ignore_ascii_case(name));
        assert_eq!(filter.rule(name), place.map(|place| &filter.rules()[place]));
        for (rule, pattern) in filter.rules().iter().zip(patterns) {
            // A table knows where backtracking is given up.
            let alone = pattern.matches(value);
            assert!(alone == Match::GivenUp || rule.allows_value(value) == (alone == Match::Yes), "{}: {}", rule.pattern(), value.escape_ascii());
        }
        if let Some((filter, pattern)) = &own {
            let alone = pattern.matches(value);
            let passes = matches!(filter.judge(b"x-oWN", value, true), Verdict::Pass);
            assert!(alone == Match::GivenUp || passes == (alone == Match::Yes && value.len() <= 1000), "{}: {}", pattern.text(), value.escape_ascii());
        }
        let line = shown(name, value);
        assert!(line.len() < 4 * (256 + 64) + 40 && !line.contains(char::is_control));
        if name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"cookie") {
            assert!(line.ends_with(&format!(": ({} bytes)", value.len())));
        }
    }
}
