//! The table against a plain map, and the corners of its words.

use super::words::{Header, Tally};
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

pub(super) const FULL_AT: usize = 5;

#[derive(Default)]
pub(super) struct Cells(pub [HoldingCell; HOLDINGS]);

impl Holdings for &[Cells] {
    fn holding(&self, index: u32) -> Option<&HoldingCell> {
        self.get(index as usize / HOLDINGS)?.0.get(index as usize % HOLDINGS)
    }
}

/// A table on the heap.
pub(super) struct Bench {
    pub buckets: Vec<Bucket>,
    pub cells: Vec<Cells>,
}

impl Bench {
    pub fn new(buckets: usize, holders: usize) -> Self {
        Self { buckets: (0..buckets).map(|_| Bucket::default()).collect(), cells: (0..holders).map(|_| Cells::default()).collect() }
    }

    pub fn table(&self) -> CountTable<'_, &[Cells]> {
        CountTable::new(&self.buckets, &self.cells)
    }

    /// Nobody is at work: the count of each key is the number of holdings that say so, and nothing is announced.
    pub fn audit(&self, keys: &[CountKey], context: &str) {
        let cells: Vec<_> = self.cells.iter().flat_map(|cells| &cells.0).collect();
        for cell in &cells {
            let phase = cell.word().phase();
            assert!(matches!(phase, Phase::Idle | Phase::Counted), "{phase:?} {context}");
        }
        for &key in keys {
            let held = cells.iter().filter(|cell| cell.counted() == Some(key)).count();
            assert_eq!(self.table().count(key) as usize, held, "{key:?} {context}");
        }
        let total: u32 = self.buckets.iter().flat_map(|bucket| &bucket.entries).map(|entry| Tally(entry.tally.load(SeqCst)).count()).sum();
        assert_eq!(total as usize, cells.iter().filter(|cell| cell.counted().is_some()).count(), "{context}");
        for bucket in &self.buckets {
            assert_eq!(bucket.header().operation(), None, "{context}");
        }
    }
}

pub(super) fn key(fingerprint: u64, bucket: u64) -> CountKey {
    CountKey::from_raw(fingerprint << 24 | bucket)
}

#[derive(Clone, Debug)]
enum Step {
    Enter(u32, usize),
    Leave(u32),
    Settle(u32),
    Refused(usize),
    Take(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..30_u32, 0..9_usize).prop_map(|(holding, key)| Step::Enter(holding, key)),
        3 => (0..30_u32).prop_map(Step::Leave),
        1 => (0..30_u32).prop_map(Step::Settle),
        1 => (0..9_usize).prop_map(Step::Refused),
        1 => (0..9_usize).prop_map(Step::Take),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    /// Nine keys in one or two buckets of five: enters, leaves, refusals and full buckets as a map would have them.
    #[test]
    fn behaves_like_a_map(buckets in prop_oneof![Just(1_usize), Just(2)], steps in steps()) {
        let keys: Vec<_> = (0..9).map(|n| key(n / 2, n)).map(|k| {
            // Two keys that differ in the bucket only are one key in a table of one bucket.
            if buckets == 1 { key(k.raw() & 0xff, 0) } else { k }
        }).collect();
        let place = |key: CountKey| key.raw() as usize & (buckets - 1);
        let bench = Bench::new(buckets, 10);
        let table = bench.table();
        let mut held: HashMap<u32, CountKey> = HashMap::new();
        let mut refusals: HashMap<CountKey, u32> = HashMap::new();
        let count = |held: &HashMap<u32, CountKey>, key| held.values().filter(|&&k| same(k, key, buckets)).count() as u32;
        fn same(a: CountKey, b: CountKey, buckets: usize) -> bool {
            a.fingerprint() == b.fingerprint() && (a.raw() ^ b.raw()) as usize & (buckets - 1) == 0
        }
        for step in steps {
            match step {
                Step::Enter(holding, n) => {
                    held.remove(&holding);
                    refusals.retain(|&key, _| count(&held, key) > 0);
                    let mut others: Vec<_> = held.values().filter(|&&k| place(k) == place(keys[n]))
                        .map(|k| k.fingerprint()).filter(|&f| f != keys[n].fingerprint()).collect();
                    others.sort_unstable();
                    others.dedup();
                    let expected = if others.len() < FULL_AT {
                        held.insert(holding, keys[n]);
                        Some(count(&held, keys[n]))
                    } else {
                        None
                    };
                    prop_assert_eq!(table.enter(holding, keys[n]), expected);
                }
                Step::Leave(holding) => {
                    let expected = held.remove(&holding).map_or(0, |key| count(&held, key));
                    prop_assert_eq!(table.leave(holding), expected);
                }
                Step::Settle(holding) => {
                    held.remove(&holding);
                    table.settle(holding);
                }
                Step::Refused(n) => {
                    let expected = if count(&held, keys[n]) > 0 {
                        let number = refusals.entry(keys[n]).or_default();
                        *number += 1;
                        *number
                    } else {
                        1
                    };
                    prop_assert_eq!(table.refused(keys[n]), expected);
                }
                Step::Take(n) => {
                    prop_assert_eq!(table.take_refusals(keys[n]), refusals.remove(&keys[n]).unwrap_or(0));
                }
            }
            refusals.retain(|&key, _| count(&held, key) > 0);
            for &key in &keys {
                prop_assert_eq!(table.count(key), count(&held, key));
            }
        }
        bench.audit(&[], "");
    }
}

