//! What a header may be called and hold (filters.md section 8).
//!
//! [`REQUEST`] and [`RESPONSE`] are the built-in rules; `QS_RequestHeaderFilterRule` and `QS_ResponseHeaderFilterRule` add to them or replace them.
//! [`HeaderFilter`] holds the rules of one direction, found by name without a search. A header without a rule is dropped.

mod builtin;
mod index;
pub mod message;
mod request;
mod request_more;
mod response;
mod rule;
mod secret;
#[cfg(test)]
mod tests;

pub use builtin::{Builtin, reference};
pub use rule::{Action, Rule};
pub use secret::{shown, shown_value};

use crate::pattern::{Pattern, PatternError};
use index::Index;

/// The built-in rules for request headers: those that have always been there, then those of today's clients.
pub const REQUEST: [&[Builtin]; 2] = [request::RULES, request_more::RULES];

/// The built-in rules for response headers.
pub const RESPONSE: [&[Builtin]; 1] = [response::RULES];

/// `QS_RequestHeaderFilter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is filtered.
    Off,
    /// Names, lengths and values are looked at.
    On,
    /// Names and lengths only.
    Size,
}

/// `QS_ResponseHeaderFilter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// Nothing is filtered.
    Off,
    /// Names, lengths and values are looked at.
    On,
    /// The same without a line in the log.
    Silent,
}

/// Whether a request header says where the request ends. Without it, or with another value, httpd and what stands behind it see another end than what stands before it:
/// such a header is never removed or set, a request is denied because of it (request smuggling).
#[must_use]
pub fn frames(name: &[u8]) -> bool {
    [&b"Content-Length"[..], b"Transfer-Encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

/// What becomes of a header.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'f> {
    /// It stays.
    Pass,
    /// It is removed, because of this rule or because there is none.
    Drop(Option<&'f Rule>),
    /// The request is denied.
    Deny(&'f Rule),
}

/// A built-in rule that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinError {
    /// The header.
    pub name: &'static str,
    /// Why.
    pub error: PatternError,
}

/// The rules for one direction.
#[derive(Debug)]
pub struct HeaderFilter {
    rules: Vec<Rule>,
    index: Index,
}

impl HeaderFilter {
    /// The built-in rules with those of the configuration, which replace those of the same name.
    ///
    /// # Errors
    /// [`BuiltinError`] where PCRE does not take a built-in pattern (006).
    pub fn new<'r>(builtin: &[&[Builtin]], own: impl Iterator<Item = &'r Rule>) -> Result<HeaderFilter, BuiltinError> {
        let mut rules = Vec::new();
        for builtin in builtin.iter().flat_map(|rules| rules.iter()) {
            let pattern = Pattern::new(builtin.pattern.as_bytes()).map_err(|error| BuiltinError { name: builtin.name, error })?;
            rules.push(Rule::new(builtin.name.as_bytes(), builtin.action, pattern, u64::from(builtin.max)));
        }
        for rule in own {
            match rules.iter_mut().find(|old| old.name().eq_ignore_ascii_case(rule.name())) {
                Some(old) => *old = rule.clone(),
                None => rules.push(rule.clone()),
            }
        }
        rules.iter_mut().for_each(Rule::compile);
        let index = Index::new(&rules.iter().map(Rule::name).collect::<Vec<_>>());
        Ok(HeaderFilter { rules, index })
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule for a header, whose name may be written in any case.
    #[must_use]
    pub fn rule(&self, name: &[u8]) -> Option<&Rule> {
        self.index.find(name).and_then(|at| self.rules.get(at))
    }

    /// What becomes of a header. `values`: whether its value has to match the pattern as well. The length is looked at first.
    #[must_use]
    pub fn judge(&self, name: &[u8], value: &[u8], values: bool) -> Verdict<'_> {
        match self.rule(name) {
            None => Verdict::Drop(None),
            Some(rule) if rule.allows_length(value) && (!values || rule.allows_value(value)) => Verdict::Pass,
            Some(rule) if rule.action() == Action::Deny => Verdict::Deny(rule),
            Some(rule) => Verdict::Drop(Some(rule)),
        }
    }
}
