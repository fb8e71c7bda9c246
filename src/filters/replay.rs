//! A body that was read to be inspected is given to whoever reads it next: the same bytes, then one end (filters.md section 13.3).

use super::{REPLAY, REPLAY_BEGIN};
use crate::hooks::read_body::ReadBody;
use crate::httpd::buckets::Buckets;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::request_body::remove_content_filters;

/// Longest line that is given at a time.
const MOST_LINE: usize = 8192;

/// The whole body was read: filters that are added later see it as if it came from the client.
pub fn replay(request: Request<'_>, body: *mut ReadBody) {
    remove_content_filters(request);
    again(request, body);
}

/// The same for a request that another one was redirected to, whose filters are gone.
pub fn again(request: Request<'_>, body: *mut ReadBody) {
    REPLAY.add_input(body.cast(), Some(request), request.connection());
}

/// Only a begin of the body was read: it comes first, then what its filters go on to read.
pub fn replay_begin(request: Request<'_>, body: *mut ReadBody) {
    REPLAY_BEGIN.add_input(body.cast(), Some(request), request.connection());
}

/// The filter. Its context is the body, which lives as long as the first request of the chain.
pub unsafe extern "C" fn filter(
    filter: *mut ffi::ap_filter_t,
    bb: *mut ffi::apr_bucket_brigade,
    mode: ffi::ap_input_mode_t,
    block: ffi::apr_read_type_e,
    bytes: ffi::apr_off_t,
) -> ffi::apr_status_t {
    guard("qos-in-filter-replay", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; see above for the context.
        let (next, body, brigade) = unsafe { ((*filter).next, (*filter).ctx.cast::<ReadBody>().as_mut(), Buckets::new(bb)) };
        let known = [ffi::AP_MODE_READBYTES, ffi::AP_MODE_SPECULATIVE, ffi::AP_MODE_GETLINE, ffi::AP_MODE_EXHAUSTIVE].contains(&mode);
        let Some(body) = body.filter(|_| known) else {
            // SAFETY: the next filter of the chain, with what httpd asked for.
            return unsafe { ffi::ap_get_brigade(next, bb, mode, block, bytes) };
        };
        let rest = body.rest();
        let length = match mode {
            ffi::AP_MODE_EXHAUSTIVE => rest.len(),
            ffi::AP_MODE_GETLINE => {
                let most = rest.get(..MOST_LINE.min(rest.len())).unwrap_or_default();
                most.iter().position(|byte| *byte == b'\n').map_or(most.len(), |end| end + 1)
            }
            _ => rest.len().min(usize::try_from(bytes).unwrap_or(0).max(1)),
        };
        let given = rest.get(..length).unwrap_or_default();
        if !given.is_empty() {
            brigade.add_bytes(given);
        }
        let ends = !body.goes_on() && body.is_last(length) && (mode != ffi::AP_MODE_GETLINE || given.is_empty());
        if ends {
            brigade.add_end();
        }
        if mode == ffi::AP_MODE_SPECULATIVE && !(given.is_empty() && body.goes_on()) {
            return 0;
        }
        let began = given.is_empty();
        body.take(length);
        if ends || began {
            // SAFETY: httpd calls the filter with itself; it is not used any longer.
            unsafe { ffi::ap_remove_input_filter(filter) };
        }
        if began && !ends {
            // SAFETY: as above.
            return unsafe { ffi::ap_get_brigade(next, bb, mode, block, bytes) };
        }
        0
    })
}
