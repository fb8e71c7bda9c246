//! Patterns that are not UTF-8: files of configurations may be in any encoding (filters.md section 2.4).

use std::borrow::Cow;
use std::fmt::Write;

/// A pattern as text: as it is, or with escapes that mean the same for all bytes above 7f.
pub(crate) fn as_text(pattern: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(pattern) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(escaped(pattern)),
    }
}

/// Which byte of a pattern a place in its text stands for.
pub(super) fn place(pattern: &[u8], in_text: usize) -> usize {
    let is_text = std::str::from_utf8(pattern).is_ok();
    let reaches = |end: &usize| escaped(pattern.get(..*end).unwrap_or(pattern)).len() >= in_text;
    if is_text { in_text } else { (0..pattern.len()).find(reaches).unwrap_or(pattern.len()) }
}

fn escaped(pattern: &[u8]) -> String {
    let (mut text, mut quoted, mut rest) = (String::new(), false, pattern);
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'\\', b'E', behind @ ..] => {
                quoted = false;
                text.push_str("\\E");
                behind
            }
            // An error, as `\c` before any byte that is not ASCII.
            [b'\\', b'c', 0x80..=0xff, behind @ ..] if !quoted => {
                text.push_str("\\c\u{80}");
                behind
            }
            // Escaped it means itself, as it does without.
            [b'\\', 0x80..=0xff, ..] if !quoted => behind,
            [b'\\', second @ 0..=0x7f, behind @ ..] if !quoted => {
                quoted = *second == b'Q';
                text.extend(['\\', char::from(*second)]);
                behind
            }
            [0x80..=0xff, ..] => {
                let (before, after) = if quoted { ("\\E", "\\Q") } else { ("", "") };
                // Into a string it is always written.
                let _ = write!(text, "{before}\\x{first:02x}{after}");
                behind
            }
            _ => {
                text.push(char::from(*first));
                behind
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Match, Options, Pattern};
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        for (pattern, text) in [
            (b"caf\xe9".as_slice(), "caf\\xe9"),
            (b"caf\xc3\xa9", "caf\u{e9}"),
            (b"[\xe0-\xff]\\\xe9", "[\\xe0-\\xff]\\xe9"),
            (b"\\\\\xe9", "\\\\\\xe9"),
            (b"\\Qa.\xe9\\\xe9b\\E\xe9", "\\Qa.\\E\\xe9\\Q\\\\E\\xe9\\Qb\\E\\xe9"),
            (b"\xe9\\", "\\xe9\\"),
            (b"", ""),
        ] {
            assert_eq!(as_text(pattern), text, "{}", pattern.escape_ascii());
        }
    }

    #[test]
    fn they_match_themselves() {
        let caseless = Options { caseless: true, ..Pattern::URL };
        for (pattern, subject, matched) in [
            (b"caf\xe9".as_slice(), b"a CAF\xe9".as_slice(), Match::Yes),
            (b"caf\xe9", b"caf\xc3\xa9", Match::No),
            (b"^[\xe0-\xff]+$", b"\xe9\xff", Match::Yes),
            (b"^[^\xe9]+$", b"a\xe9", Match::No),
            (b"^\\\xe9\\Q.\\\xe9\\E$", b"\xe9.\\\xe9", Match::Yes),
        ] {
            let pattern = Pattern::with(pattern, caseless).unwrap();
            assert_eq!(pattern.matches(subject), matched, "{pattern:?}");
            let mut seen = Match::No;
            crate::pattern_set::PatternSet::new(vec![pattern.clone()]).judge(&[subject], &mut |_, found| seen = found);
            assert_eq!(seen, matched, "{pattern:?}");
        }
    }

    /// What is wrong is told of the pattern as it was written.
    #[test]
    fn places_are_those_of_the_pattern() {
        for pattern in [b"\xe9\xe9(".as_slice(), b"xx(", b"\\\xe9("] {
            assert_eq!(Pattern::new(pattern).unwrap_err().offset, Some(3), "{}", pattern.escape_ascii());
        }
        assert!(Pattern::new(b"\\c\xe9").is_err());
    }
}
