//! Bandwidth of locations and events (request-event.md sections 8 and 9.3, example E5, W07, W15).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use httpd_lab::http2::curl;
use httpd_lab::said::by_query;
use httpd_lab::{Builder, Mpm, RawClient, Server, sys, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Below each of these a large file is served.
fn serving(mpm: Mpm, config: &str) -> Builder {
    let site = "AcceptFilter http none\nKeepAliveTimeout 30\n\
                AliasMatch ^/(?:one|twenty|all|tls|streams|next|left|log|free)/ @DOCS@/large.bin\n\
                AliasMatch ^/little/ @DOCS@/small.txt\n\
                ProxyPassMatch ^/proxied/().*$ http://127.0.0.1:@PORT1@/large.bin$1\n<VirtualHost *:@PORT1@>\n</VirtualHost>\n\
                <Location /view>\nSetHandler qos-viewer\n</Location>\n";
    // Connections that wait count for this limit of the event MPM.
    let waiting = if mpm == Mpm::Event { "AsyncRequestWorkerFactor 20\n" } else { "" };
    let builder = Server::builder().mpm(mpm).config(waiting).config(site).config(&by_query(&["QS_VipRequest", "Slow"])).config(config).vhost_ports(1);
    builder.load("proxy").load("proxy_http").load("proxy_wstunnel").log_env(&["mod_qos_ev", "QS_ResponseDelayTime"])
}

/// A script that never ends.
fn with_flood(server: &Server) {
    let script = server.root().join("cgi/flood");
    std::fs::write(&script, "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\r\\n\\r\\n'\nexec cat /dev/zero\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Asks for `path` on connections of their own.
fn downloads(server: &Server, path: &str, count: usize, tls: bool) -> Vec<RawClient> {
    let one = |n| {
        let mut client = if tls { RawClient::connect_tls(None, server.tls_addr()).unwrap() } else { server.client() };
        client.send(format!("GET {path}{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
        client
    };
    (0..count).map(one).collect()
}

/// Reads what comes for some time; bytes of each.
fn read_for(clients: &mut [RawClient], time: Duration) -> Vec<u64> {
    let end = Instant::now() + time;
    let mut bytes = vec![0; clients.len()];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return bytes;
        }
        let mut entries: Vec<_> = clients.iter().map(|client| sys::entry(client.as_raw_fd(), libc_pollin())).collect();
        sys::poll(&mut entries, left).unwrap();
        for ((entry, client), bytes) in entries.iter().zip(clients.iter_mut()).zip(&mut bytes) {
            if entry.revents != 0 {
                let read = client.read_some(1 << 20).unwrap();
                assert!(!read.is_empty(), "a download ended");
                *bytes += read.len() as u64;
            }
        }
    }
}

fn libc_pollin() -> i16 {
    1
}

#[track_caller]
fn assert_exact(bytes: &[u64], limit: u64, seconds: u64, what: &str) {
    let (sum, due) = (bytes.iter().sum::<u64>(), limit * 1024 * seconds);
    let off = (sum as f64 - due as f64) / due as f64;
    println!("{what}: {} responses, {:+.1} %", bytes.len(), off * 100.0);
    assert!(off.abs() < 0.05, "{what}: {sum} bytes of {due}");
}

/// All have the same; but one in 20 may have less, who was there first and gives back what it had more than others.
#[track_caller]
fn assert_fair(bytes: &[u64], what: &str) {
    let mean = bytes.iter().sum::<u64>() as f64 / bytes.len() as f64;
    let (mut odd, few) = (0, bytes.len() / 20);
    for bytes in bytes {
        let off = (*bytes as f64 - mean) / mean;
        odd += usize::from(off < -0.15);
        assert!(off < 0.15 && (off > -0.15 || odd <= few), "{what}: {bytes} bytes, mean {mean}");
    }
}

/// The issue in one test: exact and fair for any number and kind of responses; and on event none of them holds a worker.
#[test]
fn the_limit_is_shared_exactly_and_fairly() {
    std::thread::scope(|scope| {
        scope.spawn(|| exact(Mpm::Event, 48));
        scope.spawn(|| exact(Mpm::Worker, 300));
    });
}

fn exact(mpm: Mpm, workers: u32) {
    let rules = "QS_LocKBytesPerSecLimit /one/ 500\nQS_LocKBytesPerSecLimit /twenty/ 500\nQS_LocKBytesPerSecLimitMatch ^/all/ 600\n\
                 QS_LocKBytesPerSecLimit /tls/ 400\nQS_LocKBytesPerSecLimit /streams/ 300\nQS_LocKBytesPerSecLimit /proxied/ 350\n\
                 QS_LocKBytesPerSecLimit /cgi/flood 450\n";
    let server = serving(mpm, rules).http2().tls().workers(workers).processes(2).start();
    with_flood(&server);
    let groups = [
        ("/one/", 1, 500, false),
        ("/twenty/", 20, 500, false),
        ("/all/", 200, 600, false),
        ("/tls/", 10, 400, true),
        ("/proxied/", 5, 350, false),
        ("/cgi/flood?", 4, 450, false),
    ];
    std::thread::scope(|scope| {
        for (path, count, limit, tls) in groups {
            let server = &server;
            scope.spawn(move || {
                let mut clients = downloads(server, path, count, tls);
                let what = format!("{mpm:?} {path}");
                // Who was there first had more than the others then.
                let first = read_for(&mut clients, SECONDS(2));
                let later = read_for(&mut clients, SECONDS(8));
                let bytes: Vec<_> = first.iter().zip(&later).map(|(first, later)| first + later).collect();
                for mut b in [bytes.clone(), later.clone()] {
                    b.sort();
                    println!("{what} {:?} .. {:?} .. {:?}", &b[..b.len().min(4)], b[b.len() / 2], &b[b.len().saturating_sub(4)..]);
                }
                assert_exact(&bytes, limit, 10, &what);
                assert_fair(&later, &what);
            });
        }
        scope.spawn(|| streams(&server, mpm));
        // Others are served meanwhile.
        for n in 0..8 {
            std::thread::sleep(SECONDS(1));
            let begin = Instant::now();
            assert_eq!(server.status("127.0.0.9", "/small.txt"), Some(200));
            assert!(begin.elapsed() < SECONDS(1), "{mpm:?}, second {n}: {:?}", begin.elapsed());
        }
        let view = server.client().get("/view?auto").unwrap().text();
        println!("{}", view.lines().filter(|line| line.contains("KBytes")).collect::<Vec<_>>().join("\n"));
    });
    server.stop();
}

/// HTTP/2: streams of several connections.
fn streams(server: &Server, mpm: Mpm) {
    let url = server.url("/streams/");
    let bytes: Vec<u64> = std::thread::scope(|scope| {
        let one = || curl(&["--http2-prior-knowledge", "--max-time", "10", "-o", "/dev/null", "-w", "%{size_download}", &url]);
        let running: Vec<_> = (0..5).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap().out.trim().parse().unwrap()).collect()
    });
    let what = format!("{mpm:?} streams");
    assert_exact(&bytes, 300, 10, &what);
    assert_fair(&bytes, &what);
}

/// Many responses wait, and the few workers that there are serve others.
#[test]
fn on_event_no_response_holds_a_worker_while_it_waits() {
    let server =
        serving(Mpm::Event, "Timeout 4\nQS_LocKBytesPerSecLimit /one/ 200\nQS_LocKBytesPerSecLimit /left/ 100000").tls().workers(4).processes(1).start();
    let mut plain = downloads(&server, "/one/", 20, false);
    let mut tls = downloads(&server, "/one/", 20, true);
    // These do not read what they get.
    let mut deaf = downloads(&server, "/left/", 10, false);
    read_for(&mut plain, SECONDS(1));
    for _ in 0..20 {
        let begin = Instant::now();
        assert_eq!(server.status("127.0.0.9", "/small.txt"), Some(200));
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    }
    let bytes = read_for(&mut tls, SECONDS(2));
    assert!(bytes.iter().all(|bytes| *bytes > 2000), "{bytes:?}");
    drop((plain, tls));
    assert!(server.wait_for_access("/one/19", SECONDS(2)));
    // httpd's timeout ends them.
    assert!(wait_until(SECONDS(12), || server.access_log().matches(" /left/").count() == 10), "{}", server.access_log());
    deaf.clear();
    server.stop();
}

const BOTH: [Mpm; 2] = [Mpm::Event, Mpm::Worker];

fn on_both(test: impl Fn(Mpm) + Sync) {
    std::thread::scope(|scope| {
        BOTH.map(|mpm| {
            scope.spawn({
                let test = &test;
                move || test(mpm)
            })
        })
        .map(|thread| thread.join().unwrap())
    });
}

/// Bytes that tell where they stand.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32 / 4).flat_map(u32::to_be_bytes).collect()
}

fn with_pattern(server: &Server, length: usize) -> Vec<u8> {
    let bytes = pattern(length);
    std::fs::write(server.docs().join("pattern.bin"), &bytes).unwrap();
    std::fs::set_permissions(server.docs().join("pattern.bin"), std::fs::Permissions::from_mode(0o644)).unwrap();
    bytes
}

fn average(line: &str) -> Option<u64> {
    line.rsplit_once("QS_ResponseDelayTime=")?.1.parse().ok()
}

/// What is sent is what was asked for, in order; the connection goes on; each request is logged once, with the letter and its waits.
#[test]
fn throttled_responses_are_complete_and_the_connection_goes_on() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_LocKBytesPerSecLimit /pattern.bin 300\nQS_LocKBytesPerSecLimit / 1000").tls().start();
        let whole = with_pattern(&server, 200_000);
        for tls in [false, true] {
            let mut client = if tls { RawClient::connect_tls(None, server.tls_addr()).unwrap() } else { server.client() };
            let begin = Instant::now();
            assert_eq!(client.get("/pattern.bin?a").unwrap().body, whole, "{mpm:?}");
            let took = begin.elapsed();
            assert!((Duration::from_millis(500)..Duration::from_millis(900)).contains(&took), "{mpm:?}: {took:?}");
            assert_eq!(client.get("/small.txt").unwrap().text(), "small\n");
            let part = client.request("GET", "/pattern.bin?b", &["Range: bytes=100000-149999"], b"").unwrap();
            assert_eq!((part.status, &part.body[..]), (206, &whole[100_000..150_000]), "{mpm:?}");
            let tag = part.header("etag").unwrap().to_owned();
            assert_eq!(client.request("GET", "/pattern.bin?c", &[&format!("If-None-Match: {tag}")], b"").unwrap().status, 304);
            let head = client.request("HEAD", "/pattern.bin?d", &[], b"").unwrap();
            assert_eq!((head.status, head.header("content-length")), (200, Some("200000")));
            assert_eq!(client.get("/").unwrap().status, 200, "an internal redirect");
            assert_eq!(client.get("/missing").unwrap().status, 404);
            // Pipelined.
            let ask = |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n");
            let three = [ask("/pattern.bin?e", ""), ask("/small.txt?f", ""), ask("/pattern.bin?g", "Connection: close\r\n")].concat();
            client.send(three).unwrap();
            assert_eq!(client.read_response().unwrap().body, whole, "{mpm:?}");
            assert_eq!(client.read_response().unwrap().text(), "small\n");
            assert_eq!(client.read_response().unwrap().body, whole, "{mpm:?}");
            assert!(client.wait_closed(SECONDS(5)).is_some());
            let port = if tls { server.tls_port() } else { server.port() };
            for (path, throttled) in [("/pattern.bin?a", true), ("/pattern.bin?b", true), ("/small.txt?f", false), ("/pattern.bin?g", true)] {
                let of_port = || {
                    server.access_log().lines().filter(|line| line.contains(&format!(" {port} ")) && line.contains(path)).map(str::to_owned).collect::<Vec<_>>()
                };
                assert!(wait_until(SECONDS(5), || of_port().len() == 1), "{mpm:?} {path}: {:?}", of_port());
                let line = of_port().remove(0);
                assert_eq!(line.contains("mod_qos_ev=L;"), throttled, "{mpm:?}: {line}");
                assert_eq!(average(&line).is_some_and(|average| (1_000..80_000).contains(&average)), throttled, "{mpm:?}: {line}");
            }
        }
        server.stop();
    });
}

