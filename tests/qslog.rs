//! `QSLog`: a program that gets a line for each request (connection-client.md section 13.4, W59, W60).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use httpd_lab::said::{by_query, matches};
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// A program that writes its arguments, and then what it hears, to a file.
struct Program {
    script: PathBuf,
    heard: PathBuf,
}

impl Program {
    fn new() -> Program {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = |end: &str, n: u32| std::env::temp_dir().join(format!("qslog-{}-{n}{end}", std::process::id()));
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let (script, heard) = (name(".sh", n), name(".txt", n));
        std::fs::write(&script, format!("#!/bin/sh\necho \"start $*\" >> {0}\nexec cat >> {0}\n", heard.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Program { script, heard }
    }

    fn lines(&self) -> Vec<String> {
        let heard = std::fs::read(&self.heard).unwrap_or_default();
        // Without those of the harness.
        String::from_utf8_lossy(&heard).lines().filter(|line| !line.starts_with("127.255.255.254 ")).map(str::to_owned).collect()
    }

    /// The line for the request to `path`.
    #[track_caller]
    fn line(&self, path: &str) -> String {
        let end = format!(":{path}'");
        assert!(wait_until(SECONDS(5), || self.lines().iter().any(|line| line.ends_with(&end))), "{path}: {:#?}", self.lines());
        self.lines().into_iter().rfind(|line| line.ends_with(&end)).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.script);
        let _ = std::fs::remove_file(&self.heard);
    }
}

fn serving(program: &Program, rest: &str) -> Builder {
    let config = format!("KeepAliveTimeout 60\nErrorDocument 404 /small.txt\nQSLog \"{}{rest}\"\n", program.script.display());
    Server::builder().config(&config).config(&by_query(&["Event", "mod_qos_user_id", "QS_Limit"]))
}

#[test]
fn one_line_for_each_request() {
    std::thread::scope(|scope| {
        for mpm in Mpm::ALL {
            scope.spawn(move || each_request(mpm));
        }
    });
}

fn each_request(mpm: Mpm) {
    let program = Program::new();
    let config =
        "QS_ClientEventLimitCount 1\nQS_SrvMaxConnExcludeIP 127.0.75.9\n<VirtualHost *:@PORT1@>\nServerName other.example\nUseCanonicalName On\n</VirtualHost>";
    let server = serving(&program, " -o two").config(config).mpm(mpm).vhost_ports(1).start();
    assert!(wait_until(SECONDS(5), || program.lines().first().is_some_and(|line| line == "start -o two -f ISBiDUkEQaC")), "{:?}", program.lines());
    let mut client = server.client_from("127.0.75.1");
    let expect = |path: &str, pattern: &str| {
        let line = program.line(path);
        assert!(matches(&line, pattern), "{mpm:?}: '{line}' is not '{pattern}'");
    };
    assert_eq!(client.get("/index.html").unwrap().status, 200);
    expect("/index.html", "127.0.75.1 200 # - # - 0 - - # 'localhost:/index.html'");
    // The second on its connection; with a body, and with everything that a rule can say.
    assert_eq!(client.request("POST", "/small.txt?Event=checkout&mod_qos_user_id=u1", &[], b"12345").unwrap().status, 200);
    expect("/small.txt", "127.0.75.1 200 # 5 # u1 1 checkout - # 'localhost:/small.txt'");
    // A redirected request is one, with its own path and the last status; a denied one has its letters.
    assert_eq!(client.get("/missing").unwrap().status, 404);
    expect("/missing", "127.0.75.1 404 # - # - 2 - - # 'localhost:/missing'");
    let before = program.lines().len();
    assert_eq!(server.status("127.0.75.2", "/cgi/none?QS_Limit=1"), Some(500));
    expect("/cgi/none", "127.0.75.2 500 # - # - 0 - D;r; # 'localhost:/cgi/none'");
    assert_eq!(program.lines().len(), before + 1, "{mpm:?}: {:#?}", program.lines());
    // Other hosts, and what clients write.
    let mut other = RawClient::connect(None, (std::net::Ipv4Addr::LOCALHOST, server.vhost_port(1)).into()).unwrap();
    assert_eq!(other.get("/a%0ab%22%27%20c").unwrap().status, 404);
    assert!(wait_until(SECONDS(5), || program.lines().iter().any(|line| line.contains("'other.example:/a"))), "{:#?}", program.lines());
    let line = program.lines().into_iter().find(|line| line.contains("'other.example:/a")).unwrap();
    assert!(line.is_ascii() && line.ends_with("/a\\nb\\\"\\x27 c'"), "one line: {line}");
    assert_eq!(server.status("127.0.75.9", "/excluded"), Some(404));
    assert!(program.line("/excluded").contains(" S; "));
    // W59: there are never two blanks.
    assert!(program.lines().iter().all(|line| !line.contains("  ")), "{:#?}", program.lines());
    // A restart starts it anew.
    server.graceful();
    assert_eq!(server.status("127.0.75.1", "/after"), Some(404));
    program.line("/after");
    assert!(program.lines().iter().filter(|line| line.starts_with("start ")).count() >= 2, "{:#?}", program.lines());
    server.stop();
}

/// httpd starts it anew, again and again; requests are served.
#[test]
fn a_program_that_ends_at_once_does_no_harm() {
    let program = Program::new();
    std::fs::write(&program.script, "#!/bin/sh\nexit 0\n").unwrap();
    let server = serving(&program, "").start();
    for n in 0..200 {
        assert_eq!(server.status("127.0.75.1", &format!("/small.txt?{n}")), Some(200));
    }
    assert!(!server.error_log().contains("panicked") && !server.error_log().contains("exit signal"), "{}", server.error_log());
}

/// W60: an error at start that names the program.
#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    for program in ["/nowhere/qslog", "|/nowhere/qslog -o x", "/etc/passwd"] {
        let log = Server::builder().config(&format!("QSLog \"{program}\"")).try_start().err().unwrap_or_else(|| panic!("{program}: it starts"));
        let name = program.trim_start_matches('|');
        assert!(log.contains(&format!("QSLog: '{name}' cannot be started; expected a program that can be executed")), "{program}: {log}");
    }
}
