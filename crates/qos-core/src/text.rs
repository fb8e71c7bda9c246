//! Text that comes from a configuration or a client: bytes, shown so that they do no harm.

use serde::{Serialize, Serializer};
use std::fmt::{self, Write};

/// Bytes as they are. Displayed, they are valid UTF-8 without control characters: what is not is `\xNN`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// The bytes as a log of httpd shows them: printable ASCII, the rest escaped.
    #[must_use]
    pub fn for_log(&self) -> String {
        self.0.iter().flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        Text(bytes.to_vec())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if harmless(c) {
                    f.write_char(c)?;
                } else {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
                }
            }
            chunk.invalid().iter().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
        }
        Ok(())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Neither a control character nor one that turns the direction of what follows.
fn harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Text for HTML, in element content and in quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_harmless_stays() {
        assert_eq!(Text::from("caf\u{e9} \"x\"").to_string(), "caf\u{e9} \"x\"");
        assert_eq!(Text(b"a\0\n\xff\x7f".to_vec()).to_string(), "a\\x00\\x0a\\xff\\x7f");
        assert_eq!(Text::from("\u{202e}").to_string(), "\\xe2\\x80\\xae");
        assert_eq!(Text(b"a'\n\xe9".to_vec()).for_log(), "a\\'\\n\\xe9");
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_element(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let shown = html(&Text(bytes).to_string());
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '\n', '\r', '\0']));
        }
    }
}
