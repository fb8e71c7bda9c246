//! The rate that is required, and what a violation leads to (connection-client.md sections 7.3, 7.5).

use crate::config::RateRule;

/// Connections beyond the capacity that are tolerated before 036 is logged.
pub const CONNECTION_SLACK: u32 = 128;

/// Required bytes per second with `connections` open of `max_clients` possible:
/// `min(max, base + max * connections / max_clients)` (W39), and the base alone while the
/// connections do not exceed the argument of the directive.
#[must_use]
pub fn required(rule: &RateRule, connections: u32, max_clients: u32) -> u32 {
    let Some(max) = rule.max else { return rule.base };
    if connections <= rule.connections.unwrap_or(0) {
        return rule.base;
    }
    let slope = u64::from(max) * u64::from(connections) / u64::from(max_clients.max(1));
    let rate = (u64::from(rule.base) + slope).min(u64::from(max));
    u32::try_from(rate).unwrap_or(max)
}

/// Whether more connections are open than the server can have (036).
#[must_use]
pub fn beyond_capacity(connections: u32, max_clients: u32) -> bool {
    connections > max_clients.saturating_add(CONNECTION_SLACK)
}

/// What is known of a connection that was too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// VIP or excluded address.
    pub vip: bool,
    /// `QS_SrvMinDataRateIgnoreVIP`.
    pub ignore_vip: bool,
    /// A variable of `QS_SrvMinDataRateOffEvent` was set.
    pub switched_off: bool,
    /// `QS_LogOnly`.
    pub log_only: bool,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Logged as an error, the connection is cut.
    Cut,
    /// Logged as an error only.
    LogOnly,
    /// Logged for debugging, remembered as "slow but allowed".
    Allow,
}

/// The table of section 7.5.
#[must_use]
pub fn action(rule: &RateRule, standing: Standing, connections: u32) -> Action {
    let resting = rule.connections.is_some_and(|from| connections < from);
    if (standing.vip && !standing.ignore_vip) || standing.switched_off || resting {
        Action::Allow
    } else if standing.log_only {
        Action::LogOnly
    } else {
        Action::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RateKind;
    use proptest::prelude::*;

    fn rule(base: u32, max: Option<u32>, connections: Option<u32>) -> RateRule {
        RateRule { kind: RateKind::MinDataRate, base, max, connections }
    }

    /// Example E7.
    #[test]
    fn the_rate_grows_with_the_load_and_never_beyond_the_maximum() {
        let rule = rule(64, Some(256), Some(150));
        assert_eq!([100, 150, 151, 200, 257, 5000].map(|n| required(&rule, n, 256)), [64, 64, 215, 256, 256, 256]);
        assert_eq!(action(&rule, Standing::default(), 100), Action::Allow);
        assert_eq!(action(&rule, Standing::default(), 149), Action::Allow);
        assert_eq!(action(&rule, Standing::default(), 150), Action::Cut);
    }

    #[test]
    fn without_maximum_the_rate_is_constant() {
        assert_eq!(required(&rule(120, None, None), 10_000, 256), 120);
    }

    #[test]
    fn huge_values_do_not_overflow() {
        assert_eq!(required(&rule(1, Some(u32::MAX), None), u32::MAX, 1), u32::MAX);
        assert_eq!(required(&rule(1, Some(10), None), 5, 0), 10);
    }

    #[test]
    fn who_is_spared() {
        let rule = rule(120, None, None);
        let vip = Standing { vip: true, ..Standing::default() };
        assert_eq!(action(&rule, vip, 1), Action::Allow);
        assert_eq!(action(&rule, Standing { ignore_vip: true, ..vip }, 1), Action::Cut);
        assert_eq!(action(&rule, Standing { switched_off: true, ..Standing::default() }, 1), Action::Allow);
        assert_eq!(action(&rule, Standing { log_only: true, ..Standing::default() }, 1), Action::LogOnly);
    }

    #[test]
    fn far_too_many_connections() {
        assert!(!beyond_capacity(384, 256) && beyond_capacity(385, 256));
    }

    proptest! {
        #[test]
        fn more_connections_never_require_less(base in 1u32..10_000, extra in 1u32..100_000, n in 0u32..100_000, m in 0u32..100_000, from in proptest::option::of(1u32..1000), clients in 1u32..20_000) {
            let rule = rule(base, Some(base + extra), from);
            let (low, high) = (n.min(m), n.max(m));
            prop_assert!(required(&rule, low, clients) <= required(&rule, high, clients));
            prop_assert!((base..=base + extra).contains(&required(&rule, n, clients)));
        }
    }
}
