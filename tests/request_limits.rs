//! Requests of locations and events (request-event.md sections 4, 6 and 9, examples E1 to E3, E6 to E8, E10, E14 and E15, W08, W09, W11, W16 to W18).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::http2::curl;
use httpd_lab::said::by_query;
use httpd_lab::{Builder, Module, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const FROM: &str = "127.0.60.1";

/// Requests say in their query what they are, and how long they last.
fn serving(config: &str) -> Builder {
    let variables = by_query(&["QS_Delay", "QS_Cond", "QS_VipRequest", "EV", "KIND", "LOGIN", "LOGIN_Decrement", "OTHER", "OTHER_Decrement"]);
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\n\
                Header always set X-Counter \"%{LOGIN_Counter}e\"\nHeader always set X-Kind \"%{QS_EventRequestLimit_KIND_Counter}e\"\n\
                SetEnvIf LOGIN_Counter (.+) SEEN=$1\nHeader always set X-Seen \"%{SEEN}e\"\n\
                <Location /viewer>\nSetHandler qos-viewer\n</Location>\n<Location /metrics>\nSetHandler qos-metrics\n</Location>\n";
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes", "mod_qos_cr"])
}

/// Sends a request and does not wait for its answer.
fn asking(server: &Server, path: &str) -> RawClient {
    asking_port(server.addr(), path)
}

fn asking_port(address: std::net::SocketAddr, path: &str) -> RawClient {
    let from = FROM.parse::<std::net::IpAddr>().unwrap();
    let mut client = RawClient::options().from(from).timeout(SECONDS(30)).connect(address).unwrap();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
    client
}

/// A request that lasts until its client leaves.
fn lasting(server: &Server, path: &str) -> RawClient {
    let mark = if path.contains('?') { '&' } else { '?' };
    asking(server, &format!("{path}{mark}QS_Delay=120000"))
}

fn status(server: &Server, path: &str) -> u16 {
    server.status(FROM, path).unwrap()
}

/// What `?auto` says behind a key of a rule.
fn rule_line(server: &Server, rule: &str) -> String {
    let text = server.ask("127.255.0.1", "/viewer?auto", &[]).unwrap().text();
    text.lines().filter(|line| line.contains(rule)).collect::<Vec<_>>().join("|")
}

/// The concurrent requests of a rule, as JSON says.
fn current(server: &Server, rule: &str) -> u64 {
    let text = server.ask("127.255.0.1", "/viewer?json", &[]).unwrap().text();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let rules = json["servers"][0]["rules"].as_array().unwrap().clone();
    let found = rules.iter().find(|found| found["text"] == rule).unwrap_or_else(|| panic!("{rule} in {rules:#?}"));
    found["concurrent"]["current"].as_u64().unwrap()
}

fn wait_current(server: &Server, rule: &str, expected: u64) {
    assert!(wait_until(SECONDS(5), || current(server, rule) == expected), "{rule}: {} and not {expected}", current(server, rule));
}

/// Example E2 on each MPM: the third one is denied, and there is room again as soon as a client leaves.
#[test]
fn e2_concurrent_requests() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = serving("QS_LocRequestLimit /app 2").mpm(mpm).start();
                let first = lasting(&server, "/app/slow");
                let second = lasting(&server, "/app/slow");
                wait_current(&server, "/app", 2);
                assert_eq!(status(&server, "/app/x?third"), 500, "{mpm:?}");
                server.expect_line("mod_qos(010): access denied, QS_LocRequestLimit* rule: /app(2), concurrent requests=3, c=127.0.60.1, id=*");
                assert!(server.logged("/app/x?third").ends_with(" mod_qos_ev=D; QS_ErrorNotes=010 mod_qos_cr=3"), "{}", server.access_log());
                assert_eq!(status(&server, "/application"), 500, "{mpm:?}: a prefix without a border of segments");
                assert_eq!(status(&server, "/small.txt"), 200);
                drop(first);
                wait_current(&server, "/app", 1);
                assert_eq!(status(&server, "/app/x?fourth"), 404, "{mpm:?}");
                assert!(server.logged("/app/x?fourth").ends_with(" mod_qos_ev=- QS_ErrorNotes=- mod_qos_cr=2"), "{}", server.access_log());
                drop(second);
                wait_current(&server, "/app", 0);
                server.stop();
            });
        }
    });
}

/// Example E2: a VIP passes and counts; with `QS_LogOnly` everybody passes.
#[test]
fn vip_and_log_only_pass() {
    let server = serving("QS_VipUser\nQS_LocRequestLimit /app 1\nQS_CondLocRequestLimitMatch ^/cond 1 bad").start();
    let _held = [lasting(&server, "/app/a"), lasting(&server, "/cond/a")];
    wait_current(&server, "/app", 1);
    wait_current(&server, "^/cond", 1);
    assert_eq!(status(&server, "/app/b?QS_VipRequest=yes"), 404);
    assert!(server.logged("/app/b?QS_VipRequest=yes").ends_with(" mod_qos_ev=S; QS_ErrorNotes=- mod_qos_cr=2"), "{}", server.access_log());
    assert_eq!(status(&server, "/cond/b?QS_Cond=bad&QS_VipRequest=yes"), 404);
    assert_eq!(status(&server, "/app/b?QS_VipRequest=no"), 500);

    let server =
        serving("QS_LogOnly on\nQS_LocRequestLimit /app 1\nQS_CondLocRequestLimitMatch ^/cond 1 bad\nQS_EventRequestLimit EV 0\nQS_EventLimitCount LOGIN 1 60")
            .start();
    // Without a delay in log-only mode, a script keeps the first request.
    let _held = [asking(&server, "/cgi/drip?0.1,600")];
    for (path, line, letter) in [
        ("/small.txt?EV=1", "mod_qos(012): access denied (log only), QS_EventRequestLimit rule: var=(EV)(0), concurrent requests=1, c=127.0.60.1, id=*", "012"),
        ("/small.txt?LOGIN=1&n=1", "", "-"),
        ("/small.txt?LOGIN=1&n=2", "mod_qos(013): access denied (log only), QS_EventLimitCount rule: LOGIN, max=1, current=2, c=127.0.60.1, id=*", "013"),
    ] {
        assert_eq!(status(&server, path), 200);
        if !line.is_empty() {
            server.expect_line(line);
            assert!(server.logged(path).contains(&format!(" mod_qos_ev=D; QS_ErrorNotes={letter}")), "{}", server.access_log());
        }
    }
}

