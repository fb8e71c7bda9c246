//! User tracking and its check page (request-event.md section 16, W39, example E13).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpd_lab::http2::curl;
use httpd_lab::{Browser, Builder, Mpm, RawClient, Response, Server, wait_until};
use qos_core::token::{Keys, NONCE_BYTES, Purpose, Secret};
use qos_core::tracking;

const FROM: &str = "127.0.73.1";
const SECRET: &str = "a-secret-of-32-characters-for-all";

fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nSetEnvIf X-Robot . DISABLE_UTC_ENFORCEMENT=1\nHeader always set X-User \"%{mod_qos_user_id}e\"\n\
                AddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n";
    let builder = Server::builder().config(&format!("QS_SessionKey {SECRET}\n{show}{config}"));
    builder.load("unique_id").log_env(&["mod_qos_ev", "QS_ErrorNotes", "mod_qos_user_id"])
}

fn start(builder: Builder) -> Server {
    let server = builder.start();
    std::fs::write(server.docs().join("check.html"), "please enable cookies\n").unwrap();
    server
}

fn ask(server: &Server, path: &str, headers: &[&str]) -> Response {
    server.ask(FROM, path, headers).unwrap()
}

fn send(server: &Server, method: &str, path: &str, headers: &[&str]) -> Response {
    server.client_from(FROM).request(method, path, &[&["Connection: close"], headers].concat(), b"").unwrap()
}

/// All cookies that a response sets.
fn cookies(response: &Response) -> Vec<String> {
    response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).map(|(_, value)| value.clone()).collect()
}

fn sent(cookie: &str) -> String {
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A cookie of the server's own making, so many days old.
fn made(days: i64, id: &str) -> String {
    let keys = Keys::derive(Purpose::Tracking, b"uid", &[Secret::new(SECRET.as_bytes())]);
    format!("Cookie: uid={}", tracking::cookie(&keys, &[days as u8; NONCE_BYTES], now() - days * 86_400, id.as_bytes()).unwrap())
}

/// Example E13 on each MPM, over TLS.
#[test]
fn e13_the_plain_flow() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || plain(mpm));
        }
    });
}

fn plain(mpm: Mpm) {
    let server = start(serving("QS_UserTrackingCookieName uid /check.html .example.org\n").mpm(mpm).tls().tls_config("ServerName www.example.org\n"));
    let host = "Host: www.example.org";
    let ask = |method: &str, path: &str, headers: &[&str]| {
        let mut client = RawClient::connect_tls(Some(FROM.parse().unwrap()), server.tls_addr()).unwrap();
        let lines = [&["Connection: close", host], headers].concat().join("\r\n");
        client.send(format!("{method} {path} HTTP/1.1\r\n{lines}\r\n\r\n")).unwrap();
        client.read_response().unwrap()
    };
    let port = server.tls_port();
    let first = ask("GET", "/small.txt?b=1", &[]);
    let location = first.header("location").unwrap().to_owned();
    let base = format!("https://www.example.org:{port}");
    let token = location.strip_prefix(&format!("{base}/check.html?r=")).unwrap_or_else(|| panic!("{mpm:?}: {location}"));
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
    let set = cookies(&first);
    assert!(
        set.len() == 1 && set[0].starts_with("uid=") && set[0].ends_with("; Path=/; Max-Age=25920000; Domain=.example.org; HttpOnly; SameSite=Lax; Secure"),
        "{set:?}"
    );
    let line = server.logged("/small.txt?b=1");
    assert!(first.status == 302 && line.contains(" mod_qos_ev=u; "), "{line}");
    let id = line.split("mod_qos_user_id=").nth(1).unwrap().to_owned();
    let cookie = sent(&set[0]);

    let back = ask("GET", &format!("/check.html?r={token}"), &[&cookie]);
    assert_eq!((back.status, back.header("location"), cookies(&back)), (302, Some(format!("{base}/small.txt?b=1").as_str()), vec![]), "{mpm:?}");
    let served = ask("GET", "/small.txt?b=1&again", &[&cookie]);
    assert_eq!((served.status, served.text().as_str(), served.header("x-user"), cookies(&served)), (200, "small\n", Some(id.as_str()), vec![]), "{mpm:?}");
    assert!(server.logged("/small.txt?b=1&again").contains(" mod_qos_ev=- "), "{}", server.access_log());
    let seen = ask("GET", "/cgi/env", &[&format!("{cookie}; a=1")]).text();
    assert!(seen.contains("HTTP_COOKIE=a=1\n"), "{seen}");

    let page = ask("GET", &format!("/check.html?r={token}"), &[]);
    assert_eq!((page.status, page.text().as_str(), page.header("cache-control")), (200, "please enable cookies\n", Some("no-cache, no-store")), "{mpm:?}");
    assert_eq!(cookies(&page).len(), 1);
    let post = ask("POST", "/small.txt?post", &["Content-Length: 0"]);
    assert_eq!((post.status, cookies(&post).len()), (200, 1), "{mpm:?}");
    server.stop();
}

