//! Literals, one of which has to occur wherever a pattern matches, and the automaton that looks for those of many patterns.
//!
//! It is made in linear time and never becomes large, whatever the patterns are. Case does not matter for it: PCRE is asked anyway.

use super::bytes::Bytes;
use super::set;
use super::syntax::Node;
use super::translate::class;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, PatternID, StartKind, dfa};
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Literals per pattern.
const MAX_LITERALS: usize = 64;
/// Different bytes at one place that are still tried one by one.
const MAX_BYTES: u32 = 8;
/// Counts up to which a repeated part is written out.
const WRITTEN_OUT: u32 = 4;

/// Bytes of all literals up to which the quicker automaton is taken.
const QUICK: usize = 2048;

/// Literals without upper case. Where the pattern matches, one of them occurs if case is ignored. `None` if there are no such literals.
pub(super) fn required(node: &Node) -> Option<Vec<Vec<u8>>> {
    match node {
        Node::Choice(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(required(branch)?);
            }
            (all.len() <= MAX_LITERALS).then_some(all)
        }
        Node::Repeat { node, min: 1.., .. } | Node::Restricted(node) | Node::Group(_, node) => required(node),
        Node::Repeat { .. } | Node::BackReference(..) => None,
        Node::Sequence(nodes) => {
            let mut parts = Parts::default();
            nodes.iter().for_each(|node| parts.add(node));
            parts.end_run();
            parts.best
        }
        node => {
            let mut parts = Parts::default();
            parts.add(node);
            parts.end_run();
            parts.best
        }
    }
}

/// The parts of a sequence: runs of what can be written out, and what stands between them.
#[derive(Default)]
struct Parts {
    run: Vec<Hir>,
    best: Option<Vec<Vec<u8>>>,
}

impl Parts {
    fn add(&mut self, node: &Node) {
        if let Some(written) = written_out(node) {
            self.run.push(written);
            return;
        }
        match node {
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Restricted(node) | Node::Group(_, node) => self.add(node),
            Node::Repeat { node, min, max, .. } => match written_out(node) {
                Some(written) => {
                    let copies = (*min).min(WRITTEN_OUT);
                    let copies = || (0..copies).map(|_| written.clone());
                    self.run.extend(copies());
                    if *max != Some(*min) || *min > WRITTEN_OUT {
                        self.end_run();
                        self.run.extend(copies());
                    }
                }
                None => self.add_other(if *min > 0 { required(node) } else { None }),
            },
            Node::Choice(_) => self.add_other(required(node)),
            _ => self.end_run(),
        }
    }

    fn add_other(&mut self, literals: Option<Vec<Vec<u8>>>) {
        self.end_run();
        self.offer(literals);
    }

    fn end_run(&mut self) {
        let run = Hir::concat(std::mem::take(&mut self.run));
        for kind in [ExtractKind::Prefix, ExtractKind::Suffix] {
            let mut extractor = Extractor::new();
            extractor.kind(kind).limit_total(MAX_LITERALS);
            let literals = extractor.extract(&run);
            self.offer(literals.literals().map(|literals| literals.iter().map(|literal| literal.as_bytes().to_vec()).collect()));
        }
    }

    /// Long literals are rare in subjects, and few are better than many.
    fn offer(&mut self, literals: Option<Vec<Vec<u8>>>) {
        let worth = |literals: &Vec<Vec<u8>>| (literals.iter().map(Vec::len).min().unwrap_or(0), usize::MAX - literals.len());
        if let Some(literals) = literals.filter(|literals| worth(literals).0 > 0) {
            if self.best.as_ref().is_none_or(|best| worth(best) < worth(&literals)) {
                self.best = Some(literals);
            }
        }
    }
}

/// The expression of what has neither repetitions nor many different bytes; conditions are left out.
fn written_out(node: &Node) -> Option<Hir> {
    let all = |nodes: &[Node]| nodes.iter().map(written_out).collect::<Option<Vec<Hir>>>();
    match node {
        Node::Byte(bytes) => Some(bytes.lowercase()).filter(|bytes| (1..=MAX_BYTES).contains(&Bytes::count(*bytes))).map(class),
        Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. } => Some(Hir::empty()),
        Node::Sequence(nodes) => all(nodes).map(Hir::concat),
        Node::Choice(nodes) => all(nodes).map(Hir::alternation),
        Node::Restricted(node) | Node::Group(_, node) => written_out(node),
        Node::Repeat { .. } | Node::BackReference(..) => None,
    }
}

/// Looks for literals of many patterns.
pub(super) struct Literals {
    automaton: Kind,
    /// The mark of each literal.
    marks: Vec<usize>,
}

/// The quicker one takes about 200 bytes per byte of the literals, the smaller one about 20.
enum Kind {
    Quick(dfa::DFA, StateID),
    Small(contiguous::NFA, StateID),
}

impl Literals {
    /// `None` if there is none, or if they are too many for any automaton. Literals with their marks.
    pub(super) fn new(literals: &[(usize, Vec<u8>)]) -> Option<Literals> {
        if literals.is_empty() {
            return None;
        }
        let bytes = literals.iter().map(|(_, literal)| literal);
        let automaton = if bytes.clone().map(Vec::len).sum::<usize>() <= QUICK {
            let automaton = dfa::Builder::new().ascii_case_insensitive(true).start_kind(StartKind::Unanchored).build(bytes).ok()?;
            let start = automaton.start_state(Anchored::No).ok()?;
            Kind::Quick(automaton, start)
        } else {
            let automaton = contiguous::Builder::new().ascii_case_insensitive(true).build(bytes).ok()?;
            let start = automaton.start_state(Anchored::No).ok()?;
            Kind::Small(automaton, start)
        };
        Some(Literals { automaton, marks: literals.iter().map(|(mark, _)| *mark).collect() })
    }

    pub(super) fn search(&self, subject: &[u8], marks: &mut [u64]) {
        match &self.automaton {
            Kind::Quick(automaton, start) => self.search_in(automaton, *start, subject, marks),
            Kind::Small(automaton, start) => self.search_in(automaton, *start, subject, marks),
        }
    }

    fn search_in(&self, automaton: &impl Automaton, start: StateID, subject: &[u8], marks: &mut [u64]) {
        let mut state = start;
        for byte in subject {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                for at in 0..automaton.match_len(state) {
                    let literal: PatternID = automaton.match_pattern(state, at);
                    if let Some(mark) = self.marks.get(literal.as_usize()) {
                        set(marks, *mark);
                    }
                }
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        match &self.automaton {
            Kind::Quick(automaton, _) => automaton.memory_usage(),
            Kind::Small(automaton, _) => automaton.memory_usage(),
        }
    }
}
