//! Events of clients: blocked, limited, counted (connection-client.md sections 9.3 and 9.6 to 9.8, examples E8 and E9).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::http2::nghttp;
use httpd_lab::said::{answer, by_query, hold};
use httpd_lab::{Builder, Mpm, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Requests say in their query what they are, and show what rules publish.
fn serving(config: &str) -> Builder {
    let variables = by_query(&["QS_Limit", "QS_Block", "QS_Block_Decrement", "QS_Cond", "QS_EventRequest", "Login", "Login_Clear", "Login_Decrement"]);
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\n\
                Header always set X-Counter \"%{QS_Limit_Counter}e\"\nHeader always set X-Remaining \"%{QS_Limit_Remaining}e\"\n\
                Header always set X-Login \"%{Login_Counter}e/%{Login_Remaining}e\"\nHeader always set X-Low \"%{QS_ClientLowPrio}e\"\n\
                Header always set X-Vip \"%{QS_IsVipRequest}e\"\n\
                <Location /console>\nSetHandler qos-console\n</Location>\n";
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn get(client: &mut RawClient, path: &str) -> Response {
    client.get(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn refused(server: &Server, from: &str) -> bool {
    let mut client = server.client_from(from);
    client.wait_closed(SECONDS(5)).is_some() && client.read_some(1).map_or(true, |bytes| bytes.is_empty())
}

/// What the console says of a client, without its address.
fn console(server: &Server, action: &str, address: &str) -> String {
    // The administrator is another client.
    let text = server.client_from("127.255.0.1").get(&format!("/console?action={action}&address={address}")).unwrap().text();
    text.trim_end().strip_prefix(&format!("{address} ")).unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// Example E8, with a window that is long enough for the test to be slow.
#[test]
fn e8_three_bad_answers_block_the_client() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || three_bad_answers(mpm));
        }
    });
}

fn three_bad_answers(mpm: Mpm) {
    let server = serving("QS_ClientEventBlockCount 3 6\nQS_SetEnvIfStatus 404 QS_Block").mpm(mpm).start();
    let mut client = server.client_from("127.0.30.1");
    let begin = Instant::now();
    for n in 0..3 {
        assert_eq!(get(&mut client, &format!("/missing?{n}")).status, 404, "{mpm:?}");
    }
    assert_eq!(get(&mut client, "/small.txt?fourth").status, 500, "{mpm:?}");
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=#, c=127.0.30.1, id=*");
    assert!(server.logged("/small.txt?fourth").ends_with(" mod_qos_ev=D;r; QS_ErrorNotes=060"), "{}", server.access_log());
    assert!(refused(&server, "127.0.30.1"), "{mpm:?}");
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=#, c=127.0.30.1");
    assert_eq!(server.status("127.0.30.2", "/small.txt"), Some(200), "another client");
    assert!(wait_until(SECONDS(12), || server.status("127.0.30.1", "/small.txt") == Some(200)), "{mpm:?}: {}", server.error_log());
    assert!(begin.elapsed() > SECONDS(5));
    assert_eq!(console(&server, "search", "127.0.30.1"), "vip=no lowprio=yes block=0/0 limit=0/0", "the next window begins with nothing");
    server.stop();
}

/// Example E9.
#[test]
fn e9_weighted_events_limit_the_client() {
    let server = serving("QS_ClientEventLimitCount 6 3").start();
    let mut client = server.client_from("127.0.30.1");
    let first = get(&mut client, "/small.txt?QS_Limit=3");
    assert_eq!((first.status, first.header("x-counter"), first.header("x-remaining")), (200, Some("3"), Some("3")));
    assert_eq!(get(&mut client, "/small.txt?QS_Limit=3&second").status, 500);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=6, current=6, age=#, c=127.0.30.1, id=*");
    assert!(server.logged("/small.txt?QS_Limit=3&second").ends_with(" mod_qos_ev=D;r; QS_ErrorNotes=067"), "{}", server.access_log());
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(500), "without the variable as well");
    assert_eq!(server.status("127.0.30.2", "/small.txt"), Some(200), "another client");
    assert!(wait_until(SECONDS(8), || server.status("127.0.30.1", "/small.txt") == Some(200)));
    assert_eq!(server.ask("127.0.30.1", "/small.txt?QS_Limit=1", &[]).unwrap().header("x-counter"), Some("1"), "a new window");
}

