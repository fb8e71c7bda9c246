//! `QS_UserTrackingCookieName` (request-event.md section 16).

use super::RequestState;
use super::cookies;
use super::header_parser::unique_id;
use super::post_read_request::server_record;
use crate::httpd::request::Request;
use crate::httpd::{ffi, site};
use crate::runtime::feature;
use crate::tokens::Tokens;
use qos_core::cookie::Cookie;
use qos_core::tracking::{self, Asked, MARKER_SECONDS, MAX_AGE, Tracking, User, Way};
use std::ffi::{CStr, c_char, c_int};

/// A cookie that the response is to carry.
#[derive(Clone, Copy, Debug)]
pub struct NewCookie {
    /// The id of the user: a string of the request's pool.
    id: *const c_char,
    /// The client had one of another month.
    renewed: bool,
}

const NO_CACHE: &CStr = c"no-cache, no-store";

/// After mod_setenvif: who the user is, and whether the check page comes first. `DECLINED`, or the status of a redirect.
pub fn identify(request: Request<'_>) -> c_int {
    let Some(record) = server_record(request) else { return ffi::DECLINED };
    let (Some(config), Some(tokens), Some(state)) = (&record.config.tracking, record.tokens(), RequestState::of(request)) else { return ffi::DECLINED };
    let values = request.take_cookies(&config.name);
    let user = User::of(&values, &tokens.tracking, request.arrived());
    let pool = request.pool();
    let id = match &user {
        User::Known(id) | User::Renewed(id) => pool.string(id),
        User::New => pool.string(unique_id(request).as_bytes()),
    };
    request.set_variable(c"mod_qos_user_id", id);
    if !matches!(user, User::Known(_)) {
        request.set_variable(c"QOS_USER_ID_NEW", id);
        state.new_cookie = Some(NewCookie { id, renewed: user.has_cookie() });
    }
    match user {
        User::Known(_) => {}
        User::Renewed(_) => request.set_variable(c"QOS_USER_ID_RENEW", c"1".as_ptr()),
        User::New => state.letters.add(b'u'),
    }
    if config.page.is_none() || request.has_variable(b"DISABLE_UTC_ENFORCEMENT") {
        return ffi::DECLINED;
    }
    check(request, state, config, tokens, &user)
}

/// The check page (section 16.2).
fn check(request: Request<'_>, state: &mut RequestState, config: &Tracking, tokens: &Tokens, user: &User) -> c_int {
    let (path, query) = (request.target_path().unwrap_or_default(), request.target_query());
    let asked = Asked { path, query, repeatable: request.method() == ffi::M_GET, has_cookie: user.has_cookie() };
    match config.way(&asked, |token| tracking::check_target(&tokens.check, token, request.arrived())) {
        Way::On => ffi::DECLINED,
        Way::ToPage { set_cookie } => {
            let target = tracking::safe_target(path, query);
            let token = cookies::seal(request, |nonce| tracking::check_token(&tokens.check, nonce, request.arrived(), &target));
            // Without one the client is served.
            let Some(token) = token else { return ffi::DECLINED };
            if set_cookie {
                add_cookie(request, state, config, tokens, true);
            }
            let page = config.page.as_deref().unwrap_or_default();
            redirect(request, &[&site::base(request), page, b"?r=", token.as_bytes()].concat())
        }
        Way::Back(target) => redirect(request, &[&site::base(request), target.as_slice()].concat()),
        Way::Page { init, initial } => {
            request.set_response_header(c"Cache-Control", NO_CACHE.as_ptr());
            if config.js_redirect {
                request.set_variable(c"QS_UT_NAME", request.pool().string(&config.name));
                request.set_variable(c"QS_UT_INITIAL_URI", request.pool().string(&initial));
                request.set_variable(c"QS_UT_QUERY", c"qs=init".as_ptr());
                if init {
                    add_cookie(request, state, config, tokens, false);
                    add_marker(request, config);
                }
            }
            ffi::DECLINED
        }
    }
}

fn redirect(request: Request<'_>, url: &[u8]) -> c_int {
    request.set_response_header(c"Location", request.pool().string(url));
    ffi::HTTP_MOVED_TEMPORARILY as c_int
}

/// Whether a response is to carry the cookie.
pub fn is_pending(request: Request<'_>) -> bool {
    feature::any(feature::TRACKING) && RequestState::of(request.initial()).is_some_and(|state| state.new_cookie.is_some())
}

/// Step 5 of a response. With `jsredirect` the script of the check page asks for the cookie; here it is only renewed.
pub fn set_cookie(request: Request<'_>) {
    // What is included in another response has no head of its own.
    if !feature::any(feature::TRACKING) || request.is_sub_request() {
        return;
    }
    let initial = request.initial();
    let (Some(state), Some(record)) = (RequestState::of(initial), server_record(initial)) else { return };
    let (Some(config), Some(tokens)) = (&record.config.tracking, record.tokens()) else { return };
    if state.new_cookie.is_some_and(|cookie| cookie.renewed || !config.js_redirect) {
        let is_redirect = request.status() == ffi::HTTP_MOVED_TEMPORARILY as c_int;
        add_cookie(request, state, config, tokens, is_redirect);
    }
}

/// The cookie of a user, once for a request.
fn add_cookie(request: Request<'_>, state: &mut RequestState, config: &Tracking, tokens: &Tokens, is_redirect: bool) {
    let Some(new) = state.new_cookie.take() else { return };
    // SAFETY: a C string of the pool in which the state lives.
    let id = unsafe { CStr::from_ptr(new.id) }.to_bytes();
    let Some(token) = cookies::seal(request, |nonce| tracking::cookie(&tokens.tracking, nonce, request.initial().arrived(), id)) else { return };
    let cookie = Cookie {
        name: &config.name,
        value: token.as_bytes(),
        path: b"/",
        max_age: (!config.session).then_some(MAX_AGE),
        domain: config.domain.as_deref(),
        secure: request.is_https(),
        http_only: true,
    };
    // httpd makes the response of a redirect itself.
    cookies::set(request, &cookie, is_redirect);
}

/// Shows scripts of the check page, and them alone, that the client takes cookies: they do not see the cookie itself.
fn add_marker(request: Request<'_>, config: &Tracking) {
    let path = config.page.as_deref().unwrap_or(b"/");
    let (max_age, secure) = (Some(MARKER_SECONDS), request.is_https());
    let marker = Cookie { name: &config.name, value: b"1", path, max_age, domain: config.domain.as_deref(), secure, http_only: false };
    let [mut normal, _] = request.headers_out();
    normal.add(c"Set-Cookie", &marker.render());
}
