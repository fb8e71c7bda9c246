//! Requests per second (request-event.md section 7) and the variable `QS_Delay` (section 17): requests that wait.
//!
//! A request starts at once if the rule allows it and nobody waits. Others wait in a queue, in the order in which they came; the first of it starts as
//! soon as the rule allows it. Who leaves, or dies with its child, leaves the queue and takes nothing from the others.

use super::judging::Asked;
use super::limits::{note_delay, rules_of, too_many_delayed};
use super::pause::Watch;
use super::pre_connection::table_full;
use crate::httpd::{clock, ffi, log};
use crate::rules::{ActiveRule, ServerRules};
use qos_core::rules::pace::{Pace, Start};
use qos_shm::{RuleCell, Turn};
use std::ffi::c_int;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The place in queues of a request's slot.
const QUEUE: usize = 0;
/// How long a request that is not the first one sleeps before it looks whether its client is still there.
const LOOK: Duration = Duration::from_millis(100);
/// The longest `QS_Delay`, milliseconds (W42).
const LONGEST_DELAY_MS: u64 = 300_000;

/// Step 28: waits for each rule that limits requests per second: those of events, then those of the location.
pub fn wait(asked: &mut Asked<'_>) -> Option<c_int> {
    let rules = rules_of(asked.request)?;
    let known = asked.state.known_rules()?;
    let located = [known.located.main, known.located.per_second];
    let events = std::mem::take(&mut known.event_rates);
    for place in events.into_iter().chain(located.into_iter().flatten()) {
        let Some(rule) = rules.rule(Some(place)) else { continue };
        let (Some(pace), Some(cell)) = (rule.pace, rules.cell(rule)) else { continue };
        if let Some(status) = pass(asked, rules, rule, pace, cell) {
            return Some(status);
        }
    }
    None
}

/// One rule. `Some`: the request ends here.
fn pass(asked: &mut Asked<'_>, rules: &ServerRules, rule: &ActiveRule, pace: Pace, cell: &RuleCell) -> Option<c_int> {
    let since = clock::monotonic_us();
    let waiting = asked.runtime.region.count(rule.queue);
    if waiting == 0 && start(pace, cell, since, since).is_ok() {
        return None;
    }
    if asked.state.vip {
        asked.state.letters.add(b'S');
        return None;
    }
    asked.state.letters.add(b'L');
    if asked.runtime.only_logs(rule.rule.per_second.is_some_and(|limit| limit.log_only)) {
        cell.would_delay.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    // An earlier request of this very connection may not have been sent.
    asked.request.flush_earlier();
    let child = &asked.child?.child;
    let slot = asked.state.queue_slot(asked.request, child);
    let queued = slot.and_then(|slot| Some((slot, child.queue(slot, QUEUE, rule.queue)?)));
    let Some((slot, turn)) = queued else {
        table_full(asked.runtime, "request");
        return None;
    };
    let before = match turn {
        Turn::Mine => 0,
        Turn::After(before) => before,
    };
    let max = rule.rule.delayed.unwrap_or_else(|| pace.most_waiting(asked.runtime.workers));
    if before >= max {
        child.leave_queue(slot, QUEUE);
        return too_many_delayed(asked, rules, rule, max, before + 1, pace.backlog_ms(before + 1));
    }
    let watch = Watch::begin(asked.record);
    let mut is_first = turn == Turn::Mine;
    let status = loop {
        if !is_first {
            child.wait(slot, QUEUE, LOOK);
            is_first = child.turn(slot, QUEUE).is_none_or(|turn| turn == Turn::Mine);
            if !is_first && watch.has_left(asked.record) {
                break Some(ffi::HTTP_SERVICE_UNAVAILABLE as c_int);
            }
            continue;
        }
        match start(pace, cell, since, clock::monotonic_us()) {
            Ok(()) => break None,
            Err(at) if watch.until(asked.record, at) => (),
            // Nobody is left to hear the answer.
            Err(_) => break Some(ffi::HTTP_SERVICE_UNAVAILABLE as c_int),
        }
    };
    child.leave_queue(slot, QUEUE);
    note_delay(cell, clock::monotonic_us().saturating_sub(since), crate::clients::now());
    status
}

/// Starts a request if its rule allows it now; otherwise the time at which it may.
fn start(pace: Pace, cell: &RuleCell, since: u64, now: u64) -> Result<(), u64> {
    let mut number = cell.issued.load(Ordering::Acquire);
    loop {
        let ring = |place: u64| usize::try_from(place).ok().and_then(|place| cell.ring.get(place)).map_or(0, |word| word.load(Ordering::Acquire));
        let began = match pace.start(number, since, now, ring) {
            Start::At(at) => return Err(at),
            Start::Now(began) => began,
        };
        match cell.issued.compare_exchange_weak(number, number.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire) {
            Err(other) => number = other,
            Ok(_) => {
                let place = usize::try_from(pace.ring_place(number)).ok().and_then(|place| cell.ring.get(place));
                if let (Some(began), Some(word)) = (began, place) {
                    word.store(began.pack(), Ordering::Release);
                }
                return Ok(());
            }
        }
    }
}

/// Step 32: the variable `QS_Delay`, milliseconds: its leading digits.
pub fn delay(asked: &mut Asked<'_>) -> Option<c_int> {
    let name = asked.runtime.names.delay;
    let wanted = asked.variables().get(name).map(leading_number).filter(|wanted| *wanted > 0)?;
    if asked.runtime.log_only {
        return None;
    }
    if wanted > LONGEST_DELAY_MS {
        log::request(asked.request, log::Level::Debug, || format!("mod_qos(): QS_Delay is longer than {LONGEST_DELAY_MS} ms, which is the longest delay"));
    }
    asked.state.letters.add(b'L');
    asked.request.flush_earlier();
    let end = clock::monotonic_us().saturating_add(wanted.min(LONGEST_DELAY_MS) * 1000);
    (!Watch::begin(asked.record).until(asked.record, end)).then_some(ffi::HTTP_SERVICE_UNAVAILABLE as c_int)
}

/// The digits that a text begins with, as a number.
fn leading_number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}
