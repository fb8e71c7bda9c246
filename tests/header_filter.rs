//! Headers that may pass (filters.md sections 8, 15.7, 16.6 and 16.7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::{Builder, Module, Mpm, RawClient, Response, Server, configtest, wait_until};
use qos_core::header_filter::{REQUEST, RESPONSE};

const VECTORS: &str = include_str!("../crates/qos-core/src/header_filter/vectors.txt");
const CLIENTS: &str = include_str!("../crates/qos-core/src/header_filter/clients.txt");
/// Tells of a request which message was the last one about it.
const NOTES: &str = "AcceptFilter http none\nHeader always set X-Notes \"expr=%{env:QS_ErrorNotes}\"\n<Directory @ROOT@/cgi>\nCGIPassAuth On\n</Directory>\nAllowEncodedSlashes On\n";

fn serving(config: &str) -> Builder {
    Server::builder().log_level("warn").config(NOTES).config("ScriptAlias /size/ @ROOT@/cgi/\nScriptAlias /off/ @ROOT@/cgi/\n").config(config)
}

/// A request with these header lines and no others, on a connection of its own.
fn ask(server: &Server, method: &str, path: &str, headers: &[impl AsRef<str>]) -> Response {
    send(server, method, path, headers, "")
}

/// The same, with what follows the head.
fn send(server: &Server, method: &str, path: &str, headers: &[impl AsRef<str>], body: &str) -> Response {
    let lines = headers.iter().map(|line| format!("{}\r\n", line.as_ref())).collect::<String>();
    let host = if lines.to_ascii_lowercase().lines().any(|line| line.starts_with("host:")) { "" } else { "Host: localhost\r\n" };
    let mut client = RawClient::options().timeout(Duration::from_secs(20)).connect(server.addr()).unwrap();
    client.send(format!("{method} {path} HTTP/1.1\r\n{host}{lines}\r\n{body}")).unwrap();
    client.tcp().shutdown(std::net::Shutdown::Write).unwrap();
    client.read_response().unwrap_or_else(|error| panic!("{path} {lines}: {error}"))
}

fn environment(response: &Response, name: &str) -> Option<String> {
    response.text().lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// `pass`, `drop` or `deny`; `other` where httpd refuses the request by itself.
fn verdict(response: &Response) -> &'static str {
    match (response.status, response.header("x-notes").unwrap_or_default()) {
        (403, "043") => "deny",
        (200, "042") => "drop",
        // A condition that is not met was looked at.
        (200 | 206 | 304 | 412, "") => "pass",
        _ => "other",
    }
}

/// `a*3` stands for aaa, `a,*2a` for a,a,a.
fn expanded(value: &str) -> String {
    match value.strip_prefix("a*").map(str::parse).or(value.strip_prefix("a,*").map(|rest| rest.trim_end_matches('a').parse())) {
        Some(Ok(times)) if value.starts_with("a,") => "a,".repeat(times) + "a",
        Some(Ok(times)) => "a".repeat(times),
        _ => value.to_owned(),
    }
}

/// Those that httpd refuses itself in the head of a request; modules set them where it does not.
const REFUSED_BY_HTTPD: [&str; 5] = ["H44", "H45", "H46", "H68", "H106"];

