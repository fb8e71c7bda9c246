//! The mapping of the rules, and who has which cell.

use super::cell::RuleCell;
use crate::anonymous;
use crate::sync::Ordering::SeqCst;
use std::fmt;
use std::ptr::NonNull;

const MAGIC: u64 = u64::from_le_bytes(*b"qos_rule");
/// Changes with every change of the layout.
const VERSION: u64 = 1;
/// The most cells of a table.
const MOST_CELLS: usize = 1 << 20;

/// A cell that so many generations have not claimed is free for another rule: no child that uses it is likely to be alive.
pub const RULE_GENERATIONS: u32 = 8;

/// Why there is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleTableError {
    /// No cells, or more than 2^20.
    Size,
    /// The system gave no memory.
    Map {
        /// As the system says why.
        errno: i32,
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// This memory is not such a table, or one of another version.
    Foreign,
}

impl fmt::Display for RuleTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => write!(f, "the number of rules is out of range (1 to {MOST_CELLS})"),
            Self::Map { errno, bytes } => write!(f, "no shared memory of {bytes} bytes: {}", std::io::Error::from_raw_os_error(*errno)),
            Self::Foreign => f.write_str("this is not a table of rules of this version of mod_qos"),
        }
    }
}

impl std::error::Error for RuleTableError {}

/// Beginning of the mapping; written before the table is shared and never again. The cells follow.
#[repr(C, align(128))]
struct Head {
    magic: u64,
    version: u64,
    cells: u64,
}

/// A handle to the table of rules; copies are as good. Valid until [`RuleTable::unmap`].
#[derive(Clone, Copy, Debug)]
pub struct RuleTable {
    head: NonNull<Head>,
    cells: NonNull<[RuleCell]>,
}

// SAFETY: the handle points to memory that lives until `unmap` (whose caller promises that no handle is used after), and everything
// in that memory is atomic or never written again once a handle is shared.
unsafe impl Send for RuleTable {}
// SAFETY: as above; all methods with `&self` are safe to call from any thread at a time.
unsafe impl Sync for RuleTable {}

const fn bytes(cells: usize) -> usize {
    size_of::<Head>() + cells * size_of::<RuleCell>()
}

impl RuleTable {
    /// Makes an empty table: anonymous, shared with the children that are forked later, backed by memory only where it is used.
    ///
    /// # Errors
    /// [`RuleTableError::Size`], [`RuleTableError::Map`].
    pub fn create(cells: usize) -> Result<Self, RuleTableError> {
        if cells == 0 || cells > MOST_CELLS {
            return Err(RuleTableError::Size);
        }
        let bytes = bytes(cells);
        let head = anonymous::map(bytes).map_err(|errno| RuleTableError::Map { errno, bytes })?.cast::<Head>();
        // SAFETY: the mapping is page-aligned, zero (valid cells), of this size, and nobody else knows it yet.
        unsafe {
            head.write(Head { magic: MAGIC, version: VERSION, cells: cells as u64 });
            Ok(Self::over(head, cells))
        }
    }

    /// Finds the table again that begins at `base` (see [`RuleTable::base`]).
    ///
    /// # Errors
    /// [`RuleTableError::Foreign`]
    ///
    /// # Safety
    /// `base` points to at least one readable page; if that has magic and version of a table, it is one that was created in
    /// this process or inherited, and has not been unmapped.
    pub unsafe fn attach(base: NonNull<u8>) -> Result<Self, RuleTableError> {
        let head = base.cast::<Head>();
        if !head.is_aligned() {
            return Err(RuleTableError::Foreign);
        }
        // SAFETY: readable by contract, aligned as checked; any bytes are a valid head.
        let found = unsafe { head.as_ref() };
        if found.magic != MAGIC || found.version != VERSION || found.cells == 0 || found.cells > MOST_CELLS as u64 {
            return Err(RuleTableError::Foreign);
        }
        // SAFETY: by contract this is a table, of the size that its head says.
        Ok(unsafe { Self::over(head, found.cells as usize) })
    }

