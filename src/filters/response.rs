//! `qos-out-filter`: runs once at the first bytes of a response (request-event.md section 2.7).

use super::{ERROR_RESPONSE, RESPONSE};
use crate::config::location;
use crate::hooks::fixups::switch_rate_off;
use crate::hooks::post_read_request::server_record;
use crate::hooks::{header_filter, milestones, set_variables, tracking, tuning, vip};
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::feature;

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
        // SAFETY: httpd calls the filter with itself and its brigade.
        if let Some(request) = unsafe { Request::new((*filter).r) } {
            set_if_status(request);
            set_variables::by_response(request);
            if !is_error {
                tracking::set_cookie(request);
            }
            milestones::set_cookie(request);
            vip::at_response(request, is_error);
            if !is_error {
                set_variables::unset_response_headers(request);
                header_filter::of_response(request);
            }
            tuning::at_response(request);
            switch_rate_off(request);
        }
        // SAFETY: as above; the next filter is asked for now, as one may have been added behind this one. Removing leaves it valid.
        unsafe {
            let next = (*filter).next;
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
