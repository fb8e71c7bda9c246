//! Each file of apache-conf, and the configurations that are installed and run, start a server on every MPM; and some do what they are for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Module, Mpm, Server};
use std::path::Path;

#[test]
fn every_sample_serves_on_every_mpm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = std::fs::read_dir(root.join("apache-conf")).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.push(root.join("mods-available/qos.conf"));
    files.push(root.join("packaging/run.conf"));
    assert!(files.len() >= 6);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // A balancer's PROXY header is what every client of that server has to send.
        let proxied = text.contains("RemoteIPProxyProtocol On");
        for mpm in Mpm::ALL {
            let server = Server::builder().mpm(mpm).module(Module::Ours).load("unique_id").config(if proxied { "" } else { &text });
            if proxied {
                server.config(&text).configtest().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                continue;
            }
            let server = server.start();
            assert_eq!(server.client().get("/small.txt").unwrap().status, 200, "{} {mpm:?}", file.display());
            assert!(!server.error_log().contains("[qos:warn]"), "{}: {}", file.display(), server.error_log());
            server.stop();
        }
    }
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("apache-conf").join(name)).unwrap()
}

const FROM: &str = "127.0.75.1";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
/// More than the sample lets a form have.
const LARGE: usize = 1_500_000;

/// forms.conf: a log-in is counted wherever it is sent to, also by way of the folder whose bodies nobody reads; uploads to that folder are not read.
#[test]
fn log_ins_by_form_are_counted_and_uploads_are_not_read() {
    let server =
        Server::builder().load("unique_id").load("deflate").config("MaxKeepAliveRequests 0").config(&sample("forms.conf")).log_env(&["Login", "parp"]).start();
    let mut next = 0u8;
    let mut post = |target: &str, padding: usize| {
        next += 1;
        let body = format!("user=a&password=b&x={}", "x".repeat(padding));
        let response = server.client_from(&format!("127.0.76.{next}")).request("POST", target, &[FORM], body.as_bytes());
        response.unwrap_or_else(|error| panic!("{target}: {error}")).status
    };
    let counted = [
        "/login",
        "/upload/../login",
        "/upload/%2e%2e/login",
        "/upload/%2E./login",
        "/upload//../login",
        "/upload/..;/login",
        "/upload/x/../../login",
        "/%75pload/../login",
        "//upload/../login",
        "/upload",
        "/uploads/x",
    ];
    for target in counted {
        assert_eq!(post(target, 0), 404, "{target}");
        assert!(server.logged(target).ends_with(" Login= parp=mod_qos"), "{target}: {}", server.logged(target));
        let target = format!("{target}?large");
        assert_eq!(post(&target, LARGE), 413, "{target}");
    }
    for target in ["/upload/x", "/upload/", "/%75pload/x", "/login/../upload/x", "//upload//x", "/upload/y/../x"] {
        assert_eq!(post(target, LARGE), 404, "{target}");
        assert!(server.logged(target).ends_with(" Login=- parp=-"), "{target}: {}", server.logged(target));
    }
    // One client: a dozen is too many, whichever way each of them takes.
    let mut client = server.client_from(FROM);
    let mut log_in = |target: &str| client.request("POST", target, &[FORM], b"password=x").unwrap().status;
    for n in 0..20 {
        assert_eq!(log_in(&format!("/upload/{n}")), 404);
    }
    let statuses = counted.map(&mut log_in);
    assert_eq!(statuses, [404; 11]);
    assert_eq!(log_in("/upload/../login"), 500);
    server.expect_line(&format!("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=12, current=12, age=#, c={FROM}, id=*"));
}

/// What the samples make of a path holds for the page that is served, and not for what the path was written like.
#[test]
fn variables_go_by_the_path_that_is_served() {
    const NAMES: [&str; 5] = ["Login", "QS_Event", "QS_EventRequest", "QS_Serialize", "SLOW_BY_RIGHT"];
    for (file, paths) in [
        ("clients.conf", &[("/login", &["Login"][..]), ("/search", &["QS_Event", "QS_EventRequest"]), ("/report", &["QS_Serialize"])][..]),
        ("limit-requests.conf", &[("/login", &["Login"])]),
        ("slow-clients.conf", &[("/field-upload/x", &["SLOW_BY_RIGHT"])]),
    ] {
        let server = Server::builder().load("unique_id").config(&sample(file)).log_env(&NAMES).start();
        std::fs::create_dir(server.docs().join("field-upload")).unwrap();
        for name in ["login", "search", "report", "field-upload/x", "other"] {
            std::fs::write(server.docs().join(name), name).unwrap();
        }
        for &(path, expected) in paths {
            let (first, rest) = path[1..].split_at(1);
            let place = path.strip_suffix("/x").unwrap_or(path);
            let encoded = format!("/%{:02x}{rest}", first.as_bytes()[0]);
            let same = [path.to_owned(), format!("/other/..{path}"), format!("/.{path}"), format!("/{path}"), format!("/other/%2e%2e{path}"), encoded];
            let others = [format!("{place}/../other"), format!("{place}/%2e%2e/other"), format!("{place}/./../other")];
            for (targets, expected) in [(&same[..], expected), (&others, &[])] {
                for (n, target) in targets.iter().enumerate() {
                    let status = server.status(&format!("127.0.77.{}", n + 1), target).unwrap();
                    assert_eq!(status, 200, "{file} {target}");
                    let line = server.logged(target);
                    let set = NAMES.into_iter().filter(|name| !line.contains(&format!(" {name}=-"))).collect::<Vec<_>>();
                    assert_eq!(set, expected, "{file} {target}: {line}");
                }
            }
        }
    }
}

/// clients.conf and limit-requests.conf: however the path of a log-in is written, it is one of those that are counted.
#[test]
fn log_ins_by_path_are_counted() {
    for (file, limit, status) in [("clients.conf", 30, 500), ("limit-requests.conf", 100, 429)] {
        let server = Server::builder().load("unique_id").config("MaxKeepAliveRequests 0").config(&sample(file)).start();
        std::fs::write(server.docs().join("login"), "login").unwrap();
        let mut client = server.client_from(FROM);
        let targets = ["/login", "/%6cogin", "/x/../login", "//login"];
        let mut statuses = (0..limit + 1).map(|n| client.get(targets[n % targets.len()]).map_or(0, |response| response.status));
        let served = statuses.by_ref().take_while(|status| *status == 200).count();
        assert!((limit - 1..=limit).contains(&served), "{file}: {served}");
        assert_eq!(server.status(FROM, "/x/../%6cogin"), Some(status), "{file}");
    }
}
