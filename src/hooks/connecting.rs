//! What the client store and the database of countries say of a client that connects (connection-client.md sections 6.2, 9.2, 9.6.3
//! and 10), and what the end of a connection says of its client (sections 6.5 and 9.9).

use crate::clients::{ClientStore, now};
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::{ffi, log};
use crate::runtime::{ConnectionRecord, Known, Runtime, announced, feature, flag, runtime};
use qos_core::address::Address;
use qos_core::admission;
use qos_core::client::{Blocked, Counter, Statistics, low, message};
use qos_core::message::Mark;
use qos_core::repeat::{Line, line, remainder};
use qos_shm::CountKey;
use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

/// Any error ends the connection; this one never reaches a client (section 6.3).
pub const REFUSED: c_int = ffi::HTTP_INTERNAL_SERVER_ERROR as c_int;

/// `QS_ClientEventBlockCount` at a new connection, before TLS costs anything.
pub unsafe extern "C" fn pre_connection_blocked(c: *mut ffi::conn_rec, _socket: *mut c_void) -> c_int {
    if !feature::any(feature::BLOCK) {
        return ffi::DECLINED;
    }
    guard("pre_connection", ffi::DECLINED, || {
        // SAFETY: httpd passes the connection.
        let (Some(connection), Some(runtime)) = (unsafe { Connection::new(c) }, runtime()) else { return ffi::DECLINED };
        if connection.is_stream() || connection.is_outgoing() || connection.awaits_address() {
            return ffi::DECLINED;
        }
        let blocked = is_blocked(runtime, connection.base_server(), connection.address());
        if blocked {
            connection.set_note(c"QS_Block_seen", c"".as_ptr());
        }
        if !blocked || runtime.log_only {
            return ffi::DECLINED;
        }
        connection.abort();
        if runtime.forced_close { REFUSED } else { ffi::DECLINED }
    })
}

/// Whether the client is blocked; logs it (060).
pub fn is_blocked(runtime: &Runtime, server: *const ffi::server_rec, address: Address) -> bool {
    let (Some(store), Some(rule)) = (&runtime.clients, runtime.rules.block) else { return false };
    if rule.limit == 0 || runtime.rules.block_exclude.contains(address) {
        return false;
    }
    let Some(entry) = store.find(&runtime.region, runtime.client(address)) else { return false };
    let now = now();
    let counter = entry.block(now);
    let Some(blocked) = rule.judge(counter, now) else {
        if counter.count > 0 && rule.expire(counter, now).count == 0 {
            let _ = entry.change_block(now, |counter| rule.expire(counter, now));
            released(server, entry.change_refusals(|_| 0).map_or(0, |(before, _)| before), rule.limit, counter, address, now);
        }
        return false;
    };
    entry.touch(now);
    runtime.event(60);
    let mark = if runtime.log_only { Mark::LogOnly } else { Mark::Enforced };
    let repeated = match line(entry.change_refusals(|n| n.saturating_add(1)).map_or(1, |(_, n)| n)) {
        Line::Single => None,
        Line::Repeated(times) => Some(times),
        Line::Silent => return true,
    };
    log::server(server, log::Level::Error, || message::blocked_connection(&blocked, mark, repeated, address));
    true
}

/// A block is over: what was not said of refused connections yet.
pub fn released(server: *const ffi::server_rec, refusals: u32, max: u32, counter: Counter, client: Address, now: u32) {
    if let Some(times) = remainder(refusals) {
        let blocked = Blocked { max, current: counter.count, age: counter.age(now) };
        log::server(server, log::Level::Error, || message::blocked_connection(&blocked, Mark::Previously, Some(times), client));
    }
}

/// Text with its NUL, as notes and variables want it.
fn text<const N: usize>(value: &str) -> [u8; N] {
    let mut text = [0; N];
    if value.len() < N {
        text.iter_mut().zip(value.bytes()).for_each(|(to, from)| *to = from);
    }
    text
}

