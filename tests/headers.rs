//! Headers that are set, removed and looked at (request-event.md sections 10.10 and 11, W26, W27).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use httpd_lab::{RawClient, Response, Server};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn get(client: &mut RawClient, path: &str, headers: &[&str]) -> Response {
    client.request("GET", path, headers, b"").unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn environment(response: &Response, name: &str) -> Option<String> {
    response.text().lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[test]
fn request_headers_are_set_and_removed() {
    let config = "AcceptFilter http none\nMaxKeepAliveRequests 0\nSetEnvIf X-Evil (.+) EVIL=$1\nSetEnvIf X-V (.+) V=$1\nSetEnvIfExpr \"unescape(%{REQUEST_URI}) =~ m#^/cgi/env/(.*)$#\" P=$1\n\
                  ErrorDocument 404 /cgi/env\nAddOutputFilter INCLUDES .shtml\nSetEnv LATE late\n\
                  QS_UnsetReqHeader x-evil\nQS_SetReqHeader X-New V\nQS_SetReqHeader !X-Old V\nQS_SetReqHeader X-Path P\nQS_SetReqHeader X-Late LATE late\n\
                  QS_SetReqHeader X-Early LATE\n\
                  <VirtualHost *:@PORT1@>\nQS_SetReqHeader X-Host V\nQS_SetReqHeader !X-New V\nScriptAlias /cgi/ @ROOT@/cgi/\n</VirtualHost>";
    let server = Server::builder().config(config).vhost_ports(1).start();
    std::fs::write(server.docs().join("page.shtml"), "<!--#include virtual=\"/cgi/env\" -->").unwrap();
    let mut client = server.client_from("127.0.51.1");
    let sent = ["X-Evil: 1", "x-EVIL: 2", "X-V: value", "X-Old: 1", "X-Old: 2", "X-New: 1", "X-New: 2"];
    // A script, an error page, an included document.
    for path in ["/cgi/env", "/missing", "/page.shtml"] {
        let response = get(&mut client, path, &sent);
        let shown = |name: &str| environment(&response, name);
        assert_eq!((shown("HTTP_X_EVIL"), shown("EVIL"), shown("HTTP_X_OLD")), (None, None, None), "{path}: {}", response.text());
        assert_eq!((shown("HTTP_X_NEW").as_deref(), shown("HTTP_X_EARLY"), shown("HTTP_X_LATE").as_deref()), (Some("value"), None, Some("late")), "{path}");
    }
    let untouched = get(&mut client, "/cgi/env", &["X-Old: 1", "X-New: 2"]);
    assert_eq!((environment(&untouched, "HTTP_X_OLD").as_deref(), environment(&untouched, "HTTP_X_NEW").as_deref()), (Some("1"), Some("2")));

    // W27: lines end in a variable, not in a header.
    assert_eq!(environment(&get(&mut client, "/cgi/env/fine%20x", &[]), "HTTP_X_PATH").as_deref(), Some("fine x"));
    for path in ["/cgi/env/a%0d%0aX-Evil:1", "/cgi/env/a%0a", "/cgi/env/%0d"] {
        let response = get(&mut client, path, &[]);
        assert_eq!((response.status, environment(&response, "HTTP_X_PATH"), environment(&response, "HTTP_X_EVIL")), (200, None, None), "{path}");
    }
    const LINE: &str = "mod_qos(): QS_SetReqHeader X-Path: the value holds a line end and is not set";
    assert!(server.wait_for_log(LINE, SECONDS(5)), "{}", server.error_log());
    assert_eq!(server.count_log(LINE), 3, "{}", server.error_log());

    let mut host = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(1)).into()).unwrap();
    let response = get(&mut host, "/cgi/env", &sent);
    let shown = |name: &str| environment(&response, name);
    assert_eq!((shown("HTTP_X_HOST").as_deref(), shown("HTTP_X_NEW"), shown("HTTP_X_EVIL")), (Some("value"), None, None), "inherited, and replaced");
}

/// W26.
#[test]
fn response_headers_are_looked_at_and_removed() {
    let show = ["Set-Cookie", "X-Code", "X-Keep", "Content-Type", "SEEN"].map(|name| format!("Header always set Show-{name} \"%{{{name}}}e\"\n")).concat();
    let config = format!(
        "AcceptFilter http none\n{show}QS_SetEnvResHeaderMatch Set-Cookie ^sid=([a-z]+);\nQS_SetEnvResHeaderMatch Set-Cookie ^last=\n\
         QS_SetEnvResHeader X-Code drop\nQS_SetEnvResHeader X-Keep\nQS_SetEnvResHeader Content-Type\nQS_SetEnvRes X-Code ^5 SEEN=$0\nQS_UnsetResHeader x-gone\n\
         QS_UnsetResHeader Allow\n<Location /closed>\nRequire all denied\n</Location>"
    );
    let server = Server::builder().config(&config).start();
    let path = server.root().join("cgi/headers");
    let text = "#!/bin/sh\nprintf 'Content-Type: text/x\\r\\nSet-Cookie: a=1\\r\\nSet-Cookie: SID=abc; x\\r\\nX-Code: 5\\r\\nX-Code: 6\\r\\nX-Keep: 7\\r\\nX-Gone: 1\\r\\n'\n\
                printf 'Status: %s\\r\\n\\r\\n' \"$QUERY_STRING\"";
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut client = server.client_from("127.0.51.1");
    for status in [200, 404] {
        let response = get(&mut client, &format!("/cgi/headers?{status}"), &[]);
        assert_eq!(response.status, status);
        let shown = ["show-set-cookie", "show-x-code", "show-x-keep", "show-content-type", "show-seen"].map(|name| response.header(name).unwrap());
        assert_eq!(shown, ["SID=abc; x", "5, 6", "7", "text/x", "5"], "{status}");
        assert_eq!((response.header("x-code"), response.header("x-keep"), response.header("x-gone")), (None, Some("7"), None), "{status}");
        assert_eq!(response.headers.iter().filter(|(name, _)| name == "Set-Cookie").count(), 2, "{status}");
    }
    // What httpd answers itself is left alone.
    let response = client.request("DELETE", "/small.txt", &[], b"").unwrap();
    assert_eq!((response.status, response.header("allow").is_some()), (405, true));
    assert_eq!(get(&mut client, "/small.txt", &[]).header("show-x-code"), Some("(null)"));
}
