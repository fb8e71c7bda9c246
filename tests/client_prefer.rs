//! `QS_ClientPrefer`: who is refused first when the server fills up, and what clients are marked for (connection-client.md section 9.2,
//! example E12).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::said::{answer, by_query};
use httpd_lab::{Builder, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const ADMINISTRATOR: &str = "127.0.90.250";

/// A capacity of 100, of which 80 are for everybody; 127.0.90.x is excluded, so that it can fill the rest.
fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 120\nMaxKeepAliveRequests 0\nAddType text/css .css\nAddType image/png .png\n\
                Header always set X-All \"%{QS_AllConn}e\"\nHeader always set X-Low \"%{QS_ClientLowPrio}e\"\n<Location /console>\nSetHandler qos-console\n</Location>\n\
                <Location /viewer>\nSetHandler qos-viewer\n</Location>\nQS_MaxClients 100\nQS_ClientPrefer 80\nQS_SrvMaxConnExcludeIP 127.0.90.\n";
    Server::builder().config(show).config(&by_query(&["QS_Limit", "QS_Block"])).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn console(server: &Server, action: &str, address: &str) {
    assert_eq!(server.ask(ADMINISTRATOR, &format!("/console?action={action}&address={address}"), &[]).unwrap().status, 200);
}

/// Connections of an excluded address.
struct Crowd<'a> {
    server: &'a Server,
    held: Vec<RawClient>,
}

impl Crowd<'_> {
    /// Makes them so many, when no other connections are left.
    #[track_caller]
    fn be(&mut self, count: usize) {
        self.held.truncate(count.saturating_sub(1));
        let exact = || {
            while self.held.len() + 1 < count {
                self.held.push(self.server.client_from("127.0.90.1"));
                self.held.last_mut().unwrap().get("/small.txt").unwrap();
            }
            let mut last = self.server.client_from("127.0.90.1");
            let all = last.get("/small.txt").unwrap().header("x-all").unwrap().parse::<usize>().unwrap();
            if all == count {
                self.held.push(last);
            }
            all == count
        };
        assert!(wait_until(SECONDS(10), exact), "connections that nobody holds are counted");
    }
}

/// The first request on a connection of its own; `None` where the connection is refused.
fn enters(server: &Server, from: &str) -> Option<Response> {
    answer(server.client_from(from).get("/small.txt"))
}

/// Requests of a client that make it one that is well known, or one that is not.
fn browse(server: &Server, from: &str, paths: &[(&str, usize)]) {
    let mut client = server.client_from(from);
    for (path, count) in paths {
        (0..*count).for_each(|_| assert_eq!(client.get(path).unwrap().status, 200, "{path}"));
    }
}

fn files(server: &Server) {
    ["page.css", "image.png"].iter().for_each(|name| std::fs::write(server.docs().join(name), "x").unwrap());
}

