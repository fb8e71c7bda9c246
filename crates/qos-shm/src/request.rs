//! One request in the shared region.

use crate::counts::HoldingCell;
use crate::sync::AtomicU64;
use crate::turns::{TURNS, TurnCell};

/// How many counters one request can be part of, besides the queues it stands in.
pub const REQUEST_HOLDINGS: usize = 3;

/// Holdings of a request slot in the count table: its counters, then one per queue.
pub(crate) const REQUEST_CELLS: usize = REQUEST_HOLDINGS + TURNS;

/// Names a request slot: its index in the region. The same slot serves other requests later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct RequestId(u32);

impl RequestId {
    /// From a number that [`RequestId::raw`] gave.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The index of the slot.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// A request: 128 bytes. What queues look at stands in the first 64.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct RequestSlot {
    turns: [TurnCell; TURNS],
    /// What each place in a queue counts for.
    present: [HoldingCell; TURNS],
    holdings: [HoldingCell; REQUEST_HOLDINGS],
    reserved: [AtomicU64; 2],
}

impl RequestSlot {
    /// By its number below [`REQUEST_CELLS`].
    pub fn holding(&self, number: usize) -> Option<&HoldingCell> {
        match number.checked_sub(REQUEST_HOLDINGS) {
            None => self.holdings.get(number),
            Some(place) => self.present.get(place),
        }
    }

    pub fn turn(&self, place: usize) -> Option<&TurnCell> {
        self.turns.get(place)
    }
}
