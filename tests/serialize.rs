//! Requests that run one after the other: `QS_SrvSerialize` and `QS_ClientSerialize` (connection-client.md sections 8 and 9.4, example
//! E14, W06, W46 to W48).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::said::{answer, by_query};
use httpd_lab::{Builder, Mpm, RawClient, Response, Server, sys, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const FROM: &str = "127.0.50.1";
/// Requests of one client, and of one server, that the query or the script names.
const BOTH: [(&str, &str); 2] = [
    ("QS_SrvSerialize", "QS_SrvSerialize on\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize"),
    ("QS_ClientSerialize", "QS_ClientSerialize\nSetEnvIf Request_URI ^/cgi/ QS_Serialize"),
];

fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nMaxKeepAliveRequests 0\nHeader always set X-Id \"%{QS_ConnectionId}e\"\n\
                Header always set X-Times \"%t %D\"\n<Location /console>\nSetHandler qos-console\n</Location>\n";
    let variables = by_query(&["QS_SrvSerialize", "QS_Serialize", "QS_Limit", "QS_Block"]);
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

/// The path of a short request that waits for its turn under either rule.
fn turn(n: usize) -> String {
    format!("/small.txt?QS_SrvSerialize=1&QS_Serialize=1&n={n}")
}

fn send(client: &mut RawClient, path: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
}

/// Sends without waiting for the answer.
fn asking(server: &Server, path: &str) -> RawClient {
    let mut client = RawClient::options().from(FROM.parse::<std::net::IpAddr>().unwrap()).timeout(SECONDS(30)).connect(server.addr()).unwrap();
    send(&mut client, path);
    client
}

/// A request that has its turn until the client leaves, and the process that serves it.
fn holder(server: &Server) -> (RawClient, u32) {
    let mut client = asking(server, "/cgi/drip?0.1,600");
    let mut head = String::new();
    while !head.contains("\r\n\r\n") {
        head.push_str(&String::from_utf8_lossy(&client.read_some(4096).unwrap()));
    }
    let id = head.lines().find_map(|line| line.strip_prefix("X-Id: ")).unwrap();
    (client, process(id))
}

/// The process in a connection's id: 16 digits of time, 2 of the connection, the process.
fn process(id: &str) -> u32 {
    id[18..].parse().unwrap()
}

/// A connection to another process than `to_avoid`, and its process.
fn in_another_process(server: &Server, to_avoid: &[u32]) -> (RawClient, u32) {
    let mut wrong = Vec::new();
    for _ in 0..200 {
        let mut client = RawClient::options().from(FROM.parse::<std::net::IpAddr>().unwrap()).timeout(SECONDS(30)).connect(server.addr()).unwrap();
        let process = process(client.get("/small.txt").unwrap().header("x-id").unwrap());
        if !to_avoid.contains(&process) {
            return (client, process);
        }
        // Held, so that it keeps its process busy where one process serves one connection.
        wrong.push(client);
    }
    panic!("all connections go to {to_avoid:?}");
}

/// When the response began, microseconds since 1970: arrival and duration as mod_headers tells.
fn begun(response: &Response) -> u64 {
    let number = |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap();
    response.header("x-times").unwrap().split(' ').map(number).sum()
}

fn on_each_mpm(scenario: impl Fn(Mpm, &str, &str) + Sync) {
    let scenario = &scenario;
    for (rule, config) in BOTH {
        std::thread::scope(|scope| {
            for mpm in Mpm::ALL {
                scope.spawn(move || scenario(mpm, rule, config));
            }
        });
    }
}

/// Example E14, with shorter times.
#[test]
fn e14_who_has_waited_for_the_time_runs_anyway() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving("QS_SrvSerialize on 2\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize").mpm(mpm).start();
                let (first, _) = holder(&server);
                let since = Instant::now();
                let mut second = asking(&server, &turn(2));
                assert_eq!(second.read_response().unwrap().status, 200);
                assert!((Duration::from_millis(1900)..SECONDS(4)).contains(&since.elapsed()), "{mpm:?}: {:?}", since.elapsed());
                assert!(first.is_open(), "{mpm:?}: in parallel");
                server.expect_line("mod_qos(068): QS_SrvSerialize exceeds limit of 2 seconds, id=*");
                // W46: the same number everywhere.
                assert!(server.logged(&turn(2)).ends_with(" mod_qos_ev=s; QS_ErrorNotes=068"), "{mpm:?}: {}", server.access_log());
                // It has left the queue, and did not take the turn of the first.
                let mut third = asking(&server, &turn(3));
                assert!(!third.wait_readable(Duration::from_millis(500)), "{mpm:?}");
                first.reset().unwrap();
                assert_eq!(third.read_response().unwrap().status, 200, "{mpm:?}");
                assert!(server.logged(&turn(3)).ends_with(" mod_qos_ev=s; QS_ErrorNotes=-"), "{mpm:?}: {}", server.access_log());
                assert_eq!(server.status(FROM, &turn(4)), Some(200), "{mpm:?}");
                assert!(server.logged(&turn(4)).ends_with(" mod_qos_ev=- QS_ErrorNotes=-"), "{mpm:?}: did not have to wait");
                server.stop();
            });
        }
    });
}

