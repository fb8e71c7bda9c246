//! Log lines of rules about requests (request-event.md section 19.1).

use super::window::{Report, is_max};
use crate::message::Mark;

/// A rule with its limit: `/app(20)`. httpd escapes what is not printable.
fn rule(text: &[u8], limit: u32) -> String {
    format!("{}({limit})", String::from_utf8_lossy(text))
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
    let directive = directive(id);
    let rule = rule(found.rule, found.limit);
    format!("mod_qos({id:03}): access denied{}, {directive} rule: {rule}, concurrent requests={}, c={client}, id={unique_id}", mark.text(), found.requests)
}

/// The directive that a message names.
fn directive(id: u16) -> &'static str {
    match id {
        10 => "QS_LocRequestLimit*",
        11 => "QS_CondLocRequestLimitMatch",
        _ => "QS_EventRequestLimit",
    }
}

/// Denials that got no line of their own (design: repeated lines are summed up). `what`: the rule as its lines name it.
#[must_use]
pub fn summed_up(id: u16, what: &str, times: u32) -> String {
    format!("mod_qos({id:03}): access denied (previously), {what}, message repeated {times} times")
}

/// [`summed_up`] for 010, 011 and 012.
#[must_use]
pub fn concurrent_summed_up(id: u16, text: &[u8], limit: u32, times: u32) -> String {
    summed_up(id, &format!("{} rule: {}", directive(id), rule(text, limit)), times)
}

/// [`summed_up`] for 013.
#[must_use]
pub fn event_count_summed_up(directive: &str, variable: &[u8], max: u32, times: u32) -> String {
    summed_up(13, &format!("{directive} rule: {}, max={max}", String::from_utf8_lossy(variable)), times)
}

/// [`summed_up`] for 050.
#[must_use]
pub fn too_many_delayed_summed_up(text: &[u8], limit: u32, max: u32, times: u32) -> String {
    summed_up(50, &format!("request rate limit, rule: {}, max delayed requests={max}", rule(text, limit)), times)
}

/// 013.
#[must_use]
pub fn event_count(directive: &str, variable: &[u8], max: u32, current: u32, mark: Mark, client: &str, unique_id: &str) -> String {
    let rule = String::from_utf8_lossy(variable);
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
    let id = match report {
        Report::Delayed => "050",
        Report::Recovering => "051",
    };
    let max = if report == Report::Delayed && is_max(delay_ms) { " (max)" } else { "" };
    format!("mod_qos({id}): request rate limit, rule: {}, req/sec={requests_per_second}, delay={delay_ms}ms{max}", rule(text, limit))
}

/// 003: a rule that limits no concurrent requests.
#[must_use]
pub fn without_limit(text: &[u8]) -> String {
    format!("mod_qos(003): rule {} has no limit of concurrent requests", String::from_utf8_lossy(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let found = Concurrent { rule: b"/app", limit: 2, requests: 3 };
        assert_eq!(
            concurrent(10, &found, Mark::Enforced, "192.0.2.1", "ID"),
            "mod_qos(010): access denied, QS_LocRequestLimit* rule: /app(2), concurrent requests=3, c=192.0.2.1, id=ID"
        );
        assert_eq!(
            concurrent(11, &found, Mark::LogOnly, "192.0.2.1", "ID"),
            "mod_qos(011): access denied (log only), QS_CondLocRequestLimitMatch rule: /app(2), concurrent requests=3, c=192.0.2.1, id=ID"
        );
        assert_eq!(
            concurrent(12, &Concurrent { rule: b"var=(KIND=^slow$)", ..found }, Mark::Enforced, "-", "ID"),
            "mod_qos(012): access denied, QS_EventRequestLimit rule: var=(KIND=^slow$)(2), concurrent requests=3, c=-, id=ID"
        );
        assert_eq!(
            event_count("QS_EventLimitCount", b"LOGIN", 10, 11, Mark::Enforced, "192.0.2.1", "ID"),
            "mod_qos(013): access denied, QS_EventLimitCount rule: LOGIN, max=10, current=11, c=192.0.2.1, id=ID"
        );
        assert_eq!(rate(Report::Delayed, b"/api", 100, 250, 150), "mod_qos(050): request rate limit, rule: /api(100), req/sec=250, delay=150ms");
        assert_eq!(rate(Report::Delayed, b"/api", 100, 250, 5000), "mod_qos(050): request rate limit, rule: /api(100), req/sec=250, delay=5000ms (max)");
        assert_eq!(rate(Report::Recovering, b"/api", 100, 80, 0), "mod_qos(051): request rate limit, rule: /api(100), req/sec=80, delay=0ms");
        assert_eq!(
            too_many_delayed(b"/api", 100, 20, 21, Mark::Enforced, "192.0.2.1", "ID"),
            "mod_qos(050): access denied, request rate limit, rule: /api(100), max delayed requests=20, current=21, c=192.0.2.1, id=ID"
        );
        assert_eq!(
            concurrent_summed_up(10, b"/app", 2, 480),
            "mod_qos(010): access denied (previously), QS_LocRequestLimit* rule: /app(2), message repeated 480 times"
        );
        assert_eq!(
            event_count_summed_up("QS_EventLimitCount", b"LOGIN", 10, 5),
            "mod_qos(013): access denied (previously), QS_EventLimitCount rule: LOGIN, max=10, message repeated 5 times"
        );
        assert_eq!(
            too_many_delayed_summed_up(b"/api", 100, 20, 5),
            "mod_qos(050): access denied (previously), request rate limit, rule: /api(100), max delayed requests=20, message repeated 5 times"
        );
        assert_eq!(without_limit(b"/x"), "mod_qos(003): rule /x has no limit of concurrent requests");
    }
}
