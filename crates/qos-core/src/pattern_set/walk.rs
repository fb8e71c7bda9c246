//! Runs programs: backtracking in the order of PCRE, and all of it, over the whole subject, counted.
//!
//! What came to nothing at a place is remembered, unless the pattern refers to its groups: then each part of a pattern is tried at most once at each place, and the time grows with the length of
//! the subject and of the pattern only. Remembering begins when a subject turns out to need it.

use super::machine::{Class, Program, Step};
use super::{begin, is_set, set};
use crate::pattern::{GivenUp, Match};

/// Bytes of a repetition that count as one step.
const BYTES_PER_STEP: usize = 4;
/// Remembering begins after so many steps for each byte of a subject and so many more, or after this part of the steps that are left.
const STEPS_PER_BYTE: usize = 2;
const STEPS_BEFORE: usize = 256;
const PART_BEFORE: usize = 8;
/// Bytes of what can be remembered about splits; beyond, only the limit of steps bounds the time.
const MOST_MEMORY: usize = 4 << 20;

/// No position.
const UNSET: usize = usize::MAX;

/// No group, and no bytes.
const UNKNOWN: Group = Group { opened: UNSET, found: (UNSET, UNSET) };
const NOWHERE: (usize, usize) = (UNSET, 0);

/// A group: where it was opened, and what it has matched.
#[derive(Clone, Copy)]
struct Group {
    opened: usize,
    found: (usize, usize),
}

/// What is tried, or restored, when the program comes to nothing.
enum Frame {
    Branch {
        step: usize,
        at: usize,
    },
    /// A repetition that took as many as it could: from the last one back to the least.
    Fewer {
        step: usize,
        at: usize,
        least: usize,
        number: usize,
    },
    /// A repetition that took as few as it had to.
    More {
        step: usize,
        at: usize,
        class: usize,
        most: usize,
        number: usize,
    },
    /// Both of what was tried at a [`Step::Split`] have come to nothing: the mark for it.
    Failed(usize),
    /// A repetition without a bound has come to nothing: its step, and where it began.
    FailedRun {
        step: usize,
        from: usize,
    },
    Group(usize, Group),
    Register(usize, usize),
}

/// Runs one program over subjects.
pub(super) struct Walk<'p> {
    program: &'p Program,
    subject: &'p [u8],
    /// Steps that may still be taken, over all subjects.
    left: usize,
    groups: Vec<Group>,
    registers: Vec<usize>,
    frames: Vec<Frame>,
    /// Steps before remembering begins, at most; and those left when it does.
    most_before: usize,
    remember_at: Option<usize>,
    /// Per place and split whether it came to nothing there, one bit each; empty until it is needed.
    failed: Vec<u64>,
    /// Per repetition without a bound the last bytes from each of which it came to nothing: the first of them, and the end.
    failed_runs: Vec<(usize, usize)>,
}

