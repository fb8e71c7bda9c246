//! Worked examples about VIPs, milestones, users and redirects on which the packaged original and ours agree (request-event.md section 21, E11 to E13, and
//! sections 12, 13, 15, 16). Without QOS_ORACLE they run against ours; `make oracle` sets it and runs them against the original.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use httpd_lab::{Module, Mpm, Response, Server, wait_until};

const FROM: &str = "127.0.75.1";
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// A server, and the application behind it: `/app/gold` says `X-Priv: gold` and shows its cookies.
struct Site {
    server: Server,
    _backend: Server,
}

impl std::ops::Deref for Site {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn serving(module: Module, config: &str) -> Site {
    let backend = Server::builder().module(Module::None).mpm(Mpm::Worker).start();
    let path = backend.root().join("cgi/app");
    let script = "#!/bin/sh\nvalue=${PATH_INFO#/}\nprintf 'Content-Type: text/plain\\r\\n'\n[ -n \"$value\" ] && printf 'X-Priv: %s\\r\\n' \"$value\"\n\
                  printf '\\r\\ncookies=%s\\n' \"$HTTP_COOKIE\"\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let proxy = format!("ProxyPass /app/ http://127.0.0.1:{}/cgi/app/\n", backend.port());
    let show = "AcceptFilter http none\nQS_SessionKey a-secret-of-32-characters-for-all\n<Location /console>\nSetHandler qos-console\n</Location>\n";
    let builder = Server::builder().module(module).mpm(Mpm::Worker).config(show).config(&proxy).config(config);
    let modules = ["proxy", "proxy_http", "unique_id", "auth_basic", "authn_core", "authn_file", "authz_user"];
    let server = modules.into_iter().fold(builder, httpd_lab::Builder::load).log_env(&["mod_qos_ev", "QS_ErrorNotes", "mod_qos_user_id"]).start();
    std::fs::write(server.docs().join("check.html"), "please enable cookies\n").unwrap();
    Site { server, _backend: backend }
}

/// The original needs a port in the `Host` header.
fn ask(server: &Server, method: &str, path: &str, headers: &[&str]) -> Response {
    let mut client = server.client_from(FROM);
    let host = format!("Host: localhost:{}", server.port());
    let lines = [&[host.as_str(), "Connection: close"], headers].concat().join("\r\n");
    client.send(format!("{method} {path} HTTP/1.1\r\n{lines}\r\n\r\n")).unwrap();
    client.read_response().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cookie(response: &Response, name: &str) -> Option<String> {
    let set = response.headers.iter().find(|(header, value)| header.eq_ignore_ascii_case("set-cookie") && value.starts_with(&format!("{name}=")));
    set.map(|(_, value)| format!("Cookie: {}", value.split(';').next().unwrap()))
}

fn logged(server: &Server, path: &str, part: &str) {
    assert!(server.logged(path).contains(part), "{path} {part}: {}", server.access_log());
}

/// Example E11.
fn session(module: Module) {
    let server = serving(
        module,
        "QS_VipHeaderName X-Priv=^gold$ drop\nQS_SessionTimeout 3\nSetEnvIf Request_URI ^/(app|small) QS_EventRequest=1\nQS_ClientEventRequestLimit 50\n",
    );
    let login = ask(&server, "POST", "/app/gold?login", &["Content-Length: 0"]);
    let text = login.header("set-cookie").unwrap().to_owned();
    assert!(text.starts_with("MODQOS=") && text.contains("; Path=/; Max-Age=3") && login.header("x-priv").is_none(), "{login:?}");
    logged(&server, "/app/gold?login", " mod_qos_ev=v;V; ");
    let session = cookie(&login, "MODQOS").unwrap();
    let second = ask(&server, "GET", "/app/?second", &[&session, "X-A: b"]);
    assert_eq!((second.status, second.text().as_str()), (200, "cookies=\n"));
    let altered = ask(&server, "GET", "/small.txt?altered", &["Cookie: MODQOS=AAAA"]);
    assert_eq!(altered.status, 200);
    logged(&server, "/small.txt?altered", " QS_ErrorNotes=021 ");
    let silver = ask(&server, "GET", "/app/silver", &[]);
    assert_eq!((silver.header("x-priv"), cookie(&silver, "MODQOS")), (None, None));
    std::thread::sleep(SECONDS(5));
    assert_eq!(ask(&server, "GET", "/small.txt?expired", &[&session]).status, 200);
    logged(&server, "/small.txt?expired", " QS_ErrorNotes=023 ");
    let console = || server.ask("127.255.0.1", &format!("/console?action=search&address={FROM}"), &[]).unwrap().text();
    assert!(wait_until(SECONDS(5), || console().contains(" vip=yes ")), "{}", console());
}

/// Section 13.3: who has logged in.
fn users(module: Module) {
    let login = "AuthType Basic\nAuthName lab\nAuthBasicProvider file\nAuthUserFile @ROOT@/users\nRequire valid-user";
    let server = serving(module, &format!("<Location /cgi>\n{login}\n</Location>\nQS_VipUser\nQS_ClientEventRequestLimit 50\n"));
    std::fs::write(server.root().join("users"), "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    let first = ask(&server, "GET", "/cgi/env?first", &["Authorization: Basic dXNlcjpzZWNyZXQ="]);
    assert_eq!(first.status, 200);
    logged(&server, "/cgi/env?first", " mod_qos_ev=V;v; ");
    let session = cookie(&first, "MODQOS").unwrap();
    let second = ask(&server, "GET", "/cgi/env?second", &["Authorization: Basic dXNlcjpzZWNyZXQ=", &session]);
    assert_eq!((second.status, cookie(&second, "MODQOS")), (200, None));
    assert!(!second.text().contains("MODQOS"));
}

/// Example E12, without waiting for an hour.
fn milestones(module: Module) {
    let rules = "QS_MileStone deny \"^GET /start\"\nQS_MileStone deny \"^POST /form\" 2\nQS_MileStone log \"^GET /result\"\nQS_MileStoneTimeout 5\n\
                 AliasMatch ^/(start|form|result)$ @DOCS@/small.txt\n";
    let server = serving(module, rules);
    let go = |method: &str, path: &str, before: Option<&String>| {
        let headers = before.into_iter().map(String::as_str).collect::<Vec<_>>();
        let response = ask(&server, method, path, &headers);
        (response.status, cookie(&response, "QSSCD"))
    };
    assert_eq!(go("GET", "/form?1", None), (200, None));
    assert_eq!(go("POST", "/form?2", None), (403, None));
    let (status, start) = go("GET", "/start?3", None);
    assert!(status == 200 && start.is_some());
    assert_eq!(go("POST", "/form?4", start.as_ref()), (403, None));
    std::thread::sleep(SECONDS(3));
    let (status, form) = go("POST", "/form?5", start.as_ref());
    assert!(status == 200 && form.is_some());
    assert_eq!(go("GET", "/start?6", form.as_ref()), (200, None));
    let (status, result) = go("GET", "/result?7", None);
    assert!(status == 200 && result.is_some());
    assert_eq!(go("POST", "/form?8", result.as_ref()), (403, None));
    std::thread::sleep(SECONDS(6));
    let (status, again) = go("GET", "/result?9", form.as_ref());
    assert!(status == 200 && again.is_some());
    for (path, part) in [("2", " mod_qos_ev=D; QS_ErrorNotes=047 "), ("4", " mod_qos_ev=D; QS_ErrorNotes=147 "), ("8", " mod_qos_ev=D; QS_ErrorNotes=147 ")] {
        logged(&server, &format!("/form?{path}"), part);
    }
    logged(&server, "/result?7", " mod_qos_ev=- QS_ErrorNotes=047 ");
    for line in [
        "mod_qos(047): access denied, reached milestone '1' (^POST /form), user has already passed 'none', action=deny, c=127.0.75.1, id=*",
        "mod_qos(147): access denied, reached milestone '1' (^POST /form), earlier than expected (right after # instead of 2 seconds), action=deny, c=127.0.75.1, id=*",
        "mod_qos(047): access denied, reached milestone '2' (^GET /result), user has already passed 'none', action=log only (pass milestone), c=127.0.75.1, id=*",
    ] {
        server.expect_line(line);
    }
}

/// Example E13, over http.
fn tracking(module: Module) {
    let server = serving(module, "QS_UserTrackingCookieName uid /check.html .example.org\n");
    let first = ask(&server, "GET", "/small.txt?b=1", &[]);
    let base = format!("http://localhost:{}", server.port());
    let location = first.header("location").unwrap().to_owned();
    let token = location.strip_prefix(&format!("{base}/check.html?r=")).unwrap_or_else(|| panic!("{location}"));
    let set = first.header("set-cookie").unwrap();
    assert!(first.status == 302 && set.contains("; Path=/; Max-Age=25920000; Domain=.example.org"), "{set}");
    logged(&server, "/small.txt?b=1", " mod_qos_ev=u; ");
    let user = cookie(&first, "uid").unwrap();
    let back = ask(&server, "GET", &format!("/check.html?r={token}"), &[&user]);
    assert_eq!((back.status, back.header("location"), back.header("set-cookie")), (302, Some(format!("{base}/small.txt?b=1").as_str()), None));
    let page = ask(&server, "GET", &format!("/check.html?r={token}"), &[]);
    assert_eq!((page.status, page.header("cache-control"), cookie(&page, "uid").is_some()), (200, Some("no-cache, no-store"), true));
    let served = ask(&server, "GET", "/app/?known", &[&user]);
    assert_eq!((served.status, served.text().as_str(), served.header("set-cookie")), (200, "cookies=\n", None));
    let post = ask(&server, "POST", "/app/?post", &["Content-Length: 0"]);
    assert_eq!((post.status, cookie(&post, "uid").is_some()), (200, true));
}

/// Section 12.
fn redirects(module: Module) {
    let rules = "SetEnvIf Request_URI ^/(a.*) VAR=$1\nQS_RedirectIf VAR ^A(.)(.)$ 307:/to/$2/$1\nQS_RedirectIf VAR . /else\n";
    let server = serving(module, rules);
    for (path, status, url) in [("/axy", 307, Some("/to/y/x")), ("/axyz", 302, Some("/else")), ("/small.txt", 200, None)] {
        let response = ask(&server, "GET", path, &[]);
        assert_eq!((response.status, response.header("location")), (status, url), "{path}");
    }
    server.expect_line("mod_qos(049): redirect to /to/y/x, var=VAR, action=redirect, c=127.0.75.1, id=*");
}

#[test]
fn users_and_their_cookies() {
    let Some(module) = httpd_lab::original::asked() else { return };
    let examples: [fn(Module); 5] = [session, users, milestones, tracking, redirects];
    std::thread::scope(|scope| {
        for example in examples {
            scope.spawn(move || example(module));
        }
    });
}