/// Example E12: the table.
#[test]
fn e12_who_is_refused_first() {
    let rules = "QS_ClientEventBlockCount 1 2\nQS_ClientEventLimitCount 1 2\nQS_ClientContentTypes 96 1 1 1 1\nQS_SrvMinDataRate 10000\nQS_SrvSampleRate 2 0";
    let server = serving(rules).start();
    files(&server);
    // Low priority by each of its reasons.
    browse(&server, "127.0.91.2", &[("/index.html", 60)]);
    browse(&server, "127.0.91.6", &[("/small.txt", 60)]);
    let mut slow = server.client_from("127.0.91.5");
    slow.send("GET /small.txt HTTP/1.1\r\nX-Slow: ").unwrap();
    assert!(wait_until(SECONDS(8), || slow.wait_closed(Duration::ZERO).is_some() || slow.wait_readable(Duration::ZERO)));
    drop(slow);
    assert_eq!(server.status("127.0.91.8", "/small.txt?QS_Block=1&n=8"), Some(500));
    assert!(server.logged("/small.txt?QS_Block=1&n=8").ends_with(" mod_qos_ev=D;r; QS_ErrorNotes=060"), "{}", server.access_log());
    console(&server, "setlowprio", "127.0.91.12");
    console(&server, "setvip", "127.0.91.1");
    // Blocks and limits are over; what they were for is remembered.
    // The administrator looks: requests of its own would tell of the client.
    let state = || server.ask(ADMINISTRATOR, "/console?action=search&address=127.0.91.8", &[]).unwrap().text();
    assert!(wait_until(SECONDS(8), || state().contains(" block=1/0 ")), "{}", state());
    assert_eq!(server.status("127.0.91.8", "/small.txt?QS_Limit=1"), Some(500), "{}", server.error_log());
    assert!(wait_until(SECONDS(8), || state().contains(" limit=1/0\n")), "{}", state());
    std::thread::sleep(SECONDS(1));

    let mut crowd = Crowd { server: &server, held: Vec::new() };
    // Flags, penalty, and the number of connections from which on the client is refused.
    for (from, low, penalty, first) in [
        ("127.0.91.12", "0xfd", 12, 81),
        ("127.0.91.8", "0x18", 8, 88),
        ("127.0.91.6", "0x04", 6, 91),
        ("127.0.91.5", "0x01", 5, 93),
        ("127.0.91.4", "(null)", 4, 95),
        ("127.0.91.2", "(null)", 2, 98),
    ] {
        crowd.be(first - 2);
        let served = enters(&server, from).unwrap_or_else(|| panic!("{from} is refused with {}: {:#?}", first - 1, server.lines("066")));
        assert_eq!((served.status, served.header("x-low"), served.header("x-all")), (200, Some(low), Some((first - 1).to_string().as_str())), "{from}");
        crowd.be(first - 1);
        assert!(enters(&server, from).is_none(), "{from} is served with {first}");
        let flags = match low {
            "(null)" => {
                if penalty == 2 {
                    "0x02"
                } else {
                    "0x00"
                }
            }
            low => low,
        };
        server.expect_line(&format!(
            "mod_qos(066): access denied, QS_ClientPrefer rule (penalty={penalty} {flags}): max=80, concurrent connections={first}, c={from}"
        ));
    }
    // With 99 others a VIP is welcome.
    crowd.be(99);
    assert_eq!(enters(&server, "127.0.91.1").map(|response| response.status), Some(200));
    // Up to the share everybody is.
    crowd.be(79);
    assert_eq!(["127.0.91.12", "127.0.91.8", "127.0.91.4"].map(|from| enters(&server, from).map(|response| response.status)), [Some(200); 3]);
}

/// Section 14.1.
#[test]
fn log_only_refuses_nobody() {
    let server = serving("QS_LogOnly on").start();
    console(&server, "setlowprio", "127.0.91.12");
    let mut crowd = Crowd { server: &server, held: Vec::new() };
    crowd.be(85);
    assert_eq!(enters(&server, "127.0.91.12").map(|response| response.status), Some(200));
    server.expect_line("mod_qos(066): access denied (log only), QS_ClientPrefer rule (penalty=12 0xfd): max=80, concurrent connections=86, c=127.0.91.12");
}

