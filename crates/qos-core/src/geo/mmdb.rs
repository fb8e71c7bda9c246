//! MaxMind DB: the search tree is walked once while loading.
//!
//! The walk has a budget and a depth, and every record is decoded, so that a damaged file, also
//! one whose tree leads in circles, is an error at start; the file's bytes are gone afterwards.

use super::country::Country;
use super::error::GeoError;
use super::table::{Aliases, Table};
use super::{Database, Kind};
use crate::config::printable;
use maxminddb::{MaxMindDbError, Reader, path};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Whether the bytes are meant as a MaxMind DB: its marker, or zero bytes near the beginning
/// (a database whose end, where the marker stands, is missing).
pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.iter().take(4096).any(|b| *b == 0) || bytes.windows(MARKER.len()).rev().take(128 * 1024).any(|window| window == MARKER)
}

pub(super) fn read(bytes: Vec<u8>) -> Result<Database, GeoError> {
    let reader = Reader::from_source(bytes.as_slice()).map_err(|error| damaged("metadata", error))?;
    let tree = Tree::of(&bytes, &reader)?;
    let mut records = Records { reader: &reader, countries: HashMap::new() };
    let mut database = Database { kind: Kind::Mmdb, v4: Table::new(), v6: Table::new(), aliases: Aliases::default() };
    let start = tree.ipv4_start()?;
    walk(&tree, start, 32, |address, _, node| {
        if node < tree.nodes {
            return Ok(false);
        }
        let country = records.country(node, || IpAddr::V4(Ipv4Addr::from(address as u32)))?;
        database.v4.push(address as u32, country);
        Ok(false)
    })?;
    if tree.ip_version == 6 {
        let mut aliases = Aliases::default();
        walk(&tree, 0, 128, |address, depth, node| {
            if node == start && start < tree.nodes {
                return if aliases.add(address, depth) { Ok(true) } else { Err(tree.circles()) };
            }
            if node >= tree.nodes {
                let country = records.country(node, || IpAddr::V6(Ipv6Addr::from(address)))?;
                database.v6.push(address, country);
            }
            Ok(false)
        })?;
        database.aliases = aliases;
    }
    reader.verify().map_err(|error| damaged("data section", error))?;
    if database.ranges() == (0, 0) {
        return Err(GeoError::NoCountries { database_type: printable(reader.metadata().database_type.as_bytes()) });
    }
    database.v4.shrink();
    database.v6.shrink();
    Ok(database)
}

/// The reader's error as ours. Its texts are printable; offsets are those of the file where the reader knows them.
fn damaged(part: &'static str, error: MaxMindDbError) -> GeoError {
    let (offset, reason) = match error {
        MaxMindDbError::InvalidDatabase { message, offset } => (offset, message),
        MaxMindDbError::Decoding { message, offset, .. } | MaxMindDbError::ResourceLimit { message, offset, .. } => (offset, message),
        other => (None, other.to_string()),
    };
    GeoError::Damaged { part, offset, reason: printable(reason.as_bytes()) }
}

/// The search tree: nodes of two records of 24, 28 or 32 bits.
struct Tree<'a> {
    bytes: &'a [u8],
    nodes: usize,
    record_bits: u16,
    ip_version: u16,
}

