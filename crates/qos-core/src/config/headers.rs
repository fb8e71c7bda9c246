//! Directives about headers of requests and responses (request-event.md sections 10.10 and 11).

use super::directive::Family;

/// The directives of this family.
pub const DIRECTIVES: Family = &[];

/// What a server does with headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {}

impl HeaderRules {
    /// What a virtual host inherits, and what it says itself.
    #[must_use]
    pub fn merge(base: &HeaderRules, own: &HeaderRules) -> HeaderRules {
        let _ = own;
        base.clone()
    }
}
