//! Names of headers, found in any case without a search and without memory.

/// Which of the names begins where it is looked for.
#[derive(Debug)]
pub struct Index {
    /// Numbers of names from 1, by the hash of the name; 0: none. A power of two.
    slots: Vec<u16>,
    seed: u64,
}

/// Seeds that are tried.
const SEEDS: u64 = 64;
/// Slots for a name.
const SPARSE: usize = 4;
/// Makes lower case of letters; the few other bytes that it makes the same are told apart by the comparison.
const LOWER: u64 = 0x2020_2020_2020_2020;

impl Index {
    /// The best of some hashes for these names: known names are found at the first look in nearly all cases.
    pub fn new(names: &[&[u8]]) -> Index {
        let size = (names.len() * SPARSE).next_power_of_two().max(16);
        let tries = (1..=SEEDS).map(|n| Index::with(names, size, n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
        tries.min_by_key(|(_, moved)| *moved).map_or(Index { slots: vec![0; 16], seed: 1 }, |(index, _)| index)
    }

    /// With this seed, and how far names stand from where they are looked for, together.
    fn with(names: &[&[u8]], size: usize, seed: u64) -> (Index, usize) {
        let (mut index, mut moved) = (Index { slots: vec![0; size], seed }, 0);
        for (number, name) in (1u16..).zip(names) {
            let mut at = index.place(name);
            while let Some(slot) = index.slots.get_mut(at) {
                if *slot == 0 {
                    *slot = number;
                    break;
                }
                at = (at + 1) & (size - 1);
                moved += 1;
            }
        }
        (index, moved)
    }

    /// Where a name is looked for first.
    fn place(&self, name: &[u8]) -> usize {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        };
        let hash = ((first | LOWER).wrapping_mul(self.seed).rotate_left(29) ^ (last | LOWER)).wrapping_add(name.len() as u64).wrapping_mul(self.seed);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    /// Names, from 0, among which it is if it is one of them. They end at the first free slot: there are always some.
    pub fn candidates(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let start = self.place(name);
        let mask = self.slots.len() - 1;
        (0..=mask).map_while(move |n| self.slots.get((start + n) & mask).and_then(|number| usize::from(*number).checked_sub(1)))
    }
}
