//! Models: two or three requests of one queue, in all interleavings or all with a bounded number of preemptions.
//!
//! The exact count is one word here, as its own models say that it behaves like one; but for two models with the real table.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p qos-shm --release --lib loom`

use super::*;
use crate::counts::{Bucket, CountTable, HoldingCell, Holdings};
use crate::sync::stepped::killed_after;
use loom::sync::Arc;
use loom::thread;

const PLACES: usize = 3;
const KEY: CountKey = CountKey::from_raw(1 << 24);
const OTHER: CountKey = CountKey::from_raw(2 << 24);

/// `REAL`: counted by the count table.
#[derive(Default)]
struct Bench<const REAL: bool> {
    cells: [TurnCell; PLACES],
    holdings: [HoldingCell; PLACES],
    bucket: [Bucket; 1],
    /// Of [`KEY`] and [`OTHER`].
    counts: [AtomicU64; 2],
    marks: [AtomicU64; 1],
    tickets: AtomicU64,
    /// Who is served now, of [`KEY`].
    inside: AtomicU64,
}

struct Row<'a>(&'a [HoldingCell]);

impl Holdings for Row<'_> {
    fn holding(&self, index: u32) -> Option<&HoldingCell> {
        self.0.get(index as usize)
    }
}

impl<const REAL: bool> Places for &Bench<REAL> {
    fn cell(&self, place: u32) -> Option<&TurnCell> {
        self.cells.get(place as usize)
    }
    fn key(&self, place: u32) -> Option<&AtomicU64> {
        self.holdings.get(place as usize).map(HoldingCell::key)
    }
    fn marks(&self) -> &[AtomicU64] {
        &self.marks
    }
    fn tickets(&self) -> &AtomicU64 {
        &self.tickets
    }
    fn enter(&self, place: u32, key: CountKey) -> Option<u32> {
        if REAL {
            return self.table().enter(place, key);
        }
        Some(self.count(key).fetch_add(1, SeqCst) as u32 + 1)
    }
    fn leave(&self, place: u32) -> u32 {
        if REAL {
            return self.table().leave(place);
        }
        let key = CountKey::from_raw(self.holdings[place as usize].key().load(SeqCst));
        self.count(key).fetch_add(u64::MAX, SeqCst) as u32 - 1
    }
    fn settle(&self, place: u32) {
        assert!(REAL);
        self.table().settle(place);
    }
}

impl<const REAL: bool> Bench<REAL> {
    fn turns(&self) -> TurnTable<&Self> {
        TurnTable(self)
    }

    fn table(&self) -> CountTable<'_, Row<'_>> {
        CountTable::new(&self.bucket, Row(&self.holdings))
    }

    fn count(&self, key: CountKey) -> &AtomicU64 {
        &self.counts[usize::from(key == OTHER)]
    }

    /// Served, alone, and gone.
    fn serve(&self, place: u32) {
        assert_eq!(self.inside.fetch_add(1, SeqCst), 0, "two are inside");
        self.inside.fetch_add(u64::MAX, SeqCst);
        self.turns().leave(place);
    }

    /// Comes, looks again `looks` times if it has to wait, and is served or waits on.
    fn come(&self, place: u32, looks: u32) {
        let mut turn = self.turns().queue(place, KEY);
        for _ in 0..looks {
            if turn != Some(Turn::Mine) {
                turn = self.turns().turn(place);
            }
        }
        if turn == Some(Turn::Mine) {
            self.serve(place);
        }
    }

    /// Nobody is at work. Who is first has been told, has its turn, and leaves; so does the next.
    fn drain(&self) {
        for _ in 0..PLACES {
            let first = (0_u32..).zip(&self.cells).filter(|(_, cell)| cell.state().phase() != Phase::Free).min_by_key(|(_, cell)| cell.state().ticket());
            let Some((place, cell)) = first else { break };
            assert_eq!(cell.state().phase(), Phase::Queued);
            assert!(cell.is_told(), "the first sleeps");
            assert_eq!(self.turns().turn(place), Some(Turn::Mine));
            self.serve(place);
        }
        assert_eq!(self.marks[0].load(SeqCst), 0);
        assert_eq!(if REAL { self.table().count(KEY) } else { self.counts[0].load(SeqCst) as u32 }, 0);
    }
}

