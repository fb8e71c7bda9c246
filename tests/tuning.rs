//! Variables that tune one request or its connection (request-event.md section 17, W40, W41).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use httpd_lab::http2::nghttp;
use httpd_lab::packets::Packets;
use httpd_lab::said::by_query;
use httpd_lab::{Builder, Mpm, RawClient, Response, Server, sys};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Requests say in their query which variables they have.
fn serving(mpm: Mpm, config: &str) -> Builder {
    let variables = by_query(&["QS_KeepAliveTimeout", "QS_MaxKeepAliveRequests", "QS_KeepAliveEnd", "QS_Timeout", "QS_Set_DSCP"]);
    let config = format!("AcceptFilter http none\nKeepAliveTimeout 60\nMaxKeepAliveRequests 3\n{variables}{config}");
    Server::builder().mpm(mpm).config(&config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

/// With the header that makes httpd tell its numbers.
fn get(client: &mut RawClient, path: &str) -> Response {
    client.request("GET", path, &["Connection: keep-alive"], b"").unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn numbers(response: &Response) -> &str {
    response.header("keep-alive").unwrap_or_else(|| response.header("connection").unwrap_or("-"))
}

fn letters(server: &Server, path: &str) -> String {
    server.logged(path).split(" mod_qos_ev=").nth(1).unwrap().to_owned()
}

/// W40 and release 11.79: the numbers hold for one request; what ends the connection works on all MPMs.
#[test]
fn keep_alive_is_tuned_for_one_request() {
    std::thread::scope(|scope| Mpm::ALL.into_iter().for_each(|mpm| drop(scope.spawn(move || tuned(mpm)))));
}

fn tuned(mpm: Mpm) {
    let config = "QS_SetEnvIfStatus 404 QS_KeepAliveTimeout=0\nQS_SetEnvIfStatus 403 QS_KeepAliveEnd\n<Location /closed>\nRequire all denied\n</Location>\n\
                  ErrorDocument 403 /small.txt\n<VirtualHost *:@PORT1@>\nKeepAliveTimeout 50\n</VirtualHost>";
    let server = serving(mpm, config).vhost_ports(1).start();
    let own_time = mpm != Mpm::Event;
    let mut client = server.client_from("127.0.40.1");
    assert_eq!(numbers(&get(&mut client, "/small.txt?plain")), "timeout=60, max=3", "{mpm:?}");
    let expected = if own_time { "timeout=2, max=2" } else { "timeout=60, max=2" };
    assert_eq!(numbers(&get(&mut client, "/small.txt?QS_KeepAliveTimeout=2")), expected, "{mpm:?}");
    let start = Instant::now();
    if own_time {
        let closed = client.wait_closed(SECONDS(20));
        assert!(closed.is_some() && start.elapsed() > Duration::from_millis(1500), "{mpm:?}: {closed:?}");
        assert!(start.elapsed() < SECONDS(15), "{mpm:?}");
        assert_eq!((letters(&server, "/small.txt?QS_KeepAliveTimeout=2").as_str(), server.lines("037").len()), ("T; QS_ErrorNotes=-", 0), "{mpm:?}");
    } else {
        assert_eq!(letters(&server, "/small.txt?QS_KeepAliveTimeout=2"), "- QS_ErrorNotes=-");
        assert_eq!(server.lines("037").len(), 1, "{}", server.error_log());
    }
    // The next request of the connection has the server's numbers again.
    let mut client = server.client_from("127.0.40.1");
    get(&mut client, "/small.txt?QS_KeepAliveTimeout=1&before");
    assert_eq!(numbers(&get(&mut client, "/small.txt?next")), "timeout=60, max=2", "{mpm:?}");
    assert!(client.wait_closed(Duration::from_millis(2500)).is_none(), "{mpm:?}: the time of another request");

    // More requests than the server allows, fewer, and any number.
    let mut client = server.client_from("127.0.40.2");
    for n in 0..6 {
        let path = format!("/small.txt?QS_MaxKeepAliveRequests={}&{n}", if n < 3 { 5 } else { 0 });
        let expected = if n < 3 { format!("timeout=60, max={}", 5 - n) } else { "timeout=60".to_owned() };
        assert_eq!(numbers(&get(&mut client, &path)), expected, "{mpm:?}: {n}");
        assert_eq!(letters(&server, &path), "T; QS_ErrorNotes=-", "{mpm:?}");
    }
    assert_eq!(numbers(&get(&mut client, "/small.txt?beyond")), "close", "{mpm:?}");
    assert!(client.wait_closed(SECONDS(5)).is_some(), "{mpm:?}");
    let mut client = server.client_from("127.0.40.2");
    get(&mut client, "/small.txt?first");
    assert_eq!(numbers(&get(&mut client, "/small.txt?QS_MaxKeepAliveRequests=1")), "close", "{mpm:?}");

    // The end of the connection; also in error responses of httpd and after redirects.
    for (path, status) in [
        ("/small.txt?QS_KeepAliveTimeout=0", 200),
        ("/small.txt?QS_KeepAliveTimeout=00", 200),
        ("/small.txt?QS_KeepAliveEnd=", 200),
        ("/?QS_KeepAliveEnd=no", 200),
        ("/missing?by-status", 404),
        ("/closed?by-status", 403),
        ("/closed?QS_KeepAliveTimeout=0", 403),
    ] {
        let mut client = server.client_from("127.0.40.3");
        let response = get(&mut client, path);
        assert_eq!((response.status, numbers(&response)), (status, "close"), "{mpm:?}: {path}");
        assert!(client.wait_closed(SECONDS(5)).is_some(), "{mpm:?}: {path}");
        assert_eq!(letters(&server, path), "T; QS_ErrorNotes=-", "{mpm:?}: {path}");
    }
    // What is no number, or negative, is ignored.
    let mut client = server.client_from("127.0.40.4");
    assert_eq!(numbers(&get(&mut client, "/small.txt?QS_KeepAliveTimeout=-1&QS_MaxKeepAliveRequests=no")), "timeout=60, max=3", "{mpm:?}");
    assert_eq!(letters(&server, "/small.txt?QS_KeepAliveTimeout=-1&QS_MaxKeepAliveRequests=no"), "- QS_ErrorNotes=-", "{mpm:?}");
    // Another server's record is not mixed up with this one's.
    let mut client = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(1)).into()).unwrap();
    assert_eq!(numbers(&get(&mut client, "/small.txt?QS_MaxKeepAliveRequests=5&other")), "timeout=50, max=5", "{mpm:?}");
    server.stop();
}

/// Section 5.
#[test]
fn in_log_only_mode_the_letter_is_set_and_nothing_is_tuned() {
    let server = serving(Mpm::Worker, "QS_LogOnly on").start();
    let mut client = server.client_from("127.0.40.1");
    for (path, expected) in [
        ("/small.txt?QS_KeepAliveTimeout=0", "timeout=60, max=3"),
        ("/small.txt?QS_KeepAliveTimeout=1&QS_MaxKeepAliveRequests=1", "timeout=60, max=2"),
        ("/small.txt?QS_KeepAliveEnd=1", "timeout=60, max=1"),
    ] {
        assert_eq!(numbers(&get(&mut client, path)), expected, "{path}");
        assert_eq!(letters(&server, path), "T; QS_ErrorNotes=-", "{path}");
    }
}

/// Variables may come from files that are read while requests are served.
#[test]
fn htaccess_files_set_the_variables() {
    let config = "AcceptFilter http none\nKeepAliveTimeout 60\n<Directory @DOCS@>\nAllowOverride FileInfo\n</Directory>";
    let server = Server::builder().config(config).log_env(&["mod_qos_ev"]).start();
    std::fs::write(server.docs().join(".htaccess"), "SetEnvIf Request_URI small QS_KeepAliveEnd\n").unwrap();
    let mut client = server.client_from("127.0.40.1");
    assert_eq!(numbers(&get(&mut client, "/index.html")), "timeout=60, max=100");
    assert_eq!(numbers(&get(&mut client, "/small.txt")), "close");
    assert!(letters(&server, "/small.txt").ends_with("T;"));
}

#[test]
fn a_timeout_of_its_own_ends_a_request() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving(mpm, "Timeout 60").start();
                let mut client = server.client_from("127.0.40.1");
                let start = Instant::now();
                client.send("POST /cgi/upload?QS_Timeout=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345").unwrap();
                assert!(client.wait_readable(SECONDS(20)), "{mpm:?}: still waiting for the body");
                assert!((Duration::from_millis(900)..SECONDS(15)).contains(&start.elapsed()), "{mpm:?}: {:?}", start.elapsed());
                // The next request has the server's time again.
                let mut client = server.client_from("127.0.40.1");
                get(&mut client, "/small.txt?QS_Timeout=1");
                client.send("POST /cgi/upload?next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345").unwrap();
                assert!(!client.wait_readable(Duration::from_millis(1800)), "{mpm:?}: {:?}", client.read_some(1000));
                client.send("67890").unwrap();
                assert_eq!(client.read_response().unwrap().text().trim(), "10", "{mpm:?}");
                server.stop();
            });
        }
    });
}