/// Looks the client up, for the rules about it and for what its requests show. `counted`: the domain and the key by which its
/// connections are counted; `connections`: all, this one included.
pub fn look_up(runtime: &Runtime, address: Address, counted: (u64, CountKey), connections: u32) -> (Known, admission::Client) {
    let (mut known, mut client) = (Known::default(), admission::Client::default());
    if let Some(store) = &runtime.clients {
        let now = now();
        if let Some(entry) = store.entry_of(&runtime.region, runtime.client(address), counted, now) {
            known.entry = Some(entry.id());
            let marks = entry.marks(now);
            known.vip = marks.vip;
            client.vip = marks.vip;
            if let Some(prefer) = runtime.rules.prefer {
                if marks.is_low(now) {
                    known.low = text(&format!("0x{:02x}", marks.flags));
                }
                client.not_preferred = prefer.judge(marks, connections, runtime.max_clients, now);
            }
        }
    }
    if runtime.countries.is_some() {
        let country = runtime.country(address);
        if let Some(country) = country {
            known.country = text(&country.to_string());
        }
        client.country = runtime.geo.rule.as_ref().and_then(|rule| rule.judge(country, connections));
    }
    (known, client)
}

/// Notes of the connection, by the connection's own thread.
pub fn publish(connection: Connection<'_>, known: &Known) {
    if known.vip {
        connection.add_note(c"QS_IsVipRequest", c"yes".as_ptr());
    }
    if known.low[0] != 0 {
        connection.add_note(c"QS_ClientLowPrio", known.low.as_ptr().cast());
    }
    if known.country[0] != 0 {
        connection.add_note(c"QS_Country", known.country.as_ptr().cast());
    }
}

/// Counts events for the block rule of a connection's client.
pub fn block_event(runtime: &Runtime, store: &ClientStore, address: Address, weight: u32) {
    let Some(rule) = runtime.rules.block else { return };
    let now = now();
    if let Some(entry) = store.entry(&runtime.region, runtime.client(address), now) {
        let _ = entry.change_block(now, |counter| rule.count(counter, weight, now));
    }
}

/// A connection ends: what it says of its client.
pub fn ended(runtime: &Runtime, record: &ConnectionRecord) {
    let (Some(store), Some(slot)) = (&runtime.clients, record.slot) else { return };
    // The balancer is not the client.
    if record.announced.load(Ordering::Acquire) == announced::AWAITED {
        return;
    }
    let flags = slot.flags.load(Ordering::Acquire);
    let (slow, prefer) = (flags & flag::SLOW != 0, runtime.rules.prefer.is_some());
    let vip = record.becomes_vip.load(Ordering::Acquire);
    if slow || prefer || vip {
        let now = now();
        let id = record.known.get().and_then(|known| known.entry);
        if let Some(entry) = store.resume(&runtime.region, runtime.client(record.client()), id, now) {
            if prefer {
                entry.add_statistics(&Statistics { responses: [0; 5], activity: 1 });
            }
            if vip {
                let _ = entry.change_marks(now, |marks| marks.promote(now, runtime.vip_timeout));
            }
            if slow {
                let _ = entry.change_marks(now, |marks| marks.lower(low::SLOW, now));
            }
        }
    }
    let special = runtime.rules.special;
    if !special.any() {
        return;
    }
    let unused = slot.requests.load(Ordering::Acquire) == 0 && flags & flag::BLOCK_SEEN == 0;
    let code = if special.per_ip && flags & flag::PER_IP != 0 {
        "QS_SrvMaxConnPerIP"
    } else if special.broken && flags & flag::BROKEN != 0 {
        "BrokenConnection"
    } else if special.null && unused {
        "NullConnection"
    } else {
        return;
    };
    let client = record.client();
    log::server(runtime.main, log::Level::Debug, || format!("mod_qos(): QS_Block event: {code}, c={client}"));
    block_event(runtime, store, client, 1);
}
