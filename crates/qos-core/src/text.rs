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

/// A unique id of 32 characters `A-Z a-z 0-9 _ -`, the last one a digit from 2 to 9 (request-event.md section 18.4): 128 random bits, and process and
/// counter, which keep ids apart whatever is random.
#[must_use]
pub fn unique_id(random: [u64; 2], process: u32, counter: u32) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let [first, second] = random;
    // 31 characters hold 186 bits.
    let mut bits = u128::from(first) << 64 | u128::from(second);
    let mut rest = u64::from(process) << 32 | u64::from(counter);
    let mut text = String::with_capacity(32);
    for place in 0..31 {
        let index = if place < 21 { bits as usize & 63 } else { rest as usize & 63 };
        if place < 21 {
            bits >>= 6
        } else {
            rest >>= 6
        }
        text.push(LETTERS.get(index).copied().map_or('-', char::from));
    }
    // What is left of both: two random bits above 126 and four of the process.
    text.push(char::from(b'2' + ((bits as u8) & 7)));
    text
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
    fn unique_ids() {
        let id = unique_id([0, 0], 0, 0);
        assert_eq!(id, format!("{}2", "A".repeat(31)));
        let mut ids = std::collections::HashSet::new();
        for counter in 0..1000 {
            for process in [1, 2, u32::MAX] {
                let id = unique_id([7, u64::from(counter) << 40], process, counter);
                assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'), "{id}");
                assert!(matches!(id.as_bytes().last(), Some(b'2'..=b'9')), "{id}");
                assert!(ids.insert(id));
            }
        }
        assert_ne!(unique_id([1 << 63, 0], 1, 1), unique_id([0, 0], 1, 1), "all random bits count");
        assert_ne!(unique_id([0, 1], 1, 1), unique_id([0, 0], 1, 1));
    }

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
