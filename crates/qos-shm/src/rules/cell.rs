//! One rule in shared memory.

use crate::sync::{AtomicU64, Ordering::SeqCst};

/// Starts of groups of requests that a cell remembers.
pub const RING: usize = 32;

/// Words of a cell.
const WORDS: usize = size_of::<RuleCell>() / size_of::<AtomicU64>();

/// A rule: 896 bytes. Zeros are a rule that nothing has happened to. What changes for different reasons stands in different
/// 128 bytes, as processors fetch cache lines in pairs.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct RuleCell {
    // Who: written by the parent only.
    pub(super) key: AtomicU64,
    pub(super) generation: AtomicU64,
    reserved_who: [AtomicU64; 14],

    /// Requests that were measured: start of the window (monotonic seconds):32 | number:32.
    pub requests: AtomicU64,
    /// The last complete window: requests per second:32 | when it ended (monotonic seconds):32.
    pub measured: AtomicU64,
    /// The last delay of a request: milliseconds:32 | when it was over (monotonic seconds):32.
    pub delay: AtomicU64,
    /// Events in a window: number:32 | start of the window (monotonic seconds):32.
    pub events: AtomicU64,
    reserved_requests: [AtomicU64; 12],

    /// Requests per second: how many have started.
    pub issued: AtomicU64,
    /// The delay that was reported last (050, 051), milliseconds.
    pub reported: AtomicU64,
    reserved_pace: [AtomicU64; 14],

    /// When the last groups of requests began: monotonic microseconds:63 | whether they had to wait:1.
    pub ring: [AtomicU64; RING],

    /// Bandwidth: when all that was reserved will have been sent at the limit, monotonic nanoseconds
    /// (`qos_core::throttle`).
    pub tail: AtomicU64,
    /// The same where nobody really waits (`QS_LogOnly`), in a time of its own.
    pub virtual_tail: AtomicU64,
    /// Bytes that responses of the rule have sent.
    pub bytes: AtomicU64,
    /// The window in which bandwidth is measured: its start:32 | kbytes sent at its start, modulo 2^32:32.
    pub bandwidth_window: AtomicU64,
    /// The last complete window: kbytes per second:32 | when it ended:32.
    pub bandwidth: AtomicU64,
    reserved_bandwidth: [AtomicU64; 11],

    /// Requests denied since the cell was claimed.
    pub denied: AtomicU64,
    /// Requests that would have been denied but for `QS_LogOnly`.
    pub would_deny: AtomicU64,
    /// Requests that were delayed.
    pub delayed: AtomicU64,
    /// Their delays together, microseconds.
    pub delayed_us: AtomicU64,
    /// Responses that were throttled.
    pub throttled: AtomicU64,
    /// Their waits together, microseconds.
    pub throttled_us: AtomicU64,
    /// Requests that would have been delayed but for `QS_LogOnly`.
    pub would_delay: AtomicU64,
    /// Lines about denials: second (monotonic) of the last one:32 | denials in it:32.
    pub lines: AtomicU64,
    /// Requests denied because too many are delayed.
    pub crowded: AtomicU64,
    /// Responses that would have been throttled but for `QS_LogOnly`.
    pub would_throttle: AtomicU64,
    reserved_counters: [AtomicU64; 6],
}

const _: () = assert!(size_of::<RuleCell>() == 7 * 128);

impl RuleCell {
    /// The rule that has the cell; 0: none has had it yet.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key.load(SeqCst)
    }

    /// The youngest generation that claimed it.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.load(SeqCst) as u32
    }

    pub(super) fn clear(&self) {
        self.words().iter().for_each(|word| word.store(0, SeqCst));
    }

    pub(super) fn copy_from(&self, other: &RuleCell) {
        self.words().iter().zip(other.words()).for_each(|(word, other)| word.store(other.load(SeqCst), SeqCst));
    }

    fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: the cell is made of `AtomicU64` only, without padding (its size is that of its fields).
        unsafe { &*std::ptr::from_ref(self).cast() }
    }
}
