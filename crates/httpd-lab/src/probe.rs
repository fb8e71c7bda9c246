//! The ordinary visitor: asks again and again, and finds out how long the service was away.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::RawClient;

/// The time between two questions.
const EVERY: Duration = Duration::from_millis(100);

/// A visitor at work; see [`Probe::start`].
#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(Duration, Duration, bool)>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the visitor experienced; times count from the start of the probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outage {
    /// When the first request that failed was sent.
    pub first_failure: Option<Duration>,
    /// When the first request after the last failure was answered; `None` when nothing failed, or nothing came back.
    pub back_at: Option<Duration>,
    /// The longest time without an answer: from the first failed request of a row to the next answer (or the end).
    pub longest: Duration,
    /// Requests sent.
    pub requests: usize,
    /// Requests without an answer in time, or with an error.
    pub failures: usize,
}

impl Probe {
    /// Asks `addr` for /small.txt every 100 ms, each time on a new connection from `from`; a request without an
    /// answer after `patience` has failed.
    pub fn start(addr: SocketAddr, from: Ipv4Addr, patience: Duration) -> Self {
        Self::ask(move || fetch(addr, from, patience, false))
    }

    /// The same over TLS.
    pub fn start_tls(addr: SocketAddr, from: Ipv4Addr, patience: Duration) -> Self {
        Self::ask(move || fetch(addr, from, patience, true))
    }

    /// Any question that answers whether the service is there.
    pub fn ask(question: impl Fn() -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let thread = std::thread::spawn({
            let (stop, seen) = (stop.clone(), seen.clone());
            move || {
                let start = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let asked = start.elapsed();
                    let answered = question();
                    seen.lock().expect("log").push((asked, start.elapsed(), answered));
                    std::thread::sleep((asked + EVERY).saturating_sub(start.elapsed()));
                }
            }
        });
        Self { stop, seen, thread: Some(thread) }
    }

    /// What was experienced so far.
    pub fn outage(&self) -> Outage {
        summary(&self.seen.lock().expect("log"))
    }

    /// Ends the visit.
    pub fn stop(mut self) -> Outage {
        self.end();
        self.outage()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.end();
    }
}

/// One complete visit; false when it got no 200 in time.
fn fetch(addr: SocketAddr, from: Ipv4Addr, patience: Duration, tls: bool) -> bool {
    let mut options = RawClient::options().from(from).timeout(patience);
    if tls {
        options = options.tls();
    }
    options.connect(addr).and_then(|mut c| c.request("GET", "/small.txt", &["Connection: close"], b"")).is_ok_and(|r| r.status == 200)
}

fn summary(seen: &[(Duration, Duration, bool)]) -> Outage {
    let mut outage = Outage { requests: seen.len(), ..Outage::default() };
    let mut away_since = None;
    for &(asked, done, answered) in seen {
        if answered {
            if let Some(since) = away_since.take() {
                outage.longest = outage.longest.max(done - since);
                outage.back_at = Some(done);
            }
        } else {
            outage.failures += 1;
            outage.first_failure.get_or_insert(asked);
            let since = *away_since.get_or_insert(asked);
            outage.longest = outage.longest.max(done - since);
            outage.back_at = None;
        }
    }
    outage
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn an_outage_lasts_from_the_first_failed_question_to_the_next_answer() {
        let seen = [(ms(0), ms(1), true), (ms(100), ms(1100), false), (ms(1100), ms(1200), true)];
        let outage = summary(&seen);
        assert_eq!(outage.first_failure, Some(ms(100)));
        assert_eq!(outage.back_at, Some(ms(1200)));
        assert_eq!(outage.longest, ms(1100));
        assert_eq!((outage.requests, outage.failures), (3, 1));
    }

    #[test]
    fn who_never_comes_back_has_no_end() {
        let outage = summary(&[(ms(0), ms(1000), false), (ms(1000), ms(2000), false)]);
        assert_eq!((outage.back_at, outage.longest), (None, ms(2000)));
    }
}
