//! One pattern that wants something of a whole subject (`^...$`), as a table that is read once per byte and asked at the end.

use super::automaton::{Automaton, Row};
use super::syntax;
use super::translate::{Translation, is_anchored, translate};
use crate::pattern::Pattern;
use regex_syntax::hir::Look;

/// Bytes of the table that it is made of.
const BYTES: usize = 1 << 20;

/// A table for one pattern.
#[derive(Debug)]
pub struct Whole {
    /// Bytes that mean the same.
    classes: Box<[u8; 256]>,
    /// The next row, by row and class. Rows are named by where they begin.
    next: Vec<u16>,
    /// Whether a subject that ends in a row matches, at the row's beginning.
    ends: Vec<bool>,
}

impl Whole {
    /// The table of a pattern, if it is anchored at both ends and a small table can say what it means.
    #[must_use]
    pub fn of(pattern: &Pattern) -> Option<Whole> {
        let Translation { expression, exact } = translate(&syntax::read(pattern)?);
        if !exact || !is_anchored(&expression) {
            return None;
        }
        let automaton = Automaton::new(&[(0, expression)], true, BYTES)?;
        let rows = automaton.rows()?;
        Whole::from_rows(&rows)
    }

    /// `rows`: the next row for each byte, and whether a subject may end there; the first one is the start.
    fn from_rows(rows: &[Row]) -> Option<Whole> {
        // Bytes that lead from each row to the same one share a column.
        let mut columns: Vec<Vec<u16>> = Vec::new();
        let mut classes = Box::new([0; 256]);
        for (byte, class) in classes.iter_mut().enumerate() {
            let column = rows.iter().map(|(next, _)| next.get(byte).copied().unwrap_or_default()).collect::<Vec<_>>();
            let place = columns.iter().position(|known| *known == column).unwrap_or_else(|| {
                columns.push(column);
                columns.len() - 1
            });
            *class = u8::try_from(place).ok()?;
        }
        let width = columns.len();
        let begin = |row: u16| u16::try_from(usize::from(row) * width).ok();
        let mut whole = Whole { classes, next: Vec::with_capacity(rows.len() * width), ends: vec![false; rows.len() * width] };
        for (row, (_, ends)) in rows.iter().enumerate() {
            if let Some(place) = whole.ends.get_mut(row * width) {
                *place = *ends;
            }
            for column in &columns {
                whole.next.push(begin(*column.get(row)?)?);
            }
        }
        Some(whole)
    }

    /// Whether a subject matches.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        let (classes, next) = (&*self.classes, self.next.as_slice());
        let row = subject.iter().fold(0, |row: u16, byte| {
            let class = classes.get(usize::from(*byte)).copied().unwrap_or_default();
            next.get(usize::from(row) + usize::from(class)).copied().unwrap_or_default()
        });
        self.ends.get(usize::from(row)).copied().unwrap_or_default()
    }
}

/// Whether a pattern says where a subject begins and where it ends, each of its alternatives: nothing may stand around what it matches.
#[must_use]
pub fn is_whole(pattern: &Pattern) -> bool {
    syntax::read_with_groups(pattern).is_some_and(|node| {
        let expression = translate(&node).expression;
        is_anchored(&expression) && expression.properties().look_set_suffix().contains(Look::End)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Match, Options};
    use proptest::prelude::*;

    #[test]
    fn what_is_of_this_kind() {
        let of = |text: &str| Whole::of(&Pattern::new(text.as_bytes()).unwrap());
        for text in ["^(a|b)+$", "^a\\z", "(?i)^(ab?c){2,5}$", "^$", "^(a+)+$"] {
            assert!(of(text).is_some(), "{text}");
        }
        for text in ["a$", "^a", "^a|b$", "^(a)\\1$", "^(?=a).$"] {
            assert!(of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nothing_may_stand_around() {
        for (text, expected) in [
            ("^a$", true),
            ("(?i)^a\\z", true),
            (r"\Aa\Z", true),
            ("^$", true),
            ("^a$|^b$", true),
            ("^(?:a|b)$", true),
            ("(^a|^b)$", true),
            ("^(a|b$)$", true),
            (r"^(.)\1$", true),
            ("^(?=a|b)[ab]+$", true),
            ("(?x) ^ a $ # b", true),
            ("a", false),
            ("^a", false),
            ("a$", false),
            ("^a|b$", false),
            ("^a$|b", false),
            ("|^a$", false),
            ("^(a$|b)", false),
            ("(?:^a|b)$", false),
            (r"^a\$", false),
            (r"^a\Q$", false),
            ("^a[$]", false),
            ("^a(b$)?", false),
            ("(?m)^a$", false),
            (r"^\p{L}$", false),
        ] {
            assert_eq!(is_whole(&Pattern::with(text.as_bytes(), Pattern::URL).unwrap()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_verdict_is_that_of_the_pattern(
            text in r"\^(a|b|\[ab\n\]|\(a\|bc\)|\(b\[ac\]\)|\.|\[\^a\])([*+?]|\{[1-3],5\})?(a|b|\(a\|\)|\(c\?b\)[*+]|\.){0,3}(\$|\\z)",
            caseless in any::<bool>(), dot_all in any::<bool>(),
            subject in r"[abcABC]{0,20}\n{0,2}[a-c]{0,3}",
        ) {
            let Ok(pattern) = Pattern::with(text.as_bytes(), Options { caseless, dot_all, strict_end: false }) else { return Ok(()) };
            if let Some(whole) = Whole::of(&pattern) {
                prop_assert_eq!(whole.matches(subject.as_bytes()), pattern.matches(subject.as_bytes()) == Match::Yes, "{}", text);
            }
        }
    }
}
