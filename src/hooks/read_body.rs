//! The body of a request is read and taken apart, once, when the first rule wants to see it (filters.md section 13.3).
//!
//! It is read as a handler would read it, and given to the handler byte for byte afterwards (`filters/replay.rs`). Rules that do not need it are asked
//! before (FW-20): who is denied by them has not made the server read anything.

use super::RequestState;
use super::body_limit::{self, inflates_too_much, too_large};
use super::deny::{Denial, count_and_note, denied};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::post_read_request::server_record;
use crate::config::location;
use crate::filters;
use crate::httpd::decode_hooks;
use crate::httpd::request::Request;
use crate::httpd::request_body::{BodyReader, Piece};
use crate::httpd::spool::Spool;
use crate::httpd::{ffi, log};
use crate::runtime::Runtime;
use once_cell::unsync::OnceCell;
use qos_core::body::{self, ContentType, Facts, MOST_BYTES, Options};
use qos_core::parameters::Parsed;
use qos_core::rules::message::summed_up;
use qos_core::variables::Headers;
use std::ffi::{c_char, c_int};
use std::fmt::Display;

/// What was read, and what was found in it. Lives in the request's pool.
pub struct ReadBody {
    /// Slices of `bytes` and of strings of the request.
    parsed: Parsed<'static>,
    /// `?` and the parameters as one line, in the request's pool.
    line: OnceCell<(*const c_char, usize)>,
    /// The same for notes, which end at the first NUL.
    noted: OnceCell<*const c_char>,
    /// Its table for other modules.
    pub table: OnceCell<*mut ffi::apr_table_t>,
    bytes: Spool,
    /// Bytes that were given to the next reader.
    place: usize,
    /// The rest of the body has not been read.
    goes_on: bool,
}

impl ReadBody {
    /// What the next reader gets, as much as lies together; empty at the end only.
    pub fn rest(&self) -> &[u8] {
        self.bytes.at(self.place)
    }

    /// The next reader got so many bytes.
    pub fn take(&mut self, bytes: usize) {
        self.place += bytes;
    }

    /// Whether nothing is left behind so many bytes.
    pub fn is_last(&self, bytes: usize) -> bool {
        self.place + bytes >= self.bytes.len()
    }

    /// Whether the client has more than what is here.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The parameters.
    pub fn parsed(&self) -> &Parsed<'_> {
        &self.parsed
    }

    /// The parameters as one line, made when it is first asked for: it may have three times the length of the body, so there is only one.
    pub fn line(&self, request: Request<'_>) -> &[u8] {
        self.with_mark(request).get(1..).unwrap_or_default()
    }

    /// The same with `?` before it, as a C string for notes.
    pub fn noted(&self, request: Request<'_>) -> *const c_char {
        *self.noted.get_or_init(|| {
            let line = self.with_mark(request);
            if line.contains(&0) { note(request, line) } else { line.as_ptr().cast() }
        })
    }

    fn with_mark(&self, request: Request<'_>) -> &[u8] {
        let (text, length) = *self.line.get_or_init(|| {
            let length = 1 + self.parsed.line_length();
            let fill = |mut place: &mut [u8]| {
                let mut write = |piece: &[u8]| {
                    if let Some((here, rest)) = std::mem::take(&mut place).split_at_mut_checked(piece.len()) {
                        here.copy_from_slice(piece);
                        place = rest;
                    }
                };
                write(b"?");
                self.parsed.each_of_line(&mut write);
            };
            (request.initial().pool().fill_string(length, fill), length)
        });
        // SAFETY: made above, in the pool in which this value lives.
        unsafe { std::slice::from_raw_parts(text.cast(), length) }
    }
}

/// A text for a note, which ends at the first NUL.
pub fn note(request: Request<'_>, text: &[u8]) -> *const c_char {
    let text = text.iter().flat_map(|byte| if *byte == 0 { b"%00" } else { std::slice::from_ref(byte) });
    request.initial().pool().string(&text.copied().collect::<Vec<u8>>())
}

