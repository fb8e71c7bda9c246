//! Requests that run one after the other: `QS_ClientSerialize` and `QS_SrvSerialize` (connection-client.md sections 8 and 9.4).

use super::RequestState;
use super::deny::{Denial, count_and_note, denied, mark};
use super::header_parser::unique_id;
use super::judging::Asked;
use super::pause;
use super::post_read_request::server_record;
use super::pre_connection::table_full;
use crate::clients::{self, domain};
use crate::httpd::request::Request;
use crate::httpd::socket::{self, End};
use crate::httpd::{clock, ffi, log};
use crate::runtime::{ChildState, ConnectionRecord, Runtime};
use qos_core::client::message::{self, Serialized};
use qos_core::config::Serialize;
use qos_shm::{CountKey, RequestId, Turn};
use std::ffi::c_int;
use std::time::Duration;

/// How long a request waits where nothing is configured.
const DEFAULT: Serialize = Serialize { seconds: 300, waiters: None };

/// Places of a request's slot.
mod place {
    /// In the queue of its client.
    pub const CLIENT: usize = 0;
    /// In the queue of its server.
    pub const SERVER: usize = 1;
}

/// Step 23: `QS_ClientSerialize`, for requests with the variable `QS_Serialize`.
pub fn of_client(asked: &mut Asked<'_>) -> Option<c_int> {
    let (rule, child, name) = (asked.runtime.rules.serialize?, asked.child?, asked.runtime.names.serialize);
    if !asked.variables().has(name) {
        return None;
    }
    let (request, record, runtime) = (asked.request, asked.record, asked.runtime);
    let client = *asked.state.client(request, record, runtime);
    let key = clients::key(runtime, domain::CLIENT_TURN, client.client);
    serialize(request, record, asked.state, runtime, child, (place::CLIENT, key), rule, Serialized::Client(&client.text()))
}

/// Step 24: `QS_SrvSerialize`, for requests with the variable of that name.
pub fn of_server(asked: &mut Asked<'_>) -> Option<c_int> {
    let (child, name) = (asked.child?, asked.runtime.names.server_serialize);
    if !asked.variables().has(name) {
        return None;
    }
    let server = server_record(asked.request).filter(|server| server.config.serialize == Some(true))?;
    let rule = server.config.serialize_waits.unwrap_or(DEFAULT);
    serialize(asked.request, asked.record, asked.state, asked.runtime, child, (place::SERVER, server.derived()?.turn), rule, Serialized::Server)
}

/// Waits for the request's turn. `Some`: it is denied, as too many wait or its connection is gone.
#[allow(clippy::too_many_arguments, reason = "what a rule has at hand, and its own three")]
fn serialize(
    request: Request<'_>,
    record: &ConnectionRecord,
    state: &mut RequestState,
    runtime: &Runtime,
    child: &ChildState,
    (place, key): (usize, CountKey),
    rule: Serialize,
    who: Serialized<'_>,
) -> Option<c_int> {
    let slot = state.slot(request, &child.child);
    let queued = slot.and_then(|slot| Some((slot, child.child.queue(slot, place, key)?)));
    let Some((slot, turn)) = queued else {
        table_full(runtime, "request");
        return None;
    };
    if turn == Turn::Mine {
        return None;
    }
    // An earlier request of this very connection may have the turn.
    request.flush_earlier();
    let Turn::After(before) = child.child.turn(slot, place)? else { return None };
    state.letters.add(b's');
    if runtime.log_only {
        child.child.leave_queue(slot, place);
        return None;
    }
    if let Some(max) = rule.waiters.filter(|max| before > *max) {
        child.child.leave_queue(slot, place);
        let id = unique_id(request);
        // The one whose turn it is does not wait.
        log::request(request, log::Level::Error, || message::too_many_waiting(who, max, before - 1, mark(runtime, false), &id));
        return denied(request, state, runtime, &Denial::new(68));
    }
    match wait(record, child, slot, place, rule.seconds) {
        Waited::Mine => (),
        Waited::TooLong => {
            child.child.leave_queue(slot, place);
            count_and_note(request, runtime, 68);
            let id = unique_id(request);
            log::request(request, log::Level::Warning, || message::waited(who, rule.seconds, &id));
        }
        // Nobody is left to hear the answer.
        Waited::Gone => {
            child.child.leave_queue(slot, place);
            return Some(ffi::HTTP_SERVICE_UNAVAILABLE as c_int);
        }
    }
    None
}

/// How waiting ended.
enum Waited {
    /// It is the request's turn.
    Mine,
    /// The time is over.
    TooLong,
    /// The client has reset the connection, or the server ends and has closed it.
    Gone,
}

/// Sleeps until it is the request's turn. Once a second it looks whether the connection is still there. A child that ends gracefully lets
/// its requests wait on; one that ends at once closes their connections.
fn wait(record: &ConnectionRecord, child: &ChildState, slot: RequestId, place: usize, seconds: u32) -> Waited {
    let end = clock::monotonic_ms().saturating_add(u64::from(seconds) * 1000);
    while child.child.turn(slot, place) != Some(Turn::Mine) {
        let left = end.saturating_sub(clock::monotonic_ms());
        if left == 0 {
            return Waited::TooLong;
        }
        if pause::descriptor(record).is_some_and(|fd| socket::ends_within(fd, Duration::ZERO, End::Both)) {
            return Waited::Gone;
        }
        child.child.wait(slot, place, Duration::from_millis(left));
    }
    Waited::Mine
}
