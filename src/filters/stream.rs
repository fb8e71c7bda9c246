//! Filters of HTTP/2 streams: what a stream waits for and hands on counts for the client's TCP connection.

use super::{STREAM_INPUT, STREAM_OUTPUT, connection_of, pass};
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::{brigade, ffi};
use crate::runtime::{ConnectionRecord, Runtime};
use qos_core::phase::{Phase, State};
use std::sync::atomic::Ordering;

/// Adds the filters to a stream's connection where data rates are watched.
pub fn add_stream_filter(connection: Connection<'_>, runtime: &Runtime) {
    let watched = ConnectionRecord::of(connection).and_then(|record| record.server).is_some_and(|server| !server.config.data_rate_off);
    if runtime.rate.is_some() && watched {
        STREAM_INPUT.add_input(std::ptr::null_mut(), None, connection.as_ptr());
        STREAM_OUTPUT.add_output(std::ptr::null_mut(), None, connection.as_ptr());
    }
}

/// A stream that waits for its body makes the connection one that is waited for.
pub unsafe extern "C" fn input(
    filter: *mut ffi::ap_filter_t,
    bb: *mut ffi::apr_bucket_brigade,
    mode: ffi::ap_input_mode_t,
    block: ffi::apr_read_type_e,
    bytes: ffi::apr_off_t,
) -> ffi::apr_status_t {
    guard("qos-in-filter-stream", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself.
        let (next, record) = unsafe { ((*filter).next, connection_of(filter).and_then(|connection| ConnectionRecord::of(connection))) };
        let active = |record: &&ConnectionRecord| record.slot.is_some_and(|slot| State(slot.state.load(Ordering::Acquire)).phase() == Phase::Active);
        let waits = record.filter(|_| block == ffi::APR_BLOCK_READ).filter(active);
        if let Some(record) = waits {
            record.step(State::read_begins);
        }
        // SAFETY: the next filter of the chain, with what httpd asked for.
        let status = unsafe { ffi::ap_get_brigade(next, bb, mode, block, bytes) };
        if let Some(record) = waits {
            record.step(State::read_ends);
        }
        status
    })
}

/// Counts what the streams of a connection hand on, so that data which waits for the client's
/// flow-control window (and therefore is not in the kernel yet) is known.
pub unsafe extern "C" fn output(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-stream", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade.
        let (record, content) = unsafe { (connection_of(filter).and_then(|connection| ConnectionRecord::of(connection)), brigade::content(bb)) };
        if let Some(local) = record.and_then(|record| record.local) {
            local.handed_on.fetch_add(content.bytes, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { pass(filter, bb) }
    })
}
