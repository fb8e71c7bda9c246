//! Why a database cannot be used.

use std::fmt;

/// An error of [`Database::read`](super::Database::read); displayed as one line without the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeoError {
    /// The file has no content.
    Empty,
    /// A line of a CSV file is wrong: the first of `bad` lines.
    Line {
        /// Counted from 1.
        number: usize,
        /// Its text, escaped and cut.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
        /// How many lines are wrong.
        bad: usize,
    },
    /// A MaxMind DB is damaged or cut off.
    Damaged {
        /// Which part.
        part: &'static str,
        /// Byte from which the part cannot be read, where known.
        offset: Option<usize>,
        /// What is wrong with it.
        reason: String,
    },
    /// A MaxMind DB without countries.
    NoCountries {
        /// Its type as it says itself, escaped.
        database_type: String,
    },
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GeoError::Empty => f.write_str("the file is empty"),
            GeoError::Line { number, text, problem, bad } => {
                let lines = if *bad == 1 { "line is" } else { "lines are" };
                write!(f, "line {number}: '{text}' {problem} ({bad} {lines} wrong)")
            }
            GeoError::Damaged { part, offset: Some(offset), reason } => write!(f, "the file is damaged: {part} at byte {offset}: {reason}"),
            GeoError::Damaged { part, offset: None, reason } => write!(f, "the file is damaged: {part}: {reason}"),
            GeoError::NoCountries { database_type } => {
                write!(f, "the database (type '{database_type}') holds no countries; expected one with country.iso_code, such as a country or city database")
            }
        }
    }
}

impl std::error::Error for GeoError {}
