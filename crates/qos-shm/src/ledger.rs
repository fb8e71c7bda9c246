//! Who holds what: children register, and what a dead one held is given back.

use crate::child::Child;
use crate::layout::{Block, pack, unpack};
use crate::region::Region;
use crate::request::REQUEST_CELLS;
use crate::slot::{ConnectionId, Holding};
use crate::sync::Ordering::SeqCst;
use crate::turns::TURNS;
use std::fmt;

/// No record is free for another child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionFull;

impl fmt::Display for RegionFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shared region has no room for another child")
    }
}

impl std::error::Error for RegionFull {}

/// What was given back for a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Connections that it had open.
    pub connections: u32,
    /// Requests that it had in slots.
    pub requests: u32,
}

impl Region {
    /// Enters the calling process into the ledger. If the pid is there already, that child is dead (the pid is ours
    /// now): it is reclaimed first.
    ///
    /// # Errors
    /// All records are taken, or `pid` is 0.
    pub fn register_child(&self, pid: u32, generation: u32) -> Result<Child, RegionFull> {
        if pid == 0 {
            return Err(RegionFull);
        }
        let _ = self.reclaim_child(pid);
        for (index, record) in (0_u32..).zip(self.records()) {
            if record.word.compare_exchange(0, pack(generation, pid), SeqCst, SeqCst).is_ok() {
                return Ok(Child::new(*self, index));
            }
        }
        Err(RegionFull)
    }

    /// Gives back all that the child `pid` held. To be called by the parent once the child is known to be dead, and
    /// before it forks again. May be killed and called again, by one process at a time. `None`: there is no such child.
    pub fn reclaim_child(&self, pid: u32) -> Option<Reclaimed> {
        let mut reclaimed = None;
        for (index, record) in (0_u32..).zip(self.records()) {
            let word = record.word.load(SeqCst);
            if word != 0 && unpack(word).1 == pid {
                let sum = reclaimed.get_or_insert_with(Reclaimed::default);
                let given = self.reclaim_record(index);
                sum.connections += given.connections;
                sum.requests += given.requests;
            }
        }
        reclaimed
    }

    /// Reclaims every registered child that `alive` denies; returns how many. As [`Region::reclaim_child`].
    pub fn reclaim_missing(&self, alive: &mut dyn FnMut(u32) -> bool) -> u32 {
        let mut children = 0;
        for (index, record) in (0_u32..).zip(self.records()) {
            let word = record.word.load(SeqCst);
            if word != 0 && !alive(unpack(word).1) {
                self.reclaim_record(index);
                children += 1;
            }
        }
        children
    }

    /// Requests first, as others may wait for them.
    pub(crate) fn reclaim_record(&self, index: u32) -> Reclaimed {
        let requests = self.reclaim_blocks(index, self.request_blocks(), &|slot| self.settle_request(slot));
        let connections = self.reclaim_blocks(index, self.blocks(), &|slot| self.settle_connection(slot));
        if let Some(record) = self.records().get(index as usize) {
            record.word.store(0, SeqCst);
        }
        Reclaimed { connections, requests }
    }

    /// Counts first, then bitmap, then block, then record: what is not given back yet can be found by who comes after.
    /// Returns how many slots were used.
    fn reclaim_blocks(&self, index: u32, blocks: &[Block], settle: &dyn Fn(u32)) -> u32 {
        let mut used = 0;
        for (number, block) in (0_u32..).zip(blocks) {
            if block.owner.load(SeqCst) != index + 1 {
                continue;
            }
            used += block.used.load(SeqCst).count_ones();
            for slot in number * self.width()..(number + 1) * self.width() {
                settle(slot);
            }
            block.used.store(0, SeqCst);
            block.owner.store(0, SeqCst);
        }
        used
    }

    fn settle_connection(&self, slot: u32) {
        let id = ConnectionId::from_raw(slot);
        let table = self.table();
        for holding in Holding::EACH {
            table.settle(holding.of(id));
        }
        if let Some(slot) = self.slots().get(id.raw() as usize) {
            slot.close();
        }
    }

    /// Queues first: a place must count for as long as it is there.
    fn settle_request(&self, slot: u32) {
        let turns = self.turns();
        for place in 0..TURNS as u32 {
            turns.settle(slot * TURNS as u32 + place);
        }
        let table = self.table();
        for number in 0..REQUEST_CELLS {
            table.settle(self.request_holding(slot, number));
        }
    }
}
