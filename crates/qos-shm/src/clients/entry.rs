//! One client: reading and changing its words.

use super::words::{MOST_DENIALS, Tag, marks, nibble_of, pace, pair, read_denials, read_marks, read_pace, read_pair, read_timed, timed};
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, SeqCst},
};

use qos_core::client::{Counter, Marks, Pace, Statistics};

/// Words of an entry besides its tag and its limit counters.
pub(super) const FIXED: usize = 10;
const ADDRESS: usize = 0;
const MARKS: usize = 2;
const SEEN: usize = 3;
const BLOCK: usize = 4;
const EVENTS: usize = 5;
const PACE: usize = 6;
const STATISTICS: usize = 7;
/// The first limit counter.
const LIMITS: usize = FIXED;

/// The tenant of the slot is another one by now; the client has to be looked up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Names an entry as long as its client lives in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId {
    pub(super) slot: u32,
    pub(super) tag: u64,
}

/// An entry of the table. Every change fails with [`Gone`] once another client has taken the slot.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    pub(super) cell: &'a AtomicU64,
    /// Holds the hint of this slot and of its neighbour.
    pub(super) age: &'a AtomicU64,
    pub(super) tag: Tag,
    pub(super) words: &'a [AtomicU64],
    pub(super) slot: u32,
}

