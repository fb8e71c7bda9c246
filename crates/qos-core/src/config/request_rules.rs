//! Directives that limit requests of locations and events (request-event.md sections 6 and 9).

use super::directive::Family;

/// The directives of this family.
pub const DIRECTIVES: Family = &[];

/// Rules of a server about its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRules {}

impl RequestRules {
    /// What a virtual host inherits, and what it says itself.
    #[must_use]
    pub fn merge(base: &RequestRules, own: &RequestRules) -> RequestRules {
        let _ = own;
        base.clone()
    }
}
