//! Writing to httpd's error log. The level is tested before a message is formatted.

use super::ffi;
use qos_core::repeat::Lines;
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Severities of httpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "httpd's names")]
#[repr(i32)]
pub enum Level {
    Emerg = 0,
    Alert = 1,
    Crit = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// Lines that any request may cause: no more than 20 of a kind in a second and process (design invariant 10).
pub struct Sparse(Lines);

impl Sparse {
    /// None was written yet.
    pub const fn new() -> Sparse {
        Sparse(Lines::new())
    }

    /// Whether one more may be written; counts it.
    pub fn allows(&self) -> bool {
        self.one_more().0
    }

    /// The same, and how many of an earlier second were not written and not summed up yet.
    pub fn one_more(&self) -> (bool, Option<u32>) {
        self.0.one_more(u32::try_from(super::clock::monotonic_ms() / 1000).unwrap_or(u32::MAX))
    }
}

const FILE: &CStr = c"mod_qos.c";

static MAIN: AtomicPtr<ffi::server_rec> = AtomicPtr::new(std::ptr::null_mut());

/// Remembers the main server, for messages that belong to no other.
pub fn set_main_server(server: *mut ffi::server_rec) {
    MAIN.store(server, Ordering::Release);
}

/// Writes to the main server's log.
pub fn main_server(level: Level, text: &str) {
    if let Some(main) = NonNull::new(MAIN.load(Ordering::Acquire)) {
        server(main.as_ptr(), level, || text.to_owned());
    }
}

fn length(text: &str) -> c_int {
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}

/// Writes to a server's log. `server` is null or a server of the running configuration.
pub fn server(server: *const ffi::server_rec, level: Level, text: impl FnOnce() -> String) {
    // SAFETY: the shim reads the server's log level; null means httpd's startup log.
    if unsafe { ffi::qos_shim_server_logs(server, level as c_int) } == 0 {
        return;
    }
    let text = text();
    // SAFETY: the text is passed with its length and copied by httpd.
    unsafe { ffi::qos_shim_log_server(server, level as c_int, FILE.as_ptr(), 0, text.as_ptr().cast(), length(&text)) };
}

/// Writes to the log of a request's server, with the request's prefix.
pub fn request(request: super::request::Request<'_>, level: Level, text: impl FnOnce() -> String) {
    let r = request.as_ptr();
    // SAFETY: a request lives as long as its hook runs.
    if unsafe { ffi::qos_shim_request_logs(r, level as c_int) } == 0 {
        return;
    }
    let text = text();
    // SAFETY: as above; the text is passed with its length and copied by httpd.
    unsafe { ffi::qos_shim_log_request(r, level as c_int, FILE.as_ptr(), 0, text.as_ptr().cast(), length(&text)) };
}

/// Whether a message about a request gets a line of its own. Those of an earlier second that got none are summed up by `rest`.
pub fn has_line(about: super::request::Request<'_>, level: Level, (own, summed): (bool, Option<u32>), rest: impl FnOnce(u32) -> String) -> bool {
    if let Some(times) = summed {
        request(about, level, || rest(times));
    }
    own
}

/// Writes a line to a program, in one call, so that lines of several processes do not mix.
pub fn pipe(pipe: crate::runtime::LogPipe, line: &[u8]) {
    let mut length = line.len() as ffi::apr_size_t;
    // SAFETY: the file was opened before children started and lives as long as the configuration; the line is read only.
    unsafe { ffi::apr_file_write(pipe.0, line.as_ptr().cast(), &raw mut length) };
}