/// Section 16.6.
#[test]
fn vectors_of_request_headers() {
    let server = serving(
        "HttpProtocolOptions Unsafe\nQS_RequestHeaderFilter on\n<Location /size>\nQS_RequestHeaderFilter Size\n</Location>\n<Location /off>\nQS_RequestHeaderFilter off\n</Location>",
    )
    .start();
    // One that reads its body: mod_cgid wants to get rid of it.
    program(&server, "read", "cat > /dev/null\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env");
    for row in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [id, name, value, on, size] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        // The body of H43 never comes; see below.
        if REFUSED_BY_HTTPD.contains(&id) || id == "H43" {
            continue;
        }
        let value = expanded(value);
        let body = match name {
            "Content-Length" => "x".repeat(123),
            "Transfer-Encoding" => "3\r\nabc\r\n0\r\n\r\n".to_owned(),
            _ => String::new(),
        };
        let program = if body.is_empty() { "env" } else { "read" };
        for (path, expected) in [(format!("/cgi/{program}"), on), (format!("/size/{program}"), size)] {
            // A port that is none is refused unless the target names the host; the header stays what it is.
            let target = if id == "H74" { format!("http://localhost{path}") } else { path.clone() };
            let response = send(&server, if body.is_empty() { "GET" } else { "POST" }, &target, &[format!("{name}: {value}")], &body);
            assert_eq!(verdict(&response), expected, "{id} {path}: {name}: {value}");
            let variable = match name {
                "Content-Type" => "CONTENT_TYPE".to_owned(),
                "Content-Length" => "CONTENT_LENGTH".to_owned(),
                _ => format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")),
            };
            // What does not reach programs in any case.
            if response.status == 200 && !["Proxy-Authorization", "Expect"].contains(&name) {
                let left = (expected == "pass").then(|| value.clone());
                assert_eq!(environment(&response, &variable), left, "{id} {path}: {name}: {value}");
            }
        }
    }
    // H43: denied before any of its body has come.
    let mut held = server.client();
    held.send("POST /cgi/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 12345678901\r\n\r\n").unwrap();
    server.expect_line("mod_qos(043): access denied, request header: 'Content-Length: 12345678901', (pattern=^[0-9]+\\\\z, max. length=10), c=127.0.0.1, id=*");
    held.reset().unwrap();
    // Content-Length as httpd lets it pass, with a body.
    let mut client = server.client();
    let response = client.request("POST", "/cgi/upload", &[], b"123").unwrap();
    assert_eq!((verdict(&response), response.text().as_str()), ("pass", "3\n"));
    client.send("POST /cgi/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n").unwrap();
    let response = client.read_response().unwrap();
    assert_eq!((verdict(&response), response.text().as_str()), ("pass", "3\n"));
    client.send("POST /cgi/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 00000000003\r\n\r\nabc").unwrap();
    assert_eq!(verdict(&client.read_response().unwrap()), "deny");
    assert_eq!(verdict(&ask(&server, "GET", "/off/env", &["X-Custom: 1", "DNT: 12345"])), "pass");
}

/// Section 16.6, what httpd refuses when a client sends it: 400 for lengths that are none and codings that do not end with chunked, 417 for an expectation
/// other than 100-continue. A module can set it, and the filter judges what is there: mod_headers sets it early here, and takes it away again before
/// anybody reads a body by it.
#[test]
fn vectors_that_httpd_refuses() {
    const NAMES: [&str; 3] = ["Content-Length", "Expect", "Transfer-Encoding"];
    let host = |(n, name): (usize, &str)| {
        format!(
            "<VirtualHost *:@PORT{}@>\nScriptAlias /cgi/ @ROOT@/cgi/\nScriptAlias /size/ @ROOT@/cgi/\nRequestHeader set {name} \"expr=%{{unescape:%{{QUERY_STRING}}}}\" early\n\
             <Location />\nSetEnvIf {name} ^(.+)$ LEFT=$1\nRequestHeader unset {name}\n</Location>\n</VirtualHost>\n",
            n + 1
        )
    };
    let hosts = NAMES.into_iter().enumerate().map(host).collect::<String>();
    let server = serving(&format!("LimitRequestBody 0\nQS_RequestHeaderFilter on\n<Location /size>\nQS_RequestHeaderFilter size\n</Location>\n{hosts}"))
        .vhost_ports(3)
        .start();
    let mut rows = 0;
    for row in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [id, name, value, on, size] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        // Those that httpd lets pass are judged in the same way.
        let Some(host) = NAMES.iter().position(|known| *known == name) else { continue };
        let query = value.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        for (path, expected) in [("/cgi/env", on), ("/size/env", size)] {
            let mut client = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(host + 1)).into()).unwrap();
            client.send(format!("GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap();
            client.tcp().shutdown(std::net::Shutdown::Write).unwrap();
            let response = client.read_response().unwrap_or_else(|error| panic!("{id}: {error}"));
            // Before httpd answers it reads the body, and finds the length or coding wrong itself then.
            let found = if (response.status, response.header("x-notes")) == (400, Some("043")) { "deny" } else { verdict(&response) };
            assert_eq!(found, expected, "{id} {path}: {name}: {value}: {}", server.error_log());
            let left = (expected == "pass").then(|| value.to_owned());
            assert_eq!(environment(&response, "LEFT"), left, "{id} {path}: {name}: {value}");
        }
        if REFUSED_BY_HTTPD.contains(&id) {
            let sent = ask(&server, "GET", "/cgi/env", &[format!("{name}: {value}")]);
            assert!([400, 417].contains(&sent.status) && sent.header("x-notes").unwrap_or_default().is_empty(), "{id}: {}", sent.status);
            rows += 1;
        }
    }
    assert_eq!(rows, REFUSED_BY_HTTPD.len());
}

