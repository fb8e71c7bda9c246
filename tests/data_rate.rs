//! The minimum data rate, one client at a time (connection-client.md section 7, examples E6 and E7).
//! Attacks by many are in attacks.rs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Builder, Module, Mpm, RawClient, Server, SlowPlan, wait_until};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn server(mpm: Mpm, rules: &str) -> Builder {
    Server::builder().mpm(mpm).module(Module::Ours).log_level("info qos:debug").config(rules)
}

fn denied(server: &Server, from: &str) -> Vec<String> {
    let end = format!("c={from}");
    server.error_log().lines().filter(|line| line.contains("mod_qos(034): access denied") && line.ends_with(&end)).map(str::to_owned).collect()
}

/// Example E6: slow heads are cut after the first window, about 7 s after they connected; one that
/// sends enough in the first window gets a second one; a complete request line gets a 400.
#[test]
fn e6_slow_heads() {
    for mpm in Mpm::ALL {
        let server = server(mpm, "QS_SrvMinDataRate 120\nAcceptFilter http none").start();
        let byte_a_second = SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 0, 1)).start();
        let silent = server.client_from("127.2.0.2");
        let mut early = server.client_from("127.2.0.3");
        early.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Fill: {}\r\n", "x".repeat(750)).as_bytes()).unwrap();
        let start = Instant::now();
        let answer = silent.wait_closed(SECONDS(12));
        let silent_at = start.elapsed();
        assert!(answer.is_some(), "{mpm:?}: the silent one is cut");
        assert!(silent_at >= SECONDS(5) && silent_at <= SECONDS(9), "{mpm:?}: {silent_at:?}");
        let at = byte_a_second.wait_all_closed(SECONDS(12)).unwrap_or_else(|| panic!("{mpm:?}: the slow one is cut"));
        assert!(at >= SECONDS(5) && at <= SECONDS(9), "{mpm:?}: {at:?}");
        assert!(early.is_open(), "{mpm:?}: 750 bytes are enough for the first window");
        assert_eq!(early.read_response().map(|response| response.status).unwrap_or_default(), 400, "{mpm:?}");
        assert!(server.wait_for_log("QS_SrvMinDataRate rule (in:0): min=120, this connection=0, c=127.2.0.2", SECONDS(2)), "{mpm:?}");
        assert!(denied(&server, "127.2.0.1").iter().any(|line| line.contains("rule (in): min=120, this connection=")), "{mpm:?}");
        assert!(start.elapsed() >= SECONDS(10), "{mpm:?}: the second window is as long as the first");
        server.stop();
    }
}

/// W42, W43: idle keep-alive is no slow head, also over TLS; the head of every later request is watched.
#[test]
fn keep_alive_is_left_alone_and_later_heads_are_watched() {
    for mpm in Mpm::ALL {
        let server = server(mpm, "QS_SrvRequestRate 120\nKeepAliveTimeout 20").tls().start();
        let mut clients = [
            server.client_from("127.2.1.1"),
            RawClient::options().from(Ipv4Addr::new(127, 2, 1, 2)).timeout(SECONDS(15)).tls().connect(server.tls_addr()).unwrap(),
        ];
        for client in &mut clients {
            assert_eq!(client.get("/small.txt").unwrap().status, 200);
        }
        std::thread::sleep(SECONDS(12));
        for client in &mut clients {
            assert_eq!(client.get("/small.txt").unwrap().status, 200, "{mpm:?}: after 12 s of keep-alive");
            client.send(b"GET /small.txt HT").unwrap();
        }
        let start = Instant::now();
        for (client, from) in clients.iter_mut().zip(["127.2.1.1", "127.2.1.2"]) {
            let closed = wait_until(SECONDS(10), || !client.is_open() || client.wait_readable(Duration::ZERO));
            assert!(closed && start.elapsed() >= SECONDS(4), "{mpm:?} {from}: {:?}", start.elapsed());
            assert!(wait_until(SECONDS(2), || denied(&server, from).len() == 1), "{mpm:?} {from}: {:?}", denied(&server, from));
        }
        server.stop();
    }
}

