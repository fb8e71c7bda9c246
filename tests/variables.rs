//! What rules, scripts and logs learn of a connection: QS_SrvConn, QS_AllConn, QS_IPConn, QS_ConnectionId, mod_qos_con
//! and the letters of mod_qos_ev (connection-client.md sections 6.7, 12 and 16, E1 and E5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpd_lab::http2::nghttp;
use httpd_lab::{Builder, Mpm, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Shows the variables in the response, where scripts see them, too.
const SHOW: &str = r#"Header always set X-Srv "%{QS_SrvConn}e"
Header always set X-All "%{QS_AllConn}e"
Header always set X-Ip "%{QS_IPConn}e"
Header always set X-Id "%{QS_ConnectionId}e"
Header always set X-Vip "%{QS_IsVipRequest}e"
SetEnvIf QS_AllConn ^3$ third=yes
Header always set X-Third "%{third}e"
KeepAliveTimeout 60"#;

fn showing(config: &str) -> Builder {
    Server::builder().config(SHOW).config(config).log_env(&["mod_qos_con", "mod_qos_ev", "QS_ConnectionId"])
}

/// `server/all/address` as the response tells.
fn numbers(response: &Response) -> String {
    ["x-srv", "x-all", "x-ip"].map(|name| response.header(name).unwrap_or("?").to_owned()).join("/")
}

fn get(client: &mut RawClient, path: &str) -> Response {
    client.get(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A connection that is the only one: those of the start have ended.
fn first_of(server: &Server, from: &str) -> RawClient {
    let mut only = None;
    let alone = || {
        // The one before has to end first: it counts as well.
        only = None;
        let mut client = server.client_from(from);
        let first = get(&mut client, "/small.txt").header("x-all") == Some("1");
        only = Some(client);
        first
    };
    assert!(wait_until(SECONDS(10), alone), "connections that nobody holds are counted");
    only.unwrap()
}

/// The line of the access log for the request to `path`.
fn logged(server: &Server, path: &str) -> String {
    let request = format!(" {path} HTTP/");
    assert!(server.wait_for_access(&request, SECONDS(5)), "{path}: {}", server.access_log());
    server.access_log().lines().find(|line| line.contains(&request)).unwrap().to_owned()
}

#[test]
fn connections_are_numbered_when_they_are_accepted() {
    let config = "QS_SrvMaxConn 50\nQS_SrvMaxConnPerIP 50\n\
                  <VirtualHost *:@PORT1@>\nQS_SrvMaxConn 50\n</VirtualHost>\n<VirtualHost *:@PORT2@>\n</VirtualHost>";
    for mpm in Mpm::ALL {
        let server = showing(config).mpm(mpm).vhost_ports(2).start();
        let to = |k| RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(k)).into()).unwrap();
        let mut first = first_of(&server, "127.0.11.1");
        let mut same = server.client_from("127.0.11.1");
        assert_eq!(numbers(&get(&mut same, "/small.txt?same")), "2/2/2", "{mpm:?}");
        let mut other = server.client_from("127.0.11.2");
        let third = get(&mut other, "/small.txt?other");
        assert_eq!((numbers(&third).as_str(), third.header("x-third")), ("3/3/1", Some("yes")), "{mpm:?}: SetEnvIf sees them");
        let (mut own, mut shared) = (to(1), to(2));
        assert_eq!(numbers(&get(&mut own, "/small.txt?own")), "1/4/1", "{mpm:?}: a host with limits of its own");
        assert_eq!(numbers(&get(&mut shared, "/small.txt?shared")), "4/5/1", "{mpm:?}: a host without");
        let again = get(&mut first, "/small.txt?again");
        assert_eq!((numbers(&again).as_str(), again.header("x-third")), ("1/1/1", Some("(null)")), "{mpm:?}: fixed at the start");
        // mod_qos_con tells how many there are at the end of the request.
        assert!(logged(&server, "/small.txt?again").contains(" mod_qos_con=4 mod_qos_ev=- "), "{mpm:?}: {}", server.access_log());
        assert!(logged(&server, "/small.txt?own").contains(" mod_qos_con=1 "), "{mpm:?}: {}", server.access_log());
        // What a connection was counted in is given back, whoever ends it and however.
        other.reset().unwrap();
        drop((same, own));
        shared.send("nonsense\r\n\r\n").unwrap();
        drop(shared);
        let mut asked = 0;
        let only_one_left = || {
            asked += 1;
            let path = format!("/small.txt?left{asked}");
            get(&mut first, &path);
            logged(&server, &path).contains(" mod_qos_con=1 ")
        };
        assert!(wait_until(SECONDS(10), only_one_left), "{mpm:?}: {}", server.access_log());
        server.stop();
    }
}

#[test]
fn without_the_directives_their_variables_are_not_there() {
    let server = showing("QS_ClientEntries 1000").start();
    let mut client = first_of(&server, "127.0.0.1");
    let response = get(&mut client, "/small.txt?plain");
    assert_eq!(numbers(&response), "1/1/(null)", "connections are always counted, QS_IPConn belongs to its rule");
    assert!(logged(&server, "/small.txt?plain").contains(" mod_qos_con=- mod_qos_ev=- "), "{}", server.access_log());
}

/// Arrival in microseconds, two digits, the process: `1790000000123456` `07` `12345`.
fn check_connection_id(id: &str, server: &Server) {
    assert!(id.bytes().all(|digit| digit.is_ascii_digit()), "{id}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let (arrival, rest) = id.split_at(16);
    let age = now - arrival.parse::<u128>().unwrap();
    assert!(age < 60_000_000, "{id}: arrived {age} microseconds ago");
    assert!(server.children().iter().any(|pid| rest[2..] == format!("{pid:05}")), "{id}: {:?}", server.children());
}

#[test]
fn a_connection_id_belongs_to_one_connection_and_all_its_requests() {
    for mpm in Mpm::ALL {
        // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
        let server = showing("").mpm(mpm).tls().http2().expect_crashes().start();
        let id = |response: Response| response.header("x-id").unwrap().to_owned();
        let mut seen = HashSet::new();
        for from in ["127.0.12.1", "127.0.12.1", "127.0.12.2"] {
            let mut client = server.client_from(from);
            let first = id(get(&mut client, "/small.txt"));
            check_connection_id(&first, &server);
            assert_eq!(first, id(get(&mut client, "/index.html")), "{mpm:?}: the same connection");
            assert_eq!(first, id(get(&mut client, "/missing")), "{mpm:?}: with an error response");
            assert!(seen.insert(first), "{mpm:?}: another connection, {seen:?}");
        }
        if mpm != Mpm::Prefork {
            for base in [server.url(""), server.tls_url("")] {
                let urls = (0..10).map(|n| format!("{base}/cgi/slow?0.01&{mpm:?}{n}")).collect::<Vec<_>>();
                assert!(nghttp(&urls.iter().map(String::as_str).collect::<Vec<_>>()).ok);
                let ids =
                    (0..10).map(|n| logged(&server, &format!("/cgi/slow?0.01&{mpm:?}{n}")).rsplit(' ').next().unwrap().to_owned()).collect::<HashSet<_>>();
                assert_eq!(ids.len(), 1, "{mpm:?}: one connection, ten streams");
                check_connection_id(ids.into_iter().next().unwrap().strip_prefix("QS_ConnectionId=").unwrap(), &server);
                // The same paths are asked for over TLS.
                std::fs::write(server.root().join("access.log"), "").unwrap();
            }
        }
        assert!(!server.error_log().contains("exit signal"), "{}", server.error_log());
        server.stop();
    }
}

/// Example E1, the last sentence.
#[test]
fn an_excluded_address_is_served_above_the_limit_with_letter_s() {
    let server = showing("QS_SrvMaxConn 3\nQS_SrvMaxConnExcludeIP 127.0.13.9").start();
    let mut held = vec![first_of(&server, "127.0.13.1")];
    held.extend((2..4).map(|n| server.client_from(&format!("127.0.13.{n}"))));
    held.iter_mut().skip(1).for_each(|client| drop(get(client, "/small.txt")));
    assert!(server.client_from("127.0.13.4").get("/small.txt").is_err(), "the fourth is refused");
    let mut excluded = server.client_from("127.0.13.9");
    for path in ["/small.txt?one", "/small.txt?two"] {
        let response = get(&mut excluded, path);
        assert_eq!((response.status, response.header("x-vip")), (200, Some("(null)")), "an excluded address is not a VIP");
        assert!(logged(&server, path).contains(" mod_qos_ev=S; "), "{}", server.access_log());
    }
    get(&mut held[0], "/small.txt?ordinary");
    assert!(logged(&server, "/small.txt?ordinary").contains(" mod_qos_ev=- "), "{}", server.access_log());
}

/// Example E5 with a capacity of 10: the limit is 7.
fn crowd(server: &Server) -> Vec<RawClient> {
    let mut held = vec![first_of(server, "127.0.14.1")];
    held.extend((2..8).map(|n| server.client_from(&format!("127.0.14.{n}"))));
    for (n, client) in held.iter_mut().enumerate() {
        let response = get(client, "/small.txt");
        assert_eq!((response.header("x-all"), response.header("connection")), (Some((n + 1).to_string().as_str()), None), "seven are kept alive");
    }
    held
}

#[test]
fn above_the_close_limit_connections_end_with_their_response_and_letter_k() {
    let config = "QS_MaxClients 10\nQS_SrvMaxConnClose 70%\nQS_SrvMaxConnExcludeIP 127.0.14.9\nErrorDocument 403 /small.txt\n\
                  <Location /index.html>\nRequire ip 127.0.14.9\n</Location>\n<Location /cgi/env>\nRequire all denied\n</Location>";
    for mpm in Mpm::ALL {
        let server = showing(config).mpm(mpm).start();
        let mut held = crowd(&server);
        let mut eighth = server.client_from("127.0.14.8");
        let response = get(&mut eighth, "/small.txt?eighth");
        assert_eq!((response.status, response.header("connection")), (200, Some("close")), "{mpm:?}");
        assert!(eighth.wait_closed(SECONDS(5)).is_some(), "{mpm:?}");
        let line = logged(&server, "/small.txt?eighth");
        assert!(line.contains(" - mod_qos_con=- mod_qos_ev=K; "), "{mpm:?}: {line}");
        drop(eighth);

        // An excluded address is not exempt; error responses and redirects show the letter once.
        for (path, status) in [("/missing?m", 404), ("/?index", 200), ("/cgi/env?denied", 403)] {
            let mut client = server.client_from("127.0.14.9");
            assert_eq!(get(&mut client, "/small.txt").header("connection"), Some("close"), "{mpm:?}");
            let mut client = server.client_from("127.0.14.9");
            let response = get(&mut client, path);
            assert_eq!((response.status, response.header("connection")), (status, Some("close")), "{mpm:?}: {path}");
            let line = logged(&server, path);
            assert!(line.contains(" mod_qos_ev=S;K; "), "{mpm:?}: {line}");
        }
        // With one less, a seventh is kept alive again.
        drop(held.pop());
        let kept = || get(&mut server.client_from("127.0.14.7"), "/small.txt").header("connection").is_none();
        assert!(wait_until(SECONDS(5), kept), "{mpm:?}");
        server.stop();
    }
}

/// W35.
#[test]
fn in_log_only_mode_the_letter_is_set_and_the_connection_is_kept() {
    let server = showing("QS_MaxClients 10\nQS_SrvMaxConnClose 70%\nQS_LogOnly on").start();
    let held = crowd(&server);
    let mut eighth = server.client_from("127.0.14.8");
    for path in ["/small.txt?one", "/small.txt?two"] {
        assert_eq!(get(&mut eighth, path).header("connection"), None);
        let line = logged(&server, path);
        assert!(line.contains(" + mod_qos_con=- mod_qos_ev=K; "), "{line}");
    }
    assert!(eighth.is_open());
    assert_eq!(held.len(), 7);
}

#[test]
fn redirected_requests_and_subrequests_see_the_variables_and_count_once() {
    let config = "ErrorDocument 404 /page.shtml\nAddOutputFilter INCLUDES .shtml\nDirectoryIndex page.shtml\n\
                  QS_SrvMinDataRate 10000\nQS_SrvSampleRate 2 0\nQS_SrvMaxConn 50";
    let server = showing(config).start();
    let page = "all=<!--#echo var=\"QS_AllConn\" --> id=<!--#echo var=\"QS_ConnectionId\" --> <!--#include virtual=\"/small.txt\" -->";
    std::fs::write(server.docs().join("page.shtml"), page).unwrap();
    let mut clients = [first_of(&server, "127.0.15.1"), server.client_from("127.0.15.2"), server.client_from("127.0.15.3")];
    for (n, path) in ["/missing?1", "/?2", "/page.shtml?3"].iter().enumerate() {
        for _ in 0..3 {
            let response = get(&mut clients[n], path);
            let text = response.text();
            assert_eq!(response.status, if n == 0 { 404 } else { 200 });
            let expected = format!("all={} id={} small\n", n + 1, response.header("x-id").unwrap());
            assert_eq!(text, expected, "{path}");
        }
        assert!(logged(&server, path).contains(&format!(" mod_qos_con={} mod_qos_ev=- ", if n == 0 { 1 } else { n + 1 })), "{}", server.access_log());
    }
    // Had one of them counted twice, its connection would seem to be working for ever, and a next request that
    // never ends would not be noticed; had it not counted at all, idle connections would be cut.
    let mut idle = server.client_from("127.0.15.4");
    get(&mut idle, "/missing?idle");
    clients.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nX-Slow: ").unwrap());
    for (n, client) in clients.iter().enumerate() {
        assert!(client.wait_closed(SECONDS(12)).is_some() || client.wait_readable(Duration::ZERO), "connection {n} is still held");
    }
    assert!(server.wait_for_log("QS_SrvMinDataRate rule (in): min=10000, this connection=", SECONDS(5)), "{}", server.error_log());
    assert!(idle.is_open() && get(&mut idle, "/small.txt").status == 200, "{}", server.error_log());
}
