//! One rule.

use crate::pattern::{Match, Pattern};
use crate::pattern_set::{PatternSet, Run, Whole};
use std::sync::Arc;

/// What becomes of a header that breaks its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is removed.
    Drop,
    /// The request is denied.
    Deny,
}

impl Action {
    /// As directives and log lines have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Action::Drop => "drop",
            Action::Deny => "deny",
        }
    }
}

/// What a header may hold. A copy shares what was compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    name: Arc<[u8]>,
    action: Action,
    max: u64,
    pattern: Pattern,
    way: Way,
}

/// How the pattern is matched.
#[derive(Clone, Debug)]
enum Way {
    /// Byte by byte.
    Run(Arc<Run>),
    /// By a table.
    Table(Arc<Whole>),
    /// As patterns of other rules are: by a table, or with a bound for backtracking.
    Search(PatternSet),
    /// By PCRE; not compiled yet.
    Pcre,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        (&self.name, self.action, self.max, &self.pattern) == (&other.name, other.action, other.max, &other.pattern)
    }
}

impl Eq for Rule {}

impl Rule {
    /// `max`: bytes of the value at most.
    #[must_use]
    pub fn new(name: &[u8], action: Action, pattern: Pattern, max: u64) -> Rule {
        Rule { name: name.into(), action, max, pattern, way: Way::Pcre }
    }

    /// Looks for the cheapest way to match the pattern.
    pub(super) fn compile(&mut self) {
        self.way = match Run::of(&self.pattern) {
            Some(run) => Way::Run(Arc::new(run)),
            None => match Whole::of(&self.pattern) {
                Some(whole) => Way::Table(Arc::new(whole)),
                None => Way::Search(PatternSet::new(vec![self.pattern.clone()])),
            },
        };
    }

    /// Whether it takes backtracking to match the pattern.
    #[must_use]
    pub fn backtracks(&self) -> bool {
        match &self.way {
            Way::Run(_) | Way::Table(_) => false,
            Way::Search(set) => set.ways().automaton == 0,
            Way::Pcre => true,
        }
    }

    /// The header, as the rule spells it.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What becomes of one that breaks the rule.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// Bytes of the value at most.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The pattern.
    #[must_use]
    pub fn compiled(&self) -> &Pattern {
        &self.pattern
    }

    /// The pattern as written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.text()
    }

    /// Whether a value is no longer than allowed.
    #[must_use]
    pub fn allows_length(&self, value: &[u8]) -> bool {
        u64::try_from(value.len()).is_ok_and(|length| length <= self.max)
    }

    /// Whether a value matches. One that takes too long to match does not.
    #[must_use]
    pub fn allows_value(&self, value: &[u8]) -> bool {
        match &self.way {
            Way::Run(run) => run.matches(value),
            Way::Table(whole) => whole.matches(value),
            Way::Search(set) => {
                let mut found = false;
                set.judge(&[value], &mut |_, matched| found = matched == Match::Yes);
                found
            }
            Way::Pcre => self.pattern.matches(value) == Match::Yes,
        }
    }
}
