//! Client addresses: 128 bits, IPv4 as `::ffff:a.b.c.d` (connection-client.md section 5.1).

use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address as 16 bytes in network order; IPv4 is stored IPv4-mapped.
///
/// A peer without an IP address (a local socket, for instance) has [`Address::NONE`], a value
/// that no client can have, so that its connections are counted together and never mixed with
/// another client or an unused slot (W17).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Address([u8; 16]);

impl Address {
    /// "No address": the discard prefix 100::/64 with a tail that no host uses.
    pub const NONE: Address = Address([1, 0, 0, 0, 0, 0, 0, 0, b'n', b'o', b'-', b'i', b'p', 0, 0, 1]);

    /// From the 16 bytes that [`Address::octets`] returns.
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Address {
        Address(octets)
    }

    /// The address as 16 bytes, the key of all tables.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    /// The address as the standard library knows it; IPv4-mapped addresses become IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        let v6 = Ipv6Addr::from(self.0);
        v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
    }

    /// The client that an address stands for: IPv6 addresses with the same first `bits` (1 to 128) are one, IPv4 addresses are
    /// themselves (`QS_ClientIPv6Prefix`).
    #[must_use]
    pub fn client(self, bits: u8) -> Address {
        if bits >= 128 || self == Address::NONE || matches!(self.ip(), IpAddr::V4(_)) {
            return self;
        }
        let mask = u128::MAX.checked_shl(u32::from(128 - bits.min(128))).unwrap_or(0);
        Address((u128::from_be_bytes(self.0) & mask).to_be_bytes())
    }

    /// Strictly one IPv4 or IPv6 address, nothing before or behind it (W27).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Address> {
        std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok().map(Address::from)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(v4) => Address(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Address(v6.octets()),
        }
    }
}

impl From<[u8; 4]> for Address {
    fn from(octets: [u8; 4]) -> Address {
        Address::from(IpAddr::V4(Ipv4Addr::from(octets)))
    }
}

impl fmt::Display for Address {
    /// Dotted quad for IPv4 (also mapped), compressed lower-case form for IPv6, `-` for no address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Address::NONE { f.write_str("-") } else { self.ip().fmt(f) }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_and_its_mapped_form_are_one_client() {
        assert_eq!(Address::parse(b"192.0.2.7"), Address::parse(b"::ffff:192.0.2.7"));
        assert_eq!(Address::from([192, 0, 2, 7]).to_string(), "192.0.2.7");
    }

    #[test]
    fn text_that_is_not_exactly_an_address_is_none() {
        for text in ["1", "abcd", "192.0.2.7 ", "192.0.2.7:80", "1.2.3", "fe80::1%eth0", "", "1.2.3.4, 5.6.7.8"] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Address::parse(b"\xff\xfe"), None);
    }

    #[test]
    fn ipv6_is_shown_compressed() {
        let address = Address::parse(b"2001:0DB8:0:0::1").unwrap();
        assert_eq!(address.to_string(), "2001:db8::1");
    }

    #[test]
    fn ipv6_addresses_of_one_prefix_are_one_client_and_ipv4_ones_are_not() {
        let client = |text: &str, bits| Address::parse(text.as_bytes()).unwrap().client(bits).to_string();
        assert_eq!(client("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
        assert_eq!(client("2001:db8:1:2ff:3:4:5:6", 56), "2001:db8:1:200::");
        assert_eq!(client("2001:db8::1", 128), "2001:db8::1");
        assert_eq!(client("8000::1", 1), "8000::");
        assert_eq!(client("192.0.2.7", 1), "192.0.2.7");
        assert_eq!(client("::ffff:192.0.2.7", 64), "192.0.2.7");
        assert_eq!(Address::NONE.client(8), Address::NONE);
    }

    #[test]
    fn no_address_is_no_client() {
        assert_eq!(Address::NONE.to_string(), "-");
        assert_ne!(Address::NONE.octets(), [0; 16]);
    }
}
