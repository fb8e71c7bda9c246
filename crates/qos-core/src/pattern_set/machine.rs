//! Programs for patterns that need backtracking, and what they are made of.
//!
//! PCRE counts its match limit anew at each byte at which a match may begin, and counts repetitions of single bytes once, so that a subject of 128 KB can keep it
//! busy for minutes. Programs count each step over all subjects, and remember what came to nothing ([`super::walk`]). What they cannot say is left to PCRE.

use super::begin::{Pairs, Ways};
use super::bytes::Bytes;
use super::syntax::{Node, read_with_groups};
use crate::pattern::Pattern;

/// Steps of a program; counted repetitions are written out.
const MOST_STEPS: usize = 4096;

/// A step.
#[derive(Debug)]
pub(super) enum Step {
    /// One byte of a class.
    Byte(usize),
    /// Bytes of a class, so many.
    Run {
        class: usize,
        min: usize,
        max: usize,
        greedy: bool,
        /// Which of all of them it is.
        number: usize,
    },
    /// `\A`.
    Start,
    /// `\z`.
    End,
    /// `\Z`.
    LineEnd,
    /// `\b`, `\B`.
    WordBoundary(bool),
    /// Go on at the first, and at the second if that comes to nothing.
    Split {
        first: usize,
        second: usize,
        /// Which of all of them it is.
        number: usize,
    },
    /// Go on there.
    Jump(usize),
    /// So many bytes back.
    Back(usize),
    /// A repetition begins; its register.
    Mark(usize),
    /// It ends: an empty one is the last, and the program goes on there.
    Progress(usize, usize),
    /// A group begins, ends.
    Open(usize),
    Close(usize),
    /// The bytes of a group again; in any case.
    Again(usize, bool),
    /// What follows up to [`Step::Accept`] has to match here, or not; then the program goes on there, from where it was.
    Look {
        negated: bool,
        next: usize,
    },
    /// What follows up to [`Step::Accept`] matches once, and is not tried again; then the program goes on there.
    Atomic(usize),
    /// It matches.
    Accept,
}

/// Which bytes are in a class.
pub(super) type Class = Box<[bool; 256]>;

/// A program.
#[derive(Debug)]
pub(super) struct Program {
    pub steps: Vec<Step>,
    pub classes: Vec<Class>,
    /// Which of them have all bytes.
    pub of_all: Vec<bool>,
    /// Bytes with which a match begins; `None`: it may be empty.
    pub first: Option<Pairs>,
    /// Where its splits lead.
    pub ways: Ways,
    /// It begins at the start of the subject.
    pub anchored: bool,
    pub groups: usize,
    pub registers: usize,
    /// Whether a step that came to nothing at a place comes to nothing there again, whatever was tried before.
    pub forgetful: bool,
    /// Steps at which two things are tried, and repetitions of a class.
    pub splits: usize,
    pub runs: usize,
}

impl Program {
    /// The program of a pattern; `None` if that cannot be said in steps, or in too many.
    pub(super) fn new(pattern: &Pattern) -> Option<Program> {
        let node = read_with_groups(pattern)?;
        let refers = refers(&node);
        let mut writer = Writer { steps: Vec::new(), classes: Vec::new(), groups: groups(&node), registers: 0, refers };
        writer.write(&node)?;
        writer.push(Step::Accept)?;
        let Writer { mut steps, classes, groups, registers, .. } = writer;
        let (mut splits, mut runs) = (0, 0);
        for step in &mut steps {
            let (number, of_kind) = match step {
                Step::Split { number, .. } => (number, &mut splits),
                Step::Run { number, .. } => (number, &mut runs),
                _ => continue,
            };
            *number = *of_kind;
            *of_kind += 1;
        }
        // A repetition that may be empty ends depending on where it began. That makes a difference only for what is looked for as a part.
        let has_parts = steps.iter().any(|step| matches!(step, Step::Look { .. } | Step::Atomic(_)));
        let forgetful = !refers && (registers == 0 || !has_parts);
        let (ways, first) = Ways::new(&steps, &classes, splits);
        let of_all = classes.iter().map(|class| class.iter().all(|is_in| *is_in)).collect();
        Some(Program { steps, classes, of_all, first, ways, anchored: is_anchored(&node), groups, registers, forgetful, splits, runs })
    }
}