/// W41: real packets, of IPv4, IPv6 and HTTP/2.
#[test]
fn packets_have_the_type_of_service() {
    if !sys::is_root() {
        eprintln!("skipped: packets are seen by root only");
        return;
    }
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
    let server = serving(Mpm::Event, "MaxKeepAliveRequests 0").listen_v6().http2().expect_crashes().start();
    let mut packets = Packets::listen().unwrap();
    for (family, addr) in [("IPv4", server.addr()), ("IPv6", SocketAddr::from((Ipv6Addr::LOCALHOST, server.port())))] {
        let mut client = RawClient::connect(None, addr).unwrap();
        // 0 goes back to what it was; a value stays until the next one.
        for (path, service) in [
            ("/small.txt", 0),
            ("/small.txt?QS_Set_DSCP=46", 184),
            ("/small.txt?stays", 184),
            ("/small.txt?QS_Set_DSCP=63", 252),
            ("/missing?QS_Set_DSCP=10", 40),
            ("/small.txt?QS_Set_DSCP=0", 0),
        ] {
            get(&mut client, path);
            let found = packets.services(server.port(), SECONDS(5), |seen| seen.contains(&service));
            assert!(found.contains(&service), "{family} {path}: {found:?}");
        }
        for (n, value) in ["64", "af", "-1", "4x", ""].iter().enumerate() {
            let path = format!("/small.txt?QS_Set_DSCP={value}&{family}{n}");
            get(&mut client, &path);
            assert!(letters(&server, &path).ends_with("QS_ErrorNotes=038"), "{path}");
            server.expect_line(&format!("mod_qos(038): DSCP, failed to set socket options, QS_Set_DSCP={value}, socket=yes, rc=-2, id=*"));
        }
        let found = packets.services(server.port(), Duration::from_millis(100), |_| false);
        assert!(found.iter().all(|service| *service == 0), "{family}: {found:?}");
    }
    assert!(nghttp(&[&server.url("/small.txt?QS_Set_DSCP=34&http2")]).ok);
    let found = packets.services(server.port(), SECONDS(5), |seen| seen.contains(&136));
    assert!(found.contains(&136), "{found:?}");
    assert!(server.lines("038").len() == 10, "{:?}", server.lines("038"));
    assert!(!server.error_log().contains("exit signal"), "{}", server.error_log());
}