/// Sections 9.6.1 and 9.8: a number counts as that many, at least one; any other text as one.
#[test]
fn weights_clear_decrement_counter_and_remaining() {
    let server = serving("QS_ClientEventLimitCount 1000 600 Login").start();
    let mut client = server.client_from("127.0.30.1");
    let shown = |client: &mut RawClient, query: &str| {
        let response = get(client, &format!("/small.txt?{query}"));
        let (counter, remaining) = response.header("x-login").unwrap().split_once('/').unwrap();
        (counter.parse::<u32>().unwrap(), remaining.parse::<u32>().unwrap())
    };
    assert_eq!(shown(&mut client, "nothing"), (0, 0));
    for (query, counter) in [
        ("Login=5", 5),
        ("Login=abc", 6),
        ("Login=", 7),
        ("Login=-3", 8),
        ("Login=0", 9),
        ("Login=007", 16),
        ("Login=1.5", 17),
        ("other", 17),
        // Less is counted when the request is over.
        ("Login=1&Login_Decrement=4", 18),
        ("other", 14),
        ("Login_Decrement=text", 14),
        ("other", 13),
        ("Login_Decrement=13", 13),
        ("other", 0),
        ("Login=3", 3),
        ("Login_Decrement=100", 3),
        ("other", 0),
        ("Login=3", 3),
        ("Login_Clear=1", 0),
        // Cleared before the event and, once more, when the request is over.
        ("Login=4&Login_Clear=0", 4),
        ("other", 0),
    ] {
        let (found, remaining) = shown(&mut client, query);
        assert_eq!(found, counter, "{query}");
        let range = if counter == 0 { 0..=0 } else { 590..=600 };
        assert!(range.contains(&remaining), "{query}: {remaining}");
    }
}

/// W16: limits and counters above 32767; what is counted too often stays at the largest number.
#[test]
fn large_numbers_are_not_folded() {
    let server = serving("QS_ClientEventLimitCount 100000\nQS_ClientEventBlockCount 100000").start();
    let mut client = server.client_from("127.0.30.1");
    assert_eq!(get(&mut client, "/small.txt?QS_Limit=99999").status, 200);
    assert_eq!(get(&mut client, "/small.txt?QS_Block=99999").status, 200);
    assert_eq!(get(&mut client, "/small.txt?QS_Limit=1").status, 500);
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=100000, current=100000, age=#, c=127.0.30.1, id=*");
    for query in ["QS_Limit=4294967295", "QS_Limit=99999999999999999999", "other"] {
        assert_eq!(server.status("127.0.30.1", &format!("/small.txt?{query}")), Some(500), "{query}");
    }
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=100000, current=4294967295, age=#, c=127.0.30.1, id=*");
    assert_eq!(server.status("127.0.30.1", "/small.txt?QS_Block=1"), Some(500));
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=100000, current=100000, age=#, c=127.0.30.1, id=*");
}

