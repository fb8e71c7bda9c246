//! Two that insert into one bucket, in every order of their accesses.

use super::rank::Keep;
use super::table::{BUCKET_WORDS, Shares, Table, WAYS, entry_words};
use crate::sync::AtomicU64;
use loom::sync::Arc;

struct Memory {
    tags: Vec<AtomicU64>,
    entries: Vec<AtomicU64>,
    shares: Shares,
}

impl Memory {
    fn new() -> Memory {
        let zeros = |n| (0..n).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
        Memory { tags: zeros(BUCKET_WORDS), entries: zeros(2 * WAYS * entry_words(0)), shares: Shares::default() }
    }

    fn table(&self) -> Table<'_> {
        Table::new(&self.tags, &self.entries, &self.shares, 0)
    }
}

fn insert(memory: &Memory, client: u8) -> bool {
    let address = [client; 16];
    let table = memory.table();
    let found = table.find_or_insert(&address, u64::from(client), 100, &Keep::default(), &mut |_| false);
    found.is_some_and(|found| found.change_block(100, |old| qos_core::client::Counter { count: old.count + 1, start: 100 }).is_ok())
}

fn entries(memory: &Memory, client: u8) -> Vec<u32> {
    let table = memory.table();
    let all = (0..table.slots()).filter_map(|slot| table.at(slot));
    all.filter(|found| found.address() == [client; 16]).map(|found| found.block(100).count).collect()
}

fn model(first: u8, second: u8, check: impl Fn(&Memory) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let memory = Arc::new(Memory::new());
        let other = Arc::clone(&memory);
        let thread = loom::thread::spawn(move || insert(&other, second));
        let mine = insert(&memory, first);
        let theirs = thread.join().unwrap();
        assert!(mine && theirs);
        check(&memory);
    });
}

/// The same client has one entry, and both events are in it.
#[test]
fn loom_one_client_inserted_twice() {
    model(1, 1, |memory| assert_eq!(entries(memory, 1), [2]));
}

#[test]
fn loom_two_clients_of_one_bucket() {
    model(1, 2, |memory| assert_eq!((entries(memory, 1), entries(memory, 2)), (vec![1], vec![1])));
}
