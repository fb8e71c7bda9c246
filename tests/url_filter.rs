//! Deny and permit rules about a request (filters.md sections 2 to 6 with the vectors of 4.1, 11, 15.1 to 15.5, 15.8, 15.10, 16.1 and 16.2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::{Builder, Mpm, Server};

#[path = "../crates/qos-core/src/filter/vectors.rs"]
mod vectors;

const FROM: &str = "127.0.71.1";
const ENV: [&str; 3] = ["QS_RuleId", "QS_ErrorNotes", "mod_qos_ev"];

/// Targets that httpd would refuse itself reach the rules; what passes is not found.
fn filtering(config: &str) -> Builder {
    Server::builder().config("HttpProtocolOptions Unsafe\nAcceptFilter http none\n").config(config).log_env(&ENV)
}

/// The status of a GET for a target as it stands.
fn ask(server: &Server, target: &str) -> u16 {
    let mut client = server.client_from(FROM);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap();
    client.read_response().unwrap_or_else(|error| panic!("{target}: {error}")).status
}

/// The end of the access log's line for a target.
fn logged(server: &Server, target: &str) -> String {
    server.logged(target)
}

/// Sections 16.1 and 16.2, on each MPM.
#[test]
fn the_vectors_of_the_specification() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || {
                let server = filtering(vectors::CONFIGURATION).mpm(mpm).start();
                for row in vectors::TARGETS {
                    let (number, _, expected) = row;
                    let target = vectors::target(row);
                    let before = ["040", "041", "046"].map(|id| server.lines(id).len());
                    let status = ask(&server, &target);
                    assert_eq!(status, if expected.is_some() { 403 } else { 404 }, "{mpm:?} {number}: {target}: {}", server.error_log());
                    let lines = ["040", "041", "046"].map(|id| server.lines(id));
                    let new = lines.iter().zip(before).flat_map(|(lines, before)| lines[before..].iter()).collect::<Vec<_>>();
                    match expected {
                        None => assert!(new.is_empty(), "{number}: {new:?}"),
                        Some(id @ ("041" | "046")) => assert!(new.len() == 1 && new[0].starts_with(&format!("mod_qos({id}): ")), "{number}: {new:?}"),
                        Some(rule) => assert!(new.len() == 1 && new[0].contains(&format!(" rule id: {rule} (")), "{number}: {new:?}"),
                    }
                }
                server.stop();
            });
        }
    });
}

