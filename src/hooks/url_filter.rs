//! What may pass: deny and permit rules about a request, and its notes for an access log (filters.md sections 5, 6.4 and 11).

use super::RequestState;
use super::deny::{Denial, denied, note_error};
use super::header_parser::unique_id;
use super::judging::Asked;
use crate::clients;
use crate::config::location;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::runtime::{Runtime, runtime};
use qos_core::config::LocationConfig;
use qos_core::filter::{self, Action, Finding, Parameters, Stage, Target, message};
use qos_core::parameters::Parsed;
use qos_core::repeat::Lines;
use std::ffi::{CStr, c_int};

/// What the parser has made of the request; `None` where it was not asked.
fn parsed<'a>(_request: Request<'a>) -> Option<&'a Parsed<'a>> {
    None
}

/// The request as it came.
fn target(request: Request<'_>) -> Target<'_> {
    Target::new(request.line(), request.raw_target())
}

/// Before a body is read: what denies the request without it (FW-20). `Some`: the request ends with this status.
pub fn before_body(request: Request<'_>) -> Option<c_int> {
    let location = location(request).filter(|location| location.url.looks_at_bodies())?;
    let (runtime, state) = (runtime()?, RequestState::of(request)?);
    state.head_judged = true;
    let findings = filter::judge(&location.url, target(request), Stage::Head, runtime.log_only);
    carry_out(request, state, runtime, &findings)
}

/// Step 6.
pub fn judge(asked: &mut Asked<'_>) -> Option<c_int> {
    let request = asked.request;
    let location = location(request).filter(|location| location.url.is_active())?;
    let target = target(request);
    let parsed = parsed(request);
    let line = match location.url.looks_at_bodies() {
        true => filter::parameter_line(parsed, request.note(c"qos-parp-query"), target.query),
        false => None,
    };
    if let Some(line) = line.as_deref().filter(|_| parsed.is_some()) {
        note_line(request, line);
    }
    let parameters = Parameters { parsed, line: line.as_deref() };
    let stage = if asked.state.head_judged { Stage::Body(parameters) } else { Stage::Whole(parameters) };
    let findings = filter::judge(&location.url, target, stage, asked.runtime.log_only);
    carry_out(request, asked.state, asked.runtime, &findings)
}

/// The parameters as one line, for other rules and for an access log (section 5.2).
fn note_line(request: Request<'_>, line: &[u8]) {
    // Notes end at the first NUL.
    let mut text = vec![b'?'];
    for byte in line {
        match byte {
            0 => text.extend_from_slice(b"%00"),
            byte => text.push(*byte),
        }
    }
    request.set_note(c"qos-query", request.pool().string(&text));
    request.set_note(c"qos-parp-query", request.pool().string(text.get(1..).unwrap_or_default()));
}

fn carry_out(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, findings: &[Finding<'_>]) -> Option<c_int> {
    static NOT_PERMITTED: Lines = Lines::new();
    static WRONG_ENCODING: Lines = Lines::new();
    findings.iter().find_map(|finding| {
        let (event, id, lines) = match finding {
            Finding::Denied { rule, .. } => {
                request.set_variable(c"QS_RuleId", rule.id.as_ptr());
                (40, c"040", &rule.lines)
            }
            Finding::NotPermitted { .. } => (41, c"041", &NOT_PERMITTED),
            Finding::WrongEncoding { .. } => (46, c"046", &WRONG_ENCODING),
        };
        let line = |client: &str, unique_id: &str| message::finding(finding, !runtime.log_only, client, unique_id);
        say(request, lines, finding.action(), |times| message::summed_up(finding, times), line);
        act(request, state, runtime, finding.action(), event, id)
    })
}

/// Step 17: `QS_DenyEvent`.
pub fn events(asked: &mut Asked<'_>) -> Option<c_int> {
    let request = asked.request;
    let location = location(request)?;
    filter::events(&location.url.rules, &|name| request.variable(name).is_some()).into_iter().find_map(|rule| {
        request.set_variable(c"QS_RuleId", rule.id.as_ptr());
        let finding = Finding::Denied { rule, given_up: false };
        let line = |client: &str, unique_id: &str| message::finding(&finding, !asked.runtime.log_only, client, unique_id);
        say(request, &rule.lines, rule.action, |times| message::summed_up(&finding, times), line);
        act(request, asked.state, asked.runtime, rule.action, 40, c"040")
    })
}

/// The line of a finding, or none where there are many of the same.
fn say(request: Request<'_>, lines: &Lines, action: Action, rest: impl FnOnce(u32) -> String, line: impl FnOnce(&str, &str) -> String) {
    let level = if action == Action::Deny { log::Level::Error } else { log::Level::Warning };
    let (own, summed) = lines.one_more(clients::now());
    if let Some(times) = summed {
        log::request(request, level, || rest(times));
    }
    if own {
        log::request(request, level, || line(&String::from_utf8_lossy(request.client()), &unique_id(request)));
    }
}

/// Denies, or counts and notes only.
fn act(request: Request<'_>, state: &mut RequestState, runtime: &Runtime, action: Action, event: u16, id: &'static CStr) -> Option<c_int> {
    if action == Action::Deny {
        let denial = Denial { status: Some(crate::httpd::ffi::HTTP_FORBIDDEN as c_int), ..Denial::new(event, id) };
        return denied(request, state, runtime, &denial);
    }
    runtime.event(event);
    note_error(request, id);
    None
}

/// Step 7: notes for an access log.
pub fn audit(request: Request<'_>) {
    let target = target(request);
    let location: Option<&LocationConfig> = location(request);
    if !request.has_note(c"qos-path") {
        request.set_note(c"qos-path", request.pool().string(target.path));
    }
    let with_body = location.is_some_and(|location| location.url.looks_at_bodies()) && request.has_note(c"qos-query");
    if !with_body {
        let query = target.query.map(|query| [b"?", query].concat()).unwrap_or_default();
        request.set_note(c"qos-query", request.pool().string(&query));
    }
    if let Some(section) = location.and_then(|location| location.section.as_deref()) {
        request.set_note(c"qos-loc", section.as_ptr());
    }
}

/// What an access log shows of the request stands in each record of its chain: the log reads that of the last one.
pub fn share(request: Request<'_>) {
    let mut next = request.next();
    while let Some(record) = next {
        for name in [c"qos-path", c"qos-query", c"qos-loc"] {
            record.take_note(name, request);
        }
        record.take_variable(c"QS_RuleId", request);
        next = record.next();
    }
}