/// `QS_LogOnlyRule`: one rule is not enforced, the others are; W08: also 011 is marked.
#[test]
fn a_single_rule_is_only_logged() {
    let server = serving(
        "QS_LocRequestLimit /a 1\nQS_LocRequestLimit /b 1\nQS_CondLocRequestLimitMatch ^/c 1 bad\nQS_EventLimitCount LOGIN 1 60\nQS_EventRequestLimit EV 0\n\
         QS_LogOnlyRule QS_LocRequestLimit /a\nQS_LogOnlyRule QS_CondLocRequestLimitMatch\nQS_LogOnlyRule QS_EventLimitCount login\nQS_LogOnlyRule QS_EventRequestLimit",
    )
    .start();
    let _held = ["/a/x", "/b/x", "/c/x"].map(|path| lasting(&server, path));
    ["/a", "/b", "^/c"].iter().for_each(|rule| wait_current(&server, rule, 1));
    assert_eq!((status(&server, "/a/y"), status(&server, "/b/y"), status(&server, "/c/y?QS_Cond=bad")), (404, 500, 404));
    server.expect_line("mod_qos(010): access denied (log only), QS_LocRequestLimit* rule: /a(1), concurrent requests=2, c=127.0.60.1, id=*");
    server.expect_line("mod_qos(010): access denied, QS_LocRequestLimit* rule: /b(1), concurrent requests=2, c=127.0.60.1, id=*");
    server.expect_line("mod_qos(011): access denied (log only), QS_CondLocRequestLimitMatch rule: ^/c(1), concurrent requests=2, c=127.0.60.1, id=*");
    assert_eq!([1, 2, 3].map(|n| status(&server, &format!("/small.txt?LOGIN=1&n={n}"))), [200; 3]);
    server.expect_line("mod_qos(013): access denied (log only), QS_EventLimitCount rule: LOGIN, max=1, current=3, c=127.0.60.1, id=*");
    assert_eq!(status(&server, "/small.txt?EV=1"), 200);
    server.expect_line("mod_qos(012): access denied (log only), QS_EventRequestLimit rule: var=(EV)(0), concurrent requests=1, c=127.0.60.1, id=*");
    assert!(server.logged("/a/y").contains(" mod_qos_ev=D; QS_ErrorNotes=010 mod_qos_cr=2"), "{}", server.access_log());
}

/// Example E1 as far as a request shows it, and W09: no spelling of a target evades a pattern.
#[test]
fn e1_patterns_see_path_and_query_as_they_are_meant() {
    let server = serving("QS_LocRequestLimitDefault 50\nQS_LocRequestLimit /app 20\nQS_LocRequestLimit /app/report 2\nQS_LocRequestLimitMatch \\.pdf 1\nQS_LocRequestLimitMatch ^/app/ 1").start();
    let _held = [lasting(&server, "/app/slow"), lasting(&server, "/x?file=a.pdf")];
    wait_current(&server, "^/app/", 1);
    wait_current(&server, "\\.pdf", 1);
    for path in ["/app/report/1", "/%61pp/report/1", "/./app/x", "/x/../app/x", "http://localhost/app/x", "/app//x"] {
        assert_eq!(status(&server, path), 500, "{path}");
    }
    assert_eq!(status(&server, "/y?b.pdf"), 500);
    assert_eq!(status(&server, "/application/x"), 404);
    let lines = server.lines("010");
    assert_eq!(lines.iter().filter(|line| line.contains("rule: ^/app/(1)")).count(), 6, "{lines:#?}");
}

/// Example E3, and W10: a rule without a limit of concurrent requests does not lift that of another one.
#[test]
fn e3_limits_are_combined() {
    let server = serving("QS_LocRequestLimitMatch ^/dl/ 1\nQS_LocRequestPerSecLimitMatch ^/dl/iso/ 1000").start();
    server.expect_line("mod_qos(003): rule ^/dl/iso/ has no limit of concurrent requests");
    let _held = lasting(&server, "/dl/iso/a");
    wait_current(&server, "^/dl/", 1);
    assert_eq!(status(&server, "/dl/iso/b"), 500);
    server.expect_line("mod_qos(010): access denied, QS_LocRequestLimit* rule: ^/dl/(1), concurrent requests=2, c=127.0.60.1, id=*");
}

/// Example E6.
#[test]
fn e6_the_condition_decides() {
    let server = serving("SetEnvIf User-Agent bot QS_Cond=crawler\nQS_LocRequestLimitMatch ^/shop 300\nQS_CondLocRequestLimitMatch ^/shop 2 ^crawler$").start();
    let _held = ["/shop/a", "/shop/b"].map(|path| lasting(&server, path));
    wait_current(&server, "^/shop", 2);
    let crawler = server.ask(FROM, "/shop/c", &["User-Agent: a bot"]).unwrap();
    assert_eq!(crawler.status, 500);
    server.expect_line("mod_qos(011): access denied, QS_CondLocRequestLimitMatch rule: ^/shop(2), concurrent requests=3, c=127.0.60.1, id=*");
    assert!(server.logged("/shop/c").ends_with(" mod_qos_ev=D; QS_ErrorNotes=011 mod_qos_cr=3"), "{}", server.access_log());
    assert_eq!(status(&server, "/shop/d"), 404);
    assert!(server.logged("/shop/d").ends_with(" mod_qos_cr=3"), "{}", server.access_log());
}

