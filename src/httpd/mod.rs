//! The only place that knows C: bindings, shim, and safe wrappers of what the module uses.
//!
//! Wrappers do not own what they point to; their lifetime is the call of the hook that got the pointer.

pub mod brigade;
pub mod clock;
pub mod connection;
pub mod ffi;
pub mod guard;
pub mod log;
pub mod pool;
pub mod request;
pub mod retained;
pub mod scoreboard;
pub mod server;
pub mod socket;

use std::ffi::{CStr, c_char};

/// The bytes of a C string, `None` for a null pointer.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives as long as `'a`.
pub unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; null was excluded.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}
