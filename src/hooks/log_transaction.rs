//! A request is over: its response was handed to the network (request-event.md section 2.9).

use super::RequestState;
use super::client_log;
use super::header_parser::log_env;
use super::limits;
use super::post_read_request::server_record;
use super::set_variables;
use crate::filters;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{clock, decimal, ffi};
use crate::runtime::{ConnectionRecord, feature, runtime};
use qos_core::letters::Letters;
use qos_core::qslog;
use std::ffi::{CStr, c_int};
use std::sync::atomic::Ordering;

/// The hook.
pub unsafe extern "C" fn log_transaction(r: *mut ffi::request_rec) -> c_int {
    guard("log_transaction", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        let Some(connection) = Connection::of(request) else { return ffi::DECLINED };
        let Some(record) = ConnectionRecord::of(connection) else { return ffi::DECLINED };
        let mut state = RequestState::of(request);
        if let Some(state) = state.as_deref_mut() {
            throttled(request, state);
        }
        log_env(request, "<LG_1");
        if set_variables::at_end(request) {
            // There may be more to count.
            if let Some(state) = state.as_deref_mut() {
                state.settled = None;
            }
        }
        let mut letters = state.as_deref().map_or(Letters::NONE, |state| state.letters);
        if feature::any(feature::CLIENTS) {
            if let Some(runtime) = runtime() {
                letters.add_all(&client_log::update(request, state.as_deref(), record, runtime));
            }
        }
        let requests = end_of_rules(request, state.as_deref_mut());
        if let Some(state) = state.as_deref_mut() {
            state.release();
        }
        variables(request, record, letters, requests);
        if feature::any(feature::FILTERS) {
            super::url_filter::share(request);
        }
        super::fixups::switch_rate_off(request);
        if feature::any(feature::LOG_PROGRAM) {
            pipe_line(request);
        }
        match state.map(|state| std::mem::take(&mut state.open)) {
            Some(true) => ended(request, connection, record),
            // Denied before it was a request (400, 408, 414): a request of the connection all the same.
            None if request.is_initial() => {
                if let Some(slot) = record.slot {
                    slot.requests.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => (),
        }
        ffi::DECLINED
    })
}

/// A response that was throttled, or would have been: letter `L`, and how long it waited (request-event.md section 8.4).
fn throttled(request: Request<'_>, state: &mut RequestState) {
    if let Some(delayed) = filters::throttle::end(state) {
        state.letters.add(b'L');
        let mut digits = [0u8; 20];
        request.set_variable(c"QS_ResponseDelayTime", request.pool().string(decimal(delayed, &mut digits)));
    }
}

/// Rules about requests: counts of events, measured rates. Returns `mod_qos_cr`.
fn end_of_rules(request: Request<'_>, state: Option<&mut RequestState>) -> Option<u32> {
    if !feature::any(feature::RULES) {
        return None;
    }
    // A request that began before this second is measured in the second in which it began.
    let age = clock::wall_microseconds().saturating_sub(request.arrived_us().unsigned_abs());
    let began = u32::try_from((clock::monotonic_us().saturating_sub(age)) / 1_000_000).unwrap_or(u32::MAX);
    limits::end(request, state, runtime()?, began)
}

/// `mod_qos_con`, `mod_qos_cr` and `mod_qos_ev`, on each request of a redirect chain (request-event.md W01).
fn variables(request: Request<'_>, record: &ConnectionRecord, letters: Letters, requests: Option<u32>) {
    let vip = record.vip.load(Ordering::Acquire);
    if requests.is_none() && letters.is_empty() && record.letters.is_empty() && !vip && !feature::any(feature::MAX_CONNECTIONS) {
        return;
    }
    let with_limit = feature::any(feature::MAX_CONNECTIONS) && server_record(request).is_some_and(|server| server.config.max_connections.is_some());
    let connections = match (with_limit, runtime(), record.server.and_then(|server| server.derived())) {
        (true, Some(runtime), Some(derived)) => {
            let count = runtime.region.count(derived.key);
            Some(request.pool().string(count.to_string().as_bytes()))
        }
        _ => None,
    };
    let mut of_connection = record.letters;
    // An announced address is known to be excluded only when the first request has come.
    if vip {
        of_connection.add(b'S');
    }
    let events = Letters::render(&of_connection, &letters);
    let events = (!events.is_empty()).then(|| request.pool().string(&events));
    let requests = requests.map(|requests| request.pool().number(requests));
    if connections.is_none() && events.is_none() && requests.is_none() {
        return;
    }
    let set = |request: Request<'_>, name: &'static CStr, value| {
        if let Some(value) = value {
            request.set_variable(name, value);
        }
    };
    let mut next = Some(request);
    while let Some(request) = next {
        set(request, c"mod_qos_con", connections);
        set(request, c"mod_qos_cr", requests);
        set(request, c"mod_qos_ev", events);
        next = request.next();
    }
}

/// A line for the program of `QSLog` (connection-client.md section 13.4).
fn pipe_line(request: Request<'_>) {
    let Some(pipe) = runtime().and_then(|runtime| runtime.log_pipe) else { return };
    let last = request.last();
    let line = qslog::Line {
        client: request.client(),
        status: u16::try_from(last.status()).unwrap_or(0),
        sent: last.bytes_sent(),
        content_length: request.header(c"Content-Length"),
        duration: clock::wall_microseconds().saturating_sub(request.arrived_us().unsigned_abs()),
        user_id: request.variable(c"mod_qos_user_id"),
        keep_alive: u32::try_from(request.number_on_connection().saturating_sub(1)).unwrap_or(0),
        event: request.variable(c"Event"),
        letters: request.variable(c"mod_qos_ev"),
        all_connections: request.variable(c"QS_AllConn"),
        server: request.server_name(),
        uri: request.uri(),
    };
    crate::httpd::log::pipe(pipe, &line.render());
}

/// The connection goes to keep-alive or to its end.
fn ended(request: Request<'_>, connection: Connection<'_>, record: &ConnectionRecord) {
    let kept_alive = connection.is_stream() || connection.is_kept_alive();
    if let Some(local) = record.local {
        let timeout = match record.keep_alive.load(Ordering::Relaxed) {
            0 => u32::try_from(request.keep_alive_ms()).unwrap_or(u32::MAX),
            seconds => seconds.saturating_mul(1000),
        };
        if local.keep_alive_ms.load(Ordering::Relaxed) != timeout {
            local.keep_alive_ms.store(timeout, Ordering::Relaxed);
        }
    }
    record.step(|state| state.request_ends(kept_alive));
    if let Some(slot) = record.slot {
        slot.requests.fetch_add(1, Ordering::Relaxed);
    }
}
