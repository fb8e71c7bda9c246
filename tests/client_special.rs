//! Connections that count as events for `QS_ClientEventBlockCount` (connection-client.md section 9.9, W10, W11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::http2::{curl, nghttp};
use httpd_lab::said::hold;
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\n<Location /console>\nSetHandler qos-console\n</Location>\nQS_ClientEventBlockCount 3 600\n";
    Server::builder().config(show).config(config).log_env(&["mod_qos_ev"])
}

/// The block counter of a client; `None`: it is not known.
fn block(server: &Server, address: &str) -> Option<u32> {
    let text = server.ask("127.255.0.1", &format!("/console?action=search&address={address}"), &[]).unwrap().text();
    text.split(" block=").nth(1)?.split('/').next()?.parse().ok()
}

#[track_caller]
fn expect(server: &Server, address: &str, count: u32) {
    assert!(
        wait_until(SECONDS(8), || block(server, address).unwrap_or(0) == count),
        "{address}: {:?}, not {count}: {}",
        block(server, address),
        server.error_log()
    );
}

/// All connections have ended, so that everything is counted that ever will be.
#[track_caller]
fn all_ended(server: &Server) {
    assert!(wait_until(SECONDS(8), || server.open_connections() == 0));
    std::thread::sleep(Duration::from_millis(100));
}

#[test]
fn connections_without_a_request() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving("QS_SetEnvIfStatus NullConnection QS_Block").mpm(mpm).tls().start();
                for n in 1..=2 {
                    drop(server.client_from("127.0.70.1"));
                    expect(&server, "127.0.70.1", n);
                }
                // Any request will do, also one that cannot be understood.
                for n in 0..5 {
                    assert_eq!(server.status("127.0.70.1", &format!("/small.txt?{n}")), Some(200), "{mpm:?}");
                    let mut strange = server.client_from("127.0.70.1");
                    strange.send("nonsense\r\n\r\n").unwrap();
                    assert!(strange.wait_closed(SECONDS(5)).is_some(), "{mpm:?}");
                }
                all_ended(&server);
                expect(&server, "127.0.70.1", 2);
                // Half a request is none; so is a handshake that fails.
                let mut half = server.client_from("127.0.70.1");
                half.send("GET /small.txt HT").unwrap();
                half.reset().unwrap();
                expect(&server, "127.0.70.1", 3);
                assert_eq!(server.status("127.0.70.1", "/small.txt"), None, "{mpm:?}: blocked");
                // Refused connections are no further events.
                all_ended(&server);
                expect(&server, "127.0.70.1", 3);
                let mut fails = RawClient::connect(Some("127.0.70.2".parse().unwrap()), server.tls_addr()).unwrap();
                fails.send("\u{1}\u{2}\u{3}nothing like TLS at all, and rather long\r\n\r\n").unwrap();
                drop(fails);
                expect(&server, "127.0.70.2", 1);
                server.stop();
            });
        }
    });
}

/// W10: streams are requests of their connection.
#[test]
fn http2_connections_have_requests() {
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
    let server = serving("QS_SetEnvIfStatus NullConnection QS_Block").http2().tls().expect_crashes().start();
    let urls = (0..3).map(|n| server.tls_url(&format!("/small.txt?{n}"))).collect::<Vec<_>>();
    for n in 0..5 {
        assert!(nghttp(&urls.iter().map(String::as_str).collect::<Vec<_>>()).ok);
        for (url, protocol) in
            [(server.url("/small.txt"), "--http2-prior-knowledge"), (server.url("/small.txt"), "--http2"), (server.tls_url("/small.txt"), "--http2")]
        {
            assert_eq!(curl(&[protocol, "-o", "/dev/null", "-w", "%{http_code}", &url]).out, "200", "{n} {url} {protocol}");
        }
    }
    all_ended(&server);
    expect(&server, "127.0.0.1", 0);
    assert!(!server.error_log().contains("panicked"), "{}", server.error_log());
}

