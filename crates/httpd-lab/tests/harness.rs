//! The harness itself: what the other tests rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::Ipv4Addr;
use std::time::Duration;

use httpd_lab::attack::{Attack, Slow};
use httpd_lab::http2::{curl, h2load, http2_prior, nghttp};
use httpd_lab::{Builder, Module, Mpm, Probe, RawClient, Server, SlowPlan, original, sys, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn plain() -> Builder {
    Server::builder().module(Module::None)
}

#[test]
fn all_mpms_serve_documents_scripts_and_tls() {
    for mpm in Mpm::ALL {
        let server = plain().mpm(mpm).tls().log_env(&["HTTPS", "NOT_SET"]).start();
        let mut client = server.client_from("127.0.3.4");
        for _ in 0..3 {
            assert_eq!(client.get("/small.txt").unwrap().text(), "small\n");
        }
        assert!(client.is_open(), "{mpm:?}: keep-alive");
        let third = format!("127.0.3.4 {} 2 \"GET /small.txt HTTP/1.1\" 200 ", server.port());
        assert!(server.wait_for_access(&third, SECONDS(5)), "{mpm:?}: {}", server.access_log());
        assert!(server.access_log().contains(" HTTPS=- NOT_SET=-"));

        let mut tls = RawClient::connect_tls(None, server.tls_addr()).unwrap();
        assert_eq!(tls.get("/").unwrap().status, 200);
        let upload = tls.request("POST", "/cgi/upload", &[], &[b'x'; 5000]).unwrap();
        assert_eq!(upload.text().trim(), "5000");

        assert!(client.get("/cgi/env").unwrap().text().contains("REMOTE_ADDR=127.0.3.4"));
        let drip = client.get("/cgi/drip?0.01,3").unwrap();
        assert_eq!(drip.text().matches("data: ").count(), 3);
        assert_eq!(client.get("/cgi/slow?0.1").unwrap().text(), "done\n");
        assert!(!server.children().is_empty());
        server.stop();
    }
}

#[test]
fn http2_is_spoken_on_both_ports() {
    let server = plain().tls().http2().start();
    assert_eq!(http2_prior(&server.url("/small.txt")).out, "200 2");
    let said = curl(&["-o", "/dev/null", "-w", "%{http_version}", "--http2", &server.tls_url("/")]);
    assert_eq!(said.out, "2", "{said:?}");
    let said = nghttp(&[&server.url("/small.txt"), &server.url("/index.html")]);
    assert!(said.ok && said.out.contains("/index.html"), "{said:?}");
    let said = h2load(&["-n", "20", "-c", "2", "-m", "5", &server.url("/small.txt")]);
    assert!(said.out.contains("20 succeeded"), "{said:?}");
}

#[test]
fn restarts_keep_the_service_and_take_up_a_new_configuration() {
    for mpm in Mpm::ALL {
        let mut server = plain().mpm(mpm).config("Header set X-Lab one").start();
        let before = server.children();
        assert_eq!(server.client().get("/").unwrap().header("x-lab"), Some("one"));
        server.rewrite_config("Header set X-Lab two");
        server.graceful();
        // A connection can still reach a child of the old generation that has not yet seen the signal.
        let renewed = || server.client().get("/").unwrap().header("x-lab") == Some("two");
        assert!(wait_until(SECONDS(10), renewed), "{mpm:?}");
        server.rewrite(|b| b.workers(16));
        server.restart();
        assert!(server.children().iter().all(|pid| !before.contains(pid)), "{mpm:?}");
        assert_eq!(server.client().get("/").unwrap().status, 200);
    }
}

#[test]
fn virtual_hosts_have_ports_of_their_own() {
    let server = plain()
        .vhost_ports(2)
        .listen_v6()
        .config("<VirtualHost *:@PORT1@>\nHeader set X-Port one\n</VirtualHost>")
        .config("<VirtualHost *:@PORT2@>\nHeader set X-Port two\nDocumentRoot @DOCS@\n</VirtualHost>")
        .start();
    for (k, name) in [(1, "one"), (2, "two")] {
        let addr = (Ipv4Addr::LOCALHOST, server.vhost_port(k)).into();
        let response = RawClient::connect(None, addr).unwrap().get("/small.txt").unwrap();
        assert_eq!(response.header("x-port"), Some(name));
    }
    let v6 = (std::net::Ipv6Addr::LOCALHOST, server.port()).into();
    assert_eq!(RawClient::connect(None, v6).unwrap().get("/").unwrap().status, 200);
}

#[test]
fn a_bad_configuration_is_an_error_with_text() {
    let said = plain().config("NoSuchDirective 1").configtest().unwrap_err();
    assert!(said.contains("NoSuchDirective"), "{said}");
    assert!(plain().config("KeepAliveTimeout 3").configtest().is_ok());
    assert!(plain().config("NoSuchDirective 1").try_start().unwrap_err().contains("NoSuchDirective"));
}

#[test]
fn a_killed_child_is_replaced() {
    let server = plain().expect_crashes().start();
    let before = server.children();
    for pid in &before {
        assert!(sys::signal(*pid, libc::SIGKILL));
    }
    let replaced = || !server.children().is_empty() && server.children().iter().all(|pid| !before.contains(pid));
    assert!(wait_until(SECONDS(10), replaced));
    assert_eq!(server.client().get("/").unwrap().status, 200);
}

#[test]
fn a_crash_fails_the_test_that_does_not_expect_it() {
    let server = plain().start();
    let root = server.root().to_owned();
    let child = server.children()[0];
    assert!(sys::signal(child, libc::SIGSEGV));
    assert!(server.wait_for_log("exit signal", SECONDS(10)), "{}", server.error_log());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.stop())).is_err());
    assert!(root.exists(), "the files of a failed test are kept");
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn slow_clients_see_when_they_are_cut() {
    // mod_reqtimeout cuts slow heads and bodies and slow handshakes; nobody cuts slow readers.
    let config = "RequestReadTimeout handshake=1 header=1 body=1\nKeepAliveTimeout 30";
    let server = plain().tls().load("reqtimeout").config(config).start();
    let pause = Duration::from_millis(200);
    let head = SlowPlan::head(server.addr()).connections(5).every(pause).start();
    let body = SlowPlan::body(server.addr()).connections(5).every(pause).start();
    let tls_head = SlowPlan::head(server.tls_addr()).tls().connections(5).every(pause).start();
    let handshake = SlowPlan::handshake(server.tls_addr()).connections(5).every(pause).start();
    let read = SlowPlan::read(server.addr()).connections(5).bytes(100).every(pause).start();
    let tls_read = SlowPlan::read(server.tls_addr()).tls().connections(5).bytes(1000).every(pause).start();
    let idle = SlowPlan::idle(server.addr()).connections(5).from_each(Ipv4Addr::new(127, 0, 9, 1)).start();
    for (name, slow) in [("head", &head), ("body", &body), ("tls head", &tls_head), ("handshake", &handshake)] {
        assert!(slow.wait_all_opened(SECONDS(5)), "{name}");
        let closed = slow.wait_all_closed(SECONDS(10));
        assert!(closed.is_some_and(|t| t >= Duration::from_millis(900)), "{name}: {:?}", slow.connections());
    }
    for (name, slow) in [("read", &read), ("tls read", &tls_read), ("idle", &idle)] {
        assert_eq!(slow.open(), 5, "{name}: {:?}", slow.connections());
        assert!(slow.connections().iter().all(|c| c.received > 200), "{name}: {:?}", slow.connections());
    }
    assert_eq!(server.open_connections(), 15);
    assert!(server.wait_for_access("127.0.9.5 ", SECONDS(5)));
    drop((read, tls_read, idle));
    assert!(wait_until(SECONDS(10), || server.open_connections() == 0), "{}", server.open_connections());
}

