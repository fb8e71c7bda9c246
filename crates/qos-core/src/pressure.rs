//! How long a client may be slow while no worker is free (`QS_SrvSampleRate`, second argument).
//!
//! While somebody waits for a worker, the window shrinks to the busy window. Where that has
//! led to many cuts and still no worker is free, the next batch of slow clients has taken the
//! freed ones: the window becomes a quarter, so that a queue of attackers several
//! times the number of workers is gone within seconds. It returns to normal when workers have
//! been free for [`CALM_MS`].

use crate::config::SampleRate;

/// Milliseconds with free workers after which the next shortage starts with the whole busy window.
pub const CALM_MS: u64 = 3000;
/// Milliseconds for which a shortage goes on after a worker was free: the next in the queue takes it at once.
pub const RELIEF_MS: u64 = 1000;
/// No window is shorter than this, milliseconds.
pub const LEAST_WINDOW_MS: u64 = 500;

/// State shared by all children; the child whose turn it is computes the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// 0: workers are free; 1: none is, the window is the busy window; 2: a quarter of it.
    pub level: u32,
    /// Level that the next shortage starts with.
    pub memory: u32,
    /// When a shortage was last seen, milliseconds.
    pub last_busy_ms: u64,
    /// Number of connections cut (since start) when the level last rose.
    pub cuts: u64,
}

/// What the child that looks sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Workers that wait for work.
    pub idle_workers: u32,
    /// Workers that the server may have.
    pub workers: u32,
    /// Connections open.
    pub connections: u32,
    /// Connections it can hold.
    pub capacity: u32,
    /// Connections cut for being slow since the start.
    pub cuts: u64,
}

impl Load {
    /// No worker is free, or (event) nine tenths of the connections are taken.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.idle_workers == 0 || u64::from(self.connections) * 10 >= u64::from(self.capacity) * 9
    }
}

impl Pressure {
    /// The pressure after a look at the server at `now_ms`.
    #[must_use]
    pub fn next(self, now_ms: u64, load: &Load) -> Pressure {
        if !load.busy() {
            let free_for = now_ms.saturating_sub(self.last_busy_ms);
            let level = if free_for < RELIEF_MS { self.level } else { 0 };
            return Pressure { level, memory: if free_for < CALM_MS { self.memory } else { 1 }, ..self };
        }
        let new = self.memory == 0 || now_ms.saturating_sub(self.last_busy_ms) >= CALM_MS;
        if new {
            return Pressure { level: 1, memory: 1, last_busy_ms: now_ms, cuts: load.cuts };
        }
        let batch = u64::from((load.workers / 8).max(4));
        let rises = load.cuts.saturating_sub(self.cuts) >= batch;
        let level = if rises { (self.memory + 1).min(2) } else { self.memory };
        Pressure { level, memory: level, last_busy_ms: now_ms, cuts: if rises { load.cuts } else { self.cuts } }
    }
}

/// The window in milliseconds at a level.
#[must_use]
pub fn window_ms(sample: SampleRate, level: u32) -> u64 {
    let normal = u64::from(sample.window) * 1000;
    let busy = u64::from(sample.busy_window) * 1000;
    match level {
        0 => normal,
        _ if busy == 0 => normal,
        1 => busy.min(normal),
        _ => (busy / 4).max(LEAST_WINDOW_MS).min(normal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { idle_workers: 0, workers: 64, connections: 64, capacity: 192, cuts: 0 };

    #[test]
    fn the_window_shrinks_only_while_slow_clients_are_found() {
        let sample = SampleRate::default();
        let first = Pressure::default().next(10_000, &LOAD);
        assert_eq!(window_ms(sample, first.level), 2000);
        let waiting = first.next(11_000, &LOAD);
        assert_eq!(waiting.level, 1);
        let second = waiting.next(12_250, &Load { cuts: 64, ..LOAD });
        assert_eq!(window_ms(sample, second.level), 500);
        let third = second.next(13_500, &Load { cuts: 128, ..LOAD });
        assert_eq!(third.level, 2);
        assert_eq!(third.next(14_000, &Load { cuts: 500, ..LOAD }).level, 2);
        let free = third.next(14_250, &Load { idle_workers: 9, cuts: 128, ..LOAD });
        assert_eq!(free.level, 2, "the next in the queue is about to take the free worker");
        let free = free.next(14_600, &Load { idle_workers: 9, cuts: 128, ..LOAD });
        assert_eq!(free.level, 0);
        assert_eq!(free.next(14_700, &Load { cuts: 128, ..LOAD }).level, 2, "a short relief does not forget");
        let calm = free.next(17_500, &Load { idle_workers: 9, cuts: 128, ..LOAD });
        assert_eq!(calm.next(17_750, &Load { cuts: 128, ..LOAD }).level, 1);
    }

    #[test]
    fn a_full_server_without_slow_clients_keeps_the_busy_window() {
        let mut pressure = Pressure::default();
        for second in 0..3600 {
            pressure = pressure.next(second * 1000, &LOAD);
        }
        assert_eq!(pressure.level, 1);
    }

    #[test]
    fn zero_switches_the_short_window_off() {
        let sample = SampleRate { window: 5, busy_window: 0 };
        assert_eq!([0, 1, 2].map(|level| window_ms(sample, level)), [5000; 3]);
    }

    #[test]
    fn many_connections_are_a_shortage_too() {
        assert!(Load { idle_workers: 60, connections: 173, ..LOAD }.busy());
        assert!(!Load { idle_workers: 60, connections: 172, ..LOAD }.busy());
    }
}
