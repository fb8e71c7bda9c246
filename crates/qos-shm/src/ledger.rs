//! Who holds what: children register, and what a dead one held is given back.

use crate::child::Child;
use crate::layout::{pack, unpack};
use crate::region::Region;
use crate::slot::{ConnectionId, Holding};
use crate::sync::Ordering::SeqCst;
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
            if record
                .word
                .compare_exchange(0, pack(generation, pid), SeqCst, SeqCst)
                .is_ok()
            {
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
                sum.connections += self.reclaim_record(index).connections;
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

    /// Counts first, then bitmap, then block, then record: what is not given back yet can be found by who comes after.
    pub(crate) fn reclaim_record(&self, index: u32) -> Reclaimed {
        let mut connections = 0;
        for (number, block) in (0_u32..).zip(self.blocks()) {
            if block.owner.load(SeqCst) != index + 1 {
                continue;
            }
            connections += block.used.load(SeqCst).count_ones();
            for slot in number * self.width()..(number + 1) * self.width() {
                self.settle(ConnectionId::from_raw(slot));
            }
            block.used.store(0, SeqCst);
            block.owner.store(0, SeqCst);
        }
        if let Some(record) = self.records().get(index as usize) {
            record.word.store(0, SeqCst);
        }
        Reclaimed { connections }
    }

    fn settle(&self, id: ConnectionId) {
        let table = self.table();
        for holding in Holding::EACH {
            table.settle(holding.of(id));
        }
        if let Some(slot) = self.slots().get(id.raw() as usize) {
            slot.close();
        }
    }
}
