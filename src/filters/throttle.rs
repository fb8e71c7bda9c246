//! `qos-out-filter-delay`: bandwidth (request-event.md section 8.4). What is sent when is said by [`qos_core::throttle`].
//!
//! Buckets are taken one by one, as they come: nothing is read ahead, every byte counts (W15). Where the MPM lets a connection wait without a
//! worker, [`super::hold`] takes the place of the filter here, which waits in the worker that makes the response.

use super::{DELAY, connection_of, hold};
use crate::hooks::RequestState;
use crate::hooks::pause::{self, Watch};
use crate::httpd::buckets::{Bucket, Buckets};
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{clock, ffi, socket};
use crate::runtime::ConnectionRecord;
use qos_core::throttle::{Next, Sending, give_back, measure, reserve};
use qos_shm::RuleCell;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A limit of bandwidth.
#[derive(Clone, Copy)]
pub struct Throttle {
    /// What all responses of the rule share.
    pub cell: &'static RuleCell,
    /// Kbytes (1024 bytes) per second, at least 1.
    pub limit: u32,
    /// What would be done is counted, nothing is done.
    pub log_only: bool,
}

/// Part that a response has in the bandwidth of a rule. Lives in the pool of the request.
pub struct Share {
    throttle: Throttle,
    sending: Sending,
    /// Its request's connection; for a stream that of the client.
    record: *const ConnectionRecord,
    /// How its client is told to have left.
    pub watch: Watch,
    /// What is passed on next.
    out: Buckets,
}

/// Limits the response to an initial request, over all internal redirects.
pub fn throttle(request: Request<'_>, record: &ConnectionRecord, state: &mut RequestState, throttle: Throttle) {
    // SAFETY: request and connection are live; the brigade is used as long as the request lives.
    let out = unsafe { Buckets::create(request.pool().as_ptr(), request.connection()) };
    let share = request.pool().place(Share { throttle, sending: Sending::default(), record, watch: Watch::begin(record), out });
    state.share = share;
    if !hold::take(request, record, share) {
        DELAY.add_output(share.cast(), Some(request), request.connection());
    }
}

/// The request is over: the moving average of its waits (microseconds) if it waited, or would have.
pub fn end(state: &mut RequestState) -> Option<u64> {
    // SAFETY: placed in the request's pool by `throttle`, used by the request's thread.
    let share = unsafe { std::mem::replace(&mut state.share, std::ptr::null_mut()).as_mut() }?;
    share.end();
    Some(share.sending.delayed).filter(|delayed| *delayed > 0)
}

impl Share {
    fn tail(&self) -> &'static std::sync::atomic::AtomicU64 {
        if self.throttle.log_only { &self.throttle.cell.virtual_tail } else { &self.throttle.cell.tail }
    }

    /// How many bytes may be sent, and from when on (monotonic nanoseconds; 0: now). `known`: bytes to come, if that is all.
    fn piece(&mut self, known: Option<u64>) -> (u64, u64) {
        let (tail, limit) = (self.tail(), self.throttle.limit);
        let mut now = clock::monotonic_ns();
        if self.throttle.log_only {
            now = self.sending.virtual_now(now, tail.load(Acquire));
        }
        let cell = self.throttle.cell;
        let (wish, unused) = match self.sending.next(now, tail.load(Acquire), known) {
            Next::Send { bytes, start } => return (bytes, if self.throttle.log_only || start <= now { 0 } else { start }),
            Next::Reserve { wish, give_back, unwaited } => {
                if unwaited > 0 {
                    cell.throttled_us.fetch_sub(unwaited / 1000, Relaxed);
                }
                (wish, give_back)
            }
        };
        let take = |tail: u64| reserve(give_back(tail, limit, unused), now, limit, wish);
        let (Ok(before) | Err(before)) = tail.fetch_update(AcqRel, Acquire, |tail| Some(take(tail).tail));
        let piece = take(before);
        let is_first = self.sending.waited_us == 0;
        let wait = self.sending.reserved(&piece, now, limit);
        if wait > 0 {
            cell.throttled_us.fetch_add(wait / 1000, Relaxed);
            let counter = if self.throttle.log_only { &cell.would_throttle } else { &cell.throttled };
            counter.fetch_add(u64::from(is_first), Relaxed);
        }
        (piece.bytes, if wait == 0 || self.throttle.log_only { 0 } else { piece.start })
    }

    fn sent(&mut self, bytes: u64) {
        self.sending.sent(bytes);
        let cell = self.throttle.cell;
        let all = cell.bytes.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        let window = cell.bandwidth_window.load(Acquire);
        let Some((following, measured)) = measure(window, all, clock::monotonic_ns()) else { return };
        if cell.bandwidth_window.compare_exchange(window, following, AcqRel, Relaxed).is_ok() {
            if let Some(measured) = measured {
                cell.bandwidth.store(measured, Release);
            }
        }
    }

    /// Nothing more is sent.
    fn end(&mut self) {
        let (unused, limit) = (self.sending.end(), self.throttle.limit);
        if unused > 0 {
            let _ = self.tail().fetch_update(AcqRel, Acquire, |tail| Some(give_back(tail, limit, unused)));
        }
    }

    /// Waits in this thread. False: the client has left.
    pub fn wait(&self, connection: Connection<'_>, at_ns: u64) -> bool {
        /// Between looks at the stream, which its client may give up, microseconds.
        const STREAM_SLICE_US: u64 = 100_000;
        // SAFETY: the record lives as long as the client's connection, which outlives the request.
        let record = unsafe { &*self.record };
        let end = at_ns.div_ceil(1000);
        if !connection.is_stream() {
            return self.watch.until(record, end);
        }
        loop {
            let now = clock::monotonic_us();
            if connection.is_aborted() || pause::is_closed(record) {
                return false;
            }
            if now >= end {
                return true;
            }
            if !self.watch.until(record, end.min(now + STREAM_SLICE_US)) {
                return false;
            }
        }
    }
}

