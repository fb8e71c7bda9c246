//! What a child does with its requests: counts, and queues in which they wait for each other.

use super::Child;
use crate::counts::CountKey;
use crate::request::{REQUEST_HOLDINGS, RequestId};
use crate::turns::{TURNS, Turn};
use std::time::Duration;

impl Child {
    /// Takes a slot for a request that is to hold counts or to stand in queues. `None`: the region is full.
    #[must_use]
    pub fn open_request(&self) -> Option<RequestId> {
        Some(RequestId::from_raw(self.claims(&self.requests)?.take()?))
    }

    /// Leaves all queues, gives back all that the request counts for, and its slot. A second call does nothing, unless
    /// the slot has been taken again: who closes must know that the request is his.
    pub fn close_request(&self, id: RequestId) {
        if !self.has_request(id) {
            return;
        }
        let turns = self.region.turns();
        (0..TURNS).for_each(|place| turns.leave(id.raw() * TURNS as u32 + place as u32));
        let slot = self.region.requests().get(id.raw() as usize);
        for place in 0..REQUEST_HOLDINGS {
            // Most requests hold one count or two.
            if slot.and_then(|slot| slot.holding(place)).is_some_and(|cell| cell.counted().is_some()) {
                self.region.table().leave(self.region.request_holding(id.raw(), place));
            }
        }
        self.requests.give(id.raw());
    }

    /// Counts the request for `key` by its holding `place`, below [`REQUEST_HOLDINGS`]; returns the count, this one
    /// included. If it was counted for another key there, that is given back first. `None`: not counted, as too many keys share
    /// the bucket, or there is no such holding of an own request.
    #[must_use]
    pub fn enter_for_request(&self, id: RequestId, place: usize, key: CountKey) -> Option<u32> {
        self.region.table().enter(self.request_holding(id, place)?, key)
    }

    /// The request no longer counts for the key of this holding; returns the count after. 0 if it did not count.
    pub fn leave_for_request(&self, id: RequestId, place: usize) -> u32 {
        self.request_holding(id, place).map_or(0, |holding| self.region.table().leave(holding))
    }

    /// Puts the request at the end of the queue of `key`, by its `place` below [`TURNS`]. The domain of the key must be one of
    /// queues. A request that stands in a queue by this place leaves that first. `None`: it stands in no queue, as too
    /// many keys share the bucket, or there is no such place of an own request.
    #[must_use]
    pub fn queue(&self, id: RequestId, place: usize, key: CountKey) -> Option<Turn> {
        self.region.turns().queue(self.place(id, place)?, key)
    }

    /// Looks whether it is the request's turn. It stays so until it leaves the queue. `None`: it stands in no queue there.
    #[must_use]
    pub fn turn(&self, id: RequestId, place: usize) -> Option<Turn> {
        self.region.turns().turn(self.place(id, place)?)
    }

    /// Sleeps until it may be the request's turn, for `timeout` at most, and for a second at most. Also comes back when a
    /// signal comes, at once if something has happened since it looked last, and at once if it is its turn or it stands
    /// in no queue. The caller looks again ([`Child::turn`]).
    pub fn wait(&self, id: RequestId, place: usize, timeout: Duration) {
        if let Some(place) = self.place(id, place) {
            self.region.turns().wait(place, timeout);
        }
    }

    /// Leaves the queue, whether it was the request's turn or it gives up, and wakes who is next.
    pub fn leave_queue(&self, id: RequestId, place: usize) {
        if let Some(place) = self.place(id, place) {
            self.region.turns().leave(place);
        }
    }

    fn has_request(&self, id: RequestId) -> bool {
        self.claims(&self.requests).is_some_and(|claims| claims.is_used(id.raw()))
    }

    fn request_holding(&self, id: RequestId, place: usize) -> Option<u32> {
        (place < REQUEST_HOLDINGS && self.has_request(id)).then(|| self.region.request_holding(id.raw(), place))
    }

    /// The number of a place among those of all requests.
    fn place(&self, id: RequestId, place: usize) -> Option<u32> {
        (place < TURNS && self.has_request(id)).then(|| id.raw() * TURNS as u32 + place as u32)
    }
}
