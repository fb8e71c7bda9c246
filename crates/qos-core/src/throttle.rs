//! Bandwidth of a rule, shared by its responses (request-event.md section 8).
//!
//! All responses of a rule share one number, the *tail*: the time at which everything that was reserved so far will have been sent at
//! the limit. A response reserves its next piece, waits until the piece may begin, sends it, and only then reserves again. Having one
//! piece each, all of the same size, responses take turns and get equal shares; the sum is exact, as the tail moves by what a piece takes
//! at the limit, however late anybody wakes up (up to [`LATE_NS`]). A rule that was slower than its limit has a credit of [`BURST_NS`] and no more:
//! below the limit nobody waits. Whoever used the credit takes smaller turns when others come.
//!
//! How many responses there are is not counted, so no number can be wrong after a child has died: the backlog (tail minus now) tells. A piece gets
//! shorter with the backlog that is found ([`reserve`]), so that a single response sends some 16 pieces a second and each of 200 still 3.
//! What a response does not use it gives back, and those behind it that see the tail before the end of their own pieces reserve anew, so that nobody
//! waits for who has left; what a dead child had reserved, one piece for each of its responses, passes by itself.
//!
//! The formulas of section 8.3 and their example E5 (a wait that all chunks of 8000 bytes share and that is doubled or halved once a second) are superseded by this: they
//! take 12 seconds to come near the limit, and hold nobody who sends less than 8000 bytes. What can be seen is kept: letter `L`,
//! `QS_ResponseDelayTime` ([`average`]) and the current rate ([`current`]).
//!
//! Units: limits in kbytes per second, a kbyte is 1024 bytes (W15); times in nanoseconds of the monotonic clock.

/// Credit of a rule that was slower than its limit, nanoseconds: so much time's worth is sent at once.
pub const BURST_NS: u64 = 50_000_000;
/// What a response may catch up that woke up late, nanoseconds.
pub const LATE_NS: u64 = 250_000_000;
/// What the piece of a response takes that is alone, nanoseconds.
const PIECE_NS: u64 = 60_000_000;
/// Bytes of the smallest piece.
pub const LEAST_PIECE: u64 = 256;
/// Bytes of the largest piece.
pub const MOST_PIECE: u64 = 1 << 20;
/// Bytes of the first piece of a response at most. Later ones double as long as its client takes them: little is sent before it is known how many
/// responses there are, and little is reserved for a client that is slow.
pub const FIRST_PIECE: u64 = 2048;
/// Part of a turn that a response takes as long as it has got more than others.
const REPAYING: u64 = 4;
/// No piece waits longer, nanoseconds.
const MOST_WAIT_NS: u64 = 60_000_000_000;
/// Shorter waits are not made, nanoseconds: what is sent early by so little stays reserved.
const LEAST_WAIT_NS: u64 = 200_000;
/// A response that waits gives its place up for one that is so much earlier, nanoseconds.
const EARLIER_NS: u64 = 50_000_000;
/// A piece that is not used up so long after it should have been is given back, nanoseconds.
const GRACE_NS: u64 = 250_000_000;

/// What was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The tail from now on.
    pub tail: u64,
    /// When it may be sent.
    pub start: u64,
    /// Its bytes, at least 1.
    pub bytes: u64,
}

/// Nanoseconds that so many bytes take at the limit, rounded up.
fn duration(bytes: u64, limit: u32) -> u64 {
    let duration = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(limit.max(1)) * 1024);
    u64::try_from(duration).unwrap_or(u64::MAX)
}

/// Bytes that a response reserves at a time when it finds that backlog (nanoseconds). With n responses that take turns, each finds
/// n pieces before it: they settle at a backlog of `PIECE_NS` times the cube root of n.
fn size(backlog: u64, limit: u32) -> u64 {
    let alone = u128::from(limit) * 1024 * u128::from(PIECE_NS) / 1_000_000_000;
    let (backlog, piece) = (u128::from(backlog.max(PIECE_NS)), u128::from(PIECE_NS));
    let bytes = alone * piece / backlog * piece / backlog;
    u64::try_from(bytes).unwrap_or(MOST_PIECE).clamp(LEAST_PIECE, MOST_PIECE)
}

