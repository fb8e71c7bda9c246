//! Whether one connection is too slow, judged from samples of its socket
//! (connection-client.md sections 7.2 to 7.5; what is measured: W41, W42).
//!
//! A clock runs only while the server waits for this client:
//!
//! * **in**: in phase head (TLS handshake included), and in an active request while a thread
//!   waits for body bytes. The client must send `required` bytes a second within each window.
//! * **out**: while bytes of a response are in the kernel that the client has not taken. The client
//!   is too slow if it took less than required in the window, less than what lay ready at
//!   the start of the window, and has not paid for the time by what it took before. The last
//!   condition is there because a receiver opens its window in lumps of up to its whole buffer, which
//!   may be further apart than one window although the client reads steadily.
//! * **keep**: an idle client may stay as long as httpd lets it plus [`KEEP_GRACE_MS`].
//!
//! Time is an argument; nothing here asks a clock or a socket.

use crate::phase::{Phase, State};

/// Added to the keep-alive timeout before an idle connection is a violation, milliseconds.
pub const KEEP_GRACE_MS: u64 = 5000;
/// How often an active connection is looked at while nothing is outstanding, milliseconds.
const ACTIVE_EVERY_MS: u64 = 1000;
const ACTIVE_EVERY_MAX_MS: u64 = 2000;
/// What a client takes at once when a response begins says little: that much of it does not count
/// for the longer view. A receive buffer is larger than this unless the client made it small on purpose, bytes.
const FIRST_BURST: u64 = 16 * 1024;
/// Time that a client can pay for in advance, milliseconds: a receiver that reads steadily at 10 KB/s out of an
/// ordinary buffer of 128 KiB opens its window every 6 to 13 s only.
const PAID_AHEAD_MS: u64 = 14_000;
/// A window of normal length is judged that much after its end, so that a client that sends
/// once a second is not judged by the second that is missing (section 7.4), milliseconds.
const JUDGED_AFTER_MS: u64 = 1000;

/// What a look at a connection showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Monotonic time, milliseconds.
    pub now_ms: u64,
    /// The packed state of the connection.
    pub state: State,
    /// Bytes the client has sent since it connected, as the kernel counts them.
    pub received: u64,
    /// Bytes the client's kernel has acknowledged.
    pub acked: u64,
    /// Bytes ready for the client that it has not acknowledged.
    pub outstanding: u64,
    /// Round-trip time, milliseconds.
    pub rtt_ms: u64,
    /// HTTP/2: progress in either direction counts for the requests of the connection.
    pub multiplexed: bool,
}

/// What is demanded at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes per second.
    pub required: u32,
    /// The window in force, milliseconds.
    pub window_ms: u64,
    /// The window while workers are free, milliseconds.
    pub normal_window_ms: u64,
    /// Whether responses and keep-alive are watched (not with `QS_SrvRequestRate`).
    pub responses: bool,
    /// The keep-alive timeout of the connection, milliseconds; 0: not watched.
    pub keep_alive_ms: u64,
}

/// Which way the client is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It sends too slowly.
    In,
    /// It has connected and never sent a byte.
    InEmpty,
    /// It takes its response too slowly.
    Out,
    /// It outstayed keep-alive.
    KeepAlive,
}

/// A client that was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Which way.
    pub direction: Direction,
    /// Bytes per second in the window.
    pub rate: u64,
    /// How often this connection was slow before, in a row.
    pub before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Outbound {
    start: Mark,
    /// Bytes that lay ready at the start of the window.
    outstanding: u64,
    /// Acknowledged at the last sample.
    seen: u64,
    /// What is left of [`FIRST_BURST`].
    burst: u64,
    /// The client has taken so much that no window counts before this time.
    paid_until: u64,
}

impl Outbound {
    /// When the window can be judged: at its end, but not before the time that is paid for is over.
    fn judged_at(&self, window_ms: u64) -> u64 {
        self.start.at.saturating_add(window_ms).max(self.paid_until)
    }

    /// Every byte taken pays for the time in which it had to be taken at the latest.
    fn pay(&mut self, now: u64, acked: u64, required: u32) {
        let taken = acked.saturating_sub(self.seen);
        self.seen = acked;
        let counted = taken.saturating_sub(self.burst);
        self.burst = self.burst.saturating_sub(taken);
        let time = counted.saturating_mul(1000) / u64::from(required.max(1));
        self.paid_until = self.paid_until.max(now).saturating_add(time).min(now + PAID_AHEAD_MS);
    }
}

/// The memory of one connection between samples.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    sequence: u32,
    inbound: Option<Mark>,
    outbound: Option<Outbound>,
    /// Bytes taken when nothing was outstanding last.
    settled: u64,
    keep_since: u64,
    sampled: u64,
    next: u64,
    quiet: u32,
    violations: u32,
}

impl Watch {
    /// A connection that began at `started_ms`; its first window starts there.
    #[must_use]
    pub fn new(started_ms: u64) -> Watch {
        Watch {
            sequence: State::NEW.sequence(),
            inbound: Some(Mark { at: started_ms, bytes: 0 }),
            outbound: None,
            settled: 0,
            keep_since: started_ms,
            sampled: started_ms,
            next: 0,
            quiet: 0,
            violations: 0,
        }
    }

