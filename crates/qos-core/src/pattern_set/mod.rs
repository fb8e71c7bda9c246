//! Many patterns, looked for in one subject in as few passes as possible (design invariant 7).
//!
//! [`crate::pattern::Pattern`] says what a pattern means. `syntax` reads the part of it that is certain, `translate` makes expressions of automatons from that, and
//! `automaton` makes tables of those; `compile` says what goes where. The tables are never written again: threads share them without locks or caches, and
//! children share them with their parent. What a table cannot say is asked of PCRE, where a wider expression matches or one of its `literals` occurs.

mod automaton;
mod backtrack;
mod begin;
mod bytes;
mod compile;
mod literals;
mod machine;
mod options;
mod run;
mod syntax;
mod translate;
mod walk;
mod whole;

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use backtrack::{Doubt, doubt};

use crate::pattern::{Match, Pattern};
pub use run::Run;
pub use whole::{Whole, is_whole};

use automaton::Automaton;
use compile::Limits;
use literals::Literals;
use machine::Program;
use std::sync::Arc;
use walk::Walk;

/// Words of marks that lie on the stack: a search for up to 64 times so many patterns needs no memory.
const WORDS_ON_STACK: usize = 16;

/// Steps that the program of one pattern may take over all subjects of a search, and for each two bytes of them: a third of a millisecond, for 128 KB nine tenths. Core Rule Set patterns take
/// up to seven steps for each byte of ordinary text.
const STEPS: usize = 100_000;
const STEPS_PER_TWO_BYTES: usize = 3;
/// How many times that all patterns of a search may take.
const PATTERNS_AT_THE_LIMIT: usize = 20;

/// Bytes of subjects up to which PCRE has a match limit, and the limit: it is counted anew at each byte, so that their product bounds the time, to some tens of milliseconds.
const PCRE_LIMITS: [(usize, u32); 4] = [(256, 10_000), (4 << 10, 1000), (64 << 10, 100), (usize::MAX, 20)];

/// Patterns that are matched together. Clones share what was compiled.
#[derive(Clone, Default)]
pub struct PatternSet {
    compiled: Arc<Compiled>,
}

#[derive(Default)]
struct Compiled {
    patterns: Vec<Pattern>,
    automatons: Vec<Automaton>,
    literals: Option<Literals>,
    /// One mark per pattern, 64 in a word: whether it takes PCRE to say that it matches.
    ask: Vec<u64>,
    /// Programs of the patterns that are asked about, or what PCRE makes of them.
    programs: Vec<Option<Matcher>>,
    /// Patterns that match everything, or that PCRE has to be asked about each time.
    always: Vec<u64>,
}

/// How many of the patterns are matched in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// By automatons alone.
    pub automaton: usize,
    /// By PCRE, where an automaton says that they may match.
    pub checked: usize,
    /// By PCRE, each time.
    pub pcre: usize,
    /// Passes over the subject.
    pub passes: usize,
    /// Bytes of the automatons.
    pub memory: usize,
}

/// What the patterns of a set may take over several searches, whose subjects are parts of one request (filters.md section 2.5, E2).
#[derive(Debug, Default)]
pub struct Budget {
    /// Bytes of all subjects so far.
    bytes: usize,
    /// Steps that all patterns have taken, and each of them.
    of_all: usize,
    of_each: Vec<usize>,
}

impl Budget {
    /// Steps that a pattern may still take.
    fn left(&self, index: usize) -> usize {
        let most = STEPS + self.bytes / 2 * STEPS_PER_TWO_BYTES;
        let of_all = most.saturating_mul(PATTERNS_AT_THE_LIMIT).saturating_sub(self.of_all);
        most.saturating_sub(self.of_each.get(index).copied().unwrap_or(0)).min(of_all)
    }

    fn spend(&mut self, index: usize, steps: usize) {
        if self.of_each.len() <= index {
            self.of_each.resize(index + 1, 0);
        }
        self.of_each.get_mut(index).into_iter().for_each(|spent| *spent += steps);
        self.of_all += steps;
    }
}

/// What says whether a pattern matches.
enum Matcher {
    Program(Program),
    /// The pattern under lower and lower match limits, for longer and longer subjects.
    Pcre([Pattern; PCRE_LIMITS.len()]),
}

impl Matcher {
    fn new(pattern: &Pattern) -> Matcher {
        Program::new(pattern).map_or_else(|| Matcher::Pcre(PCRE_LIMITS.map(|(_, limit)| pattern.under_limit(limit))), Matcher::Program)
    }

    /// Whether the pattern with this index matches one of the subjects.
    fn any_of(&self, subjects: &[&[u8]], index: usize, budget: &mut Budget) -> Match {
        match self {
            Matcher::Program(program) => {
                let most = budget.left(index);
                let mut walk = Walk::new(program, most);
                let any = any(subjects, |subject| walk.search(subject));
                budget.spend(index, most - walk.left());
                any
            }
            Matcher::Pcre(patterns) => {
                let limited = PCRE_LIMITS.iter().zip(patterns).find(|((most, _), _)| budget.bytes <= *most).map(|(_, pattern)| pattern);
                any(subjects, |subject| limited.map_or(Match::GivenUp, |pattern| pattern.matches(subject)))
            }
        }
    }
}

