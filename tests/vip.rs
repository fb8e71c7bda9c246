//! VIPs and their sessions (request-event.md section 13, W13, W29 to W33, examples E2, E3 and E11; connection-client.md W02, W58).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::said::by_query;
use httpd_lab::{Builder, Mpm, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const FROM: &str = "127.0.70.1";
const KEY: &str = "QS_SessionKey a-secret-of-32-characters-for-all\n";

/// Requests say in their query what they are; scripts answer with the header `X-Priv`, and show the cookies that they see.
fn serving(config: &str) -> Builder {
    let variables = by_query(&["QS_Delay", "EV", "QS_EventRequest", "RULE"]);
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nHeader always set X-Vip \"%{QS_IsVipRequest}e\"\n\
                <Location /console>\nSetHandler qos-console\n</Location>\n<Location /viewer>\nSetHandler qos-viewer\n</Location>\n\
                <Location /metrics>\nSetHandler qos-metrics\n</Location>\n";
    Server::builder().config(show).config(&variables).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes", "QS_VipRequest"])
}

/// `/cgi/app?gold` is an application that says `X-Priv: gold`.
fn start(builder: Builder) -> Server {
    let server = builder.start();
    let path = server.root().join("cgi/app");
    let script = "#!/bin/sh\nvalue=${QUERY_STRING%%&*}\n[ -n \"$value\" ] && printf 'X-Priv: %s\\r\\n' \"$value\"\n\
                  printf 'Content-Type: text/plain\\r\\n\\r\\ncookies=%s\\n' \"$HTTP_COOKIE\"\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    server
}

fn get(client: &mut RawClient, path: &str, headers: &[&str]) -> Response {
    client.request("GET", path, headers, b"").unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cookie that a response sets, as a request sends it.
fn cookie(response: &Response) -> String {
    let set = response.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {response:?}"));
    format!("Cookie: {}", set.split(';').next().unwrap())
}

fn console(server: &Server, address: &str) -> String {
    server.ask("127.255.0.1", &format!("/console?action=search&address={address}"), &[]).unwrap().text()
}

fn is_marked(server: &Server, address: &str) -> bool {
    console(server, address).contains(" vip=yes ")
}

/// A request that lasts until its client leaves.
fn lasting(server: &Server, path: &str) -> RawClient {
    let mut client = server.client_from("127.0.70.9");
    client.send(format!("GET {path}?QS_Delay=120000 HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
    server.wait_busy(1);
    client
}

/// Example E11 on each MPM.
#[test]
fn e11_a_session() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || session(mpm));
        }
    });
}

