//! What console and viewer read and change in the table of clients (connection-client.md sections 11.2 and 11.4).

use crate::clients::{self, ClientStore, domain};
use crate::config::ServerRecord;
use crate::httpd::clock;
use crate::runtime::Runtime;
use qos_core::address::Address;
use qos_core::client::{BlockRule, Counter, Marks, Source, low};
use qos_core::console::{Action, ClientState, Count, Restored};
use qos_core::status::ContentTypes;
use qos_core::view::{ClientEntry, ClientTable, Evictions, Limited, Prefer, Window};
use qos_shm::Client;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far beyond its limit the console puts a counter.
const BEYOND: u32 = 1000;
/// The block rule where none is configured: it has no effect, its window is the usual one.
const NO_BLOCK: BlockRule = BlockRule { limit: 0, seconds: 600 };
/// Kinds of evicted entries, as the table counts them.
const KINDS: [&str; qos_shm::WORTHS] = ["idle", "low_priority", "counting", "protected"];

/// Whether a directive needs the table (section 2.1).
pub fn active(runtime: &Runtime) -> bool {
    runtime.clients.is_some()
}

/// What the viewer shows of the table; `None` without one.
pub fn clients_snapshot(runtime: &Runtime) -> Option<ClientTable> {
    let table = &runtime.clients.as_ref()?.table;
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(ClientTable {
        max: small(table.capacity()),
        used: small(table.used()),
        vip: vips(table),
        bytes: table.bytes() as u64,
        evictions: KINDS.into_iter().zip(table.evicted()).map(|(kind, count)| Evictions { kind, count }).collect(),
        prefer: runtime.rules.prefer.map(|prefer| Prefer {
            limit: prefer.limit(runtime.max_clients),
            current: runtime.region.count(runtime.all),
            totals: content_totals(runtime),
            configured: ServerRecord::of(runtime.main).and_then(|main| main.config.content_types).map(|shares| content(shares.map(u64::from))),
        }),
    })
}

/// Tables of more entries are looked through every ten seconds only.
const LARGE: usize = 200_000;

/// How many entries are marked as a VIP's. They are counted when somebody wants to know: a count that is kept could be wrong.
fn vips(table: &qos_shm::ClientTable) -> u32 {
    static COUNTED: AtomicU64 = AtomicU64::new(0);
    let (now, counted) = (clients::now(), COUNTED.load(Ordering::Relaxed));
    if table.capacity() > LARGE && counted != 0 && u64::from(now) < (counted >> 32) + 10 {
        return counted as u32;
    }
    let count = u32::try_from(table.iter(0).filter(|(_, entry)| entry.marks(now).vip).count()).unwrap_or(u32::MAX);
    COUNTED.store(u64::from(now) << 32 | u64::from(count), Ordering::Relaxed);
    count
}

/// Responses of all clients by content.
pub fn content_totals(runtime: &Runtime) -> ContentTypes {
    content(runtime.region.shared().prefer_totals.each_ref().map(|total| total.load(Ordering::Relaxed)))
}

fn content([html, css_js, images, other, not_modified]: [u64; 5]) -> ContentTypes {
    ContentTypes { html, css_js, images, other, not_modified }
}

/// The client that is meant by an address. Where clients are named by a hash, that looks like an IPv6 address and is one client for itself.
fn meant(runtime: &Runtime, store: &ClientStore, address: Address) -> Address {
    let client = runtime.client(address);
    let is_hash = names_hashes(runtime) && (store.find(&runtime.region, address).is_some() || store.find(&runtime.region, client).is_none());
    if is_hash { address } else { client }
}

fn names_hashes(runtime: &Runtime) -> bool {
    runtime.rules.ip_header.as_ref().is_some_and(|header| matches!(header.source, Source::Hashed(_) | Source::Certificate))
}

/// What is known about a client. It is looked up now.
pub fn find(runtime: &Runtime, address: Address) -> Option<ClientEntry> {
    let store = runtime.clients.as_ref()?;
    let (client, now) = (meant(runtime, store, address), clients::now());
    let entry = store.find(&runtime.region, client)?;
    let seen = entry.seen(now);
    entry.touch(now);
    let (marks, pace, block, rule) = (entry.marks(now), entry.pace(), entry.block(now), runtime.rules.block.unwrap_or(NO_BLOCK));
    let open = |counter: Counter, seconds: u32| (counter.remaining(seconds, now) > 0).then(|| Window { count: counter.count, age: counter.age(now) });
    let limit = limit_rule(runtime, store, b"QS_Limit");
    Some(ClientEntry {
        last_access: clock::local_time(wall(seen, now)),
        vip: marks.vip,
        block: open(block, rule.seconds),
        limit: limit.map_or(Limited::Off, |(column, _, seconds)| open(entry.limit(column, now), seconds).map_or(Limited::No, Limited::Open)),
        events_per_second: pace.per_second,
        delay_ms: pace.delay_ms,
        low_prio: marks.is_low(now),
        low_prio_flags: marks.flags,
        event_requests: runtime.rules.event_requests.map(|_| runtime.region.count(clients::key(runtime, domain::EVENT_REQUESTS, client))),
        content_types: runtime.rules.prefer.map(|_| content(entry.statistics().responses.map(u64::from))),
    })
}

/// Seconds since 1970 of a monotonic second.
fn wall(second: u32, now: u32) -> u64 {
    clock::wall_seconds().saturating_sub(u64::from(now.saturating_sub(second)))
}

