//! A request head is complete (request-event.md section 2.2, PR-1 and PR-2).

use super::deny::{count_and_note, mark};
use super::request_state::{RequestState, connection_id};
use super::{connecting, header_parser, identity, limits, parameters, pre_connection, set_variables, tracking};
use crate::clients;
use crate::config::ServerRecord;
use crate::filters;
use crate::httpd::connection::{self, Connection};
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log, socket};
use crate::runtime::{ConnectionRecord, Runtime, announced, child, feature, flag, runtime};
use qos_core::admission::{self, Counts, Refusal, Rules, judge};
use qos_core::message;
use qos_core::phase::State;
use qos_core::rules::message::summed_up;
use qos_shm::Holding;
use std::ffi::{CStr, c_int};
use std::sync::atomic::Ordering;

/// Before mod_setenvif, so that its rules see the variables.
pub unsafe extern "C" fn before_setenvif(r: *mut ffi::request_rec) -> c_int {
    guard("post_read_request", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        set_variables::unset_request_headers(request);
        let Some(connection) = Connection::of(request) else { return ffi::DECLINED };
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
            filters::input_again(request);
            request.take_variable(c"QS_ErrorNotes", outer);
            request.take_variable(c"QS_RuleId", outer);
            request.take_variable(c"QS_Country", outer);
            if feature::any(feature::INHERITED) {
                inherit(request, outer);
            }
        }
        if feature::any(feature::CLIENTS | feature::COUNTRIES) {
            client_variables(request, record);
        }
        if feature::any(feature::RULES) && request.is_initial() {
            if let Some(rules) = limits::rules_of(request).filter(|rules| !rules.counts.is_empty()) {
                limits::publish_counts(request, rules, clients::now(), false);
            }
        }
        if request.is_initial() {
            parameters::activate(request);
        }
        header_parser::log_env(request, ">PR_1");
        if request.target_path().is_none() { unusable(request) } else { ffi::DECLINED }
    })
}

/// The target of a request has neither a path nor anything that stands for one (045): 400, without an error page.
#[cold]
fn unusable(request: Request<'_>) -> c_int {
    static LINES: log::Sparse = log::Sparse::new();
    let Some(runtime) = runtime() else { return ffi::DECLINED };
    count_and_note(request, runtime, 45);
    if log::has_line(request, log::Level::Error, LINES.one_more(), |times| summed_up(45, message::NO_PATH, times)) {
        let (client, id) = (String::from_utf8_lossy(request.client()), header_parser::unique_id(request));
        log::request(request, log::Level::Error, || message::unusable_target(mark(runtime, false), &client, &id));
    }
    if runtime.log_only { ffi::DECLINED } else { ffi::HTTP_BAD_REQUEST as c_int }
}

/// After mod_setenvif.
pub unsafe extern "C" fn after_setenvif(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::LOG_ENV | feature::TRACKING) {
        return ffi::DECLINED;
    }
    guard("post_read_request", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        header_parser::log_env(request, ">PR_2");
        if feature::any(feature::TRACKING) && request.is_initial() { tracking::identify(request) } else { ffi::DECLINED }
    })
}

/// Variables that a request shares with the one it was redirected from, or that it is part of (request-event.md section 2.10).
pub const SHARED_VARIABLES: [&CStr; 15] = [
    c"mod_qos_user_id",
    c"QS_Serialize",
    c"QS_SrvSerialize",
    c"QS_Block",
    c"QS_Block_seen",
    c"QS_Block_Decrement",
    c"QS_Limit",
    c"QS_Limit_seen",
    c"QS_Event",
    c"QS_Cond",
    c"QS_IsVipRequest",
    c"QS_VipRequest",
    c"QS_KeepAliveTimeout",
    c"QS_MaxKeepAliveRequests",
    c"QS_KeepAliveEnd",
];

/// Takes over what the request before has, for rules and for pages that show it.
fn inherit(request: Request<'_>, outer: Request<'_>) {
    for name in SHARED_VARIABLES {
        request.take_variable(name, outer);
    }
    let Some(runtime) = runtime() else { return };
    for rule in &runtime.rules.limits {
        let names = &rule.names;
        for name in [&names.event, &names.counter, &names.remaining, &names.seen] {
            request.take_variable(name, outer);
        }
    }
}

/// What is known of the client, with HTTP/2 that of the master.
fn client_variables(request: Request<'_>, record: &ConnectionRecord) {
    let Some(known) = record.known.get() else { return };
    if known.low[0] != 0 {
        request.add_variable(c"QS_ClientLowPrio", known.low.as_ptr().cast());
    }
    if known.vip {
        request.add_variable(c"QS_IsVipRequest", c"yes".as_ptr());
    }
    if feature::any(feature::COUNTRIES) && request.is_initial() && request.variable(c"QS_Country").is_none() {
        identity::set_country(request, record, known);
    }
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
    let server_key = derived.key;
    let key = runtime.region.key(derived.domain, &runtime.client(client).octets());
    let count = state.child.enter(id, Holding::Address, key);
    if count.is_none() {
        pre_connection::table_full(runtime, "counter");
    }
    let all = runtime.region.count(runtime.all);
    let mut judged = admission::Client::default();
    if feature::any(feature::CLIENTS | feature::COUNTRIES) {
        let (known, verdicts) = connecting::look_up(runtime, client, (derived.domain, key), all);
        judged = verdicts;
        let _ = record.known.set(known);
    }
    let vip = judged.vip || server.config.exclude.contains(client);
    judged.vip = vip;
    if vip {
        record.vip.store(true, Ordering::Release);
        record.flag(flag::VIP);
    }
    let rules = pre_connection::rules(server);
    if rules.per_ip.is_some() {
        pre_connection::publish_address_count(connection, record, count);
    }
    let counts = Counts { all, server: all, address: count };
    let base = connection.master().base_server();
    let blocked = connecting::is_blocked(runtime, base, client);
    if blocked {
        record.flag(flag::BLOCK_SEEN);
    }
    // The number of connections was judged when the connection came.
    let of_address = Rules { max_connections: None, ..rules };
    let refusals = if blocked && !runtime.log_only { Vec::new() } else { judge(&of_address, &counts, &judged, runtime.log_only) };
    for refusal in &refusals {
        pre_connection::report(base, runtime, *refusal, [server_key, key], client);
        if matches!(refusal, Refusal::PerIp { .. }) {
            record.flag(flag::PER_IP);
        }
    }
    if let (Some(max), Some(connections), true) = (rules.per_ip, count, refusals.is_empty()) {
        pre_connection::previous(base, runtime, Refusal::PerIp { max, connections }, key, client);
    }
    if runtime.log_only || (!blocked && refusals.is_empty()) {
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
