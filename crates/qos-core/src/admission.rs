//! Who may connect: `QS_ClientPrefer`, `QS_ClientGeoCountryPriv`, `QS_SrvMaxConn` and `QS_SrvMaxConnPerIP`, in this order
//! (connection-client.md section 6.2).

use crate::client::NotPreferred;
use crate::geo;

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
    /// 066.
    NotPreferred(NotPreferred),
    /// 101.
    Country(geo::Refusal),
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

/// What is known of the client besides the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// VIP or excluded.
    pub vip: bool,
    /// What `QS_ClientPrefer` says; nobody asks it about VIP.
    pub not_preferred: Option<NotPreferred>,
    /// What `QS_ClientGeoCountryPriv` says; VIP are not exempt.
    pub country: Option<geo::Refusal>,
}

/// All rules in order. Without log-only the first refusal ends the list.
#[must_use]
pub fn judge(rules: &Rules, counts: &Counts, client: &Client, log_only: bool) -> Vec<Refusal> {
    let verdicts = [
        client.not_preferred.filter(|_| !client.vip).map(Refusal::NotPreferred),
        client.country.map(Refusal::Country),
        max_connections(rules, counts, client.vip),
        per_ip(rules, counts, client.vip),
    ];
    verdicts.into_iter().flatten().take(if log_only { usize::MAX } else { 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: u32, server: u32, address: u32) -> Counts {
        Counts { all, server, address: Some(address) }
    }

    fn vip(vip: bool) -> Client {
        Client { vip, ..Client::default() }
    }

    #[test]
    fn rules_speak_in_order_and_vip_are_exempt_from_some() {
        let rules = Rules { max_connections: Some(1), per_ip: Some(1), ..Rules::default() };
        let prefer = NotPreferred { penalty: 4, flags: 0, max: 1, connections: 2 };
        let country = geo::Refusal { max: 1, connections: 2, country: None };
        let client = Client { vip: false, not_preferred: Some(prefer), country: Some(country) };
        let all = [
            Refusal::NotPreferred(prefer),
            Refusal::Country(country),
            Refusal::MaxConnections { max: 1, connections: 2 },
            Refusal::PerIp { max: 1, connections: 2 },
        ];
        assert_eq!(judge(&rules, &counts(2, 2, 2), &client, true), all);
        assert_eq!(judge(&rules, &counts(2, 2, 2), &client, false), all[..1]);
        assert_eq!(judge(&rules, &counts(2, 2, 2), &Client { vip: true, ..client }, true), [Refusal::Country(country)]);
    }

    /// Example E1.
    #[test]
    fn the_fourth_of_three_is_refused_and_a_vip_is_not() {
        let rules = Rules { max_connections: Some(3), ..Rules::default() };
        assert_eq!(judge(&rules, &counts(3, 3, 1), &vip(false), false), []);
        assert_eq!(judge(&rules, &counts(4, 4, 1), &vip(false), false), [Refusal::MaxConnections { max: 3, connections: 4 }]);
        assert_eq!(judge(&rules, &counts(4, 4, 1), &vip(true), false), []);
    }

    /// Example E3.
    #[test]
    fn the_per_ip_rule_rests_on_an_idle_server() {
        let rules = Rules { per_ip: Some(5), per_ip_from: 8, ..Rules::default() };
        assert_eq!(judge(&rules, &counts(7, 7, 7), &vip(false), false), []);
        assert_eq!(judge(&rules, &counts(8, 8, 8), &vip(false), false), [Refusal::PerIp { max: 5, connections: 8 }]);
        assert_eq!(judge(&rules, &counts(8, 8, 1), &vip(false), false), []);
    }

    /// W04: a threshold of 1 must not switch the rule off.
    #[test]
    fn a_threshold_of_one_acts() {
        let rules = Rules { per_ip: Some(5), per_ip_from: 1, ..Rules::default() };
        assert!(!judge(&rules, &counts(6, 6, 6), &vip(false), false).is_empty());
    }

    #[test]
    fn ignore_vip_applies_to_the_per_ip_rule_only() {
        let rules = Rules { max_connections: Some(1), per_ip: Some(1), per_ip_from: 0, per_ip_ignore_vip: true };
        assert_eq!(judge(&rules, &counts(2, 2, 2), &vip(true), false), [Refusal::PerIp { max: 1, connections: 2 }]);
    }

    #[test]
    fn log_only_reports_every_rule_and_enforcing_the_first() {
        let rules = Rules { max_connections: Some(1), per_ip: Some(1), ..Rules::default() };
        assert_eq!(judge(&rules, &counts(2, 2, 2), &vip(false), true).len(), 2);
        assert_eq!(judge(&rules, &counts(2, 2, 2), &vip(false), false).len(), 1);
    }

    #[test]
    fn an_address_that_could_not_be_counted_is_served() {
        let rules = Rules { per_ip: Some(1), ..Rules::default() };
        assert_eq!(judge(&rules, &Counts { all: 9, server: 9, address: None }, &vip(false), false), []);
    }
}
