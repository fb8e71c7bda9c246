//! What rules see of the parameters and the body of a request, and what becomes of bodies that are not understood (filters.md sections 13 and 16.3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use httpd_lab::{Builder, RawClient, Server};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=b1";
const PARSE: &str = "X-Parse: 1";

const RULES: &str = r#"QS_SetEnvIfParp "^([\s\S]*)$" LINE=$1
QS_SetEnvIfParp "(?:^|&)user=([^&]*)" WHO=$1
QS_SetEnvIfParp "(?:^|&)user=([^&]*)" ALSO=<$1>
QS_SetEnvIfParp "USER=" NEVER
QS_SetEnvIfParp "forget" !ALSO
QS_BodyData text/xml application/x-bin
SetEnvIf X-Parse . parp=admin
SetEnvIf X-Off . !parp
QS_SetEnvIfBody "<name>([^<]*)</name>\s*<last>(.)" BODY=[$2,$1]
QS_SetEnvIfBody "(?<=<secret>)[^<]+(?=</secret>)" BODY=$0
QS_SetEnvIfBody "behind\x00(.*)" BODY=$1
QS_SetEnvIfBody "literal" BODY
<VirtualHost *:@PORT1@>
ScriptAlias /cgi/ @ROOT@/cgi/
PARP_ExitOnError 400
QS_BodyData text/plain
QS_SetEnvIfParp "(?:^|&)user=([^&]*)" WHO=host:$1
</VirtualHost>
<VirtualHost *:@PORT2@>
ScriptAlias /cgi/ @ROOT@/cgi/
QS_BodyErrorCode 200
</VirtualHost>
<VirtualHost *:@PORT3@>
ScriptAlias /cgi/ @ROOT@/cgi/
QS_ErrorPage /small.txt
</VirtualHost>"#;

fn parsing() -> Builder {
    Server::builder().config(RULES).vhost_ports(3).log_level("info qos:debug").log_env(&[
        "LINE",
        "WHO",
        "ALSO",
        "NEVER",
        "BODY",
        "parp",
        "mod_qos_ev",
        "QS_ErrorNotes",
    ])
}

/// What the log says of a request, and its status.
fn ask(server: &Server, to: SocketAddr, method: &str, target: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let (path, query) = target.split_once('?').map_or((target, String::new()), |(path, query)| (path, format!("?{query}")));
    let target = format!("{path}/{n}{query}");
    let mut client = RawClient::connect(None, to).unwrap();
    let response = client.request(method, &target, headers, body).unwrap();
    (response.status, server.logged(&target))
}

fn field(line: &str, name: &str) -> String {
    let start = format!(" {name}=");
    let at = line.find(&start).unwrap_or_else(|| panic!("{name} in {line}")) + start.len();
    let rest = &line[at..];
    let end = ["LINE", "WHO", "ALSO", "NEVER", "BODY", "parp", "mod_qos_ev", "QS_ErrorNotes"].iter().filter_map(|next| rest.find(&format!(" {next}="))).min();
    rest[..end.unwrap_or(rest.len())].to_owned()
}

fn multipart(parts: &[(&str, &str)]) -> String {
    let part = |(headers, content): &(&str, &str)| format!("--b1\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n");
    parts.iter().map(part).collect::<String>() + "--b1--\r\n"
}

