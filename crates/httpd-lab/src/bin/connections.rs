//! Opens many short connections from many source addresses as fast as possible, one request each, and prints how
//! many per second were served.

// A measurement that cannot go on ends with a message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use httpd_lab::{ConnectOptions, sys};
use socket2::Socket;

const USAGE: &str = "\
usage: connections HOST:PORT [--addresses N] [--concurrent C] [--total T] [--path /small.txt] [--first 127.1.0.1]

Each connection makes one request with `Connection: close` and is counted when a 200 was read to its end.
Connection i comes from address (first + i mod N) of 127.0.0.0/8.";

/// A connection that gives nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Options {
    addr: SocketAddr,
    addresses: u32,
    concurrent: usize,
    total: u64,
    path: String,
    first: Ipv4Addr,
}

fn options() -> Result<Options, String> {
    let mut args = std::env::args().skip(1);
    let addr = args.next().ok_or("the address is missing")?.parse().map_err(|e| format!("address: {e}"))?;
    let mut options = Options { addr, addresses: 1000, concurrent: 64, total: 20_000, path: "/small.txt".into(), first: Ipv4Addr::new(127, 1, 0, 1) };
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
        let wrong = |e: &dyn std::fmt::Display| format!("{name} {value}: {e}");
        match name.as_str() {
            "--addresses" => options.addresses = value.parse::<u32>().map_err(|e| wrong(&e))?.clamp(1, 1 << 23),
            "--concurrent" => options.concurrent = value.parse().map_err(|e| wrong(&e))?,
            "--total" => options.total = value.parse().map_err(|e| wrong(&e))?,
            "--path" => options.path = value,
            "--first" => options.first = value.parse().map_err(|e| wrong(&e))?,
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(options)
}

/// One connection under way.
struct Visit {
    socket: Socket,
    sent: bool,
    head: Vec<u8>,
    since: Instant,
}

#[derive(Default)]
struct Counts {
    begun: u64,
    served: u64,
    failed: u64,
}

fn begin(options: &Options, index: u64) -> std::io::Result<Visit> {
    let step = (index % u64::from(options.addresses)) as u32;
    let from = Ipv4Addr::from_bits(options.first.to_bits().wrapping_add(step) & 0x00ff_ffff | 0x7f00_0000);
    let socket = ConnectOptions::default().from(IpAddr::V4(from)).unconnected(options.addr)?;
    // Closing resets, so that no port waits in TIME_WAIT.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&options.addr.into()) {
        Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => return Err(e),
        _ => {}
    }
    Ok(Visit { socket, sent: false, head: Vec::new(), since: Instant::now() })
}

/// Does what can be done now; `Some` says how the visit ended.
fn proceed(visit: &mut Visit, events: i16, request: &[u8]) -> Option<bool> {
    if events == 0 {
        return (visit.since.elapsed() > PATIENCE).then_some(false);
    }
    if !visit.sent {
        visit.sent = true;
        return match (&visit.socket).write(request) {
            Ok(n) if n == request.len() => None,
            _ => Some(false),
        };
    }
    let mut buffer = [0; 8192];
    loop {
        match (&visit.socket).read(&mut buffer) {
            Ok(0) => return Some(visit.head.starts_with(b"HTTP/1.1 200")),
            Ok(n) if visit.head.len() < 12 => visit.head.extend_from_slice(&buffer[..n.min(64)]),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(false),
        }
    }
}

fn run(options: &Options) -> Counts {
    let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", options.path);
    let mut counts = Counts::default();
    let mut visits: Vec<Visit> = Vec::with_capacity(options.concurrent);
    let mut fds = Vec::with_capacity(options.concurrent);
    loop {
        while visits.len() < options.concurrent && counts.begun < options.total {
            match begin(options, counts.begun) {
                Ok(visit) => visits.push(visit),
                Err(_) => counts.failed += 1,
            }
            counts.begun += 1;
        }
        if visits.is_empty() {
            return counts;
        }
        fds.clear();
        fds.extend(visits.iter().map(|v| sys::entry(v.socket.as_raw_fd(), if v.sent { libc::POLLIN } else { libc::POLLOUT })));
        sys::poll(&mut fds, Duration::from_secs(1)).expect("poll");
        // From the end, so that removing one does not move those still to be looked at.
        for i in (0..visits.len()).rev() {
            if let Some(served) = proceed(&mut visits[i], fds[i].revents, request.as_bytes()) {
                visits.swap_remove(i);
                counts.served += u64::from(served);
                counts.failed += u64::from(!served);
            }
        }
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    sys::raise_open_files();
    let start = Instant::now();
    let counts = run(&options);
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.0} connections/s ({} served, {} failed, {seconds:.2} s)", counts.served as f64 / seconds, counts.served, counts.failed);
    if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
