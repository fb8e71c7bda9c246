//! VIPs: who is one, and who becomes one (request-event.md section 13).

use super::RequestState;
use super::cookies;
use super::deny::count_and_note;
use super::header_parser::unique_id;
use super::judging::Asked;
use super::post_read_request::server_record;
use crate::config::ServerRecord;
use crate::httpd::log;
use crate::httpd::request::Request;
use crate::runtime::{ConnectionRecord, Runtime, feature, flag, runtime};
use qos_core::config::VipConfig;
use qos_core::cookie::Cookie;
use qos_core::vip::{self, VipHeader};
use std::sync::atomic::Ordering;

static UNUSABLE: log::Sparse = log::Sparse::new();
static EXPIRED: log::Sparse = log::Sparse::new();
static NOT_CREATED: log::Sparse = log::Sparse::new();

/// Step 9: the session cookie, which nobody behind sees, or the variable `QS_VipRequest` as other modules have set it.
pub fn check(asked: &mut Asked<'_>) {
    let Some((record, config)) = with_sessions(asked.request) else { return };
    let values = asked.request.take_cookies(config.cookie());
    if let (false, Some(tokens)) = (values.is_empty(), record.tokens()) {
        match vip::session(&values, &tokens.session, asked.request.arrived(), config.timeout()) {
            Ok(()) => {
                asked.state.has_session = true;
                asked.request.set_variable(c"QS_VipRequest", c"yes".as_ptr());
                become_vip(asked);
            }
            Err(refused) => {
                let event = vip::refused_id(refused);
                let sparse = if event == 21 { &UNUSABLE } else { &EXPIRED };
                report(asked.request, asked.runtime, event, sparse, |client, id| vip::refused(refused, client, id));
            }
        }
    }
    by_variable(asked);
}

/// After step 14 as well: rules of this module may have set `QS_VipRequest` (W31).
pub fn by_variable(asked: &mut Asked<'_>) {
    if asked.state.vip || with_sessions(asked.request).is_none() {
        return;
    }
    if asked.request.variable(c"QS_VipRequest").is_some_and(|value| value.eq_ignore_ascii_case(b"yes")) {
        become_vip(asked);
    }
}

/// The request is a VIP's, and its connection is from now on.
fn become_vip(asked: &mut Asked<'_>) {
    asked.state.vip = true;
    asked.request.set_variable(c"QS_IsVipRequest", c"yes".as_ptr());
    asked.record.flag(flag::VIP);
    asked.variables_changed();
}

/// The server's configuration, where it has sessions (section 13.2).
fn with_sessions<'a>(request: Request<'a>) -> Option<(&'a ServerRecord, &'a VipConfig)> {
    let record = server_record(request)?;
    record.config.vip.has_sessions().then_some((record, &record.config.vip))
}

/// Before the handler: who has logged in is known (section 2.6).
pub fn authenticated(request: Request<'_>) {
    if !feature::any(feature::VIP) || request.user().is_none() {
        return;
    }
    let Some(record) = server_record(request) else { return };
    if record.config.vip.user || record.config.vip.ip_user {
        mark_address(request);
    }
}

/// Whether the response may make its client a VIP.
pub fn looks_at_response(request: Request<'_>) -> bool {
    feature::any(feature::VIP) && server_record(request).is_some_and(|record| record.config.vip.looks_at_responses())
}

/// Steps 7 to 9 of a response. Where httpd makes the response itself (the redirect of a script, for instance), headers of the application are looked at as well;
/// who has logged in is not, as that may be the very thing that failed.
pub fn at_response(request: Request<'_>, is_error: bool) {
    if !feature::any(feature::VIP) {
        return;
    }
    let Some(record) = server_record(request) else { return };
    let config = &record.config.vip;
    // Scripts and FastCGI applications have their headers in the table of those that go with any response; each table is looked at, and cleaned.
    let mut tables = request.headers_out();
    let mut names = |header: &Option<VipHeader>| tables.iter_mut().fold(false, |found, table| header.as_ref().is_some_and(|header| header.look(table)) | found);
    let (names_address, names_session) = (names(&config.ip_header), names(&config.header));
    // What is included in another response has no head that a cookie could go with.
    if request.is_sub_request() {
        return;
    }
    if names_address {
        mark_address(request);
    }
    if names_session && begin_session(request, record) {
        mark_address(request);
    }
    if config.user && !is_error && request.user().is_some() {
        begin_session(request, record);
    }
}

/// Sets the session cookie (letter `V`), unless the client has one. Returns whether it had none.
fn begin_session(request: Request<'_>, record: &ServerRecord) -> bool {
    let (Some(runtime), Some(state)) = (runtime(), RequestState::of(request.initial())) else { return false };
    if std::mem::replace(&mut state.has_session, true) {
        return false;
    }
    let (config, now) = (&record.config.vip, request.initial().arrived());
    let token = record.tokens().and_then(|tokens| cookies::seal(request, |nonce| tokens.session.seal(nonce, now, config.timeout(), b"", b"")));
    match token {
        Some(token) => {
            let cookie = Cookie {
                name: config.cookie(),
                value: token.as_bytes(),
                path: config.path(),
                max_age: Some(config.timeout()),
                domain: None,
                secure: request.is_https(),
                http_only: true,
            };
            cookies::set(request, &cookie, false);
            state.letters.add(b'V');
        }
        None => report(request, runtime, 25, &NOT_CREATED, vip::not_created),
    }
    true
}

/// The client's address becomes that of a VIP when its connection ends (letter `v`); one that a header names at once, as the connection is another's (W30).
fn mark_address(request: Request<'_>) {
    let (initial, Some(runtime)) = (request.initial(), runtime()) else { return };
    let (Some(state), Some(record)) = (RequestState::of(initial), ConnectionRecord::of_request(initial)) else { return };
    state.letters.add(b'v');
    record.flag(flag::VIP);
    for request in [request, initial] {
        request.set_variable(c"QS_IsVipRequest", c"yes".as_ptr());
    }
    let client = state.client(initial, record, runtime);
    if client.of_connection {
        record.becomes_vip.store(true, Ordering::Release);
    } else if let Some(store) = &runtime.clients {
        let now = crate::clients::now();
        if let Some(entry) = store.resume(&runtime.region, client.client, client.entry, now) {
            client.entry = Some(entry.id());
            let _ = entry.change_marks(now, |marks| marks.promote(now, runtime.vip_timeout));
        }
    }
}

/// Counts, notes and writes a message about a request.
fn report(request: Request<'_>, runtime: &Runtime, event: u16, sparse: &log::Sparse, line: impl Fn(&str, &str) -> String) {
    count_and_note(request, runtime, event);
    cookies::write(request, log::Level::Warning, sparse, event, || line(&cookies::peer(request), &unique_id(request)));
}