/// W48: who came first is first, however many wait.
#[test]
fn turns_come_in_the_order_of_arrival() {
    on_each_mpm(|mpm, rule, config| {
        let server = serving(config).mpm(mpm).processes(if mpm == Mpm::Prefork { 32 } else { 3 }).start();
        let (first, _) = holder(&server);
        let mut waiting = Vec::new();
        for n in 0..12 {
            waiting.push(asking(&server, &turn(n)));
            server.wait_busy(n + 2);
        }
        assert!(waiting.iter().all(|client| !client.wait_readable(Duration::ZERO)), "{mpm:?} {rule}: all wait");
        first.reset().unwrap();
        let begun = waiting.iter_mut().map(|client| begun(&client.read_response().unwrap())).collect::<Vec<_>>();
        assert!(begun.is_sorted(), "{mpm:?} {rule}: {begun:?}");
        // The next one follows at once, not at the next look.
        assert!(begun[11] - begun[0] < 300_000, "{mpm:?} {rule}: {begun:?}");
        server.stop();
    });
}

/// W48: a turn is handed over in much less time than the 50 ms, or 100 ms, between two looks.
#[test]
fn turns_are_handed_over_at_once() {
    on_each_mpm(|mpm, rule, config| {
        let server = serving(config).mpm(mpm).start();
        // As many clients as are served at once at the start of prefork.
        let mut clients = (0..6).map(|_| asking(&server, "/small.txt")).collect::<Vec<_>>();
        clients.iter_mut().for_each(|client| drop(client.read_response().unwrap()));
        let ask = |client: &mut RawClient, count: u32| (0..count).for_each(|n| assert_eq!(client.get(&format!("/cgi/env?{n}")).unwrap().status, 200));
        let since = Instant::now();
        ask(&mut clients[0], 120);
        let alone = since.elapsed();
        let since = Instant::now();
        std::thread::scope(|scope| clients.iter_mut().for_each(|client| drop(scope.spawn(|| ask(client, 20)))));
        let together = since.elapsed();
        let waited = || server.access_log().lines().filter(|line| line.contains(" mod_qos_ev=s; ")).count();
        assert!(wait_until(SECONDS(5), || waited() >= 30), "{mpm:?} {rule}: {} of 120 had to wait", waited());
        // The same work, and the hand-overs.
        let limit = alone * 2 + Duration::from_millis(8) * u32::try_from(waited()).unwrap();
        assert!(together < limit, "{mpm:?} {rule}: {together:?} for {} hand-overs, {alone:?} without", waited());
        assert_eq!(server.count_log("mod_qos(068)"), 0);
        server.stop();
    });
}

/// W47: whose process dies has no turn any more, and waits for none.
#[test]
fn the_death_of_a_holder_or_waiter_passes_the_turn_on() {
    on_each_mpm(|mpm, rule, config| {
        let server = serving(config).mpm(mpm).processes(if mpm == Mpm::Prefork { 8 } else { 4 }).expect_crashes().start();
        let (_first, holds) = holder(&server);
        // The next in the queue is killed as well; the two behind it are not.
        let (mut second, dies) = in_another_process(&server, &[holds]);
        send(&mut second, &turn(2));
        server.wait_busy(2);
        let mut behind = Vec::new();
        for n in 3..5 {
            let (mut client, _) = in_another_process(&server, &[holds, dies]);
            send(&mut client, &turn(n));
            behind.push(client);
            server.wait_busy(n);
        }
        assert!(behind.iter().all(|client| !client.wait_readable(Duration::ZERO)), "{mpm:?} {rule}: all wait");
        let killed = Instant::now();
        [dies, holds].iter().for_each(|process| assert!(sys::signal(*process, libc::SIGKILL)));
        for client in &mut behind {
            assert_eq!(client.read_response().unwrap().status, 200, "{mpm:?} {rule}");
        }
        assert!(killed.elapsed() < Duration::from_millis(2500), "{mpm:?} {rule}: {:?}", killed.elapsed());
        assert_eq!(answer(second.read_response()).map(|response| response.status), None, "{mpm:?} {rule}: killed while waiting");
        assert!(wait_until(SECONDS(5), || server.status(FROM, &turn(9)) == Some(200)), "{mpm:?} {rule}: the turn is free");
        server.stop();
    });
}

