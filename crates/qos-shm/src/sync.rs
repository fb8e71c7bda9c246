//! The atomics of this crate.
//!
//! In production they are those of the standard library. Unit tests and loom models use wrappers of the same size that
//! count each access as one *step*, so that a test can stop an operation for ever before step k (a killed process) or
//! let others run in between (a stopped process).

pub use std::sync::atomic::Ordering;

#[cfg(not(any(test, loom)))]
pub use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(any(test, loom))]
pub use stepped::{AtomicU32, AtomicU64};

#[cfg(any(test, loom))]
pub(crate) mod stepped {
    use super::Ordering;
    use std::cell::Cell;
    #[cfg(not(loom))]
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[cfg(loom)]
    use loom::sync::atomic as real;
    #[cfg(not(loom))]
    use std::sync::atomic as real;

    /// What unwinds instead of a SIGKILL.
    struct Killed;

    #[cfg(not(loom))]
    type Hook = Box<dyn FnMut(u64)>;

    #[cfg(loom)]
    loom::thread_local! {
        static FUSE: Cell<Option<u64>> = Cell::new(None);
    }
    #[cfg(not(loom))]
    thread_local! {
        static FUSE: Cell<Option<u64>> = const { Cell::new(None) };
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
        static STEP: Cell<u64> = const { Cell::new(0) };
    }

    /// Runs `work`, killed before its shared access number `steps` (from 0). `None`: it was killed.
    pub(crate) fn killed_after<T>(steps: u64, work: impl FnOnce() -> T) -> Option<T> {
        FUSE.with(|fuse| fuse.set(Some(steps)));
        let outcome = catch_unwind(AssertUnwindSafe(work));
        FUSE.with(|fuse| fuse.set(None));
        match outcome {
            Ok(value) => Some(value),
            Err(cause) if cause.is::<Killed>() => None,
            Err(cause) => resume_unwind(cause),
        }
    }

    /// Runs `work` and calls `hook(k)` before its shared access number k; accesses within the hook are not counted.
    #[cfg(not(loom))]
    pub(crate) fn interrupted<T>(hook: impl FnMut(u64) + 'static, work: impl FnOnce() -> T) -> T {
        let outer = HOOK.with(|cell| cell.replace(Some(Box::new(hook))));
        let outer_step = STEP.with(|step| step.replace(0));
        let value = work();
        STEP.with(|step| step.set(outer_step));
        HOOK.with(|cell| cell.replace(outer));
        value
    }

    fn step() {
        FUSE.with(|fuse| match fuse.get() {
            Some(0) => resume_unwind(Box::new(Killed)),
            Some(left) => fuse.set(Some(left - 1)),
            None => {}
        });
        #[cfg(not(loom))]
        if let Some(mut hook) = HOOK.with(|cell| cell.take()) {
            let now = STEP.with(|step| step.replace(step.get() + 1));
            hook(now);
            HOOK.with(|cell| cell.replace(Some(hook)));
        }
    }

    macro_rules! stepped {
        ($name:ident, $value:ty) => {
            /// An atomic whose accesses are counted as steps.
            #[derive(Debug)]
            #[repr(transparent)]
            pub struct $name(real::$name);

            #[allow(missing_docs, dead_code)]
            impl $name {
                #[cfg(not(loom))]
                pub const fn new(value: $value) -> Self {
                    Self(real::$name::new(value))
                }
                #[cfg(loom)]
                pub fn new(value: $value) -> Self {
                    Self(real::$name::new(value))
                }
                #[cfg(not(loom))]
                pub const fn as_ptr(&self) -> *mut $value {
                    self.0.as_ptr()
                }
                pub fn load(&self, order: Ordering) -> $value {
                    step();
                    self.0.load(order)
                }
                pub fn store(&self, value: $value, order: Ordering) {
                    step();
                    self.0.store(value, order);
                }
                pub fn compare_exchange(&self, old: $value, new: $value, done: Ordering, failed: Ordering) -> Result<$value, $value> {
                    step();
                    self.0.compare_exchange(old, new, done, failed)
                }
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    step();
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    step();
                    self.0.fetch_or(value, order)
                }
                pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                    step();
                    self.0.fetch_and(value, order)
                }
            }

            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }
        };
    }
    stepped!(AtomicU32, u32);
    stepped!(AtomicU64, u64);
}
