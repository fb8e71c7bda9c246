//! What the handlers show: one [`Snapshot`] of the server, and one pure function per format
//! (connection-client.md section 11).

pub mod auto;
pub mod events;
pub mod html;
mod json;
pub mod metrics;
mod snapshot;
pub mod status;
#[cfg(test)]
mod tests;

pub use json::json;
pub use snapshot::{
    AddressCount, ClientEntry, ClientTable, Concurrent, Connections, DataRate, Delay, Denial, Done, Event, EventLimit, Evictions, Geo, Limited, LocalTime,
    Prefer, Rate, Rule, RuleKind, Search, Server, Snapshot, Window,
};

use crate::query::Query;

/// What a request for the viewer asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The page's own path, for its forms.
    pub path: Vec<u8>,
    /// `refresh` is in the query: the response has the header `Refresh`.
    pub refresh: bool,
    /// `option` contains `ip`: show the addresses.
    pub addresses: bool,
    /// `address`, decoded: a search.
    pub address: Option<Vec<u8>>,
}

impl Options {
    /// From path and query string of a request.
    #[must_use]
    pub fn new(path: &[u8], query: &[u8]) -> Options {
        let query = Query::new(query);
        Options {
            path: path.to_vec(),
            refresh: query.has("refresh"),
            addresses: query.get("option").is_some_and(|option| option.windows(2).any(|two| two == b"ip")),
            address: query.address(),
        }
    }
}