/// So many may wait; the rest is denied.
#[test]
fn a_number_of_waiting_requests_is_enough() {
    for (rule, config, c) in [
        ("QS_SrvSerialize", "QS_SrvSerialize on 60 2\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize", ""),
        ("QS_ClientSerialize", "QS_ClientSerialize 2\nSetEnvIf Request_URI ^/cgi/ QS_Serialize", ", c=127.0.50.1"),
    ] {
        let server = serving(config).start();
        let (first, _) = holder(&server);
        let mut waiting = Vec::new();
        for n in 0..2 {
            waiting.push(asking(&server, &turn(n)));
            server.wait_busy(n + 2);
        }
        for _ in 0..2 {
            assert_eq!(server.status(FROM, &turn(9)), Some(500), "{rule}");
        }
        server.expect_line(&format!("mod_qos(068): access denied, {rule} rule: max waiting=2, current=2{c}, id=*"));
        assert!(server.logged(&turn(9)).ends_with(" mod_qos_ev=D;s; QS_ErrorNotes=068"), "{rule}: {}", server.access_log());
        let other = server.client_from("127.0.50.2").get("/small.txt?QS_Serialize=1").unwrap().status;
        assert_eq!(other, 200, "{rule}: a turn of its own, or none");
        first.reset().unwrap();
        waiting.iter_mut().for_each(|client| assert_eq!(client.read_response().unwrap().status, 200, "{rule}"));
        assert_eq!(server.status(FROM, &turn(10)), Some(200), "{rule}: nobody waits any more");
    }
}

/// A client that is gone waits for nothing: its place in the queue is free within a second or two.
#[test]
fn who_leaves_gives_up_its_place() {
    for (rule, config) in [
        ("QS_SrvSerialize", "QS_SrvSerialize on 60 1\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize"),
        ("QS_ClientSerialize", "QS_ClientSerialize 1\nSetEnvIf Request_URI ^/cgi/ QS_Serialize"),
    ] {
        let server = serving(config).start();
        let (_first, _) = holder(&server);
        let leaves = asking(&server, &turn(1));
        server.wait_busy(2);
        assert_eq!(server.status(FROM, &turn(2)), Some(500), "{rule}: one may wait");
        leaves.reset().unwrap();
        assert!(server.wait_for_access(&format!(" {} HTTP/", turn(1)), SECONDS(3)), "{rule}: {}", server.access_log());
        let waits = asking(&server, &turn(3));
        server.wait_busy(2);
        assert!(!waits.wait_readable(Duration::from_millis(300)), "{rule}");
    }
}

/// A virtual host with a configuration of its own has a turn of its own, one without has the main server's.
#[test]
fn each_server_with_a_configuration_of_its_own_has_its_turn() {
    let config = "QS_SrvSerialize on 1\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize\n<VirtualHost *:@PORT1@>\nQS_SrvMaxConn 500\nSetEnvIf Request_URI . QS_SrvSerialize\n</VirtualHost>\n\
                  <VirtualHost *:@PORT2@>\nServerName plain\n</VirtualHost>\n<VirtualHost *:@PORT3@>\nQS_SrvSerialize off\nSetEnvIf Request_URI . QS_SrvSerialize\n</VirtualHost>";
    let server = serving(config).vhost_ports(3).start();
    let (first, _) = holder(&server);
    let ask = |k: usize, n: usize| {
        let mut client = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(k)).into()).unwrap();
        assert_eq!(client.get(&turn(n)).unwrap().status, 200);
        let line = server.logged(&turn(n));
        line[line.find("mod_qos_ev").unwrap()..].to_owned()
    };
    assert_eq!([ask(1, 1), ask(3, 3)], ["mod_qos_ev=- QS_ErrorNotes=-"; 2]);
    assert_eq!(ask(2, 2), "mod_qos_ev=s; QS_ErrorNotes=068", "the turn of the main server");
    drop(first);
}