/// What today's clients send passes, whether rules drop or deny.
#[test]
fn what_clients_send_passes() {
    let quoted = |pattern: &str| pattern.replace('\\', "\\\\").replace('"', "\\\"");
    let deny = REQUEST.iter().flat_map(|rules| rules.iter());
    let deny = deny.map(|rule| format!("QS_RequestHeaderFilterRule {} deny \"{}\" {}\n", rule.name, quoted(rule.pattern), rule.max)).collect::<String>();
    for rules in ["", deny.as_str()] {
        let server = serving(&format!("QS_RequestHeaderFilter on\n{rules}")).start();
        for block in CLIENTS.split("\n== ").skip(1) {
            let (client, headers) = block.split_once('\n').unwrap();
            let (method, path) = client.rsplit_once(": ").unwrap().1.split_once(' ').unwrap();
            let response = ask(&server, method, path, &headers.lines().collect::<Vec<_>>());
            assert!(response.header("x-notes").unwrap_or_default().is_empty(), "{client}: {}", server.error_log());
            // Some methods are none for a file.
            let expected: &[u16] = match method {
                "GET" => &[200, 206, 304],
                _ => &[200, 405, 501],
            };
            assert!(expected.contains(&response.status), "{client}: {} {}", response.status, response.text());
        }
        assert!(server.lines("042").is_empty() && server.lines("043").is_empty(), "{}", server.error_log());
        // Something that is denied, so that the rules are there.
        assert_eq!(verdict(&ask(&server, "GET", "/cgi/env", &["DNT: x"])), if rules.is_empty() { "drop" } else { "deny" });
    }
}

