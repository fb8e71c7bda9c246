//! Reading single values: exactly digits, in range, or an error that says what would be right (W01).

use crate::pattern::{Options, Pattern};
use std::ffi::CString;
use std::fmt;

/// Why a directive was refused. Displayed as the text httpd prints behind file and line:
/// it names the directive, the value and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The directive as the table spells it.
    pub directive: &'static str,
    /// The offending argument, escaped; `None` where arguments are missing or too many.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: '{}' {}; expected {}", self.directive, value, self.problem, self.expected),
            None => write!(f, "{}: {}; expected {}", self.directive, self.problem, self.expected),
        }
    }
}

/// What a value is checked against: the words for the error and the range.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// What the number counts, for instance `connections`.
    pub unit: &'static str,
    /// Smallest value allowed.
    pub min: u64,
    /// Largest value allowed.
    pub max: u64,
}

impl Expected {
    fn words(&self) -> String {
        format!("a number of {} from {} to {}", self.unit, self.min, self.max)
    }
}

/// Seconds of a window or a life: at most three years, as more would not be told from a time that lies ahead.
pub const SECONDS: Expected = Expected { unit: "seconds", min: 1, max: 100_000_000 };

/// Bytes as they may stand in a message: printable ASCII stays, the rest is `\xNN`, at most 100 bytes.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut text = bytes.iter().take(100).flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect::<String>();
    if bytes.len() > 100 {
        text.push_str("...");
    }
    text
}

/// An error about one value.
pub fn wrong(directive: &'static str, value: &[u8], problem: &str, expected: &str) -> Wrong {
    Wrong { directive, value: Some(printable(value)), problem: problem.to_owned(), expected: expected.to_owned() }
}

/// A regular expression as [`Pattern::new`] has it.
///
/// # Errors
/// [`Wrong`] with the position where it is not one.
pub fn pattern(directive: &'static str, text: &[u8]) -> Result<Pattern, Wrong> {
    pattern_with(directive, text, Pattern::OPTIONS)
}

/// A regular expression with options.
///
/// # Errors
/// As [`pattern`].
pub fn pattern_with(directive: &'static str, text: &[u8], options: Options) -> Result<Pattern, Wrong> {
    Pattern::with(text, options).map_err(|error| wrong(directive, text, &error.to_string(), "a Perl compatible regular expression"))
}

/// The name of a variable or header, which is the argument or a part of it.
///
/// # Errors
/// [`Wrong`] for an empty name, and one with `=` or NUL.
pub fn name(directive: &'static str, text: &[u8], argument: &[u8], what: &str) -> Result<CString, Wrong> {
    let usable = !text.is_empty() && !text.contains(&b'=');
    CString::new(text).ok().filter(|_| usable).ok_or_else(|| wrong(directive, argument, &format!("is not the name of a {what}"), "a name without '='"))
}

/// A decimal number within the range.
///
/// # Errors
/// [`Wrong`] for an empty value, a sign, anything but digits, and a number out of range.
pub fn number(directive: &'static str, text: &[u8], expected: Expected) -> Result<u64, Wrong> {
    let wrong = |problem: &str| Wrong { directive, value: Some(printable(text)), problem: problem.to_owned(), expected: expected.words() };
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if let Some(rest) = text.strip_prefix(b"-") {
        let negative = !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
        return Err(wrong(if negative { "is negative" } else { "is not a number" }));
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(wrong("is not a number"));
    }
    let value = digits.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    match value {
        None => Err(wrong("is too large")),
        Some(value) if value > expected.max => Err(wrong("is too large")),
        Some(value) if value < expected.min => Err(wrong("is too small")),
        Some(value) => Ok(value),
    }
}

/// [`number`] for ranges that fit 32 bits.
///
/// # Errors
/// As [`number`].
pub fn number32(directive: &'static str, text: &[u8], expected: Expected) -> Result<u32, Wrong> {
    let value = number(directive, text, Expected { max: expected.max.min(u64::from(u32::MAX)), ..expected })?;
    Ok(u32::try_from(value).unwrap_or(u32::MAX))
}

/// `On` or `Off`, in any case.
///
/// # Errors
/// [`Wrong`] for any other word.
pub fn flag(directive: &'static str, text: &[u8]) -> Result<bool, Wrong> {
    if text.eq_ignore_ascii_case(b"on") {
        Ok(true)
    } else if text.eq_ignore_ascii_case(b"off") {
        Ok(false)
    } else {
        Err(Wrong { directive, value: Some(printable(text)), problem: "is neither".to_owned(), expected: "On or Off".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Expected = Expected { unit: "connections", min: 1, max: 100 };

    fn read(text: &str) -> Result<u64, String> {
        number("QS_Test", text.as_bytes(), RANGE).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn digits_in_range_are_taken() {
        assert_eq!((read("1"), read("100"), read("+7"), read("007")), (Ok(1), Ok(100), Ok(7), Ok(7)));
    }

    #[test]
    fn everything_else_says_what_would_be_right() {
        for (text, problem) in [
            ("", "is not a number"),
            ("10abc", "is not a number"),
            ("-1", "is negative"),
            ("-", "is not a number"),
            ("0x10", "is not a number"),
            ("1 ", "is not a number"),
            ("0", "is too small"),
            ("101", "is too large"),
            ("99999999999999999999999", "is too large"),
            ("+-1", "is not a number"),
            ("1.5", "is not a number"),
        ] {
            assert_eq!(read(text).unwrap_err(), format!("QS_Test: '{text}' {problem}; expected a number of connections from 1 to 100"));
        }
    }

    #[test]
    fn bytes_are_escaped_and_cut() {
        assert_eq!(printable(b"a\x00\xff'"), "a\\x00\\xff\\'");
        assert_eq!(printable(&[b'x'; 200]).len(), 103);
    }

    #[test]
    fn flags_are_words() {
        assert_eq!((flag("QS_Test", b"ON"), flag("QS_Test", b"off")), (Ok(true), Ok(false)));
        assert!(flag("QS_Test", b"1").unwrap_err().to_string().contains("On or Off"));
    }
}