/// W07, and `QS_LogOnlyRule` likewise: nobody waits, but the log shows what would have been.
#[test]
fn in_log_only_mode_nothing_waits() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_LogOnly on\nQS_LocKBytesPerSecLimit /pattern.bin 100").start();
        with_pattern(&server, 1_000_000);
        let begin = Instant::now();
        assert_eq!(server.client().get("/pattern.bin?a").unwrap().body.len(), 1_000_000);
        assert!(begin.elapsed() < SECONDS(3), "ten seconds if it were enforced: {:?}", begin.elapsed());
        let line = server.logged("/pattern.bin?a");
        assert!(line.contains("mod_qos_ev=L;") && average(&line).is_some_and(|average| (20_000..80_000).contains(&average)), "{mpm:?}: {line}");
        server.stop();
    });
}

/// Who ends his side with the request, as `nc -N` does, gets the whole answer: delayed, throttled, and on each MPM.
#[test]
fn half_closed_clients_are_served() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving(mpm, "QS_LocKBytesPerSecLimit /one/ 40000\nQS_LocRequestPerSecLimit /little/ 2 50").start();
                let ask = |path: &str| {
                    let mut client = server.client();
                    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap();
                    client.tcp().shutdown(std::net::Shutdown::Write).unwrap();
                    client
                };
                let mut large = ask("/one/x");
                // Each waits for the one before it.
                let mut little = (0..5).map(|_| ask("/little/x")).collect::<Vec<_>>();
                for client in &mut little {
                    assert_eq!(client.read_response().unwrap().status, 200, "{mpm:?}");
                }
                let response = large.read_response().unwrap();
                assert_eq!((response.status, response.body.len()), (200, 64 << 20), "{mpm:?}");
            });
        }
    });
}

