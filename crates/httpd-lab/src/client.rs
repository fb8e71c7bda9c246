//! A client that shows what happens on the wire.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::sys;

/// How a connection is made.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ConnectOptions {
    from: Option<IpAddr>,
    rcvbuf: Option<usize>,
    timeout: Option<Duration>,
    tls: Option<Vec<&'static str>>,
}

impl ConnectOptions {
    /// The source address: any of 127.0.0.0/8.
    pub fn from(mut self, from: impl Into<IpAddr>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// The kernel's receive buffer in bytes, set before connecting so that it bounds the window.
    pub fn rcvbuf(mut self, bytes: usize) -> Self {
        self.rcvbuf = Some(bytes);
        self
    }

    /// How long connecting, and each read and write, may take; 10 s unless said otherwise.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// TLS; the handshake is completed by `connect`.
    pub fn tls(self) -> Self {
        self.tls_alpn(&[])
    }

    /// TLS that offers these protocols, e.g. `["h2"]`.
    pub fn tls_alpn(mut self, protocols: &[&'static str]) -> Self {
        self.tls = Some(protocols.to_vec());
        self
    }

    /// A connected socket without TLS.
    pub fn socket(&self, addr: SocketAddr) -> io::Result<Socket> {
        let socket = self.unconnected(addr)?;
        socket.connect_timeout(&addr.into(), self.limit())?;
        Ok(socket)
    }

    /// A socket with all options set, not yet connected.
    pub fn unconnected(&self, addr: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        if let Some(bytes) = self.rcvbuf {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(from) = self.from {
            if from.is_ipv4() {
                sys::bind_without_port(&socket)?;
            }
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        Ok(socket)
    }

    /// Connects, with the TLS handshake if one is asked for.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<RawClient> {
        let stream = TcpStream::from(self.socket(addr)?);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.limit()))?;
        stream.set_write_timeout(Some(self.limit()))?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(alpn) => {
                let mut tls = StreamOwned::new(crate::tls::connection(alpn), stream);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock)?;
                }
                Stream::Tls(Box::new(tls))
            }
        };
        Ok(RawClient { stream, unread: Vec::new() })
    }

    fn limit(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(10))
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection to the server, plain or TLS.
#[derive(Debug)]
pub struct RawClient {
    stream: Stream,
    /// Read from the connection, but not yet part of a response.
    unread: Vec<u8>,
}

/// A response as it came, the body decoded if it was chunked.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names as sent, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl AsRawFd for RawClient {
    fn as_raw_fd(&self) -> RawFd {
        self.tcp().as_raw_fd()
    }
}

impl RawClient {
    /// How to connect, step by step.
    pub fn options() -> ConnectOptions {
        ConnectOptions::default()
    }

    /// A plain connection, from `from` (any of 127.0.0.0/8) or from the default address.
    pub fn connect(from: Option<IpAddr>, addr: SocketAddr) -> io::Result<Self> {
        ConnectOptions { from, ..ConnectOptions::default() }.connect(addr)
    }

    /// A TLS connection; the certificate is not checked.
    pub fn connect_tls(from: Option<IpAddr>, addr: SocketAddr) -> io::Result<Self> {
        ConnectOptions { from, ..ConnectOptions::default() }.tls().connect(addr)
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(s) => s,
            Stream::Tls(s) => &s.sock,
        }
    }

    /// The client's address and port.
    pub fn local_addr(&self) -> SocketAddr {
        self.tcp().local_addr().expect("a bound socket")
    }

    /// Sends all bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(s) => s.write_all(bytes.as_ref()),
            Stream::Tls(s) => s.write_all(bytes.as_ref()).and_then(|()| s.flush()),
        }
    }

    /// Reads what is there, at most `max` bytes; 0 bytes mean that the server ended the connection.
    pub fn read_some(&mut self, max: usize) -> io::Result<Vec<u8>> {
        if !self.unread.is_empty() {
            let n = max.min(self.unread.len());
            return Ok(self.unread.drain(..n).collect());
        }
        let mut buffer = vec![0; max];
        let result = match &mut self.stream {
            Stream::Plain(s) => s.read(&mut buffer),
            Stream::Tls(s) => s.read(&mut buffer),
        };
        let n = match result {
            // TLS ended without close_notify: an end all the same.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
            result => result?,
        };
        buffer.truncate(n);
        Ok(buffer)
    }

    /// Asks for a path on this connection and reads the response; the connection is kept.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request("GET", path, &[], b"")
    }

    /// Sends a request with further header lines and a body, and reads the response.
    pub fn request(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes)?;
        self.response(method != "HEAD")
    }

    /// Reads one response. An error of kind `UnexpectedEof` says that the server ended the connection first.
    pub fn read_response(&mut self) -> io::Result<Response> {
        self.response(true)
    }

    fn response(&mut self, may_have_body: bool) -> io::Result<Response> {
        let head = loop {
            let head = self.head()?;
            // 100 Continue and its like precede the response proper.
            if !(100..200).contains(&head.status) {
                break head;
            }
        };
        let mut response = head;
        if !may_have_body || matches!(response.status, 204 | 304) {
            return Ok(response);
        }
        let chunked = response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        let length = response.header("content-length").and_then(|v| v.parse().ok());
        response.body = match (chunked, length) {
            (true, _) => self.chunks()?,
            (false, Some(n)) => self.exactly(n)?,
            (false, None) => self.rest()?,
        };
        Ok(response)
    }

    fn head(&mut self) -> io::Result<Response> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines.first().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{lines:?}")))?;
        let split = |l: &String| l.split_once(':').map(|(n, v)| (n.to_owned(), v.trim().to_owned()));
        Ok(Response { status, headers: lines.iter().skip(1).filter_map(split).collect(), body: Vec::new() })
    }

    fn line(&mut self) -> io::Result<String> {
        let end = loop {
            if let Some(end) = self.unread.iter().position(|b| *b == b'\n') {
                break end;
            }
            self.more()?;
        };
        let line: Vec<u8> = self.unread.drain(..=end).collect();
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn exactly(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < n {
            self.more()?;
        }
        Ok(self.unread.drain(..n).collect())
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, line))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(size)?);
            self.line()?;
        }
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.unread));
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Reads once more into `unread`.
    fn more(&mut self) -> io::Result<()> {
        let have = std::mem::take(&mut self.unread);
        let read = self.read_some(64 << 10);
        self.unread = have;
        let read = read?;
        if read.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend(read);
        Ok(())
    }

    /// Does the server hold its side open? Looks without consuming anything.
    pub fn is_open(&self) -> bool {
        !sys::peer_closed(self, Duration::ZERO)
    }

    /// Waits until the server ends or resets the connection; how long that took, `None` when it did not.
    pub fn wait_closed(&self, limit: Duration) -> Option<Duration> {
        let start = Instant::now();
        sys::peer_closed(self, limit).then(|| start.elapsed())
    }

    /// Waits until there is something to read, or the connection has ended.
    pub fn wait_readable(&self, limit: Duration) -> bool {
        !self.unread.is_empty() || sys::poll_one(self, libc::POLLIN, limit).is_ok_and(|events| events != 0)
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
    }
}