/// W61: a status counts once for QS_Block also in a location; for other variables its number is the weight unless one is given.
#[test]
fn answers_count_when_they_are_given() {
    let config = "QS_ClientEventLimitCount 100000\nQS_ClientEventBlockCount 1000\nQS_SetEnvIfStatus 404 QS_Limit\nQS_SetEnvStatus 403 QS_Block_Decrement=2\n\
                  <Location /one>\nQS_SetEnvIfStatus 404 QS_Limit=1\nQS_SetEnvIfStatus 404 QS_Block\n</Location>\n\
                  <Location /closed>\nRequire all denied\n</Location>";
    let server = serving(config).start();
    let mut client = server.client_from("127.0.30.1");
    let state = || console(&server, "search", "127.0.30.1").replace("vip=no lowprio=no ", "");
    let counts = |n: &str| {
        state().split([' ', '/', '=']).enumerate().filter(|(place, _)| [1, 4].contains(place)).map(|(_, text)| text.to_owned()).collect::<Vec<_>>().join(" ")
            == n
    };
    for (path, status, expected) in [
        ("/missing", 404, "0 404"),
        ("/one", 404, "1 405"),
        ("/one", 404, "2 406"),
        ("/one", 404, "3 407"),
        ("/closed", 403, "1 407"),
        ("/closed", 403, "0 407"),
    ] {
        assert_eq!(get(&mut client, path).status, status);
        assert!(wait_until(SECONDS(5), || counts(expected)), "{path}: {expected}: {}", state());
    }
}

/// W52: the conditional form denies, and lowers the priority, only where the condition matches.
#[test]
fn a_condition_decides_which_requests_are_denied() {
    let server = serving("QS_ClientPrefer\nQS_CondClientEventLimitCount 2 60 Login ^adm[i1]n").start();
    let mut client = server.client_from("127.0.30.1");
    for (n, query) in ["Login=1", "Login=1", "QS_Cond=other", "QS_Cond=ADMIN", "QS_Cond=xadmin", "QS_Cond="].iter().enumerate() {
        assert_eq!(get(&mut client, &format!("/small.txt?{query}&{n}")).status, 200, "{query}");
    }
    assert_eq!(server.ask("127.0.30.1", "/small.txt", &[]).unwrap().header("x-low"), Some("(null)"), "served, so not marked");
    assert_eq!(get(&mut client, "/small.txt?QS_Cond=adm1n&x").status, 500);
    server.expect_line("mod_qos(067): access denied, QS_CondClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=127.0.30.1, id=*");
    assert_eq!(server.lines("067").len(), 1);
    assert_eq!(server.ask("127.0.30.1", "/small.txt", &[]).unwrap().header("x-low"), Some("0x10"));
}

/// Section 9.8: 0 denies everything, and the start says so.
#[test]
fn the_limit_0_denies_every_request() {
    let server = serving("QS_ClientEventLimitCount 0").start();
    assert!(server.wait_for_log("QS_ClientEventLimitCount with the number 0 denies every request", SECONDS(1)), "{}", server.error_log());
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(500));
    server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=0, current=0, age=0, c=127.0.30.1, id=*");
}

/// W51 and request-event.md W01: one request is counted once, however httpd answers it; the page that answers sees the numbers.
#[test]
fn redirected_and_included_requests_count_once() {
    let config = "ErrorDocument 404 /page.shtml\nAddOutputFilter INCLUDES .shtml\nDirectoryIndex page.shtml\nQS_ClientEventBlockCount 1000\n\
                  QS_ClientEventLimitCount 1000\nQS_ClientEventLimitCount 1000 600 Login\nQS_ClientEventLimitCount 1000 600 Seen\nQS_SetEnvIfStatus 404 Seen=1\n\
                  QS_SetEnvIfStatus 404 QS_Block\nHeader always set X-Seen \"%{Seen_Counter}e\"";
    let server = serving(config).start();
    let page = "<!--#echo var=\"QS_Limit\" --> <!--#echo var=\"QS_Limit_Counter\" --> <!--#echo var=\"Login\" --> <!--#echo var=\"Login_Counter\" -->, \
                <!--#include virtual=\"/small.txt?QS_Limit=5&Login=5&QS_Block=5\" -->";
    std::fs::write(server.docs().join("page.shtml"), page).unwrap();
    let mut client = server.client_from("127.0.30.1");
    for n in 1..=3 {
        let response = get(&mut client, "/missing?QS_Limit=2&Login=3");
        assert_eq!((response.status, response.text()), (404, format!("2 {} 3 {}, small\n", n * 2, n * 3)));
    }
    let response = get(&mut client, "/small.txt");
    assert_eq!(
        (response.header("x-counter"), response.header("x-login").unwrap().split('/').next(), response.header("x-seen")),
        (Some("6"), Some("9"), Some("3"))
    );
    for n in 1..=2 {
        let response = get(&mut client, "/?QS_Limit=1&QS_Block=10");
        assert_eq!((response.status, response.text()), (200, format!("1 {} (none) 9, small\n", 6 + n)));
    }
    let state = || console(&server, "search", "127.0.30.1");
    assert!(wait_until(SECONDS(5), || state().contains(" block=23/")), "{}", state());
}

