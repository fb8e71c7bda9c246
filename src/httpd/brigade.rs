//! Bucket brigades, as far as the filters need them.

use super::ffi;
use super::request::Request;
use std::ffi::c_int;

/// What a brigade holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Bytes of buckets with a known length.
    pub bytes: u64,
    /// The body ends here.
    pub eos: bool,
}

/// Looks through a brigade.
///
/// # Safety
/// `brigade` is a live brigade.
pub unsafe fn content(brigade: *mut ffi::apr_bucket_brigade) -> Content {
    let mut eos: c_int = 0;
    // SAFETY: the caller's promise; the shim only reads.
    let bytes = unsafe { ffi::qos_shim_brigade_bytes(brigade, &raw mut eos) };
    Content { bytes: u64::try_from(bytes).unwrap_or(0), eos: eos != 0 }
}

/// Whether a brigade has no bucket.
///
/// # Safety
/// `brigade` is null or a live brigade.
pub unsafe fn is_empty(brigade: *mut ffi::apr_bucket_brigade) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ffi::qos_shim_brigade_empty(brigade) != 0 }
}

/// Throws the content away and puts an error response in its place.
///
/// # Safety
/// `brigade` is a live brigade of this request.
pub unsafe fn replace_by_error(brigade: *mut ffi::apr_bucket_brigade, status: c_int, request: Request<'_>) {
    // SAFETY: the caller's promise.
    unsafe { ffi::qos_shim_brigade_error(brigade, status, request.as_ptr()) };
}

/// Empties a brigade; says whether it was empty.
///
/// # Safety
/// `brigade` is a live brigade.
pub unsafe fn take_is_empty(brigade: *mut ffi::apr_bucket_brigade) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let empty = is_empty(brigade);
        ffi::apr_brigade_cleanup(brigade.cast());
        empty
    }
}
