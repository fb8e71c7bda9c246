//! `qos-in-filter`: notices the first byte of a next request, and whether a thread waits for the client.
//! Bytes are not counted here; the kernel does that.

use super::INPUT;
use crate::clients;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::{brigade, ffi};
use crate::runtime::{ConnectionRecord, Runtime, flag, runtime};
use qos_core::client::low;
use qos_core::phase::{Phase, State};
use std::sync::atomic::Ordering;

/// Adds the filter where data rates are watched.
pub fn watch_input(connection: Connection<'_>, record: &ConnectionRecord, runtime: &Runtime) {
    // QS_ClientPrefer wants to know who times out.
    let watched = runtime.rate.is_some() && record.server.is_some_and(|server| !server.config.data_rate_off);
    if watched || runtime.rules.prefer.is_some() {
        INPUT.add_input(std::ptr::from_ref(record).cast_mut().cast(), None, connection.as_ptr());
    }
}

const TIMED_OUT: ffi::apr_status_t = ffi::APR_TIMEUP as ffi::apr_status_t;

/// A client that lets `Timeout` pass in the middle of a request (connection-client.md section 7.6).
#[cold]
fn timed_out(record: Option<&ConnectionRecord>) {
    guard("qos-in-filter", (), || {
        let (Some(record), Some(runtime)) = (record, runtime()) else { return };
        let Some(store) = &runtime.clients else { return };
        record.flag(flag::SLOW);
        let now = clients::now();
        if let Some(entry) = store.entry(&runtime.region, runtime.client(record.client()), now) {
            let _ = entry.change_marks(now, |marks| marks.lower(low::TIMEOUT, now));
        }
    });
}

/// The filter. Its context is the connection's record.
pub unsafe extern "C" fn filter(
    filter: *mut ffi::ap_filter_t,
    bb: *mut ffi::apr_bucket_brigade,
    mode: ffi::ap_input_mode_t,
    block: ffi::apr_read_type_e,
    bytes: ffi::apr_off_t,
) -> ffi::apr_status_t {
    // SAFETY: httpd calls the filter with itself; the context was given when it was added. Nothing here can panic.
    unsafe {
        let slot = (*filter).ctx.cast::<ConnectionRecord>().as_ref().and_then(|record| record.slot);
        let head = slot.is_none_or(|slot| State(slot.state.load(Ordering::Acquire)).phase() == Phase::Head);
        if head {
            // Most calls: one for each line of a request head.
            let status = ffi::ap_get_brigade((*filter).next, bb, mode, block, bytes);
            if status == TIMED_OUT {
                timed_out((*filter).ctx.cast::<ConnectionRecord>().as_ref());
            }
            return status;
        }
    }
    guard("qos-in-filter", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself; the context was given when it was added.
        let (next, record) = unsafe { ((*filter).next, (*filter).ctx.cast::<ConnectionRecord>().as_ref()) };
        let slot = record.and_then(|record| record.slot);
        let before = slot.map_or(State(0), |slot| State(slot.state.load(Ordering::Acquire)));
        let waits = block == ffi::APR_BLOCK_READ && before.phase() == Phase::Active;
        if let (true, Some(record)) = (waits, record) {
            record.step(State::read_begins);
        }
        if block == ffi::APR_BLOCK_READ && before.phase() == Phase::Keep && mode != ffi::AP_MODE_SPECULATIVE {
            // A line that is not complete is not handed up; the first byte of it ends keep-alive all the same.
            // SAFETY: the next filter of the chain; what is looked at here is read again below.
            let status = unsafe { ffi::ap_get_brigade(next, bb, ffi::AP_MODE_SPECULATIVE, ffi::APR_BLOCK_READ, 1) };
            if status != 0 {
                return status;
            }
            // SAFETY: httpd's brigade.
            let ended = unsafe { brigade::take_is_empty(bb) };
            if let (false, Some(record)) = (ended, record.filter(|record| !record.has_flag(flag::MULTIPLEXED))) {
                record.step(State::next_head);
            }
        }
        // SAFETY: the next filter of the chain, with what httpd asked for.
        let status = unsafe { ffi::ap_get_brigade(next, bb, mode, block, bytes) };
        let Some(record) = record else { return status };
        if waits && status == TIMED_OUT {
            timed_out(Some(record));
        }
        if waits {
            record.step(State::read_ends);
        }
        // SAFETY: httpd's brigade (null only for some modes, which bring no data).
        let got_data = status == 0 && before.phase() == Phase::Keep && block != ffi::APR_BLOCK_READ && !unsafe { brigade::is_empty(bb) };
        if got_data && !record.has_flag(flag::MULTIPLEXED) {
            record.step(State::next_head);
        }
        status
    })
}