/// Next month the cookie is renewed, with the same id; a year later it is another user.
#[test]
fn cookies_are_renewed() {
    let server = start(serving("QS_UserTrackingCookieName uid /check.html session\n"));
    let old = ask(&server, "/small.txt?old", &[&made(32, "user-one")]);
    let set = cookies(&old);
    assert_eq!((old.status, old.header("x-user"), set.len()), (200, Some("user-one"), 1), "{old:?}");
    assert!(set[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set:?}");
    assert!(server.logged("/small.txt?old").contains(" mod_qos_ev=- "), "{}", server.access_log());
    let new = ask(&server, "/small.txt?new", &[&sent(&set[0])]);
    assert_eq!((new.status, new.header("x-user"), cookies(&new).len()), (200, Some("user-one"), 0));
    let back = ask(&server, "/check.html", &[&made(32, "user-one")]);
    assert_eq!((back.status, cookies(&back).len()), (200, 1));
    let ancient = ask(&server, "/small.txt?ancient", &[&made(366, "user-one")]);
    assert_eq!((ancient.status, cookies(&ancient).len()), (302, 1));
    assert_ne!(ancient.header("x-user"), Some("user-one"));
    server.stop();
}

/// Section 16.2: who is not sent to the check page, and who is.
#[test]
fn who_is_checked() {
    let server = start(serving("QS_UserTrackingCookieName uid /check.html\nAlias /favicon.ico @DOCS@/small.txt\n"));
    for (method, path, headers, status) in [
        ("GET", "/favicon.ico", &[][..], 200),
        ("GET", "/small.txt?robot", &["X-Robot: 1"], 200),
        ("GET", "/small.txt?twice", &[&*made(0, "x"), "X: y"], 200),
        ("HEAD", "/small.txt", &[], 302),
        ("PUT", "/small.txt?put", &[], 405),
        ("GET", "/%63heck.html", &[], 302),
        ("GET", "/check.html?r=garbage", &[], 200),
        ("GET", "/check.html?qs=init", &[], 200),
    ] {
        assert_eq!(send(&server, method, path, headers).status, status, "{method} {path}");
    }
    // Everybody gets a cookie that is worth something.
    let robot = ask(&server, "/small.txt?again", &["X-Robot: 1"]);
    assert_eq!(ask(&server, "/small.txt?known", &[&sent(&cookies(&robot)[0])]).status, 200);
    // The way back is on this server, whatever the client asked for.
    let mut client = server.client_from(FROM);
    client.send("GET //evil.example/x HTTP/1.1\r\nHost: evil.example:99\r\n\r\n").unwrap();
    let evil = client.read_response().unwrap();
    let location = evil.header("location").unwrap();
    assert!(location.starts_with(&format!("http://localhost:{}/check.html?r=", server.port())), "{location}");
    let token = location.split("?r=").nth(1).unwrap();
    let back = ask(&server, &format!("/check.html?r={token}"), &[&made(0, "x")]);
    assert_eq!(back.header("location"), Some(format!("http://localhost:{}/evil.example/x", server.port()).as_str()));
    // W34: what stands in the token of the check page is no session, no milestone, and no user.
    assert_eq!(ask(&server, "/small.txt?forged", &[&format!("Cookie: uid={token}")]).status, 302);
    server.stop();
}

/// Without a check page users are only known; log-only mode changes nothing; streams of HTTP/2 have users.
#[test]
fn users_without_a_check_page() {
    let server = start(serving("QS_LogOnly on\nQS_UserTrackingCookieName uid\nErrorDocument 404 /small.txt\n<Location /acted>\nSetHandler go\nAction go /cgi/env virtual\n</Location>\n").load("actions").http2());
    let first = ask(&server, "/small.txt?1", &[]);
    assert_eq!((first.status, cookies(&first).len()), (200, 1));
    let id = first.header("x-user").unwrap();
    assert_eq!(ask(&server, "/small.txt?2", &[&sent(&cookies(&first)[0])]).header("x-user"), Some(id));
    let url = server.url("/small.txt?h2");
    let out = curl(&["-s", "-D", "-", "--http2-prior-knowledge", "-b", sent(&cookies(&first)[0]).strip_prefix("Cookie: ").unwrap(), "-b", "a=1", &url]).out;
    assert!(out.contains("HTTP/2 200") && out.to_ascii_lowercase().contains(&format!("x-user: {}\r", id.to_ascii_lowercase())), "{out}");
    assert_eq!(ask(&server, "/missing", &[]).status, 404);
    // The access log knows the user also where another page of the server answers.
    let cookie = sent(&cookies(&first)[0]);
    assert_eq!(ask(&server, "/missing?error", &[&cookie]).status, 404);
    assert_eq!(ask(&server, "/acted?elsewhere", &[&cookie]).status, 200);
    for path in ["/missing?error", "/acted?elsewhere"] {
        assert!(server.logged(path).ends_with(&format!("mod_qos_user_id={id}")), "{}", server.access_log());
    }
    server.stop();
}

/// The page of the flow with a script: it asks for the cookie, looks whether it is there, and goes on.
const SCRIPT_PAGE: &str = "<!DOCTYPE html><title>check</title><p id=said>checking</p>\n<script>\n\
    var request = new XMLHttpRequest();\n\
    request.onload = function() {\n\
      if (document.cookie.indexOf('<!--#echo encoding=\"none\" var=\"QS_UT_NAME\" -->=') >= 0) {\n\
        location.replace('<!--#echo encoding=\"none\" var=\"QS_UT_INITIAL_URI\" -->');\n\
      } else { document.getElementById('said').textContent = 'no cookies'; }\n\
    };\n\
    request.open('GET', '?<!--#echo encoding=\"none\" var=\"QS_UT_QUERY\" -->');\n\
    request.send();\n</script>\n";

fn script_server() -> Server {
    let server = serving("QS_UserTrackingCookieName uid /check.shtml jsredirect\nAddType text/html .html\n").start();
    std::fs::write(server.docs().join("check.shtml"), SCRIPT_PAGE).unwrap();
    server
}

/// The flow with a script, step by step.
#[test]
fn the_flow_with_a_script() {
    let server = script_server();
    let first = ask(&server, "/index.html?a=1", &[]);
    assert_eq!((first.status, cookies(&first).len()), (302, 0), "the script asks for the cookie");
    let path = first.header("location").unwrap().split(&format!(":{}", server.port())).nth(1).unwrap().to_owned();
    let page = ask(&server, &path, &[]);
    assert!(
        page.text().contains("location.replace('/index.html?a=1')") && page.text().contains("indexOf('uid=')") && page.text().contains("'?qs=init'"),
        "{page:?}"
    );
    assert_eq!((page.status, cookies(&page).len()), (200, 0));
    let init = ask(&server, "/check.shtml?qs=init", &[]);
    let set = cookies(&init);
    assert_eq!((init.status, init.header("cache-control"), set.len()), (200, Some("no-cache, no-store"), 2));
    assert!(set[0].starts_with("uid=") && set[0].contains("; Path=/; Max-Age=25920000; HttpOnly; SameSite=Lax"), "{set:?}");
    // A second cookie of the same name tells the script, on this page alone; the real one is not for scripts.
    assert_eq!(set[1], "uid=1; Path=/check.shtml; Max-Age=60; SameSite=Lax");
    let both = format!("Cookie: uid=1; {}", set[0].split(';').next().unwrap());
    assert_eq!(ask(&server, "/index.html?a=1", &[&both]).status, 200);
    assert_eq!(ask(&server, &path, &[&both]).header("location"), Some(format!("http://localhost:{}/index.html?a=1", server.port()).as_str()));
    // W39: a body would be lost on the way.
    assert_eq!(send(&server, "POST", "/cgi/env", &["Content-Length: 0"]).status, 200);
    // A script of somebody else does not get into the page.
    let hostile = ask(&server, "/x?'+alert(1)+'</script>", &[]);
    let path = hostile.header("location").unwrap().split(&format!(":{}", server.port())).nth(1).unwrap().to_owned();
    let text = ask(&server, &path, &[]).text();
    assert!(text.contains("location.replace('/x?%27+alert(1)+%27%3C/script%3E')"), "{text}");
    server.stop();
}

/// Both flows in a browser that takes cookies, and in one whose cookies are blocked.
#[test]
fn in_a_browser() {
    if Browser::program().is_none() {
        assert!(std::env::var_os("CI").is_none(), "chromium is missing");
        eprintln!("skipped: chromium is not installed (make setup)");
        return;
    }
    let limit = Duration::from_secs(15);
    for script in [false, true] {
        let server = if script { script_server() } else { start(serving("QS_UserTrackingCookieName uid /check.html\n")) };
        let mut browser = Browser::start(server.root(), 800, 600);
        let url = format!("http://localhost:{}/index.html?a=1", server.port());
        browser.load(&url);
        assert!(wait_until(limit, || browser.evaluate("document.title + ' ' + location.href") == format!("lab {url}")), "{script}: {}", server.access_log());
        assert_eq!(browser.evaluate("document.cookie"), "", "{script}: no script of the site sees the cookie");
        let first = server.access_log().lines().count();
        browser.load(&format!("http://localhost:{}/small.txt", server.port()));
        assert!(wait_until(limit, || server.access_log().contains("GET /small.txt HTTP/1.1\" 200")), "{script}: {}", server.access_log());
        let log = server.access_log();
        let users = log.lines().skip(first).filter_map(|line| line.split("mod_qos_user_id=").nth(1)).collect::<std::collections::HashSet<_>>();
        assert_eq!(users.len(), 1, "{script}: {log}");
        assert!(!log.lines().skip(first).any(|line| line.contains("mod_qos_ev=u;")), "{script}: {log}");

        drop(browser);
        let mut browser = Browser::start_without_cookies(server.root(), 800, 600);
        browser.load(&format!("http://localhost:{}/index.html?b=2", server.port()));
        let text = if script { "no cookies" } else { "please enable cookies" };
        assert!(wait_until(limit, || browser.evaluate("document.body.innerText").contains(text)), "{script}: {}", browser.evaluate("document.body.innerText"));
        // Its connections would make the server wait.
        drop(browser);
        server.stop();
    }
}
