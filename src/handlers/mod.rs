//! Handlers: what administrators and monitoring see (connection-client.md section 11).
//! Facts become a [`snapshot`], which qos-core renders; [`clients`] is the door to the table of clients.

pub mod clients;
mod console;
mod metrics;
mod rules;
mod snapshot;
mod status;
mod viewer;

pub use status::section;

use crate::config::ServerRecord;
use crate::hooks::deny::note_error;
use crate::hooks::header_parser::unique_id;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::httpd::{ffi, log};
use crate::runtime::{Runtime, runtime};
use std::ffi::c_int;

/// `SetHandler qos-viewer`, `qos-console` and `qos-metrics`. One entry for all: every request passes here.
pub unsafe extern "C" fn handler(r: *mut ffi::request_rec) -> c_int {
    // SAFETY: httpd passes the request; its handler is a C string or null.
    let named = unsafe { Request::new(r) }.is_some_and(|request| request.handler_starts_with(b"qos-"));
    if !named {
        return ffi::DECLINED;
    }
    guard("handler", ffi::HTTP_INTERNAL_SERVER_ERROR as c_int, || {
        // SAFETY: as above.
        let (Some(request), Some(runtime)) = (unsafe { Request::new(r) }, runtime()) else { return ffi::DECLINED };
        let serve = match request.handler() {
            Some(b"qos-viewer") => viewer::serve,
            Some(b"qos-console") => console::serve,
            Some(b"qos-metrics") => metrics::serve,
            _ => return ffi::DECLINED,
        };
        if is_disabled(request) {
            return disabled(request, runtime);
        }
        serve(request, runtime)
    })
}

/// `QS_DisableHandler on`: the handlers are not available (072).
fn disabled(request: Request<'_>, runtime: &Runtime) -> c_int {
    runtime.event(72);
    let id = unique_id(request);
    log::request(request, log::Level::Error, || format!("mod_qos(072): handler has been disabled for this host, id={id}"));
    note_error(request, 72);
    ffi::HTTP_NOT_FOUND as c_int
}

fn is_disabled(request: Request<'_>) -> bool {
    ServerRecord::of(request.server()).is_some_and(|record| record.config.disable_handler == Some(true))
}

/// Headers of every response of the handlers.
fn headers(response: Response<'_>) {
    response.header(c"Cache-Control", "no-cache");
    response.header(c"X-Content-Type-Options", "nosniff");
}
