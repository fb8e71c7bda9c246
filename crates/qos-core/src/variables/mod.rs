//! Rules that set variables of a request and its headers (request-event.md sections 10, 11 and 17). What they work on is behind
//! [`Environment`] and [`Headers`].

pub mod compare;
pub mod headers;
pub mod rules;
pub mod search;
pub mod template;
pub mod tuning;

#[cfg(test)]
mod tests;

use std::ffi::{CStr, CString};
use template::Template;

/// Longest value that a rule puts together, bytes; a longer one is not set.
pub const MOST_BYTES: usize = 64 * 1024;

/// The variables of a request. Names are compared without regard to case.
pub trait Environment {
    /// The value of a variable that is set.
    fn get(&self, name: &CStr) -> Option<&[u8]>;
    /// Sets a variable to text of the configuration, which need not be copied.
    fn set_literal(&mut self, name: &CStr, value: &CStr);
    /// Sets a variable.
    fn set(&mut self, name: &CStr, value: &[u8]);
    /// Removes a variable.
    fn unset(&mut self, name: &CStr);
    /// A rule could not do what it should.
    fn trouble(&mut self, trouble: &Trouble<'_>);
}

/// Headers of a request or response. Names are compared without regard to case.
pub trait Headers {
    /// The first value of that name which is accepted.
    fn find(&self, name: &CStr, accept: &mut dyn FnMut(&[u8]) -> bool) -> Option<&[u8]>;
    /// Sets a header, in the place of all of that name.
    fn set(&mut self, name: &CStr, value: &[u8]);
    /// Removes all headers of that name.
    fn unset(&mut self, name: &CStr);
}

/// Why a rule did not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its pattern was given up at the match limit, which counts as no match.
    GivenUp,
    /// The value would be longer than [`MOST_BYTES`].
    TooLong,
    /// The value of a header would hold a line end or NUL (W27).
    Unsafe,
}

/// A rule that did not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    /// The directive.
    pub directive: &'static str,
    /// The variable or header it is about.
    pub name: &'a CStr,
    /// Why.
    pub reason: Reason,
}

impl Trouble<'_> {
    /// The text of the log line.
    #[must_use]
    pub fn message(&self) -> String {
        let reason = match self.reason {
            Reason::GivenUp => "the pattern was given up at the match limit (counts as no match)",
            Reason::TooLong => "the value is too long and not set",
            Reason::Unsafe => "the value holds a line end and is not set",
        };
        format!("mod_qos(): {} {}: {reason}", self.directive, self.name.to_string_lossy())
    }
}

/// What becomes of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The variable.
    pub variable: CString,
    /// Its new value; `None`: it is removed.
    pub value: Option<Template>,
}

/// Whether two names are one.
#[must_use]
pub fn same_name(a: &CStr, b: &CStr) -> bool {
    a.to_bytes().eq_ignore_ascii_case(b.to_bytes())
}
