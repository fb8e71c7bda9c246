//! Every operation of a queue killed, or stopped for a while, before each of its accesses to shared memory.

use super::tests::{Bench, key};
use super::*;
use crate::sync::stepped::{interrupted, killed_after};
use std::cell::Cell;
use std::rc::Rc;

const VICTIM: u32 = 0;
/// Holds or held the turn before the victim comes.
const FORMER: u32 = 1;
/// Waits behind the victim, or is alone.
const WAITS: u32 = 2;
const HELPER: u32 = 3;
const PLACES: usize = 10;

/// What the victim is about to do, and how the queue is before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    ComeFirst,
    ComeLast,
    ComeWithoutRoom,
    LookInVain,
    LookWhenNext,
    GiveUp,
    LeaveAlone,
    LeaveToOthers,
    ChangeQueue,
}

const DEEDS: [Deed; 9] = [
    Deed::ComeFirst,
    Deed::ComeLast,
    Deed::ComeWithoutRoom,
    Deed::LookInVain,
    Deed::LookWhenNext,
    Deed::GiveUp,
    Deed::LeaveAlone,
    Deed::LeaveToOthers,
    Deed::ChangeQueue,
];

impl Deed {
    fn bench(self) -> Rc<Bench> {
        let bench = Rc::new(Bench::new(PLACES));
        let turns = bench.turns();
        let come = |places: &[u32]| {
            for &place in places {
                assert!(turns.queue(place, key(1)).is_some());
            }
        };
        match self {
            Self::ComeFirst => {}
            Self::ComeLast => come(&[FORMER, WAITS]),
            Self::ComeWithoutRoom => {
                for n in 0..5 {
                    assert_eq!(turns.queue(4 + n, key(2 + u64::from(n))), Some(Turn::Mine));
                }
            }
            Self::LookInVain | Self::GiveUp => come(&[FORMER, VICTIM, WAITS]),
            Self::LookWhenNext => {
                come(&[FORMER, VICTIM, WAITS]);
                turns.leave(FORMER);
            }
            Self::LeaveAlone => come(&[VICTIM]),
            Self::LeaveToOthers | Self::ChangeQueue => come(&[VICTIM, FORMER, WAITS]),
        }
        bench
    }

    fn run(self, bench: &Bench) -> Option<Turn> {
        let turns = bench.turns();
        match self {
            Self::ComeFirst | Self::ComeLast | Self::ComeWithoutRoom => turns.queue(VICTIM, key(1)),
            Self::LookInVain | Self::LookWhenNext => turns.turn(VICTIM),
            Self::GiveUp | Self::LeaveAlone | Self::LeaveToOthers => {
                turns.leave(VICTIM);
                None
            }
            Self::ChangeQueue => turns.queue(VICTIM, key(2)),
        }
    }
}

/// What others do meanwhile.
const SCRIPTS: usize = 8;
fn script(number: usize, bench: &Bench, who: u32) {
    let turns = bench.turns();
    let come = |place, n| {
        let turn = turns.queue(place, key(n));
        bench.exclusive("in between");
        turn
    };
    let look = |place| {
        let _ = turns.turn(place);
        bench.exclusive("in between");
    };
    match number {
        0 => {
            let _ = come(who, 1);
        }
        1 => {
            let _ = come(who, 1);
            look(who);
            turns.leave(who);
        }
        2 => turns.leave(FORMER),
        3 => {
            turns.leave(FORMER);
            look(WAITS);
            turns.leave(WAITS);
            let _ = come(who, 1);
        }
        4 => {
            let _ = come(who, 2);
            look(WAITS);
            turns.leave(WAITS);
            turns.leave(who);
        }
        5 => {
            let _ = come(who, 1);
            turns.leave(FORMER);
            look(WAITS);
            look(who);
            let _ = come(FORMER, 1);
        }
        6 => {
            for place in 4..9 {
                turns.leave(place);
            }
            look(WAITS);
            // The same places again in other queues, and back.
            let _ = come(FORMER, 2);
            let _ = come(WAITS, 2);
            let _ = come(who, 1);
            let _ = come(FORMER, 1);
        }
        _ => {
            for n in [1, 2, 1] {
                let _ = come(who, n);
                look(FORMER);
            }
            turns.leave(who);
            for place in [FORMER, WAITS] {
                look(place);
                turns.leave(place);
            }
        }
    }
    bench.exclusive("in between");
}

/// Stopped before step k, others work, it goes on: at most one holds at any time, and nobody is forgotten.
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
                let turn = interrupted(hook, || deed.run(&bench));
                let context = format!("{deed:?} script {number} step {k}");
                bench.audit(&context);
                let holds = bench.holds(VICTIM);
                assert_eq!(holds, turn == Some(Turn::Mine), "{context}");
                bench.drain(&context);
                if !fired.get() {
                    break;
                }
            }
        }
    }
}

