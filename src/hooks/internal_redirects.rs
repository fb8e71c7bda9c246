//! What a request was redirected to within the server is filtered as well, where its location says so (`QS_FilterInternalRedirects`, filters.md FW-28).
//!
//! httpd has two kinds of such redirects. `ap_internal_redirect` (mod_rewrite in directories, mod_actions, type maps, scripts) makes a request of its own, for which header_parser
//! runs. `ap_internal_fast_redirect` (mod_dir, MultiViews) puts what a look-up has found into the request that there is, behind header_parser: the last of the fixups sees that
//! its path is another one.

use super::RequestState;
use super::deny::{finish, follows_an_error};
use super::judging::Asked;
use super::url_filter;
use crate::config::location;
use crate::httpd::ffi;
use crate::httpd::guard::guard;
use crate::httpd::request::Request;
use crate::runtime::feature;
use std::ffi::c_int;

/// The rules of its location are asked about a request, as it is now.
pub fn remember(request: Request<'_>) {
    if feature::any(feature::INTERNAL_REDIRECTS) {
        if let Some(state) = RequestState::of(request.initial()) {
            state.judged_uri = request.uri_mark();
        }
    }
}

/// A request that is not the client's own. Those within responses and the pages of errors are never filtered.
pub fn judge(request: Request<'_>) -> c_int {
    if !feature::any(feature::INTERNAL_REDIRECTS) || request.is_sub_request() {
        return ffi::DECLINED;
    }
    remember(request);
    let is_filtered = location(request).is_some_and(|location| location.url.looks_at_redirects());
    if !is_filtered || follows_an_error(request) {
        return ffi::DECLINED;
    }
    let verdict = Asked::of(request).and_then(|mut asked| url_filter::judge_redirected(&mut asked));
    verdict.map_or(ffi::DECLINED, |status| finish(request, status))
}

/// Behind mod_dir, which redirects among the last.
pub unsafe extern "C" fn last_fixups(r: *mut ffi::request_rec) -> c_int {
    if !feature::any(feature::INTERNAL_REDIRECTS) {
        return ffi::DECLINED;
    }
    guard("fixups", ffi::DECLINED, || {
        // SAFETY: httpd passes the request.
        let Some(request) = (unsafe { Request::new(r) }) else { return ffi::DECLINED };
        let judged = RequestState::of(request.initial()).map(|state| state.judged_uri).filter(|uri| !uri.is_null());
        if judged.is_some_and(|uri| uri != request.uri_mark()) { judge(request) } else { ffi::DECLINED }
    })
}
