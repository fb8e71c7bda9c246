//! `QS_ClientEventBlockCount`: a client with too many bad events is refused for a while (connection-client.md section 9.6).

use super::counter::Counter;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRule {
    /// From this count on the client is blocked; 0: never.
    pub limit: u32,
    /// Length of the window, seconds.
    pub seconds: u32,
}

/// A client that is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The limit.
    pub max: u32,
    /// The count.
    pub current: u32,
    /// Seconds since the window began.
    pub age: u32,
}

impl BlockRule {
    /// The counter as it is now: nothing once the window is over, which it is `seconds` after its first event.
    #[must_use]
    pub fn expire(&self, counter: Counter, now: u32) -> Counter {
        if counter.count > 0 && now >= counter.start.saturating_add(self.seconds) { Counter::ZERO } else { counter }
    }

    /// Counts events.
    #[must_use]
    pub fn count(&self, counter: Counter, weight: u32, now: u32) -> Counter {
        self.expire(counter, now).add(weight, now)
    }

    /// Whether the client is blocked now.
    #[must_use]
    pub fn judge(&self, counter: Counter, now: u32) -> Option<Blocked> {
        let counter = self.expire(counter, now);
        let blocked = self.limit > 0 && counter.count >= self.limit;
        blocked.then(|| Blocked { max: self.limit, current: counter.count, age: counter.age(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example E8, and the boundaries of section 9.6.4.
    #[test]
    fn three_events_block_until_ten_seconds_after_the_first() {
        let rule = BlockRule { limit: 3, seconds: 10 };
        let mut counter = Counter::ZERO;
        for now in [100, 100, 102] {
            assert_eq!(rule.judge(counter, now), None);
            counter = rule.count(counter, 1, now);
        }
        assert_eq!(rule.judge(counter, 103), Some(Blocked { max: 3, current: 3, age: 3 }));
        assert_eq!(rule.judge(counter, 109), Some(Blocked { max: 3, current: 3, age: 9 }));
        assert_eq!(rule.judge(counter, 110), None);
        assert_eq!(rule.expire(counter, 110), Counter::ZERO);
        assert_eq!(rule.count(counter, 1, 110), Counter { count: 1, start: 110 });
    }

    #[test]
    fn a_limit_of_zero_blocks_nobody() {
        assert_eq!(BlockRule { limit: 0, seconds: 10 }.judge(Counter { count: 9, start: 1 }, 2), None);
    }
}