/// Section 12, variables marked P: the page that answers a denied request can say why.
#[test]
fn error_pages_see_the_variables_of_their_request() {
    let config = "ErrorDocument 500 /page.shtml\nAddOutputFilter INCLUDES .shtml\nQS_ClientEventLimitCount 2 600\nQS_ClientEventBlockCount 9 600";
    let server = serving(config).start();
    let names = ["QS_ErrorNotes", "QS_Limit", "QS_Limit_Counter", "QS_Block", "QS_Cond", "QS_IsVipRequest", "QS_ClientLowPrio"];
    let page = names.map(|name| format!("{name}=<!--#echo var=\"{name}\" -->")).join(" ");
    std::fs::write(server.docs().join("page.shtml"), page).unwrap();
    console(&server, "setvip", "127.0.30.1");
    let response = server.ask("127.0.30.1", "/small.txt?QS_Limit=3&QS_Block=2&QS_Cond=why", &[]).unwrap();
    let text = "QS_ErrorNotes=067 QS_Limit=3 QS_Limit_Counter=3 QS_Block=2 QS_Cond=why QS_IsVipRequest=yes QS_ClientLowPrio=(none)";
    assert_eq!((response.status, response.text().as_str()), (500, text));
    let state = || console(&server, "search", "127.0.30.1");
    assert!(wait_until(SECONDS(5), || state().contains(" block=2/")), "once: {}", state());
}

/// Section 9.6.3: refusals are summed up, and what was not said follows when the block is over.
#[test]
fn refused_connections_are_summed_up() {
    let server = serving("QS_ClientEventBlockCount 1 6").start();
    assert_eq!(server.status("127.0.30.1", "/small.txt?QS_Block=1"), Some(500), "counted before the rule judges");
    assert!((0..77).all(|_| refused(&server, "127.0.30.1")), "{}", server.error_log());
    const LINE: &str = "mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=1, current=1";
    let previously = format!("{}, message repeated 17 times, c=127.0.30.1", LINE.replace("denied", "denied (previously)"));
    // Asking the client itself would add to the refusals.
    assert!(wait_until(SECONDS(10), || console(&server, "search", "127.0.30.1").contains(" block=1/0 ")));
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(200));
    server.expect_line(&previously);
    let said = server.lines("060");
    let count = |text: &str| said.iter().filter(|line| httpd_lab::said::matches(line, text)).count();
    assert_eq!(count(&format!("{LINE}, message repeated 20 times, c=127.0.30.1")), 2, "{said:#?}");
    assert_eq!((count(&format!("{LINE}, age=#, c=127.0.30.1")), count(&previously)), (20, 1), "{said:#?}");
}

