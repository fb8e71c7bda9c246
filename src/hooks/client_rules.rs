//! Rules about single clients at a request (connection-client.md sections 3.4 and 9).

use super::connecting::released;
use super::deny::{Denial, count_and_note, denied, mark};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::pre_connection::table_full;
use crate::clients::{self, ClientStore, domain};
use crate::httpd::connection::Connection;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::names::LimitNames;
use crate::runtime::{ConnectionRecord, flag};
use qos_core::client::pace::{self, Change};
use qos_core::client::{Blocked, Counter, LimitRule, Limited, low, message, weight};
use qos_core::message::Mark;
use qos_core::order::{Step, Steps};
use qos_core::repeat::{Line, line, next, remainder};
use qos_shm::Client;
use std::ffi::c_int;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Holdings of a request's slot.
mod holding {
    /// Counts for `QS_ClientEventRequestLimit`.
    pub const EVENT_REQUEST: usize = 0;
    /// Counts requests that `QS_ClientEventPerSecLimit` delays.
    pub const DELAYED: usize = 1;
}

/// After the last step: notes whether anything but a further variable can change what is counted at the end.
pub fn settle(asked: &mut Asked<'_>, active: Steps) {
    if !active.has(Step::ClientStore) {
        return;
    }
    let names = &asked.runtime.names;
    // An excluded address is counted at the end.
    let counted = !asked.variables().has(names.block) || asked.request.variable(c"QS_Block_seen").is_some();
    let variables = asked.variables();
    let later = |number: &usize| variables.has(*number);
    if counted && !later(&names.block_decrement) && !names.limits.iter().any(|limit| later(&limit.decrement) || later(&limit.clear)) {
        asked.state.settled = Some(asked.request.variables_mark());
    }
}

/// Step 25: limits and delays of the client. What denies comes before what waits (W06).
pub fn store(asked: &mut Asked<'_>) -> Option<c_int> {
    let store = asked.runtime.clients.as_ref()?;
    let delay = pace(asked, store);
    if let Some(status) = block_and_limits(asked, store) {
        return Some(status);
    }
    delay.and_then(|delay| wait(asked, delay))
}

impl<'a> Asked<'a> {
    /// The entry of the request's client.
    fn entry<'s>(&mut self, store: &'s ClientStore) -> Option<Client<'s>> {
        let now = self.now;
        let (runtime, request, record) = (self.runtime, self.request, self.record);
        let client = self.state.client(request, record, runtime);
        let entry = store.resume(&runtime.region, client.client, client.entry, now)?;
        client.entry = Some(entry.id());
        Some(entry)
    }

    fn client_text(&mut self) -> String {
        self.state.client(self.request, self.record, self.runtime).text()
    }
}

/// Step 22: `QS_ClientEventRequestLimit` (section 9.3).
pub fn event_requests(asked: &mut Asked<'_>) -> Option<c_int> {
    let (store, child) = (asked.runtime.clients.as_ref()?, &asked.child?.child);
    let limit = asked.runtime.rules.event_requests?.0;
    let name = asked.runtime.names.event_request;
    if !asked.variables().has(name) {
        return None;
    }
    let entry = asked.entry(store);
    let client = asked.state.client(asked.request, asked.record, asked.runtime).client;
    let slot = asked.state.slot(asked.request, child);
    let key = clients::key(asked.runtime, domain::EVENT_REQUESTS, client);
    let Some(current) = slot.and_then(|slot| child.enter_for_request(slot, holding::EVENT_REQUEST, key)) else {
        table_full(asked.runtime, "request");
        return None;
    };
    if current <= limit {
        return None;
    }
    // Earlier requests of this very connection may count although they are answered.
    asked.request.flush_earlier();
    let current = asked.runtime.region.count(key);
    if current <= limit {
        return None;
    }
    if asked.state.vip || entry.is_some_and(|entry| entry.marks(asked.now).vip) {
        asked.state.letters.add(b'S');
        asked.request.set_variable(c"QS_IsVipRequest", c"yes".as_ptr());
        return None;
    }
    if let Some(repeated) = entry.map_or(Some(None), |entry| said(&entry)) {
        let (text, id) = (asked.client_text(), unique_id(asked.request));
        log::request(asked.request, log::Level::Error, || message::event_requests(limit, current, mark(asked.runtime, false), repeated, &text, &id));
    }
    denied(asked.request, asked.state, asked.runtime, &Denial::new(65))
}

