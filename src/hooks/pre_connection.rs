//! A client connects, and its connection ends (connection-client.md section 6).

use super::connecting::{self, REFUSED};
use crate::config::ServerRecord;
use crate::filters;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::{clock, decimal, ffi, log, socket};
use crate::runtime::{ConnectionRecord, Runtime, Watched, announced, child, feature, flag, runtime};
use once_cell::sync::OnceCell;
use qos_core::address::Address;
use qos_core::admission::{self, Counts, Refusal, Rules, judge, max_connections};
use qos_core::letters::Letters;
use qos_core::message::{self, Mark};
use qos_core::phase::State;
use qos_core::repeat::{Line, line, remainder};
use qos_shm::{CountKey, Holding};
use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How long a connection's end waits for the watcher to let go of its socket.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The hook: after TLS and remoteip have prepared the connection, before a byte was read.
pub unsafe extern "C" fn pre_connection(c: *mut ffi::conn_rec, socket: *mut c_void) -> c_int {
    guard("pre_connection", ffi::DECLINED, || {
        // SAFETY: httpd passes the connection.
        let (Some(connection), Some(runtime)) = (unsafe { Connection::new(c) }, runtime()) else { return ffi::DECLINED };
        if connection.is_stream() {
            filters::add_stream_filter(connection, runtime);
            return ffi::DECLINED;
        }
        // Aborted: refused before TLS.
        if connection.is_outgoing() || connection.is_aborted() {
            return ffi::DECLINED;
        }
        // SAFETY: httpd passes the client's socket.
        admit(connection, unsafe { socket::descriptor(socket) }, runtime)
    })
}

fn admit(connection: Connection<'_>, fd: Option<i32>, runtime: &'static Runtime) -> c_int {
    let Some(server) = ServerRecord::of(connection.base_server()) else { return ffi::DECLINED };
    let Some(derived) = server.derived() else { return ffi::DECLINED };
    let peer = connection.address();
    let awaited = connection.awaits_address();
    let now = clock::monotonic_ms();
    let id = child().and_then(|state| state.child.open(&peer.octets(), derived.number, now));
    let mut excluded = !awaited && server.config.exclude.contains(peer);
    let state = child();
    let record = connection.pool().place(ConnectionRecord {
        id,
        slot: state.zip(id).and_then(|(state, id)| state.child.slot(id)),
        local: state.zip(id).and_then(|(state, id)| state.local(state.child.local_index(id))),
        server: Some(server),
        peer,
        server_connections: null(),
        all_connections: null(),
        address_connections: AtomicPtr::new(null_mut()),
        address_text: std::cell::UnsafeCell::new([0; 12]),
        known: OnceCell::new(),
        letters: Letters::NONE,
        vip: AtomicBool::new(excluded),
        becomes_vip: AtomicBool::new(false),
        announced: AtomicU8::new(if awaited { announced::AWAITED } else { announced::NO }),
        refused: AtomicBool::new(false),
        keep_alive: AtomicU32::new(0),
        comes_back: AtomicBool::new(false),
        hold: AtomicPtr::new(null_mut()),
        connection_id: std::cell::UnsafeCell::new([0; 64]),
        connection_id_state: AtomicU8::new(0),
    });
    connection.set_state(record.cast());
    connection.pool().on_clear(record.cast(), connection_ends);
    // SAFETY: just placed; nobody else knows it yet.
    let record = unsafe { &mut *record };
    let (Some(state), Some(id)) = (state, id) else {
        table_full(runtime, "connection");
        return ffi::DECLINED;
    };
    record.step(|_| State::NEW);
    if feature::any(feature::BLOCK) && connection.has_note(c"QS_Block_seen") {
        record.flag(flag::BLOCK_SEEN);
    }
    if connection.is_tls() {
        record.flag(flag::TLS);
    }

    let server_key = derived.key;
    let address_key = runtime.region.key(derived.domain, &runtime.client(peer).octets());
    let all = state.child.enter(id, Holding::All, runtime.all);
    let on_server = if server_key == runtime.all { all } else { state.child.enter(id, Holding::Server, server_key) };
    let of_address = if awaited { None } else { state.child.enter(id, Holding::Address, address_key) };
    if all.is_none() || on_server.is_none() || (!awaited && of_address.is_none()) {
        table_full(runtime, "counter");
    }
    let counts = Counts { all: all.unwrap_or(0), server: on_server.unwrap_or(0), address: of_address };
    publish_counts(connection, record, &counts, server.config.per_ip.is_some());
    let mut client = admission::Client::default();
    if !awaited && feature::any(feature::CLIENTS | feature::COUNTRIES) {
        let (known, judged) = connecting::look_up(runtime, peer, (derived.domain, address_key), counts.all);
        client = judged;
        let known = record.known.get_or_init(|| known);
        connecting::publish(connection, known);
    }
    excluded |= client.vip;
    client.vip = excluded;
    if excluded {
        record.vip.store(true, Ordering::Release);
        record.letters.add(b'S');
        record.flag(flag::VIP);
    }
    filters::watch_input(connection, record, runtime);
    watch(connection, fd, record, runtime, peer);

    let rules = rules(server);
    let refusals = if awaited { max_connections(&rules, &counts, excluded).into_iter().collect() } else { judge(&rules, &counts, &client, runtime.log_only) };
    for refusal in &refusals {
        report(connection.base_server(), runtime, *refusal, [server_key, address_key], peer);
        if matches!(refusal, Refusal::PerIp { .. }) {
            record.flag(flag::PER_IP);
        }
    }
    if refusals.is_empty() || runtime.log_only {
        say_previous(connection.base_server(), runtime, &rules, &counts, [server_key, address_key], &refusals, peer);
        return ffi::DECLINED;
    }
    record.refused.store(true, Ordering::Release);
    record.flag(flag::CUT);
    record.step(State::closing);
    connection.abort();
    if runtime.forced_close { REFUSED } else { ffi::DECLINED }
}

