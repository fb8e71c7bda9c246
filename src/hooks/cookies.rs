//! What cookies of all kinds have in common: random bytes, and lines about them that any client can cause.

use super::header_parser::unique_id;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::tokens::random;
use qos_core::token::NONCE_BYTES;

static NO_RANDOM: log::Sparse = log::Sparse::new();

/// A token, made with new random bytes; none without (080, W45).
pub fn seal(request: Request<'_>, make: impl FnOnce(&[u8; NONCE_BYTES]) -> Option<String>) -> Option<String> {
    let Some(nonce) = random::<NONCE_BYTES>() else {
        write(request, log::Level::Error, &NO_RANDOM, 80, || format!("mod_qos(080): the system has no random bytes for a cookie, id={}", unique_id(request)));
        return None;
    };
    make(&nonce)
}

/// Writes a line; beyond 20 of a kind in a second one line says how many there were (design invariant 10).
pub fn write(request: Request<'_>, level: log::Level, sparse: &log::Sparse, id: u16, line: impl FnOnce() -> String) {
    let (own, before) = sparse.one_more();
    if let Some(times) = before {
        log::request(request, level, || format!("mod_qos({id:03}): (previously), message repeated {times} times"));
    }
    if own {
        log::request(request, level, line);
    }
}