/// Variables, virtual hosts, VIP and log-only: who is slow and allowed.
#[test]
fn who_is_spared() {
    let rules = "QS_SrvMinDataRate 120\nQS_SrvSampleRate 2\nQS_SrvMaxConnExcludeIP 127.2.2.0/24\nQS_SrvMinDataRateOffEvent +SLOW_BY_RIGHT\n\
                 SetEnvIf Request_URI ^/cgi/upload SLOW_BY_RIGHT\n\
                 <VirtualHost *:@PORT1@>\nQS_SrvDataRateOff\n</VirtualHost>";
    let server = server(Mpm::Event, rules).vhost_ports(1).start();
    let off = (Ipv4Addr::LOCALHOST, server.vhost_port(1)).into();
    let slow = [
        ("excluded", SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 2, 1)), false),
        ("variable", SlowPlan::body(server.addr()).from(Ipv4Addr::new(127, 2, 3, 1)), false),
        ("data rate off", SlowPlan::head(off).from(Ipv4Addr::new(127, 2, 4, 1)), false),
        ("nobody", SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 5, 1)), true),
    ];
    let clients = slow.map(|(name, plan, cut)| (name, plan.start(), cut));
    std::thread::sleep(SECONDS(9));
    for (name, client, cut) in &clients {
        assert_eq!(client.closed() == 1, *cut, "{name}");
    }
    let log = server.error_log();
    for spared in ["127.2.2.1", "127.2.3.1"] {
        let allowed = format!("c={spared}");
        assert!(
            log.lines().any(|line| line.contains("[qos:debug]") && line.contains("mod_qos(034): log only (allowed)") && line.ends_with(&allowed)),
            "{spared}"
        );
    }
    assert!(!log.contains("c=127.2.4.1"));
    server.stop();

    let server = Server::builder().module(Module::Ours).config("QS_SrvMinDataRate 120\nQS_SrvSampleRate 2\nQS_LogOnly on").start();
    let slow = SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 6, 1)).start();
    assert!(server.wait_for_log("[qos:error]", SECONDS(8)) && server.wait_for_log("mod_qos(034): log only (allowed), QS_SrvMinDataRate rule (in)", SECONDS(1)));
    assert_eq!(slow.closed(), 0);
    server.stop();
}

/// Example E7: below the number of connections nothing is enforced.
#[test]
fn e7_nothing_is_enforced_below_the_threshold() {
    let server = server(Mpm::Event, "QS_SrvMinDataRate 120 500 6\nQS_SrvSampleRate 2\nQS_MaxClients 100").start();
    let slow = SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 7, 1)).connections(4).start();
    assert!(server.wait_for_log("min=120, this connection=", SECONDS(8)));
    assert_eq!((slow.closed(), denied(&server, "127.2.7.1").len()), (0, 0));
    let more = SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 7, 2)).connections(4).start();
    assert!(slow.wait_all_closed(SECONDS(10)).is_some() || slow.closed() + more.closed() >= 3);
    assert!(server.wait_for_log("min=160", SECONDS(1)), "120 + 500 * 8 / 100");
    server.stop();
}

/// A connection of HTTP/2 with prior knowledge, written by hand.
struct H2 {
    client: RawClient,
}

impl H2 {
    fn connect(server: &Server, from: [u8; 4]) -> H2 {
        let mut client = RawClient::options().from(Ipv4Addr::from(from)).timeout(SECONDS(2)).connect(server.addr()).unwrap();
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
        client.send(b"\x00\x00\x00\x04\x01\x00\x00\x00\x00").unwrap();
        H2 { client }
    }

    /// HEADERS of stream 1 with literal path; the body follows or not.
    fn request(&mut self, method: u8, path: &str, ends: bool) {
        let mut block = vec![method, 0x86, 0x44, path.len() as u8];
        block.extend_from_slice(path.as_bytes());
        block.extend_from_slice(b"\x41\x09localhost");
        let mut frame = vec![0, 0, block.len() as u8, 1, if ends { 5 } else { 4 }, 0, 0, 0, 1];
        frame.extend(block);
        self.client.send(&frame).unwrap();
    }
}

