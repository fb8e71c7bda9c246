//! Patterns for which subjects can be made that take beyond measure, so that they are given up.

use super::machine::Program;
use super::syntax;
use super::translate::{translate, trimmed};
use crate::pattern::Pattern;

/// What the writer of a pattern should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It refers to what it has matched, or must not try it again, and repeats without bound what holds an unbounded repetition: there may be exponentially many ways to split a subject.
    Repeats,
    /// It has something in it that only PCRE knows. PCRE counts its steps anew at each byte, so that it may take few of them in long subjects.
    OnlyPcre,
}

/// What is to be said about a pattern, if anything. All others take a time that grows with the length of pattern and subject only.
#[must_use]
pub fn doubt(pattern: &Pattern) -> Option<Doubt> {
    if syntax::read(pattern).is_some_and(|node| translate(&trimmed(node)).exact) {
        return None;
    }
    match Program::new(pattern) {
        None => Some(Doubt::OnlyPcre),
        Some(program) => (!program.forgetful && repeats_repetitions(pattern.source())).then_some(Doubt::Repeats),
    }
}

/// Looks at the text alone, so that it does not matter what a group means. Groups that give nothing back hold no repetition that matters.
fn repeats_repetitions(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied();
    // Per open group: whether an unbounded repetition is in it, and whether it gives nothing back.
    let mut groups = vec![(false, false)];
    let (mut place, mut in_class) = (0, false);
    while let Some(byte) = at(place) {
        let mut ends_group = None;
        match byte {
            b'\\' => place += 1,
            b'[' if !in_class => {
                in_class = true;
                place += usize::from(at(place + 1) == Some(b'^'));
                place += usize::from(at(place + 1) == Some(b']'));
            }
            b']' if in_class => in_class = false,
            _ if in_class => {}
            b'(' => groups.push((false, bytes.get(place + 1..place + 3) == Some(b"?>"))),
            b')' if groups.len() > 1 => ends_group = groups.pop(),
            _ => {}
        }
        place += 1;
        if in_class || byte == b'(' || byte == b'|' {
            continue;
        }
        let (unbounded, length) = quantifier(bytes.get(place..).unwrap_or_default());
        place += length;
        let possessive = length > 0 && at(place) == Some(b'+');
        let (inner, atomic) = ends_group.unwrap_or_default();
        let inner = inner && !atomic;
        if unbounded && inner && !possessive {
            return true;
        }
        if let Some((holds, _)) = groups.last_mut() {
            *holds |= (unbounded || inner) && !possessive;
        }
    }
    false
}

/// Whether a quantifier that may be often stands there, and how long it is.
fn quantifier(rest: &[u8]) -> (bool, usize) {
    match rest.first() {
        Some(b'*' | b'+') => (true, 1),
        Some(b'?') => (false, 1),
        Some(b'{') => {
            let end = rest.iter().position(|byte| *byte == b'}');
            let inner =
                end.and_then(|end| rest.get(1..end)).filter(|inner| !inner.is_empty() && inner.iter().all(|byte| byte.is_ascii_digit() || *byte == b','));
            match inner {
                Some(inner) => (inner.ends_with(b","), inner.len() + 2),
                None => (false, 0),
            }
        }
        _ => (false, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_patterns() {
        use Doubt::{OnlyPcre, Repeats};
        for (text, expected) in [
            ("(a+)+$", None),
            ("(?=(a+)+$)", None),
            (r"(?:a|b+)*(?!x)", None),
            (r"(a*)*\1", Some(Repeats)),
            (r"(?:(\w+)\s?){3,}\1", Some(Repeats)),
            (r"(?:(\w+)\s?){3}\1", None),
            (r"(a|b+)*\1", Some(Repeats)),
            (r"(?>a+)+(.)\1", None),
            (r"(?:a++b)+(.)\1", None),
            (r"(?:[+*]x)+(.)\1", None),
            (r"(?:\+x)+(.)\1", None),
            (r"(.)a+b+\1", None),
            (r"((x+)y)*\1", Some(Repeats)),
            (r"(?:[]+]x)+(.)\1", None),
            (r"(?>(?:a*|b)*)x", Some(Repeats)),
            (r"(?R)?a", Some(OnlyPcre)),
            (r"\p{L}", Some(OnlyPcre)),
        ] {
            assert_eq!(doubt(&Pattern::new(text.as_bytes()).unwrap()), expected, "{text}");
        }
    }
}
