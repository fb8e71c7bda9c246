//! Who a client is: header, hash, certificate, mod_remoteip, PROXY protocol (connection-client.md section 5.2, example E10), for each
//! rule about single clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::said::{answer, by_query};
use httpd_lab::{Builder, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
/// The proxy through which everybody comes, and a second one.
const PROXY: &str = "127.0.40.1";
const OTHER: &str = "127.0.41.1";
/// What the administrator connects from.
const ADMINISTRATOR: &str = "127.255.0.1";

/// Requests say in their query what they are.
fn serving(config: &str) -> Builder {
    let variables = by_query(&["QS_Block", "QS_EventRequest", "QS_Serialize", "Login"]);
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nMaxKeepAliveRequests 0\nHeader always set X-Counter \"%{Login_Counter}e\"\n\
                <Location /console>\nSetHandler qos-console\n</Location>\n<Location /viewer>\nSetHandler qos-viewer\n</Location>\n";
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

/// The status of a request through the proxy for a client.
#[track_caller]
fn through(server: &Server, header: &str, path: &str) -> Option<u16> {
    server.ask(PROXY, path, &[header]).map(|response| response.status)
}

fn console(server: &Server, query: &str) -> String {
    server.ask(ADMINISTRATOR, &format!("/console?{query}"), &[]).unwrap().text()
}

/// Example E10: clients behind one proxy are told apart by X-Real-IP; without it the request is the proxy's.
#[test]
fn e10_counters_through_a_proxy() {
    let server = serving("QS_ClientIpFromHeader X-Real-IP\nQS_ClientEventLimitCount 3 60 Login").start();
    let ask = |client: &str| through(&server, &format!("X-Real-IP: {client}"), "/small.txt?Login=1");
    assert_eq!([0; 3].map(|_| ask("192.0.2.1")), [Some(200), Some(200), Some(500)]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c=192.0.2.1, id=*");
    assert_eq!(ask("192.0.2.2"), Some(200));
    assert_eq!(ask("::ffff:192.0.2.2"), Some(200), "IPv4 in another notation");
    assert_eq!(ask("192.0.2.2"), Some(500), "is the same client");
    // Networks of IPv6 are one client.
    assert_eq!([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8::3"), ask("2001:db8:0:1::1")], [Some(200), Some(200), Some(500), Some(200)]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c=2001:db8::3, id=*");
    assert_eq!([0; 3].map(|_| server.status(PROXY, "/small.txt?Login=1")), [Some(200), Some(200), Some(500)], "the proxy itself");
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c=127.0.40.1, id=*");
    server.expect_line("mod_qos(069): no valid IP header found (@hp): header 'X-Real-IP' is missing, fallback to connection's IP *, id=*");
    assert_eq!(ask("192.0.2.3"), Some(200));
}

/// The block rule goes by the header as well; the client's own connections are refused, the proxy's are not.
#[test]
fn the_named_client_is_blocked_and_its_proxy_is_not() {
    let server = serving("QS_ClientIpFromHeader X-Real-IP\nQS_ClientEventBlockCount 2 60\nQS_SetEnvIfStatus 404 QS_Block").start();
    const NAMED: &str = "X-Real-IP: 127.0.43.1";
    assert_eq!(through(&server, NAMED, "/small.txt?QS_Block=1"), Some(200));
    // Counted when the answer is known.
    assert_eq!(through(&server, NAMED, "/missing"), Some(404));
    assert!(wait_until(SECONDS(5), || through(&server, NAMED, "/small.txt") == Some(500)));
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=2, current=2, age=#, c=127.0.43.1, id=*");
    assert_eq!(server.status("127.0.43.1", "/small.txt"), None, "its own connection");
    assert_eq!(through(&server, "X-Real-IP: 127.0.43.2", "/small.txt"), Some(200));
    assert_eq!(server.ask(PROXY, "/small.txt", &[]).map(|response| response.status), Some(200), "the proxy");
    // Both ways: who was blocked at its own connection is blocked behind the proxy.
    assert_eq!(server.ask("127.0.43.9", "/small.txt?QS_Block=5", &["X-Real-IP: 127.0.43.9"]).map(|response| response.status), Some(500));
    assert_eq!((server.status("127.0.43.9", "/small.txt"), through(&server, "X-Real-IP: 127.0.43.9", "/small.txt")), (None, Some(500)));
}

/// Concurrent requests, turns and learning.
#[test]
fn places_turns_and_content_are_those_of_the_named_client() {
    let config = "QS_ClientIpFromHeader X-Real-IP\nQS_ClientEventRequestLimit 1\nQS_ClientSerialize 1\nQS_ClientPrefer\n\
                  SetEnvIf Request_URI ^/cgi/ QS_EventRequest QS_Serialize";
    let server = serving(config).start();
    let mut held = server.client_from(PROXY);
    held.send("GET /cgi/drip?0.1,600 HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 192.0.2.1\r\n\r\n").unwrap();
    assert!(held.wait_readable(SECONDS(10)));
    assert_eq!(through(&server, "X-Real-IP: 192.0.2.1", "/cgi/env"), Some(500));
    server.expect_line("mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=1, current=2, c=192.0.2.1, id=*");
    assert_eq!(through(&server, "X-Real-IP: 192.0.2.2", "/cgi/env"), Some(200));
    // One may wait for its turn, the second of the same client may not; another client has a turn of its own.
    let mut waiting = server.client_from(PROXY);
    waiting.send("GET /small.txt?QS_Serialize=1&waits HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 192.0.2.1\r\n\r\n").unwrap();
    server.wait_busy(2);
    assert_eq!(through(&server, "X-Real-IP: 192.0.2.1", "/small.txt?QS_Serialize=1"), Some(500));
    server.expect_line("mod_qos(068): access denied, QS_ClientSerialize rule: max waiting=1, current=1, c=192.0.2.1, id=*");
    assert_eq!(through(&server, "X-Real-IP: 192.0.2.2", "/small.txt?QS_Serialize=1"), Some(200));
    assert_eq!(server.status(PROXY, "/small.txt?QS_Serialize=1"), Some(200), "the proxy itself");
    held.reset().unwrap();
    assert_eq!(waiting.read_response().unwrap().status, 200, "its turn has come");
    // What clients ask for.
    for _ in 0..7 {
        assert_eq!(through(&server, "X-Real-IP: 192.0.2.9", "/index.html"), Some(200));
    }
    let page = || server.ask(ADMINISTRATOR, "/viewer?action=search&address=192.0.2.9", &[]).unwrap().text();
    assert!(wait_until(SECONDS(5), || page().contains(">7</td>")), "{}", page());
}

/// W13: events of the named client and of the connection hit the right entries, with a table so small that they are neighbours.
#[test]
fn each_count_finds_its_client() {
    let server =
        serving("QS_ClientEntries 640\nQS_ClientIpFromHeader X-Real-IP\nQS_ClientEventLimitCount 100000 600 Login\nQS_SetEnvIfStatus 404 Login=1").start();
    let mut client = server.client_from(PROXY);
    for n in 0..200 {
        let name = format!("X-Real-IP: 10.0.{}.{}", n % 3, n / 3);
        let response = client.request("GET", &format!("/missing?Login={n}"), &[&name], b"").unwrap();
        assert_eq!(response.header("x-counter"), Some(n.max(1).to_string().as_str()), "{name}");
    }
    for n in (0..200).step_by(7) {
        let line = console(&server, &format!("action=search&event=Login&address=10.0.{}.{}", n % 3, n / 3));
        assert!(line.contains(&format!(" limit={}/", n.max(1))), "{line}");
    }
    assert!(console(&server, &format!("action=search&event=Login&address={PROXY}")).contains("limit=0/"));
}

/// W30: a line for the first request without an address, and how many followed, however many there are; not each.
#[test]
fn a_missing_or_wrong_header_is_logged_once() {
    let server = serving("QS_EventCount on\nQS_ClientIpFromHeader X-Forwarded-For\nQS_ClientEventLimitCount 100000 600 Login").processes(4).start();
    for value in ["192.0.2.1, 192.0.2.2", "unknown", "192.0.2.1:80", " ", "192.0.2.999", "192.0.2"] {
        for _ in 0..10 {
            assert_eq!(through(&server, &format!("X-Forwarded-For: {value}"), "/small.txt"), Some(200));
        }
    }
    // Without a header, too; only requests that a rule looks at.
    for _ in 0..10 {
        assert_eq!(server.status(PROXY, "/small.txt"), Some(200));
    }
    server.expect_line("mod_qos(069): no valid IP header found (@hp): header 'X-Forwarded-For' is missing, fallback to connection's IP *, id=*");
    assert_eq!(server.lines("069").len(), 1, "{:#?}", server.lines("069"));
    let auto = server.ask(ADMINISTRATOR, "/viewer?auto", &["X-Forwarded-For: 192.0.2.1"]).unwrap().text();
    let total = auto.lines().find_map(|line| line.strip_prefix("e;mod_qos(069);total: ")).and_then(|text| text.parse::<u32>().ok());
    // The harness asks as well.
    assert!(total.is_some_and(|total| (70..80).contains(&total)), "each is counted: {auto}");
}

/// The text of a wrong value is what a client wrote.
#[test]
fn a_wrong_value_is_shown_escaped() {
    let server = serving("QS_ClientIpFromHeader X-Real-IP 127.0.40.0/24\nQS_ClientEventLimitCount 100000 600 Login").start();
    assert_eq!(through(&server, "X-Real-IP: a\tb\u{e9}", "/small.txt"), Some(200));
    server.expect_line("mod_qos(069): no valid IP header found (@hp): header 'X-Real-IP' is not an address: *, fallback to connection's IP 127.0.40.1, id=*");
    let line = &server.lines("069")[0];
    assert!(line.is_ascii() && !line.contains('\t'), "{line}");
}

/// W29: only trusted networks are believed; others are not even complained about.
#[test]
fn the_header_of_who_is_not_trusted_is_ignored() {
    let server = serving("QS_ClientIpFromHeader X-Real-IP 127.0.40.0/24 2001:db8::1\nQS_ClientEventLimitCount 2 60 Login").start();
    let from = |from: &str, named: &str| server.ask(from, "/small.txt?Login=1", &[&format!("X-Real-IP: {named}")]).map(|response| response.status);
    assert_eq!([from(OTHER, "192.0.2.1"), from(OTHER, "192.0.2.2")], [Some(200), Some(500)], "changing values do not help");
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=127.0.41.1, id=*");
    assert_eq!(
        [from(PROXY, "192.0.2.1"), from(PROXY, "192.0.2.2"), from(PROXY, "192.0.2.1")],
        [Some(200), Some(200), Some(500)],
        "and did not count for others"
    );
    assert_eq!(server.status(OTHER, "/small.txt"), Some(500));
    assert_eq!(server.lines("069"), Vec::<String>::new());
}

/// `#header`: a hash of whatever the header says; it is written as eight groups.
#[test]
fn a_hashed_header_tells_clients_apart() {
    let server = serving("QS_ClientIpFromHeader #X-Token\nQS_ClientEventLimitCount 2 60 Login").start();
    let ask = |token: &str| through(&server, &format!("X-Token: {token}"), "/small.txt?Login=1");
    assert_eq!([ask("abc"), ask("message digest"), ask("abc")], [Some(200), Some(200), Some(500)]);
    // RFC 1321, A.5.
    server.expect_line(
        "mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=9001:5098:3cd2:4fb0:d696:3f7d:28e1:7f72, id=*",
    );
    assert_eq!([ask("a"), ask("b"), ask("a ")], [Some(200), Some(200), Some(500)], "blanks around the value are none of it");
    // Hashes with the same first half are different clients: no prefix is cut off.
    assert_eq!([0; 2].map(|_| server.status(PROXY, "/small.txt?Login=1")), [Some(200), Some(500)]);
    assert!(server.error_log().contains("header '#X-Token' is missing"), "{}", server.error_log());
    server.expect_line("mod_qos(069): no valid IP header found (@hp): header * is missing, fallback to connection's IP *, id=*");
}

/// A client certificate, made by itself: subject and issuer are the same.
fn certificate(server: &Server, name: &str) -> String {
    let file = server.root().join(format!("{name}.pem")).display().to_string();
    let subject = format!("/O=lab/CN={name}");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            &subject,
            "-keyout",
            &file,
            "-out",
            &format!("{file}.cert"),
        ])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let both = std::fs::read_to_string(format!("{file}.cert")).unwrap() + &std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, both).unwrap();
    file
}

/// `#SSL_CLIENT_S_DN`: the client is its certificate, wherever it comes from.
#[test]
fn certificates_tell_clients_apart() {
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
    let config = "QS_ClientIpFromHeader #SSL_CLIENT_S_DN\nQS_ClientEventLimitCount 3 60 Login\nQS_ClientEventBlockCount 2 60";
    let server = serving(config).http2().expect_crashes().tls_config("SSLVerifyClient optional_no_ca\nSSLOptions +StdEnvVars").start();
    let [alice, bob] = ["alice", "bob"].map(|name| certificate(&server, name));
    let ask = |certificate: Option<&str>, from: &str, protocol: &str, query: &str| {
        let url = server.tls_url(&format!("/small.txt?{query}"));
        let mut arguments = vec!["--interface", from, protocol, "-o", "/dev/null", "-w", "%{http_code}"];
        certificate.iter().for_each(|file| arguments.extend(["--cert", file]));
        arguments.push(&url);
        curl(&arguments).out
    };
    const H1: &str = "--http1.1";
    assert_eq!([ask(Some(&alice), PROXY, H1, "Login=1"), ask(Some(&bob), PROXY, H1, "Login=1"), ask(Some(&alice), OTHER, "--http2", "Login=1")], ["200"; 3]);
    assert_eq!(ask(Some(&alice), PROXY, "--http2", "Login=1"), "500");
    let text = Command::new("sh").args(["-c", "printf %s 'CN=alice,O=labCN=alice,O=lab' | md5sum"]).output().unwrap().stdout;
    let hash = String::from_utf8_lossy(&text[..32]).into_owned();
    let groups = (0..8).map(|n| hash[n * 4..n * 4 + 4].to_owned()).collect::<Vec<_>>().join(":");
    server.expect_line(&format!("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c={groups}, id=*"));
    assert_eq!([ask(Some(&alice), OTHER, H1, ""), ask(Some(&bob), OTHER, H1, "")], ["500", "200"]);
    // Without a certificate it is the connection's client, as it is everywhere without TLS; nothing is wrong with that.
    assert_eq!([(); 3].map(|()| ask(None, PROXY, H1, "Login=1")), ["200", "200", "500"]);
    assert_eq!(server.status(PROXY, "/small.txt"), Some(500), "the same client without TLS");
    assert_eq!(ask(Some(&bob), PROXY, H1, ""), "200");
    assert_eq!(server.lines("069"), Vec::<String>::new());
    // The block rule as well.
    assert_eq!([ask(Some(&bob), PROXY, H1, "QS_Block=1"), ask(Some(&bob), OTHER, H1, "QS_Block=1"), ask(None, OTHER, H1, "")], ["200", "500", "200"]);
}

/// `#USERAGENT_IP`: mod_remoteip found the client; two clients behind one proxy, for each rule.
#[test]
fn mod_remoteip_tells_clients_apart() {
    let config = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.40.0/24\nQS_ClientIpFromHeader #USERAGENT_IP\nQS_ClientEventLimitCount 2 60 Login\n\
                  QS_ClientEventBlockCount 2 60";
    let server = serving(config).start();
    let ask = |client: &str, query: &str| through(&server, &format!("X-Forwarded-For: {client}"), &format!("/small.txt?{query}"));
    assert_eq!([ask("192.0.2.1", "Login=1"), ask("192.0.2.2", "Login=1"), ask("192.0.2.1", "Login=1")], [Some(200), Some(200), Some(500)]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=192.0.2.1, id=*");
    assert_eq!([ask("192.0.2.3", "QS_Block=1"), ask("192.0.2.4", "QS_Block=1"), ask("192.0.2.3", "QS_Block=1")], [Some(200), Some(200), Some(500)]);
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=2, current=2, age=#, c=192.0.2.3, id=*");
    assert_eq!(ask("198.51.100.1, 192.0.2.5", "Login=1"), Some(200), "a list, as mod_remoteip reads it");
    assert_eq!(server.status(PROXY, "/small.txt"), Some(200), "the proxy itself, without the header");
    // Whom mod_remoteip does not trust it does not believe.
    let alone = |named: &str| server.ask(OTHER, "/small.txt?Login=1", &[&format!("X-Forwarded-For: {named}")]).map(|response| response.status);
    assert_eq!([alone("192.0.2.6"), alone("192.0.2.7")], [Some(200), Some(500)]);
    assert_eq!(server.lines("069"), Vec::<String>::new());
}

/// The PROXY protocol: the announced client is the connection's; all rules about single clients follow it without any directive.
#[test]
fn the_proxy_protocol_tells_clients_apart() {
    let config = "RemoteIPProxyProtocol On\nQS_ClientEventLimitCount 2 60 Login\nQS_ClientEventBlockCount 3 60\nQS_ClientEventRequestLimit 0\n\
                  QS_SetEnvIfStatus NullConnection QS_Block";
    let server = serving(config).start();
    let connect = |client: &str| {
        let mut connection = server.client_from(PROXY);
        connection.send(format!("PROXY TCP4 {client} 192.0.2.80 4711 80\r\n")).unwrap();
        connection
    };
    let ask = |client: &str, query: &str| answer(connect(client).get(&format!("/small.txt?{query}"))).map(|response| response.status);
    assert_eq!([ask("198.51.100.1", "Login=1"), ask("198.51.100.2", "Login=1"), ask("198.51.100.1", "Login=1")], [Some(200), Some(200), Some(500)]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=198.51.100.1, id=*");
    assert_eq!([ask("198.51.100.3", "QS_EventRequest=1"), ask("198.51.100.3", "")], [Some(500), Some(200)]);
    server.expect_line("mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=0, current=1, c=198.51.100.3, id=*");
    assert_eq!([ask("198.51.100.4", "QS_Block=2"), ask("198.51.100.5", "QS_Block=2"), ask("198.51.100.4", "QS_Block=1")], [Some(200), Some(200), Some(500)]);
    assert_eq!([ask("198.51.100.4", ""), ask("198.51.100.5", "")], [None, Some(200)], "the connection of the blocked one is closed");
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=#, c=198.51.100.4");
    // The balancer looks whether the port is open, without announcing anybody, for ever.
    for _ in 0..10 {
        drop(server.client_from(PROXY));
    }
    // Clients that say nothing are announced with their first request only: nobody is punished for them.
    for _ in 0..10 {
        drop(connect("198.51.100.5"));
    }
    assert!(wait_until(SECONDS(5), || server.open_connections() == 0));
    assert_eq!([ask("198.51.100.5", ""), ask("198.51.100.6", "")], [Some(200), Some(200)]);
}

/// X-Forwarded-For, if a proxy sets it anew: two clients behind one proxy are told apart by each rule.
#[test]
fn x_forwarded_for_tells_clients_apart() {
    let server = serving("QS_ClientIpFromHeader X-Forwarded-For 127.0.40.0/24\nQS_ClientEventLimitCount 2 60 Login\nQS_ClientEventBlockCount 2 60").start();
    let ask = |client: &str, query: &str| through(&server, &format!("X-Forwarded-For: {client}"), &format!("/small.txt?{query}"));
    assert_eq!([ask("192.0.2.1", "Login=1"), ask("192.0.2.2", "Login=1"), ask("192.0.2.1", "Login=1")], [Some(200), Some(200), Some(500)]);
    assert_eq!([ask("192.0.2.3", "QS_Block=1"), ask("192.0.2.4", "QS_Block=1"), ask("192.0.2.3", "QS_Block=1")], [Some(200), Some(200), Some(500)]);
    assert_eq!([ask("192.0.2.1", ""), ask("192.0.2.2", ""), ask("192.0.2.3", ""), ask("192.0.2.4", "")], [Some(500), Some(200), Some(500), Some(200)]);
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=2, current=2, age=#, c=192.0.2.3, id=*");
}

/// FW-31 of filters.md: what is denied or dropped is said of the client that mod_remoteip found, not of the balancer; and of the connection's where it believes nobody.
#[test]
fn messages_about_requests_name_the_client() {
    let config = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.40.0/24\nQS_LimitRequestBody 100\nQS_RequestHeaderFilterRule X-Deny deny ^1$ 3\n\
                  QS_ResponseHeaderFilterRule Last-Modified ^never$ 100\n\
                  <Location /deny>\nQS_DenyPath +path deny ^/deny\n</Location>\n<Location /event>\nQS_DenyEvent +event deny !NONE\n</Location>\n\
                  <Location /permit>\nQS_PermitUri +p deny ^/none$\n</Location>\n<Location /header>\nQS_RequestHeaderFilter on\n</Location>\n\
                  <Location /small.txt>\nQS_ResponseHeaderFilter on\n</Location>\n<Location /encoding>\nQS_InvalidUrlEncoding deny\n</Location>\n\
                  <Location /body>\nQS_DenyQueryBody on\n</Location>";
    let server = serving(config).start();
    let large = format!("64\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(100));
    for (n, (target, headers, body, status, line)) in [
        ("GET /deny", "", "", 403, "040): access denied, QS_DenyPath rule id: path (^/deny), action=deny"),
        ("GET /event", "", "", 403, "040): access denied, QS_DenyEvent rule id: event (!NONE), action=deny"),
        ("GET /permit", "", "", 403, "041): access denied, no permit rule match, action=deny"),
        ("GET /header", "X-Odd: 1\r\n", "", 404, "042): drop request header: 'X-Odd: 1', (no rule available)"),
        ("GET /small.txt", "", "", 200, "042): drop response header: 'Last-Modified: "),
        ("GET /header", "X-Deny: 2\r\n", "", 403, "043): access denied, request header: 'X-Deny: 2', (pattern=^1$, max. length=3)"),
        ("POST /limit", "Content-Length: 101\r\n", &"x".repeat(101), 413, "044): access denied, QS_LimitRequestBody: max=100 this=101"),
        ("POST /cgi/upload", "Transfer-Encoding: chunked\r\n", &large, 413, "044): access denied, QS_LimitRequestBody: max=100 this=101"),
        ("GET /encoding?%zz", "", "", 403, "046): access denied, invalid url encoding, action=deny"),
        (
            "POST /body",
            "Content-Type: application/json\r\nContent-Length: 1\r\n",
            "{",
            403,
            "048): access denied, invalid request body (JSON: ends too early at byte 1), type=application/json, action=deny",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let named = format!("192.0.2.{n}");
        for (from, client) in [(PROXY, named.as_str()), (OTHER, OTHER)] {
            let id = &line[..3];
            let before = server.lines(id).len();
            let mut connection = server.client_from(from);
            connection.send(format!("{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {named}\r\n{headers}\r\n{body}")).unwrap();
            let response = connection.read_response().unwrap_or_else(|error| panic!("{target}: {error}: {}", server.error_log()));
            assert_eq!(response.status, status, "{target}: {}", server.error_log());
            let new = &server.lines(id)[before..];
            assert!(new.iter().any(|said| said.starts_with(&format!("mod_qos({line}"))), "{target}: {new:#?}");
            assert!(new.iter().all(|said| said.contains(&format!(", c={client}, id="))), "{target} from {from}: {new:#?}");
        }
    }
}
