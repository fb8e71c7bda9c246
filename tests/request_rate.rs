//! Requests per second of locations and events, and `QS_Delay` (request-event.md sections 7, 9.2 and 17, example E4, W13, W14, W42).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use httpd_lab::http2::h2load;
use httpd_lab::said::by_query;
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const FROM: &str = "127.0.61.1";

fn serving(config: &str) -> Builder {
    let variables = by_query(&["QS_Delay", "QS_VipRequest", "EV"]);
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nMaxKeepAliveRequests 0\n<Location /viewer>\nSetHandler qos-viewer\n</Location>\n<Location /metrics>\nSetHandler qos-metrics\n</Location>\n";
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn asking(server: &Server, path: &str) -> RawClient {
    let from = FROM.parse::<std::net::IpAddr>().unwrap();
    let mut client = RawClient::options().from(from).timeout(SECONDS(60)).connect(server.addr()).unwrap();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
    client
}

/// Clients that ask again as soon as they are answered; how many answers came in `time` after the first second.
fn answers(server: &Server, clients: usize, path: &str, time: Duration) -> u32 {
    let (counted, begin) = (AtomicU32::new(0), Instant::now());
    let (from, to) = (begin + SECONDS(1), begin + SECONDS(1) + time);
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let address = FROM.parse::<std::net::IpAddr>().unwrap();
                let connect = || RawClient::options().from(address).timeout(SECONDS(60)).connect(server.addr()).unwrap();
                let mut client = connect();
                while Instant::now() < to {
                    // A server without a free worker ends connections that are kept alive.
                    let Ok(response) = client.get(path) else {
                        client = connect();
                        continue;
                    };
                    assert_eq!(response.status, 200);
                    let now = Instant::now();
                    if (from..to).contains(&now) {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    counted.into_inner()
}

/// Requests above the limit are served at the limit, whatever the MPM; the log says that they are delayed, and, later, that they are no longer.
#[test]
fn requests_are_served_at_the_limit() {
    std::thread::scope(|scope| {
        for (mpm, limit) in [(Mpm::Event, 50), (Mpm::Worker, 211), (Mpm::Prefork, 10)] {
            scope.spawn(move || {
                let server = serving(&format!("QS_LocRequestPerSecLimit /small {limit} 60\nQS_LocRequestLimit /small 1000")).mpm(mpm).start();
                let found = f64::from(answers(&server, 40, "/small.txt?loop", SECONDS(11)));
                let expected = 11.0 * f64::from(limit);
                assert!((found - expected).abs() <= expected * 0.05, "{mpm:?}: {found} answers, expected {expected}");
                server.expect_line(&format!("mod_qos(050): request rate limit, rule: /small({limit}), req/sec=#, delay=#ms"));
                assert!(server.logged("/small.txt?loop").contains(" mod_qos_ev="));
                assert!(server.access_log().contains(" mod_qos_ev=L; "), "{mpm:?}");
                server.stop();
            });
        }
    });
}

/// Below the limit nobody is delayed: neither one after the other nor all at once.
#[test]
fn requests_below_the_limit_are_not_delayed() {
    let server = serving("QS_LocRequestPerSecLimitMatch ^/small 60\nQS_EventPerSecLimit !EV 200").start();
    for _ in 0..3 {
        let begin = Instant::now();
        let mut burst = (0..55).map(|_| asking(&server, "/small.txt?burst")).collect::<Vec<_>>();
        burst.iter_mut().for_each(|client| assert_eq!(client.read_response().unwrap().status, 200));
        std::thread::sleep(SECONDS(1).saturating_sub(begin.elapsed()) + Duration::from_millis(50));
    }
    let log = server.access_log();
    assert_eq!(log.lines().filter(|line| line.contains("burst") && line.ends_with(" mod_qos_ev=- QS_ErrorNotes=-")).count(), 165, "{log}");
}

/// A client that leaves while it waits takes nothing from the others; more than the allowed number of delayed requests are denied and told when to
/// come back.
#[test]
fn clients_leave_and_too_many_are_denied() {
    let server = serving("QS_LocRequestPerSecLimit /small 1 20\nQS_ClientEventPerSecLimit 1000").start();
    assert_eq!(server.status(FROM, "/small.txt?first"), Some(200));
    let leaving = (0..19).map(|n| asking(&server, &format!("/small.txt?leaving{n}"))).collect::<Vec<_>>();
    server.wait_busy(19);
    let last = asking(&server, "/small.txt?last");
    server.wait_busy(20);
    let denied = server.ask(FROM, "/small.txt?denied", &[]).unwrap();
    assert_eq!(denied.status, 500);
    let after = denied.header("retry-after").unwrap().parse::<u32>().unwrap();
    assert!((15..=21).contains(&after), "{after}");
    server.expect_line("mod_qos(050): access denied, request rate limit, rule: /small(1), max delayed requests=20, current=#, c=127.0.61.1, id=*");
    assert!(server.logged("/small.txt?denied").ends_with(" mod_qos_ev=D;L; QS_ErrorNotes=050"), "{}", server.access_log());
    let begin = Instant::now();
    drop(leaving);
    let mut last = last;
    assert_eq!(last.read_response().unwrap().status, 200);
    assert!(begin.elapsed() < SECONDS(4), "{:?}: those before it have left", begin.elapsed());
    // The rule counts its delays itself; the clients' rule has none.
    let metrics = String::from_utf8_lossy(&server.ask(FROM, "/metrics", &[]).unwrap().body).into_owned();
    assert!(metrics.contains("qos_delays_total{rule=\"QS_ClientEventPerSecLimit\"} 0\n"), "{metrics}");
}

/// Without a second number nobody waits longer than five seconds, and no rule takes more than a quarter of the workers: others go on to be served.
#[test]
fn a_rule_does_not_take_all_workers() {
    let server = serving("QS_LocRequestPerSecLimit /slow 1\nQS_LocRequestPerSecLimit /small 100").start();
    let _slow = (0..120).map(|_| asking(&server, "/slow")).collect::<Vec<_>>();
    let denied = || server.count_log("request rate limit, rule: /slow(1), max delayed requests=5") > 0;
    assert!(wait_until(SECONDS(5), denied), "{}", server.error_log());
    let begin = Instant::now();
    assert_eq!(server.status("127.0.61.2", "/index.html"), Some(200));
    assert!(begin.elapsed() < SECONDS(2), "{:?}", begin.elapsed());
    let _small = (0..200).map(|_| asking(&server, "/small.txt")).collect::<Vec<_>>();
    let denied = || server.count_log("request rate limit, rule: /small(100), max delayed requests=16") > 0;
    assert!(wait_until(SECONDS(5), denied), "{}", server.error_log());
}

/// A child that is killed with requests that wait leaves the way free.
#[test]
fn a_killed_child_leaves_the_queue() {
    let server = serving("QS_LocRequestPerSecLimit /small 1 30").expect_crashes().start();
    assert_eq!(server.status(FROM, "/small.txt"), Some(200));
    let waiting = (0..20).map(|_| asking(&server, "/small.txt?waiting")).collect::<Vec<_>>();
    server.wait_busy(20);
    for pid in server.children() {
        httpd_lab::sys::signal(pid, libc::SIGKILL);
    }
    drop(waiting);
    assert!(wait_until(SECONDS(5), || server.children().iter().any(|pid| httpd_lab::sys::age(*pid) < SECONDS(5))));
    let begin = Instant::now();
    assert!(wait_until(SECONDS(10), || server.status(FROM, "/small.txt?after") == Some(200)));
    assert!(begin.elapsed() < SECONDS(5), "{:?}", begin.elapsed());
}

/// Events, several rules at a time, VIP and rules that are only logged.
#[test]
fn events_vip_and_log_only() {
    let server = serving(
        "QS_VipUser\nQS_EventPerSecLimit EV 2\nQS_EventPerSecLimit !EV 1000\nQS_LocRequestPerSecLimit /large 1\nQS_LogOnlyRule QS_LocRequestPerSecLimit",
    )
    .start();
    let begin = Instant::now();
    for n in 0..6 {
        assert_eq!(server.status(FROM, &format!("/small.txt?EV=1&n={n}")), Some(200));
    }
    assert!(begin.elapsed() >= Duration::from_millis(1900), "{:?}", begin.elapsed());
    assert!(server.logged("/small.txt?EV=1&n=5").ends_with(" mod_qos_ev=L; QS_ErrorNotes=-"), "{}", server.access_log());
    let begin = Instant::now();
    assert_eq!(server.status(FROM, "/small.txt?EV=1&QS_VipRequest=yes"), Some(200));
    for n in 0..10 {
        assert_eq!(server.status(FROM, &format!("/large?n={n}")), Some(404));
        assert_eq!(server.status(FROM, &format!("/small.txt?n={n}")), Some(200));
    }
    assert!(begin.elapsed() < SECONDS(2), "{:?}", begin.elapsed());
    assert!(server.logged("/small.txt?EV=1&QS_VipRequest=yes").ends_with(" mod_qos_ev=S; QS_ErrorNotes=-"), "{}", server.access_log());
    assert!(server.logged("/large?n=9").ends_with(" mod_qos_ev=L; QS_ErrorNotes=-"), "what would have happened: {}", server.access_log());
}

/// Streams of HTTP/2 wait like requests.
#[test]
fn http2_streams_wait() {
    let server = serving("QS_LocRequestPerSecLimit /small 20 100").tls().http2().start();
    let begin = Instant::now();
    let said = h2load(&["-n", "100", "-c", "4", "-m", "10", &server.tls_url("/small.txt")]);
    assert!(said.out.contains("100 succeeded"), "{said:?}");
    let time = begin.elapsed().as_secs_f64();
    assert!((3.8..6.0).contains(&time), "100 requests at 20 per second took {time} s");
}

/// `QS_Delay` sleeps for the number that it begins with, also without any rule; a client that leaves ends it.
#[test]
fn delays_by_variable() {
    let server = serving("").start();
    for (query, least, most) in [("400", 400, 3000), ("400ms", 400, 3000), ("0", 0, 300), ("x", 0, 300), ("-5", 0, 300), ("", 0, 300)] {
        let begin = Instant::now();
        assert_eq!(server.status(FROM, &format!("/small.txt?QS_Delay={query}")), Some(200));
        let time = begin.elapsed().as_millis();
        assert!((least..most).contains(&time), "'{query}': {time} ms");
        let letter = if least > 0 { "L;" } else { "-" };
        assert!(server.logged(&format!("/small.txt?QS_Delay={query}")).contains(&format!(" mod_qos_ev={letter} ")), "{}", server.access_log());
    }
    let long = asking(&server, "/small.txt?QS_Delay=99999999999999999999999");
    server.wait_busy(1);
    drop(long);
    server.wait_busy(0);
    let server = serving("QS_LogOnly on").start();
    assert_eq!(server.status(FROM, "/small.txt?QS_Delay=60000"), Some(200));
    assert!(server.logged("/small.txt?QS_Delay=60000").contains(" mod_qos_ev=- "), "{}", server.access_log());
}