impl Client<'_> {
    /// Names it.
    #[must_use]
    pub fn id(&self) -> ClientId {
        ClientId { slot: self.slot, tag: self.tag.0 }
    }

    /// Whether the client still lives here.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.cell.load(Acquire) == self.tag.0
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> [u8; 16] {
        let mut address = [0; 16];
        for (half, word) in address.chunks_exact_mut(8).zip(self.words.iter().skip(ADDRESS)) {
            half.copy_from_slice(&word.load(Acquire).to_be_bytes());
        }
        address
    }

    fn word(&self, index: usize) -> u64 {
        self.words.get(index).map_or(0, |word| word.load(Acquire))
    }

    /// A word of this tenancy; 0 while it still is its predecessor's.
    fn own_word(&self, index: usize) -> u64 {
        let word = self.word(index);
        if nibble_of(word) == self.tag.nibble() { word } else { self.tag.nibble() }
    }

    /// Replaces a word that carries the birth; returns what `change` said.
    fn update<T>(&self, index: usize, mut change: impl FnMut(u64) -> (u64, T)) -> Result<T, Gone> {
        let cell = self.words.get(index).ok_or(Gone)?;
        loop {
            let old = cell.load(Acquire);
            if nibble_of(old) != self.tag.nibble() || !self.is_here() {
                return Err(Gone);
            }
            let (new, said) = change(old);
            if new == old || cell.compare_exchange(old, new, SeqCst, Acquire).is_ok() {
                return Ok(said);
            }
        }
    }

    /// When it was looked up last, monotonic seconds.
    #[must_use]
    pub fn seen(&self, now: u32) -> u32 {
        read_timed(self.own_word(SEEN), now).1
    }

    /// It is looked up now.
    pub fn touch(&self, now: u32) {
        if self.seen(now) != now {
            let _ = self.update(SEEN, |word| (timed(read_timed(word, now).0, now, self.tag.nibble()), ()));
            self.hint(now);
        }
    }

    /// Notes beside the tag when the client was seen. One attempt: a neighbour that is faster costs this one its hint until it is seen again.
    fn hint(&self, now: u32) {
        let shift = self.slot % 2 * 32;
        let old = self.age.load(Acquire);
        let new = old & !(0xffff_ffff << shift) | u64::from(now) << shift;
        let _ = self.age.compare_exchange(old, new, SeqCst, Acquire);
    }

    /// Marks.
    #[must_use]
    pub fn marks(&self, now: u32) -> Marks {
        read_marks(self.own_word(MARKS), now)
    }

    /// Changes the marks; returns the old ones.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_marks(&self, now: u32, change: impl Fn(Marks) -> Marks) -> Result<Marks, Gone> {
        self.update(MARKS, |word| {
            let old = read_marks(word, now);
            (marks(change(old), self.tag.nibble()), old)
        })
    }

    /// The block counter.
    #[must_use]
    pub fn block(&self, now: u32) -> Counter {
        self.counter(BLOCK, now)
    }

    /// Changes the block counter; returns it as it was and as it is.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_block(&self, now: u32, change: impl Fn(Counter) -> Counter) -> Result<(Counter, Counter), Gone> {
        self.change_counter(BLOCK, now, change)
    }

    /// The counter of a limit variable; 0 for a column that the table does not have.
    #[must_use]
    pub fn limit(&self, column: usize, now: u32) -> Counter {
        self.counter(LIMITS + column, now)
    }

    /// As [`Client::change_block`].
    ///
    /// # Errors
    /// [`Gone`], also for a column that the table does not have.
    pub fn change_limit(&self, column: usize, now: u32, change: impl Fn(Counter) -> Counter) -> Result<(Counter, Counter), Gone> {
        self.change_counter(LIMITS + column, now, change)
    }

    /// How many limit counters there are.
    #[must_use]
    pub fn limits(&self) -> usize {
        self.words.len().saturating_sub(LIMITS)
    }

    /// Events in the current window and when it began.
    #[must_use]
    pub fn events(&self, now: u32) -> Counter {
        self.counter(EVENTS, now)
    }

    /// As [`Client::change_block`], for the events of the current window.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_events(&self, now: u32, change: impl Fn(Counter) -> Counter) -> Result<(Counter, Counter), Gone> {
        self.change_counter(EVENTS, now, change)
    }

    /// The pace of events.
    #[must_use]
    pub fn pace(&self) -> Pace {
        read_pace(self.own_word(PACE))
    }

    /// Changes the pace; returns it as it was and as it is.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_pace(&self, change: impl Fn(Pace) -> Pace) -> Result<(Pace, Pace), Gone> {
        self.update(PACE, |word| {
            let old = read_pace(word);
            let new = change(old);
            (pace(new, read_denials(word), self.tag.nibble()), (old, new))
        })
    }

    /// Changes the number of denied requests that were counted for the log (0 to [`MOST_DENIALS`]); returns it as it was and as it is.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_denials(&self, change: impl Fn(u32) -> u32) -> Result<(u32, u32), Gone> {
        self.update(PACE, |word| {
            let old = read_denials(word);
            let new = change(old).min(MOST_DENIALS);
            (pace(read_pace(word), new, self.tag.nibble()), (old, new))
        })
    }

    fn counter(&self, index: usize, now: u32) -> Counter {
        let (count, start) = read_timed(self.own_word(index), now);
        if count == 0 && index != EVENTS { Counter::default() } else { Counter { count, start } }
    }

    fn change_counter(&self, index: usize, now: u32, change: impl Fn(Counter) -> Counter) -> Result<(Counter, Counter), Gone> {
        self.update(index, |word| {
            let (count, start) = read_timed(word, now);
            let old = if count == 0 && index != EVENTS { Counter::default() } else { Counter { count, start } };
            let new = change(old);
            (timed(new.count, new.start, self.tag.nibble()), (old, new))
        })
    }

    /// Refused connections of a block that were counted for the log.
    #[must_use]
    pub fn refusals(&self) -> u32 {
        read_timed(self.own_word(SEEN), 0).0
    }

    /// Changes the number of refused connections; returns it as it was and as it is.
    ///
    /// # Errors
    /// [`Gone`]
    pub fn change_refusals(&self, change: impl Fn(u32) -> u32) -> Result<(u32, u32), Gone> {
        self.update(SEEN, |word| {
            let old = read_timed(word, 0).0;
            let new = change(old);
            (u64::from(new) << 32 | word & 0xffff_ffff, (old, new))
        })
    }

    /// Statistics. They carry no birth: an update that meets another tenant adds one to its numbers.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let [(html, style), (images, other), (unchanged, activity)] = [0, 1, 2].map(|n| read_pair(self.word(STATISTICS + n)));
        Statistics { responses: [html, style, images, other, unchanged], activity }
    }

    /// Adds to the statistics; numbers stay at their largest value. Returns what they are.
    pub fn add_statistics(&self, more: &Statistics) -> Statistics {
        let [html, style, images, other, unchanged] = more.responses;
        for (n, (low, high)) in [(html, style), (images, other), (unchanged, more.activity)].into_iter().enumerate() {
            let Some(cell) = self.words.get(STATISTICS + n) else { continue };
            loop {
                let old = cell.load(Acquire);
                let (a, b) = read_pair(old);
                let new = pair(a.saturating_add(low), b.saturating_add(high));
                if new == old || cell.compare_exchange(old, new, SeqCst, Acquire).is_ok() {
                    break;
                }
            }
        }
        self.statistics()
    }

    /// Brings all words to this tenancy's initial values; `false`: the claim is no longer this one. Every helper writes the same.
    pub(super) fn prepare(&self, address: &[u8; 16], now: u32) -> bool {
        let nibble = self.tag.nibble();
        self.hint(now);
        for (index, cell) in self.words.iter().enumerate() {
            let value = match index {
                0 => u64::from_be_bytes(half(address, 0)),
                1 => u64::from_be_bytes(half(address, 8)),
                SEEN | EVENTS => timed(0, now, nibble),
                STATISTICS | 8 | 9 => 0,
                _ => nibble,
            };
            let has_birth = index > 1 && !(STATISTICS..FIXED).contains(&index);
            loop {
                let old = cell.load(SeqCst);
                // Read before the claim is looked at: if the claim has ended since, the exchange below fails.
                if self.cell.load(SeqCst) != self.tag.0 {
                    return false;
                }
                let done = if has_birth { nibble_of(old) == nibble } else { old == value };
                if done || cell.compare_exchange(old, value, SeqCst, SeqCst).is_ok() {
                    break;
                }
            }
        }
        true
    }
}

fn half(address: &[u8; 16], from: usize) -> [u8; 8] {
    address.get(from..from + 8).and_then(|half| half.try_into().ok()).unwrap_or_default()
}
