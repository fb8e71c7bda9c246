//! Every operation killed, or stopped for a while, before each of its accesses to shared memory.

use super::tests::{Bench, FULL_AT, key};
use super::*;
use crate::sync::stepped::{interrupted, killed_after};
use std::cell::Cell;
use std::rc::Rc;

const VICTIM: u32 = 0;
const HELPER: u32 = 3;
const OTHERS: [u32; 6] = [6, 7, 8, 9, 10, 11];

/// What the victim is about to do, and how the bucket is before.
#[derive(Clone, Copy, Debug)]
enum Deed {
    AddNew,
    AddKnown,
    AddFull,
    RemoveLast,
    RemoveOne,
}

const DEEDS: [Deed; 5] = [Deed::AddNew, Deed::AddKnown, Deed::AddFull, Deed::RemoveLast, Deed::RemoveOne];

fn keys() -> Vec<CountKey> {
    (0..9).map(|n| key(n, 0)).chain((20..22).map(|n| key(n, 1))).collect()
}

impl Deed {
    fn bench(self) -> Rc<Bench> {
        let bench = Rc::new(Bench::new(2, 8));
        let table = bench.table();
        match self {
            Self::AddNew => {}
            Self::AddKnown => assert_eq!(table.enter(OTHERS[0], key(1, 0)), Some(1)),
            Self::AddFull => {
                for (n, &other) in OTHERS.iter().take(FULL_AT).enumerate() {
                    assert_eq!(table.enter(other, key(n as u64 + 2, 0)), Some(1));
                }
            }
            Self::RemoveLast => assert_eq!(table.enter(VICTIM, key(1, 0)), Some(1)),
            Self::RemoveOne => {
                assert_eq!(table.enter(VICTIM, key(1, 0)), Some(1));
                assert_eq!(table.enter(OTHERS[0], key(1, 0)), Some(2));
            }
        }
        bench
    }

    /// The count that it came to; `None`: full.
    fn run(self, bench: &Bench) -> Option<u32> {
        match self {
            Self::AddNew | Self::AddKnown | Self::AddFull => bench.table().enter(VICTIM, key(1, 0)),
            Self::RemoveLast | Self::RemoveOne => Some(bench.table().leave(VICTIM)),
        }
    }

    fn adds(self) -> bool {
        matches!(self, Self::AddNew | Self::AddKnown | Self::AddFull)
    }
}

/// What another process does meanwhile, with holding `who` and neighbours. Leaves some things counted.
const SCRIPTS: usize = 6;
fn script(number: usize, bench: &Bench, who: u32) {
    let table = bench.table();
    match number {
        0 => {
            let _ = table.enter(who, key(1, 0));
        }
        1 => {
            let _ = table.enter(who, key(1, 0));
            table.leave(who);
            let _ = table.enter(who, key(1, 0));
            table.leave(who);
        }
        2 => {
            let _ = table.enter(who, key(7, 0));
        }
        3 => {
            for other in OTHERS {
                table.leave(other);
            }
            let _ = table.enter(who, key(8, 0));
        }
        4 => {
            for (n, other) in (0..).zip(OTHERS) {
                let _ = table.enter(other, key(2 + n, 0));
            }
        }
        _ => {
            for n in 0..4 {
                let _ = table.enter(who, key(5 + n, 0));
                table.leave(who);
            }
            let _ = table.enter(who, key(1, 0));
        }
    }
}

/// Stopped before step k, others work, it goes on: the counts are right and so is its result.
#[test]
fn stopped_and_continued() {
    for deed in DEEDS {
        for number in 0..SCRIPTS {
            for k in 0.. {
                let bench = deed.bench();
                let fired = Rc::new(Cell::new(false));
                let hook = {
                    let (bench, fired) = (bench.clone(), fired.clone());
                    move |step| {
                        if step == k {
                            fired.set(true);
                            script(number, &bench, HELPER);
                        }
                    }
                };
                let result = interrupted(hook, || deed.run(&bench));
                let context = format!("{deed:?} script {number} step {k}");
                bench.audit(&keys(), &context);
                let counted = bench.cells[0].0[0].counted();
                assert_eq!(counted.is_some(), deed.adds() && result.is_some(), "{context}");
                if !fired.get() {
                    break;
                }
            }
        }
    }
}

/// Stopped before step k; another one, who helps, is stopped before its step j; a third works; all go on.
#[test]
fn helper_stopped_too() {
    for deed in DEEDS {
        for inner in 0..SCRIPTS {
            for k in 0..60 {
                for j in 0..60 {
                    let bench = deed.bench();
                    let hook = {
                        let bench = bench.clone();
                        move |step| {
                            if step == k {
                                let shared = bench.clone();
                                let hook = move |step| {
                                    if step == j {
                                        script(inner, &shared, HELPER + 1);
                                    }
                                };
                                interrupted(hook, || script(0, &bench, HELPER));
                            }
                        }
                    };
                    interrupted(hook, || deed.run(&bench));
                    bench.audit(&keys(), &format!("{deed:?} inner {inner} steps {k} {j}"));
                }
            }
        }
    }
}

