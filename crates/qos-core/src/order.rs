//! The order in which a request is judged once its location is known (request-event.md section 2.5).
//!
//! [`MAIN`] is that order. The number of a step is the one that the specification gives it. Where ours differs, it is because a request that
//! is going to be denied must not wait first (connection-client.md W06): 25 comes before 23 and 24, 30 before 28; and because rules that do not need
//! the body are asked before it is read (filters.md FW-20): 2 comes before 10. 33 is ours and stands behind 14.

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `QS_LogEnv`.
    LogEnv = 1,
    /// The body is read, if something wants to see it; its length is put right.
    ReadBody = 2,
    /// `QS_SetEnvIfResBody` wants to see the response.
    SearchBody = 3,
    /// `QS_SetEnvIfStatus BrokenConnection` wants to see the response.
    WatchConnection = 4,
    /// `QS_MileStone`.
    Milestones = 5,
    /// Deny and permit rules about the URL and the body.
    Filters = 6,
    /// Notes for an access log.
    Audit = 7,
    /// `QS_KeepAliveTimeout`, `QS_MaxKeepAliveRequests`.
    KeepAlive = 8,
    /// The session cookie and the variable `QS_VipRequest`.
    Vip = 9,
    /// `QS_SetEnvIfParp`.
    SetEnvIfParp = 10,
    /// `QS_SetEnvIfBody`.
    SetEnvIfBody = 11,
    /// `QS_SetEnvIfQuery`.
    SetEnvIfQuery = 12,
    /// `QS_SetEnvIf`.
    SetEnvIf = 13,
    /// `QS_SetEnv`.
    SetEnv = 14,
    /// `QS_SetReqHeader` without `late`.
    SetReqHeader = 15,
    /// The variable `QS_Timeout`.
    Timeout = 16,
    /// `QS_DenyEvent`.
    DenyEvent = 17,
    /// `QS_EventLimitCount`, `QS_CondEventLimitCount`.
    EventLimitCount = 18,
    /// `QS_EventRequestLimit`.
    EventRequestLimit = 19,
    /// `QS_EventPerSecLimit`, `QS_EventKBytesPerSecLimit`: which of them apply.
    EventRates = 20,
    /// `QS_SetEnvIfCmp`.
    SetEnvIfCmp = 21,
    /// `QS_ClientEventRequestLimit`.
    ClientEventRequestLimit = 22,
    /// `QS_ClientSerialize`.
    ClientSerialize = 23,
    /// `QS_SrvSerialize`.
    SrvSerialize = 24,
    /// Limits and delays of the client.
    ClientStore = 25,
    /// Which rules of locations apply; the request counts for them.
    SelectLocation = 26,
    /// Their limit of concurrent requests.
    LocationLimit = 27,
    /// Requests per second, of locations and events.
    RequestDelay = 28,
    /// Kbytes per second, of locations and events.
    Bandwidth = 29,
    /// `QS_CondLocRequestLimitMatch`.
    ConditionalLimit = 30,
    /// The variable `QS_Delay`.
    Delay = 32,
    /// The variable `QS_VipRequest` again, behind the rules that may set it (W31).
    VipVariable = 33,
}

/// The steps in their order.
pub const MAIN: [Step; 32] = [
    Step::LogEnv,
    Step::SearchBody,
    Step::WatchConnection,
    Step::Milestones,
    Step::Filters,
    Step::Audit,
    Step::KeepAlive,
    Step::Vip,
    Step::ReadBody,
    Step::SetEnvIfParp,
    Step::SetEnvIfBody,
    Step::SetEnvIfQuery,
    Step::SetEnvIf,
    Step::SetEnv,
    Step::VipVariable,
    Step::SetReqHeader,
    Step::Timeout,
    Step::DenyEvent,
    Step::EventLimitCount,
    Step::EventRequestLimit,
    Step::EventRates,
    Step::SetEnvIfCmp,
    Step::ClientEventRequestLimit,
    Step::ClientStore,
    Step::ClientSerialize,
    Step::SrvSerialize,
    Step::SelectLocation,
    Step::LocationLimit,
    Step::ConditionalLimit,
    Step::RequestDelay,
    Step::Bandwidth,
    Step::Delay,
];

/// A set of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps(u64);

impl Steps {
    /// The steps of a list.
    #[must_use]
    pub const fn of(steps: &[Step]) -> Steps {
        let (mut bits, mut rest) = (0, steps);
        while let [step, more @ ..] = rest {
            bits |= 1 << *step as u32;
            rest = more;
        }
        Steps(bits)
    }

    /// As a number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From [`Steps::bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Steps {
        Steps(bits)
    }

    /// Whether a step is one of them.
    #[must_use]
    pub const fn has(self, step: Step) -> bool {
        self.0 >> step as u32 & 1 == 1
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of request-event.md section 2.5 by its numbers, with the changes that the module's head names.
    #[test]
    fn the_order_is_that_of_the_specification() {
        let numbers = MAIN.map(|step| step as u8);
        let mut specified = (1..=33).filter(|n| numbers.contains(n)).collect::<Vec<u8>>();
        let mut before = |what: u8, other: u8| {
            specified.retain(|n| *n != what);
            let place = specified.iter().position(|n| *n == other).unwrap();
            specified.insert(place, what);
        };
        before(2, 10);
        before(33, 15);
        before(25, 23);
        before(30, 28);
        assert_eq!(numbers.as_slice(), specified);
        // 31 is the second chance of 28.
        let missing = (1..=32).filter(|n| !numbers.contains(n)).collect::<Vec<u8>>();
        assert_eq!(missing, [31]);
    }

    #[test]
    fn sets() {
        let steps = Steps::of(&[Step::LogEnv, Step::Delay]);
        assert!(steps.has(Step::LogEnv) && steps.has(Step::Delay) && !steps.has(Step::SetEnv) && !steps.is_empty());
        assert_eq!(Steps::from_bits(steps.bits()), steps);
        assert!(Steps::default().is_empty());
    }
}
