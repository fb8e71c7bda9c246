//! Worked examples on which the packaged original and ours agree (connection-client.md section 16, E1 and E3 to E6).
//! Without QOS_ORACLE they run against ours; `make oracle` sets it and runs them against the original.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::{Builder, Module, Mpm, RawClient, Server, original, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Who is asked; `None` where the original cannot be had.
fn asked() -> Option<Module> {
    match std::env::var_os("QOS_ORACLE") {
        None => Some(Module::Ours),
        Some(_) if original::module().is_some() => Some(Module::Original),
        Some(_) => {
            eprintln!("skipped: the package of the original cannot be had here");
            None
        }
    }
}

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

/// The lines of the error log with this id, from `mod_qos(` on.
fn lines(server: &Server, id: &str) -> Vec<String> {
    let start = format!("mod_qos({id}): ");
    server.error_log().lines().filter_map(|line| Some(line[line.find(&start)?..].to_owned())).collect()
}

/// Is this the pattern, in which each `#` stands for a number?
fn matches(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    for (n, part) in pattern.split('#').enumerate() {
        if n > 0 {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return false;
            }
            rest = &rest[digits..];
        }
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.is_empty()
}

fn expect_line(server: &Server, id: &str, pattern: &str) {
    let there = || lines(server, id).iter().any(|line| matches(line, pattern));
    assert!(wait_until(SECONDS(5), there), "no line '{pattern}' in {:#?}", lines(server, id));
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
    expect_line(&server, "030", "mod_qos(030): access denied, QS_SrvMaxConn rule: max=3, concurrent connections=4, c=127.0.25.4");
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
    expect_line(&server, "031", "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=5, concurrent connections=8, c=127.0.25.1");
    drop(hold(&server, "127.0.25.2"));
}

/// Example E4.
fn summed_up_refusals(module: Module, mpm: Mpm) {
    let server = serving(module, mpm, "QS_SrvMaxConnPerIP 2").start();
    let _stays = first(&server, "127.0.25.1");
    let second = hold(&server, "127.0.25.1");
    assert!((0..77).all(|_| refused(&server, "127.0.25.1")), "{mpm:?}");
    const LINE: &str = "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=#";
    assert!(wait_until(SECONDS(5), || lines(&server, "031").len() >= 22), "{:#?}", lines(&server, "031"));
    drop(second);
    // The observer comes from elsewhere: another attempt of the client would be counted as a refusal.
    let one_left = || server.client_from("127.0.25.2").get("/small.txt").is_ok_and(|response| response.header("x-all") == Some("2"));
    assert!(wait_until(SECONDS(5), one_left), "{mpm:?}");
    let _back = hold(&server, "127.0.25.1");
    assert!(wait_until(SECONDS(5), || lines(&server, "031").len() >= 23), "{:#?}", lines(&server, "031"));
    let said = lines(&server, "031");
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
    expect_line(&server, "034", "mod_qos(034): access denied, QS_SrvMinDataRate rule (in): min=#, this connection=#, c=127.0.25.1");
    expect_line(&server, "034", "mod_qos(034): access denied, QS_SrvMinDataRate rule (in:0): min=#, this connection=0, c=127.0.25.2");
}

fn on_each_mpm(scenario: fn(Module, Mpm)) {
    if let Some(module) = asked() {
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
