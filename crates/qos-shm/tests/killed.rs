//! Processes that share a region are killed and stopped at random; the counts stay exact.
//!
//! Without a test harness, as it forks: no other threads may be there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod processes;

use processes::{Random, fork, kill, shared, signal};
use qos_shm::{Child, ConnectionId, CountKey, Holding, Region, Sizing};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread::sleep;
use std::time::{Duration, Instant};

const CHILDREN: usize = 5;
const KEYS: usize = 8;
const RUN: Duration = Duration::from_secs(10);
const SIZING: Sizing = Sizing { children: CHILDREN as u32, connections: 16, requests: 16, block_slots: 2 };

/// What parent and children tell each other besides the region.
struct Board {
    /// 1: finish what you are at, report, wait.
    pause: AtomicU32,
    reports: [Report; CHILDREN],
}

struct Report {
    /// Pid of the child that has reported; 0: works.
    paused: AtomicU32,
    held: [AtomicU32; KEYS],
    connections: AtomicU32,
    opened: AtomicU64,
    full: AtomicU64,
}

/// Keys of one bucket, more than it takes, and one elsewhere.
fn keys(region: &Region) -> [CountKey; KEYS] {
    let buckets = (2 * region.slot_count() + 4 * region.request_slots()).next_power_of_two() as u64;
    let mut same = (0_u64..).map(|n| region.key(n, &[0; 16])).filter(|key| key.raw() % buckets == 5);
    let mut keys = [region.key(u64::MAX, &[0; 16]); KEYS];
    keys[1..].fill_with(|| same.next().unwrap());
    keys
}

/// Works until it is killed.
fn child(region: Region, board: &Board, place: usize, seed: u64) -> ! {
    let pid = std::process::id();
    let child = region.register_child(pid, 1).expect("a free record");
    let report = &board.reports[place];
    if seed % 3 == 0 {
        // Every third child has a second thread on the same slots, with its own connections; it pauses together with
        // the first.
        let gate = std::sync::Barrier::new(2);
        let held: [AtomicU32; KEYS] = Default::default();
        let connections = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                work(&child, board, seed ^ 0xabcdef, &mut |open: &Open, _, _| {
                    for (sum, n) in held.iter().zip(open.held()) {
                        sum.store(n, SeqCst);
                    }
                    connections.store(open.0.len() as u32, SeqCst);
                    gate.wait();
                    gate.wait();
                })
            });
            work(&child, board, seed, &mut |open: &Open, opened, full| {
                gate.wait();
                let sum = open.held().iter().zip(&held).map(|(n, other)| n + other.load(SeqCst)).collect::<Vec<_>>();
                tell(board, report, pid, &sum, open.0.len() as u32 + connections.load(SeqCst), opened, full);
                gate.wait();
            });
        });
    }
    work(&child, board, seed, &mut |open: &Open, opened, full| {
        tell(board, report, pid, &open.held(), open.0.len() as u32, opened, full);
    })
}

fn tell(board: &Board, report: &Report, pid: u32, held: &[u32], connections: u32, opened: u64, full: u64) {
    for (cell, n) in report.held.iter().zip(held) {
        cell.store(*n, SeqCst);
    }
    report.connections.store(connections, SeqCst);
    report.opened.store(opened, SeqCst);
    report.full.store(full, SeqCst);
    report.paused.store(pid, SeqCst);
    while board.pause.load(SeqCst) == 1 {
        sleep(Duration::from_micros(200));
    }
    report.paused.store(0, SeqCst);
}

/// Own connections: what each holds of which key.
struct Open(Vec<(ConnectionId, [Option<usize>; 3])>);

impl Open {
    fn held(&self) -> [u32; KEYS] {
        let mut held = [0; KEYS];
        for key in self.0.iter().flat_map(|(_, keys)| keys.iter().flatten()) {
            held[*key] += 1;
        }
        held
    }
}

fn work(child: &Child, board: &Board, seed: u64, pause: &mut dyn FnMut(&Open, u64, u64)) -> ! {
    let keys = keys(child.region());
    let mut random = Random(seed | 1);
    let mut open = Open(Vec::new());
    let (mut opened, mut full) = (0, 0);
    loop {
        if board.pause.load(SeqCst) == 1 {
            pause(&open, opened, full);
        }
        match random.below(8) {
            0 | 1 if open.0.len() < 3 => {
                if let Some(id) = child.open(&[7; 16], 0, 1) {
                    open.0.push((id, [None; 3]));
                    opened += 1;
                }
            }
            2 if !open.0.is_empty() => {
                let (id, _) = open.0.swap_remove(random.below(open.0.len() as u64) as usize);
                child.close(id);
            }
            3 if !open.0.is_empty() => {
                let which = random.below(open.0.len() as u64) as usize;
                let holding = random.below(3) as usize;
                open.0[which].1[holding] = None;
                child.leave(open.0[which].0, Holding::EACH[holding]);
            }
            _ if !open.0.is_empty() => {
                let which = random.below(open.0.len() as u64) as usize;
                let (holding, key) = (random.below(3) as usize, random.below(KEYS as u64) as usize);
                let count = child.enter(open.0[which].0, Holding::EACH[holding], keys[key]);
                open.0[which].1[holding] = count.map(|_| key);
                full += u64::from(count.is_none());
                assert!(count.is_none_or(|count| count >= 1 && count <= 3 * 2 * 3 * CHILDREN as u32));
            }
            _ => {}
        }
    }
}

