//! A request head is complete (request-event.md section 2.2, PR-1 and PR-2).

use super::request_state::{RequestState, connection_id};
use super::{header_parser, pre_connection};
use crate::config::ServerRecord;
use crate::httpd::connection::{self, Connection};
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{ffi, socket};
use crate::runtime::{ConnectionRecord, Runtime, announced, child, feature, flag, runtime};
use qos_core::admission::{Counts, Refusal, per_ip};
use qos_core::phase::State;
use qos_shm::Holding;
use std::ffi::c_int;
use std::sync::atomic::Ordering;

/// Before mod_setenvif, so that its rules see the variables.
pub unsafe extern "C" fn before_setenvif(r: *mut ffi::request_rec) -> c_int {
    guard("post_read_request", ffi::DECLINED, || {
        // SAFETY: httpd passes the request and, in it, its connection.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        // SAFETY: as above.
        let Some(connection) = (unsafe { Connection::new(request.connection()) }) else { return ffi::DECLINED };
        let Some(record) = ConnectionRecord::of(connection) else { return ffi::DECLINED };
        if request.is_initial() {
            RequestState::begin(request);
            if connection.is_stream() && !record.has_flag(flag::MULTIPLEXED) {
                record.flag(flag::MULTIPLEXED);
            }
            record.step(State::request_begins);
            if record.announced.load(Ordering::Acquire) == announced::AWAITED {
                if let Some(runtime) = runtime() {
                    if let Some(refused) = announce(request, connection, record, runtime) {
                        return refused;
                    }
                }
            }
        }
        variables(request, connection, record);
        // httpd renames the variables of a redirected request; this one keeps its name (request-event.md section 2.10).
        if let Some(outer) = request.outer() {
            request.take_variable(c"QS_ErrorNotes", outer);
        }
        header_parser::log_env(request, ">PR_1");
        ffi::DECLINED
    })
}

/// After mod_setenvif.
pub unsafe extern "C" fn after_setenvif(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::LOG_ENV) {
        return ffi::DECLINED;
    }
    guard("post_read_request", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        if let Some(request) = unsafe { Request::new(r) } {
            header_parser::log_env(request, ">PR_2");
        }
        ffi::DECLINED
    })
}

/// The connection's numbers as variables of the request; with HTTP/2 those of the master (W08).
fn variables(request: Request<'_>, connection: Connection<'_>, record: &ConnectionRecord) {
    if !record.all_connections.is_null() {
        request.add_variable(c"QS_SrvConn", record.server_connections);
        request.add_variable(c"QS_AllConn", record.all_connections);
    }
    let address_connections = record.address_connections.load(Ordering::Acquire);
    if !address_connections.is_null() {
        request.add_variable(c"QS_IPConn", address_connections);
    }
    request.add_variable(c"QS_ConnectionId", connection_id(request, record, connection.master().id()));
}

/// The first request of a connection whose client the PROXY protocol announces: only now its
/// address is known, counted and judged (W26). `Some`: the connection is refused.
fn announce(request: Request<'_>, connection: Connection<'_>, record: &ConnectionRecord, runtime: &'static Runtime) -> Option<c_int> {
    if record.announced.compare_exchange(announced::AWAITED, announced::KNOWN, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return None;
    }
    let (state, id, server) = (child()?, record.id?, record.server?);
    let derived = server.derived()?;
    // SAFETY: an address of the request.
    let client = unsafe { connection::address(request.client_address()) };
    record.slot?.set_address(&client.octets());
    if let Some(local) = record.local {
        if let Some(watched) = local.watched.lock().as_mut() {
            watched.address = client;
        }
    }
    let key = runtime.region.key(derived.domain, &client.octets());
    let count = state.child.enter(id, Holding::Address, key);
    if count.is_none() {
        pre_connection::table_full(runtime, "counter");
    }
    let vip = server.config.exclude.contains(client);
    if vip {
        record.vip.store(true, Ordering::Release);
        record.flag(flag::VIP);
    }
    let rules = pre_connection::rules(server);
    if rules.per_ip.is_some() {
        pre_connection::publish_address_count(connection, record, count);
    }
    let all = runtime.region.count(runtime.all);
    let counts = Counts { all, server: all, address: count };
    let base = connection.master().base_server();
    let Some(refusal) = per_ip(&rules, &counts, vip) else {
        if let (Some(max), Some(connections)) = (rules.per_ip, count) {
            pre_connection::previous(base, runtime, Refusal::PerIp { max, connections }, key, client);
        }
        return None;
    };
    pre_connection::report(base, runtime, refusal, key, client);
    if runtime.log_only {
        return None;
    }
    record.refused.store(true, Ordering::Release);
    record.flag(flag::CUT);
    if connection.is_stream() {
        // The master belongs to another thread: its socket is shut down, it sees the end by itself.
        if let Some(local) = record.local {
            if let Some(watched) = *local.watched.lock() {
                socket::cut(watched.fd);
            }
        }
    }
    connection.abort();
    Some(ffi::HTTP_FORBIDDEN as c_int)
}

/// The record of the request's server.
pub fn server_record<'a>(request: Request<'a>) -> Option<&'a ServerRecord> {
    ServerRecord::of(request.server())
}
