//! Runs programs: backtracking in the order of PCRE, and all of it, over the whole subject, counted.

use super::machine::{Class, Program, Step};
use crate::pattern::{GivenUp, Match};

/// Steps after which a subject is given up, and bytes of it for which there is one more: a third of a millisecond, for 128 KB twice that.
const STEPS: usize = 50_000;
const BYTES_PER_EXTRA: usize = 4;
/// Bytes of a repetition that count as one step.
const BYTES_PER_STEP: usize = 8;

/// No position.
const UNSET: usize = usize::MAX;

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
    },
    /// A repetition that took as few as it had to.
    More {
        step: usize,
        at: usize,
        class: usize,
        most: usize,
    },
    Group(usize, Group),
    Register(usize, usize),
}

struct Run<'p> {
    program: &'p Program,
    subject: &'p [u8],
    left: usize,
    groups: Vec<Group>,
    registers: Vec<usize>,
    frames: Vec<Frame>,
}

/// Looks for a match anywhere in the subject.
pub(super) fn search(program: &Program, subject: &[u8]) -> Match {
    let mut run = Run {
        program,
        subject,
        left: STEPS + subject.len() / BYTES_PER_EXTRA,
        groups: vec![Group { opened: UNSET, found: (UNSET, UNSET) }; program.groups + 1],
        registers: vec![UNSET; program.registers],
        frames: Vec::new(),
    };
    let last = if program.anchored { 0 } else { subject.len() };
    let mut at = 0;
    while at <= last {
        if let Some(first) = &program.first {
            match subject.get(at..).and_then(|rest| rest.iter().position(|byte| is_in(first, *byte))) {
                Some(ahead) if at + ahead <= last => at += ahead,
                _ => return Match::No,
            }
        }
        match run.from(0, at) {
            Ok(Some(_)) => return Match::Yes,
            Ok(None) => at += 1,
            Err(GivenUp) => return Match::GivenUp,
        }
    }
    Match::No
}

fn is_in(class: &Class, byte: u8) -> bool {
    class.get(usize::from(byte)).copied().unwrap_or(false)
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Run<'_> {
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
            Some(Step::Run { class, min, max, greedy }) => {
                let most = if *greedy { *max } else { *min };
                let count = self.count(*class, at, most);
                self.spend(count / BYTES_PER_STEP)?;
                if count < *min {
                    return Ok(Next::Failed);
                }
                if *greedy && count > *min {
                    self.frames.push(Frame::Fewer { step: step + 1, at: at + count, least: at + *min });
                } else if !*greedy && *max > *min {
                    self.frames.push(Frame::More { step: step + 1, at: at + count, class: *class, most: at.saturating_add(*max) });
                }
                Next::At(step + 1, at + count)
            }
            Some(Step::Start) => when(at == 0),
            Some(Step::End) => when(at == subject.len()),
            Some(Step::LineEnd) => when(at == subject.len() || (at + 1 == subject.len() && subject.last() == Some(&b'\n'))),
            Some(Step::WordBoundary(is_one)) => {
                let before = at.checked_sub(1).and_then(|before| subject.get(before));
                when((is_word(before) != is_word(subject.get(at))) == *is_one)
            }
            Some(Step::Split(first, second)) => {
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
    fn count(&self, class: usize, at: usize, most: usize) -> usize {
        let Some(class) = self.program.classes.get(class) else { return 0 };
        let rest = self.subject.get(at..).unwrap_or_default();
        rest.iter().take(most).position(|byte| !is_in(class, *byte)).unwrap_or(rest.len().min(most))
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
                Some(Frame::Fewer { step, at, least }) => {
                    let at = at - 1;
                    if at > least {
                        self.frames.push(Frame::Fewer { step, at, least });
                    }
                    return Ok(Some((step, at)));
                }
                Some(Frame::More { step, at, class, most }) => {
                    self.spend(1)?;
                    if self.count(class, at, 1) == 1 {
                        let at = at + 1;
                        if at < most {
                            self.frames.push(Frame::More { step, at, class, most });
                        }
                        return Ok(Some((step, at)));
                    }
                }
                Some(frame) => self.undo(&frame),
                None => break,
            }
        }
        Ok(None)
    }

    fn undo(&mut self, frame: &Frame) {
        match frame {
            Frame::Group(number, before) => self.groups.get_mut(*number).into_iter().for_each(|group| *group = *before),
            Frame::Register(number, before) => self.registers.get_mut(*number).into_iter().for_each(|register| *register = *before),
            Frame::Branch { .. } | Frame::Fewer { .. } | Frame::More { .. } => {}
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
