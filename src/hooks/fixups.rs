//! Before the handler (request-event.md section 2.6).

use super::header_parser::log_env;
use super::post_read_request::server_record;
use super::{redirect, set_variables, vip};
use crate::config::location;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, feature, flag};
use qos_core::config::LocationConfig;
use std::ffi::c_int;

/// The hook.
pub unsafe extern "C" fn fixups(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::LOG_ENV | feature::RATE_OFF_EVENTS | feature::LATE_HEADERS | feature::VIP | feature::REDIRECTS) {
        return ffi::DECLINED;
    }
    guard("fixups", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        vip::authenticated(request);
        log_env(request, ">FX_1");
        switch_rate_off(request);
        set_variables::late_request_headers(request);
        redirect::judge(request)
    })
}

/// `QS_SrvMinDataRateOffEvent`: a variable that is set ends the monitoring of the connection for good (W38).
pub fn switch_rate_off(request: Request<'_>) {
    if feature::any(feature::RATE_OFF_EVENTS) {
        check_events(request);
    }
}

fn check_events(request: Request<'_>) {
    let Some(server) = server_record(request) else { return };
    let none = LocationConfig::default();
    let place = location(request).unwrap_or(&none);
    if server.config.off_events.is_empty() && place.off_events.is_empty() {
        return;
    }
    if server.config.rate_switched_off(place, |name| request.has_variable(name)) {
        if let Some(record) = ConnectionRecord::of_request(request) {
            record.flag(flag::RATE_OFF);
        }
    }
}
