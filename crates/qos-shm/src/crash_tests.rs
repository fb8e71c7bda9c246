//! A child killed before each access to shared memory in its life, and the parent killed before each access while it
//! reclaims. Whatever happens, all is given back.

use crate::region_tests::{Mapped, assert_empty};
use crate::sync::stepped::{interrupted, killed_after};
use crate::{Child, CountKey, Holding, REQUEST_HOLDINGS, Region, RequestId, Sizing, TURNS, Turn};

const TINY: Sizing = Sizing { children: 3, connections: 2, requests: 2, block_slots: 1 };

/// A life with every operation in it.
fn life(region: &Region, child: &Child) {
    let one = child.open(&[1; 16], 0, 1).unwrap();
    let two = child.open(&[2; 16], 0, 1).unwrap();
    for (n, holding) in (0..).zip(Holding::EACH) {
        assert!(child.enter(one, holding, region.key(n, &[1; 16])).is_some());
        assert!(child.enter(two, holding, region.key(n, &[1; 16])).is_some());
    }
    child.leave(one, Holding::Address);
    child.close(two);
    let _ = child.open(&[3; 16], 0, 1);
    child.close(one);
    serve(region, child);
}

/// Key of a queue.
fn queue(region: &Region, n: u64) -> CountKey {
    region.key(100 + n, &[1; 16])
}

/// Two requests with all that requests have.
fn serve(region: &Region, child: &Child) {
    let (one, two) = (child.open_request().unwrap(), child.open_request().unwrap());
    for place in 0..REQUEST_HOLDINGS {
        assert!(child.enter_for_request(one, place, region.key(place as u64, &[1; 16])).is_some());
        assert!(child.enter_for_request(two, place, region.key(place as u64, &[1; 16])).is_some());
    }
    for place in 0..TURNS {
        assert!(child.queue(one, place, queue(region, place as u64)).is_some());
        assert!(child.queue(two, place, queue(region, place as u64)).is_some());
    }
    child.leave_for_request(two, 1);
    let _ = child.turn(two, 0);
    child.leave_queue(one, 0);
    let _ = child.turn(two, 0);
    child.close_request(one);
    let _ = child.open_request();
    child.close_request(two);
}

/// A neighbour that lives on, with counts of the same keys. Its request holds the turn of the first queue.
fn neighbour(region: &Region) -> (Child, RequestId) {
    let child = region.register_child(99, 1).unwrap();
    let id = child.open(&[9; 16], 0, 1).unwrap();
    for (n, holding) in (0..).zip(Holding::EACH) {
        assert!(child.enter(id, holding, region.key(n, &[1; 16])).is_some());
    }
    let request = child.open_request().unwrap();
    assert_eq!(child.queue(request, 0, queue(region, 0)), Some(Turn::Mine));
    (child, request)
}

fn assert_only_the_neighbour(region: &Region, context: &str) {
    for n in 0..3 {
        assert_eq!(region.count(region.key(n, &[1; 16])), 1, "{context}");
    }
    let children: Vec<_> = region.children().map(|child| (child.pid, child.connections, child.requests)).collect();
    assert_eq!(children, [(99, 1, 1)], "{context}");
    assert_eq!((region.queued(queue(region, 0)), region.queued(queue(region, 1)), region.waiting()), (1, 0, 0), "{context}");
    assert_eq!(region.connections().count(), 1, "{context}");
}

#[test]
fn child_killed_at_any_step() {
    for k in 0.. {
        let mapped = Mapped::new(&TINY);
        let region = mapped.0;
        let neighbour = neighbour(&region);
        let alive = killed_after(k, || life(&region, &region.register_child(10, 1).unwrap())).is_some();
        let _ = region.reclaim_child(10);
        assert_only_the_neighbour(&region, &format!("step {k}"));
        let next = region.register_child(11, 1).unwrap();
        life(&region, &next);
        next.unregister();
        assert_only_the_neighbour(&region, &format!("step {k}"));
        neighbour.0.unregister();
        assert_empty(&region, &format!("step {k}"));
        if alive {
            break;
        }
    }
}

#[test]
fn reclaim_killed_at_any_step() {
    for k in (0..1500).step_by(23) {
        for j in 0.. {
            let mapped = Mapped::new(&TINY);
            let region = mapped.0;
            let _neighbour = neighbour(&region);
            killed_after(k, || life(&region, &region.register_child(10, 1).unwrap()));
            let done = killed_after(j, || region.reclaim_missing(&mut |pid| pid == 99)).is_some();
            region.reclaim_missing(&mut |pid| pid == 99);
            assert_only_the_neighbour(&region, &format!("steps {k} {j}"));
            if done {
                break;
            }
        }
    }
}

/// A slow child is stopped at any step while others are born, work, and are reclaimed.
#[test]
fn stopped_while_others_come_and_go() {
    for k in 0..1500 {
        let mapped = Mapped::new(&TINY);
        let region = mapped.0;
        let slow = region.register_child(10, 1).unwrap();
        let hook = move |step| {
            if step == k {
                if let Ok(other) = region.register_child(11, 1) {
                    let id = other.open(&[1; 16], 0, 1);
                    for (n, holding) in (0..).zip(Holding::EACH) {
                        let _ = id.and_then(|id| other.enter(id, holding, region.key(n, &[1; 16])));
                    }
                    let request = other.open_request();
                    for place in 0..TURNS {
                        let _ = request.and_then(|id| other.enter_for_request(id, place, region.key(place as u64, &[1; 16])));
                        let _ = request.and_then(|id| other.queue(id, place, queue(&region, place as u64)));
                    }
                    let _ = region.reclaim_child(11);
                }
            }
        };
        interrupted(hook, || life(&region, &slow));
        for n in 0..3 {
            assert_eq!(region.count(region.key(n, &[1; 16])), 0, "step {k}");
        }
        slow.unregister();
        assert_empty(&region, &format!("step {k}"));
    }
}

/// One waits behind a child that is killed before step k of all that it does with requests, while a parent that is killed
/// before step j reclaims it, and reclaims it again: the one who waits is told.
#[test]
fn who_waits_is_told_of_a_death() {
    for k in 0.. {
        let mut alive = false;
        for j in (k % 11..).step_by(11) {
            let mapped = Mapped::new(&TINY);
            let region = mapped.0;
            let (other, request) = neighbour(&region);
            other.leave_queue(request, 0);
            let ahead = region.register_child(10, 1).unwrap();
            let holder = ahead.open_request().unwrap();
            assert_eq!(ahead.queue(holder, 0, queue(&region, 0)), Some(Turn::Mine));
            assert_eq!(other.queue(request, 0, queue(&region, 0)), Some(Turn::After(1)));
            alive = killed_after(k, || {
                assert_eq!(ahead.queue(holder, 1, queue(&region, 1)), Some(Turn::Mine));
                let second = ahead.open_request().unwrap();
                assert_eq!(ahead.queue(second, 0, queue(&region, 0)), Some(Turn::After(2)));
                ahead.close_request(holder);
                ahead.leave_queue(second, 0);
            })
            .is_some();
            let done = killed_after(j, || region.reclaim_child(10)).is_some();
            region.reclaim_missing(&mut |pid| pid == 99);
            let place = region.requests()[request.raw() as usize].turn(0).unwrap();
            assert!(place.is_told(), "steps {k} {j}");
            assert_eq!(other.turn(request, 0), Some(Turn::Mine), "steps {k} {j}");
            assert_only_the_neighbour(&region, &format!("steps {k} {j}"));
            if done {
                break;
            }
        }
        if alive {
            break;
        }
    }
}
