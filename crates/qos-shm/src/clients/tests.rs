//! The table against a simple map; killed and interrupted at every step.

use super::table::{BUCKET_WORDS, Shares, Table, entry_words};
use super::*;
use crate::sync::AtomicU64;
use crate::sync::stepped::{interrupted, killed_after};
use proptest::prelude::*;
use qos_core::client::{Counter, Marks, Pace, Statistics};
use std::collections::HashMap;
use std::rc::Rc;

const NOW: u32 = 1_000_000;

pub(super) struct Memory {
    tags: Vec<AtomicU64>,
    entries: Vec<AtomicU64>,
    shares: Shares,
    variables: usize,
}

impl Memory {
    pub fn new(buckets: usize, variables: usize) -> Memory {
        Memory::with_slack(buckets, variables, 64)
    }

    fn with_slack(buckets: usize, variables: usize, slack: usize) -> Memory {
        let zeros = |n| (0..n).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Memory { tags: zeros(buckets * BUCKET_WORDS), entries: zeros((buckets * WAYS + slack) * entry_words(variables)), shares: Shares::default(), variables }
    }

    pub fn table(&self) -> Table<'_> {
        Table::new(&self.tags, &self.entries, &self.shares, self.variables)
    }

    fn evictions(&self) -> u64 {
        self.shares.evicted.iter().map(|counter| counter.load(crate::sync::Ordering::SeqCst)).sum()
    }
}

fn address(n: u32) -> [u8; 16] {
    let mut address = [0; 16];
    address[10..12].fill(0xff);
    address[12..].copy_from_slice(&n.to_be_bytes());
    address
}

/// A hash good enough for tests.
fn hash(address: &[u8; 16]) -> u64 {
    let n = u128::from_be_bytes(*address);
    let mut x = (n as u64 ^ (n >> 64) as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn keep() -> Keep {
    Keep { block: Some(Bound { count: 3, seconds: 600 }), limits: vec![Some(Bound { count: 5, seconds: 600 }), None], low_seconds: 86_400 }
}

fn insert<'a>(table: &Table<'a>, n: u32, now: u32) -> Client<'a> {
    table.find_or_insert(&address(n), hash(&address(n)), now, &keep(), &mut |_| false).unwrap()
}

fn find<'a>(table: &Table<'a>, n: u32) -> Option<Client<'a>> {
    table.find(&address(n), hash(&address(n)))
}

fn add(by: u32, now: u32) -> impl Fn(Counter) -> Counter {
    move |old| Counter { count: old.count.saturating_add(by), start: if old.count == 0 { now } else { old.start } }
}

/// Several clients of the first bucket.
fn of_one_bucket(table: &Table<'_>) -> impl Iterator<Item = u32> {
    let slots = table.slots();
    (1_u32..).filter(move |n| slots == WAYS || (u128::from(hash(&address(*n)) >> 32) * (slots / WAYS) as u128) >> 32 == 0)
}

#[test]
fn a_new_client_has_nothing_and_is_found_again() {
    let memory = Memory::new(100, 2);
    let table = memory.table();
    assert!(find(&table, 7).is_none());
    let client = insert(&table, 7, NOW);
    assert_eq!((client.address(), client.seen(NOW), client.marks(NOW), client.pace()), (address(7), NOW, Marks::default(), Pace::default()));
    assert_eq!((client.block(NOW), client.limit(0, NOW), client.limit(1, NOW), client.limit(2, NOW)), Default::default());
    assert_eq!((client.events(NOW), client.statistics(), client.limits()), (Counter { count: 0, start: NOW }, Statistics::default(), 2));
    assert_eq!(client.change_block(NOW, add(2, NOW)), Ok((Counter::default(), Counter { count: 2, start: NOW })));
    assert_eq!(client.change_limit(1, NOW, add(u32::MAX, 5)), Ok((Counter::default(), Counter { count: u32::MAX, start: 5 })));
    assert_eq!(client.change_limit(1, NOW, add(1, 5)).unwrap().1.count, u32::MAX);
    assert_eq!(client.change_limit(2, NOW, add(1, 5)), Err(Gone));
    client.change_marks(NOW, |_| Marks { vip: true, low_since: Some(NOW - 3), flags: 0xfd, ..Marks::default() }).unwrap();
    assert_eq!(client.change_refusals(|n| n + 21), Ok((0, 21)));
    let again = insert(&table, 7, NOW + 9);
    assert_eq!((again.id(), again.seen(NOW + 9), again.refusals()), (client.id(), NOW + 9, 21));
    assert_eq!(again.block(NOW + 9), Counter { count: 2, start: NOW });
    assert_eq!(again.marks(NOW + 9), Marks { vip: true, low_since: Some(NOW - 3), flags: 0xfd, ..Marks::default() });
    assert_eq!(again.add_statistics(&Statistics { responses: [1, 2, 3, 4, 5], activity: 6 }).responses, [1, 2, 3, 4, 5]);
    assert_eq!(table.get(client.id()).map(|client| client.statistics().activity), Some(6));
    assert_eq!((0..table.slots()).filter_map(|slot| table.at(slot)).count(), 1);
}