/// `QS_ClientEventPerSecLimit` (section 9.5): counts, and says how long to wait, milliseconds.
fn pace(asked: &mut Asked<'_>, store: &ClientStore) -> Option<u32> {
    let rule = asked.runtime.rules.per_second.filter(|rule| rule.limit > 0)?;
    let name = asked.runtime.names.event;
    if !asked.variables().has(name) {
        return None;
    }
    let (entry, now) = (asked.entry(store)?, asked.now);
    let (before, after) = entry.change_events(now, |events| pace::count(events, now)).ok()?;
    if after.start == before.start {
        return Some(entry.pace().delay_ms);
    }
    let (old, paced) = entry.change_pace(|old| pace::judge(before, old, rule.limit, now).0).ok()?;
    let (_, change) = pace::judge(before, old, rule.limit, now);
    if let Some(change) = change {
        let (event, level) = match change {
            Change::Slower => (61, log::Level::Warning),
            Change::Faster => (62, log::Level::Info),
        };
        count_and_note(asked.request, asked.runtime, event);
        let (text, id) = (asked.client_text(), unique_id(asked.request));
        log::request(asked.request, level, || message::pace(change, paced, rule.limit, &text, &id));
    }
    Some(paced.delay_ms)
}

/// The delay itself, after everything that denies; letter `L`.
fn wait(asked: &mut Asked<'_>, delay_ms: u32) -> Option<c_int> {
    if delay_ms == 0 || asked.runtime.log_only {
        return None;
    }
    let child = &asked.child?.child;
    let client = asked.state.client(asked.request, asked.record, asked.runtime).client;
    let slot = asked.state.slot(asked.request, child);
    let key = clients::key(asked.runtime, domain::DELAYED, client);
    let delayed = slot.and_then(|slot| child.enter_for_request(slot, holding::DELAYED, key));
    if let (Some(max), Some(current)) = (asked.runtime.rules.per_second.and_then(|rule| rule.delayed), delayed) {
        if current > max {
            let (text, id) = (asked.client_text(), unique_id(asked.request));
            log::request(asked.request, log::Level::Error, || message::too_many_delayed(max, current, mark(asked.runtime, false), &text, &id));
            return denied(asked.request, asked.state, asked.runtime, &Denial::new(61).retry_after(delay_ms.div_ceil(1000)));
        }
    }
    asked.state.letters.add(b'L');
    let shared = asked.runtime.region.shared();
    shared.delays.fetch_add(1, Ordering::Relaxed);
    shared.delayed_ms.fetch_add(u64::from(delay_ms), Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(u64::from(delay_ms)));
    if let Some(slot) = slot {
        child.leave_for_request(slot, holding::DELAYED);
    }
    None
}

/// `QS_ClientEventBlockCount` (section 9.6.4), `QS_ClientEventLimitCount` and `QS_CondClientEventLimitCount` (section 9.8). All count;
/// one of them is logged.
fn block_and_limits(asked: &mut Asked<'_>, store: &ClientStore) -> Option<c_int> {
    let rules = &asked.runtime.rules;
    if rules.block.is_none_or(|rule| rule.limit == 0) && rules.limits.is_empty() && rules.prefer.is_none() {
        return None;
    }
    let (entry, now) = (asked.entry(store)?, asked.now);
    if rules.prefer.is_some() && entry.marks(now).low_since.is_some() {
        let _ = entry.change_marks(now, |marks| marks.forget(now));
    }
    let blocked = block(asked, &entry);
    let mut limited = None;
    for (place, (rule, numbers)) in rules.limits.iter().zip(&asked.runtime.names.limits).enumerate() {
        if let Some(found) = limit(asked, &entry, rule, *numbers, store.column(place)) {
            limited = Some((rule, found));
        }
    }
    if let Some(blocked) = blocked {
        if let Some(repeated) = said(&entry) {
            let (text, id) = (asked.client_text(), unique_id(asked.request));
            log::request(asked.request, log::Level::Error, || message::blocked_request(&blocked, mark(asked.runtime, false), repeated, &text, &id));
        }
        let _ = entry.change_marks(now, |marks| marks.lower(low::BLOCKED, now));
        asked.state.letters.add(b'r');
        if limited.is_some() {
            asked.runtime.event(67);
        }
        let seconds = asked.runtime.rules.block.map_or(0, |rule| rule.seconds);
        return denied(asked.request, asked.state, asked.runtime, &Denial::new(60).retry_after(seconds.saturating_sub(blocked.age).saturating_add(1)));
    }
    let (rule, found) = limited?;
    if let Some(repeated) = said(&entry) {
        let (text, id) = (asked.client_text(), unique_id(asked.request));
        let event = rule.names.event.to_string_lossy();
        let conditional = rule.condition.is_some();
        log::request(asked.request, log::Level::Error, || message::limited(&event, conditional, &found, mark(asked.runtime, false), repeated, &text, &id));
    }
    let _ = entry.change_marks(now, |marks| marks.lower(low::LIMITED, now));
    asked.state.letters.add(b'r');
    denied(asked.request, asked.state, asked.runtime, &Denial::new(67).retry_after(rule.seconds.saturating_sub(found.age).saturating_add(1)))
}

