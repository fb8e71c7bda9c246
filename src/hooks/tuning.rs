//! Variables that tune one request or its connection (request-event.md section 17): `QS_KeepAliveTimeout`, `QS_MaxKeepAliveRequests`,
//! `QS_KeepAliveEnd`, `QS_Timeout` and `QS_Set_DSCP`.
//!
//! How long a connection waits for its next request is decided by its thread on prefork and worker, which set the socket's timeout just before
//! they read it. On event the time is the property of a queue for all connections of a server: a time of its own for one connection cannot be had
//! there (037), the end of the connection and the number of its requests can.

use super::RequestState;
use super::deny::note_error;
use super::header_parser::unique_id;
use crate::filters;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::keep_alive::Numbers;
use crate::httpd::request::Request;
use crate::httpd::{ffi, log, server, socket};
use crate::runtime::{ConnectionRecord, feature, runtime, steps};
use qos_core::header_filter::shown_value;
use qos_core::order::Step;
use qos_core::variables::tuning::{self, KeepAlive};
use std::sync::atomic::Ordering;

static NOT_SUPPORTED: log::Sparse = log::Sparse::new();
static NOT_SET: log::Sparse = log::Sparse::new();

/// Finds out at start which of the variables may be set: their names occur in the configuration, or something else than the configuration sets
/// variables.
pub fn look_for_variables() {
    let [timeout, requests, end, time, service, delay, body, inflate, parp] = server::mentioned([
        "QS_KeepAliveTimeout",
        "QS_MaxKeepAliveRequests",
        "QS_KeepAliveEnd",
        "QS_Timeout",
        "QS_Set_DSCP",
        "QS_Delay",
        "QS_LimitRequestBody",
        "QS_DeflateReqBody",
        "parp",
    ]);
    let elsewhere = server::differs("AllowOverride", "None")
        || server::differs("AllowOverrideList", "None")
        || [c"mod_lua.c", c"mod_perl.c", c"mod_python.c", c"mod_wsgi.c", c"mod_security2.c"].iter().any(|name| server::has_module(name));
    if timeout || requests || end || elsewhere {
        feature::add(feature::KEEP_ALIVE);
        steps::add(&[Step::KeepAlive]);
    }
    if time || elsewhere {
        steps::add(&[Step::Timeout]);
    }
    if service || elsewhere {
        feature::add(feature::SERVICE);
    }
    if delay || elsewhere {
        steps::add(&[Step::Delay]);
    }
    if body || elsewhere {
        feature::add(feature::BODY_LIMIT);
    }
    if parp {
        steps::add(&[Step::ReadBody]);
    }
    if inflate || elsewhere {
        if server::has_module(c"mod_deflate.c") {
            feature::add(feature::INFLATE);
        } else if inflate {
            log::main_server(log::Level::Crit, "mod_qos(009): QS_DeflateReqBody has no effect without mod_deflate: compressed bodies cannot be inspected");
        }
    }
}

/// Step 16: `QS_Timeout`. A stream of HTTP/2 shares its connection's socket with others.
pub fn timeout(request: Request<'_>) {
    let Some(connection) = Connection::of(request).filter(|connection| !connection.is_stream()) else { return };
    if let Some(seconds) = request.variable(c"QS_Timeout").and_then(tuning::timeout) {
        connection.set_timeout(seconds);
    }
}

/// Step 8: what the variables say before the response is made.
pub fn keep_alive(request: Request<'_>, state: &mut RequestState) {
    let said = read(request);
    if !said.is_empty() && runtime().is_some_and(|runtime| !runtime.log_only) {
        state.keep_alive = said;
    }
}

fn read(request: Request<'_>) -> KeepAlive {
    KeepAlive::read(request.variable(c"QS_KeepAliveTimeout"), request.variable(c"QS_MaxKeepAliveRequests"), request.variable(c"QS_KeepAliveEnd"))
}

/// A response begins: the type of service, then keep-alive, for this response only (W40).
pub fn at_response(request: Request<'_>) {
    if feature::any(feature::KEEP_ALIVE | feature::SERVICE) && !request.is_sub_request() {
        set_service(request);
        apply_keep_alive(request);
    }
}

fn apply_keep_alive(request: Request<'_>) {
    if !feature::any(feature::KEEP_ALIVE) {
        return;
    }
    let Some(connection) = Connection::of(request).filter(|connection| !connection.is_stream()) else { return };
    let mut state = RequestState::of(request.initial());
    let said = read(request).over(state.as_ref().map_or(KeepAlive::default(), |state| state.keep_alive));
    let (false, Some(runtime)) = (said.is_empty(), runtime()) else { return };
    let waits = said.waits().filter(|_| !runtime.is_async);
    if said.waits().is_some() && runtime.is_async && !state.as_ref().is_some_and(|state| state.keep_alive_refused) {
        runtime.event(37);
        if NOT_SUPPORTED.allows() {
            log::request(request, log::Level::Notice, tuning::not_supported);
        }
        if let Some(state) = &mut state {
            state.keep_alive_refused = true;
        }
    }
    // Nothing is left to do where only the time is wanted on event.
    if !said.closes() && waits.is_none() && said.requests.is_none() {
        return;
    }
    if let Some(state) = state {
        state.letters.add(b'T');
    }
    if runtime.log_only {
        return;
    }
    let used_up = said.requests.is_some_and(|requests| requests > 0 && u32::try_from(request.number_on_connection()).is_ok_and(|number| number >= requests));
    if said.closes() || used_up {
        connection.close_after_response();
        return;
    }
    filters::keep_alive(request, Numbers { timeout: waits, requests: said.requests });
    if let (Some(seconds), Some(record)) = (waits, ConnectionRecord::of(connection)) {
        record.keep_alive.store(seconds, Ordering::Relaxed);
    }
}

/// Before the head of a next request is awaited, on MPMs whose threads wait themselves.
pub unsafe extern "C" fn pre_read_request(_r: *mut ffi::request_rec, c: *mut ffi::conn_rec) {
    if !feature::any(feature::KEEP_ALIVE) {
        return;
    }
    guard("pre_read_request", (), || {
        // SAFETY: httpd passes the connection whose request is going to be read.
        let Some(connection) = (unsafe { Connection::new(c) }).filter(|connection| !connection.is_stream()) else { return };
        let Some(record) = ConnectionRecord::of(connection) else { return };
        if record.keep_alive.load(Ordering::Relaxed) != 0 {
            connection.set_timeout(record.keep_alive.swap(0, Ordering::Relaxed));
        }
    });
}

/// `QS_Set_DSCP` (W41): the socket of the client's connection, with HTTP/2 that of the master.
fn set_service(request: Request<'_>) {
    if !feature::any(feature::SERVICE) {
        return;
    }
    let Some(value) = request.variable(c"QS_Set_DSCP") else { return };
    let local = ConnectionRecord::of_request(request).and_then(|record| record.local);
    // The lock keeps the socket open while another thread may end the connection.
    let watched = local.map(|local| local.watched.lock());
    let fd = watched.as_ref().and_then(|watched| watched.as_ref()).map(|watched| watched.fd);
    let fd = fd.or_else(|| Connection::of(request).filter(|connection| !connection.is_stream())?.descriptor());
    let result = tuning::service(value).zip(fd).map(|(service, fd)| socket::set_service(fd, service));
    drop(watched);
    if result != Some(0) {
        let id = unique_id(request);
        if NOT_SET.allows() {
            log::request(request, log::Level::Notice, || tuning::service_not_set(&shown_value(b"QS_Set_DSCP", value), fd.is_some(), result, &id));
        }
        note_error(request, 38);
    }
}