#[test]
fn clients_that_leave_while_they_are_answered() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving("QS_SetEnvIfStatus BrokenConnection QS_Block").mpm(mpm).start();
                for n in 1..=3 {
                    let mut leaves = server.client_from("127.0.71.1");
                    leaves.send(format!("GET /large.bin?{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
                    leaves.read_some(1000).unwrap();
                    if n == 1 {
                        leaves.reset().unwrap()
                    } else {
                        drop(leaves)
                    }
                    expect(&server, "127.0.71.1", n);
                    assert!(server.logged(&format!("/large.bin?{n}")).ends_with(" mod_qos_ev=A;"), "{mpm:?}: {}", server.access_log());
                }
                assert_eq!(server.status("127.0.71.1", "/small.txt"), None, "{mpm:?}: blocked");
                // Who leaves between requests, or has heard everything, leaves nothing behind.
                for n in 0..4 {
                    let mut polite = hold(&server, "127.0.71.2", 1).remove(0);
                    if n % 2 == 0 { polite.reset().unwrap() } else { assert_eq!(polite.get("/missing").unwrap().status, 404) }
                }
                all_ended(&server);
                expect(&server, "127.0.71.2", 0);
                assert!(!server.access_log().lines().any(|line| line.starts_with("127.0.71.2 ") && line.contains("A;")), "{mpm:?}");
                server.stop();
            });
        }
    });
}

/// W11: with HTTP/2 it is the connection that breaks.
#[test]
fn http2_clients_that_leave() {
    let server = serving("QS_SetEnvIfStatus BrokenConnection QS_Block").http2().tls().expect_crashes().start();
    // It gives up in the middle.
    let url = server.tls_url("/cgi/drip?0.1,600");
    curl(&["--interface", "127.0.71.3", "--http2", "-m", "1", "-o", "/dev/null", &url]);
    expect(&server, "127.0.71.3", 1);
    // One that hears everything leaves nothing behind.
    let url = server.tls_url("/small.txt");
    curl(&["--interface", "127.0.71.5", "--http2", "-o", "/dev/null", &url]);
    all_ended(&server);
    expect(&server, "127.0.71.5", 0);
}

#[test]
fn connections_that_are_one_too_many() {
    for log_only in ["off", "on"] {
        let server = serving(&format!("QS_LogOnly {log_only}\nQS_SrvMaxConnPerIP 2\nQS_SetEnvIfStatus QS_SrvMaxConnPerIP QS_Block")).start();
        let held = hold(&server, "127.0.72.1", 2);
        for n in 1..=3 {
            let _ = server.status("127.0.72.1", "/small.txt");
            expect(&server, "127.0.72.1", n);
        }
        drop(held);
        all_ended(&server);
        assert_eq!(server.status("127.0.72.1", "/small.txt"), Some(200).filter(|_| log_only == "on"), "{log_only}");
        expect(&server, "127.0.72.1", 3);
        // A connection that both rules refuse counts once: by the first.
        let marked = server.lines("060").iter().filter(|line| line.contains("(log only)")).count();
        assert_eq!(marked > 0, log_only == "on", "{:#?}", server.lines("060"));
    }
}

/// Slow connections: each once, those that are spared not at all.
#[test]
fn connections_that_are_too_slow() {
    let rules = "QS_SrvMinDataRate 10000\nQS_SrvSampleRate 2 0\nQS_SrvMaxConnExcludeIP 127.0.73.9\nQS_SetEnvIfStatus QS_SrvMinDataRate QS_Block\nQS_SetEnvIfStatus NullConnection QS_Block";
    std::thread::scope(|scope| {
        for log_only in ["off", "on"] {
            scope.spawn(move || {
                let server = serving(rules).config(&format!("QS_LogOnly {log_only}")).start();
                let slow = ["127.0.73.1", "127.0.73.1", "127.0.73.9"].map(|from| {
                    let mut client = server.client_from(from);
                    client.send("GET /small.txt HTTP/1.1\r\nX-Slow: ").unwrap();
                    client
                });
                expect(&server, "127.0.73.1", 2);
                if log_only == "off" {
                    assert!(slow[..2].iter().all(|client| client.wait_closed(SECONDS(5)).is_some()));
                }
                // It is said of them already: they do not count as connections without a request as well.
                drop(slow);
                all_ended(&server);
                expect(&server, "127.0.73.1", 2);
                expect(&server, "127.0.73.9", 0);
            });
        }
    });
}
