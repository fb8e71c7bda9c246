//! Reading the body of a request before its handler does.

use super::buckets::Buckets;
use super::request::Request;
use super::{brigade, ffi};

/// Bytes that are asked for at a time.
const PIECE: ffi::apr_off_t = 64 * 1024;

/// What reading a piece came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// There may be more.
    More,
    /// The body ends here.
    End,
    /// It cannot be read: the status that the request is answered with.
    Failed(i32),
    /// A filter does not want to go on, such as mod_deflate's with a body that becomes too much.
    Refused,
}

/// Reads the body of a request through its input filters.
pub struct BodyReader<'a> {
    request: Request<'a>,
    brigade: *mut ffi::apr_bucket_brigade,
}

impl<'a> BodyReader<'a> {
    /// For a request whose body nobody has begun to read.
    pub fn new(request: Request<'a>) -> BodyReader<'a> {
        // SAFETY: pool and connection of a live request, which belong to this thread.
        BodyReader { request, brigade: unsafe { ffi::qos_shim_brigade(request.pool().as_ptr(), request.connection()) } }
    }

    /// Waits for the next piece.
    pub fn next(&mut self, take: impl FnMut(&[u8])) -> Piece {
        // SAFETY: the filters of a live request, and a brigade of its connection that is empty between two calls.
        let read = unsafe {
            match ffi::ap_get_brigade((*self.request.as_ptr()).input_filters, self.brigade, ffi::AP_MODE_READBYTES, ffi::APR_BLOCK_READ, PIECE) {
                0 => brigade::drain(self.brigade, take),
                status => Err(status),
            }
        };
        match read {
            Ok(true) => Piece::End,
            Ok(false) => Piece::More,
            Err(libc::EINVAL) => Piece::Refused,
            // SAFETY: looks a status up.
            Err(status) => Piece::Failed(unsafe { ffi::ap_map_http_request_error(status, ffi::HTTP_BAD_REQUEST as i32) }),
        }
    }
}

/// Takes all filters of the request's content away: a body that was read to its end has gone through them, and is not to go through them again. Those
/// that are added later see it.
pub fn remove_content_filters(request: Request<'_>) {
    // SAFETY: the lists of a live request; each call takes one filter out of it.
    unsafe {
        let r = request.as_ptr();
        while (*r).input_filters != (*r).proto_input_filters && !(*r).input_filters.is_null() {
            ffi::ap_remove_input_filter((*r).input_filters);
        }
    }
}

impl Request<'_> {
    /// Whether it has a body, or announces one.
    pub fn has_body(self) -> bool {
        // SAFETY: a live request.
        let known = unsafe { ffi::ap_request_has_body(self.as_ptr()) } != 0;
        // A method without a response body may have one all the same.
        known || self.header(c"Transfer-Encoding").is_some() || self.header(c"Content-Length").is_some_and(|text| text.iter().any(|byte| *byte != b'0'))
    }

    /// Has mod_deflate inflate the body when it is read.
    pub fn inflate_body(self) {
        // SAFETY: a live request whose body nobody has begun to read.
        unsafe { ffi::qos_shim_inflate(self.as_ptr()) };
    }
}

/// Empty brigades of input filters are filled with what is kept elsewhere.
impl Buckets {
    /// Adds bytes that live as long as the request.
    pub fn add_bytes(self, bytes: &[u8]) {
        // SAFETY: the promise of the constructors; whoever keeps the bytes beyond the request copies them.
        unsafe { ffi::qos_shim_add_bytes(self.as_ptr(), bytes.as_ptr().cast(), bytes.len() as _) };
    }

    /// Adds the end of the stream.
    pub fn add_end(self) {
        // SAFETY: the promise of the constructors.
        unsafe { ffi::qos_shim_add_eos(self.as_ptr()) };
    }
}
