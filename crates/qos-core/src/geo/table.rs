//! Sorted ranges: where a range starts and which country it has. Gaps are ranges without one.

use super::country::Country;

/// Ranges of addresses, 6 bytes (IPv4) or 18 bytes (IPv6) each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<K> {
    /// Ascending; before the first there is no country.
    starts: Vec<K>,
    countries: Vec<Option<Country>>,
}

impl<K: Copy + Ord> Table<K> {
    pub(super) fn new() -> Table<K> {
        Table { starts: Vec::new(), countries: Vec::new() }
    }

    /// From here on it is that country. Starts have to come in ascending order; a start that is
    /// given again replaces what was said before.
    pub(super) fn push(&mut self, start: K, country: Option<Country>) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.countries.pop();
        }
        if self.countries.last().copied().flatten() != country {
            self.starts.push(start);
            self.countries.push(country);
        }
    }

    /// The country of the range that holds `key`.
    pub(super) fn find(&self, key: K) -> Option<Country> {
        let behind = self.starts.partition_point(|start| *start <= key);
        self.countries.get(behind.checked_sub(1)?).copied().flatten()
    }

    /// Number of ranges with a country.
    pub(super) fn known(&self) -> usize {
        self.countries.iter().flatten().count()
    }

    pub(super) fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.countries.shrink_to_fit();
    }
}

/// IPv6 prefixes that lead to the IPv4 part of a database (6to4 and the like).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases(Vec<(u128, u8)>);

impl Aliases {
    /// Adds a prefix of at most 96 bits; false where it is longer or there are too many.
    pub(super) fn add(&mut self, prefix: u128, bits: u8) -> bool {
        let room = bits <= 96 && self.0.len() < 64;
        if room {
            self.0.push((prefix, bits));
        }
        room
    }

    /// The 32 bits behind a prefix that the address has.
    pub(super) fn ipv4(&self, address: u128) -> Option<u32> {
        self.0.iter().find_map(|(prefix, bits)| {
            let same = (address ^ prefix).checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0;
            same.then_some(((address >> (96 - u32::from(*bits))) & u128::from(u32::MAX)) as u32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Option<Country> {
        Country::parse(code.as_bytes())
    }

    #[test]
    fn neighbours_of_one_country_are_one_range() {
        let mut table = Table::new();
        for (start, code) in [(10u32, "CH"), (20, "CH"), (30, "-"), (30, "DE"), (40, "-")] {
            table.push(start, country(code));
        }
        assert_eq!(table.starts, [10, 30, 40]);
        assert_eq!((table.find(9), table.find(10), table.find(29), table.find(39), table.find(40)), (None, country("CH"), country("CH"), country("DE"), None));
    }

    #[test]
    fn aliases_find_the_ipv4_part() {
        let mut aliases = Aliases::default();
        assert!(aliases.add(0x2002 << 112, 16) && aliases.add(0, 96) && !aliases.add(0, 97));
        assert_eq!(aliases.ipv4(0x2002_c000_0207 << 80 | 5), Some(0xc000_0207));
        assert_eq!(aliases.ipv4(7), Some(7));
        assert_eq!(aliases.ipv4(0x2003 << 112), None);
        let mut all = Aliases::default();
        assert!(all.add(0, 0));
        assert_eq!(all.ipv4(7 << 96), Some(7));
    }
}