/// Example 15.7: what is logged, and what else follows.
#[test]
fn headers_are_dropped_and_requests_denied() {
    let config = "QS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule X-Custom deny \"^[0-9]{1,3}$\" 3\nQS_RequestHeaderFilterRule DNT drop ^[0-9]+$ 3\n\
                  SetEnvIf X-Foo . SERVER_SAW_IT\n<Location /cgi>\nSetEnvIf X-Foo . LOCATION_SAW_IT\n</Location>\n<VirtualHost *:@PORT1@>\nQS_RequestHeaderFilter off\nScriptAlias /cgi/ @ROOT@/cgi/\n</VirtualHost>\n\
                  <VirtualHost *:@PORT2@>\nScriptAlias /cgi/ @ROOT@/cgi/\n<Location /cgi/env>\nQS_RequestHeaderFilter off\n</Location>\n</VirtualHost>";
    let server = serving(config).vhost_ports(2).log_env(&["mod_qos_ev", "QS_ErrorNotes"]).start();
    let from = "127.0.0.1";
    let response = ask(&server, "GET", "/cgi/env?1", &["X-Foo: 1", "Accept: */*", "x-foo: 2", "DNT: 1234"]);
    let shown = |name| environment(&response, name);
    assert_eq!((verdict(&response), shown("HTTP_X_FOO"), shown("HTTP_DNT"), shown("HTTP_ACCEPT").as_deref()), ("drop", None, None, Some("*/*")));
    // mod_setenvif of a location sees what is left.
    assert_eq!((shown("SERVER_SAW_IT").as_deref(), shown("LOCATION_SAW_IT")), (Some("1"), None));
    server.expect_line(&format!("mod_qos(042): drop request header: 'X-Foo: 1, 2', (no rule available), c={from}, id=*"));
    server.expect_line(&format!("mod_qos(042): drop request header: 'DNT: 1234', (pattern=^[0-9]+$, max. length=3), c={from}, id=*"));
    assert!(server.logged("/cgi/env?1").ends_with("QS_ErrorNotes=042"));

    // The header before is neither logged nor removed.
    let before = server.lines("042").len();
    assert_eq!(verdict(&ask(&server, "GET", "/cgi/env?2", &["X-Bar: 1", "X-Custom: ab"])), "deny");
    server.expect_line(&format!("mod_qos(043): access denied, request header: 'X-Custom: ab', (pattern=^[0-9]{{1,3}}$, max. length=3), c={from}, id=*"));
    assert_eq!(server.lines("042").len(), before);
    assert!(server.logged("/cgi/env?2").contains("mod_qos_ev=D; QS_ErrorNotes=043"), "{}", server.logged("/cgi/env?2"));
    assert_eq!(verdict(&ask(&server, "GET", "/cgi/env", &["X-Custom: 12"])), "pass");
    assert_eq!(verdict(&ask(&server, "GET", "/cgi/env", &["X-Custom: 1234"])), "deny");

    // FW-23a.
    let secrets = [
        "Authorization: Basic aHVudGVyMjpodW50ZXIy<",
        "Cookie: sid=hunter2|",
        "X-Session-Token: hunter2",
        "X-Upstream: Bearer hunter2",
        "Proxy-Authorization: {hunter2}",
        "Ocp-Apim-Subscription-Key: hunter2",
        "X-PIN: hunter2",
        "X-Original-URL: /a?password=hunter2",
        "X-Forwarded-Uri: /a%3Ftoken=hunter2",
        "X-Rewrite-URL: https://user:hunter2@h/b#<hunter2>",
        "X-Note: see https://h/?code=hunter2",
    ];
    assert_eq!(verdict(&ask(&server, "GET", "/cgi/env?3", &secrets)), "drop");
    server.expect_line(&format!("mod_qos(042): drop request header: 'X-Session-Token: (7 bytes)', (no rule available), c={from}, id=*"));
    server.expect_line(&format!("mod_qos(042): drop request header: 'X-Rewrite-URL: https://h/b (23 bytes left out)', (no rule available), c={from}, id=*"));
    let log = server.error_log();
    assert!(!log.contains("hunter2") && !log.contains("aHVudGVyMj") && log.contains("'Cookie: (12 bytes)'"), "{log}");

    // Virtual hosts, and locations in them.
    for (k, path, expected) in [(1, "/cgi/env", "1"), (2, "/cgi/env", "1"), (2, "/cgi/upload", "")] {
        let mut client = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(k)).into()).unwrap();
        let response = client.request("GET", path, &["X-Foo: 1"], b"").unwrap();
        assert_eq!(environment(&response, "HTTP_X_FOO").unwrap_or_default(), expected, "{k} {path}");
    }
}

/// E3: a value for which a pattern takes too long breaks the rule, also if the pattern would match in the end.
#[test]
fn patterns_that_take_too_long() {
    let config = "QS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule X-Deny deny ^(?:(a+)+\\1|a+c)$ 3000\nQS_RequestHeaderFilterRule X-Drop drop ^(?:(a+)+\\1|a+c)$ 3000\n\
                  <Location /cgi/slow-header>\nQS_ResponseHeaderFilter on\n</Location>\nQS_ResponseHeaderFilterRule X-Out ^(?:(a+)+\\1|a+c)$ 3000";
    let server = serving(config).start();
    let long = "a".repeat(2000) + "c";
    for (name, value, expected) in [("X-Deny", "aac", "pass"), ("X-Deny", &long, "deny"), ("X-Drop", "aac", "pass"), ("X-Drop", &long, "drop")] {
        assert_eq!(verdict(&ask(&server, "GET", "/cgi/env", &[format!("{name}: {value}")])), expected, "{name}: {value}");
    }
    for (value, expected) in [("aac", Some("aac")), (&long, None)] {
        script(&server, "slow-header", &format!("X-Out: {value}\\r\\n"));
        assert_eq!(ask(&server, "GET", "/cgi/slow-header", &[] as &[&str]).header("x-out"), expected, "{value}");
    }
}

