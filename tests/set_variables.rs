//! Rules that set variables (request-event.md sections 2.10, 3.3 and 10, W01, W05, W20, W21, W23, W25, example E9).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use httpd_lab::said::by_query;
use httpd_lab::{Builder, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Shows variables as they are when the response begins, and in the access log as they are when it ends.
fn serving(shown: &[&str], config: &str) -> Builder {
    let show = shown.iter().map(|name| format!("Header always set X-{name} \"%{{{name}}}e\"\n")).collect::<String>();
    Server::builder().config(&format!("AcceptFilter http none\nMaxKeepAliveRequests 0\n{show}{config}")).log_env(shown)
}

fn get(client: &mut RawClient, path: &str, headers: &[&str]) -> Response {
    client.request("GET", path, headers, b"").unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `A=1 B=2` of the variables that are set.
fn shown(response: &Response, names: &[&str]) -> String {
    let value = |name: &&str| response.header(&format!("x-{name}")).filter(|value| *value != "(null)").map(|value| format!("{name}={value}"));
    names.iter().filter_map(value).collect::<Vec<_>>().join(" ")
}

/// The variables in the line of the access log.
fn ended(server: &Server, path: &str) -> String {
    let line = server.logged(path);
    line.split(' ').filter(|word| word.contains('=') && !word.contains(['?', '"']) && !word.ends_with("=-")).collect::<Vec<_>>().join(" ")
}

/// A script that answers with these lines.
fn script(server: &Server, name: &str, text: &str) {
    let path = server.root().join("cgi").join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Example E9, and the order of steps, servers and sections.
#[test]
fn rules_are_evaluated_in_their_order() {
    const NAMES: [&str; 10] = ["A", "STEP", "STEP2", "RES", "Q", "E", "N", "IN", "GT", "LATE"];
    let config = "SetEnvIf X-A (.+) A=$1\nSetEnvIf X-B (.+) B=$1\nSetEnvIf X-N (.+) M=$1\n\
                  QS_SetEnvIf !A !B STEP=1\nQS_SetEnvIf STEP !B STEP2=x\nQS_SetEnvIf STEP2=(x) RES=$1y\nQS_SetEnvIf RES STEP !STEP\n\
                  QS_SetEnvIfQuery q=([^&]+) Q=<$1>\nQS_SetEnvIf Q=<(.*)> QQ=$1\nQS_SetEnv E \"${QQ}-${RES}\"\nQS_SetEnvIfQuery number=(.*) N=$1\n\
                  QS_SetEnvIf LATER LATER LATE=1\nQS_SetEnvIfStatus 404 LATER\n\
                  <Location />\nQS_SetEnvIf STEP2 RES IN=outer\nQS_SetEnvIfQuery q=in IN=query\nQS_SetEnvIfCmp N gt M GT=1\nQS_SetEnvIfCmp N lt M !N\n</Location>\n\
                  <Location /inner>\nQS_SetEnvIf IN=^out IN=inner\n</Location>\n\
                  <VirtualHost *:@PORT1@>\nQS_SetEnvIf RES STEP2 RES=host\nQS_SetEnvIfQuery q=([^&]+) q=host\n</VirtualHost>";
    let server = serving(&NAMES, config).vhost_ports(1).start();
    let mut client = server.client_from("127.0.50.1");
    for (path, headers, expected) in [
        ("/small.txt?e9", &[][..], "STEP2=x RES=xy IN=outer"),
        ("/small.txt?with-a", &["X-A: 1"], "A=1"),
        ("/small.txt?with-b", &["X-B: 1"], ""),
        ("/small.txt?q=%41%00", &[], "STEP2=x RES=xy Q=<%41%00> E=%41%00-xy IN=outer"),
        ("/small.txt?q=in", &[], "STEP2=x RES=xy Q=<in> E=in-xy IN=outer"),
        ("/small.txt?q=in&a", &["X-A: 1"], "A=1 Q=<in> IN=query"),
        ("/inner?1", &[], "STEP2=x RES=xy IN=inner LATE=1"),
        ("/small.txt?number=4294967297", &["X-N: 5", "X-A: 0"], "A=0 N=4294967297 GT=1"),
        ("/small.txt?number=-7", &["X-N: 5", "X-A: 0"], "A=0"),
        ("/small.txt?number=b", &["X-N: a", "X-A: 0"], "A=0 N=b GT=1"),
        ("/small.txt?number=3", &["X-A: 0"], "A=0 N=3"),
    ] {
        let response = get(&mut client, path, headers);
        // What a status sets is seen by the second run.
        let first = expected.replace(" LATE=1", "");
        assert_eq!(shown(&response, &NAMES), first, "{path}");
        assert_eq!(ended(&server, path), expected, "{path}: the second run");
    }
    let mut host = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(1)).into()).unwrap();
    let response = get(&mut host, "/small.txt?q=1&host", &[]);
    assert_eq!(shown(&response, &NAMES), "STEP2=x RES=host Q=host IN=outer", "the host's rules come last and replace those of the same key and variable");
}

/// W20, and values that are long, or hard to match: nothing loops, crashes or grows.
#[test]
fn hostile_values_do_no_harm() {
    const NAMES: [&str; 5] = ["X", "LONG", "SLOW", "OK", "DOUBLE"];
    let config = "LimitRequestFieldSize 131072\nLimitRequestLine 131072\nSetEnvIf User-Agent (.+) UA=$1\nSetEnv SECRET s3cret\nQS_SetEnv X \"<${UA}>\"\n\
                  QS_SetEnvIf UA=^(x+)$ LONG=$1\nQS_SetEnvIf UA=^((a+)+)+$ SLOW=$1\nQS_SetEnvIf UA=^(([a-z])+.)+[A-Z]([a-z])+$ SLOW=1\nQS_SetEnvIf UA OK OK=1\n\
                  QS_SetEnvIf UA !NONE OK=1\nQS_SetEnv DOUBLE ${UA}${UA}\nQS_SetEnvIfQuery ((a+)+)+$ SLOW=$1\nQS_SetEnvIfQuery ^(.*)$ Q=$1$1";
    let server = serving(&NAMES, config).log_level("qos:debug").start();
    let mut client = server.client_from("127.0.50.1");
    let sizes = ["X", "LONG", "SLOW", "OK"];
    for hostile in ["${UA}", "${SECRET}", "${X}${UA}", "${UA", "$1\\$0"] {
        let response = get(&mut client, "/small.txt", &[&format!("User-Agent: {hostile}")]);
        assert_eq!(response.header("x-x"), Some(format!("<{hostile}>").as_str()));
    }
    let long = "x".repeat(65_000);
    let response = get(&mut client, "/small.txt?long", &[&format!("User-Agent: {long}")]);
    assert_eq!((response.status, response.header("x-long").map(str::len), response.header("x-double")), (200, Some(65_000), Some("(null)")));
    assert!(server.wait_for_log("mod_qos(): QS_SetEnv DOUBLE: the value is too long and not set", SECONDS(5)), "{}", server.error_log());
    for evil in ["a".repeat(40_000) + "!", "a".repeat(60) + "!", "ab".repeat(20_000)] {
        let response = get(&mut client, "/small.txt?evil", &[&format!("User-Agent: {evil}")]);
        assert_eq!((response.status, response.header("x-slow"), response.header("x-ok")), (200, Some("(null)"), Some("1")), "{:?}", &evil[..60]);
    }
    let response = get(&mut client, &format!("/small.txt?{}!", "a".repeat(60_000)), &[]);
    assert_eq!((response.status, shown(&response, &sizes)), (200, String::new()));
    assert!(server.wait_for_log("QS_SetEnvIf SLOW: the pattern was given up at the match limit (counts as no match)", SECONDS(5)));
}

/// W01, W23: what is set in a redirect chain counts once, for the request that the client sent.
#[test]
fn events_of_error_pages_and_index_files_count() {
    let variables = by_query(&["Bad", "Sub"]);
    let config = format!(
        "{variables}ErrorDocument 404 /page.shtml\nErrorDocument 403 /again\nAddOutputFilter INCLUDES .shtml\nDirectoryIndex page.shtml\nQS_ClientEventBlockCount 1000\n\
         QS_ClientEventLimitCount 1000 600 Login\nQS_SetEnvIfStatus 404 Seen\nQS_SetEnvIf Seen=40(4) QS_Block=$1\nQS_SetEnvIf Bad Bad Login=2\nQS_SetEnvIf Sub Sub QS_Block=100\n\
         QS_SetEnvIfQuery Bad Query=1\nQS_SetEnvIfStatus 410 Tea=1\nQS_SetEnvIf Tea Tea Login_Decrement=1\nQS_SetEnv From \"${{Bad}}\"\n\
         Header always set X-Count \"%{{Login_Counter}}e\"\n\
         <Location /console>\nSetHandler qos-console\n</Location>\n<Location /closed>\nRequire all denied\n</Location>\nRedirect gone /tea"
    );
    let server = serving(&["Query"], &config).start();
    let page = "<!--#echo var=\"From\" -->:<!--#include virtual=\"/small.txt?Sub=1&Bad=1\" -->";
    std::fs::write(server.docs().join("page.shtml"), page).unwrap();
    let state = || {
        let text = server.client_from("127.255.0.1").get("/console?action=search&address=127.0.50.1").unwrap().text();
        text.split(' ').find_map(|word| word.strip_prefix("block=")?.split('/').next().map(str::to_owned)).unwrap_or(text)
    };
    let count = |expected: &str| assert!(wait_until(SECONDS(5), || state() == expected), "{expected}: {}", state());
    let mut client = server.client_from("127.0.50.1");
    // The page is not judged, the status it is served with counts.
    let response = get(&mut client, "/missing?Bad=1", &[]);
    assert_eq!((response.status, response.text().as_str()), (404, "(none):small\n"));
    count("4");
    // Two redirects.
    let response = get(&mut client, "/closed?Bad=1", &[]);
    assert_eq!(response.status, 403);
    count("4");
    let response = get(&mut client, "/?Bad=1", &[]);
    assert_eq!((response.status, response.text().as_str(), response.header("x-query")), (200, "1:small\n", Some("1")));
    assert_eq!(get(&mut client, "/small.txt", &[]).header("x-count"), Some("6"), "three times 2, nothing of what is included");
    count("4");
    // httpd's own error response, at whose end the second run counts.
    assert_eq!(get(&mut client, "/tea?Bad=1", &[]).status, 410);
    assert!(wait_until(SECONDS(5), || get(&mut client, "/small.txt?x", &[]).header("x-count") == Some("7")), "8 - 1");
}

/// A CGI script that writes a body in pieces.
const PIECES: &str = "printf 'Content-Type: text/plain\\r\\n\\r\\nxx SEC'; sleep 0.1; printf 'RET sec'; sleep 0.1; printf 'r'; sleep 0.1; printf 'et\\0end'";

/// W25: over the borders of pieces, by case, any bytes, in files that are not read into memory, before they are compressed.
#[test]
fn bodies_are_searched() {
    let config = "QS_SetEnvIf Ignore Ignore QS_SetEnvIfResBodyIgnore=1\nSetEnvIf X-Ignore . Ignore\nSetEnvIf X-Gone . Gone=1\nErrorDocument 404 /text\n\
                  <LocationMatch ^/(text|files|cgi)>\nQS_SetEnvIfResBody secret Found\n</LocationMatch>\n\
                  <Location /cgi/upper>\nQS_SetEnvResBody SECRET Found\n</Location>\n<Location /cgi/gone>\nQS_SetEnvIfResBody secret !Gone\n</Location>\n\
                  <Location /cgi/drip>\nQS_SetEnvIfResBody \"data: 5\" Found\n</Location>\n<LocationMatch ^/files/compressed>\nSetOutputFilter DEFLATE\n</LocationMatch>\n\
                  AliasMatch ^/files/[^/]+/(.*)$ @DOCS@/$1\nAlias /text @DOCS@/text";
    let server = serving(&["Found", "Gone", "Early"], config).load("deflate").processes(1).start();
    let write = |name: &str, text: &[u8]| std::fs::write(server.docs().join(name), text).unwrap();
    let other = vec![b's'; 3 << 20];
    // Around the size of a piece, and of what is read at a time.
    for (name, before) in [("begin", 0), ("read", 16_381), ("piece", 262_141), ("end", 3 << 20)] {
        write(name, &[&other[..before], b"secret", &other[..1 << 20]].concat());
    }
    write("none", &[&other[..], b"Secret SECRET secre"].concat());
    write("text", b"a secret");
    for name in ["lower", "upper", "gone"] {
        script(&server, name, PIECES);
    }
    script(&server, "plain", "printf 'Content-Type: text/plain\\r\\n\\r\\nnothing'");
    let mut client = server.client_from("127.0.50.1");
    let mut check = |path: &str, headers: &[&str], length: usize, expected: &str| {
        let response = get(&mut client, path, headers);
        assert_eq!(response.body.len(), length, "{path}: complete");
        assert_eq!(ended(&server, path), expected, "{path}");
    };
    for (name, before) in [("begin", 0), ("read", 16_381), ("piece", 262_141), ("end", 3 << 20)] {
        check(&format!("/files/1/{name}"), &[], before + 6 + (1 << 20), "Found=secret");
    }
    check("/files/1/none", &[], other.len() + 19, "");
    check("/text?short", &[], 8, "Found=secret");
    check("/text?ignored", &["X-Ignore: 1"], 8, "");
    check("/cgi/lower?x", &[], 20, "Found=secret");
    check("/cgi/upper?x", &[], 20, "Found=SECRET");
    check("/cgi/gone?x", &["X-Gone: 1"], 20, "");
    check("/cgi/plain?x", &["X-Gone: 1"], 7, "Gone=1");
    // The body of a page that httpd redirects to is not searched.
    check("/missing?x", &[], 8, "");
    let response = get(&mut client, "/files/compressed/end", &["Accept-Encoding: gzip"]);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(ended(&server, "/files/compressed/end"), "Found=secret");
    // A part of a file: all of it is searched.
    assert_eq!(get(&mut client, "/files/1/text?part", &["Range: bytes=0-1"]).body, b"a ");
    assert_eq!(ended(&server, "/files/1/text?part"), "Found=secret");
    client.send("HEAD /text?head HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert!(client.wait_closed(SECONDS(5)).is_some());
    assert_eq!(ended(&server, "/text?head"), "", "no body");

    // What comes slowly is handed on at once.
    let mut client = server.client_from("127.0.50.1");
    client.send("GET /cgi/drip?0.1,20 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("data: 1\n") {
        text.extend(client.read_some(4096).unwrap());
    }
    assert!(!String::from_utf8_lossy(&text).contains("data: 10"), "{}", String::from_utf8_lossy(&text));
    while !text.ends_with(b"\r\n0\r\n\r\n") {
        text.extend(client.read_some(4096).unwrap());
    }
    assert_eq!(ended(&server, "/cgi/drip?0.1,20"), "Found=data: 5".split(' ').next().unwrap());

    // A file of 64 MiB does not come into memory.
    let pid = server.children()[0];
    let peak = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap()
    };
    let before = peak();
    let mut client = server.client_from("127.0.50.1");
    assert_eq!(get(&mut client, "/files/1/large.bin", &[]).body.len(), 64 << 20);
    assert!(peak() - before < 16 << 10, "{before} kB before, {} kB after", peak());
}

/// Section 10.9 and 17.2.
#[test]
fn variables_of_the_response() {
    const NAMES: [&str; 4] = ["A", "ONE", "CODE", "GONE"];
    let config = "SetEnvIf X-A (.+) A=$1\nSetEnv GONE 1\nQS_SetEnvIfStatus 404 S\nQS_SetEnvRes S ^4(0.)$ CODE=<$1>\nQS_SetEnvRes A ^[0-9]+$ ONE\nQS_SetEnvRes A ^x !GONE\n\
                  QS_LogEnv on\n";
    let server = serving(&NAMES, config).start();
    let mut client = server.client_from("127.0.50.1");
    for (path, header, expected) in [
        ("/small.txt?1", "X-A: 12", "A=12 ONE=1 GONE=1"),
        ("/small.txt?2", "X-A: x", "A=x"),
        ("/missing?3", "X-A: x1", "A=x1 CODE=<04>"),
        ("/missing?4", "X-B: 1", "CODE=<04> GONE=1"),
    ] {
        assert_eq!(shown(&get(&mut client, path, &[header]), &NAMES), expected, "{path}");
    }
    let markers = [">PR_1", ">PR_2", ">HP_1", ">HP_2", ">HP_3", ">FX_1", "<LG_1"].map(|marker| format!("mod_qos(210): ENV {marker} "));
    let (mut client, path) = (server.client_from("127.0.50.2"), "/small.txt?env");
    get(&mut client, path, &["X-A: 77"]);
    server.logged(path);
    let all = || server.lines("210").into_iter().filter(|line| line.contains("A=77;")).collect::<Vec<_>>();
    assert!(wait_until(SECONDS(5), || all().iter().any(|line| line.starts_with(&markers[6]))), "{:?}", server.lines("210"));
    let lines = all();
    // Before mod_setenvif there is no A.
    let expected = &markers[1..];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert!(lines.iter().zip(expected.iter()).all(|(line, marker)| line.starts_with(marker.as_str())), "{lines:#?}");
}

/// A body that is searched can be asked for in parts, also a long one; all of it is searched.
#[test]
fn parts_of_a_searched_body() {
    let server = serving(&["FOUND"], "<Location />\nQS_SetEnvIfResBody needle FOUND\n</Location>").start();
    let body = [vec![b'x'; 900_000], b"needle".to_vec(), vec![b'y'; 100_000]].concat();
    std::fs::write(server.docs().join("long.bin"), &body).unwrap();
    let mut client = server.client_from("127.0.50.1");
    let part = get(&mut client, "/long.bin?part", &["Range: bytes=899998-900007"]);
    assert_eq!((part.status, part.body.as_slice()), (206, &b"xxneedleyy"[..]));
    assert_eq!(ended(&server, "/long.bin?part"), "FOUND=needle");
    let whole = get(&mut client, "/long.bin?whole", &[]);
    assert_eq!((whole.status, whole.body == body), (200, true));
}