/// What a response asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Bytes at most.
    pub most: u64,
    /// Nanoseconds that the rule may have been behind its limit.
    pub credit: u64,
    /// It takes one in so many of the bytes that its turn has.
    pub part: u64,
}

/// Reserves the next piece of a response. `limit` in kbytes per second, at least 1.
#[must_use]
pub fn reserve(tail: u64, now: u64, limit: u32, wish: Wish) -> Piece {
    let start = tail.clamp(now.saturating_sub(wish.credit), now.saturating_add(MOST_WAIT_NS));
    let turn = size(start.saturating_sub(now), limit) / wish.part.max(1);
    let bytes = turn.max(LEAST_PIECE).min(wish.most).max(1);
    Piece { tail: start.saturating_add(duration(bytes, limit)), start: start.max(now), bytes }
}

/// The tail when so many bytes that were reserved are not sent.
#[must_use]
pub fn give_back(tail: u64, limit: u32, bytes: u64) -> u64 {
    tail.saturating_sub(duration(bytes, limit))
}

/// A response on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Bytes of the piece that are not sent yet.
    left: u64,
    /// When it may begin, and until when it has to be used up.
    start: u64,
    until: u64,
    /// Size of the last piece.
    last: u64,
    /// The tail behind it, and the part of its turn that it was.
    tail: u64,
    part: u64,
    /// The tail behind the piece before it.
    before: u64,
    /// It had to wait for others.
    crowded: bool,
    /// Bytes that were sent before others came: of the credit, and of one piece.
    ahead: u64,
    /// The time of this response, if it does not really wait (`QS_LogOnly`).
    virtual_now: u64,
    /// Moving average of its waits ([`average`]), microseconds; 0: it never waited.
    pub delayed: u64,
    /// All its waits together, microseconds.
    pub waited_us: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send what is left of the piece, then tell by [`Sending::sent`].
    Send {
        /// Bytes.
        bytes: u64,
        /// From then on.
        start: u64,
    },
    /// Reserve a piece and tell by [`Sending::reserved`], after giving back so many.
    Reserve {
        /// The piece.
        wish: Wish,
        /// Left from a piece that is too old, or whose turn can come earlier.
        give_back: u64,
        /// Nanoseconds of a wait that were counted and are not waited.
        unwaited: u64,
    },
}

impl Sending {
    /// What to do when there is something to send. `tail`: that of the rule. `known`: bytes that are known to follow, if that is all of the response.
    #[must_use]
    pub fn next(&mut self, now: u64, tail: u64, known: Option<u64>) -> Next {
        let mut unwaited = 0;
        if self.left > 0 && now <= self.until {
            // A tail before the end of this piece: others have left since, and there is an earlier place behind those that stayed.
            let is_late = self.start > now && self.start - now > EARLIER_NS && tail.saturating_add(EARLIER_NS) < self.tail;
            if !is_late {
                return Next::Send { bytes: self.left, start: self.start };
            }
            unwaited = self.start - now;
            self.waited_us = self.waited_us.saturating_sub(unwaited / 1000).max(1);
            self.tail = self.before;
        }
        // How long it takes to send a piece and come back, a late start included.
        let took = if self.last == 0 { 0 } else { now.saturating_sub(self.start) };
        let is_taken = took <= 2 * PIECE_NS;
        let most = if is_taken { self.last.saturating_mul(2) } else { self.last / 2 }.clamp(FIRST_PIECE, MOST_PIECE);
        let most = known.map_or(most, |known| most.min(known)).max(1);
        self.part = if self.ahead > 0 && self.crowded { REPAYING } else { 1 };
        Next::Reserve { wish: Wish { most, credit: took.clamp(BURST_NS, LATE_NS), part: self.part }, give_back: std::mem::take(&mut self.left), unwaited }
    }

