//! A running private httpd.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::RawClient;
use crate::install::{Module, Mpm, apache_binary};
use crate::ports::free_ports;
use crate::render::Builder;
use crate::root::Root;
use crate::{sys, wait_until};

/// The source address of the harness's own requests (is it up?); [`Server::access_log`] leaves them out.
pub const HARNESS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// How long a start or a restart may take, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A child older than this has started all its threads.
const SETTLED: Duration = Duration::from_millis(200);

/// httpd logs this at the end of each start and restart.
const STARTED: &str = "resuming normal operations";

/// A private httpd. Ends with this value; ends the test as failed if a child crashed.
#[derive(Debug)]
pub struct Server {
    builder: Builder,
    root: Root,
    ports: Vec<u16>,
    process: Child,
    stopped: bool,
}

impl Server {
    /// Settings to start from.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The plain port.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The TLS port.
    pub fn tls_port(&self) -> u16 {
        assert!(self.builder.tls, "this server was started without tls()");
        self.ports[1]
    }

    /// The k-th further port, `@PORTk@`, counted from 1.
    pub fn vhost_port(&self, k: usize) -> u16 {
        self.ports[1 + k]
    }

    /// 127.0.0.1 with the plain port.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// 127.0.0.1 with the TLS port.
    pub fn tls_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls_port()).into()
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// `https://127.0.0.1:TLSPORT` and the path.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.tls_addr())
    }

    /// A connection to the plain port from 127.0.0.1.
    pub fn client(&self) -> RawClient {
        RawClient::connect(None, self.addr()).expect("connect")
    }

    /// A connection to the plain port from a given address of 127.0.0.0/8.
    pub fn client_from(&self, from: &str) -> RawClient {
        let from: IpAddr = from.parse().expect("an address");
        RawClient::connect(Some(from), self.addr()).expect("connect")
    }

    /// The server's folder.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The folder of its documents: index.html, small.txt, large.bin (64 MiB).
    pub fn docs(&self) -> std::path::PathBuf {
        self.root.docs()
    }

    /// Process id of the parent.
    pub fn parent_pid(&self) -> u32 {
        self.process.id()
    }

    /// Process ids of the children that serve, of all generations, without mod_cgid's daemon.
    pub fn children(&self) -> Vec<u32> {
        let parent = self.parent_pid();
        let list = format!("/proc/{parent}/task/{parent}/children");
        let text = std::fs::read_to_string(list).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| serves(*pid)).collect()
    }

    /// The error log so far, and what httpd wrote before it had one.
    pub fn error_log(&self) -> String {
        self.root.read("stderr.log") + &self.root.read("error.log")
    }

    /// The access log so far: address, local port, requests on the connection before this one, request line, status,
    /// bytes sent, connection state (`X` aborted, `+` kept, `-` closed), and `NAME=value` for each of `log_env`.
    pub fn access_log(&self) -> String {
        let own = format!("{HARNESS_ADDRESS} ");
        let log = self.root.read("access.log");
        log.split_inclusive('\n').filter(|line| !line.starts_with(&own)).collect()
    }

    /// Waits until the error log contains `text` (plain text, no pattern); says whether it came.
    pub fn wait_for_log(&self, text: &str, limit: Duration) -> bool {
        wait_until(limit, || self.error_log().contains(text))
    }

    /// Waits until the access log contains `text`; httpd writes it after the response was sent.
    pub fn wait_for_access(&self, text: &str, limit: Duration) -> bool {
        wait_until(limit, || self.access_log().contains(text))
    }

    /// The number of lines of the error log that contain `text`.
    pub fn count_log(&self, text: &str) -> usize {
        self.error_log().lines().filter(|line| line.contains(text)).count()
    }

    /// Connections to any of this server's ports that a process of the server still holds, as the kernel sees it.
    /// It tells what the client cannot: a server that gave up a client whose receive window is closed.
    pub fn open_connections(&self) -> usize {
        let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].map(|t| std::fs::read_to_string(t).unwrap_or_default());
        tables.iter().flat_map(|t| t.lines().skip(1)).filter(|line| self.holds(line)).count()
    }

    /// Waits until no connection is just ending: when it is told to end at that moment, event's main thread can use a
    /// socket that a worker has freed, without any module of ours (seen in one of thirty stops).
    fn quiet(&self) {
        const CLOSING: [&str; 3] = ["04", "05", "08"];
        let tables = || ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].map(|t| std::fs::read_to_string(t).unwrap_or_default());
        let closing = |line: &str| line.split_whitespace().nth(3).is_some_and(|state| CLOSING.contains(&state)) && self.holds(line);
        wait_until(Duration::from_secs(1), || !tables().iter().flat_map(|t| t.lines().skip(1)).any(closing));
        // From the end of a socket to that of its memory.
        std::thread::sleep(Duration::from_millis(20));
    }

    /// A line of /proc/thread-self/net/tcp: `sl local remote state ... inode`. State 0A listens; inode 0 is held by no process.
    fn holds(&self, line: &str) -> bool {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = fields.get(1).and_then(|a| a.rsplit(':').next()).and_then(|p| u16::from_str_radix(p, 16).ok());
        let live = fields.get(3).is_some_and(|state| *state != "0A") && fields.get(9).is_some_and(|i| *i != "0");
        live && port.is_some_and(|port| self.ports.contains(&port))
    }

    /// Sends a signal to the parent.
    pub fn signal(&self, signal: i32) {
        assert!(sys::signal(self.parent_pid(), signal), "httpd's parent is gone");
    }

    /// Graceful restart; returns when a child of the new generation runs and the plain port answers.
    pub fn graceful(&self) {
        self.renew(libc::SIGUSR1);
    }

    /// Restart that ends all children first; returns when the plain port answers again.
    pub fn restart(&self) {
        self.renew(libc::SIGHUP);
    }

    /// Waits until no child is just starting: told to end at that moment, a child can crash in httpd itself, without
    /// any module of ours (seen once in a hundred stops on event). Says whether that came about.
    pub fn settle(&self) -> bool {
        wait_until(Duration::from_secs(2), || self.children().iter().all(|pid| sys::age(*pid) >= SETTLED))
    }

    fn renew(&self, signal: i32) {
        self.settle();
        let before = self.children();
        let starts = self.count_log(STARTED);
        self.signal(signal);
        let renewed = || self.count_log(STARTED) > starts && self.children().iter().any(|c| !before.contains(c));
        assert!(wait_until(START_LIMIT, renewed), "no new generation after signal {signal}:\n{}", self.error_log());
        assert!(wait_until(START_LIMIT, || self.answers()), "no answer after signal {signal}:\n{}", self.error_log());
    }

    /// Replaces the text given by [`Builder::config`]; takes effect at the next restart.
    pub fn rewrite_config(&mut self, text: &str) {
        self.builder.config = format!("{text}\n");
        self.write_config();
    }

    /// Changes other settings, such as the number of workers; takes effect at the next restart.
    pub fn rewrite(&mut self, change: impl FnOnce(Builder) -> Builder) {
        self.builder = change(self.builder.clone());
        self.write_config();
    }

    fn write_config(&self) {
        self.root.write("httpd.conf", &self.builder.render(&self.root, &self.ports));
    }

    /// Is the plain port served? Any answer counts, also that the connection is closed.
    fn answers(&self) -> bool {
        let limit = Duration::from_secs(2);
        let Ok(mut client) = RawClient::options().from(HARNESS_ADDRESS).timeout(limit).connect(self.addr()) else {
            return false;
        };
        client.send(b"GET /small.txt HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").is_ok() && client.wait_readable(limit)
    }

    /// Ends httpd as an administrator would, and checks the log. Dropping does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let before = self.error_log();
        let settled = self.settle();
        self.quiet();
        sys::signal(self.parent_pid(), libc::SIGTERM);
        let ended = wait_until(Duration::from_secs(15), || !matches!(self.process.try_wait(), Ok(None)));
        // What is left of the group (a hung child, a CGI script) goes with it.
        sys::signal_group(self.parent_pid(), libc::SIGKILL);
        let _ = self.process.wait();
        let log = self.error_log();
        let judged = if settled { &log } else { &before };
        let crash = ["exit signal", "panicked", "Segmentation"].into_iter().find(|text| judged.contains(text));
        let crash = crash.filter(|_| !self.builder.expect_crashes);
        if std::thread::panicking() {
            eprintln!("httpd's files are kept in {}; its error log ends with:", self.root.path().display());
            tail(&log);
            return;
        }
        if let Some(text) = crash {
            tail(&log);
            panic!("the error log has '{text}'; files are kept in {}", self.root.path().display());
        }
        if !ended {
            tail(&log);
            panic!("httpd did not end on SIGTERM; files are kept in {}", self.root.path().display());
        }
        self.root.remove();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Builder {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start; the message has the error log.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|log| panic!("httpd did not start:\n{log}"))
    }

    /// Starts it, or returns what it logged instead.
    pub fn try_start(self) -> Result<Server, String> {
        let mut last = String::new();
        for _ in 0..5 {
            match self.clone().start_once() {
                Err(log) if log.contains("could not bind to address") => last = log,
                result => return result,
            }
        }
        Err(last)
    }

    fn start_once(self) -> Result<Server, String> {
        let (root, ports) = self.prepare();
        let stderr = std::fs::File::create(root.file("stderr.log")).expect("stderr.log");
        let mut command = httpd(&root);
        if self.spoil_freed_memory {
            command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165");
        }
        command.arg("-DFOREGROUND").stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let process = crate::spawn::spawn(command).map_err(|e| e.to_string())?;
        let mut server = Server { builder: self, root, ports, process, stopped: false };
        let end = Instant::now() + START_LIMIT;
        loop {
            let ended = !matches!(server.process.try_wait(), Ok(None));
            if !ended && server.count_log(STARTED) > 0 && server.answers() {
                return Ok(server);
            }
            if ended || Instant::now() >= end {
                let log = server.error_log();
                sys::signal_group(server.parent_pid(), libc::SIGKILL);
                let _ = server.process.wait();
                server.stopped = true;
                server.root.remove();
                return Err(log);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lets httpd check this configuration: what it says, in `Err` when it refuses it.
    pub fn configtest(self) -> Result<String, String> {
        let (root, _) = self.prepare();
        let out = httpd(&root).arg("-t").output().expect("httpd runs");
        // With an ErrorLog that can be opened already, the end of a message may stand there.
        let text = String::from_utf8_lossy(&out.stderr).into_owned() + &root.read("error.log");
        root.remove();
        if out.status.success() { Ok(text) } else { Err(text) }
    }

    fn prepare(&self) -> (Root, Vec<u16>) {
        let (root, ports) = (Root::new(), free_ports(self.port_count()));
        if self.tls {
            root.write_certificate();
        }
        root.write("httpd.conf", &self.render(&root, &ports));
        (root, ports)
    }
}

/// Lets httpd check server-level text with our module on one MPM; its messages, in `Err` when it refuses the text.
pub fn configtest(mpm: Mpm, config: &str) -> Result<String, String> {
    Server::builder().module(Module::Ours).mpm(mpm).config(config).configtest()
}

fn httpd(root: &Root) -> Command {
    let mut command = Command::new(apache_binary());
    command.arg("-f").arg(root.file("httpd.conf")).current_dir(root.path());
    command
}

/// A child that serves, and not mod_cgid's daemon, which alone ignores SIGCHLD. Zombies do not serve.
fn serves(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return false;
    };
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map_or("", str::trim);
    let ignored = u64::from_str_radix(field("SigIgn:"), 16).unwrap_or(0);
    !field("State:").starts_with('Z') && ignored & (1 << (libc::SIGCHLD - 1)) == 0
}

fn tail(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    for line in &lines[lines.len().saturating_sub(30)..] {
        eprintln!("{line}");
    }
}
