//! Bodies whose length is not announced (filters.md section 9.1): counted as they are read.

use super::{BODY_LIMIT, BODY_REFUSED};
use crate::hooks::RequestState;
use crate::hooks::body_limit::{answer_ended, ends_body};
use crate::hooks::deny::follows_an_error;
use crate::httpd::connection::Connection;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::httpd::{brigade, ffi};
use std::ffi::{c_int, c_void};

/// Counts the body of this request.
pub fn count_body(request: Request<'_>, limit: u64) {
    if let Some(state) = RequestState::of(request) {
        (state.body_limit, state.counts_body) = (limit, true);
        count_on(request, state);
    }
}

/// Counts what is still to be read of the body, for this request or the one that it was redirected to. `state`: that of the initial request.
pub fn count_on(request: Request<'_>, state: &mut RequestState) {
    BODY_LIMIT.add_input(std::ptr::from_mut(state).cast(), Some(request), request.connection());
}

/// The counting filter. Beyond the limit it ends the body with httpd's "no space" error, which readers turn into 413.
pub unsafe extern "C" fn input(
    filter: *mut ffi::ap_filter_t,
    bb: *mut ffi::apr_bucket_brigade,
    mode: ffi::ap_input_mode_t,
    block: ffi::apr_read_type_e,
    bytes: ffi::apr_off_t,
) -> ffi::apr_status_t {
    guard("qos-in-filter3", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        const TOO_LARGE: ffi::apr_status_t = ffi::APR_ENOSPC as ffi::apr_status_t;
        // SAFETY: httpd calls the filter with itself; the context is the state of the initial request, which outlives it.
        let (next, state, request) = unsafe { ((*filter).next, (*filter).ctx.cast::<RequestState>().as_mut(), Request::new((*filter).r)) };
        if state.as_ref().is_some_and(|state| state.body_too_large) {
            // The page that is the answer has no body.
            if request.is_some_and(follows_an_error) {
                // SAFETY: httpd's brigade.
                unsafe { ffi::qos_shim_add_eos(bb) };
                return 0;
            }
            return TOO_LARGE;
        }
        // SAFETY: the next filter of the chain, with what httpd asked for.
        let status = unsafe { ffi::ap_get_brigade(next, bb, mode, block, bytes) };
        let (Some(state), Some(request)) = (state, request) else { return status };
        if status != 0 || mode == ffi::AP_MODE_SPECULATIVE {
            return status;
        }
        // SAFETY: httpd's brigade, filled by the call above.
        let read = unsafe { brigade::content(bb) }.bytes;
        let before = state.body_bytes;
        state.body_bytes = before.saturating_add(read);
        // In log-only mode one line per request, when the limit is crossed.
        if state.body_bytes <= state.body_limit || before > state.body_limit {
            return status;
        }
        if state.reading {
            // This module reads it, and knows what to answer.
            state.body_too_large = true;
            return status;
        }
        if !ends_body(request, state.body_limit, state.body_bytes) {
            return status;
        }
        state.body_too_large = true;
        if let Some(connection) = Connection::of(request) {
            connection.close_after_response();
        }
        replace_answer(request, false);
        TOO_LARGE
    })
}

/// What becomes of what a request whose body was ended is answered with: the context of the filter.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Answer {
    /// It will be replaced.
    Replaced = 0,
    /// It is the answer of this module, up to its end.
    Own = 1,
    /// That was given; whatever else the handler says belongs to nobody.
    Given = 2,
}

impl Answer {
    fn context(self) -> *mut c_void {
        std::ptr::without_provenance_mut(self as usize)
    }
}

/// What is answered to a request whose body was ended is replaced. `own`: it is the answer of this module already.
pub fn replace_answer(request: Request<'_>, own: bool) {
    let answer = if own { Answer::Own } else { Answer::Replaced };
    BODY_REFUSED.add_output(answer.context(), Some(request), request.connection());
}

/// A handler that answers in spite of the failed read, or with the 413 of it: its answer is replaced by the error page, or by the one 413. Handlers need not notice that.
pub unsafe extern "C" fn output(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-body-limit", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        const STATUS: c_int = ffi::HTTP_REQUEST_ENTITY_TOO_LARGE as c_int;
        const NOTHING_MORE: ffi::apr_status_t = ffi::AP_FILTER_ERROR as ffi::apr_status_t;
        // SAFETY: httpd calls the filter with itself and its brigade; the context is one of those above.
        unsafe {
            let next = (*filter).next;
            if (*filter).ctx == Answer::Replaced.context() {
                let Some(request) = Request::new((*filter).r).filter(|request| !request.has_begun_response()) else {
                    ffi::ap_remove_output_filter(filter);
                    return ffi::ap_pass_brigade(next, bb);
                };
                (*filter).ctx = Answer::Given.context();
                request.forget_failures();
                let status = answer_ended(request);
                if status == STATUS && request.status() == STATUS {
                    (*filter).ctx = Answer::Own.context();
                } else if status != ffi::DONE {
                    brigade::replace_by_error(bb, status, request);
                    ffi::ap_pass_brigade(next, bb);
                    return NOTHING_MORE;
                }
            }
            if (*filter).ctx == Answer::Given.context() {
                ffi::apr_brigade_cleanup(bb.cast());
                return NOTHING_MORE;
            }
            if brigade::content(bb).eos {
                (*filter).ctx = Answer::Given.context();
            }
            ffi::ap_pass_brigade(next, bb)
        }
    })
}
