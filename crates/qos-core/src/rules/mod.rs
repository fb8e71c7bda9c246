//! Rules about requests of locations and of events (request-event.md sections 6, 7 and 9).
//!
//! * [`Rule`]: one entry of a server's table, with up to three limits
//! * [`Selection`]: which rules apply to a request
//! * [`pace`]: when a further request may start
//! * [`window`]: requests per second as they are measured and reported
//! * [`EventCount`]: events in a window of time

mod event_count;
pub mod message;
pub mod pace;
mod rule;
mod selection;
pub mod window;

pub use event_count::{EventCount, EventCountRule};
pub use rule::{Kind, Limit, LogOnly, Rule, RuleDirective, merge};
pub use selection::{Located, Selection, longest_prefix};