pub(super) fn class_of(bytes: Bytes) -> Class {
    let mut class = Box::new([false; 256]);
    for (byte, is_in) in (0..=u8::MAX).zip(class.iter_mut()) {
        *is_in = bytes.contains(byte);
    }
    class
}

struct Writer {
    steps: Vec<Step>,
    classes: Vec<Class>,
    groups: usize,
    registers: usize,
    refers: bool,
}

impl Writer {
    fn push(&mut self, step: Step) -> Option<usize> {
        self.steps.push(step);
        (self.steps.len() <= MOST_STEPS).then_some(self.steps.len() - 1)
    }

    fn here(&self) -> usize {
        self.steps.len()
    }

    /// Writes what was left open: where a step goes on.
    fn set(&mut self, place: usize, step: Step) {
        if let Some(open) = self.steps.get_mut(place) {
            *open = step;
        }
    }

    fn class(&mut self, bytes: Bytes) -> usize {
        self.classes.push(class_of(bytes));
        self.classes.len() - 1
    }

    fn write(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Byte(bytes) => {
                let class = self.class(*bytes);
                self.push(Step::Byte(class))?;
            }
            Node::Start => _ = self.push(Step::Start)?,
            Node::End => _ = self.push(Step::End)?,
            Node::LineEnd => _ = self.push(Step::LineEnd)?,
            Node::WordBoundary(is_one) => _ = self.push(Step::WordBoundary(*is_one))?,
            Node::Sequence(nodes) => nodes.iter().try_for_each(|node| self.write(node))?,
            Node::Choice(nodes) => self.choice(nodes)?,
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy)?,
            Node::Restricted(node) => {
                let open = self.push(Step::Accept)?;
                self.write(node)?;
                self.push(Step::Accept)?;
                let next = self.here();
                self.set(open, Step::Atomic(next));
            }
            Node::LookAround { node, behind, negated } => {
                let open = self.push(Step::Accept)?;
                if *behind {
                    let branches = match &**node {
                        Node::Choice(branches) => branches.as_slice(),
                        other => std::slice::from_ref(other),
                    };
                    let with_length = |branch| Some((length(branch)?, branch));
                    let branches = branches.iter().map(with_length).collect::<Option<Vec<(usize, &Node)>>>()?;
                    self.behind(&branches)?;
                } else {
                    self.write(node)?;
                }
                self.push(Step::Accept)?;
                let next = self.here();
                self.set(open, Step::Look { negated: *negated, next });
            }
            Node::BackReference(number, caseless) => _ = self.push(Step::Again(usize::try_from(*number).ok()?, *caseless))?,
            Node::Group(number, node) if self.refers => {
                let number = usize::try_from(*number).ok()?;
                self.push(Step::Open(number))?;
                self.write(node)?;
                self.push(Step::Close(number))?;
            }
            Node::Group(_, node) => self.write(node)?,
        }
        Some(())
    }

    fn choice(&mut self, nodes: &[Node]) -> Option<()> {
        self.alternatives(nodes, |writer, node| writer.write(node))
    }

    fn behind(&mut self, branches: &[(usize, &Node)]) -> Option<()> {
        self.alternatives(branches, |writer, (length, node)| {
            writer.push(Step::Back(*length))?;
            writer.write(node)
        })
    }

    fn alternatives<T>(&mut self, all: &[T], write: impl Fn(&mut Writer, &T) -> Option<()>) -> Option<()> {
        let mut ends = Vec::new();
        let (last, others) = all.split_last()?;
        for one in others {
            let split = self.push(Step::Accept)?;
            write(self, one)?;
            ends.push(self.push(Step::Accept)?);
            let next = self.here();
            self.set(split, Step::Split { first: split + 1, second: next, number: 0 });
        }
        write(self, last)?;
        let end = self.here();
        for jump in ends {
            self.set(jump, Step::Jump(end));
        }
        Some(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool) -> Option<()> {
        let size = |number: u32| usize::try_from(number).ok();
        if let Node::Byte(bytes) = node {
            let class = self.class(*bytes);
            self.push(Step::Run { class, min: size(min)?, max: max.map_or(Some(usize::MAX), size)?, greedy, number: 0 })?;
            return Some(());
        }
        for _ in 0..min {
            self.write(node)?;
        }
        let split = |inside, outside| {
            let (first, second) = if greedy { (inside, outside) } else { (outside, inside) };
            Step::Split { first, second, number: 0 }
        };
        match max {
            Some(max) => {
                let mut splits = Vec::new();
                for _ in min..max {
                    splits.push(self.push(Step::Accept)?);
                    self.write(node)?;
                }
                let end = self.here();
                for place in splits {
                    self.set(place, split(place + 1, end));
                }
            }
            None => {
                let again = self.push(Step::Accept)?;
                let may_be_empty = may_be_empty(node);
                if may_be_empty {
                    let register = self.registers;
                    self.registers += 1;
                    self.push(Step::Mark(register))?;
                    self.write(node)?;
                    let progress = self.push(Step::Accept)?;
                    self.push(Step::Jump(again))?;
                    self.set(progress, Step::Progress(register, self.here()));
                } else {
                    self.write(node)?;
                    self.push(Step::Jump(again))?;
                }
                let end = self.here();
                self.set(again, split(again + 1, end));
            }
        }
        Some(())
    }
}

