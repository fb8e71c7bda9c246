//! Reading bodies that are inspected: how long they may be, slow clients and those that leave, what does not fit (filters.md sections 9, 13.3, 13.7 and 16.5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use httpd_lab::http2::run;
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Forms are read; below /small/ with at most 1000 bytes, below /limit/ with a limit of bodies of 500.
const READING: &str = "QS_SetEnvIfParp ^(.{0,20}) LINE=$1
ScriptAlias /small/ @ROOT@/cgi/
ScriptAlias /limit/ @ROOT@/cgi/
SetEnvIf Content-Encoding gzip QS_DeflateReqBody
<Location /small/>
QS_BodyMaxSize 1000
</Location>
<Location /limit/>
QS_LimitRequestBody 500
</Location>
<VirtualHost *:@PORT1@>
ScriptAlias /cgi/ @ROOT@/cgi/
ScriptAlias /small/ @ROOT@/cgi/
QS_ErrorPage /small.txt
</VirtualHost>
<VirtualHost *:@PORT2@>
ProxyPass / http://127.0.0.1:@PORT3@/
</VirtualHost>
<VirtualHost *:@PORT3@>
ScriptAlias /cgi/ @ROOT@/cgi/
SetEnvIf Request_URI . !parp
</VirtualHost>";

fn reading() -> Builder {
    ["proxy", "proxy_http", "deflate"].iter().fold(Server::builder(), |builder, name| builder.load(name)).vhost_ports(3).config(READING).log_env(&[
        "LINE",
        "PARPContentLength",
        "mod_qos_ev",
        "QS_ErrorNotes",
    ])
}

fn local(port: u16) -> SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, port).into()
}

fn head(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{lines}\r\n")
}

fn sized(path: &str, body: &[u8]) -> Vec<u8> {
    [head(path, &format!("Content-Length: {}\r\n", body.len())).as_bytes(), body].concat()
}

fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let chunks = body.chunks(4000).flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    head(path, "Transfer-Encoding: chunked\r\n").into_bytes().into_iter().chain(chunks).chain(*b"0\r\n\r\n").collect()
}

/// The statuses of all that is answered to a request and to a second one behind it on the same connection.
fn statuses(to: SocketAddr, request: &[u8]) -> (Vec<u16>, String) {
    let mut client = RawClient::connect(None, to).unwrap();
    let mut writer = client.tcp().try_clone().unwrap();
    let bytes = [request, b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"].concat();
    // A server that has heard enough closes.
    let sender = std::thread::spawn(move || drop(writer.write_all(&bytes)));
    let mut text = Vec::new();
    while let Ok(bytes) = client.read_some(65536) {
        if bytes.is_empty() {
            break;
        }
        text.extend(bytes);
    }
    drop(client);
    sender.join().unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok()).collect(), text)
}

fn filter(program: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let out = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    out
}

fn sha256(bytes: &[u8]) -> String {
    String::from_utf8(filter("sha256sum", &[], bytes)).unwrap()[..64].to_owned()
}

