//! `QS_ClientEventPerSecLimit`: events of a client are slowed down to a rate (connection-client.md section 9.5).

use super::counter::Counter;

/// Length of the window in which the rate is measured, seconds: it ends with the first event after it.
pub const WINDOW: u32 = 10;
/// The longest delay, milliseconds.
pub const MAX_DELAY_MS: u32 = 5000;
/// Below this a delay that gets shorter ends, milliseconds.
const LEAST_DELAY_MS: u32 = 50;

/// How fast events of a client come, and what it has to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Events per second in the last complete window.
    pub per_second: u32,
    /// Delay of each event, milliseconds.
    pub delay_ms: u32,
}

/// The end of a window, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// 061: too fast, the delay grows.
    Slower,
    /// 062: not too fast any more, the delay shrinks.
    Faster,
}

/// Counts an event: the counter as it is then. A window that is over ends with this event, and the next one begins.
#[must_use]
pub fn count(events: Counter, now: u32) -> Counter {
    if now > events.start.saturating_add(WINDOW) { Counter { count: 0, start: now } } else { Counter { count: events.count.saturating_add(1), ..events } }
}

/// The pace after a window that ended with an event: `before` is its counter without this event. Time without events counts as
/// windows in which the delay shrinks (W50).
#[must_use]
pub fn judge(before: Counter, pace: Pace, limit: u32, now: u32) -> (Pace, Option<Change>) {
    let elapsed = now.saturating_sub(before.start).max(1);
    let per_second = before.count.saturating_add(1) / elapsed;
    if limit > 0 && per_second > limit {
        let beyond = u64::from(per_second) * 100 / u64::from(limit) - 100;
        let delay = (u64::from(pace.delay_ms) + beyond).min(u64::from(MAX_DELAY_MS));
        return (Pace { per_second, delay_ms: u32::try_from(delay).unwrap_or(MAX_DELAY_MS) }, Some(Change::Slower));
    }
    if pace.delay_ms == 0 {
        return (Pace { per_second, delay_ms: 0 }, None);
    }
    let mut delay_ms = pace.delay_ms;
    for _ in 0..(elapsed / (WINDOW + 1)).clamp(1, 100) {
        delay_ms = if delay_ms < LEAST_DELAY_MS { 0 } else { delay_ms - delay_ms / 4 };
    }
    (Pace { per_second, delay_ms }, Some(Change::Faster))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example E11.
    #[test]
    fn twenty_events_a_second_where_five_are_allowed() {
        let (start, mut events, mut last) = (1000, Counter { count: 0, start: 1000 }, Counter::ZERO);
        let mut ended = None;
        for n in 0..400 {
            let now = start + n / 20;
            last = events;
            events = count(events, now);
            if events.start != start {
                ended = Some(now);
                break;
            }
        }
        assert_eq!((ended, last.count), (Some(1011), 220));
        let (pace, change) = judge(last, Pace::default(), 5, 1011);
        assert_eq!((pace, change), (Pace { per_second: 20, delay_ms: 300 }, Some(Change::Slower)));
        let mut delays = vec![];
        let mut now = 1011;
        let mut pace = pace;
        while pace.delay_ms > 0 {
            now += 11;
            pace = judge(Counter { count: 10, start: now - 11 }, pace, 5, now).0;
            delays.push(pace.delay_ms);
        }
        assert_eq!(delays[..3], [225, 169, 127]);
        assert_eq!(delays[delays.len() - 2..], [41, 0]);
    }

    #[test]
    fn the_delay_has_an_end_and_idle_time_shortens_it() {
        let fast = Counter { count: u32::MAX, start: 0 };
        assert_eq!(judge(fast, Pace { per_second: 0, delay_ms: 4900 }, 1, 11).0.delay_ms, MAX_DELAY_MS);
        let slow = Counter { count: 0, start: 0 };
        assert_eq!(judge(slow, Pace { per_second: 9, delay_ms: 400 }, 5, 11).0.delay_ms, 300);
        assert_eq!(judge(slow, Pace { per_second: 9, delay_ms: 400 }, 5, 22).0.delay_ms, 225);
        assert_eq!(judge(slow, Pace { per_second: 9, delay_ms: 5000 }, 5, 400).0.delay_ms, 0, "gone after some minutes");
        assert_eq!(judge(slow, Pace::default(), 5, 11), (Pace::default(), None));
    }
}
