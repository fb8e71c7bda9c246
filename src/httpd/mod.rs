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

/// Writes a number in decimal at the end of a buffer that is large enough; cheaper than `fmt` on the path of each connection.
pub fn decimal(mut value: u64, buffer: &mut [u8]) -> &[u8] {
    let mut begin = buffer.len();
    for (place, digit) in buffer.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        begin = place;
        if value == 0 {
            break;
        }
    }
    buffer.get(begin..).unwrap_or_default()
}
