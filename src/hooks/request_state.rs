//! What the module keeps with a request.

use super::identity::{self, RequestClient};
use super::tracking::NewCookie;
use crate::httpd::request::Request;
use crate::httpd::{decimal, ffi};
use crate::runtime::{ConnectionRecord, Runtime, child, process_id};
use qos_core::letters::Letters;
use qos_core::rules::Located;
use qos_core::variables::tuning::KeepAlive;
use qos_shm::{Child, CountKey, REQUEST_HOLDINGS, RequestId};
use smallvec::SmallVec;
use std::ffi::{CStr, c_void};

/// Lives in the request's pool; made by post_read_request, so that the log hook knows the request was counted.
pub struct RequestState {
    /// Events of the request.
    pub letters: Letters,
    /// The request began on this connection and has not been logged.
    pub open: bool,
    /// Body bytes read so far, and the limit where they are counted.
    pub body_bytes: u64,
    /// Limit of the body.
    pub body_limit: u64,
    /// They are counted.
    pub counts_body: bool,
    /// The body went beyond the limit.
    pub body_too_large: bool,
    /// This module reads the body.
    pub reading: bool,
    /// The body is inflated for it (`QS_DeflateReqBody`).
    pub inflates: bool,
    /// The body as it was read, and what is in it; null while nothing asked for it.
    pub body: *mut super::read_body::ReadBody,
    /// Its client, once a rule has asked.
    pub client: Option<RequestClient>,
    /// Variables as rules left them, where nothing but a further one can change what is counted at the end.
    pub settled: Option<[usize; 4]>,
    /// What variables said of keep-alive when the request came.
    pub keep_alive: KeepAlive,
    /// Their time to wait cannot be had, which was said.
    pub keep_alive_refused: bool,
    /// The error page that it is to get.
    pub page: Option<&'static CStr>,
    /// It was denied; what it is redirected to shows that.
    pub denied: bool,
    /// The path for which the rules of a location were asked last, as [`Request::uri_mark`] tells it; null before.
    pub judged_uri: *const std::ffi::c_char,
    /// A VIP's (request-event.md section 13.1).
    pub vip: bool,
    /// It came with a session of a VIP, or gets one.
    pub has_session: bool,
    /// The milestone that its client has reached with it.
    pub milestone: Option<u32>,
    /// The cookie of the user that its response is to carry.
    pub new_cookie: Option<NewCookie>,
    /// Its counts and places in queues.
    pub slot: Option<RequestId>,
    /// What rules of locations and events know of it; made when they apply, dropped by [`request_ends`] alone.
    rules: *mut RuleState,
    /// Its part in the bandwidth of a rule, null without.
    pub share: *mut crate::filters::throttle::Share,
    released_with_pool: bool,
}

/// What rules of locations and events know of a request.
#[derive(Default)]
pub struct RuleState {
    /// Which rules of locations apply.
    pub located: Located,
    /// Requests of the rule that counts it, and of the conditional rule.
    pub requests: [Option<u32>; 2],
    /// Places of the event rules that limit its requests per second.
    pub event_rates: SmallVec<[usize; 4]>,
    /// The event rule with the fewest kbytes per second.
    pub event_kbytes: Option<usize>,
    /// Variables whose event was counted when the request came, by their numbers.
    pub counted: SmallVec<[usize; 4]>,
    /// Denied by the limit of its location: not measured for it.
    pub located_denied: bool,
    /// Denied by the limit of an event: not measured for events.
    pub event_denied: bool,
    /// Slots of its own, for counts and for a place in a queue.
    slots: SmallVec<[RequestId; 4]>,
    /// Counts that they hold.
    held: usize,
}

impl RuleState {
    /// Whether the request counts for rules now.
    pub fn is_counted(&self) -> bool {
        self.held > 0
    }
}

