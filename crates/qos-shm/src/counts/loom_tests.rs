//! Models: a few operations in one bucket, in all interleavings or all with a bounded number of preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p qos-shm --release --lib loom`

use super::*;
use crate::sync::stepped::killed_after;
use loom::sync::Arc;
use loom::thread;

#[derive(Default)]
struct Cells([HoldingCell; HOLDINGS]);

impl Holdings for &[Cells] {
    fn holding(&self, index: u32) -> Option<&HoldingCell> {
        self.get(index as usize / HOLDINGS)?.0.get(index as usize % HOLDINGS)
    }
}

#[derive(Default)]
struct Bench {
    bucket: [Bucket; 1],
    cells: [Cells; 1],
}

const ONE: CountKey = CountKey::from_raw(1 << 24);
const TWO: CountKey = CountKey::from_raw(2 << 24);
const THREE: CountKey = CountKey::from_raw(3 << 24);

impl Bench {
    fn table(&self) -> CountTable<'_, &[Cells]> {
        CountTable::new(&self.bucket, &self.cells)
    }

    fn audit(&self) {
        for key in [ONE, TWO, THREE] {
            let held = self.cells[0].0.iter().filter(|cell| cell.counted() == Some(key)).count();
            assert_eq!(self.table().count(key) as usize, held);
        }
        assert_eq!(self.bucket[0].header().operation(), None);
        for cell in &self.cells[0].0 {
            assert!(matches!(cell.word().phase(), Phase::Idle | Phase::Counted));
        }
    }
}

/// `None`: all interleavings.
fn explore(preemptions: Option<usize>, model: impl Fn(Arc<Bench>) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = runs.clone();
    builder.check(move || {
        count.fetch_add(1, SeqCst);
        model(Arc::new(Bench::default()));
    });
    println!("{} interleavings, bound {preemptions:?}", runs.load(SeqCst));
}

fn spawn<T: 'static>(bench: &Arc<Bench>, work: impl FnOnce(CountTable<'_, &[Cells]>) -> T + 'static) -> thread::JoinHandle<T> {
    let bench = bench.clone();
    thread::spawn(move || work(bench.table()))
}

#[test]
fn loom_two_add_the_same_key() {
    explore(None, |bench| {
        let other = spawn(&bench, |table| table.enter(0, ONE));
        let mine = bench.table().enter(1, ONE);
        let mut counts = [mine, other.join().unwrap()];
        counts.sort();
        assert_eq!(counts, [Some(1), Some(2)]);
        bench.audit();
    });
}

#[test]
fn loom_two_add_different_keys() {
    explore(None, |bench| {
        let other = spawn(&bench, |table| table.enter(0, ONE));
        assert_eq!(bench.table().enter(1, TWO), Some(1));
        assert_eq!(other.join().unwrap(), Some(1));
        bench.audit();
    });
}

#[test]
fn loom_one_place_for_two_keys() {
    explore(None, |bench| {
        assert_eq!(bench.table().enter(2, THREE), Some(1));
        let other = spawn(&bench, |table| table.enter(0, ONE));
        let mine = bench.table().enter(1, TWO);
        assert_eq!(mine.is_some() as u32 + other.join().unwrap().is_some() as u32, 1);
        bench.audit();
    });
}

#[test]
fn loom_add_and_remove_against_the_same() {
    explore(Some(4), |bench| {
        let work = |table: CountTable<'_, &[Cells]>, holding| {
            let up = table.enter(holding, ONE);
            let down = table.leave(holding);
            (up, down)
        };
        let other = spawn(&bench, move |table| work(table, 0));
        let (up, down) = work(bench.table(), 1);
        let (other_up, other_down) = other.join().unwrap();
        assert!(up.is_some_and(|n| (1..=2).contains(&n)) && other_up.is_some_and(|n| (1..=2).contains(&n)));
        assert!(down == 0 || other_down == 0);
        assert_eq!(bench.table().count(ONE), 0);
        bench.audit();
    });
}

#[test]
fn loom_removes_of_one_key_and_an_add_of_another() {
    explore(None, |bench| {
        assert_eq!(bench.table().enter(0, ONE), Some(1));
        assert_eq!(bench.table().enter(2, THREE), Some(1));
        let other = spawn(&bench, |table| table.leave(0));
        let mine = bench.table().enter(1, TWO);
        assert_eq!(other.join().unwrap(), 0);
        assert!(mine.is_none_or(|count| count == 1));
        assert_eq!(bench.table().count(ONE), 0);
        bench.audit();
    });
}

#[test]
fn loom_three_add_the_same_key() {
    explore(Some(2), |bench| {
        let others = [0, 1].map(|holding| spawn(&bench, move |table| table.enter(holding, ONE)));
        let mut counts = vec![bench.table().enter(2, ONE)];
        counts.extend(others.map(|other| other.join().unwrap()));
        counts.sort();
        assert_eq!(counts, [Some(1), Some(2), Some(3)]);
        bench.audit();
    });
}

/// Steps of an operation that helps another one first.
const STEPS: u64 = 40;

/// One is killed before step k of an add, another one works at the same time; after both, the dead one is settled.
#[test]
fn loom_killed_while_adding() {
    for k in 0..STEPS {
        explore(Some(5), move |bench| {
            let victim = spawn(&bench, move |table| killed_after(k, || table.enter(0, ONE)).is_some());
            assert!(bench.table().enter(1, ONE).is_some());
            let _ = victim.join().unwrap();
            bench.table().settle(0);
            assert_eq!(bench.table().count(ONE), 1);
            bench.audit();
        });
    }
}

#[test]
fn loom_killed_while_removing() {
    for k in 0..STEPS {
        explore(None, move |bench| {
            assert_eq!(bench.table().enter(0, ONE), Some(1));
            let victim = spawn(&bench, move |table| killed_after(k, || table.leave(0)).is_some());
            assert!(bench.table().enter(1, ONE).is_some());
            let _ = victim.join().unwrap();
            bench.table().settle(0);
            assert_eq!(bench.table().count(ONE), 1);
            bench.audit();
        });
    }
}

/// One was killed before step k of an add. It is settled and its holding used again while another one works, and helps.
#[test]
fn loom_settled_and_reused_while_others_work() {
    for k in 0..STEPS {
        explore(Some(4), move |bench| {
            let _ = killed_after(k, || bench.table().enter(0, ONE));
            let parent = spawn(&bench, |table| {
                table.settle(0);
                table.enter(0, TWO)
            });
            assert!(bench.table().enter(1, ONE).is_some());
            assert_eq!(parent.join().unwrap(), Some(1));
            assert_eq!(bench.table().count(ONE), 1);
            assert_eq!(bench.table().count(TWO), 1);
            bench.audit();
        });
    }
}