#[test]
fn a_full_bucket_takes_known_keys_only() {
    let bench = Bench::new(1, 4);
    let table = bench.table();
    for n in 0..5 {
        assert_eq!(table.enter(n, key(n.into(), 0)), Some(1));
    }
    assert_eq!(table.enter(5, key(5, 0)), None);
    assert_eq!(table.enter(6, key(4, 0)), Some(2));
    assert_eq!(table.leave(2), 0);
    assert_eq!(table.enter(5, key(5, 0)), Some(1));
    bench.audit(&(0..6).map(|n| key(n, 0)).collect::<Vec<_>>(), "");
}

#[test]
fn holdings_that_do_not_exist_are_not_counted() {
    let bench = Bench::new(1, 1);
    assert_eq!(bench.table().enter(3, key(1, 0)), None);
    assert_eq!(bench.table().leave(3), 0);
    bench.table().settle(u32::MAX);
    assert_eq!(bench.table().count(key(1, 0)), 0);
}

/// An entry that rested while the sequence went round once is not taken for the work of a new operation.
#[test]
fn sequences_of_resting_entries_are_skipped() {
    for resting in [u32::MAX - 1, u32::MAX, 0, 1, 2] {
        let bench = Bench::new(1, 4);
        let table = bench.table();
        let keys: Vec<_> = (0..3).map(|n| key(n, 0)).collect();
        assert_eq!(table.enter(0, keys[0]), Some(1));
        bench.buckets[0].entries[0].tally.store(Tally::new(1, resting).0, SeqCst);
        bench.buckets[0].header.store(Header::announce(u32::MAX - 3, Operation::Add, 0).idle().0, SeqCst);
        for round in 0..3 {
            assert_eq!(table.enter(1, keys[1]), Some(1), "resting {resting} round {round}");
            assert_eq!(table.enter(2, keys[2]), Some(1), "resting {resting} round {round}");
            assert_eq!(table.leave(1), 0);
            assert_eq!(table.leave(2), 0);
        }
        bench.audit(&keys, "");
    }
}

/// A header that names a holding which does not exist must not make everybody spin.
#[test]
fn a_damaged_header_is_passed_over() {
    let bench = Bench::new(1, 1);
    bench.buckets[0].header.store(Header::announce(7, Operation::Add, 99).0, SeqCst);
    assert_eq!(bench.table().enter(0, key(1, 0)), Some(1));
    bench.audit(&[key(1, 0)], "");
}

#[test]
fn refusals_end_with_the_tenancy() {
    let bench = Bench::new(1, 2);
    let table = bench.table();
    let (one, two) = (key(1, 0), key(2, 0));
    assert_eq!(table.enter(0, one), Some(1));
    assert_eq!((table.refused(one), table.refused(one)), (1, 2));
    assert_eq!((table.refused(two), table.refused(two)), (1, 1), "nobody holds it");
    table.leave(0);
    assert_eq!(table.enter(0, two), Some(1), "takes the same entry");
    assert_eq!(table.take_refusals(two), 0);
    assert_eq!(table.refused(two), 1);
    table.leave(0);
    assert_eq!(table.enter(0, two), Some(1));
    assert_eq!(table.take_refusals(two), 0, "the count was 0 in between");
}
