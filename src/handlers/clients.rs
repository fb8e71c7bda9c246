//! The door to the table of clients. There is none in this version: nothing is known about any client.

use crate::runtime::Runtime;
use qos_core::address::Address;
use qos_core::console::{Action, ClientState, Restored};
use qos_core::view::{ClientEntry, ClientTable};

/// Whether a directive needs the table (connection-client.md section 2.1).
pub fn active(_runtime: &Runtime) -> bool {
    false
}

/// What the viewer shows of the table; `None` without one.
pub fn clients_snapshot(_runtime: &Runtime) -> Option<ClientTable> {
    None
}

/// What is known about a client.
pub fn find(_runtime: &Runtime, _address: Address) -> Option<ClientEntry> {
    None
}

/// Carries out an action of the console. Returns whether an entry was made, and the state of the client
/// afterwards: `None` where there is no entry (a search).
pub fn apply(_runtime: &Runtime, _action: Action, _address: Address, _event: &[u8]) -> (bool, Option<ClientState>) {
    (false, None)
}

/// Visits all entries in table order with their last access (seconds since 1970), in small batches without holding
/// anything meanwhile (W56), until `visit` has enough.
pub fn each(_runtime: &Runtime, _event: &[u8], _visit: impl FnMut(Address, &ClientState, u64) -> bool) {}

/// Takes over a line of a dump.
pub fn restore(_runtime: &Runtime, _event: &[u8], _entry: &Restored) {}
