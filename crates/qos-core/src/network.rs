//! Lists of addresses and networks as directives take them (connection-client.md section 5.3).

use crate::address::Address;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of networks. A single address is a network of full length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSet {
    networks: Vec<IpNet>,
}

impl NetworkSet {
    /// Adds a network (no effect if it is there already).
    pub fn add(&mut self, network: IpNet) {
        if !self.networks.contains(&network) {
            self.networks.push(network);
        }
    }

    /// Adds all networks of another set: how a virtual host inherits.
    pub fn add_all(&mut self, other: &NetworkSet) {
        for network in &other.networks {
            self.add(*network);
        }
    }

    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Whether the address lies in one of the networks.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let ip = address.ip();
        self.networks.iter().any(|network| network.contains(&ip))
    }
}

/// Reads one entry of an address list: an address (`192.0.2.7`, `2001:db8::1`), a CIDR network
/// (`192.0.2.0/24`, `2001:db8::/32`), or the classic prefix form that ends in `.` (`192.168.10.`)
/// or `:` (`2001:db8:`). Host bits below the prefix length are ignored.
///
/// `None` where the text is none of these.
#[must_use]
pub fn parse_network(text: &[u8]) -> Option<IpNet> {
    let text = std::str::from_utf8(text).ok()?;
    let ends_as_prefix = text.ends_with(':') && text != "::";
    if let (Ok(ip), false) = (text.parse::<IpAddr>(), ends_as_prefix) {
        return Some(canonical(IpNet::from(ip)));
    }
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|network| canonical(network.trunc()));
    }
    if let Some(prefix) = text.strip_suffix('.') {
        let octets = prefix.split('.').map(|part| part.parse::<u8>().ok()).collect::<Option<Vec<u8>>>()?;
        if octets.is_empty() || octets.len() > 3 || prefix.split('.').any(|part| part.len() > 1 && part.starts_with('0')) {
            return None;
        }
        let bits = u8::try_from(octets.len()).ok()? * 8;
        let mut full = [0u8; 4];
        full.iter_mut().zip(&octets).for_each(|(to, from)| *to = *from);
        return Ipv4Net::new(Ipv4Addr::from(full), bits).ok().map(IpNet::V4);
    }
    let prefix = text.strip_suffix(':')?;
    // `2001:db8::` was a text prefix of addresses whose next groups are zero: `::` stands for two at least.
    let (groups, zeros) = prefix.strip_suffix(':').map_or((prefix, 0), |groups| (groups, 2));
    let groups = groups.split(':').map(hex_group).collect::<Option<Vec<u16>>>()?;
    if groups.is_empty() || groups.len() > 7 {
        return None;
    }
    let bits = u8::try_from((groups.len() + zeros).min(8)).ok()? * 16;
    let mut full = [0u16; 8];
    full.iter_mut().zip(&groups).for_each(|(to, from)| *to = *from);
    Ipv6Net::new(Ipv6Addr::from(full), bits).ok().map(|network| canonical(IpNet::V6(network)))
}

fn hex_group(text: &str) -> Option<u16> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(text, 16).ok()
}

/// IPv4-mapped networks become IPv4, because addresses are compared in that form.
fn canonical(network: IpNet) -> IpNet {
    match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(network, IpNet::V4),
            None => network,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(entry: &str, address: &str) -> bool {
        let mut set = NetworkSet::default();
        set.add(parse_network(entry.as_bytes()).unwrap_or_else(|| panic!("{entry}")));
        set.contains(Address::parse(address.as_bytes()).unwrap())
    }

    #[test]
    fn prefix_forms_match_whole_groups() {
        assert!(matches("192.168.10.", "192.168.10.7"));
        assert!(!matches("192.168.10.", "192.168.1.7"));
        assert!(!matches("192.168.1.", "192.168.10.7"));
        assert!(matches("10.", "10.255.0.1"));
        assert!(matches("2001:db8:", "2001:db8:1::5"));
        assert!(!matches("2001:db8:", "2001:db9::5"));
        assert!(matches("2001:db8::", "2001:db8::5"));
        assert!(!matches("2001:db8::", "2001:db8:1::5"));
        assert!(matches("::", "::") && !matches("::", "::1"));
    }

    #[test]
    fn addresses_and_networks_of_both_families() {
        assert!(matches("2001:DB8:0:0:0:0:0:1", "2001:db8::1"));
        assert!(matches("192.0.2.0/24", "::ffff:192.0.2.9"));
        assert!(matches("::ffff:192.0.2.0/120", "192.0.2.9"));
        assert!(matches("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!matches("0.0.0.0/0", "2001:db8::1"));
        assert!(matches("192.0.2.77/24", "192.0.2.1"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in
            ["", ".", ":", "10.1", "10.1.2.3.", "1.2.3.4/33", "::/129", "256.", "a.b.", "01.", "host.example", "1.2.3.4/", "/24", "12345:", "1.2.3.4 ", "*"]
        {
            assert_eq!(parse_network(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn a_virtual_host_gets_the_union() {
        let (mut a, mut b) = (NetworkSet::default(), NetworkSet::default());
        a.add(parse_network(b"10.").unwrap());
        b.add(parse_network(b"192.0.2.1").unwrap());
        b.add_all(&a);
        assert!(b.contains(Address::from([10, 1, 2, 3])) && b.contains(Address::from([192, 0, 2, 1])));
    }
}
