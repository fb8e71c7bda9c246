//! A request.

use super::headers::HeaderTable;
use super::pool::Pool;
use super::{bytes, ffi};
use qos_core::cookie;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A request while one of its hooks or filters runs.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Request<'a>(NonNull<ffi::request_rec>, PhantomData<&'a ffi::request_rec>);

impl<'a> Request<'a> {
    /// Wraps what httpd passed to a hook.
    ///
    /// # Safety
    /// `request` is null or a live request that only this thread uses for `'a`.
    pub unsafe fn new(request: *mut ffi::request_rec) -> Option<Request<'a>> {
        NonNull::new(request).map(|request| Request(request, PhantomData))
    }

    /// The raw pointer.
    pub fn as_ptr(self) -> *mut ffi::request_rec {
        self.0.as_ptr()
    }

    fn get(self) -> &'a ffi::request_rec {
        // SAFETY: the promise of `new`.
        unsafe { self.0.as_ref() }
    }

    /// The request's pool.
    pub fn pool(self) -> Pool {
        // SAFETY: the pool lives as long as the request and belongs to its thread.
        unsafe { Pool::new(self.get().pool) }
    }

    /// Its connection; with HTTP/2 the stream's own.
    pub fn connection(self) -> *mut ffi::conn_rec {
        self.get().connection
    }

    /// Its server.
    pub fn server(self) -> *mut ffi::server_rec {
        self.get().server
    }

    /// Neither sub-request nor internal redirect.
    pub fn is_initial(self) -> bool {
        self.get().main.is_null() && self.get().prev.is_null()
    }

    /// The request that the client sent: the first of a redirect chain, the one outside of sub-requests.
    pub fn initial(self) -> Request<'a> {
        let mut request = self;
        loop {
            let outer = if request.get().main.is_null() { request.get().prev } else { request.get().main };
            // SAFETY: requests of a chain live as long as the first.
            match unsafe { Request::new(outer) } {
                Some(outer) => request = outer,
                None => return request,
            }
        }
    }

    /// The request before an internal redirect, else the one that this is a sub-request of.
    pub fn outer(self) -> Option<Request<'a>> {
        let outer = if self.get().prev.is_null() { self.get().main } else { self.get().prev };
        // SAFETY: as for `initial`.
        unsafe { Request::new(outer) }
    }

    /// Whether this is, or comes of, the page of an error: an earlier request of the chain of internal redirects had failed.
    pub fn follows_a_failure(self) -> bool {
        let mut earlier = self.get().prev;
        // SAFETY: requests of a chain live as long as the first.
        while let Some(request) = unsafe { Request::new(earlier) } {
            if request.status() != ffi::HTTP_OK as i32 {
                return true;
            }
            earlier = request.get().prev;
        }
        false
    }

    /// Sends what earlier requests of the same connection left in its buffers, so that these end: with pipelining httpd sends
    /// responses together, and a request is not over before its response is sent.
    pub fn flush_earlier(self) {
        // SAFETY: a live request whose response has not begun; its thread owns the connection and its filters.
        unsafe {
            if (*self.get().connection).master.is_null() {
                ffi::qos_shim_flush_earlier(self.as_ptr());
            }
        }
    }

    /// The status of the response.
    pub fn status(self) -> i32 {
        self.get().status
    }

    /// Whether the response has begun: a part of its body was sent, or its head, where it has nothing else.
    pub fn has_begun_response(self) -> bool {
        // SAFETY: a live request.
        self.get().sent_bodyct != 0 || unsafe { ffi::qos_shim_sent_head_only(self.as_ptr()) } != 0
    }

    /// The request that this one was redirected to.
    pub fn next(self) -> Option<Request<'a>> {
        // SAFETY: requests of a redirect chain live as long as the first.
        unsafe { Request::new(self.get().next) }
    }

    /// Microseconds since 1970 at which the request arrived.
    pub fn arrived_us(self) -> i64 {
        self.get().request_time
    }

    /// The name of the handler.
    pub fn handler(self) -> Option<&'a [u8]> {
        // SAFETY: a string of the request or of the configuration.
        unsafe { bytes(self.get().handler) }
    }

    /// The path of the request.
    pub fn uri(self) -> &'a [u8] {
        // SAFETY: a string of the request.
        unsafe { bytes(self.get().uri) }.unwrap_or(b"/")
    }

    /// Tells whether the request has another path since: then it is another string.
    pub fn uri_mark(self) -> *const c_char {
        self.get().uri
    }

    /// The protocol as it stands in the line of the request.
    pub fn protocol(self) -> &'a [u8] {
        // SAFETY: a string of the request.
        unsafe { bytes(self.get().protocol) }.unwrap_or_default()
    }

    /// What stands behind the `?`.
    pub fn query(self) -> &'a [u8] {
        // SAFETY: a string of the request.
        unsafe { bytes(self.get().args) }.unwrap_or_default()
    }

    /// What stands behind the `?`, if there is one.
    pub fn query_if_any(self) -> Option<&'a [u8]> {
        // SAFETY: a string of the request.
        unsafe { bytes(self.get().args) }
    }

    /// Whether this is part of another request's response.
    pub fn is_sub_request(self) -> bool {
        !self.get().main.is_null()
    }

    /// The headers of the request.
    pub fn headers_in(self) -> HeaderTable<'a> {
        // SAFETY: a table that belongs to the request and its thread.
        unsafe { HeaderTable::new(self.get().headers_in, self.pool(), None) }
    }

    /// The headers of the response: those of a good one, and those that go with any.
    pub fn headers_out(self) -> [HeaderTable<'a>; 2] {
        // SAFETY: as above.
        unsafe { [HeaderTable::new(self.get().headers_out, self.pool(), self.content_type()), HeaderTable::new(self.get().err_headers_out, self.pool(), None)] }
    }

    /// Removes a variable.
    pub fn unset_variable(self, name: &CStr) {
        // SAFETY: a table of the request and a C string.
        unsafe { ffi::apr_table_unset(self.get().subprocess_env, name.as_ptr()) };
    }

    /// Whether the response has a head only.
    pub fn is_head(self) -> bool {
        self.get().header_only != 0
    }

    /// The number of the method (`M_GET` also for HEAD).
    pub fn method(self) -> u32 {
        u32::try_from(self.get().method_number).unwrap_or(u32::MAX)
    }

    /// Whether the name of the handler begins so; looks no further than the first difference.
    pub fn handler_starts_with(self, start: &[u8]) -> bool {
        let name = self.get().handler;
        // SAFETY: a C string of the request or of the configuration, read to its end at most.
        !name.is_null() && start.iter().enumerate().all(|(n, byte)| unsafe { *name.add(n) } as u8 == *byte)
    }

    /// The client's address in text as httpd and mod_remoteip know it.
    pub fn client(self) -> &'a [u8] {
        // SAFETY: a string of the request or its connection.
        unsafe { bytes(self.get().useragent_ip) }.unwrap_or(b"-")
    }

    /// The client's address as httpd and mod_remoteip know it.
    pub fn client_address(self) -> *const ffi::apr_sockaddr_t {
        self.get().useragent_addr
    }

    /// A request header.
    pub fn header(self, name: &CStr) -> Option<&'a [u8]> {
        self.table_get(self.get().headers_in, name.as_ptr())
    }

    /// A variable of mod_ssl (`SSL_CLIENT_S_DN`); empty without TLS.
    pub fn ssl_variable(self, name: &'static CStr) -> &'a [u8] {
        // SAFETY: a live request and a C string; the result is null or a C string of the request's pool.
        unsafe { bytes(ffi::qos_shim_ssl_variable(self.as_ptr(), name.as_ptr())) }.unwrap_or_default()
    }

    /// A variable (`SetEnvIf`, `%{name}e`).
    pub fn variable(self, name: &CStr) -> Option<&'a [u8]> {
        self.table_get(self.get().subprocess_env, name.as_ptr())
    }

    /// Whether a variable is set; the name comes from the configuration.
    pub fn has_variable(self, name: &[u8]) -> bool {
        let mut buffer = [0u8; 256];
        let Some(place) = buffer.get_mut(..name.len()) else { return false };
        place.copy_from_slice(name);
        if name.len() >= 256 || name.contains(&0) {
            return false;
        }
        self.table_get(self.get().subprocess_env, buffer.as_ptr().cast()).is_some()
    }

    fn table_get(self, table: *mut ffi::apr_table_t, name: *const c_char) -> Option<&'a [u8]> {
        // SAFETY: the tables live as long as the request; values are C strings.
        unsafe { bytes(ffi::apr_table_get(table, name)) }
    }

    /// Sets a variable to a string that lives as long as the request, as does the name.
    pub fn set_variable(self, name: &CStr, value: *const c_char) {
        // SAFETY: the table stores both pointers; both outlive the request.
        unsafe { ffi::apr_table_setn(self.get().subprocess_env, name.as_ptr(), value) };
    }

    /// A variable as the C string it is.
    pub fn variable_string(self, name: &CStr) -> Option<&'a CStr> {
        // SAFETY: the table lives as long as the request; values are C strings or null.
        unsafe {
            let value = ffi::apr_table_get(self.get().subprocess_env, name.as_ptr());
            (!value.is_null()).then(|| CStr::from_ptr(value))
        }
    }

    /// The name of the method as the client sent it.
    pub fn method_name(self) -> *const c_char {
        self.get().method
    }

    /// The same as bytes.
    pub fn method_name_bytes(self) -> &'a [u8] {
        // SAFETY: a string of the request.
        unsafe { bytes(self.get().method) }.unwrap_or_default()
    }

    /// The path of the target, decoded and without dot segments, before it is mapped or rewritten. An address without a path means `/`, CONNECT names no path but an authority. `None`:
    /// neither is there.
    pub fn target_path(self) -> Option<&'a [u8]> {
        // SAFETY: a string of the request or null.
        if let Some(path) = unsafe { bytes(self.get().parsed_uri.path) } {
            return Some(path);
        }
        let target = self.raw_target();
        if self.method() == ffi::M_CONNECT {
            return Some(target).filter(|target| !target.is_empty());
        }
        target.windows(3).any(|part| part == b"://").then_some(b"/")
    }

    /// What stands behind the `?` of the target, as it was sent.
    pub fn target_query(self) -> Option<&'a [u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.get().parsed_uri.query) }
    }

    /// Path, query and fragment of a target that is no path, as httpd takes it apart: what that makes of `http:/a`, and of targets without a host, differs between its versions. The path is as
    /// it was received; CONNECT names an authority instead, and an address without a path means `/`.
    pub fn target_parts(self) -> (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>) {
        let target = self.raw_target();
        if self.method() == ffi::M_CONNECT {
            return (target, None, None);
        }
        // SAFETY: plain data, for which zeros are valid; the target is a string of the request, the parts are made in its pool.
        let parts = unsafe {
            let mut parts = std::mem::zeroed::<ffi::apr_uri_t>();
            (ffi::apr_uri_parse(self.get().pool, self.get().unparsed_uri, &raw mut parts) == ffi::APR_SUCCESS as std::ffi::c_int).then_some(parts)
        };
        match parts {
            // SAFETY: as above.
            Some(parts) => unsafe { (bytes(parts.path).unwrap_or(b"/"), bytes(parts.query), bytes(parts.fragment)) },
            // httpd has refused it before.
            None => (target, self.target_query(), None),
        }
    }

    /// The target as it was received.
    pub fn raw_target(self) -> &'a [u8] {
        // SAFETY: as above.
        unsafe { bytes(self.get().unparsed_uri) }.unwrap_or_default()
    }

    /// Sets a header of the response, unless that is made by httpd itself.
    pub fn set_response_header(self, name: &'static CStr, value: *const c_char) {
        // SAFETY: as for variables.
        unsafe { ffi::apr_table_setn(self.get().headers_out, name.as_ptr(), value) };
    }

    /// Sets a header of the response, whoever makes it.
    pub fn set_error_header(self, name: &'static CStr, value: *const c_char) {
        // SAFETY: as for variables.
        unsafe { ffi::apr_table_setn(self.get().err_headers_out, name.as_ptr(), value) };
    }

    /// The name of a user who has logged in. Modules set it before they know whether the password is right, and the page that says that it is not inherits it: a request
    /// that was, or follows, one without authorization has none.
    pub fn user(self) -> Option<&'a [u8]> {
        // SAFETY: a string of the request or null.
        let user = unsafe { bytes(self.get().user) }?;
        let mut next = Some(self);
        while let Some(request) = next {
            if [ffi::HTTP_UNAUTHORIZED, ffi::HTTP_PROXY_AUTHENTICATION_REQUIRED].contains(&u32::try_from(request.status()).unwrap_or(0)) {
                return None;
            }
            next = request.outer();
        }
        Some(user)
    }

    /// The line of the request as it was received.
    pub fn line(self) -> &'a [u8] {
        // SAFETY: as above.
        unsafe { bytes(self.get().the_request) }.unwrap_or_default()
    }

    /// Whether the client speaks https, or is said to (`ServerName https://...`).
    pub fn is_https(self) -> bool {
        // SAFETY: a live request; the result is a C string.
        let scheme = unsafe { bytes(ffi::ap_run_http_scheme(self.as_ptr())) };
        scheme == Some(b"https")
    }

    /// The second in which the request arrived, since 1970.
    pub fn arrived(self) -> i64 {
        self.arrived_us().div_euclid(1_000_000)
    }

    /// Takes all cookies of a name out of the request; their values (request-event.md section 14.3).
    pub fn take_cookies(self, name: &[u8]) -> Vec<&'a [u8]> {
        let Some(taken) = self.header(c"Cookie").and_then(|header| cookie::take(header, name)) else { return Vec::new() };
        // SAFETY: a table of the request, C strings of the configuration and of the pool.
        unsafe {
            match &taken.rest {
                Some(rest) => ffi::apr_table_setn(self.get().headers_in, c"Cookie".as_ptr(), self.pool().string(rest)),
                None => ffi::apr_table_unset(self.get().headers_in, c"Cookie".as_ptr()),
            }
        }
        taken.values
    }

    /// Answers the request with a page of this server and a status (request-event.md section 4.1 step 6). The request is over then.
    pub fn show_page(self, path: &CStr, status: u16) {
        let request = self.as_ptr();
        // SAFETY: a live request in one of its hooks, which then returns DONE; the path is copied.
        unsafe {
            ffi::apr_table_setn(self.get().subprocess_env, c"REQUEST_METHOD".as_ptr(), (*request).method);
            (*request).status = std::ffi::c_int::from(status);
            // Nothing of it may be answered with 304.
            (*request).no_local_copy = 1;
            (*request).method = c"GET".as_ptr();
            (*request).method_number = ffi::M_GET as std::ffi::c_int;
            ffi::ap_internal_redirect(path.as_ptr(), request);
        }
    }

    /// Makes failures of earlier requests of the chain forgotten: httpd would answer with the first of them, whatever is to be answered now.
    pub fn forget_failures(self) {
        let mut earlier = self.get().prev;
        // SAFETY: requests of a chain live as long as the first, and belong to one thread.
        while let Some(request) = unsafe { earlier.as_mut() } {
            request.status = ffi::HTTP_OK as std::ffi::c_int;
            earlier = request.prev;
        }
    }

    /// Adds a variable that nobody has set yet: cheaper than looking for an old value.
    pub fn add_variable(self, name: &CStr, value: *const c_char) {
        // SAFETY: as for `set_variable`.
        unsafe { ffi::apr_table_addn(self.get().subprocess_env, name.as_ptr(), value) };
    }

    /// Takes a variable over from a request of the same chain, if it is set there.
    pub fn take_variable(self, name: &CStr, from: Request<'a>) {
        // SAFETY: the value is a C string of a request that lives as long as this one; the table stores the pointer.
        unsafe {
            let value = ffi::apr_table_get(from.get().subprocess_env, name.as_ptr());
            if !value.is_null() {
                self.set_variable(name, value);
            }
        }
    }

    /// A note.
    pub fn note(self, name: &CStr) -> Option<&'a [u8]> {
        self.table_get(self.get().notes, name.as_ptr())
    }

    /// Takes a note over from a request of the same chain, if it is set there and not here.
    pub fn take_note(self, name: &'static CStr, from: Request<'a>) {
        // SAFETY: the value is a C string of a request that lives as long as this one; the table stores the pointer.
        unsafe {
            let value = ffi::apr_table_get(from.get().notes, name.as_ptr());
            if !value.is_null() && !self.has_note(name) {
                self.set_note(name, value);
            }
        }
    }

    /// Whether a note is set.
    pub fn has_note(self, name: &CStr) -> bool {
        self.table_get(self.get().notes, name.as_ptr()).is_some()
    }

    /// Sets a note to a string that lives as long as the request.
    pub fn set_note(self, name: &'static CStr, value: *const c_char) {
        // SAFETY: as for variables.
        unsafe { ffi::apr_table_setn(self.get().notes, name.as_ptr(), value) };
    }

    /// The n-th variable, newest last.
    pub fn variable_at(self, n: usize) -> Option<(&'a [u8], &'a [u8])> {
        let (mut key, mut value) = (std::ptr::null(), std::ptr::null());
        // SAFETY: the shim checks the range; keys and values live as long as the request.
        unsafe {
            if ffi::qos_shim_table_entry(self.get().subprocess_env, i32::try_from(n).ok()?, &raw mut key, &raw mut value) == 0 {
                return None;
            }
            Some((bytes(key)?, bytes(value)?))
        }
    }

    /// Names and values of all variables that are set; values are C strings of the request.
    pub fn entries(self) -> impl Iterator<Item = (&'a [u8], *const c_char)> {
        // SAFETY: the array of a table that lives as long as the request and does not change during the pass.
        let entries = unsafe {
            let array = ffi::apr_table_elts(self.get().subprocess_env);
            let first = (*array).elts.cast::<ffi::apr_table_entry_t>();
            if first.is_null() { &[] } else { std::slice::from_raw_parts(first.cast_const(), usize::try_from((*array).nelts).unwrap_or(0)) }
        };
        // SAFETY: keys are C strings of the request.
        entries.iter().filter_map(|entry| Some((unsafe { bytes(entry.key) }?, entry.val.cast_const())))
    }

    /// Tells whether variables were added or removed: another value then.
    pub fn variables_mark(self) -> [usize; 4] {
        // SAFETY: the array of a table that lives as long as the request.
        unsafe {
            let array = ffi::apr_table_elts(self.get().subprocess_env);
            let (first, count) = ((*array).elts.cast::<ffi::apr_table_entry_t>(), usize::try_from((*array).nelts).unwrap_or(0));
            match count.checked_sub(1) {
                Some(last) if !first.is_null() => [self.get().subprocess_env as usize, count, (*first.add(last)).key as usize, (*first.add(last)).val as usize],
                _ => [self.get().subprocess_env as usize, count, 0, 0],
            }
        }
    }

    /// What the module keeps with the request.
    pub fn state(self) -> *mut c_void {
        // SAFETY: the vector belongs to the request.
        unsafe { ffi::ap_get_module_config(self.get().request_config, crate::module_record()) }
    }

    /// Keeps something with the request.
    pub fn set_state(self, state: *mut c_void) {
        // SAFETY: as above.
        unsafe { ffi::ap_set_module_config(self.get().request_config, crate::module_record(), state) };
    }

    /// The location's part of the module's configuration.
    pub fn location_config(self) -> *mut c_void {
        // SAFETY: the vector lives as long as the configuration.
        unsafe { ffi::ap_get_module_config(self.get().per_dir_config, crate::module_record()) }
    }

    /// The type of the response's content.
    pub fn content_type(self) -> Option<&'a [u8]> {
        // SAFETY: a string of the request or of the configuration.
        unsafe { bytes(self.get().content_type) }
    }

    /// The last request of a redirect chain that begins here.
    pub fn last(self) -> Request<'a> {
        let mut request = self;
        while let Some(next) = request.next() {
            request = next;
        }
        request
    }

    /// Bytes of the response's body that were sent.
    pub fn bytes_sent(self) -> u64 {
        u64::try_from(self.get().bytes_sent).unwrap_or(0)
    }

    /// The name of the request's server.
    pub fn server_name(self) -> &'a [u8] {
        // SAFETY: a live request; the result is a C string of it or of its server.
        unsafe { bytes(ffi::ap_get_server_name(self.as_ptr())) }.unwrap_or_default()
    }

    /// Requests on the connection, this one included, as httpd counts them.
    pub fn number_on_connection(self) -> i32 {
        // SAFETY: the connection outlives its requests.
        unsafe { (*self.get().connection).keepalives }
    }

    /// The keep-alive timeout of the request's server, milliseconds.
    pub fn keep_alive_ms(self) -> u64 {
        // SAFETY: the server lives as long as the configuration.
        u64::try_from(unsafe { (*self.get().server).keep_alive_timeout } / 1000).unwrap_or(0)
    }
}
