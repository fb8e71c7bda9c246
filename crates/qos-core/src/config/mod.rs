//! Directives: text to typed values, checked completely, and how a virtual host or a location
//! inherits. [`DIRECTIVES`] is the one table behind the parser, the reference in docs/ and the
//! tests; [`ServerConfig`] and [`LocationConfig`] are what the rules read.

mod connection;
mod directive;
mod general;
mod handlers;
mod rate;
mod reference;
mod request_body;
mod types;
mod value;

pub use directive::{Argument, Directive, Outcome, Scope, Target, apply, find};
pub use handlers::{ConsoleMethods, GeoConfig, ReportConfig};
pub use reference::reference;
pub use types::{CloseLimit, LocationConfig, OffEvent, RateKind, RateRule, SampleRate, ServerConfig};
pub use value::{Expected, Wrong, printable};

use directive::Family;

/// All directives, family by family.
pub const FAMILIES: &[Family] = &[connection::DIRECTIVES, rate::DIRECTIVES, request_body::DIRECTIVES, general::DIRECTIVES, handlers::DIRECTIVES];

/// Every directive of the module.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    FAMILIES.iter().flat_map(|family| family.iter())
}
