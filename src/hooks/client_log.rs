//! What the end of a request says of its client (connection-client.md section 13.1).

use super::RequestState;
use super::client_rules::mark_block_seen;
use super::identity::{self, RequestClient};
use crate::clients::{self, ClientStore};
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, Runtime, flag};
use qos_core::client::content::{self, TOLERANCE};
use qos_core::client::{Behaviour, Counter, low, weight};
use qos_core::letters::Letters;
use qos_shm::Client;
use std::ffi::CStr;
use std::sync::atomic::Ordering;

/// A request with the one that answered it: after redirects the variables of both count (request-event.md W01).
struct Chain<'a> {
    first: Request<'a>,
    last: Request<'a>,
}

impl<'a> Chain<'a> {
    fn variable(&self, name: &CStr) -> Option<&'a [u8]> {
        let own = self.first.variable(name);
        if own.is_some() || self.first.as_ptr() == self.last.as_ptr() {
            return own;
        }
        self.first.take_variable(name, self.last);
        self.first.variable(name)
    }
}

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
    let now = clients::now();
    let chain = Chain { first: request, last: request.last() };
    let found = state.and_then(|state| state.client);
    let client = found.unwrap_or_else(|| identity::of_request(request, record, runtime, "@logger"));
    if slow {
        slow_connection(store, record, runtime, now);
        letters.add(b'r');
    }
    let Some(entry) = store.resume(&runtime.region, client.client, client.entry, now) else { return letters };
    if rules.prefer.is_some() && learn(&chain, &entry, runtime, slow, now) {
        letters.add(b'r');
    }
    block(&chain, &entry, record, runtime, &client, now);
    for (place, rule) in rules.limits.iter().enumerate() {
        let names = &rule.names;
        let clear = chain.variable(&names.clear).is_some();
        let less = weight(chain.variable(&names.decrement));
        let event = chain.variable(&names.event);
        let more = if event.is_none() || chain.variable(&names.seen).is_some() { 0 } else { weight(event) };
        if !clear && less == 0 && more == 0 {
            continue;
        }
        let _ = entry.change_limit(store.column(place), now, |counter| rule.expire(counter, clear, now).subtract(less).add(more, now));
        if more > 0 {
            request.set_variable(&names.seen, c"".as_ptr());
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
fn learn(chain: &Chain<'_>, entry: &Client<'_>, runtime: &Runtime, slow: bool, now: u32) -> bool {
    let class = content::class(chain.last.content_type());
    let not_modified = chain.last.status() == 304;
    let totals = &runtime.region.shared().prefer_totals;
    if let Some(total) = totals.get(class as usize) {
        total.fetch_add(1, Ordering::Relaxed);
    }
    if let (true, Some(total)) = (not_modified, totals.last()) {
        total.fetch_add(1, Ordering::Relaxed);
    }
    let statistics = entry.add_statistics(&content::response(class, not_modified));
    let numbers = totals.each_ref().map(|total| total.load(Ordering::Relaxed));
    let configured = super::post_read_request::server_record(chain.first).and_then(|server| server.config.content_types);
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
fn block(chain: &Chain<'_>, entry: &Client<'_>, record: &ConnectionRecord, runtime: &Runtime, client: &RequestClient, now: u32) {
    let Some(rule) = runtime.rules.block else { return };
    let less = weight(chain.variable(c"QS_Block_Decrement"));
    let event = chain.variable(c"QS_Block");
    let more = if event.is_none() || chain.variable(c"QS_Block_seen").is_some() { 0 } else { weight(event) };
    if less == 0 && more == 0 {
        return;
    }
    let change = |counter: Counter| rule.expire(counter, now).subtract(less).add(more, now);
    if let Ok((before, _)) = entry.change_block(now, change) {
        if before.count > 0 && rule.expire(before, now).count == 0 {
            let refusals = entry.change_refusals(|_| 0).map_or(0, |(before, _)| before);
            super::connecting::released(chain.first.server(), refusals, rule.limit, before, record.client(), now);
        }
    }
    if more > 0 && client.of_connection {
        mark_block_seen(chain.first, record);
    } else if more > 0 {
        chain.first.set_variable(c"QS_Block_seen", c"".as_ptr());
    }
}
