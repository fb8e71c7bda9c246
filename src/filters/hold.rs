//! `qos-out-filter-hold`: the rest of a throttled response waits without a worker (event MPM 2.4.63 and later, HTTP/1).
//!
//! The filter stands at the head of the connection's own filters, above TLS. What may not be sent yet it sets aside, as the network filter does with what the kernel does not
//! take, and tells its caller that all is well: the handler returns, the worker finishes the request, and the bucket that ends the request (EOR) is
//! set aside behind the rest, so that the request is logged when its last byte was sent. process_connection then
//! leaves the connection to the MPM until the next bytes have their turn, or until the socket can be written; the MPM calls it again, and it goes on.
//! After the end of the response the connection is in the state in which httpd would have left it: keep-alive, the next request that was
//! pipelined, or closing.
//!
//! What does not come through the filters of the request is not its response and passes: interim responses, and what a handler says that took the
//! connection over (websockets, CONNECT, the change to HTTP/2). Who makes it waits for the client's answer, not for the end of the request.
//!
//! Only what costs little waits so: files, and [`MEMORY`] bytes besides. A handler that makes more than that, or that flushes, waits in its worker.

use super::throttle::{self, LOOK_NS, Sent, Share, abort};
use super::{HELD, HOLD, connection_of, pass};
use crate::hooks::pause::{self, Watch};
use crate::httpd::buckets::Buckets;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::park::Parking;
use crate::httpd::request::Request;
use crate::httpd::{clock, ffi};
use crate::runtime::ConnectionRecord;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bytes in memory that may wait for one connection.
const MEMORY: u64 = 64 * 1024;

/// The filter of a connection. Used by the thread that has the connection.
pub struct Hold {
    /// What a throttled response has; null: there is none, everything passes.
    share: *mut Share,
    /// The pool of its request.
    pool: *mut ffi::apr_pool_t,
    /// What waits.
    held: Buckets,
    /// What comes now is of that response.
    is_content: bool,
    /// The filter itself.
    filter: *mut ffi::ap_filter_t,
    parking: Parking,
}

/// How a connection goes on.
pub enum Onward {
    /// Everything was sent.
    Written,
    /// It comes back when it may send, or when the client has taken what it got.
    Parked,
    /// The client has left.
    Left,
}

/// The filter takes the response to this request, where the connection comes back after a wait.
pub fn take(request: Request<'_>, record: &ConnectionRecord, share: *mut Share) -> bool {
    if !record.comes_back.load(Ordering::Relaxed) || pause::descriptor(record).is_none() {
        return false;
    }
    let Some(connection) = Connection::of(request).filter(|connection| !connection.is_stream()) else { return false };
    let mut hold = record.hold.load(Ordering::Relaxed);
    if hold.is_null() {
        // SAFETY: pool and connection are live and this thread's; the brigade is used as long as the connection lives.
        let held = unsafe { Buckets::create(connection.pool().as_ptr(), connection.as_ptr()) };
        hold = connection.pool().place(Hold { share: null_mut(), pool: null_mut(), held, is_content: false, filter: null_mut(), parking: Parking::new() });
        connection.pool().on_clear(hold.cast(), connection_ends);
        record.hold.store(hold, Ordering::Relaxed);
    }
    // SAFETY: placed in the connection's pool, used by its thread.
    let hold = unsafe { &mut *hold };
    if hold.filter.is_null() {
        hold.filter = HOLD.add_output(std::ptr::from_mut(hold).cast(), Some(request), connection.as_ptr());
    }
    if hold.filter.is_null() || !hold.held.is_empty() {
        return false;
    }
    (hold.share, hold.pool) = (share, request.pool().as_ptr());
    HELD.add_output(std::ptr::from_mut(hold).cast(), Some(request), connection.as_ptr());
    true
}

/// The filter of a connection, if it has one.
#[allow(clippy::mut_from_ref, reason = "one thread per connection")]
pub fn of(record: &ConnectionRecord) -> Option<&mut Hold> {
    // SAFETY: placed in the connection's pool by `take`, used by the thread that has the connection.
    unsafe { record.hold.load(Ordering::Relaxed).as_mut() }
}

impl Hold {
    /// Whether a brigade has to do with a throttled response: a part of it, what has to stay behind it, or its end.
    fn takes(&self, brigade: Buckets) -> bool {
        self.is_holding() || !self.share.is_null() && (self.is_content || brigade.rest().ends_request)
    }

    /// Whether something waits.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// The timer of the connection.
    pub fn parking(&mut self) -> &mut Parking {
        &mut self.parking
    }

    /// Sends what may be sent of `from`, which may be what waits.
    fn send(&mut self, from: Buckets, fd: Option<i32>) -> Result<Sent, ffi::apr_status_t> {
        // SAFETY: set by `take`, and null again when its request ends.
        let Some(share) = (unsafe { self.share.as_mut() }) else {
            return self.rest(from);
        };
        // SAFETY: the filter lives as long as the connection, whose thread this is.
        match unsafe { throttle::send(share, from, (*self.filter).next, fd) } {
            Ok(Sent::UpToEnd) => self.rest(from),
            result => result,
        }
    }

