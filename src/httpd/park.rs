//! A connection waits for a moment without a worker.
//!
//! The event MPM (2.4.63 and later) lets a connection wait until its socket can be read, and calls process_connection again: state
//! `CONN_STATE_ASYNC_WAITIO`. It has no such state for a moment in time, and a suspended connection (`CONN_STATE_SUSPENDED`) is never
//! given back to it. So what the MPM polls for the time of the wait is a timer: a timerfd takes the place of the descriptor in the connection's
//! socket when the MPM says that it suspends the connection (hook suspend_connection), and the MPM gets the real one back before anybody uses
//! the connection (hook resume_connection, which also runs when the MPM closes the connection for any reason).

use super::connection::Connection;
use super::ffi;

/// What a connection waits with. Used by the thread that has the connection.
#[derive(Debug)]
pub struct Parking {
    /// A timerfd, or -1.
    timer: i32,
    /// It takes the socket's place when the connection is suspended.
    armed: bool,
    /// The socket's descriptor while it does, or -1.
    socket: i32,
}

impl Parking {
    /// Without a timer yet.
    pub const fn new() -> Parking {
        Parking { timer: -1, armed: false, socket: -1 }
    }

    /// The connection, which leaves process_connection next, is to come back at that moment (monotonic nanoseconds). False: the system has no timer left.
    pub fn until(&mut self, at_ns: u64) -> bool {
        if self.timer < 0 {
            // SAFETY: makes a descriptor, touches no memory.
            self.timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        }
        let mut time = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: libc::timespec { tv_sec: 0, tv_nsec: 1 } };
        time.it_value.tv_sec = libc::time_t::try_from(at_ns / 1_000_000_000).unwrap_or(libc::time_t::MAX);
        time.it_value.tv_nsec += libc::c_long::try_from(at_ns % 1_000_000_000).unwrap_or(0).min(999_999_998);
        // SAFETY: a timer of ours, and a time that lives during the call.
        self.armed = self.timer >= 0 && unsafe { libc::timerfd_settime(self.timer, libc::TFD_TIMER_ABSTIME, &raw const time, std::ptr::null_mut()) } == 0;
        self.armed
    }

    /// The MPM is about to poll the connection's socket.
    pub fn suspended(&mut self, connection: Connection<'_>) {
        if !std::mem::take(&mut self.armed) {
            return;
        }
        // SAFETY: the thread of this hook has the connection; the MPM polls the socket only after it.
        unsafe {
            let socket = ffi::qos_shim_connection_fd(connection.as_ptr());
            if socket >= 0 && ffi::qos_shim_is_waiting(connection.as_ptr()) != 0 {
                self.socket = socket;
                ffi::qos_shim_set_connection_fd(connection.as_ptr(), self.timer);
            }
        }
    }

    /// The MPM has taken the connection out of its poll set, and uses it next.
    pub fn resumed(&mut self, connection: Connection<'_>) {
        self.armed = false;
        let socket = std::mem::replace(&mut self.socket, -1);
        if socket < 0 {
            return;
        }
        // SAFETY: as above.
        unsafe {
            if ffi::qos_shim_connection_fd(connection.as_ptr()) == self.timer {
                ffi::qos_shim_set_connection_fd(connection.as_ptr(), socket);
            } else {
                // The MPM has closed what it took for the socket.
                self.timer = -1;
                libc::close(socket);
            }
        }
    }

    /// Gives the timer back.
    pub fn end(&mut self) {
        if self.socket < 0 && self.timer >= 0 {
            // SAFETY: a descriptor of ours that nobody else has.
            unsafe { libc::close(self.timer) };
            self.timer = -1;
        }
    }
}