#[test]
fn an_attack_takes_the_service_away_and_the_probe_notices() {
    let server = plain().mpm(Mpm::Worker).workers(8).start();
    let attack = Attack::new(Slow::Headers, &server.url("/")).connections(50).length(SECONDS(30)).start();
    let visitor = Ipv4Addr::new(127, 0, 7, 7);
    let probe = Probe::start(server.addr(), visitor, SECONDS(1));
    assert!(wait_until(SECONDS(20), || probe.outage().failures > 2), "{:?}", probe.outage());
    let report = attack.stop();
    assert!(!report.seconds.is_empty(), "{report:?}");
    assert!(wait_until(SECONDS(20), || probe.outage().back_at.is_some()), "{:?}", probe.outage());
    let outage = probe.stop();
    assert!(outage.longest >= SECONDS(2) && outage.first_failure.is_some(), "{outage:?}");
}

#[test]
fn the_packaged_original_refuses_a_second_connection() {
    if original::module().is_none() {
        eprintln!("skipped: the package of the original cannot be had here");
        return;
    }
    for mpm in Mpm::ALL {
        let server = Server::builder().module(Module::Original).mpm(mpm).config("QS_SrvMaxConnPerIP 1").start();
        let mut first = server.client_from("127.0.0.8");
        assert_eq!(first.get("/").unwrap().status, 200, "{mpm:?}");
        let mut second = server.client_from("127.0.0.8");
        assert!(second.get("/").map_or(true, |r| r.status != 200), "{mpm:?}");
        assert_eq!(server.client_from("127.0.0.9").get("/").unwrap().status, 200, "{mpm:?}");
        assert!(server.wait_for_log("mod_qos(031)", SECONDS(5)), "{mpm:?}: {}", server.error_log());
    }
}

#[test]
fn many_addresses_connect_fast() {
    let server = plain().start();
    let addr = server.addr().to_string();
    let args = [addr.as_str(), "--addresses", "500", "--total", "1000", "--concurrent", "32"];
    let said = httpd_lab::http2::run(env!("CARGO_BIN_EXE_connections"), &args);
    assert!(said.ok && said.out.contains("(1000 served, 0 failed"), "{said:?}");
    assert!(server.wait_for_access("127.1.1.244 ", SECONDS(5)));
}
