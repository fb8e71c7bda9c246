//! `SetHandler qos-viewer`: the page and its machine formats (connection-client.md sections 11.1 to 11.3).

use super::headers;
use super::snapshot::{Reading, take};
use crate::httpd::ffi;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::runtime::Runtime;
use qos_core::query::Query;
use qos_core::view::{Options, auto, html, json};
use std::ffi::c_int;

/// Answers a request.
pub(super) fn serve(request: Request<'_>, runtime: &'static Runtime) -> c_int {
    let response = Response::of(request);
    if let Err(status) = response.discard_body() {
        return status;
    }
    if request.uri().windows(11).any(|part| part == b"favicon.ico") {
        response.content_type(c"image/x-icon");
        response.header(c"Cache-Control", "public, max-age=2592000");
        response.header(c"X-Content-Type-Options", "nosniff");
        response.write(html::FAVICON);
        return ffi::OK as c_int;
    }
    headers(response);
    let query = Query::new(request.query());
    let options = Options::new(request.uri(), request.query());
    if options.refresh {
        response.header(c"Refresh", "10");
    }
    let body = if query.has("auto") {
        response.content_type(c"text/plain");
        let reading = if query.has("peek") || request.is_head() { Reading::Peek } else { Reading::Reset };
        (!request.is_head()).then(|| auto::render(&take(runtime, &options, counting(request), reading)))
    } else if query.has("json") {
        response.content_type(c"application/json");
        (!request.is_head()).then(|| json(&take(runtime, &options, counting(request), Reading::Peek)).into_bytes())
    } else {
        response.content_type(c"text/html; charset=utf-8");
        response.header(c"Content-Security-Policy", &html::content_security_policy());
        response.header(c"Referrer-Policy", "same-origin");
        (!request.is_head()).then(|| html::render(&take(runtime, &options, counting(request), Reading::Peek), &options).into_bytes())
    };
    if let Some(body) = body {
        response.write(&body);
    }
    ffi::OK as c_int
}

/// Whether connections are counted: the request knows how many there were.
pub fn counting(request: Request<'_>) -> bool {
    request.variable(c"QS_AllConn").is_some()
}
