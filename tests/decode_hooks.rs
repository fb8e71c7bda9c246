//! Other modules take part in decoding what rules look at (filters.md section 12). A module in C does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::Command;

use httpd_lab::Server;

mod modules;
use modules::Modules;

const RULES: &str = "<Location /alias>\nQS_DenyPath +path deny ^/real/secret$\nQS_DenyQuery +query deny [=\\x22]<\nQS_DenyQuery +more deny ^\\x00.*Z$\nQS_DenyQueryBody on\n</Location>\n\
                     <Location /alias/uni>\nQS_Decoding uni\n</Location>\n\
                     <Location /permitted>\nQS_PermitUri +p deny \"^/permitted(\\?a=%)?$\"\nQS_PermitUriBody on\nQS_PermitUriNormalize on\n</Location>\n\
                     <Directory @DOCS@>\nRewriteEngine On\nRewriteRule ^go$ /alias/secret\n</Directory>\n<Location /alias/secret>\nQS_FilterInternalRedirects on\n</Location>";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";

/// The script that `make install` calls, below a folder.
fn install(action: &str, root: &Path) -> PathBuf {
    let module = root.join("libmod_qos.so");
    std::fs::write(&module, "").unwrap();
    let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/install.sh"))
        .args([action.as_ref(), module.as_os_str(), root.as_os_str()])
        .args(["/lib", "/etc/apache2", "/include/apache2"])
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    root.join("include/apache2")
}

fn built() -> Modules {
    let modules = Modules::new();
    let include = install("install", modules.folder());
    let modules = modules.build("decoding", "decoding.c", &[&format!("-I{}", include.display())]);
    install("uninstall", modules.folder());
    assert!(!include.join("mod_qos_hooks.h").exists() && !modules.folder().join("lib/mod_qos.so").exists());
    modules
}

#[test]
fn rules_see_what_other_modules_make_of_it() {
    let modules = built();
    let status = |server: &Server, target: &str, headers: &[&str], body: &str| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        server.client().request(method, target, headers, body.as_bytes()).unwrap_or_else(|error| panic!("{target}: {error}")).status
    };
    let with = Server::builder().load("rewrite").config(&modules.load("decoding")).config(RULES).start();
    let without = Server::builder().load("rewrite").config(RULES).start();
    for (target, headers, body, with_module, without_module) in [
        ("/alias/other", &[][..], "", 404, 404),
        ("/alias/secret", &[], "", 403, 404),
        ("/%61lias/x/../secret", &[], "", 403, 404),
        ("/go", &[], "", 403, 404),
        ("/alias/x?a=!3c", &[], "", 403, 404),
        ("/alias/x?a=%213c", &[], "", 403, 404),
        ("/alias/x", &[FORM], "a=!3c", 403, 404),
        ("/alias/x", &[FORM], "a=3c", 404, 404),
        ("/alias/x", &[JSON], "{\"a\":\"!3c\"}", 403, 404),
        // JSON in a query is decoded before it is taken apart.
        ("/alias/x?['x']", &[JSON], "", 404, 403),
        ("/alias/x?['!3c']", &[JSON], "", 403, 403),
        ("/alias/x?['%u00213c']", &[JSON], "", 404, 403),
        ("/alias/uni?['%u00213c']", &[JSON], "", 403, 403),
        ("/permitted?a=!", &[], "", 404, 403),
        ("/permitted", &[FORM], "a=!", 404, 403),
        ("/permitted?a=%25", &[], "", 404, 404),
        ("/alias/x?a", &["X-Decode: more"], "", 403, 404),
        // Who fails ends the round; what is no text counts for nothing.
        ("/alias/x?a", &["X-Decode: stop"], "", 404, 404),
        ("/alias/x?a=%3c", &["X-Decode: stop"], "", 403, 403),
        ("/alias/x?a=%3c", &["X-Decode: null"], "", 403, 403),
        ("/alias/x?a=%3c", &["X-Decode: negative"], "", 403, 403),
    ] {
        assert_eq!(status(&with, target, headers, body), with_module, "{target} {headers:?} {body}: {}", with.error_log());
        assert_eq!(status(&without, target, headers, body), without_module, "without: {target} {headers:?} {body}: {}", without.error_log());
    }
    with.graceful();
    assert_eq!(status(&with, "/alias/secret", &[], ""), 403, "after a restart");
}