    /// A piece was reserved: how long to wait before it is sent, nanoseconds.
    pub fn reserved(&mut self, piece: &Piece, now: u64, limit: u32) -> u64 {
        let wait = piece.start.saturating_sub(now);
        let wait = if wait < LEAST_WAIT_NS { 0 } else { wait };
        self.left = piece.bytes;
        self.start = piece.start;
        // Alone, a response finds the tail that it left.
        self.crowded = wait > 0 && piece.start > self.tail;
        if self.crowded {
            self.ahead = self.ahead.saturating_sub(piece.bytes.saturating_mul(self.part.saturating_sub(1)));
        } else {
            let most = u64::from(limit).saturating_mul(1024) / (1_000_000_000 / (BURST_NS + PIECE_NS));
            self.ahead = self.ahead.saturating_add(piece.bytes).min(most);
        }
        self.before = self.tail;
        self.tail = piece.tail;
        self.last = piece.bytes;
        self.until = piece.start.saturating_add(duration(piece.bytes, limit)).saturating_add(GRACE_NS);
        if wait > 0 {
            self.delayed = average(self.delayed, wait / 1000);
            self.waited_us = self.waited_us.saturating_add(wait / 1000);
        }
        wait
    }

    /// So many bytes were sent.
    pub fn sent(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Bytes to give back when the response ends or its client leaves.
    pub fn end(&mut self) -> u64 {
        std::mem::take(&mut self.left)
    }

    /// The time of a response that only pretends to wait (`QS_LogOnly`): what it would be had it waited. One that begins while others are
    /// in a future of their own joins them.
    #[must_use]
    pub fn virtual_now(&mut self, now: u64, tail: u64) -> u64 {
        if self.virtual_now == 0 {
            self.virtual_now = tail.saturating_sub(PIECE_NS);
        }
        self.virtual_now = self.virtual_now.max(now).max(self.start);
        self.virtual_now
    }
}

/// `QS_ResponseDelayTime`: moving average of the waits of a response, microseconds (section 8.4).
#[must_use]
pub fn average(delayed: u64, wait: u64) -> u64 {
    1_u64.saturating_add(delayed).saturating_add(wait) / 2
}

/// Length of a tick of measuring, as a power of two of nanoseconds: 8.4 ms, so that 32 bits last longer than a year.
const TICK_BITS: u32 = 23;
/// A window of measuring lasts so many ticks at least: a second.
const WINDOW_TICKS: u32 = 120;

fn tick(now: u64) -> u32 {
    (now >> TICK_BITS) as u32
}

fn pack(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// Kbytes per second since a window (start:32 | kbytes sent by then:32) began, and its ticks.
fn since(window: u64, bytes: u64, now: u64) -> (u32, u32) {
    let ticks = tick(now).wrapping_sub((window >> 32) as u32);
    let kbytes = ((bytes >> 10) as u32).wrapping_sub(window as u32);
    let nanoseconds = u64::from(ticks.max(1)) << TICK_BITS;
    (u32::try_from(u128::from(kbytes) * 1_000_000_000 / u128::from(nanoseconds)).unwrap_or(u32::MAX), ticks)
}

/// Where a window of measuring stands when `bytes` have been sent in all. `Some`: it is over; the window that follows, and what it measured
/// (kbytes per second:32 | end:32; `None` for the very first). A window of 0 has not begun.
#[must_use]
pub fn measure(window: u64, bytes: u64, now: u64) -> Option<(u64, Option<u64>)> {
    let following = pack(tick(now), (bytes >> 10) as u32).max(1);
    if window == 0 {
        return Some((following, None));
    }
    let (rate, ticks) = since(window, bytes, now);
    (ticks >= WINDOW_TICKS).then(|| (following, Some(pack(rate, tick(now)))))
}

/// The rate to display, kbytes per second: that of the last window, or of the running one once that is longer than two seconds.
#[must_use]
pub fn current(window: u64, measured: u64, bytes: u64, now: u64) -> u32 {
    if window == 0 {
        return 0;
    }
    let (rate, ticks) = since(window, bytes, now);
    let is_fresh = measured != 0 && tick(now).wrapping_sub(measured as u32) < 2 * WINDOW_TICKS;
    if is_fresh && ticks < 2 * WINDOW_TICKS { (measured >> 32) as u32 } else { rate }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
