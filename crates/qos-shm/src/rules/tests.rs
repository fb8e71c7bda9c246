use super::{RULE_GENERATIONS, RuleCell, RuleTable, RuleTableError};
use crate::sync::Ordering::SeqCst;
use proptest::prelude::*;
use std::collections::HashMap;
use std::ptr::NonNull;

/// Unmapped at the end of the test.
struct Mapped(RuleTable);

impl Mapped {
    fn new(cells: usize) -> Self {
        Self(RuleTable::create(cells).unwrap())
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: declared before what uses it, so dropped after.
        unsafe { self.0.unmap() }
    }
}

fn cell(table: &RuleTable, key: u64, generation: u32) -> &RuleCell {
    table.cell(table.claim(key, generation).unwrap()).unwrap()
}

#[test]
fn a_rule_keeps_its_cell_and_its_numbers() {
    let mapped = Mapped::new(8);
    let table = mapped.0;
    let index = table.claim(77, 1).unwrap();
    cell(&table, 77, 1).denied.store(5, SeqCst);
    assert_ne!(table.claim(78, 1), Some(index));
    assert_eq!(table.claim(77, 2), Some(index));
    let cell = table.cell(index).unwrap();
    assert_eq!((cell.key(), cell.generation(), cell.denied.load(SeqCst)), (77, 2, 5));
    assert!(table.cell(8).is_none());
}

#[test]
fn a_table_is_found_again_and_nothing_else_is_taken_for_one() {
    let mapped = Mapped::new(3);
    cell(&mapped.0, 5, 1).tail.store(9, SeqCst);
    // SAFETY: the base of a table that is mapped.
    let again = unsafe { RuleTable::attach(mapped.0.base()) }.unwrap();
    assert_eq!((again.capacity(), cell(&again, 5, 1).tail.load(SeqCst)), (3, 9));
    let other = Box::new([0_u128; 256]);
    // SAFETY: a readable page, which is no table.
    let foreign = unsafe { RuleTable::attach(NonNull::from(&*other).cast()) };
    assert_eq!(foreign.unwrap_err(), RuleTableError::Foreign);
    assert_eq!(RuleTable::create(0).unwrap_err(), RuleTableError::Size);
    assert_eq!(RuleTable::create(usize::MAX).unwrap_err(), RuleTableError::Size);
}

#[test]
fn a_full_table_refuses_until_rules_are_old() {
    let mapped = Mapped::new(4);
    let table = mapped.0;
    for key in 1..=4 {
        cell(&table, key, 10).denied.store(key, SeqCst);
    }
    assert_eq!(table.claim(5, 10), None);
    assert_eq!(table.claim(5, 10 + RULE_GENERATIONS), None);
    let late = 11 + RULE_GENERATIONS;
    // Rules that are claimed again stay, whatever place a new one finds.
    assert!(table.claim(3, late).is_some());
    assert_eq!(cell(&table, 5, late).denied.load(SeqCst), 0, "a new rule begins with nothing");
    assert_eq!(cell(&table, 3, late).denied.load(SeqCst), 3);
    assert!(table.claim(6, late).is_some() && table.claim(7, late).is_some());
    assert_eq!(table.claim(8, late), None, "all are young");
}

#[test]
fn generations_may_wrap() {
    let mapped = Mapped::new(1);
    assert!(mapped.0.claim(1, u32::MAX).is_some());
    assert_eq!(mapped.0.claim(2, 2), None);
    assert!(mapped.0.claim(2, RULE_GENERATIONS).is_some());
}

#[test]
fn a_smaller_table_takes_over_the_youngest() {
    let (large, small) = (Mapped::new(6), Mapped::new(2));
    for (key, generation) in [(1, 4), (2, u32::MAX), (3, 5), (4, 3)] {
        cell(&large.0, key, generation).bytes.store(key * 100, SeqCst);
    }
    assert_eq!(small.0.take_over(&large.0), 2);
    assert_eq!([1, 3].map(|key| cell(&small.0, key, 5).bytes.load(SeqCst)), [100, 300]);
    assert_eq!(small.0.claim(2, 5), None);
}

#[test]
fn a_key_of_zero_is_a_rule_as_well() {
    let mapped = Mapped::new(2);
    assert_eq!(mapped.0.claim(0, 1), mapped.0.claim(0, 2));
    assert_eq!(mapped.0.cell(mapped.0.claim(0, 2).unwrap()).unwrap().key(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Claim(u64),
    Count(u64),
    Restart,
    Grow,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Restarts with changing rules against a map: a rule that is in use has its own cell and its numbers.
    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec(prop_oneof![
        6 => (1..24_u64).prop_map(Step::Claim),
        6 => (1..24_u64).prop_map(Step::Count),
        3 => Just(Step::Restart),
        1 => Just(Step::Grow),
    ], 0..200)) {
        let mut tables = vec![Mapped::new(8)];
        let mut generation = 1_u32;
        // By key: generation in which it was claimed last, what it counted.
        let mut model: HashMap<u64, (u32, u64)> = HashMap::new();
        for step in steps {
            let table = tables.last().unwrap().0;
            let is_old = |claimed: u32| generation - claimed > RULE_GENERATIONS;
            match step {
                Step::Claim(key) => {
                    let young = model.iter().filter(|(own, (claimed, _))| **own != key && !is_old(*claimed)).count();
                    match table.claim(key, generation).map(|index| table.cell(index).unwrap()) {
                        Some(cell) => {
                            let numbers = cell.denied.load(SeqCst);
                            let known = model.get(&key).copied();
                            let expected = known.map_or(0, |(_, numbers)| numbers);
                            // An old rule may have lost its cell to another one.
                            prop_assert!(numbers == expected || (numbers == 0 && known.is_some_and(|(claimed, _)| is_old(claimed))));
                            model.insert(key, (generation, numbers));
                        }
                        None => prop_assert_eq!(young, table.capacity()),
                    }
                }
                Step::Count(key) => match model.get_mut(&key) {
                    Some((claimed, numbers)) if *claimed == generation => {
                        cell(&table, key, generation).denied.fetch_add(1, SeqCst);
                        *numbers += 1;
                    }
                    _ => {}
                },
                Step::Restart => generation += 1,
                Step::Grow if table.capacity() < 64 => {
                    let larger = Mapped::new(table.capacity() + 8);
                    prop_assert_eq!(larger.0.take_over(&table), 0);
                    tables.push(larger);
                }
                Step::Grow => {}
            }
            let table = tables.last().unwrap().0;
            let mut seen = HashMap::new();
            for index in 0..table.capacity() as u32 {
                let cell = table.cell(index).unwrap();
                prop_assert!(cell.key() == 0 || seen.insert(cell.key(), cell.denied.load(SeqCst)).is_none(), "a key has one cell");
            }
            for (key, (claimed, numbers)) in &model {
                if generation - claimed <= RULE_GENERATIONS {
                    prop_assert_eq!(seen.get(key), Some(numbers), "key {}", key);
                }
            }
        }
    }
}
