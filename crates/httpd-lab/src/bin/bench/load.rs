//! Short connections as fast as possible, each from another source address, one request each.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use httpd_lab::{ConnectOptions, sys};
use socket2::Socket;

const REQUEST: &[u8] = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A connection that gives nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked of the server.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub addr: SocketAddr,
    /// The first source address; each further connection takes the next one.
    pub first: Ipv4Addr,
    pub total: u32,
    /// Connections at a time.
    pub concurrent: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Served {
    pub served: u32,
    pub failed: u32,
    pub lasted: Duration,
}

struct Visit {
    socket: Socket,
    sent: bool,
    head: Vec<u8>,
    since: Instant,
}

impl Load {
    /// Makes all connections from this thread.
    pub fn run(&self) -> Served {
        let start = Instant::now();
        let mut result = Served::default();
        let mut begun = 0;
        let mut visits: Vec<Visit> = Vec::with_capacity(self.concurrent);
        let mut fds = Vec::with_capacity(self.concurrent);
        loop {
            while visits.len() < self.concurrent && begun < self.total {
                match self.begin(begun) {
                    Ok(visit) => visits.push(visit),
                    Err(_) => result.failed += 1,
                }
                begun += 1;
            }
            if visits.is_empty() {
                result.lasted = start.elapsed();
                return result;
            }
            fds.clear();
            fds.extend(visits.iter().map(|v| sys::entry(v.socket.as_raw_fd(), if v.sent { libc::POLLIN } else { libc::POLLOUT })));
            sys::poll(&mut fds, Duration::from_secs(1)).expect("poll");
            // From the end, so that removing one does not move those still to be looked at.
            for i in (0..visits.len()).rev() {
                if let Some(served) = visits[i].proceed(fds[i].revents) {
                    visits.swap_remove(i);
                    result.served += u32::from(served);
                    result.failed += u32::from(!served);
                }
            }
        }
    }

    fn begin(&self, index: u32) -> std::io::Result<Visit> {
        let from = Ipv4Addr::from_bits((self.first.to_bits().wrapping_add(index) & 0x00ff_ffff) | 0x7f00_0000);
        let socket = ConnectOptions::default().from(IpAddr::V4(from)).unconnected(self.addr)?;
        // Closing resets, so that no port waits in TIME_WAIT.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&self.addr.into()) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(Visit { socket, sent: false, head: Vec::new(), since: Instant::now() }),
        }
    }
}

impl Visit {
    /// Does what can be done now; `Some` says whether a 200 was read to the end of the connection.
    fn proceed(&mut self, events: i16) -> Option<bool> {
        if events == 0 {
            return (self.since.elapsed() > PATIENCE).then_some(false);
        }
        if !self.sent {
            self.sent = true;
            return match (&self.socket).write(REQUEST) {
                Ok(n) if n == REQUEST.len() => None,
                _ => Some(false),
            };
        }
        let mut buffer = [0; 8192];
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(0) => return Some(self.head.starts_with(b"HTTP/1.1 200")),
                Ok(n) if self.head.len() < 12 => self.head.extend_from_slice(&buffer[..n.min(64)]),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(false),
            }
        }
    }
}