/// What reading came to.
enum Outcome {
    /// All of it, or nothing where there is no body.
    Read,
    /// It is too long for a directive: limit and length so far.
    TooLarge(&'static str, (u64, u64)),
    /// mod_deflate gave it up.
    Inflates,
    /// It cannot be kept.
    NotKept(std::io::Error),
    /// It cannot be read: the client is too slow or gone, or sends what is no body.
    Failed(c_int),
}

/// The parameters of a request, as far as they are known: what rules behind the step that reads look at. `None`: nothing asked for them.
pub fn known<'a>(request: Request<'a>) -> Option<&'a ReadBody> {
    let body = RequestState::of(request.initial())?.body;
    // SAFETY: made below in the pool of the initial request, which outlives what is redirected from it; its thread uses it alone.
    unsafe { body.as_ref() }
}

/// Whether something asked for the parameters of a request: a rule, the administrator or another module.
pub fn is_active(request: Request<'_>) -> bool {
    request.variable(c"parp").is_some() || request.has_note(c"parp")
}

/// The parameters of a request whose parser is active; its body is read the first time. `Err`: the request ends with this status.
pub fn parameters<'a>(asked: &mut Asked<'a>) -> Result<Option<&'a ReadBody>, c_int> {
    let request = asked.request;
    if !asked.state.body.is_null() || !is_active(request) {
        return Ok(known(request));
    }
    let mut bytes = Spool::default();
    let mut outcome = if request.has_body() { read(request, asked.runtime, &mut bytes) } else { Outcome::Read };
    if let Err(error) = bytes.seal() {
        outcome = Outcome::NotKept(error);
    }
    let server = server_record(request).map(|server| &server.config.body);
    let options = Options {
        filter: location(request).is_some_and(|location| location.inspects_bodies()),
        strict: location(request).is_some_and(|location| location.url.strict_body == Some(true)),
        raw_types: server.and_then(|body| body.raw_types.clone()).unwrap_or_default(),
        unicode: location(request).and_then(|location| location.url.decoding).is_some_and(|decoding| decoding.unicode),
    };
    let goes_on = !matches!(outcome, Outcome::Read);
    let whole = bytes.whole().filter(|_| !goes_on).unwrap_or_default();
    let facts = Facts {
        query: request.target_query(),
        decoded_query: decode_hooks::json_query(request, options.unicode),
        content_type: request.header(c"Content-Type"),
        content_encoding: request.header(c"Content-Encoding"),
        body: whole,
    };
    let (mut parsed, error) = body::parse(&facts, &options);
    parsed.unparsed |= goes_on;
    // SAFETY: slices of `bytes`, whose memory stays in its place when the value is moved, and of strings of the request; they live as long as the pool into
    // which the value goes, and nothing looks at them when it is dropped.
    let parsed = unsafe { std::mem::transmute::<Parsed<'_>, Parsed<'static>>(parsed) };
    let length = bytes.len();
    let body = request.pool().own(ReadBody { parsed, line: OnceCell::new(), noted: OnceCell::new(), table: OnceCell::new(), bytes, place: 0, goes_on });
    asked.state.body = body;
    if let Some(status) = judge(asked, outcome, error, server.and_then(|body| body.error_code)) {
        return Err(status);
    }
    hand_on(asked, body, length, goes_on);
    Ok(known(request))
}

