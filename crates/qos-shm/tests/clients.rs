//! Processes that share a client table are killed at random; what they counted is there, and a flood drives out nobody who is blocked.
//!
//! Without a test harness, as it forks: no other threads may be there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use qos_core::client::{Counter, Marks};
use qos_shm::{Bound, ClientSizing, ClientTable, Gone, Keep, Region, Sizing, Worth};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

const PROCESSES: usize = 4;
const CLIENTS: usize = 400;
const RUN: Duration = Duration::from_secs(6);
const NOW: u32 = 500_000;

/// What the processes were about to do and what they have done, by client: the simple map that the table is compared with.
struct Board {
    begun: [AtomicU32; CLIENTS],
    done: [AtomicU32; CLIENTS],
    gone: AtomicU32,
}

fn board() -> &'static Board {
    // SAFETY: a new shared mapping, zero, larger than a board (which is atomics only), never unmapped.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), size_of::<Board>(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        &*page.cast::<Board>()
    }
}

/// xorshift
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn address(n: u32) -> [u8; 16] {
    let mut address = [0; 16];
    address[10..12].fill(0xff);
    address[12..].copy_from_slice(&n.to_be_bytes());
    address
}

fn keep() -> Keep {
    Keep { block: Some(Bound { count: 1, seconds: 600 }), limits: vec![Some(Bound { count: u32::MAX, seconds: 600 })], low_seconds: 86_400 }
}

struct Shared {
    region: Region,
    table: ClientTable,
    keep: Keep,
}

impl Shared {
    fn new(entries: u32) -> Shared {
        let region = Region::create(&Sizing { children: 4, connections: 64, block_slots: 2, requests: 64 }, [1, 2]).unwrap();
        let table = ClientTable::create(&ClientSizing { entries, variables: vec![7], secret_check: 1 }).unwrap();
        Shared { region, table, keep: keep() }
    }

    fn client(&self, n: u32) -> qos_shm::Client<'_> {
        let address = address(n);
        self.table.find_or_insert(&address, self.region.key(1, &address).raw(), NOW, &self.keep, &mut |_| false).unwrap()
    }

    fn count(&self, n: u32) -> Result<(), Gone> {
        self.client(n).change_limit(0, NOW, |old| Counter { count: old.count + 1, start: NOW }).map(|_| ())
    }
}

fn fork(work: impl FnOnce()) -> i32 {
    // SAFETY: one thread; the child ends with _exit and never returns into this function's caller.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: two calls that touch no memory of ours.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            work();
            // SAFETY: as above.
            unsafe { libc::_exit(0) }
        }
        pid => pid,
    }
}

/// Small enough that clients without protection are driven out all the time, by strangers that each process sends.
fn work(shared: &Shared, board: &Board, seed: u64) {
    let mut random = Random(seed);
    loop {
        if random.below(3) == 0 {
            shared.client(1_000_000 + random.below(1 << 20) as u32);
            continue;
        }
        let n = random.below(CLIENTS as u64) as usize;
        board.begun[n].fetch_add(1, SeqCst);
        match shared.count(n as u32) {
            Ok(()) => board.done[n].fetch_add(1, SeqCst),
            Err(Gone) => board.gone.fetch_add(1, SeqCst),
        };
    }
}

fn killed_processes_lose_nothing_that_was_done() {
    // Every client is a VIP, and there is room for all of them and some strangers.
    let shared = Shared::new(CLIENTS as u32 * 4);
    let board = board();
    for n in 0..CLIENTS as u32 {
        shared.client(n).change_marks(NOW, |marks| Marks { vip: true, ..marks }).unwrap();
    }
    let mut seed = 1;
    let mut start = || {
        seed += 1;
        let own = seed * 0x9e37_79b9;
        fork(|| work(&shared, board, own))
    };
    let mut children = (0..PROCESSES).map(|_| start()).collect::<Vec<_>>();
    let (begin, mut random, mut kills) = (Instant::now(), Random(77), 0_u32);
    while begin.elapsed() < RUN {
        std::thread::sleep(Duration::from_millis(3 + random.below(20)));
        let victim = random.below(PROCESSES as u64) as usize;
        end(children[victim]);
        children[victim] = start();
        kills += 1;
    }
    children.iter().for_each(|pid| end(*pid));
    kills += PROCESSES as u32;
    let mut unfinished = 0;
    for n in 0..CLIENTS {
        let entries = shared.table.iter(0).filter(|(_, client)| client.address() == address(n as u32)).count();
        assert_eq!(entries, 1, "client {n}");
        let count = shared.client(n as u32).limit(0, NOW).count;
        let (done, begun) = (board.done[n].load(SeqCst), board.begun[n].load(SeqCst));
        assert!((done..=begun).contains(&count), "client {n}: {count} events in the table, {done} done, {begun} begun");
        unfinished += begun - done;
    }
    assert!(unfinished <= kills + board.gone.load(SeqCst), "{unfinished} events unfinished after {kills} kills");
    assert_eq!(board.gone.load(SeqCst), 0, "a VIP was driven out");
    let evicted = shared.table.evicted();
    assert!(evicted[Worth::Idle as usize] > 10_000 && evicted[Worth::Protected as usize] == 0, "{evicted:?}");
    assert!(shared.table.used() <= shared.table.capacity());
    let done = (0..CLIENTS).map(|n| board.done[n].load(SeqCst)).map(u64::from).sum::<u64>();
    println!("{kills} kills, {done} events counted, {evicted:?} evicted");
}

fn end(pid: i32) {
    // SAFETY: a child of this process; waited for once.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
    }
}

fn a_flood_of_five_million_addresses_drives_out_nobody_who_is_blocked() {
    let shared = Shared::new(50_000);
    for n in 0..500 {
        shared.client(n).change_block(NOW, |_| Counter { count: 1, start: NOW }).unwrap();
    }
    for n in 0..5_000_000 {
        shared.client(10_000_000 + n);
    }
    let lost = (0..500).filter(|n| shared.client(*n).block(NOW).count != 1).count();
    let evicted = shared.table.evicted();
    assert_eq!(lost, 0, "{evicted:?}");
    assert!(evicted[Worth::Idle as usize] > 4_900_000 && evicted[Worth::Protected as usize] == 0, "{evicted:?}");
    assert!(shared.table.used() == shared.table.capacity(), "every slot is in use");
    println!("flood: {evicted:?} evicted");
}

fn ten_million_clients_take_128_bytes_each() {
    let region = Region::create(&Sizing { children: 1, connections: 1, block_slots: 1, requests: 1 }, [3, 4]).unwrap();
    let table = ClientTable::create(&ClientSizing { entries: 10_000_000, variables: vec![1, 2, 3, 4], secret_check: 1 }).unwrap();
    let each = table.bytes() as f64 / table.capacity() as f64;
    assert!(each <= 128.0, "{each}");
    // Only what is used takes memory.
    let resident = || std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(2).unwrap().parse::<usize>().unwrap() * 4096;
    let before = resident();
    for n in 0..1000 {
        let address = address(n);
        table.find_or_insert(&address, region.key(1, &address).raw(), NOW, &Keep::default(), &mut |_| false).unwrap();
    }
    let taken = resident() - before;
    assert!(taken < 20_000_000, "{taken}");
    println!("{each:.1} bytes per client, {taken} bytes for the first 1000");
}

fn main() {
    killed_processes_lose_nothing_that_was_done();
    a_flood_of_five_million_addresses_drives_out_nobody_who_is_blocked();
    ten_million_clients_take_128_bytes_each();
    // As the test runners of other files say it.
    println!("\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
