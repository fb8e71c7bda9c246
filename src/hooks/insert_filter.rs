//! A response begins to be made: the response filter is added where a rule needs it.

use super::post_read_request::server_record;
use crate::config::location;
use crate::filters;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::feature;

/// Regular responses.
pub unsafe extern "C" fn insert_filter(r: *mut ffi::request_rec) {
    if !feature::any(feature::CLOSE_LIMIT | feature::RATE_OFF_EVENTS | feature::STATUS_EVENTS | feature::BROKEN) {
        return;
    }
    guard("insert_filter", (), || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return };
        if is_watched(request) || has_status_events(request) {
            filters::add_response_filter(request);
        }
        // Stays in its place over internal redirects.
        if feature::any(feature::BROKEN) && request.is_initial() {
            filters::watch_output(request);
        }
    });
}

/// Responses that httpd makes itself for errors.
pub unsafe extern "C" fn insert_error_filter(r: *mut ffi::request_rec) {
    if !feature::any(feature::CLOSE_LIMIT | feature::RATE_OFF_EVENTS | feature::STATUS_EVENTS) {
        return;
    }
    guard("insert_error_filter", (), || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return };
        if is_watched(request) {
            filters::add_response_filter(request);
        } else if has_status_events(request) {
            filters::add_error_filter(request);
        }
    });
}

fn is_watched(request: Request<'_>) -> bool {
    server_record(request).is_some_and(|record| record.config.close_limit.is_some() || !record.config.off_events.is_empty())
        || feature::any(feature::RATE_OFF_EVENTS) && location(request).is_some_and(|location| !location.off_events.is_empty())
}

fn has_status_events(request: Request<'_>) -> bool {
    feature::any(feature::STATUS_EVENTS)
        && (server_record(request).is_some_and(|server| !server.config.status_events.is_empty())
            || location(request).is_some_and(|location| !location.status_events.is_empty()))
}