impl<'a> Tree<'a> {
    fn of(bytes: &'a [u8], reader: &Reader<&[u8]>) -> Result<Tree<'a>, GeoError> {
        let metadata = reader.metadata();
        let nodes = usize::try_from(metadata.node_count).unwrap_or(usize::MAX);
        let size = nodes.saturating_mul(usize::from(metadata.record_size) / 4);
        let bytes = bytes.get(..size).ok_or_else(|| GeoError::Damaged {
            part: "search tree",
            offset: Some(bytes.len()),
            reason: format!("the tree of {nodes} nodes is longer than the file"),
        })?;
        Ok(Tree { bytes, nodes, record_bits: metadata.record_size, ip_version: metadata.ip_version })
    }

    /// One of the two records of a node: a node, `nodes` for nothing, or a place in the data.
    fn child(&self, node: usize, right: bool) -> Result<usize, GeoError> {
        let width = usize::from(self.record_bits) / 4;
        let offset = node.saturating_mul(width);
        let bytes = offset.checked_add(width).and_then(|end| self.bytes.get(offset..end));
        let value = match (self.record_bits, bytes, right) {
            (24, Some([a, b, c, ..]), false) | (24, Some([_, _, _, a, b, c]), true) => u32::from_be_bytes([0, *a, *b, *c]),
            (28, Some([a, b, c, middle, ..]), false) => u32::from_be_bytes([middle >> 4, *a, *b, *c]),
            (28, Some([_, _, _, middle, a, b, c]), true) => u32::from_be_bytes([middle & 0xf, *a, *b, *c]),
            (32, Some([a, b, c, d, ..]), false) | (32, Some([_, _, _, _, a, b, c, d]), true) => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => return Err(GeoError::Damaged { part: "search tree", offset: Some(offset), reason: "a node is cut off".to_owned() }),
        };
        Ok(value as usize)
    }

    /// Where IPv4 addresses begin: the root, or what lies behind 96 zero bits.
    fn ipv4_start(&self) -> Result<usize, GeoError> {
        let mut node = 0;
        for _ in 0..(if self.ip_version == 6 { 96 } else { 0 }) {
            if node >= self.nodes {
                break;
            }
            node = self.child(node, false)?;
            if node == 0 {
                return Err(self.circles());
            }
        }
        Ok(node)
    }

    fn circles(&self) -> GeoError {
        GeoError::Damaged { part: "search tree", offset: None, reason: "it leads in circles".to_owned() }
    }
}

/// Visits the tree in the order of addresses. `visit` gets the first address, the number of bits
/// and the node of every place, and says whether to leave out what lies below.
fn walk(tree: &Tree<'_>, start: usize, bits: u8, mut visit: impl FnMut(u128, u8, usize) -> Result<bool, GeoError>) -> Result<(), GeoError> {
    // A tree has each node once; a little sharing of branches is nothing bad.
    let mut budget = tree.nodes.saturating_mul(16).saturating_add(1024);
    let mut stack = vec![(start, 0u128, 0u8)];
    while let Some((node, address, depth)) = stack.pop() {
        budget = budget.checked_sub(1).ok_or_else(|| tree.circles())?;
        if visit(address, depth, node)? || node >= tree.nodes {
            continue;
        }
        if depth >= bits {
            return Err(tree.circles());
        }
        let half = 1u128 << (bits - depth - 1);
        stack.push((tree.child(node, true)?, address | half, depth + 1));
        stack.push((tree.child(node, false)?, address, depth + 1));
    }
    Ok(())
}

/// The countries of records, each decoded once.
struct Records<'a, 'b> {
    reader: &'b Reader<&'a [u8]>,
    countries: HashMap<usize, Option<Country>>,
}

impl Records<'_, '_> {
    /// What the record of a node says: `country`, else `registered_country`. `address` lies in its network.
    fn country(&mut self, node: usize, address: impl FnOnce() -> IpAddr) -> Result<Option<Country>, GeoError> {
        if let Some(known) = self.countries.get(&node) {
            return Ok(*known);
        }
        let record = self.reader.lookup(address()).map_err(|error| damaged("search tree", error))?;
        let code = |path: &[maxminddb::PathElement<'_>]| record.decode_path::<&str>(path).map_err(|error| damaged("data section", error));
        let mut found = code(&path!["country", "iso_code"])?;
        if found.is_none_or(str::is_empty) {
            found = code(&path!["registered_country", "iso_code"])?;
        }
        let country = match found {
            None | Some("" | "-") => None,
            Some(text) => Some(Country::parse(text.as_bytes()).ok_or_else(|| GeoError::Damaged {
                part: "data section",
                offset: record.offset(),
                reason: format!("'{}' is no country code", printable(text.as_bytes())),
            })?),
        };
        self.countries.insert(node, country);
        Ok(country)
    }
}
