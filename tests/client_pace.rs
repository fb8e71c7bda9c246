//! `QS_ClientEventPerSecLimit` (connection-client.md section 9.5, example E11, W50). A window lasts 10 seconds whatever the test would like.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::said::{by_query, matches};
use httpd_lab::{RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const EVENT: &str = "/small.txt?QS_Event=1";

fn serving(config: &str) -> Server {
    let show = "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\n<Location /console>\nSetHandler qos-console\n</Location>\n";
    Server::builder().config(show).config(&by_query(&["QS_Event"])).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"]).start()
}

/// One client of the proxy, and so many events of it at once, without waiting for each answer.
fn events(server: &Server, client: &str, count: usize) -> RawClient {
    let mut connection = server.client_from("127.0.80.1");
    let request = format!("GET {EVENT} HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: {client}\r\n\r\n");
    for some in (0..count).collect::<Vec<_>>().chunks(50) {
        connection.send(request.repeat(some.len())).unwrap();
        some.iter().for_each(|_| assert_eq!(connection.read_response().unwrap().status, 200));
    }
    connection
}

/// An event, and how long its answer took.
fn timed(connection: &mut RawClient, client: &str, path: &str) -> (u16, Duration) {
    let since = Instant::now();
    let status = connection.request("GET", path, &[&format!("X-Real-IP: {client}")], b"").unwrap().status;
    (status, since.elapsed())
}

/// Rate and delay of the only line with that id about a client.
#[track_caller]
fn said(server: &Server, id: &str, limit: u32, client: &str) -> (u32, u64, bool) {
    let pattern = |max: &str| format!("mod_qos({id}): request rate limit, rule: QS_Event({limit}), req/sec=#, delay=#ms{max}, c={client}, id=*");
    let lines = || server.lines(id).into_iter().filter(|line| line.contains(&format!(" c={client},"))).collect::<Vec<_>>();
    assert!(wait_until(SECONDS(5), || lines().len() == 1), "{:#?}", server.lines(id));
    let line = lines().remove(0);
    let max = matches(&line, &pattern(" (max)"));
    assert!(max || matches(&line, &pattern("")), "{line}");
    let number = |key: &str| line.split(key).nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap();
    (number("req/sec="), u64::from(number("delay=")), max)
}

/// The end of a window: it is over with the first event after more than ten seconds.
fn over() {
    std::thread::sleep(Duration::from_millis(11_300));
}

#[test]
fn e11_events_are_delayed_until_they_come_slowly() {
    std::thread::scope(|scope| {
        scope.spawn(delays);
        scope.spawn(log_only);
    });
}

fn delays() {
    const SLOWED: &str = "192.0.2.1";
    const BEYOND: &str = "192.0.2.2";
    const VIP: &str = "192.0.2.3";
    const SLOW: &str = "192.0.2.4";
    // One delayed request of a client at a time.
    let server = serving("QS_ClientIpFromHeader X-Real-IP\nQS_ClientEventPerSecLimit 5 1");
    assert_eq!(server.ask("127.0.80.9", &format!("/console?action=setvip&address={VIP}"), &[]).unwrap().status, 200);
    let (mut slowed, mut beyond, mut vip) = (events(&server, SLOWED, 219), events(&server, BEYOND, 3900), events(&server, VIP, 150));
    let mut slow = events(&server, SLOW, 20);
    assert_eq!(server.count_log("mod_qos(061)") + server.count_log("mod_qos(062)"), 0, "nothing is said before the window is over");
    over();

    let (_, took) = timed(&mut slowed, SLOWED, &format!("{EVENT}&first"));
    let (rate, delay, max) = said(&server, "061", 5, SLOWED);
    assert!((18..=20).contains(&rate) && delay == u64::from(rate) * 20 - 100 && !max, "{rate} {delay}");
    assert!((Duration::from_millis(delay)..Duration::from_millis(delay + 1500)).contains(&took), "{took:?}");
    assert!(server.logged(&format!("{EVENT}&first")).ends_with(" mod_qos_ev=L; QS_ErrorNotes=061"), "{}", server.access_log());
    // Other requests of the client are not delayed.
    timed(&mut slowed, SLOWED, "/small.txt?other");
    assert!(server.logged("/small.txt?other").ends_with(" mod_qos_ev=- QS_ErrorNotes=-"));
    // A slow client, and a VIP, which is none here.
    timed(&mut slow, SLOW, &format!("{EVENT}&slow"));
    assert!(server.logged(&format!("{EVENT}&slow")).ends_with(" mod_qos_ev=- QS_ErrorNotes=-"));
    assert!(timed(&mut vip, VIP, EVENT).1 >= Duration::from_millis(said(&server, "061", 5, VIP).1));

    // W50: the longest delay; meanwhile a second one of the same client is denied, and others are not.
    std::thread::scope(|scope| {
        let longest = scope.spawn(|| timed(&mut beyond, BEYOND, EVENT));
        let delayed = || server.lines("061").iter().any(|line| line.contains(&format!("c={BEYOND},")));
        assert!(wait_until(SECONDS(5), delayed));
        server.wait_busy(1);
        let mut second = server.client_from("127.0.80.1");
        assert_eq!(timed(&mut second, BEYOND, &format!("{EVENT}&second")).0, 500);
        assert!(server.logged(&format!("{EVENT}&second")).ends_with(" mod_qos_ev=D; QS_ErrorNotes=061"), "{}", server.access_log());
        server.expect_line(&format!("mod_qos(061): access denied, QS_ClientEventPerSecLimit rule: max delayed=1, current=2, c={BEYOND}, id=*"));
        assert_eq!(timed(&mut slowed, SLOWED, EVENT).0, 200);
        let (status, took) = longest.join().unwrap();
        assert!(status == 200 && (SECONDS(5)..SECONDS(8)).contains(&took), "{took:?}");
    });
    server.expect_line(&format!("mod_qos(061): request rate limit, rule: QS_Event(5), req/sec=#, delay=5000ms (max), c={BEYOND}, id=*"));

    // A window with few events: a quarter less.
    over();
    let (_, took) = timed(&mut slowed, SLOWED, EVENT);
    let (rate, less, _) = said(&server, "062", 5, SLOWED);
    assert_eq!((rate, less), (0, delay - delay / 4));
    assert!((Duration::from_millis(less)..Duration::from_millis(less + 1500)).contains(&took), "{took:?}");
}

fn log_only() {
    let server = serving("QS_LogOnly on\nQS_ClientEventPerSecLimit 5");
    let mut client = events(&server, "192.0.2.1", 2900);
    over();
    let (_, took) = timed(&mut client, "192.0.2.1", &format!("{EVENT}&last"));
    let (rate, delay, _) = said(&server, "061", 5, "127.0.80.1");
    assert!(rate > 200 && delay > 3000, "{rate} {delay}");
    assert!(took < Duration::from_millis(1000), "{took:?}");
    assert!(server.logged(&format!("{EVENT}&last")).ends_with(" mod_qos_ev=- QS_ErrorNotes=061"), "{}", server.access_log());
}