/// Example E7: all rules count, also if an earlier one denies.
#[test]
fn e7_concurrent_events() {
    let server = serving("QS_EventRequestLimit KIND 5\nQS_EventRequestLimit KIND=^slow$ 1").start();
    let _held = lasting(&server, "/small.txt?KIND=slow");
    wait_current(&server, "KIND", 1);
    let second = server.ask(FROM, "/small.txt?KIND=slow&second", &[]).unwrap();
    assert_eq!((second.status, second.header("x-kind")), (500, Some("2")));
    server.expect_line("mod_qos(012): access denied, QS_EventRequestLimit rule: var=(KIND=^slow$)(1), concurrent requests=2, c=127.0.60.1, id=*");
    let third = server.ask(FROM, "/small.txt?KIND=fast", &[]).unwrap();
    assert_eq!((third.status, third.header("x-kind")), (200, Some("2")), "the denied one counts no longer (W11)");
    assert_eq!(status(&server, "/small.txt?other"), 200);
    wait_current(&server, "KIND", 1);
    wait_current(&server, "KIND=^slow$", 1);
    assert!(rule_line(&server, "var=(KIND=^slow$)").contains('1'), "{}", rule_line(&server, "KIND"));
}

/// Example E8 with a short window; W17, W18, and what a client learns of when to come back.
#[test]
fn e8_events_in_a_window() {
    let server = serving("QS_EventLimitCount LOGIN 10 3\nQS_CondEventLimitCount OTHER 2 60 ^untrusted$").start();
    let login = |n: u32| server.ask(FROM, &format!("/small.txt?LOGIN=1&n={n}"), &[]).unwrap();
    let begin = Instant::now();
    let first = login(1);
    assert_eq!((first.header("x-counter"), first.header("x-seen")), (Some("1"), Some("(null)")), "no window was open before");
    for n in 2..=10 {
        let response = login(n);
        let before = (n - 1).to_string();
        assert_eq!((response.status, response.header("x-seen")), (200, Some(before.as_str())), "{n}");
    }
    let denied = login(11);
    assert_eq!((denied.status, denied.header("x-counter"), denied.header("x-seen")), (500, Some("11"), Some("10")));
    let after = denied.header("retry-after").unwrap().parse::<u32>().unwrap();
    assert!((1..=4).contains(&after), "{after}");
    server.expect_line("mod_qos(013): access denied, QS_EventLimitCount rule: LOGIN, max=10, current=11, c=127.0.60.1, id=*");
    let other = server.ask(FROM, "/small.txt?no_event", &[]).unwrap();
    assert_eq!((other.status, other.header("x-counter"), other.header("retry-after")), (200, Some("11"), None));
    assert!(wait_until(SECONDS(8), || login(12).status == 200));
    assert!(begin.elapsed() >= SECONDS(3), "denied events do not prolong the window, which lasts its time: {:?}", begin.elapsed());
    assert_eq!(login(13).header("x-counter"), Some("2"), "a new window");
    // Less is counted when the request is over, for both directives (W17).
    assert_eq!(server.ask(FROM, "/small.txt?LOGIN_Decrement=1", &[]).unwrap().status, 200);
    assert!(wait_until(SECONDS(5), || server.ask(FROM, "/small.txt?no_event", &[]).unwrap().header("x-counter") == Some("1")));
    for n in 1..=3 {
        assert_eq!(status(&server, &format!("/small.txt?OTHER=1&QS_Cond=trusted&n={n}")), 200);
    }
    assert_eq!(status(&server, "/small.txt?OTHER=1&QS_Cond=untrusted"), 500);
    server.expect_line("mod_qos(013): access denied, QS_CondEventLimitCount rule: OTHER, max=2, current=4, c=127.0.60.1, id=*");
    assert_eq!(status(&server, "/small.txt?OTHER_Decrement=10"), 200);
    assert!(wait_until(SECONDS(5), || status(&server, "/small.txt?OTHER=1&QS_Cond=untrusted&again") == 200));
    // W18: the window is over, nobody publishes it.
    assert!(wait_until(SECONDS(8), || server.ask(FROM, "/small.txt?no_event", &[]).unwrap().header("x-counter") == Some("0")));
}

/// Events that only the response brings count, and the next request is denied.
#[test]
fn events_of_responses_count() {
    let server = serving("QS_SetEnvIfStatus 404 LOGIN\nQS_EventLimitCount LOGIN 2 600").start();
    for n in 1..=2 {
        assert_eq!(status(&server, &format!("/missing?{n}")), 404);
    }
    assert!(wait_until(SECONDS(5), || server.ask(FROM, "/small.txt?none", &[]).unwrap().header("x-counter") == Some("2")));
    assert_eq!(status(&server, "/small.txt?LOGIN=1"), 500);
    // The answer of a redirect within the server is the answer of the request (W01).
    let server = serving("QS_SetEnvIfStatus 404 LOGIN\nQS_EventLimitCount LOGIN 2 600\nErrorDocument 404 /small.txt").start();
    assert_eq!(status(&server, "/missing"), 404);
    assert!(wait_until(SECONDS(5), || server.ask(FROM, "/small.txt?none", &[]).unwrap().header("x-counter") == Some("1")));
}

