//! The mapping: made, found again, given up. The unsafe code of this crate is here, but for the system call that sleeps.

use crate::anonymous;
use crate::counts::{Bucket, CountKey, CountTable, HOLDINGS, HoldingCell, Holdings};
use crate::layout::{Block, Head, LAYOUT_VERSION, MAGIC, Plan, Record, Shared, Sizing};
use crate::request::{REQUEST_CELLS, RequestSlot};
use crate::slot::Slot;
use crate::sync::{AtomicU64, Ordering::SeqCst};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::ptr::NonNull;

/// Why there is no region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// More connections and requests than 2^30 holdings, or more bytes than the address space has.
    TooLarge {
        /// What the region would take.
        bytes: u64,
    },
    /// The system gave no memory.
    Map {
        /// As the system says why.
        errno: i32,
        /// What was asked for.
        bytes: u64,
    },
    /// This memory is not such a region.
    Magic,
    /// This region was made by another version of the module.
    Version {
        /// Its layout version; ours is [`LAYOUT_VERSION`].
        found: u32,
    },
    /// The sizes in this region contradict each other.
    Sizes,
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(f, "shared memory of {bytes} bytes is more than can be addressed"),
            Self::Map { errno, bytes } => {
                write!(f, "no shared memory of {bytes} bytes: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::Magic => f.write_str("this is not a shared region of mod_qos"),
            Self::Version { found } => write!(f, "shared region has layout {found}, expected {LAYOUT_VERSION}"),
            Self::Sizes => f.write_str("sizes in the shared region contradict each other"),
        }
    }
}

impl std::error::Error for RegionError {}

/// A handle to the shared region; copies are as good. Valid until [`Region::unmap`].
#[derive(Clone, Copy, Debug)]
pub struct Region {
    head: NonNull<Head>,
    records: NonNull<[Record]>,
    blocks: NonNull<[Block]>,
    slots: NonNull<[Slot]>,
    buckets: NonNull<[Bucket]>,
    request_blocks: NonNull<[Block]>,
    requests: NonNull<[RequestSlot]>,
    marks: NonNull<[AtomicU64]>,
    width: u32,
}

// SAFETY: the handle points to memory that lives until `unmap` (whose caller promises that no handle is used after),
// and everything in that memory is atomic or never written again once a handle exists.
unsafe impl Send for Region {}
// SAFETY: as above; all methods with `&self` are safe to call from any thread at a time.
unsafe impl Sync for Region {}

impl Region {
    /// Makes a region: anonymous, shared with the children that are forked later, backed by memory only where it is
    /// used. `secret` keys the hash of addresses; it must be hard to guess.
    ///
    /// # Errors
    /// [`RegionError::TooLarge`] and [`RegionError::Map`], with the bytes that were wanted.
    pub fn create(sizing: &Sizing, secret: [u64; 2]) -> Result<Self, RegionError> {
        let plan = Plan::new(sizing).map_err(|bytes| RegionError::TooLarge { bytes })?;
        let bytes = plan.bytes;
        let length = usize::try_from(bytes).map_err(|_| RegionError::TooLarge { bytes })?;
        let head = anonymous::map(length).map_err(|errno| RegionError::Map { errno, bytes })?.cast::<Head>();
        let p = head.as_ptr();
        // SAFETY: the mapping is page-aligned, larger than a head, zero (a valid head), and nobody else knows it yet.
        unsafe {
            (*p).magic = MAGIC;
            (*p).version = LAYOUT_VERSION;
            (*p).children = plan.sizing.children;
            (*p).connections = plan.sizing.connections;
            (*p).requests = plan.sizing.requests;
            (*p).block_slots = plan.sizing.block_slots;
            (*p).bytes = plan.bytes;
            (*p).secret = secret;
            (*p).sections = plan.sections;
        }
        // SAFETY: `head` begins a mapping of the planned size.
        Ok(unsafe { Self::over(head, &plan) })
    }

