//! `QS_RedirectIf` (request-event.md section 12).

use super::cookies;
use super::deny::{count_and_note, follows_an_error};
use super::header_parser::unique_id;
use super::post_read_request::server_record;
use crate::config::location;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::{Runtime, feature, runtime};
use qos_core::redirect::{Redirect, message};
use std::ffi::c_int;

static REDIRECTED: log::Sparse = log::Sparse::new();
static GIVEN_UP: log::Sparse = log::Sparse::new();

/// The rules of the server, then those of the location; the first one that matches ends the request. Not for parts of responses, and not for pages of
/// errors (W28).
pub fn judge(request: Request<'_>) -> c_int {
    if !feature::any(feature::REDIRECTS) || request.is_sub_request() {
        return ffi::DECLINED;
    }
    let of_server = server_record(request).into_iter().flat_map(|server| server.config.redirects.iter());
    let mut rules = of_server.chain(location(request).into_iter().flat_map(|location| location.redirects.iter())).peekable();
    if rules.peek().is_none() || follows_an_error(request) {
        return ffi::DECLINED;
    }
    let Some(runtime) = runtime() else { return ffi::DECLINED };
    for rule in rules {
        let Some(value) = request.variable(&rule.variable) else { continue };
        match rule.url(value) {
            Ok(Some(url)) => {
                report(request, runtime, rule, &url);
                if !runtime.log_only {
                    request.set_response_header(c"Location", request.pool().string(&url));
                    return c_int::from(rule.status);
                }
            }
            Ok(None) => {}
            Err(_) if GIVEN_UP.allows() => {
                let variable = String::from_utf8_lossy(rule.variable.to_bytes());
                log::request(request, log::Level::Warning, || {
                    format!("mod_qos(): QS_RedirectIf: the value of {variable} was given up at the match limit, no redirect")
                });
            }
            Err(_) => {}
        }
    }
    ffi::DECLINED
}

fn report(request: Request<'_>, runtime: &Runtime, rule: &Redirect, url: &[u8]) {
    count_and_note(request, runtime, 49);
    let level = if runtime.log_only { log::Level::Warning } else { log::Level::Error };
    let line = || message(url, rule.variable.to_bytes(), runtime.log_only, &cookies::peer(request), &unique_id(request));
    cookies::write(request, level, &REDIRECTED, 49, line);
}
