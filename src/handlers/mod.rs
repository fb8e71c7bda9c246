//! Handlers.

use crate::config::ServerRecord;
use crate::hooks::header_parser::unique_id;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::runtime;
use std::ffi::c_int;

/// `QS_DisableHandler on`: viewer and console are not available (072).
pub unsafe extern "C" fn disabled(r: *mut ffi::request_rec) -> c_int {
    guard("handler", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        if !matches!(request.handler(), Some(b"qos-viewer" | b"qos-console")) {
            return ffi::DECLINED;
        }
        if ServerRecord::of(request.server()).is_none_or(|record| record.config.disable_handler != Some(true)) {
            return ffi::DECLINED;
        }
        if let Some(runtime) = runtime() {
            runtime.event(72);
        }
        let id = unique_id(request);
        log::request(request, log::Level::Error, || format!("mod_qos(072): handler has been disabled for this host, id={id}"));
        request.set_variable(c"QS_ErrorNotes", c"072".as_ptr());
        request.set_note(c"error-notes", c"072".as_ptr());
        ffi::HTTP_NOT_FOUND as c_int
    })
}