/// Sections 9.6.2 and 9.7: who is excluded is counted and never refused.
#[test]
fn an_excluded_address_is_never_refused() {
    let server = serving("QS_ClientEventBlockCount 2 600\nQS_ClientEventBlockExcludeIP 127.0.31.0/24\nQS_ClientEventBlockExcludeIP 127.0.32.").start();
    for from in ["127.0.31.1", "127.0.32.1"] {
        let mut client = server.client_from(from);
        for _ in 0..4 {
            assert_eq!(get(&mut client, "/small.txt?QS_Block=2").status, 200);
        }
        assert_eq!(server.status(from, "/small.txt"), Some(200));
        let state = || console(&server, "search", from);
        assert!(wait_until(SECONDS(5), || state().contains(" block=8/")), "{}", state());
    }
    assert_eq!(server.lines("060"), Vec::<String>::new());
    assert_eq!(server.status("127.0.33.1", "/small.txt?QS_Block=2"), Some(500), "another one");
    assert_eq!(server.status("127.0.33.1", "/small.txt"), None);
}

/// Section 9.3: concurrent requests; each end gives its place back.
#[test]
fn concurrent_requests_of_a_client() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || concurrent(mpm));
        }
    });
}

fn concurrent(mpm: Mpm) {
    let server = serving("QS_ClientEventRequestLimit 2\nSetEnvIf Request_URI ^/cgi/ QS_EventRequest").mpm(mpm).start();
    let mut held = [0, 1].map(|_| server.client_from("127.0.30.1"));
    held.iter_mut().for_each(|client| client.send("GET /cgi/drip?0.1,600 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap());
    assert!(held.iter().all(|client| client.wait_readable(SECONDS(10))), "{mpm:?}");
    for _ in 0..3 {
        assert_eq!(server.status("127.0.30.1", "/cgi/env?third"), Some(500), "{mpm:?}");
        server.expect_line("mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=2, current=3, c=127.0.30.1, id=*");
    }
    assert!(server.logged("/cgi/env?third").contains(" mod_qos_ev=D; QS_ErrorNotes=065"), "{mpm:?}: {}", server.access_log());
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(200), "{mpm:?}: without the variable");
    assert_eq!(server.status("127.0.30.2", "/cgi/env"), Some(200), "{mpm:?}: another client");
    let [_goes_on, ends] = held;
    ends.reset().unwrap();
    assert!(wait_until(SECONDS(10), || server.status("127.0.30.1", "/cgi/env") == Some(200)), "{mpm:?}: its place is free");
    // It stays free, and there is one of it.
    for _ in 0..5 {
        assert!(wait_until(SECONDS(5), || server.status("127.0.30.1", "/cgi/env") == Some(200)), "{mpm:?}");
    }
    server.stop();
}

/// Sections 9.3 to 9.8 and 14.1: everything is said, nothing is enforced.
#[test]
fn log_only_marks_each_line() {
    let server = serving(
        "QS_LogOnly on\nQS_ClientEventBlockCount 1\nQS_ClientEventLimitCount 1\nQS_ClientEventRequestLimit 0\nQS_CondClientEventLimitCount 1 60 Login x",
    )
    .start();
    for (from, query) in [("127.0.30.1", "QS_Block=1"), ("127.0.30.2", "QS_Limit=1"), ("127.0.30.3", "QS_EventRequest=1"), ("127.0.30.4", "Login=1&QS_Cond=x")]
    {
        assert_eq!(server.status(from, &format!("/small.txt?{query}")), Some(200), "{query}");
        assert!(server.logged(&format!("/small.txt?{query}")).contains(" mod_qos_ev=D;"), "{query}: {}", server.access_log());
    }
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(200), "a connection of a blocked client");
    const BLOCK: &str = "mod_qos(060): access denied (log only), QS_ClientEventBlockCount rule: max=1, current=1, age=#, c=127.0.30.1";
    server.expect_line(BLOCK);
    server.expect_line(&format!("{BLOCK}, id=*"));
    server.expect_line("mod_qos(067): access denied (log only), QS_ClientEventLimitCount rule: event=QS_Limit, max=1, current=1, age=#, c=127.0.30.2, id=*");
    server.expect_line("mod_qos(065): access denied (log only), QS_ClientEventRequestLimit rule: max=0, current=1, c=127.0.30.3, id=*");
    server.expect_line("mod_qos(067): access denied (log only), QS_CondClientEventLimitCount rule: event=Login, max=1, current=1, age=#, c=127.0.30.4, id=*");
}

