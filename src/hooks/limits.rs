//! Rules about requests of locations and events (request-event.md sections 6, 7 and 9), step by step as [`qos_core::order`] says.

use super::RequestState;
use super::deny::{Denial, denied, mark};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::post_read_request::server_record;
use super::pre_connection::table_full;
use crate::filters;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::httpd::variables::Variables;
use crate::rules::{ActiveRule, ServerRules};
use crate::runtime::Runtime;
use qos_core::message::Mark;
use qos_core::repeat;
use qos_core::rules::message::{self, Concurrent};
use qos_core::rules::{EventCount, Limit, Located};
use qos_shm::RuleCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// The rules of the request's server.
pub fn rules_of(request: Request<'_>) -> Option<&'static ServerRules> {
    // SAFETY: records live as long as the configuration, and no request outlives it.
    server_record(request).and_then(|record| unsafe { (*std::ptr::from_ref(record)).rules() })
}

/// One more in a counter.
fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts a request that a rule denies, or would.
fn count_denial(asked: &Asked<'_>, cell: &RuleCell, log_only: bool) {
    one_more(if asked.runtime.only_logs(log_only) { &cell.would_deny } else { &cell.denied });
}

/// The line about a denial, or none as [`log::has_line`] has it. `line` gets its mark, the TCP peer and the id of the request.
fn log_denial(asked: &Asked<'_>, cell: Option<&RuleCell>, log_only: bool, rest: impl FnOnce(u32) -> String, line: impl FnOnce(Mark, &str, &str) -> String) {
    if cell.is_none_or(|cell| log::has_line(asked.request, log::Level::Error, repeat::one_more(&cell.lines, asked.now), rest)) {
        let (client, id) = (asked.record.peer.to_string(), unique_id(asked.request));
        log::request(asked.request, log::Level::Error, || line(mark(asked.runtime, log_only), &client, &id));
    }
}

/// Step 18: `QS_EventLimitCount`, `QS_CondEventLimitCount`. All count; then the request is denied if one says so.
pub fn event_counts(asked: &mut Asked<'_>) -> Option<c_int> {
    let rules = rules_of(asked.request).filter(|rules| !rules.counts.is_empty())?;
    let condition = asked.runtime.names.condition;
    let mut denial: Option<Denial> = None;
    for count in &rules.counts {
        if !asked.variables().has(count.variable) {
            continue;
        }
        let Some(cell) = rules.count_cell(count) else { continue };
        let now = asked.now;
        let state = change(&cell.events, |state| count.rule.expire(state, now).one_more(now));
        asked.state.rules(asked.request).counted.push(count.variable);
        if !count.rule.violates(state, asked.variables().get(condition)) {
            continue;
        }
        let log_only = count.rule.log_only;
        count_denial(asked, cell, log_only);
        let (directive, variable, max) = (count.rule.directive(), count.rule.variable.to_bytes(), count.rule.number);
        let rest = |times| message::event_count_summed_up(directive, variable, max, times);
        log_denial(asked, Some(cell), log_only, rest, |mark, client, id| message::event_count(directive, variable, max, state.count, mark, client, id));
        let found = Denial { log_only, ..Denial::new(13) }.retry_after(count.rule.remaining(state, now));
        denial = Some(worse(denial, found));
    }
    publish_counts(asked.request, rules, asked.now, true);
    // A later rule may look at a counter.
    asked.variables_changed();
    denial.and_then(|denial| denied(asked.request, asked.state, asked.runtime, &denial))
}

/// Of two denials the one that is enforced, then the one that lasts longer.
fn worse(before: Option<Denial>, found: Denial) -> Denial {
    match before {
        Some(before) if (before.log_only, found.log_only) == (false, true) => before,
        Some(before) if before.log_only == found.log_only && before.retry_after > found.retry_after => before,
        _ => found,
    }
}

/// `<variable>_Counter` of rules whose window is open; of several for one variable the highest one (W18). `all`: 0 for the others.
pub fn publish_counts(request: Request<'_>, rules: &ServerRules, now: u32, all: bool) {
    for count in rules.counts.iter().filter(|count| !count.published.is_empty()) {
        let same = count.published.iter().filter_map(|place| rules.counts.get(*place));
        let current = |other: &crate::rules::ActiveCount| {
            let state = EventCount::unpack(rules.count_cell(other).map_or(0, |cell| cell.events.load(Ordering::Acquire)));
            other.rule.expire(state, now).count
        };
        let highest = same.map(current).max().unwrap_or(0);
        if highest > 0 || all {
            request.set_variable(&count.rule.counter, request.pool().number(highest));
        }
    }
}

/// Changes the state of a count of events; returns what became of it.
fn change(word: &AtomicU64, f: impl Fn(EventCount) -> EventCount) -> EventCount {
    let changed = |word: u64| f(EventCount::unpack(word)).pack();
    match word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(changed(word))) {
        Ok(before) | Err(before) => EventCount::unpack(changed(before)),
    }
}

