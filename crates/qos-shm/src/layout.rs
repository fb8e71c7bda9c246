//! What lies where in the region.
//!
//! ```text
//! Head        magic, version, sizes, directory of sections, secret, generation, shared words
//! Children    one Record per child
//! Blocks      one Block per `block_slots` slots: owner, bitmap
//! Slots       one Slot per connection
//! Buckets     the count table
//! ```

use crate::counts::{Bucket, HOLDING_BITS, HOLDINGS};
use crate::slot::Slot;
use crate::sync::{AtomicU32, AtomicU64};

/// Changes with every change of the layout; regions of another version are refused.
pub const LAYOUT_VERSION: u32 = 1;

/// How many kinds of events are counted.
pub const EVENTS: usize = 200;

pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"mod_qos\x01");

/// Sections begin at multiples of this, and the mapping at a multiple of the page size.
const ALIGNMENT: u64 = 128;

/// How large a region is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// Children that may be registered at a time, those of ending generations included. At least 1.
    pub children: u32,
    /// Connections that all children together may hold, as the sum of what each child holds at its peak (a child keeps
    /// its blocks until it ends). At least 1. One block per child is added, so that no child lacks a slot because
    /// others have started a block.
    pub connections: u32,
    /// Slots that a child claims at a time: 1 to 64, a power of two (rounded up).
    pub block_slots: u32,
}

impl Sizing {
    /// With each number in its range.
    pub(crate) fn rounded(&self) -> Self {
        Self {
            children: self.children.max(1),
            connections: self.connections.max(1),
            block_slots: self.block_slots.clamp(1, 64).next_power_of_two(),
        }
    }
}

/// Which section an entry of the directory describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Children = 1,
    Blocks = 2,
    Slots = 3,
    Buckets = 4,
}

/// An entry of the directory: `length` is a number of elements, `offset` in bytes from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Section {
    pub kind: u64,
    pub offset: u64,
    pub length: u64,
}

/// Sections and size that follow from a sizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub sizing: Sizing,
    pub sections: [Section; 4],
    pub bytes: u64,
}

impl Plan {
    /// `Err`: the bytes that such a region would have; there are too many connections for the indices, or too many
    /// bytes for the address space.
    pub fn new(sizing: &Sizing) -> Result<Self, u64> {
        let sizing = sizing.rounded();
        // All of this is far below 2^64: at most 2^32 * 65 slots of 128 bytes and twice the buckets.
        let width = u64::from(sizing.block_slots);
        let blocks = u64::from(sizing.connections).div_ceil(width) + u64::from(sizing.children);
        let slots = blocks * width;
        let buckets = (2 * slots).next_power_of_two();
        let mut end = size_of::<Head>() as u64;
        let mut section = |kind: Kind, length: u64, element: usize| {
            let offset = end.next_multiple_of(ALIGNMENT);
            end = offset + length * element as u64;
            Section {
                kind: kind as u64,
                offset,
                length,
            }
        };
        let sections = [
            section(
                Kind::Children,
                u64::from(sizing.children),
                size_of::<Record>(),
            ),
            section(Kind::Blocks, blocks, size_of::<Block>()),
            section(Kind::Slots, slots, size_of::<Slot>()),
            section(Kind::Buckets, buckets, size_of::<Bucket>()),
        ];
        let bytes = end.next_multiple_of(4096);
        if slots * HOLDINGS as u64 >= 1 << HOLDING_BITS || isize::try_from(bytes).is_err() {
            return Err(bytes);
        }
        Ok(Self {
            sizing,
            sections,
            bytes,
        })
    }
}

/// The beginning of the region. What is not atomic is written before the parent forks and never again.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Head {
    pub magic: u64,
    pub version: u32,
    pub children: u32,
    pub connections: u32,
    pub block_slots: u32,
    pub bytes: u64,
    pub secret: [u64; 2],
    pub sections: [Section; 4],
    pub generation: AtomicU32,
    pub shared: Shared,
}

/// Words that all children read and write. This crate gives them no meaning.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Shared {
    /// When `busy` was worked out last: monotonic milliseconds.
    pub busy_checked_ms: AtomicU64,
    /// When the next status line is due: monotonic milliseconds.
    pub status_due: AtomicU64,
    /// Busy workers of the server at `busy_checked_ms`.
    pub busy: AtomicU32,
    /// Idle workers of the server at `busy_checked_ms`.
    pub idle_workers: AtomicU32,
    /// Events since the server started, by kind.
    pub events: [AtomicU64; EVENTS],
    /// Events since they were last reported, by kind.
    pub events_new: [AtomicU64; EVENTS],
}

/// A child in the ledger: `generation:32 | pid:32`; 0 is free.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Record {
    pub word: AtomicU64,
    pub reserved: AtomicU64,
}

/// A run of slots that belongs to one child.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Block {
    /// Index of the child's record + 1; 0: free.
    pub owner: AtomicU32,
    /// Where the block stands in the child's own list. Means nothing to others.
    pub position: AtomicU32,
    /// Which slots are used.
    pub used: AtomicU64,
}

/// Generation and pid of a record's word.
pub(crate) const fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// The word of a record.
pub(crate) const fn pack(generation: u32, pid: u32) -> u64 {
    ((generation as u64) << 32) | pid as u64
}

const _: () = {
    assert!(size_of::<Slot>() == 128 && align_of::<Slot>() == 128);
    assert!(size_of::<Bucket>() == 128 && align_of::<Bucket>() == 128);
    assert!(size_of::<Block>() == 16 && size_of::<Record>() == 16);
    assert!(ALIGNMENT as usize % align_of::<Head>() == 0);
};
