//! `qos-console` (connection-client.md section 11.4, example E15).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::{Builder, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn serving(config: &str) -> Builder {
    let handlers = "<Location /console>\nSetHandler qos-console\n</Location>\n<Location /viewer>\nSetHandler qos-viewer\n</Location>\n";
    Server::builder().config(handlers).config(config)
}

fn ask(server: &Server, query: &str) -> (u16, String) {
    let response = server.client().get(&format!("/console?{query}")).unwrap();
    (response.status, response.text())
}

/// Example E15.
#[test]
fn e15_every_action_answers_in_one_line() {
    let server = serving("QS_ClientEventLimitCount 10 5\nQS_ClientEventBlockCount 3 60").start();
    let line = |action: &str| ask(&server, &format!("action={action}&address=203.0.113.9"));
    assert_eq!(line("search"), (200, "not available\n".into()));
    let (status, text) = line("inclimit");
    assert_eq!((status, text.as_str()), (200, "203.0.113.9 vip=no lowprio=no block=0/0 limit=1/5\n"));
    assert_eq!(line("limit").1, "203.0.113.9 vip=no lowprio=no block=0/0 limit=1010/5\n");
    assert_eq!(line("unlimit").1, "203.0.113.9 vip=no lowprio=no block=0/0 limit=0/0\n");
    assert_eq!(line("block").1, "203.0.113.9 vip=no lowprio=no block=1003/60 limit=0/0\n");
    assert_eq!(line("setvip").1.replace("/59", "/60"), "203.0.113.9 vip=yes lowprio=no block=1003/60 limit=0/0\n");
    assert_eq!(line("setlowprio").1.split(" block").next(), Some("203.0.113.9 vip=yes lowprio=yes"));
    assert_eq!(line("unsetlowprio").1.split(" block").next(), Some("203.0.113.9 vip=yes lowprio=no"));
    assert_eq!(line("UNSETVIP").1.split(" block").next(), Some("203.0.113.9 vip=no lowprio=no"));
    assert_eq!(line("unblock").1, "203.0.113.9 vip=no lowprio=no block=0/0 limit=0/0\n");
    assert_eq!(ask(&server, "action=search&address=203.0.113.200"), (200, "not available\n".into()));
    assert_eq!(ask(&server, "action=foo&address=203.0.113.9").0, 406);
    assert_eq!(ask(&server, "action=setvip&address=203.0.113.999").0, 406);
    assert_eq!(ask(&server, "action=setvip").0, 406);
    assert!(server.wait_for_log("mod_qos(070): ", SECONDS(5)) && server.wait_for_log("mod_qos(071): ", SECONDS(5)), "{}", server.error_log());
}

#[test]
fn what_the_console_sets_has_its_effect() {
    let server = serving("QS_ClientEventLimitCount 10 60\nQS_ClientEventBlockCount 3 60").start();
    let status = |from: &str| server.client_from(from).get("/small.txt").map(|response| response.status).ok();
    assert_eq!(status("127.0.31.1"), Some(200));
    ask(&server, "action=limit&address=127.0.31.1");
    assert_eq!(status("127.0.31.1"), Some(500));
    assert!(server.wait_for_log("event=QS_Limit, max=10, current=1010, age=", SECONDS(5)), "{}", server.error_log());
    ask(&server, "action=unlimit&address=127.0.31.1");
    assert_eq!(status("127.0.31.1"), Some(200));
    ask(&server, "action=block&address=127.0.31.1");
    assert_eq!(status("127.0.31.1"), None, "closed without an answer");
    ask(&server, "action=unblock&address=127.0.31.1");
    assert!(wait_until(SECONDS(5), || status("127.0.31.1") == Some(200)));
}

#[test]
fn a_dump_is_restored_on_another_server() {
    let config = "QS_ClientEventLimitCount 10 600\nQS_ClientEventBlockCount 3 600";
    let (first, second) = (serving(config).start(), serving(config).start());
    for (action, address) in
        [("setvip", "192.0.2.1"), ("block", "192.0.2.2"), ("limit", "2001:db8::"), ("setlowprio", "192.0.2.3"), ("inclimit", "198.51.100.7")]
    {
        assert_eq!(ask(&first, &format!("action={action}&address={address}")).0, 200);
    }
    let dump = |server: &Server, address: &str| {
        let (status, text) = ask(server, &format!("action=search&address={address}"));
        assert_eq!(status, 200);
        // The position and the seconds that pass meanwhile do not matter.
        let mut lines = text.lines().map(|line| line.split(' ').skip(1).take(3).map(str::to_owned).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        lines.sort();
        (text, lines)
    };
    let (text, lines) = dump(&first, "192.0.2.0/24");
    assert_eq!(lines, ["192.0.2.1 vip=yes lowprio=no", "192.0.2.2 vip=no lowprio=no", "192.0.2.3 vip=no lowprio=yes"], "{text}");
    let (text, all) = dump(&first, "*");
    assert!(text.lines().all(|line| line.len() > 11 && line.split(' ').next().unwrap().len() == 10), "{text}");
    let response = second.client().request("POST", "/console?action=restore", &[], text.as_bytes()).unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, format!("{} entries restored\n", all.len()).as_str()));
    let (restored, lines) = dump(&second, "*");
    assert!(all.iter().all(|line| lines.contains(line)), "{all:?} {lines:?}");
    let blocked =
        |text: &str| text.lines().find(|line| line.contains("192.0.2.2 ")).unwrap().split(" block=").nth(1).unwrap().split('/').next().unwrap().to_owned();
    assert_eq!((blocked(&restored), blocked(&text)), ("1003".into(), "1003".into()));
}

/// A client that is named by a hash (`c=` of 067) is found by it, although it looks like an IPv6 address of a network.
#[test]
fn a_client_that_is_named_by_a_hash_is_found() {
    let rules = "QS_ClientIpFromHeader #X-Token\nQS_ClientEventLimitCount 2 60\nSetEnvIf Request_URI limit QS_Limit\n";
    let server = serving(rules).start();
    let status = |path: &str| server.client().request("GET", path, &["X-Token: hello"], b"").unwrap().status;
    assert_eq!([status("/limit"), status("/limit"), status("/small.txt")], [404, 500, 500]);
    let address = "5d41:402a:bc4b:2a76:b971:9d91:1017:c592";
    assert!(server.wait_for_log(&format!("c={address}, id="), SECONDS(5)), "{}", server.error_log());
    assert!(ask(&server, &format!("action=search&address={address}")).1.contains("limit=2/"));
    assert!(ask(&server, &format!("action=unlimit&address={address}")).1.ends_with("limit=0/0\n"));
    assert_eq!(status("/small.txt"), 200);
}
