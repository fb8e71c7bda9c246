//! A child killed before each access to shared memory in its life, and the parent killed before each access while it
//! reclaims. Whatever happens, all is given back.

use crate::region_tests::{Mapped, assert_empty};
use crate::sync::stepped::{interrupted, killed_after};
use crate::{Child, Holding, Region, Sizing};

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
}

/// A neighbour that lives on, with counts of the same keys.
fn neighbour(region: &Region) -> Child {
    let child = region.register_child(99, 1).unwrap();
    let id = child.open(&[9; 16], 0, 1).unwrap();
    for (n, holding) in (0..).zip(Holding::EACH) {
        assert!(child.enter(id, holding, region.key(n, &[1; 16])).is_some());
    }
    child
}

fn assert_only_the_neighbour(region: &Region, context: &str) {
    for n in 0..3 {
        assert_eq!(region.count(region.key(n, &[1; 16])), 1, "{context}");
    }
    let children: Vec<_> = region.children().map(|child| (child.pid, child.connections)).collect();
    assert_eq!(children, [(99, 1)], "{context}");
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
        neighbour.unregister();
        assert_empty(&region, &format!("step {k}"));
        if alive {
            break;
        }
    }
}

#[test]
fn reclaim_killed_at_any_step() {
    for k in (0..400).step_by(7) {
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
    for k in 0..500 {
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