/// Reads the whole body. The filter that counts what is received works with the request's state meanwhile, which nobody else holds then.
fn read(request: Request<'_>, runtime: &Runtime, bytes: &mut Spool) -> Outcome {
    let most = location(request).and_then(|location| location.body_max_size);
    let most = most.or_else(|| server_record(request).and_then(|server| server.config.body.max_size)).unwrap_or(MOST_BYTES);
    let (directive, limit) = match body_limit::limit(request, false) {
        Some(limit) if limit <= most => (body_limit::DIRECTIVE, limit),
        _ => ("QS_BodyMaxSize", most),
    };
    if let Some(length) = request.header(c"Content-Length").and_then(body::decimal).filter(|length| *length > most) {
        // Nothing of it is read: also in log-only mode it is not looked at then.
        return Outcome::TooLarge("QS_BodyMaxSize", (most, length));
    }
    let (mut reader, mut not_kept) = (BodyReader::new(request), None);
    set_reading(request, true);
    let outcome = loop {
        let piece = reader.next(|piece| {
            if let Err(error) = bytes.push(piece, &runtime.body_dir) {
                not_kept.get_or_insert(error);
            }
        });
        let Some(state) = RequestState::of(request) else { break Outcome::Failed(ffi::HTTP_INTERNAL_SERVER_ERROR as c_int) };
        // What was received of a body whose length is not announced, and what it is inflated.
        let (received, length) = (state.body_bytes, bytes.len() as u64);
        if std::mem::take(&mut state.body_too_large) {
            break Outcome::TooLarge(body_limit::DIRECTIVE, (state.body_limit, received));
        }
        match piece {
            Piece::Failed(status) => break Outcome::Failed(status),
            Piece::Refused if state.inflates => break Outcome::Inflates,
            Piece::Refused => break Outcome::Failed(ffi::HTTP_BAD_REQUEST as c_int),
            Piece::More | Piece::End => {}
        }
        if length > limit {
            break Outcome::TooLarge(directive, (limit, length));
        }
        if let Some(error) = not_kept.take() {
            break Outcome::NotKept(error);
        }
        if piece == Piece::End {
            break Outcome::Read;
        }
    };
    set_reading(request, false);
    outcome
}

fn set_reading(request: Request<'_>, reading: bool) {
    if let Some(state) = RequestState::of(request) {
        state.reading = reading;
    }
}

/// Says what is wrong with a body. `Some`: the request ends with this status.
fn judge(asked: &mut Asked<'_>, outcome: Outcome, error: Option<body::Error>, code: Option<u16>) -> Option<c_int> {
    match outcome {
        Outcome::Failed(status) => Some(status),
        Outcome::TooLarge(directive, numbers) => too_large(asked.request, asked.state, asked.runtime, directive, Some(numbers)),
        Outcome::Inflates => Some(inflates_too_much(asked.request, asked.state, asked.runtime)),
        Outcome::NotKept(error) => not_understood(asked, &format_args!("cannot be kept: {error}"), Some(ffi::HTTP_INTERNAL_SERVER_ERROR as u16)),
        Outcome::Read => error.and_then(|error| not_understood(asked, &error, code)),
    }
}

/// 048. `code`: the status of the denial; 200: nobody is denied.
fn not_understood(asked: &mut Asked<'_>, reason: &dyn Display, code: Option<u16>) -> Option<c_int> {
    static LINES: log::Sparse = log::Sparse::new();
    let (request, denies) = (asked.request, code != Some(200));
    let level = if denies { log::Level::Error } else { log::Level::Warning };
    let enforced = denies && !asked.runtime.log_only;
    if log::has_line(request, level, LINES.one_more(), |times| summed_up(48, "invalid request body", times)) {
        let media = ContentType::new(request.header(c"Content-Type")).media();
        log::request(request, level, || body::message(reason, media, enforced, &String::from_utf8_lossy(request.client()), &unique_id(request)));
    }
    if denies {
        let status = code.map_or(ffi::HTTP_FORBIDDEN as c_int, c_int::from);
        return denied(request, asked.state, asked.runtime, &Denial::new(48).status(status));
    }
    count_and_note(request, asked.runtime, 48);
    None
}

/// The next reader gets the body.
fn hand_on(asked: &mut Asked<'_>, body: *mut ReadBody, length: usize, goes_on: bool) {
    let request = asked.request;
    if goes_on {
        if length > 0 {
            filters::replay::replay_begin(request, body);
        }
        return;
    }
    if !request.has_body() && length == 0 {
        return;
    }
    let text = length.to_string();
    if length > 0 {
        filters::replay::replay(request, body);
    }
    request.set_variable(c"PARPContentLength", request.pool().string(text.as_bytes()));
    asked.variables_changed();
    // It was inflated, or its length was not announced: now it is known.
    let known = request.header(c"Content-Length").and_then(body::decimal) == Some(length as u64);
    if !known && request.header(c"Transfer-Encoding").is_none() {
        request.headers_in().set(c"Content-Length", text.as_bytes());
    }
}
