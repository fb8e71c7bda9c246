//! The thread that drives the slow connections: poll, give each its turn, note who was closed.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use socket2::Socket;

use super::{Kind, Shared, SlowConnection, SlowPlan};
use crate::sys;

/// The longest the thread sleeps, so that it sees the order to stop.
const TURN: Duration = Duration::from_millis(20);

/// Header fields short enough for LimitRequestFieldSize, long enough to last for LimitRequestFields.
const FIELD: &[u8] = b"X-Slow: 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvw\r\n";

struct Connection {
    socket: Socket,
    tls: Option<ClientConnection>,
    /// What is still to be sent, piece by piece, and then repeated if `endless`.
    script: Vec<u8>,
    at: usize,
    endless: bool,
    opened: bool,
    greeted: bool,
    due: Instant,
    seen: SlowConnection,
}

pub(super) fn drive(plan: &SlowPlan, shared: &Shared, start: Instant) {
    let mut all: Vec<Option<Connection>> = (0..plan.connections).map(|i| connect(plan, i, start)).collect();
    let mut fds: Vec<sys::pollfd> = Vec::with_capacity(all.len());
    while !shared.stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        fds.clear();
        fds.extend(all.iter().map(|c| c.as_ref().map_or(sys::entry(-1, 0), |c| c.interest(plan, now))));
        if sys::poll(&mut fds, TURN).is_err() {
            return;
        }
        let now = Instant::now();
        for (slot, fd) in all.iter_mut().zip(&fds) {
            let Some(connection) = slot else { continue };
            if connection.turn(plan, fd.revents, now, start).is_err() {
                connection.seen.closed = Some(now - start);
            }
        }
        let mut seen = shared.seen.lock().expect("state");
        for (slot, seen) in all.iter_mut().zip(seen.iter_mut()) {
            if let Some(connection) = slot {
                *seen = connection.seen;
                if connection.seen.closed.is_some() {
                    *slot = None;
                }
            } else if seen.closed.is_none() {
                // It could not even be opened.
                seen.closed = Some(now - start);
            }
        }
    }
}

fn connect(plan: &SlowPlan, index: usize, start: Instant) -> Option<Connection> {
    let socket = plan.options(index).unconnected(plan.addr).ok()?;
    socket.set_nonblocking(true).ok()?;
    match socket.connect(&plan.addr.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(_) => return None,
    }
    let tls = (plan.tls && plan.kind != Kind::Handshake).then(|| crate::tls::connection(&[]));
    let (script, endless) = match plan.kind {
        Kind::Head => (FIELD.to_vec(), true),
        Kind::Body => (b"a".to_vec(), true),
        Kind::Read | Kind::Idle => (Vec::new(), false),
        Kind::Handshake => (client_hello(), false),
    };
    let seen = SlowConnection::default();
    Some(Connection { socket, tls, script, at: 0, endless, opened: false, greeted: false, due: start, seen })
}

/// A ClientHello without its last byte.
fn client_hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::tls::connection(&[]).write_tls(&mut bytes).expect("a ClientHello");
    bytes.pop();
    bytes
}

impl Connection {
    /// A slow reader asks for input only when a piece is due, and sees the end of the connection all the same.
    fn interest(&self, plan: &SlowPlan, now: Instant) -> sys::pollfd {
        let mut events = libc::POLLRDHUP;
        if !self.opened || self.tls.as_ref().is_some_and(|t| t.wants_write()) {
            events |= libc::POLLOUT;
        }
        if plan.kind != Kind::Read || self.handshaking() || now >= self.due {
            events |= libc::POLLIN;
        }
        sys::entry(self.socket.as_raw_fd(), events)
    }

    fn handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|t| t.is_handshaking())
    }

    /// An error means that the connection has ended.
    fn turn(&mut self, plan: &SlowPlan, events: i16, now: Instant, start: Instant) -> io::Result<()> {
        if !self.opened {
            if events & (libc::POLLERR | libc::POLLHUP) != 0 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if events & libc::POLLOUT == 0 {
                return Ok(());
            }
            self.opened = true;
            self.seen.opened = Some(now - start);
        }
        if events & libc::POLLIN != 0 {
            self.receive(plan, now)?;
        }
        if events & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !self.handshaking() {
            self.speak(plan, now)?;
        }
        self.flush_tls()
    }

    fn speak(&mut self, plan: &SlowPlan, now: Instant) -> io::Result<()> {
        if !self.greeted {
            self.greeted = true;
            // The beginning of a ClientHello: the record header and a little more.
            let opening = if plan.kind == Kind::Handshake { self.next_piece(20) } else { plan.opening() };
            self.due = now + plan.every;
            return self.send(&opening);
        }
        if plan.kind != Kind::Read && now >= self.due {
            self.due = now + plan.every;
            let piece = self.next_piece(plan.bytes);
            return self.send(&piece);
        }
        Ok(())
    }

    fn next_piece(&mut self, n: usize) -> Vec<u8> {
        let mut piece = Vec::with_capacity(n);
        while piece.len() < n && !self.script.is_empty() {
            if self.at == self.script.len() {
                if !self.endless {
                    break;
                }
                self.at = 0;
            }
            piece.push(self.script[self.at]);
            self.at += 1;
        }
        piece
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(tls) = &mut self.tls {
            return tls.writer().write_all(bytes);
        }
        match (&self.socket).write(bytes) {
            Ok(n) => self.seen.sent += n as u64,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn flush_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        while tls.wants_write() {
            match tls.write_tls(&mut &self.socket) {
                Ok(n) => self.seen.sent += n as u64,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn receive(&mut self, plan: &SlowPlan, now: Instant) -> io::Result<()> {
        let slow = plan.kind == Kind::Read && !self.handshaking();
        let most = if slow { plan.bytes } else { 64 << 10 };
        let result = if let Some(tls) = &mut self.tls {
            let result = tls.read_tls(&mut (&self.socket).take(most as u64));
            tls.process_new_packets().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            let mut plaintext = [0; 4096];
            while matches!(tls.reader().read(&mut plaintext), Ok(n) if n > 0) {}
            result
        } else {
            (&self.socket).read(&mut vec![0; most])
        };
        if slow {
            self.due = now + plan.every;
        }
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.seen.received += n as u64;
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(e),
        }
    }
}
