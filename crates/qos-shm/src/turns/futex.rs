//! Sleeping until another process has changed a word.

use crate::sync::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` is `seen`, until woken, for `timeout` at most, or until a signal comes.
pub(super) fn wait(word: &AtomicU32, seen: u32, timeout: Duration) {
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below 10^9, which every type of this field has room for.
        tv_nsec: timeout.subsec_nanos() as _,
    };
    // Without FUTEX_PRIVATE_FLAG, as others wake from their own process.
    // SAFETY: the word is borrowed and aligned, the kernel only reads it, and copies the limit.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, &raw const limit) };
}

/// Wakes who sleeps on `word`.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the kernel takes the address as a name and accesses no memory of ours.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}