    /// The request ends: nothing of it is used from here on.
    fn rest(&mut self, from: Buckets) -> Result<Sent, ffi::apr_status_t> {
        self.share = null_mut();
        self.parking.end();
        // SAFETY: as above.
        match unsafe { from.pass((*self.filter).next) } {
            0 => Ok(Sent::All),
            status => Err(status),
        }
    }

    /// Nothing more is sent. The request that waits is logged.
    pub fn give_up(&mut self, connection: Connection<'_>) {
        connection.set_aborted();
        self.share = null_mut();
        self.held.clear();
        self.parking.end();
    }

    /// Nothing more is sent: what is left is thrown away, the end of its request perhaps with it.
    fn fail(&mut self, left: Buckets, status: ffi::apr_status_t) -> ffi::apr_status_t {
        self.share = null_mut();
        left.clear();
        status
    }

    /// Waits in this thread. False: the client has left.
    fn wait(&mut self, connection: Connection<'_>, at: u64) -> bool {
        // SAFETY: as in `send`.
        unsafe { self.share.as_ref() }.is_none_or(|share| share.wait(connection, at.min(clock::monotonic_ns() + LOOK_NS)))
    }

    /// Goes on with what waits; leaves the connection to the MPM if something waits still.
    pub fn go_on(&mut self, connection: Connection<'_>, record: &ConnectionRecord) -> Onward {
        // SAFETY: as in `send`. Without a share only the end of a request is left to be sent.
        let watch = unsafe { self.share.as_ref() }.map_or_else(|| Watch::begin(record), |share| share.watch);
        let Some(fd) = pause::descriptor(record).filter(|fd| !watch.ends_within(*fd, Duration::ZERO)) else {
            self.give_up(connection);
            return Onward::Left;
        };
        loop {
            let sent = self.send(self.held, Some(fd));
            match sent {
                Ok(Sent::Until(at)) => {
                    if self.parking.until(at.min(clock::monotonic_ns() + LOOK_NS)) {
                        connection.leave(ffi::QOS_LEAVE_READ);
                        return Onward::Parked;
                    }
                    if !self.wait(connection, at) {
                        self.give_up(connection);
                        return Onward::Left;
                    }
                }
                Ok(Sent::Unwritable) => {
                    connection.leave(ffi::QOS_LEAVE_WRITE);
                    return Onward::Parked;
                }
                Ok(Sent::All | Sent::UpToEnd) => return Onward::Written,
                Err(_) => {
                    self.give_up(connection);
                    return Onward::Left;
                }
            }
        }
    }
}

unsafe extern "C" fn connection_ends(data: *mut c_void) -> ffi::apr_status_t {
    // SAFETY: registered with a `Hold` that lives in the same pool.
    guard("end of connection", (), || unsafe { (*data.cast::<Hold>()).parking.end() });
    0
}

/// The filter. Its context is the [`Hold`].
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-hold", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; the context lives in the connection's pool.
        unsafe {
            let (hold, connection) = ((*filter).ctx.cast::<Hold>().as_mut(), connection_of(filter));
            match (hold, connection) {
                (Some(hold), Some(connection)) if hold.takes(Buckets::new(bb)) => response(hold, filter, connection, Buckets::new(bb)),
                _ => pass(filter, bb),
            }
        }
    })
}

/// The last filter of the request's own: what passes it is the response. Its context is the [`Hold`].
pub unsafe extern "C" fn content(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-held", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: as for `filter`; the reference to the context is not kept while the filter behind uses it.
        unsafe {
            let hold = (*filter).ctx.cast::<Hold>();
            let before = std::mem::replace(&mut (*hold).is_content, true);
            let status = pass(filter, bb);
            (*hold).is_content = before;
            status
        }
    })
}

/// A part of a throttled response.
fn response(hold: &mut Hold, filter: *mut ffi::ap_filter_t, connection: Connection<'_>, bb: Buckets) -> ffi::apr_status_t {
    let record = ConnectionRecord::of(connection);
    let fd = record.and_then(pause::descriptor);
    let mut work = bb;
    if hold.is_holding() {
        // SAFETY: the filter that httpd called; the request's pool ends with the last bucket that is saved.
        let status = unsafe { hold.held.save(filter, bb, hold.pool) };
        if status != 0 {
            hold.give_up(connection);
            return status;
        }
        work = hold.held;
    }
    let mut in_worker = fd.is_none();
    loop {
        let at = match hold.send(work, fd.filter(|_| !in_worker)) {
            Ok(Sent::All | Sent::UpToEnd) => return 0,
            Err(status) => {
                // As the network filter does: nobody takes what follows for the rest of this response.
                connection.set_aborted();
                return hold.fail(work, status);
            }
            Ok(Sent::Until(at)) => at,
            Ok(Sent::Unwritable) => 0,
        };
        let rest = work.rest();
        if rest.can_wait && rest.memory <= MEMORY {
            // SAFETY: as above.
            return if hold.is_holding() { 0 } else { unsafe { hold.held.save(filter, work, hold.pool) } };
        }
        // What the client does not take, or a handler wants to be sent now, holds the worker.
        in_worker = at == 0;
        if !hold.wait(connection, at) {
            return hold.fail(work, abort(connection));
        }
    }
}