/// Unoptimised, each 13th step must do.
const STRIDE: u64 = if cfg!(debug_assertions) { 13 } else { 1 };

/// Stopped before step k; another one is stopped before its step j; a third works; all go on.
#[test]
fn three_at_once() {
    for deed in DEEDS {
        for (outer, inner) in (0..SCRIPTS).flat_map(|outer| [0, 2, 3, 5, 7].map(|inner| (outer, inner))) {
            let mut k = (outer + inner) as u64 % STRIDE;
            while three(deed, outer, inner, k) {
                k += STRIDE;
            }
        }
    }
}

/// `false`: the deed is over before step k.
fn three(deed: Deed, outer: usize, inner: usize, k: u64) -> bool {
    for j in (k / STRIDE % STRIDE..).step_by(STRIDE as usize) {
        let bench = deed.bench();
        let (stopped, twice) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let hook = {
            let (bench, stopped, twice) = (bench.clone(), stopped.clone(), twice.clone());
            move |step| {
                if step == k {
                    stopped.set(true);
                    let (shared, twice) = (bench.clone(), twice.clone());
                    // Places that the outer script uses are at work; the inner one has others, and leaves for the rest.
                    let hook = move |step| {
                        if step == j {
                            twice.set(true);
                            third(inner, &shared);
                        }
                    };
                    interrupted(hook, || script(outer, &bench, HELPER));
                }
            }
        };
        interrupted(hook, || deed.run(&bench));
        let context = format!("{deed:?} scripts {outer} {inner} steps {k} {j}");
        bench.audit(&context);
        bench.drain(&context);
        if !stopped.get() {
            return false;
        }
        if !twice.get() {
            break;
        }
    }
    true
}

/// The third has a place of its own, as one place is used by one thread.
fn third(number: usize, bench: &Bench) {
    const THIRD: u32 = 9;
    let turns = bench.turns();
    let _ = turns.queue(THIRD, key(1));
    bench.exclusive("third");
    if number >= 2 {
        let _ = turns.turn(THIRD);
        turns.leave(THIRD);
    }
    if number >= 3 {
        let _ = turns.queue(THIRD, key(2));
        bench.exclusive("third");
    }
    if number >= 5 {
        let _ = turns.queue(THIRD, key(1));
        bench.exclusive("third");
    }
    if number >= 7 {
        turns.leave(THIRD);
    }
}

/// Killed before step k, others work, then it is settled; the one who settles is killed before step j, and it is settled
/// again. Nobody is forgotten, and the dead one is in no queue.
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
                    let settled = killed_after(j, || bench.turns().settle(VICTIM)).is_some();
                    if number < SCRIPTS {
                        script(number, &bench, HELPER);
                    }
                    bench.turns().settle(VICTIM);
                    let context = format!("{deed:?} script {number} steps {k} {j}");
                    bench.audit(&context);
                    assert_eq!(bench.turns().turn(VICTIM), None, "{context}");
                    bench.drain(&context);
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

/// Killed before step k; others work while the one who settles is stopped before step j.
#[test]
fn settled_while_others_work() {
    for deed in DEEDS {
        for number in 0..SCRIPTS {
            for k in 0.. {
                let mut alive = false;
                for j in 0.. {
                    let bench = deed.bench();
                    alive = killed_after(k, || deed.run(&bench)).is_some();
                    let fired = Rc::new(Cell::new(false));
                    let hook = {
                        let (bench, fired) = (bench.clone(), fired.clone());
                        move |step| {
                            if step == j {
                                fired.set(true);
                                script(number, &bench, HELPER);
                            }
                        }
                    };
                    interrupted(hook, || bench.turns().settle(VICTIM));
                    let context = format!("{deed:?} script {number} steps {k} {j}");
                    bench.audit(&context);
                    bench.drain(&context);
                    if !fired.get() {
                        break;
                    }
                }
                if alive {
                    break;
                }
            }
        }
    }
}

/// A look that is stopped between its reads of a place, which leaves the queue meanwhile and comes back into it or
/// another one: never seen in a queue that it has left, or the one who looks is told.
#[test]
fn places_change_queues_under_a_look() {
    for (deed, n) in [(Deed::LookInVain, 2), (Deed::LookInVain, 1), (Deed::ComeLast, 2), (Deed::ComeLast, 1)] {
        for k in 0..80 {
            let bench = deed.bench();
            let hook = {
                let bench = bench.clone();
                move |step| {
                    if step == k {
                        let turns = bench.turns();
                        for place in [FORMER, WAITS] {
                            turns.leave(place);
                            assert!(turns.queue(place, key(n)).is_some());
                        }
                        bench.exclusive("in between");
                    }
                }
            };
            interrupted(hook, || deed.run(&bench));
            let context = format!("{deed:?} key {n} step {k}");
            bench.audit(&context);
            bench.drain(&context);
        }
    }
}
