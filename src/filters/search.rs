//! `qos-out-filter-body`: looks for a text in the body of a response (request-event.md section 10.8, W25).
//!
//! The body is handed on in pieces as it is searched, so that no more than one piece is held back. Files are read beside the brigade: they stay
//! what they are and can still be sent by the kernel. httpd answers a request for a part of the body (`Range`) only if the whole body comes at once: what is
//! there already is handed on in one piece then.

use super::SEARCH;
use crate::httpd::environment::RequestVariables;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{brigade, file};
use brigade::Bytes;
use qos_core::config::SearchRule;
use qos_core::variables::rules::text_found;
use qos_core::variables::search::Search;
use std::sync::Arc;

/// So many bytes are searched before they are handed on.
const PIECE: usize = 256 * 1024;

/// A search that goes on.
struct Searched {
    rule: Arc<SearchRule>,
    search: Search,
    begun: bool,
    /// What is not searched yet while a piece is handed on: made once, as a brigade lives as long as its pool.
    rest: *mut ffi::apr_bucket_brigade,
    /// A part of the body is asked for.
    is_range: bool,
}

/// What is known after looking at a brigade.
enum Looked {
    /// Nothing more is looked for.
    Done,
    /// All of it was searched.
    All,
    /// The part before this bucket was searched.
    Before(*mut ffi::apr_bucket),
    /// The same, and the bucket has to be waited for.
    Waits(*mut ffi::apr_bucket),
    /// A bucket cannot be read.
    Failed(ffi::apr_status_t),
}

/// Adds the filter to a request.
pub fn search_body(request: Request<'_>, rule: &Arc<SearchRule>) {
    // SAFETY: request and connection are live; the brigade is used as long as the request lives.
    let rest = unsafe { ffi::qos_shim_brigade(request.pool().as_ptr(), request.connection()) };
    let searched = Searched { rule: Arc::clone(rule), search: Search::default(), begun: false, rest, is_range: request.header(c"Range").is_some() };
    SEARCH.add_output(request.pool().own(searched).cast(), Some(request), request.connection());
}

/// The filter.
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-body", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; the context lives in the pool of the request.
        let (searched, request) = unsafe { ((*filter).ctx.cast::<Searched>().as_mut(), Request::new((*filter).r)) };
        // SAFETY: as above.
        let pass = |bb| unsafe { ffi::ap_pass_brigade((*filter).next, bb) };
        let (Some(searched), Some(request)) = (searched, request) else { return pass(bb) };
        let mut wait = false;
        loop {
            // SAFETY: the filter's brigade.
            let looked = unsafe { searched.look(bb, request, wait) };
            let bucket = match looked {
                Looked::All => return pass(bb),
                Looked::Failed(status) => return status,
                Looked::Done => {
                    // SAFETY: removing leaves `next` valid.
                    unsafe { ffi::ap_remove_output_filter(filter) };
                    return pass(bb);
                }
                Looked::Before(bucket) | Looked::Waits(bucket) => bucket,
            };
            wait = matches!(looked, Looked::Waits(_));
            // SAFETY: the bucket is one of the brigade, and no other thread uses either.
            let status = unsafe {
                let rest = searched.rest;
                ffi::qos_shim_split(bb, bucket, rest);
                if wait {
                    ffi::qos_shim_add_flush(bb);
                }
                let status = pass(bb);
                ffi::apr_brigade_cleanup(bb.cast());
                if status == 0 {
                    ffi::qos_shim_append(bb, rest);
                } else {
                    ffi::apr_brigade_cleanup(rest.cast());
                }
                status
            };
            if status != 0 {
                return status;
            }
        }
    })
}

impl Searched {
    /// Searches a brigade until a piece is full.
    ///
    /// # Safety
    /// `bb` is a live brigade of this thread.
    unsafe fn look(&mut self, bb: *mut ffi::apr_bucket_brigade, request: Request<'_>, mut wait: bool) -> Looked {
        let mut looked_at = 0;
        // SAFETY: the caller's promise.
        let mut next = unsafe { brigade::first(bb) };
        while let Some(bucket) = next {
            // SAFETY: a bucket of the brigade.
            if unsafe { brigade::has_data(bucket) } {
                if !std::mem::replace(&mut self.begun, true) && (request.is_head() || request.variable(c"QS_SetEnvIfResBodyIgnore").is_some()) {
                    return Looked::Done;
                }
                if looked_at >= PIECE {
                    return Looked::Before(bucket);
                }
                // SAFETY: as above.
                let whole = self.is_range && unsafe { brigade::has_known_length(bucket) };
                let most = if whole { usize::MAX } else { PIECE - looked_at };
                // SAFETY: as above.
                let (found, length) = match unsafe { brigade::bytes_of(bucket, most, std::mem::take(&mut wait)) } {
                    Bytes::There(bytes) => (self.search.feed(&self.rule.needle, bytes), bytes.len()),
                    Bytes::File { fd, start, length } => {
                        let (rule, search) = (&self.rule, &mut self.search);
                        (file::any_piece(fd, start, length, |piece| search.feed(&rule.needle, piece)), length)
                    }
                    Bytes::NotYet => return Looked::Waits(bucket),
                    Bytes::Failed(status) => return Looked::Failed(status),
                };
                if found {
                    text_found(&mut RequestVariables::of(request), &self.rule.target);
                    return Looked::Done;
                }
                looked_at += if whole { 0 } else { length };
            }
            // SAFETY: as above.
            next = unsafe { brigade::next(bb, bucket) };
        }
        Looked::All
    }
}
