//! What httpd says about keep-alive in one response. It takes the numbers from the record of the request's server, so that one gets a stand-in
//! with other numbers while its head is made.
//!
//! Modules keep pointers to the record of a server for as long as they like (mod_proxy with its pooled connections, after a redirect to an error
//! page that is proxied), so stand-ins stay until the process ends. There are few: one for each combination that the configuration leads to.

use super::ffi;
use super::request::Request;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Numbers that replace those of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// `KeepAliveTimeout`, seconds.
    pub timeout: Option<u32>,
    /// `MaxKeepAliveRequests`.
    pub requests: Option<u32>,
}

struct StandIn {
    of: *mut ffi::server_rec,
    numbers: Numbers,
    server: ffi::server_rec,
}

/// Most combinations that are kept; further ones have the numbers of their server.
const MOST: usize = 64;

static STAND_INS: [AtomicPtr<StandIn>; MOST] = [const { AtomicPtr::new(null_mut()) }; MOST];

/// Runs `action` while the request's server has other numbers.
///
/// # Safety
/// The request is live during `action`, and its thread is this one.
pub unsafe fn with<R>(request: Request<'_>, numbers: Numbers, action: impl FnOnce() -> R) -> R {
    let r = request.as_ptr();
    let server = request.server();
    if let Some(stand_in) = stand_in(server, numbers) {
        // SAFETY: the caller's promise; the stand-in lives as long as the process.
        unsafe { (*r).server = stand_in };
    }
    let result = action();
    // SAFETY: as above.
    unsafe { (*r).server = server };
    result
}

fn stand_in(of: *mut ffi::server_rec, numbers: Numbers) -> Option<*mut ffi::server_rec> {
    let mut made = null_mut::<StandIn>();
    let mut found = None;
    for place in &STAND_INS {
        let mut here = place.load(Ordering::Acquire);
        if here.is_null() {
            if made.is_null() {
                made = Box::into_raw(Box::new(StandIn { of, numbers, server: copy(of, numbers) }));
            }
            match place.compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    here = made;
                    made = null_mut();
                }
                Err(other) => here = other,
            }
        }
        // SAFETY: places hold null or a stand-in that is never freed; only its `server` is handed out, as a pointer.
        let (origin, server, same) = unsafe { ((*here).of, &raw mut (*here).server, (*here).numbers == numbers) };
        // A response within a response (an error page) asks with the stand-in itself.
        if same && (origin == of || server == of) {
            found = Some(server);
            break;
        }
    }
    if !made.is_null() {
        // SAFETY: made above and given to nobody.
        drop(unsafe { Box::from_raw(made) });
    }
    found
}

fn copy(of: *mut ffi::server_rec, numbers: Numbers) -> ffi::server_rec {
    // SAFETY: a server of the running configuration, which nobody changes: plain data and pointers that live as long as it.
    let mut server = unsafe { of.read() };
    if let Some(seconds) = numbers.timeout {
        server.keep_alive_timeout = i64::from(seconds) * 1_000_000;
    }
    if let Some(requests) = numbers.requests {
        server.keep_alive_max = i32::try_from(requests).unwrap_or(i32::MAX);
    }
    server
}
