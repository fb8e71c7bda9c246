//! A request waits, but not for a client that has left.

use crate::httpd::{clock, socket};
use crate::runtime::ConnectionRecord;
use std::time::Duration;

/// Between looks at the connection of an HTTP/2 stream, which another thread may close.
const SLICE_US: u64 = 250_000;

/// Sleeps until a moment of the monotonic clock, microseconds. False: the client has left before, or sends nothing more.
pub fn until(record: &ConnectionRecord, end_us: u64) -> bool {
    loop {
        let left = end_us.saturating_sub(clock::monotonic_us());
        if left == 0 {
            return true;
        }
        let slice = Duration::from_micros(left.min(SLICE_US));
        match descriptor(record) {
            Some(fd) if socket::ends_within(fd, slice) => return false,
            Some(_) => (),
            None => std::thread::sleep(slice),
        }
    }
}

/// Whether the client has left, or sends nothing more.
pub fn has_left(record: &ConnectionRecord) -> bool {
    descriptor(record).is_some_and(|fd| socket::ends_within(fd, Duration::ZERO))
}

/// Whether the connection has ended: another thread may say so for an HTTP/2 stream.
pub fn is_closed(record: &ConnectionRecord) -> bool {
    record.local.is_some() && descriptor(record).is_none()
}

/// The descriptor of the connection's socket.
pub fn descriptor(record: &ConnectionRecord) -> Option<i32> {
    record.local.and_then(|local| *local.watched.lock()).map(|watched| watched.fd)
}