    /// Whether a sample is needed now: decided without a system call.
    #[must_use]
    pub fn due(&self, now_ms: u64, state: State, window_ms: u64) -> bool {
        if state.sequence() != self.sequence || now_ms >= self.next {
            return true;
        }
        // A window that was begun under a longer one may end earlier.
        let inbound = self.inbound.map(|mark| mark.at.saturating_add(window_ms));
        let outbound = self.outbound.map(|out| out.judged_at(window_ms));
        match (inbound, outbound) {
            (None, None) => now_ms >= self.sampled.saturating_add(window_ms),
            (inbound, outbound) => inbound.into_iter().chain(outbound).any(|end| now_ms >= end),
        }
    }

    /// Takes a sample in; says whether the client was too slow.
    pub fn observe(&mut self, sample: &Sample, terms: &Terms) -> Option<Slow> {
        self.follow_phase(sample);
        let window = terms.window_ms.max(4 * sample.rtt_ms).min(terms.normal_window_ms.max(terms.window_ms));
        let slow =
            self.judge_inbound(sample, terms, window).or_else(|| self.judge_outbound(sample, terms, window)).or_else(|| self.judge_keep_alive(sample, terms));
        self.sampled = sample.now_ms;
        self.next = self.next_sample(sample, terms);
        match slow {
            Some((direction, rate)) => {
                let before = self.violations;
                self.violations = self.violations.saturating_add(1);
                Some(Slow { direction, rate, before })
            }
            None => None,
        }
    }

    /// The last finding was not the client's fault.
    pub fn spare(&mut self) {
        self.violations = self.violations.saturating_sub(1);
    }

    fn follow_phase(&mut self, sample: &Sample) {
        let (state, now) = (sample.state, sample.now_ms);
        if state.sequence() == self.sequence {
            return;
        }
        // The window of a head goes on over the body of the same request, nothing else does.
        let body_of_this_head = state.phase() == Phase::Active && state.sequence() == self.sequence.wrapping_add(1) && self.inbound.is_some();
        if !body_of_this_head {
            self.inbound = None;
        }
        if state.phase() == Phase::Keep {
            self.keep_since = now;
        }
        self.quiet = 0;
        self.violations = 0;
        self.sequence = state.sequence();
    }

    fn judge_inbound(&mut self, sample: &Sample, terms: &Terms, window: u64) -> Option<(Direction, u64)> {
        let awaited = match sample.state.phase() {
            Phase::Head => true,
            Phase::Active => sample.state.waiting(),
            Phase::Keep | Phase::Closing => false,
        };
        if !awaited {
            self.inbound = None;
            return None;
        }
        let bytes = if sample.multiplexed { sample.received + sample.acked } else { sample.received };
        let start = *self.inbound.get_or_insert(Mark { at: sample.now_ms, bytes });
        let judged_after = if window < terms.normal_window_ms { 0 } else { JUDGED_AFTER_MS };
        if sample.now_ms.saturating_sub(start.at) < window + judged_after {
            return None;
        }
        self.inbound = Some(Mark { at: sample.now_ms, bytes });
        let rate = per_second(bytes.saturating_sub(start.bytes), window);
        if rate >= u64::from(terms.required) {
            self.violations = 0;
            return None;
        }
        Some((if sample.received == 0 { Direction::InEmpty } else { Direction::In }, rate))
    }

    fn judge_outbound(&mut self, sample: &Sample, terms: &Terms, window: u64) -> Option<(Direction, u64)> {
        let now = sample.now_ms;
        if sample.outstanding == 0 || !terms.responses {
            self.outbound = None;
            self.settled = sample.acked;
            return None;
        }
        let here = Mark { at: now, bytes: sample.acked };
        let settled = self.settled;
        let out = self.outbound.get_or_insert(Outbound { start: here, outstanding: sample.outstanding, seen: settled, burst: FIRST_BURST, paid_until: now });
        out.pay(now, sample.acked, terms.required);
        let age = now.saturating_sub(out.start.at);
        if age < window {
            return None;
        }
        let taken = sample.acked.saturating_sub(out.start.bytes);
        let rate = per_second(taken, age);
        let enough = rate >= u64::from(terms.required) || taken >= out.outstanding;
        if !enough && now < out.paid_until {
            return None;
        }
        out.start = here;
        out.outstanding = sample.outstanding;
        (!enough).then_some((Direction::Out, rate))
    }

    fn judge_keep_alive(&mut self, sample: &Sample, terms: &Terms) -> Option<(Direction, u64)> {
        if sample.state.phase() != Phase::Keep || !terms.responses || terms.keep_alive_ms == 0 || sample.multiplexed {
            return None;
        }
        if sample.now_ms.saturating_sub(self.keep_since) <= terms.keep_alive_ms + KEEP_GRACE_MS {
            return None;
        }
        self.keep_since = sample.now_ms;
        Some((Direction::KeepAlive, 0))
    }

    fn next_sample(&mut self, sample: &Sample, terms: &Terms) -> u64 {
        let now = sample.now_ms;
        let normal = terms.normal_window_ms;
        let inbound = self.inbound.map(|mark| mark.at + normal + JUDGED_AFTER_MS);
        let outbound = self.outbound.map(|out| out.judged_at(normal));
        let first_end = inbound.into_iter().chain(outbound).min();
        match (first_end, sample.state.phase()) {
            (Some(end), Phase::Head | Phase::Active) => end,
            (None, Phase::Active) => {
                self.quiet = self.quiet.saturating_add(1);
                now + if self.quiet > 3 { ACTIVE_EVERY_MAX_MS } else { ACTIVE_EVERY_MS }
            }
            (end, _) => end.unwrap_or(u64::MAX).min(now + normal),
        }
    }
}

fn per_second(bytes: u64, milliseconds: u64) -> u64 {
    bytes.saturating_mul(1000) / milliseconds.max(1)
}

#[cfg(test)]
mod tests;
