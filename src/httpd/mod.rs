//! The only place that knows C: bindings, shim, and safe wrappers of what the module uses.
//!
//! Wrappers do not own what they point to; their lifetime is the call of the hook that got the pointer.

pub mod brigade;
pub mod buckets;
pub mod clock;
pub mod connection;
pub mod decode_hooks;
pub mod environment;
pub mod ffi;
pub mod file;
pub mod guard;
pub mod headers;
pub mod keep_alive;
pub mod log;
pub mod park;
pub mod pool;
pub mod request;
pub mod request_body;
pub mod response;
pub mod retained;
pub mod scoreboard;
pub mod server;
pub mod site;
pub mod socket;
pub mod spool;
pub mod variables;

use std::ffi::{CStr, c_char};

/// The bytes of a C string, `None` for a null pointer.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives as long as `'a`.
pub unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; null was excluded.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Whether a process exists, also one that this process may not signal.
pub fn process_exists(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid, 0) == 0 || *libc::__errno_location() != libc::ESRCH }
}

/// Keeps this library mapped until the process ends, whoever unloads it: a child's watcher may still be in its code.
pub fn pin_library() {
    // SAFETY: `info` is filled by dladdr for an address of this library; its name is a C string.
    unsafe {
        let mut info = std::mem::zeroed::<libc::Dl_info>();
        if libc::dladdr((&raw const crate::qos_module).cast(), &raw mut info) != 0 && !info.dli_fname.is_null() {
            libc::dlopen(info.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
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
