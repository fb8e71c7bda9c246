//! MaxMind databases made here: all widths, both families, and every kind of damage.

use super::{Database, GeoError};
use crate::address::Address;
use httpd_lab::mmdb::{Mmdb, map, string};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn country(database: &Database, address: &str) -> String {
    database.country(Address::parse(address.as_bytes()).unwrap()).map_or_else(|| "none".to_owned(), |country| country.to_string())
}

fn both_families(record_bits: u16) -> Mmdb {
    Mmdb::new(6)
        .record_bits(record_bits)
        .country("192.0.2.0/24", "ch")
        .registered_country("192.0.2.128/25", "DE")
        .country("198.51.100.7/32", "US")
        .country("2001:db8::/32", "AT")
        .country("2001:db8:8000::/33", "-")
        .country("2001:db8:ffff::1/128", "FR")
        .other("203.0.113.0/24")
        .alias("2002::/16")
}

#[test]
fn addresses_of_both_families_in_all_widths() {
    for bits in [24, 28, 32] {
        let database = Database::read(both_families(bits).bytes()).unwrap();
        for (address, expected) in [
            ("192.0.2.1", "CH"),
            ("::ffff:192.0.2.1", "CH"),
            ("192.0.2.128", "DE"),
            ("192.0.3.0", "none"),
            ("198.51.100.7", "US"),
            ("198.51.100.8", "none"),
            ("203.0.113.9", "none"),
            ("2001:db8::1", "AT"),
            ("2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "AT"),
            ("2001:db8:8000::", "none"),
            ("2001:db8:ffff::1", "FR"),
            ("2001:db8:ffff::2", "none"),
            ("2001:db9::1", "none"),
            ("2002:c000:0201::1", "CH"),
            ("2002:c000:0281::1", "DE"),
            ("2003::1", "none"),
            ("::1", "none"),
        ] {
            assert_eq!(country(&database, address), expected, "{address}, {bits} bits");
        }
        assert_eq!(database.country(Address::NONE), None);
    }
}

#[test]
fn a_database_of_ipv4_only() {
    let database = Database::read(Mmdb::new(4).country("0.0.0.0/1", "CH").country("255.255.255.255/32", "DE").bytes()).unwrap();
    for (address, expected) in [("0.0.0.0", "CH"), ("127.255.255.255", "CH"), ("128.0.0.0", "none"), ("255.255.255.255", "DE"), ("2001:db8::1", "none")] {
        assert_eq!(country(&database, address), expected, "{address}");
    }
    assert_eq!(database.ranges(), (2, 0));
}

#[test]
fn an_ipv6_tree_without_a_part_for_ipv4() {
    let database = Database::read(Mmdb::new(6).country("2001:db8::/32", "AT").bytes()).unwrap();
    assert_eq!((country(&database, "2001:db8::1").as_str(), country(&database, "192.0.2.1").as_str()), ("AT", "none"));
}

#[test]
fn a_database_without_countries_says_its_type() {
    let error = Database::read(Mmdb::new(4).other("10.0.0.0/8").database_type("Test-ASN").bytes()).unwrap_err();
    assert_eq!(error, GeoError::NoCountries { database_type: "Test-ASN".to_owned() });
}

#[test]
fn a_country_that_is_no_code_is_damage() {
    for record in [map(&[("country", map(&[("iso_code", string("Switzerland"))]))]), map(&[("country", string("CH"))]), vec![0xe1, 0x41]] {
        let error = Database::read(Mmdb::new(4).country("10.0.0.0/8", "CH").record("192.0.2.0/24", &record).bytes()).unwrap_err();
        assert!(error.to_string().starts_with("the file is damaged: data section"), "{error}");
    }
}

#[test]
fn a_tree_that_leads_in_circles_is_damage() {
    let good = both_families(24).bytes();
    // Both records of the first node lead to itself, then to its neighbour and back.
    for circle in [[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]] {
        let mut bytes = good.clone();
        bytes[..6].copy_from_slice(&circle);
        let error = Database::read(bytes).unwrap_err();
        assert!(error.to_string().contains("search tree"), "{error}");
    }
    // Every node leads to the next on both sides: without a budget, 2^100 ways.
    let mut bytes = good.clone();
    for node in 0..100u8 {
        let at = usize::from(node) * 6;
        bytes[at..at + 6].copy_from_slice(&[0, 0, node + 1, 0, 0, node + 1]);
    }
    assert!(matches!(Database::read(bytes), Err(GeoError::Damaged { part: "search tree", .. })));
}

#[test]
fn a_cut_file_is_damage() {
    let good = both_families(28).bytes();
    for len in [good.len() - 1, good.len() - 50, good.len() / 2, 4097, 100, 1] {
        let error = Database::read(good.get(..len).unwrap_or(&good[..good.len() - 2]).to_vec()).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    assert!(Database::read(good[..2000].to_vec()).unwrap_err().to_string().starts_with("the file is damaged: metadata"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The walk finds what the look-up of the crate finds, for random networks and addresses.
    #[test]
    fn look_ups_agree_with_the_file(
        v4 in proptest::collection::vec((any::<u32>(), 1u8..=32, "[A-Z]{2}"), 0..12),
        v6 in proptest::collection::vec((0x2001u128..0x2fff, any::<u128>(), 1u8..=128, "[A-Z]{2}"), 1..12),
        more in proptest::collection::vec(any::<u32>(), 0..8),
    ) {
        let (mut mmdb, mut addresses) = (Mmdb::new(6).record_bits(32), more.iter().map(|v4| IpAddr::V4(Ipv4Addr::from(*v4))).collect::<Vec<_>>());
        for (address, bits, code) in &v4 {
            let first = address & (u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0));
            mmdb = mmdb.country(&format!("{}/{bits}", Ipv4Addr::from(first)), code);
            addresses.extend([*address, first, first.wrapping_sub(1)].map(|v4| IpAddr::V4(Ipv4Addr::from(v4))));
        }
        for (head, tail, bits, code) in &v6 {
            let address = head << 112 | tail >> 16;
            let bits = (*bits).max(8);
            let first = address & (u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0));
            mmdb = mmdb.country(&format!("{}/{bits}", Ipv6Addr::from(first)), code);
            addresses.extend([address, first, first.wrapping_sub(1)].map(|v6| IpAddr::V6(Ipv6Addr::from(v6))));
        }
        let bytes = mmdb.bytes();
        let reader = maxminddb::Reader::from_source(bytes.clone()).unwrap();
        let database = Database::read(bytes).unwrap();
        for ip in addresses {
            if matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) { continue; }
            let expected = reader.lookup(ip).unwrap().decode_path::<String>(&maxminddb::path!["country", "iso_code"]).unwrap();
            prop_assert_eq!(database.country(Address::from(ip)).map(|country| country.to_string()), expected, "{}", ip);
        }
    }

    /// One changed byte anywhere: read or refused, never a crash, never without end.
    #[test]
    fn a_changed_byte_does_no_harm(at in any::<prop::sample::Index>(), value in any::<u8>(), bits in prop::sample::select(vec![24u16, 28, 32])) {
        let mut bytes = both_families(bits).bytes();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(database) = Database::read(bytes) {
            for address in ["192.0.2.1", "2001:db8::1", "2002:c000:0201::1", "::"] {
                let _ = country(&database, address);
            }
        }
    }
}
