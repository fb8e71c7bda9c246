//! A request rule denies (request-event.md section 4.1).

use super::RequestState;
use super::limits;
use super::post_read_request::server_record;
use crate::httpd::connection::Connection;
use crate::httpd::ffi;
use crate::httpd::request::Request;
use crate::runtime::Runtime;
use qos_core::config::is_url;
use qos_core::message::Mark;
use std::ffi::{CStr, c_int};

/// How denials are marked in the log.
pub fn mark(runtime: &Runtime, log_only: bool) -> Mark {
    if runtime.only_logs(log_only) { Mark::LogOnly } else { Mark::Enforced }
}

/// The id of the last message about a request.
pub fn note_error(request: Request<'_>, id: &'static CStr) {
    request.set_variable(c"QS_ErrorNotes", id.as_ptr());
    request.set_note(c"error-notes", id.as_ptr());
}

/// A denial that was logged.
#[derive(Clone, Copy, Debug)]
pub struct Denial {
    /// The number of the message.
    pub event: u16,
    /// The same as text.
    pub id: &'static CStr,
    /// The status without an error page; `None`: `QS_ErrorResponseCode`.
    pub status: Option<c_int>,
    /// The rule alone is not enforced (`QS_LogOnlyRule`).
    pub log_only: bool,
    /// The client may come back after this time, seconds.
    pub retry_after: Option<u32>,
}

impl Denial {
    /// With the message of that number, enforced.
    pub fn new(event: u16, id: &'static CStr) -> Denial {
        Denial { event, id, status: None, log_only: false, retry_after: None }
    }

    /// And the time after which the client may come back, seconds.
    pub fn retry_after(self, seconds: u32) -> Denial {
        Denial { retry_after: Some(seconds.max(1)), ..self }
    }
}

/// Counts, notes and carries out a denial. `Some`: the status to end the request with; `None` in log-only mode.
pub fn denied(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, denial: &Denial) -> Option<c_int> {
    runtime.event(denial.event);
    note_error(request, denial.id);
    state.letters.add(b'D');
    if runtime.only_logs(denial.log_only) {
        return None;
    }
    state.denied = true;
    // What it holds is free for others while it is told (W11).
    limits::release(request, state, runtime);
    if let Some(seconds) = denial.retry_after {
        request.set_error_header(c"Retry-After", request.pool().number(seconds));
    }
    Some(answer(request, state, runtime, denial))
}

/// Shows the page that a denial has asked for, once nobody works with the request's state: the page is a request of its own. Returns the status.
pub fn finish(request: Request<'_>, status: c_int) -> c_int {
    if status == ffi::DONE {
        let page = RequestState::of(request).and_then(|state| state.page.take());
        if let (Some(page), Some(runtime)) = (page, crate::runtime::runtime()) {
            request.show_page(page, runtime.deny_code);
        }
    }
    status
}

/// The error page, or the status without one.
fn answer(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, denial: &Denial) -> c_int {
    let configured = || server_record(request).and_then(|server| server.config.denials.page.as_deref().or_else(|| server.automatic_page()));
    let page = request.variable_string(c"QS_ErrorPage").filter(|page| !page.is_empty()).or_else(configured);
    let Some(page) = page else { return denial.status.unwrap_or(c_int::from(runtime.deny_code)) };
    if let Some(connection) = Connection::of(request) {
        connection.close_after_response();
    }
    request.add_variable(c"ERROR_NOTES", denial.id.as_ptr());
    if is_url(page.to_bytes()) {
        request.set_variable(c"REQUEST_METHOD", request.method_name());
        request.set_response_header(c"Location", page.as_ptr());
        return ffi::HTTP_MOVED_TEMPORARILY as c_int;
    }
    // SAFETY: the page is a string of the configuration or of the request's pool, in which the state lives.
    state.page = Some(unsafe { std::ffi::CStr::from_ptr(page.as_ptr()) });
    ffi::DONE
}
