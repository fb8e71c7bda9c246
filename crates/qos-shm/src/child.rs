//! What a child does with its connections. All of it may be called by all its threads at a time, as long as one
//! connection is entered, left and closed by one thread at a time.

use crate::counts::CountKey;
use crate::layout::Block;
use crate::region::Region;
use crate::slot::{ConnectionId, Holding, Slot};
use crate::sync::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A registered child: its place in the ledger and its own list of the blocks it has claimed. Made after the fork.
/// Dropping it gives nothing back; the process that ends may call [`Child::unregister`], and the parent reclaims in any
/// case.
#[derive(Debug)]
pub struct Child {
    region: Region,
    /// Index of the record.
    record: u32,
    /// Block + 1 by position; 0: not entered yet.
    list: Box<[AtomicU32]>,
    /// Positions given out.
    listed: AtomicU32,
    /// Position where a slot was free last.
    hint: AtomicU32,
    ended: AtomicBool,
}

impl Child {
    pub(crate) fn new(region: Region, record: u32) -> Self {
        Self {
            region,
            record,
            list: region.blocks().iter().map(|_| AtomicU32::new(0)).collect(),
            listed: AtomicU32::new(0),
            hint: AtomicU32::new(0),
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
        if self.ended.load(SeqCst) {
            return None;
        }
        let id = self.take_own().or_else(|| self.take_new())?;
        self.region.slots().get(id.raw() as usize)?.open(address, server, started_ms);
        Some(id)
    }

    /// The slot of an own open connection.
    #[must_use]
    pub fn slot(&self, id: ConnectionId) -> Option<&Slot> {
        let (block, bit) = self.own(id)?;
        if block.used.load(SeqCst) >> bit & 1 == 0 {
            return None;
        }
        self.region.slots().get(id.raw() as usize)
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
        let Some((block, bit)) = self.own(id) else {
            return;
        };
        let table = self.region.table();
        for holding in Holding::EACH {
            table.leave(holding.of(id));
        }
        slot.close();
        block.used.fetch_and(!(1 << bit), SeqCst);
        self.remember(block.position.load(SeqCst));
    }

    /// A small number for tables of this process: below [`Child::local_capacity`], no two open connections of this child
    /// have the same, and a slot keeps it. `usize::MAX` for a slot that is not this child's.
    #[must_use]
    pub fn local_index(&self, id: ConnectionId) -> usize {
        let Some((block, bit)) = self.own(id) else {
            return usize::MAX;
        };
        block.position.load(SeqCst) as usize * self.region.width() as usize + bit as usize
    }

    /// How many local indices there are now. Grows when a block is claimed, never shrinks.
    #[must_use]
    pub fn local_capacity(&self) -> usize {
        self.listed.load(SeqCst) as usize * self.region.width() as usize
    }

    /// How many local indices there can ever be.
    #[must_use]
    pub fn max_local(&self) -> usize {
        self.list.len() * self.region.width() as usize
    }

    /// Calls `f` with each open connection of this child: its name, its local index, its slot. A connection that another
    /// thread opens or closes meanwhile may or may not be among them.
    pub fn for_each(&self, f: &mut dyn FnMut(ConnectionId, usize, &Slot)) {
        let width = self.region.width();
        for (position, (number, block)) in self.blocks() {
            let mut used = block.used.load(SeqCst);
            while used != 0 {
                let bit = used.trailing_zeros();
                used &= used - 1;
                let id = ConnectionId::from_raw(number * width + bit);
                if let Some(slot) = self.region.slots().get(id.raw() as usize).filter(|slot| slot.is_open()) {
                    f(id, position * width as usize + bit as usize, slot);
                }
            }
        }
    }

    /// The orderly end: gives back all counts, slots, blocks and the record. No other thread may use this child at this
    /// time or later; if some may still run, leave it to the parent.
    pub fn unregister(&self) {
        if !self.ended.swap(true, SeqCst) {
            self.region.reclaim_record(self.record);
        }
    }

    /// Own blocks by position, with their numbers in the region.
    fn blocks(&self) -> impl Iterator<Item = (usize, (u32, &Block))> {
        self.list
            .iter()
            .take(self.listed.load(SeqCst) as usize)
            .map(|entry| self.listed_block(entry))
            .enumerate()
            .filter_map(|(position, block)| Some((position, block?)))
    }

    fn listed_block(&self, entry: &AtomicU32) -> Option<(u32, &Block)> {
        let number = entry.load(SeqCst).checked_sub(1)?;
        Some((number, self.region.blocks().get(number as usize)?))
    }

    /// Block and bit of a slot, if the block is this child's.
    fn own(&self, id: ConnectionId) -> Option<(&Block, u32)> {
        let width = self.region.width();
        let block = self.region.blocks().get((id.raw() / width) as usize)?;
        let own = block.owner.load(SeqCst) == self.record + 1 && !self.ended.load(SeqCst);
        own.then_some((block, id.raw() % width))
    }

    /// A slot of an own block: from the hint onwards, once around.
    fn take_own(&self) -> Option<ConnectionId> {
        let listed = self.listed.load(SeqCst);
        let hint = self.hint.load(Relaxed).min(listed);
        (hint..listed).chain(0..hint).find_map(|position| {
            let (number, block) = self.listed_block(self.list.get(position as usize)?)?;
            let id = self.take_bit(number, block)?;
            self.remember(position);
            Some(id)
        })
    }

    /// A slot of a block that was free. Each child starts to look elsewhere.
    fn take_new(&self) -> Option<ConnectionId> {
        let blocks = self.region.blocks();
        let share = blocks.len() / self.region.records().len().max(1);
        let start = (share * self.record as usize).min(blocks.len());
        (start..blocks.len()).chain(0..start).find_map(|number| {
            let block = blocks.get(number)?;
            if block.owner.load(SeqCst) != 0 || block.owner.compare_exchange(0, self.record + 1, SeqCst, SeqCst).is_err() {
                return None;
            }
            let number = u32::try_from(number).ok()?;
            // No position is given out twice and no block claimed twice, so there is one for each.
            let position = self.listed.fetch_add(1, SeqCst);
            block.position.store(position, SeqCst);
            // Others may take slots of this block from here on, even all of them.
            self.list.get(position as usize)?.store(number + 1, SeqCst);
            let id = self.take_bit(number, block)?;
            self.remember(position);
            Some(id)
        })
    }

    fn take_bit(&self, number: u32, block: &Block) -> Option<ConnectionId> {
        let width = self.region.width();
        let mut used = block.used.load(SeqCst);
        loop {
            let bit = used.trailing_ones();
            if bit >= width {
                return None;
            }
            used = block.used.fetch_or(1 << bit, SeqCst);
            if used >> bit & 1 == 0 {
                return Some(ConnectionId::from_raw(number * width + bit));
            }
        }
    }

    /// The next search starts at `position`.
    fn remember(&self, position: u32) {
        if self.hint.load(Relaxed) != position {
            self.hint.store(position, Relaxed);
        }
    }
}