    /// Finds the region again that begins at `base` (see [`Region::base`]), as after the module was loaded anew.
    ///
    /// # Errors
    /// What is there is not a region of this version.
    ///
    /// # Safety
    /// `base` points to at least one readable page; if that has the magic, version and sizes of a region,
    /// it is a region that was created in this process or inherited, and has not been unmapped.
    pub unsafe fn attach(base: NonNull<u8>) -> Result<Self, RegionError> {
        let head = base.cast::<Head>();
        if !head.is_aligned() {
            return Err(RegionError::Magic);
        }
        // SAFETY: readable by contract, aligned as checked; any bytes are a valid head.
        let found = unsafe { head.as_ref() };
        if found.magic != MAGIC {
            return Err(RegionError::Magic);
        }
        if found.version != LAYOUT_VERSION {
            return Err(RegionError::Version { found: found.version });
        }
        let sizing = found.sizing();
        let plan = Plan::new(&sizing).map_err(|_| RegionError::Sizes)?;
        if plan.sizing != sizing || plan.sections != found.sections || plan.bytes != found.bytes {
            return Err(RegionError::Sizes);
        }
        // SAFETY: by contract this is a region, of the size that its head says.
        Ok(unsafe { Self::over(head, &plan) })
    }

    /// # Safety
    /// `head` begins a mapping of `plan.bytes` bytes, which were zero when it was made.
    unsafe fn over(head: NonNull<Head>, plan: &Plan) -> Self {
        /// # Safety
        /// The section lies within the mapping.
        unsafe fn part<T>(head: NonNull<Head>, section: &crate::layout::Section) -> NonNull<[T]> {
            // SAFETY: by contract the offset is inside the mapping.
            let first = unsafe { head.cast::<u8>().add(section.offset as usize) };
            NonNull::slice_from_raw_parts(first.cast::<T>(), section.length as usize)
        }
        let [records, blocks, slots, buckets, request_blocks, requests, marks] = &plan.sections;
        // SAFETY: `Plan::new` puts its sections one after the other below `plan.bytes`, which fits an isize.
        unsafe {
            Self {
                head,
                records: part(head, records),
                blocks: part(head, blocks),
                slots: part(head, slots),
                buckets: part(head, buckets),
                request_blocks: part(head, request_blocks),
                requests: part(head, requests),
                marks: part(head, marks),
                width: plan.sizing.block_slots,
            }
        }
    }

    /// Gives the memory back to the system.
    ///
    /// # Safety
    /// Nobody in this process uses this handle, a copy of it, or a [`crate::Child`] any more.
    pub unsafe fn unmap(self) {
        let bytes = self.bytes();
        // SAFETY: the mapping is ours, of this size, and by contract unused.
        unsafe { libc::munmap(self.head.as_ptr().cast(), bytes) };
    }

