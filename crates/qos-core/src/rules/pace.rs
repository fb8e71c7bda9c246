//! When a further request of a rule may start: requests per second (request-event.md section 7, W14).
//!
//! The original delays all requests by a time that it adapts every eleven seconds. Here each request starts as soon as the limit allows: in no
//! stretch of time that is as long as `limit` requests take do more requests start than that. So requests below the limit are never delayed, and
//! requests above it start at exactly the limit, evenly.
//!
//! Requests are numbered as they start, in groups; the times at which the last [`RING`] groups began are kept, whatever the limit is.

/// Times that are kept.
pub const RING: u64 = 32;
/// Most groups in the stretch of time that is looked back at.
const GROUPS: u32 = 31;

/// What a request waits at most where no number of waiting requests is configured, seconds.
const LONGEST_WAIT_SECONDS: u64 = 5;

/// The groups of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Groups that may begin in `span_us`.
    groups: u64,
    /// Requests in a group.
    size: u64,
    /// The time that `groups * size` requests take at the limit, microseconds.
    span_us: u64,
    limit: u64,
}

/// The time at which a group began: microseconds, and whether it had to wait. Zero: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Began {
    at_us: u64,
    waited: bool,
}

impl Began {
    /// From a word of the ring.
    #[must_use]
    pub fn unpack(word: u64) -> Began {
        Began { at_us: word >> 1, waited: word & 1 == 1 }
    }

    /// As a word of the ring.
    #[must_use]
    pub fn pack(self) -> u64 {
        self.at_us << 1 | u64::from(self.waited)
    }
}

/// What a request learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It starts now; the first of a group says when that group begins.
    Now(Option<Began>),
    /// Not before this time, microseconds.
    At(u64),
}

impl Pace {
    /// Of a limit in requests per second, at least 1.
    #[must_use]
    pub fn new(limit: u32) -> Pace {
        let limit = limit.max(1);
        // As many requests as fit a second, or a little more.
        let size = limit.div_ceil(GROUPS);
        let groups = limit.div_ceil(size);
        let (groups, size, limit) = (u64::from(groups), u64::from(size), u64::from(limit));
        Pace { groups, size, span_us: groups * size * 1_000_000 / limit, limit }
    }

    /// Whether request `number` may start at `now_us`, which has wanted to since `since_us`. Numbers begin at 0, and no request with a higher one has
    /// started. `ring` gives a word of the ring.
    #[must_use]
    pub fn start(&self, number: u64, since_us: u64, now_us: u64, ring: impl Fn(u64) -> u64) -> Start {
        let (group, place) = (number / self.size, number % self.size);
        let began = |group: u64| Began::unpack(ring(group % RING));
        // Evenly spaced within and between groups that had to wait.
        let spaced = |began: Began, requests: u64| if began.waited { began.at_us + requests * 1_000_000 / self.limit } else { 0 };
        let earliest = if place > 0 {
            spaced(began(group), place)
        } else {
            let before = group.checked_sub(self.groups).map_or(Began::default(), began);
            let free = if before == Began::default() { 0 } else { before.at_us + self.span_us };
            free.max(group.checked_sub(1).map_or(0, |last| spaced(began(last), self.size)))
        };
        // A ring that another limit has filled must not stop the rule.
        let earliest = earliest.min(now_us + self.span_us);
        if earliest > now_us {
            return Start::At(earliest);
        }
        // Who is woken a little late has begun when it might have begun, so that the delay does not add up.
        let at_us = earliest.max(since_us);
        Start::Now((place == 0).then_some(Began { at_us, waited: at_us > since_us }))
    }

    /// The place in the ring of the group that request `number` belongs to.
    #[must_use]
    pub fn ring_place(&self, number: u64) -> u64 {
        number / self.size % RING
    }

    /// So many requests may wait where no number is configured: none waits longer than five seconds, and no rule takes more than a quarter of the
    /// server's workers.
    #[must_use]
    pub fn most_waiting(&self, workers: u32) -> u32 {
        let in_time = u32::try_from(self.limit * LONGEST_WAIT_SECONDS).unwrap_or(u32::MAX);
        in_time.min(workers / 4).max(1)
    }

