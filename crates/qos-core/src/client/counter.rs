//! Counters with a fixed window, and how much an event weighs (connection-client.md sections 9.6.1 and 9.6.2).

/// A count and when it began (monotonic seconds). A count of 0 has no beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// How many; stays at its largest value.
    pub count: u32,
    /// Since when, monotonic seconds.
    pub start: u32,
}

impl Counter {
    /// Nothing was counted.
    pub const ZERO: Counter = Counter { count: 0, start: 0 };

    /// More events. The first one begins the window, later ones do not move it.
    #[must_use]
    pub fn add(self, weight: u32, now: u32) -> Counter {
        match (self.count, weight) {
            (_, 0) => self,
            (0, _) => Counter { count: weight, start: now },
            _ => Counter { count: self.count.saturating_add(weight), ..self },
        }
    }

    /// Fewer events; with as many as there are, nothing is left.
    #[must_use]
    pub fn subtract(self, weight: u32) -> Counter {
        if weight >= self.count { Counter::ZERO } else { Counter { count: self.count - weight, ..self } }
    }

    /// Seconds since the window began.
    #[must_use]
    pub fn age(self, now: u32) -> u32 {
        if self.count == 0 { 0 } else { now.saturating_sub(self.start) }
    }

    /// Seconds until a window of that length ends, 0 for one that is over or never began.
    #[must_use]
    pub fn remaining(self, seconds: u32, now: u32) -> u32 {
        if self.count == 0 { 0 } else { seconds.saturating_sub(self.age(now)) }
    }
}

/// What a variable counts: nothing if it is not set, its number if it is one (at least 1), else 1.
#[must_use]
pub fn weight(value: Option<&[u8]>) -> u32 {
    let Some(value) = value else { return 0 };
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return 1;
    }
    value.iter().fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        for (value, expected) in
            [("", 1), ("1", 1), ("0", 1), ("3", 3), ("-3", 1), ("yes", 1), ("10x", 1), ("4294967295", u32::MAX), ("99999999999999", u32::MAX), ("007", 7)]
        {
            assert_eq!(weight(Some(value.as_bytes())), expected, "{value:?}");
        }
        assert_eq!(weight(None), 0);
    }

    #[test]
    fn the_first_event_begins_the_window_and_later_ones_do_not_move_it() {
        let counter = Counter::ZERO.add(1, 100).add(2, 105).add(0, 106);
        assert_eq!(counter, Counter { count: 3, start: 100 });
        assert_eq!((counter.age(107), counter.remaining(10, 107), counter.remaining(10, 110), counter.remaining(10, 120)), (7, 3, 0, 0));
        assert_eq!(counter.subtract(1), Counter { count: 2, start: 100 });
        assert_eq!((counter.subtract(3), counter.subtract(9)), (Counter::ZERO, Counter::ZERO));
        assert_eq!(Counter::ZERO.add(0, 9), Counter::ZERO);
    }

    /// W16: a counter that goes on growing stays at its end.
    #[test]
    fn counters_do_not_wrap() {
        assert_eq!(Counter { count: u32::MAX - 1, start: 5 }.add(40_000, 6).count, u32::MAX);
    }
}
