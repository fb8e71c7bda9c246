//! What the end of a request says of its client (connection-client.md section 13.1).

use super::RequestState;
use super::client_rules::mark_block_seen;
use super::identity::{self, RequestClient};
use crate::clients::{self, ClientStore};
use crate::httpd::request::Request;
use crate::httpd::variables::Variables;
use crate::runtime::{ConnectionRecord, Runtime, flag};
use qos_core::client::content::{self, TOLERANCE};
use qos_core::client::{Behaviour, Counter, low, weight};
use qos_core::letters::Letters;
use qos_shm::Client;
use std::sync::atomic::Ordering;

/// Updates the client's entry; returns the letters that this adds.
pub fn update(request: Request<'_>, state: Option<&RequestState>, record: &ConnectionRecord, runtime: &Runtime) -> Letters {
    let mut letters = Letters::NONE;
    let Some(store) = &runtime.clients else { return letters };
    let rules = &runtime.rules;
    let slow = record
        .slot
        .is_some_and(|slot| slot.flags.load(Ordering::Acquire) & flag::SLOW != 0 && slot.flags.fetch_and(!flag::SLOW, Ordering::AcqRel) & flag::SLOW != 0);
    if rules.block.is_none() && rules.limits.is_empty() && rules.prefer.is_none() && !slow {
        return letters;
    }
    let last = request.last();
    // Nothing was set since the rules ran, so nothing is left to count.
    let settled = last.as_ptr() == request.as_ptr() && state.and_then(|state| state.settled).is_some_and(|mark| mark == request.variables_mark());
    if settled && rules.prefer.is_none() && !slow {
        return letters;
    }
    let now = clients::now();
    let names = &runtime.names;
    let variables = Variables::of_chain(request, &names.set);
    let found = state.and_then(|state| state.client);
    let client = found.unwrap_or_else(|| identity::of_request(request, record, runtime, "@logger"));
    if slow {
        slow_connection(store, record, runtime, now);
        letters.add(b'r');
    }
    let Some(entry) = store.resume(&runtime.region, client.client, client.entry, now) else { return letters };
    if rules.prefer.is_some() && learn(request, last, &entry, runtime, slow, now) {
        letters.add(b'r');
    }
    block(request, &variables, &entry, record, runtime, &client, now);
    for (place, (rule, numbers)) in rules.limits.iter().zip(&names.limits).enumerate() {
        let clear = variables.has(numbers.clear);
        let less = weight(variables.get(numbers.decrement));
        let more = if variables.has(numbers.seen) { 0 } else { weight(variables.get(numbers.event)) };
        if !clear && less == 0 && more == 0 {
            continue;
        }
        let _ = entry.change_limit(store.column(place), now, |counter| rule.expire(counter, clear, now).subtract(less).add(more, now));
        if more > 0 {
            request.set_variable(&rule.names.seen, c"".as_ptr());
        }
    }
    letters
}

/// A connection that was too slow, or timed out: its own client gets low priority, whoever a header names.
fn slow_connection(store: &ClientStore, record: &ConnectionRecord, runtime: &Runtime, now: u32) {
    let id = record.known.get().and_then(|known| known.entry);
    if let Some(entry) = store.resume(&runtime.region, runtime.client(record.client()), id, now) {
        let _ = entry.change_marks(now, |marks| marks.lower(low::SLOW, now));
    }
}

/// Learns what clients ask for, and judges this one (section 9.2). Says whether it differs from others.
fn learn(first: Request<'_>, last: Request<'_>, entry: &Client<'_>, runtime: &Runtime, slow: bool, now: u32) -> bool {
    let class = content::class(last.content_type());
    let not_modified = last.status() == 304;
    let totals = &runtime.region.shared().prefer_totals;
    if let Some(total) = totals.get(class as usize) {
        total.fetch_add(1, Ordering::Relaxed);
    }
    if let (true, Some(total)) = (not_modified, totals.last()) {
        total.fetch_add(1, Ordering::Relaxed);
    }
    let statistics = entry.add_statistics(&content::response(class, not_modified));
    let numbers = totals.each_ref().map(|total| total.load(Ordering::Relaxed));
    let configured = super::post_read_request::server_record(first).and_then(|server| server.config.content_types);
    let behaviour = content::judge(&statistics, numbers, configured, runtime.rules.tolerance.unwrap_or(TOLERANCE));
    let changed = |old: qos_core::client::Marks| {
        let marks = old.behaves(behaviour, now);
        if slow || matches!(behaviour, Behaviour::Abnormal(_)) { marks } else { marks.forget(now) }
    };
    let marks = entry.marks(now);
    if changed(marks) != marks {
        let _ = entry.change_marks(now, changed);
    }
    matches!(behaviour, Behaviour::Abnormal(_))
}

/// Section 9.6.2: what was not counted when the request came.
fn block(request: Request<'_>, variables: &Variables<'_>, entry: &Client<'_>, record: &ConnectionRecord, runtime: &Runtime, client: &RequestClient, now: u32) {
    let (Some(rule), names) = (runtime.rules.block, &runtime.names) else { return };
    let less = weight(variables.get(names.block_decrement));
    let more = if variables.has(names.block_seen) { 0 } else { weight(variables.get(names.block)) };
    if less == 0 && more == 0 {
        return;
    }
    let change = |counter: Counter| rule.expire(counter, now).subtract(less).add(more, now);
    if let Ok((before, _)) = entry.change_block(now, change) {
        if before.count > 0 && rule.expire(before, now).count == 0 {
            let refusals = entry.change_refusals(|_| 0).map_or(0, |(before, _)| before);
            super::connecting::released(request.server(), refusals, rule.limit, before, client.address(), now);
        }
    }
    if more > 0 && client.of_connection {
        mark_block_seen(request, record);
    } else if more > 0 {
        request.set_variable(c"QS_Block_seen", c"".as_ptr());
    }
}
