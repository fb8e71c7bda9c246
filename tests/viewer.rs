//! What administrators and monitoring see: the viewer's page and its machine formats, metrics, the console, the
//! section in mod_status (connection-client.md sections 11 and 16, E16).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use httpd_lab::{Browser, Builder, Mpm, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

const PLACES: &str = "AcceptFilter http none\nKeepAliveTimeout 60\nHeader always set X-All \"%{QS_AllConn}e\"\n\
    <Location /qos>\nSetHandler qos-viewer\n</Location>\n<Location /console>\nSetHandler qos-console\n</Location>\n\
    <Location /metrics>\nSetHandler qos-metrics\n</Location>\n";

fn showing(config: &str) -> Builder {
    Server::builder().config(PLACES).config(config)
}

fn connect(from: &str, to: SocketAddr) -> RawClient {
    RawClient::options().from(from.parse::<Ipv4Addr>().unwrap()).connect(to).unwrap()
}

/// Waits until the connections of the start have ended; the connection that found out.
fn alone(server: &Server) -> RawClient {
    let mut found = None;
    let only = || {
        found = None;
        let mut client = connect("127.0.30.1", server.addr());
        let alone = client.get("/small.txt").is_ok_and(|response| response.header("x-all") == Some("1"));
        found = Some(client);
        alone
    };
    assert!(wait_until(SECONDS(10), only), "connections that nobody holds are counted");
    found.unwrap()
}

