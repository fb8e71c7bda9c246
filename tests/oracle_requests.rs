//! Worked examples about requests on which the packaged original and ours agree (request-event.md section 21, E1 to E3, E6 to E8, E10, E14 and E15).
//! Without QOS_ORACLE they run against ours; `make oracle` sets it and runs them against the original.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::said::by_query;
use httpd_lab::{Module, Mpm, RawClient, Server, wait_until};

const FROM: &str = "127.0.62.1";
/// How long a request lasts that others meet: the original does not notice that its client has left.
const LASTS: &str = "QS_Delay=2500";

fn serving(module: Module, config: &str) -> Server {
    let variables = by_query(&["QS_Delay", "QS_Cond", "EV", "KIND", "LOGIN"]);
    let show = "AcceptFilter http none\nHeader always set X-Counter \"%{LOGIN_Counter}e\"\n";
    Server::builder().module(module).mpm(Mpm::Worker).config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "mod_qos_cr"]).start()
}

/// Requests that last, all of them under way.
fn lasting(server: &Server, paths: &[&str]) -> Vec<RawClient> {
    let send = |path: &&str| {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut client = RawClient::options().from(FROM.parse::<std::net::IpAddr>().unwrap()).timeout(Duration::from_secs(30)).connect(server.addr()).unwrap();
        client.send(format!("GET {path}{mark}{LASTS} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
        client
    };
    // Those of the start are over.
    server.wait_busy(0);
    let clients = paths.iter().map(send).collect::<Vec<_>>();
    server.wait_busy(clients.len());
    clients
}

fn status(server: &Server, path: &str) -> u16 {
    server.status(FROM, path).unwrap()
}

fn logged(server: &Server, path: &str, end: &str) {
    assert!(server.logged(path).ends_with(end), "{path} ... {end}: {}", server.access_log());
}

/// Example E1, with limits that few requests reach.
fn selection(module: Module) {
    let server = serving(
        module,
        "QS_LocRequestLimit /server-status 0\nQS_LocRequestLimitDefault 2\nQS_LocRequestLimit /app 3\nQS_LocRequestLimit /app/report 1\nQS_LocRequestLimitMatch \\.pdf 1\nQS_LocRequestLimitMatch ^/app/ 2",
    );
    let _held = lasting(&server, &["/a", "/b", "/application", "/application", "/application", "/app/x", "/app/report/y", "/x.pdf"]);
    for (path, rule) in [
        ("/index.html", "/(2)"),
        ("/application/x", "/app(3)"),
        ("/app/report/1", "^/app/(2)"),
        ("/app/a.pdf", "\\\\.pdf(1)"),
        ("/x?file=a.pdf", "\\\\.pdf(1)"),
    ] {
        assert_eq!(status(&server, path), 500, "{path}: {:?}", server.lines("010"));
        let line = format!("mod_qos(010): access denied, QS_LocRequestLimit* rule: {rule}, concurrent requests=#, c={FROM}, id=*");
        server.expect_line(&line);
    }
}

/// Example E2.
fn concurrency(module: Module) {
    let server = serving(module, "QS_LocRequestLimit /app 2");
    let mut held = lasting(&server, &["/app/slow", "/app/slow"]);
    assert_eq!(status(&server, "/app/x?third"), 500);
    server.expect_line(&format!("mod_qos(010): access denied, QS_LocRequestLimit* rule: /app(2), concurrent requests=3, c={FROM}, id=*"));
    logged(&server, "/app/x?third", " mod_qos_ev=D; mod_qos_cr=3");
    held.iter_mut().for_each(|client| assert_eq!(client.read_response().unwrap().status, 404));
    assert!(wait_until(Duration::from_secs(5), || status(&server, "/app/x?fourth") == 404));
}

/// Example E3: the limits of one text apply together, those of another do not.
fn combination(module: Module) {
    let server = serving(module, "QS_LocRequestLimitMatch ^/dl/ 3\nQS_LocRequestPerSecLimitMatch ^/dl/ 3000\nQS_LocRequestLimitMatch ^/dl/iso/ 1");
    let _held = lasting(&server, &["/dl/iso/b", "/dl/a"]);
    assert_eq!((status(&server, "/dl/iso/c"), status(&server, "/dl/c")), (500, 404));
    logged(&server, "/dl/iso/c", " mod_qos_ev=D; mod_qos_cr=2");
    logged(&server, "/dl/c", " mod_qos_ev=- mod_qos_cr=2");
}

/// Example E6.
fn condition(module: Module) {
    let server = serving(module, "SetEnvIf User-Agent bot QS_Cond=crawler\nQS_LocRequestLimitMatch ^/shop 300\nQS_CondLocRequestLimitMatch ^/shop 2 ^crawler$");
    let _held = lasting(&server, &["/shop/a", "/shop/b"]);
    assert_eq!(server.ask(FROM, "/shop/c", &["User-Agent: a bot"]).unwrap().status, 500);
    server.expect_line(&format!("mod_qos(011): access denied, QS_CondLocRequestLimitMatch rule: ^/shop(2), concurrent requests=3, c={FROM}, id=*"));
    assert_eq!(status(&server, "/shop/d"), 404);
}

/// Example E7.
fn events(module: Module) {
    let server = serving(module, "QS_EventRequestLimit KIND 5\nQS_EventRequestLimit KIND=^slow$ 1");
    let _held = lasting(&server, &["/small.txt?KIND=slow"]);
    assert_eq!(status(&server, "/small.txt?KIND=slow&second"), 500);
    server.expect_line(&format!("mod_qos(012): access denied, QS_EventRequestLimit rule: var=(KIND=^slow$)(1), concurrent requests=2, c={FROM}, id=*"));
    logged(&server, "/small.txt?KIND=slow&second", " mod_qos_ev=D; mod_qos_cr=-");
    assert_eq!((status(&server, "/small.txt?KIND=fast"), status(&server, "/small.txt")), (200, 200));
}

/// Example E8, with a shorter window.
fn windows(module: Module) {
    let server = serving(module, "QS_EventLimitCount LOGIN 10 3\nQS_CondEventLimitCount EV 1 60 ^untrusted$");
    let begin = Instant::now();
    for n in 1..=10 {
        assert_eq!(status(&server, &format!("/small.txt?LOGIN=1&n={n}")), 200, "{n}");
    }
    let denied = server.ask(FROM, "/small.txt?LOGIN=1&n=11", &[]).unwrap();
    assert_eq!((denied.status, denied.header("x-counter")), (500, Some("11")));
    server.expect_line(&format!("mod_qos(013): access denied, QS_EventLimitCount rule: LOGIN, max=10, current=11, c={FROM}, id=*"));
    assert_eq!(server.ask(FROM, "/small.txt?other", &[]).unwrap().header("x-counter"), Some("11"));
    for (path, expected) in [("?EV=1&QS_Cond=x&1", 200), ("?EV=1&QS_Cond=x&2", 200), ("?EV=1&3", 200), ("?EV=1&QS_Cond=untrusted", 500)] {
        assert_eq!(status(&server, &format!("/small.txt{path}")), expected, "{path}");
    }
    server.expect_line(&format!("mod_qos(013): access denied, QS_CondEventLimitCount rule: EV, max=1, current=4, c={FROM}, id=*"));
    assert!(wait_until(Duration::from_secs(8), || status(&server, "/small.txt?LOGIN=1&later") == 200));
    assert!(begin.elapsed() >= Duration::from_secs(3));
}

/// Example E10.
fn pages(module: Module) {
    let server = serving(
        module,
        "QS_ErrorResponseCode 503\nQS_ErrorPage /small.txt\nQS_EventRequestLimit EV 0\nSetEnvIf Request_URI ^/api QS_ErrorPage=https://status.example/busy",
    );
    let denied = server.ask(FROM, "/x?EV=1", &[]).unwrap();
    assert_eq!((denied.status, denied.header("connection")), (503, Some("close")));
    assert_eq!(denied.text(), server.ask(FROM, "/small.txt", &[]).unwrap().text());
    let api = server.ask(FROM, "/api?EV=1", &[]).unwrap();
    assert_eq!((api.status, api.header("location")), (302, Some("https://status.example/busy")));
    let mut client = server.client_from(FROM);
    client.send("GET ?x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
}

/// Example E14: denials are not delayed.
fn order(module: Module) {
    let server = serving(module, "QS_EventRequestLimit QS_Delay 2\nQS_LocRequestLimit /x 1");
    let _held = lasting(&server, &["/x/a", "/y/a"]);
    let begin = Instant::now();
    assert_eq!(status(&server, "/y/b?QS_Delay=60000"), 500);
    assert!(begin.elapsed() < Duration::from_secs(2));
    server.expect_line(&format!("mod_qos(012): access denied, QS_EventRequestLimit rule: var=(QS_Delay)(2), concurrent requests=3, c={FROM}, id=*"));
}

macro_rules! examples {
    ($($name:ident)*) => { $(
        mod $name {
            #[test]
            fn agrees() {
                if let Some(module) = httpd_lab::original::asked() {
                    super::$name(module);
                }
            }
        }
    )* };
}

examples!(selection concurrency combination condition events windows pages order);
