//! The mapping of the client table: made, found again, given up, and moved over to one of another size. All unsafe code of
//! the table is here.

use super::entry::{Client, ClientId, Gone};
use super::rank::{Facts, Keep, WORTHS, Worth};
use super::table::{BUCKET_WORDS, IsOpen, Shares, Table, WAYS, entry_words};
use super::words::MOST_LINKS;
use crate::anonymous;
use crate::sync::{AtomicU64, Ordering::SeqCst};
use qos_core::client::{Counter, Marks, Pace, Statistics};
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

const MAGIC: u64 = u64::from_le_bytes(*b"qos_clnt");
/// Changes with every change of the layout.
const VERSION: u64 = 2;
/// Sections begin at multiples of this.
const ALIGNMENT: usize = 64;
/// The most entries, and the most limit variables.
const MOST_ENTRIES: u32 = 1 << 27;
const MOST_VARIABLES: usize = 4096;

/// How large a table is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSizing {
    /// Clients that are remembered: 1 to 2^27, rounded up to a multiple of [`WAYS`].
    pub entries: u32,
    /// The limit variables, one column each, named by a hash of the name. At most 4096.
    pub variables: Vec<u64>,
    /// What the hash makes of a fixed message: tells whether a table was filled with the same secret.
    pub secret_check: u64,
}

/// Why there is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTableError {
    /// No entries, or too many of them or of variables.
    Sizes,
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

impl fmt::Display for ClientTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sizes => f.write_str("the number of clients or of limit variables is out of range"),
            Self::Map { errno, bytes } => write!(f, "no shared memory of {bytes} bytes: {}", std::io::Error::from_raw_os_error(*errno)),
            Self::Foreign => f.write_str("this is not a client table of this version of mod_qos"),
        }
    }
}

impl std::error::Error for ClientTableError {}

/// What became of the clients of an older table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Taken over.
    pub moved: usize,
    /// Those for whom the new table had no room, the least worthy ones.
    pub dropped: usize,
}

/// Beginning of the mapping. What is not atomic is written before the table is shared and never again.
#[repr(C, align(64))]
struct Head {
    magic: u64,
    version: u64,
    entries: u64,
    variables: u64,
    secret_check: u64,
    bytes: u64,
    shares: Shares,
    /// When a problem with the header that names clients was logged last (monotonic milliseconds), and how many were not.
    header_problem: [AtomicU64; 2],
}

/// Where the sections are, in bytes from the base: names, tags, entries; and the size of all.
struct Plan {
    names: usize,
    tags: usize,
    tag_words: usize,
    entries: usize,
    entry_words: usize,
    bytes: usize,
}

/// Entries beyond the slots: each process that is killed just when it has taken an entry loses it.
const SLACK: usize = 1024;

impl Plan {
    fn new(slots: usize, variables: usize) -> Self {
        let names = size_of::<Head>().next_multiple_of(ALIGNMENT);
        let tags = (names + variables * 8).next_multiple_of(4096);
        let tag_words = slots / WAYS * BUCKET_WORDS;
        let entries = (tags + tag_words * 8).next_multiple_of(4096);
        let entry_words = (slots + SLACK) * entry_words(variables);
        Self { names, tags, tag_words, entries, entry_words, bytes: (entries + entry_words * 8).next_multiple_of(4096) }
    }
}

/// A handle to the client table; copies are as good. Valid until [`ClientTable::unmap`].
#[derive(Clone, Copy, Debug)]
pub struct ClientTable {
    head: NonNull<Head>,
    names: NonNull<[u64]>,
    tags: NonNull<[AtomicU64]>,
    entries: NonNull<[AtomicU64]>,
}

// SAFETY: the handle points to memory that lives until `unmap` (whose caller promises that no handle is used after), and everything
// in that memory is atomic or never written again once a handle is shared.
unsafe impl Send for ClientTable {}
// SAFETY: as above; all methods with `&self` are safe to call from any thread at a time.
unsafe impl Sync for ClientTable {}

impl ClientTable {
    /// Makes an empty table: anonymous, shared with the children that are forked later, backed by memory only where it is used.
    ///
    /// # Errors
    /// [`ClientTableError::Sizes`], [`ClientTableError::Map`].
    pub fn create(sizing: &ClientSizing) -> Result<Self, ClientTableError> {
        if sizing.entries == 0 || sizing.entries > MOST_ENTRIES || sizing.variables.len() > MOST_VARIABLES {
            return Err(ClientTableError::Sizes);
        }
        let entries = (sizing.entries as usize).next_multiple_of(WAYS);
        let plan = Plan::new(entries, sizing.variables.len());
        let head = anonymous::map(plan.bytes).map_err(|errno| ClientTableError::Map { errno, bytes: plan.bytes })?.cast::<Head>();
        let p = head.as_ptr();
        // SAFETY: the mapping is page-aligned, zero, as large as planned, and nobody else knows it yet; the names lie within it.
        unsafe {
            (*p).magic = MAGIC;
            (*p).version = VERSION;
            (*p).entries = entries as u64;
            (*p).variables = sizing.variables.len() as u64;
            (*p).secret_check = sizing.secret_check;
            (*p).bytes = plan.bytes as u64;
            let names = head.cast::<u8>().add(plan.names).cast::<u64>();
            for (n, name) in sizing.variables.iter().enumerate() {
                names.add(n).write(*name);
            }
            Ok(Self::over(head, &plan, sizing.variables.len()))
        }
    }

