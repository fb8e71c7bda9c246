//! Deny and permit rules about bodies (filters.md sections 5, 7.6, 15.5, 15.8, 15.9, 16.3 and 16.4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{RawClient, Server, wait_until};
use std::time::Duration;

#[allow(dead_code, reason = "its targets are asked elsewhere")]
#[path = "../crates/qos-core/src/filter/vectors.rs"]
mod vectors;

const FROM: &str = "127.0.73.1";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=b1";
const JSON: &str = "Content-Type: application/json";
const PLAIN: &str = "Content-Type: text/plain";
const NO_TYPE: &str = "X-None: 1";
const GZIP: &str = "Content-Encoding: gzip";
/// gzip of `a=<script`.
const SCRIPT: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xb4\xb5\x29\x4e\x2e\xca\x2c\x28\x01\x00\x5a\x2e\x59\x71\x09\x00\x00\x00";

/// What curl sends for `-F f=@a,b`.
const FILES: &str = "--b2\r\nContent-Disposition: attachment; filename=\"a\"\r\nContent-Type: text/plain\r\n\r\n1\r\n--b2--\r\n";
/// As many programs for Android do.
const STARS: &[u8] = b"--*****\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n--*****--\r\n";

/// A request, and the rule or message that denies it.
struct Row {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: Vec<&'static str>,
    body: Vec<u8>,
    expected: Option<&'static str>,
}

fn post(name: &'static str, target: &'static str, header: &'static str, body: &[u8], expected: Option<&'static str>) -> Row {
    Row { name, method: "POST", target, headers: vec![header], body: body.to_vec(), expected }
}

fn get(name: &'static str, target: &'static str, header: &'static str, expected: Option<&'static str>) -> Row {
    Row { method: "GET", ..post(name, target, header, b"", expected) }
}

fn part(header: &str, value: &str) -> Vec<u8> {
    format!("--b1\r\nContent-Disposition: form-data; {header}\r\n\r\n{value}\r\n--b1--\r\n").into_bytes()
}

fn field(value: &str) -> Vec<u8> {
    part("name=\"f\"", value)
}

/// Multiparts in multiparts.
fn nested(levels: u32) -> Vec<u8> {
    let inner = (2..=levels).rev().fold(b"Content-Disposition: form-data; name=\"f\"\r\n\r\nx".to_vec(), |inner, level| {
        let head = format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
        [head.as_bytes(), &inner, format!("\r\n--b{level}--\r\n").as_bytes()].concat()
    });
    [b"--b1\r\n", inner.as_slice(), b"\r\n--b1--\r\n"].concat()
}

