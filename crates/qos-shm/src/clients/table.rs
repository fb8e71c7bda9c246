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

/// Words of a bucket with that many limit variables.
pub(super) const fn bucket_words(variables: usize) -> usize {
    WAYS * (1 + FIXED + variables)
}

/// The table over its words: buckets of [`WAYS`] tags and then [`WAYS`] entries, and one bit per bucket that says whether it was ever used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    words: &'a [AtomicU64],
    used: &'a [AtomicU64],
    evicted: &'a [AtomicU64; WORTHS],
    variables: usize,
    buckets: usize,
}

/// Whether an address has open connections (or requests that count for it).
pub type IsOpen<'b> = &'b mut dyn FnMut(&[u8; 16]) -> bool;

impl<'a> Table<'a> {
    pub fn new(words: &'a [AtomicU64], used: &'a [AtomicU64], evicted: &'a [AtomicU64; WORTHS], variables: usize) -> Self {
        Self { words, used, evicted, variables, buckets: words.len() / bucket_words(variables) }
    }

    pub fn slots(&self) -> usize {
        self.buckets * WAYS
    }

    /// Bits 32 and up choose the bucket.
    fn bucket_of(&self, hash: u64) -> usize {
        ((u128::from(hash >> 32) * self.buckets as u128) >> 32) as usize
    }

    fn slot(&self, slot: usize) -> Option<(&'a AtomicU64, &'a [AtomicU64])> {
        let (bucket, way) = (slot / WAYS, slot % WAYS);
        let base = bucket * bucket_words(self.variables);
        let cell = self.words.get(base + way)?;
        let length = FIXED + self.variables;
        let begin = base + WAYS + way * length;
        Some((cell, self.words.get(begin..begin + length)?))
    }

    fn client(&self, slot: usize, tag: Tag) -> Option<Client<'a>> {
        let (cell, words) = self.slot(slot)?;
        Some(Client { cell, tag, words, slot: u32::try_from(slot).ok()? })
    }

    fn tag(&self, slot: usize) -> Tag {
        self.slot(slot).map_or(Tag(0), |(cell, _)| Tag(cell.load(SeqCst)))
    }

    fn replace(&self, slot: usize, old: Tag, new: Tag) -> bool {
        self.slot(slot).is_some_and(|(cell, _)| cell.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok())
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
        self.ways(hash).find_map(|slot| {
            let (cell, _) = self.slot(slot)?;
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
        self.replace(slot, tag, tag.live()).then_some(Client { tag: tag.live(), ..client })
    }

    /// Takes a slot of the bucket: an empty one, or that of the client who is worth least.
    fn claim(&self, hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<(usize, Tag)> {
        self.note_used(hash);
        let (slot, old, worth) = self.victim(hash, now, keep, is_open)?;
        let claimed = old.claim(Tag::fingerprint_of(hash));
        if !self.replace(slot, old, claimed) {
            return None;
        }
        if let (Some(worth), true) = (worth, old.is_live()) {
            if let Some(counter) = self.evicted.get(worth as usize) {
                counter.fetch_add(1, Relaxed);
            }
        }
        Some((slot, claimed))
    }

    fn victim(&self, hash: u64, now: u32, keep: &Keep, is_open: IsOpen<'_>) -> Option<(usize, Tag, Option<Worth>)> {
        let mut ranked = [(Worth::Protected, u32::MAX, usize::MAX, Tag(0)); WAYS];
        for (place, slot) in ranked.iter_mut().zip(self.ways(hash)) {
            let tag = self.tag(slot);
            if tag.fingerprint() == 0 {
                return Some((slot, tag, None));
            }
            if let Some(client) = self.client(slot, tag) {
                *place = (worth(&client, keep, now), client.seen(now), slot, tag);
            }
        }
        ranked.sort_unstable_by_key(|(worth, seen, ..)| (*worth, *seen));
        let open = |(worth, _, slot, tag): &&(Worth, u32, usize, Tag)| {
            *worth < Worth::Protected && !(tag.is_live() && self.client(*slot, *tag).is_some_and(|client| is_open(&client.address())))
        };
        let (worth, _, slot, tag) = match ranked.iter().find(open) {
            Some(idle) => *idle,
            None => {
                let (_, seen, slot, tag) = *ranked.first()?;
                (Worth::Protected, seen, slot, tag)
            }
        };
        Some((slot, tag, Some(worth)))
    }

    /// Whether an entry of that worth, seen at that time, would find no place without driving out a better one.
    pub fn is_outranked(&self, hash: u64, rank: (Worth, u32), now: u32, keep: &Keep) -> bool {
        self.ways(hash).all(|slot| self.at(slot).is_some_and(|client| (worth(&client, keep, now), client.seen(now)) > rank))
    }

    fn note_used(&self, hash: u64) {
        let bucket = self.bucket_of(hash);
        if let Some(word) = self.used.get(bucket / 64) {
            let bit = 1 << (bucket % 64);
            if word.load(Relaxed) & bit == 0 {
                word.fetch_or(bit, SeqCst);
            }
        }
    }

    /// The slots of buckets that were ever used, from `first` on.
    pub fn used_slots(self, first: usize) -> impl Iterator<Item = usize> + use<'a> {
        let (used, slots) = (self.used, self.slots());
        (first / WAYS / 64..used.len())
            .flat_map(move |index| {
                let word = used.get(index).map_or(0, |word| word.load(Acquire));
                let bits = if word == 0 { 0..0 } else { 0..64 };
                bits.filter(move |bit| word >> bit & 1 == 1).flat_map(move |bit| {
                    let base = (index * 64 + bit) * WAYS;
                    base..base + WAYS
                })
            })
            .skip_while(move |slot| *slot < first)
            .take_while(move |slot| *slot < slots)
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