#[test]
fn the_least_worthy_and_oldest_goes_first_and_is_counted() {
    let memory = Memory::new(1, 2);
    let table = memory.table();
    let all = of_one_bucket(&table).take(2 * WAYS).collect::<Vec<_>>();
    for (age, n) in all[..WAYS].iter().enumerate() {
        insert(&table, *n, NOW + age as u32);
    }
    // The oldest ones: blocked, limited, VIP, counting, low priority; then three plain ones.
    insert(&table, all[0], NOW).change_block(NOW, add(3, NOW)).unwrap();
    insert(&table, all[1], NOW).change_limit(0, NOW, add(5, NOW)).unwrap();
    insert(&table, all[2], NOW).change_marks(NOW, |_| Marks { vip: true, ..Marks::default() }).unwrap();
    insert(&table, all[3], NOW).change_block(NOW, add(1, NOW)).unwrap();
    insert(&table, all[4], NOW).change_marks(NOW, |_| Marks { low_since: Some(NOW), flags: 1, ..Marks::default() }).unwrap();
    let after = NOW + 100;
    let mut newcomers = all[WAYS..].iter();
    let mut next = |gone: usize, open: Option<usize>| {
        let n = *newcomers.next().unwrap();
        let busy = open.map(|index| address(all[index]));
        let client = table.find_or_insert(&address(n), hash(&address(n)), after, &keep(), &mut |address| Some(*address) == busy).unwrap();
        // A newcomer is worth as much as what is left, so that the next one does not drive it out.
        client.change_marks(after, |_| Marks { vip: true, ..Marks::default() }).unwrap();
        assert!(find(&table, all[gone]).is_none(), "{gone} should be gone");
        (0..WAYS).filter(|index| find(&table, all[*index]).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(next(6, Some(5)), [0, 1, 2, 3, 4, 5, 7], "the oldest plain one has an open connection");
    assert_eq!(next(5, None), [0, 1, 2, 3, 4, 7]);
    assert_eq!(next(7, None), [0, 1, 2, 3, 4]);
    assert_eq!(next(4, None), [0, 1, 2, 3]);
    assert_eq!(next(3, None), [0, 1, 2]);
    let counts = memory.shares.evicted.each_ref().map(|counter| counter.load(crate::sync::Ordering::SeqCst));
    assert_eq!(counts, [3, 1, 1, 0]);
    // Nothing else can go: the oldest protected one does.
    assert_eq!(next(0, None).len(), 2);
    assert_eq!(memory.shares.evicted[3].load(crate::sync::Ordering::SeqCst), 1);
}

#[test]
fn who_holds_an_evicted_client_changes_nothing() {
    let memory = Memory::new(1, 1);
    let table = memory.table();
    let all = of_one_bucket(&table).take(WAYS + 1).collect::<Vec<_>>();
    let old = insert(&table, all[0], NOW);
    for n in &all[1..] {
        insert(&table, *n, NOW + 1);
    }
    let new = find(&table, all[WAYS]).unwrap();
    assert_eq!(new.id().slot, old.id().slot);
    assert!(!old.is_here() && table.get(old.id()).is_none());
    assert_eq!(old.change_block(NOW, add(9, NOW)), Err(Gone));
    assert_eq!(old.change_limit(0, NOW, add(9, NOW)), Err(Gone));
    assert_eq!(old.change_marks(NOW, |_| Marks { vip: true, ..Marks::default() }), Err(Gone));
    assert_eq!(old.change_pace(|_| Pace { per_second: 9, delay_ms: 9 }), Err(Gone));
    assert_eq!((new.block(NOW), new.limit(0, NOW), new.marks(NOW), new.pace()), Default::default());
}

#[derive(Clone, Debug)]
enum Step {
    Block(u32, u32),
    Limit(u32, u32),
    Vip(u32, bool),
    Look(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0_u32..40;
    prop::collection::vec(
        prop_oneof![
            (client.clone(), 0_u32..9).prop_map(|(c, n)| Step::Block(c, n)),
            (client.clone(), 0_u32..9).prop_map(|(c, n)| Step::Limit(c, n)),
            (client.clone(), any::<bool>()).prop_map(|(c, vip)| Step::Vip(c, vip)),
            client.prop_map(Step::Look),
        ],
        1..200,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// With room for all, the table is a map.
    #[test]
    fn a_table_with_room_is_a_map(steps in steps()) {
        let memory = Memory::new(64, 2);
        let table = memory.table();
        let mut map: HashMap<u32, (u32, u32, bool)> = HashMap::new();
        for step in steps {
            match step {
                Step::Block(c, n) => { map.entry(c).or_default().0 += n; insert(&table, c, NOW).change_block(NOW, add(n, NOW)).unwrap(); }
                Step::Limit(c, n) => { map.entry(c).or_default().1 += n; insert(&table, c, NOW).change_limit(0, NOW, add(n, NOW)).unwrap(); }
                Step::Vip(c, vip) => {
                    map.entry(c).or_default().2 = vip;
                    insert(&table, c, NOW).change_marks(NOW, |marks| Marks { vip, ..marks }).unwrap();
                }
                Step::Look(c) => prop_assert_eq!(find(&table, c).is_some(), map.contains_key(&c)),
            }
        }
        for (c, (block, limit, vip)) in &map {
            let client = find(&table, *c).unwrap();
            prop_assert_eq!((client.block(NOW).count, client.limit(0, NOW).count, client.marks(NOW).vip), (*block, *limit, *vip));
        }
        prop_assert_eq!((0..table.slots()).filter_map(|slot| table.at(slot)).count(), map.len());
        prop_assert_eq!(memory.evictions(), 0);
    }

    /// In a table that is much too small, what is protected stays while anything else can go, and every client has one entry at most.
    #[test]
    fn a_table_without_room_keeps_what_is_protected(steps in steps()) {
        let memory = Memory::new(1, 2);
        let table = memory.table();
        let mut blocked: Vec<u32> = Vec::new();
        for step in steps {
            let (Step::Block(c, _) | Step::Limit(c, _) | Step::Vip(c, _) | Step::Look(c)) = step;
            let client = insert(&table, c, NOW);
            if matches!(step, Step::Block(..)) && blocked.len() < WAYS / 2 && !blocked.contains(&c) {
                client.change_block(NOW, add(3, NOW)).unwrap();
                blocked.push(c);
            }
            let mut addresses = (0..table.slots()).filter_map(|slot| table.at(slot)).map(|client| client.address()).collect::<Vec<_>>();
            let all = addresses.len();
            addresses.sort();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), all);
            for c in &blocked {
                prop_assert_eq!(find(&table, *c).map(|client| client.block(NOW).count), Some(3));
            }
        }
    }
}

fn leaked(buckets: usize) -> (&'static Memory, Table<'static>) {
    let memory: &'static Memory = Box::leak(Box::new(Memory::new(buckets, 1)));
    (memory, memory.table())
}

/// Everybody has one entry at most, and it is whole.
fn check(table: &Table<'_>, clients: &[u32]) {
    for n in clients {
        let entries = (0..table.slots()).filter_map(|slot| table.at(slot)).filter(|client| client.address() == address(*n)).collect::<Vec<_>>();
        assert!(entries.len() <= 1, "client {n} has {} entries", entries.len());
    }
}

/// A process dies at any step of an insertion into a full bucket; others go on as if it had not been there.
#[test]
fn killed_at_every_step_of_an_insertion() {
    for victim_of in [0, WAYS] {
        let mut step = 0;
        loop {
            let (_, table) = leaked(1);
            let all = of_one_bucket(&table).take(WAYS + 4).collect::<Vec<_>>();
            for (age, n) in all[..victim_of.min(WAYS)].iter().enumerate() {
                insert(&table, *n, NOW + age as u32).change_block(NOW, add(9, NOW - 10_000)).unwrap();
            }
            let new = all[WAYS];
            let finished = killed_after(step, || insert(&table, new, NOW + 50).change_block(NOW, add(1, NOW)).unwrap()).is_some();
            check(&table, &all);
            // The same client comes again, and a few others.
            let before = find(&table, new).map_or(0, |client| client.block(NOW).count);
            assert!(before <= 1, "killed before step {step}: another one's {before} events");
            let again = insert(&table, new, NOW + 51);
            assert_eq!(again.block(NOW).count, before, "killed before step {step}");
            for n in &all[WAYS + 1..] {
                assert_eq!(insert(&table, *n, NOW + 52).block(NOW).count, 0, "killed before step {step}");
            }
            check(&table, &all);
            assert!((0..table.slots()).all(|slot| table.at(slot).is_some()) || victim_of == 0, "killed before step {step}: a slot is lost");
            if finished {
                break;
            }
            step += 1;
        }
        assert!(step > 20, "{step} steps are too few to be all");
    }
}

/// A slot that a dead process has claimed serves others.
#[test]
fn a_dead_claim_is_evicted() {
    let mut step = 0;
    loop {
        let (_, table) = leaked(1);
        let all = of_one_bucket(&table).take(3 * WAYS).collect::<Vec<_>>();
        let finished = killed_after(step, || insert(&table, all[0], NOW)).is_some();
        for (age, n) in all[1..].iter().enumerate() {
            insert(&table, *n, NOW + 1 + age as u32);
        }
        let here = all[2 * WAYS..].iter().filter(|n| find(&table, **n).is_some()).count();
        assert_eq!(here, WAYS, "killed before step {step}");
        if finished {
            break;
        }
        step += 1;
    }
}

/// While one inserts, another does something at each step: inserts the same client, another one, evicts it, counts for it.
#[test]
fn interrupted_at_every_step_of_an_insertion() {
    for full in [false, true] {
        for what in 0..5 {
            let mut at = 0;
            loop {
                let (memory, table) = leaked(1);
                let all = of_one_bucket(&table).take(5 * WAYS).collect::<Vec<_>>();
                if full {
                    for n in &all[WAYS..2 * WAYS] {
                        insert(&table, *n, NOW - 1);
                    }
                }
                let (same, others, many) = (all[0], all[1..WAYS].to_vec(), all[3 * WAYS..].to_vec());
                let reached = Rc::new(std::cell::Cell::new(false));
                let seen = Rc::clone(&reached);
                let hook = move |step| {
                    if step == at {
                        seen.set(true);
                        match what {
                            0 => {
                                insert(&table, same, NOW);
                            }
                            1 => others.iter().for_each(|n| {
                                insert(&table, *n, NOW);
                            }),
                            2 => {
                                insert(&table, same, NOW).change_block(NOW, add(1, NOW)).unwrap();
                            }
                            // Every slot changes hands, the claimed one last: its client is not the next to go.
                            4 => many.iter().take(WAYS).zip(1..).for_each(|(n, later)| {
                                let client = insert(&table, *n, NOW + later);
                                client.change_marks(NOW, |_| Marks { vip: true, ..Marks::default() }).unwrap();
                                client.change_block(NOW, add(1, NOW)).unwrap();
                                client.add_statistics(&Statistics { responses: [1; 5], activity: 1 });
                            }),
                            _ => {
                                insert(&table, same, NOW).change_block(NOW, add(1, NOW)).unwrap();
                                others.iter().for_each(|n| {
                                    insert(&table, *n, NOW);
                                });
                            }
                        }
                    }
                };
                let after = interrupted(hook, || insert(&table, same, NOW).change_block(NOW, add(1, NOW)).map(|(_, new)| new.count));
                check(&table, &all);
                let count = find(&table, same).map_or(0, |client| client.block(NOW).count);
                for other in all[3 * WAYS..].iter().filter_map(|n| find(&table, *n)) {
                    assert_eq!((other.block(NOW).count, other.statistics().activity), (1, 1), "interrupted before step {at}: another client was changed");
                }
                // No entry is lost where nobody dies.
                let linked =
                    memory.tags.iter().take(WAYS).filter(|tag| super::words::Tag(tag.load(crate::sync::Ordering::SeqCst)).entry().is_some()).count() as u64;
                let spare = memory.shares.spares.iter().filter(|spare| spare.load(crate::sync::Ordering::SeqCst) != 0).count() as u64;
                assert_eq!(memory.shares.given.load(crate::sync::Ordering::SeqCst), linked + spare, "interrupted before step {at} by {what}");
                let expected = if what < 2 || what == 4 || !reached.get() { 1 } else { 2 };
                match after {
                    Ok(_) => assert_eq!(count, expected, "interrupted before step {at} by {what}, full: {full}"),
                    // It was evicted between the insertion and the count: the caller is told.
                    Err(Gone) => assert!(count < expected, "interrupted before step {at} by {what}"),
                }
                if !reached.get() {
                    break;
                }
                at += 1;
            }
            assert!(at > 20);
        }
    }
}

/// Entries that killed processes took with them are missing; those that slots have go on serving.
#[test]
fn without_a_free_entry_those_that_are_there_serve() {
    let memory: &'static Memory = Box::leak(Box::new(Memory::with_slack(1, 1, 0)));
    let table = memory.table();
    let all = of_one_bucket(&table).take(4 * WAYS).collect::<Vec<_>>();
    let lost = (0..200).filter(|step| killed_after(*step, || insert(&table, all[0], NOW)).is_none()).count();
    assert!(lost > 0);
    for (age, n) in all[1..].iter().enumerate() {
        insert(&table, *n, NOW + age as u32).change_block(NOW, add(1, NOW)).unwrap();
        assert_eq!(find(&table, *n).unwrap().block(NOW).count, 1);
    }
    let here = all.iter().filter(|n| find(&table, **n).is_some()).count();
    assert!((WAYS / 2..=WAYS).contains(&here), "{here}");
    check(&table, &all);
}

#[test]
fn killed_in_the_middle_of_a_change_loses_one_event_at_most() {
    for step in 0..40 {
        let (_, table) = leaked(4);
        let client = insert(&table, 1, NOW);
        let finished = killed_after(step, || client.change_block(NOW, add(1, NOW))).is_some();
        let count = client.block(NOW).count;
        assert!(count == 1 || (count == 0 && !finished));
        client.change_block(NOW, add(1, NOW)).unwrap();
        assert_eq!(client.block(NOW).count, count + 1);
    }
}

const NAMES: [u64; 3] = [11, 22, 33];

fn sizing(entries: u32, variables: &[u64]) -> ClientSizing {
    ClientSizing { entries, variables: variables.to_vec(), secret_check: 42 }
}

#[test]
fn a_mapping_is_found_again_and_holds_four_limits_in_128_bytes() {
    let table = ClientTable::create(&sizing(100_000, &[1, 2, 3, 4])).unwrap();
    assert_eq!(table.capacity(), 100_000);
    assert!(table.bytes() / table.capacity() <= 128, "{} bytes per client", table.bytes() / table.capacity());
    table.find_or_insert(&address(7), hash(&address(7)), NOW, &keep(), &mut |_| false).unwrap().change_limit(3, NOW, add(9, NOW)).unwrap();
    // SAFETY: the base of a table of this process.
    let found = unsafe { ClientTable::attach(table.base()) }.unwrap();
    assert_eq!(found.find(&address(7), hash(&address(7))).unwrap().limit(3, NOW).count, 9);
    assert_eq!((found.used(), found.variables(), found.evicted()), (1, [1, 2, 3, 4].as_slice(), [0; WORTHS]));
    assert!(found.fits(&sizing(99_999, &[4, 3, 2, 1])) && !found.fits(&sizing(100_001, &[1, 2, 3, 4])) && !found.fits(&sizing(100_000, &[1, 2, 3])));
    assert!(!found.fits(&ClientSizing { secret_check: 43, ..sizing(100_000, &[1, 2, 3, 4]) }));
    // SAFETY: not used any more.
    unsafe { table.unmap() };
}

#[test]
fn sizes_out_of_range_and_foreign_memory_are_refused() {
    assert_eq!(ClientTable::create(&sizing(0, &[])).err(), Some(ClientTableError::Sizes));
    assert_eq!(ClientTable::create(&sizing(u32::MAX, &[])).err(), Some(ClientTableError::Sizes));
    assert_eq!(ClientTable::create(&sizing(1, &[0; 5000])).err(), Some(ClientTableError::Sizes));
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let page = Box::new(Page([1; 4096]));
    let base = std::ptr::NonNull::from(&page.0).cast();
    // SAFETY: a readable page.
    assert_eq!(unsafe { ClientTable::attach(base) }.err(), Some(ClientTableError::Foreign));
}

#[test]
fn clients_move_to_a_table_of_another_size_and_other_variables() {
    let old = ClientTable::create(&sizing(1000, &NAMES)).unwrap();
    for n in 0..200 {
        let client = old.find_or_insert(&address(n), hash(&address(n)), NOW - 500 + n, &keep(), &mut |_| false).unwrap();
        client.change_limit(0, NOW, add(1000 + n, NOW - 3)).unwrap();
        client.change_limit(2, NOW, add(2000 + n, NOW - 4)).unwrap();
        client.change_block(NOW, add(n, NOW - 5)).unwrap();
        client.change_refusals(|_| n).unwrap();
        client.change_marks(NOW, |_| Marks { vip: n % 2 == 0, low_since: (n % 3 == 0).then_some(NOW - n), flags: n as u8, ..Marks::default() }).unwrap();
        client.change_events(NOW, |_| Counter { count: n, start: NOW - 6 }).unwrap();
        client.change_pace(|_| Pace { per_second: n, delay_ms: n }).unwrap();
        client.add_statistics(&Statistics { responses: [n, 1, 2, 3, 4], activity: n });
    }
    let new = ClientTable::create(&sizing(8000, &[33, 44, 11])).unwrap();
    assert_eq!(new.take_over(&old, NOW, &Keep::default(), &hash), Resumed { moved: 200, dropped: 0 });
    for n in 0..200 {
        let client = new.find(&address(n), hash(&address(n))).unwrap();
        assert_eq!(client.seen(NOW), NOW - 500 + n);
        assert_eq!([0, 1, 2].map(|column| client.limit(column, NOW).count), [2000 + n, 0, 1000 + n]);
        assert_eq!(client.limit(2, NOW).start, NOW - 3);
        assert_eq!((client.block(NOW).count, client.refusals(), client.events(NOW)), (n, n, Counter { count: n, start: NOW - 6 }));
        assert_eq!(client.marks(NOW), Marks { vip: n % 2 == 0, low_since: (n % 3 == 0).then_some(NOW - n), flags: n as u8, ..Marks::default() });
        assert_eq!((client.pace().delay_ms, client.statistics()), (n, Statistics { responses: [n, 1, 2, 3, 4], activity: n }));
    }
    // SAFETY: not used any more.
    unsafe { (old.unmap(), new.unmap()) };
}

#[test]
fn a_smaller_table_keeps_those_worth_most() {
    let old = ClientTable::create(&sizing(8000, &NAMES)).unwrap();
    for n in 0..4000 {
        let client = old.find_or_insert(&address(n), hash(&address(n)), NOW - n, &keep(), &mut |_| false).unwrap();
        if n % 100 == 99 {
            client.change_marks(NOW, |_| Marks { vip: true, ..Marks::default() }).unwrap();
        }
    }
    let new = ClientTable::create(&sizing(800, &NAMES)).unwrap();
    let resumed = new.take_over(&old, NOW, &keep(), &hash);
    assert_eq!(resumed.moved + resumed.dropped, old.used());
    assert!(new.used() > 700);
    assert!((0..40).all(|n| new.find(&address(n * 100 + 99), hash(&address(n * 100 + 99))).is_some()), "a VIP is lost");
    let seen = new.iter(0).filter(|(_, client)| !client.marks(NOW).vip).map(|(_, client)| NOW - client.seen(NOW)).max().unwrap();
    assert!(seen < 2500, "an old one was kept: {seen}");
    // SAFETY: not used any more.
    unsafe { (old.unmap(), new.unmap()) };
}
