//! A request or response waits, but not for a client that has left.

use crate::httpd::{clock, socket};
use crate::runtime::ConnectionRecord;
use std::time::Duration;

/// Between looks at the connection of an HTTP/2 stream, which another thread may close.
const SLICE_US: u64 = 250_000;

/// How a client that leaves is told from one that only sends nothing more.
///
/// Both end their side of the connection. Who has done so before the wait begins may still read the answer (`nc -N`, some monitors): only the end of the
/// whole connection counts then. Who does so later has left.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    half_closed: bool,
}

impl Watch {
    /// A wait begins.
    pub fn begin(record: &ConnectionRecord) -> Watch {
        let begun = Watch { half_closed: false };
        Watch { half_closed: begun.has_left(record) }
    }

    /// Sleeps until a moment of the monotonic clock, microseconds. False: the client has left before.
    pub fn until(self, record: &ConnectionRecord, end_us: u64) -> bool {
        loop {
            let left = end_us.saturating_sub(clock::monotonic_us());
            if left == 0 {
                return true;
            }
            let slice = Duration::from_micros(left.min(SLICE_US));
            match descriptor(record) {
                Some(fd) if self.ends_within(fd, slice) => return false,
                Some(_) => (),
                None => std::thread::sleep(slice),
            }
        }
    }

    /// Whether the client has left.
    pub fn has_left(self, record: &ConnectionRecord) -> bool {
        descriptor(record).is_some_and(|fd| self.ends_within(fd, Duration::ZERO))
    }

    /// Whether the client leaves within a time, by the descriptor of its socket.
    pub fn ends_within(self, fd: i32, time: Duration) -> bool {
        socket::ends_within(fd, time, if self.half_closed { socket::End::Both } else { socket::End::Theirs })
    }
}

/// Whether the connection has ended: another thread may say so for an HTTP/2 stream.
pub fn is_closed(record: &ConnectionRecord) -> bool {
    record.local.is_some() && descriptor(record).is_none()
}

/// The descriptor of the connection's socket.
pub fn descriptor(record: &ConnectionRecord) -> Option<i32> {
    record.local.and_then(|local| *local.watched.lock()).map(|watched| watched.fd)
}
