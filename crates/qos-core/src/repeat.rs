//! Repeated log lines: singly up to [`LOG_REPEAT`], then one line per [`LOG_REPEAT`]
//! (connection-client.md sections 1 and 6.8).

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of lines that are written singly, and that one summing line stands for afterwards.
pub const LOG_REPEAT: u32 = 20;

/// How an occurrence appears in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line of its own.
    Single,
    /// A line that says `message repeated N times`.
    Repeated(u32),
    /// Counted only.
    Silent,
}

/// The line for the `count`-th occurrence in a row (the first is 1).
#[must_use]
pub fn line(count: u32) -> Line {
    if count <= LOG_REPEAT {
        Line::Single
    } else if count % LOG_REPEAT == 0 {
        Line::Repeated(LOG_REPEAT)
    } else {
        Line::Silent
    }
}

/// The count after one more, where a counter holds numbers up to `most` (at least 2 x [`LOG_REPEAT`]) only: a long row goes on in
/// its summed-up part.
#[must_use]
pub fn next(count: u32, most: u32) -> u32 {
    let last = most - most % LOG_REPEAT;
    if count >= last { LOG_REPEAT + 1 } else { count + 1 }
}

/// What remains to be said when the row of `count` occurrences ends: `Some(N)` for a line
/// marked `(previously)` with `message repeated N times`.
#[must_use]
pub fn remainder(count: u32) -> Option<u32> {
    (count > LOG_REPEAT).then_some(count % LOG_REPEAT)
}

/// Lines of one rule that names many clients: [`LOG_REPEAT`] in a second, what comes on top is said once, in one line, when the second is over.
/// Packed into one word: the second, and lines in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burst {
    /// The second of the last occurrence.
    second: u32,
    /// Occurrences in it.
    count: u32,
}

impl Burst {
    /// From one word.
    #[must_use]
    pub fn unpack(word: u64) -> Burst {
        Burst { second: (word >> 32) as u32, count: word as u32 }
    }

    /// As one word.
    #[must_use]
    pub fn pack(self) -> u64 {
        u64::from(self.second) << 32 | u64::from(self.count)
    }

    /// Occurrences that were not said.
    fn silent(self) -> Option<u32> {
        self.count.checked_sub(LOG_REPEAT).filter(|silent| *silent > 0)
    }

    /// One more at `now`. Returns whether it gets a line, and how many of an earlier second have to be summed up before. Who read the clock before it
    /// waited counts for the second that others have reached: going back to its own would begin a new burst with each of them.
    #[must_use]
    pub fn one_more(self, now: u32) -> (Burst, bool, Option<u32>) {
        if now <= self.second {
            let burst = Burst { count: self.count.saturating_add(1), ..self };
            return (burst, burst.count <= LOG_REPEAT, None);
        }
        (Burst { second: now, count: 1 }, true, self.silent())
    }
}

/// One more in the [`Burst`] of a word that others change as well, at `now`, seconds: as [`Burst::one_more`] has it.
pub fn one_more(burst: &AtomicU64, now: u32) -> (bool, Option<u32>) {
    let next = |word: u64| Burst::unpack(word).one_more(now);
    let (Ok(before) | Err(before)) = burst.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(next(word).0.pack()));
    let (_, own, summed) = next(before);
    (own, summed)
}

/// A [`Burst`] of a rule in one process. A copy begins anew, and rules are the same whatever was said of them.
#[derive(Debug, Default)]
pub struct Lines(AtomicU64);

impl Lines {
    /// None was written yet.
    #[must_use]
    pub const fn new() -> Lines {
        Lines(AtomicU64::new(0))
    }

    /// One more at `now`, seconds: as [`Burst::one_more`] has it.
    pub fn one_more(&self, now: u32) -> (bool, Option<u32>) {
        one_more(&self.0, now)
    }
}

impl Clone for Lines {
    fn clone(&self) -> Lines {
        Lines::new()
    }
}

impl PartialEq for Lines {
    fn eq(&self, _: &Lines) -> bool {
        true
    }
}

impl Eq for Lines {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_summed_up_when_its_second_is_over() {
        let (mut burst, mut lines) = (Burst::default(), 0);
        for _ in 0..500 {
            let (next, own, summed) = Burst::unpack(burst.pack()).one_more(7);
            (burst, lines) = (next, lines + u32::from(own));
            assert_eq!(summed, None);
        }
        assert_eq!(lines, 20);
        let (burst, own, summed) = burst.one_more(9);
        assert_eq!((own, summed), (true, Some(480)));
        assert_eq!(burst.one_more(10), (Burst { second: 10, count: 1 }, true, None));
    }

    #[test]
    fn seconds_that_alternate_are_one_burst() {
        let (mut burst, mut lines) = (Burst::default(), 0);
        for n in 0..500 {
            let (next, own, _) = burst.one_more(7 - n % 2);
            (burst, lines) = (next, lines + u32::from(own));
        }
        assert_eq!(lines, 20);
        assert_eq!(burst.one_more(8).2, Some(480));
    }

    /// Example E4: 77 refusals.
    #[test]
    fn seventy_seven_refusals() {
        let written = (1..=77).filter(|n| line(*n) != Line::Silent).collect::<Vec<_>>();
        assert_eq!(written, (1..=20).chain([40, 60]).collect::<Vec<_>>());
        assert_eq!(line(20), Line::Single);
        assert_eq!(line(40), Line::Repeated(20));
        assert_eq!(remainder(77), Some(17));
    }

    #[test]
    fn a_row_goes_on_in_a_small_counter() {
        let (mut small, mut large) = (0, 0);
        for _ in 0..1000 {
            (small, large) = (next(small, 95), large + 1);
            assert_eq!((line(small), remainder(small)), (line(large), remainder(large)));
        }
    }

    #[test]
    fn nothing_remains_of_single_lines() {
        assert_eq!((remainder(0), remainder(20), remainder(21)), (None, None, Some(1)));
    }
}