/// Lines do not fill a disk: 20 in a second, the rest is summed up.
#[test]
fn many_headers_are_summed_up() {
    let server = serving("QS_RequestHeaderFilter on\nLimitRequestFields 200").mpm(Mpm::Worker).processes(1).start();
    let headers = (0..150).map(|n| format!("X-{n}: {}", "v".repeat(1000))).collect::<Vec<_>>();
    assert_eq!(verdict(&ask(&server, "GET", "/cgi/env", &headers)), "drop");
    let lines = server.lines("042");
    assert!((20..45).contains(&lines.len()), "{lines:#?}");
    assert!(lines.iter().all(|line| line.len() < 500));
    let summed = || {
        ask(&server, "GET", "/cgi/env", &["X-A: 1"]);
        server.lines("042").iter().any(|line| line.contains("drop request header (previously), message repeated 1"))
    };
    assert!(wait_until(Duration::from_secs(10), summed), "{}", server.error_log());
}

#[test]
fn log_only_changes_nothing() {
    let config = "QS_LogOnly on\nQS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule X-A deny ^1$ 3\nQS_RequestHeaderFilterRule X-B deny ^1$ 3\n<Location />\nQS_ResponseHeaderFilter on\n</Location>";
    let server = serving(config).log_env(&["mod_qos_ev"]).start();
    script(&server, "headers", "X-Powered-By: php\\r\\n");
    let response = ask(&server, "GET", "/cgi/headers", &["X-A: 2", "X-C: 3", "X-B: 4"]);
    assert_eq!((response.status, response.header("x-powered-by")), (200, Some("php")));
    for line in [
        "mod_qos(043): access denied (log only), request header: 'X-A: 2', (pattern=^1$, max. length=3), c=127.0.0.1, id=*",
        "mod_qos(043): access denied (log only), request header: 'X-B: 4', (pattern=^1$, max. length=3), c=127.0.0.1, id=*",
        "mod_qos(042): drop request header (log only): 'X-C: 3', (no rule available), c=127.0.0.1, id=*",
        "mod_qos(042): drop response header (log only): 'X-Powered-By: php', (no rule available), c=127.0.0.1, id=*",
    ] {
        server.expect_line(line);
    }
    assert!(server.logged("/cgi/headers").contains("mod_qos_ev=D;"));
    assert_eq!(environment(&ask(&server, "GET", "/cgi/env", &["X-A: 2", "X-C: 3"]), "HTTP_X_C").as_deref(), Some("3"));
}

/// Streams of HTTP/2 are requests as others are, cookies in pieces included.
#[test]
fn headers_of_streams_are_filtered() {
    let server = serving("QS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule X-A deny ^1$ 3").http2().start();
    let url = server.url("/cgi/env");
    let said = |headers: &[&str]| curl(&[&["-i", "--http2-prior-knowledge"], headers, &[url.as_str()]].concat()).out;
    let dropped = said(&["-H", "X-Foo: 1", "-H", "Accept-Language: de", "-H", "Cookie: a=1; b=2"]);
    assert!(dropped.starts_with("HTTP/2 200") && dropped.contains("x-notes: 042") && !dropped.contains("HTTP_X_FOO"), "{dropped}");
    assert!(dropped.contains("HTTP_ACCEPT_LANGUAGE=de\n") && dropped.contains("HTTP_COOKIE=a=1; b=2\n"), "{dropped}");
    let denied = said(&["-H", "X-A: 2"]);
    assert!(denied.starts_with("HTTP/2 403") && denied.contains("x-notes: 043"), "{denied}");
}

/// A backend that answers everything and keeps what it was sent, connection by connection.
fn backend() -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
            // All of the requests here end so.
            while !bytes.ends_with(b"<end>") && !bytes.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => bytes.extend_from_slice(&piece[..length]),
                }
            }
            kept.lock().unwrap().push(bytes);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    (port, seen)
}

