//! What may pass: deny and permit rules about a request, and its notes for an access log (filters.md sections 5, 6.4 and 11).

use super::deny::{Denial, count_and_note, denied};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::post_read_request::server_record;
use super::read_body::{self, ReadBody};
use crate::clients;
use crate::config::location;
use crate::httpd::request::Request;
use crate::httpd::{decode_hooks, ffi, log};
use qos_core::body::is_supported;
use qos_core::config::LocationConfig;
use qos_core::filter::{self, Action, Finding, Parameters, Redirected, Stage, Target, UrlFilter, message};
use qos_core::repeat::Lines;
use std::borrow::Cow;
use std::ffi::c_int;

/// The request as it came.
fn target(request: Request<'_>) -> Target<'_> {
    let (line, target) = (request.line(), request.raw_target());
    Target::of_path(line, target).unwrap_or_else(|| {
        let (path, query, fragment) = request.target_parts();
        Target { line, path, query, fragment }
    })
}

/// Step 6. What denies the request without its body does so before the body is read (FW-20).
pub fn judge(asked: &mut Asked<'_>) -> Option<c_int> {
    let request = asked.request;
    let filter = location(request).map(|location| &location.url).filter(|filter| filter.is_active())?;
    let target = target(request);
    if !filter.looks_at_bodies() {
        let findings = found(asked, filter, target, Stage::Whole(Parameters::default()));
        return carry_out(asked, &findings);
    }
    let findings = found(asked, filter, target, Stage::Head);
    if let Some(status) = carry_out(asked, &findings) {
        return Some(status);
    }
    let body = match read_body::parameters(asked) {
        Ok(body) => body,
        Err(status) => return Some(status),
    };
    // The line as it came is made for the notes alone.
    if let Some(body) = body.filter(|body| filter::has_line(body.parsed())) {
        note_line(request, body);
    }
    let line = if body.is_none() { request.note(c"qos-parp-query").or(target.query) } else { None };
    // The original parses requests of these types only; all others keep their query as it came.
    let parsed_by_type = || request.header(c"Content-Type").is_some_and(is_supported);
    let is_listed = |body: &&ReadBody| filter.permit_listed == Some(true) && (body.parsed().raw.is_some() || parsed_by_type());
    let listed = body.filter(is_listed).map(|body| body.parsed().listed());
    let parameters = Parameters { parsed: body.map(ReadBody::parsed), line, listed: listed.as_ref().map(Option::as_deref) };
    let findings = found(asked, filter, target, Stage::Body(parameters));
    carry_out(asked, &findings)
}

/// What is found; all of it where nothing is enforced. Other modules may take part in decoding.
fn found<'r>(asked: &Asked<'_>, filter: &'r UrlFilter, target: Target<'_>, stage: Stage<'_>) -> Vec<Finding<'r>> {
    decode_hooks::with(asked.request, |rewrite| filter::judge_rewritten(filter, target, stage, asked.runtime.log_only, rewrite))
}

/// What a request was redirected to within the server. Its body was judged, or not, where the client had sent it.
pub fn judge_redirected(asked: &mut Asked<'_>) -> Option<c_int> {
    let request = asked.request;
    let filter = location(request).map(|location| &location.url)?;
    let redirected = Redirected::new(request.method_name_bytes(), request.uri(), request.query_if_any(), request.protocol());
    let parameters = Parameters { line: request.query_if_any(), ..Parameters::default() };
    let findings = found(asked, filter, redirected.target(), Stage::Whole(parameters));
    let verdict = carry_out(asked, &findings);
    // Its log shows the last request of the chain, counts and pages the first.
    if !findings.is_empty() && !request.is_initial() {
        for name in [c"QS_RuleId", c"QS_ErrorNotes"] {
            request.initial().take_variable(name, request);
        }
    }
    verdict
}

/// The parameters as one line, for other rules and for an access log (section 5.2).
fn note_line(request: Request<'_>, body: &ReadBody) {
    let noted = body.noted(request);
    // The same text, behind its `?`.
    request.set_note(c"qos-parp-query", noted.wrapping_add(1));
    let line = body.line(request);
    let shown = masked(request, line);
    let shown = if *shown == *line { noted } else { read_body::note(request, &[b"?", &*shown].concat()) };
    request.set_note(c"qos-query", shown);
}

/// A query or line of parameters as an access log may show it (`QS_MaskQueryParameters`).
fn masked<'a>(request: Request<'_>, line: &'a [u8]) -> Cow<'a, [u8]> {
    server_record(request).map_or(Cow::Borrowed(line), |server| server.config.masked.apply(line))
}

fn carry_out(asked: &mut Asked<'_>, findings: &[Finding<'_>]) -> Option<c_int> {
    static NOT_PERMITTED: Lines = Lines::new();
    static WRONG_ENCODING: Lines = Lines::new();
    let request = asked.request;
    findings.iter().find_map(|finding| {
        let (event, lines) = match finding {
            Finding::Denied { rule, .. } => {
                request.set_variable(c"QS_RuleId", rule.id.as_ptr());
                (40, &rule.lines)
            }
            Finding::NotPermitted { .. } => (41, &NOT_PERMITTED),
            Finding::WrongEncoding { .. } => (46, &WRONG_ENCODING),
        };
        let line = |client: &str, unique_id: &str| message::finding(finding, !asked.runtime.log_only, client, unique_id);
        say(request, lines, finding.action(), |times| message::summed_up(finding, times), line);
        act(asked, finding.action(), event)
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
        act(asked, rule.action, 40)
    })
}

/// The line of a finding, or none where there are many of the same.
fn say(request: Request<'_>, lines: &Lines, action: Action, rest: impl FnOnce(u32) -> String, line: impl FnOnce(&str, &str) -> String) {
    let level = if action == Action::Deny { log::Level::Error } else { log::Level::Warning };
    if log::has_line(request, level, lines.one_more(clients::now()), rest) {
        log::request(request, level, || line(&String::from_utf8_lossy(request.client()), &unique_id(request.initial())));
    }
}

/// Denies, or counts and notes only.
fn act(asked: &mut Asked<'_>, action: Action, event: u16) -> Option<c_int> {
    if action == Action::Deny {
        let denial = Denial::new(event).status(ffi::HTTP_FORBIDDEN as c_int);
        return denied(asked.request, asked.state, asked.runtime, &denial);
    }
    count_and_note(asked.request, asked.runtime, event);
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
        let query = target.query.map(|query| [b"?", &*masked(request, query)].concat()).unwrap_or_default();
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
