//! Clients that are slow for a good reason, or not slow at all, and must not be cut while an attack is under way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use httpd_lab::{RawClient, Server, wait_until};

use crate::link;

/// Each kind with its source address.
const KINDS: [(&str, Ipv4Addr, Visit); 4] = [
    ("download at 10 KB/s", Ipv4Addr::new(127, 7, 0, 1), download),
    ("keep-alive", Ipv4Addr::new(127, 7, 0, 2), keep_alive),
    ("slow CGI", Ipv4Addr::new(127, 7, 0, 3), slow_script),
    ("long poll", Ipv4Addr::new(127, 7, 0, 4), long_poll),
];

/// Seconds that a connection may be idle: httpd's own default, in the configuration.
pub const KEEP_ALIVE: u64 = 5;

/// How long they stay, so that they see the whole attack.
pub const STAY: Duration = Duration::from_secs(20);

/// How long a single answer may take: longer than any run.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where to connect.
#[derive(Debug, Clone, Copy)]
struct Way {
    addr: SocketAddr,
    tls: bool,
    from: Ipv4Addr,
}

type Visit = fn(Way, &Here) -> Result<(), String>;

/// Tells that the client is being served, and asks whether it has stayed long enough.
struct Here {
    served: AtomicBool,
    leave: AtomicBool,
    since: Instant,
}

impl Here {
    fn stays(&self) -> bool {
        self.since.elapsed() < STAY && !self.leave.load(Ordering::Relaxed)
    }
}

/// The clients of one server.
pub struct Innocents {
    clients: Vec<Client>,
}

struct Client {
    name: &'static str,
    from: Ipv4Addr,
    here: Arc<Here>,
    thread: JoinHandle<Result<(), String>>,
}

/// Somebody who was cut.
#[derive(Debug, Clone)]
pub struct Cut {
    pub who: &'static str,
    /// What the client saw.
    pub what: String,
    /// The log has a line of the module about this client; otherwise it was httpd itself.
    pub by_module: bool,
}

impl Innocents {
    /// Connects them; returns when each one is being served.
    pub fn start(server: &Server, tls: bool) -> Self {
        let addr = if tls { server.tls_addr() } else { server.addr() };
        let clients: Vec<_> = KINDS.into_iter().map(|(name, from, visit)| begin(name, visit, Way { addr, tls, from })).collect();
        wait_until(Duration::from_secs(10), || clients.iter().all(|c| c.here.served.load(Ordering::Relaxed)));
        Self { clients }
    }

    /// Have all left, served or not?
    pub fn gone(&self) -> bool {
        self.clients.iter().all(|c| c.thread.is_finished())
    }

    /// Waits until they leave; those who were cut.
    pub fn finish(self, server: &Server) -> Vec<Cut> {
        let mut cut = Vec::new();
        for Client { name: who, from, here, thread } in self.clients {
            here.leave.store(true, Ordering::Relaxed);
            let Err(what) = thread.join().expect("an innocent client") else { continue };
            let client = format!("c={from}");
            let by_module = server.error_log().lines().any(|l| l.contains("mod_qos(") && l.contains(&client));
            cut.push(Cut { who, what, by_module });
        }
        cut
    }
}

fn begin(name: &'static str, visit: Visit, way: Way) -> Client {
    let here = Arc::new(Here { served: AtomicBool::new(false), leave: AtomicBool::new(false), since: Instant::now() });
    let thread = std::thread::spawn({
        let here = here.clone();
        move || visit(way, &here).map_err(|what| format!("{what} after {:.1} s", here.since.elapsed().as_secs_f64()))
    });
    Client { name, from: way.from, here, thread }
}

impl Way {
    fn connect(&self) -> Result<RawClient, String> {
        let options = RawClient::options().from(self.from).timeout(PATIENCE);
        let options = if self.tls { options.tls() } else { options };
        options.connect(self.addr).map_err(|e| format!("not connected ({e})"))
    }
}

fn get(client: &mut RawClient, path: &str) -> Result<(), String> {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).map_err(|e| format!("request refused ({e})"))
}

/// A large file over a slow line.
fn download(way: Way, here: &Here) -> Result<(), String> {
    let line = link::open(way.addr, way.from, 10_000);
    let mut client = Way { addr: line, from: Ipv4Addr::LOCALHOST, ..way }.connect()?;
    get(&mut client, "/large.bin")?;
    let mut received = 0;
    while here.stays() {
        match client.read_some(64 << 10) {
            Ok(bytes) if !bytes.is_empty() => received += bytes.len(),
            Ok(_) => return Err(format!("ended by the server at {received} bytes")),
            Err(e) => return Err(format!("ended at {received} bytes ({e})")),
        }
        here.served.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Request after request, each nearly as late as the server allows.
fn keep_alive(way: Way, here: &Here) -> Result<(), String> {
    let mut client = way.connect()?;
    while here.stays() {
        let response = client.get("/small.txt").map_err(|e| format!("no answer ({e})"))?;
        here.served.store(true, Ordering::Relaxed);
        if response.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close")) {
            // Announced, as QS_SrvMaxConnClose does when there are many connections.
            return Ok(());
        }
        let allowed = Duration::from_millis(KEEP_ALIVE * 1000 - 500);
        if let Some(after) = client.wait_closed(allowed) {
            return Err(format!("closed after {:.1} of {KEEP_ALIVE} s of keep-alive", after.as_secs_f64()));
        }
    }
    Ok(())
}

/// The server works for 12 seconds before it answers.
fn slow_script(way: Way, here: &Here) -> Result<(), String> {
    let mut client = way.connect()?;
    get(&mut client, "/cgi/slow?12")?;
    here.served.store(true, Ordering::Relaxed);
    let response = client.read_response().map_err(|e| format!("no answer ({e})"))?;
    if response.text() == "done\n" { Ok(()) } else { Err(format!("answer {}", response.status)) }
}

/// A line every second.
fn long_poll(way: Way, here: &Here) -> Result<(), String> {
    const LINES: usize = 15;
    let mut client = way.connect()?;
    get(&mut client, &format!("/cgi/drip?1,{LINES}"))?;
    here.served.store(true, Ordering::Relaxed);
    let response = client.read_response().map_err(|e| format!("cut ({e})"))?;
    let lines = response.text().matches("data: ").count();
    if lines == LINES { Ok(()) } else { Err(format!("{lines} of {LINES} lines")) }
}
