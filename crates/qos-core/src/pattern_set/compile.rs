//! Which pattern is matched in which way.
//!
//! Patterns that begin with `^` have a table of their own: it is left as soon as none of them can match any more, and theirs do not multiply the states of
//! the others. Patterns that wait for one thing after any amount of another multiply each other's states; where there are many of them, they go to the literals at
//! once, and where a table becomes too large, all patterns with repetitions do. What has no literal either is left to PCRE.

use super::automaton::Automaton;
use super::literals::{Literals, required};
use super::syntax::{self, Node};
use super::translate::{Translation, is_anchored, translate, trimmed};
use super::{Compiled, Matcher, set};
use crate::pattern::Pattern;
use regex_syntax::hir::Hir;

/// Repeating one of so many bytes or more is waiting for something.
const BROAD: u32 = 48;
/// ... if it may be more often than this.
const OFTEN: u32 = 8;

/// What tables may take, which bounds the time that making them takes to some tenths of a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Patterns in a table, and its bytes.
    pub anchored: (usize, usize),
    pub floating: (usize, usize),
    /// Patterns that wait for something and are in one table.
    pub waiting: usize,
}

impl Limits {
    pub(super) const NORMAL: Limits = Limits { anchored: (4096, 2 << 20), floating: (256, 1 << 20), waiting: 3 };
}

/// A pattern that can be in a table.
struct Member {
    index: usize,
    hir: Hir,
    anchored: bool,
    /// How often it waits for something after any amount of something else.
    waits: usize,
    repeats: bool,
}

pub(super) fn compile(patterns: Vec<Pattern>, limits: Limits) -> Compiled {
    let words = patterns.len().div_ceil(64);
    let mut compiled = Compiled { ask: vec![0; words], always: vec![0; words], ..Compiled::default() };
    let nodes: Vec<Option<Node>> = patterns.iter().map(|pattern| syntax::read(pattern).map(trimmed)).collect();
    let mut members = Vec::new();
    let mut left = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(node) = node else {
            left.push(index);
            continue;
        };
        let Translation { expression: hir, exact } = translate(node);
        if !exact {
            set(&mut compiled.ask, index);
        }
        if hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty() {
            // It matches everything, or would if it were not for what only PCRE can tell.
            if exact {
                set(&mut compiled.always, index)
            } else {
                left.push(index)
            }
            continue;
        }
        let anchored = is_anchored(&hir);
        members.push(Member { index, hir, anchored, waits: waits(node), repeats: repeats(node) });
    }

    for anchored in [true, false] {
        let (own, others): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|member| member.anchored == anchored);
        members = others;
        let (automaton, others) = table(own, anchored, limits);
        compiled.automatons.extend(automaton);
        left.extend(others);
    }

    let mut literals = Vec::new();
    let mut without = Vec::new();
    for index in left {
        set(&mut compiled.ask, index);
        match nodes.get(index).and_then(Option::as_ref).and_then(required) {
            Some(required) => literals.extend(required.into_iter().map(|literal| (index, literal))),
            None => without.push(index),
        }
    }
    compiled.literals = Literals::new(&literals);
    if compiled.literals.is_none() {
        without.extend(literals.iter().map(|(index, _)| *index));
    }
    for index in without {
        set(&mut compiled.always, index);
    }
    let asked = |(index, pattern)| super::is_set(&compiled.ask, index).then(|| Matcher::new(pattern));
    compiled.programs = patterns.iter().enumerate().map(asked).collect();
    compiled.patterns = patterns;
    compiled
}

/// A table of as many as there is room for, and the indices of the rest.
fn table(mut members: Vec<Member>, anchored: bool, limits: Limits) -> (Option<Automaton>, Vec<usize>) {
    let (most, bytes) = if anchored { limits.anchored } else { limits.floating };
    let mut left = Vec::new();
    let mut leave = |members: &mut Vec<Member>, stays: &dyn Fn(&Member) -> bool| {
        left.extend(members.iter().filter(|member| !stays(member)).map(|member| member.index));
        members.retain(stays);
    };
    // From the start on, all that wait do so from the same place: their states add up like those of unanchored ones that do not wait.
    for (least, most) in if anchored { [(2, limits.waiting), (1, limits.floating.0)] } else { [(1, limits.waiting), (1, limits.waiting)] } {
        if members.iter().filter(|member| member.waits >= least).count() > most {
            leave(&mut members, &|member| member.waits < least);
        }
    }
    let last = members.get(most).map_or(usize::MAX, |member| member.index);
    leave(&mut members, &|member| member.index < last);
    let mut automaton = None;
    for attempt in 0..2 {
        let expressions: Vec<(usize, Hir)> = members.iter().map(|member| (member.index, member.hir.clone())).collect();
        automaton = if expressions.is_empty() { None } else { Automaton::new(&expressions, anchored, bytes) };
        if automaton.is_some() {
            break;
        }
        leave(&mut members, &|member| attempt == 0 && !member.repeats);
    }
    (automaton, left)
}

/// How often a pattern waits for something after any amount of something else.
fn waits(node: &Node) -> usize {
    match node {
        Node::Repeat { node, max, .. } if max.is_none_or(|max| max > OFTEN) => match &**node {
            Node::Byte(bytes) if bytes.count() < BROAD => 0,
            _ => 1,
        },
        Node::Repeat { node, .. } | Node::Restricted(node) | Node::Group(_, node) => waits(node),
        Node::Sequence(nodes) | Node::Choice(nodes) => nodes.iter().map(waits).sum(),
        Node::BackReference(..) => 1,
        Node::Byte(_) | Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. } => 0,
    }
}

/// Whether anything in it is repeated, apart from what may be there or not.
fn repeats(node: &Node) -> bool {
    match node {
        Node::Repeat { max: Some(1), node, .. } | Node::Restricted(node) | Node::Group(_, node) => repeats(node),
        Node::Repeat { .. } | Node::BackReference(..) => true,
        Node::Sequence(nodes) | Node::Choice(nodes) => nodes.iter().any(repeats),
        Node::Byte(_) | Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. } => false,
    }
}
