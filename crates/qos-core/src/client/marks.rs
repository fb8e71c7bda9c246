//! VIP and low-priority marks, and who is refused when the server fills up (connection-client.md sections 1 and 9.2).

/// How long a low-priority mark is remembered, seconds.
pub const LOW_SECONDS: u32 = 86_400;

/// Bits of the low-priority flags.
pub mod low {
    /// Slow transfer, or a timeout while transferring.
    pub const SLOW: u8 = 0x01;
    /// Asks for content as others do.
    pub const NORMAL: u8 = 0x02;
    /// Asks for content as others do not.
    pub const ABNORMAL: u8 = 0x04;
    /// Blocked.
    pub const BLOCKED: u8 = 0x08;
    /// Limited.
    pub const LIMITED: u8 = 0x10;
    /// Timed out while reading.
    pub const TIMEOUT: u8 = 0x20;
    /// What the console sets.
    pub const CONSOLE: u8 = 0xfd;
}

/// Marks of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A VIP.
    pub vip: bool,
    /// Until when, monotonic seconds, kept in whole minutes; `None`: as long as it is remembered.
    pub vip_until: Option<u32>,
    /// Since when it has low priority, monotonic seconds; `None`: it has not.
    pub low_since: Option<u32>,
    /// Low-priority flags.
    pub flags: u8,
}

impl Marks {
    /// A VIP from now on, for so many seconds (`QS_VipIPTimeout`; whole minutes, rounded up) or for good. What is for good stays so.
    #[must_use]
    pub fn promote(self, now: u32, seconds: Option<u32>) -> Marks {
        let until = seconds.map(|seconds| now.saturating_add(seconds).div_ceil(60).saturating_mul(60));
        let for_good = self.vip && self.vip_until.is_none();
        Marks { vip: true, vip_until: until.filter(|_| !for_good), ..self }
    }

    /// What the console says: a VIP for good, or none.
    #[must_use]
    pub fn set_vip(self, vip: bool) -> Marks {
        Marks { vip, vip_until: None, ..self }
    }

    /// Whether the client has low priority now.
    #[must_use]
    pub fn is_low(self, now: u32) -> bool {
        self.low_since.is_some_and(|since| now <= since.saturating_add(LOW_SECONDS))
    }

    /// Low priority from now on, for that reason.
    #[must_use]
    pub fn lower(self, flag: u8, now: u32) -> Marks {
        Marks { low_since: Some(now), flags: self.flags | flag, ..self }
    }

    /// An old low-priority mark is forgotten.
    #[must_use]
    pub fn forget(self, now: u32) -> Marks {
        if self.is_low(now) { self } else { self.not_low() }
    }

    /// No low priority, whatever was.
    #[must_use]
    pub fn not_low(self) -> Marks {
        Marks { low_since: None, flags: self.flags & low::NORMAL, ..self }
    }

    /// After a look at what the client asks for.
    #[must_use]
    pub fn behaves(self, behaviour: Behaviour, now: u32) -> Marks {
        match behaviour {
            Behaviour::Unknown => Marks { flags: self.flags & !low::NORMAL, ..self },
            Behaviour::Normal => Marks { flags: (self.flags | low::NORMAL) & !low::ABNORMAL, ..self },
            Behaviour::Abnormal(1) => Marks { low_since: Some(now), flags: self.flags & !low::NORMAL, ..self },
            Behaviour::Abnormal(_) => Marks { low_since: Some(now), flags: (self.flags & !low::NORMAL) | low::ABNORMAL, ..self },
        }
    }
}

/// What the content that a client asks for says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Too little is known of it, or of the others (W49).
    Unknown,
    /// As others do.
    Normal,
    /// So many of five classes of content differ.
    Abnormal(u8),
}

/// `QS_ClientPrefer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefer {
    /// Share of the capacity up to which everybody is welcome, percent (1 to 99).
    pub percent: u8,
}

/// A client that is not preferred, for 066.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPreferred {
    /// 2 to 12.
    pub penalty: u8,
    /// The client's flags.
    pub flags: u8,
    /// Connections up to which everybody is welcome.
    pub max: u32,
    /// Connections, this one included.
    pub connections: u32,
}