    /// Finds the table again that begins at `base` (see [`ClientTable::base`]).
    ///
    /// # Errors
    /// [`ClientTableError::Foreign`]
    ///
    /// # Safety
    /// `base` points to at least one readable page; if that has magic, version and sizes of a table, it is one that was created in
    /// this process or inherited, and has not been unmapped.
    pub unsafe fn attach(base: NonNull<u8>) -> Result<Self, ClientTableError> {
        let head = base.cast::<Head>();
        if !head.is_aligned() {
            return Err(ClientTableError::Foreign);
        }
        // SAFETY: readable by contract, aligned as checked; any bytes are a valid head.
        let found = unsafe { head.as_ref() };
        let sound = found.magic == MAGIC && found.version == VERSION && found.entries <= u64::from(MOST_ENTRIES) && found.variables <= MOST_VARIABLES as u64;
        let plan = if sound { Plan::new(found.entries as usize, found.variables as usize) } else { return Err(ClientTableError::Foreign) };
        if plan.bytes as u64 != found.bytes {
            return Err(ClientTableError::Foreign);
        }
        // SAFETY: by contract this is a table, of the size that its head says.
        Ok(unsafe { Self::over(head, &plan, found.variables as usize) })
    }

    /// # Safety
    /// `head` begins a mapping made according to `plan`, which was zero behind its head and names when it was made.
    unsafe fn over(head: NonNull<Head>, plan: &Plan, variables: usize) -> Self {
        let base = head.cast::<u8>();
        // SAFETY: the plan puts its sections one after the other within the mapping, each aligned for its elements.
        unsafe {
            Self {
                head,
                names: NonNull::slice_from_raw_parts(base.add(plan.names).cast(), variables),
                tags: NonNull::slice_from_raw_parts(base.add(plan.tags).cast(), plan.tag_words),
                entries: NonNull::slice_from_raw_parts(base.add(plan.entries).cast(), plan.entry_words),
            }
        }
    }

    /// Gives the memory back to the system.
    ///
    /// # Safety
    /// Nobody in this process uses this handle, a copy of it, or a [`Client`] of it any more.
    pub unsafe fn unmap(self) {
        let bytes = self.bytes();
        // SAFETY: the mapping is ours, of this size, and by contract unused.
        unsafe { libc::munmap(self.head.as_ptr().cast(), bytes) };
    }

