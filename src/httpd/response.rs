//! The response of a handler: headers, body, and the body of the request.

use super::ffi;
use super::request::Request;
use std::ffi::{CStr, c_int};

/// A response in the making.
#[derive(Clone, Copy)]
pub struct Response<'a>(Request<'a>);

impl<'a> Response<'a> {
    /// The response of a request that this module's handler serves.
    pub fn of(request: Request<'a>) -> Response<'a> {
        Response(request)
    }

    /// The content type.
    pub fn content_type(self, value: &'static CStr) {
        // SAFETY: a live request in its handler; the string is static.
        unsafe { ffi::ap_set_content_type(self.0.as_ptr(), value.as_ptr()) };
    }

    /// The status; 200 unless said otherwise.
    pub fn status(self, status: u16) {
        // SAFETY: a live request that only this thread uses.
        unsafe { (*self.0.as_ptr()).status = c_int::from(status) };
    }

    /// A header that also goes with error responses.
    pub fn header(self, name: &'static CStr, value: &str) {
        let value = self.0.pool().string(value.as_bytes());
        // SAFETY: the table belongs to the request; name and value live as long.
        unsafe { ffi::apr_table_setn((*self.0.as_ptr()).err_headers_out, name.as_ptr(), value) };
    }

    /// A piece of the body; false if the client is gone.
    pub fn write(self, piece: &[u8]) -> bool {
        // httpd takes the length as an int.
        piece.chunks(1 << 20).all(|chunk| {
            let length = c_int::try_from(chunk.len()).unwrap_or(0);
            // SAFETY: a live request in its handler; the bytes are passed with their length and copied or sent by httpd.
            unsafe { ffi::ap_rwrite(chunk.as_ptr().cast(), length, self.0.as_ptr()) >= 0 }
        })
    }

    /// Reads the body of the request piece by piece until `take` has enough.
    ///
    /// # Errors
    /// The status that httpd has for a body it cannot read, 400 for one that ends early.
    pub fn read_body(self, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), c_int> {
        let r = self.0.as_ptr();
        // SAFETY: a live request in its handler.
        let status = unsafe { ffi::ap_setup_client_block(r, ffi::REQUEST_CHUNKED_DECHUNK as c_int) };
        if status != ffi::OK as c_int {
            return Err(status);
        }
        // SAFETY: as above.
        if unsafe { ffi::ap_should_client_block(r) } == 0 {
            return Ok(());
        }
        let mut buffer = vec![0u8; 16 * 1024];
        loop {
            // SAFETY: httpd writes at most that many bytes.
            let length = unsafe { ffi::ap_get_client_block(r, buffer.as_mut_ptr().cast(), buffer.len() as _) };
            match usize::try_from(length) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    if !take(buffer.get(..length).unwrap_or_default()) {
                        return Ok(());
                    }
                }
                Err(_) => return Err(ffi::HTTP_BAD_REQUEST as c_int),
            }
        }
    }

    /// Reads the body of the request and forgets it.
    ///
    /// # Errors
    /// The status that httpd has for a body it cannot read.
    pub fn discard_body(self) -> Result<(), c_int> {
        // SAFETY: a live request in its handler.
        let status = unsafe { ffi::ap_discard_request_body(self.0.as_ptr()) };
        if status == ffi::OK as c_int { Ok(()) } else { Err(status) }
    }
}