/// Who leaves frees its place at once, though it had to wait for seconds; its request ends, and the others have its part.
#[test]
fn a_client_that_leaves_makes_room_at_once() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_LocKBytesPerSecLimit /left/ 20").http2().workers(160).start();
        let mut leaving = downloads(&server, "/left/", 100, false);
        read_for(&mut leaving, SECONDS(1));
        let mut staying = downloads(&server, "/left/stay", 1, false);
        let url = server.url("/left/stream");
        let stream = std::thread::spawn(move || curl(&["--http2-prior-knowledge", "--max-time", "2", "-o", "/dev/null", &url]));
        stream.join().unwrap();
        drop(leaving);
        let begin = Instant::now();
        let gone = || server.access_log().matches("GET /left/").count() == 101;
        assert!(wait_until(SECONDS(5), gone), "{mpm:?}: {}", server.access_log());
        assert!(begin.elapsed() < SECONDS(2), "{mpm:?}: {:?}", begin.elapsed());
        assert!(
            server.access_log().lines().filter(|line| line.contains("GET /left/")).all(|line| line.contains(" X ") || line.contains("stream")),
            "{mpm:?}: aborted"
        );
        read_for(&mut staying, SECONDS(2));
        let bytes = read_for(&mut staying, SECONDS(5));
        assert_exact(&bytes, 20, 5, "the one that stayed");
        server.stop();
    });
}