/// The connection rules of a server.
pub fn rules(server: &ServerRecord) -> Rules {
    let config = &server.config;
    Rules {
        max_connections: config.max_connections,
        per_ip: config.per_ip,
        per_ip_from: config.per_ip_from.unwrap_or(0),
        per_ip_ignore_vip: config.per_ip_ignore_vip.unwrap_or(false),
    }
}

/// Notes of the connection, from which each request gets its variables.
fn publish_counts(connection: Connection<'_>, record: &mut ConnectionRecord, counts: &Counts, per_ip: bool) {
    let pool = connection.pool();
    record.server_connections = pool.number(counts.server);
    record.all_connections = pool.number(counts.all);
    connection.add_note(c"QS_SrvConn", record.server_connections);
    connection.add_note(c"QS_AllConn", record.all_connections);
    if per_ip {
        if let Some(count) = counts.address {
            publish_address_count(connection, record, Some(count));
        } else if record.announced.load(Ordering::Acquire) == announced::NO {
            publish_address_count(connection, record, None);
        }
    }
}

/// `QS_IPConn`; -1 where the address could not be counted. Called once for a connection, by the thread that counts its address.
pub fn publish_address_count(connection: Connection<'_>, record: &ConnectionRecord, count: Option<u32>) {
    let mut digits = [0u8; 10];
    let text = count.map_or(&b"-1"[..], |count| decimal(u64::from(count), &mut digits));
    let place = record.address_text.get();
    // SAFETY: written by one thread, before the pointer is published; ten digits and the NUL, which is there already, fit.
    unsafe { (*place).iter_mut().zip(text).for_each(|(to, from)| *to = *from) };
    record.address_connections.store(place.cast(), Ordering::Release);
    // The table of notes belongs to the connection's own thread.
    if !connection.is_stream() {
        connection.add_note(c"QS_IPConn", place.cast_const().cast());
    }
}

/// Hands the socket to the watcher.
fn watch(connection: Connection<'_>, fd: Option<i32>, record: &ConnectionRecord, runtime: &Runtime, address: Address) {
    let (Some(fd), Some(local)) = (fd, record.local) else { return };
    let demanded = runtime.rate.is_some() && record.server.is_some_and(|server| !server.config.data_rate_off);
    local.keep_alive_ms.store(0, Ordering::Relaxed);
    local.handed_on.store(0, Ordering::Relaxed);
    *local.watched.lock() = Some(Watched { fd, server: connection.base_server(), address, demanded });
}

/// Takes the socket back: from now on it may be closed.
fn unwatch(record: &ConnectionRecord) {
    let Some(local) = record.local else { return };
    // The watcher holds the lock for a system call or two. A prefork child that a signal ends at this very place
    // holds it itself: it must not wait for ever, and the process is gone in a moment.
    if let Some(mut watched) = local.watched.try_lock_for(LOCK_PATIENCE) {
        *watched = None;
    }
}

