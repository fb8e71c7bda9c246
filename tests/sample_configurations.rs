//! Each file of apache-conf, and the configurations that are installed and run, start a server on every MPM.

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