/// No rule changes where a request ends: what would have to remove the header denies the request, and the backend sees no bodies as requests.
#[test]
fn headers_that_frame_a_request_are_not_removed() {
    let (port, seen) = backend();
    let config = format!(
        "ProxyPass /outer http://127.0.0.1:{port}/outer disablereuse=on\nQS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule Content-Length drop ^[0-9]{{1,2}}$ 5\n\
         QS_RequestHeaderFilterRule transfer-encoding drop ^identity$ 50\nQS_UnsetReqHeader Content-Length\nQS_UnsetReqHeader Transfer-Encoding\n\
         SetEnvIf Host . V=0\nQS_SetReqHeader !Content-Length V\nQS_SetReqHeader Content-Length V late\nQS_SetReqHeader !Transfer-Encoding V late"
    );
    let server = serving(&config).load("proxy").load("proxy_http").start();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\nX-Pad: <end>";
    let long = format!("{inner}{}<end>", "-".repeat(100));
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let post = |framing: &str, body: &str| {
        let mut client = RawClient::options().timeout(Duration::from_secs(20)).connect(server.addr()).unwrap();
        client.send(format!("POST /outer HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n{body}")).unwrap();
        let first = client.read_response().unwrap();
        client.tcp().shutdown(std::net::Shutdown::Write).unwrap();
        // Nothing of the body is answered as a request.
        assert!(client.read_response().is_err(), "{framing}");
        first.status
    };
    for (framing, body, status) in [
        (format!("Content-Length: {}\r\n", inner.len()), inner, 200),
        (format!("Content-Length: {}\r\n", long.len()), &long, 403),
        (format!("Content-Length: 000{}\r\n", inner.len()), inner, 403),
        // Two of them are refused by httpd, or by the rule.
        (format!("Content-Length: {0}\r\nContent-Length: {0}\r\n", inner.len()), inner, 400),
        (format!("Content-Length: {0}, {0}\r\n", inner.len()), inner, 400),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunked, 403),
        ("TRANSFER-ENCODING: Chunked\r\n".to_owned(), &chunked, 403),
        // Names that resemble them reach nobody; nothing stands in them for the end of this request.
        (format!("Content-Length: {}\r\nTransfer_Encoding: chunked\r\nContent_Length: 3\r\n", inner.len()), inner, 200),
        (format!("Content-Length: {}\r\nTransfer-Encoding : chunked\r\n", inner.len()), inner, 400),
        (format!("Content-Length: {}\r\nTransfer-Encoding\x0b: chunked\r\n", inner.len()), inner, 400),
    ] {
        assert_eq!(post(&framing, body), status, "{framing}: {}", server.error_log());
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2, "{:#?}", seen.iter().map(|request| String::from_utf8_lossy(request)).collect::<Vec<_>>());
    for request in seen.iter().map(|request| String::from_utf8_lossy(request)) {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /outer ") && head.contains(&format!("Content-Length: {}", inner.len())) && body == inner, "{request}");
        assert!(!head.to_ascii_lowercase().replace('_', "-").contains("transfer-encoding"), "{request}");
    }
    drop(seen);
    let log = server.error_log();
    for line in [
        "QS_RequestHeaderFilterRule Content-Length drop: requests that break the rule are denied",
        "QS_RequestHeaderFilterRule Transfer-Encoding drop: requests that break the rule are denied",
        "QS_UnsetReqHeader Content-Length has no effect",
        "QS_UnsetReqHeader Transfer-Encoding has no effect",
        "QS_SetReqHeader Content-Length has no effect",
        "QS_SetReqHeader Transfer-Encoding has no effect",
    ] {
        assert!(log.contains(&format!("mod_qos(009): {line}")), "{line}: {log}");
    }
    assert!(server.lines("042").iter().all(|line| line.contains("_Encoding") || line.contains("_Length")), "{:?}", server.lines("042"));
}

/// A denial has a page, as any other.
#[test]
fn denials_have_an_error_page() {
    let server = serving("QS_RequestHeaderFilter on\nQS_RequestHeaderFilterRule X-A deny ^1$ 3\nQS_ErrorPage /small.txt\nQS_ErrorResponseCode 406").start();
    let response = ask(&server, "GET", "/cgi/env", &["X-A: 2"]);
    let page = ask(&server, "GET", "/small.txt", &["X-A: 1"]);
    assert_eq!((response.status, response.header("x-notes"), response.text()), (406, Some("043"), page.text()));
}

