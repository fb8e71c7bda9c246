use super::*;
use crate::token::{Purpose, Secret};
use proptest::prelude::*;

/// 2026-11-25 06:40 UTC.
const NOW: i64 = 1_795_588_800;
const DAY: i64 = 86_400;

fn keys(purpose: Purpose) -> Keys {
    Keys::derive(purpose, b"uid", &[Secret::new(b"secret")])
}

fn token(at: i64, id: &[u8]) -> String {
    cookie(&keys(Purpose::Tracking), &[1; NONCE_BYTES], at, id).unwrap()
}

fn user(values: &[&[u8]], now: i64) -> User {
    User::of(values, &keys(Purpose::Tracking), now)
}

#[test]
fn months_of_the_calendar() {
    for (seconds, expected) in [
        (0, (1970, 1)),
        (-1, (1969, 12)),
        (NOW, (2026, 11)),
        (951_782_399, (2000, 2)),
        (951_868_800, (2000, 3)),
        (1_798_761_599, (2026, 12)),
        (1_798_761_600, (2027, 1)),
        (4_107_542_399, (2100, 2)),
        (4_107_542_400, (2100, 3)),
    ] {
        assert_eq!(month(seconds), expected, "{seconds}");
    }
}

#[test]
fn a_cookie_is_renewed_in_another_month() {
    let id = b"awaERdDu9SOl0a36IpMJwwAAAIA";
    let of = |at, now| user(&[token(at, id).as_bytes()], now);
    assert_eq!(of(NOW, NOW), User::Known(id.to_vec()));
    assert_eq!(of(NOW - 24 * DAY, NOW), User::Known(id.to_vec()));
    assert_eq!(of(NOW - 25 * DAY, NOW), User::Renewed(id.to_vec()));
    assert_eq!(of(NOW, NOW + 300 * DAY), User::Renewed(id.to_vec()));
    // The original takes one of the same month a year ago for a new one; browsers drop it after 300 days, and so do we.
    assert_eq!(of(NOW, NOW + 300 * DAY + 1), User::New);
    assert_eq!(of(NOW, NOW + 365 * DAY), User::New);
}

/// Who changes the secret keeps the users that come back meanwhile.
#[test]
fn cookies_of_an_older_secret_are_renewed() {
    let both = Keys::derive(Purpose::Tracking, b"uid", &[Secret::new(b"new"), Secret::new(b"secret")]);
    assert_eq!(User::of(&[token(NOW, b"id").as_bytes()], &both, NOW), User::Renewed(b"id".to_vec()));
}

#[test]
fn worthless_cookies_are_none() {
    assert_eq!(user(&[], NOW), User::New);
    assert_eq!(user(&[b"", b"garbage", b"1"], NOW), User::New);
    let session = keys(Purpose::Session).seal(&[2; NONCE_BYTES], NOW, 600, b"", b"").unwrap();
    let check = check_token(&keys(Purpose::Check), &[3; NONCE_BYTES], NOW, b"/a").unwrap();
    assert_eq!(user(&[session.as_bytes(), check.as_bytes()], NOW), User::New);
    assert_eq!(user(&[b"1", token(NOW, b"id").as_bytes()], NOW), User::Known(b"id".to_vec()));
    assert_eq!(cookie(&keys(Purpose::Tracking), &[4; NONCE_BYTES], NOW, b""), None);
    assert_eq!(cookie(&keys(Purpose::Tracking), &[4; NONCE_BYTES], NOW, &[b'a'; MOST_ID + 1]), None);
}

fn way(js_redirect: bool, request: &str, repeatable: bool, has_cookie: bool) -> Way {
    let tracking = Tracking { name: b"uid".to_vec(), page: Some(b"/check.html".to_vec()), js_redirect, ..Tracking::default() };
    let (path, query) = request.split_once('?').map_or((request, None), |(path, query)| (path, Some(query.as_bytes())));
    let asked = Asked { path: path.as_bytes(), query, repeatable, has_cookie };
    tracking.way(&asked, |token| (token == b"T").then(|| b"/a?b=1".to_vec()))
}

fn page(init: bool, initial: &str) -> Way {
    Way::Page { init, initial: initial.as_bytes().to_vec() }
}

#[test]
fn the_plain_flow() {
    assert_eq!(way(false, "/a?b=1", true, false), Way::ToPage { set_cookie: true });
    assert_eq!(way(false, "/check.html?r=T", true, true), Way::Back(b"/a?b=1".to_vec()));
    assert_eq!(way(false, "/check.html?r=T", true, false), page(false, "/a?b=1"));
    assert_eq!(way(false, "/check.html?r=X", true, true), page(false, "/"));
    assert_eq!(way(false, "/check.html", true, true), page(false, "/"));
    assert_eq!(way(false, "/check.html?qs=init", true, true), page(false, "/"));
    assert_eq!(way(false, "/a", true, true), Way::On);
    assert_eq!(way(false, "/a", false, false), Way::On);
    assert_eq!(way(false, "/favicon.ico", true, false), Way::On);
    assert_eq!(Tracking::default().way(&Asked { path: b"/a", query: None, repeatable: true, has_cookie: false }, |_| None), Way::On);
}

#[test]
fn the_flow_with_a_script() {
    assert_eq!(way(true, "/a?b=1", true, false), Way::ToPage { set_cookie: false });
    assert_eq!(way(true, "/check.html?r=T", true, false), page(false, "/a?b=1"));
    assert_eq!(way(true, "/check.html?qs=init", true, false), page(true, "/"));
    assert_eq!(way(true, "/check.html?qs=init&x", true, false), page(false, "/"));
    assert_eq!(way(true, "/check.html?r=T", true, true), Way::Back(b"/a?b=1".to_vec()));
    // W39: the body of a POST would be lost.
    assert_eq!(way(true, "/a", false, false), Way::On);
}

