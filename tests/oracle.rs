//! Worked examples on which the packaged original and ours agree (connection-client.md section 16, E1, E3 to E6 and E8 to E15).
//! Without QOS_ORACLE they run against ours; `make oracle` sets it and runs them against the original.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::said::{by_query, matches};
use httpd_lab::{Builder, Module, Mpm, RawClient, Server, original, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn serving(module: Module, mpm: Mpm, config: &str) -> Builder {
    let show = "AcceptFilter http none\nHeader always set X-All \"%{QS_AllConn}e\"\nKeepAliveTimeout 60\n";
    Server::builder().module(module).mpm(mpm).config(show).config(config).log_env(&["mod_qos_con", "mod_qos_ev"])
}

/// A connection that was answered, and the response's Connection header.
fn served(server: &Server, from: &str) -> Option<(RawClient, Option<String>)> {
    let mut client = server.client_from(from);
    let response = client.get("/small.txt").ok()?;
    assert_eq!(response.status, 200);
    let connection = response.header("connection").filter(|value| value.eq_ignore_ascii_case("close")).map(str::to_owned);
    Some((client, connection))
}

fn hold(server: &Server, from: &str) -> RawClient {
    served(server, from).unwrap_or_else(|| panic!("{from} is not served: {}", server.error_log())).0
}

/// The first connection after those of the start have ended.
fn first(server: &Server, from: &str) -> RawClient {
    let mut held = None;
    let alone = || {
        held = None;
        let mut client = server.client_from(from);
        let all = client.get("/small.txt").ok().and_then(|response| response.header("x-all").map(str::to_owned));
        held = Some(client);
        all.as_deref() == Some("1")
    };
    assert!(wait_until(SECONDS(10), alone), "connections that nobody holds are counted");
    held.unwrap()
}

/// Closed without a byte.
fn refused(server: &Server, from: &str) -> bool {
    let mut client = server.client_from(from);
    client.wait_closed(SECONDS(5)).is_some() && client.read_some(1).map_or(true, |bytes| bytes.is_empty())
}

fn logged(server: &Server, text: &str, end: &str) {
    let there = || server.access_log().lines().any(|line| line.contains(text) && line.ends_with(end));
    assert!(wait_until(SECONDS(5), there), "{text} ... {end}: {}", server.access_log());
}

/// Example E1.
fn connection_limit(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_SrvMaxConn 3\nQS_SrvMaxConnExcludeIP 127.0.25.9").start();
    let _held = [first(&server, "127.0.25.1"), hold(&server, "127.0.25.2")];
    let third = hold(&server, "127.0.25.3");
    assert!(refused(&server, "127.0.25.4"), "{mpm:?}");
    server.expect_line("mod_qos(030): access denied, QS_SrvMaxConn rule: max=3, concurrent connections=4, c=127.0.25.4");
    let _excluded = hold(&server, "127.0.25.9");
    logged(&server, "127.0.25.9 ", " mod_qos_con=4 mod_qos_ev=S;");
    drop((third, _excluded));
    assert!(wait_until(SECONDS(5), || served(&server, "127.0.25.4").is_some()), "{mpm:?}: the counter goes back");
}

/// Example E3.
fn threshold_of_the_address_limit(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_SrvMaxConnPerIP 5 8").start();
    let mut held = vec![first(&server, "127.0.25.1")];
    held.extend((2..=7).map(|_| hold(&server, "127.0.25.1")));
    assert!(refused(&server, "127.0.25.1"), "{mpm:?}: the eighth");
    server.expect_line("mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=5, concurrent connections=8, c=127.0.25.1");
    drop(hold(&server, "127.0.25.2"));
}

/// Example E4.
fn summed_up_refusals(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_SrvMaxConnPerIP 2").start();
    let _stays = first(&server, "127.0.25.1");
    let second = hold(&server, "127.0.25.1");
    assert!((0..77).all(|_| refused(&server, "127.0.25.1")), "{mpm:?}");
    const LINE: &str = "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=#";
    assert!(wait_until(SECONDS(5), || server.lines("031").len() >= 22), "{:#?}", server.lines("031"));
    drop(second);
    // The observer comes from elsewhere: another attempt of the client would be counted as a refusal.
    let one_left = || server.client_from("127.0.25.2").get("/small.txt").is_ok_and(|response| response.header("x-all") == Some("2"));
    assert!(wait_until(SECONDS(5), one_left), "{mpm:?}");
    let _back = hold(&server, "127.0.25.1");
    assert!(wait_until(SECONDS(5), || server.lines("031").len() >= 23), "{:#?}", server.lines("031"));
    let said = server.lines("031");
    let single = said.iter().take(20).all(|line| matches(line, &format!("{LINE}, c=127.0.25.1")));
    let repeated = said.iter().skip(20).take(2).all(|line| matches(line, &format!("{LINE}, message repeated 20 times, c=127.0.25.1")));
    let previously = LINE.replace("access denied", "access denied (previously)");
    let last = matches(&said[22], &format!("{previously}, message repeated 17 times, c=127.0.25.1"));
    assert!(single && repeated && last && said.len() == 23, "{said:#?}");
}

/// Example E5 with a capacity of 10.
fn close_limit(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_MaxClients 10\nQS_SrvMaxConnClose 70%").start();
    let mut held = vec![first(&server, "127.0.25.1")];
    for n in 2..=7 {
        let (client, connection) = served(&server, &format!("127.0.25.{n}")).unwrap();
        assert_eq!(connection, None, "{mpm:?}: {n} of 7");
        held.push(client);
    }
    let (eighth, connection) = served(&server, "127.0.25.8").unwrap();
    assert_eq!(connection.as_deref(), Some("close"), "{mpm:?}");
    assert!(eighth.wait_closed(SECONDS(5)).is_some(), "{mpm:?}");
    logged(&server, "127.0.25.8 ", " mod_qos_con=- mod_qos_ev=K;");
}

/// Like example E6: one byte a second, or nothing at all. Without a second argument the original never enforces the rate.
fn slow_head(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_SrvMinDataRate 120 1000").start();
    let mut ends = vec![];
    std::thread::scope(|scope| {
        let wait = |from: &'static str, start: &'static str| {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client_from(from);
                let since = Instant::now();
                let _ = client.send(start);
                while client.wait_closed(SECONDS(1)).is_none() && since.elapsed() < SECONDS(15) {
                    if !start.is_empty() {
                        let _ = client.send("x");
                    }
                }
                let heard = client.read_some(12).unwrap_or_default();
                (since.elapsed(), String::from_utf8_lossy(&heard).into_owned())
            })
        };
        ends = [wait("127.0.25.1", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "), wait("127.0.25.2", "")].map(|thread| thread.join().unwrap()).to_vec();
    });
    for (after, heard) in &ends {
        // The second of the look, and the second in which the client notices.
        assert!((SECONDS(5)..SECONDS(10)).contains(after), "{mpm:?}: cut after {after:?}, heard {heard:?}: {}", server.error_log());
    }
    server.expect_line("mod_qos(034): access denied, QS_SrvMinDataRate rule (in): min=#, this connection=#, c=127.0.25.1");
    server.expect_line("mod_qos(034): access denied, QS_SrvMinDataRate rule (in:0): min=#, this connection=0, c=127.0.25.2");
}

/// Requests say in their query what they are.
fn by_events(module: Module, config: &str) -> Server {
    let show = "KeepAliveTimeout 60\nMaxKeepAliveRequests 0\nHeader always set X-Counter \"%{Login_Counter}e\"\nHeader always set X-Remaining \"%{Login_Remaining}e\"\n\
                <Location /console>\nSetHandler qos-console\n</Location>\n";
    let variables = by_query(&["QS_Block", "QS_Event", "QS_EventRequest", "QS_SrvSerialize", "QS_Cond", "Login", "Login_Clear", "Login_Decrement"]);
    serving(module, Mpm::Event, show).config(&variables).config(config).start()
}

/// What the console answers, without the remaining seconds.
fn console(server: &Server, query: &str) -> String {
    let mut answer = None;
    // The connections before it are closed by and by.
    wait_until(SECONDS(5), || {
        answer = server.ask("127.0.25.99", &format!("/console?{query}"), &[]);
        answer.is_some()
    });
    let text = answer.unwrap().text();
    text.trim_end().split(' ').map(|word| word.split('/').next().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Example E8: a window of 6 seconds.
fn blocked(module: Module) {
    let server = by_events(module, "QS_ClientEventBlockCount 3 6\nQS_SetEnvIfStatus 404 QS_Block");
    let mut client = server.client_from("127.0.25.1");
    let since = Instant::now();
    for n in 0..3 {
        assert_eq!(client.get(&format!("/missing?{n}")).unwrap().status, 404);
    }
    assert_eq!(client.get("/small.txt").unwrap().status, 500);
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=#, c=127.0.25.1, id=*");
    assert!(refused(&server, "127.0.25.1"));
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=#, c=127.0.25.1");
    assert_eq!(server.status("127.0.25.2", "/small.txt"), Some(200));
    assert!(wait_until(SECONDS(10), || server.status("127.0.25.1", "/small.txt") == Some(200)));
    assert!((SECONDS(5)..SECONDS(8)).contains(&since.elapsed()), "{:?}", since.elapsed());
}

/// Example E9.
fn limited(module: Module) {
    let server = by_events(module, "QS_ClientEventLimitCount 6 3 Login");
    let since = Instant::now();
    let first = server.ask("127.0.25.1", "/small.txt?Login=3", &[]).unwrap();
    assert_eq!((first.status, first.header("x-counter"), first.header("x-remaining")), (200, Some("3"), Some("3")));
    assert_eq!(server.status("127.0.25.1", "/small.txt?Login=3"), Some(500));
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=6, current=6, age=#, c=127.0.25.1, id=*");
    assert_eq!([server.status("127.0.25.1", "/small.txt"), server.status("127.0.25.2", "/small.txt")], [Some(500), Some(200)]);
    assert!(wait_until(SECONDS(8), || server.status("127.0.25.1", "/small.txt") == Some(200)));
    assert!((SECONDS(3)..SECONDS(6)).contains(&since.elapsed()), "{:?}", since.elapsed());
}

/// Sections 9.6.1 and 9.8.
fn weights(module: Module) {
    let server = by_events(module, "QS_ClientEventLimitCount 1000 600 Login");
    let mut client = server.client_from("127.0.25.1");
    for (query, counter) in [
        ("Login=5", "5"),
        ("Login=abc", "6"),
        ("Login=", "7"),
        ("Login=-3", "8"),
        ("Login=0", "9"),
        ("other", "9"),
        ("Login=1&Login_Decrement=4", "10"),
        ("other", "6"),
        ("Login_Decrement=6", "6"),
        ("other", "0"),
        ("Login=3", "3"),
        ("Login_Clear=1", "0"),
        ("Login=4", "4"),
    ] {
        assert_eq!(client.get(&format!("/small.txt?{query}")).unwrap().header("x-counter"), Some(counter), "{query}");
    }
}

/// Section 9.8: only where the condition matches.
fn conditional(module: Module) {
    let server = by_events(module, "QS_CondClientEventLimitCount 2 60 Login ^adm[i1]n");
    let ask = |query: &str| server.status("127.0.25.1", &format!("/small.txt?{query}"));
    assert_eq!(
        ["Login=1", "Login=1", "QS_Cond=other", "QS_Cond=ADMIN", "QS_Cond=xadmin", "QS_Cond=adm1n"].map(ask).map(Option::unwrap),
        [200, 200, 200, 200, 200, 500]
    );
    server.expect_line("mod_qos(067): access denied, QS_CondClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=127.0.25.1, id=*");
}

/// Example E10.
fn named_by_a_header(module: Module) {
    let server = by_events(module, "QS_ClientIpFromHeader X-Real-IP\nQS_ClientEventLimitCount 3 60 Login\nQS_ClientEventRequestLimit 0");
    let ask = |name: &str, query: &str| server.ask("127.0.25.1", &format!("/small.txt?{query}"), &[&format!("X-Real-IP: {name}")]).unwrap().status;
    assert_eq!([ask("192.0.2.1", "Login=1"), ask("192.0.2.1", "Login=1"), ask("192.0.2.1", "Login=1"), ask("192.0.2.2", "Login=1")], [200, 200, 500, 200]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c=192.0.2.1, id=*");
    assert_eq!(ask("192.0.2.3", "QS_EventRequest=1"), 500);
    server.expect_line("mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=0, current=1, c=192.0.2.3, id=*");
    assert_eq!([0; 3].map(|_| server.status("127.0.25.1", "/small.txt?Login=1").unwrap()), [200, 200, 500]);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=3, current=3, age=#, c=127.0.25.1, id=*");
    assert!(!server.lines("069").is_empty());
}

/// Example E11: 220 events in 11 seconds, then a slow window.
fn paced(module: Module) {
    let server = by_events(module, "QS_ClientEventPerSecLimit 5");
    let mut client = server.client_from("127.0.25.1");
    for _ in 0..219 {
        assert_eq!(client.get("/small.txt?QS_Event=1").unwrap().status, 200);
    }
    let delay = |line: &str| {
        let numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|text| !text.is_empty()).map(|text| text.parse::<u32>().unwrap()).collect::<Vec<_>>();
        (numbers[2], numbers[3])
    };
    let mut window = |id: &str, pattern: &str| {
        std::thread::sleep(Duration::from_millis(11_300));
        let since = Instant::now();
        client.get("/small.txt?QS_Event=1").unwrap();
        let took = since.elapsed();
        assert!(wait_until(SECONDS(5), || !server.lines(id).is_empty()));
        let line = server.lines(id).remove(0);
        assert!(line.starts_with(pattern), "{line}");
        let (rate, ms) = delay(&line);
        assert!(took >= Duration::from_millis(u64::from(ms)), "{took:?}: {line}");
        (rate, ms)
    };
    let (rate, ms) = window("061", "mod_qos(061): request rate limit, rule: QS_Event(5), req/sec=");
    assert!((17..=20).contains(&rate) && ms == rate * 20 - 100, "{rate} {ms}");
    let (rate, less) = window("062", "mod_qos(062): request rate limit, rule: QS_Event(5), req/sec=");
    assert_eq!((rate, less), (0, ms - ms / 4));
    assert!(wait_until(SECONDS(5), || server.access_log().contains(" mod_qos_ev=L;")));
}

/// Like example E12, with a capacity of 20: an unknown client is refused from the nineteenth connection on.
fn preferred(module: Module) {
    let server = serving(module, Mpm::Event, "QS_MaxClients 20\nQS_ClientPrefer 50\nQS_SrvMaxConnExcludeIP 127.0.25.9").start();
    let mut held = vec![first(&server, "127.0.25.1")];
    held.extend((2..=16).map(|n| hold(&server, &format!("127.0.26.{n}"))));
    // 20 - 17 is 3, as is 10 * 4 / 12.
    held.push(hold(&server, "127.0.25.2"));
    assert!(refused(&server, "127.0.25.3"));
    server.expect_line("mod_qos(066): access denied, QS_ClientPrefer rule (penalty=4 0x00): max=10, concurrent connections=18, c=127.0.25.3");
    drop(hold(&server, "127.0.25.9"));
}

/// Example E13.
fn by_country(module: Module) {
    let file = std::env::temp_dir().join(format!("oracle-{}.csv", std::process::id()));
    let number = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().unwrap());
    let line = |from: &str, to: &str, code: &str| format!("\"{from}\",\"{to}\",\"{}\",\"{}\",\"{code}\",\"Country\"\n", number(from), number(to));
    std::fs::write(&file, line("127.0.27.0", "127.0.27.255", "US") + &line("127.0.28.0", "127.0.28.255", "DE")).unwrap();
    // The third argument is younger than the packaged original.
    for exclude in ["", " excludeUnknown"].into_iter().filter(|exclude| module == Module::Ours || exclude.is_empty()) {
        let config = format!(
            "QS_SrvMaxConn 100\nQS_ClientGeoCountryDB {}\nQS_ClientGeoCountryPriv CH,DE 10{exclude}\nHeader always set X-Country \"%{{QS_Country}}e\"",
            file.display()
        );
        let server = serving(module, Mpm::Event, &config).start();
        let mut held = vec![first(&server, "127.0.25.1")];
        held.extend((2..=8).map(|_| hold(&server, "127.0.25.1")));
        held.push(hold(&server, "127.0.27.1"));
        assert!(refused(&server, "127.0.27.2"));
        server.expect_line("mod_qos(101): access denied, QS_ClientGeoCountryPriv rule: max=10, concurrent connections=10, c=127.0.27.2 country=US");
        if exclude.is_empty() {
            assert!(refused(&server, "127.0.25.2"));
            assert!(wait_until(SECONDS(5), || server.lines("101").iter().any(|line| line.ends_with(", c=127.0.25.2 country=--"))), "{:?}", server.lines("101"));
        } else {
            drop(hold(&server, "127.0.25.2"));
        }
        assert_eq!(server.ask("127.0.28.1", "/small.txt", &[]).unwrap().header("x-country"), Some("DE"));
    }
    let _ = std::fs::remove_file(file);
}

/// Example E14, with shorter times.
fn serialized(module: Module) {
    let server = by_events(module, "QS_SrvSerialize on 2\nSetEnvIf Request_URI ^/cgi/ QS_SrvSerialize");
    let mut first = server.client_from("127.0.25.1");
    first.send("GET /cgi/drip?0.1,600 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(first.wait_readable(SECONDS(5)));
    let since = Instant::now();
    assert_eq!(server.status("127.0.25.2", "/small.txt?QS_SrvSerialize=1&second"), Some(200));
    assert!((Duration::from_millis(1900)..SECONDS(4)).contains(&since.elapsed()), "{:?}", since.elapsed());
    assert!(first.is_open());
    assert!(
        wait_until(SECONDS(5), || server.lines("068").iter().any(|line| line.contains("QS_SrvSerialize") && line.contains(" 2 ") && line.contains(", id="))),
        "{:?}",
        server.lines("068")
    );
    logged(&server, "second", " mod_qos_ev=s;");
}

/// Example E15.
fn by_console(module: Module) {
    let server = by_events(module, "QS_ClientEventLimitCount 10 5\nQS_ClientEventBlockCount 3 60");
    let ask = |action: &str| console(&server, &format!("action={action}&address=203.0.113.9"));
    for (action, answer) in [
        ("search", "not available"),
        ("inclimit", "203.0.113.9 vip=no lowprio=no block=0 limit=1"),
        ("limit", "203.0.113.9 vip=no lowprio=no block=0 limit=1010"),
        ("unlimit", "203.0.113.9 vip=no lowprio=no block=0 limit=0"),
        ("block", "203.0.113.9 vip=no lowprio=no block=1003 limit=0"),
        ("SetVip", "203.0.113.9 vip=yes lowprio=no block=1003 limit=0"),
        ("setlowprio", "203.0.113.9 vip=yes lowprio=yes block=1003 limit=0"),
        ("unblock", "203.0.113.9 vip=yes lowprio=yes block=0 limit=0"),
        ("unsetlowprio", "203.0.113.9 vip=yes lowprio=no block=0 limit=0"),
        ("unsetvip", "203.0.113.9 vip=no lowprio=no block=0 limit=0"),
    ] {
        assert_eq!(ask(action), answer, "{action}");
    }
    assert_eq!(
        ["action=foo&address=203.0.113.9", "action=block&address=300.0.0.1", "action=block"]
            .map(|query| server.status("127.0.25.99", &format!("/console?{query}")).unwrap()),
        [406; 3]
    );
    console(&server, "action=limit&address=127.0.25.1&event=QS_Limit");
    assert_eq!(server.status("127.0.25.1", "/small.txt"), Some(500));
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=10, current=1010, age=#, c=127.0.25.1, id=*");
}

/// Section 9.9. A client that resets its connection while it is answered is counted by ours alone.
fn special_codes(module: Module) {
    let rules =
        "QS_ClientEventBlockCount 3 600\nQS_SrvMaxConnPerIP 2\nQS_SetEnvIfStatus nullconnection QS_Block\nQS_SetEnvIfStatus QS_SrvMaxConnPerIP QS_Block";
    let server = by_events(module, rules);
    let block = |address: &str| console(&server, &format!("action=search&address={address}"));
    let counts = |address: &str, n: u32| wait_until(SECONDS(5), || block(address) == format!("{address} vip=no lowprio=no block={n} limit=0"));
    for n in 1..=2 {
        drop(server.client_from("127.0.25.1"));
        assert!(counts("127.0.25.1", n), "{n}: {}", block("127.0.25.1"));
    }
    assert_eq!(server.status("127.0.25.1", "/small.txt"), Some(200), "one with a request counts for nothing");
    drop(server.client_from("127.0.25.1"));
    assert!(counts("127.0.25.1", 3), "{}", block("127.0.25.1"));
    assert!(refused(&server, "127.0.25.1"));
    let _held = [1, 2].map(|_| hold(&server, "127.0.25.2"));
    for n in 1..=3 {
        assert!(refused(&server, "127.0.25.2"));
        assert!(counts("127.0.25.2", n), "{n}: {}", block("127.0.25.2"));
    }
}

fn on_each_mpm(scenario: fn(Module, Mpm)) {
    if let Some(module) = original::asked() {
        Mpm::ALL.into_iter().for_each(|mpm| scenario(module, mpm));
    }
}

#[test]
fn e1_connection_limit() {
    on_each_mpm(connection_limit);
}

#[test]
fn e3_threshold_of_the_address_limit() {
    on_each_mpm(threshold_of_the_address_limit);
}

#[test]
fn e4_summed_up_refusals() {
    on_each_mpm(summed_up_refusals);
}

#[test]
fn e5_close_limit() {
    on_each_mpm(close_limit);
}

#[test]
fn e6_slow_head() {
    on_each_mpm(slow_head);
}

fn on_event(scenario: fn(Module)) {
    if let Some(module) = original::asked() {
        scenario(module);
    }
}

#[test]
fn e8_blocked() {
    on_event(blocked);
}

#[test]
fn e9_limited() {
    on_event(limited);
}

#[test]
fn weights_of_events() {
    on_event(weights);
}

#[test]
fn conditions() {
    on_event(conditional);
}

#[test]
fn e10_named_by_a_header() {
    on_event(named_by_a_header);
}

#[test]
fn e11_paced() {
    on_event(paced);
}

#[test]
fn e12_preferred() {
    on_event(preferred);
}

#[test]
fn e13_by_country() {
    on_event(by_country);
}

#[test]
fn e14_serialized() {
    on_event(serialized);
}

#[test]
fn e15_by_console() {
    on_event(by_console);
}

#[test]
fn special_codes_of_statuses() {
    on_event(special_codes);
}
