//! Who may connect: `QS_SrvMaxConn` and `QS_SrvMaxConnPerIP` (connection-client.md section 6.2).

/// The rules that apply to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `QS_SrvMaxConn`.
    pub max_connections: Option<u32>,
    /// `QS_SrvMaxConnPerIP`, first argument.
    pub per_ip: Option<u32>,
    /// `QS_SrvMaxConnPerIP`, second argument (0: always).
    pub per_ip_from: u32,
    /// `QS_SrvMaxConnPerIPIgnoreVIP`.
    pub per_ip_ignore_vip: bool,
}

/// The counts, each including the connection that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All connections of the httpd.
    pub all: u32,
    /// Connections of the server that owns the counter.
    pub server: u32,
    /// Connections of the client's address; `None` while it is unknown or where the table is full.
    pub address: Option<u32>,
}

/// A rule that is broken, with the limit and the count for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 030.
    MaxConnections {
        /// The limit.
        max: u32,
        /// The count.
        connections: u32,
    },
    /// 031.
    PerIp {
        /// The limit.
        max: u32,
        /// The count.
        connections: u32,
    },
}

/// `QS_SrvMaxConn`: refuse if the count is above the limit; VIP are exempt.
#[must_use]
pub fn max_connections(rules: &Rules, counts: &Counts, vip: bool) -> Option<Refusal> {
    let max = rules.max_connections?;
    (!vip && counts.server > max).then_some(Refusal::MaxConnections { max, connections: counts.server })
}

/// `QS_SrvMaxConnPerIP`: refuse if the address has more than the limit and the server has at
/// least the number of connections from which the rule acts.
#[must_use]
pub fn per_ip(rules: &Rules, counts: &Counts, vip: bool) -> Option<Refusal> {
    let (max, connections) = (rules.per_ip?, counts.address?);
    let exempt = vip && !rules.per_ip_ignore_vip;
    (!exempt && connections > max && counts.all >= rules.per_ip_from).then_some(Refusal::PerIp { max, connections })
}

/// All rules in order. Without log-only the first refusal ends the list.
#[must_use]
pub fn judge(rules: &Rules, counts: &Counts, vip: bool, log_only: bool) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for rule in [max_connections, per_ip] {
        if let Some(refusal) = rule(rules, counts, vip) {
            refusals.push(refusal);
            if !log_only {
                break;
            }
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: u32, server: u32, address: u32) -> Counts {
        Counts { all, server, address: Some(address) }
    }

    /// Example E1.
    #[test]
    fn the_fourth_of_three_is_refused_and_a_vip_is_not() {
        let rules = Rules { max_connections: Some(3), ..Rules::default() };
        assert_eq!(judge(&rules, &counts(3, 3, 1), false, false), []);
        assert_eq!(judge(&rules, &counts(4, 4, 1), false, false), [Refusal::MaxConnections { max: 3, connections: 4 }]);
        assert_eq!(judge(&rules, &counts(4, 4, 1), true, false), []);
    }

    /// Example E3.
    #[test]
    fn the_per_ip_rule_rests_on_an_idle_server() {
        let rules = Rules { per_ip: Some(5), per_ip_from: 8, ..Rules::default() };
        assert_eq!(judge(&rules, &counts(7, 7, 7), false, false), []);
        assert_eq!(judge(&rules, &counts(8, 8, 8), false, false), [Refusal::PerIp { max: 5, connections: 8 }]);
        assert_eq!(judge(&rules, &counts(8, 8, 1), false, false), []);
    }

    /// W04: a threshold of 1 must not switch the rule off.
    #[test]
    fn a_threshold_of_one_acts() {
        let rules = Rules { per_ip: Some(5), per_ip_from: 1, ..Rules::default() };
        assert!(!judge(&rules, &counts(6, 6, 6), false, false).is_empty());
    }

    #[test]
    fn ignore_vip_applies_to_the_per_ip_rule_only() {
        let rules = Rules { max_connections: Some(1), per_ip: Some(1), per_ip_from: 0, per_ip_ignore_vip: true };
        assert_eq!(judge(&rules, &counts(2, 2, 2), true, false), [Refusal::PerIp { max: 1, connections: 2 }]);
    }

    #[test]
    fn log_only_reports_every_rule_and_enforcing_the_first() {
        let rules = Rules { max_connections: Some(1), per_ip: Some(1), ..Rules::default() };
        assert_eq!(judge(&rules, &counts(2, 2, 2), false, true).len(), 2);
        assert_eq!(judge(&rules, &counts(2, 2, 2), false, false).len(), 1);
    }

    #[test]
    fn an_address_that_could_not_be_counted_is_served() {
        let rules = Rules { per_ip: Some(1), ..Rules::default() };
        assert_eq!(judge(&rules, &Counts { all: 9, server: 9, address: None }, false, false), []);
    }
}
