//! `qos-out-filter-keepalive`: the head of a response is made with other keep-alive numbers than the server's (request-event.md section 17, W40).

use super::KEEP_ALIVE;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::keep_alive::{Numbers, with};
use crate::httpd::request::Request;

/// Adds the filter to a request.
pub fn keep_alive(request: Request<'_>, numbers: Numbers) {
    KEEP_ALIVE.add_output(request.pool().place(numbers).cast(), Some(request), request.connection());
}

/// The filter: the last one before the head is made, which happens with the first brigade.
pub unsafe extern "C" fn filter(filter: *mut ffi::ap_filter_t, bb: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    guard("qos-out-filter-keepalive", ffi::APR_EGENERAL as ffi::apr_status_t, || {
        // SAFETY: httpd calls the filter with itself and its brigade; the context lives as long as the request; removing leaves `next` valid.
        unsafe {
            let (next, numbers, request) = ((*filter).next, (*filter).ctx.cast::<Numbers>().as_ref().copied(), Request::new((*filter).r));
            ffi::ap_remove_output_filter(filter);
            match (numbers, request) {
                (Some(numbers), Some(request)) => with(request, numbers, || ffi::ap_pass_brigade(next, bb)),
                _ => ffi::ap_pass_brigade(next, bb),
            }
        }
    })
}