/// Whether a denied request of a client gets a line: 20 times a line of its own, then one that stands for 20. `Some(None)`: of its own.
fn said(entry: &Client<'_>) -> Option<Option<u32>> {
    let denials = entry.change_denials(|n| next(n, qos_shm::MOST_DENIALS)).map_or(1, |(_, n)| n);
    match line(denials) {
        Line::Single => Some(None),
        Line::Repeated(times) => Some(Some(times)),
        Line::Silent => None,
    }
}

/// A row of denied requests is over: what was not said of it yet.
fn say_rest(entry: &Client<'_>, request: Request<'_>, text: impl FnOnce(u32) -> String) {
    if let Some(times) = entry.change_denials(|_| 0).ok().and_then(|(before, _)| remainder(before)).filter(|times| *times > 0) {
        log::request(request, log::Level::Error, || text(times));
    }
}

fn block(asked: &mut Asked<'_>, entry: &Client<'_>) -> Option<Blocked> {
    let rule = asked.runtime.rules.block.filter(|rule| rule.limit > 0)?;
    let now = asked.now;
    let address = asked.state.client(asked.request, asked.record, asked.runtime).address();
    if asked.runtime.rules.block_exclude.contains(address) {
        return None;
    }
    let before = entry.block(now);
    if before.count > 0 && rule.expire(before, now).count == 0 {
        let _ = entry.change_block(now, |counter| rule.expire(counter, now));
        let over = Blocked { max: rule.limit, current: before.count, age: before.age(now) };
        let client = asked.client_text();
        say_rest(entry, asked.request, |times| message::blocked_request(&over, Mark::Previously, Some(times), &client, &unique_id(asked.request)));
        released(asked.request.server(), entry.change_refusals(|_| 0).map_or(0, |(before, _)| before), rule.limit, before, address, now);
    }
    let names = &asked.runtime.names;
    let weight = if asked.variables().has(names.block_seen) { 0 } else { weight(asked.variables().get(names.block)) };
    let counter = if weight > 0 {
        mark_block_seen(asked.request, asked.record);
        entry.change_block(now, |counter| rule.count(counter, weight, now)).map_or(Counter::ZERO, |(_, after)| after)
    } else {
        entry.block(now)
    };
    rule.judge(counter, now)
}

/// The event of this request was counted.
pub fn mark_block_seen(request: Request<'_>, record: &ConnectionRecord) {
    request.set_variable(c"QS_Block_seen", c"".as_ptr());
    record.flag(flag::BLOCK_SEEN);
    if let Some(connection) = Connection::of(request) {
        // The table of notes belongs to the connection's own thread.
        if !connection.is_stream() {
            connection.set_note(c"QS_Block_seen", c"".as_ptr());
        }
    }
}

fn limit(asked: &mut Asked<'_>, entry: &Client<'_>, rule: &LimitRule, numbers: LimitNames, column: usize) -> Option<Limited> {
    let (request, now, names) = (asked.request, asked.now, &rule.names);
    let weight = if asked.variables().has(numbers.seen) { 0 } else { weight(asked.variables().get(numbers.event)) };
    let clear = asked.variables().has(numbers.clear);
    let mut counter = entry.limit(column, now);
    if weight > 0 || clear || rule.expire(counter, clear, now) != counter {
        let changed = entry.change_limit(column, now, |counter| rule.expire(counter, clear, now).add(weight, now));
        let (before, after) = changed.unwrap_or((Counter::ZERO, Counter::ZERO));
        counter = after;
        if rule.limit > 0 && before.count >= rule.limit && after.count < rule.limit {
            let over = Limited { max: rule.limit, current: before.count, age: before.age(now) };
            let (event, client) = (names.event.to_string_lossy(), asked.client_text());
            say_rest(entry, request, |times| {
                message::limited(&event, rule.condition.is_some(), &over, Mark::Previously, Some(times), &client, &unique_id(request))
            });
        }
    }
    if weight > 0 {
        request.set_variable(&names.seen, c"".as_ptr());
    }
    let (count, remaining) = if counter.count == 0 {
        (c"0".as_ptr(), c"0".as_ptr())
    } else {
        (request.pool().number(counter.count), request.pool().number(counter.remaining(rule.seconds, now)))
    };
    // Nobody else sets them on a new request.
    request.add_variable(&names.counter, count);
    request.add_variable(&names.remaining, remaining);
    let condition = asked.runtime.names.condition;
    rule.judge(counter, asked.variables().get(condition), now)
}
