//! `QS_LimitRequestBody` and `QS_DeflateReqBody`, once the location of a request is known (filters.md section 9).

use super::RequestState;
use super::deny::{Denial, answer, count_and_note, denied, finish};
use super::header_parser::{log_env, unique_id};
use super::post_read_request::server_record;
use crate::config::location;
use crate::filters;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::runtime::{Runtime, feature, runtime};
use qos_core::body::{self, Verdict};
use qos_core::message;
use qos_core::rules::message::summed_up;
use std::ffi::c_int;

/// HP-2: the first that is known of a body, before anything reads it.
pub unsafe extern "C" fn header_parser(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::BODY_LIMIT | feature::INFLATE | feature::LOG_ENV) {
        return ffi::DECLINED;
    }
    guard("header_parser", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        if !request.is_initial() {
            return ffi::DECLINED;
        }
        log_env(request, ">HP_2");
        // Before the filter that counts: nearer to the handler, so that bytes are counted as received.
        if feature::any(feature::INFLATE) && request.variable(c"QS_DeflateReqBody").is_some() && request.variable(c"parp").is_some() {
            request.inflate_body();
            if let Some(state) = RequestState::of(request) {
                state.inflates = true;
            }
        }
        let Some(limit) = limit(request, true) else { return ffi::DECLINED };
        match body::judge(limit, request.header(c"Content-Length")) {
            Verdict::Pass => ffi::DECLINED,
            Verdict::Count => {
                filters::count_body(request, limit);
                ffi::DECLINED
            }
            Verdict::TooLarge { length } => deny(request, Some((limit, length))),
            Verdict::Unusable => deny(request, None),
        }
    })
}

/// The limit of a request's body, if it has one.
pub fn limit(request: Request<'_>, explain: bool) -> Option<u64> {
    if !feature::any(feature::BODY_LIMIT) {
        return None;
    }
    let server = server_record(request).and_then(|record| record.config.body_limit);
    let place = location(request).and_then(|location| location.body_limit);
    let variable = request.variable(c"QS_LimitRequestBody");
    if explain && variable.is_some_and(|text| body::decimal(text).is_none()) {
        log::request(request, log::Level::Debug, || "mod_qos(): variable QS_LimitRequestBody is not a number, ignored".to_owned());
    }
    body::limit(variable, place, server)
}

fn deny(request: Request<'_>, numbers: Option<(u64, u64)>) -> c_int {
    let (Some(runtime), Some(state)) = (runtime(), RequestState::of(request)) else { return ffi::DECLINED };
    finish(request, too_large(request, state, runtime, DIRECTIVE, numbers).unwrap_or(ffi::DECLINED))
}

/// The directive that limits bodies, for messages.
pub const DIRECTIVE: &str = "QS_LimitRequestBody";

/// Denies a request for the length of its body (`numbers`: the limit, and the length so far); the status, or `None` in log-only mode.
pub fn too_large(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, directive: &str, numbers: Option<(u64, u64)>) -> Option<c_int> {
    log_limit(request, runtime, directive, numbers);
    let denial = Denial::new(44).status(ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int);
    denied(request, state, runtime, &denial)
}

/// A body turns out to be too long while it is read, by this request or by one that it was redirected from: logs and counts; false in log-only mode.
pub fn ends_body(request: Request<'_>, limit: u64, length: u64) -> bool {
    let Some(runtime) = runtime() else { return false };
    log_limit(request, runtime, DIRECTIVE, Some((limit, length)));
    count_and_note(request, runtime, 44);
    if let Some(state) = RequestState::of(request.initial()) {
        state.letters.add(b'D');
    }
    !runtime.log_only
}

/// What a request whose body was ended ([`ends_body`]) is answered with: [`ffi::DONE`] if its error page was shown, else the status. Nothing of the response may have been sent.
pub fn answer_ended(request: Request<'_>) -> c_int {
    let denial = Denial::new(44).status(ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int);
    let (Some(runtime), Some(state)) = (runtime(), RequestState::of(request.initial())) else { return ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int };
    state.denied = true;
    let status = answer(request, state, runtime, &denial);
    finish(request, status)
}

/// mod_deflate does not inflate any more of a body: a few bytes that become many (L13). Its own answer would be 400; in log-only mode, too, nobody
/// can read the body.
pub fn inflates_too_much(request: Request<'_>, state: &mut RequestState, runtime: &Runtime) -> c_int {
    write(request, message::inflates_too_much);
    let status = ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int;
    denied(request, state, runtime, &Denial::new(44).status(status)).unwrap_or(status)
}

/// 044.
fn log_limit(request: Request<'_>, runtime: &Runtime, directive: &str, numbers: Option<(u64, u64)>) {
    write(request, |client, id| message::body_limit(directive, numbers, runtime.log_only, client, id));
}

/// The line about a body, from client and id of the request; or none, where there are many of them.
fn write(request: Request<'_>, line: impl FnOnce(&str, &str) -> String) {
    static LINES: log::Sparse = log::Sparse::new();
    if log::has_line(request, log::Level::Error, LINES.one_more(), |times| summed_up(44, "request body limit", times)) {
        log::request(request, log::Level::Error, || line(&String::from_utf8_lossy(request.client()), &unique_id(request)));
    }
}