/// A limit of concurrent requests and what is known of it.
struct Checked<'a> {
    rule: &'a ActiveRule,
    limit: Limit,
    current: u32,
    event: u16,
}

/// Step 19: `QS_EventRequestLimit`. All rules that apply count; then the request is denied if one says so.
pub fn event_requests(asked: &mut Asked<'_>) -> Option<c_int> {
    let (rules, child) = (rules_of(asked.request)?, asked.child?);
    let (mut denial, mut flushed) = (None, false);
    for place in &rules.event_requests {
        let Some(rule) = rules.rule(Some(*place)) else { continue };
        if !rule.rule.applies(asked.variables().get(rule.variable)) {
            continue;
        }
        let Some(mut current) = asked.state.count(asked.request, &child.child, rule.count) else {
            table_full(asked.runtime, "request");
            continue;
        };
        let limit = rule.rule.concurrent.unwrap_or_default();
        if current > limit.number && !std::mem::replace(&mut flushed, true) {
            // Earlier requests of this very connection may count although they are answered.
            asked.request.flush_earlier();
            current = current.min(asked.runtime.region.count(rule.count));
        }
        asked.request.add_variable(&rule.counter, asked.request.pool().number(current));
        if current > limit.number {
            asked.state.rules(asked.request).event_denied = true;
            let found = log_violation(asked, rules, &Checked { rule, limit, current, event: 12 });
            denial = Some(worse(denial, found));
        }
    }
    denial.and_then(|denial| denied(asked.request, asked.state, asked.runtime, &denial))
}

/// Logs and counts that a limit of concurrent requests is exceeded.
fn log_violation(asked: &Asked<'_>, rules: &ServerRules, found: &Checked<'_>) -> Denial {
    let (cell, log_only) = (rules.cell(found.rule), found.limit.log_only);
    if let Some(cell) = cell {
        count_denial(asked, cell, log_only);
    }
    let text = Concurrent { rule: &found.rule.shown, limit: found.limit.number, requests: found.current };
    let rest = |times| message::concurrent_summed_up(found.event, text.rule, text.limit, times);
    log_denial(asked, cell, log_only, rest, |mark, client, id| message::concurrent(found.event, &text, mark, client, id));
    Denial { log_only, ..Denial::new(found.event) }
}

/// Step 20: which event rules limit requests and kbytes per second, by the variables as they are now.
pub fn event_rates(asked: &mut Asked<'_>) {
    let Some(rules) = rules_of(asked.request) else { return };
    for place in &rules.event_rates {
        if rules.rule(Some(*place)).is_some_and(|rule| rule.rule.applies(asked.variables().get(rule.variable))) {
            asked.state.rules(asked.request).event_rates.push(*place);
        }
    }
    let mut lowest: Option<(u32, usize)> = None;
    for place in &rules.event_kbytes {
        let Some(rule) = rules.rule(Some(*place)) else { continue };
        let number = rule.rule.kbytes.map_or(u32::MAX, |limit| limit.number);
        if lowest.is_none_or(|(before, _)| number < before) && rule.rule.applies(asked.variables().get(rule.variable)) {
            lowest = Some((number, *place));
        }
    }
    if let Some((_, place)) = lowest {
        asked.state.rules(asked.request).event_kbytes = Some(place);
    }
}

/// Step 26: selects the rules of the request's location; it counts for them.
pub fn select(asked: &mut Asked<'_>) {
    let Some(rules) = rules_of(asked.request).filter(|rules| !rules.selection.is_empty()) else { return };
    let located = find(asked.request, rules);
    if located == Located::default() {
        return;
    }
    let request = asked.request;
    asked.state.rules(request).located = located;
    let Some(child) = asked.child else { return };
    for (number, place) in [located.main, located.conditional].into_iter().enumerate() {
        let Some(rule) = rules.rule(place) else { continue };
        let current = asked.state.count(request, &child.child, rule.count);
        if current.is_none() {
            table_full(asked.runtime, "request");
        }
        if let Some(requests) = asked.state.rules(request).requests.get_mut(number) {
            *requests = current;
        }
    }
}