    /// How long `waiting` further requests take, milliseconds.
    #[must_use]
    pub fn backlog_ms(&self, waiting: u32) -> u32 {
        u32::try_from(u64::from(waiting) * 1000 / self.limit).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A rule with its state, and requests that queue up.
    struct Rule {
        pace: Pace,
        number: u64,
        ring: [u64; RING as usize],
    }

    impl Rule {
        fn new(limit: u32) -> Rule {
            Rule { pace: Pace::new(limit), number: 0, ring: [0; RING as usize] }
        }

        /// When a request starts that comes at `since`, the one before having started at `before`, woken `late`.
        fn start(&mut self, since: u64, before: u64, late: u64) -> u64 {
            let mut now = since.max(before);
            loop {
                match self.pace.start(self.number, since, now, |place| self.ring[place as usize]) {
                    Start::At(at) => now = at + late,
                    Start::Now(began) => {
                        if let Some(began) = began {
                            self.ring[self.pace.ring_place(self.number) as usize] = began.pack();
                        }
                        self.number += 1;
                        return now;
                    }
                }
            }
        }

        fn run(&mut self, arrivals: &[u64], late: u64) -> Vec<u64> {
            let mut before = 0;
            arrivals
                .iter()
                .map(|since| {
                    before = self.start(*since, before, late);
                    before
                })
                .collect()
        }
    }

    const SECOND: u64 = 1_000_000;

    fn within(starts: &[u64], from: u64, to: u64) -> usize {
        starts.iter().filter(|start| (from..to).contains(*start)).count()
    }

    #[test]
    fn requests_above_the_limit_start_at_the_limit() {
        for limit in [1, 2, 7, 10, 16, 17, 31, 100, 999, 12_345] {
            let begin = 50 * SECOND;
            let arrivals = (0..u64::from(limit) * 25).map(|n| begin + n * SECOND / u64::from(limit) / 2).collect::<Vec<_>>();
            for late in [0, 70, 1000] {
                let starts = Rule::new(limit).run(&arrivals, late);
                let expected = 10.0 * f64::from(limit);
                for from in [0, 1, 5] {
                    let found = within(&starts, begin + from * SECOND, begin + (from + 10) * SECOND) as f64;
                    assert!((found - expected).abs() <= (expected * 0.05).max(1.0), "limit {limit}, woken {late} late, from second {from}: {found}");
                }
            }
        }
    }

    #[test]
    fn requests_below_the_limit_are_not_delayed() {
        for limit in [1, 3, 10, 100, 5000] {
            // All of a second's requests at once, and evenly.
            let bursts = (0..u64::from(limit) * 10).map(|n| 77 * SECOND + n / u64::from(limit) * SECOND * 5 / 4).collect::<Vec<_>>();
            let even = (0..u64::from(limit) * 10).map(|n| 77 * SECOND + n * SECOND / u64::from(limit)).collect::<Vec<_>>();
            for arrivals in [bursts, even] {
                assert_eq!(Rule::new(limit).run(&arrivals, 0), arrivals, "limit {limit}");
            }
        }
    }

    #[test]
    fn a_changed_limit_finds_a_ring_that_means_nothing_to_it() {
        let mut rule = Rule::new(1000);
        rule.run(&vec![SECOND; 5000], 0);
        rule.pace = Pace::new(3);
        let starts = rule.run(&vec![20 * SECOND; 30], 0);
        assert!(starts.last().is_some_and(|last| *last < 32 * SECOND), "{starts:?}");
    }

    #[test]
    fn the_backlog_as_time() {
        assert_eq!([(1, 400), (100, 400), (100, 8), (100, 2), (u32::MAX, 0)].map(|(limit, workers)| Pace::new(limit).most_waiting(workers)), [5, 100, 2, 1, 1]);
        assert_eq!((Pace::new(10).backlog_ms(4), Pace::new(1000).backlog_ms(0), Pace::new(0).backlog_ms(1)), (400, 0, 1000));
    }

    proptest! {
        /// In no stretch of time that `limit` requests take do more start, but for a group.
        #[test]
        fn no_stretch_of_time_has_more(limit in 1u32..300, gaps in prop::collection::vec(0u64..30_000, 1..800)) {
            let pace = Pace::new(limit);
            let mut now = SECOND;
            let arrivals = gaps.iter().map(|gap| { now += gap; now }).collect::<Vec<_>>();
            let starts = Rule::new(limit).run(&arrivals, 0);
            for start in &starts {
                let most = (pace.groups + 1) * pace.size;
                prop_assert!(within(&starts, *start, start + pace.span_us) as u64 <= most);
            }
            for (arrival, start) in arrivals.iter().zip(&starts) {
                prop_assert!(arrival <= start);
            }
        }

        #[test]
        fn words(at_us in 0u64..1 << 62, waited: bool) {
            let began = Began { at_us, waited };
            prop_assert_eq!(Began::unpack(began.pack()), began);
        }

        /// Whatever stands in memory, nobody waits for ever.
        #[test]
        fn any_memory_is_survived(limit: u32, number: u64, now in 0u64..1 << 60, word: u64) {
            if let Start::At(at) = Pace::new(limit).start(number, now, now, |_| word) {
                prop_assert!(at <= now + 2 * SECOND);
            }
        }
    }
}
