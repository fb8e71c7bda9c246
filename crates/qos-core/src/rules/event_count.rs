//! Events in a window of time: `QS_EventLimitCount` and `QS_CondEventLimitCount` (request-event.md section 9.4).

use crate::client::weight;
use crate::pattern::Pattern;
use std::ffi::CString;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCountRule {
    /// The variable that makes a request an event.
    pub variable: CString,
    /// `<variable>_Counter`.
    pub counter: CString,
    /// `<variable>_Decrement`.
    pub decrement: CString,
    /// So many events pass in a window; at least 1.
    pub number: u32,
    /// Length of the window, seconds; at least 1.
    pub seconds: u32,
    /// What `QS_Cond` has to match for a denial.
    pub condition: Option<Pattern>,
    /// `QS_LogOnlyRule`.
    pub log_only: bool,
}

/// The state: events since `start`, in seconds of a clock that never goes back. All zero: no window is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCount {
    /// Events in the window.
    pub count: u32,
    /// When the window was opened.
    pub start: u32,
}

impl EventCount {
    /// From one word.
    #[must_use]
    pub fn unpack(word: u64) -> EventCount {
        EventCount { count: (word >> 32) as u32, start: word as u32 }
    }

    /// As one word.
    #[must_use]
    pub fn pack(self) -> u64 {
        u64::from(self.count) << 32 | u64::from(self.start)
    }

    /// One more event at `now`.
    #[must_use]
    pub fn one_more(self, now: u32) -> EventCount {
        EventCount { count: self.count.saturating_add(1), start: if self.count == 0 { now } else { self.start } }
    }

    /// `events` less; none left closes the window.
    #[must_use]
    pub fn subtract(self, events: u32) -> EventCount {
        if events >= self.count { EventCount::default() } else { EventCount { count: self.count - events, ..self } }
    }
}

impl EventCountRule {
    /// The state as it is at `now`: a window is open to its last second, that is `seconds` after it was opened.
    #[must_use]
    pub fn expire(&self, state: EventCount, now: u32) -> EventCount {
        if u64::from(state.start) + u64::from(self.seconds) < u64::from(now) { EventCount::default() } else { state }
    }

    /// Seconds until the window is over; 0 when none is open.
    #[must_use]
    pub fn remaining(&self, state: EventCount, now: u32) -> u32 {
        if state.count == 0 { 0 } else { (state.start.saturating_add(self.seconds).saturating_add(1)).saturating_sub(now) }
    }

    /// Whether a counted event is too many. `condition`: the variable `QS_Cond`.
    #[must_use]
    pub fn violates(&self, state: EventCount, condition: Option<&[u8]>) -> bool {
        state.count > self.number && self.condition.as_ref().is_none_or(|pattern| condition.is_some_and(|value| pattern.may_match(value)))
    }

    /// What the end of a request makes of the state: less by the decrement (W17), more by an event that was not counted before.
    #[must_use]
    pub fn end(&self, state: EventCount, decrement: Option<&[u8]>, event: bool, now: u32) -> EventCount {
        let state = state.subtract(weight(decrement));
        if event { self.expire(state, now).one_more(now) } else { state }
    }

    /// The directive, as 013 names it.
    #[must_use]
    pub fn directive(&self) -> &'static str {
        if self.condition.is_some() { "QS_CondEventLimitCount" } else { "QS_EventLimitCount" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(number: u32, seconds: u32) -> EventCountRule {
        EventCountRule {
            variable: c"LOGIN".into(),
            counter: c"LOGIN_Counter".into(),
            decrement: c"LOGIN_Decrement".into(),
            number,
            seconds,
            condition: None,
            log_only: false,
        }
    }

    /// Example E8.
    #[test]
    fn e8() {
        let rule = rule(10, 60);
        let mut state = EventCount::default();
        let mut login = |now| {
            state = rule.expire(state, now).one_more(now);
            (state.count, rule.violates(state, None))
        };
        assert_eq!(login(1000), (1, false));
        for n in 2..=10 {
            assert_eq!(login(1005), (n, false));
        }
        assert_eq!(login(1006), (11, true));
        assert_eq!(login(1060), (12, true), "1000 + 60 < 1060 is false");
        assert_eq!(login(1061), (1, false));
        assert_eq!(rule.remaining(EventCount { count: 1, start: 1000 }, 1060), 1);
        assert_eq!(rule.remaining(EventCount::default(), 1060), 0);
    }

    #[test]
    fn less_and_more_at_the_end() {
        let rule = rule(10, 60);
        let state = EventCount { count: 5, start: 1000 };
        assert_eq!(rule.end(state, Some(b"3"), false, 1010), EventCount { count: 2, start: 1000 });
        assert_eq!(rule.end(state, Some(b"text"), false, 1010).count, 4);
        assert_eq!(rule.end(state, Some(b"5"), false, 1010), EventCount::default());
        assert_eq!(rule.end(state, Some(b"5"), true, 1010), EventCount { count: 1, start: 1010 });
        assert_eq!(rule.end(state, None, true, 1061), EventCount { count: 1, start: 1061 }, "expired");
        assert_eq!(rule.end(state, None, false, 1061), state, "nothing happened");
    }

    #[test]
    fn a_condition_decides_about_the_denial_only() {
        let rule = EventCountRule { condition: Pattern::new(b"^untrusted$").ok(), ..rule(1, 60) };
        let state = EventCount { count: 2, start: 1 };
        assert!(rule.violates(state, Some(b"untrusted")) && !rule.violates(state, Some(b"trusted")) && !rule.violates(state, None));
    }

    proptest! {
        #[test]
        fn words(count: u32, start: u32) {
            let state = EventCount { count, start };
            prop_assert_eq!(EventCount::unpack(state.pack()), state);
        }

        /// No window has more than `number` events that pass.
        #[test]
        fn events_that_pass(number in 1u32..20, seconds in 1u32..30, gaps in prop::collection::vec(0u32..10, 1..200)) {
            let rule = rule(number, seconds);
            let (mut state, mut now, mut passed) = (EventCount::default(), 1000, Vec::new());
            for gap in gaps {
                now += gap;
                state = rule.expire(state, now).one_more(now);
                if !rule.violates(state, None) {
                    passed.push((state.start, now));
                }
            }
            for (start, _) in &passed {
                prop_assert!(passed.iter().filter(|(own, _)| own == start).count() <= number as usize);
            }
        }
    }
}