impl RequestState {
    /// The state of a request, if it has one. A redirected request has none of its own.
    #[allow(clippy::mut_from_ref, reason = "one thread per request")]
    pub fn of<'a>(request: Request<'a>) -> Option<&'a mut RequestState> {
        // SAFETY: set by `begin`, lives in the request's pool, used by the request's thread alone.
        unsafe { request.state().cast::<RequestState>().as_mut() }
    }

    /// Its client, found out once.
    pub fn client(&mut self, request: Request<'_>, record: &ConnectionRecord, runtime: &Runtime) -> &mut RequestClient {
        self.client.get_or_insert_with(|| identity::of_request(request, record, runtime, "@hp"))
    }

    /// Its place for counts and queues, taken when it is needed; given back at the end of the request at the latest. `None`: no place is free.
    pub fn slot(&mut self, request: Request<'_>, child: &Child) -> Option<RequestId> {
        if self.slot.is_none() {
            self.slot = child.open_request();
            self.release_with_pool(request);
        }
        self.slot
    }

    /// What the request holds is given back at the end of its pool at the latest.
    fn release_with_pool(&mut self, request: Request<'_>) {
        if !std::mem::replace(&mut self.released_with_pool, true) {
            request.pool().on_clear(std::ptr::from_mut(self).cast(), request_ends);
        }
    }

    /// Counts the request for a rule; the number of its requests, this one included. `None`: no place is free.
    pub fn count(&mut self, request: Request<'_>, child: &Child, key: CountKey) -> Option<u32> {
        let held = self.known_rules().map_or(0, |rules| rules.held);
        let number = held / REQUEST_HOLDINGS;
        while self.rules(request).slots.len() <= number {
            let slot = child.open_request()?;
            self.rules(request).slots.push(slot);
        }
        let rules = self.rules(request);
        let current = child.enter_for_request(*rules.slots.get(number)?, held % REQUEST_HOLDINGS, key)?;
        rules.held += 1;
        Some(current)
    }

    /// A place in a queue for a rule.
    pub fn queue_slot(&mut self, request: Request<'_>, child: &Child) -> Option<RequestId> {
        if self.rules(request).slots.is_empty() {
            let slot = child.open_request()?;
            self.rules(request).slots.push(slot);
        }
        self.rules(request).slots.first().copied()
    }

    /// Gives back what the request holds for rules of locations and events.
    pub fn release_rules(&mut self) {
        if let (Some(rules), Some(state)) = (self.known_rules(), child()) {
            rules.held = 0;
            for id in rules.slots.drain(..) {
                state.child.close_request(id);
            }
        }
    }

    /// What rules of locations and events know of it.
    pub fn rules(&mut self, request: Request<'_>) -> &mut RuleState {
        if self.rules.is_null() {
            self.rules = Box::into_raw(Box::default());
            self.release_with_pool(request);
        }
        // SAFETY: just made, or made before; it lives until `request_ends`, and one thread uses both.
        unsafe { &mut *self.rules }
    }

    /// The same, if rules have applied.
    pub fn known_rules(&mut self) -> Option<&mut RuleState> {
        // SAFETY: as above.
        unsafe { self.rules.as_mut() }
    }

    /// Gives back what the request holds.
    pub fn release(&mut self) {
        self.release_rules();
        if let (Some(id), Some(state)) = (self.slot.take(), child()) {
            state.child.close_request(id);
        }
    }

    /// The end of the pool: gives back what the request holds, then drops what rules know of it. One cleanup does both, as two of them would run in the
    /// order in which the first rule came to ask for either.
    fn end(&mut self) {
        self.release();
        let rules = std::mem::replace(&mut self.rules, std::ptr::null_mut());
        if !rules.is_null() {
            // SAFETY: made by `rules` from a box, and nobody finds it any longer.
            drop(unsafe { Box::from_raw(rules) });
        }
    }

    /// Makes the state of an initial request.
    pub fn begin(request: Request<'_>) {
        let state = RequestState {
            letters: Letters::NONE,
            open: true,
            body_bytes: 0,
            body_limit: 0,
            counts_body: false,
            body_too_large: false,
            reading: false,
            inflates: false,
            body: std::ptr::null_mut(),
            client: None,
            settled: None,
            keep_alive: KeepAlive::default(),
            keep_alive_refused: false,
            page: None,
            denied: false,
            judged_uri: std::ptr::null(),
            vip: false,
            has_session: false,
            milestone: None,
            new_cookie: None,
            slot: None,
            rules: std::ptr::null_mut(),
            share: std::ptr::null_mut(),
            released_with_pool: false,
        };
        request.set_state(request.pool().place(state).cast());
    }
}

/// A request whose end was never logged gives back what it holds.
unsafe extern "C" fn request_ends(data: *mut c_void) -> ffi::apr_status_t {
    crate::httpd::guard::guard("end of request", (), || {
        // SAFETY: registered with a state that lives in the same pool.
        unsafe { (*data.cast::<RequestState>()).end() };
    });
    0
}

/// `QS_ConnectionId`: arrival of the first request in microseconds, connection id modulo 100, process id.
pub fn connection_id(request: Request<'_>, record: &ConnectionRecord, id: i64) -> *const std::ffi::c_char {
    use std::sync::atomic::Ordering;
    let place = record.connection_id.get();
    if record.connection_id_state.load(Ordering::Acquire) == 0 && record.connection_id_state.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    {
        let (mut arrived, mut connection, mut process) = ([0u8; 20], [b'0'; 2], [b'0'; 10]);
        let arrived = decimal(request.arrived_us().unsigned_abs(), &mut arrived);
        decimal(id.rem_euclid(100).unsigned_abs(), &mut connection);
        let digits = decimal(u64::from(process_id()), &mut process).len().max(5);
        let process = process.get(process.len() - digits..).unwrap_or_default();
        let text = arrived.iter().chain(&connection).chain(process).chain(&[0]);
        // SAFETY: only the thread that moved the state from 0 to 1 writes, and readers wait for 2.
        unsafe { (*place).iter_mut().zip(text).for_each(|(to, from)| *to = *from) };
        record.connection_id_state.store(2, Ordering::Release);
    }
    while record.connection_id_state.load(Ordering::Acquire) != 2 {
        std::hint::spin_loop();
    }
    place.cast::<std::ffi::c_char>().cast_const()
}