fn program(server: &Server, name: &str, commands: &str) {
    let path = server.root().join("cgi").join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{commands}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A program that answers with these header lines.
fn script(server: &Server, name: &str, lines: &str) {
    program(server, name, &format!("printf 'Content-Type: text/html\\r\\n{lines}\\r\\nbody\\n'"));
}

/// Section 16.7, with headers of programs, which httpd keeps in another table (FW-24), and of files.
#[test]
fn response_headers() {
    let config = "<Location /cgi>\nQS_ResponseHeaderFilter On\n</Location>\n<Location /size>\nQS_ResponseHeaderFilter silent\n</Location>\n\
                  <Location /small.txt>\nQS_ResponseHeaderFilter on\n</Location>\nQS_ResponseHeaderFilterRule Last-Modified ^never$ 100\n\
                  QS_ResponseHeaderFilterRule X-Own ^[0-9]+$ 3\nErrorDocument 404 /cgi/plain\n\
                  # One in the other table than those of programs: both go by their name (R10).\nHeader add Set-Cookie b=1 early";
    let server = serving(config).start();
    let seen = |name: &str, lines: &str, header: &str| {
        script(&server, name, lines);
        let response = ask(&server, "GET", &format!("/cgi/{name}"), &[] as &[&str]);
        let status = if lines.starts_with("Status: 302") { 302 } else { 200 };
        assert_eq!((response.status, response.text().as_str()), (status, "body\n"), "{name}");
        let there = response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
        let dropped = response.header("x-notes") == Some("042");
        assert_ne!(there, dropped, "{name}: {:?}", response.headers);
        there
    };
    let high = (0x80..=0xff).map(|byte| format!("\\{byte:o}")).collect::<String>();
    for (id, lines, header, passes) in [
        ("r1", "", "Content-Type", true),
        ("r2", "X-Powered-By: x\\r\\n", "X-Powered-By", false),
        ("r4", "Set-Cookie: %04000d\\r\\n", "Set-Cookie", true),
        ("r4b", "Set-Cookie: %04001d\\r\\n", "Set-Cookie", false),
        ("r5", "Content-Security-Policy: %08000d\\r\\n", "Content-Security-Policy", true),
        ("r5b", "Content-Security-Policy: %08001d\\r\\n", "Content-Security-Policy", false),
        // R6 with Server is that of a backend, below: httpd puts its own in the place of a program's.
        ("r6", "ETag: a\\tb\\r\\n", "ETag", false),
        ("r7", "ETag: \\r\\n", "ETag", true),
        ("r8", &format!("Status: 302 Found\\r\\nLocation: http://a/{high}\\r\\n"), "Location", true),
        ("r9", "Referrer-Policy: no-referrer\\r\\n", "Referrer-Policy", true),
        ("r10", "Set-Cookie: a=1\\r\\nSet-Cookie: %04001d\\r\\n", "Set-Cookie", false),
        ("r12", "X-Frame-Options: DENY\\r\\n", "X-Frame-Options", true),
        ("own", "X-Own: 123\\r\\n", "X-Own", true),
        ("own2", "X-Own: a\\r\\n", "X-Own", false),
        ("plain", "", "Content-Type", true),
    ] {
        assert_eq!(seen(id, lines, header), passes, "{id}");
    }
    server.expect_line("mod_qos(042): drop response header: 'X-Powered-By: x', (no rule available), c=127.0.0.1, id=*");
    assert!(!seen("secret", "X-Redirect: https://user:hunter2@h/a?token=hunter2\\r\\n", "X-Redirect"));
    assert!(server.error_log().contains("'X-Redirect: https://h/a (27 bytes left out)'") && !server.error_log().contains("hunter2"), "{}", server.error_log());
    assert!(server.error_log().contains("drop response header: 'Set-Cookie: (4001 bytes)'"), "{}", server.error_log());
    // R3: silent.
    let before = server.lines("042").len();
    let response = ask(&server, "GET", "/size/r2", &[] as &[&str]);
    assert_eq!((response.status, response.header("x-powered-by"), response.header("x-notes").unwrap_or_default()), (200, None, ""));
    assert_eq!(server.lines("042").len(), before);
    assert_eq!(ask(&server, "GET", "/off/r2", &[] as &[&str]).header("x-powered-by"), Some("x"));
    // A file, and the target of an internal redirect.
    let response = ask(&server, "GET", "/small.txt", &[] as &[&str]);
    assert_eq!((response.status, response.header("last-modified"), response.header("etag").is_some()), (200, None, true));
    script(&server, "plain", "X-Powered-By: y\\r\\n");
    let response = ask(&server, "GET", "/missing", &[] as &[&str]);
    assert_eq!((response.status, response.header("x-powered-by"), response.text().as_str()), (404, None, "body\n"));
}

/// Section 16.7, of a backend: its name for itself, and the other rows whose headers httpd treats in its own way when a program sends them.
#[test]
fn response_headers_of_a_backend() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let high = (0x80..=0xff).collect::<Vec<u8>>();
    let rows: Vec<(&str, &str, Vec<u8>, bool)> = vec![
        ("r6", "Server", b"a\tb".to_vec(), false),
        ("r6b", "Server", b"a b".to_vec(), true),
        ("r7", "ETag", b"".to_vec(), true),
        ("r8", "Location", [b"http://a/".as_slice(), &high].concat(), true),
        ("r5", "Content-Security-Policy", vec![b'a'; 8000], true),
        ("r5b", "Content-Security-Policy", vec![b'a'; 8001], false),
    ];
    let answers = rows.iter().map(|(id, name, value, _)| (format!("/back/{id} "), name.to_string(), value.clone())).collect::<Vec<_>>();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (mut head, mut piece) = (Vec::new(), [0; 4096]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => head.extend_from_slice(&piece[..length]),
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            if let Some((_, name, value)) = answers.iter().find(|(path, ..)| head.contains(path.as_str())) {
                let answer = [b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n", name.as_bytes(), b": ", value, b"\r\n\r\nok"].concat();
                let _ = stream.write_all(&answer);
            }
        }
    });
    let config = format!(
        "ProxyPass /back/ http://127.0.0.1:{port}/back/ disablereuse=on responsefieldsize=20000\n<Location /back>\nQS_ResponseHeaderFilter on\n</Location>"
    );
    let server = serving(&config).load("proxy").load("proxy_http").start();
    for (id, name, value, passes) in rows {
        let response = ask(&server, "GET", &format!("/back/{id}"), &[] as &[&str]);
        assert_eq!((response.status, response.text().as_str()), (201, "ok"), "{id}: {}", server.error_log());
        let value = String::from_utf8_lossy(&value).into_owned();
        let there = response.headers.iter().any(|(found, sent)| found.eq_ignore_ascii_case(name) && *sent == value);
        let dropped = response.header("x-notes") == Some("042");
        assert_eq!((there, dropped), (passes, !passes), "{id}: {:?}", response.headers);
    }
    // httpd names itself instead. `*` is a wildcard in what is expected of lines.
    let said = r"mod_qos(042): drop response header: 'Server: a\\x09b', (pattern=^[\\x20-\\xff]*\\z, max. length=4000), c=127.0.0.1, id=";
    assert!(server.lines("042").iter().any(|line| line.starts_with(said)), "{:#?}", server.lines("042"));
}

