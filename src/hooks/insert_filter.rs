//! A response begins to be made: whether the connection ends with it, and the response filter where a rule needs it.

use super::RequestState;
use super::deny::error_page;
use super::post_read_request::server_record;
use super::{header_filter, milestones, set_variables, tracking, tuning, vip};
use crate::config::location;
use crate::filters;
use crate::httpd::connection::Connection;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, feature, runtime};

/// Regular responses.
pub unsafe extern "C" fn insert_filter(r: *mut ffi::request_rec) {
    if !feature::any(feature::RESPONSES | feature::BROKEN | feature::BODY_LIMIT) {
        return;
    }
    guard("insert_filter", (), || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return };
        if feature::any(feature::BODY_LIMIT) {
            replace_redirected(request);
        }
        if feature::any(feature::RESPONSES | feature::BROKEN) {
            begin(request, filters::add_response_filter);
        }
        // Stays in its place over internal redirects.
        if feature::any(feature::BROKEN) && request.is_initial() {
            filters::watch_output(request);
        }
    });
}

/// Whoever could not read the whole body has redirected the request, or an `ErrorDocument` was configured for what he answered: that is not the answer either. Without an error page, httpd's for
/// the failure may be.
fn replace_redirected(request: Request<'_>) {
    if request.is_initial() || request.is_sub_request() {
        return;
    }
    let is_open = RequestState::of(request.initial()).is_some_and(|state| state.body_too_large && !state.denied);
    if is_open && (error_page(request).is_some() || !request.follows_a_failure()) {
        filters::replace_answer(request, false);
    }
}

/// Responses that httpd makes itself for errors.
pub unsafe extern "C" fn insert_error_filter(r: *mut ffi::request_rec) {
    if !feature::any(feature::RESPONSES | feature::BODY_LIMIT) {
        return;
    }
    guard("insert_error_filter", (), || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return };
        if let Some(state) = RequestState::of(request.initial()).filter(|state| state.body_too_large) {
            filters::replace_answer(request, state.denied);
        }
        if feature::any(feature::RESPONSES) {
            begin(request, filters::add_error_filter);
        }
    });
}

/// A response of either kind. `add_filter` adds the filter of its kind.
fn begin(request: Request<'_>, add_filter: fn(Request<'_>)) {
    close_when_crowded(request);
    let looked_at =
        switches_rate_off(request) || has_status_events(request) || set_variables::look_at_response(request) || header_filter::looks_at_response(request);
    if looked_at || vip::looks_at_response(request) || milestones::is_pending(request) || tracking::is_pending(request) {
        add_filter(request);
    } else {
        // Nothing that this module does sets variables later.
        tuning::at_response(request);
    }
}

/// `QS_SrvMaxConnClose`: above the limit the connection ends with this response, letter `K`
/// (connection-client.md section 6.7). The count is that of the server that took the connection (W03).
/// An HTTP/2 connection stays open: its streams share it.
fn close_when_crowded(request: Request<'_>) {
    if !feature::any(feature::CLOSE_LIMIT) {
        return;
    }
    let Some(limit) = server_record(request).and_then(|server| server.derived()).and_then(|derived| derived.close_limit) else { return };
    let Some(connection) = Connection::of(request) else { return };
    let owner = ConnectionRecord::of(connection).and_then(|record| record.server).and_then(|server| server.derived());
    let (Some(runtime), Some(owner)) = (runtime(), owner) else { return };
    if runtime.region.count(owner.key) <= limit {
        return;
    }
    if let Some(state) = RequestState::of(request.initial()) {
        state.letters.add(b'K');
    }
    if !runtime.log_only && !connection.is_stream() {
        connection.close_after_response();
    }
}

fn switches_rate_off(request: Request<'_>) -> bool {
    feature::any(feature::RATE_OFF_EVENTS)
        && (server_record(request).is_some_and(|record| !record.config.off_events.is_empty())
            || location(request).is_some_and(|location| !location.off_events.is_empty()))
}

fn has_status_events(request: Request<'_>) -> bool {
    feature::any(feature::STATUS_EVENTS)
        && (server_record(request).is_some_and(|server| !server.config.status_events.is_empty())
            || location(request).is_some_and(|location| !location.status_events.is_empty()))
}
