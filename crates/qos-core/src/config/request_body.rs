//! `QS_LimitRequestBody` (filters.md section 9.1).

use super::directive::{Directive, Family, Outcome, Scope, Target, first, required};
use super::value::{Expected, Wrong, number};

/// The directives of this family.
pub const DIRECTIVES: Family = &[Directive {
    name: c"QS_LimitRequestBody",
    scope: Scope::ServerAndLocation,
    arguments: &[required("bytes")],
    help: c"Largest request body; the variable of the same name overrides it per request.",
    read: limit_request_body,
}];

fn limit_request_body(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let limit = number(name, first(arguments), Expected { unit: "bytes", min: 0, max: i64::MAX as u64 })?;
    match target {
        Target::Server(server) | Target::VirtualHost(server) => server.body_limit = Some(limit),
        Target::Location(location) => location.body_limit = Some(limit),
    }
    Ok(Outcome::Taken)
}
