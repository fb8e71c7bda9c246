//! HTTP/2 by the programs that people use: curl, nghttp, h2load.

use std::process::{Command, Output};

/// What a program wrote, both streams together, and whether it was content.
#[derive(Debug, Clone)]
pub struct Said {
    /// It ended with 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a program with arguments and returns what it said.
///
/// # Panics
/// When it is not installed.
pub fn run(program: &str, args: &[&str]) -> Said {
    let Output { status, stdout, stderr } =
        Command::new(program).args(args).stdin(std::process::Stdio::null()).output().unwrap_or_else(|e| panic!("{program}: {e}: run `make setup`"));
    Said { ok: status.success(), out: String::from_utf8_lossy(&stdout).into_owned(), err: String::from_utf8_lossy(&stderr).into_owned() }
}

/// curl, silent, with no certificate check and no configuration file; `args` may hold `--http2`,
/// `--http2-prior-knowledge`, `--interface 127.0.0.5`.
pub fn curl(args: &[&str]) -> Said {
    run("curl", &[&["-q", "-sS", "-k", "--max-time", "30"], args].concat())
}

/// Asks for a URL with HTTP/2 from the first byte (h2c without upgrade, h2 on TLS): `status protocol` in `out`.
pub fn http2_prior(url: &str) -> Said {
    curl(&["--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", url])
}

/// nghttp with statistics and without writing bodies: several URLs become streams of one connection.
pub fn nghttp(args: &[&str]) -> Said {
    run("nghttp", &[&["-n", "-s"], args].concat())
}

/// h2load: `-n` requests, `-c` connections, `-m` streams at a time.
pub fn h2load(args: &[&str]) -> Said {
    run("h2load", args)
}