/// Section 16.3.
fn forms() -> Vec<Row> {
    let (app, pad) = ("/app/post", "x".repeat(1500));
    vec![
        post("B1", app, FORM, b"a=1&b=2", None),
        post("B2", app, FORM, b"a=1&b=%3Cscript", Some("qu2")),
        post("B3", app, FORM, b"a=drop+table", Some("qu1")),
        post("B4", app, FORM, b"a=50%", Some("046")),
        post("B5", app, FORM, b"a=1\0&b=<script", Some("qu2")),
        post("B6", app, FORM, b"=<script", Some("qu2")),
        post("B7", app, FORM, b"\x80n=<script", Some("qu2")),
        post("B8", app, FORM, format!("a=exec&b=({pad}").as_bytes(), Some("qu3")),
        get("B9", "/app/post?=<script", FORM, Some("qu2")),
        post("B10", app, NO_TYPE, b"a=<script", Some("qu2")),
        post("B11", app, PLAIN, b"a=<script", Some("qu2")),
        Row { headers: vec![FORM, GZIP], ..post("B12", app, FORM, SCRIPT, Some("048")) },
        Row { headers: vec![FORM, GZIP, "X-Inflate: 1"], ..post("B13", app, FORM, SCRIPT, Some("qu2")) },
        Row { headers: vec![FORM, "Transfer-Encoding: chunked"], ..post("B14", app, FORM, b"3\r\na=<\r\n3\r\nscr\r\n3\r\nipt\r\n0\r\n\r\n", Some("qu2")) },
        post("B15", app, MULTIPART, &field("hello"), None),
        post("B16", app, MULTIPART, &field("<script"), Some("qu2")),
        post("B17", app, MULTIPART, &field("%3Cscript"), Some("qu2")),
        post("B18", app, MULTIPART, &field("100% sure"), None),
        post("B19", app, MULTIPART, &part("name=\"f\"; filename=\"<script.jpg\"", "x"), Some("qu2")),
        post("B20", app, MULTIPART, &part("name=\"f\"; filename=\"a.jpg\"", "x<script"), Some("qu2")),
        post("B21", app, MULTIPART, b"--b1\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n<script\r\n", Some("048")),
        post("B22", app, MULTIPART, b"<script", Some("048")),
        post(
            "B23",
            app,
            MULTIPART,
            b"--b1\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--b1 \r\nContent-Disposition: form-data; name=\"g\"\r\n\r\n<script\r\n--b1--\r\n",
            Some("qu2"),
        ),
        post("B24", app, MULTIPART, &part("x=y", "x"), Some("048")),
        post("B25", app, "Content-Type: multipart/form-data", &field("x"), Some("048")),
        post("B26a", app, MULTIPART, &nested(4), None),
        post("B26b", app, MULTIPART, &nested(5), Some("048")),
        post("B27", app, MULTIPART, &field("a\0<script"), Some("qu2")),
        post("B28", app, MULTIPART, &[b"<script\r\n".as_slice(), &field("x")].concat(), Some("qu2")),
        post("B29", app, MULTIPART, &part("name=\"f\"\r\nContent-Transfer-Encoding: base64", "PHNjcmlwdA=="), Some("qu2")),
        post("B30", "/app/post?a=1", FORM, b"b=2", None),
        post("B31", "/shop/item", FORM, b"id=42", None),
        post("B32", "/shop/item?id=1", FORM, b"id=42", Some("041")),
        post("B33", "/shop/search", FORM, b"q=two+words", None),
        post("B34", "/shop/search", FORM, b"q=a\n", None),
        post("B35", "/shop/item", PLAIN, b"id=42&evil=1", None),
        post("B36", app, "Content-Type: application/x-www-form-urlencoded, text/plain", b"a=1", Some("048")),
        // Example 15.5.
        get("15.5a", "/shop/item?id=12", NO_TYPE, None),
        get("15.5b", "/shop/item?id=12&x=1", NO_TYPE, Some("041")),
        post("15.5c", "/shop/item", FORM, b"id=12", None),
        post("15.5d", "/shop/item", FORM, b"id=12&x=1", Some("041")),
    ]
}