impl Prefer {
    /// Connections up to which everybody is welcome.
    #[must_use]
    pub fn limit(self, max_clients: u32) -> u32 {
        u32::try_from(u64::from(max_clients) * u64::from(self.percent) / 100).unwrap_or(u32::MAX)
    }

    /// Whether a connection is refused because others are preferred. `connections` includes it. VIP are never asked.
    #[must_use]
    pub fn judge(self, marks: Marks, connections: u32, max_clients: u32, now: u32) -> Option<NotPreferred> {
        let max = self.limit(max_clients);
        if connections <= max {
            return None;
        }
        let penalty = penalty(marks, now);
        let spare = u64::from(max_clients.saturating_sub(max)) * u64::from(penalty) / 12;
        let free = u64::from(max_clients.saturating_sub(connections));
        (free < spare || connections > max_clients).then_some(NotPreferred { penalty, flags: marks.flags, max, connections })
    }
}

/// 2 (well known) to 12 (everything bad); 4: unknown.
fn penalty(marks: Marks, now: u32) -> u8 {
    let points = [(low::SLOW, 1), (low::ABNORMAL, 2), (low::BLOCKED, 2), (low::LIMITED, 2), (low::TIMEOUT, 1)];
    let bad = if marks.is_low(now) { points.iter().filter(|(flag, _)| marks.flags & flag != 0).map(|(_, points)| points).sum() } else { 0 };
    let good = if marks.flags & low::NORMAL != 0 { 2 } else { 0 };
    4 + bad - good
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example E12: the table of section 9.2.
    #[test]
    fn who_is_refused_at_which_number_of_connections() {
        let prefer = Prefer { percent: 80 };
        for (flags, first_refused) in [(0x02, 98), (0x00, 95), (0x01, 93), (0x04, 91), (0x18, 88), (0x3d, 81)] {
            let marks = Marks { low_since: (flags & 0x3d != 0).then_some(1000), flags, ..Marks::default() };
            let refused = (1..=100).find(|n| prefer.judge(marks, *n, 100, 1000).is_some());
            assert_eq!(refused, Some(first_refused), "{flags:#04x}");
        }
        let found = prefer.judge(Marks::default(), 96, 100, 5);
        assert_eq!(found, Some(NotPreferred { penalty: 4, flags: 0, max: 80, connections: 96 }));
    }

    /// W49: a mark of more than a day ago counts no more.
    #[test]
    fn an_old_mark_is_no_penalty() {
        let marks = Marks { low_since: Some(1000), flags: 0x3d, ..Marks::default() };
        assert_eq!((penalty(marks, 1000 + LOW_SECONDS), penalty(marks, 1001 + LOW_SECONDS)), (12, 4));
        assert_eq!(marks.forget(1001 + LOW_SECONDS), Marks::default());
        assert_eq!(marks.forget(1000 + LOW_SECONDS), marks);
        assert_eq!(Marks { flags: 0xff, vip: true, ..Marks::default() }.forget(9), Marks { flags: 0x02, vip: true, ..Marks::default() });
    }

    #[test]
    fn one_abnormal_class_lowers_without_a_flag_and_two_set_it() {
        let normal = Marks::default().behaves(Behaviour::Normal, 5);
        assert_eq!((normal.flags, normal.low_since), (low::NORMAL, None));
        assert_eq!(normal.behaves(Behaviour::Abnormal(1), 7), Marks { low_since: Some(7), ..Marks::default() });
        assert_eq!(normal.behaves(Behaviour::Abnormal(2), 7), Marks { low_since: Some(7), flags: low::ABNORMAL, ..Marks::default() });
        assert_eq!(normal.behaves(Behaviour::Unknown, 7).flags, 0);
    }

    #[test]
    fn a_vip_may_be_one_for_a_time_only() {
        let none = Marks::default();
        assert_eq!(none.promote(100, Some(60)), Marks { vip: true, vip_until: Some(180), ..none });
        assert_eq!(none.promote(120, Some(60)), Marks { vip: true, vip_until: Some(180), ..none });
        assert_eq!(none.promote(100, None), none.set_vip(true));
        // A mark for good, the console's for instance, stays one.
        assert_eq!(none.set_vip(true).promote(100, Some(60)), none.set_vip(true));
        assert_eq!(none.promote(100, Some(60)).promote(200, Some(60)).vip_until, Some(300));
        assert_eq!(none.promote(100, Some(60)).set_vip(false), none);
    }
}