    /// Where the table begins; the same in all children.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.head.cast()
    }

    /// Size of the mapping. Only what is used takes memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.head().bytes as usize
    }

    /// Clients that it can remember.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table().slots()
    }

    /// The limit variables by column.
    #[must_use]
    pub fn variables(&self) -> &[u64] {
        // SAFETY: that many names in the mapping, never written after it was shared.
        unsafe { self.names.as_ref() }
    }

    /// Whether a table of that sizing would be like this one, its columns in any order.
    #[must_use]
    pub fn fits(&self, sizing: &ClientSizing) -> bool {
        let sorted = |names: &[u64]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        self.capacity() == (sizing.entries as usize).next_multiple_of(WAYS)
            && self.head().secret_check == sizing.secret_check
            && sorted(self.variables()) == sorted(&sizing.variables)
    }

    /// Clients that are remembered now. Looks at one word per slot: for displays, not for requests.
    #[must_use]
    pub fn used(&self) -> usize {
        let table = self.table();
        (0..table.slots()).filter(|slot| table.at(*slot).is_some()).count()
    }

    /// Lets this process have the pages of the tags, and those of the entries of a table that is not large, so that no connection has to wait for the
    /// first use of one. Called at the start of a child; without effect before Linux 5.14.
    pub fn populate(&self) {
        const POPULATE_WRITE: libc::c_int = 23;
        const NOT_LARGE: usize = 32 << 20;
        let first = self.tags.cast::<libc::c_void>();
        let whole = self.base().as_ptr() as usize + self.bytes() - first.as_ptr() as usize;
        let length = if whole <= NOT_LARGE { whole } else { self.tags.len() * 8 };
        // SAFETY: a page-aligned part of the mapping; the call changes no content.
        unsafe { libc::madvise(first.as_ptr(), length, POPULATE_WRITE) };
    }

    /// Entries that were given to another client since the server started, by the [`Worth`] that the old one had.
    #[must_use]
    pub fn evicted(&self) -> [u64; WORTHS] {
        self.head().shares.evicted.each_ref().map(|counter| counter.load(Relaxed))
    }

    /// When a problem with the header that names clients was logged last (monotonic milliseconds, 0: never), and how many were not logged since.
    #[must_use]
    pub fn header_problem(&self) -> &[AtomicU64; 2] {
        &self.head().header_problem
    }

    /// The entry that `id` names, if its client still lives there.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<Client<'_>> {
        self.table().get(id)
    }

    /// The entry of an address.
    #[must_use]
    pub fn find(&self, address: &[u8; 16], hash: u64) -> Option<Client<'_>> {
        self.table().find(address, hash)
    }

    /// The entry of an address, made if there is none; it is looked up now. `is_open` says whether an address has open connections: asked
    /// only when the bucket is full. `None` if others change the bucket without end.
    pub fn find_or_insert(&self, address: &[u8; 16], hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<Client<'_>> {
        self.table().find_or_insert(address, hash, now, keep, is_open)
    }

    /// The clients from a position on, with their positions. Those that come and go meanwhile may or may not be among them.
    pub fn iter(&self, first: usize) -> impl Iterator<Item = (usize, Client<'_>)> {
        let table = self.table();
        (first..table.slots()).filter_map(move |slot| Some((slot, table.at(slot)?)))
    }

    /// Takes over the clients of another table, limit counters by the names of their variables. Where the new one is smaller, the
    /// least worthy are dropped. `hash` is the new table's.
    pub fn take_over(&self, old: &ClientTable, now: u32, keep: &Keep, hash: &dyn Fn(&[u8; 16]) -> u64) -> Resumed {
        let column = |name: &u64| self.variables().iter().position(|own| own == name);
        let columns = old.variables().iter().map(column).collect::<Vec<_>>();
        let (table, mut resumed) = (self.table(), Resumed::default());
        for (_, client) in old.iter(0) {
            let copy = Copied::of(&client, &columns, now);
            // Windows of limits whose columns moved are judged by the new columns.
            let rank = (copy.worth(keep, now), copy.seen);
            let hash = hash(&copy.address);
            let placed = !table.is_outranked(hash, rank, now, keep)
                && table.find_or_insert(&copy.address, hash, copy.seen, keep, &mut |_| false).is_some_and(|place| copy.put(&place, now).is_ok());
            if placed { resumed.moved += 1 } else { resumed.dropped += 1 }
        }
        // The evictions of this move are the drops that the caller reports.
        for (counter, before) in self.head().shares.evicted.iter().zip(old.evicted()) {
            counter.store(before, SeqCst);
        }
        resumed
    }

    fn table(&self) -> Table<'_> {
        // SAFETY: that many atomics in the mapping, which outlives this handle; any value is valid.
        let (tags, entries) = unsafe { (self.tags.as_ref(), self.entries.as_ref()) };
        Table::new(tags, entries, &self.head().shares, self.names.len())
    }

    fn head(&self) -> &Head {
        // SAFETY: points to the head of the mapping, which outlives this handle.
        unsafe { self.head.as_ref() }
    }
}

/// All that is known of a client.
struct Copied {
    address: [u8; 16],
    seen: u32,
    marks: Marks,
    block: Counter,
    refusals: u32,
    events: Counter,
    pace: Pace,
    statistics: Statistics,
    /// By the columns of the new table.
    limits: Vec<(usize, Counter)>,
}

impl Copied {
    fn of(client: &Client<'_>, columns: &[Option<usize>], now: u32) -> Self {
        let limits = columns.iter().enumerate().filter_map(|(old, new)| Some(((*new)?, client.limit(old, now))));
        Self {
            address: client.address(),
            seen: client.seen(now),
            marks: client.marks(now),
            block: client.block(now),
            refusals: client.refusals(),
            events: client.events(now),
            pace: client.pace(),
            statistics: client.statistics(),
            limits: limits.collect(),
        }
    }

    fn worth(&self, keep: &Keep, now: u32) -> Worth {
        let limits = |column: usize| {
            let found = self.limits.iter().find(|(own, _)| *own == column);
            found.map_or((0, 0), |(_, counter)| (counter.count, counter.start))
        };
        keep.worth(&Facts { marks: self.marks, block: (self.block.count, self.block.start), limits: &limits }, now)
    }

    fn put(&self, place: &Client<'_>, now: u32) -> Result<(), Gone> {
        place.change_marks(now, |_| self.marks)?;
        place.change_block(now, |_| self.block)?;
        place.change_refusals(|_| self.refusals)?;
        place.change_events(now, |_| self.events)?;
        place.change_pace(|_| self.pace)?;
        for (column, counter) in &self.limits {
            place.change_limit(*column, now, |_| *counter)?;
        }
        place.add_statistics(&self.statistics);
        Ok(())
    }
}

const _: () = assert!((MOST_ENTRIES as u64 + SLACK as u64) < MOST_LINKS);
