//! Look-up, insertion and eviction over plain memory.

use super::entry::{Client, ClientId, FIXED};
use super::rank::{Facts, Keep, WORTHS, Worth};
use super::words::Tag;
use crate::sync::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};

/// Entries of a bucket. A model with fewer says the same and is smaller.
pub const WAYS: usize = if cfg!(loom) { 2 } else { 8 };

/// Attempts of an insertion. Each failure is another one's success in the same bucket, so this is never reached.
const ATTEMPTS: usize = 1000;

/// Words of an entry with that many limit variables.
pub(super) const fn entry_words(variables: usize) -> usize {
    FIXED + variables
}

/// Words of a bucket: its tags, then when the clients of its slots were seen last, two in a word. The latter are hints for who makes
/// room, so that this needs no look at all entries; what counts stands in the entries.
pub(super) const BUCKET_WORDS: usize = WAYS + WAYS.div_ceil(2);

/// Entries that wait for a slot, besides those that were never given out.
pub(super) const SPARES: usize = 16;

/// Who has which entry: words that all share.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Shares {
    /// Entries given to another client, by the worth of the old one.
    pub evicted: [AtomicU64; WORTHS],
    /// How many entries were given out.
    pub given: AtomicU64,
    /// Number + 1 of entries that were given out and not used, as another process was faster.
    pub spares: [AtomicU64; SPARES],
}

/// The table over its words: buckets of [`WAYS`] tags; entries, which slots get one after the other when they are used for the first
/// time, so that a large table takes memory only for those who are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    tags: &'a [AtomicU64],
    entries: &'a [AtomicU64],
    shares: &'a Shares,
    variables: usize,
}

/// Whether an address has open connections (or requests that count for it).
pub type IsOpen<'b> = &'b mut dyn FnMut(&[u8; 16]) -> bool;

impl<'a> Table<'a> {
    /// Over memory that was zero once; there are at least as many entries as tags.
    pub fn new(tags: &'a [AtomicU64], entries: &'a [AtomicU64], shares: &'a Shares, variables: usize) -> Self {
        Self { tags, entries, shares, variables }
    }

    pub fn slots(&self) -> usize {
        self.tags.len() / BUCKET_WORDS * WAYS
    }