/// What readers of forms understand differently.
fn evasions() -> Vec<Row> {
    let (app, item, search) = ("/app/post", "/shop/item", "/shop/search");
    let hidden = |headers: &str, value: &str| part(&format!("name=\"f\"\r\n{headers}"), value);
    let words = |value: &str| part("name=\"q\"", value);
    let nested = "--b2\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nok\r\n--b2--";
    vec![
        post("nested, a plain value", app, MULTIPART, &hidden("Content-Type: multipart/mixed; boundary=b2", &format!("%3Cscript\r\n{nested}")), Some("qu2")),
        post("nested, permitted", search, MULTIPART, &words("ok"), None),
        post("nested, not permitted", search, MULTIPART, &part("name=\"evil\"\r\nContent-Type: multipart/mixed; boundary=b2", nested), Some("041")),
        post("nested without a name, not permitted", search, MULTIPART, &part("x=y\r\nContent-Type: multipart/mixed; boundary=b2", nested), Some("041")),
        post("LF among CRLF", app, MULTIPART, &field("x\n--b1\nContent-Disposition: form-data; name=\"g\"\n\ny"), Some("048")),
        post("NUL in a header", app, MULTIPART, &hidden("\0", "x"), Some("048")),
        post("a header without a colon", app, MULTIPART, &hidden(";filename=x", "x"), Some("048")),
        post("CR in a header", app, MULTIPART, &part("name=\"f\"\rX: y", "x"), Some("048")),
        post("pieces of a file name", app, MULTIPART, &part("name=\"f\"; filename*0=\"<scr\"; filename*1=\"ipt\"", "x"), Some("048")),
        post("words behind the type", item, "Content-Type: application/x-www-form-urlencoded foo", b"evil=1", Some("048")),
        post("no ; before the boundary", item, "Content-Type: multipart/form-data boundary=b1", &field("x"), Some("048")),
        post("UTF-7", item, "Content-Type: application/x-www-form-urlencoded; charset=utf-7", b"id=1", Some("048")),
        post("preamble", search, MULTIPART, &[b"x\r\n".as_slice(), &words("ok")].concat(), Some("041")),
        post("epilogue", search, MULTIPART, &[words("ok"), b"x".to_vec()].concat(), Some("041")),
        post("parts behind the end", search, MULTIPART, &[words("ok"), field("x")].concat(), Some("048")),
        post("no type", item, NO_TYPE, b"id=1&evil=1", Some("041")),
        post("a form without fields", app, MULTIPART, b"--b1--\r\n", None),
        post("a form without fields, permitted", item, MULTIPART, b"--b1--\r\n", None),
        post("a type of old readers", item, "Content-Type: application/x-url-encoded", b"id=1&evil=1", Some("041")),
        post("an encoded name of a file", app, MULTIPART, &part("name=\"f\"; filename=\"=?utf-8?B?PHNjcmlwdA==?=\"", "x"), Some("qu2")),
        post("an encoded name", search, MULTIPART, &part("name=\"=?utf-8?Q?q?=\"", "ok"), Some("041")),
        post("files of one field", app, MULTIPART, &part("name=\"f\"\r\nContent-Type: multipart/mixed; boundary=b2", FILES), None),
        post("files of one field, not permitted", search, MULTIPART, &part("name=\"q\"\r\nContent-Type: multipart/mixed; boundary=b2", FILES), Some("041")),
        post("a boundary of other characters", app, "Content-Type: multipart/form-data;boundary=*****", STARS, None),
        post("JSON of another type", app, "Content-Type: application/vnd.api+json", br#"{"q":"\u003cscript"}"#, Some("qu2")),
        post("JSON without a type", app, NO_TYPE, br#"{"q":"\u003cscript"}"#, Some("qu2")),
        post("JSON as text", app, PLAIN, br#"["\u003cscript"]"#, Some("qu2")),
    ]
}

/// Section 16.4.
fn json() -> Vec<Row> {
    let app = "/app/api";
    let levels = |n: usize| [b"[".repeat(n).as_slice(), b"1", &b"]".repeat(n)].concat();
    let long = [b"{\"".as_slice(), &b"k".repeat(6000), b"\":[", &b"1,".repeat(4999), b"1]}"].concat();
    vec![
        post("J1", app, JSON, br#"{"q":"ok"}"#, None),
        post("J2", app, JSON, br#"{"q":"<script"}"#, Some("qu2")),
        post("J3", app, JSON, br#"{"<script":1}"#, Some("qu2")),
        post("J4", app, JSON, br#"["1 union select 2"]"#, Some("qu1")),
        post("J5", app, JSON, br#""<script""#, Some("qu2")),
        post("J6", app, JSON, br#"{"q":"\u003cscript"}"#, Some("qu2")),
        post("J7", app, JSON, br#"{"q":"<scr\u0069pt"}"#, Some("qu2")),
        post("J8", app, JSON, br#"{"q":"%3cscript"}"#, Some("qu2")),
        post("J9", app, JSON, br#"{"a":1}{"q":"<script"}"#, Some("048")),
        post("J10", app, JSON, br#"{"a":1, <script "b":2}"#, Some("048")),
        post("J11", app, JSON, br#"{"a":1, <script"#, Some("048")),
        post("J12", app, JSON, br#"{"a":1,}"#, Some("048")),
        post("J13", app, JSON, b"{}", None),
        post("J14", app, JSON, br#"{"a":[]}"#, None),
        post("J15", app, JSON, br#"{"a":""}"#, None),
        post("J16", app, JSON, b"{\"a\":\"caf\xc3\xa9\"}", None),
        post("J17", app, JSON, b"{\"a\":\"\xff\"}", Some("048")),
        post("J18", app, JSON, br#"{"a":"x\\"}"#, None),
        post("J19", app, JSON, br#"{"a":"x\"y"}"#, None),
        post("J20", app, JSON, br#"{"a":tru}"#, Some("048")),
        post("J21", app, JSON, br#"{"a":01}"#, Some("048")),
        post("J22", app, JSON, br#"{"a":1e5}"#, None),
        post("J23", app, JSON, b"{\"a\":\"\0\"}", Some("048")),
        post("J24a", app, JSON, &levels(79), None),
        post("J24b", app, JSON, &levels(80), Some("048")),
        post("J25", app, JSON, &long, Some("048")),
        post("J26", "/app/api?s=12", JSON, br#"{"a":1}"#, None),
        get("J27", "/app/api?{\"q\":\"<script\"}", JSON, Some("qu2")),
        get("J28", "/app/api?[1]&q=<script", JSON, Some("qu2")),
        post("J29", app, "Content-Type: application/vnd.api+json", br#"{"q":"<script"}"#, Some("qu2")),
    ]
}

fn serving(config: &str) -> Server {
    let config = format!("HttpProtocolOptions Unsafe\nAcceptFilter http none\nSetEnvIf X-Inflate . QS_DeflateReqBody\n{config}");
    Server::builder().load("deflate").config(vectors::CONFIGURATION).config(&config).start()
}

fn ask(server: &Server, row: &Row) -> u16 {
    let mut client: RawClient = server.client_from(FROM);
    let chunked = row.headers.iter().any(|header| header.starts_with("Transfer-Encoding"));
    let length = if chunked || row.body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", row.body.len()) };
    let headers = row.headers.iter().map(|header| format!("{header}\r\n")).collect::<String>();
    client.send(format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}{length}\r\n", row.method, row.target)).unwrap();
    client.send(&row.body).unwrap();
    client.read_response().unwrap_or_else(|error| panic!("{}: {error}: {}", row.name, server.error_log())).status
}

const IDS: [&str; 4] = ["040", "041", "046", "048"];

/// Each row of the tables, with and without JSON as a registered type (J30).
#[test]
fn the_tables_of_the_specification() {
    for config in ["PARP_BodyData application/json", ""] {
        let server = serving(config);
        for (number, row) in forms().into_iter().chain(json()).chain(evasions()).enumerate() {
            // A rule writes 20 lines a second.
            if number % 15 == 14 {
                std::thread::sleep(Duration::from_millis(1100));
            }
            let before = IDS.map(|id| server.lines(id).len());
            let status = ask(&server, &row);
            assert_eq!(status, if row.expected.is_some() { 403 } else { 404 }, "{}: {}", row.name, server.error_log());
            let lines = IDS.map(|id| server.lines(id));
            let new = lines.iter().zip(before).flat_map(|(lines, before)| lines[before..].iter()).collect::<Vec<_>>();
            match row.expected {
                None => assert!(new.is_empty(), "{}: {new:?}", row.name),
                Some(id) if IDS.contains(&id) => assert!(new.len() == 1 && new[0].starts_with(&format!("mod_qos({id}): ")), "{}: {new:?}", row.name),
                Some(rule) => assert!(new.len() == 1 && new[0].contains(&format!(" rule id: {rule} (")), "{}: {new:?}", row.name),
            }
        }
        assert!(!server.error_log().contains("drop+table") && !server.error_log().contains("b=2"), "nothing of a body is logged");
    }
}

/// Section 13.5: values that are not URL-encoded are matched as they are and decoded once, also where no further passes are made.
#[test]
fn decoded_once() {
    let server = serving("<Location /once>\nQS_Decoding once\nQS_DenyQueryBody on\nQS_DenyQuery +s deny <script\n</Location>");
    for (name, header, body, status) in [
        ("a value as it is", MULTIPART, field("<script"), 403),
        ("a value, decoded", MULTIPART, field("%3Cscript"), 403),
        ("a value, decoded twice", MULTIPART, field("%253Cscript"), 404),
        ("JSON, decoded", JSON, br#"{"a":"%3cscript"}"#.to_vec(), 403),
        ("a form", FORM, b"a=%3cscript".to_vec(), 403),
        ("a form, decoded twice", FORM, b"a=%253cscript".to_vec(), 404),
    ] {
        assert_eq!(ask(&server, &post(name, "/once/x", header, &body, None)), status, "{name}: {}", server.error_log());
    }
    // QS_Decoding uni counts for a query that is JSON, too.
    let server = serving("<Location /uni>\nQS_Decoding uni\nQS_PermitUriBody on\nQS_PermitUri +p deny \"^/uni/x\\?J_a0_v=A$\"\n</Location>");
    assert_eq!(ask(&server, &get("uni", "/uni/x?[\"%u0041\"]", JSON, None)), 404, "{}", server.error_log());
    assert_eq!(ask(&server, &get("uni", "/uni/x?[\"%u0042\"]", JSON, Some("041"))), 403, "{}", server.error_log());
}

/// Section 5.5: values of multipart bodies and strings of JSON are looked at alone, too.
#[test]
fn patterns_with_anchors() {
    let server = serving("<Location /alone>\nQS_DenyQueryBody on\nQS_DenyQuery +a deny ^\\s*evil\nQS_DenyQuery +b deny x=y$\n</Location>");
    let two = [b"--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx=y\r\n".as_slice(), &field("z")].concat();
    for (name, header, body, status) in [
        ("multipart", MULTIPART, field("evil"), 403),
        ("multipart, encoded", MULTIPART, field("%65vil"), 403),
        ("multipart, end", MULTIPART, two, 403),
        ("multipart, within", MULTIPART, field("an evil"), 404),
        ("JSON", JSON, br#"{"a":" evil"}"#.to_vec(), 403),
        ("JSON, escaped", JSON, br#"{"a":"\u0065vil"}"#.to_vec(), 403),
        ("JSON, within", JSON, br#"{"a":"an evil"}"#.to_vec(), 404),
        // A form is one line, as a query is.
        ("a form", FORM, b"a=evil".to_vec(), 404),
    ] {
        assert_eq!(ask(&server, &post(name, "/alone/x", header, &body, None)), status, "{name}: {}", server.error_log());
    }
}

/// Example 15.9: the backend gets what was inspected.
#[test]
fn inflated_bodies() {
    let server = serving("<Location /cgi>\nQS_DenyQueryBody on\nQS_DenyQuery +s deny <script\n</Location>");
    let row = Row { headers: vec![FORM, GZIP, "X-Inflate: 1"], ..post("15.9", "/cgi/post", FORM, SCRIPT, Some("s")) };
    assert_eq!(ask(&server, &row), 403);
}

/// FW-20: who is denied for the head is denied before the body comes, and not asked to send it.
#[test]
fn the_head_is_judged_before_the_body_comes() {
    let server = serving("");
    let mut client = server.client_from(FROM);
    client.send(format!("POST /app/admin HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: 9\r\n\r\n")).unwrap();
    server.expect_line("mod_qos(040): access denied, QS_DenyPath rule id: pa1 (^/app/admin), action=deny, c=127.0.73.1, id=*");
    client.send("a=<script").unwrap();
    assert_eq!(client.read_response().unwrap().status, 403);
    assert_eq!(server.lines("040").len(), 1);
    let mut client = server.client_from(FROM);
    client.send(format!("POST /app/x?<script HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n")).unwrap();
    assert_eq!(client.read_response().unwrap().status, 403);
}

/// Example 15.8, and FW-32: where no body is looked at, none is noted.
#[test]
fn parameters_of_bodies_are_audited_where_they_count() {
    let log = "LogFormat \"%m %{qos-loc}n %{qos-path}n%{qos-query}n\" audit\nCustomLog @ROOT@/audit_log audit\nQS_SetEnvIfParp secret SEEN=1\n<Location /other>\nQS_DenyPath +x deny ^/none\n</Location>";
    let server = serving(log);
    ask(&server, &post("a", "/shop/item", FORM, b"id=%31", None));
    ask(&server, &post("b", "/other/item?a", FORM, b"secret=1", None));
    let read = || std::fs::read_to_string(server.root().join("audit_log")).unwrap_or_default();
    // Notes end at a NUL.
    ask(&server, &post("c", "/shop/item", FORM, b"id=\0&x=1", Some("041")));
    for line in ["POST /shop /shop/item?id=%31", "POST /other /other/item?a", "POST /shop /shop/item?id=%00&x=1"] {
        assert!(wait_until(Duration::from_secs(5), || read().lines().any(|found| found == line)), "{line}: {}", read());
    }
}

/// FD-05: rules that were written for the original.
#[test]
fn permit_rules_see_what_those_of_the_original_do() {
    let server = serving(
        "<Location /same>\nQS_PermitUriBody on\nQS_PermitUriNormalize on\nQS_PermitUri +p deny \"^/same(/.*)?\\?flag=&a=b(&c=d)?$\"\nQS_PermitUri +q deny ^/same$\nQS_DenyQuery +d deny c==d\n</Location>\n\
         <Location /same/not>\nQS_PermitUriNormalize off\n</Location>",
    );
    for row in [
        get("query", "/same?flag&&a==b", FORM, None),
        post("form", "/same?flag&a=b", FORM, b"c==d\n", None),
        post("json", "/same?flag&a=b", JSON, b"{\"c\":1}", Some("041")),
        get("nothing", "/same?&", FORM, None),
        get("deny rules", "/same?flag&a=b&c==d", FORM, Some("d")),
        get("not parsed", "/same?flag&a=b", NO_TYPE, Some("041")),
        post("not parsed either", "/same?flag&a=b", PLAIN, b"x", Some("041")),
        get("the same as it came", "/same?flag=&a=b", NO_TYPE, None),
        get("off", "/same/not?flag&a==b", FORM, Some("041")),
    ] {
        assert_eq!(ask(&server, &row), if row.expected.is_some() { 403 } else { 404 }, "{}: {}", row.name, server.error_log());
        if let Some(expected) = row.expected {
            let said = if expected == "041" { "mod_qos(041)".to_owned() } else { format!("rule id: {expected} (") };
            assert!(server.error_log().lines().last().is_some_and(|line| line.contains(&said)), "{}: {}", row.name, server.error_log());
        }
    }
}

/// FD-11: an access log does not show passwords; rules see them, and the record of an error page shows no more than the others.
#[test]
fn passwords_are_masked() {
    let log = "LogFormat \"%{qos-path}n%{qos-query}n\" audit\nCustomLog @ROOT@/audit_log audit\nQS_MaskQueryParameters Password pin\n\
               QS_SetEnvIfParp password=(sesame) SEEN=$1\nQS_ErrorPage /small.txt\n\
               <Location /seen>\nQS_DenyQueryBody on\nQS_DenyQuery +x deny never\nQS_DenyEvent +e deny SEEN\n</Location>\n<Location /off>\nQS_DenyPath +x deny never\n</Location>";
    let server = serving(log);
    let multipart = part("name=\"password\"", "open");
    for (row, status, line) in [
        (post("form", "/seen/form?pin=1&a=2", FORM, b"b=3&p%61ssword=open&PASSWORD=", None), 404, "/seen/form?pin=***&a=2&b=3&p%61ssword=***&PASSWORD=***"),
        (
            post("json", "/seen/json", JSON, br#"{"user":{"password":"open","name":"x"}}"#, None),
            404,
            "/seen/json?J_o_user_o_password_v=***&J_o_user_o_name_v=x",
        ),
        (post("multipart", "/seen/multipart", MULTIPART, &multipart, None), 404, "/seen/multipart?password=***"),
        (get("query", "/off/query?password=open&b", NO_TYPE, None), 404, "/off/query?password=***&b"),
        (get("semicolon", "/off/semicolon?a;+password=open;b&c", NO_TYPE, None), 404, "/off/semicolon?a;+password=***&c"),
        // FW-32: no body is looked at here, though the rule about parameters reads it.
        (post("no filter", "/off/none?a", FORM, b"password=open", None), 404, "/off/none?a"),
        (post("denied", "/seen/denied", FORM, b"password=sesame", None), 500, "/seen/denied?password=***"),
    ] {
        let response = server.client_from(FROM).request(row.method, row.target, &row.headers, &row.body).unwrap();
        assert_eq!(response.status, status, "{}: {}", row.name, server.error_log());
        let read = || std::fs::read_to_string(server.root().join("audit_log")).unwrap_or_default();
        assert!(wait_until(Duration::from_secs(5), || read().lines().any(|found| found == line)), "{line}: {}", read());
        assert!(!read().contains("open") && !read().contains("sesame"), "{}", read());
    }
}

/// FD-06: a body that nothing takes apart is looked at as it is, or denied.
#[test]
fn bodies_of_unknown_types() {
    let server = serving(
        "<Location /strict>\nQS_DenyQueryBody on\nQS_DenyQuery +s deny <script\nQS_BodyStrict on\n</Location>\n<Location /strict/not>\nQS_BodyStrict off\n</Location>",
    );
    for (name, target, header, body, status) in [
        ("strict", "/strict/x", PLAIN, &b"harmless"[..], 403),
        ("strict form", "/strict/x", FORM, b"a=harmless", 404),
        ("not strict", "/strict/not/x", PLAIN, b"harmless", 404),
        ("looked at", "/strict/not/x", PLAIN, b"a <script> b", 403),
    ] {
        assert_eq!(ask(&server, &post(name, target, header, body, None)), status, "{name}: {}", server.error_log());
    }
    assert_eq!(server.lines("048").len(), 1, "{:?}", server.lines("048"));
}

/// Its number, the query, the body, and the line of parameters or what is wrong.
type JsonVector<'a> = (&'a str, &'a str, &'a [u8], Result<&'a str, &'a str>);

/// Section 7.6, as it is required: the parameters that a permit rule and an access log see, byte by byte, or what is wrong with the text.
#[test]
fn the_vectors_of_json() {
    let levels = |n: usize| [b"[".repeat(n).as_slice(), b"1", &b"]".repeat(n)].concat();
    let deep = format!("J{}_n=1", "_a0".repeat(79));
    let rows: [JsonVector; 28] = [
        ("1", "", br#"{"a":1}"#, Ok("J_o_a_n=1")),
        ("2", "", br#"[1,2,{"x":true},null]"#, Ok("J_a0_n=1&J_a1_n=2&J_a2_o_x_b=true&J_a3_b=null")),
        ("3", "", b"[[1,2],[3]]", Ok("J_a0_a0_n=1&J_a0_a1_n=2&J_a1_a0_n=3")),
        ("4", "", br#"{"a b":"c&d=e"}"#, Ok("J_o_a b_v=c&d=e")),
        ("5", "", br#"{"n":-1.5e+3}"#, Ok("J_o_n_n=-1.5e+3")),
        ("6", "", br#"{"a":"t\t"}"#, Ok(r"J_o_a_v=t\t")),
        ("7", "", br#"{"a":"\u0053ELECT"}"#, Ok(r"J_o_a_v=\u0053ELECT")),
        ("8", "", br#"{"a":"50%41"}"#, Ok("J_o_a_v=50%41")),
        ("9", "", b"123abc", Err("invalid number at byte 3")),
        ("10", "", b"0x10", Err("invalid number at byte 1")),
        ("11", "", br#"{"a":1}{"b":"z"}"#, Err("data behind the value at byte 7")),
        ("12", "", br#"{"a":1, zzz "b":2}"#, Err("name expected at byte 8")),
        ("13", "", br#"{"a":1, zzz"#, Err("name expected at byte 8")),
        ("14", "", b"{", Err("ends too early at byte 1")),
        ("15", "", b"{}", Ok("J_o=")),
        ("16", "", br#"{"a":[]}"#, Ok("J_o_a_a=")),
        ("17", "", br#"{"a":""}"#, Ok("J_o_a_v=")),
        ("18", "", br#"{"a":"x\\","b":"y"}"#, Ok(r"J_o_a_v=x\\&J_o_b_v=y")),
        ("19", "", b"{\"a\":\"caf\xc3\xa9\"}", Ok("J_o_a_v=caf\u{e9}")),
        ("20", "", &levels(79), Ok(&deep)),
        ("21", "", &levels(80), Err("limit: nesting at byte 80")),
        ("22a", "", br#"{"a":1 "b":2}"#, Err("comma expected at byte 7")),
        ("22b", "", b"[1 2]", Err("comma expected at byte 3")),
        ("22c", "", br#"{"a""#, Err("ends too early at byte 4")),
        ("22d", "", br#"{"a" 1}"#, Err("colon expected at byte 5")),
        ("23", "", b"{\"a\":1}\n", Ok("J_o_a_n=1")),
        ("24", "?s=12", br#"{"a":1}"#, Ok("s=12&J_o_a_n=1")),
        ("25", "", b"   ", Err("ends too early at byte 3")),
    ];
    let exactly = |text: &str| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let location = |(name, _, _, expected): &JsonVector| {
        let pattern = exactly(expected.unwrap_or("none"));
        format!("<Location /json/{name}>\nQS_PermitUriBody on\nQS_PermitUri +p deny \"^/json/{name}\\?{pattern}$\"\n</Location>\n")
    };
    // What escapes stand for is looked at by deny rules alone.
    let escapes = "<Location /escapes>\nQS_DenyQueryBody on\nQS_DenyQuery +tab deny ^t\\x09$\nQS_DenyQuery +select deny ^SELECT$\n</Location>\n";
    let log = "LogFormat \"%{qos-path}n%{qos-query}n\" audit\nCustomLog @ROOT@/audit_log audit\n";
    let server = serving(&(rows.iter().map(location).collect::<String>() + escapes + log));
    let read = || std::fs::read_to_string(server.root().join("audit_log")).unwrap_or_default();
    for (name, query, body, expected) in rows {
        let target = format!("/json/{name}");
        let send = || server.client_from(FROM).request("POST", &format!("{target}{query}"), &[JSON], body).unwrap().status;
        match expected {
            Ok(line) => {
                assert_eq!(send(), 404, "{name}: {}", server.error_log());
                let escaped = |byte: u8| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => char::from(byte).to_string(),
                    _ => format!("%{byte:02x}"),
                };
                // What separates parameters stands as it is.
                let noted =
                    |line: &str| line.split_once('=').map(|(name, value)| [name, value].map(|text| text.bytes().map(escaped).collect::<String>()).join("="));
                let parameters = if name == "4" { vec![line] } else { line.split('&').collect() };
                let line = format!("{target}?{}", parameters.into_iter().filter_map(noted).collect::<Vec<_>>().join("&"));
                assert!(wait_until(Duration::from_secs(5), || read().lines().any(|found| found == line)), "{name}: {line}: {}", read());
            }
            Err(reason) => {
                let before = server.lines("048").len();
                assert_eq!(send(), 403, "{name}: {}", server.error_log());
                let lines = server.lines("048");
                let said = format!("mod_qos(048): access denied, invalid request body (JSON: {reason}), type=application/json, action=deny, c={FROM}, id=");
                assert!(lines.len() == before + 1 && lines[before].starts_with(&said), "{name}: {lines:#?}");
            }
        }
    }
    // Whatever is permitted is so for these parameters only.
    assert_eq!(ask(&server, &post("1", "/json/1", JSON, br#"{"a":11}"#, Some("041"))), 403);
    for (name, body, rule) in [("6", br#"{"a":"t\t"}"#.as_slice(), "tab"), ("7", br#"{"a":"\u0053ELECT"}"#, "select")] {
        assert_eq!(ask(&server, &post(name, "/escapes", JSON, body, Some(rule))), 403, "{name}: {}", server.error_log());
        assert!(server.error_log().contains(&format!(" rule id: {rule} (")), "{name}: {}", server.error_log());
    }
}

/// FW-27: what is no rule needs none: encodings, and whether a body is what its type says.
#[test]
fn sections_without_rules() {
    const DENY: &str = "QS_InvalidUrlEncoding deny\n";
    const BODY: &str = "QS_DenyQueryBody on\n";
    const PERMIT: &str = "QS_PermitUriBody on\n";
    let locations = [
        ("deny", DENY.to_owned()),
        ("log", "QS_InvalidUrlEncoding log\n".to_owned()),
        ("off", "QS_InvalidUrlEncoding off\n".to_owned()),
        ("body", BODY.to_owned()),
        ("permit", PERMIT.to_owned()),
        ("both", format!("{DENY}{BODY}")),
        ("strict", format!("{BODY}QS_BodyStrict on\n")),
    ];
    let config = locations.iter().map(|(name, text)| format!("<Location /{name}>\n{text}</Location>\n")).collect::<String>();
    let server = serving(&config);
    for (row, status) in [
        (get("deny, query", "/deny/x?a=%zz", NO_TYPE, Some("046")), 403),
        (get("deny, nothing wrong", "/deny/x?a=%41", NO_TYPE, None), 404),
        (post("deny, a body that nobody looks at", "/deny/x", FORM, b"a=%zz", None), 404),
        (get("log", "/log/x?a=%zz", NO_TYPE, Some("046")), 404),
        (get("off", "/off/x?a=%zz", NO_TYPE, None), 404),
        (post("body, encoding", "/body/x", FORM, b"a=%zz", None), 404),
        (post("body, JSON", "/body/x", JSON, b"{", Some("048")), 403),
        (post("body, JSON that is right", "/body/x", JSON, b"{}", None), 404),
        (post("body, multipart", "/body/x", MULTIPART, b"x", Some("048")), 403),
        (post("permit, JSON", "/permit/x", JSON, b"{", Some("048")), 403),
        (post("permit, multipart", "/permit/x", MULTIPART, b"x", Some("048")), 403),
        (post("permit without rules", "/permit/x", FORM, b"a=1", None), 404),
        (post("both, encoding", "/both/x", FORM, b"a=%zz", Some("046")), 403),
        (post("both, JSON", "/both/x", JSON, b"{", Some("048")), 403),
        (post("both, nothing wrong", "/both/x", FORM, b"a=%41", None), 404),
        (post("strict", "/strict/x", PLAIN, b"x", Some("048")), 403),
    ] {
        let before = IDS.map(|id| server.lines(id).len());
        assert_eq!(ask(&server, &row), status, "{}: {}", row.name, server.error_log());
        let new = IDS.iter().zip(before).flat_map(|(id, before)| vec![*id; server.lines(id).len() - before]).collect::<Vec<_>>();
        assert_eq!(new, row.expected.into_iter().collect::<Vec<_>>(), "{}: {}", row.name, server.error_log());
    }
}