/// The rules for path and query of a request.
fn find(request: Request<'_>, rules: &ServerRules) -> Located {
    let path = request.target_path().unwrap_or(b"/");
    if !rules.selection.looks_at_targets() {
        return rules.selection.select(path, path, None);
    }
    let raw = request.raw_target();
    let query = request.target_query();
    let plain = match (raw.strip_prefix(path), query) {
        (Some([]), None) => true,
        (Some([b'?', rest @ ..]), Some(query)) => rest == query,
        _ => false,
    };
    if plain {
        return rules.selection.select(path, raw, None);
    }
    let target = query.map_or_else(|| path.to_vec(), |query| [path, b"?", query].concat());
    rules.selection.select(path, &target, Some(raw))
}

/// Step 27: the limit of concurrent requests of the location (010).
pub fn location_limit(asked: &mut Asked<'_>) -> Option<c_int> {
    check_location(asked, 0, 10)
}

/// Step 29: the lowest limit of kbytes per second, of events and of the location (section 8.1), holds for the response.
pub fn bandwidth(asked: &mut Asked<'_>) {
    let Some(rules) = rules_of(asked.request) else { return };
    let Some(known) = asked.state.known_rules() else { return };
    // Of equal ones the event's.
    let mut lowest: Option<(Limit, &ActiveRule)> = None;
    for rule in [known.event_kbytes, known.located.main, known.located.kbytes].into_iter().filter_map(|place| rules.rule(place)) {
        if let Some(limit) = rule.rule.kbytes.filter(|limit| lowest.is_none_or(|(before, _)| limit.number < before.number)) {
            lowest = Some((limit, rule));
        }
    }
    let Some((limit, rule)) = lowest else { return };
    let Some(cell) = rules.cell(rule) else { return };
    if asked.state.vip {
        asked.state.letters.add(b'S');
        return;
    }
    let throttle = filters::Throttle { cell, limit: limit.number, log_only: asked.runtime.only_logs(limit.log_only) };
    filters::throttle(asked.request, asked.record, asked.state, throttle);
}

/// Step 30: `QS_CondLocRequestLimitMatch` (011).
pub fn conditional_limit(asked: &mut Asked<'_>) -> Option<c_int> {
    check_location(asked, 1, 11)
}

/// `number`: 0 for the rule that counts the request, 1 for the conditional one.
fn check_location(asked: &mut Asked<'_>, number: usize, event: u16) -> Option<c_int> {
    let known = asked.state.known_rules()?;
    let place = if number == 0 { known.located.main } else { known.located.conditional };
    let mut current = known.requests.get(number).copied().flatten()?;
    let rules = rules_of(asked.request)?;
    let rule = rules.rule(place)?;
    let limit = rule.rule.concurrent_limit()?;
    if current <= limit.number {
        return None;
    }
    if let Some(condition) = &rule.rule.condition {
        let name = asked.runtime.names.condition;
        let value = asked.variables().get(name)?;
        if !condition.may_match(value) {
            return None;
        }
    }
    asked.request.flush_earlier();
    current = current.min(asked.runtime.region.count(rule.count));
    if current <= limit.number {
        return None;
    }
    if asked.state.vip {
        asked.state.letters.add(b'S');
        return None;
    }
    if number == 0 {
        asked.state.rules(asked.request).located_denied = true;
    }
    let denial = log_violation(asked, rules, &Checked { rule, limit, current, event });
    denied(asked.request, asked.state, asked.runtime, &denial)
}

/// A request is denied: it counts for no rule any longer (W11), but its log line shows for how many it did.
pub fn release(request: Request<'_>, state: &mut RequestState, runtime: &Runtime) {
    remember_requests(request, state, runtime);
    state.release_rules();
}

/// Takes down how many requests the rule of its location has, as `mod_qos_cr` shows it.
fn remember_requests(request: Request<'_>, state: &mut RequestState, runtime: &Runtime) {
    let Some(rules) = rules_of(request) else { return };
    let Some(known) = state.known_rules().filter(|known| known.is_counted()) else { return };
    let places = [known.located.main, known.located.conditional];
    for (requests, place) in known.requests.iter_mut().zip(places) {
        if let (Some(requests), Some(rule)) = (requests, rules.rule(place)) {
            *requests = runtime.region.count(rule.count);
        }
    }
}

