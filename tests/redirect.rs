//! `QS_RedirectIf` (request-event.md section 12, W28).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Builder, Response, Server};

const FROM: &str = "127.0.72.1";

fn serving(config: &str) -> Builder {
    let variables = "SetEnvIfExpr \"%{QUERY_STRING} =~ /(?:^|&)VAR=([^&]*)/\" VAR=$1\n<Location /path>\nSetEnvIf Request_URI \"(?s)^/path/(.*)\" PATH_END=$1\n</Location>\n";
    Server::builder().config(&format!("AcceptFilter http none\n{variables}{config}")).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn ask(server: &Server, path: &str) -> Response {
    server.ask(FROM, path, &[]).unwrap()
}

#[test]
fn status_and_url() {
    let rules = "QS_RedirectIf VAR ^a(.)(.)$ /to/$2/$1\nQS_RedirectIf VAR ^moved$ 301:https://other.example/x\nQS_RedirectIf VAR ^same$ 307:/t\n\
                 QS_RedirectIf VAR ^kept$ 308:/p\nQS_RedirectIf VAR ^plain$ 302:/f\nQS_RedirectIf VAR ^late /first\n\
                 <Location /small.txt>\nQS_RedirectIf VAR ^late /second\nQS_RedirectIf VAR ^here$ /here\n</Location>\n\
                 <VirtualHost *:@PORT1@>\nQS_RedirectIf VAR ^host$ /host\n</VirtualHost>\n";
    let server = serving(rules).vhost_ports(1).start();
    for (path, status, url) in [
        ("/small.txt?VAR=axy", 302, Some("/to/y/x")),
        ("/small.txt?VAR=AXY", 302, Some("/to/Y/X")),
        ("/small.txt?VAR=moved", 301, Some("https://other.example/x")),
        ("/small.txt?VAR=same", 307, Some("/t")),
        ("/small.txt?VAR=kept", 308, Some("/p")),
        ("/small.txt?VAR=plain", 302, Some("/f")),
        ("/small.txt?VAR=later", 302, Some("/first")),
        ("/small.txt?VAR=here", 302, Some("/here")),
        ("/?VAR=here", 200, None),
        ("/small.txt?VAR=nothing", 200, None),
        ("/small.txt?VAR=host", 200, None),
        ("/small.txt", 200, None),
    ] {
        let response = ask(&server, path);
        assert_eq!((response.status, response.header("location")), (status, url), "{path}");
        let notes = if url.is_some() { "049" } else { "-" };
        assert!(server.logged(path).ends_with(&format!(" mod_qos_ev=- QS_ErrorNotes={notes}")), "{path}: {}", server.access_log());
    }
    server.expect_line("mod_qos(049): redirect to /to/y/x, var=VAR, action=redirect, c=127.0.72.1, id=*");
    assert!(server.error_log().lines().any(|line| line.contains("[qos:error]") && line.contains("(049)")));
    let mut client = httpd_lab::RawClient::connect(None, ([127, 0, 0, 1], server.vhost_port(1)).into()).unwrap();
    assert_eq!(client.get("/small.txt?VAR=host").unwrap().header("location"), Some("/host"));
    let mut client = httpd_lab::RawClient::connect(None, ([127, 0, 0, 1], server.vhost_port(1)).into()).unwrap();
    assert_eq!(client.get("/small.txt?VAR=axy").unwrap().header("location"), Some("/to/y/x"));
    server.stop();
}

/// What clients write becomes no header.
#[test]
fn values_of_clients_are_escaped() {
    let server = serving("QS_RedirectIf PATH_END (.*) https://other.example/$1\n").start();
    let response = ask(&server, "/path/a%0d%0aSet-Cookie:%20x=1%22%3c");
    assert_eq!(
        (response.status, response.header("location"), response.header("set-cookie")),
        (302, Some("https://other.example/a%0D%0ASet-Cookie:%20x=1%22%3C"), None)
    );
    server.stop();
}

#[test]
fn log_only() {
    let server = serving("QS_LogOnly on\nQS_RedirectIf VAR a /one\nQS_RedirectIf VAR b /two\n").start();
    assert_eq!(ask(&server, "/small.txt?VAR=ab").status, 200);
    server.expect_line("mod_qos(049): redirect to /one, var=VAR, action=log only, c=127.0.72.1, id=*");
    server.expect_line("mod_qos(049): redirect to /two, var=VAR, action=log only, c=127.0.72.1, id=*");
    assert!(server.error_log().lines().any(|line| line.contains("[qos:warn]") && line.contains("(049)")));
    server.stop();
}

/// W28: parts of responses are not redirected, nor the page that a denied client sees; what a request is redirected to within the server is.
#[test]
fn sub_requests_and_error_pages() {
    let rules = "SetEnvIf Request_URI . ANY=1\nAddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\nErrorDocument 404 /page.html\n\
                 SetEnvIf Request_URI ^/denied KIND=1\nQS_EventRequestLimit KIND 0\nQS_ErrorResponseCode 503\n\
                 <Location /page.html>\nQS_RedirectIf REDIRECT_ANY 1 /elsewhere\n</Location>\n\
                 <Location /part.txt>\nQS_RedirectIf ANY 1 /elsewhere\n</Location>\n\
                 <Location /cgi>\nQS_RedirectIf REDIRECT_ANY 1 /elsewhere\n</Location>\n<Location /acted>\nSetHandler go\nAction go /cgi/env virtual\n</Location>\n\
                 <Location /denied>\nErrorDocument 503 /page.html\n</Location>\n\
                 <Location /denied/page>\nSetEnv QS_ErrorPage /page.html\n</Location>\n";
    let server = serving(rules).load("actions").start();
    for (name, text) in [("page.html", "denied\n"), ("part.txt", "part\n"), ("whole.shtml", "<!--#include virtual=\"/part.txt\" -->")] {
        std::fs::write(server.docs().join(name), text).unwrap();
    }
    assert_eq!(ask(&server, "/whole.shtml").text(), "part\n");
    assert_eq!(ask(&server, "/part.txt").header("location"), Some("/elsewhere"));
    for path in ["/denied", "/denied/page"] {
        let denied = ask(&server, path);
        assert_eq!((denied.status, denied.text().as_str()), (503, "denied\n"), "{path}");
    }
    let missing = ask(&server, "/missing");
    assert_eq!((missing.status, missing.text().as_str(), missing.header("location")), (404, "denied\n", None));
    assert_eq!(ask(&server, "/acted").header("location"), Some("/elsewhere"));
    server.stop();
}
