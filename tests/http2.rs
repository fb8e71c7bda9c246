//! HTTP/2: a connection is one connection, however many streams it carries (connection-client.md section 3.7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::http2::{curl, h2load, nghttp};
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn speaking_http2(config: &str) -> Builder {
    let show = "Header always set X-All \"%{QS_AllConn}e\"\nKeepAliveTimeout 60\n";
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves; see `finish`.
    Server::builder().expect_crashes().http2().tls().config(show).config(config).log_env(&[
        "QS_AllConn",
        "QS_SrvConn",
        "QS_IPConn",
        "mod_qos_con",
        "mod_qos_ev",
    ])
}

/// A connection with HTTP/1.1 that is the only one of the server. That there is one shows that all counters are back.
fn only(server: &Server) -> RawClient {
    let mut held = None;
    let alone = || {
        held = None;
        let mut client = server.client();
        let all = client.get("/small.txt").ok().and_then(|response| response.header("x-all").map(str::to_owned));
        held = Some(client);
        all.as_deref() == Some("1")
    };
    assert!(wait_until(SECONDS(10), alone), "counters that are not given back: {}", server.access_log());
    held.unwrap()
}

/// Waits until there are no connections, and forgets what was logged.
fn alone(server: &Server) {
    drop(only(server));
    assert!(wait_until(SECONDS(5), || server.open_connections() == 0));
    std::fs::write(server.root().join("access.log"), "").unwrap();
}

/// Ends the server, without a crash up to here.
fn finish(server: Server) {
    let log = server.error_log();
    assert!(!log.contains("exit signal") && !log.contains("panicked"), "{log}");
    server.stop();
}

/// The lines of streams in the access log.
fn streams(server: &Server) -> Vec<String> {
    server.access_log().lines().filter(|line| line.contains(" HTTP/2.0\" ")).map(str::to_owned).collect()
}

#[test]
fn streams_never_count_as_connections() {
    for mpm in [Mpm::Event, Mpm::Worker] {
        let server = speaking_http2("QS_SrvMaxConnPerIP 1\nQS_SrvMaxConn 2").mpm(mpm).start();
        for (base, path, n) in [(server.url(""), "/small.txt", 500), (server.tls_url(""), "/small.txt", 500), (server.tls_url(""), "/cgi/slow?0.1", 50)] {
            alone(&server);
            let (url, refused) = (format!("{base}{path}"), server.count_log("mod_qos(03"));
            let said = h2load(&["-n", &n.to_string(), "-c1", "-m50", &url]);
            assert!(said.out.contains(&format!(" {n} succeeded, 0 failed, 0 errored")), "{mpm:?} {url}: {}\n{}", said.out, server.error_log());
            assert!(wait_until(SECONDS(5), || streams(&server).len() == n), "{mpm:?} {url}: {} streams", streams(&server).len());
            for line in streams(&server) {
                assert!(line.ends_with(" QS_AllConn=1 QS_SrvConn=1 QS_IPConn=1 mod_qos_con=1 mod_qos_ev=-"), "{mpm:?} {url}: {line}");
            }
            assert_eq!(server.count_log("mod_qos(03"), refused, "{mpm:?} {url}: {}", server.error_log());
        }
        drop(only(&server));
        finish(server);
    }
}

#[test]
fn a_second_connection_of_the_same_address_is_refused_while_the_first_works() {
    for mpm in [Mpm::Event, Mpm::Worker] {
        let server = speaking_http2("QS_SrvMaxConnPerIP 1").mpm(mpm).start();
        let mut others = 2..;
        for (held_url, ask) in [(server.url(""), "--http2-prior-knowledge"), (server.url(""), "--http2"), (server.tls_url(""), "--http2")] {
            alone(&server);
            let before = server.count_log("mod_qos(031)");
            let slow = format!("{held_url}/cgi/drip?0.1,600");
            let mut first = std::process::Command::new("curl")
                .args(["-q", "-sS", "-k", "-N", "--max-time", "60", "--interface", "127.0.24.1", ask, "-o", "/dev/null", &slow])
                .spawn()
                .expect("curl is installed");
            assert!(wait_until(SECONDS(10), || server.open_connections() == 1), "{mpm:?} {slow}");
            for url in [server.url("/small.txt"), server.tls_url("/small.txt")] {
                for protocol in ["--http1.1", "--http2", "--http2-prior-knowledge"] {
                    let from = |address: &str| curl(&["--interface", address, protocol, "-o", "/dev/null", "-w", "%{http_code}", &url]);
                    let refused = from("127.0.24.1");
                    assert!(!refused.ok && refused.out == "000", "{mpm:?} {held_url} {url} {protocol}: {refused:?}");
                    // Each another one: the connection before may not have ended yet.
                    let other = format!("127.0.24.{}", others.next().unwrap());
                    assert_eq!(from(&other).out, "200", "{mpm:?} {held_url} {url} {protocol}: others are served");
                }
            }
            let line = "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=1, concurrent connections=2, c=127.0.24.1";
            assert!(server.count_log(line) >= 1 && server.count_log("mod_qos(031)") >= before + 6, "{mpm:?}: {}", server.error_log());
            assert!(first.try_wait().unwrap().is_none(), "{mpm:?} {slow}: the first goes on");
            first.kill().unwrap();
            first.wait().unwrap();
            let again = || curl(&["--interface", "127.0.24.1", ask, "-o", "/dev/null", "-w", "%{http_code}", &format!("{held_url}/small.txt")]).out == "200";
            assert!(wait_until(SECONDS(10), again), "{mpm:?} {held_url}: its place is free again");
        }
        finish(server);
    }
}

#[test]
fn many_connections_with_many_streams_leave_nothing_behind() {
    let server = speaking_http2("QS_SrvMaxConn 100\nQS_SrvMaxConnPerIP 5").start();
    for base in [server.url(""), server.tls_url("")] {
        alone(&server);
        // Half of them are refused.
        let said = h2load(&["-n", "2000", "-c", "10", "-m", "20", &format!("{base}/small.txt")]);
        assert!(!said.out.contains(" 0 succeeded") && !said.out.contains(" 2000 succeeded"), "{}", said.out);
        assert!(streams(&server).iter().all(|line| (1..=5).any(|n| line.contains(&format!(" QS_IPConn={n} ")))), "{}", server.access_log());
        drop(only(&server));
    }
    finish(server);
}

#[test]
fn above_the_close_limit_streams_get_the_letter_and_the_connection_serves_them_all() {
    let server = speaking_http2("QS_SrvMaxConnClose 1").start();
    let _held = only(&server);
    let urls = (0..8).map(|n| server.tls_url(&format!("/small.txt?{n}"))).collect::<Vec<_>>();
    let said = nghttp(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(said.ok, "{}", said.err);
    assert!(wait_until(SECONDS(5), || streams(&server).len() == 8), "{}", server.access_log());
    for line in streams(&server) {
        assert!(line.contains("\" 200 ") && line.ends_with(" QS_AllConn=2 QS_SrvConn=2 QS_IPConn=- mod_qos_con=- mod_qos_ev=K;"), "{line}");
    }
    finish(server);
}