/// "Learning": classes of responses, compared with what is configured; letters `r`; W49.
#[test]
fn clients_that_ask_for_what_others_do_not_are_marked() {
    let server = serving("QS_ClientContentTypes 60 10 10 10 10\nQS_ClientTolerance 15").start();
    files(&server);
    let low = |from: &str| enters(&server, from).unwrap().header("x-low").unwrap().to_owned();
    let marked = |from: &str| server.access_log().lines().filter(|line| line.starts_with(&format!("{from} ")) && line.contains(" mod_qos_ev=r; ")).count();
    let page = |from: &str| server.ask(ADMINISTRATOR, &format!("/viewer?action=search&address={from}"), &[]).unwrap().text();
    // As others do.
    browse(&server, "127.0.91.1", &[("/page.css", 5), ("/image.png", 5), ("/small.txt", 8), ("/index.html", 30)]);
    assert_eq!((low("127.0.91.1"), marked("127.0.91.1")), ("(null)".into(), 0));
    assert!(wait_until(SECONDS(5), || page("127.0.91.1").contains("(0x02)")), "{}", page("127.0.91.1"));
    // Too little is known of this one.
    browse(&server, "127.0.91.2", &[("/image.png", 40)]);
    assert_eq!((low("127.0.91.2"), marked("127.0.91.2")), ("(null)".into(), 0));
    assert!(page("127.0.91.2").contains("(0x00)"), "{}", page("127.0.91.2"));
    // Images only: two classes differ, and it is said at each request after the fiftieth point.
    browse(&server, "127.0.91.3", &[("/image.png", 60)]);
    assert!(wait_until(SECONDS(5), || low("127.0.91.3") == "0x04"));
    assert!((5..15).contains(&marked("127.0.91.3")), "{}", marked("127.0.91.3"));
    // Pages beside everything else: one class differs, which is a mark without a flag.
    browse(&server, "127.0.91.4", &[("/index.html", 20), ("/page.css", 11), ("/image.png", 11), ("/small.txt", 11)]);
    assert!(wait_until(SECONDS(5), || page("127.0.91.4").contains("yes (0x00)")), "{}", page("127.0.91.4"));
    assert_eq!(low("127.0.91.4"), "0x00");
    // It can do better.
    browse(&server, "127.0.91.3", &[("/index.html", 240), ("/page.css", 10), ("/small.txt", 10)]);
    assert!(wait_until(SECONDS(5), || page("127.0.91.3").contains("(0x02)")), "{}", page("127.0.91.3"));
    let all = server.ask(ADMINISTRATOR, "/viewer?auto", &[]).unwrap().text();
    let totals = all.lines().find_map(|line| line.strip_prefix("b;clientContentTypes(html,css/js,images,other,304): ")).unwrap_or_else(|| panic!("{all}"));
    let numbers = totals.split(' ').map(|text| text.parse::<u32>().unwrap()).collect::<Vec<_>>();
    assert!(numbers[0] >= 170 && numbers[1] >= 26 && numbers[2] >= 116 && numbers[3] >= 29 && numbers[4] == 0, "{totals}");

    // W49: nothing to compare with, no opinion.
    let server = serving("").start();
    browse(&server, "127.0.91.1", &[("/index.html", 60)]);
    let page = server.ask(ADMINISTRATOR, "/viewer?action=search&address=127.0.91.1", &[]).unwrap().text();
    assert!(page.contains("(0x00)") && page.contains(">60</td>"), "{page}");
}

/// A 304 counts in the class of its type and as itself; virtual hosts have shares of their own.
#[test]
fn answers_that_say_nothing_changed_are_a_class() {
    let config = "QS_ClientContentTypes 96 1 1 1 1\n<VirtualHost *:@PORT1@>\nQS_ClientContentTypes 1 1 1 96 1\n</VirtualHost>";
    let server = serving(config).vhost_ports(1).start();
    let mut client = server.client_from("127.0.91.1");
    let tag = client.get("/index.html").unwrap().header("etag").unwrap().to_owned();
    for _ in 0..9 {
        assert_eq!(client.request("GET", "/index.html", &[&format!("If-None-Match: {tag}")], b"").unwrap().status, 304);
    }
    let page = || server.ask(ADMINISTRATOR, "/viewer?action=search&address=127.0.91.1", &[]).unwrap().text();
    assert!(wait_until(SECONDS(5), || page().matches(">9</td>").count() >= 1 && page().contains(">10</td>") | page().contains(">1</td>")), "{}", page());
    // The client that asks this host for files is as its clients are, and would not be on the other.
    let mut other = RawClient::connect(Some("127.0.91.2".parse().unwrap()), (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(1)).into()).unwrap();
    (0..60).for_each(|_| assert_eq!(other.get("/small.txt").unwrap().status, 200));
    let page = || server.ask(ADMINISTRATOR, "/viewer?action=search&address=127.0.91.2", &[]).unwrap().text();
    assert!(wait_until(SECONDS(5), || page().contains("(0x02)")), "{}", page());
    let mut main = server.client_from("127.0.91.2");
    main.get("/small.txt").unwrap();
    assert!(wait_until(SECONDS(5), || page().contains("(0x04)")), "{}", page());
}
