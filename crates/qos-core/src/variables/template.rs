//! Values with groups of a match in them, as httpd's substitution reads them (request-event.md section 1): `$0` to `$9`, `\x` is `x`.

use super::MOST_BYTES;
use crate::pattern::Groups;
use std::ffi::{CStr, CString};

/// A value, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// The same for each match.
    Literal(CString),
    /// Made of the groups of the match.
    Groups(Vec<Part>),
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(Vec<u8>),
    /// A group, 0 to 9; one that is not set is empty.
    Group(u8),
}

impl Template {
    /// Reads a value. `None`: it holds a NUL.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Template> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), Vec::new(), text);
        loop {
            rest = match rest {
                [b'$', digit @ b'0'..=b'9', behind @ ..] => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Group(digit - b'0'));
                    behind
                }
                [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                    literal.push(*byte);
                    behind
                }
                [] => break,
            };
        }
        if text.contains(&0) {
            return None;
        }
        if parts.is_empty() {
            return CString::new(literal).ok().map(Template::Literal);
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Some(Template::Groups(parts))
    }

    /// The value where it is the same for each match.
    #[must_use]
    pub fn literal(&self) -> Option<&CStr> {
        match self {
            Template::Literal(value) => Some(value),
            Template::Groups(_) => None,
        }
    }

    /// The value for a match. `None`: longer than [`MOST_BYTES`].
    #[must_use]
    pub fn fill(&self, groups: &Groups<'_>) -> Option<Vec<u8>> {
        let parts = match self {
            Template::Literal(value) => return Some(value.to_bytes().to_vec()),
            Template::Groups(parts) => parts,
        };
        let mut value = Vec::new();
        for part in parts {
            let piece = match part {
                Part::Text(text) => text,
                Part::Group(number) => groups.get(usize::from(*number)),
            };
            if value.len() + piece.len() > MOST_BYTES {
                return None;
            }
            value.extend_from_slice(piece);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use proptest::prelude::*;

    fn fill(pattern: &str, subject: &str, value: &str) -> String {
        let pattern = Pattern::new(pattern.as_bytes()).unwrap();
        let groups = pattern.groups(subject.as_bytes()).unwrap().unwrap();
        String::from_utf8(Template::new(value.as_bytes()).unwrap().fill(&groups).unwrap()).unwrap()
    }

    #[test]
    fn groups_and_escapes() {
        assert_eq!(fill("(b)(c)?", "abx", "<$0|$1|$2|$9>"), "<b|b||>");
        assert_eq!(fill("(b)", "abx", "\\$1 \\\\ \\x $ $x $"), "$1 \\ x $ $x $");
        assert_eq!(fill("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)", "abcdefghij", "$9$10"), "ia0");
        assert_eq!(fill("b", "abx", "end\\"), "end\\");
        assert_eq!(Template::new(b"plain\\$").unwrap().literal(), Some(c"plain$"));
        assert_eq!(Template::new(b"a\0b"), None);
    }

    #[test]
    fn a_value_has_a_largest_length() {
        let pattern = Pattern::new(b"a+").unwrap();
        let subject = vec![b'a'; MOST_BYTES];
        let groups = pattern.groups(&subject).unwrap().unwrap();
        assert_eq!(Template::new(b"$0").unwrap().fill(&groups).map(|value| value.len()), Some(MOST_BYTES));
        assert_eq!(Template::new(b"$0$0$0$0").unwrap().fill(&groups), None);
        assert_eq!(Template::new(b"$0x").unwrap().fill(&groups), None);
    }

    proptest! {
        /// What comes from the client is not read again.
        #[test]
        fn groups_are_inserted_as_they_are(subject in "[$0-9\\\\a{}]{0,20}") {
            prop_assert_eq!(fill("(?s)^(.*)$", &subject, "<$1>"), format!("<{subject}>"));
        }
    }
}
