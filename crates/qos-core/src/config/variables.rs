//! Directives that set variables of a request (request-event.md section 10).

use super::directive::Family;

/// The directives of this family.
pub const DIRECTIVES: Family = &[];

/// Rules of a server that set variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerVariables {}

impl ServerVariables {
    /// What a virtual host inherits, and what it says itself.
    #[must_use]
    pub fn merge(base: &ServerVariables, own: &ServerVariables) -> ServerVariables {
        let _ = own;
        base.clone()
    }
}

/// Rules of a location that set variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocationVariables {}

impl LocationVariables {
    /// The outer section, then the inner one.
    #[must_use]
    pub fn merge(base: &LocationVariables, own: &LocationVariables) -> LocationVariables {
        let _ = own;
        base.clone()
    }
}