/// Example E10: page and status.
#[test]
fn e10_error_pages_and_codes() {
    let page = "QS_ErrorResponseCode 503\nQS_LocRequestLimit /lim 1\nQS_LimitRequestBody 10\nSetEnvIf Request_URI ^/api QS_ErrorPage=https://status.example/busy\n\
                QS_LocRequestLimit /api 1\nQS_EventRequestLimit EV 0\n<Location /err>\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\nAddType text/html .shtml\n</Location>\n";
    let server = serving(&format!("{page}QS_ErrorPage /err/qos.shtml")).start();
    std::fs::create_dir_all(server.docs().join("err")).unwrap();
    std::fs::write(
        server.docs().join("err/qos.shtml"),
        "notes=<!--#echo var=\"QS_ErrorNotes\" --> again=<!--#echo var=\"REDIRECT_ERROR_NOTES\" --> method=<!--#echo var=\"REDIRECT_REQUEST_METHOD\" -->",
    )
    .unwrap();
    let _held = [lasting(&server, "/lim/a"), lasting(&server, "/api/a")];
    wait_current(&server, "/lim", 1);
    wait_current(&server, "/api", 1);
    let denied = server.client_from(FROM).request("POST", "/lim/b", &[], b"xx").unwrap();
    assert_eq!((denied.status, denied.header("connection")), (503, Some("close")));
    assert_eq!(denied.text(), "notes=010 again=010 method=POST");
    assert!(server.logged("/lim/b").contains(" mod_qos_ev=D; QS_ErrorNotes=010 mod_qos_cr=2"), "{}", server.access_log());
    // Never 304, also where the page has not changed.
    let date = server.ask(FROM, "/err/qos.shtml", &[]).unwrap().header("date").unwrap().to_owned();
    let again = server.ask(FROM, "/lim/c", &[&format!("If-Modified-Since: {date}")]).unwrap();
    assert_eq!(again.status, 503);
    // A body that is too long gets the page, too.
    let body = server.client_from(FROM).request("POST", "/small.txt", &[], &[b'x'; 20]).unwrap();
    assert_eq!((body.status, body.text().starts_with("notes=044")), (503, true), "{}", body.text());
    let api = server.ask(FROM, "/api/b", &[]).unwrap();
    assert_eq!((api.status, api.header("location"), api.header("connection")), (302, Some("https://status.example/busy"), Some("close")));
    // Without a path in its target no request gets a page.
    let mut client = server.client_from(FROM);
    client.send("GET ?x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let unusable = client.read_response().unwrap();
    assert_eq!(unusable.status, 400);
    server.stop();

    // The page itself is missing: httpd's own, with the status of the denial.
    let server = serving(&format!("{page}QS_ErrorPage /nowhere.html")).start();
    let denied = server.ask(FROM, "/small.txt?EV=1", &[]).unwrap();
    assert_eq!((denied.status, denied.text().contains("503")), (503, true), "{}", denied.text());
    server.stop();

    // No page: statuses of their own.
    let server = serving(page).start();
    assert_eq!(server.client_from(FROM).request("POST", "/small.txt", &[], &[b'x'; 20]).unwrap().status, 413);
    assert_eq!(status(&server, "/small.txt?EV=1"), 503);
    server.stop();
    let server = serving("QS_ErrorResponseCode 429\nQS_EventLimitCount EV 1 60").start();
    assert_eq!(status(&server, "/small.txt?EV=1&first"), 200);
    let limited = server.ask(FROM, "/small.txt?EV=1&second", &[]).unwrap();
    assert_eq!(limited.status, 429);
    assert!((58..=61).contains(&limited.header("retry-after").unwrap().parse::<u32>().unwrap()), "{:?}", limited.header("retry-after"));
}

/// FD-10: targets without a path are none of those that 045 refuses.
#[test]
fn a_target_without_a_path_is_served() {
    let server = serving("QS_LocRequestLimit / 0").load("proxy").load("proxy_connect").config("ProxyRequests On\nAllowCONNECT 1").start();
    let mut client = server.client_from(FROM);
    // A forward proxy: nobody listens there.
    client.send("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_ne!(client.read_response().unwrap().status, 400);
    let mut client = server.client_from(FROM);
    client.send("GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_ne!(client.read_response().unwrap().status, 400);
    assert!(server.lines("045").is_empty());
}

/// Sends a target that is neither a path nor stands for one; the status of the answer.
fn without_a_path(client: &mut RawClient, headers: &str) -> u16 {
    client.send(format!("GET ? HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).unwrap();
    client.read_response().unwrap().status
}

/// 045, with the client that mod_remoteip names (FW-31).
#[test]
fn a_target_that_is_none_is_refused() {
    let server = serving("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.60.0/24").start();
    for (from, headers, client) in
        [(FROM, "", FROM), (FROM, "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"), ("127.0.61.1", "X-Forwarded-For: 192.0.2.2\r\n", "127.0.61.1")]
    {
        assert_eq!(without_a_path(&mut server.client_from(from), headers), 400);
        server.expect_line(&format!("mod_qos(045): access denied, the request target has no path, c={client}, id=*"));
    }
    assert!(wait_until(SECONDS(5), || server.access_log().matches(" QS_ErrorNotes=045").count() == 3), "{}", server.access_log());
    assert_eq!(server.lines("045").len(), 3, "{:#?}", server.lines("045"));
}

/// FW-38: with `QS_LogOnly` it is what it is without the module.
#[test]
fn a_target_that_is_none_is_logged_only() {
    let status = |server: &Server| without_a_path(&mut server.client_from(FROM), "");
    let without = status(&Server::builder().module(Module::None).start());
    let server = serving("QS_LogOnly on").start();
    assert_eq!(status(&server), without);
    server.expect_line(&format!("mod_qos(045): access denied (log only), the request target has no path, c={FROM}, id=*"));
}

/// A flood of them is 20 lines a second and process, and one that sums up the rest.
#[test]
fn targets_that_are_none_are_summed_up() {
    let server = serving("").mpm(Mpm::Event).processes(1).start();
    // Each one ends its connection.
    let refused = || assert_eq!(without_a_path(&mut server.client_from(FROM), ""), 400);
    (0..400).for_each(|_| refused());
    let said = || {
        let lines = server.lines("045");
        let summed = lines.iter().filter_map(|line| line.split("message repeated ").nth(1)?.split(' ').next()?.parse::<usize>().ok()).sum::<usize>();
        (lines.iter().filter(|line| !line.contains("(previously)")).count(), summed)
    };
    let mut sent = 400;
    let all = wait_until(SECONDS(10), || {
        sent += 1;
        refused();
        let (lines, summed) = said();
        lines + summed == sent
    });
    assert!(all && said().0 < 200, "{:?} of {sent}", said());
    server.expect_line("mod_qos(045): access denied (previously), the request target has no path, message repeated # times");
}

/// The pages of section 4.2 that need no directive.
#[test]
fn an_error_page_is_found_where_none_is_configured() {
    let mut server =
        serving("QS_EventRequestLimit EV 0\nAlias /errorpages @ROOT@/work/errorpages\n<Directory @ROOT@/work>\nRequire all granted\n</Directory>").start();
    assert_eq!(status(&server, "/small.txt?EV=1"), 500);
    let folder = server.root().join("work/errorpages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("error.html"), "found").unwrap();
    std::fs::write(folder.join("gateway_error.html"), "later").unwrap();
    server.rewrite(|builder| builder.config("QS_ErrorResponseCode 503"));
    server.graceful();
    let denied = server.ask(FROM, "/small.txt?EV=1", &[]).unwrap();
    assert_eq!((denied.status, denied.text().as_str()), (503, "found"));
    server.expect_line("mod_qos(009): QS_ErrorPage: /errorpages/error.html is used where no error page is configured");
}

/// Example E14: who is denied is not delayed before, and what was counted on the way is given back.
#[test]
fn e14_denials_come_before_delays() {
    let server = serving("QS_EventRequestLimit QS_Delay 2\nQS_LocRequestLimit /x 1").start();
    let held = [lasting(&server, "/x/a"), lasting(&server, "/y/a")];
    wait_current(&server, "QS_Delay", 2);
    let begin = Instant::now();
    assert_eq!(status(&server, "/y/b?QS_Delay=60000"), 500);
    server.expect_line("mod_qos(012): access denied, QS_EventRequestLimit rule: var=(QS_Delay)(2), concurrent requests=3, c=127.0.60.1, id=*");
    let [x, y] = held;
    drop(y);
    wait_current(&server, "QS_Delay", 1);
    assert_eq!(status(&server, "/x/b?QS_Delay=60000"), 500);
    server.expect_line("mod_qos(010): access denied, QS_LocRequestLimit* rule: /x(1), concurrent requests=2, c=127.0.60.1, id=*");
    assert!(begin.elapsed() < SECONDS(30));
    drop(x);
    wait_current(&server, "QS_Delay", 0);
    wait_current(&server, "/x", 0);
}

/// Example E15: which hosts count together.
#[test]
fn e15_virtual_hosts() {
    let server = serving(
        "QS_LocRequestLimit /app 1\n<VirtualHost *:@PORT1@>\nServerName a\n</VirtualHost>\n\
         <VirtualHost *:@PORT2@>\nServerName b\nQS_LocRequestPerSecLimit /app 5000\n</VirtualHost>\n\
         <VirtualHost *:@PORT3@>\nServerName c\nQS_ErrorPage /small.txt\n</VirtualHost>",
    )
    .vhost_ports(3)
    .start();
    let to = |k: usize, path: &str| asking_port((std::net::Ipv4Addr::LOCALHOST, server.vhost_port(k)).into(), path);
    let answer = |k: usize, path: &str| to(k, path).read_response().unwrap();
    let held = [lasting(&server, "/app/x"), to(2, "/app/x?QS_Delay=120000"), to(3, "/app/x?QS_Delay=120000")];
    wait_current(&server, "/app", 1);
    assert_eq!(answer(1, "/app/y").status, 500, "a shares rule and counter with the main server");
    assert_eq!(answer(2, "/app/y").status, 404, "b has an entry of its own, without that limit");
    assert!(wait_until(SECONDS(5), || answer(3, "/app/y").text().contains("small")) || answer(3, "/app/y").status == 500, "c counts for itself");
    let [main, _b, c] = held;
    drop(c);
    assert!(wait_until(SECONDS(5), || answer(3, "/app/y").status == 404), "c: its own counter");
    assert_eq!(answer(1, "/app/y").status, 500);
    drop(main);
    wait_current(&server, "/app", 0);
    assert_eq!(answer(1, "/app/y").status, 404);
}

/// Redirects within the server, error documents, parts of pages, broken and pipelined requests, HTTP/2: all are given back.
#[test]
fn every_counter_goes_back_to_zero() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || counters_go_back(mpm));
        }
    });
}

fn counters_go_back(mpm: Mpm) {
    let server = serving(
        "QS_LocRequestLimitDefault 1000\nQS_LocRequestLimitMatch ^/match 1000\nQS_CondLocRequestLimitMatch . 1000 x\nQS_EventRequestLimit EV 1000\n\
         QS_EventRequestLimit EV=1 1000\nQS_EventRequestLimit KIND 1000\nQS_EventRequestLimit LOGIN 1000\nQS_EventRequestLimit OTHER 1000\n\
         ErrorDocument 404 /small.txt\nDirectoryIndex index.html\n<Location /err>\nOptions +Includes\nAddOutputFilter INCLUDES .shtml\n</Location>",
    )
    .mpm(mpm)
    .tls()
    .http2()
    .start();
    std::fs::create_dir_all(server.docs().join("err")).unwrap();
    std::fs::write(server.docs().join("err/parts.shtml"), "<!--#include virtual=\"/small.txt\" --><!--#include virtual=\"/missing\" -->").unwrap();
    const ALL: &str = "EV=1&KIND=1&LOGIN=1&OTHER=1";
    for path in ["/", "/missing", "/err/parts.shtml", "/match/x", "/small.txt"] {
        assert!(server.status(FROM, &format!("{path}?{ALL}")).is_some());
    }
    // Pipelined requests, the last one cut off.
    let mut client = server.client_from(FROM);
    client.send(format!("GET /small.txt?{ALL} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(20) + "GET /sma").unwrap();
    for _ in 0..20 {
        assert_eq!(client.read_response().unwrap().status, 200, "{mpm:?}");
    }
    drop(client);
    // Clients that leave in the middle of an answer, of a wait and of their own request.
    for path in ["/large.bin", "/cgi/drip?0.1,600", "/match/x?QS_Delay=60000"] {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut client = asking(&server, &format!("{path}{mark}{ALL}"));
        if !path.contains("QS_Delay") {
            let _ = client.read_some(100);
        }
        client.reset().unwrap();
    }
    let mut client = server.client_from(FROM);
    client.send(format!("POST /cgi/env?{ALL} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nxxx")).unwrap();
    client.reset().unwrap();
    // Streams.
    if mpm != Mpm::Prefork {
        let urls = (0..20).map(|n| server.tls_url(&format!("/small.txt?{ALL}&n={n}"))).collect::<Vec<_>>();
        let mut arguments = vec!["-sk", "--http2", "-Z"];
        arguments.extend(urls.iter().map(String::as_str));
        let said = curl(&arguments);
        assert!(said.out.contains("small") || !said.out.is_empty(), "{said:?}");
    }
    for rule in ["/", "^/match", "EV", "EV=1", "KIND", "LOGIN", "OTHER"] {
        // The one that asks counts for the default.
        wait_current(&server, rule, u64::from(rule == "/"));
    }
    server.stop();
}

/// A child that is killed gives back what its requests held.
#[test]
fn a_killed_child_gives_back_its_requests() {
    let server = serving("QS_LocRequestLimit /app 3\nQS_EventRequestLimit EV 3").expect_crashes().start();
    let held = (0..3).map(|_| lasting(&server, "/app/x?EV=1")).collect::<Vec<_>>();
    wait_current(&server, "/app", 3);
    assert_eq!(status(&server, "/app/y"), 500);
    for pid in server.children() {
        httpd_lab::sys::signal(pid, libc::SIGKILL);
    }
    wait_current(&server, "/app", 0);
    wait_current(&server, "EV", 0);
    assert_eq!(status(&server, "/app/y"), 404);
    drop(held);
}

/// Numbers outlive a graceful restart: what is counted goes on to count, and windows stay open.
#[test]
fn counters_outlive_a_graceful_restart() {
    let server = serving("QS_LocRequestLimit /app 1\nQS_EventLimitCount LOGIN 2 600").start();
    let held = lasting(&server, "/app/x");
    wait_current(&server, "/app", 1);
    assert_eq!([1, 2].map(|n| status(&server, &format!("/small.txt?LOGIN=1&n={n}"))), [200; 2]);
    server.graceful();
    assert_eq!(status(&server, "/app/y"), 500, "the request of the old generation counts");
    assert_eq!(status(&server, "/small.txt?LOGIN=1&n=3"), 500, "the window is still open");
    drop(held);
    wait_current(&server, "/app", 0);
}

/// All counters of all rules in all forms of the viewer.
#[test]
fn the_viewer_shows_rules_and_what_they_have_done() {
    let server = serving(
        "QS_LocRequestLimit /app 1\nQS_LocRequestLimitMatch ^/match 1\nQS_LocRequestPerSecLimitMatch ^/match 1000\nQS_CondLocRequestLimitMatch ^/app 1 bad\n\
         QS_EventRequestLimit EV 0\nQS_EventPerSecLimit !EV 10000\nQS_EventKBytesPerSecLimit EV 100000\nQS_EventLimitCount LOGIN 1 600\n\
         QS_CondEventLimitCount LOGIN 1 600 bad\nQS_LogOnlyRule QS_LocRequestLimit /app\nQS_LogOnlyRule QS_EventRequestLimit",
    )
    .start();
    let _held = [lasting(&server, "/app/x"), lasting(&server, "/match/x")];
    wait_current(&server, "/app", 1);
    wait_current(&server, "^/match", 1);
    assert_eq!(["/app/y", "/app/y", "/match/y", "/match/y", "/match/y"].map(|path| status(&server, path)), [404, 404, 500, 500, 500]);
    assert_eq!(["?EV=1", "?LOGIN=1&a", "?LOGIN=1&b"].map(|query| status(&server, &format!("/small.txt{query}"))), [200, 200, 500]);
    let text = |path: &str| server.ask("127.255.0.1", path, &[]).unwrap().text();
    let json: serde_json::Value = serde_json::from_str(&text("/viewer?json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(include_str!("../docs/viewer.schema.json")).unwrap();
    jsonschema::validate(&schema, &json).unwrap();
    let rule = |name: &str, limit: &str| {
        let found = json["servers"][0]["rules"].as_array().unwrap().iter().find(|rule| rule["text"] == name && !rule[limit].is_null()).unwrap()[limit].clone();
        (found["limit"].as_u64().unwrap(), found["log_only"].as_bool().unwrap(), found["done"].as_u64().unwrap(), found["would_have"].as_u64().unwrap())
    };
    assert_eq!(rule("/app", "concurrent"), (1, true, 0, 2));
    assert_eq!(rule("^/match", "concurrent"), (1, false, 3, 0));
    assert_eq!(rule("^/match", "requests"), (1000, false, 0, 0));
    assert_eq!(rule("^/app", "concurrent"), (1, false, 0, 0));
    assert_eq!(rule("EV", "concurrent"), (0, true, 0, 1));
    assert_eq!(rule("!EV", "requests"), (10000, false, 0, 0));
    assert_eq!(rule("EV", "kbytes"), (100000, false, 0, 0));
    let counts = json["servers"][0]["event_limits"].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| (count["current"].as_u64().unwrap(), count["done"].as_u64().unwrap())).collect::<Vec<_>>(), [(2, 1), (2, 0)]);
    let auto = text("/viewer?auto");
    for line in [
        ";QS_LocRequestLimit;1[/app]: 1",
        ";QS_LocRequestLimitMatch;1[^/match]: 1",
        ";QS_LocRequestPerSecLimitMatch;1000[^/match]: ",
        ";QS_CondLocRequestLimitMatch;1[^/app]: 1",
        ";QS_EventRequestLimit;0[var=(EV)]: 0",
        ";QS_EventPerSecLimit;10000[var=[!EV]]: ",
        ";QS_EventKBytesPerSecLimit;100000[var={EV}]: ",
        ";QS_EventLimitCount;1/600[LOGIN]: 2",
        ";QS_CondEventLimitCount;1/600[LOGIN]: 2",
        ";QS_LogOnlyRule;QS_LocRequestLimit[/app]: 2",
        ";QS_LogOnlyRule;QS_EventRequestLimit[var=(EV)]: 1",
    ] {
        assert!(auto.contains(line), "{line} in {auto}");
    }
    let metrics = text("/metrics");
    for (rule, name, mode, value) in
        [("QS_LocRequestLimit", "/app", "log_only", 2), ("QS_LocRequestLimitMatch", "^/match", "enforced", 3), ("QS_EventLimitCount", "LOGIN", "enforced", 1)]
    {
        let sample = format!(",rule=\"{rule}\",text=\"{name}\",mode=\"{mode}\"}} {value}\n");
        assert!(metrics.contains(&sample), "{sample} in {metrics}");
    }
    assert!(text("/viewer").contains("1&nbsp;(log only, would have acted 2&nbsp;times)"));
}

/// The order of section 2.5 as a request shows it: rules see what earlier steps have set, and not what later ones set.
#[test]
fn rules_see_what_earlier_steps_have_set() {
    let server = serving(
        "QS_SetEnvIfQuery first=(.*) FIRST=$1\nQS_SetEnvIf FIRST=(.+) SECOND=$1-b\nQS_SetEnv THIRD ${SECOND}\nQS_EventRequestLimit THIRD=^a-b$ 0\n\
         QS_EventRequestLimit LATE 0\nQS_EventLimitCount LOGIN 1 60\nQS_CondLocRequestLimitMatch ^/c 1 ^bad$\nSetEnvIf Request_URI . ONE=1\n\
         <Location />\nQS_SetEnvIfCmp ONE eq ONE LATE\nQS_SetEnvIfCmp ONE eq ONE LOGIN\nQS_SetEnvIfCmp ONE eq ONE QS_Cond=bad\n</Location>",
    )
    .start();
    assert_eq!(status(&server, "/small.txt?first=a"), 500, "12, 13 and 14 come before 19");
    server.expect_line("mod_qos(012): access denied, QS_EventRequestLimit rule: var=(THIRD=^a-b$)(0), concurrent requests=1, c=127.0.60.1, id=*");
    // 21 comes behind 18 and 19: nothing is denied, but the event counts at the end.
    assert_eq!([1, 2, 3].map(|n| status(&server, &format!("/small.txt?{n}"))), [200; 3]);
    assert!(wait_until(SECONDS(5), || server
        .ask(FROM, "/small.txt?seen", &[])
        .unwrap()
        .header("x-seen")
        .is_some_and(|seen| seen.parse::<u32>().is_ok_and(|n| n >= 4))));
    // It comes before 30.
    let _held = lasting(&server, "/c");
    wait_current(&server, "^/c", 1);
    assert_eq!(status(&server, "/c"), 500);
    server.expect_line("mod_qos(011): access denied, QS_CondLocRequestLimitMatch rule: ^/c(1), concurrent requests=2, c=127.0.60.1, id=*");
}

/// A pattern that takes too long to be looked for counts as a match: nobody evades a limit so. Neither by a line end in the path.
#[test]
fn limits_are_not_evaded() {
    let server = serving("LimitRequestLine 100000\nQS_LocRequestLimitMatch ^/(a+)+(\\1)?([?]|$) 1\nQS_LocRequestLimitMatch ^/b.*c 1").start();
    let _held = [lasting(&server, "/aaa"), lasting(&server, "/b/c")];
    wait_current(&server, "^/(a+)+(\\1)?([?]|$)", 1);
    wait_current(&server, "^/b.*c", 1);
    assert_eq!(status(&server, &format!("/{}!", "a".repeat(50))), 500);
    assert_eq!(status(&server, "/b/%0a/c"), 500);
    assert_eq!(status(&server, "/d"), 404);
}

/// A flood of denials is 20 lines a second, and one that sums up the rest.
#[test]
fn floods_are_summed_up() {
    let server = serving("QS_EventRequestLimit EV 0\nMaxKeepAliveRequests 0").start();
    let mut client = server.client_from(FROM);
    for n in 0..400 {
        // A denial may end the connection.
        if client.get(&format!("/small.txt?EV=1&n={n}")).is_err() {
            client = server.client_from(FROM);
        }
    }
    let said = || {
        let lines = server.lines("012");
        let summed = lines.iter().filter_map(|line| line.split("message repeated ").nth(1)?.split(' ').next()?.parse::<usize>().ok()).sum::<usize>();
        (lines.len(), summed)
    };
    // A later denial says what was not said before.
    let all = || {
        let _ = server.status(FROM, "/small.txt?EV=1&last");
        let (lines, summed) = said();
        lines + summed >= 400
    };
    assert!(wait_until(SECONDS(5), all), "{:?}", said());
    assert!(said().0 < 200, "{:?}", said());
    server.expect_line("mod_qos(012): access denied (previously), QS_EventRequestLimit rule: var=(EV)(0), message repeated # times");
}

/// Restarts with other rules each time: a table that is full of old ones grows.
#[test]
fn changing_rules_never_stop_a_restart() {
    let rules = |n: u32| (0..25).map(|k| format!("QS_LocRequestLimit /r{n}-{k} 1\n")).collect::<String>() + "QS_EventLimitCount LOGIN 3 600";
    let mut server = serving(&rules(0)).start();
    assert_eq!(status(&server, "/small.txt?LOGIN=1"), 200);
    for n in 1..7 {
        server.rewrite_config(&(by_query(&["LOGIN", "QS_Delay"]) + "<Location /viewer>\nSetHandler qos-viewer\n</Location>\n" + &rules(n)));
        server.graceful();
    }
    assert_eq!([1, 2, 3].map(|n| status(&server, &format!("/small.txt?LOGIN=1&n={n}"))), [200, 200, 500], "what was counted before counts");
    let _held = lasting(&server, "/r6-3");
    wait_current(&server, "/r6-3", 1);
    assert_eq!(status(&server, "/r6-3"), 500);
}

/// What only the start finds out.
#[test]
fn rules_that_are_wrong_together() {
    let test = |config: &str| httpd_lab::configtest(Mpm::Event, config);
    let error = test("QS_LocRequestLimit /a 5\nQS_LogOnlyRule QS_LocRequestLimit /b").unwrap_err();
    assert!(error.contains("QS_LogOnlyRule: 'QS_LocRequestLimit /b' names no rule of this server"), "{error}");
    let error = test("<VirtualHost *:1234>\nServerName host.example\nQS_LogOnlyRule QS_EventLimitCount\n</VirtualHost>").unwrap_err();
    assert!(error.contains("names no rule of this server") && error.contains("host.example"), "{error}");
    assert!(test("QS_LocRequestLimit /a 5\nQS_LogOnlyRule QS_LocRequestLimit /a").is_ok());
    let error = test("QS_ErrorResponseCode 499").unwrap_err();
    assert!(error.contains("QS_ErrorResponseCode: '499' is not a status that httpd knows"), "{error}");
    assert!(test("QS_ErrorResponseCode 429").is_ok());
}

/// Hostile targets and values: nothing but an answer.
#[test]
fn hostile_requests_are_answered() {
    let server = serving(
        "LimitRequestLine 200000\nLimitRequestFieldSize 200000\nQS_LocRequestLimitMatch ^/(a+)+$ 5\nQS_EventRequestLimit KIND=^(a+)+$ 5\nQS_EventLimitCount LOGIN 100000 60\n\
         QS_CondEventLimitCount LOGIN 1000 60 ^(a+)+$\nSetEnvIf X-Big (.*) KIND=$1\nSetEnvIf X-Big (.*) QS_Cond=$1\nSetEnvIf X-Big (.*) LOGIN_Decrement=$1",
    )
    .start();
    let long = format!("{}!", "a".repeat(60_000));
    for path in [format!("/{long}"), format!("/x?{long}"), "/%00".to_owned(), "/\u{7f}%ff%fe".to_owned(), format!("/{}", "%61".repeat(20_000))] {
        let mut client = server.client_from(FROM);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).unwrap();
        assert!(client.read_response().unwrap().status >= 400, "{}", &path[..20.min(path.len())]);
    }
    for value in [long.as_str(), "${KIND}", "$1$2\\", "99999999999999999999999999"] {
        let response = server.ask(FROM, "/small.txt?LOGIN=1", &[&format!("X-Big: {value}")]).unwrap();
        assert_eq!(response.status, 200);
    }
    server.stop();
}

/// A rule that queues or counts the request for its client comes before those of locations and asks first for the end of the request: what they know is
/// dropped after it was given back, and not before.
#[test]
fn what_rules_know_of_a_request_lives_until_it_is_given_back() {
    let rules = "QS_SrvSerialize on\nQS_ClientEventRequestLimit 50\nQS_LocRequestLimit / 50\nQS_LocRequestPerSecLimit / 500\nQS_EventRequestLimit EV 50";
    for mpm in Mpm::ALL {
        let server = serving(rules).config(&by_query(&["QS_SrvSerialize", "QS_EventRequest"])).mpm(mpm).spoil_freed_memory().start();
        for query in ["QS_SrvSerialize=1", "QS_EventRequest=1", "QS_EventRequest=1&EV=1", "EV=1"] {
            for n in 0..5 {
                assert_eq!(status(&server, &format!("/small.txt?{query}&n={n}")), 200, "{mpm:?}: {query}");
            }
        }
        // A child that crashes at the end of a request is noticed here.
        server.stop();
    }
}

/// A rule sees the counter with the event of the very request that it judges (section 9.4).
#[test]
fn a_rule_looks_at_a_counter_of_events() {
    let server = serving("QS_EventLimitCount LOGIN 100 60\nQS_EventRequestLimit LOGIN_Counter=^[3-9] 0").start();
    let found = (1..=4).map(|n| status(&server, &format!("/small.txt?LOGIN=1&n={n}"))).collect::<Vec<_>>();
    assert_eq!(found, [200, 200, 500, 500]);
}