    fn tag_cell(&self, slot: usize) -> Option<&'a AtomicU64> {
        self.tags.get(slot / WAYS * BUCKET_WORDS + slot % WAYS)
    }

    fn age_cell(&self, slot: usize) -> Option<&'a AtomicU64> {
        self.tags.get(slot / WAYS * BUCKET_WORDS + WAYS + slot % WAYS / 2)
    }

    /// When the client of a slot was seen last, as the hint says.
    fn age(&self, slot: usize) -> u32 {
        self.age_cell(slot).map_or(0, |cell| (cell.load(Relaxed) >> (slot % 2 * 32)) as u32)
    }

    /// Bits 32 and up choose the bucket.
    fn bucket_of(&self, hash: u64) -> usize {
        (((hash >> 32) * (self.tags.len() / BUCKET_WORDS) as u64) >> 32) as usize
    }

    fn client(&self, slot: usize, tag: Tag) -> Option<Client<'a>> {
        let length = entry_words(self.variables);
        let begin = tag.entry()? * length;
        Some(Client {
            cell: self.tag_cell(slot)?,
            age: self.age_cell(slot)?,
            tag,
            words: self.entries.get(begin..begin + length)?,
            slot: u32::try_from(slot).ok()?,
        })
    }

    fn tag(&self, slot: usize) -> Tag {
        self.tag_cell(slot).map_or(Tag(0), |cell| Tag(cell.load(SeqCst)))
    }

    fn replace(&self, slot: usize, old: Tag, new: Tag) -> bool {
        self.tag_cell(slot).is_some_and(|cell| cell.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok())
    }

    /// An entry that no slot has. `None`: all are given out.
    fn take_entry(&self) -> Option<usize> {
        for spare in &self.shares.spares {
            let link = spare.load(SeqCst);
            if link != 0 && spare.compare_exchange(link, 0, SeqCst, SeqCst).is_ok() {
                return usize::try_from(link - 1).ok();
            }
        }
        let most = (self.entries.len() / entry_words(self.variables)) as u64;
        if self.shares.given.load(SeqCst) >= most {
            return None;
        }
        usize::try_from(self.shares.given.fetch_add(1, SeqCst)).ok().filter(|entry| (*entry as u64) < most)
    }

    /// It was not needed after all.
    fn put_entry(&self, entry: usize) {
        let link = entry as u64 + 1;
        let _ = self.shares.spares.iter().any(|spare| spare.load(SeqCst) == 0 && spare.compare_exchange(0, link, SeqCst, SeqCst).is_ok());
    }

    fn ways(&self, hash: u64) -> std::ops::Range<usize> {
        let first = self.bucket_of(hash) * WAYS;
        first..first + WAYS
    }

    /// The entry that `id` names, if its client still lives there.
    pub fn get(&self, id: ClientId) -> Option<Client<'a>> {
        self.client(id.slot as usize, Tag(id.tag)).filter(Client::is_here)
    }

    /// The entry in a slot, if somebody lives there.
    pub fn at(&self, slot: usize) -> Option<Client<'a>> {
        let tag = self.tag(slot);
        if tag.is_live() { self.client(slot, tag) } else { None }
    }

    fn live(&self, slot: usize, tag: Tag, address: &[u8; 16]) -> Option<Client<'a>> {
        let client = self.client(slot, tag)?;
        (client.address() == *address && client.is_here()).then_some(client)
    }

    /// The entry of an address.
    pub fn find(&self, address: &[u8; 16], hash: u64) -> Option<Client<'a>> {
        let fingerprint = Tag::fingerprint_of(hash);
        let ways = self.ways(hash);
        let first = self.bucket_of(hash) * BUCKET_WORDS;
        ways.zip(self.tags.get(first..first + WAYS)?).find_map(|(slot, cell)| {
            let tag = Tag(cell.load(Acquire));
            if tag.fingerprint() == fingerprint && !tag.is_claimed() { self.live(slot, tag, address) } else { None }
        })
    }

    /// The entry of an address, made if there is none. `None` only where the table has no bucket.
    pub fn find_or_insert(&self, address: &[u8; 16], hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<Client<'a>> {
        if let Some(client) = self.find(address, hash) {
            client.touch(now);
            return Some(client);
        }
        (0..ATTEMPTS).find_map(|_| self.insert(address, hash, now, keep, is_open))
    }

    /// One attempt. `None`: another operation changed the bucket, try again.
    fn insert(&self, address: &[u8; 16], hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<Client<'a>> {
        let fingerprint = Tag::fingerprint_of(hash);
        let mut claim = None;
        for slot in self.ways(hash) {
            let tag = self.tag(slot);
            if tag.fingerprint() != fingerprint {
                continue;
            }
            if tag.is_claimed() {
                claim = claim.or(Some((slot, tag)));
            } else if let Some(client) = self.live(slot, tag, address) {
                client.touch(now);
                return Some(client);
            }
        }
        let (slot, tag) = match claim {
            // Somebody is about to insert the same client, or died when he was: this goes on where he is.
            Some(claim) => claim,
            None => self.claim(hash, now, keep, is_open)?,
        };
        let client = self.client(slot, tag)?;
        if !client.prepare(address, now) {
            return None;
        }
        for other in self.ways(hash).filter(|other| *other != slot) {
            let found = self.tag(other);
            if found.fingerprint() != fingerprint {
                continue;
            }
            if found.is_claimed() && other > slot {
                if !self.replace(other, found, found.vacant()) {
                    return None;
                }
            } else if found.is_claimed() || self.live(other, found, address).is_some() {
                self.replace(slot, tag, tag.vacant());
                return None;
            }
        }
        // Of two clients with the same fingerprint that were inserted here at the same instant only one has the entry.
        (self.replace(slot, tag, tag.live()) && client.address() == *address).then_some(Client { tag: tag.live(), ..client })
    }

    /// Takes a slot of the bucket: an empty one, or that of the client who is worth least.
    fn claim(&self, hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<(usize, Tag)> {
        let (slot, old, worth) = self.victim(hash, now, keep, is_open)?;
        let claimed = old.claim(Tag::fingerprint_of(hash));
        let claimed = match old.entry() {
            Some(_) => claimed,
            None => claimed.linked(self.take_entry()?),
        };
        if !self.replace(slot, old, claimed) {
            if let (None, Some(entry)) = (old.entry(), claimed.entry()) {
                self.put_entry(entry);
            }
            return None;
        }
        if let (Some(worth), true) = (worth, old.is_live()) {
            if let Some(counter) = self.shares.evicted.get(worth as usize) {
                counter.fetch_add(1, Relaxed);
            }
        }
        Some((slot, claimed))
    }

    fn is_given_out(&self) -> bool {
        self.shares.given.load(Relaxed) >= (self.entries.len() / entry_words(self.variables)) as u64
            && self.shares.spares.iter().all(|spare| spare.load(Relaxed) == 0)
    }

    fn victim(&self, hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<(usize, Tag, Option<Worth>)> {
        // Tags lie side by side, entries do not: those are looked at only where no slot is empty.
        let mut all = [(u32::MAX, usize::MAX, Tag(0)); WAYS];
        for (place, slot) in all.iter_mut().zip(self.ways(hash)) {
            let tag = self.tag(slot);
            // Where no entry is left for a slot that was never used, those that have one serve.
            if tag.fingerprint() == 0 && (tag.entry().is_some() || !self.is_given_out()) {
                return Some((slot, tag, None));
            }
            *place = (u32::MAX, slot, tag);
        }
        for (seen, slot, _) in &mut all {
            *seen = self.age(*slot);
        }
        all.sort_unstable_by_key(|(seen, ..)| *seen);
        let ranks = all.map(|(seen, slot, tag)| (None::<Worth>, seen, slot, tag));
        self.least(ranks, now, keep, is_open)
    }

    /// The least worthy of some entries that are sorted by age. The oldest one that is idle and has no open connection is it, whatever the others are.
    fn least(&self, mut ranks: [(Option<Worth>, u32, usize, Tag); WAYS], now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<(usize, Tag, Option<Worth>)> {
        let mut is_open = |slot: usize, tag: Tag| tag.is_live() && self.client(slot, tag).is_some_and(|client| is_open(&client.address()));
        for (worth_of, _, slot, tag) in &mut ranks {
            let Some(client) = self.client(*slot, *tag) else { continue };
            let found = worth(&client, keep, now);
            if found == Worth::Idle && !is_open(*slot, *tag) {
                return Some((*slot, *tag, Some(Worth::Idle)));
            }
            // Idle, but connected: protected, though before all others.
            *worth_of = Some(found);
        }
        // Stable: within a worth the oldest comes first.
        ranks.sort_by_key(|(worth, ..)| worth.map_or(u8::MAX, |worth| worth as u8));
        let free = |(worth, _, slot, tag): &&(Option<Worth>, u32, usize, Tag)| {
            worth.is_some_and(|worth| worth > Worth::Idle && worth < Worth::Protected) && !is_open(*slot, *tag)
        };
        if let Some((worth, _, slot, tag)) = ranks.iter().find(free) {
            return Some((*slot, *tag, *worth));
        }
        let (worth, _, slot, tag) = *ranks.first()?;
        worth.map(|_| (slot, tag, Some(Worth::Protected)))
    }

    /// Whether an entry of that worth, seen at that time, would find no place without driving out a better one.
    pub fn is_outranked(&self, hash: u64, rank: (Worth, u32), now: u32, keep: &Keep) -> bool {
        self.ways(hash).all(|slot| self.at(slot).is_some_and(|client| (worth(&client, keep, now), client.seen(now)) > rank))
    }
}

/// How much an entry is worth keeping.
pub(super) fn worth(client: &Client<'_>, keep: &Keep, now: u32) -> Worth {
    let limits = |column: usize| {
        let counter = client.limit(column, now);
        (counter.count, counter.start)
    };
    let block = client.block(now);
    keep.worth(&Facts { marks: client.marks(now), block: (block.count, block.start), limits: &limits }, now)
}