fn any<'s>(subjects: &[&'s [u8]], mut matches: impl FnMut(&'s [u8]) -> Match) -> Match {
    let mut any = Match::No;
    for subject in subjects {
        match matches(subject) {
            Match::Yes => return Match::Yes,
            Match::GivenUp => any = Match::GivenUp,
            Match::No => {}
        }
    }
    any
}

impl PatternSet {
    /// Compiles the patterns for being matched together. Never fails: what fits into no automaton is left to PCRE.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> PatternSet {
        PatternSet::with_limits(patterns, Limits::NORMAL)
    }

    fn with_limits(patterns: Vec<Pattern>, limits: Limits) -> PatternSet {
        PatternSet { compiled: Arc::new(compile::compile(patterns, limits)) }
    }

    /// The patterns, in the order of their indices.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.compiled.patterns
    }

    /// Calls `found` with the index of every pattern that matches, in ascending order.
    ///
    /// Returns the index of the first pattern that was given up at the match limit; such a pattern is reported as not matching. Who must not let it pass
    /// uses [`PatternSet::judge`]. A pattern that is matched by an automaton is never given up, where [`Pattern::matches`] alone might be.
    pub fn matches(&self, subject: &[u8], found: &mut dyn FnMut(usize)) -> Option<usize> {
        let mut given_up = None;
        self.judge(&[subject], &mut |index, matched| match matched {
            Match::Yes => found(index),
            Match::GivenUp if given_up.is_none() => given_up = Some(index),
            Match::GivenUp | Match::No => {}
        });
        given_up
    }

    /// Calls `found` with every pattern that matches one of the subjects ([`Match::Yes`]) or is given up ([`Match::GivenUp`]), in ascending order, once each.
    pub fn judge(&self, subjects: &[&[u8]], found: &mut dyn FnMut(usize, Match)) {
        self.judge_within(&mut Budget::default(), subjects, found);
    }

    /// The same as one of several searches that belong together. `budget` is theirs, and of this set.
    pub fn judge_within(&self, budget: &mut Budget, subjects: &[&[u8]], found: &mut dyn FnMut(usize, Match)) {
        let Compiled { patterns, automatons, literals, ask, always, programs } = &*self.compiled;
        let mut on_stack = [0; WORDS_ON_STACK];
        let mut on_heap = Vec::new();
        let marks = match on_stack.get_mut(..always.len()) {
            Some(marks) => marks,
            None => {
                on_heap.resize(always.len(), 0);
                on_heap.as_mut_slice()
            }
        };
        marks.copy_from_slice(always);
        for subject in subjects {
            for automaton in automatons {
                automaton.search(subject, marks);
            }
            if let Some(literals) = literals {
                literals.search(subject, marks);
            }
        }
        budget.bytes = subjects.iter().fold(budget.bytes, |bytes, subject| bytes.saturating_add(subject.len() + 1));
        for (at, word) in marks.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let index = at * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let matched = match patterns.get(index) {
                    Some(_) if is_set(ask, index) => {
                        programs.get(index).and_then(Option::as_ref).map_or(Match::GivenUp, |matcher| matcher.any_of(subjects, index, budget))
                    }
                    Some(_) if subjects.is_empty() => Match::No,
                    Some(_) => Match::Yes,
                    None => Match::No,
                };
                if matched != Match::No {
                    found(index, matched);
                }
            }
        }
    }

    /// How the patterns are matched.
    #[must_use]
    pub fn ways(&self) -> Ways {
        let Compiled { patterns, automatons, literals, ask, always, .. } = &*self.compiled;
        let mut ways = Ways {
            passes: automatons.len() + usize::from(literals.is_some()),
            memory: automatons.iter().map(Automaton::memory).sum::<usize>() + literals.as_ref().map_or(0, Literals::memory),
            ..Ways::default()
        };
        for index in 0..patterns.len() {
            match (is_set(ask, index), is_set(always, index)) {
                (false, _) => ways.automaton += 1,
                (true, false) => ways.checked += 1,
                (true, true) => ways.pcre += 1,
            }
        }
        ways
    }
}

impl std::fmt::Debug for PatternSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.patterns()).finish()
    }
}

impl PartialEq for PatternSet {
    fn eq(&self, other: &PatternSet) -> bool {
        self.compiled.patterns == other.compiled.patterns
    }
}

impl Eq for PatternSet {}

fn is_set(marks: &[u64], mark: usize) -> bool {
    marks.get(mark / 64).is_some_and(|word| word >> (mark % 64) & 1 == 1)
}

fn set(marks: &mut [u64], mark: usize) {
    if let Some(word) = marks.get_mut(mark / 64) {
        *word |= 1 << (mark % 64);
    }
}
