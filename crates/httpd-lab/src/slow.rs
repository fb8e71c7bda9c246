//! Many slow connections, driven by one thread.
//!
//! ```no_run
//! # use httpd_lab::{Server, SlowPlan}; use std::time::Duration;
//! # let server = Server::builder().start();
//! let slow = SlowPlan::head(server.addr()).connections(200).every(Duration::from_secs(5)).start();
//! assert!(slow.wait_all_closed(Duration::from_secs(15)).is_some());
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::ConnectOptions;
use crate::wait_until;
use drive::drive;

mod drive;

/// What a connection does slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Head,
    Body,
    Read,
    Handshake,
    Idle,
}

/// What the connections do, and how many there are. Without [`SlowPlan::bytes`] one byte goes at a time, without
/// [`SlowPlan::every`] one a second.
#[derive(Debug, Clone)]
#[must_use]
pub struct SlowPlan {
    kind: Kind,
    addr: SocketAddr,
    connections: usize,
    every: Duration,
    bytes: usize,
    from: Option<Ipv4Addr>,
    each: bool,
    tls: bool,
    rcvbuf: Option<usize>,
    path: String,
}

impl SlowPlan {
    fn new(kind: Kind, addr: SocketAddr, path: &str) -> Self {
        Self { kind, addr, connections: 1, every: Duration::from_secs(1), bytes: 1, from: None, each: false, tls: false, rcvbuf: None, path: path.into() }
    }

    /// `SlowHead`: a request whose header fields never end.
    pub fn head(addr: SocketAddr) -> Self {
        Self::new(Kind::Head, addr, "/")
    }

    /// `SlowBody`: a POST of 10 MB to /cgi/upload.
    pub fn body(addr: SocketAddr) -> Self {
        Self::new(Kind::Body, addr, "/cgi/upload")
    }

    /// `SlowRead`: takes /large.bin in small pieces, with a small receive buffer.
    pub fn read(addr: SocketAddr) -> Self {
        Self { rcvbuf: Some(2048), ..Self::new(Kind::Read, addr, "/large.bin") }
    }

    /// A TLS handshake that stalls: the beginning of a ClientHello, then a byte at a time, never the last one. Pass a
    /// duration longer than the test to [`SlowPlan::every`] for silence after the beginning.
    pub fn handshake(addr: SocketAddr) -> Self {
        Self::new(Kind::Handshake, addr, "")
    }

    /// One complete request for /small.txt, then silence: allowed keep-alive.
    pub fn idle(addr: SocketAddr) -> Self {
        Self::new(Kind::Idle, addr, "/small.txt")
    }

    /// How many connections; they are opened at once.
    pub fn connections(mut self, n: usize) -> Self {
        self.connections = n;
        self
    }

    /// The pause between two pieces.
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }

    /// The size of a piece in bytes.
    pub fn bytes(mut self, n: usize) -> Self {
        self.bytes = n.max(1);
        self
    }

    /// All from one source address.
    pub fn from(mut self, from: Ipv4Addr) -> Self {
        self.from = Some(from);
        self
    }

    /// Each from an address of its own, counted up from `first`.
    pub fn from_each(mut self, first: Ipv4Addr) -> Self {
        self.each = true;
        self.from(first)
    }

    /// Over TLS: the handshake is done at full speed.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Another path than the kind's own.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The receive buffer in bytes; a reader at a steady speed wants more than the attacker's 2048.
    pub fn rcvbuf(mut self, bytes: usize) -> Self {
        self.rcvbuf = Some(bytes);
        self
    }

    /// Opens the connections in a thread of their own.
    pub fn start(self) -> SlowClients {
        crate::sys::raise_open_files();
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), seen: Mutex::new(vec![SlowConnection::default(); self.connections]) });
        let start = Instant::now();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || drive(&self, &shared, start)
        });
        SlowClients { shared, start, thread: Some(thread) }
    }

    fn options(&self, index: usize) -> ConnectOptions {
        let mut options = ConnectOptions::default();
        if let Some(from) = self.from {
            let step = if self.each { u32::try_from(index).unwrap_or(0) } else { 0 };
            options = options.from(IpAddr::V4(Ipv4Addr::from_bits(from.to_bits() + step)));
        }
        if let Some(bytes) = self.rcvbuf {
            options = options.rcvbuf(bytes);
        }
        options
    }

    /// What is sent at once when the connection stands.
    fn opening(&self) -> Vec<u8> {
        let Self { path, .. } = self;
        match self.kind {
            Kind::Head => format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n").into(),
            Kind::Body => format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n").into(),
            Kind::Read | Kind::Idle => format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into(),
            Kind::Handshake => Vec::new(),
        }
    }
}

/// What became of one connection; times count from the start of the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlowConnection {
    /// When TCP connected.
    pub opened: Option<Duration>,
    /// When the server ended or reset it.
    pub closed: Option<Duration>,
    /// Bytes received on the wire.
    pub received: u64,
    /// Bytes sent on the wire.
    pub sent: u64,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Vec<SlowConnection>>,
}

/// The running connections; dropping it closes them.
#[derive(Debug)]
pub struct SlowClients {
    shared: Arc<Shared>,
    start: Instant,
    thread: Option<JoinHandle<()>>,
}

impl SlowClients {
    /// Each connection, in the order of opening.
    pub fn connections(&self) -> Vec<SlowConnection> {
        self.shared.seen.lock().expect("state").clone()
    }

    /// When they were started.
    pub fn started(&self) -> Instant {
        self.start
    }

    /// Connections that were opened and that the server has not closed.
    pub fn open(&self) -> usize {
        self.connections().iter().filter(|c| c.opened.is_some() && c.closed.is_none()).count()
    }

    /// Connections that the server closed.
    pub fn closed(&self) -> usize {
        self.connections().iter().filter(|c| c.closed.is_some()).count()
    }

    /// Waits until TCP has connected all of them.
    pub fn wait_all_opened(&self, limit: Duration) -> bool {
        wait_until(limit, || self.connections().iter().all(|c| c.opened.is_some()))
    }

    /// Waits until the server has closed all; when the last one was closed, `None` if some are still open.
    pub fn wait_all_closed(&self, limit: Duration) -> Option<Duration> {
        wait_until(limit, || self.closed() == self.connections().len()).then(|| self.connections().iter().filter_map(|c| c.closed).max().unwrap_or_default())
    }

    /// Closes all, and returns what became of them.
    pub fn stop(mut self) -> Vec<SlowConnection> {
        self.end();
        self.connections()
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        self.end();
    }
}