fn session(mpm: Mpm) {
    let rules = "QS_VipHeaderName X-Priv=^gold$ drop\nQS_SessionTimeout 600\nQS_LocRequestLimit /cgi/app 1\nQS_LocRequestLimit /cgi/slow 1";
    let server = start(serving(&format!("{KEY}{rules}")).mpm(mpm));
    let mut client = server.client_from(FROM);
    let login = get(&mut client, "/cgi/app?gold", &[]);
    let set = login.header("set-cookie").unwrap();
    assert!(set.starts_with("MODQOS=") && set.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{set}");
    assert_eq!((login.status, login.header("x-priv"), login.header("x-vip")), (200, None, Some("yes")), "{mpm:?}");
    assert!(server.logged("/cgi/app?gold").contains(" mod_qos_ev=v;V; QS_ErrorNotes=- "), "{}", server.access_log());
    let cookie = cookie(&login);

    let held = lasting(&server, "/cgi/app");
    let again = get(&mut client, "/cgi/app?gold&second", &[&format!("{cookie}; other=1")]);
    // The application does not see the cookie, and the client neither the header (W32) nor another cookie.
    assert_eq!((again.status, again.text().trim_end(), again.header("set-cookie"), again.header("x-priv")), (200, "cookies=other=1", None, None));
    assert!(server.logged("/cgi/app?gold&second").contains(" mod_qos_ev=S; QS_ErrorNotes=- QS_VipRequest=yes"), "{}", server.access_log());
    assert_eq!(get(&mut client, "/cgi/app?nobody", &[]).status, 500, "{mpm:?}");
    server.expect_line(&format!("mod_qos(010): access denied, QS_LocRequestLimit* rule: /cgi/app(1), concurrent requests=2, c={FROM}, id=*"));

    let mut altered = cookie.clone().into_bytes();
    let last = altered.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    let mut ordinary = server.client_from("127.0.70.2");
    assert_eq!(get(&mut ordinary, "/small.txt?altered", &[&altered]).status, 200);
    server.expect_line("mod_qos(021): session cookie verification failed, decoding failed, c=127.0.70.2, id=*");
    assert!(server.logged("/small.txt?altered").ends_with(" mod_qos_ev=- QS_ErrorNotes=021 QS_VipRequest=-"), "{}", server.access_log());

    // The address is marked when the connection ends, and not before.
    assert!(!is_marked(&server, FROM), "{mpm:?}");
    drop(client);
    assert!(wait_until(SECONDS(5), || is_marked(&server, FROM)), "{mpm:?}: {}", console(&server, FROM));
    let mut client = server.client_from(FROM);
    let later = get(&mut client, "/small.txt?later", &[]);
    assert_eq!(later.header("x-vip"), Some("yes"));
    assert!(server.logged("/small.txt?later").contains(" mod_qos_ev=S; "), "{}", server.access_log());
    // An address alone makes no request a VIP's.
    assert_eq!(get(&mut client, "/cgi/app?address", &[]).status, 500);

    drop(held);
    let silver = || server.ask("127.0.70.3", "/cgi/app?silver", &[]).unwrap();
    assert!(wait_until(SECONDS(5), || silver().status == 200));
    let plain = silver();
    assert_eq!((plain.header("x-priv"), plain.header("set-cookie"), plain.header("x-vip")), (None, None, Some("(null)")));
    server.stop();
}

/// A session ends with its last second.
#[test]
fn sessions_expire() {
    let server = start(serving(&format!("{KEY}QS_VipHeaderName X-Priv\nQS_SessionTimeout 2\nQS_SessionCookieName priv\nQS_SessionCookiePath /cgi")));
    let login = server.ask(FROM, "/cgi/app?gold", &[]).unwrap();
    assert!(login.header("set-cookie").unwrap().contains("; Path=/cgi; Max-Age=2; "), "{login:?}");
    // Without drop the client sees the header.
    assert_eq!(login.header("x-priv"), Some("gold"));
    let cookie = cookie(&login);
    assert!(cookie.starts_with("Cookie: priv="));
    assert_eq!(server.ask(FROM, "/small.txt?valid", &[&cookie]).unwrap().header("x-vip"), Some("yes"));
    let expired = || server.ask("127.0.70.2", "/small.txt", &[&cookie]).unwrap().header("x-vip") == Some("(null)");
    assert!(wait_until(SECONDS(10), expired));
    server.expect_line("mod_qos(023): session cookie verification failed, expired, c=127.0.70.2, id=*");
    assert!(server.lines("021").is_empty());
}

/// Section 13.2: without sessions neither cookie nor variable mean anything; with them the variable counts, whoever sets it (W31).
#[test]
fn the_variable_makes_a_request_a_vips() {
    let rules = "SetEnvIf X-Vip (.+) QS_VipRequest=$1\nQS_SetEnvIf RULE=^([a-z]+)$ QS_VipRequest=$1\nSetEnvIf Request_URI ^/small QS_EventRequest=1\nQS_ClientEventRequestLimit 0\n";
    let server = start(serving(&format!("{KEY}QS_VipUser\n{rules}")));
    let ask = |server: &Server, path: &str, headers: &[&str]| server.ask(FROM, path, headers).unwrap();
    for (path, headers, status) in [
        ("/small.txt?1", &["X-Vip: yes"][..], 200),
        ("/small.txt?2", &["X-Vip: YES"], 200),
        ("/small.txt?3", &["X-Vip: no"], 500),
        ("/small.txt?4", &[], 500),
        ("/small.txt?5&RULE=yes", &[], 200),
        ("/small.txt?6&RULE=no", &[], 500),
    ] {
        let response = ask(&server, path, headers);
        assert_eq!((response.status, response.header("x-vip")), (status, Some(if status == 200 { "yes" } else { "(null)" })), "{path}");
    }
    server.stop();
    let server = start(serving(&format!("{KEY}QS_VipIPHeaderName X-Ip\n{rules}")));
    assert_eq!(ask(&server, "/small.txt", &["X-Vip: yes", "Cookie: MODQOS=x"]).status, 500);
    assert!(server.lines("021").is_empty());
    // The cookie of another application stays.
    assert_eq!(ask(&server, "/cgi/app", &["Cookie: MODQOS=x"]).text(), "cookies=MODQOS=x\n");
    server.stop();
}

/// Which rules a VIP passes (section 13.5): those of locations and of rates, not those of events.
#[test]
fn what_vips_pass() {
    let rules = "QS_VipUser\nSetEnvIf X-Vip yes QS_VipRequest=yes\nQS_LocRequestLimit /conc 1\nQS_CondLocRequestLimitMatch ^/cond 1 x\n\
                 SetEnvIf Request_URI . QS_Cond=x\nQS_EventRequestLimit EV 0\nQS_ClientEventRequestLimit 0";
    let server = start(serving(&format!("{KEY}{rules}")));
    let held = |path: &str| {
        let mut client = server.client_from("127.0.70.9");
        client.send(format!("GET {path}?QS_Delay=120000 HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
        client
    };
    let _held = [held("/conc"), held("/cond")];
    server.wait_busy(2);
    let status = |path: &str, vip: bool| server.ask(FROM, path, if vip { &["X-Vip: yes"] } else { &[] }).unwrap().status;
    for (path, of_vip, of_others, letters) in [
        ("/conc?1", 404, 500, "S;"),
        ("/cond?1", 404, 500, "S;"),
        ("/small.txt?QS_EventRequest=1", 200, 500, "S;"),
        ("/small.txt?EV=1", 500, 500, "D;"),
        ("/small.txt?plain", 200, 200, "-"),
    ] {
        assert_eq!((status(path, true), status(&format!("{path}&other"), false)), (of_vip, of_others), "{path}");
        assert!(server.logged(path).contains(&format!(" mod_qos_ev={letters} ")), "{path}: {}", server.access_log());
    }
    server.stop();
}

/// `QS_VipUser` and `QS_VipIPUser`: who has logged in. The login itself is no VIP's yet.
#[test]
fn users_who_have_logged_in() {
    let login = "AuthType Basic\nAuthName lab\nAuthBasicProvider file\nAuthUserFile @ROOT@/users\nRequire valid-user";
    let config = format!(
        "{KEY}<Location /cgi>\n{login}\n</Location>\nQS_VipUser\nSetEnvIf Request_URI ^/limited QS_EventRequest=1\nQS_ClientEventRequestLimit 0\n\
         <VirtualHost *:@PORT1@>\nScriptAlias /only/ @ROOT@/cgi/\n<Location /only>\n{login}\n</Location>\nQS_VipIPUser\n</VirtualHost>\n"
    );
    let modules = ["auth_basic", "authn_core", "authn_file", "authz_user"];
    let server = start(modules.into_iter().fold(serving(&config), Builder::load).vhost_ports(1));
    // user:secret
    std::fs::write(server.root().join("users"), "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    let authorization = "Authorization: Basic dXNlcjpzZWNyZXQ=";
    let first = server.ask(FROM, "/cgi/app?x&login", &[authorization]).unwrap();
    assert_eq!((first.status, first.header("x-vip")), (200, Some("yes")));
    assert!(server.logged("/cgi/app?x&login").contains(" mod_qos_ev=V;v; "), "{}", server.access_log());
    let cookie = cookie(&first);
    assert_eq!(server.ask(FROM, "/limited/x", &[&cookie]).unwrap().status, 404);
    let again = server.ask(FROM, "/cgi/app?x&again", &[authorization, &cookie]).unwrap();
    assert_eq!((again.status, again.header("set-cookie")), (200, None));
    assert!(wait_until(SECONDS(5), || is_marked(&server, FROM)));
    assert_eq!(server.ask("127.0.70.2", "/cgi/app", &[]).unwrap().status, 401);
    assert!(!is_marked(&server, "127.0.70.2"));

    let mut client =
        RawClient::options().from("127.0.70.4".parse::<std::net::IpAddr>().unwrap()).connect(([127, 0, 0, 1], server.vhost_port(1)).into()).unwrap();
    let response = get(&mut client, "/only/app?x", &[authorization]);
    // The main server's QS_VipUser is inherited.
    assert!(response.header("set-cookie").is_some());
    drop(client);
    assert!(wait_until(SECONDS(5), || is_marked(&server, "127.0.70.4")));
    server.stop();
}

/// A wrong password makes no VIP, whatever page says that it is wrong.
#[test]
fn who_has_not_logged_in() {
    let config = format!(
        "{KEY}<Location />\nAuthType Basic\nAuthName lab\nAuthBasicProvider file\nAuthUserFile @ROOT@/users\nRequire valid-user\n</Location>\n\
         <Location /server-status>\nRequire all granted\n</Location>\n<LocationMatch ^/(console|open)>\nRequire all granted\n</LocationMatch>\n\
         ErrorDocument 401 /index.html\nQS_VipUser\nQS_VipIPUser\n"
    );
    let modules = ["auth_basic", "authn_core", "authn_file", "authz_user"];
    let builder = modules.into_iter().fold(serving(&config), Builder::load);
    let root = start(builder.config("# users are written when the server runs\n"));
    std::fs::write(root.root().join("users"), "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    // user:wrong and nobody:secret
    for (n, authorization) in ["Authorization: Basic dXNlcjp3cm9uZw==", "Authorization: Basic bm9ib2R5OnNlY3JldA=="].into_iter().enumerate() {
        let response = root.ask(FROM, &format!("/small.txt?{n}"), &[authorization]).unwrap();
        assert_eq!((response.status, response.header("set-cookie"), response.header("x-vip")), (401, None, Some("(null)")), "{response:?}");
        assert!(response.text().contains("It works"), "the page: {}", response.text());
        assert!(root.logged(&format!("/small.txt?{n}")).contains(" mod_qos_ev=- "), "{}", root.access_log());
    }
    let good = root.ask("127.0.70.2", "/small.txt?good", &["Authorization: Basic dXNlcjpzZWNyZXQ="]).unwrap();
    assert!(good.status == 200 && good.header("set-cookie").is_some());
    assert!(wait_until(SECONDS(5), || is_marked(&root, "127.0.70.2")));
    assert!(!is_marked(&root, FROM), "{}", console(&root, FROM));
    root.stop();
}

/// W32: nobody sees the header, whoever makes the response; where httpd makes it the session begins as well. Parts of a response begin none.
#[test]
fn responses_of_all_kinds() {
    let config =
        format!("{KEY}QS_VipHeaderName X-Priv=^gold$ drop\nAddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\nErrorDocument 404 /cgi/app?gold\n");
    let server = start(serving(&config));
    let script = |name: &str, text: &str| {
        let path = server.root().join("cgi").join(name);
        std::fs::write(&path, format!("#!/bin/sh\nprintf '{text}'\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("moved", "X-Priv: gold\\r\\nLocation: http://localhost/x\\r\\n\\r\\n");
    script("moved2", "X-Priv: gold\\r\\nStatus: 302 Found\\r\\nLocation: http://localhost/x\\r\\n\\r\\n");
    script("failed", "X-Priv: gold\\r\\nStatus: 503 x\\r\\nContent-Type: text/plain\\r\\n\\r\\n");
    std::fs::write(server.docs().join("whole.shtml"), "<!--#include virtual=\"/cgi/app?gold\" -->").unwrap();
    for (n, (path, status, session)) in
        [("/cgi/moved", 302, true), ("/cgi/moved2", 302, true), ("/cgi/failed", 503, true), ("/missing-page", 404, true), ("/whole.shtml", 200, false)]
            .into_iter()
            .enumerate()
    {
        // Another address each time: it becomes a VIP's.
        let response = server.ask(&format!("127.0.70.{}", 30 + n), path, &[]).unwrap();
        assert_eq!((response.status, response.header("x-priv"), response.header("set-cookie").is_some()), (status, None, session), "{path}: {response:?}");
        let letters = if session { "v;V;" } else { "-" };
        assert!(server.logged(path).contains(&format!(" mod_qos_ev={letters} ")), "{path}: {}", server.access_log());
    }
    server.stop();
}

/// What sets a cookie is kept by no cache for others.
#[test]
fn cookies_and_caches() {
    let config = format!(
        "{KEY}CacheRoot @ROOT@/cache\nCacheEnable disk /cgi\nCacheIgnoreNoLastMod on\nQS_VipHeaderName X-Priv=gold drop\nQS_UserTrackingCookieName uid\n"
    );
    let server = start(serving(&config).load("cache").load("cache_disk"));
    std::fs::create_dir_all(server.root().join("cache")).unwrap();
    std::fs::set_permissions(server.root().join("cache"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = server.root().join("cgi/kept");
    std::fs::write(&path, "#!/bin/sh\nprintf 'X-Priv: gold\\r\\nCache-Control: max-age=600\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s\\n' \"$(date +%N)\"\n")
        .unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ask = |n: u32| server.ask(&format!("127.0.70.{n}"), "/cgi/kept", &[]).unwrap();
    let (one, two) = (ask(21), ask(22));
    let cookies = |response: &Response| {
        let set = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        set.map(|(_, value)| value.split(';').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((cookies(&one).len(), cookies(&two).len()), (2, 2), "{one:?} {two:?}");
    assert!(cookies(&one).iter().all(|cookie| !cookies(&two).contains(cookie)), "{one:?} {two:?}");
    assert_ne!(one.text(), two.text());
    assert_eq!(one.headers.iter().filter(|(name, value)| name.eq_ignore_ascii_case("cache-control") && value.contains("private")).count(), 1, "{one:?}");
    server.stop();
}

/// W02, W29: one virtual host is enough for the store. W58: marks may end, and survive restarts with what is left of their time; the console's do not end.
#[test]
fn marks_of_addresses() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || marks(mpm));
        }
    });
}

fn marks(mpm: Mpm) {
    let config = "<VirtualHost *:@PORT1@>\nScriptAlias /only/ @ROOT@/cgi/\nQS_VipIPHeaderName X-Priv=^gold$ drop\nQS_LogEnv off\n</VirtualHost>\n";
    let server = start(serving(config).mpm(mpm).vhost_ports(1));
    let connect =
        |from: &str| RawClient::options().from(from.parse::<std::net::IpAddr>().unwrap()).connect(([127, 0, 0, 1], server.vhost_port(1)).into()).unwrap();
    let mut client = connect(FROM);
    let response = get(&mut client, "/only/app?gold", &["Cookie: MODQOS=x"]);
    assert_eq!((response.header("x-priv"), response.header("set-cookie"), response.header("x-vip")), (None, None, Some("yes")), "{mpm:?}");
    assert_eq!(response.text(), "cookies=MODQOS=x\n");
    assert!(server.logged("/only/app?gold").contains(" mod_qos_ev=v; "), "{}", server.access_log());
    assert_eq!(get(&mut client, "/only/app?silver", &[]).header("x-priv"), None);
    drop(client);
    assert!(wait_until(SECONDS(5), || is_marked(&server, FROM)), "{mpm:?}");
    assert!(!is_marked(&server, "127.0.70.2"));
    server.graceful();
    assert!(is_marked(&server, FROM), "{mpm:?}: over a graceful restart");
    let seen = |path: &str| server.ask("127.255.0.1", path, &[]).unwrap().text();
    let json: serde_json::Value = serde_json::from_str(&seen(&format!("/viewer?json&address={FROM}"))).unwrap();
    assert_eq!((&json["search"]["entry"]["vip"], &json["client_table"]["vip"]), (&true.into(), &1.into()), "{json:#}");
    assert!(seen("/metrics").contains("\nqos_client_table_vip_entries 1\n"), "{}", seen("/metrics"));
    let page = seen(&format!("/viewer?address={FROM}"));
    assert!(page.contains("yes"), "{page}");
    let dump = server.ask("127.255.0.1", "/console?action=search&address=*", &[]).unwrap().text();
    assert!(dump.lines().any(|line| line.contains(&format!(" {FROM} vip=yes "))), "{dump}");
    server.ask("127.255.0.1", &format!("/console?action=unsetvip&address={FROM}"), &[]).unwrap();
    assert!(!is_marked(&server, FROM));
    server.stop();
}

/// W30: behind a proxy it is not the proxy that becomes a VIP.
#[test]
fn behind_a_proxy_the_client_is_marked() {
    let config = format!("{KEY}QS_VipHeaderName X-Priv\nQS_ClientIpFromHeader X-Forwarded-For {FROM}\nQS_ClientEventRequestLimit 0\n");
    let server = start(serving(&config));
    let mut proxy = server.client_from(FROM);
    assert!(get(&mut proxy, "/cgi/app?gold", &["X-Forwarded-For: 192.0.2.7"]).header("set-cookie").is_some());
    assert!(wait_until(SECONDS(5), || is_marked(&server, "192.0.2.7")));
    drop(proxy);
    let ask = |client: &str| server.ask(FROM, "/small.txt?QS_EventRequest=1", &[&format!("X-Forwarded-For: {client}")]).unwrap().status;
    assert_eq!((ask("192.0.2.7"), ask("192.0.2.8")), (200, 500));
    assert!(!is_marked(&server, FROM));
    server.stop();
}

/// Cookies are for TLS only where TLS is spoken, and streams of HTTP/2 are requests like others.
#[test]
fn over_tls_and_http2() {
    let server = start(
        serving(&format!("{KEY}QS_VipHeaderName X-Priv=gold drop\nSetEnvIf Request_URI ^/small QS_EventRequest=1\nQS_ClientEventRequestLimit 0\n"))
            .tls()
            .http2(),
    );
    for (protocol, name) in [("--http1.1", "1"), ("--http2", "2")] {
        let url = server.tls_url(&format!("/cgi/app?gold&{name}"));
        let said = curl(&["-sk", "-D", "-", "-o", "/dev/null", "--interface", FROM, protocol, &url]).out;
        let set = said.lines().find_map(|line| line.strip_prefix("set-cookie: ").or(line.strip_prefix("Set-Cookie: "))).unwrap_or_else(|| panic!("{said}"));
        assert!(set.trim_end().ends_with("; HttpOnly; SameSite=Lax; Secure"), "{set}");
        assert!(!said.to_ascii_lowercase().contains("x-priv"), "{said}");
        assert!(server.logged(&format!("/cgi/app?gold&{name}")).contains(" mod_qos_ev="), "{}", server.access_log());
        let cookie = set.split(';').next().unwrap();
        let status =
            |cookie: &str| curl(&["-sk", "-o", "/dev/null", "-w", "%{http_code}", protocol, "-b", cookie, "-b", "a=1", &server.tls_url("/small.txt")]).out;
        assert_eq!((status(cookie).trim(), status("x=1").trim()), ("200", "500"), "{protocol}");
    }
    assert!(wait_until(SECONDS(5), || is_marked(&server, FROM)));
    server.stop();
}

/// Keys rotate: the first one makes sessions, all of them are accepted. Without any, a random one outlives graceful restarts.
#[test]
fn keys() {
    let (old, new) = ("QS_SessionKey old-key-of-32-characters-xxxxxxxxx\n", "QS_SessionKey new-key-of-32-characters-xxxxxxxxx\n");
    let rules = "QS_VipHeaderName X-Priv\nSetEnvIf Request_URI ^/small QS_EventRequest=1\nQS_ClientEventRequestLimit 0\n";
    let mut server = start(serving(&format!("{old}{rules}")));
    let login = |server: &Server| cookie(&server.ask(FROM, "/cgi/app?gold", &[]).unwrap());
    let status = |server: &Server, cookie: &str| server.ask("127.0.70.2", "/small.txt", &[cookie]).unwrap().status;
    let of_old = login(&server);
    let both = format!("{new}{old}{rules}");
    server.rewrite(|_| serving(&both));
    server.graceful();
    let of_both = login(&server);
    assert_eq!((status(&server, &of_old), status(&server, &of_both)), (200, 200));
    server.rewrite(|_| serving(&format!("{new}{rules}")));
    server.graceful();
    // Who takes a key away logs everybody out who has a session of it, and for good: what is sent again is worth nothing.
    assert_eq!((status(&server, &of_old), status(&server, &of_both), status(&server, &of_old)), (500, 200, 500));
    server.rewrite(|_| serving(rules));
    server.graceful();
    assert_eq!(status(&server, &of_both), 500);
    let of_random = login(&server);
    server.graceful();
    assert_eq!(status(&server, &of_random), 200);
    server.restart();
    server.stop();
}