/// The end of a request (section 2.9, steps 7, 10, 12 and 13): events are counted, requests measured. Returns what `mod_qos_cr` shows; what the request
/// holds is given back by the caller, which does so in any case.
pub fn end(request: Request<'_>, mut state: Option<&mut RequestState>, runtime: &Runtime, began: u32) -> Option<u32> {
    let rules = rules_of(request)?;
    let looks_at_variables = !rules.counts.is_empty() || !rules.event_rates.is_empty() || !rules.event_requests.is_empty() || !rules.event_kbytes.is_empty();
    if let Some(state) = state.as_deref_mut() {
        remember_requests(request, state, runtime);
    }
    let known = state.and_then(RequestState::known_rules);
    if looks_at_variables {
        let variables = Variables::of_chain(request, &runtime.names.set);
        let now = crate::clients::now();
        for count in &rules.counts {
            let counted = known.as_ref().is_some_and(|known| known.counted.contains(&count.variable));
            let (decrement, event) = (variables.get(count.decrement), variables.has(count.variable) && !counted);
            if let (true, Some(cell)) = (decrement.is_some() || event, rules.count_cell(count)) {
                change(&cell.events, |state| count.rule.end(state, decrement, event, now));
            }
        }
        if known.as_ref().is_none_or(|known| !known.event_denied) {
            for places in [&rules.event_requests, &rules.event_rates, &rules.event_kbytes] {
                for rule in places.iter().filter_map(|place| rules.rule(Some(*place))) {
                    if rule.rule.applies(variables.get(rule.variable)) {
                        measure(request, rules, rule, runtime, began);
                    }
                }
            }
        }
    }
    let known = known?;
    if !known.located_denied {
        let mut measured = [known.located.main, known.located.per_second, known.located.kbytes];
        if measured[1] == measured[2] {
            measured[2] = None;
        }
        for rule in measured.into_iter().filter_map(|place| rules.rule(place)) {
            measure(request, rules, rule, runtime, began);
        }
    }
    let [main, conditional] = known.requests;
    main.or(conditional)
}

/// Counts a request in the window of a rule; when that is over, says how many there were and whether requests have to wait (050, 051).
fn measure(request: Request<'_>, rules: &ServerRules, rule: &ActiveRule, runtime: &Runtime, began: u32) {
    use qos_core::rules::window::{Window, report};
    let Some(cell) = rules.cell(rule) else { return };
    let counted = |word: u64| Window::unpack(word).count(began);
    let Ok(before) = cell.requests.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| Some(counted(word).0.pack())) else { return };
    let (_, Some(per_second)) = counted(before) else { return };
    cell.measured.store(u64::from(per_second) << 32 | u64::from(began), Ordering::Release);
    let (Some(limit), Some(_)) = (rule.rule.per_second, &rule.pace) else { return };
    // The last delay of a request, if it was in this window.
    let delay = cell.delay.load(Ordering::Acquire);
    let delay_ms = if (delay as u32) < Window::unpack(before).start { 0 } else { (delay >> 32) as u32 };
    let last = u32::try_from(cell.reported.swap(u64::from(delay_ms), Ordering::AcqRel)).unwrap_or(u32::MAX);
    let Some(report) = report(last, delay_ms) else { return };
    let (event, level) = match report {
        qos_core::rules::window::Report::Delayed => (50, log::Level::Warning),
        qos_core::rules::window::Report::Recovering => (51, log::Level::Info),
    };
    runtime.event(event);
    log::request(request, level, || message::rate(report, &rule.shown, limit.number, per_second, delay_ms));
}

/// The last delay of a request of a rule, milliseconds, and when it was over.
pub fn note_delay(cell: &RuleCell, delay_us: u64, now: u32) {
    one_more(&cell.delayed);
    cell.delayed_us.fetch_add(delay_us, Ordering::Relaxed);
    let delay_ms = u32::try_from(delay_us / 1000).unwrap_or(u32::MAX).max(1);
    cell.delay.store(u64::from(delay_ms) << 32 | u64::from(now), Ordering::Release);
}

/// Notes a denial because too many requests are delayed.
pub fn too_many_delayed(asked: &mut Asked<'_>, rules: &ServerRules, rule: &ActiveRule, max: u32, current: u32, wait_ms: u32) -> Option<c_int> {
    let limit = rule.rule.per_second.unwrap_or_default();
    let cell = rules.cell(rule);
    if let Some(cell) = cell {
        one_more(&cell.crowded);
    }
    let rest = |times| message::too_many_delayed_summed_up(&rule.shown, limit.number, max, times);
    log_denial(asked, cell, false, rest, |mark, client, id| message::too_many_delayed(&rule.shown, limit.number, max, current, mark, client, id));
    denied(asked.request, asked.state, asked.runtime, &Denial::new(50).retry_after(wait_ms.div_ceil(1000)))
}
