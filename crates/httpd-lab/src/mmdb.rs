//! Small MaxMind databases for tests: networks and countries in, a file's bytes out.

use std::collections::HashMap;
use std::net::IpAddr;

/// A database in the making.
///
/// ```
/// let bytes = httpd_lab::mmdb::Mmdb::new(6).country("192.0.2.0/24", "CH").country("2001:db8::/32", "DE").bytes();
/// assert!(bytes.windows(11).any(|window| window == b"MaxMind.com"));
/// ```
#[derive(Clone, Debug)]
pub struct Mmdb {
    ip_version: u16,
    record_bits: u16,
    database_type: String,
    nodes: Vec<[Child; 2]>,
    records: Vec<Vec<u8>>,
    aliases: Vec<(u128, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Empty,
    Node(usize),
    Record(usize),
}

impl Mmdb {
    /// A database for IPv4 (4), or for both families with IPv4 in `::/96` (6).
    pub fn new(ip_version: u16) -> Mmdb {
        assert!(matches!(ip_version, 4 | 6));
        let database_type = "Test-Country".to_owned();
        Mmdb { ip_version, record_bits: 24, database_type, nodes: vec![[Child::Empty; 2]], records: Vec::new(), aliases: Vec::new() }
    }

    /// Width of a record: 24, 28 or 32 bits.
    pub fn record_bits(mut self, bits: u16) -> Mmdb {
        assert!(matches!(bits, 24 | 28 | 32));
        self.record_bits = bits;
        self
    }

    /// What the database calls itself.
    pub fn database_type(mut self, name: &str) -> Mmdb {
        self.database_type = name.to_owned();
        self
    }

    /// A network whose `country.iso_code` is `code`. Later networks may be part of earlier ones.
    pub fn country(self, network: &str, code: &str) -> Mmdb {
        self.record(network, &map(&[("country", map(&[("iso_code", string(code))]))]))
    }

    /// A network with a `registered_country` and no `country`.
    pub fn registered_country(self, network: &str, code: &str) -> Mmdb {
        self.record(network, &map(&[("registered_country", map(&[("iso_code", string(code))]))]))
    }

    /// A network whose record says nothing about countries.
    pub fn other(self, network: &str) -> Mmdb {
        self.record(network, &map(&[("autonomous_system_organization", string("Example"))]))
    }

    /// Lets an IPv6 prefix (`2002::/16`) lead to the IPv4 part, as 6to4 does.
    pub fn alias(mut self, network: &str) -> Mmdb {
        let (address, bits) = parse(network, 6);
        self.aliases.push((address, bits));
        self
    }

    /// A network with an encoded record.
    pub fn record(mut self, network: &str, record: &[u8]) -> Mmdb {
        let (address, bits) = parse(network, self.ip_version);
        let index = self.records.iter().position(|known| known == record).unwrap_or_else(|| {
            self.records.push(record.to_vec());
            self.records.len() - 1
        });
        self.set(address, bits, Child::Record(index));
        self
    }

    /// Hangs `what` below the prefix; records on the way are split.
    fn set(&mut self, address: u128, bits: u8, what: Child) {
        assert!(bits > 0, "the root has no place for a record");
        let mut node = 0;
        for depth in 0..bits - 1 {
            let side = usize::from(address >> (127 - depth) & 1 == 1);
            node = match self.nodes[node][side] {
                Child::Node(next) => next,
                above => {
                    self.nodes.push([above; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Child::Node(next);
                    next
                }
            };
        }
        self.nodes[node][usize::from(address >> (128 - bits) & 1 == 1)] = what;
    }

    /// The file.
    pub fn bytes(mut self) -> Vec<u8> {
        for (address, bits) in std::mem::take(&mut self.aliases) {
            let mut node = 0;
            for _ in 0..96 {
                let Child::Node(next) = self.nodes[node][0] else { panic!("an alias needs IPv4 networks") };
                node = next;
            }
            self.set(address, bits, Child::Node(node));
        }
        let (mut data, mut offsets) = (Vec::new(), HashMap::new());
        for (index, record) in self.records.iter().enumerate() {
            offsets.insert(index, data.len());
            data.extend_from_slice(record);
        }
        let count = self.nodes.len();
        let number = |child: Child| match child {
            Child::Empty => count,
            Child::Node(node) => node,
            Child::Record(index) => count + 16 + offsets[&index],
        };
        let mut file = Vec::new();
        for [left, right] in &self.nodes {
            file.extend(node(self.record_bits, u32::try_from(number(*left)).unwrap(), u32::try_from(number(*right)).unwrap()));
        }
        file.extend([0; 16]);
        file.extend(data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        file.extend(map(&[
            ("binary_format_major_version", uint16(2)),
            ("binary_format_minor_version", uint16(0)),
            ("build_epoch", vec![0x04, 0x02, 0x66, 0x00, 0x00, 0x00]),
            ("database_type", string(&self.database_type)),
            ("description", map(&[("en", string("a test"))])),
            ("ip_version", uint16(self.ip_version)),
            ("languages", vec![0x00, 0x04]),
            ("node_count", [vec![0xc4], u32::try_from(count).unwrap().to_be_bytes().to_vec()].concat()),
            ("record_size", uint16(self.record_bits)),
        ]));
        file
    }
}

/// The address as the 128 bits that lead through the tree from the left, and the prefix length there.
fn parse(network: &str, ip_version: u16) -> (u128, u8) {
    let (address, bits) = network.split_once('/').unwrap_or_else(|| panic!("no network: {network}"));
    let (address, bits) = (address.parse::<IpAddr>().unwrap(), bits.parse::<u8>().unwrap());
    match (address, ip_version) {
        (IpAddr::V4(v4), 4) => (u128::from(u32::from(v4)) << 96, bits),
        (IpAddr::V4(v4), _) => (u128::from(u32::from(v4)), bits + 96),
        (IpAddr::V6(v6), 6) => (u128::from(v6), bits),
        (IpAddr::V6(_), _) => panic!("an IPv6 network in an IPv4 database"),
    }
}

fn node(record_bits: u16, left: u32, right: u32) -> Vec<u8> {
    let (l, r) = (left.to_be_bytes(), right.to_be_bytes());
    match record_bits {
        24 => [&l[1..], &r[1..]].concat(),
        28 => [&l[1..], &[l[0] << 4 | r[0] & 0xf], &r[1..]].concat(),
        _ => [l, r].concat(),
    }
}

/// An encoded string of at most 284 bytes.
pub fn string(text: &str) -> Vec<u8> {
    let len = text.len();
    let head = if len < 29 { vec![0x40 | len as u8] } else { vec![0x5d, u8::try_from(len - 29).unwrap()] };
    [head, text.as_bytes().to_vec()].concat()
}

/// An encoded map of at most 28 entries.
pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    assert!(entries.len() < 29);
    let mut bytes = vec![0xe0 | entries.len() as u8];
    for (key, value) in entries {
        bytes.extend(string(key));
        bytes.extend(value);
    }
    bytes
}

fn uint16(value: u16) -> Vec<u8> {
    [vec![0xa2], value.to_be_bytes().to_vec()].concat()
}
