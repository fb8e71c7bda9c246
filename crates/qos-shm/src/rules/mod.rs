//! What each rule about requests counts and measures: a table with one cell per rule, in a mapping of its own.
//!
//! A rule finds its cell by a key made of its server and its text, so numbers stay while the configuration is read again, and children of
//! ending generations go on in the same cells (request-event.md section 3.2). How many requests of a rule are in progress is not here but in
//! the [`CountTable`](crate::CountTable), which gives back what a dead child held; no word of a cell is part of a count that somebody holds.
//! Each word is complete by itself: a process that is killed between two of them leaves no rule in a state that lasts.
//!
//! * [`RuleTable`]: the mapping, and who has which cell
//! * [`RuleCell`]: the words of one rule

mod cell;
mod table;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;

pub use cell::{RING, RuleCell};
pub use table::{RULE_GENERATIONS, RuleTable, RuleTableError};