/// W09: HTTP/2 is measured on the TCP connection; who is idle or waits for the server is left alone.
#[test]
fn http2() {
    for mpm in [Mpm::Event, Mpm::Worker] {
        let server = server(mpm, "QS_SrvMinDataRate 150 1000\nTimeout 60\nKeepAliveTimeout 30\nAcceptFilter http none").http2().start();
        // Innocents: idle without a stream, a long poll, a slow script.
        let mut idle = H2::connect(&server, [127, 2, 8, 1]);
        let mut poll = H2::connect(&server, [127, 2, 8, 2]);
        poll.request(0x82, "/cgi/drip?4,100", true);
        let mut slow_script = H2::connect(&server, [127, 2, 8, 3]);
        slow_script.request(0x82, "/cgi/slow?20", true);
        // Attackers: a body byte a second; a reader that never opens its window; one that does not read at all.
        let mut body = H2::connect(&server, [127, 2, 9, 1]);
        body.request(0x83, "/cgi/upload", false);
        let mut window = H2::connect(&server, [127, 2, 9, 2]);
        window.request(0x82, "/large.bin", true);
        let start = Instant::now();
        while start.elapsed() < SECONDS(22) {
            let _ = body.client.send(b"\x00\x00\x01\x00\x00\x00\x00\x00\x01x");
            for client in [&mut window.client, &mut idle.client, &mut poll.client] {
                while client.wait_readable(Duration::from_millis(20)) && client.read_some(65_536).is_ok_and(|read| !read.is_empty()) {}
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        for innocent in ["127.2.8.1", "127.2.8.2", "127.2.8.3"] {
            assert_eq!(denied(&server, innocent), Vec::<String>::new(), "{mpm:?}");
        }
        assert!(poll.client.is_open() && idle.client.is_open(), "{mpm:?}");
        assert!(!denied(&server, "127.2.9.1").is_empty(), "{mpm:?}: slow body");
        assert!(!denied(&server, "127.2.9.2").is_empty(), "{mpm:?}: closed flow-control window");
        server.stop();
    }
}

/// Workers of a synchronous MPM are not held by HTTP/2 clients that never ask, nor by clients that trickle while
/// their connection is closed.
#[test]
fn workers_are_not_held_without_a_request() {
    let server = server(Mpm::Worker, "QS_SrvMinDataRate 150 1000\nTimeout 60\nKeepAliveTimeout 5").http2().workers(4).processes(1).start();
    let served = |server: &Server| {
        let ask = || {
            RawClient::options().from(Ipv4Addr::new(127, 2, 10, 9)).timeout(SECONDS(1)).connect(server.addr()).and_then(|mut client| client.get("/small.txt"))
        };
        wait_until(SECONDS(8), || ask().is_ok_and(|response| response.status == 200))
    };
    let silent = (1..=4).map(|n| H2::connect(&server, [127, 2, 10, n])).collect::<Vec<_>>();
    std::thread::sleep(Duration::from_millis(500));
    assert!(served(&server), "HTTP/2 without a stream");
    drop(silent);

    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let trickle = (1..=4)
        .map(|n| {
            let stop = stop.clone();
            let mut client = RawClient::options().from(Ipv4Addr::new(127, 2, 11, n)).connect(server.addr()).unwrap();
            client.send(b"GET /small.txt HTTP/1.0\r\n\r\n").unwrap();
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) && client.send(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(1500));
                }
            })
        })
        .collect::<Vec<_>>();
    std::thread::sleep(Duration::from_millis(500));
    assert!(served(&server), "lingering close");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    trickle.into_iter().for_each(|thread| thread.join().unwrap());
    server.stop();
}

/// An excluded address never appears as denied, however often it is slow.
#[test]
fn a_spared_client_is_never_reported_as_denied() {
    let server = server(Mpm::Event, "QS_SrvMinDataRate 120\nQS_SrvSampleRate 2\nQS_SrvMaxConnExcludeIP 127.2.12.1").start();
    let slow = SlowPlan::head(server.addr()).from(Ipv4Addr::new(127, 2, 12, 1)).connections(27).start();
    let allowed = || server.count_log("mod_qos(034): log only (allowed), QS_SrvMinDataRate rule (in)");
    assert!(wait_until(SECONDS(15), || allowed() >= 50), "{}", allowed());
    assert_eq!((slow.closed(), denied(&server, "127.2.12.1").len(), server.count_log("(previously)")), (0, 0, 0));
    server.stop();
}