/// Killed before step k, others work, then it is settled; the one who settles is killed before step j, and it is settled
/// again. All counts are right, and the holding holds nothing.
#[test]
fn killed_and_settled() {
    for deed in DEEDS {
        for number in 0..=SCRIPTS {
            for k in 0.. {
                let mut j = 0;
                let alive = loop {
                    let bench = deed.bench();
                    let alive = killed_after(k, || deed.run(&bench)).is_some();
                    if number < SCRIPTS {
                        script(number, &bench, HELPER);
                    }
                    let settled = killed_after(j, || bench.table().settle(VICTIM)).is_some();
                    if number < SCRIPTS {
                        script(number, &bench, HELPER + 1);
                    }
                    bench.table().settle(VICTIM);
                    let context = format!("{deed:?} script {number} steps {k} {j}");
                    bench.audit(&keys(), &context);
                    assert_eq!(bench.cells[0].0[0].counted(), None, "{context}");
                    if settled {
                        break alive;
                    }
                    j += 1;
                };
                if alive {
                    break;
                }
            }
        }
    }
}

/// Killed before step k. A helper is stopped before its step j, while the dead one is settled and its holding is used
/// again, for the same key or others, here or in another bucket, and that one is killed before its step m. Then the helper goes on.
#[test]
fn holding_reused_under_a_stopped_helper() {
    let again = [key(1, 0), key(8, 0), key(20, 1)];
    for deed in [Deed::AddNew, Deed::AddFull, Deed::RemoveLast] {
        for reuse in again {
            let mut k = 0;
            while reused(deed, k, reuse) {
                k += 1;
            }
        }
    }
}

/// `false`: the deed is over before step k.
fn reused(deed: Deed, k: u64, reuse: CountKey) -> bool {
    // Unoptimised, each third death must do.
    let stride = if cfg!(debug_assertions) { 3 } else { 1 };
    for j in 0.. {
        for m in (j % stride..).step_by(stride as usize) {
            let bench = deed.bench();
            if killed_after(k, || deed.run(&bench)).is_some() {
                return false;
            }
            let (stopped, completed) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
            let hook = {
                let (bench, stopped, completed) = (bench.clone(), stopped.clone(), completed.clone());
                move |step| {
                    if step == j {
                        stopped.set(true);
                        let table = bench.table();
                        table.settle(VICTIM);
                        let again = killed_after(m, || {
                            let _ = table.enter(VICTIM, reuse);
                            table.leave(VICTIM);
                        });
                        completed.set(again.is_some());
                    }
                }
            };
            interrupted(hook, || script(0, &bench, HELPER));
            if !stopped.get() {
                return true;
            }
            bench.table().settle(VICTIM);
            let context = format!("{deed:?} reuse {reuse:?} steps {k} {j} {m}");
            bench.audit(&keys(), &context);
            assert_eq!(bench.cells[0].0[0].counted(), None, "{context}");
            if completed.get() {
                break;
            }
        }
    }
    true
}

/// The owner died after the outcome was written and before the header was idle: once settled, its holding can be used
/// for a key of another bucket, and the old bucket does not take that for its own.
#[test]
fn idle_but_still_announced() {
    for deed in [Deed::AddFull, Deed::RemoveLast] {
        for k in 0.. {
            let bench = deed.bench();
            let alive = killed_after(k, || deed.run(&bench)).is_some();
            let table = bench.table();
            table.settle(VICTIM);
            let _ = killed_after(2 + 1, || table.enter(VICTIM, key(20, 1)));
            script(0, &bench, HELPER);
            table.settle(VICTIM);
            bench.audit(&keys(), &format!("{deed:?} step {k}"));
            if alive {
                break;
            }
        }
    }
}

/// Refusals never reach another key, wherever the count changes hands.
#[test]
fn refusals_under_change() {
    for number in 0..2 {
        for k in 0..12 {
            let bench = Rc::new(Bench::new(1, 4));
            assert_eq!(bench.table().enter(VICTIM, key(1, 0)), Some(1));
            assert_eq!(bench.table().refused(key(1, 0)), 1);
            let hook = {
                let bench = bench.clone();
                move |step| {
                    if step == k {
                        let table = bench.table();
                        table.leave(VICTIM);
                        assert_eq!(table.enter(HELPER, key(2, 0)), Some(1));
                        if number == 1 {
                            for n in 1..=3 {
                                assert_eq!(table.refused(key(2, 0)), n);
                            }
                        }
                    }
                }
            };
            let _ = interrupted(hook, || bench.table().refused(key(1, 0)));
            let expected = if number == 1 { 3 } else { 0 };
            if bench.table().count(key(2, 0)) > 0 {
                assert_eq!(bench.table().take_refusals(key(2, 0)), expected, "script {number} step {k}");
            }
        }
    }
}

/// A count that is read while the entry changes hands is one that the key had, not that of the next tenant.
#[test]
fn count_under_change() {
    for k in 0..12 {
        let bench = Rc::new(Bench::new(1, 4));
        assert_eq!(bench.table().enter(VICTIM, key(1, 0)), Some(1));
        let hook = {
            let bench = bench.clone();
            move |step| {
                if step == k {
                    let table = bench.table();
                    table.leave(VICTIM);
                    for (n, holding) in (1..).zip([HELPER, HELPER + 1, HELPER + 2]) {
                        assert_eq!(table.enter(holding, key(2, 0)), Some(n));
                    }
                }
            }
        };
        let count = interrupted(hook, || bench.table().count(key(1, 0)));
        assert!(count <= 1, "{count} at step {k}");
    }
}
