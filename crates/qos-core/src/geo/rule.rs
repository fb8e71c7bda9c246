//! `QS_ClientGeoCountryPriv`: who may connect when the server is busy (section 10.2).

use super::country::{Country, CountryList};
use crate::address::Address;
use crate::message::Mark;

/// The rule. It acts only while a database is loaded; VIP and excluded addresses are not exempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivRule {
    /// Countries that may connect.
    pub countries: CountryList,
    /// The rule rests below this number of connections.
    pub connections: u32,
    /// `excludeUnknown`: addresses without a country may connect.
    pub exclude_unknown: bool,
}

/// A refusal, with what the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number from which the rule acts.
    pub max: u32,
    /// All connections.
    pub connections: u32,
    /// Where the client is.
    pub country: Option<Country>,
}

impl PrivRule {
    /// Adds a repeated directive; false if it has another number of connections.
    pub fn unite(&mut self, other: &PrivRule) -> bool {
        self.countries.unite(&other.countries);
        self.exclude_unknown |= other.exclude_unknown;
        self.connections == other.connections
    }

    /// Judges a connection; `all_connections` includes it.
    #[must_use]
    pub fn judge(&self, country: Option<Country>, all_connections: u32) -> Option<Refusal> {
        let allowed = match country {
            Some(country) => self.countries.contains(country),
            None => self.exclude_unknown || self.countries.has_unknown(),
        };
        (all_connections >= self.connections && !allowed).then_some(Refusal { max: self.connections, connections: all_connections, country })
    }
}

/// 101. `repeated`: the line stands for that many.
#[must_use]
pub fn refusal_message(refusal: &Refusal, mark: Mark, repeated: Option<u32>, client: Address) -> String {
    let repeated = repeated.map(|times| format!("message repeated {times} times, ")).unwrap_or_default();
    let country = refusal.country.map_or_else(|| "--".to_owned(), |country| country.to_string());
    format!(
        "mod_qos(101): access denied{}, QS_ClientGeoCountryPriv rule: max={}, concurrent connections={}, {repeated}c={client} country={country}",
        mark.text(),
        refusal.max,
        refusal.connections
    )
}

/// 100: the rule cannot act.
#[must_use]
pub fn without_database() -> String {
    "mod_qos(100): QS_ClientGeoCountryPriv has no effect: no database is loaded, QS_ClientGeoCountryDB is missing".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(exclude_unknown: bool) -> PrivRule {
        PrivRule { countries: CountryList::parse(b"CH,DE").unwrap(), connections: 10, exclude_unknown }
    }

    /// Example E13.
    #[test]
    fn the_tenth_connection_is_judged_by_country() {
        let (us, de) = (Country::parse(b"US"), Country::parse(b"DE"));
        assert_eq!(rule(false).judge(us, 9), None);
        let refusal = rule(false).judge(us, 10).unwrap();
        assert_eq!(
            refusal_message(&refusal, Mark::Enforced, None, Address::from([192, 0, 2, 7])),
            "mod_qos(101): access denied, QS_ClientGeoCountryPriv rule: max=10, concurrent connections=10, c=192.0.2.7 country=US"
        );
        let unmapped = rule(false).judge(None, 10).unwrap();
        assert!(refusal_message(&unmapped, Mark::LogOnly, None, Address::from([192, 0, 2, 7])).ends_with(", c=192.0.2.7 country=--"));
        assert_eq!(rule(true).judge(None, 10), None);
        assert_eq!(rule(true).judge(de, 1000), None);
    }

    #[test]
    fn a_dash_in_the_list_means_unknown() {
        let dash = PrivRule { countries: CountryList::parse(b"CH,-").unwrap(), connections: 1, exclude_unknown: false };
        assert_eq!(dash.judge(None, 1), None);
        assert!(dash.judge(Country::parse(b"US"), 1).is_some());
    }

    #[test]
    fn repeated_rules_are_united_if_their_number_is_the_same() {
        let mut united = rule(false);
        let more = PrivRule { countries: CountryList::parse(b"US").unwrap(), ..rule(true) };
        assert!(united.unite(&more));
        assert_eq!((united.judge(Country::parse(b"US"), 10), united.judge(None, 10)), (None, None));
        assert!(!united.unite(&PrivRule { connections: 11, ..more }));
    }
}
