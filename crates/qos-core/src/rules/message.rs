//! Log lines of rules about requests (request-event.md section 19.1).

use super::window::{Report, is_max};
use crate::config::printable;
use crate::message::Mark;

/// A rule with its limit: `/app(20)`. Bytes that are not printable are escaped.
fn rule(text: &[u8], limit: u32) -> String {
    format!("{}({limit})", printable(text))
}

/// A limit of concurrent requests that was exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Concurrent<'a> {
    /// The rule as it is shown.
    pub rule: &'a [u8],
    /// Its limit.
    pub limit: u32,
    /// Requests, this one included.
    pub requests: u32,
}

/// 010, 011 and 012.
#[must_use]
pub fn concurrent(id: u16, found: &Concurrent<'_>, mark: Mark, client: &str, unique_id: &str) -> String {
    let directive = match id {
        10 => "QS_LocRequestLimit*",
        11 => "QS_CondLocRequestLimitMatch",
        _ => "QS_EventRequestLimit",
    };
    let rule = rule(found.rule, found.limit);
    format!("mod_qos({id:03}): access denied{}, {directive} rule: {rule}, concurrent requests={}, c={client}, id={unique_id}", mark.text(), found.requests)
}

/// 013.
#[must_use]
pub fn event_count(directive: &str, variable: &[u8], max: u32, current: u32, mark: Mark, client: &str, unique_id: &str) -> String {
    let rule = printable(variable);
    format!("mod_qos(013): access denied{}, {directive} rule: {rule}, max={max}, current={current}, c={client}, id={unique_id}", mark.text())
}

/// 050: more requests of a rule are delayed already than its last argument allows.
#[must_use]
pub fn too_many_delayed(text: &[u8], limit: u32, max: u32, current: u32, mark: Mark, client: &str, unique_id: &str) -> String {
    let rule = rule(text, limit);
    format!(
        "mod_qos(050): access denied{}, request rate limit, rule: {rule}, max delayed requests={max}, current={current}, c={client}, id={unique_id}",
        mark.text()
    )
}

/// 050 and 051.
#[must_use]
pub fn rate(report: Report, text: &[u8], limit: u32, requests_per_second: u32, delay_ms: u32) -> String {
    let (id, what) = match report {
        Report::Delayed => ("050", "request rate limit, rule"),
        Report::Recovering => ("051", "request rate limit, rule"),
    };
    let max = if report == Report::Delayed && is_max(delay_ms) { " (max)" } else { "" };
    format!("mod_qos({id}): {what}: {}, req/sec={requests_per_second}, delay={delay_ms}ms{max}", rule(text, limit))
}

/// 003: a rule that limits no concurrent requests.
#[must_use]
pub fn without_limit(text: &[u8]) -> String {
    format!("mod_qos(003): rule {} has no limit of concurrent requests", printable(text))
}
