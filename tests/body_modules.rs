//! Other modules find the functions of mod_parp where that is not there (filters.md sections 10 and 13.9). A module in C calls them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use httpd_lab::{Builder, Server};

mod modules;
use modules::Modules;

fn built() -> Modules {
    Modules::new().build("parameters", "parameters.c", &[]).build("parp", "parameters.c", &["-DPARP"])
}

fn serving(modules: &Modules, with_parp: bool) -> Builder {
    let parp = if with_parp { modules.load("parp") } else { String::new() };
    Server::builder().config(&format!(
        "{}{parp}QS_BodyData text/xml\nSetEnvIf X-Parse . parp=1\n<Location /parameters>\nSetHandler parameters\n</Location>\n\
         RewriteEngine On\n<Directory @DOCS@>\nRewriteEngine On\nRewriteRule ^again$ /parameters\n</Directory>",
        modules.load("parameters")
    ))
}

fn post(server: &Server, path: &str, headers: &[&str], body: &[u8]) -> String {
    let response = server.client().request("POST", path, headers, body).unwrap();
    assert_eq!(response.status, 200, "{path} {headers:?}: {}\n{}", response.text(), server.error_log());
    response.text()
}

#[test]
fn parameters_and_bodies_are_offered() {
    let modules = built();
    let server = serving(&modules, false).load("rewrite").start();
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
    let modules = built();
    let server = serving(&modules, true).load("rewrite").start();
    assert_eq!(post(&server, "/parameters", &["Content-Type: application/x-www-form-urlencoded", "X-Parse: 1"], b"c=2"), "of=mod_parp\nanother\nno body, 0\n");
    assert!(server.error_log().contains("[qos:notice]") && server.error_log().contains("mod_qos(009): mod_parp is loaded"), "{}", server.error_log());
}
