//! `QS_ClientEventLimitCount`, `QS_CondClientEventLimitCount`: how often a client may cause an event in a time
//! (connection-client.md section 9.8).

use super::counter::Counter;
use crate::pattern::{Match, Pattern};
use std::ffi::CString;

/// The names of the variables that belong to a limit variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The variable whose value is counted.
    pub event: CString,
    /// `_Clear`: begin anew.
    pub clear: CString,
    /// `_Decrement`: count less.
    pub decrement: CString,
    /// `_Counter`: published.
    pub counter: CString,
    /// `_Remaining`: published.
    pub remaining: CString,
    /// Says that the event was counted for this request.
    pub seen: CString,
}

impl Names {
    /// The names for a variable; `None` if it holds a NUL.
    #[must_use]
    pub fn new(variable: &[u8]) -> Option<Names> {
        let name = |parts: &[&[u8]]| CString::new(parts.concat()).ok();
        let seen = if variable.eq_ignore_ascii_case(b"QS_Limit") { name(&[b"QS_Limit_seen"]) } else { name(&[b"QS_Limit_seen", variable]) };
        Some(Names {
            event: name(&[variable])?,
            clear: name(&[variable, b"_Clear"])?,
            decrement: name(&[variable, b"_Decrement"])?,
            counter: name(&[variable, b"_Counter"])?,
            remaining: name(&[variable, b"_Remaining"])?,
            seen: seen?,
        })
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRule {
    /// Its variables.
    pub names: Names,
    /// From this count on requests of the client are denied; 0: all of them.
    pub limit: u32,
    /// Length of the window, seconds.
    pub seconds: u32,
    /// Denies only requests whose variable `QS_Cond` matches.
    pub condition: Option<Pattern>,
}

/// A client that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// The limit.
    pub max: u32,
    /// The count.
    pub current: u32,
    /// Seconds since the window began.
    pub age: u32,
}

impl LimitRule {
    /// The counter as it is now: nothing if it was cleared, or more than `seconds` after its first event.
    #[must_use]
    pub fn expire(&self, counter: Counter, clear: bool, now: u32) -> Counter {
        let over = counter.count > 0 && now > counter.start.saturating_add(self.seconds);
        if clear || over { Counter::ZERO } else { counter }
    }

    /// Whether a request is denied: the counter has reached the limit, and the condition matches where there is one. A condition that
    /// cannot be decided counts as matching.
    #[must_use]
    pub fn judge(&self, counter: Counter, condition: Option<&[u8]>, now: u32) -> Option<Limited> {
        if counter.count < self.limit {
            return None;
        }
        if let Some(pattern) = &self.condition {
            if condition.is_none_or(|value| pattern.matches(value) == Match::No) {
                return None;
            }
        }
        Some(Limited { max: self.limit, current: counter.count, age: counter.age(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(limit: u32, seconds: u32, condition: Option<&str>) -> LimitRule {
        let condition = condition.map(|text| Pattern::new(text.as_bytes()).unwrap());
        LimitRule { names: Names::new(b"QS_Limit").unwrap(), limit, seconds, condition }
    }

    /// Example E9.
    #[test]
    fn two_events_of_three_points_reach_six() {
        let rule = rule(6, 3, None);
        let (t, mut counter) = (1000, Counter::ZERO);
        counter = rule.expire(counter, false, t).add(3, t);
        assert_eq!((rule.judge(counter, None, t), counter.remaining(3, t)), (None, 3));
        counter = rule.expire(counter, false, t).add(3, t);
        assert_eq!(rule.judge(counter, None, t), Some(Limited { max: 6, current: 6, age: 0 }));
        counter = rule.expire(counter, false, t + 2).add(0, t + 2);
        assert_eq!(rule.judge(counter, None, t + 2), Some(Limited { max: 6, current: 6, age: 2 }));
        assert!(rule.judge(rule.expire(counter, false, t + 3), None, t + 3).is_some());
        assert_eq!(rule.expire(counter, false, t + 4), Counter::ZERO);
        assert_eq!(rule.expire(counter, true, t), Counter::ZERO);
    }

    #[test]
    fn a_limit_of_zero_denies_everything() {
        assert_eq!(rule(0, 10, None).judge(Counter::ZERO, None, 5), Some(Limited { max: 0, current: 0, age: 0 }));
    }

    /// W16: limits above 32767 work.
    #[test]
    fn large_limits_are_limits() {
        assert_eq!(rule(100_000, 10, None).judge(Counter { count: 99_999, start: 1 }, None, 2), None);
        assert!(rule(100_000, 10, None).judge(Counter { count: 100_000, start: 1 }, None, 2).is_some());
    }

    #[test]
    fn a_condition_has_to_match() {
        let rule = rule(1, 10, Some("^bad"));
        let counter = Counter { count: 1, start: 1 };
        assert!(rule.judge(counter, Some(b"badly"), 2).is_some());
        assert!(rule.judge(counter, Some(b"Bad"), 2).is_none() && rule.judge(counter, None, 2).is_none());
    }

    /// W51: the mark of a variable other than QS_Limit.
    #[test]
    fn names() {
        let names = Names::new(b"Login").unwrap();
        assert_eq!((names.seen.as_c_str(), names.counter.as_c_str(), names.clear.as_c_str()), (c"QS_Limit_seenLogin", c"Login_Counter", c"Login_Clear"));
        assert_eq!(Names::new(b"QS_Limit").unwrap().seen.as_c_str(), c"QS_Limit_seen");
        assert!(Names::new(b"a\0b").is_none());
    }
}
