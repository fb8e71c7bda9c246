//! Who the client of a request is (connection-client.md section 5.2), and in which country it is (section 10.1).

use super::deny::count_and_note;
use super::header_parser::unique_id;
use crate::httpd::connection::address as socket_address;
use crate::httpd::request::Request;
use crate::httpd::{clock, log};
use crate::runtime::{ConnectionRecord, Known, Runtime, runtime};
use qos_core::address::Address;
use qos_core::client::{Source, message, pseudo_address, pseudo_text};
use qos_core::header_filter::shown_value;
use qos_shm::ClientId;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// At most one line 069 in this time, milliseconds.
const SAY_EVERY_MS: u64 = 60_000;

/// The client of a request, for the rules about single clients.
#[derive(Clone, Copy)]
pub struct RequestClient {
    /// The key of its entry.
    pub client: Address,
    /// The address as it is logged.
    shown: Address,
    /// The address is a hash.
    pseudo: bool,
    /// It is the connection's client.
    pub of_connection: bool,
    /// Its entry when it was looked up last.
    pub entry: Option<ClientId>,
}

impl RequestClient {
    /// The address itself, for lists of addresses.
    pub fn address(&self) -> Address {
        self.shown
    }

    /// As logs show it.
    pub fn text(&self) -> String {
        if self.pseudo { pseudo_text(self.shown) } else { self.shown.to_string() }
    }
}

/// Finds out. `site` names the caller in 069.
pub fn of_request(request: Request<'_>, record: &ConnectionRecord, runtime: &Runtime, site: &'static str) -> RequestClient {
    let connection = record.client();
    let entry = record.known.get().and_then(|known| known.entry);
    let own = RequestClient { client: runtime.client(connection), shown: connection, pseudo: false, of_connection: true, entry };
    let Some(header) = &runtime.rules.ip_header else { return own };
    if !header.trusted.is_empty() && !header.trusted.contains(connection) {
        return own;
    }
    let found = match &header.source {
        Source::Header(name) => {
            let value = header_of_chain(request, name);
            match value.map(Address::parse) {
                Some(Some(address)) => Some((address, false)),
                _ => {
                    problem(request, runtime, &header.name(), value, site, connection);
                    None
                }
            }
        }
        Source::Hashed(name) => {
            let value = header_of_chain(request, name);
            let address = value.and_then(|value| pseudo_address(&[value]));
            if address.is_none() {
                problem(request, runtime, &header.name(), None, site, connection);
            }
            address.map(|address| (address, true))
        }
        Source::Certificate => {
            let (subject, issuer) = (request.ssl_variable(c"SSL_CLIENT_S_DN"), request.ssl_variable(c"SSL_CLIENT_I_DN"));
            if subject.is_empty() { None } else { pseudo_address(&[subject, issuer]).map(|address| (address, true)) }
        }
        // SAFETY: an address of the request.
        Source::UserAgent => Some((unsafe { socket_address(request.client_address()) }, false)),
    };
    match found {
        Some((address, pseudo)) => {
            let client = if pseudo { address } else { runtime.client(address) };
            let of_connection = client == own.client;
            RequestClient { client, shown: address, pseudo, of_connection, entry: entry.filter(|_| of_connection) }
        }
        None => own,
    }
}

/// A header of the request, else of the one before or around it.
fn header_of_chain<'a>(request: Request<'a>, name: &CStr) -> Option<&'a [u8]> {
    let mut next = Some(request);
    while let Some(request) = next {
        if let Some(value) = request.header(name) {
            return Some(value);
        }
        next = request.outer();
    }
    None
}

/// 069, once in a while: a header that is missing or no address is seen on each request, and clients write it.
fn problem(request: Request<'_>, runtime: &Runtime, header: &str, value: Option<&[u8]>, site: &'static str, fallback: Address) {
    static ALONE: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    if request.has_note(c"QOS_LOG_PFX069") {
        return;
    }
    request.set_note(c"QOS_LOG_PFX069", c"".as_ptr());
    count_and_note(request, runtime, 69);
    let [said, missed] = runtime.clients.as_ref().map_or(&ALONE, |store| store.table.header_problem());
    let (now, last) = (clock::monotonic_ms().max(1), said.load(Ordering::Relaxed));
    let due = last == 0 || now.saturating_sub(last) >= SAY_EVERY_MS;
    if !due || said.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        missed.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let (missed, id) = (missed.swap(0, Ordering::Relaxed), unique_id(request));
    let value = value.map(|value| shown_value(header.as_bytes(), value));
    log::request(request, log::Level::Error, || message::header_problem(header, value.as_deref(), site, missed, &fallback.to_string(), &id));
}

/// `QS_Country`: that of the address in the header where one is named and known, else the connection's.
pub fn set_country(request: Request<'_>, record: &ConnectionRecord, known: &Known) {
    let Some(runtime) = runtime() else { return };
    let named = match (&runtime.geo.header, &runtime.rules.ip_header) {
        (Some(header), _) => {
            let name = std::ffi::CString::new(header.as_slice()).ok();
            name.and_then(|name| header_of_chain(request, &name)).and_then(Address::parse)
        }
        (None, Some(_)) => {
            let client = of_request(request, record, runtime, "@prr");
            (!client.pseudo).then_some(client.shown)
        }
        (None, None) => None,
    };
    if let Some(country) = named.and_then(|address| runtime.country(address)) {
        request.add_variable(c"QS_Country", request.pool().string(&country.code()));
    } else if known.country[0] != 0 {
        request.add_variable(c"QS_Country", known.country.as_ptr().cast());
    }
}
