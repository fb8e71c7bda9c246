//! Names of headers, found in any case without a search and without memory.

/// Which of the names stands where it is looked for.
#[derive(Debug)]
pub struct Index {
    /// Numbers of names from 1, by the hash of the name; 0: none. A power of two.
    slots: Vec<u16>,
    names: Vec<Name>,
    seed: u64,
}

/// Seeds that are tried.
const SEEDS: u64 = 64;
/// Slots for a name.
const SPARSE: usize = 4;
/// Makes lower case of letters, and the same of a few other bytes: good enough for a hash.
const LOWER: u64 = 0x2020_2020_2020_2020;
/// Bytes that are compared at once.
const WORD: usize = 8;

/// A name in words of eight bytes; the last one overlaps the one before. A short name is one word.
#[derive(Debug)]
struct Name {
    length: usize,
    /// Lower case, and the bits in which the other case differs.
    words: Vec<(u64, u64)>,
}

/// A name of less than a word.
fn short(name: &[u8]) -> u64 {
    name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// First and last word of a name.
fn ends(name: &[u8]) -> (u64, u64) {
    match (name.first_chunk::<WORD>(), name.last_chunk::<WORD>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (short(name), 0),
    }
}

impl Name {
    fn new(name: &[u8]) -> Name {
        let lower = name.to_ascii_lowercase();
        let case = name.iter().map(|byte| if byte.is_ascii_alphabetic() { 0x20 } else { 0 }).collect::<Vec<u8>>();
        let words = |bytes: &[u8]| match bytes.last_chunk::<WORD>() {
            None => vec![short(bytes)],
            Some(last) => bytes.chunks_exact(WORD).filter_map(<[u8]>::first_chunk).chain([last]).map(|chunk| u64::from_le_bytes(*chunk)).collect(),
        };
        Name { length: name.len(), words: words(&lower).into_iter().zip(words(&case)).collect() }
    }

    /// Whether a name is this one; `last` is its last word, or all of it.
    fn is(&self, name: &[u8], last: u64) -> bool {
        let same = |word: u64, (lower, case): (u64, u64)| (word ^ lower) & !case == 0;
        let Some((own_last, own)) = self.words.split_last() else { return false };
        self.length == name.len()
            && same(last, *own_last)
            && own.iter().zip(name.chunks_exact(WORD)).all(|(own, chunk)| chunk.first_chunk().is_some_and(|chunk| same(u64::from_le_bytes(*chunk), *own)))
    }
}

impl Index {
    /// The best of some hashes for these names, so that they are found at the first look in nearly all cases.
    pub fn new(names: &[&[u8]]) -> Index {
        let size = (names.len() * SPARSE).next_power_of_two().max(16);
        let tries = (1..=SEEDS).map(|n| {
            let mut index = Index { slots: vec![0; size], names: Vec::new(), seed: n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 };
            let moved = index.fill(names);
            (moved, index)
        });
        let mut best = tries.min_by_key(|(moved, _)| *moved).map_or(Index { slots: vec![0; 16], names: Vec::new(), seed: 1 }, |(_, index)| index);
        best.names = names.iter().map(|name| Name::new(name)).collect();
        best
    }

    /// Puts all names in; how far they stand from where they are looked for, together.
    fn fill(&mut self, names: &[&[u8]]) -> usize {
        let mut moved = 0;
        let mask = self.slots.len() - 1;
        for (number, name) in (1u16..).zip(names) {
            let (first, last) = ends(name);
            let mut at = self.place(first, last, name.len());
            while let Some(slot) = self.slots.get_mut(at) {
                if *slot == 0 {
                    *slot = number;
                    break;
                }
                at = (at + 1) & mask;
                moved += 1;
            }
        }
        moved
    }

    /// Where a name is looked for first.
    fn place(&self, first: u64, last: u64, length: usize) -> usize {
        let hash = ((first | LOWER).wrapping_mul(self.seed).rotate_left(29) ^ (last | LOWER)).wrapping_add(length as u64).wrapping_mul(self.seed);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    /// Which of the names it is, from 0. The search ends at the first free slot: there are always some.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let (first, last) = ends(name);
        let word = if name.len() < WORD { first } else { last };
        let (mut at, mask) = (self.place(first, last, name.len()), self.slots.len() - 1);
        loop {
            let number = usize::from(*self.slots.get(at)?).checked_sub(1)?;
            if self.names.get(number)?.is(name, word) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }
}
