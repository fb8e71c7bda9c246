//! The location of a request is known (request-event.md sections 2.4 and 2.5).

use super::RequestState;
use super::deny::{Denial, denied, finish, note_error};
use super::judging;
use super::url_filter;
use super::post_read_request::server_record;
use crate::config::location;
use crate::filters;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::{ConnectionRecord, Runtime, feature, process_id, runtime, steps};
use once_cell::sync::OnceCell;
use qos_core::body::{self, Verdict};
use qos_core::message;
use std::ffi::c_int;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// HP-1, before mod_setenvif.
pub unsafe extern "C" fn first(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::LOG_ENV) {
        return ffi::DECLINED;
    }
    guard("header_parser", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        if let Some(request) = unsafe { Request::new(r) } {
            if request.is_initial() {
                log_env(request, ">HP_1");
            }
        }
        ffi::DECLINED
    })
}

/// HP-3.
pub unsafe extern "C" fn main(r: *mut ffi::request_rec) -> c_int {
    let active = steps::active();
    if active.is_empty() {
        return ffi::DECLINED;
    }
    guard("header_parser", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        match unsafe { Request::new(r) } {
            Some(request) if request.is_initial() => finish(request, judging::judge(request, active)),
            _ => ffi::DECLINED,
        }
    })
}

/// HP-2: `QS_LimitRequestBody` (filters.md section 9.1).
pub unsafe extern "C" fn body(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::BODY_LIMIT | feature::LOG_ENV | feature::BODY_RULES) {
        return ffi::DECLINED;
    }
    guard("header_parser", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        if !request.is_initial() {
            return ffi::DECLINED;
        }
        log_env(request, ">HP_2");
        let server = server_record(request).and_then(|record| record.config.body_limit);
        let place = location(request).and_then(|location| location.body_limit);
        let variable = request.variable(c"QS_LimitRequestBody");
        if variable.is_some_and(|text| body::decimal(text).is_none()) {
            log::request(request, log::Level::Debug, || "mod_qos(): variable QS_LimitRequestBody is not a number, ignored".to_owned());
        }
        let status = match body::limit(variable, place, server) {
            None => ffi::DECLINED,
            Some(limit) => match body::judge(limit, request.header(c"Content-Length")) {
                Verdict::Pass => ffi::DECLINED,
                Verdict::Count => {
                    filters::count_body(request, limit);
                    ffi::DECLINED
                }
                Verdict::TooLarge { length } => deny_body(request, Some((limit, length))),
                Verdict::Unusable => deny_body(request, None),
            },
        };
        if status != ffi::DECLINED || !feature::any(feature::BODY_RULES) {
            return status;
        }
        finish(request, url_filter::before_body(request).unwrap_or(ffi::DECLINED))
    })
}

/// Denies a request for its body; the status, or `DECLINED` in log-only mode.
fn deny_body(request: Request<'_>, numbers: Option<(u64, u64)>) -> c_int {
    let (Some(runtime), Some(state)) = (runtime(), RequestState::of(request)) else { return ffi::DECLINED };
    log_body(request, runtime, numbers);
    let denial = Denial { status: Some(ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int), ..Denial::new(44, c"044") };
    let status = denied(request, state, runtime, &denial).unwrap_or(ffi::DECLINED);
    finish(request, status)
}

/// A body turns out to be too long while it is read: logs and counts; false in log-only mode.
pub fn ends_body(request: Request<'_>, limit: u64, length: u64) -> bool {
    let Some(runtime) = runtime() else { return false };
    log_body(request, runtime, Some((limit, length)));
    runtime.event(44);
    note_error(request, c"044");
    if let Some(state) = RequestState::of(request) {
        state.letters.add(b'D');
    }
    !runtime.log_only
}

/// 044.
fn log_body(request: Request<'_>, runtime: &Runtime, numbers: Option<(u64, u64)>) {
    let client = String::from_utf8_lossy(request.client()).into_owned();
    let unique_id = unique_id(request);
    log::request(request, log::Level::Error, || message::body_limit(numbers, runtime.log_only, &client, &unique_id));
}

/// The request's unique id; one is made where mod_unique_id has not (request-event.md section 18.4).
pub fn unique_id(request: Request<'_>) -> String {
    if let Some(id) = request.variable(c"UNIQUE_ID") {
        return String::from_utf8_lossy(id).into_owned();
    }
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // Keyed by the system's random numbers, by each child for itself: nobody can guess the next one (W44).
    static KEYS: OnceCell<[RandomState; 2]> = OnceCell::new();
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let keys = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
    let random = keys.each_ref().map(|key| key.hash_one((request.arrived_us(), counter)));
    let text = qos_core::text::unique_id(random, process_id(), counter);
    request.set_variable(c"UNIQUE_ID", request.pool().string(text.as_bytes()));
    text
}

/// `QS_LogEnv`: all variables, newest first, then the unique id (210).
pub fn log_env(request: Request<'_>, phase: &'static str) {
    if feature::any(feature::LOG_ENV) {
        write_env(request, phase);
    }
}

#[cold]
fn write_env(request: Request<'_>, phase: &'static str) {
    if server_record(request).is_none_or(|record| record.config.log_env != Some(true)) {
        return;
    }
    let id = if ConnectionRecord::of_request(request).is_some() { unique_id(request) } else { String::new() };
    let mut text = format!("mod_qos(210): ENV {phase} ");
    let mut entries = (0..).map_while(|n| request.variable_at(n)).collect::<Vec<_>>();
    entries.reverse();
    for (name, value) in entries {
        let escape = |bytes: &[u8]| bytes.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect::<String>();
        text.push_str(&format!("{}={};", escape(name), escape(value)));
    }
    text.push(' ');
    text.push_str(&id);
    log::request(request, log::Level::Notice, || text);
}
