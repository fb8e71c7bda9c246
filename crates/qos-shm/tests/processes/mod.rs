//! Processes that are killed and stopped, and memory that they share.

use std::time::Duration;

/// xorshift
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound))
    }
}

/// Zeros that all children share.
///
/// # Safety
/// `T` is made of atomics only.
pub unsafe fn shared<T>() -> &'static T {
    // SAFETY: a new shared mapping, zero (valid atomics), as large as a `T`, never unmapped.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), size_of::<T>(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        &*page.cast::<T>()
    }
}

/// A child that does this until it is killed. Only while this process has one thread.
pub fn fork(work: impl FnOnce() + std::panic::UnwindSafe) -> libc::pid_t {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        0 => {
            // Should the parent fail, nothing of this test stays behind.
            // SAFETY: no memory is involved.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            // A child that fails must not run the parent's code.
            let _ = std::panic::catch_unwind(work);
            std::process::exit(1)
        }
        pid => {
            assert!(pid > 0);
            pid
        }
    }
}

pub fn signal(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: a child of ours that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Kills and waits; fails if the child had ended by itself.
pub fn kill(pid: libc::pid_t) {
    signal(pid, libc::SIGKILL);
    let mut status = 0;
    // SAFETY: waits for a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "child failed: {status:#x}");
}
