//! The memory that all children of the server share.
//!
//! One anonymous mapping, made by the parent before it forks and kept over graceful restarts. It knows which child
//! holds which connections and requests, what each of them counts for, and the queues in which requests stand. Everything in it is an index or an atomic, memory of
//! zeros is a valid empty state, and no process ever waits for another one: any of them may be killed or stopped at any
//! instruction. What a dead child held, the parent gives back ([`Region::reclaim_child`]).
//!
//! * [`Region`]: the mapping; what the parent does, and what everybody may look at
//! * [`Child`]: what a child does with its own connections and requests
//! * [`Slot`]: one connection
//! * [`CountTable`]: the exact counters, with the argument why they are exact
//! * [`ClientTable`]: every client remembered, in a mapping of its own
//! * [`RuleTable`]: what each rule about requests counts and measures, in a mapping of its own
//! * `turns`: requests that are served one at a time, with the argument why nobody is forgotten

mod clients;
mod counts;
mod sync;
mod turns;

#[cfg(not(loom))]
mod anonymous;
#[cfg(not(loom))]
mod child;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod ledger;
#[cfg(not(loom))]
mod queues;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod request;
#[cfg(not(loom))]
mod rules;
#[cfg(not(loom))]
mod slot;
#[cfg(not(loom))]
mod view;

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod crash_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod model_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod region_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod request_tests;

pub use clients::{Bound, Client, ClientId, Gone, IsOpen, Keep, MOST_DENIALS, WAYS, WORTHS, Worth};
pub use counts::{Bucket, CountKey, CountTable, HOLDINGS, HoldingCell, Holdings};
pub use turns::{TURNS, Turn};

#[cfg(not(loom))]
pub use {
    child::Child,
    clients::{ClientSizing, ClientTable, ClientTableError, Resumed},
    layout::{CONTENT_CLASSES, EVENTS, LAYOUT_VERSION, Shared, Sizing},
    ledger::{Reclaimed, RegionFull},
    region::{Region, RegionError},
    request::{REQUEST_HOLDINGS, RequestId},
    rules::{RING, RULE_GENERATIONS, RuleCell, RuleTable, RuleTableError},
    slot::{ConnectionId, Holding, Slot},
    view::{ChildInfo, ConnectionView},
};

/// A number for a name, always the same: names columns of the client table.
#[must_use]
pub fn name_hash(name: &[u8]) -> u64 {
    siphasher::sip::SipHasher13::new().hash(name)
}