/// What became of a brigade.
pub enum Sent {
    /// Everything was passed on.
    All,
    /// The next bucket ends the request.
    UpToEnd,
    /// The next bytes have their turn at that moment, monotonic nanoseconds.
    Until(u64),
    /// The client has not taken enough of what it got.
    Unwritable,
}

/// A response that waits looks so often whether its client is still there, and whether others before it have left, nanoseconds.
pub const LOOK_NS: u64 = 250_000_000;
/// Bytes that a socket which can be written takes without waiting.
const WRITABLE: u64 = 16 * 1024;

/// Passes on what may be sent now. `socket`: it is not waited for either.
///
/// # Errors
/// What a filter or a bucket says; the connection is of no use then.
///
/// # Safety
/// Filter and brigades are live and of the same connection, which this thread has.
pub unsafe fn send(share: &mut Share, from: Buckets, next: *mut ffi::ap_filter_t, socket: Option<i32>) -> Result<Sent, ffi::apr_status_t> {
    let out = share.out;
    let pass = |flush: bool| {
        if out.is_empty() {
            return Ok(());
        }
        if flush {
            out.add_flush();
        }
        // SAFETY: the caller's promise.
        ok(unsafe { out.pass(next) })
    };
    let most = if socket.is_some() { WRITABLE } else { u64::MAX };
    while let Some(bucket) = from.first() {
        match bucket {
            Bucket::Bytes(0) | Bucket::Meta => ok(from.move_first(out, 0))?,
            Bucket::EndOfResponse => {
                share.end();
                ok(from.move_first(out, 0))?;
            }
            Bucket::EndOfRequest => {
                pass(false)?;
                return Ok(Sent::UpToEnd);
            }
            Bucket::Unknown => {
                pass(false)?;
                match from.read_first(false) {
                    0 => (),
                    libc::EAGAIN => {
                        // What is there goes out while the source is waited for.
                        out.add_flush();
                        pass(false)?;
                        ok(from.read_first(true))?;
                    }
                    error => return Err(error),
                }
            }
            Bucket::Bytes(length) => {
                let (bytes, at) = share.piece(from.rest().known);
                if at > 0 {
                    pass(true)?;
                    return Ok(Sent::Until(at));
                }
                if socket.is_some_and(|socket| !socket::is_writable(socket)) {
                    return Ok(Sent::Unwritable);
                }
                let bytes = bytes.min(length).min(most);
                ok(from.move_first(out, bytes))?;
                share.sent(bytes);
                // A part of a file is never set aside: some versions of APR-util would let the rest lose its descriptor when the part has been sent.
                pass(socket.is_some() || bytes < length)?;
            }
        }
    }
    pass(false)?;
    Ok(Sent::All)
}

fn ok(status: ffi::apr_status_t) -> Result<(), ffi::apr_status_t> {
    if status == 0 { Ok(()) } else { Err(status) }
}

/// The client has left in the middle of its response.
pub fn abort(connection: Connection<'_>) -> ffi::apr_status_t {
    connection.set_aborted();
    libc::ECONNABORTED
}

/// The filter. Its context is the share.
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-delay", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; the context lives in the pool of the request, whose thread this is.
        let (share, connection, next, from) = unsafe { ((*filter).ctx.cast::<Share>().as_mut(), connection_of(filter), (*filter).next, Buckets::new(bb)) };
        let (Some(share), Some(connection)) = (share, connection) else { return ffi::APR_EGENERAL as ffi::apr_status_t };
        loop {
            // SAFETY: as above.
            let status = match unsafe { send(share, from, next, None) } {
                Ok(Sent::Until(at)) if share.wait(connection, at.min(clock::monotonic_ns() + LOOK_NS)) => continue,
                Ok(Sent::Until(_)) => abort(connection),
                Ok(Sent::All | Sent::Unwritable) => 0,
                // SAFETY: as above.
                Ok(Sent::UpToEnd) => unsafe { from.pass(next) },
                Err(status) => status,
            };
            from.clear();
            share.out.clear();
            return status;
        }
    })
}