#[test]
fn a_body_may_be_as_long_as_the_lowest_limit_says() {
    for mpm in Mpm::ALL {
        let server = reading().mpm(mpm).start();
        let eight = 8 << 20;
        for (name, path, length, in_chunks, refused) in [
            ("at the limit", "/small/upload", 1000, false, None),
            ("beyond", "/small/upload", 1001, false, Some("QS_BodyMaxSize: max=1000 this=1001,")),
            ("at the limit, in chunks", "/small/upload", 1000, true, None),
            ("beyond, in chunks", "/small/upload", 1001, true, Some("QS_BodyMaxSize: max=1000 this=1001,")),
            ("much beyond, in chunks", "/small/upload", 300_000, true, Some("QS_BodyMaxSize: max=1000 this=")),
            ("a lower limit", "/limit/upload", 501, false, Some("QS_LimitRequestBody: max=500 this=501,")),
            ("a lower limit, in chunks", "/limit/upload", 501, true, Some("QS_LimitRequestBody: max=500 this=501,")),
            ("the default", "/cgi/upload", eight, false, None),
            ("the default, in chunks", "/cgi/upload", eight, true, None),
            ("beyond the default", "/cgi/upload", eight + 1, false, Some("QS_BodyMaxSize: max=8388608 this=8388609,")),
            ("beyond the default, in chunks", "/cgi/upload", eight + 1, true, Some("QS_BodyMaxSize: max=8388608 this=8388609,")),
        ] {
            let before = server.lines("044").len();
            let body = vec![b'x'; length];
            let (seen, text) = statuses(server.addr(), &if in_chunks { chunked(path, &body) } else { sized(path, &body) });
            let lines = server.lines("044");
            match refused {
                None => assert_eq!((seen, lines.len()), (vec![200, 200], before), "{mpm:?} {name}: {text} {lines:?}"),
                Some(numbers) => {
                    assert_eq!((seen, lines.len()), (vec![413], before + 1), "{mpm:?} {name}: {text} {lines:?}");
                    assert!(lines[before].starts_with(&format!("mod_qos(044): access denied, {numbers}")), "{mpm:?} {name}: {lines:?}");
                }
            }
        }
        // With an error page, too, there is one answer.
        for request in [sized("/cgi/upload", &vec![b'x'; eight + 1]), chunked("/cgi/upload", &vec![b'x'; eight + 1])] {
            let (seen, text) = statuses(local(server.vhost_port(1)), &request);
            assert!(seen == [500] && text.ends_with("\r\n\r\nsmall\n"), "{mpm:?} error page: {text}");
        }
        let ended = || server.access_log().lines().filter(|line| line.ends_with("mod_qos_ev=D; QS_ErrorNotes=044")).count() == 9;
        assert!(wait_until(SECONDS(5), ended), "{mpm:?} {}", server.access_log());
        server.stop();
    }
}

/// L8 for bodies that are read, and the same for the body of an upload over HTTP/2.
#[test]
fn over_http2_limits_hold_as_well() {
    let server = reading().http2().expect_crashes().start();
    let upload = |path: &str, bytes: usize| {
        let curl = "curl -q -sS --max-time 20 --http2-prior-knowledge -X POST -T - -H 'Content-Type: application/x-www-form-urlencoded' -w '%{http_code}' -o /dev/null";
        run("sh", &["-c", &format!("head -c {bytes} /dev/zero | {curl} '{}'", server.url(path))]).out
    };
    for (path, bytes, status) in [("/small/upload", 1000, "200"), ("/small/upload", 1001, "413"), ("/limit/upload", 500, "200"), ("/limit/upload", 501, "413")]
    {
        // curl may miss the answer to a request that ends before all of it is sent.
        let said = upload(path, bytes);
        assert!(said == status || (status == "413" && said == "000"), "{path} {bytes}: {said}\n{}", server.error_log());
        let logged = || server.access_log().lines().filter(|line| line.contains(&format!("\"POST {path} HTTP/2.0\" {status} "))).count() == 1;
        assert!(wait_until(SECONDS(5), logged), "{path} {bytes}: {}", server.access_log());
    }
    assert!(!server.error_log().contains("exit signal"), "{}", server.error_log());
}