/// A pattern of exactly these bytes.
fn exactly(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// Section 4.1, as each kind of rule sees what was decoded: the whole of it, byte by byte.
#[test]
fn the_vectors_of_decoding() {
    const MODES: [&str; 2] = ["once", "uni"];
    let expected = |mode: &str, row: &vectors::Vector| if mode == "uni" { row.2.unwrap_or(row.1) } else { row.1 };
    let mut config = String::new();
    for mode in MODES {
        for (number, row) in vectors::DECODED.iter().enumerate() {
            let pattern = exactly(expected(mode, row).0);
            for (kind, rules) in [
                ("permit", format!("QS_PermitUri +r deny \"^/{mode}/permit/{number}\\?{pattern}$\"")),
                ("query", format!("QS_DenyQuery +r deny \"^{pattern}$\"")),
                ("line", format!("QS_DenyRequestLine +r deny \"^GET /{mode}/line/{number}\\?{pattern} HTTP/1\\.1$\"")),
                ("path", format!("QS_DenyPath +r deny \"^/{mode}/path/{number}/{pattern}$\"")),
            ] {
                let encoding = if kind == "permit" { "QS_InvalidUrlEncoding log\n" } else { "" };
                config += &format!("<Location /{mode}/{kind}/{number}>\nQS_Decoding {mode}\n{encoding}{rules}\n</Location>\n");
            }
        }
    }
    let server = filtering(&config).start();
    // What a log shows of a target and of what was found.
    let notes = |target: &str| {
        let line = server.logged(&target.replace('\\', "\\\\"));
        let value = |name: &str| line.split(&format!(" {name}=")).nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
        (value("QS_RuleId"), value("QS_ErrorNotes"))
    };
    for mode in MODES {
        for (number, row) in vectors::DECODED.iter().enumerate() {
            let (input, (_, errors)) = (row.0, expected(mode, row));
            let of = |kind: &str, separator: &str| format!("/{mode}/{kind}/{number}{separator}{input}");
            // A permit rule sees what comes of one pass, and nothing else.
            let target = of("permit", "?");
            assert_eq!(ask(&server, &target), 404, "{target}: {}", server.error_log());
            assert_eq!(notes(&target).1, if errors > 0 { "046" } else { "-" }, "{target}");
            let target = format!("{target}!");
            assert_eq!((ask(&server, &target), notes(&target).1.as_str()), (403, "041"), "{target}");
            for (target, other) in [(of("query", "?"), format!("{}!", of("query", "?"))), (of("line", "?"), format!("{}!", of("line", "?")))] {
                assert_eq!((ask(&server, &target), notes(&target).0.as_str()), (403, "r"), "{target}: {}", server.error_log());
                assert_eq!(ask(&server, &other), 404, "{other}: {}", server.error_log());
            }
            // httpd itself refuses paths with escapes that are none, and with NUL.
            let refused = input.contains("%00") || (input.contains('%') && row.1.1 > 0);
            let target = of("path", "/");
            let status = ask(&server, &target);
            if refused {
                assert!([400, 404].contains(&status), "{target}: {status}");
            } else {
                assert_eq!((status, notes(&target).0.as_str()), (403, "r"), "{target}: {}", server.error_log());
            }
        }
    }
}

/// The resident memory of a process, kB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Which of 13 sections a request meets is the client's choice: 8192 subsets take no memory, and each is what it is.
#[test]
fn any_subset_of_sections_may_meet() {
    let section = |n: u8| {
        let letter = char::from(b'a' + n);
        let rules = (0..60).map(|rule| format!("QS_DenyQuery +{letter}{rule} deny ^q={letter}{rule}$\n")).collect::<String>();
        format!("<LocationMatch {letter}>\n{rules}QS_DenyQuery +own deny ^own={letter}$\n</LocationMatch>\n")
    };
    let server = filtering(&format!("MaxKeepAliveRequests 0\n{}", (0..13).map(section).collect::<String>())).mpm(Mpm::Worker).processes(1).workers(2).start();
    let mut client = server.client_from(FROM);
    let mut before = 0;
    for subset in (1..1u32 << 13).chain([0b101]) {
        // The first ones make what any request needs.
        if subset == 64 {
            before = resident(server.children()[0]);
        }
        let letters = (0..13u8).filter(|n| subset >> n & 1 == 1).map(|n| char::from(b'a' + n)).collect::<String>();
        let last = letters.chars().last().unwrap();
        let mut status = |query: &str| {
            client.send(format!("GET /{letters}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
            client.read_response().unwrap_or_else(|error| panic!("{letters} {query}: {error}")).status
        };
        assert_eq!(status("x"), 404, "{letters}");
        if subset % 61 == 5 {
            // The last section's rule has replaced those of the others.
            for (query, expected) in [
                (format!("own={last}"), 403),
                ("own=n".to_owned(), 404),
                (format!("q={last}7"), 403),
                (format!("q={}59", &letters[..1]), 403),
                ("q=n1".to_owned(), 404),
            ] {
                assert_eq!(status(&query), expected, "{letters}?{query}");
            }
            let first = &letters[..1];
            assert_eq!(status(&format!("own={first}")), if letters.len() == 1 { 403 } else { 404 }, "{letters}");
        }
    }
    let grown = resident(server.children()[0]).saturating_sub(before);
    assert!(before > 0 && grown < 6000, "{before} kB and {grown} kB");
}

/// Paths as applications behind httpd read them, which httpd itself does not.
#[test]
fn parameters_of_paths_and_backslashes() {
    let server =
        filtering("<Location />\nQS_DenyPath +admin deny ^/app/admin\n</Location>\n<Location /permitted>\nQS_PermitUri +p deny ^/permitted/x$\n</Location>")
            .start();
    for (target, expected) in [
        ("/app/admin", 403),
        ("/app/;x/admin", 403),
        ("/app/..;a=b/app;c/admin", 403),
        ("/app/x;a=b/../admin", 403),
        ("/app/x/..%3B/admin/", 403),
        (r"/app\admin", 403),
        (r"/app\x\..\admin", 403),
        ("/app/x;admin", 404),
        ("/app/;admin", 404),
        (r"/app\x", 404),
        ("/permitted/x", 404),
        // Of several slashes at the begin httpd leaves one.
        ("//permitted/x", 404),
        ("///permitted/x", 404),
        ("//permitted//x", 403),
        ("//app/admin", 403),
        ("/permitted/x;y", 403),
    ] {
        assert_eq!(ask(&server, target), expected, "{target}: {}", server.error_log());
    }
}

/// Section 2.4: patterns are bytes, whatever the encoding of the file.
#[test]
fn a_configuration_may_be_latin_1() {
    let file = std::env::temp_dir().join(format!("latin-1-{}.conf", std::process::id()));
    std::fs::write(&file, b"<Location />\nQS_DenyQuery +l deny \"caf\xe9$\"\n</Location>\n").unwrap();
    let server = filtering(&format!("Include {}", file.display())).start();
    for (target, status) in [("/a?q=caf%e9", 403), ("/a?q=CAF%E9", 403), ("/a?q=caf%c3%a9", 404), ("/a?q=cafe", 404)] {
        assert_eq!(ask(&server, target), status, "{target}: {}", server.error_log());
    }
    server.expect_line("mod_qos(040): access denied, QS_DenyQuery rule id: l (caf\\\\xe9$), action=deny, c=127.0.71.1, id=*");
    std::fs::remove_file(file).unwrap();
}

/// Example 15.1; the same over HTTP/2.
#[test]
fn inheritance() {
    let server = filtering(vectors::INHERITANCE).load("http2").config("Protocols h2c http/1.1").start();
    for (target, status, end) in [
        ("/a.bak", 403, "QS_RuleId=p1 QS_ErrorNotes=040 mod_qos_ev=D;"),
        ("/a?debug=1", 404, "QS_RuleId=q1 QS_ErrorNotes=040 mod_qos_ev=-"),
        ("/tools/a.bak", 404, "QS_RuleId=- QS_ErrorNotes=- mod_qos_ev=-"),
        ("/tools/a?DEBUG=1", 403, "QS_RuleId=q1 QS_ErrorNotes=040 mod_qos_ev=D;"),
        ("/tools/raw/a.bak?debug=1", 404, "QS_RuleId=- QS_ErrorNotes=- mod_qos_ev=-"),
        ("/tools/raw/a?trace=1", 403, "QS_RuleId=q2 QS_ErrorNotes=040 mod_qos_ev=D;"),
    ] {
        assert_eq!(ask(&server, target), status, "{target}");
        assert!(logged(&server, target).ends_with(end), "{target}: {}", logged(&server, target));
        let said = curl(&["-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--http2-prior-knowledge", "--path-as-is", &server.url(target)]);
        assert_eq!(said.out.trim(), format!("2 {status}"), "{target}");
    }
    server.expect_line("mod_qos(040): access denied, QS_DenyPath rule id: p1 (\\\\.bak$), action=deny, c=127.0.71.1, id=*");
    server.expect_line("mod_qos(040): access denied, QS_DenyQuery rule id: q1 (debug=), action=log only, c=127.0.71.1, id=*");
    let levels =
        server.error_log().lines().filter(|line| line.contains("(040)") && line.contains("FROM")).map(|line| line.contains(":warn]")).collect::<Vec<_>>();
    assert!(levels.iter().all(|warn| *warn), "{levels:?}");
}

/// Example 15.2: the page shows what was found; another variable sends to another server.
#[test]
fn an_error_page() {
    let page = r#"<html><!--#echo var="QS_ErrorNotes" --> <!--#echo var="QS_RuleId" --></html>"#;
    let server = filtering(vectors::INHERITANCE)
        .load("include")
        .config("QS_ErrorPage /e.shtml\nQS_ErrorResponseCode 406\nAddOutputFilter INCLUDES .shtml\n<Directory @DOCS@>\nOptions +Includes\n</Directory>\nSetEnvIf Host other QS_ErrorPage=https://err.example/x")
        .start();
    std::fs::write(server.docs().join("e.shtml"), page).unwrap();
    let denied = server.ask(FROM, "/a.bak", &[]).unwrap();
    assert_eq!((denied.status, denied.text().trim()), (406, "<html>040 p1</html>"));
    assert_eq!(denied.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("close"));
    assert!(logged(&server, "/a.bak").ends_with("QS_RuleId=p1 QS_ErrorNotes=040 mod_qos_ev=D;"), "{}", server.access_log());
    let mut client = server.client_from(FROM);
    client.send("GET /b.bak HTTP/1.1\r\nHost: other\r\n\r\n").unwrap();
    let redirected = client.read_response().unwrap();
    assert_eq!((redirected.status, redirected.header("location")), (302, Some("https://err.example/x")));
}

/// Example 15.3 and FW-30a: nothing is enforced, and all that would be is said.
#[test]
fn log_only() {
    let config = "<Location />\nQS_DenyPath +p1 deny \\.bak$\nQS_DenyQuery +q1 deny x\nQS_PermitUri +p2 deny ^/c\nQS_InvalidUrlEncoding deny\nQS_DenyEvent +e1 deny !NONE\n</Location>";
    let server = filtering(&format!("QS_LogOnly on\n{config}")).start();
    assert_eq!(ask(&server, "/a.bak?x%"), 404);
    assert!(logged(&server, "/a.bak?x%").ends_with("QS_RuleId=e1 QS_ErrorNotes=040 mod_qos_ev=D;"), "{}", server.access_log());
    for line in [
        "mod_qos(046): access denied, invalid url encoding, action=log only, c=127.0.71.1, id=*",
        "mod_qos(040): access denied, QS_DenyPath rule id: p1 (\\\\.bak$), action=log only, c=127.0.71.1, id=*",
        "mod_qos(040): access denied, QS_DenyQuery rule id: q1 (x), action=log only, c=127.0.71.1, id=*",
        "mod_qos(041): access denied, no permit rule match, action=log only, c=127.0.71.1, id=*",
        "mod_qos(040): access denied, QS_DenyEvent rule id: e1 (!NONE), action=log only, c=127.0.71.1, id=*",
    ] {
        server.expect_line(line);
    }
}

/// Examples 15.4 and 15.10.
#[test]
fn variables_and_order() {
    let config = "SetEnvIf Content-Type ^application/xml ISXML\n<Location /api>\nQS_DenyEvent +noxml deny !ISXML\n</Location>\n\
                  <Location /order>\nQS_DenyQuery +a log x\nQS_DenyQuery +b deny x\nQS_PermitUri +c deny ^/y$\n</Location>\n\
                  QS_SetEnvIfQuery late LATE=1\n<Location /late>\nQS_DenyEvent +late deny late\n</Location>";
    let server = filtering(config).start();
    let post = |kind: &str| server.client_from(FROM).request("POST", "/api", &[&format!("Content-Type: {kind}")], b"<a/>").unwrap().status;
    assert_eq!((post("text/plain"), post("application/xml")), (403, 404));
    server.expect_line("mod_qos(040): access denied, QS_DenyEvent rule id: noxml (!ISXML), action=deny, c=127.0.71.1, id=*");
    // Variables that earlier steps set are seen.
    assert_eq!((ask(&server, "/late?late"), ask(&server, "/late?no")), (403, 404));
    assert!(logged(&server, "/late?late").contains("QS_RuleId=late"), "{}", server.access_log());
    assert_eq!(ask(&server, "/order?x"), 403);
    server.expect_line("mod_qos(040): access denied, QS_DenyQuery rule id: a (x), action=log only, c=127.0.71.1, id=*");
    server.expect_line("mod_qos(040): access denied, QS_DenyQuery rule id: b (x), action=deny, c=127.0.71.1, id=*");
    assert_eq!(server.lines("041").len(), 0);
    assert_eq!(ask(&server, "/order?z"), 403);
    assert_eq!(server.lines("041").len(), 1);
}

/// FW-25b: what an inner location removes stays removed, whatever other sections say. `<If>`, `<Files>` and `<Directory>` are sections as well.
#[test]
fn sections_of_all_kinds() {
    let config = "<Directory @DOCS@>\nQS_DenyQuery +x deny x\nQS_DenyQuery +d deny dir\n</Directory>\n<Files small.txt>\nQS_DenyQuery +f deny file\n</Files>\n\
                  <Location />\nQS_DenyQuery -x deny x\n</Location>\n<LocationMatch small>\nQS_DenyQuery +l deny loc\n</LocationMatch>\n\
                  <If \"%{QUERY_STRING} =~ /if/\">\nQS_DenyQuery +i deny if\n</If>";
    let server = filtering(config).start();
    for (query, status) in [("x", 200), ("dir", 403), ("file", 403), ("loc", 403), ("if", 403), ("other", 200)] {
        // The first request of a place makes what the second finds.
        for _ in 0..2 {
            assert_eq!(ask(&server, &format!("/small.txt?{query}")), status, "{query}");
        }
    }
}

/// Example 15.8 without a body, and the record of an error page.
#[test]
fn audit_notes() {
    let config = "<Location /shop>\nQS_PermitUri +pe1 deny ^/shop/item(\\?id=[0-9]{1,6})?$\n</Location>\nErrorDocument 403 /small.txt\n\
                  LogFormat \"[%r] %{qos-loc}n %{qos-path}n%{qos-query}n\" audit\nCustomLog @ROOT@/audit_log audit";
    let server = filtering(config).config("QS_ErrorPage /small.txt").start();
    for target in ["/shop/item?id=%31", "/shop/item?id=x", "/shop/./item", "/%61?", "/a"] {
        ask(&server, target);
    }
    let read = || std::fs::read_to_string(server.root().join("audit_log")).unwrap_or_default();
    for (target, notes) in [
        ("/shop/item?id=%31", "/shop /shop/item?id=%31"),
        ("/shop/item?id=x", "/shop /shop/item?id=x"),
        ("/shop/./item", "/shop /shop/./item"),
        ("/%61?", "- /%61?"),
        ("/a", "- /a"),
    ] {
        let line = format!("[GET {target} HTTP/1.1] {notes}");
        assert!(httpd_lab::wait_until(Duration::from_secs(5), || read().lines().any(|found| found == line)), "{line}: {}", read());
    }
}

/// A flood of denials costs 20 lines a second and rule.
#[test]
fn many_denials_are_summed_up() {
    let server = filtering("<Location />\nQS_DenyPath +flood deny ^/flood\n</Location>\nMaxKeepAliveRequests 0").mpm(Mpm::Event).processes(1).start();
    let mut client = server.client_from(FROM);
    for _ in 0..200 {
        assert_eq!(client.get("/flood").unwrap().status, 403);
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(server.client_from(FROM).get("/flood").unwrap().status, 403);
    server.expect_line("mod_qos(040): access denied (previously), QS_DenyPath rule id: flood (^/flood), message repeated # times");
    let lines = server.lines("040").len();
    assert!((22..=90).contains(&lines), "{lines}");
}

/// FW-25a, FW-29b, `-id` that removes nothing, and patterns that can backtrack without bound.
#[test]
fn what_is_said_at_configtest() {
    let config = "<Location /a>\nQS_DenyPath +a1 deny x\nQS_DenyQuery +a1 deny x\nQS_DenyQuery -none deny x\nQS_PermitUri +p deny x\nQS_PermitUri +q log x\nQS_DenyQuery +slow deny ^(a+)+\\1$\nQS_DenyQuery +pcre deny \\p{L}\n</Location>\n\
                  <Location /a/b>\nQS_DenyPath +A1 deny x\nQS_DenyQuery +slow deny x\n</Location>";
    let said = httpd_lab::configtest(Mpm::Event, config).unwrap();
    for words in [
        "mod_qos(009): QS_DenyQuery +a1 in /a replaces QS_DenyPath +a1",
        "mod_qos(009): rule id -none in /a removes nothing",
        "mod_qos(009): QS_PermitUri in /a: some rules have the action log",
        r"mod_qos(009): QS_DenyQuery +slow in /a: '^(a+)+\\1$' repeats",
        r"mod_qos(009): QS_DenyQuery +pcre in /a: '\\p{L}' has something in it that only PCRE knows",
        "mod_qos(009): QS_DenyPath +A1 in /a/b and QS_DenyQuery +A1 in /a: only that of the section which httpd merges last is in force in /a/b",
    ] {
        assert_eq!(said.matches(words).count(), 1, "{words}: {said}");
    }
}

/// Whatever is served under a path is judged by that path: targets that are no paths are taken apart by httpd, and not by a reading of our own.
#[test]
fn targets_that_are_no_paths() {
    let config = "<If \"req('X-Rules') == 'deny'\">\nQS_DenyPath +file deny ^/small\\.txt$\nQS_DenyQuery +query deny ^evil\n</If>\n\
                  <If \"req('X-Rules') == 'permit'\">\nQS_PermitUri +shop deny ^/shop/\n</If>\n\
                  LogFormat \"[%r] %{qos-path}n%{qos-query}n\" audit\nCustomLog @ROOT@/audit_log audit";
    let server = filtering(config).start();
    let status = |target: &str, rules: &str| {
        let mut client = server.client_from(FROM);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Rules: {rules}\r\nConnection: close\r\n\r\n")).unwrap();
        client.read_response().unwrap_or_else(|error| panic!("{target}: {error}")).status
    };
    let mut served = 0;
    for target in [
        "/small.txt",
        "//small.txt",
        "http://localhost/small.txt",
        "HTTP://localhost/small.txt",
        "http://localhost:80/small.txt",
        "http://user@localhost/small.txt",
        "http://[::1]/small.txt",
        "http:/small.txt",
        "http:///small.txt",
        "http:////small.txt",
        "x:/small.txt",
        "x://localhost/small.txt",
        "http:/small.txt#/shop/item",
        "http:/small.txt?a://x/shop/item",
        "http:/small.txt?/shop/",
        "http://localhost/shop/../small.txt",
        "http:/shop/../small.txt",
        "http:/%73mall.txt",
        "x:y://z/small.txt",
        "http:small.txt",
        "small.txt",
        "?small.txt",
        "://x/small.txt",
        "/x://localhost/../../small.txt",
        "http:/a://x/shop/../../../../small.txt",
    ] {
        if status(target, "none") == 200 {
            served += 1;
            assert_eq!((status(target, "deny"), status(target, "permit")), (403, 403), "{target}");
        } else {
            assert_ne!((status(target, "deny"), status(target, "permit")), (200, 200), "{target}");
        }
    }
    assert!(served >= 8, "{served}");
    for target in ["/?evil", "http://localhost?evil", "http://localhost/?evil", "http:/?evil", "x://?evil", "x:?evil"] {
        let without = status(target, "none");
        assert!(without == 400 || status(target, "deny") == 403, "{target}: {without}");
    }
    let audited = "[GET http:/small.txt?a://x/shop/item HTTP/1.1] /small.txt?a://x/shop/item";
    let read = || std::fs::read_to_string(server.root().join("audit_log")).unwrap_or_default();
    assert!(httpd_lab::wait_until(Duration::from_secs(5), || read().lines().any(|line| line == audited)), "{}", read());
}

/// E3: a pattern that takes too long is never passed over in silence. A deny rule denies or logs as if it had matched; a permit rule has not.
#[test]
fn patterns_that_take_too_long() {
    let config = "LimitRequestLine 100000\n<Location /deny>\nQS_DenyQuery +slow deny ^(a+)+\\1$\nQS_DenyQuery +other deny never\n</Location>\n\
                  <Location /log>\nQS_DenyQuery +slow log ^(a+)+\\1$\n</Location>\n\
                  <Location /path>\nQS_DenyPath +path deny ^/path/(a+)+\\1$\n</Location>\n\
                  <Location /line>\nQS_DenyRequestLine +line deny \"^GET /line[?](a+)+\\1$\"\n</Location>\n\
                  <Location /permit>\nQS_PermitUri +p deny ^/permit[?](a+)+\\1$\n</Location>\n\
                  <Location /permit/also>\nQS_PermitUri +p deny ^/permit/also[?](a+)+\\1$\nQS_PermitUri +q deny ^/permit/also[?]a+c$\n</Location>\n\
                  <Location /permit/log>\nQS_PermitUri +p log ^/permit/log[?](a+)+\\1$\n</Location>";
    let server = filtering(config).start();
    let long = "a".repeat(2000) + "c";
    for (target, status, notes, line) in [
        (
            "/deny?{}",
            403,
            "QS_RuleId=slow QS_ErrorNotes=040 mod_qos_ev=D;",
            "040): access denied, QS_DenyQuery rule id: slow (^(a+)+\\\\1$), action=deny, limit=1",
        ),
        (
            "/log?{}",
            404,
            "QS_RuleId=slow QS_ErrorNotes=040 mod_qos_ev=-",
            "040): access denied, QS_DenyQuery rule id: slow (^(a+)+\\\\1$), action=log only, limit=1",
        ),
        (
            "/path/{}",
            403,
            "QS_RuleId=path QS_ErrorNotes=040 mod_qos_ev=D;",
            "040): access denied, QS_DenyPath rule id: path (^/path/(a+)+\\\\1$), action=deny, limit=1",
        ),
        (
            "/line?{}",
            403,
            "QS_RuleId=line QS_ErrorNotes=040 mod_qos_ev=D;",
            "040): access denied, QS_DenyRequestLine rule id: line (^GET /line[?](a+)+\\\\1$), action=deny, limit=1",
        ),
        ("/permit?{}", 403, "QS_RuleId=- QS_ErrorNotes=041 mod_qos_ev=D;", "041): access denied, no permit rule match, action=deny, limit=1"),
        ("/permit/log?{}", 404, "QS_RuleId=- QS_ErrorNotes=041 mod_qos_ev=-", "041): access denied, no permit rule match, action=log only, limit=1"),
        // Within the limit: no word of it.
        ("/deny?aac", 404, "QS_RuleId=- QS_ErrorNotes=- mod_qos_ev=-", ""),
        ("/deny?aa", 403, "QS_RuleId=slow QS_ErrorNotes=040 mod_qos_ev=D;", "040): access denied, QS_DenyQuery rule id: slow (^(a+)+\\\\1$), action=deny"),
        ("/permit?aa", 404, "QS_RuleId=- QS_ErrorNotes=- mod_qos_ev=-", ""),
        ("/permit?aac", 403, "QS_RuleId=- QS_ErrorNotes=041 mod_qos_ev=D;", "041): access denied, no permit rule match, action=deny"),
        // Another rule permits it: nothing was denied for the limit.
        ("/permit/also?{}", 404, "QS_RuleId=- QS_ErrorNotes=- mod_qos_ev=-", ""),
    ] {
        let target = target.replace("{}", &long);
        let before = ["040", "041"].map(|id| server.lines(id).len());
        assert_eq!(ask(&server, &target), status, "{target}: {}", server.error_log());
        assert!(server.logged(&target).ends_with(notes), "{}", server.logged(&target));
        let new = ["040", "041"].iter().zip(before).flat_map(|(id, before)| server.lines(id)[before..].to_vec()).collect::<Vec<_>>();
        match line {
            "" => assert!(new.is_empty(), "{target}: {new:?}"),
            _ => assert!(new.len() == 1 && new[0].starts_with(&format!("mod_qos({line}, c={FROM}, id=")), "{target}: {new:?}"),
        }
    }
}
