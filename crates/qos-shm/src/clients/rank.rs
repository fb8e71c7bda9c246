//! Which entry of a bucket goes first when a new client needs its place (connection-client.md section 4.3, W14).

use qos_core::client::Marks;

/// A limit with its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// From this count on the client is blocked or limited.
    pub count: u32,
    /// Length of the window, seconds.
    pub seconds: u32,
}

/// What is worth keeping: follows from the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The block rule.
    pub block: Option<Bound>,
    /// The limit rules, one per column of the table; `None`: a column without a rule.
    pub limits: Vec<Option<Bound>>,
    /// How long a low-priority mark is remembered, seconds.
    pub low_seconds: u32,
}

/// How much an entry is worth keeping; less goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// Nothing is running.
    Idle = 0,
    /// Marked as low priority.
    Low = 1,
    /// A counter is running.
    Counting = 2,
    /// Blocked, limited, VIP, or with an open connection.
    Protected = 3,
}

/// How many kinds of worth there are.
pub const WORTHS: usize = 4;

/// What the worth of an entry follows from.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub marks: Marks,
    /// Count and start.
    pub block: (u32, u32),
    /// Count and start by column.
    pub limits: &'a dyn Fn(usize) -> (u32, u32),
}

impl Keep {
    pub(super) fn worth(&self, facts: &Facts<'_>, now: u32) -> Worth {
        if facts.marks.vip {
            return Worth::Protected;
        }
        let running = |bound: &Option<Bound>, (count, start): (u32, u32)| match bound {
            Some(bound) if count > 0 && now <= start.saturating_add(bound.seconds) => {
                if count >= bound.count {
                    Worth::Protected
                } else {
                    Worth::Counting
                }
            }
            _ => Worth::Idle,
        };
        let low = match facts.marks.low_since {
            Some(since) if now <= since.saturating_add(self.low_seconds) => Worth::Low,
            _ => Worth::Idle,
        };
        let limits = self.limits.iter().enumerate().map(|(column, bound)| running(bound, (facts.limits)(column)));
        limits.fold(low.max(running(&self.block, facts.block)), Worth::max)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn worth(marks: Marks, block: (u32, u32), limit: (u32, u32)) -> Worth {
        let keep = Keep { block: Some(Bound { count: 3, seconds: 10 }), limits: vec![None, Some(Bound { count: 5, seconds: 10 })], low_seconds: 100 };
        let limits = |column: usize| if column == 1 { limit } else { (9, 1000) };
        keep.worth(&Facts { marks, block, limits: &limits }, 1000)
    }

    #[test]
    fn what_runs_is_kept_longer_than_what_is_over() {
        let none = Marks::default();
        assert_eq!(worth(none, (0, 0), (0, 0)), Worth::Idle);
        assert_eq!(worth(none, (9, 989), (9, 989)), Worth::Idle, "over");
        assert_eq!(worth(none, (2, 990), (0, 0)), Worth::Counting);
        assert_eq!(worth(none, (3, 990), (0, 0)), Worth::Protected);
        assert_eq!(worth(none, (0, 0), (4, 1000)), Worth::Counting);
        assert_eq!(worth(none, (0, 0), (5, 1000)), Worth::Protected);
        assert_eq!(worth(Marks { low_since: Some(900), ..none }, (0, 0), (0, 0)), Worth::Low);
        assert_eq!(worth(Marks { low_since: Some(899), ..none }, (0, 0), (0, 0)), Worth::Idle);
        assert_eq!(worth(Marks { vip: true, ..none }, (0, 0), (0, 0)), Worth::Protected);
    }
}
