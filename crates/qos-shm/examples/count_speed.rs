//! Nanoseconds for the life of a connection: open, three enters, close; by one thread, and by two at a time.
//!
//! `cargo run --release -p qos-shm --example count_speed`

use qos_shm::{Child, Holding, Region, RegionError, Sizing};
use std::time::Instant;

const ROUNDS: u32 = 1_000_000;

fn lives(child: &Child, thread: u8, shared: bool) {
    let region = child.region();
    let all = region.key(1, &[if shared { 0 } else { thread }; 16]);
    let server = region.key(2, &[if shared { 0 } else { thread }; 16]);
    let mut address = [thread; 16];
    for round in 0..ROUNDS {
        address[..4].copy_from_slice(&round.to_ne_bytes());
        let Some(id) = child.open(&address, 0, 1) else {
            continue;
        };
        let _ = child.enter(id, Holding::All, all);
        let _ = child.enter(id, Holding::Server, server);
        let _ = child.enter(id, Holding::Address, region.key(3, &address));
        child.close(id);
    }
}

fn measure(name: &str, child: &Child, threads: u8, shared: bool) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || lives(child, thread, shared));
        }
    });
    let ns = start.elapsed().as_nanos() as f64 / f64::from(ROUNDS);
    println!("{name:44} {ns:7.0} ns per connection and thread");
}

fn main() -> Result<(), RegionError> {
    let region = Region::create(&Sizing { children: 4, connections: 16_384, requests: 16_384, block_slots: 64 }, [1, 2])?;
    println!("region of {} bytes, {} slots", region.bytes(), region.slot_count());
    let Ok(child) = region.register_child(std::process::id(), 1) else {
        return Ok(());
    };
    measure("one thread, few slots used", &child, 1, true);
    let mut held = Vec::new();
    while held.len() < 10_000 {
        held.extend(child.open(&[1; 16], 0, 1));
    }
    measure("one thread, 10000 slots used", &child, 1, true);
    measure("two threads, same keys for all and server", &child, 2, true);
    measure("two threads, own keys", &child, 2, false);
    Ok(())
}
