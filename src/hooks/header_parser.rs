//! The location of a request is known (request-event.md sections 2.4 and 2.5).

use super::deny::finish;
use super::header_filter;
use super::post_read_request::server_record;
use super::{internal_redirects, judging, parameters};
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::{ConnectionRecord, feature, process_id, steps};
use once_cell::sync::OnceCell;
use std::ffi::c_int;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// HP-1, before mod_setenvif: request headers are filtered (filters.md section 8.1).
pub unsafe extern "C" fn first(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::LOG_ENV | feature::BODY_RULES | feature::HEADER_FILTERS) {
        return ffi::DECLINED;
    }
    guard("header_parser", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }).filter(|request| request.is_initial()) else { return ffi::DECLINED };
        parameters::activate_in_location(request);
        log_env(request, ">HP_1");
        header_filter::of_request(request).map_or(ffi::DECLINED, |status| finish(request, status))
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
            Some(request) if request.is_initial() => {
                internal_redirects::remember(request);
                finish(request, judging::judge(request, active))
            }
            Some(request) => internal_redirects::judge(request),
            None => ffi::DECLINED,
        }
    })
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
