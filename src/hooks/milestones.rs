//! `QS_MileStone` (request-event.md section 15).

use super::RequestState;
use super::cookies;
use super::deny::{Denial, count_and_note, denied};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::post_read_request::server_record;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::feature;
use qos_core::cookie::Cookie;
use qos_core::milestone::{COOKIE, Found, Reached, decode_line, message, served_line};
use std::ffi::c_int;

static SKIPPED: log::Sparse = log::Sparse::new();
static TOO_EARLY: log::Sparse = log::Sparse::new();

/// Step 5. The cookie is taken out of the request, whatever is in it.
pub fn judge(asked: &mut Asked<'_>) -> Option<c_int> {
    let record = server_record(asked.request)?;
    let tokens = record.tokens().filter(|tokens| !tokens.milestones.is_empty())?;
    let (now, timeout) = (asked.request.arrived(), i64::from(record.config.milestones.timeout()));
    let read = |value: &[u8]| {
        let opened = tokens.milestone.open(value, now, None).ok()?;
        let reached = Reached { index: tokens.milestones.index(&opened.data)?, at: opened.issued };
        (now <= reached.at.saturating_add(timeout)).then_some(reached)
    };
    let reached = asked.request.take_cookies(COOKIE.as_bytes()).into_iter().find_map(read);
    let line = asked.request.line();
    let served = served_line(line, asked.request.target_path().unwrap_or(b"/"), asked.request.target_query());
    let log_only = asked.runtime.log_only;
    let verdict = tokens.milestones.judge_both(&decode_line(line), &served, reached, now, log_only);
    asked.state.milestone = verdict.reached;
    let mut status = None;
    for found in &verdict.found {
        report(asked, found, log_only);
        let event = found.violation.id();
        if found.milestone.deny {
            let denial = Denial::new(event).status(ffi::HTTP_FORBIDDEN as c_int);
            status = denied(asked.request, asked.state, asked.runtime, &denial);
        } else {
            count_and_note(asked.request, asked.runtime, event);
        }
    }
    status
}

fn report(asked: &Asked<'_>, found: &Found<'_>, log_only: bool) {
    let level = if found.milestone.deny && !log_only { log::Level::Error } else { log::Level::Warning };
    let sparse = if found.violation.id() == 147 { &TOO_EARLY } else { &SKIPPED };
    cookies::write(asked.request, level, sparse, found.violation.id(), || message(found, log_only, &asked.record.peer.to_string(), &unique_id(asked.request)));
}

/// Whether a response is to carry the cookie.
pub fn is_pending(request: Request<'_>) -> bool {
    feature::any(feature::MILESTONES) && RequestState::of(request.initial()).is_some_and(|state| state.milestone.is_some())
}

/// Step 6 of a response: the cookie, also with responses that httpd makes itself and after internal redirects (W38).
pub fn set_cookie(request: Request<'_>) {
    // What is included in another response has no head of its own.
    if !feature::any(feature::MILESTONES) || request.is_sub_request() {
        return;
    }
    let initial = request.initial();
    let Some((state, record)) = RequestState::of(initial).zip(server_record(initial)) else { return };
    let Some((index, tokens)) = state.milestone.take().zip(record.tokens()) else { return };
    let timeout = record.config.milestones.timeout();
    let token = cookies::seal(request, |nonce| tokens.milestone.seal(nonce, initial.arrived(), timeout, &index.to_be_bytes(), b""));
    let Some(token) = token else { return };
    let (name, value, secure) = (COOKIE.as_bytes(), token.as_bytes(), request.is_https());
    let cookie = Cookie { name, value, path: b"/", max_age: None, domain: None, secure, http_only: true };
    cookies::set(request, &cookie, false);
}
