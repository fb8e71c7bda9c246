//! Bandwidth of locations and events (request-event.md sections 8 and 9.3, example E5, W07, W15).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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
    builder.load("proxy").load("proxy_http").log_env(&["mod_qos_ev", "QS_ResponseDelayTime"])
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

#[track_caller]
fn assert_fair(bytes: &[u64], what: &str) {
    let mean = bytes.iter().sum::<u64>() as f64 / bytes.len() as f64;
    for bytes in bytes {
        assert!((*bytes as f64 - mean).abs() < mean * 0.15, "{what}: {bytes} bytes, mean {mean}");
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
    let server = serving(Mpm::Event, "QS_LocKBytesPerSecLimit /one/ 200").tls().workers(4).processes(1).start();
    let mut plain = downloads(&server, "/one/", 20, false);
    let mut tls = downloads(&server, "/one/", 20, true);
    read_for(&mut plain, SECONDS(1));
    for _ in 0..20 {
        let begin = Instant::now();
        assert_eq!(server.status("127.0.0.9", "/small.txt"), Some(200));
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    }
    let bytes = read_for(&mut tls, SECONDS(2));
    assert!(bytes.iter().all(|bytes| *bytes > 2000), "{bytes:?}");
    drop((plain, tls));
    server.stop();
}
