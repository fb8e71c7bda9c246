//! Counters stay right whatever happens to children (connection-client.md section 4.4, W18, W19; design invariants 3 and 5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Builder, Module, Mpm, RawClient, Server, sys, wait_until};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const RULES: &str = "QS_ClientEntries 100000\nQS_SrvMaxConnPerIP 50\nQS_SrvMaxConnClose 180\nQS_SrvMinDataRate 150 1000\nQS_SrvMaxConn 1000\n";

fn server(mpm: Mpm) -> Builder {
    Server::builder().mpm(mpm).module(Module::Ours).workers(64).processes(4).config(RULES).config("KeepAliveTimeout 60")
}

/// What a new connection from an address of its own is told: all connections, those of its address.
fn counts(server: &Server, from: &str) -> Option<(u32, u32)> {
    let mut client = server.client_from(from);
    let text = client.request("GET", "/cgi/env", &["Connection: close"], b"").ok()?.text();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).and_then(|value| value.trim().parse().ok());
    Some((value("QS_AllConn")?, value("QS_IPConn")?))
}

/// Nobody is connected but the one who asks.
fn is_empty(server: &Server) -> bool {
    counts(server, "127.9.9.9") == Some((1, 1))
}

/// Clients that connect, ask and close without pause, from a few addresses.
struct Load {
    stop: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    at_rest: Arc<AtomicU32>,
    failed: Arc<AtomicU32>,
    served: Arc<AtomicU32>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(addr: SocketAddr, clients: u8) -> Load {
        let mut load =
            Load { stop: Arc::default(), paused: Arc::default(), at_rest: Arc::default(), failed: Arc::default(), served: Arc::default(), threads: Vec::new() };
        for n in 0..clients {
            let (stop, paused, at_rest) = (load.stop.clone(), load.paused.clone(), load.at_rest.clone());
            let (failed, served) = (load.failed.clone(), load.served.clone());
            load.threads.push(std::thread::spawn(move || {
                let from = IpAddr::V4(Ipv4Addr::new(127, 8, 0, n % 3 + 1));
                while !stop.load(Ordering::Relaxed) {
                    if paused.load(Ordering::SeqCst) {
                        at_rest.fetch_add(1, Ordering::SeqCst);
                        while paused.load(Ordering::SeqCst) && !stop.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(2));
                        }
                        at_rest.fetch_sub(1, Ordering::SeqCst);
                        continue;
                    }
                    let answer = RawClient::options()
                        .from(from)
                        .timeout(SECONDS(5))
                        .connect(addr)
                        .and_then(|mut client| client.request("GET", "/small.txt", &["Connection: close"], b""));
                    match answer {
                        Ok(response) if response.status == 200 => served.fetch_add(1, Ordering::Relaxed),
                        _ => failed.fetch_add(1, Ordering::Relaxed),
                    };
                }
            }));
        }
        load
    }

    /// All clients have closed their connections and wait.
    fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
        assert!(wait_until(SECONDS(10), || self.at_rest.load(Ordering::SeqCst) as usize == self.threads.len()));
    }

    fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Requests served and failed.
    fn stop(self) -> (u32, u32) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        (self.served.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

#[test]
fn killed_children_give_everything_back_within_a_second() {
    for mpm in Mpm::ALL {
        let server = server(mpm).start();
        let load = Load::start(server.addr(), 6);
        for round in 0..20 {
            let held = (0..10).filter_map(|_| {
                let mut client = server.client_from("127.8.1.1");
                client.get("/small.txt").ok().map(|_| client)
            });
            let held = held.collect::<Vec<_>>();
            let killed = Instant::now();
            for pid in server.children() {
                sys::signal(pid, libc::SIGKILL);
            }
            load.pause();
            drop(held);
            // The parent looks for dead children once a second; the answer has to come from a child that it started since.
            let right = wait_until(SECONDS(3), || is_empty(&server));
            assert!(
                right && killed.elapsed() < Duration::from_millis(2200),
                "{mpm:?} round {round}: {:?} after {:?}",
                counts(&server, "127.9.9.9"),
                killed.elapsed()
            );
            load.resume();
        }
        let (served, _) = load.stop();
        assert!(served > 0);
        server.stop();
    }
}

#[test]
fn fifty_graceful_restarts_lose_no_request_and_no_count() {
    for mpm in Mpm::ALL {
        let server = server(mpm).start();
        let load = Load::start(server.addr(), 4);
        for _ in 0..50 {
            server.graceful();
        }
        load.pause();
        assert!(wait_until(SECONDS(10), || is_empty(&server)), "{mpm:?}: {:?}", counts(&server, "127.9.9.9"));
        let (served, failed) = load.stop();
        assert_eq!(failed, 0, "{mpm:?}: {failed} of {served} requests failed");
        server.stop();
    }
}

/// Connections of ending generations count (W19), and are given back when they end.
#[test]
fn connections_of_old_generations_count() {
    let server = server(Mpm::Event).start();
    let mut downloads = Vec::new();
    for generation in 1..=8 {
        let mut client = RawClient::options().from(Ipv4Addr::new(127, 8, 2, 1)).timeout(SECONDS(30)).connect(server.addr()).unwrap();
        client.send(b"GET /cgi/drip?0.2,10000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        client.read_some(100).unwrap();
        downloads.push(client);
        server.graceful();
        assert!(
            wait_until(SECONDS(5), || counts(&server, "127.8.2.1") == Some((generation + 1, generation + 1))),
            "generation {generation}: {:?}",
            counts(&server, "127.8.2.1")
        );
    }
    drop(downloads);
    assert!(wait_until(SECONDS(10), || is_empty(&server)), "{:?}", counts(&server, "127.9.9.9"));
    server.stop();
}

#[test]
fn restart_and_changed_sizes_and_short_lived_children_keep_counters_right() {
    for mpm in Mpm::ALL {
        let mut server = server(mpm).config("MaxConnectionsPerChild 1").start();
        let load = Load::start(server.addr(), 4);
        for workers in [64, 32, 48, 16, 64] {
            server.rewrite(|builder| builder.workers(workers));
            server.graceful();
            server.settle();
            server.restart();
        }
        load.pause();
        // As long as each question ends the child that answers it, some connection is always held by an ending child.
        server.rewrite(|builder| builder.config("MaxConnectionsPerChild 0"));
        server.settle();
        server.restart();
        assert!(wait_until(SECONDS(10), || is_empty(&server)), "{mpm:?}: {:?}", counts(&server, "127.9.9.9"));
        let (served, _) = load.stop();
        assert!(served > 0, "{mpm:?}");
        server.stop();
    }
}
