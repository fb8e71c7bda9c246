//! Connections that wait for a moment without a worker ([`crate::filters::hold`], [`crate::httpd::park`]).

use crate::filters::hold::{self, Onward};
use crate::httpd::connection::Connection;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::runtime::{ConnectionRecord, feature};
use std::ffi::c_int;
use std::sync::atomic::Ordering;

/// The first of all hooks of a connection that has something to do: goes on with a response that waits, or lets the protocol work and
/// looks whether a response waits afterwards.
pub unsafe extern "C" fn process_connection(c: *mut ffi::conn_rec) -> c_int {
    if !feature::any(feature::WAITING) {
        return ffi::DECLINED;
    }
    guard("process_connection", ffi::DECLINED, || {
        // SAFETY: httpd passes the connection.
        let Some(connection) = (unsafe { Connection::new(c) }).filter(|connection| connection.can_wait()) else { return ffi::DECLINED };
        let Some(record) = ConnectionRecord::of(connection) else { return ffi::DECLINED };
        if record.comes_back.load(Ordering::Relaxed) {
            // The protocol's turn, see below.
            return ffi::DECLINED;
        }
        if !hold::of(record).is_some_and(|hold| hold.is_holding()) {
            record.comes_back.store(true, Ordering::Relaxed);
            // SAFETY: the connection that httpd wants to be processed; this hook declines meanwhile.
            let result = unsafe { ffi::ap_run_process_connection(c) };
            record.comes_back.store(false, Ordering::Relaxed);
            let waits = connection.is_written() && hold::of(record).is_some_and(|hold| hold.is_holding());
            if result != ffi::OK as c_int && result != ffi::DONE || !waits {
                return result;
            }
        }
        if let Some(hold) = hold::of(record) {
            connection.busy_writing();
            match hold.go_on(connection, record) {
                Onward::Parked => (),
                Onward::Written => connection.leave(ffi::QOS_LEAVE_WRITTEN),
                Onward::Left => connection.leave(ffi::QOS_LEAVE_CLOSE),
            }
        }
        ffi::OK as c_int
    })
}

/// The MPM is about to wait for a connection.
pub unsafe extern "C" fn suspend_connection(c: *mut ffi::conn_rec, _request: *mut ffi::request_rec) {
    of(c, |connection, hold| hold.parking().suspended(connection));
}

/// The MPM has waited, or closes the connection.
pub unsafe extern "C" fn resume_connection(c: *mut ffi::conn_rec, _request: *mut ffi::request_rec) {
    of(c, |connection, hold| hold.parking().resumed(connection));
}

fn of(c: *mut ffi::conn_rec, act: impl FnOnce(Connection<'_>, &mut hold::Hold)) {
    if !feature::any(feature::WAITING) {
        return;
    }
    guard("suspended connection", (), || {
        // SAFETY: httpd passes the connection.
        let Some(connection) = (unsafe { Connection::new(c) }).filter(|connection| !connection.is_stream()) else { return };
        if let Some(hold) = ConnectionRecord::of(connection).and_then(hold::of) {
            act(connection, hold);
        }
    });
}

/// The connection is about to be closed: a response that still waits is given up.
pub fn closes(connection: Connection<'_>, record: &ConnectionRecord) {
    if let Some(hold) = hold::of(record).filter(|hold| hold.is_holding()) {
        hold.give_up(connection);
    }
}
