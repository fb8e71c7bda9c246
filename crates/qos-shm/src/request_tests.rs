//! Requests as one process sees them: counts, queues, slots.

use crate::region_tests::{Mapped, SMALL, address, assert_empty};
use crate::sync::Ordering::SeqCst;
use crate::{Child, CountKey, Holding, REQUEST_HOLDINGS, Reclaimed, Region, RequestId, Sizing, TURNS, Turn};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

const COUNTED: u64 = 7;
const QUEUED: u64 = 8;

/// Requests and connections are counted together where they have the key in common.
#[test]
fn a_request_counts_until_it_is_closed() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let child = region.register_child(10, 1).unwrap();
    let connection = child.open(&address(1), 0, 0).unwrap();
    let (one, two) = (child.open_request().unwrap(), child.open_request().unwrap());
    let keys = [1, 2, 3].map(|n| region.key(COUNTED, &address(n)));
    assert_eq!(child.enter(connection, Holding::Address, keys[0]), Some(1));
    assert_eq!(child.enter_for_request(one, 0, keys[0]), Some(2));
    assert_eq!(child.enter_for_request(one, 1, keys[1]), Some(1));
    assert_eq!(child.enter_for_request(one, 2, keys[0]), Some(3), "once per holding");
    assert_eq!(child.enter_for_request(two, 1, keys[1]), Some(2));
    assert_eq!(child.enter_for_request(two, 1, keys[2]), Some(1), "another key of the same holding");
    assert_eq!(keys.map(|key| region.count(key)), [3, 1, 1]);
    assert_eq!((child.leave_for_request(one, 2), child.leave_for_request(one, 2)), (2, 0));
    assert_eq!(child.enter_for_request(one, REQUEST_HOLDINGS, keys[0]), None);
    child.close_request(one);
    child.close_request(one);
    assert_eq!(keys.map(|key| region.count(key)), [1, 0, 1]);
    assert_eq!(child.enter_for_request(one, 0, keys[0]), None, "closed");
    assert_eq!(child.open_request(), Some(one), "the slot used last is warm");
    child.unregister();
    assert_empty(region, "");
    assert_eq!(child.open_request(), None);
}

#[test]
fn requests_take_turns() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let child = region.register_child(10, 1).unwrap();
    let [one, two, three] = [(); 3].map(|()| child.open_request().unwrap());
    let key = region.key(QUEUED, &address(1));
    assert_eq!(child.turn(one, 0), None);
    assert_eq!(child.queue(one, 0, key), Some(Turn::Mine));
    assert_eq!(child.queue(two, 1, key), Some(Turn::After(1)), "by whichever place");
    assert_eq!(child.queue(three, 0, key), Some(Turn::After(2)));
    assert_eq!((region.queued(key), region.waiting()), (3, 2));
    assert_eq!(child.queue(one, 1, region.key(QUEUED, &address(2))), Some(Turn::Mine), "two queues at a time");
    child.leave_queue(two, 1);
    assert_eq!((child.turn(two, 1), child.turn(three, 0)), (None, Some(Turn::After(1))));
    assert_eq!(child.queue(two, 1, key), Some(Turn::After(2)), "gave up, so it is the last now");
    child.close_request(one);
    child.wait(three, 0, Duration::from_secs(3600));
    assert_eq!((child.turn(two, 1), child.turn(three, 0)), (Some(Turn::After(1)), Some(Turn::Mine)));
    assert_eq!((child.turn(two, TURNS), child.queue(two, TURNS, key)), (None, None));
    child.close_request(three);
    assert_eq!(child.turn(two, 1), Some(Turn::Mine));
    child.unregister();
    assert_empty(region, "");
}