impl<'p> Walk<'p> {
    /// `steps`: how many may be taken over all subjects.
    pub(super) fn new(program: &'p Program, steps: usize) -> Walk<'p> {
        Walk {
            program,
            subject: b"",
            left: steps,
            groups: vec![UNKNOWN; program.groups + 1],
            registers: vec![UNSET; program.registers],
            frames: Vec::new(),
            most_before: usize::MAX,
            remember_at: None,
            failed: Vec::new(),
            failed_runs: vec![NOWHERE; program.runs],
        }
    }

    /// The same, remembering from the first step on.
    #[cfg(test)]
    pub(super) fn remembering(program: &'p Program, steps: usize) -> Walk<'p> {
        Walk { most_before: 0, ..Walk::new(program, steps) }
    }

    /// Steps that may still be taken.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Looks for a match anywhere in a subject.
    pub(super) fn search(&mut self, subject: &'p [u8]) -> Match {
        let program = self.program;
        self.subject = subject;
        self.groups.fill(UNKNOWN);
        self.registers.fill(UNSET);
        self.frames.clear();
        self.failed.clear();
        self.failed_runs.fill(NOWHERE);
        let memory = subject.len().saturating_add(1).saturating_mul(program.splits) / 8;
        let may_remember = program.forgetful && memory <= MOST_MEMORY;
        let before = STEPS_BEFORE.saturating_add(subject.len().saturating_mul(STEPS_PER_BYTE)).min(self.left / PART_BEFORE).min(self.most_before);
        self.remember_at = may_remember.then_some(self.left - before);
        let last = if program.anchored { 0 } else { subject.len() };
        let mut at = 0;
        while at <= last {
            if let Some(first) = &program.first {
                match first.find(subject, at).filter(|at| *at <= last) {
                    Some(place) => at = place,
                    None => return Match::No,
                }
            }
            match self.from(0, at) {
                Ok(Some(_)) => return Match::Yes,
                Ok(None) => at += 1,
                Err(GivenUp) => return Match::GivenUp,
            }
        }
        Match::No
    }
}

fn is_in(class: &Class, byte: u8) -> bool {
    class.get(usize::from(byte)).copied().unwrap_or(false)
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Walk<'_> {
    fn spend(&mut self, steps: usize) -> Result<(), GivenUp> {
        self.left = self.left.checked_sub(steps).ok_or(GivenUp)?;
        Ok(())
    }

    /// Runs from a step up to the end of its part of the program: where it has come to. What was tried besides is forgotten, what has to be restored is not.
    fn from(&mut self, mut step: usize, mut at: usize) -> Result<Option<usize>, GivenUp> {
        let base = self.frames.len();
        loop {
            self.spend(1)?;
            match self.step(step, at)? {
                Next::At(next, place) => (step, at) = (next, place),
                Next::Accepted => {
                    self.forget(base);
                    return Ok(Some(at));
                }
                Next::Failed => match self.back(base)? {
                    Some(next) => (step, at) = next,
                    None => return Ok(None),
                },
            }
        }
    }

    fn step(&mut self, step: usize, at: usize) -> Result<Next, GivenUp> {
        let (program, subject) = (self.program, self.subject);
        let when = |is_so: bool| if is_so { Next::At(step + 1, at) } else { Next::Failed };
        Ok(match program.steps.get(step) {
            Some(Step::Byte(class)) => match (program.classes.get(*class), subject.get(at)) {
                (Some(class), Some(byte)) if is_in(class, *byte) => Next::At(step + 1, at + 1),
                _ => Next::Failed,
            },
            Some(Step::Run { class, min, max, greedy, number }) => {
                // What follows is tried behind each byte once: not again where that came to nothing.
                let (from, to) = self.failed_runs.get(*number).copied().unwrap_or(NOWHERE);
                if (from..=to).contains(&at) {
                    return Ok(Next::Failed);
                }
                let before_known = at < from && from != UNSET;
                let most = if before_known { (*max).min(from - at + *min - 1) } else { *max };
                let count = self.count(*class, at, if *greedy { most } else { *min })?;
                if count < *min {
                    return Ok(Next::Failed);
                }
                let varies = if *greedy { count > *min } else { most > *min };
                if (varies || before_known) && *max == usize::MAX && program.forgetful {
                    self.frames.push(Frame::FailedRun { step, from: at });
                }
                let next = step + 1;
                if *greedy {
                    let least = at + *min;
                    match self.last_place(*number, at + count, least)? {
                        Some(place) => {
                            if place > least {
                                self.frames.push(Frame::Fewer { step: next, at: place, least, number: *number });
                            }
                            Next::At(next, place)
                        }
                        None => Next::Failed,
                    }
                } else {
                    let place = at + count;
                    if varies {
                        self.frames.push(Frame::More { step: next, at: place, class: *class, most: at.saturating_add(most), number: *number });
                    }
                    if self.goes_on(*number, place) { Next::At(next, place) } else { Next::Failed }
                }
            }
            Some(Step::Start) => when(at == 0),
            Some(Step::End) => when(at == subject.len()),
            Some(Step::LineEnd) => when(at == subject.len() || (at + 1 == subject.len() && subject.last() == Some(&b'\n'))),
            Some(Step::WordBoundary(is_one)) => {
                let before = at.checked_sub(1).and_then(|before| subject.get(before));
                when((is_word(before) != is_word(subject.get(at))) == *is_one)
            }
            Some(Step::Split { first, second, number }) => {
                let way = program.ways.next(*number, subject.get(at));
                if way == begin::NOWHERE {
                    return Ok(Next::Failed);
                }
                if usize::from(way) != step {
                    return Ok(Next::At(usize::from(way), at));
                }
                if self.remember_at.is_some_and(|at| self.left <= at) {
                    let mark = at * program.splits + number;
                    if self.failed.is_empty() {
                        self.failed = vec![0; ((subject.len() + 1) * program.splits).div_ceil(64)];
                    }
                    if is_set(&self.failed, mark) {
                        return Ok(Next::Failed);
                    }
                    self.frames.push(Frame::Failed(mark));
                }
                self.frames.push(Frame::Branch { step: *second, at });
                Next::At(*first, at)
            }
            Some(Step::Jump(next)) => Next::At(*next, at),
            Some(Step::Back(bytes)) => at.checked_sub(*bytes).map_or(Next::Failed, |at| Next::At(step + 1, at)),
            Some(Step::Mark(register)) => {
                if let Some(value) = self.registers.get_mut(*register) {
                    self.frames.push(Frame::Register(*register, *value));
                    *value = at;
                }
                Next::At(step + 1, at)
            }
            Some(Step::Progress(register, end)) => {
                let is_empty = self.registers.get(*register) == Some(&at);
                Next::At(if is_empty { *end } else { step + 1 }, at)
            }
            Some(Step::Open(group)) => {
                self.change(*group, |group| Group { opened: at, ..group });
                Next::At(step + 1, at)
            }
            Some(Step::Close(group)) => {
                self.change(*group, |group| Group { found: (group.opened, at), ..group });
                Next::At(step + 1, at)
            }
            Some(Step::Again(group, caseless)) => {
                let found = self.groups.get(*group).and_then(|group| subject.get(group.found.0..group.found.1));
                let here = found.and_then(|found| subject.get(at..at + found.len()));
                self.spend(found.map_or(0, <[u8]>::len) / BYTES_PER_STEP)?;
                match (found, here) {
                    (Some(found), Some(here)) if here == found || (*caseless && here.eq_ignore_ascii_case(found)) => Next::At(step + 1, at + found.len()),
                    _ => Next::Failed,
                }
            }
            Some(Step::Look { negated, next }) => {
                let base = self.frames.len();
                let found = self.from(step + 1, at)?.is_some();
                if *negated {
                    self.restore(base);
                }
                if found == *negated { Next::Failed } else { Next::At(*next, at) }
            }
            Some(Step::Atomic(next)) => self.from(step + 1, at)?.map_or(Next::Failed, |at| Next::At(*next, at)),
            Some(Step::Accept) => Next::Accepted,
            None => Next::Failed,
        })
    }

    /// Bytes of a class, at most so many.
    fn count(&mut self, class: usize, at: usize, most: usize) -> Result<usize, GivenUp> {
        let rest = self.subject.get(at..).unwrap_or_default();
        let most = rest.len().min(most);
        // A dot stands for all of them.
        if self.program.of_all.get(class) == Some(&true) {
            return Ok(most);
        }
        let Some(class) = self.program.classes.get(class) else { return Ok(0) };
        let count = rest.iter().take(most).position(|byte| !is_in(class, *byte)).unwrap_or(most);
        self.spend(count / BYTES_PER_STEP)?;
        Ok(count)
    }

    /// Whether a match can go on here behind a repetition.
    fn goes_on(&self, number: usize, at: usize) -> bool {
        self.program.ways.behind(number).is_none_or(|behind| self.subject.get(at).is_some_and(|byte| is_in(behind, *byte)))
    }

    /// The last place, from this one back to the least, at which a match can go on behind a repetition.
    fn last_place(&mut self, number: usize, from: usize, least: usize) -> Result<Option<usize>, GivenUp> {
        let Some(behind) = self.program.ways.behind(number) else { return Ok(Some(from)) };
        let places = self.subject.get(least..(from + 1).min(self.subject.len())).unwrap_or_default();
        let last = places.iter().rposition(|byte| is_in(behind, *byte));
        self.spend((places.len() - last.unwrap_or(0)) / BYTES_PER_STEP)?;
        Ok(last.map(|last| least + last))
    }

    /// The next place behind one more byte of a class at least at which a match can go on behind a repetition.
    fn next_place(&mut self, number: usize, class: usize, from: usize, most: usize) -> Result<Option<usize>, GivenUp> {
        let Some(class) = self.program.classes.get(class) else { return Ok(None) };
        let mut at = from;
        let place = loop {
            match self.subject.get(at) {
                Some(byte) if at < most && is_in(class, *byte) => at += 1,
                _ => break None,
            }
            if self.goes_on(number, at) {
                break Some(at);
            }
        };
        self.spend(1 + (at - from) / BYTES_PER_STEP)?;
        Ok(place)
    }

    fn change(&mut self, number: usize, to: impl Fn(Group) -> Group) {
        if let Some(group) = self.groups.get_mut(number) {
            self.frames.push(Frame::Group(number, *group));
            *group = to(*group);
        }
    }

    /// The next thing to try, of those above `base`.
    fn back(&mut self, base: usize) -> Result<Option<(usize, usize)>, GivenUp> {
        while self.frames.len() > base {
            match self.frames.pop() {
                Some(Frame::Branch { step, at }) => return Ok(Some((step, at))),
                Some(Frame::Fewer { step, at, least, number }) => {
                    if let Some(at) = self.last_place(number, at - 1, least)? {
                        if at > least {
                            self.frames.push(Frame::Fewer { step, at, least, number });
                        }
                        return Ok(Some((step, at)));
                    }
                }
                Some(Frame::More { step, at, class, most, number }) => {
                    if let Some(at) = self.next_place(number, class, at, most)? {
                        if at < most {
                            self.frames.push(Frame::More { step, at, class, most, number });
                        }
                        return Ok(Some((step, at)));
                    }
                }
                Some(Frame::Failed(mark)) => set(&mut self.failed, mark),
                Some(Frame::FailedRun { step, from }) => self.remember_run(step, from)?,
                Some(frame) => self.undo(&frame),
                None => break,
            }
        }
        Ok(None)
    }

    /// A repetition came to nothing: so it does from each of its bytes on, because what follows was tried behind all of them.
    fn remember_run(&mut self, step: usize, from: usize) -> Result<(), GivenUp> {
        let Some(Step::Run { class, number, .. }) = self.program.steps.get(step) else { return Ok(()) };
        let known = self.failed_runs.get(*number).copied().unwrap_or(NOWHERE);
        let most = if from < known.0 && known.0 != UNSET { known.0 - from } else { usize::MAX };
        let length = self.count(*class, from, most)?;
        let to = if length == most { known.1 } else { from + length };
        self.failed_runs.get_mut(*number).into_iter().for_each(|run| *run = (from, to));
        Ok(())
    }

    fn undo(&mut self, frame: &Frame) {
        match frame {
            Frame::Group(number, before) => self.groups.get_mut(*number).into_iter().for_each(|group| *group = *before),
            Frame::Register(number, before) => self.registers.get_mut(*number).into_iter().for_each(|register| *register = *before),
            Frame::Branch { .. } | Frame::Fewer { .. } | Frame::More { .. } | Frame::Failed(_) | Frame::FailedRun { .. } => {}
        }
    }

    /// Takes everything back that was done since.
    fn restore(&mut self, base: usize) {
        while self.frames.len() > base {
            if let Some(frame) = self.frames.pop() {
                self.undo(&frame);
            }
        }
    }

    /// Nothing else is tried of what was begun since.
    fn forget(&mut self, base: usize) {
        if self.frames.len() > base {
            let since = self.frames.split_off(base);
            self.frames.extend(since.into_iter().filter(|frame| matches!(frame, Frame::Group(..) | Frame::Register(..))));
        }
    }
}

enum Next {
    /// Go on with this step at this byte.
    At(usize, usize),
    Accepted,
    Failed,
}
