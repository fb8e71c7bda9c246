//! Milestones (request-event.md section 15, W22, W36 to W38, example E12).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{SystemTime, UNIX_EPOCH};

use httpd_lab::http2::curl;
use httpd_lab::{Builder, Mpm, Response, Server};
use qos_core::milestone::{Milestone, Milestones};
use qos_core::pattern::Pattern;
use qos_core::token::{Keys, NONCE_BYTES, Purpose, Secret};

const FROM: &str = "127.0.71.1";
const SECRET: &str = "a-secret-of-32-characters-for-all";
const E12: &str = "QS_MileStone deny \"^GET /start\"\nQS_MileStone deny \"^POST /form\" 5\nQS_MileStone log \"^GET /result\"\n";

fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nAliasMatch ^/(start|form|result)[^/]*$ @DOCS@/small.txt\n";
    Server::builder().config(&format!("QS_SessionKey {SECRET}\n{show}{config}")).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A cookie of the server's own making, for milestones of [`E12`] that were reached so many seconds ago.
fn cookie(index: u32, ago: i64, lasts: u32) -> String {
    let milestone = |pattern: &str| Milestone { pattern: Pattern::new(pattern.as_bytes()).unwrap(), deny: true, think_time: None };
    let digest = Milestones::new(&["^GET /start", "^POST /form", "^GET /result"].map(milestone)).digest();
    let keys = Keys::derive(Purpose::Milestone, &[&b"QSSCD"[..], &digest].concat(), &[Secret::new(SECRET.as_bytes())]);
    format!("Cookie: QSSCD={}", keys.seal(&[index as u8 + 1; NONCE_BYTES], now() - ago, lasts, &index.to_be_bytes(), b"").unwrap())
}

fn ask(server: &Server, method: &str, path: &str, headers: &[&str]) -> Response {
    let mut client = server.client_from(FROM);
    client.request(method, path, &[&["Connection: close"], headers].concat(), b"").unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn set(response: &Response) -> Option<String> {
    response.header("set-cookie").map(|text| format!("Cookie: {}", text.split(';').next().unwrap()))
}

/// Example E12 on each MPM: row by row, with times that the cookies say.
#[test]
fn e12_step_by_step() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || rows(mpm));
        }
    });
}

fn rows(mpm: Mpm) {
    let server = serving(E12).mpm(mpm).start();
    type Row<'a> = (&'a str, &'a str, Option<String>, u16, bool, &'a str);
    let rows: [Row<'_>; 11] = [
        ("GET", "/form?1", None, 200, false, "-"),
        ("POST", "/form?2", None, 403, false, "047"),
        ("GET", "/start?3", None, 200, true, "-"),
        ("POST", "/form?4", Some(cookie(0, 3, 3600)), 403, false, "147"),
        ("POST", "/form?5", Some(cookie(0, 6, 3600)), 200, true, "-"),
        ("GET", "/start?6", Some(cookie(1, 5, 3600)), 200, false, "-"),
        ("GET", "/result?7", None, 200, true, "047"),
        ("POST", "/form?8", Some(cookie(2, 1, 3600)), 403, false, "147"),
        ("POST", "/form?9", Some(cookie(1, 3590, 3600)), 200, false, "-"),
        ("GET", "/result?10", Some(cookie(1, 3601, 3600)), 200, true, "047"),
        ("GET", "/result?11", Some(cookie(1, 3601, 9999)), 200, true, "047"),
    ];
    for (method, path, before, status, sets, id) in rows {
        let headers = before.iter().map(String::as_str).collect::<Vec<_>>();
        let response = ask(&server, method, path, &headers);
        assert_eq!((response.status, response.header("set-cookie").is_some()), (status, sets), "{mpm:?} {method} {path}: {response:?}");
        let end = format!(" mod_qos_ev={} QS_ErrorNotes={id}", if status == 403 { "D;" } else { "-" });
        assert!(server.logged(path).ends_with(&end), "{path}{end}: {}", server.access_log());
    }
    for line in [
        "mod_qos(047): access denied, reached milestone '1' (^POST /form), user has already passed 'none', action=deny, c=127.0.71.1, id=*",
        "mod_qos(147): access denied, reached milestone '1' (^POST /form), earlier than expected (right after # instead of 5 seconds), action=deny, c=127.0.71.1, id=*",
        "mod_qos(047): access denied, reached milestone '2' (^GET /result), user has already passed 'none', action=log only (pass milestone), c=127.0.71.1, id=*",
    ] {
        server.expect_line(line);
    }
    assert!(server.error_log().contains("[qos:warn]") && server.error_log().contains("[qos:error]"));
    server.stop();
}

