//! The blocks that a child has claimed, and which of their slots are used: the same for connections and for requests.

use crate::layout::Block;
use crate::region::Region;
use crate::sync::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A child's own list of its blocks of one kind.
#[derive(Debug)]
pub(super) struct Claims {
    region: Region,
    /// The blocks of this kind.
    blocks: fn(&Region) -> &[Block],
    /// Index of the child's record.
    record: u32,
    /// Block + 1 by position; 0: not entered yet.
    list: Box<[AtomicU32]>,
    /// Positions given out.
    listed: AtomicU32,
    /// Position where a slot was free last.
    hint: AtomicU32,
}

impl Claims {
    pub fn new(region: Region, blocks: fn(&Region) -> &[Block], record: u32) -> Self {
        Self { region, blocks, record, list: blocks(&region).iter().map(|_| AtomicU32::new(0)).collect(), listed: AtomicU32::new(0), hint: AtomicU32::new(0) }
    }

    /// Takes a free slot; claims another block if the own ones are full. `None`: all are taken.
    pub fn take(&self) -> Option<u32> {
        self.take_own().or_else(|| self.take_new())
    }

    /// Gives an own slot back. Nothing may be held by it any more.
    pub fn give(&self, slot: u32) {
        if let Some((block, bit)) = self.own(slot) {
            block.used.fetch_and(!(1 << bit), SeqCst);
            self.remember(block.position.load(SeqCst));
        }
    }

    /// Whether the slot is this child's, and used.
    pub fn is_used(&self, slot: u32) -> bool {
        self.own(slot).is_some_and(|(block, bit)| block.used.load(SeqCst) >> bit & 1 == 1)
    }

    /// A number for the slot below [`Claims::capacity`], if its block is this child's. It stays the same.
    pub fn local_index(&self, slot: u32) -> Option<usize> {
        let (block, bit) = self.own(slot)?;
        Some(block.position.load(SeqCst) as usize * self.width() as usize + bit as usize)
    }

    /// Slots in own blocks.
    pub fn capacity(&self) -> usize {
        self.listed.load(SeqCst) as usize * self.width() as usize
    }

    /// Slots that there can ever be in own blocks.
    pub fn most(&self) -> usize {
        self.list.len() * self.width() as usize
    }

    /// The used slots, each with its local index.
    pub fn used(&self) -> impl Iterator<Item = (u32, usize)> {
        let width = self.width();
        let listed = self.list.iter().take(self.listed.load(SeqCst) as usize).enumerate();
        let blocks = listed.filter_map(|(position, entry)| Some((position, self.listed_block(entry)?)));
        blocks.flat_map(move |(position, (number, block))| {
            let used = block.used.load(SeqCst);
            let bits = (0..width).filter(move |bit| used >> bit & 1 == 1);
            bits.map(move |bit| (number * width + bit, position * width as usize + bit as usize))
        })
    }

    fn width(&self) -> u32 {
        self.region.width()
    }

    fn blocks(&self) -> &[Block] {
        (self.blocks)(&self.region)
    }

    fn listed_block(&self, entry: &AtomicU32) -> Option<(u32, &Block)> {
        let number = entry.load(SeqCst).checked_sub(1)?;
        Some((number, self.blocks().get(number as usize)?))
    }

    /// Block and bit of a slot, if the block is this child's.
    fn own(&self, slot: u32) -> Option<(&Block, u32)> {
        let block = self.blocks().get((slot / self.width()) as usize)?;
        (block.owner.load(SeqCst) == self.record + 1).then_some((block, slot % self.width()))
    }

    /// A slot of an own block: from the hint onwards, once around.
    fn take_own(&self) -> Option<u32> {
        let listed = self.listed.load(SeqCst);
        let hint = self.hint.load(Relaxed).min(listed);
        (hint..listed).chain(0..hint).find_map(|position| {
            let (number, block) = self.listed_block(self.list.get(position as usize)?)?;
            let slot = self.take_bit(number, block)?;
            self.remember(position);
            Some(slot)
        })
    }

    /// A slot of a block that was free. Each child starts to look elsewhere.
    fn take_new(&self) -> Option<u32> {
        let blocks = self.blocks();
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
            let slot = self.take_bit(number, block)?;
            self.remember(position);
            Some(slot)
        })
    }

    fn take_bit(&self, number: u32, block: &Block) -> Option<u32> {
        let width = self.width();
        let mut used = block.used.load(SeqCst);
        loop {
            let bit = used.trailing_ones();
            if bit >= width {
                return None;
            }
            used = block.used.fetch_or(1 << bit, SeqCst);
            if used >> bit & 1 == 0 {
                return Some(number * width + bit);
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
