//! Directives: text to typed values, checked completely, and how a virtual host or a location
//! inherits. [`DIRECTIVES`] is the one table behind the parser, the reference in docs/ and the
//! tests; [`ServerConfig`] and [`LocationConfig`] are what the rules read.

mod client;
mod client_types;
mod connection;
mod directive;
mod general;
mod handlers;
mod rate;
mod reference;
mod request_body;
mod status_event;
mod types;
mod value;

pub use client_types::{ClientConfig, EventLimit, PerSecond, Serialize, SpecialCodes, StatusEvent, merge_status_events};
pub use directive::{Argument, Directive, Outcome, Scope, Target, apply, find};
pub use handlers::{ConsoleMethods, GeoConfig, ReportConfig};
pub use reference::reference;
pub use types::{CloseLimit, LocationConfig, OffEvent, RateKind, RateRule, SampleRate, ServerConfig};
pub use value::{Expected, Wrong, printable};

use directive::Family;

/// All directives, family by family.
pub const FAMILIES: &[Family] = &[
    connection::DIRECTIVES,
    rate::DIRECTIVES,
    request_body::DIRECTIVES,
    client::DIRECTIVES,
    status_event::DIRECTIVES,
    general::DIRECTIVES,
    handlers::DIRECTIVES,
];

/// Every directive of the module.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    FAMILIES.iter().flat_map(|family| family.iter())
}
