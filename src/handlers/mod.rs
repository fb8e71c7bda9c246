//! Handlers: what administrators and monitoring see (connection-client.md section 11).
//! Facts become a [`snapshot`], which qos-core renders; [`clients`] is the door to the table of clients.

pub mod clients;
mod console;
mod metrics;
mod snapshot;
mod status;
mod viewer;

pub use console::console;
pub use metrics::metrics;
pub use status::section;
pub use viewer::viewer;

use crate::config::ServerRecord;
use crate::hooks::header_parser::unique_id;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::httpd::{ffi, log};
use crate::runtime::{Runtime, runtime};
use std::ffi::c_int;

/// `QS_DisableHandler on`: the handlers are not available (072).
pub unsafe extern "C" fn disabled(r: *mut ffi::request_rec) -> c_int {
    guard("handler", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        if !matches!(request.handler(), Some(b"qos-viewer" | b"qos-console" | b"qos-metrics")) || !is_disabled(request) {
            return ffi::DECLINED;
        }
        if let Some(runtime) = runtime() {
            runtime.event(72);
        }
        let id = unique_id(request);
        log::request(request, log::Level::Error, || format!("mod_qos(072): handler has been disabled for this host, id={id}"));
        error_notes(request, c"072");
        ffi::HTTP_NOT_FOUND as c_int
    })
}

fn is_disabled(request: Request<'_>) -> bool {
    ServerRecord::of(request.server()).is_some_and(|record| record.config.disable_handler == Some(true))
}

/// `QS_ErrorNotes` and httpd's own note.
fn error_notes(request: Request<'_>, id: &'static std::ffi::CStr) {
    request.set_variable(c"QS_ErrorNotes", id.as_ptr());
    request.set_note(c"error-notes", id.as_ptr());
}

/// Runs a handler if the request is for it.
fn handle(r: *mut ffi::request_rec, name: &'static str, serve: impl FnOnce(Request<'_>, &'static Runtime) -> c_int) -> c_int {
    guard(name, ffi::HTTP_INTERNAL_SERVER_ERROR as c_int, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        if request.handler() != Some(name.as_bytes()) {
            return ffi::DECLINED;
        }
        runtime().map_or(ffi::DECLINED, |runtime| serve(request, runtime))
    })
}

/// Headers of every response of the handlers.
fn headers(response: Response<'_>) {
    response.header(c"Cache-Control", "no-cache");
    response.header(c"X-Content-Type-Options", "nosniff");
}
