//! `QS_SetEnvIfCmp`: how two values stand to each other (request-event.md section 10.6, W21).

use std::cmp::Ordering;

/// What is asked of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// The first is greater, or sorts after the second.
    Gt,
    /// The first is less, or sorts before the second.
    Lt,
}

impl Operator {
    /// Reads `eq`, `ne`, `gt` or `lt`, in any case.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Operator> {
        let operators = [(&b"eq"[..], Operator::Eq), (b"ne", Operator::Ne), (b"gt", Operator::Gt), (b"lt", Operator::Lt)];
        operators.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, operator)| *operator)
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(self, first: &[u8], second: &[u8]) -> bool {
        let order = compare(first, second);
        match self {
            Operator::Eq => order == Ordering::Equal,
            Operator::Ne => order != Ordering::Equal,
            Operator::Gt => order == Ordering::Greater,
            Operator::Lt => order == Ordering::Less,
        }
    }
}

/// Two numbers (any length, a minus sign and a fraction allowed) by their value, anything else as text without regard to case.
#[must_use]
pub fn compare(first: &[u8], second: &[u8]) -> Ordering {
    match (Number::new(first), Number::new(second)) {
        (Some(first), Some(second)) => first.compare(&second),
        _ => {
            let lower = |text: &[u8]| text.iter().map(u8::to_ascii_lowercase).collect::<Vec<_>>();
            lower(first).cmp(&lower(second))
        }
    }
}

/// A decimal number as it is written, without zeros that do not count.
struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Number<'a> {
    fn new(text: &'a [u8]) -> Option<Number<'a>> {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
            Some(point) => (digits.get(..point)?, Some(digits.get(point + 1..)?)),
            None => (digits, None),
        };
        let all_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        if !all_digits(whole) || fraction.is_some_and(|fraction| !all_digits(fraction)) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let end = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        let (whole, fraction) = (whole.get(zeros..)?, fraction.get(..end)?);
        // There is no negative zero.
        let negative = digits.len() < text.len() && !(whole.is_empty() && fraction.is_empty());
        Some(Number { negative, whole, fraction })
    }

    fn compare(&self, other: &Number<'_>) -> Ordering {
        let size = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole)).then_with(|| self.fraction.cmp(other.fraction));
        match (self.negative, other.negative) {
            (false, false) => size,
            (true, true) => size.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(first: &str, second: &str) -> Ordering {
        compare(first.as_bytes(), second.as_bytes())
    }

    /// W21.
    #[test]
    fn numbers_by_value_and_text_in_its_order() {
        for (first, second, expected) in [
            ("9", "10", Ordering::Less),
            ("4294967297", "1", Ordering::Greater),
            ("99999999999999999999999", "99999999999999999999998", Ordering::Greater),
            ("007", "7", Ordering::Equal),
            ("-3", "2", Ordering::Less),
            ("-3", "-20", Ordering::Greater),
            ("-0", "0", Ordering::Equal),
            ("1.5", "1.25", Ordering::Greater),
            ("1.50", "1.5", Ordering::Equal),
            ("-1.5", "-1.25", Ordering::Less),
            ("b", "a", Ordering::Greater),
            ("ABC", "abc", Ordering::Equal),
            ("10", "9x", Ordering::Less),
            ("", "0", Ordering::Less),
            ("1.", "1", Ordering::Greater),
            ("-", "5", Ordering::Less),
        ] {
            assert_eq!(order(first, second), expected, "{first} {second}");
            assert_eq!(order(second, first), expected.reverse(), "{second} {first}");
        }
    }

    #[test]
    fn operators() {
        let holds = |operator: &str, first: &str, second: &str| Operator::new(operator.as_bytes()).unwrap().holds(first.as_bytes(), second.as_bytes());
        assert!(holds("eq", "5", "05") && !holds("EQ", "5", "6") && holds("Ne", "5", "6") && !holds("ne", "x", "X"));
        assert!(holds("gt", "10", "9") && !holds("gt", "9", "9") && holds("lt", "a", "b") && holds("gt", "b", "a") && !holds("gt", "a", "b"));
        assert_eq!(Operator::new(b"ge"), None);
    }

    proptest! {
        #[test]
        fn integers(first in any::<i64>(), second in any::<i64>()) {
            prop_assert_eq!(order(&first.to_string(), &second.to_string()), first.cmp(&second));
        }

        #[test]
        fn any_bytes(first in prop::collection::vec(any::<u8>(), 0..6), second in prop::collection::vec(any::<u8>(), 0..6)) {
            prop_assert_eq!(compare(&first, &second), compare(&second, &first).reverse());
        }
    }
}