/// The number of bytes that it takes, if that is always the same.
fn length(node: &Node) -> Option<usize> {
    match node {
        Node::Byte(_) => Some(1),
        Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. } => Some(0),
        Node::Sequence(nodes) => nodes.iter().map(length).sum(),
        Node::Choice(nodes) => {
            let mut lengths = nodes.iter().map(length);
            let first = lengths.next()??;
            lengths.all(|length| length == Some(first)).then_some(first)
        }
        Node::Repeat { node, min, max, .. } if Some(*min) == *max => length(node)?.checked_mul(usize::try_from(*min).ok()?),
        Node::Restricted(node) | Node::Group(_, node) => length(node),
        Node::Repeat { .. } | Node::BackReference(..) => None,
    }
}

/// Whether it may match without a byte.
fn may_be_empty(node: &Node) -> bool {
    match node {
        Node::Byte(bytes) => bytes.count() == 0,
        Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. } | Node::BackReference(..) => true,
        Node::Sequence(nodes) => nodes.iter().all(may_be_empty),
        Node::Choice(nodes) => nodes.iter().any(may_be_empty),
        Node::Repeat { node, min, .. } => *min == 0 || may_be_empty(node),
        Node::Restricted(node) | Node::Group(_, node) => may_be_empty(node),
    }
}

fn is_anchored(node: &Node) -> bool {
    match node {
        Node::Start => true,
        Node::Sequence(nodes) => nodes.first().is_some_and(is_anchored),
        Node::Choice(nodes) => nodes.iter().all(is_anchored),
        Node::Restricted(node) | Node::Group(_, node) => is_anchored(node),
        Node::Repeat { node, min: 1.., .. } => is_anchored(node),
        _ => false,
    }
}

fn refers(node: &Node) -> bool {
    any(node, &|node| matches!(node, Node::BackReference(..)))
}

fn any(node: &Node, is_it: &dyn Fn(&Node) -> bool) -> bool {
    is_it(node)
        || match node {
            Node::Sequence(nodes) | Node::Choice(nodes) => nodes.iter().any(|node| any(node, is_it)),
            Node::Repeat { node, .. } | Node::Restricted(node) | Node::Group(_, node) | Node::LookAround { node, .. } => any(node, is_it),
            _ => false,
        }
}

/// The highest number of a group or of a reference to one.
fn groups(node: &Node) -> usize {
    match node {
        Node::Sequence(nodes) | Node::Choice(nodes) => nodes.iter().map(groups).max().unwrap_or(0),
        Node::Group(number, node) => groups(node).max(usize::try_from(*number).unwrap_or(0)),
        Node::Repeat { node, .. } | Node::Restricted(node) | Node::LookAround { node, .. } => groups(node),
        Node::BackReference(number, _) => usize::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}
