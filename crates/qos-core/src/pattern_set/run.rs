//! Patterns that want nothing but bytes of a class from the start of a subject to its end, as most rules about headers do: cheaper to say without a table.

use super::bytes::Bytes;
use super::syntax::{self, Node};
use crate::pattern::Pattern;

/// `^[a-z][a-z0-9]+$`: bytes at fixed places, then any number of one class.
#[derive(Clone, Debug)]
pub struct Run {
    /// The first bytes.
    head: Vec<[bool; 256]>,
    /// What follows, how often at least and at most.
    tail: Box<[bool; 256]>,
    min: usize,
    max: usize,
    /// A newline may follow.
    line_end: bool,
}

/// Bytes that are looked at before it is asked whether one of them was none of the class.
const AT_ONCE: usize = 16;

impl Run {
    /// What a pattern wants, if it is of this kind.
    #[must_use]
    pub fn of(pattern: &Pattern) -> Option<Run> {
        let Node::Sequence(nodes) = syntax::read(pattern)? else { return None };
        let [Node::Start, middle @ .., end] = nodes.as_slice() else { return None };
        let line_end = match end {
            Node::End => false,
            Node::LineEnd => true,
            _ => return None,
        };
        let mut run = Run { head: Vec::new(), tail: Box::new([false; 256]), min: 0, max: 0, line_end };
        for (at, node) in middle.iter().enumerate() {
            match node {
                Node::Byte(bytes) => run.head.push(table(*bytes)),
                Node::Repeat { node, min, max, .. } if at + 1 == middle.len() => {
                    let Node::Byte(bytes) = &**node else { return None };
                    *run.tail = table(*bytes);
                    run.min = usize::try_from(*min).ok()?;
                    run.max = max.map_or(Some(usize::MAX), |max| usize::try_from(max).ok())?;
                }
                _ => return None,
            }
        }
        Some(run)
    }

    /// Whether a subject matches.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        self.is_all(subject) || (self.line_end && subject.strip_suffix(b"\n").is_some_and(|rest| self.is_all(rest)))
    }

    fn is_all(&self, subject: &[u8]) -> bool {
        let Some((head, tail)) = subject.split_at_checked(self.head.len()) else { return false };
        let is = |table: &[bool; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(false);
        if tail.len() < self.min || tail.len() > self.max || !head.iter().zip(&self.head).all(|(byte, table)| is(table, *byte)) {
            return false;
        }
        let table = &*self.tail;
        let mut chunks = tail.chunks_exact(AT_ONCE);
        chunks.by_ref().all(|chunk| chunk.iter().fold(true, |all, byte| all & is(table, *byte))) && chunks.remainder().iter().all(|byte| is(table, *byte))
    }
}

fn table(bytes: Bytes) -> [bool; 256] {
    std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| bytes.contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Match, Options};
    use proptest::prelude::*;

    fn run(text: &str) -> Option<Run> {
        Run::of(&Pattern::new(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_of_this_kind() {
        for text in ["^[a-z]+$", "^[a-z]*\\z", "^[a-z][0-9]{2,3}$", "^1$", "(?i)^a[b-d]{4}$", "^\\?[01]$", "^.*$"] {
            assert!(run(text).is_some(), "{text}");
        }
        for text in ["[a-z]+$", "^[a-z]+", "^[a-z]+[0-9]$", "^(a|b)+$", "^a|b$", "^a$|b", "^(ab)+$", "^[a-z]+\\b$", "^(?=a)[a-z]$"] {
            assert!(run(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_verdict_is_that_of_the_pattern(
            text in r"\^(\[[a-d\\\-]{0,3}x\]|a|\.|\\n){0,2}(\[\^?a-c\]|b|\.)([*+]|\{[0-3]\}|\{[1-3],\}|\{[0-2],[3-5]\})?(\$|\\z|\\Z)",
            caseless in any::<bool>(), dot_all in any::<bool>(),
            subject in r"[a-dA-Dx\-\\]{0,40}\n{0,2}[a-c]?",
        ) {
            let Ok(pattern) = Pattern::with(text.as_bytes(), Options { caseless, dot_all, strict_end: false }) else { return Ok(()) };
            if let Some(run) = Run::of(&pattern) {
                prop_assert_eq!(run.matches(subject.as_bytes()), pattern.matches(subject.as_bytes()) == Match::Yes);
            }
        }
    }
}