/// Holder and waiters of a dead child are gone; who waits in another child is next.
#[test]
fn a_dead_child_gives_back_its_requests() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let (dead, lives) = (region.register_child(10, 1).unwrap(), region.register_child(11, 1).unwrap());
    let (key, count) = (region.key(QUEUED, &address(1)), region.key(COUNTED, &address(1)));
    let (holder, waiter, mine) = (dead.open_request().unwrap(), dead.open_request().unwrap(), lives.open_request().unwrap());
    for (child, request, before) in [(&dead, holder, 0), (&dead, waiter, 1), (&lives, mine, 2)] {
        let turn = if before == 0 { Turn::Mine } else { Turn::After(before) };
        assert_eq!(child.queue(request, 0, key), Some(turn));
        assert_eq!(child.enter_for_request(request, 0, count), Some(before + 1));
    }
    // What is the other's is left alone.
    lives.leave_queue(holder, 0);
    lives.close_request(holder);
    assert_eq!((lives.turn(holder, 0), lives.leave_for_request(holder, 0)), (None, 0));
    let children: Vec<_> = region.children().map(|child| (child.pid, child.requests)).collect();
    assert_eq!(children, [(10, 2), (11, 1)]);
    assert_eq!(region.reclaim_child(10), Some(Reclaimed { connections: 0, requests: 2 }));
    lives.wait(mine, 0, Duration::from_secs(3600));
    assert_eq!(lives.turn(mine, 0), Some(Turn::Mine));
    assert_eq!((region.queued(key), region.count(count), region.waiting()), (1, 1, 0));
    assert_eq!(region.reclaim_missing(&mut |_| false), 1);
    assert_empty(region, "");
}

#[test]
fn every_request_slot_is_given_out_once() {
    let mapped = Mapped::new(&Sizing { children: 2, connections: 1, requests: 9, block_slots: 4 });
    let (one, two) = (mapped.0.register_child(10, 1).unwrap(), mapped.0.register_child(11, 1).unwrap());
    assert!(two.open_request().is_some());
    let ids: HashSet<_> = std::iter::from_fn(|| one.open_request()).collect();
    assert_eq!(ids.len(), 16, "all but the block of the other child");
    assert!(ids.iter().all(|id| (id.raw() as usize) < mapped.0.request_slots()));
    assert_eq!(mapped.0.reclaim_child(10), Some(Reclaimed { connections: 0, requests: 16 }));
    assert_eq!(std::iter::from_fn(|| two.open_request()).count(), 19);
}

/// Threads of two children that really sleep, each with its own requests.
#[test]
fn threads_of_two_children_take_turns() {
    let mapped = Mapped::new(&Sizing { children: 2, connections: 1, requests: 16, block_slots: 4 });
    let region = mapped.0;
    let children = [region.register_child(10, 1).unwrap(), region.register_child(11, 1).unwrap()];
    let (key, count) = (region.key(QUEUED, &address(1)), region.key(COUNTED, &address(1)));
    let inside = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for child in [&children[0], &children[0], &children[1], &children[1]] {
            let inside = &inside;
            scope.spawn(move || {
                for _ in 0..1000 {
                    let id = child.open_request().unwrap();
                    assert!(child.enter_for_request(id, 0, count).is_some_and(|count| (1..=4).contains(&count)));
                    let mut turn = child.queue(id, 0, key);
                    while turn != Some(Turn::Mine) {
                        assert!(matches!(turn, Some(Turn::After(1..=3))), "{turn:?}");
                        child.wait(id, 0, Duration::from_secs(3600));
                        turn = child.turn(id, 0);
                    }
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    inside.fetch_sub(1, SeqCst);
                    child.close_request(id);
                }
            });
        }
    });
    assert_eq!((region.count(count), region.queued(key), region.waiting()), (0, 0, 0));
    children.iter().for_each(Child::unregister);
    assert_empty(&region, "");
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Enter(usize, usize, u8),
    Leave(usize, usize),
    Queue(usize, usize, u8),
    LeaveQueue(usize, usize),
    Close(usize),
    Reclaim(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize).prop_map(Step::Open),
        4 => (0..12_usize, 0..REQUEST_HOLDINGS, 0..3_u8).prop_map(|(id, place, n)| Step::Enter(id, place, n)),
        2 => (0..12_usize, 0..REQUEST_HOLDINGS).prop_map(|(id, place)| Step::Leave(id, place)),
        6 => (0..12_usize, 0..TURNS, 0..3_u8).prop_map(|(id, place, n)| Step::Queue(id, place, n)),
        3 => (0..12_usize, 0..TURNS).prop_map(|(id, place)| Step::LeaveQueue(id, place)),
        2 => (0..12_usize).prop_map(Step::Close),
        1 => (0..2_usize).prop_map(Step::Reclaim),
    ];
    proptest::collection::vec(step, 0..200)
}

/// An open request as it should be.
struct Open {
    child: usize,
    id: RequestId,
    held: [Option<u8>; REQUEST_HOLDINGS],
}

/// Who stands in the queue: request and place.
type Queue = Vec<(RequestId, usize)>;

