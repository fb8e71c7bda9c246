//! Directives about how a request is denied (request-event.md sections 4 and 5).

use super::directive::Family;

/// The directives of this family.
pub const DIRECTIVES: Family = &[];

/// How requests are denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denials {}

impl Denials {
    /// What a virtual host inherits, and what it says itself.
    #[must_use]
    pub fn merge(base: &Denials, own: &Denials) -> Denials {
        let _ = own;
        base.clone()
    }
}
