//! The queues of a region: its request slots are the places, its count table counts them.

use crate::counts::CountKey;
use crate::region::Region;
use crate::request::{REQUEST_HOLDINGS, RequestSlot};
use crate::sync::AtomicU64;
use crate::turns::{Places, TURNS, TurnCell, TurnTable};

impl Region {
    /// How many requests stand in the queue of `key`, that whose turn it is included.
    #[must_use]
    pub fn queued(&self, key: CountKey) -> u32 {
        self.count(key)
    }

    /// How many requests wait in all queues, those whose turn it is not included. For displays, not for requests.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.turns().waiting()
    }

    pub(crate) fn turns(&self) -> TurnTable<&Self> {
        TurnTable(self)
    }

    fn request_at(&self, place: u32) -> Option<&RequestSlot> {
        self.requests().get(place as usize / TURNS)
    }

    /// Index of the holding that a place is counted by.
    fn presence(&self, place: u32) -> u32 {
        self.request_holding(place / TURNS as u32, REQUEST_HOLDINGS + place as usize % TURNS)
    }
}

impl Places for &Region {
    fn cell(&self, place: u32) -> Option<&TurnCell> {
        self.request_at(place)?.turn(place as usize % TURNS)
    }

    fn key(&self, place: u32) -> Option<&AtomicU64> {
        Some(self.request_at(place)?.holding(REQUEST_HOLDINGS + place as usize % TURNS)?.key())
    }

    fn marks(&self) -> &[AtomicU64] {
        Region::marks(self)
    }

    fn tickets(&self) -> &AtomicU64 {
        Region::tickets(self)
    }

    fn enter(&self, place: u32, key: CountKey) -> Option<u32> {
        self.table().enter(self.presence(place), key)
    }

    fn leave(&self, place: u32) -> u32 {
        self.table().leave(self.presence(place))
    }

    fn settle(&self, place: u32) {
        self.table().settle(self.presence(place));
    }
}
