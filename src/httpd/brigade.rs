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

/// The bytes of a bucket.
pub enum Bytes<'a> {
    /// In memory.
    There(&'a [u8]),
    /// In a file.
    File {
        /// Its descriptor.
        fd: i32,
        /// Where they begin.
        start: i64,
        /// How many there are.
        length: usize,
    },
    /// They have not come yet.
    NotYet,
    /// They cannot be read.
    Failed(ffi::apr_status_t),
}

/// The first bucket of a brigade.
///
/// # Safety
/// `brigade` is a live brigade.
pub unsafe fn first(brigade: *mut ffi::apr_bucket_brigade) -> Option<*mut ffi::apr_bucket> {
    // SAFETY: the caller's promise.
    let bucket = unsafe { ffi::qos_shim_first_bucket(brigade) };
    (!bucket.is_null()).then_some(bucket)
}

/// The bucket behind one.
///
/// # Safety
/// `bucket` is one of the brigade.
pub unsafe fn next(brigade: *mut ffi::apr_bucket_brigade, bucket: *mut ffi::apr_bucket) -> Option<*mut ffi::apr_bucket> {
    // SAFETY: the caller's promise.
    let bucket = unsafe { ffi::qos_shim_next_bucket(brigade, bucket) };
    (!bucket.is_null()).then_some(bucket)
}

/// Whether a bucket holds data and is no mark.
///
/// # Safety
/// `bucket` is a live bucket.
pub unsafe fn has_data(bucket: *mut ffi::apr_bucket) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ffi::qos_shim_bucket_has_data(bucket) != 0 }
}

/// Whether it is known how long a bucket is, so that reading it makes no memory of its own grow with what comes.
///
/// # Safety
/// `bucket` is a live bucket.
pub unsafe fn has_known_length(bucket: *mut ffi::apr_bucket) -> bool {
    // SAFETY: the caller's promise; -1 is an unknown length.
    unsafe { (*bucket).length != ffi::apr_size_t::MAX }
}

/// The bytes of a bucket. One with more than `most` of a file is split; one of another kind that is long may be. `wait`: for bytes that have not
/// come yet.
///
/// # Safety
/// `bucket` is a live bucket in a brigade; the bytes live until it is removed.
pub unsafe fn bytes_of<'a>(bucket: *mut ffi::apr_bucket, most: usize, wait: bool) -> Bytes<'a> {
    let (mut start, mut length, mut data) = (0, 0, std::ptr::null());
    // SAFETY: the caller's promise; the shim writes into the places above.
    unsafe {
        let fd = ffi::qos_shim_bucket_file(bucket, &raw mut start, &raw mut length);
        if fd >= 0 {
            // A file is split as long as it is longer; where that is not possible it is read whole.
            let length = if length > most && ffi::qos_shim_bucket_split(bucket, most as _) == 0 { most } else { length };
            return Bytes::File { fd, start, length };
        }
        match ffi::qos_shim_bucket_read(bucket, &raw mut data, &raw mut length, c_int::from(wait)) {
            0 if length == 0 || data.is_null() => Bytes::There(&[]),
            0 => Bytes::There(std::slice::from_raw_parts(data.cast(), length)),
            status if !wait && ffi::qos_shim_again(status) != 0 => Bytes::NotYet,
            status => Bytes::Failed(status),
        }
    }
}

/// Hands all bytes of a brigade on and empties it; whether the stream ends in it.
///
/// # Errors
/// The status of a bucket that cannot be read.
///
/// # Safety
/// `brigade` is a live brigade.
pub unsafe fn drain(brigade: *mut ffi::apr_bucket_brigade, mut take: impl FnMut(&[u8])) -> Result<bool, ffi::apr_status_t> {
    // SAFETY: the caller's promise; the shim writes into the places given, and the bytes live until the brigade is emptied.
    unsafe {
        let mut bucket = first(brigade);
        while let Some(current) = bucket {
            if has_data(current) {
                let (mut length, mut data) = (0, std::ptr::null());
                match ffi::qos_shim_bucket_read(current, &raw mut data, &raw mut length, 1) {
                    0 if length == 0 || data.is_null() => {}
                    0 => take(std::slice::from_raw_parts(data.cast(), length)),
                    status => return Err(status),
                }
            }
            bucket = next(brigade, current);
        }
        let ends = content(brigade).eos;
        ffi::apr_brigade_cleanup(brigade.cast());
        Ok(ends)
    }
}