#[test]
fn parameters_of_the_url_and_of_bodies_are_one_line() {
    let server = parsing().start();
    let fields = multipart(&[("name=user", "a&b 100%"), ("name=f; filename=x.txt", "l1\r\nl2")]);
    for (name, method, target, headers, body, line, parp) in [
        ("B30", "POST", "/cgi/upload?a=1", vec![FORM], "b=2", "a=1&b=2", "mod_qos"),
        ("B1", "POST", "/cgi/upload", vec![FORM], "a=1&b=2", "a=1&b=2", "mod_qos"),
        ("B34", "POST", "/cgi/upload", vec![FORM], "q=a\n", "q=a", "mod_qos"),
        ("FW-17", "POST", "/cgi/upload", vec![FORM], "=x&\u{7f}n=y&&k", "=x&\\x7fn=y&k=", "mod_qos"),
        ("FD-05", "POST", "/cgi/upload?k&&x=", vec![FORM], "y", "k&&x=&y=", "mod_qos"),
        ("no body", "GET", "/small.txt?a=1", vec![FORM], "", "a=1", "mod_qos"),
        ("nothing", "GET", "/small.txt", vec![FORM], "", "", "mod_qos"),
        ("no type", "GET", "/small.txt?a=%31", vec![], "", "a=%31", "-"),
        ("neither", "GET", "/small.txt", vec![], "", "-", "-"),
        ("FW-40: as it came", "POST", "/cgi/upload", vec![FORM], "%75ser=x", "%75ser=x", "mod_qos"),
        ("another type", "POST", "/cgi/upload?q=1", vec!["Content-Type: text/plain"], "a=1", "q=1", "-"),
        ("switched off", "POST", "/cgi/upload?q=1", vec![FORM, "X-Off: 1"], "a=1", "q=1", "-"),
        ("multipart", "POST", "/cgi/upload?q", vec![MULTIPART], &fields, "q&user=a%26b%20100%25&f=l1%0d%0al2", "mod_qos"),
        (
            "FD-12",
            "POST",
            "/cgi/upload?s=12",
            vec!["Content-Type: application/json"],
            r#"{"user":["<x",true]}"#,
            "s=12&J_o_user_a0_v=%3cx&J_o_user_a1_b=true",
            "mod_qos",
        ),
        ("JSON that is none", "POST", "/cgi/upload?s=12", vec!["Content-Type: application/json"], "{", "s=12", "mod_qos"),
        ("DELETE", "DELETE", "/cgi/upload", vec![FORM], "a=1", "a=1", "mod_qos"),
        ("HEAD", "HEAD", "/small.txt", vec![FORM], "a=1", "a=1", "mod_qos"),
    ] {
        let (status, said) = ask(&server, server.addr(), method, target, &headers, body.as_bytes());
        assert!(status == 200 || status == 404, "{name}: {said}\n{}", server.error_log());
        assert_eq!((field(&said, "LINE").as_str(), field(&said, "parp").as_str()), (line, parp), "{name}: {said}\n{}", server.error_log());
    }
    // FW-26: several rules for a pattern; case counts; a later rule removes.
    let (_, said) = ask(&server, server.addr(), "POST", "/cgi/upload?user=url", &[FORM], b"user=body");
    assert_eq!((field(&said, "WHO"), field(&said, "ALSO"), field(&said, "NEVER")), ("url".to_owned(), "<url>".to_owned(), "-".to_owned()));
    let (_, said) = ask(&server, server.addr(), "POST", "/cgi/upload", &[FORM], b"user=a&forget");
    assert_eq!((field(&said, "WHO"), field(&said, "ALSO")), ("a".to_owned(), "-".to_owned()));
    // A virtual host: its rules first, then those of the main server for other patterns.
    let host = (Ipv4Addr::LOCALHOST, server.vhost_port(1)).into();
    let (_, said) = ask(&server, host, "POST", "/cgi/upload", &[FORM], b"user=a");
    assert_eq!((field(&said, "WHO"), field(&said, "ALSO"), field(&said, "LINE")), ("host:a".to_owned(), "-".to_owned(), "user=a".to_owned()));
    assert_eq!(server.count_log("mod_qos(048)"), 0, "{}", server.error_log());
}

/// FW-35, request-event.md W19.
#[test]
fn bodies_of_registered_types_are_searched() {
    let server = parsing().start();
    for (name, headers, body, found) in [
        ("groups over lines", vec!["Content-Type: text/xml; charset=UTF-8", PARSE], "<NAME>me</name>\n\n<last>x", "[x,me]"),
        ("look-around", vec!["Content-Type: text/xml", PARSE], "a\n<secret>s\nt</secret>", "s\\nt"),
        ("behind a NUL", vec!["Content-Type: application/X-BIN", PARSE], "x\0behind\0found", "found"),
        ("no value", vec!["Content-Type: text/xml", PARSE], "LITERAL", ""),
        ("no match", vec!["Content-Type: text/xml", PARSE], "nothing", "-"),
        ("the parser is not active", vec!["Content-Type: text/xml"], "literal", "-"),
        ("the body is empty", vec!["Content-Type: text/xml", PARSE], "", "-"),
        ("a form is no registered type", vec![FORM, PARSE], "literal", "-"),
    ] {
        let (status, said) = ask(&server, server.addr(), "POST", "/cgi/upload", &headers, body.as_bytes());
        assert_eq!((status, field(&said, "BODY").as_str()), (200, found), "{name}: {said}\n{}", server.error_log());
    }
    let part = multipart(&[("name=f\r\nContent-Type: text/xml", "literal")]);
    let (_, said) = ask(&server, server.addr(), "POST", "/cgi/upload", &[MULTIPART, PARSE], part.as_bytes());
    assert_eq!(field(&said, "BODY"), "", "a part of a registered type: {said}");
}

