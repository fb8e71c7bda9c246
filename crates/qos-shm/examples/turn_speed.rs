//! Nanoseconds for the life of a request: open, a count, a turn in a queue, close; with few and with many others in
//! queues, alone in its queue and behind others.
//!
//! `cargo run --release -p qos-shm --example turn_speed`

use qos_shm::{Child, CountKey, Region, RegionError, RequestId, Sizing, Turn};
use std::time::{Duration, Instant};

const COUNT: u64 = 1;
const QUEUE: u64 = 2;

fn key(child: &Child, domain: u64, client: u32) -> CountKey {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&client.to_ne_bytes());
    child.region().key(domain, &address)
}

/// A request that waits for its turn if it has to.
fn serve(child: &Child, client: u32) -> Option<()> {
    let id = child.open_request()?;
    let _ = child.enter_for_request(id, 0, key(child, COUNT, client));
    let mut turn = child.queue(id, 0, key(child, QUEUE, client))?;
    while turn != Turn::Mine {
        child.wait(id, 0, Duration::from_secs(1));
        turn = child.turn(id, 0)?;
    }
    child.close_request(id);
    Some(())
}

/// Comes last, sees who is before it, and gives up.
fn give_up(child: &Child, client: u32) -> Option<()> {
    let id = child.open_request()?;
    let _ = child.queue(id, 0, key(child, QUEUE, client));
    child.close_request(id);
    Some(())
}

fn measure(name: &str, threads: u32, rounds: u32, work: impl Fn(u32, u32) -> Option<()> + Sync) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || (0..rounds).try_for_each(|round| work(thread, round)));
        }
    });
    let ns = start.elapsed().as_nanos() as f64 / f64::from(rounds);
    println!("{name:56} {ns:8.0} ns per request and thread");
}

fn main() -> Result<(), RegionError> {
    let region = Region::create(&Sizing { children: 4, connections: 16_384, requests: 16_384, block_slots: 64 }, [1, 2])?;
    println!("region of {} bytes, {} request slots", region.bytes(), region.request_slots());
    let Ok(child) = region.register_child(std::process::id(), 1) else {
        return Ok(());
    };
    measure("alone, each of another client", 1, 1_000_000, |_, round| serve(&child, round));
    measure("two threads, each of another client", 2, 1_000_000, |thread, round| serve(&child, round * 2 + thread));
    measure("two threads, one client", 2, 100_000, |_, _| serve(&child, 1));
    let queue = |client: u32| -> Option<RequestId> {
        let id = child.open_request()?;
        child.queue(id, 0, key(&child, QUEUE, client)).map(|_| id)
    };
    let mut held: Vec<_> = (0..400).filter_map(|n| queue(n + 5_000_000)).collect();
    measure("400 clients in queues: alone", 1, 1_000_000, |_, round| serve(&child, round));
    measure("400 clients in queues: comes behind one, gives up", 1, 100_000, |_, _| give_up(&child, 5_000_000));
    held.extend((0..10_000).filter_map(|n| queue(n + 6_000_000)));
    measure("10400 clients in queues: alone", 1, 1_000_000, |_, round| serve(&child, round));
    measure("10400 clients in queues: comes behind one, gives up", 1, 10_000, |_, _| give_up(&child, 6_000_000));
    println!("{} requests in queues", held.len());
    Ok(())
}
