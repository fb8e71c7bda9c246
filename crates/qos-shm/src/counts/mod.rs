//! Exact counters by key, shared by processes that may be killed or stopped at any instruction.
//!
//! # How it works
//!
//! A table of [`Bucket`]s. A bucket has a header word and some entries, each a *tenant* (40 bits of the key) and a
//! *tally* (the count and the sequence of the operation that changed it last). A *holding* belongs to one connection or request: its key, and a
//! word that says whether it is counted. No count changes without a holding that changes with it, so what a dead
//! process held can be read from its holdings.
//!
//! An operation of holding h:
//!
//! 1. *Want*: write the key (when adding), then set the holding's word to pending.
//! 2. *Announce*: replace the idle header `{s, idle}` by `{s', operation, h}`, s' > s. If another operation is
//!    announced, help it first.
//! 3. *Help*: everything else is done by anybody who sees the header, the owner included:
//!    read the key and all entries; **check the header**; choose what to change (`Snapshot::outcome`); write the
//!    tenant, then the tally; read the holding's word; **check the header**; write the outcome to the word;
//!    set the header to `{s', idle}`.
//!
//! # Why it is exact
//!
//! Let H be an announcement. H is in the header for one period only, as sequences do not repeat (see *Limits*).
//!
//! * **Before H is over, everybody knows the same.** What a helper read before it saw H in the header (again) was read
//!   within the period of H. In this period only helpers of H write to the bucket (next point), and the owner of h
//!   writes neither its key nor its word: it is inside *help* until H is gone, or dead. So the entries are those that H
//!   found, plus what helpers of H wrote: the tenant, then the tally of one entry e. A snapshot shows e before,
//!   between, or after these writes, whatever order its words were read in. After: the tally carries the sequence of H, and
//!   nobody else's does (`Bucket::next_sequence`). Before and between: `outcome` chooses e again, with the same count.
//!   FULL and ABSENT write nothing, so every helper sees the same entries and comes to the same result.
//! * **After H is over, its helpers write nothing.** Each write is a compare-and-swap whose expected value was read in the period
//!   of H, and the word it expects changed before H was over: the tally carries the sequence of H, the tenant the
//!   birth, the holding's word another nonce, the header another sequence. H is over only when the word of h was written, which is
//!   only after the tally was.
//! * **The outcome is written once.** The word is replaced only while it is pending *for the operation of H*. An
//!   owner that was told COUNTED and already wants to give back has PENDING_REMOVE in its word, which a helper of the add does not touch.
//! * **A key stays while its holding is announced.** The owner leaves *help* only when H is gone. A reclaimer does the
//!   same for a dead owner before the holding may be used again, *also if the holding is idle already*: the owner may have
//!   died between outcome and idle header. So a holding is announced in the bucket of its key or nowhere.
//! * **Nobody waits.** A helper loops at most twice. An operation repeats only if another one was completed.
//!
//! # After a death
//!
//! [`CountTable::settle`], by one process at a time: help the announcement of this holding, if there is one. A word that is still pending was
//! then never announced: an add is forgotten, a remove is carried out. COUNTED is given back. The reclaimer may be killed
//! and settle again.
//!
//! # Limits
//!
//! * Two keys in one bucket with the same 40 bits share a counter. A new key meets one of n others in its bucket with odds of n in
//!   2^40, n <= 5; the hash is keyed with a secret, so nobody can aim at it.
//! * A bucket takes 5 keys at a time. There are two buckets per key that only one connection or one request counts for (its
//!   client's address, see `Plan::new`). Each of them another client, and all in use, one key in about 40 000 finds its bucket full.
//! * A process stopped in the middle of *help* for exactly 2^32 operations of one bucket (2^24 to write a tenant, 2^30
//!   transitions of a holding to write a word), and the word then being what it was, would be taken in.
//! * One holding must not be used by two threads at a time.

mod bucket;
mod refusals;
mod words;

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod interleaving_tests;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;

pub use bucket::Bucket;
pub use words::CountKey;

use crate::sync::{AtomicU64, Ordering::SeqCst};
use bucket::Outcome;
#[cfg(not(loom))]
pub(crate) use words::HOLDING_BITS;
use words::{FULL, Header, Operation, Phase, Word};

/// How many counters one connection can be part of.
pub const HOLDINGS: usize = 3;

/// What a connection or request holds of one counter. Zero is idle.
#[derive(Debug, Default)]
#[repr(C)]
pub struct HoldingCell {
    /// [`Word`]
    word: AtomicU64,
    /// [`CountKey`]; meaningless before the first use.
    key: AtomicU64,
}

impl HoldingCell {
    /// The key that is counted for this holding, if one is.
    pub fn counted(&self) -> Option<CountKey> {
        let key = CountKey::from_raw(self.key.load(SeqCst));
        (self.word().phase() == Phase::Counted).then_some(key)
    }

    /// Where the key stands. Its owner may change it while nothing is counted.
    pub(crate) fn key(&self) -> &AtomicU64 {
        &self.key
    }

    fn word(&self) -> Word {
        Word(self.word.load(SeqCst))
    }
}

/// Where the holdings are: in the slots of a region, or in the cells of a test.
pub trait Holdings {
    /// The holding of this index, always the same one. `None`: there are not so many.
    fn holding(&self, index: u32) -> Option<&HoldingCell>;
}

