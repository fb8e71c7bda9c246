//! Rules about URLs and requests that are redirected within the server (filters.md section 1.2, FW-28 and FD-09).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Mpm, Server};

const FROM: &str = "127.0.74.1";
const ENV: [&str; 3] = ["QS_RuleId", "QS_ErrorNotes", "mod_qos_ev"];

/// All ways that httpd has: each leads to /in/..., which is filtered, or to /out/..., where the switch is missing.
const WAYS: &str = r#"
<Directory @DOCS@>
  Options +MultiViews +Includes
  AddOutputFilter INCLUDES .shtml
  RewriteEngine On
  RewriteRule ^rewrite/(.*)$ /$1 [QSA]
  RewriteRule ^twice/(.*)$ /rewrite/$1
  RewriteRule ^go$ /in/other.txt
  RewriteRule ^percent$ /in/100\%25
</Directory>
Action to-in /in/small.txt virtual
Action to-out /out/small.txt virtual
<Location /action/in>
  SetHandler to-in
</Location>
<Location /action/out>
  SetHandler to-out
</Location>
AcceptPathInfo On
<Directory @DOCS@/fallback/in>
  FallbackResource /in/small.txt
</Directory>
<Directory @DOCS@/fallback/out>
  FallbackResource /out/small.txt
</Directory>
DirectoryIndex index.html
AddHandler type-map .var
"#;

const RULES: &str = "QS_DenyPath +small deny small\nQS_DenyPath +index deny index\nQS_DenyPath +view deny view\\.txt$\nQS_DenyQuery +q deny evil";

fn serving(config: &str) -> Server {
    let rules = format!("<Location /in>\n{RULES}\nQS_FilterInternalRedirects on\n</Location>\n<Location /out>\n{RULES}\n</Location>");
    let server = Server::builder().load("rewrite").load("actions").load("negotiation").log_env(&ENV).config(WAYS).config(&rules).config(config).start();
    for folder in ["in", "out", "fallback/in", "fallback/out", "in/views", "out/views"] {
        std::fs::create_dir_all(server.docs().join(folder)).unwrap();
    }
    for file in [
        "in/small.txt",
        "out/small.txt",
        "in/index.html",
        "out/index.html",
        "in/views/view.txt",
        "out/views/view.txt",
        "in/other.txt",
        "in/100%",
        "in/a+b",
        "in/a b",
    ] {
        std::fs::write(server.docs().join(file), "content\n").unwrap();
    }
    for place in ["in", "out"] {
        std::fs::write(server.docs().join(place).join("map.var"), "URI: small.txt\nContent-Type: text/plain\n").unwrap();
        script(&server, place, &format!("echo Location: /{place}/small.txt\necho\n"));
    }
    server
}

