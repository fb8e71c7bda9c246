//! Input and output filters (connection-client.md section 3.5).

mod body_limit;
mod broken;
pub mod hold;
mod input;
mod keep_alive;
pub mod replay;
mod response;
mod search;
mod stream;
pub mod throttle;

pub use body_limit::{count_body, replace_answer};
pub use broken::watch_output;
pub use input::watch_input;
pub use keep_alive::keep_alive;
pub use response::{add_error_filter, add_response_filter};
pub use search::search_body;
pub use stream::add_stream_filter;
pub use throttle::{Throttle, throttle};

use crate::hooks::RequestState;
use crate::hooks::read_body::ReadBody;
use crate::httpd::connection::Connection;
use crate::httpd::ffi;
use crate::httpd::request::Request;
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A request that another one was redirected to: httpd takes all filters of the content away then. It gets the body that was read, and what is still to be read goes on to be counted.
pub fn input_again(request: Request<'_>) {
    let Some(state) = RequestState::of(request.initial()) else { return };
    // SAFETY: made in the pool of the initial request, which outlives what is redirected from it; its thread uses it alone.
    let goes_on = unsafe { state.body.as_ref() }.is_none_or(ReadBody::goes_on);
    if !state.body.is_null() {
        // What was read only begins the body: it was counted, and comes before what the client goes on to send.
        let add = if goes_on { replay::replay_begin } else { replay::again };
        add(request, state.body);
    }
    if goes_on && state.counts_body {
        body_limit::count_on(request, state);
    }
}

/// A registered filter.
struct Registered(AtomicPtr<ffi::ap_filter_rec_t>);

impl Registered {
    const fn new() -> Registered {
        Registered(AtomicPtr::new(null_mut()))
    }

    /// # Safety
    /// Called while httpd registers hooks.
    unsafe fn input(&self, name: &'static CStr, filter: ffi::ap_in_filter_func, place: u32) {
        // SAFETY: a static name and a guarded entry point.
        self.0.store(unsafe { ffi::ap_register_input_filter(name.as_ptr(), filter, None, place) }, Ordering::Release);
    }

    /// # Safety
    /// Called while httpd registers hooks.
    unsafe fn output(&self, name: &'static CStr, filter: ffi::ap_out_filter_func, place: u32) {
        // SAFETY: a static name and a guarded entry point.
        self.0.store(unsafe { ffi::ap_register_output_filter(name.as_ptr(), filter, None, place) }, Ordering::Release);
    }

    fn add_input(&self, context: *mut c_void, request: Option<Request<'_>>, connection: *mut ffi::conn_rec) {
        let request = request.map_or(null_mut(), Request::as_ptr);
        // SAFETY: registered at load; request and connection are live, the context lives as long as they.
        unsafe { ffi::ap_add_input_filter_handle(self.0.load(Ordering::Acquire), context, request, connection) };
    }

    fn add_output(&self, context: *mut c_void, request: Option<Request<'_>>, connection: *mut ffi::conn_rec) -> *mut ffi::ap_filter_t {
        let request = request.map_or(null_mut(), Request::as_ptr);
        // SAFETY: as above.
        unsafe { ffi::ap_add_output_filter_handle(self.0.load(Ordering::Acquire), context, request, connection) }
    }
}

static INPUT: Registered = Registered::new();
static STREAM_INPUT: Registered = Registered::new();
static STREAM_OUTPUT: Registered = Registered::new();
static BODY_LIMIT: Registered = Registered::new();
static BODY_REFUSED: Registered = Registered::new();
static REPLAY: Registered = Registered::new();
static REPLAY_BEGIN: Registered = Registered::new();
static RESPONSE: Registered = Registered::new();
static ERROR_RESPONSE: Registered = Registered::new();
static BROKEN: Registered = Registered::new();
static KEEP_ALIVE: Registered = Registered::new();
static SEARCH: Registered = Registered::new();
static DELAY: Registered = Registered::new();
static HOLD: Registered = Registered::new();
static HELD: Registered = Registered::new();

/// Registers all filters; called while httpd loads the module.
pub fn register() {
    // SAFETY: the registration phase.
    unsafe {
        INPUT.input(c"qos-in-filter", Some(input::filter), ffi::AP_FTYPE_CONNECTION);
        STREAM_INPUT.input(c"qos-in-filter-stream", Some(stream::input), ffi::AP_FTYPE_CONNECTION);
        STREAM_OUTPUT.output(c"qos-out-filter-stream", Some(stream::output), ffi::AP_FTYPE_CONNECTION);
        BODY_LIMIT.input(c"qos-in-filter3", Some(body_limit::input), ffi::AP_FTYPE_CONTENT_SET);
        BODY_REFUSED.output(c"qos-out-filter-body-limit", Some(body_limit::output), ffi::AP_FTYPE_RESOURCE);
        // Behind all filters of the content, or before them.
        REPLAY.input(c"qos-in-filter-replay", Some(replay::filter), ffi::AP_FTYPE_PROTOCOL - 1);
        REPLAY_BEGIN.input(c"qos-in-filter-replay-begin", Some(replay::filter), ffi::AP_FTYPE_RESOURCE - 1);
        RESPONSE.output(c"qos-out-filter", Some(response::filter), ffi::AP_FTYPE_RESOURCE + 1);
        ERROR_RESPONSE.output(c"qos-out-err-filter", Some(response::error_filter), ffi::AP_FTYPE_RESOURCE + 1);
        SEARCH.output(c"qos-out-filter-body", Some(search::filter), ffi::AP_FTYPE_RESOURCE + 1);
        // Behind all filters of the content, before the one that makes the head.
        KEEP_ALIVE.output(c"qos-out-filter-keepalive", Some(keep_alive::filter), ffi::AP_FTYPE_PROTOCOL - 1);
        DELAY.output(c"qos-out-filter-delay", Some(throttle::filter), ffi::AP_FTYPE_PROTOCOL + 3);
        HELD.output(c"qos-out-filter-held", Some(hold::content), ffi::AP_FTYPE_PROTOCOL + 3);
        HOLD.output(c"qos-out-filter-hold", Some(hold::filter), ffi::AP_FTYPE_CONNECTION);
        BROKEN.output(c"qos-out-filter-brokencon", Some(broken::filter), ffi::AP_FTYPE_PROTOCOL + 3);
    }
}

/// Passes a brigade on.
///
/// # Safety
/// `filter` is the filter that httpd called, `brigade` its brigade.
unsafe fn pass(filter: *mut ffi::ap_filter_t, brigade: *mut ffi::apr_bucket_brigade) -> ffi::apr_status_t {
    // SAFETY: the caller's promise.
    unsafe { ffi::ap_pass_brigade((*filter).next, brigade) }
}

/// The connection of a filter.
///
/// # Safety
/// `filter` is a live filter.
unsafe fn connection_of<'a>(filter: *mut ffi::ap_filter_t) -> Option<Connection<'a>> {
    // SAFETY: the caller's promise.
    unsafe { Connection::new((*filter).c) }
}