/// What the server sets leads on, the application does not see it, and the decoded line counts.
#[test]
fn cookies_of_the_server() {
    let server = serving("QS_MileStone deny \"^GET /start page\"\nQS_MileStone deny ^GET./cgi/env\n").start();
    let first = ask(&server, "GET", "/start%20p%61ge", &[]);
    let text = first.header("set-cookie").unwrap();
    assert!(text.starts_with("QSSCD=") && text.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{text}");
    let cookie = set(&first).unwrap();
    let second = ask(&server, "GET", "/cgi/env", &[&format!("{cookie}; a=1")]);
    assert!(second.status == 200 && second.text().contains("HTTP_COOKIE=a=1\n"), "{second:?}");
    // httpd knows no such escape, applications may: it is judged, but nothing is reached by it.
    assert_eq!(set(&ask(&server, "GET", "/start%20p\\x61ge", &[])), None);
    assert_eq!(ask(&server, "GET", "/cgi/\\x65nv", &[]).status, 403);
    let altered = format!("{cookie}A");
    assert_eq!(ask(&server, "GET", "/cgi/env", &[&altered]).status, 403);
    assert_eq!(ask(&server, "GET", "/start+page", &[&altered]).status, 200);
    server.stop();
}

/// W22: in log-only mode what was reached is recorded, and other rules go on.
#[test]
fn log_only() {
    let server = serving(&format!("QS_LogOnly on\n{E12}")).start();
    let response = ask(&server, "POST", "/form?1", &[]);
    assert_eq!(response.status, 200);
    server.expect_line(
        "mod_qos(047): access denied, reached milestone '1' (^POST /form), user has already passed 'none', action=log only (pass milestone), c=127.0.71.1, id=*",
    );
    assert!(server.logged("/form?1").ends_with(" mod_qos_ev=D; QS_ErrorNotes=047"), "{}", server.access_log());
    let cookie = set(&response).unwrap();
    assert_eq!(ask(&server, "GET", "/result?2", &[&cookie]).status, 200);
    assert!(server.logged("/result?2").ends_with(" mod_qos_ev=- QS_ErrorNotes=-"), "{}", server.access_log());
    server.stop();
}

/// The cookie comes with redirects, errors, and the pages that a request is redirected to within the server (W38); W37: what takes too long is denied.
#[test]
fn cookies_of_other_responses_and_hostile_lines() {
    let rules = "DirectoryIndex small.txt\nErrorDocument 404 /small.txt\nQS_MileStone deny ^GET./result\nQS_MileStone deny \"^POST /(a+)+\\1$\"\n";
    let server = serving(&format!("{rules}Alias /result/folder @DOCS@\n")).start();
    for (path, status) in [("/result/folder", 301), ("/result/folder/", 200), ("/result/folder/missing", 404)] {
        let response = ask(&server, "GET", path, &[]);
        assert_eq!((response.status, set(&response).is_some()), (status, true), "{path}: {response:?}");
    }
    let hostile = format!("/{}!", "a".repeat(60));
    assert_eq!(ask(&server, "POST", &hostile, &[]).status, 403);
    server
        .expect_line("mod_qos(047): access denied, reached milestone '1' (^POST /(a+)+\\\\1$), match limit reached, limit=1, action=deny, c=127.0.71.1, id=*");
    server.stop();
}

/// Other spellings of a page are that page, and what only begins like one is none (W09).
#[test]
fn spellings() {
    let server = serving("QS_MileStone deny \"^GET /start\"\nQS_MileStone deny \"^GET /small\"\nMergeSlashes On\n").start();
    for path in [
        "/small.txt",
        "//small.txt",
        "/./small.txt",
        "/cgi/../small.txt",
        "/%2e/small.txt",
        "/%73mall.txt",
        "/+/../small.txt",
        "http://localhost/small.txt",
        "/start/../small.txt",
    ] {
        assert_eq!(ask(&server, "GET", path, &[]).status, 403, "{path}");
    }
    let reached = ask(&server, "GET", "/cgi/../start", &[]);
    assert_eq!((reached.status, set(&reached).is_some()), (200, true));
    assert_eq!(ask(&server, "GET", "//small.txt", &[&set(&reached).unwrap()]).status, 200);
    let feigned = ask(&server, "GET", "/start/../index.html", &[]);
    assert_eq!((feigned.status, set(&feigned)), (200, None));
    server.stop();
}

/// A host with milestones has its own, and what was reached elsewhere is worth nothing there; another one has those of the main server.
#[test]
fn hosts_and_http2() {
    let hosts = "<VirtualHost *:@PORT1@>\nQS_MileStone deny ^GET./a\nQS_MileStone deny ^GET./small\n</VirtualHost>\n<VirtualHost *:@PORT2@>\nQS_LogEnv off\n</VirtualHost>\n";
    let server = serving(&format!("{E12}{hosts}")).vhost_ports(2).http2().start();
    let status = |port: u16, path: &str, cookie: &str| {
        let url = format!("http://127.0.0.1:{port}{path}");
        curl(&["-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge", "-H", cookie, &url]).out
    };
    let reached = cookie(1, 60, 3600);
    assert_eq!(status(server.port(), "/result", &reached), "200");
    assert_eq!(status(server.vhost_port(1), "/small.txt", &reached), "403");
    assert_eq!(status(server.vhost_port(1), "/result", "X: y"), "200");
    server.expect_line("mod_qos(047): access denied, reached milestone '1' (^GET./small), user has already passed 'none', action=deny, c=127.0.0.1, id=*");
    let before = server.lines("047").len();
    assert_eq!(status(server.vhost_port(2), "/result", &reached), "200");
    assert_eq!(server.lines("047").len(), before);
    server.stop();
}