/// Those who come after a crowd that leaves do not wait for it: it had reserved half a minute.
#[test]
fn nobody_waits_for_who_has_left() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_LocKBytesPerSecLimit /left/ 1").workers(192).start();
        let leaving = downloads(&server, "/left/", 120, false);
        std::thread::sleep(SECONDS(1));
        let mut staying = downloads(&server, "/left/stay", 1, false);
        std::thread::sleep(Duration::from_millis(300));
        drop(leaving);
        let begin = Instant::now();
        while read_for(&mut staying, Duration::from_millis(100))[0] == 0 {
            assert!(begin.elapsed() < SECONDS(4), "{mpm:?}");
        }
        server.stop();
    });
}

/// Section 8.1: of the limits of events and location the lowest holds; section 13.5: privileged users are exempt. Below the limit nobody waits.
#[test]
fn the_lowest_limit_holds_and_privileged_users_are_exempt() {
    on_both(|mpm| {
        let rules = "QS_VipUser\nQS_LocKBytesPerSecLimit /pattern.bin 200\nQS_EventKBytesPerSecLimit Slow 100\nQS_EventKBytesPerSecLimit QS_VipRequest 100000";
        let server = serving(mpm, rules).start();
        with_pattern(&server, 100_000);
        let took = |query: &str| {
            let begin = Instant::now();
            assert_eq!(server.client().get(&format!("/pattern.bin?{query}")).unwrap().body.len(), 100_000);
            begin.elapsed().as_millis()
        };
        assert!((380..700).contains(&took("location")), "{mpm:?}");
        assert!((800..1400).contains(&took("Slow=1")), "{mpm:?}");
        assert!(took("QS_VipRequest=yes") < 200, "{mpm:?}");
        assert!(server.logged("/pattern.bin?QS_VipRequest=yes").contains("mod_qos_ev=S;"), "{}", server.access_log());
        for n in 0..5 {
            // What was reserved for the others, and 246 bytes of which the rule allows 102400 a second.
            std::thread::sleep(Duration::from_millis(100));
            let path = format!("/small.txt?Slow=1&{n}");
            assert_eq!(server.client().get(&path).unwrap().status, 200);
            assert!(server.logged(&path).contains("mod_qos_ev=- QS_ResponseDelayTime=-"), "{}", server.access_log());
        }
        server.stop();
    });
}

