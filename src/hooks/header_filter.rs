//! Request and response headers are filtered (filters.md section 8).

use super::RequestState;
use super::deny::{Denial, count_and_note, denied, mark};
use super::header_parser::unique_id;
use super::post_read_request::server_record;
use crate::config::location;
use crate::httpd::headers::HeaderTable;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log};
use crate::runtime::{Runtime, feature, runtime};
use qos_core::config::ServerConfig;
use qos_core::header_filter::message::{self, Direction};
use qos_core::header_filter::{Builtin, HeaderFilter, Mode, REQUEST, RESPONSE, ResponseMode, Rule, Verdict};
use qos_core::list::List;
use qos_core::variables::Headers;
use smallvec::SmallVec;
use std::ffi::{CStr, c_int};

/// A header that does not pass, and its rule.
type Marked<'a> = (&'a CStr, &'a [u8], Option<&'static Rule>);

/// The rules, where a filter is configured anywhere. The outer `None`: a built-in one cannot be compiled (006).
pub fn load(main: *mut ffi::server_rec, config: &ServerConfig) -> Option<[Option<HeaderFilter>; 2]> {
    let filters = &config.header_filters;
    let filter = |direction, builtin: &[&[Builtin]], own: &List<Rule>| match HeaderFilter::new(builtin, own.iter()) {
        Ok(filter) => {
            for rule in filter.rules() {
                log::server(main, log::Level::Debug, || message::loaded(direction, rule));
            }
            Some(filter)
        }
        Err(error) => {
            log::server(main, log::Level::Emerg, || message::not_compiled(direction, &error));
            None
        }
    };
    if !feature::any(feature::HEADER_FILTERS) {
        return Some([None, None]);
    }
    let request = filter(Direction::Request, &REQUEST, &filters.request_rules)?;
    let response = filter(Direction::Response, &RESPONSE, &filters.response_rules)?;
    Some([Some(request), Some(response)])
}

/// Step HP-1 of an initial request. `Some`: it ends with this status.
pub fn of_request(request: Request<'_>) -> Option<c_int> {
    if !feature::any(feature::HEADER_FILTERS) {
        return None;
    }
    let of_location = location(request).and_then(|location| location.header_filters.request);
    let mode = of_location.or_else(|| server_record(request).and_then(|server| server.config.header_filters.request)).unwrap_or(Mode::Off);
    if mode == Mode::Off {
        return None;
    }
    let runtime = runtime()?;
    let [Some(filter), _] = &runtime.header_filters else { return None };
    let mut headers = request.headers_in();
    let mut marked = SmallVec::<[Marked<'_>; 8]>::new();
    for (name, value) in headers.pairs() {
        match filter.judge(name.to_bytes(), value, mode == Mode::On) {
            Verdict::Pass => {}
            Verdict::Drop(rule) => marked.push((name, value, rule)),
            Verdict::Deny(rule) => {
                if let Some(status) = deny(request, runtime, (name, value), rule) {
                    return Some(status);
                }
            }
        }
    }
    if !marked.is_empty() {
        drop_all(request, runtime, Direction::Request, &marked, std::slice::from_mut(&mut headers), true);
    }
    None
}

/// Denies a request because of a header; `None` in log-only mode, in which all headers are looked at (FW-30).
#[cold]
fn deny(request: Request<'_>, runtime: &Runtime, header: (&CStr, &[u8]), rule: &Rule) -> Option<c_int> {
    static LINES: log::Sparse = log::Sparse::new();
    let client = String::from_utf8_lossy(request.client());
    if log::has_line(request, log::Level::Error, LINES.one_more(), |times| message::denied_before(times, &client)) {
        let id = unique_id(request);
        let header = (header.0.to_bytes(), header.1);
        log::request(request, log::Level::Error, || message::denied(mark(runtime, false), header, rule, &client, &id));
    }
    let state = RequestState::of(request)?;
    denied(request, state, runtime, &Denial::new(43).status(ffi::HTTP_FORBIDDEN as c_int))
}

/// Logs headers that do not pass and removes them.
#[cold]
fn drop_all(request: Request<'_>, runtime: &Runtime, direction: Direction, marked: &[Marked<'_>], tables: &mut [HeaderTable<'_>], logged: bool) {
    static LINES: [log::Sparse; 2] = [const { log::Sparse::new() }; 2];
    let [of_requests, of_responses] = &LINES;
    let lines = if direction == Direction::Request { of_requests } else { of_responses };
    for (name, value, rule) in marked {
        if logged {
            count_and_note(request, runtime, 42);
            let client = String::from_utf8_lossy(request.client());
            if log::has_line(request, log::Level::Warning, lines.one_more(), |times| message::dropped_before(direction, times, &client)) {
                let id = unique_id(request);
                let header = (name.to_bytes(), *value);
                log::request(request, log::Level::Warning, || message::dropped(direction, mark(runtime, false), header, *rule, &client, &id));
            }
        }
        if !runtime.log_only {
            tables.iter_mut().for_each(|headers| headers.unset(name));
        }
    }
}

fn response_mode(request: Request<'_>) -> ResponseMode {
    location(request).and_then(|location| location.header_filters.response).unwrap_or(ResponseMode::Off)
}

/// Whether headers of the response are filtered.
pub fn looks_at_response(request: Request<'_>) -> bool {
    feature::any(feature::HEADER_FILTERS) && response_mode(request) != ResponseMode::Off
}

/// Step 12 of a response, of both tables of headers (FW-24): what does not pass in one of them is removed by its name from both.
pub fn of_response(request: Request<'_>) {
    if !looks_at_response(request) {
        return;
    }
    let Some(runtime) = runtime() else { return };
    let [_, Some(filter)] = &runtime.header_filters else { return };
    let logged = response_mode(request) == ResponseMode::On;
    let mut tables = request.headers_out();
    let verdicts = tables.iter().flat_map(HeaderTable::pairs).map(|(name, value)| (name, value, filter.judge(name.to_bytes(), value, true)));
    let marked = verdicts.filter_map(|(name, value, verdict)| match verdict {
        Verdict::Pass => None,
        Verdict::Drop(rule) => Some((name, value, rule)),
        Verdict::Deny(rule) => Some((name, value, Some(rule))),
    });
    let marked = marked.collect::<SmallVec<[Marked<'_>; 8]>>();
    if !marked.is_empty() {
        drop_all(request, runtime, Direction::Response, &marked, &mut tables, logged);
    }
}