/// One line per rule at start, at `LogLevel debug`; and remarks about patterns.
#[test]
fn rules_are_listed_at_start() {
    let config = "QS_RequestHeaderFilter off\nQS_RequestHeaderFilterRule X-Me deny [0-9] 3\n<Location />\nQS_ResponseHeaderFilter off\n</Location>\n";
    let server = serving(config).log_level("debug").start();
    let log = server.error_log();
    let listed = |direction: &str| log.lines().filter(|line| line.contains(&format!("mod_qos(): {direction} header filter rule ("))).count();
    assert_eq!(listed("request"), REQUEST.iter().map(|rules| rules.len()).sum::<usize>() + 1);
    assert_eq!(listed("response"), RESPONSE.iter().map(|rules| rules.len()).sum::<usize>());
    assert!(log.contains("mod_qos(): request header filter rule (deny) X-Me: [0-9] max=3"), "{log}");
    assert!(log.contains("mod_qos(): request header filter rule (drop) DNT: ^[0-9]+"), "{log}");
    assert!(log.contains("mod_qos(009): QS_RequestHeaderFilterRule X-Me: a pattern that does not begin with ^ and end with $"), "{log}");
    let wrong = configtest(Mpm::Event, "QS_RequestHeaderFilterRule X drop \"^(a\" 3").unwrap_err();
    assert!(wrong.contains("QS_RequestHeaderFilterRule: '^(a' is not a regular expression (at character 3: missing closing parenthesis)"), "{wrong}");
    // Without a filter nothing is loaded.
    let server = Server::builder().module(Module::Ours).log_level("debug").start();
    assert!(!server.error_log().contains("header filter rule"));
}
