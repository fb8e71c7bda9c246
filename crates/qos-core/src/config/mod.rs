//! Directives: text to typed values, checked completely, and how a virtual host or a location
//! inherits. [`DIRECTIVES`] is the one table behind the parser, the reference in docs/ and the
//! tests; [`ServerConfig`] and [`LocationConfig`] are what the rules read.

mod client;
mod client_types;
mod connection;
mod denial;
mod directive;
mod general;
mod handlers;
mod header_filter;
mod headers;
mod milestone;
mod rate;
mod reference;
mod request_body;
mod request_rules;
mod status_event;
mod tracking;
mod types;
mod url_filter;
mod value;
mod variables;
mod vip;

pub use client_types::{ClientConfig, EventLimit, PerSecond, Serialize, SpecialCodes, StatusEvent, merge_status_events};
pub use denial::{AUTOMATIC_PAGES, Denials, RESPONSE_CODE, is_url};
pub use directive::{Argument, Directive, Outcome, Scope, Target, apply, find};
pub use handlers::{ConsoleMethods, GeoConfig, ReportConfig};
pub use header_filter::{HeaderFilters, LocationHeaderFilters};
pub use headers::HeaderRules;
pub use milestone::MilestoneConfig;
pub use reference::reference;
pub use request_body::BodyConfig;
pub use request_rules::RequestRules;
pub use types::{CloseLimit, LocationConfig, OffEvent, RateKind, RateRule, SampleRate, ServerConfig};
pub use value::{Expected, Wrong, printable};
pub use variables::{LocationVariables, SearchRule, ServerVariables};
pub use vip::VipConfig;

use directive::Family;

/// All directives, family by family.
pub const FAMILIES: &[Family] = &[
    connection::DIRECTIVES,
    rate::DIRECTIVES,
    request_body::DIRECTIVES,
    client::DIRECTIVES,
    status_event::DIRECTIVES,
    request_rules::DIRECTIVES,
    variables::DIRECTIVES,
    headers::DIRECTIVES,
    header_filter::DIRECTIVES,
    denial::DIRECTIVES,
    url_filter::DIRECTIVES,
    vip::DIRECTIVES,
    milestone::DIRECTIVES,
    tracking::DIRECTIVES,
    general::DIRECTIVES,
    handlers::DIRECTIVES,
];

/// Every directive of the module.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    FAMILIES.iter().flat_map(|family| family.iter())
}