/// 030, 031, 066, 101: singly at first, then summed up: 030 by server, the others by address.
pub fn report(server: *const ffi::server_rec, runtime: &Runtime, refusal: Refusal, keys: [CountKey; 2], client: Address) {
    runtime.event(message::refusal_id(refusal));
    let [server_key, address_key] = keys;
    let key = if matches!(refusal, Refusal::MaxConnections { .. }) { server_key } else { address_key };
    let mark = if runtime.log_only { Mark::LogOnly } else { Mark::Enforced };
    let repeated = match line(runtime.region.refused(key)) {
        Line::Single => None,
        Line::Repeated(times) => Some(times),
        Line::Silent => return,
    };
    log::server(server, log::Level::Error, || message::refusal(refusal, mark, repeated, client));
}

/// A connection was allowed after a row of refusals: what was not said yet.
fn say_previous(server: *const ffi::server_rec, runtime: &Runtime, rules: &Rules, counts: &Counts, keys: [CountKey; 2], refusals: &[Refusal], client: Address) {
    let [server_key, address_key] = keys;
    if let Some(max) = rules.max_connections {
        if !refusals.iter().any(|refusal| matches!(refusal, Refusal::MaxConnections { .. })) {
            previous(server, runtime, Refusal::MaxConnections { max, connections: counts.server }, server_key, client);
        }
    }
    if let (Some(max), Some(connections)) = (rules.per_ip, counts.address) {
        if !refusals.iter().any(|refusal| matches!(refusal, Refusal::PerIp { .. })) {
            previous(server, runtime, Refusal::PerIp { max, connections }, address_key, client);
        }
    }
}

/// See [`say_previous`], for one rule.
pub fn previous(server: *const ffi::server_rec, runtime: &Runtime, refusal: Refusal, key: CountKey, client: Address) {
    if let Some(times) = remainder(runtime.region.take_refusals(key)) {
        log::server(server, log::Level::Error, || message::refusal(refusal, Mark::Previously, Some(times), client));
    }
}

/// 035, at most once a second per child.
pub fn table_full(runtime: &Runtime, what: &'static str) {
    static SAID: AtomicU64 = AtomicU64::new(0);
    static COUNT: AtomicU32 = AtomicU32::new(0);
    runtime.event(35);
    COUNT.fetch_add(1, Ordering::Relaxed);
    let now = clock::monotonic_ms();
    let said = SAID.load(Ordering::Relaxed);
    if now.saturating_sub(said) >= 1000 && SAID.compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        let room = runtime.region.sizing().connections;
        log::server(runtime.main, log::Level::Alert, || message::table_full(what, room));
    }
}

/// httpd is about to close the connection: the watcher must not touch the socket any more.
pub unsafe extern "C" fn pre_close_connection(c: *mut ffi::conn_rec) -> c_int {
    guard("pre_close_connection", ffi::OK as c_int, || {
        // SAFETY: httpd passes the connection.
        if let Some(connection) = unsafe { Connection::new(c) } {
            if !connection.is_stream() {
                if let Some(record) = ConnectionRecord::of(connection) {
                    super::waiting::closes(connection, record);
                    unwatch(record);
                    if record.has_flag(flag::CUT) || runtime().is_some_and(linger_shortly) {
                        connection.set_note(c"short-lingering-close", c"1".as_ptr());
                    }
                    record.step(State::closing);
                }
            }
        }
        ffi::OK as c_int
    })
}

/// Whether a lingering close would hold a worker that others need: then it lasts 2 seconds instead of 30.
fn linger_shortly(runtime: &Runtime) -> bool {
    let shared = runtime.region.shared();
    let few_free = || !runtime.is_async && shared.idle_workers.load(Ordering::Relaxed) < runtime.workers.div_ceil(2);
    runtime.rate.is_some() && !runtime.log_only && (shared.pressure.first().is_some_and(|level| level.load(Ordering::Relaxed) > 0) || few_free())
}

/// The connection's pool ends: everything it was counted in is given back.
unsafe extern "C" fn connection_ends(data: *mut c_void) -> ffi::apr_status_t {
    guard("end of connection", (), || {
        // SAFETY: registered with a record that lives in the same pool.
        let record = unsafe { &*data.cast::<ConnectionRecord>() };
        unwatch(record);
        if let (Some(state), Some(id)) = (child(), record.id) {
            if feature::any(feature::CLIENTS) {
                if let Some(runtime) = runtime() {
                    connecting::ended(runtime, record);
                }
            }
            state.child.close(id);
        }
    });
    0
}
