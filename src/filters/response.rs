//! `qos-out-filter`: runs once at the first bytes of a response (request-event.md section 2.7).

use super::{ERROR_RESPONSE, RESPONSE, connection_of};
use crate::config::location;
use crate::hooks::RequestState;
use crate::hooks::fixups::switch_rate_off;
use crate::hooks::post_read_request::server_record;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, feature, runtime};

/// Adds the filter to a request.
pub fn add_response_filter(request: Request<'_>) {
    RESPONSE.add_output(std::ptr::null_mut(), Some(request), request.connection());
}

/// Adds the filter for responses that httpd makes itself for errors.
pub fn add_error_filter(request: Request<'_>) {
    ERROR_RESPONSE.add_output(std::ptr::null_mut(), Some(request), request.connection());
}

/// The filter of regular responses.
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    run(filter, bb, false)
}

/// The filter of error responses (request-event.md section 2.8).
pub unsafe extern "C" fn error_filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    run(filter, bb, true)
}

fn run(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade, is_error: bool) -> ffi::apr_status_t {
    guard("qos-out-filter", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; removing leaves `next` valid.
        let (next, request) = unsafe { ((*filter).next, Request::new((*filter).r)) };
        // SAFETY: as above.
        if let (Some(request), Some(connection)) = (request, unsafe { connection_of(filter) }) {
            set_if_status(request);
            if !is_error {
                if let Some(record) = ConnectionRecord::of(connection) {
                    close_when_crowded(request, record, connection);
                }
                switch_rate_off(request);
            }
        }
        // SAFETY: as above.
        unsafe {
            ffi::ap_remove_output_filter(filter);
            ffi::ap_pass_brigade(next, bb)
        }
    })
}

/// `QS_SetEnvIfStatus`: entries of the server, then those of the location (request-event.md section 10.7).
fn set_if_status(request: Request<'_>) {
    if !feature::any(feature::STATUS_EVENTS) {
        return;
    }
    let status = request.status();
    let of_server = server_record(request).map(|server| server.config.status_events.as_slice()).unwrap_or_default();
    let of_location = location(request).map(|location| location.status_events.as_slice()).unwrap_or_default();
    for event in of_server.iter().chain(of_location) {
        if i32::from(event.status) == status {
            request.set_variable(&event.variable, event.value.as_ptr());
        }
    }
}

/// `QS_SrvMaxConnClose`: above the limit the connection ends with this response, letter `K`
/// (connection-client.md section 6.7). The count is that of the server that took the connection (W03).
/// An HTTP/2 connection stays open: its streams share it.
fn close_when_crowded(request: Request<'_>, record: &ConnectionRecord, connection: crate::httpd::connection::Connection<'_>) {
    let limit = server_record(request).and_then(|server| server.derived()).and_then(|derived| derived.close_limit);
    let (Some(limit), Some(runtime), Some(owner)) = (limit, runtime(), record.server.and_then(|server| server.derived())) else { return };
    let connections = runtime.region.count(owner.key);
    if connections <= limit {
        return;
    }
    if let Some(state) = RequestState::of(request.initial()) {
        state.letters.add(b'K');
    }
    if !runtime.log_only && !connection.is_stream() {
        connection.close_after_response();
    }
}
