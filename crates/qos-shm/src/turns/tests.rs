//! Queues against plain lists, and the bench that the other tests of queues work on.

use super::*;
use crate::counts::{Bucket, CountTable, HoldingCell, Holdings};
use proptest::prelude::*;
use std::collections::HashMap;

/// Places on the heap, with a real count table.
pub(crate) struct Bench {
    cells: Vec<TurnCell>,
    holdings: Vec<HoldingCell>,
    buckets: Vec<Bucket>,
    marks: Vec<AtomicU64>,
    tickets: AtomicU64,
}

struct Row<'a>(&'a [HoldingCell]);

impl Holdings for Row<'_> {
    fn holding(&self, index: u32) -> Option<&HoldingCell> {
        self.0.get(index as usize)
    }
}

impl Places for &Bench {
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
        self.table().enter(place, key)
    }
    fn leave(&self, place: u32) -> u32 {
        self.table().leave(place)
    }
    fn settle(&self, place: u32) {
        self.table().settle(place);
    }
}

impl Bench {
    pub fn new(places: usize) -> Self {
        Self {
            cells: (0..places).map(|_| TurnCell::default()).collect(),
            holdings: (0..places).map(|_| HoldingCell::default()).collect(),
            buckets: vec![Bucket::default()],
            marks: (0..places.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            tickets: AtomicU64::new(0),
        }
    }

    pub fn turns(&self) -> TurnTable<&Self> {
        TurnTable(self)
    }

    fn table(&self) -> CountTable<'_, Row<'_>> {
        CountTable::new(&self.buckets, Row(&self.holdings))
    }

    /// Place, key and state of each place that is not free.
    fn taken(&self) -> Vec<(usize, u64, State)> {
        let cells = self.cells.iter().enumerate().map(|(n, cell)| (n, cell.state()));
        cells.filter(|(_, state)| state.phase() != Phase::Free).map(|(n, state)| (n, self.holdings[n].key().load(SeqCst), state)).collect()
    }

    pub fn holds(&self, place: u32) -> bool {
        self.cells[place as usize].state().phase() == Phase::Holding
    }

    /// At any instant: one at most holds a key.
    pub fn exclusive(&self, context: &str) {
        let mut holders: Vec<_> = self.taken().iter().filter(|(_, _, state)| state.phase() == Phase::Holding).map(|&(_, key, _)| key).collect();
        holders.sort_unstable();
        assert!(holders.windows(2).all(|two| two[0] != two[1]), "two hold {holders:x?}: {context}");
    }

    /// Nobody is at work: counts and marks are those of the places, and who could have the turn holds it or knows.
    pub fn audit(&self, context: &str) {
        self.exclusive(context);
        let taken = self.taken();
        for &(n, _, state) in &taken {
            assert!(matches!(state.phase(), Phase::Queued | Phase::Holding), "place {n} is {:?}: {context}", state.phase());
            assert!(self.holdings[n].counted().is_some(), "place {n} does not count: {context}");
        }
        let marks: u32 = self.marks.iter().map(|word| word.load(SeqCst).count_ones()).sum();
        assert!(marks as usize == taken.len() && taken.iter().all(|(n, ..)| self.marks[n / 64].load(SeqCst) >> (n % 64) & 1 == 1), "marks: {context}");
        for n in 0..9 {
            let queue: Vec<_> = taken.iter().filter(|&&(_, k, _)| k == key(n).raw()).collect();
            assert_eq!(self.table().count(key(n)) as usize, queue.len(), "key {n}: {context}");
            let held = queue.iter().any(|(_, _, state)| state.phase() == Phase::Holding);
            let first = queue.iter().min_by_key(|(_, _, state)| state.ticket()).map(|&&(n, ..)| &self.cells[n]);
            if let (false, Some(first)) = (held, first) {
                assert!(first.is_told(), "the first of key {n} sleeps: {context}");
            }
        }
    }

    /// All have their turn, in the order of tickets; each is told so by who leaves.
    pub fn drain(&self, context: &str) {
        let mut taken = self.taken();
        taken.sort_by_key(|&(_, key, state)| (key, state.phase() != Phase::Holding, state.ticket()));
        for queue in taken.chunk_by(|one, other| one.1 == other.1) {
            for (n, first) in queue.iter().enumerate() {
                for (before, &(place, ..)) in (0..).zip(&queue[n..]) {
                    let turn = if before == 0 { Turn::Mine } else { Turn::After(before) };
                    assert_eq!(self.turns().turn(place as u32), Some(turn), "place {place} of {queue:?}: {context}");
                }
                self.turns().leave(first.0 as u32);
                self.audit(context);
            }
        }
        assert_eq!(self.turns().waiting(), 0);
    }
}

/// All in one bucket.
pub(crate) fn key(n: u64) -> CountKey {
    CountKey::from_raw(n << 24)
}

#[derive(Clone, Debug)]
enum Step {
    Queue(u32, usize),
    Turn(u32),
    Leave(u32),
    Settle(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..70_u32, 0..4_usize).prop_map(|(place, key)| Step::Queue(place, key)),
        3 => (0..70_u32).prop_map(Step::Turn),
        2 => (0..70_u32).prop_map(Step::Leave),
        1 => (0..70_u32).prop_map(Step::Settle),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Four queues against lists: the place in the list is the answer.
    #[test]
    fn behaves_like_lists(steps in steps()) {
        let bench = Bench::new(70);
        let turns = bench.turns();
        let mut lists: [Vec<u32>; 4] = Default::default();
        let mut at: HashMap<u32, usize> = HashMap::new();
        let expected = |lists: &[Vec<u32>; 4], at: &HashMap<u32, usize>, place: u32| {
            let position = lists[*at.get(&place)?].iter().position(|&other| other == place)?;
            Some(if position == 0 { Turn::Mine } else { Turn::After(position as u32) })
        };
        for step in steps {
            let (Step::Queue(place, _) | Step::Turn(place) | Step::Leave(place) | Step::Settle(place)) = step;
            if !matches!(step, Step::Turn(_)) {
                if let Some(list) = at.remove(&place) {
                    lists[list].retain(|&other| other != place);
                }
            }
            match step {
                Step::Queue(_, n) => {
                    lists[n].push(place);
                    at.insert(place, n);
                    prop_assert_eq!(turns.queue(place, key(n as u64)), expected(&lists, &at, place));
                }
                Step::Turn(_) => prop_assert_eq!(turns.turn(place), expected(&lists, &at, place)),
                Step::Leave(_) => turns.leave(place),
                Step::Settle(_) => turns.settle(place),
            }
            bench.audit("");
        }
        for &place in at.keys() {
            prop_assert_eq!(turns.turn(place), expected(&lists, &at, place));
        }
        bench.drain("");
    }
}

#[test]
fn what_is_no_place_is_in_no_queue() {
    let bench = Bench::new(2);
    let turns = bench.turns();
    assert_eq!((turns.queue(2, key(1)), turns.turn(2), turns.turn(0)), (None, None, None));
    turns.leave(2);
    turns.settle(u32::MAX);
    turns.wait(2, NET);
    turns.wait(0, NET);
    bench.audit("");
}

/// Without room in the count table nobody is queued, and nothing stays behind.
#[test]
fn no_room_for_the_key() {
    let bench = Bench::new(8);
    let turns = bench.turns();
    for n in 0..5 {
        assert_eq!(turns.queue(n, key(n.into())), Some(Turn::Mine));
    }
    assert_eq!((turns.queue(5, key(5)), turns.turn(5)), (None, None));
    bench.audit("");
    assert_eq!(turns.queue(6, key(2)), Some(Turn::After(1)));
    assert_eq!(turns.queue(6, key(6)), None, "has left the queue before it");
    turns.leave(2);
    assert_eq!(turns.queue(5, key(5)), Some(Turn::Mine));
    bench.audit("");
}

/// One who looks away when it is told comes back at once; who is not told sleeps until its time is over.
#[test]
fn wait_ends_with_the_wake_up() {
    let bench = Bench::new(3);
    let turns = bench.turns();
    assert_eq!(turns.queue(0, key(1)), Some(Turn::Mine));
    assert_eq!(turns.queue(1, key(1)), Some(Turn::After(1)));
    assert_eq!(turns.queue(2, key(1)), Some(Turn::After(2)));
    let start = std::time::Instant::now();
    turns.wait(1, Duration::from_millis(30));
    assert!(start.elapsed() >= Duration::from_millis(29));
    turns.leave(0);
    let start = std::time::Instant::now();
    for _ in 0..20 {
        turns.wait(1, Duration::from_secs(3600));
    }
    assert!(start.elapsed() < Duration::from_secs(10), "sleeps although it was told");
    assert_eq!(turns.turn(1), Some(Turn::Mine));
    turns.wait(1, Duration::from_secs(3600));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while turns.turn(2) != Some(Turn::Mine) {
                bench.turns().wait(2, Duration::from_secs(3600));
            }
        });
        std::thread::sleep(Duration::from_millis(20));
        bench.turns().leave(1);
    });
    bench.audit("");
}

/// Threads that really sleep: each has its turns, alone.
#[test]
fn threads_take_turns() {
    let bench = Bench::new(6);
    let inside = [AtomicU32::new(0), AtomicU32::new(0)];
    std::thread::scope(|scope| {
        for place in 0..6_u32 {
            let (bench, inside) = (&bench, &inside);
            scope.spawn(move || {
                for round in 0..2000_u32 {
                    let n = ((round + place) % 7 / 4) as usize;
                    let mut turn = bench.turns().queue(place, key(n as u64)).unwrap();
                    while turn != Turn::Mine {
                        bench.turns().wait(place, Duration::from_secs(3600));
                        turn = bench.turns().turn(place).unwrap();
                    }
                    assert_eq!(inside[n].fetch_add(1, SeqCst), 0);
                    assert_eq!(inside[n].fetch_add(u32::MAX, SeqCst), 1);
                    bench.turns().leave(place);
                }
            });
        }
    });
    bench.audit("");
    assert_eq!(bench.turns().waiting(), 0);
}
