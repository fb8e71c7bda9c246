//! What is known of clients survives restarts, changed sizes and rules, dead children and floods (connection-client.md sections 2.1, 4.3
//! and 4.4, W14 to W16, W18, W21, W23).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::said::by_query;
use httpd_lab::{Builder, Mpm, Server, sys, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const ADMINISTRATOR: &str = "127.255.0.1";
const HANDLERS: &str = "AcceptFilter http none\nKeepAliveTimeout 60\nMaxKeepAliveRequests 0\n<Location /console>\nSetHandler qos-console\n</Location>\n\
                        <Location /viewer>\nSetHandler qos-viewer\n</Location>\nSetEnvIf Request_URI ^/cgi/ QS_EventRequest\n";

/// The whole configuration of a server with these rules; `rewrite_config` replaces all of it.
fn with(rules: &str) -> String {
    format!("{HANDLERS}{}{rules}\n", by_query(&["QS_Limit", "QS_Block", "Login", "Other"]))
}

fn serving(rules: &str) -> Builder {
    Server::builder().config(&with(rules)).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

/// What the console says of a client, without its address and without the seconds left.
fn console(server: &Server, query: &str) -> String {
    let text = server.ask(ADMINISTRATOR, &format!("/console?{query}"), &[]).unwrap().text();
    text.trim_end().split(' ').skip(1).map(|word| word.split('/').next().unwrap()).collect::<Vec<_>>().join(" ")
}

fn search(server: &Server, address: &str, event: &str) -> String {
    console(server, &format!("action=search&address={address}&event={event}"))
}

/// A number of the table of clients, as the viewer says.
fn table(server: &Server, name: &str) -> u64 {
    let text = server.ask(ADMINISTRATOR, "/viewer?json", &[]).unwrap().text();
    let start = text.find("\"client_table\"").unwrap_or_else(|| panic!("{text}"));
    let value = text[start..].split(&format!("\"{name}\":")).nth(1).unwrap_or_else(|| panic!("{name}: {text}"));
    value.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// How many entries made room for others.
fn evictions(server: &Server) -> u64 {
    let text = server.ask(ADMINISTRATOR, "/viewer?json", &[]).unwrap().text();
    let start = text.find("\"evictions\"").unwrap_or_else(|| panic!("{text}"));
    let list = &text[start..start + text[start..].find(']').unwrap()];
    list.split("\"count\":").skip(1).map(|rest| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()).sum()
}

/// A VIP, a blocked, a limited and a marked client; what is known of them must not change.
const KNOWN: [(&str, &str, &str); 4] = [
    ("127.0.60.1", "action=setvip&address=127.0.60.1", "vip=yes lowprio=no block=0 limit=0"),
    ("127.0.60.2", "action=block&address=127.0.60.2", "vip=no lowprio=no block=1003 limit=0"),
    ("127.0.60.3", "action=limit&address=127.0.60.3&event=Login", "vip=no lowprio=no block=0 limit=1005"),
    ("127.0.60.4", "action=setlowprio&address=127.0.60.4", "vip=no lowprio=yes block=0 limit=0"),
];

fn make_known(server: &Server) {
    for (_, action, state) in KNOWN {
        assert_eq!(console(server, action), state);
    }
}

#[track_caller]
fn still_known(server: &Server, when: &str) {
    all_still_known(server, &KNOWN, when);
}

#[track_caller]
fn all_still_known(server: &Server, known: &[(&str, &str, &str)], when: &str) {
    for &(address, _, state) in known {
        let mut found = search(server, address, "Login");
        if address == "127.0.60.3" {
            // The requests below were denied: that lowers its priority.
            found = found.replace("lowprio=yes", "lowprio=no");
        }
        assert_eq!(found, state, "{when}: {address}");
    }
    let statuses = ["127.0.60.2", "127.0.60.3", "127.0.60.5"].map(|from| server.status(from, "/small.txt"));
    assert_eq!(statuses, [None, Some(500), Some(200)], "{when}");
}

#[test]
fn what_is_known_survives_restarts_and_changed_rules() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || survives(mpm));
        }
    });
}