fn key(region: &Region, domain: u64, n: u8) -> CountKey {
    region.key(domain, &address(n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Two children over a small region against a list of requests and lists of who waits.
    #[test]
    fn behaves_like_lists(steps in steps()) {
        let mapped = Mapped::new(&SMALL);
        let region = &mapped.0;
        let register = |n: usize| region.register_child(n as u32 + 10, 1).unwrap();
        let mut children: [Child; 2] = [register(0), register(1)];
        let mut open: Vec<Open> = Vec::new();
        let mut queues: [Queue; 3] = Default::default();
        let gone = |queues: &mut [Queue; 3], gone: &dyn Fn(RequestId, usize) -> bool| {
            queues.iter_mut().for_each(|queue| queue.retain(|&(id, place)| !gone(id, place)));
        };
        let turn = |position: usize| if position == 0 { Turn::Mine } else { Turn::After(position as u32) };
        for step in steps {
            match step {
                Step::Open(child) => match children[child].open_request() {
                    Some(id) => {
                        prop_assert!(open.iter().all(|request| request.id != id));
                        open.push(Open { child, id, held: [None; REQUEST_HOLDINGS] });
                    }
                    None => prop_assert!(open.len() > 8, "the region has room for eight"),
                },
                Step::Enter(which, place, n) if which < open.len() => {
                    open[which].held[place] = Some(n);
                    let count = open.iter().flat_map(|request| request.held).filter(|&held| held == Some(n)).count() as u32;
                    prop_assert_eq!(children[open[which].child].enter_for_request(open[which].id, place, key(region, COUNTED, n)), Some(count));
                }
                Step::Leave(which, place) if which < open.len() => {
                    let held = open[which].held[place].take();
                    let left = open.iter().flat_map(|request| request.held).filter(|&other| held.is_some() && other == held).count() as u32;
                    prop_assert_eq!(children[open[which].child].leave_for_request(open[which].id, place), left);
                }
                Step::Queue(which, place, n) if which < open.len() => {
                    let (child, id) = (&children[open[which].child], open[which].id);
                    gone(&mut queues, &|other, at| (other, at) == (id, place));
                    queues[n as usize].push((id, place));
                    prop_assert_eq!(child.queue(id, place, key(region, QUEUED, n)), Some(turn(queues[n as usize].len() - 1)));
                }
                Step::LeaveQueue(which, place) if which < open.len() => {
                    let id = open[which].id;
                    gone(&mut queues, &|other, at| (other, at) == (id, place));
                    children[open[which].child].leave_queue(id, place);
                }
                Step::Close(which) if which < open.len() => {
                    let request = open.swap_remove(which);
                    gone(&mut queues, &|other, _| other == request.id);
                    children[request.child].close_request(request.id);
                }
                Step::Reclaim(child) => {
                    let dead: Vec<_> = open.extract(|request| request.child == child);
                    gone(&mut queues, &|other, _| dead.contains(&other));
                    prop_assert_eq!(region.reclaim_child(child as u32 + 10), Some(Reclaimed { connections: 0, requests: dead.len() as u32 }));
                    children[child] = register(child);
                }
                _ => {}
            }
            for n in 0..3_u8 {
                let held = open.iter().flat_map(|request| request.held).filter(|&held| held == Some(n)).count();
                prop_assert_eq!(region.count(key(region, COUNTED, n)) as usize, held);
                prop_assert_eq!(region.queued(key(region, QUEUED, n)) as usize, queues[n as usize].len());
            }
            for request in &open {
                for place in 0..TURNS {
                    let position = queues.iter().find_map(|queue| queue.iter().position(|&at| at == (request.id, place)));
                    prop_assert_eq!(children[request.child].turn(request.id, place), position.map(turn));
                }
            }
            prop_assert_eq!(region.waiting() as usize, queues.iter().map(|queue| queue.len().saturating_sub(1)).sum::<usize>());
        }
    }
}

trait Extract {
    fn extract(&mut self, which: impl Fn(&Open) -> bool) -> Vec<RequestId>;
}

impl Extract for Vec<Open> {
    /// Takes those out, returns their names.
    fn extract(&mut self, which: impl Fn(&Open) -> bool) -> Vec<RequestId> {
        let taken = self.iter().filter(|request| which(request)).map(|request| request.id).collect();
        self.retain(|request| !which(request));
        taken
    }
}