/// Section 18.5: a VIP passes `QS_ClientEventRequestLimit` and no other of these rules.
#[test]
fn what_a_vip_may() {
    let server =
        serving("QS_ClientEventBlockCount 1\nQS_ClientEventLimitCount 1\nQS_ClientEventRequestLimit 0\nQS_CondClientEventLimitCount 1 60 Login x").start();
    for n in 1..=4 {
        console(&server, "setvip", &format!("127.0.30.{n}"));
    }
    let vip = server.ask("127.0.30.1", "/small.txt?QS_EventRequest=1", &[]).unwrap();
    assert_eq!((vip.status, vip.header("x-vip")), (200, Some("yes")));
    assert!(server.logged("/small.txt?QS_EventRequest=1").contains(" mod_qos_ev=S;"), "{}", server.access_log());
    for (from, query) in [("127.0.30.2", "QS_Limit=1"), ("127.0.30.3", "Login=1&QS_Cond=x"), ("127.0.30.4", "QS_Block=1"), ("127.0.30.9", "QS_EventRequest=1")]
    {
        assert_eq!(server.status(from, &format!("/small.txt?{query}")), Some(500), "{query}");
    }
    assert_eq!(server.status("127.0.30.4", "/small.txt"), None, "blocked as everybody");
    // A variable that a rule of the site sets makes one, too.
    let server = serving("QS_VipUser\nQS_ClientEventRequestLimit 0\nSetEnvIf X-Vip ^yes$ QS_VipRequest=yes").start();
    assert_eq!(server.ask("127.0.30.1", "/small.txt?QS_EventRequest=1", &["X-Vip: yes"]).unwrap().status, 200);
    assert_eq!(server.ask("127.0.30.1", "/small.txt?QS_EventRequest=1", &["X-Vip: no"]).unwrap().status, 500);
}

/// Section 9.8: one request is denied once, and both rules have counted it.
#[test]
fn who_is_blocked_and_limited_is_told_so_once() {
    let server =
        serving("QS_EventCount on\nQS_ClientEventBlockCount 1\nQS_ClientEventLimitCount 1\n<Location /viewer>\nSetHandler qos-viewer\n</Location>").start();
    assert_eq!(server.status("127.0.30.1", "/small.txt?QS_Limit=1&QS_Block=1"), Some(500));
    server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=1, current=1, age=#, c=127.0.30.1, id=*");
    assert_eq!(server.lines("067"), Vec::<String>::new());
    let auto = server.client().get("/viewer?auto").unwrap().text();
    let count = |id: &str| auto.lines().find_map(|line| line.strip_prefix(&format!("e;mod_qos({id});total: "))?.parse::<u32>().ok());
    assert_eq!((count("060"), count("067")), (Some(1), Some(1)), "{auto}");
}

