//! Other modules that take part in decoding (`include/mod_qos_hooks.h`).

use super::ffi;
use super::request::Request;
use crate::runtime::feature;
use qos_core::filter::{AsDecoded, Rewrite, decode};
use std::ffi::{c_char, c_int};

/// Whether any module has added to one of the hooks. Known when all are loaded.
pub fn are_used() -> bool {
    // SAFETY: only looks the hooks up.
    unsafe { ffi::qos_shim_has_decode_hooks() != 0 }
}

/// Calls `run` with what takes part in decoding for a request.
pub fn with<T>(request: Request<'_>, run: impl FnOnce(&dyn Rewrite) -> T) -> T {
    if feature::any(feature::DECODE_HOOKS) { run(&Hooks(request)) } else { run(&AsDecoded) }
}

/// A query that looks like JSON, decoded once, with `unicode` escapes or without; `None` where nobody takes part.
pub fn json_query(request: Request<'_>, unicode: bool) -> Option<&[u8]> {
    let query = request.target_query().filter(|query| feature::any(feature::DECODE_HOOKS) && matches!(query, [b'[' | b'{', ..]))?;
    rewritten(request, &decode(query, unicode).bytes, ffi::qos_shim_decode_query)
}

struct Hooks<'a>(Request<'a>);

impl Rewrite for Hooks<'_> {
    fn path(&self, decoded: &[u8]) -> Option<Vec<u8>> {
        rewritten(self.0, decoded, ffi::qos_shim_decode_path).map(<[u8]>::to_vec)
    }

    fn query(&self, decoded: &[u8]) -> Option<Vec<u8>> {
        rewritten(self.0, decoded, ffi::qos_shim_decode_query).map(<[u8]>::to_vec)
    }
}

type Hook = unsafe extern "C" fn(*mut ffi::request_rec, *mut *mut c_char, *mut c_int);

/// What the functions of a hook make of a text. `None`: nothing else, or something that is no text.
fn rewritten<'a>(request: Request<'a>, decoded: &[u8], hook: Hook) -> Option<&'a [u8]> {
    // Longer ones cannot be said to a hook; no body that is inspected comes to that without escapes in each byte.
    let mut length = c_int::try_from(decoded.len()).ok()?;
    let mut text = request.pool().string(decoded).cast_mut();
    // SAFETY: a live request in one of its hooks; the functions get a string of its pool that is theirs.
    unsafe { hook(request.as_ptr(), &raw mut text, &raw mut length) };
    let length = usize::try_from(length).ok().filter(|_| !text.is_null())?;
    // SAFETY: the functions leave a text of the request's pool, and how long it is (mod_qos_hooks.h).
    let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>().cast_const(), length) };
    (text != decoded).then_some(text)
}