/// Nobody waits in log-only mode; the letter tells who would have.
#[test]
fn log_only_waits_for_nothing() {
    for (rule, config) in BOTH {
        let server = serving(config).config("QS_LogOnly on").start();
        let (_first, _) = holder(&server);
        for n in 0..3 {
            let since = Instant::now();
            assert_eq!(server.status(FROM, &turn(n)), Some(200), "{rule}");
            assert!(since.elapsed() < SECONDS(2), "{rule}: {:?}", since.elapsed());
            assert!(server.logged(&turn(n)).ends_with(" mod_qos_ev=s; QS_ErrorNotes=-"), "{rule}: {}", server.access_log());
        }
        assert_eq!(server.count_log("mod_qos(068)"), 0);
    }
}

/// W06: who is going to be denied does not wait first. And a VIP waits as everybody does.
#[test]
fn denials_do_not_wait_and_vips_do() {
    for (rule, config) in BOTH {
        let server = serving(config).config("QS_ClientEventLimitCount 1\nQS_ClientEventBlockCount 5").start();
        let (first, _) = holder(&server);
        let since = Instant::now();
        assert_eq!(server.status(FROM, &format!("{}&QS_Limit=1", turn(1))), Some(500), "{rule}");
        let console = |action: &str| server.client_from("127.0.50.9").get(&format!("/console?action={action}&address={FROM}")).unwrap().status;
        assert_eq!([console("unlimit"), console("setvip")], [200, 200]);
        assert_eq!(server.status("127.0.50.8", &format!("{}&QS_Block=5", turn(2))), Some(500), "{rule}");
        assert!(since.elapsed() < SECONDS(5), "{rule}: {:?}", since.elapsed());
        assert!(!server.access_log().contains("mod_qos_ev=s;"), "{rule}: {}", server.access_log());
        let mut vip = asking(&server, &turn(3));
        server.wait_busy(2);
        assert!(!vip.wait_readable(Duration::from_millis(300)), "{rule}");
        first.reset().unwrap();
        assert_eq!(vip.read_response().unwrap().status, 200, "{rule}");
    }
}

/// The turn is kept over a graceful restart, and whoever waits is served; the server's end waits for nobody who waits.
#[test]
fn restarts_and_the_end_of_the_server() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving(BOTH[0].1).mpm(mpm).start();
                let (first, old) = holder(&server);
                let mut waits = asking(&server, &turn(1));
                server.wait_busy(2);
                server.graceful();
                let (mut new, process) = in_another_process(&server, &[old]);
                send(&mut new, &turn(2));
                assert!(process != old && !new.wait_readable(Duration::from_millis(700)), "{mpm:?}: the old generation has the turn");
                assert!(first.is_open() && !waits.wait_readable(Duration::ZERO), "{mpm:?}: {}", server.error_log());
                first.reset().unwrap();
                assert_eq!(waits.read_response().unwrap().status, 200, "{mpm:?}: of the old generation");
                assert_eq!(new.read_response().unwrap().status, 200, "{mpm:?}: of the new generation");
                let (_first, _) = holder(&server);
                let mut waits = asking(&server, &turn(3));
                server.wait_busy(2);
                // Ended at once, by a restart and at the end.
                let since = Instant::now();
                server.restart();
                assert!(since.elapsed() < SECONDS(5), "{mpm:?}: {:?}", since.elapsed());
                assert_eq!(answer(waits.read_response()).map(|response| response.status), None, "{mpm:?}");
                let (_first, _) = holder(&server);
                let mut waits = asking(&server, &turn(4));
                server.wait_busy(2);
                let since = Instant::now();
                assert_eq!(server.count_log("mod_qos(068)"), 0, "{mpm:?}: {}", server.error_log());
                server.stop();
                assert!(since.elapsed() < SECONDS(5), "{mpm:?}: {:?}", since.elapsed());
                assert_eq!(answer(waits.read_response()).map(|response| response.status), None, "{mpm:?}");
            });
        }
    });
}

/// With pipelining httpd holds back a response while the next request is there already: it must not wait for itself.
#[test]
fn a_client_that_pipelines_does_not_wait_for_itself() {
    for mpm in Mpm::ALL {
        let rules = "QS_SrvSerialize on 60\nQS_ClientSerialize\nQS_ClientEventRequestLimit 1\n\
                     SetEnvIf Request_URI ^/cgi/env QS_SrvSerialize QS_Serialize QS_EventRequest\n";
        let server = Server::builder().mpm(mpm).workers(16).processes(2).config(rules).start();
        let mut client = server.client();
        client.send("GET /cgi/env HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5)).unwrap();
        let begin = Instant::now();
        let statuses = [0; 5].map(|_| client.read_response().map_or(0, |answer| answer.status));
        assert_eq!((statuses, begin.elapsed() < SECONDS(10)), ([200; 5], true), "{mpm:?}: {:?} {}", begin.elapsed(), server.error_log());
        server.stop();
    }
}