#[test]
fn targets_stay_on_the_server() {
    let target = |path: &str, query: Option<&str>| String::from_utf8(safe_target(path.as_bytes(), query.map(str::as_bytes))).unwrap();
    assert_eq!(target("/a", Some("b=1&c=%20")), "/a?b=1&c=%20");
    assert_eq!(target("/a", Some("")), "/a?");
    for path in ["//evil.example/x", "/\\evil.example/x", "\\\\evil.example/x", "/\\/evil.example/x"] {
        assert_eq!(target(path, None), "/evil.example/x", "{path}");
    }
    assert_eq!(target("", None), "/");
    assert_eq!(target("/a'\"<script>", Some("x='+alert(1)+'")), "/a%27%22%3Cscript%3E?x=%27+alert(1)+%27");
    assert_eq!(target(&format!("/{}", "a".repeat(MOST_TARGET)), None), "/");
    let keys = keys(Purpose::Check);
    let read = |target: &[u8], now| check_target(&keys, check_token(&keys, &[5; NONCE_BYTES], NOW, target).unwrap().as_bytes(), now);
    assert_eq!(read(b"/a?b=1", NOW + DAY), Some(b"/a?b=1".to_vec()));
    assert_eq!((read(b"/a", NOW + DAY + 1), read(b"//h", NOW), read(b"/\\h", NOW), read(b"h", NOW), read(b"/a b", NOW)), (None, None, None, None, None));
}

#[test]
fn authorities() {
    let parse = |text: &'static str| Authority::parse(text.as_bytes()).map(|found| (std::str::from_utf8(found.host).unwrap(), found.port));
    assert_eq!(parse("www.example.org"), Some(("www.example.org", None)));
    assert_eq!(parse("www.example.org:8080"), Some(("www.example.org", Some(8080))));
    assert_eq!(parse("[::1]:8080"), Some(("[::1]", Some(8080))));
    assert_eq!(parse("[::1]"), Some(("[::1]", None)));
    assert_eq!(parse("h:"), Some(("h", None)));
    for text in ["", ":80", "h:x", "h:99999", "h:-1", "[::1", "[::1]x", "a/b", "a b", "a@b", "a\r\nb", "[x]"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn base_urls() {
    let url = |scheme: &str, default_port: u16, port: u16, asked: Option<&str>| {
        let site = Site { scheme: scheme.as_bytes(), default_port, name: b"www.example.org", port };
        let alias = |name: &[u8]| name.eq_ignore_ascii_case(b"alias.example.org") || glob(b"*.wild.example", name);
        String::from_utf8(base_url(&site, asked.map(str::as_bytes), alias, |port| port == 8080 || port == 443)).unwrap()
    };
    assert_eq!(url("https", 443, 443, Some("www.example.org")), "https://www.example.org");
    assert_eq!(url("http", 80, 80, Some("WWW.example.org:8080")), "http://WWW.example.org:8080");
    assert_eq!(url("http", 80, 80, Some("alias.example.org:8080")), "http://alias.example.org:8080");
    assert_eq!(url("http", 80, 80, Some("a.wild.example")), "http://a.wild.example");
    // A name or a port of the client's choice.
    assert_eq!(url("http", 80, 80, Some("evil.example")), "http://www.example.org");
    assert_eq!(url("http", 80, 80, Some("www.example.org:81")), "http://www.example.org");
    assert_eq!(url("http", 80, 8080, Some("[::1]:81")), "http://www.example.org:8080");
    assert_eq!(url("http", 80, 8080, Some("evil/x.wild.example")), "http://www.example.org:8080");
    assert_eq!(url("http", 80, 0, None), "http://www.example.org");
    assert_eq!(url("http", 80, 443, None), "http://www.example.org:443");
}

#[test]
fn aliases_with_wildcards() {
    for (pattern, name, expected) in [
        ("*.example.org", "a.example.org", true),
        ("*.example.org", "A.B.EXAMPLE.ORG", true),
        ("*.example.org", "example.org", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*", "", true),
        ("", "a", false),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
    ] {
        assert_eq!(glob(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
    }
}

proptest! {
    /// Whatever a client asks for: the way back is a page of this server.
    #[test]
    fn any_target_is_safe(path in "[/\\\\a:'\" \u{e4}]{0,20}", query in proptest::option::of("[a=&'\"<>]{0,10}")) {
        let target = safe_target(path.as_bytes(), query.as_ref().map(String::as_bytes));
        prop_assert!(target.starts_with(b"/") && !target.starts_with(b"//") && target.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\".contains(byte)));
        let keys = keys(Purpose::Check);
        let token = check_token(&keys, &[6; NONCE_BYTES], NOW, &target).unwrap();
        prop_assert_eq!(check_target(&keys, token.as_bytes(), NOW), Some(target));
    }

    #[test]
    fn globs_are_those_of_a_model(pattern in "[ab*?]{0,6}", name in "[ab]{0,6}") {
        fn model(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern, name) {
                ([], []) => true,
                ([b'*', rest @ ..], _) => model(rest, name) || (!name.is_empty() && model(pattern, &name[1..])),
                ([b'?', rest @ ..], [_, left @ ..]) => model(rest, left),
                ([a, rest @ ..], [b, left @ ..]) => a == b && model(rest, left),
                _ => false,
            }
        }
        prop_assert_eq!(glob(pattern.as_bytes(), name.as_bytes()), model(pattern.as_bytes(), name.as_bytes()));
    }
}