/// The counters over plain memory: buckets (a power of two, at least one) and holdings. A holding is named by its
/// index, below 2^30.
#[derive(Debug)]
pub struct CountTable<'a, H> {
    buckets: &'a [Bucket],
    holdings: H,
}

impl<'a, H: Holdings> CountTable<'a, H> {
    /// A table over memory that was zero once and has been changed by such tables only.
    #[must_use]
    pub fn new(buckets: &'a [Bucket], holdings: H) -> Self {
        Self { buckets, holdings }
    }

    /// How many holdings count for `key` now.
    #[must_use]
    pub fn count(&self, key: CountKey) -> u32 {
        self.bucket(key).and_then(|bucket| bucket.living(key)).map_or(0, |(_, _, count)| count)
    }

    /// Counts `holding` for `key`; returns the count with this one. `None`: the bucket is full, or there is no such
    /// holding; it is not counted then. A holding that was counted for a key is given back first.
    #[must_use]
    pub fn enter(&self, holding: u32, key: CountKey) -> Option<u32> {
        let cell = self.holding(holding)?;
        let mut word = cell.word();
        if word.phase() != Phase::Idle {
            self.settle(holding);
            word = cell.word();
        }
        cell.key.store(key.raw(), SeqCst);
        cell.word.store(word.next(Phase::PendingAdd, 0).0, SeqCst);
        let result = self.perform(Operation::Add, holding)?;
        (result != FULL).then_some(result)
    }

    /// Gives back what `holding` is counted for; returns the count after. 0 if it is not counted.
    pub fn leave(&self, holding: u32) -> u32 {
        let Some(cell) = self.holding(holding) else {
            return 0;
        };
        let word = cell.word();
        if word.phase() != Phase::Counted {
            return 0;
        }
        cell.word.store(word.next(Phase::PendingRemove, 0).0, SeqCst);
        self.perform(Operation::Remove, holding).unwrap_or(0)
    }

    /// Brings a holding to rest whose owner is dead (or is the caller): nothing of it is counted or announced after.
    /// By one process at a time; can be killed and called again.
    pub fn settle(&self, holding: u32) {
        let Some(cell) = self.holding(holding) else {
            return;
        };
        let Some(bucket) = self.bucket(CountKey::from_raw(cell.key.load(SeqCst))) else {
            return;
        };
        let header = bucket.header();
        if header.holding() == holding {
            if let Some(operation) = header.operation() {
                self.help(bucket, header, operation);
            }
        }
        let word = cell.word();
        match word.phase() {
            Phase::Idle => return,
            Phase::PendingAdd => {
                // It is not announced now, and had it been, it would not be pending.
                cell.word.store(word.next(Phase::Idle, 0).0, SeqCst);
                return;
            }
            Phase::Counted => cell.word.store(word.next(Phase::PendingRemove, 0).0, SeqCst),
            Phase::PendingRemove => {}
        }
        let _ = self.perform(Operation::Remove, holding);
    }

    fn bucket(&self, key: CountKey) -> Option<&'a Bucket> {
        let mask = self.buckets.len().checked_sub(1)?;
        self.buckets.get(key.raw() as usize & mask)
    }

    fn holding(&self, holding: u32) -> Option<&HoldingCell> {
        self.holdings.holding(holding)
    }

    /// Announces the operation that the holding's word asks for, and sees it through. Returns its result.
    fn perform(&self, operation: Operation, holding: u32) -> Option<u32> {
        let cell = self.holding(holding)?;
        let bucket = self.bucket(CountKey::from_raw(cell.key.load(SeqCst)))?;
        loop {
            let header = bucket.header();
            if let Some(other) = header.operation() {
                self.help(bucket, header, other);
                continue;
            }
            let ours = Header::announce(bucket.next_sequence(header), operation, holding);
            if bucket.replace_header(header, ours) {
                self.help(bucket, ours, operation);
                return Some(cell.word().result());
            }
        }
    }

    /// Carries out the announcement `header`, as far as others have not yet. It is over when this returns.
    fn help(&self, bucket: &Bucket, header: Header, operation: Operation) {
        let Some(cell) = self.holding(header.holding()) else {
            // Only existing holdings are announced. Should the memory be damaged, go on rather than spin.
            let _ = bucket.replace_header(header, header.idle());
            return;
        };
        let (result, phase) = loop {
            let key = CountKey::from_raw(cell.key.load(SeqCst));
            let snapshot = bucket.snapshot();
            if bucket.header() != header {
                return;
            }
            let done = match operation {
                Operation::Add => Phase::Counted,
                Operation::Remove => Phase::Idle,
            };
            match snapshot.outcome(operation, header.sequence(), key) {
                Outcome::Applied(count) => break (count, done),
                Outcome::Full => break (FULL, Phase::Idle),
                Outcome::Absent => break (0, Phase::Idle),
                Outcome::Change(change) => {
                    if bucket.apply(&change) {
                        break (change.tally.1.count(), done);
                    }
                }
            }
        };
        let word = cell.word();
        if bucket.header() != header {
            return;
        }
        let pending = match operation {
            Operation::Add => Phase::PendingAdd,
            Operation::Remove => Phase::PendingRemove,
        };
        if word.phase() == pending {
            // When this fails another helper has written the same.
            let _ = cell.word.compare_exchange(word.0, word.next(phase, result).0, SeqCst, SeqCst);
        }
        let _ = bucket.replace_header(header, header.idle());
    }
}
