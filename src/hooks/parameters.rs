//! Rules about the parameters of requests, whatever form they come in, and what other modules get of them (filters.md sections 13.2, 13.8 and 13.9).

use super::judging::Asked;
use super::post_read_request::server_record;
use super::read_body::{self, known};
use crate::httpd::environment::RequestVariables;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::feature;
use qos_core::body::is_supported;
use std::ffi::{c_char, c_int};

/// Rules of the server want to see the parameters: its requests are parsed, unless a variable is removed again.
pub fn activate(request: Request<'_>) {
    let has_rules = |request| server_record(request).is_some_and(|server| !server.config.variables.parp.is_empty());
    if feature::any(feature::PARAMETERS) && request.header(c"Content-Type").is_some_and(is_supported) && has_rules(request) {
        set_active(request);
    }
}

/// Rules of the location want to see what is in a body: also one of a type that has no parser (FD-06).
pub fn activate_in_location(request: Request<'_>) {
    let inspects = crate::config::location(request).is_some_and(|location| location.inspects_bodies());
    if inspects && (request.header(c"Content-Type").is_some_and(is_supported) || request.has_body()) {
        set_active(request);
    }
}

fn set_active(request: Request<'_>) {
    request.set_variable(c"parp", c"mod_qos".as_ptr());
}

/// Step 2: the body is read where something asked for it. `Some`: the request ends with this status.
pub fn read(asked: &mut Asked<'_>) -> Option<c_int> {
    read_body::parameters(asked).err()
}

/// Step 10: `QS_SetEnvIfParp`.
pub fn by_parameters(asked: &mut Asked<'_>) -> Option<c_int> {
    let request = asked.request;
    let rules = server_record(request).map(|server| &server.config.variables.parp).filter(|rules| !rules.is_empty())?;
    let body = match read_body::parameters(asked) {
        Ok(body) => body,
        Err(status) => return Some(status),
    };
    let subject = match body {
        Some(body) => {
            if !request.has_note(c"qos-parp-query") {
                // Behind the `?`.
                request.set_note(c"qos-parp-query", body.noted(request).wrapping_add(1));
            }
            body.line(request)
        }
        None => request.target_query()?,
    };
    let mut variables = RequestVariables::of(request);
    if rules.iter().filter(|rule| rule.apply_as("QS_SetEnvIfParp", &mut variables, subject)).count() > 0 {
        asked.variables_changed();
    }
    None
}

/// Step 11: `QS_SetEnvIfBody`.
pub fn by_body(asked: &mut Asked<'_>) {
    let request = asked.request;
    let Some(raw) = known(request).and_then(|body| body.parsed().raw).filter(|raw| !raw.is_empty()) else { return };
    let mut variables = RequestVariables::of(request);
    let rules = server_record(request).into_iter().flat_map(|server| server.config.variables.body.iter());
    if rules.filter(|rule| rule.apply_as("QS_SetEnvIfBody", &mut variables, raw)).count() > 0 {
        asked.variables_changed();
    }
}

/// Offers other modules what mod_parp does.
pub fn offer() {
    // SAFETY: two guarded functions of this module, while the configuration is read.
    unsafe { ffi::qos_shim_offer_parameters(Some(table), Some(raw_body)) };
}

/// `parp_hp_table`: all parameters, those of the URL first; null where the parser did not run.
unsafe extern "C" fn table(r: *mut ffi::request_rec) -> *mut ffi::apr_table_t {
    guard("parp_hp_table", std::ptr::null_mut(), || {
        // SAFETY: the other module passes a live request.
        let Some(request) = (unsafe { Request::new(r) }) else { return std::ptr::null_mut() };
        let Some(body) = known(request) else { return std::ptr::null_mut() };
        *body.table.get_or_init(|| {
            let (pool, parameters) = (request.initial().pool(), &body.parsed().parameters);
            // SAFETY: a live pool; the table keeps pointers to strings of that pool.
            unsafe {
                let table = ffi::apr_table_make(pool.as_ptr(), c_int::try_from(parameters.len()).unwrap_or(c_int::MAX).max(1));
                for parameter in parameters {
                    ffi::apr_table_addn(table, pool.string(&parameter.name), pool.string(&parameter.value));
                }
                table
            }
        })
    })
}

/// `parp_body_data`: the body, where its type is one of those that are kept as they are (`QS_BodyData`); null otherwise.
unsafe extern "C" fn raw_body(r: *mut ffi::request_rec, length: *mut ffi::apr_size_t) -> *const c_char {
    guard("parp_body_data", std::ptr::null(), || {
        // SAFETY: as above; the place for the length is the caller's.
        unsafe {
            let raw = Request::new(r).and_then(known).and_then(|body| body.parsed().raw);
            if let Some(length) = length.as_mut() {
                *length = raw.map_or(0, <[u8]>::len) as _;
            }
            raw.map_or(std::ptr::null(), |raw| raw.as_ptr().cast())
        }
    })
}
