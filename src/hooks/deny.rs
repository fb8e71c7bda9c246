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
use qos_shm::EVENTS;
use std::ffi::{CStr, c_int};

/// How denials are marked in the log.
pub fn mark(runtime: &Runtime, log_only: bool) -> Mark {
    if runtime.only_logs(log_only) { Mark::LogOnly } else { Mark::Enforced }
}

/// Numbers of messages as text, each with its NUL.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static IDS: [[u8; 4]; EVENTS] = {
    let mut ids = [[0; 4]; EVENTS];
    let mut event = 0;
    while event < EVENTS {
        ids[event] = [b'0' + (event / 100) as u8, b'0' + (event / 10 % 10) as u8, b'0' + (event % 10) as u8, 0];
        event += 1;
    }
    ids
};

/// The number of a message as text, empty for one that is not counted.
fn id(event: u16) -> &'static CStr {
    IDS.get(usize::from(event)).and_then(|id| CStr::from_bytes_until_nul(id).ok()).unwrap_or_default()
}

/// The id of the last message about a request.
pub fn note_error(request: Request<'_>, event: u16) {
    request.set_variable(c"QS_ErrorNotes", id(event).as_ptr());
    request.set_note(c"error-notes", id(event).as_ptr());
}

/// Counts a message about a request, and notes its id.
pub fn count_and_note(request: Request<'_>, runtime: &Runtime, event: u16) {
    runtime.event(event);
    note_error(request, event);
}

/// A denial that was logged.
#[derive(Clone, Copy, Debug)]
pub struct Denial {
    /// The number of the message.
    pub event: u16,
    /// The status without an error page; `None`: `QS_ErrorResponseCode`.
    pub status: Option<c_int>,
    /// The rule alone is not enforced (`QS_LogOnlyRule`).
    pub log_only: bool,
    /// The client may come back after this time, seconds.
    pub retry_after: Option<u32>,
}

impl Denial {
    /// With the message of that number, enforced.
    pub fn new(event: u16) -> Denial {
        Denial { event, status: None, log_only: false, retry_after: None }
    }

    /// And the status without an error page.
    pub fn status(self, status: c_int) -> Denial {
        Denial { status: Some(status), ..self }
    }

    /// And the time after which the client may come back, seconds.
    pub fn retry_after(self, seconds: u32) -> Denial {
        Denial { retry_after: Some(seconds.max(1)), ..self }
    }
}

/// Counts, notes and carries out a denial. `Some`: the status to end the request with; `None` in log-only mode.
pub fn denied(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, denial: &Denial) -> Option<c_int> {
    count_and_note(request, runtime, denial.event);
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
        let page = RequestState::of(request.initial()).and_then(|state| state.page.take());
        if let (Some(page), Some(runtime)) = (page, crate::runtime::runtime()) {
            request.show_page(page, runtime.deny_code);
        }
    }
    status
}

/// The page of an error: of httpd (`ErrorDocument`), or of a denial; or what that was redirected to.
pub fn follows_an_error(request: Request<'_>) -> bool {
    let denied = || RequestState::of(request.initial()).is_some_and(|state| state.denied);
    !request.is_initial() && (denied() || request.follows_a_failure())
}

/// The page of a request's denials.
pub fn error_page(request: Request<'_>) -> Option<&CStr> {
    let configured = || server_record(request).and_then(|server| server.config.denials.page.as_deref().or_else(|| server.automatic_page()));
    request.variable_string(c"QS_ErrorPage").filter(|page| !page.is_empty()).or_else(configured)
}

/// The error page, which [`finish`] shows, or the status without one.
pub fn answer(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, denial: &Denial) -> c_int {
    let Some(page) = error_page(request) else { return denial.status.unwrap_or(c_int::from(runtime.deny_code)) };
    if let Some(connection) = Connection::of(request) {
        connection.close_after_response();
    }
    request.add_variable(c"ERROR_NOTES", id(denial.event).as_ptr());
    if is_url(page.to_bytes()) {
        request.set_variable(c"REQUEST_METHOD", request.method_name());
        request.set_response_header(c"Location", page.as_ptr());
        return ffi::HTTP_MOVED_TEMPORARILY as c_int;
    }
    // SAFETY: the page is a string of the configuration or of the request's pool, in which the state lives.
    state.page = Some(unsafe { CStr::from_ptr(page.as_ptr()) });
    ffi::DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_messages_have_three_digits() {
        assert_eq!([0, 9, 44, 147, 199, 200].map(id), [c"000", c"009", c"044", c"147", c"199", c""]);
    }
}
