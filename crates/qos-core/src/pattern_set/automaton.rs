//! Tables that say at once which of many expressions match.
//!
//! They are made completely at start-up, and never written again. How long that may take is bounded by their size and by the number of expressions.

use super::set;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;
use std::collections::HashMap;

/// Bytes that making a table may take besides the table.
const WORK_BYTES: usize = 8 << 20;
/// Bytes of the expressions while it is made.
const EXPRESSION_BYTES: usize = 4 << 20;

/// Rows of a table that is taken apart.
const MOST_ROWS: u16 = 1000;

/// Which row each byte leads to, and whether a subject that ends here matches.
pub(super) type Row = (Box<[u16; 256]>, bool);

/// One table, and which mark is set when which of its expressions matches.
pub(super) struct Automaton {
    table: dense::DFA<Vec<u32>>,
    start: StateID,
    marks: Vec<usize>,
}

impl Automaton {
    /// A table of at most so many bytes; `None` if it does not fit. Expressions with their marks; `anchored`: all of them match at the start only.
    pub(super) fn new(expressions: &[(usize, Hir)], anchored: bool, bytes: usize) -> Option<Automaton> {
        let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(EXPRESSION_BYTES));
        let hirs: Vec<&Hir> = expressions.iter().map(|(_, hir)| hir).collect();
        let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(&hirs).ok()?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(if anchored { StartKind::Anchored } else { StartKind::Unanchored })
            .accelerate(false)
            .dfa_size_limit(Some(bytes))
            .determinize_size_limit(Some(WORK_BYTES));
        let table = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        let start = table.start_state(&start::Config::new().anchored(if anchored { Anchored::Yes } else { Anchored::No })).ok()?;
        Some(Automaton { table, start, marks: expressions.iter().map(|(mark, _)| *mark).collect() })
    }

    pub(super) fn search(&self, subject: &[u8], marks: &mut [u64]) {
        let mut state = self.start;
        for byte in subject {
            state = self.table.next_state(state, *byte);
            if self.table.is_special_state(state) {
                if self.table.is_match_state(state) {
                    self.mark(state, marks);
                } else if self.table.is_dead_state(state) {
                    return;
                }
            }
        }
        state = self.table.next_eoi_state(state);
        if self.table.is_match_state(state) {
            self.mark(state, marks);
        }
    }

    fn mark(&self, state: StateID, marks: &mut [u64]) {
        for at in 0..self.table.match_len(state) {
            let expression = self.table.match_pattern(state, at);
            if let Some(mark) = self.marks.get(expression.as_usize()) {
                set(marks, *mark);
            }
        }
    }

    /// The table of an anchored automaton row by row, from its start: which row each byte leads to, and whether a subject that ends there matches. `None` if
    /// some subject matches before its end, or if there are too many rows.
    pub(super) fn rows(&self) -> Option<Vec<Row>> {
        let mut states = vec![self.start];
        let mut known = HashMap::from([(self.start, 0)]);
        let mut rows = Vec::new();
        while let Some(state) = states.get(rows.len()).copied() {
            let mut next = Box::new([0; 256]);
            for (byte, place) in (0..=u8::MAX).zip(next.iter_mut()) {
                let state = self.table.next_state(state, byte);
                if self.table.is_match_state(state) {
                    return None;
                }
                *place = *known.entry(state).or_insert_with(|| {
                    states.push(state);
                    u16::try_from(states.len() - 1).unwrap_or(u16::MAX)
                });
                if *place >= MOST_ROWS {
                    return None;
                }
            }
            rows.push((next, self.table.is_match_state(self.table.next_eoi_state(state))));
        }
        Some(rows)
    }

    pub(super) fn memory(&self) -> usize {
        self.table.memory_usage()
    }
}