    /// # Safety
    /// `head` begins a mapping of that many cells.
    unsafe fn over(head: NonNull<Head>, cells: usize) -> Self {
        // SAFETY: the cells follow the head in the mapping, whose size and alignment is a multiple of theirs.
        Self { head, cells: NonNull::slice_from_raw_parts(unsafe { head.add(1) }.cast(), cells) }
    }

    /// Gives the memory back to the system.
    ///
    /// # Safety
    /// Nobody in this process uses this handle, a copy of it, or a cell of it any more.
    pub unsafe fn unmap(self) {
        // SAFETY: the mapping is ours, of this size, and by contract unused.
        unsafe { libc::munmap(self.head.as_ptr().cast(), bytes(self.capacity())) };
    }

    /// Where the table begins; the same in all children.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.head.cast()
    }

    /// Rules that it has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// The cell of that index.
    #[must_use]
    pub fn cell(&self, index: u32) -> Option<&RuleCell> {
        self.cells().get(index as usize)
    }

    /// The index of the cell that the rule `key` has, or of a free one that it gets, with all numbers 0. A cell that nobody claimed for
    /// more than [`RULE_GENERATIONS`] is free for others. Each rule of a new configuration has to be claimed, then it keeps its cell. A key of 0
    /// counts as 1. `None`: the table is full. In the parent only, before children are forked.
    #[must_use]
    pub fn claim(&self, key: u64, generation: u32) -> Option<u32> {
        let key = key.max(1);
        let mut free = None;
        // Cells are never emptied, so the first empty one ends the search.
        for index in self.places(key) {
            let cell = self.cells().get(index)?;
            let owner = cell.key();
            if owner == key {
                cell.generation.store(u64::from(generation), SeqCst);
                return u32::try_from(index).ok();
            }
            let is_old = age(generation, cell.generation()) > RULE_GENERATIONS as i32;
            if free.is_none() && (owner == 0 || is_old) {
                free = Some(index);
            }
            if owner == 0 {
                break;
            }
        }
        let index = free?;
        let cell = self.cells().get(index)?;
        cell.clear();
        cell.generation.store(u64::from(generation), SeqCst);
        cell.key.store(key, SeqCst);
        u32::try_from(index).ok()
    }

    /// Copies the cells of another table, those claimed last first; returns how many had no room. Cells of rules that are here already are replaced. In the parent only.
    pub fn take_over(&self, old: &RuleTable) -> usize {
        let mut cells = old.cells().iter().filter(|cell| cell.key() != 0).collect::<Vec<_>>();
        let Some(youngest) = cells.iter().map(|cell| cell.generation()).reduce(younger) else { return 0 };
        cells.sort_by_key(|cell| youngest.wrapping_sub(cell.generation()));
        let mut dropped = 0;
        for cell in cells {
            // Claimed in its own generation, it drives out nobody who is younger.
            match self.claim(cell.key(), cell.generation()).and_then(|index| self.cell(index)) {
                Some(place) => place.copy_from(cell),
                None => dropped += 1,
            }
        }
        dropped
    }

    /// Every cell, once, from where the search for the key begins.
    fn places(&self, key: u64) -> impl Iterator<Item = usize> {
        let cells = self.capacity();
        // The upper half of a multiplication spreads any key over the cells.
        let first = ((u128::from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * cells as u128) >> 64) as usize;
        (first..cells).chain(0..first)
    }

    fn cells(&self) -> &[RuleCell] {
        // SAFETY: the cells of the mapping, which outlives this handle; they are atomics only.
        unsafe { self.cells.as_ref() }
    }
}

/// How much older `then` is than `now`. The numbers of generations may wrap.
fn age(now: u32, then: u32) -> i32 {
    now.wrapping_sub(then) as i32
}

fn younger(a: u32, b: u32) -> u32 {
    if age(a, b) > 0 { a } else { b }
}
