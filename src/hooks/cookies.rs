//! What cookies of all kinds have in common: random bytes, and lines about them that any client can cause.

use super::header_parser::unique_id;
use crate::httpd::headers::HeaderTable;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::runtime::ConnectionRecord;
use crate::tokens::random;
use qos_core::cookie::{Cookie, keeps_out};
use qos_core::token::NONCE_BYTES;
use qos_core::variables::Headers;

static NO_RANDOM: log::Sparse = log::Sparse::new();

/// A token, made with new random bytes; none without (080, W45).
pub fn seal(request: Request<'_>, make: impl FnOnce(&[u8; NONCE_BYTES]) -> Option<String>) -> Option<String> {
    let Some(nonce) = random::<NONCE_BYTES>() else {
        write(request, log::Level::Error, &NO_RANDOM, 80, || format!("mod_qos(080): the system has no random bytes for a cookie, id={}", unique_id(request)));
        return None;
    };
    make(&nonce)
}

/// Sets a cookie, in a response that no cache keeps for others. `is_error`: httpd makes the response itself.
pub fn set(request: Request<'_>, cookie: &Cookie<'_>, is_error: bool) {
    let find = |table: &HeaderTable<'_>, what: &mut dyn FnMut(&[u8]) -> bool| table.find(c"Cache-Control", what).is_some();
    let mut tables = request.headers_out();
    let is_private = tables.iter().any(|table| find(table, &mut keeps_out));
    // mod_cache looks at one table only: the word goes to where others are.
    let [others_in_normal, others_in_error] = tables.each_ref().map(|table| find(table, &mut |_| true));
    let [normal, error] = &mut tables;
    if is_error { &mut *error } else { &mut *normal }.add(c"Set-Cookie", &cookie.render());
    if !is_private && (others_in_error || is_error) {
        error.merge(c"Cache-Control", c"private");
    }
    if !is_private && (others_in_normal || !(others_in_error || is_error)) {
        normal.merge(c"Cache-Control", c"private");
    }
}

/// The address that a request's connection came from, for lines about it.
pub fn peer(request: Request<'_>) -> String {
    ConnectionRecord::of_request(request).map_or_else(|| "-".to_owned(), |record| record.peer.to_string())
}

/// Writes a line; beyond 20 of a kind in a second one line says how many there were (design invariant 10).
pub fn write(request: Request<'_>, level: log::Level, sparse: &log::Sparse, id: u16, line: impl FnOnce() -> String) {
    if log::has_line(request, level, sparse.one_more(), |times| format!("mod_qos({id:03}): (previously), message repeated {times} times")) {
        log::request(request, level, line);
    }
}
