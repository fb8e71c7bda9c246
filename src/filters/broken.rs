//! `qos-out-filter-brokencon`: notices that the client left while a response was written (connection-client.md section 9.9).

use super::{BROKEN, connection_of};
use crate::hooks::RequestState;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, flag};

/// Adds the filter to a request.
pub fn watch_output(request: Request<'_>) {
    BROKEN.add_output(std::ptr::null_mut(), Some(request), request.connection());
}

/// The filter. Of an HTTP/2 stream only the end of the whole connection counts: a client may give up single streams.
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-brokencon", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade.
        let (status, request, connection) = unsafe { (ffi::ap_pass_brigade((*filter).next, bb), Request::new((*filter).r), connection_of(filter)) };
        let (Some(request), Some(connection)) = (request, connection) else { return status };
        let left = matches!(status, libc::ECONNABORTED | libc::EPIPE | libc::ECONNRESET);
        if left && (!connection.is_stream() || connection.master().is_aborted()) || !connection.is_stream() && connection.is_aborted() {
            broken(request, connection);
        }
        status
    })
}

/// Letter `A`, and an event when the connection ends.
fn broken(request: Request<'_>, connection: crate::httpd::connection::Connection<'_>) {
    if let Some(state) = RequestState::of(request.initial()) {
        state.letters.add(b'A');
    }
    if let Some(record) = ConnectionRecord::of(connection) {
        record.flag(flag::BROKEN);
    }
    if !connection.is_stream() {
        connection.set_note(c"BrokenConnection", c"".as_ptr());
    }
}
