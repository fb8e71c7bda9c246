//! `QS_UserTrackingCookieName`: clients are known again by a cookie, and may be made to show that they take it (request-event.md section 16).

mod site;

pub use site::{Authority, Site, base_url, glob};

use crate::token::{Keys, NONCE_BYTES};

/// How long the cookie is kept, seconds: 300 days.
pub const MAX_AGE: u32 = 25_920_000;
/// How long the way to the check page and back may take, seconds: a day.
pub const CHECK_SECONDS: u32 = 86_400;
/// How long scripts of the check page see that a cookie was set, seconds.
pub const MARKER_SECONDS: u32 = 60;
/// The longest target that is remembered over the check page, bytes: the line of the request there holds a third more.
const MOST_TARGET: usize = 5000;
/// The longest id of a user, bytes.
const MOST_ID: usize = 128;

/// `QS_UserTrackingCookieName`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// The name of the cookie.
    pub name: Vec<u8>,
    /// The check page: who has no cookie sees it first.
    pub page: Option<Vec<u8>>,
    /// The domain of the cookie.
    pub domain: Option<Vec<u8>>,
    /// The cookie ends with the browser.
    pub session: bool,
    /// The check page has a script that asks for the cookie.
    pub js_redirect: bool,
}

/// Who a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// A cookie of this month.
    Known(Vec<u8>),
    /// An older cookie, or one of a secret that is going to be given up: the same user gets a new one.
    Renewed(Vec<u8>),
    /// No cookie, or a worthless one (letter `u`).
    New,
}

impl User {
    /// The user of the first of several cookies that is good.
    #[must_use]
    pub fn of(values: &[&[u8]], keys: &Keys, now: i64) -> User {
        let opened = values.iter().find_map(|value| keys.open(value, now, None).ok()).filter(|opened| (1..=MOST_ID).contains(&opened.data.len()));
        match opened {
            Some(opened) if opened.current && month(opened.issued) == month(now) => User::Known(opened.data),
            Some(opened) => User::Renewed(opened.data),
            None => User::New,
        }
    }

    /// Whether the client has shown that it takes cookies.
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        *self != User::New
    }
}

/// The cookie of a user, made at `now`. `None`: no secret, or no usable id.
#[must_use]
pub fn cookie(keys: &Keys, nonce: &[u8; NONCE_BYTES], now: i64, id: &[u8]) -> Option<String> {
    if id.is_empty() || id.len() > MOST_ID { None } else { keys.seal(nonce, now, MAX_AGE, id, b"") }
}

/// Year and month (UTC) of a time in seconds since 1970.
fn month(seconds: i64) -> (i64, i64) {
    // Days since 0000-03-01, in eras of 400 years: https://howardhinnant.github.io/date_algorithms.html
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (month, over) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + over, month)
}

/// A request, for the check page.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The path as it came.
    pub path: &'a [u8],
    /// What stands behind the `?`, as it came.
    pub query: Option<&'a [u8]>,
    /// GET or HEAD: what can be asked for again.
    pub repeatable: bool,
    /// The client has shown that it takes cookies.
    pub has_cookie: bool,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is served.
    On,
    /// The client sees the check page first; `set_cookie`: and gets its cookie.
    ToPage {
        /// Whether it gets it now, or its script asks for it.
        set_cookie: bool,
    },
    /// The client is sent back to what it wanted.
    Back(Vec<u8>),
    /// The check page is served.
    Page {
        /// The script of the page asks for the cookie.
        init: bool,
        /// What the client wanted, for the script.
        initial: Vec<u8>,
    },
}

impl Tracking {
    /// What becomes of a request (section 16.2). `target`: reads the token of the check page's query.
    #[must_use]
    pub fn way(&self, asked: &Asked<'_>, target: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Way {
        let Some(page) = self.page.as_deref() else { return Way::On };
        if asked.path == b"/favicon.ico" {
            return Way::On;
        }
        if asked.path != page {
            // What cannot be asked for again would be lost (W39).
            let sent = !asked.has_cookie && asked.repeatable;
            return if sent { Way::ToPage { set_cookie: !self.js_redirect } } else { Way::On };
        }
        if self.js_redirect && asked.query == Some(b"qs=init") {
            return Way::Page { init: true, initial: b"/".to_vec() };
        }
        let target = asked.query.and_then(|query| query.strip_prefix(b"r=")).and_then(target);
        match target {
            Some(target) if asked.has_cookie => Way::Back(target),
            target => Way::Page { init: false, initial: target.unwrap_or_else(|| b"/".to_vec()) },
        }
    }
}

/// The target of a request as the check page may lead back to it: path and query, beginning with a single `/`, and nothing in it that ends a string of
/// a script or a header. What is too long leads to `/`.
#[must_use]
pub fn safe_target(path: &[u8], query: Option<&[u8]>) -> Vec<u8> {
    // Browsers take a backslash for a slash; two of them would begin a host.
    let start = path.iter().position(|byte| !b"/\\".contains(byte)).unwrap_or(path.len());
    let mut target = b"/".to_vec();
    crate::redirect::escape(path.get(start..).unwrap_or_default(), &mut target);
    if let Some(query) = query {
        target.push(b'?');
        crate::redirect::escape(query, &mut target);
    }
    if target.len() > MOST_TARGET { b"/".to_vec() } else { target }
}

/// The token that remembers a target. `None`: no secret.
#[must_use]
pub fn check_token(keys: &Keys, nonce: &[u8; NONCE_BYTES], now: i64, target: &[u8]) -> Option<String> {
    keys.seal(nonce, now, CHECK_SECONDS, b"", target)
}

/// The target that a token remembers.
#[must_use]
pub fn check_target(keys: &Keys, token: &[u8], now: i64) -> Option<Vec<u8>> {
    let target = keys.open(token, now, Some(0)).ok()?.open;
    // It was made by `safe_target`; a second wall.
    matches!(target.as_slice(), [b'/', rest @ ..] if !matches!(rest.first(), Some(b'/' | b'\\')) && target.iter().all(u8::is_ascii_graphic)).then_some(target)
}

#[cfg(test)]
mod tests;