fn script(server: &Server, name: &str, lines: &str) {
    let script = server.root().join("cgi").join(name);
    std::fs::write(&script, format!("#!/bin/sh\n{lines}")).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn ask(server: &Server, target: &str) -> u16 {
    server.client_from(FROM).request("GET", target, &["Connection: close"], b"").unwrap_or_else(|error| panic!("{target}: {error}")).status
}

/// What a client asks for itself is denied in both places; what it is redirected to, where that is asked for. Each MPM.
#[test]
fn each_kind_of_redirect() {
    for mpm in Mpm::ALL {
        let server = serving("");
        for (target, rule) in [
            ("rewrite/{}/small.txt", "small"),
            ("rewrite/{}/other.txt?evil", "q"),
            ("twice/{}/small.txt", "small"),
            ("action/{}/x", "small"),
            ("fallback/{}/nothing", "small"),
            ("cgi/{}", "small"),
            ("{}/map.var", "small"),
            ("{}/", "index"),
            ("{}/views/view", "view"),
        ] {
            let before = server.lines("040").len();
            let (inside, outside) = (format!("/{}", target.replace("{}", "in")), format!("/{}", target.replace("{}", "out")));
            let passes = if target.contains("other") { 404 } else { 200 };
            assert_eq!(ask(&server, &outside), passes, "{mpm:?} {outside}: {}", server.error_log());
            assert_eq!(server.lines("040").len(), before, "{outside}");
            assert_eq!(ask(&server, &inside), 403, "{mpm:?} {inside}: {}", server.error_log());
            let lines = server.lines("040");
            assert_eq!(lines.len(), before + 1, "{lines:#?}");
            let line = lines.last().unwrap();
            assert!(line.contains(&format!(" rule id: {rule} (")) && line.contains("action=deny, c=127.0.74.1, id="), "{line}");
            let logged = server.logged(&inside);
            assert!(logged.contains(" 403 ") && logged.ends_with(&format!("QS_RuleId={rule} QS_ErrorNotes=040 mod_qos_ev=D;")), "{logged}");
        }
        for target in ["/rewrite/in/other.txt", "/in/other.txt?ok"] {
            assert_eq!(ask(&server, target), 200, "{target}");
        }
        server.stop();
    }
}

/// Paths are judged as httpd has decoded them, once: no more and no less than in a request for what is served.
#[test]
fn what_rules_see() {
    let server = serving(
        "<Location /in>\nQS_DenyInheritanceOff\nQS_PermitUri +a deny \"^/in/a b(\\?x=<)?$\"\nQS_PermitUri +percent deny \"^/in/100%$\"\nQS_DenyRequestLine +line deny \"^GET /in/a b\\?line HTTP/1.1$\"\n\
         QS_InvalidUrlEncoding deny\n</Location>",
    );
    for (target, status, said) in [
        ("/in/a%20b", 200, ""),
        ("/rewrite/in/a%20b", 200, ""),
        ("/rewrite/in/a+b", 200, ""),
        ("/in/100%25", 200, ""),
        ("/percent", 200, ""),
        ("/rewrite/in/a%20b?x=%3c", 200, ""),
        ("/rewrite/in/a%20b?x=%253c", 403, "(041)"),
        ("/rewrite/in/a%20b?y", 403, "(041)"),
        ("/rewrite/in/a%20b?line", 403, "rule id: line "),
        ("/rewrite/in/a%20b?x=%zz", 403, "(046)"),
        ("/rewrite/in/other.txt", 403, "(041)"),
    ] {
        assert_eq!(ask(&server, target), status, "{target}: {}", server.error_log());
        if !said.is_empty() {
            assert!(
                server.error_log().lines().rfind(|line| line.contains("mod_qos(")).is_some_and(|line| line.contains(said)),
                "{target}: {}",
                server.error_log()
            );
        }
    }
}

/// Nothing is enforced, all is said.
#[test]
fn log_only() {
    let server = serving("QS_LogOnly on");
    assert_eq!(ask(&server, "/rewrite/in/small.txt?evil"), 200);
    server.expect_line("mod_qos(040): access denied, QS_DenyPath rule id: small (small), action=log only, c=127.0.74.1, id=*");
    server.expect_line("mod_qos(040): access denied, QS_DenyQuery rule id: q (evil), action=log only, c=127.0.74.1, id=*");
    assert!(server.logged("/rewrite/in/small.txt?evil").ends_with("QS_RuleId=q QS_ErrorNotes=040 mod_qos_ev=D;"), "{}", server.access_log());
    assert_eq!(ask(&server, "/in/"), 200);
    server.expect_line("mod_qos(040): access denied, QS_DenyPath rule id: index (index), action=log only, c=127.0.74.1, id=*");
}

/// Pages of errors and parts of responses are served whatever rules say, and no denial leads to the next one.
#[test]
fn pages_of_errors() {
    let everything = "<Location />\nQS_FilterInternalRedirects on\nQS_PermitUri +p deny ^/(go|in/|part|part.shtml|out.*|rewrite/.*|gone)$\n</Location>";
    let page = "<html><!--#echo var=\"QS_RuleId\" --> <!--#echo var=\"QS_ErrorNotes\" --></html>";
    for (config, status, text) in [
        ("QS_ErrorPage /page.shtml\nQS_ErrorResponseCode 406", 406, "<html>(none) 041</html>"),
        // The page is a redirect itself: by mod_dir, and by mod_rewrite.
        ("QS_ErrorPage /pages/\nQS_ErrorResponseCode 406", 406, "<html>(none) 041</html>"),
        ("ErrorDocument 403 /page.shtml\nErrorDocument 404 /page.shtml", 403, "<html>(none) 041</html>"),
        ("ErrorDocument 403 /pages/", 403, "<html>(none) 041</html>"),
        ("ErrorDocument 403 /rewrite/page.shtml", 403, "<html>(none) 041</html>"),
        ("ErrorDocument 403 \"text\"", 403, "text"),
        ("QS_ErrorPage /rewrite/page.shtml\nQS_ErrorResponseCode 406", 406, "<html>(none) 041</html>"),
    ] {
        let server = serving(&format!("{everything}\nDirectoryIndex index.shtml\n{config}"));
        std::fs::create_dir_all(server.docs().join("pages")).unwrap();
        for file in ["page.shtml", "pages/index.shtml", "in/index.shtml"] {
            std::fs::write(server.docs().join(file), page).unwrap();
        }
        std::fs::write(server.docs().join("part.shtml"), "<!--#include virtual=\"/in/other.txt\" -->").unwrap();
        let denied = server.ask(FROM, "/go", &[]).unwrap();
        assert_eq!((denied.status, denied.text().trim()), (status, text), "{config}: {}", server.error_log());
        // The harness has asked as well, from another address.
        let denials = || server.lines("041").iter().filter(|line| line.contains(FROM)).count();
        assert_eq!(denials(), 1, "{:#?}", server.lines("041"));
        assert!(server.logged("/go").ends_with("QS_ErrorNotes=041 mod_qos_ev=D;"), "{}", server.access_log());
        // Denied behind header_parser.
        let denied = server.ask(FROM, "/in/", &[]).unwrap();
        assert_eq!((denied.status, denied.text().trim()), (status, text.replace("(none) 041", "index 040").as_str()), "{config}: {}", server.error_log());
        assert!(server.logged("/in/").ends_with("QS_RuleId=index QS_ErrorNotes=040 mod_qos_ev=D;"), "{}", server.access_log());
        // The page of an error that has nothing to do with rules.
        let missing = server.ask(FROM, "/gone", &[]).unwrap();
        assert_eq!(missing.status, 404, "{}", server.error_log());
        assert_eq!(server.ask(FROM, "/part.shtml", &[]).unwrap().text().trim(), "content");
        assert_eq!(denials(), 1, "{:#?}", server.lines("041"));
    }
}

/// A body is judged where it was sent, and comes whole to where it is redirected.
#[test]
fn bodies_are_not_judged_again() {
    let server = serving(
        "<Directory @DOCS@>\nRewriteRule ^script$ /cgi/echo\n</Directory>\n<Location /cgi>\nQS_FilterInternalRedirects on\nQS_DenyBody on\nQS_DenyQuery +b deny evil\nQS_PermitUri +p deny ^/cgi/echo(\\?q=1)?$\n</Location>\n\
         <Location /script>\nQS_DenyQueryBody on\nQS_DenyQuery +c deny never\n</Location>",
    );
    script(&server, "echo", "echo Content-Type: text/plain\necho\ncat\n");
    let post = |target: &str| server.client_from(FROM).request("POST", target, &["Content-Type: application/x-www-form-urlencoded"], b"a=evil").unwrap();
    for target in ["/script", "/script?q=1"] {
        let answer = post(target);
        assert_eq!((answer.status, answer.text().as_str()), (200, "a=evil"), "{target}: {}", server.error_log());
    }
    assert_eq!((post("/script?q=2").status, post("/script?evil").status, post("/cgi/echo").status), (403, 403, 403));
}