fn survives(mpm: Mpm) {
    const RULES: &str = "QS_ClientPrefer\nQS_ClientEventBlockCount 3 600\nQS_ClientEventLimitCount 5 600 Login";
    let mut server = serving(RULES).mpm(mpm).start();
    make_known(&server);
    let memory = table(&server, "bytes");
    server.graceful();
    still_known(&server, "graceful restart");
    server.restart();
    still_known(&server, "restart");
    assert_eq!((table(&server, "bytes"), server.lines("001")), (memory, vec![]), "{mpm:?}: nothing had to be moved");
    // W21: a changed size moves the entries.
    for entries in [6400, 640, 100_000] {
        server.rewrite_config(&with(&format!("{RULES}\nQS_ClientEntries {entries}")));
        server.graceful();
        still_known(&server, &format!("{entries} entries"));
        assert_eq!(table(&server, "max"), entries / 640 * 640, "{mpm:?}");
        server.expect_line(&format!(
            "mod_qos(001): client table changed (QS_ClientEntries: # to {}, limit variables: 1 to 1): # clients kept, 0 dropped",
            table(&server, "max")
        ));
    }
    // A number and a time are no change of the table; they count from now on.
    server.rewrite_config(&with("QS_ClientPrefer\nQS_ClientEventBlockCount 2000 600\nQS_ClientEventLimitCount 2000 600 Login\nQS_ClientEntries 100000"));
    server.graceful();
    assert_eq!(["127.0.60.2", "127.0.60.3"].map(|from| server.status(from, "/small.txt")), [Some(200); 2], "{mpm:?}: {}", server.error_log());
    assert!(search(&server, "127.0.60.3", "Login").ends_with(" limit=1005"), "{mpm:?}");
    // Further variables, in another order and another case; each keeps its counts.
    server.rewrite_config(&with("QS_ClientPrefer\nQS_ClientEventBlockCount 3 600\nQS_ClientEventLimitCount 7 600\nQS_CondClientEventLimitCount 5 600 Other x\nQS_ClientEventLimitCount 5 600 LOGIN"));
    server.graceful();
    still_known(&server, "more variables");
    assert_eq!(server.status("127.0.60.6", "/small.txt?QS_Limit=6&Other=4"), Some(200), "{mpm:?}");
    assert_eq!(
        [search(&server, "127.0.60.6", "QS_Limit"), search(&server, "127.0.60.6", "Other")].map(|text| text[text.len() - 7..].to_owned()),
        ["limit=6", "limit=4"]
    );
    // One goes, one stays, one is new.
    server.rewrite_config(&with("QS_ClientPrefer\nQS_ClientEventBlockCount 3 600\nQS_ClientEventLimitCount 7 600\nQS_ClientEventLimitCount 5 600 Renamed"));
    server.graceful();
    assert_eq!(server.status("127.0.60.3", "/small.txt"), Some(200), "{mpm:?}: its variable is not limited any more");
    assert_eq!(server.status("127.0.60.6", "/small.txt?QS_Limit=1"), Some(500), "{mpm:?}: the seventh");
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=7, current=7, age=#, c=127.0.60.6, id=*");
    assert_eq!(search(&server, "127.0.60.1", "x"), "vip=yes lowprio=no block=0 limit=0", "{mpm:?}");
    // W23: without rules nothing is enforced.
    server.rewrite_config(&with(""));
    server.graceful();
    assert!(
        wait_until(SECONDS(10), || ["127.0.60.2", "127.0.60.6"].map(|from| server.status(from, "/small.txt?QS_Limit=1")) == [Some(200); 2]),
        "{mpm:?}: {}",
        server.error_log()
    );
    assert_eq!(server.ask(ADMINISTRATOR, "/console?action=search&address=*", &[]).unwrap().status, 406, "{mpm:?}: no table");
    server.expect_line("mod_qos(001): client table is given up (QS_ClientEntries: #, limit variables: #): no rule about clients is left");
    // And with rules again, it begins with nothing.
    server.rewrite_config(&with(RULES));
    server.graceful();
    assert!(
        wait_until(SECONDS(10), || server.ask(ADMINISTRATOR, "/console?action=search&address=127.0.60.2", &[]).unwrap().text() == "not available\n"),
        "{mpm:?}"
    );
    server.stop();
}

