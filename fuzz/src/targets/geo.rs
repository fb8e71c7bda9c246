//! Databases of countries, of either kind.

use crate::input::assert_line;
use qos_core::address::Address;
use qos_core::geo::Database;

pub fn run(data: &[u8]) {
    match Database::read(data.to_vec()) {
        Ok(database) => {
            let (v4, v6) = database.ranges();
            for bytes in data.chunks(4).take(64) {
                let mut octets = [0; 4];
                octets[..bytes.len()].copy_from_slice(bytes);
                let country = database.country(Address::from(octets));
                assert!(country.is_none() || v4 > 0);
            }
            for bytes in data.chunks_exact(16).take(64) {
                let octets: [u8; 16] = bytes.try_into().expect("16 bytes");
                let country = database.country(Address::from_octets(octets));
                assert!(country.is_none() || v4 + v6 > 0);
            }
        }
        Err(error) => assert_line(&error.to_string()),
    }
}
