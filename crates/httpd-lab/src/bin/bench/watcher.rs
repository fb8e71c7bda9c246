//! What it costs to watch 10,000 open connections.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use httpd_lab::{ConnectOptions, Module, Mpm, RawClient, Server, wait_until};

use crate::options::Options;
use crate::table::{Bar, Table};
use crate::usage;
use crate::variant;

/// The watcher's thread.
const NAME: &str = "qos-watcher";

/// The bar: percent of a core.
const BAR: f64 = 1.0;

/// What the connections do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    KeepAlive,
    /// In the middle of a response that is taken at a decent rate.
    Responses,
}

/// Percent of a core over the time of measurement.
struct Cost {
    watcher: Option<f64>,
    whole: f64,
    /// Connections open at the end.
    open: usize,
}

pub fn measure(options: &Options) {
    let connections = options.pick(10_000, 2_000);
    let time = options.pick(Duration::from_secs(20), Duration::from_secs(10));
    let title = format!("CPU time of one child with open connections, event, over {} s, % of a core", time.as_secs());
    let mut table = Table::new(&title, &["connections", "variant", "open at the end", "watcher thread", "whole child", "bar for the watcher"]);
    let states = [(State::None, "none"), (State::KeepAlive, "idle in keep-alive"), (State::Responses, "taking a response at 4 KB/s")];
    for (state, name) in states {
        for module in &options.modules {
            eprintln!("watcher: {name}, {} ...", variant::name(*module));
            let cost = run(*module, state, connections, time);
            let shown = cost.watcher.map_or("no such thread".into(), |w| format!("{w:.3}"));
            let bar = if *module == Module::Ours { Bar::AtMost(BAR).judge(cost.watcher) } else { String::new() };
            table.row(vec![name.into(), variant::name(*module).into(), cost.open.to_string(), shown, format!("{:.2}", cost.whole), bar]);
        }
    }
    table.print();
}

/// One child that may hold them all. Limits on connections would close idle ones.
fn server(module: Module, connections: usize) -> Server {
    const THREADS: u32 = 64;
    let config = variant::run_conf_without(&["MaxClients", "QS_SrvMaxConnClose"]);
    let factor = connections.div_ceil(THREADS as usize) * 3 / 2;
    // From a mapped file httpd sends 64 KB at a time, and a worker waits with each client; with sendfile none waits.
    let more = format!(
        "EnableMMAP Off\nEnableSendfile On\nAsyncRequestWorkerFactor {factor}\nKeepAliveTimeout 600\nTimeout 600\nSendBufferSize 16384\nListenBacklog 2048"
    );
    // A child that has held thousands of idle connections crashes while it ends, also without a
    // module; `sample` sees to it that none crashes before.
    let builder = Server::builder().module(module).mpm(Mpm::Event).workers(THREADS).processes(1).expect_crashes();
    builder.log_level("warn").config(&config).config(&more).start()
}

fn run(module: Module, state: State, connections: usize, time: Duration) -> Cost {
    let server = server(module, connections);
    let cost = match state {
        State::None => sample(&server, time, || 0),
        State::KeepAlive => {
            let clients: Vec<RawClient> = (0..connections).map(|i| idle(&server, i)).collect();
            sample(&server, time, || clients.iter().filter(|c| c.is_open()).count())
        }
        State::Responses => with_downloads(&server, connections, time),
    };
    wait_until(Duration::from_secs(30), || server.open_connections() == 0);
    let cut = server.count_log("mod_qos(034)");
    if cut > 0 {
        eprintln!("watcher: {} found {cut} of these clients too slow, first: {}", variant::name(module), first_line(&server, "mod_qos(034)"));
    }
    cost
}

fn first_line(server: &Server, text: &str) -> String {
    server.error_log().lines().find(|line| line.contains(text)).unwrap_or_default().to_owned()
}

/// Each from an address of its own.
fn source(i: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 9, 0, 1).to_bits() + i as u32)
}

fn idle(server: &Server, i: usize) -> RawClient {
    let mut client = RawClient::options().from(source(i)).timeout(Duration::from_secs(30)).connect(server.addr()).expect("connect");
    assert_eq!(client.get("/small.txt").expect("a response").status, 200);
    client
}

fn with_downloads(server: &Server, connections: usize, time: Duration) -> Cost {
    let (stop, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut takers: Vec<Taker> = Vec::with_capacity(connections);
            while !stop.load(Ordering::Relaxed) {
                // Those who are there go on taking while others come.
                for i in takers.len()..connections.min(takers.len() + 50) {
                    takers.push(Taker::new(download(server, i).expect("connect")));
                }
                opened.store(takers.len(), Ordering::Relaxed);
                let now = Instant::now();
                takers.iter_mut().filter(|taker| taker.due <= now).for_each(|taker| taker.turn(now));
                std::thread::sleep(Duration::from_millis(5));
            }
            takers
        });
        wait_until(Duration::from_secs(60), || opened.load(Ordering::Relaxed) == connections);
        // The first window of each shall have ended.
        std::thread::sleep(Duration::from_secs(7));
        let cost = sample(server, time, || 0);
        stop.store(true, Ordering::Relaxed);
        let takers = reader.join().expect("the reader");
        let rate = takers.iter().map(Taker::rate).sum::<f64>() / connections as f64;
        eprintln!("watcher: each connection took {rate:.0} bytes/s");
        Cost { open: takers.iter().filter(|t| t.open).count(), ..cost }
    })
}

/// A client that takes 4 KB of its response every second.
struct Taker {
    stream: TcpStream,
    open: bool,
    since: Instant,
    due: Instant,
    taken: usize,
}

impl Taker {
    fn new(stream: TcpStream) -> Self {
        let now = Instant::now();
        Self { stream, open: true, since: now, due: now, taken: 0 }
    }

    fn turn(&mut self, now: Instant) {
        self.due = now + Duration::from_secs(1);
        if !self.open {
            return;
        }
        match self.stream.read(&mut [0; 4096]) {
            Ok(n) => {
                self.open = n > 0;
                self.taken += n;
            }
            Err(e) => self.open = e.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    /// Bytes per second.
    fn rate(&self) -> f64 {
        self.taken as f64 / self.since.elapsed().as_secs_f64()
    }
}

/// Asks for the large file; a small window and real segments keep what is under way small.
fn download(server: &Server, i: usize) -> std::io::Result<TcpStream> {
    let socket = ConnectOptions::default().from(source(i)).rcvbuf(16 << 10).unconnected(server.addr())?;
    socket.set_tcp_mss(1460)?;
    socket.connect(&server.addr().into())?;
    let stream = TcpStream::from(socket);
    std::io::Write::write_all(&mut &stream, b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn sample(server: &Server, time: Duration, open: impl FnOnce() -> usize) -> Cost {
    let pids = server.children();
    let before = (usage::of_threads(&pids, NAME), usage::of_processes(&pids));
    let start = Instant::now();
    std::thread::sleep(time);
    let after = (usage::of_threads(&pids, NAME), usage::of_processes(&pids));
    let lasted = start.elapsed().as_secs_f64();
    assert_eq!(server.children(), pids, "a child ended:\n{}", server.error_log());
    let percent = |a: Duration, b: Duration| 100.0 * b.saturating_sub(a).as_secs_f64() / lasted;
    let watcher = (after.0.0 > 0).then(|| percent(before.0.1, after.0.1));
    Cost { watcher, whole: percent(before.1, after.1), open: open() }
}