fn start(region: Region, board: &'static Board, place: usize, seed: u64) -> libc::pid_t {
    board.reports[place].paused.store(0, SeqCst);
    fork(std::panic::AssertUnwindSafe(move || child(region, board, place, seed)))
}

/// All children pause, and say what they hold: the region says the same.
fn audit(region: &Region, board: &Board, pids: &[libc::pid_t]) {
    board.pause.store(1, SeqCst);
    let deadline = Instant::now() + Duration::from_secs(20);
    for (report, &pid) in board.reports.iter().zip(pids) {
        while report.paused.load(SeqCst) != pid as u32 {
            assert!(Instant::now() < deadline, "child {pid} does not pause");
            sleep(Duration::from_micros(200));
        }
    }
    for (n, key) in keys(region).into_iter().enumerate() {
        let held: u32 = board.reports.iter().map(|report| report.held[n].load(SeqCst)).sum();
        assert_eq!(region.count(key), held, "key {n}");
    }
    let connections: u32 = board.reports.iter().map(|report| report.connections.load(SeqCst)).sum();
    assert_eq!(region.children().map(|child| child.connections).sum::<u32>(), connections);
    assert_eq!(region.connections().count() as u32, connections);
    board.pause.store(0, SeqCst);
    for report in &board.reports {
        while report.paused.load(SeqCst) != 0 {
            assert!(Instant::now() < deadline, "a child does not go on");
            sleep(Duration::from_micros(200));
        }
    }
}

fn main() {
    let region = Region::create(&SIZING, [3, 4]).unwrap();
    // SAFETY: a board is atomics only.
    let board: &'static Board = unsafe { shared() };
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    let mut pids: Vec<_> = (0..CHILDREN).map(|place| start(region, board, place, seed + place as u64)).collect();
    let (mut kills, mut stops, mut audits, mut opened, mut full, mut reclaimed) = (0_u64, 0, 0, 0, 0, 0);
    let begin = Instant::now();
    while begin.elapsed() < RUN || (kills < 200 && begin.elapsed() < 6 * RUN) {
        sleep(Duration::from_micros(500) + random.micros(8000));
        let place = random.below(CHILDREN as u64) as usize;
        // Somebody else is stopped meanwhile, half of the time; one in eight is killed while stopped.
        let other = random.below(CHILDREN as u64) as usize;
        let stop = random.below(2) == 0;
        if stop {
            signal(pids[other], libc::SIGSTOP);
            stops += 1;
            sleep(random.micros(3000));
        }
        kill(pids[place]);
        kills += 1;
        let pid = pids[place] as u32;
        reclaimed += region.reclaim_child(pid).map_or(0, |reclaimed| reclaimed.connections);
        assert!(region.children().all(|child| child.pid != pid));
        pids[place] = start(region, board, place, seed + kills * 17);
        if stop {
            sleep(random.micros(2000));
            if other != place {
                signal(pids[other], libc::SIGCONT);
            }
        }
        if kills % 16 == 0 {
            audit(&region, board, &pids);
            audits += 1;
            opened += board.reports.iter().map(|report| report.opened.load(SeqCst)).sum::<u64>();
            full += board.reports.iter().map(|report| report.full.load(SeqCst)).sum::<u64>();
        }
    }
    audit(&region, board, &pids);
    for pid in pids {
        kill(pid);
    }
    assert_eq!(region.reclaim_missing(&mut |_| false), CHILDREN as u32);
    assert_eq!((region.children().count(), region.connections().count()), (0, 0));
    for key in keys(&region) {
        assert_eq!(region.count(key), 0);
    }
    // All blocks are free: one child can have every slot.
    let last = region.register_child(1, 2).unwrap();
    let slots = std::iter::from_fn(|| last.open(&[0; 16], 0, 1)).count();
    assert_eq!(slots, region.slot_count());
    println!("{kills} kills, {stops} stops, {audits} audits, {reclaimed} connections given back for the dead");
    println!("seen at audits: {opened} connections opened, {full} times a full bucket");
    assert!(kills >= 200 && stops > 0 && audits > 0 && reclaimed > 0 && opened > 0 && full > 0);
}
