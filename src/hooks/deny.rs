//! A request rule denies (request-event.md section 4.1).

use super::RequestState;
use crate::httpd::ffi;
use crate::httpd::request::Request;
use crate::runtime::Runtime;
use qos_core::message::Mark;
use std::ffi::{CStr, c_int};

/// The status that rules deny with.
const DENY_CODE: c_int = ffi::HTTP_INTERNAL_SERVER_ERROR as c_int;

/// How denials are marked in the log.
pub fn mark(runtime: &Runtime) -> Mark {
    if runtime.log_only { Mark::LogOnly } else { Mark::Enforced }
}

/// The id of the last message about a request.
pub fn note_error(request: Request<'_>, id: &'static CStr) {
    request.set_variable(c"QS_ErrorNotes", id.as_ptr());
    request.set_note(c"error-notes", id.as_ptr());
}

/// Counts and notes a denial that was logged. `Some`: the status to end the request with; `None` in log-only mode.
pub fn denied(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, event: u16, id: &'static CStr) -> Option<c_int> {
    runtime.event(event);
    note_error(request, id);
    state.letters.add(b'D');
    (!runtime.log_only).then_some(DENY_CODE)
}
