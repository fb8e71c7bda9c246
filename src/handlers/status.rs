//! The section in mod_status (connection-client.md section 11.5).

use super::is_disabled;
use super::snapshot::{Reading, take};
use super::viewer::counting;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::runtime::runtime;
use qos_core::query::Query;
use qos_core::view::{Options, auto, status};
use std::ffi::c_int;

/// Called by mod_status while it writes its report.
pub unsafe extern "C" fn section(r: *mut ffi::request_rec, flags: c_int) -> c_int {
    guard("status_hook", ffi::OK as c_int, || {
        // SAFETY: mod_status passes the request it serves.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::OK as c_int };
        let Some(runtime) = runtime().filter(|_| !is_disabled(request)) else { return ffi::OK as c_int };
        let options = Options::new(request.uri(), request.query());
        let body = if flags & ffi::AP_STATUS_SHORT as c_int != 0 {
            let reading = if Query::new(request.query()).has("peek") { Reading::Peek } else { Reading::Reset };
            auto::render(&take(runtime, &options, counting(request), reading))
        } else {
            status::render(&take(runtime, &options, counting(request), Reading::Peek), &options).into_bytes()
        };
        Response::of(request).write(&body);
        ffi::OK as c_int
    })
}
