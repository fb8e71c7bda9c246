//! What lies where in the region.
//!
//! ```text
//! Head        magic, version, sizes, directory of sections, secret, generation, shared words
//! Children    one Record per child
//! Blocks      one Block per `block_slots` connection slots: owner, bitmap
//! Slots       one Slot per connection
//! Buckets     the count table
//! then the same for requests:
//! RequestBlocks, Requests
//! Marks       a bit per place of a request in a queue
//! ```

use crate::counts::{Bucket, HOLDING_BITS, HOLDINGS};
use crate::request::{REQUEST_CELLS, RequestSlot};
use crate::slot::Slot;
use crate::sync::{AtomicU32, AtomicU64};
use crate::turns::TURNS;

/// Changes with every change of the layout; regions of another version are refused.
pub const LAYOUT_VERSION: u32 = 2;

/// How many kinds of events are counted.
pub const EVENTS: usize = 200;

/// How many classes of content are told apart.
pub const CONTENT_CLASSES: usize = 5;

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
    /// Requests that hold counts or stand in queues, of all children together, as `connections`. At least 1.
    pub requests: u32,
    /// Slots of either kind that a child claims at a time: 1 to 64, a power of two (rounded up).
    pub block_slots: u32,
}

impl Sizing {
    /// With each number in its range.
    pub(crate) fn rounded(&self) -> Self {
        Self {
            children: self.children.max(1),
            connections: self.connections.max(1),
            requests: self.requests.max(1),
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
    RequestBlocks = 5,
    Requests = 6,
    Marks = 7,
}

/// An entry of the directory: `length` is a number of elements, `offset` in bytes from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Section {
    pub kind: u64,
    pub offset: u64,
    pub length: u64,
}

const SECTIONS: usize = 7;

/// Sections and size that follow from a sizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub sizing: Sizing,
    pub sections: [Section; SECTIONS],
    pub bytes: u64,
}

impl Plan {
    /// `Err`: the bytes that such a region would have; there are too many connections and requests for the indices, or
    /// too many bytes for the address space.
    pub fn new(sizing: &Sizing) -> Result<Self, u64> {
        let sizing = sizing.rounded();
        // All of this is far below 2^64: at most 2^32 * 65 slots of a kind, of 128 bytes, and a few times the buckets.
        let width = u64::from(sizing.block_slots);
        let blocks_of = |number: u32| u64::from(number).div_ceil(width) + u64::from(sizing.children);
        let (blocks, request_blocks) = (blocks_of(sizing.connections), blocks_of(sizing.requests));
        let (slots, requests) = (blocks * width, request_blocks * width);
        // Two per key that nobody else need share. A connection has one, its address; all, and its server, it has in common
        // with many. A request has two of its client: a count, and the queue of its requests.
        let buckets = (2 * slots + 4 * requests).next_power_of_two();
        let mut end = size_of::<Head>() as u64;
        let mut section = |kind: Kind, length: u64, element: usize| {
            let offset = end.next_multiple_of(ALIGNMENT);
            end = offset + length * element as u64;
            Section { kind: kind as u64, offset, length }
        };
        let sections = [
            section(Kind::Children, u64::from(sizing.children), size_of::<Record>()),
            section(Kind::Blocks, blocks, size_of::<Block>()),
            section(Kind::Slots, slots, size_of::<Slot>()),
            section(Kind::Buckets, buckets, size_of::<Bucket>()),
            section(Kind::RequestBlocks, request_blocks, size_of::<Block>()),
            section(Kind::Requests, requests, size_of::<RequestSlot>()),
            section(Kind::Marks, (requests * TURNS as u64).div_ceil(64), size_of::<AtomicU64>()),
        ];
        let bytes = end.next_multiple_of(4096);
        let holdings = slots * HOLDINGS as u64 + requests * REQUEST_CELLS as u64;
        if holdings >= 1 << HOLDING_BITS || isize::try_from(bytes).is_err() {
            return Err(bytes);
        }
        Ok(Self { sizing, sections, bytes })
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
    pub sections: [Section; SECTIONS],
    pub requests: u32,
    pub generation: AtomicU32,
    /// The ticket drawn last in any queue.
    pub tickets: AtomicU64,
    pub shared: Shared,
}

impl Head {
    pub fn sizing(&self) -> Sizing {
        Sizing { children: self.children, connections: self.connections, requests: self.requests, block_slots: self.block_slots }
    }
}

/// Words that all children read and write. This crate gives them no meaning.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Shared {
    /// When `busy` was worked out last: monotonic milliseconds.
    pub busy_checked_ms: AtomicU64,
    /// When the next status line is due: monotonic milliseconds.
    pub status_due: AtomicU64,
    /// How scarce free workers are, and what that judgement remembers: levels, time, number of cuts.
    pub pressure: [AtomicU64; 4],
    /// Connections cut since the server started because they were too slow.
    pub cuts: AtomicU64,
    /// Idle workers of the server at `busy_checked_ms`.
    pub idle_workers: AtomicU32,
    /// Requests that `QS_ClientEventPerSecLimit` has delayed since the server started; rules of locations and events count in cells of their own.
    pub delays: AtomicU64,
    /// By how much altogether: milliseconds.
    pub delayed_ms: AtomicU64,
    /// Responses of all clients by class of content: HTML, CSS and JavaScript, images, others, not modified (304).
    pub prefer_totals: [AtomicU64; CONTENT_CLASSES],
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
    assert!(size_of::<RequestSlot>() == 128 && align_of::<RequestSlot>() == 128);
    assert!(size_of::<Bucket>() == 128 && align_of::<Bucket>() == 128);
    assert!(size_of::<Block>() == 16 && size_of::<Record>() == 16);
    assert!(ALIGNMENT as usize % align_of::<Head>() == 0);
};