/// W18: requests of killed children do not stand in `event_req` for ever; what is known of clients stays.
#[test]
fn killed_children_give_the_places_of_requests_back() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving("QS_ClientEventRequestLimit 2\nQS_ClientPrefer\nQS_ClientEventBlockCount 3 600\nQS_ClientEventLimitCount 5 600 Login")
                    .mpm(mpm)
                    .expect_crashes()
                    .start();
                make_known(&server);
                for _ in 0..2 {
                    let mut held = [0, 1].map(|_| server.client_from("127.0.60.9"));
                    held.iter_mut().for_each(|client| client.send("GET /cgi/drip?0.1,600 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap());
                    assert!(held.iter().all(|client| client.wait_readable(SECONDS(10))), "{mpm:?}");
                    assert_eq!(server.status("127.0.60.9", "/cgi/env"), Some(500), "{mpm:?}: two are at work");
                    let killed = Instant::now();
                    server.children().into_iter().for_each(|child| assert!(sys::signal(child, libc::SIGKILL)));
                    // The answer has to come from a child that was started since.
                    let free = || server.ask("127.0.60.9", "/cgi/env", &[]).is_some_and(|response| response.status == 200);
                    assert!(wait_until(SECONDS(5), free) && killed.elapsed() < Duration::from_millis(2500), "{mpm:?}: {:?}", killed.elapsed());
                    let page = server.ask(ADMINISTRATOR, "/viewer?action=search&address=127.0.60.9", &[]).unwrap().text();
                    assert!(page.contains("events"), "{page}");
                }
                still_known(&server, "killed children");
                server.stop();
            });
        }
    });
}

/// W14: a flood of addresses into a small table drives idle clients out, not those that are blocked, limited or VIP.
#[test]
fn a_flood_of_addresses_forgets_no_block() {
    let rules = "QS_ClientEntries 640\nQS_ClientIpFromHeader X-Real-IP 127.0.61.0/24\nQS_ClientEventRequestLimit 1\nQS_ClientPrefer\nQS_ClientEventBlockCount 3 600\n\
                 QS_ClientEventLimitCount 5 600 Login";
    let server = serving(rules).start();
    make_known(&server);
    // A client whose request is at work.
    let mut held = server.client_from("127.0.60.9");
    held.send("GET /cgi/drip?0.1,600 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(held.wait_readable(SECONDS(10)));
    let max = table(&server, "max");
    let flood = |from: &str, first: u32| {
        let mut client = server.client_from(from);
        for n in first..first + 6000 {
            let address = format!("X-Real-IP: {}", std::net::Ipv4Addr::from(0x0a00_0000 + n));
            // Each with an event, so that they are worth something.
            assert_eq!(client.request("GET", "/small.txt?Login=1", &[&address], b"").unwrap().status, 200);
        }
    };
    std::thread::scope(|scope| [("127.0.61.1", 0), ("127.0.61.2", 6000)].map(|(from, first)| drop(scope.spawn(move || flood(from, first)))).len());
    let used = table(&server, "used");
    assert!(used <= max && used > max / 2, "W15: {used} of {max}");
    assert!(evictions(&server) > 12_000 - max * 2, "{}", evictions(&server));
    // A mark of low priority is worth less than the events of others.
    all_still_known(&server, &KNOWN[..3], "after the flood");
    assert_eq!(server.status("127.0.60.9", "/cgi/env"), Some(500), "its request still counts");
    held.reset().unwrap();
    assert!(wait_until(SECONDS(5), || server.status("127.0.60.9", "/cgi/env") == Some(200)));
}

/// 9.1: more clients than there are entries; nobody is refused for that.
#[test]
fn a_full_table_of_protected_clients_serves_on() {
    let server = serving("QS_ClientEntries 640\nQS_ClientIpFromHeader X-Real-IP\nQS_ClientEventBlockCount 1 600").start();
    let block = |n: u32| {
        let address = format!("X-Real-IP: {}", std::net::Ipv4Addr::from(0x0a00_0000 + n));
        server.ask("127.0.61.1", "/small.txt?QS_Block=1", &[&address]).unwrap().status
    };
    assert!((0..1500).all(|n| block(n) == 500));
    assert_eq!(server.status("127.0.61.2", "/small.txt"), Some(200));
    let last = server.ask("127.0.61.1", "/small.txt", &["X-Real-IP: 10.0.5.219"]).unwrap().status;
    assert_eq!(last, 500, "the last one that was blocked");
}