fn get(client: &mut RawClient, path: &str) -> Response {
    client.get(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines behind the load average, which no test knows.
fn auto(client: &mut RawClient, path: &str) -> String {
    let response = get(client, path);
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/plain")));
    let text = response.text();
    let (load, rest) = text.split_once('\n').unwrap();
    let load = load.strip_prefix("b;system.load: ").expect("the load");
    assert!(load.parse::<f64>().is_ok() && load.split('.').nth(1).is_some_and(|decimals| decimals.len() == 2), "{load}");
    rest.to_owned()
}

/// Example E16.
#[test]
fn auto_is_exact() {
    let config = "ServerName www.example.net\nQS_SrvMaxConn 100\nQS_EventCount on\n\
        <VirtualHost *:@PORT1@>\nServerName own.example\nQS_SrvMaxConnPerIP 1\nQS_SrvMaxConnClose 50%\n</VirtualHost>\n\
        <VirtualHost *:@PORT1@>\nServerName none.example\n</VirtualHost>\n\
        <VirtualHost *:@PORT1@>\nServerName shared.example\nQS_LimitRequestBody 5\n</VirtualHost>";
    for mpm in Mpm::ALL {
        let server = showing(config).mpm(mpm).vhost_ports(1).start();
        let own: SocketAddr = (Ipv4Addr::LOCALHOST, server.vhost_port(1)).into();
        let mut client = alone(&server);
        let mut other = connect("127.0.30.2", own);
        assert_eq!(other.get("/small.txt").unwrap().status, 200, "{mpm:?}");
        let refused = connect("127.0.30.2", own);
        assert!(refused.wait_closed(SECONDS(5)).is_some(), "{mpm:?}");
        drop(refused);
        assert!(wait_until(SECONDS(5), || get(&mut client, "/qos?auto&peek").text().contains("QS_AllConn: 2\n")), "{mpm:?}");

        let port = server.vhost_port(1);
        let half = if mpm == Mpm::Event { 96 } else { 32 };
        let events = |new: u32| {
            let ids =
                [10, 11, 12, 13, 21, 23, 25, 30, 31, 34, 35, 36, 37, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 61, 62, 65, 66, 67, 68, 69, 101, 147];
            let lines = |id: u32| {
                let (new, total) = if id == 31 { (new, 1) } else { (0, 0) };
                format!("e;mod_qos({id:03});new: {new}\ne;mod_qos({id:03});total: {total}\n")
            };
            ids.map(lines).concat()
        };
        let servers = |main: &str, virtual_host: &str| {
            format!(
                "b;www.example.net;0;QS_AllConn: 2\nb;www.example.net;0;QS_SrvMaxConn;100[]: 1\n{main}\
                 v;own.example;{port};QS_SrvMaxConn;100[]: 1\nv;own.example;{port};QS_SrvMaxConnClose;{half}[]: 1\n{virtual_host}"
            )
        };
        let expected = servers("", "") + &events(1);
        assert_eq!(auto(&mut client, "/qos?auto&peek"), expected, "{mpm:?}");
        let expected =
            servers("b;www.example.net;0;QS_SrvMaxConnPerIP;127.0.30.1: 1\n", &format!("v;own.example;{port};QS_SrvMaxConnPerIP;127.0.30.2: 1\n")) + &events(1);
        // Peeking and looking at the page have reset nothing; this does.
        assert_eq!(get(&mut client, "/qos").status, 200);
        assert_eq!(auto(&mut client, "/qos?Auto&Option=x,ip"), expected, "{mpm:?}");
        let expected = servers("", "") + &events(0);
        assert_eq!(auto(&mut client, "/qos?auto"), expected, "{mpm:?}");
        server.stop();
    }
}

#[test]
fn headers_of_the_viewer() {
    let server = showing("QS_SrvMaxConnPerIP 40").start();
    let mut client = alone(&server);
    let page = get(&mut client, "/qos");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!((page.header("cache-control"), page.header("x-content-type-options"), page.header("refresh")), (Some("no-cache"), Some("nosniff"), None));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-hashes' 'sha256-") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(get(&mut client, "/qos?refresh=").header("refresh"), Some("10"));
    let auto = get(&mut client, "/qos?auto&Refresh");
    assert_eq!((auto.header("refresh"), auto.header("cache-control"), auto.header("x-content-type-options")), (Some("10"), Some("no-cache"), Some("nosniff")));
    let icon = get(&mut client, "/qos/favicon.ico");
    assert_eq!((icon.header("content-type"), icon.header("cache-control")), (Some("image/x-icon"), Some("public, max-age=2592000")));
    assert_eq!(icon.body[..8], [0, 0, 1, 0, 1, 0, 16, 16]);
    let post = client.request("POST", "/qos", &[], b"some body").unwrap();
    assert_eq!(post.status, 200, "a body is not taken for the next request");
    assert_eq!(get(&mut client, "/small.txt").text(), "small\n");
    client.send("HEAD /qos HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert!(client.wait_closed(SECONDS(5)).is_some());
    let head = String::from_utf8_lossy(&client.read_some(100_000).unwrap()).into_owned();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/html") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn the_page_shows_what_is_configured_and_escapes_it() {
    let config = "ServerName www.example.net\nQS_SrvMaxConn 3\nQS_SrvMaxConnPerIP 40\nQS_SrvMinDataRate 64 256\nQS_LogOnly on\n\
        <VirtualHost *:@PORT1@>\nServerName \"<script>alert(1)</script>'&\"\nQS_SrvMaxConn 7\n</VirtualHost>\n\
        <VirtualHost *:@PORT1@>\nServerName none.example\n</VirtualHost>";
    let server = showing(config).vhost_ports(1).start();
    let mut client = alone(&server);
    let mut held = ["127.0.30.2", "127.0.30.3"].map(|from| connect(from, server.addr()));
    held.iter_mut().for_each(|client| assert_eq!(get(client, "/small.txt").status, 200));
    let page = client.request("GET", "/qos?option=ip&address=%3Cscript%3E%22&x=<script>", &["X-Forwarded-Host: <script>"], b"").unwrap().text();
    let port = server.vhost_port(1);
    for fragment in [
        "<title>mod_qos</title>",
        "running in 'log only' mode - rules are NOT enforced",
        "connections: 3",
        "www.example.net:0 (base)",
        "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">3</td></tr>",
        "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">7</td></tr>",
        "<div title=\"QS_SrvMaxConnClose\">max connections with keep-alive</div></td><td colspan=\"3\">-</td></tr>",
        "<div title=\"QS_SrvMaxConnPerIP\">max connections per client ip</div></td><td colspan=\"3\">40</td></tr>",
        "<td style=\"background-color: rgb(240,153,155);\" colspan=\"3\">3</td>",
        "<td colspan=\"6\">127.0.30.3</td><td colspan=\"3\">1</td>",
        "<td colspan=\"3\">64/256/68</td>",
        &format!("&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;:{port} (virtual)"),
        &format!("none.example:{port} (virtual)"),
        "<i>uses base server settings and counters</i>",
        &format!(", mod_qos {}</footer>", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(page.contains(fragment), "{fragment} is missing in\n{page}");
    }
    assert_eq!(page.matches("<script").count(), 1);

    let status = get(&mut client, "/server-status?option=ip").text();
    for fragment in [
        "mod_qos&nbsp;",
        "running in 'log only' mode",
        "<div title=\"QS_SrvMaxConn\">max connections</div></td><td colspan=\"3\">7</td></tr>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<form action=\"/server-status\" method=\"get\">",
    ] {
        assert!(status.contains(fragment), "{fragment} is missing in\n{status}");
    }
    let short = get(&mut client, "/server-status?auto").text();
    assert!(short.contains("BusyWorkers") && short.ends_with(&format!("\nv;<script>alert(1)</script>'&;{port};QS_SrvMaxConn;7[]: 0\n")), "{short}");
}

#[test]
fn documents_follow_the_schema() {
    let schema = serde_json::from_str(include_str!("../docs/viewer.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for config in ["", "QS_SrvMaxConn 3\nQS_SrvMinDataRate 64\nQS_EventCount on\n<VirtualHost *:@PORT1@>\nQS_SrvMaxConnPerIP 7\n</VirtualHost>"] {
        let server = showing(config).vhost_ports(1).start();
        let mut client = alone(&server);
        let response = get(&mut client, "/qos?json&option=ip");
        assert_eq!(response.header("content-type"), Some("application/json"));
        let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        let errors = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(document["all_connections"], 1);
        assert_eq!(document["servers"][0]["connections"]["addresses"][0]["address"], "127.0.30.1");
        server.stop();
    }
}

/// What the reference parser of the Prometheus project reads: `name labels value` per line.
fn parsed(text: &str) -> String {
    const SCRIPT: &str = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
        for family in read(sys.stdin.read()):\n  for s in family.samples: print(s.name, dict(sorted(s.labels.items())), s.value)\n";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = python.spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = process.wait_with_output().unwrap();
    assert!(out.status.success(), "{}\n{text}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn metrics_are_read_by_their_parser() {
    let config = "ServerName \"a\\\"b\"\nQS_SrvMaxConn 100\nQS_SrvMinDataRate 64\nQS_EventCount on\n\
        <VirtualHost *:@PORT1@>\nServerName own.example\nQS_SrvMaxConnPerIP 1\n</VirtualHost>\n\
        <VirtualHost *:@PORT1@>\nServerName own.example\nQS_SrvMaxConn 9\n</VirtualHost>";
    let server = showing(config).vhost_ports(1).start();
    let mut client = alone(&server);
    let response = get(&mut client, "/metrics");
    assert_eq!(response.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let read = parsed(&response.text());
    let port = server.vhost_port(1);
    for sample in [
        "qos_connections {} 1".to_owned(),
        "qos_clients {} 1".to_owned(),
        "qos_capacity_connections {} 192".to_owned(),
        // httpd's list of virtual hosts begins with the last one.
        format!("qos_server_limit_connections {{'kind': 'virtual', 'rule': 'QS_SrvMaxConn', 'server': 'own.example:{port}'}} 9"),
        format!("qos_server_limit_connections {{'kind': 'virtual', 'rule': 'QS_SrvMaxConnPerIP', 'server': 'own.example:{port} (2)'}} 1"),
        format!("qos_server_connections {{'kind': 'virtual', 'server': 'own.example:{port} (2)'}} 0"),
        "qos_denials_total {'id': '031', 'rule': 'QS_SrvMaxConnPerIP'} 0".to_owned(),
        "qos_data_rate_cuts_total {} 0".to_owned(),
        "qos_events_total {'id': '147'} 0".to_owned(),
    ] {
        // Parsers show whole numbers with or without a fraction.
        assert!(read.lines().any(|line| line.strip_suffix(".0").unwrap_or(line) == sample), "{sample} is missing in\n{read}");
    }
    assert!(read.contains("'server': 'a\"b:0'"), "{read}");
}

#[test]
fn the_console_says_what_is_wrong() {
    let config = "<VirtualHost *:@PORT1@>\nQS_ConsoleMethods POST\n</VirtualHost>";
    let server = showing(config).vhost_ports(1).start();
    let mut client = alone(&server);
    for (query, text) in [
        ("action=block", "missing request query (action/address)"),
        ("", "missing request query (action/address)"),
        ("action=search&address=1.1.1.1", "client data store has not been enabled"),
        ("action=foo&address=1.1.1.1", "client data store has not been enabled"),
    ] {
        let response = get(&mut client, &format!("/console?{query}"));
        assert_eq!((response.status, response.text()), (406, format!("{text}\n")), "{query}");
        assert_eq!((response.header("content-type"), response.header("cache-control")), (Some("text/plain"), Some("no-cache")));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert!(server.wait_for_log(&format!("mod_qos(070): console, not acceptable, {text}, id="), SECONDS(5)), "{}", server.error_log());
    }
    assert_eq!(server.count_log("mod_qos(070): "), 4);
}

#[test]
fn disabled_handlers_are_not_there() {
    let server = showing("<VirtualHost *:@PORT1@>\nQS_DisableHandler on\n</VirtualHost>").vhost_ports(1).start();
    let mut client = connect("127.0.30.1", (Ipv4Addr::LOCALHOST, server.vhost_port(1)).into());
    for path in ["/qos", "/qos?auto", "/console?action=block&address=1.1.1.1", "/metrics"] {
        assert_eq!(get(&mut client, path).status, 404, "{path}");
    }
    assert!(!get(&mut client, "/server-status").text().contains("viewer settings"));
    assert!(!get(&mut client, "/server-status?auto").text().contains("b;system.load"));
    assert_eq!(get(&mut connect("127.0.30.1", server.addr()), "/qos").status, 200);
}

/// The page in a real browser: no complaint, narrow and wide, and it refreshes itself in place.
#[test]
fn the_page_in_a_browser() {
    if Browser::program().is_none() {
        eprintln!("skipped: no chromium here (make setup)");
        return;
    }
    let config = "ServerName www.example.net\nQS_SrvMaxConn 100\nQS_SrvMaxConnPerIP 2 1000\nQS_SrvMinDataRate 64 256\nQS_EventCount on\n\
        SetEnvIf Sec-Fetch-Dest (.*) dest=$1\n<VirtualHost *:@PORT1@>\nServerName \"<script>alert(1)</script>'&\"\nQS_SrvMaxConn 7\n</VirtualHost>";
    let server = showing(config).log_env(&["dest"]).vhost_ports(1).start();
    let pictures = std::env::var_os("QOS_PICTURES").map(std::path::PathBuf::from);
    for (width, height) in [(390, 844), (1280, 900)] {
        let mut browser = Browser::start(server.root(), width, height);
        browser.load(&server.url("/qos?option=ip"));
        assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), "true", "{width}: nothing stands out");
        assert_eq!(browser.evaluate("getComputedStyle(document.querySelector('.card')).borderTopLeftRadius !== '0px'"), "true", "the style is applied");
        // A limit that is reached, while connections are held.
        let held = [(); 2].map(|()| {
            let mut client = connect("127.0.30.2", server.addr());
            assert_eq!(get(&mut client, "/small.txt").status, 200);
            client
        });

        browser.evaluate("window.same = 'the same document'");
        browser.evaluate("document.querySelector('form.refresh input[type=submit]').click()");
        assert!(
            wait_until(SECONDS(15), || browser.evaluate("document.querySelector('main').textContent.includes('127.0.30.2')") == "true"),
            "{width}: the page refreshes itself: {}",
            server.access_log()
        );
        let red = "[...document.querySelectorAll('td[style]')].some((cell) => getComputedStyle(cell).backgroundColor === 'rgb(240, 153, 155)')";
        assert_eq!(browser.evaluate(red), "true", "{width}: a reached limit is red");
        assert_eq!(browser.evaluate("window.same"), "the same document");
        assert!(browser.evaluate("location.href").ends_with("/qos?option=ip#refresh"));
        assert_eq!(browser.evaluate("document.querySelector('form.refresh input[type=submit]').value"), "disable");
        if let Some(folder) = &pictures {
            browser.screenshot(&folder.join(format!("viewer-{width}.png")));
        }
        drop(held);
        assert!(
            wait_until(SECONDS(15), || browser.evaluate("document.querySelector('main').textContent.includes('127.0.30.2')") == "false"),
            "{width}: and again"
        );

        // A page that was loaded with ?refresh leaves the reload of its header behind.
        browser.load(&server.url("/qos?refresh=&option=ip"));
        assert!(wait_until(SECONDS(5), || browser.evaluate("location.href").ends_with("/qos?option=ip#refresh")), "{}", browser.evaluate("location.href"));
        assert!(wait_until(SECONDS(5), || browser.evaluate("document.readyState") == "complete"));
        browser.evaluate("window.same = 'the same document'");
        std::thread::sleep(SECONDS(11));
        assert_eq!(browser.evaluate("window.same"), "the same document", "{width}: no reload");
        // The answers of a server that is gone are missed, not shown as an error page.
        assert_eq!(browser.evaluate("document.body.classList.contains('late')"), "false");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{width}");
    }
    let log = server.access_log();
    let count = |dest: &str| log.lines().filter(|line| line.contains(" /qos?") && line.ends_with(&format!(" dest={dest}"))).count();
    // Per browser: two loads by the test, one that leaves ?refresh; everything else were fetches.
    assert_eq!(count("document"), 6, "{log}");
    assert!(count("empty") >= 8, "{log}");
}

/// Without JavaScript the forms and the header Refresh do it.
#[test]
fn the_forms_work_without_javascript() {
    let server = showing("QS_SrvMaxConnPerIP 40").start();
    let mut client = alone(&server);
    let page = get(&mut client, "/qos").text();
    assert!(
        page.contains("<form class=\"refresh\" action=\"/qos\" method=\"get\"><span>auto refresh</span><input name=\"refresh\" value=\"\" type=\"hidden\">")
    );
    let refreshing = get(&mut client, "/qos?refresh=&action=enable");
    assert_eq!(refreshing.header("refresh"), Some("10"));
    assert!(refreshing.text().contains("<input name=\"action\" value=\"disable\" type=\"submit\">"));
    let listing = get(&mut client, "/qos?option=ip&action=enable&refresh=").text();
    assert!(listing.contains("client ip connections") && listing.contains("<td colspan=\"6\">127.0.30.1</td>"));
}
