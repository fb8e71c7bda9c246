//! Other modules find the functions of mod_parp where that is not there (filters.md sections 10 and 13.9). A module in C calls them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::Command;

use httpd_lab::{Builder, Server};

fn apxs(name: &str) -> Vec<String> {
    let apxs = std::env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let out = Command::new(&apxs).args(["-q", name]).output().unwrap_or_else(|error| panic!("{apxs}: {error}: run `make setup`"));
    String::from_utf8(out.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

/// A folder with the two modules; removed with this value.
struct Modules(PathBuf);

impl Modules {
    fn build() -> Modules {
        let folder = std::env::temp_dir().join(format!("parameters-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/parameters.c");
        for (name, defines) in [("mod_parameters.so", None), ("mod_parp.so", Some("-DPARP"))] {
            let apr = Command::new(&apxs("APR_CONFIG")[0]).args(["--includes", "--cppflags"]).output().unwrap();
            let apr = String::from_utf8(apr.stdout).unwrap();
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC", "-o"]).arg(folder.join(name)).arg(&source).args(defines);
            cc.arg(format!("-I{}", apxs("INCLUDEDIR")[0])).args(apxs("EXTRA_CPPFLAGS")).args(apr.split_whitespace());
            assert!(cc.status().unwrap().success(), "{cc:?}");
        }
        Modules(folder)
    }

    fn server(&self, with_parp: bool) -> Builder {
        let line = |name: &str| format!("LoadModule {name}_module {}/mod_{name}.so\n", self.0.display());
        let parp = if with_parp { line("parp") } else { String::new() };
        Server::builder().config(&format!(
            "{}{parp}QS_BodyData text/xml\nSetEnvIf X-Parse . parp=1\n<Location /parameters>\nSetHandler parameters\n</Location>\n\
             RewriteEngine On\n<Directory @DOCS@>\nRewriteEngine On\nRewriteRule ^again$ /parameters\n</Directory>",
            line("parameters")
        ))
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn post(server: &Server, path: &str, headers: &[&str], body: &[u8]) -> String {
    let response = server.client().request("POST", path, headers, body).unwrap();
    assert_eq!(response.status, 200, "{path} {headers:?}: {}\n{}", response.text(), server.error_log());
    response.text()
}

#[test]
fn parameters_and_bodies_are_offered() {
    let modules = Modules::build();
    let server = modules.server(false).load("rewrite").start();
    let form = "Content-Type: application/x-www-form-urlencoded";
    assert_eq!(post(&server, "/parameters?a=1&b", &[form, "X-Parse: 1"], b"c=%31&a=2"), "a=1\nb=\nc=%31\na=2\nsame\nno body, 0\n");
    assert_eq!(post(&server, "/parameters?a=1", &[form, "X-Note: 1"], b"c=2"), "a=1\nc=2\nsame\nno body, 0\n", "asked for by a note");
    assert_eq!(post(&server, "/parameters?a=1", &[form], b"c=2"), "no table\nsame\nno body, 0\n", "nothing asked for it");
    assert_eq!(post(&server, "/parameters?a=1", &["Content-Type: text/xml", "X-Parse: 1"], b"<x>\0"), "a=1\nsame\nbody of 4: <x>, NUL\n");
    let long = vec![b'y'; (1 << 20) + 4096];
    assert_eq!(post(&server, "/parameters", &["Content-Type: text/xml", "X-Parse: 1"], &long), "same\nbody of 1052672: yyyyy, NUL\n");
    assert_eq!(post(&server, "/again?a=1", &[form, "X-Parse: 1"], b"c=2"), "a=1\nc=2\nsame\nno body, 0\n", "after an internal redirect");
    server.graceful();
    assert_eq!(post(&server, "/parameters", &[form, "X-Parse: 1"], b"c=2"), "c=2\nsame\nno body, 0\n", "after a restart");
    assert!(!server.error_log().contains("mod_parp is loaded"));
}

#[test]
fn those_of_mod_parp_win_where_it_is_there() {
    let modules = Modules::build();
    let server = modules.server(true).load("rewrite").start();
    assert_eq!(post(&server, "/parameters", &["Content-Type: application/x-www-form-urlencoded", "X-Parse: 1"], b"c=2"), "of=mod_parp\nanother\nno body, 0\n");
    assert!(server.error_log().contains("[qos:notice]") && server.error_log().contains("mod_qos(009): mod_parp is loaded"), "{}", server.error_log());
}