/// Streams are requests of the client, and their connection is one.
#[test]
fn streams_of_http2_are_requests_of_their_client() {
    let config = "QS_ClientEventLimitCount 4\nQS_ClientEventBlockCount 4\nQS_ClientEventRequestLimit 2\nSetEnvIf Request_URI ^/cgi/ QS_EventRequest\n\
                  QS_SetEnvIfStatus NullConnection QS_Block";
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
    let server = serving(config).http2().expect_crashes().start();
    let ask = |path: &str, count: usize| {
        std::fs::write(server.root().join("access.log"), "").unwrap();
        let urls = (0..count).map(|n| server.url(&format!("{path}{n}"))).collect::<Vec<_>>();
        nghttp(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        let lines = || server.access_log().lines().filter(|line| line.contains(" HTTP/2.0\" ")).map(str::to_owned).collect::<Vec<_>>();
        wait_until(SECONDS(5), || lines().len() == count);
        let with = |status: &str| lines().iter().filter(|line| line.contains(&format!("\" {status} "))).count();
        (with("200"), with("500"))
    };
    assert_eq!(ask("/small.txt?", 8), (8, 0));
    assert_eq!(ask("/cgi/slow?0.", 6), (2, 4), "two at a time: {}", server.access_log());
    assert_eq!(ask("/small.txt?QS_Limit=1&", 6), (3, 3), "{}", server.access_log());
    console(&server, "unlimit", "127.0.0.1");
    assert_eq!(ask("/small.txt?QS_Block=1&", 6), (3, 3), "none of these connections was without a request: {}", server.error_log());
    assert_eq!(ask("/small.txt?", 1), (0, 0), "blocked");
    assert!(!server.error_log().contains("panicked"), "{}", server.error_log());
}

/// Section 2.1: rules that need the table make it, the others do not; W02 of that list is for the rules of VIP.
#[test]
fn the_table_is_there_when_a_rule_needs_it() {
    let quiet = serving("QS_ClientEntries 640\nQS_ClientTolerance 20\nQS_ClientContentTypes 1 1 1 1 1\nQS_ClientIpFromHeader X-Real-IP").start();
    let search = |server: &Server| server.client().get("/console?action=setvip&address=192.0.2.1").unwrap().status;
    assert_eq!(search(&quiet), 406);
    for rule in ["QS_ClientPrefer", "QS_ClientEventBlockCount 0", "QS_ClientEventPerSecLimit 0", "QS_ClientEventRequestLimit 9", "QS_ClientSerialize"] {
        assert_eq!(search(&serving(rule).start()), 200, "{rule}");
    }
}

/// Section 9.6.4: connections that were open before the block are kept, and each request on them is denied (httpd ends a connection
/// with a 500 by itself).
#[test]
fn open_connections_of_a_blocked_client_are_denied() {
    let server = serving("QS_ClientEventBlockCount 1").start();
    let mut held = hold(&server, "127.0.30.1", 3);
    let mut ask = |path: &str| answer(held.pop().unwrap().get(path)).map(|response| response.status);
    assert_eq!(ask("/small.txt?QS_Block=1"), Some(500));
    assert_eq!(ask("/small.txt"), Some(500));
    assert_eq!(server.status("127.0.30.1", "/small.txt"), None, "a new one");
    console(&server, "unblock", "127.0.30.1");
    assert_eq!(ask("/small.txt"), Some(200));
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(200), "a new one");
}

/// A client that goes on asking cannot fill the log: 20 lines, then one for each 20; the rest is said when its limit is over.
#[test]
fn denied_requests_are_summed_up() {
    let server = serving("QS_ClientEventLimitCount 1 4").start();
    let begin = Instant::now();
    for _ in 0..77 {
        assert_eq!(get(&mut server.client_from("127.0.30.1"), "/small.txt?QS_Limit=1").status, 500);
    }
    assert!(begin.elapsed() < SECONDS(4), "the window must not end before");
    let line = "mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=1, current=";
    assert!(wait_until(SECONDS(5), || server.count_log(line) == 22), "{}", server.error_log());
    assert_eq!(server.count_log("message repeated 20 times, c=127.0.30.1"), 2);
    // The administrator looks when the limit is over: asking as the client would be denied as well.
    let state = || console(&server, "search", "127.0.30.1");
    assert!(wait_until(SECONDS(8), || state().ends_with(" limit=77/0")), "{}", state());
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(server.status("127.0.30.1", "/small.txt"), Some(200));
    server.expect_line(
        "mod_qos(067): access denied (previously), QS_ClientEventLimitCount rule: event=QS_Limit, max=1, current=77, age=#, message repeated 17 times, c=127.0.30.1, id=*",
    );
    assert_eq!(server.count_log("(previously)"), 1, "{}", server.error_log());
}
