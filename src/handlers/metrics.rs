//! `SetHandler qos-metrics`: metrics for Prometheus and others. Reading them changes nothing.

use super::headers;
use super::snapshot::{Reading, take};
use super::viewer::counting;
use crate::httpd::ffi;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::runtime::Runtime;
use qos_core::view::{Options, metrics as document};
use std::ffi::c_int;

/// Answers a request.
pub(super) fn serve(request: Request<'_>, runtime: &'static Runtime) -> c_int {
    let response = Response::of(request);
    if let Err(status) = response.discard_body() {
        return status;
    }
    headers(response);
    response.content_type(document::CONTENT_TYPE);
    if !request.is_head() {
        let snapshot = take(runtime, &Options::default(), counting(request), Reading::Peek);
        response.write(document::render(&snapshot).as_bytes());
    }
    ffi::OK as c_int
}