/// B21, B22, B24, B25, B36 and a type without a parser.
#[test]
fn what_is_not_understood_is_denied_and_nothing_of_it_is_logged() {
    const SECRET: &str = "hunter2-in-the-body";
    let server = parsing().start();
    let unnamed = format!("--b1\r\nContent-Disposition: form-data\r\n\r\n{SECRET}\r\n--b1--");
    let open = format!("--b1\r\nContent-Disposition: form-data; name=password\r\n\r\n{SECRET}\r\n");
    let cases = [
        ("B21", MULTIPART, open, "multipart: the closing delimiter is missing", "multipart/form-data"),
        ("B22", MULTIPART, format!("<script {SECRET}"), "multipart: no part", "multipart/form-data"),
        ("B24", MULTIPART, unnamed, "multipart: a part without a name", "multipart/form-data"),
        ("B25", "Content-Type: multipart/form-data", SECRET.to_owned(), "multipart: no usable boundary", "multipart/form-data"),
        (
            "B36",
            "Content-Type: application/x-www-form-urlencoded, text/plain",
            SECRET.to_owned(),
            "several content types",
            "application/x-www-form-urlencoded, text/plain",
        ),
        ("no parser", "Content-Type: text/odd", SECRET.to_owned(), "no parser for this content type", "text/odd"),
    ];
    let [one, two, three] = [1, 2, 3].map(|k| SocketAddr::from((Ipv4Addr::LOCALHOST, server.vhost_port(k))));
    for (n, (name, content_type, body, reason, media)) in cases.iter().enumerate() {
        // All of them at one server; lines of a kind are limited to 20 in a second.
        let hosts = if n < 3 { 4 } else { 1 };
        for (to, status, action, level) in
            [(server.addr(), 403, "deny", "error"), (one, 400, "deny", "error"), (two, 200, "log only", "warn"), (three, 500, "deny", "error")]
                .into_iter()
                .take(hosts)
        {
            let before = server.lines("048").len();
            let (seen, said) = ask(&server, to, "POST", "/cgi/upload", &[content_type, PARSE], body.as_bytes());
            let log = server.error_log();
            assert_eq!(seen, status, "{name} {to}: {said}\n{log}");
            let lines = server.lines("048");
            assert_eq!(lines.len(), before + 1, "{name}: {log}");
            let expected = format!("mod_qos(048): access denied, invalid request body ({reason}), type={media}, action={action}, c=127.0.0.1, id=");
            assert!(lines[before].starts_with(&expected), "{name}: {} is not {expected}", lines[before]);
            assert!(log.lines().rfind(|line| line.contains("mod_qos(048)")).unwrap().contains(&format!("[qos:{level}]")), "{name}: {log}");
            let letters = if status == 200 { "-" } else { "D;" };
            assert_eq!((field(&said, "mod_qos_ev").as_str(), field(&said, "QS_ErrorNotes").as_str()), (letters, "048"), "{name}: {said}");
        }
    }
    assert!(!server.error_log().contains(SECRET), "{}", server.error_log());
}

/// FW-30b.
#[test]
fn in_log_only_mode_bodies_that_are_not_understood_are_served() {
    let server = parsing().config("QS_LogOnly on").start();
    let (status, said) = ask(&server, server.addr(), "POST", "/cgi/upload?q=1", &[MULTIPART], b"no part");
    assert_eq!((status, field(&said, "mod_qos_ev").as_str(), field(&said, "LINE").as_str()), (200, "D;", "q=1"), "{said}\n{}", server.error_log());
    server.expect_line("mod_qos(048): access denied, invalid request body (multipart: no part), type=multipart/form-data, action=log only, c=127.0.0.1, id=*");
}