#[test]
fn in_log_only_mode_too_long_bodies_are_served_as_they_came() {
    let server = reading().config("QS_LogOnly on").start();
    let body = (0..200_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>();
    let hash = sha256(&body);
    for (n, request) in [sized("/small/hash", &body), chunked("/small/hash", &body), chunked("/limit/hash", &body)].iter().enumerate() {
        let (seen, text) = statuses(server.addr(), request);
        assert!(seen == [200, 200] && text.contains(&hash), "{n}: {text}\n{}", server.error_log());
        assert_eq!(server.count_log("mod_qos(044): access denied (log only), "), n + 1, "{}", server.error_log());
    }
    // The same through a proxy, and inflated.
    let proxied = SocketAddr::from(([127, 0, 0, 1], server.vhost_port(2)));
    let large = vec![b'y'; 9 << 20];
    let (seen, text) = statuses(proxied, &chunked("/cgi/hash", &large));
    assert!(seen.first() == Some(&200) && text.contains(&sha256(&large)), "{text}\n{}", server.error_log());
}

/// 15.9, FW-19b, L13.
#[test]
fn compressed_bodies_are_inflated() {
    let server = reading().start();
    let gzip = |bytes: &[u8]| filter("gzip", &["-c"], bytes);
    let request = |path: &str, body: &[u8]| [head(path, &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", body.len())).as_bytes(), body].concat();
    for to in [server.addr(), local(server.vhost_port(2))] {
        let (seen, text) = statuses(to, &request("/cgi/hash", &gzip(b"q=ok")));
        assert!(seen[0] == 200 && text.contains(&format!("{} 4 plain", sha256(b"q=ok"))), "{text}\n{}", server.error_log());
    }
    assert!(server.wait_for_access("LINE=q=ok PARPContentLength=4 ", SECONDS(5)), "{}", server.access_log());
    let mut noisy = String::new();
    for n in 0..60_000u32 {
        noisy.push_str(&format!("k{}={}&", n.wrapping_mul(2_654_435_761), n));
    }
    let large = gzip(noisy.as_bytes());
    let (seen, text) = statuses(server.addr(), &request("/cgi/hash", &large));
    assert!(seen == [200, 200] && text.contains(&sha256(noisy.as_bytes())), "{text}\n{}", server.error_log());
    let bomb = gzip(&vec![b'x'; 400_000]);
    assert!(bomb.len() <= 500, "{}", bomb.len());
    let (seen, text) = statuses(server.addr(), &request("/limit/hash", &bomb));
    assert_eq!(seen, [413], "L13: {text}\n{}", server.error_log());
    assert_eq!(server.count_log("mod_qos(044): access denied, QS_DeflateReqBody: the body inflates to more than mod_deflate allows, c=127.0.0.1, id="), 1);
    // Not too much for mod_deflate, but for the limits.
    for (path, numbers) in [("/limit/hash", "QS_LimitRequestBody: max=500 this=#"), ("/small/hash", "QS_BodyMaxSize: max=1000 this=#")] {
        let (seen, text) = statuses(server.addr(), &request(path, &gzip(&noisy.as_bytes()[..1200])));
        assert_eq!(seen, [413], "{path} {text}\n{}", server.error_log());
        server.expect_line(&format!("mod_qos(044): access denied, {numbers}, c=127.0.0.1, id=*"));
    }
}

#[test]
fn who_waits_for_100_continue_hears_it_where_the_body_is_read() {
    let server = reading().start();
    let mut client = server.client();
    client.send(head("/cgi/hash", "Content-Length: 3\r\nExpect: 100-continue\r\n")).unwrap();
    assert_eq!(client.read_some(25).unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("a=1").unwrap();
    let response = client.read_response().unwrap();
    assert!(response.status == 200 && response.text().starts_with(&sha256(b"a=1")), "{}", response.text());
    // What would be too long is not asked for.
    client.send(head("/small/hash", "Content-Length: 1001\r\nExpect: 100-continue\r\n")).unwrap();
    assert_eq!(client.read_some(12).unwrap(), b"HTTP/1.1 413");
}

/// FW-20: nothing is read, and nothing asked for, where a rule that does not need the body denies.
#[test]
fn a_body_is_read_after_the_rules_that_do_not_need_it() {
    let server = reading().config("QS_MileStone deny \"^GET /small\"\nQS_MileStone deny \"^POST /cgi\"").start();
    let mut client = server.client();
    client.send(head("/cgi/hash", "Content-Length: 3\r\nExpect: 100-continue\r\n")).unwrap();
    assert_eq!(client.read_some(12).unwrap(), b"HTTP/1.1 403", "{}", server.error_log());
    assert!(server.wait_for_access("POST /cgi/hash HTTP/1.1\" 403 ", SECONDS(5)));
    assert!(server.access_log().contains(" PARPContentLength=- mod_qos_ev=D; QS_ErrorNotes=047"), "{}", server.access_log());
}

/// Bodies in a folder that this test knows.
fn spooling(config: &str) -> (Server, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("body-{}-{}", std::process::id(), config.len()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    (reading().config(&format!("QS_BodyTempDir {}\nTimeout 2\n{config}", folder.display())).start(), folder)
}

/// Files in a folder that processes of the server have open, with or without a name.
fn open_files(server: &Server, folder: &std::path::Path) -> usize {
    let links =
        |pid: &u32| std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    server.children().iter().flat_map(links).filter(|link| link.starts_with(folder)).count()
}

#[test]
fn slow_clients_and_those_that_leave_keep_nothing() {
    let (server, folder) = spooling("");
    let part = |size: usize| [head("/cgi/upload", "Content-Length: 5000000\r\n").into_bytes(), vec![b'x'; size]].concat();
    // One that is silent in the middle of its body is told so.
    let mut slow = server.client();
    slow.send(part(2_000_000)).unwrap();
    assert!(wait_until(SECONDS(5), || open_files(&server, &folder) == 1), "{}", server.error_log());
    assert_eq!(slow.read_response().unwrap().status, 408, "{}", server.error_log());
    assert!(wait_until(SECONDS(5), || open_files(&server, &folder) == 0));
    for size in [100, 2_000_000] {
        let mut leaves = server.client();
        leaves.send(part(size)).unwrap();
        leaves.reset().unwrap();
    }
    let mut malformed = server.client();
    malformed.send(head("/cgi/upload", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\nzz\r\n").unwrap();
    assert_eq!(malformed.read_response().unwrap().status, 400, "{}", server.error_log());
    let ended = || server.access_log().lines().filter(|line| line.contains("\" 400 ")).count() == 3;
    assert!(wait_until(SECONDS(5), ended), "{}", server.access_log());
    assert!(wait_until(SECONDS(5), || open_files(&server, &folder) == 0));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "no names are left");
    // A child that is killed leaves no file either.
    let mut killed = server.client();
    killed.send(part(2_000_000)).unwrap();
    assert!(wait_until(SECONDS(5), || open_files(&server, &folder) == 1));
    for pid in server.children() {
        httpd_lab::sys::signal(pid, libc::SIGKILL);
    }
    assert!(wait_until(SECONDS(10), || server.client().get("/small.txt").is_ok_and(|response| response.status == 200)));
    assert_eq!((open_files(&server, &folder), std::fs::read_dir(&folder).unwrap().count()), (0, 0));
    assert_eq!(server.count_log("mod_qos(048)"), 0, "{}", server.error_log());
    let _ = std::fs::remove_dir_all(folder);
}

/// A folder with room for 300 KB, or one that cannot be written where no such folder can be made here.
struct Full(std::path::PathBuf, bool);

impl Full {
    fn make(folder: &std::path::Path) -> Full {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=300k,mode=777", "tmpfs"]).arg(folder).output().is_ok_and(|out| out.status.success());
        if !mounted {
            std::fs::remove_dir(folder).unwrap();
        }
        Full(folder.to_owned(), mounted)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        if self.1 {
            let _ = Command::new("umount").arg(&self.0).status();
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_full_disk_fails_the_request_and_nothing_else() {
    let (server, folder) = spooling("# enforced");
    let full = Full::make(&folder);
    let body = vec![b'x'; 3 << 20];
    for request in [sized("/cgi/hash", &body), chunked("/cgi/hash", &body)] {
        let (seen, text) = statuses(server.addr(), &request);
        assert_eq!(seen.first(), Some(&500), "{text}\n{}", server.error_log());
    }
    let reason = if full.1 { "No space left on device" } else { "No such file or directory" };
    assert!(server.error_log().contains(&format!("mod_qos(048): access denied, invalid request body (cannot be kept: {reason}")), "{}", server.error_log());
    let (seen, text) = statuses(server.addr(), &sized("/cgi/hash", &body[..1 << 20]));
    assert_eq!(seen, [200, 200], "what fits in memory is served: {text}");
    assert!(wait_until(SECONDS(5), || open_files(&server, &folder) == 0));
    server.stop();
}

#[test]
fn a_full_disk_does_not_matter_in_log_only_mode() {
    let (server, folder) = spooling("# only logged, so\nQS_LogOnly on");
    let full = Full::make(&folder);
    let body = (0..3_000_000u32).map(|n| (n % 253) as u8).collect::<Vec<_>>();
    for request in [sized("/cgi/hash", &body), chunked("/cgi/hash", &body)] {
        let (seen, text) = statuses(server.addr(), &request);
        assert!(seen == [200, 200] && text.contains(&sha256(&body)), "{text}\n{}", server.error_log());
    }
    assert_eq!(server.lines("048").len(), 2, "{}", server.error_log());
    server.stop();
    drop(full);
}