/// Column, limit and window of a limit variable.
fn limit_rule(runtime: &Runtime, store: &ClientStore, event: &[u8]) -> Option<(usize, u32, u32)> {
    let position = runtime.rules.limits.iter().position(|rule| rule.names.event.as_bytes().eq_ignore_ascii_case(event))?;
    let rule = runtime.rules.limits.get(position)?;
    Some((store.column(position), rule.limit, rule.seconds))
}

fn state(runtime: &Runtime, store: &ClientStore, entry: &Client<'_>, event: &[u8], now: u32) -> ClientState {
    let count = |counter: Counter, seconds: u32| Count { counter: counter.count, remaining: counter.remaining(seconds, now) };
    let marks = entry.marks(now);
    ClientState {
        vip: marks.vip,
        low_prio: marks.is_low(now),
        block: count(entry.block(now), runtime.rules.block.unwrap_or(NO_BLOCK).seconds),
        limit: limit_rule(runtime, store, event).map_or_else(Count::default, |(column, _, seconds)| count(entry.limit(column, now), seconds)),
    }
}

/// Carries out an action of the console. Returns whether an entry was made, and the state of the client afterwards: `None` where there is no
/// entry (a search).
pub fn apply(runtime: &Runtime, action: Action, address: Address, event: &[u8]) -> (bool, Option<ClientState>) {
    let Some(store) = &runtime.clients else { return (false, None) };
    let (client, now) = (meant(runtime, store, address), clients::now());
    let known = store.find(&runtime.region, client);
    if action == Action::Search && known.is_none() {
        return (false, None);
    }
    let Some(entry) = store.entry(&runtime.region, client, now) else { return (false, None) };
    let block = runtime.rules.block.unwrap_or(NO_BLOCK);
    // An entry that is driven out at this very moment has nothing to change.
    let _ = match action {
        Action::SetVip | Action::UnsetVip => entry.change_marks(now, |marks| marks.set_vip(action == Action::SetVip)).map(|_| ()),
        Action::SetLowPrio => entry.change_marks(now, |marks| Marks { low_since: Some(now), flags: low::CONSOLE, ..marks }).map(|_| ()),
        Action::UnsetLowPrio => entry.change_marks(now, Marks::not_low).map(|_| ()),
        Action::Block => entry.change_block(now, |_| Counter { count: block.limit.saturating_add(BEYOND), start: now }).map(|_| ()),
        Action::Unblock => entry.change_block(now, |_| Counter::ZERO).map(|_| ()),
        Action::Limit | Action::Unlimit | Action::IncLimit => limit_rule(runtime, store, event).map_or(Ok(()), |(column, limit, seconds)| {
            let change = |counter: Counter| match action {
                Action::Limit => Counter { count: limit.saturating_add(BEYOND), start: now },
                Action::Unlimit => Counter::ZERO,
                _ if counter.count > 0 && now > counter.start.saturating_add(seconds) => Counter::ZERO.add(1, now),
                _ => counter.add(1, now),
            };
            entry.change_limit(column, now, change).map(|_| ())
        }),
        Action::Search => Ok(()),
    };
    (known.is_none(), Some(state(runtime, store, &entry, event, now)))
}

/// Visits all entries in table order with their last access (seconds since 1970), without holding anything meanwhile (W56), until `visit` has
/// enough.
pub fn each(runtime: &Runtime, event: &[u8], mut visit: impl FnMut(Address, &ClientState, u64) -> bool) {
    let Some(store) = &runtime.clients else { return };
    for (_, entry) in store.table.iter(0) {
        let now = clients::now();
        let (address, state, seen) = (Address::from_octets(entry.address()), state(runtime, store, &entry, event, now), entry.seen(now));
        if entry.is_here() && !visit(address, &state, wall(seen, now)) {
            return;
        }
    }
}

/// Takes over a line of a dump. Windows go on for as long as they had.
pub fn restore(runtime: &Runtime, event: &[u8], restored: &Restored) {
    let Some(store) = &runtime.clients else { return };
    let now = clients::now();
    let age = clock::wall_seconds().saturating_sub(restored.last_access);
    let seen = now.saturating_sub(u32::try_from(age).unwrap_or(u32::MAX));
    // The dump may come from a server with another QS_ClientIPv6Prefix.
    let client = if names_hashes(runtime) { restored.address } else { runtime.client(restored.address) };
    let Some(entry) = store.entry(&runtime.region, client, seen) else { return };
    let counter = |count: Count, seconds: u32| {
        // One that is over began a second more than its window ago.
        let age = if count.remaining == 0 { seconds.saturating_add(1) } else { seconds.saturating_sub(count.remaining) };
        if count.counter == 0 { Counter::ZERO } else { Counter { count: count.counter, start: now.saturating_sub(age) } }
    };
    let state = &restored.state;
    let _ = entry.change_marks(now, |marks| {
        // A dump does not say for how long.
        let marks = match (state.vip, marks.vip) {
            (true, false) => marks.promote(now, runtime.vip_timeout),
            (vip, was) if vip == was => marks,
            _ => marks.set_vip(false),
        };
        // A dump does not say why.
        if state.low_prio == marks.is_low(now) {
            marks
        } else if state.low_prio {
            marks.lower(low::SLOW, now)
        } else {
            marks.not_low()
        }
    });
    let _ = entry.change_block(now, |_| counter(state.block, runtime.rules.block.unwrap_or(NO_BLOCK).seconds));
    if let Some((column, _, seconds)) = limit_rule(runtime, store, event) {
        let _ = entry.change_limit(column, now, |_| counter(state.limit, seconds));
    }
}
