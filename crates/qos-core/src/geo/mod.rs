//! The country of a client address, and who may connect from where (connection-client.md section 10).
//!
//! A database of either kind ([`csv`], [`mmdb`]) is read once into sorted tables; a look-up is a
//! binary search that never touches the file's bytes again and therefore cannot fail.

mod country;
mod csv;
mod error;
mod mmdb;
#[cfg(test)]
mod mmdb_tests;
mod rule;
mod table;

pub use country::{Country, CountryList};
pub use error::GeoError;
pub use rule::{PrivRule, Refusal, refusal_message, without_database};

use crate::address::Address;
use std::net::IpAddr;
use table::{Aliases, Table};

/// What kind of file a database came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines with decimal IPv4 ranges.
    Csv,
    /// MaxMind DB.
    Mmdb,
}

impl Kind {
    /// As the viewer shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Csv => "CSV",
            Kind::Mmdb => "MaxMind DB",
        }
    }
}

/// The countries of all addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    kind: Kind,
    v4: Table<u32>,
    v6: Table<u128>,
    /// IPv6 prefixes behind which an IPv4 address follows.
    aliases: Aliases,
}

impl Database {
    /// Reads a database: the CSV of the original or a MaxMind DB, told apart by content.
    ///
    /// # Errors
    /// [`GeoError`] says which line or which part of the file is wrong.
    pub fn read(bytes: Vec<u8>) -> Result<Database, GeoError> {
        if bytes.is_empty() {
            return Err(GeoError::Empty);
        }
        if mmdb::recognise(&bytes) { mmdb::read(bytes) } else { csv::read(&bytes) }
    }

    /// The country of an address; `None` where the database knows none.
    #[must_use]
    pub fn country(&self, address: Address) -> Option<Country> {
        if address == Address::NONE {
            return None;
        }
        match address.ip() {
            IpAddr::V4(v4) => self.v4.find(u32::from(v4)),
            IpAddr::V6(v6) => match self.aliases.ipv4(u128::from(v6)) {
                Some(v4) => self.v4.find(v4),
                None => self.v6.find(u128::from(v6)),
            },
        }
    }

    /// The kind of file it came from.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of IPv4 and IPv6 ranges with a country, neighbours of the same country counted once.
    #[must_use]
    pub fn ranges(&self) -> (usize, usize) {
        (self.v4.known(), self.v6.known())
    }
}