/// W15: nothing is held back to learn its length.
#[test]
fn streams_are_not_held_back() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_LocKBytesPerSecLimit /cgi/ 50").start();
        let mut client = server.client();
        client.send("GET /cgi/drip?1,4 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let begin = Instant::now();
        let mut text = String::new();
        while !text.contains("data: 1") {
            text += &String::from_utf8(client.read_some(1000).unwrap()).unwrap();
        }
        assert!(begin.elapsed() < Duration::from_millis(900), "{mpm:?}: {:?}", begin.elapsed());
        while !text.contains("data: 2") {
            text += &String::from_utf8(client.read_some(1000).unwrap()).unwrap();
        }
        assert!((Duration::from_millis(800)..SECONDS(2)).contains(&begin.elapsed()), "{mpm:?}: {:?}", begin.elapsed());
        server.stop();
    });
}

/// What a handler says that took the connection over is no response: nothing of it is held until more comes, and HTTP/2 streams are limited once.
#[test]
fn tunnels_and_upgrades_pass() {
    let backend = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = backend.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in backend.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
            std::thread::sleep(Duration::from_millis(200));
            let _ = stream.write_all(&[b'm'; 8000]);
            // Nothing more, until the client leaves.
            let _ = stream.read(&mut head);
        }
    });
    on_both(|mpm| {
        let rules = format!(
            "ProxyPass /socket/ ws://127.0.0.1:{port}/ upgrade=websocket\nQS_LocKBytesPerSecLimit /socket/ 2\nQS_LocKBytesPerSecLimit /pattern.bin 500"
        );
        let server = serving(mpm, &rules).http2().start();
        with_pattern(&server, 1_000_000);
        let mut client = server.client();
        client.send("GET /socket/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").unwrap();
        let (mut bytes, begin) = (0, Instant::now());
        while bytes < 8000 && begin.elapsed() < SECONDS(8) && client.wait_readable(SECONDS(8)) {
            bytes += client.read_some(10_000).unwrap().iter().filter(|byte| **byte == b'm').count();
        }
        assert!(bytes >= 8000, "{mpm:?}: {bytes}");
        drop(client);
        assert!(server.wait_for_access("/socket/", SECONDS(5)), "{mpm:?}");
        let begin = Instant::now();
        let url = server.url("/pattern.bin");
        assert_eq!(curl(&["--http2", "-o", "/dev/null", "-w", "%{http_version} %{size_download}", &url]).out.trim(), "2 1000000");
        assert!((SECONDS(1)..SECONDS(3)).contains(&begin.elapsed()), "{mpm:?}: {:?}", begin.elapsed());
        server.stop();
    });
}

/// Restarts: what is under way is finished by the old children; a stop does not wait for it. The minimum data rate does not take the server's waiting for the client's.
#[test]
fn restarts_finish_what_is_under_way_and_a_stop_does_not_wait() {
    on_both(|mpm| {
        let server = serving(mpm, "QS_SrvMinDataRate 5000\nQS_SrvSampleRate 2\nQS_LocKBytesPerSecLimit / 40").start();
        let whole = with_pattern(&server, 400_000);
        let mut clients: Vec<_> = (0..2).map(|_| server.client()).collect();
        for client in &mut clients {
            client.send("GET /pattern.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-159999\r\n\r\n").unwrap();
        }
        std::thread::sleep(SECONDS(1));
        server.graceful();
        for mut client in clients {
            assert_eq!(client.read_response().unwrap().body, whole[..160_000], "{mpm:?}: {}", server.error_log());
        }
        assert_eq!(server.lines("034"), [""; 0], "{mpm:?}");
        let lines = server.access_log().matches("GET /pattern.bin").count();
        assert!(wait_until(SECONDS(3), || server.access_log().matches("GET /pattern.bin").count() == 2), "{lines}");
        let waiting = downloads(&server, "/pattern.bin?", 10, false);
        std::thread::sleep(SECONDS(1));
        let begin = Instant::now();
        server.stop();
        assert!(begin.elapsed() < SECONDS(6), "{mpm:?}: {:?}", begin.elapsed());
        drop(waiting);
    });
}
