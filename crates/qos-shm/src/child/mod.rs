//! What a child does with its connections; [`requests`] are alike. All of it may be called by all its threads at a time,
//! as long as one connection is entered, left and closed by one thread at a time, and one request used by one thread.

mod claims;
mod requests;

use crate::counts::CountKey;
use crate::region::Region;
use crate::slot::{ConnectionId, Holding, Slot};
use crate::sync::Ordering::SeqCst;
use claims::Claims;
use std::sync::atomic::AtomicBool;

/// A registered child: its place in the ledger and its own lists of the blocks it has claimed. Made after the fork.
/// Dropping it gives nothing back; the process that ends may call [`Child::unregister`], and the parent reclaims in any
/// case.
#[derive(Debug)]
pub struct Child {
    region: Region,
    /// Index of the record.
    record: u32,
    connections: Claims,
    requests: Claims,
    ended: AtomicBool,
}

impl Child {
    pub(crate) fn new(region: Region, record: u32) -> Self {
        Self {
            region,
            record,
            connections: Claims::new(region, Region::blocks, record),
            requests: Claims::new(region, Region::request_blocks, record),
            ended: AtomicBool::new(false),
        }
    }

    /// The region it is registered in.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Takes a slot for a new connection. `address` is the client's, `server` the user's number of the virtual server,
    /// `started_ms` monotonic milliseconds. Claims another block if the own ones are full. `None`: the region is full.
    #[must_use]
    pub fn open(&self, address: &[u8; 16], server: u32, started_ms: u64) -> Option<ConnectionId> {
        let id = ConnectionId::from_raw(self.claims(&self.connections)?.take()?);
        self.region.slots().get(id.raw() as usize)?.open(address, server, started_ms);
        Some(id)
    }

    /// The slot of an own open connection.
    #[must_use]
    pub fn slot(&self, id: ConnectionId) -> Option<&Slot> {
        let used = self.claims(&self.connections)?.is_used(id.raw());
        used.then(|| self.region.slots().get(id.raw() as usize))?
    }

    /// Counts the connection for `key`; returns the count, this one included. If it was counted for another key of
    /// this holding, that is given back first. `None`: not counted, as too many keys share the bucket or the connection is
    /// not an own one.
    #[must_use]
    pub fn enter(&self, id: ConnectionId, holding: Holding, key: CountKey) -> Option<u32> {
        self.slot(id)?;
        self.region.table().enter(holding.of(id), key)
    }

    /// The connection no longer counts for the key of this holding; returns the count after. 0 if it did not count.
    pub fn leave(&self, id: ConnectionId, holding: Holding) -> u32 {
        if self.slot(id).is_none() {
            return 0;
        }
        self.region.table().leave(holding.of(id))
    }

    /// Gives back all that the connection counts for, and its slot. A second call does nothing, unless the slot has
    /// been taken again: who closes must know that the connection is his.
    pub fn close(&self, id: ConnectionId) {
        let Some(slot) = self.slot(id) else { return };
        let table = self.region.table();
        for holding in Holding::EACH {
            table.leave(holding.of(id));
        }
        slot.close();
        self.connections.give(id.raw());
    }

    /// A small number for tables of this process: below [`Child::local_capacity`], no two open connections of this child
    /// have the same, and a slot keeps it. `usize::MAX` for a slot that is not this child's.
    #[must_use]
    pub fn local_index(&self, id: ConnectionId) -> usize {
        self.claims(&self.connections).and_then(|claims| claims.local_index(id.raw())).unwrap_or(usize::MAX)
    }

    /// How many local indices there are now. Grows when a block is claimed, never shrinks.
    #[must_use]
    pub fn local_capacity(&self) -> usize {
        self.connections.capacity()
    }

    /// How many local indices there can ever be.
    #[must_use]
    pub fn max_local(&self) -> usize {
        self.connections.most()
    }

    /// Calls `f` with each open connection of this child: its name, its local index, its slot. A connection that another
    /// thread opens or closes meanwhile may or may not be among them.
    pub fn for_each(&self, f: &mut dyn FnMut(ConnectionId, usize, &Slot)) {
        for (number, local) in self.connections.used() {
            if let Some(slot) = self.region.slots().get(number as usize).filter(|slot| slot.is_open()) {
                f(ConnectionId::from_raw(number), local, slot);
            }
        }
    }

    /// The orderly end: leaves all queues, gives back all counts, slots, blocks and the record. No other thread may use this
    /// child at this time or later; if some may still run, leave it to the parent.
    pub fn unregister(&self) {
        if !self.ended.swap(true, SeqCst) {
            self.region.reclaim_record(self.record);
        }
    }

    /// `None`: this child has ended.
    fn claims<'a>(&self, claims: &'a Claims) -> Option<&'a Claims> {
        (!self.ended.load(SeqCst)).then_some(claims)
    }
}
