//! Country codes and lists of them.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;

/// A country: two characters `A-Z0-9`, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(NonZeroU16);

impl Country {
    /// A code in any case; `None` where the text is no code (`-` and empty included).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Country> {
        let [first, second] = text else { return None };
        let code = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
        if !code.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            return None;
        }
        NonZeroU16::new(u16::from_be_bytes(code)).map(Country)
    }

    /// The two characters.
    #[must_use]
    pub fn code(self) -> [u8; 2] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.code();
        write!(f, "{}{}", char::from(first), char::from(second))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first argument of `QS_ClientGeoCountryPriv`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryList {
    countries: BTreeSet<Country>,
    unknown: bool,
}

impl CountryList {
    /// Codes separated by commas, in any case, without blanks. `-` is the entry that databases
    /// have for addresses without a country: it stands for unknown addresses.
    ///
    /// # Errors
    /// The entry that is no code; empty if the whole list is.
    pub fn parse(text: &[u8]) -> Result<CountryList, &[u8]> {
        let mut list = CountryList::default();
        for entry in text.split(|b| *b == b',') {
            if entry == b"-" {
                list.unknown = true;
            } else {
                list.countries.insert(Country::parse(entry).ok_or(entry)?);
            }
        }
        Ok(list)
    }

    /// Adds another list.
    pub fn unite(&mut self, other: &CountryList) {
        self.countries.extend(&other.countries);
        self.unknown |= other.unknown;
    }

    /// Whether a country is listed.
    #[must_use]
    pub fn contains(&self, country: Country) -> bool {
        self.countries.contains(&country)
    }

    /// Whether `-` is listed.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.unknown
    }
}

impl fmt::Display for CountryList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = self.countries.iter().map(Country::to_string).chain(self.unknown.then(|| "-".to_owned()));
        f.write_str(&codes.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_case() {
        assert_eq!(Country::parse(b"ch").unwrap().to_string(), "CH");
        assert_eq!(Country::parse(b"A1").unwrap().code(), *b"A1");
        for bad in ["", "-", "--", "C", "CHE", "c ", "\u{e4}"] {
            assert_eq!(Country::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn lists_are_united() {
        let mut list = CountryList::parse(b"CH,de,CH").unwrap();
        list.unite(&CountryList::parse(b"at,-").unwrap());
        assert_eq!(list.to_string(), "AT,CH,DE,-");
        assert!(list.contains(Country::parse(b"At").unwrap()) && !list.contains(Country::parse(b"US").unwrap()) && list.has_unknown());
    }

    #[test]
    fn an_entry_that_is_no_code_is_named() {
        for (text, entry) in [("", ""), ("CH,", ""), ("CH, DE", " DE"), ("CHE", "CHE"), ("CH;DE", "CH;DE")] {
            assert_eq!(CountryList::parse(text.as_bytes()), Err(entry.as_bytes()), "{text:?}");
        }
    }
}
