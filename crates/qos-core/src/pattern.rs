//! Regular expressions with PCRE meaning, over bytes, under a match limit (design invariant 7).

use pcre2::bytes::{Regex, RegexBuilder};
use std::fmt;

/// Backtracking steps after which a match is given up: a millisecond or two.
const MATCH_LIMIT: u32 = 100_000;

/// A compiled pattern: unanchored, case-sensitive unless the pattern says otherwise.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a pattern cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte of the pattern at which it was noticed; `None` where there is no such place.
    pub offset: Option<usize>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "is not a regular expression (at character {offset}: {})", self.reason),
            None => write!(f, "is not a regular expression ({})", self.reason),
        }
    }
}

/// Whether a subject matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Given up at the match limit.
    GivenUp,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`], with the position where PCRE noticed it.
    pub fn new(text: &[u8]) -> Result<Pattern, PatternError> {
        let Ok(text) = std::str::from_utf8(text) else {
            return Err(PatternError { offset: None, reason: "it is not UTF-8".to_owned() });
        };
        let limit = format!("(*LIMIT_MATCH={MATCH_LIMIT})");
        let built = RegexBuilder::new().jit_if_available(true).build(&format!("{limit}{text}"));
        built.map(|regex| Pattern { text: text.to_owned(), regex }).map_err(|error| PatternError {
            offset: error.offset().map(|offset| offset.saturating_sub(limit.len())),
            reason: {
                let whole = error.to_string();
                whole.rsplit_once(": ").map_or(whole.clone(), |(_, reason)| reason.to_owned())
            },
        })
    }

    /// The pattern as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Looks for the pattern anywhere in the subject.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> Match {
        match self.regex.is_match(subject) {
            Ok(true) => Match::Yes,
            Ok(false) => Match::No,
            Err(_) => Match::GivenUp,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_unanchored_and_take_bytes() {
        let pattern = Pattern::new(b"a.c$").unwrap();
        assert_eq!((pattern.matches(b"xxabc"), pattern.matches(b"abcd"), pattern.matches(b"a\xffc")), (Match::Yes, Match::No, Match::Yes));
        assert_eq!(Pattern::new(b"(?i)ABC").unwrap().matches(b"abc"), Match::Yes);
        assert_eq!(Pattern::new(b"ABC").unwrap().matches(b"abc"), Match::No);
    }

    #[test]
    fn a_bad_pattern_says_where_and_why() {
        let error = Pattern::new(b"ab(c").unwrap_err();
        assert_eq!((error.offset, error.reason.as_str()), (Some(4), "missing closing parenthesis"));
        assert!(Pattern::new(b"\xff").is_err());
    }

    #[test]
    fn a_pattern_that_backtracks_is_given_up() {
        let pattern = Pattern::new(b"^(a+)+$").unwrap();
        let subject = [&[b'a'; 60][..], b"!"].concat();
        assert_eq!(pattern.matches(&subject), Match::GivenUp);
    }
}
