//! Addresses and networks, as headers and directives name them.

use crate::input::{assert_line, fields};
use qos_core::address::Address;
use qos_core::client::{IpHeader, pseudo_address, pseudo_text};
use qos_core::geo::{Country, CountryList};
use qos_core::network::{NetworkSet, parse_network};

pub fn run(data: &[u8]) {
    let mut set = NetworkSet::default();
    for field in fields(data) {
        if let Some(address) = Address::parse(field) {
            assert_eq!(Address::parse(address.to_string().as_bytes()), Some(address));
            let bits = data.first().copied().unwrap_or_default();
            let client = address.client(bits);
            assert_eq!(client.client(bits), client);
            assert!(parse_network(field).is_none_or(|network| field.ends_with(b":") || network.contains(&address.ip())));
            let _ = set.contains(address);
        }
        if let Some(network) = parse_network(field) {
            assert_eq!(parse_network(network.to_string().as_bytes()), Some(network));
            set.add(network);
            assert!(set.contains(Address::from(network.addr())));
        }
        if let Some(country) = Country::parse(field) {
            assert_eq!(Country::parse(&country.code()), Some(country));
        }
        if let Ok(list) = CountryList::parse(field) {
            assert_line(&list.to_string());
        }
        let _ = IpHeader::parse(field);
        if let Some(address) = pseudo_address(&[field]) {
            assert_eq!(pseudo_text(address).len(), 39);
        }
    }
}