    /// Where the region begins; the same in all children.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.head.cast()
    }

    /// Size of the mapping. Only what is used takes memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.head().bytes as usize
    }

    /// What the region was made for, each number rounded to its range. The same again creates a region like this one.
    #[must_use]
    pub fn sizing(&self) -> Sizing {
        self.head().sizing()
    }

    /// Connection slots there are; [`crate::ConnectionId::raw`] is below this. More than `sizing().connections`.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Request slots there are; [`crate::RequestId::raw`] is below this. More than `sizing().requests`.
    #[must_use]
    pub fn request_slots(&self) -> usize {
        self.requests.len()
    }

    /// Starts a new generation of children (the server starts or restarts); returns its number, from 1.
    pub fn begin_generation(&self) -> u32 {
        self.head().generation.fetch_add(1, SeqCst).wrapping_add(1)
    }

    /// The generation begun last; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.head().generation.load(SeqCst)
    }

    /// The words that all children share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.head().shared
    }

    /// The key that `address` is counted under in `domain`. Domains are the user's: one per kind of count.
    #[must_use]
    pub fn key(&self, domain: u64, address: &[u8; 16]) -> CountKey {
        let [k0, k1] = self.head().secret;
        let mut message = [0; 24];
        let (front, back) = message.split_at_mut(8);
        front.copy_from_slice(&domain.to_ne_bytes());
        back.copy_from_slice(address);
        CountKey::from_raw(SipHasher13::new_with_keys(k0, k1).hash(&message))
    }

    /// How many connections and requests count for `key` now.
    #[must_use]
    pub fn count(&self, key: CountKey) -> u32 {
        self.table().count(key)
    }

    /// Notes one more refusal of `key`; returns how many there are. They are forgotten when the count of the key
    /// reaches 0. A key that nobody is counted for has no place for the number: it is 1 each time.
    #[must_use]
    pub fn refused(&self, key: CountKey) -> u32 {
        self.table().refused(key)
    }

    /// Refusals of `key` since the last call; starts again at 0.
    #[must_use]
    pub fn take_refusals(&self, key: CountKey) -> u32 {
        self.table().take_refusals(key)
    }

    pub(crate) fn table(&self) -> CountTable<'_, Cells<'_>> {
        // SAFETY: points to that many buckets in the mapping, which outlives this handle; zero is a valid bucket.
        CountTable::new(unsafe { self.buckets.as_ref() }, Cells { slots: self.slots(), requests: self.requests() })
    }

    /// Index of a holding of a request slot in the count table: those of all connections come first.
    pub(crate) fn request_holding(&self, slot: u32, number: usize) -> u32 {
        // `Plan::new` sees to it that all indices are below 2^30.
        u32::try_from(self.slots.len() * HOLDINGS + slot as usize * REQUEST_CELLS + number).unwrap_or(u32::MAX)
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        // SAFETY: points to that many slots in the mapping, which outlives this handle; zero is a valid slot.
        unsafe { self.slots.as_ref() }
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        // SAFETY: points to that many blocks in the mapping, which outlives this handle; zero is a valid block.
        unsafe { self.blocks.as_ref() }
    }

    pub(crate) fn request_blocks(&self) -> &[Block] {
        // SAFETY: points to that many blocks in the mapping, which outlives this handle; zero is a valid block.
        unsafe { self.request_blocks.as_ref() }
    }

    pub(crate) fn requests(&self) -> &[RequestSlot] {
        // SAFETY: points to that many slots in the mapping, which outlives this handle; zero is a valid slot.
        unsafe { self.requests.as_ref() }
    }

    pub(crate) fn marks(&self) -> &[AtomicU64] {
        // SAFETY: points to that many words in the mapping, which outlives this handle.
        unsafe { self.marks.as_ref() }
    }

    /// The ticket drawn last.
    pub(crate) fn tickets(&self) -> &AtomicU64 {
        &self.head().tickets
    }

    pub(crate) fn records(&self) -> &[Record] {
        // SAFETY: points to that many records in the mapping, which outlives this handle; zero is a valid record.
        unsafe { self.records.as_ref() }
    }

    /// Slots per block.
    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    fn head(&self) -> &Head {
        // SAFETY: points to the head of the mapping, which outlives this handle.
        unsafe { self.head.as_ref() }
    }
}

/// The holdings of all slots, by index: those of the connections, then those of the requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a> {
    slots: &'a [Slot],
    requests: &'a [RequestSlot],
}

impl Holdings for Cells<'_> {
    fn holding(&self, index: u32) -> Option<&HoldingCell> {
        let index = index as usize;
        match index.checked_sub(self.slots.len() * HOLDINGS) {
            None => self.slots.get(index / HOLDINGS)?.holdings().get(index % HOLDINGS),
            Some(rest) => self.requests.get(rest / REQUEST_CELLS)?.holding(rest % REQUEST_CELLS),
        }
    }
}