/// `None`: all interleavings.
fn explore<const REAL: bool>(preemptions: Option<usize>, model: impl Fn(Arc<Bench<REAL>>) + Sync + Send + 'static) {
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

fn spawn<const REAL: bool, T: 'static>(bench: &Arc<Bench<REAL>>, work: impl FnOnce(&Bench<REAL>) -> T + 'static) -> thread::JoinHandle<T> {
    let bench = bench.clone();
    thread::spawn(move || work(&bench))
}

#[test]
fn loom_turns_two_come() {
    explore::<false>(Some(7), |bench| {
        let other = spawn(&bench, |bench| bench.come(0, 1));
        bench.come(1, 1);
        other.join().unwrap();
        bench.drain();
    });
}

#[test]
fn loom_turns_three_come() {
    explore::<false>(Some(3), |bench| {
        let others = [0, 1].map(|place| spawn(&bench, move |bench| bench.come(place, 0)));
        bench.come(2, 0);
        for other in others {
            other.join().unwrap();
        }
        bench.drain();
    });
}

/// One holds and leaves while two come: one of them has to be told.
#[test]
fn loom_turns_leaves_while_two_come() {
    explore::<false>(Some(4), |bench| {
        assert_eq!(bench.turns().queue(0, KEY), Some(Turn::Mine));
        let others = [1, 2].map(|place| spawn(&bench, move |bench| bench.come(place, 0)));
        bench.serve(0);
        for other in others {
            other.join().unwrap();
        }
        bench.drain();
    });
}

/// One gives up while the one before it leaves and another one looks.
#[test]
fn loom_turns_gives_up_while_others_leave() {
    explore::<false>(Some(4), |bench| {
        assert_eq!(bench.turns().queue(0, KEY), Some(Turn::Mine));
        assert_eq!(bench.turns().queue(1, KEY), Some(Turn::After(1)));
        assert_eq!(bench.turns().queue(2, KEY), Some(Turn::After(2)));
        let others = [spawn(&bench, |bench| bench.serve(0)), spawn(&bench, |bench| bench.turns().leave(1))];
        if bench.turns().turn(2) == Some(Turn::Mine) {
            bench.serve(2);
        }
        for other in others {
            other.join().unwrap();
        }
        bench.drain();
    });
}

/// The holder leaves for another queue while one looks: it is not seen in the queue that it has left.
#[test]
fn loom_turns_changes_the_queue_while_one_looks() {
    explore::<false>(None, |bench| {
        assert_eq!(bench.turns().queue(0, KEY), Some(Turn::Mine));
        assert_eq!(bench.turns().queue(1, KEY), Some(Turn::After(1)));
        let other = spawn(&bench, |bench| {
            assert_eq!(bench.turns().queue(0, OTHER), Some(Turn::Mine));
        });
        if bench.turns().turn(1) == Some(Turn::Mine) {
            bench.serve(1);
        }
        other.join().unwrap();
        bench.turns().leave(0);
        bench.drain();
    });
}

/// Two come, with the real count table.
#[test]
fn loom_turns_two_come_and_are_counted() {
    explore::<true>(Some(3), |bench| {
        let other = spawn(&bench, |bench| bench.come(0, 0));
        bench.come(1, 0);
        other.join().unwrap();
        bench.drain();
    });
}

/// One is killed before step k of coming and leaving, another one comes at the same time; after both, the dead one is settled.
#[test]
fn loom_turns_killed() {
    for k in 0..70 {
        explore::<true>(Some(3), move |bench| {
            let victim = spawn(&bench, move |bench| {
                killed_after(k, || {
                    if bench.turns().queue(0, KEY) == Some(Turn::Mine) {
                        bench.turns().leave(0);
                    }
                })
                .is_some()
            });
            let turn = bench.turns().queue(1, KEY);
            assert!(turn.is_some());
            let _ = victim.join().unwrap();
            bench.turns().settle(0);
            if turn == Some(Turn::Mine) {
                bench.serve(1);
            }
            bench.drain();
        });
    }
}

/// The holder is settled after its death, while another one comes and a third waits.
#[test]
fn loom_turns_settled_while_one_comes() {
    explore::<true>(Some(3), |bench| {
        assert_eq!(bench.turns().queue(0, KEY), Some(Turn::Mine));
        assert_eq!(bench.turns().queue(1, KEY), Some(Turn::After(1)));
        let parent = spawn(&bench, |bench| bench.turns().settle(0));
        bench.come(2, 0);
        parent.join().unwrap();
        bench.drain();
    });
}
