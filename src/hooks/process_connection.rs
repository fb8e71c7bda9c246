//! A connection is handed to a protocol.

use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::{bytes, ffi, log};
use crate::runtime::{ConnectionRecord, flag, runtime};
use qos_core::phase::State;
use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering;

/// Closes what an MPM kept alive although it was refused (167).
pub unsafe extern "C" fn process_connection(c: *mut ffi::conn_rec) -> c_int {
    guard("process_connection", ffi::DECLINED, || {
        // SAFETY: httpd passes the connection.
        let Some(connection) = (unsafe { Connection::new(c) }) else { return ffi::DECLINED };
        if connection.is_stream() {
            return ffi::DECLINED;
        }
        let record = ConnectionRecord::of(connection);
        // Without a record: refused before TLS.
        if !record.map_or_else(|| connection.is_aborted(), |record| record.refused.load(Ordering::Acquire)) {
            return ffi::DECLINED;
        }
        let client = record.map_or_else(|| connection.address(), ConnectionRecord::client);
        // With the default forced close no MPM should come here; with it off, every refused connection does.
        let level = if runtime().is_some_and(|runtime| runtime.forced_close) { log::Level::Warning } else { log::Level::Debug };
        log::server(connection.base_server(), level, || format!("mod_qos(167): refused connection is closed, c={client}"));
        connection.abort();
        ffi::OK as c_int
    })
}

/// HTTP/2 takes over: an idle connection is idle by right (W09).
pub unsafe extern "C" fn protocol_switch(
    c: *mut ffi::conn_rec,
    _request: *mut ffi::request_rec,
    _server: *mut ffi::server_rec,
    protocol: *const c_char,
) -> c_int {
    guard("protocol_switch", ffi::DECLINED, || {
        // SAFETY: httpd passes the connection and a C string.
        let (connection, protocol) = unsafe { (Connection::new(c), bytes(protocol)) };
        if let (Some(connection), Some(b"h2" | b"h2c")) = (connection, protocol) {
            if let Some(record) = ConnectionRecord::of(connection) {
                record.flag(flag::MULTIPLEXED);
                record.step(State::idle);
            }
        }
        ffi::DECLINED
    })
}
