//! One rule about what may pass (filters.md section 2.1).

use crate::pattern::{Pattern, as_text};
use crate::repeat::Lines;
use std::borrow::Cow;
use std::ffi::CString;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `QS_DenyRequestLine`.
    RequestLine,
    /// `QS_DenyPath`.
    Path,
    /// `QS_DenyQuery`.
    Query,
    /// `QS_PermitUri`.
    Permit,
    /// `QS_DenyEvent`.
    Event,
}

impl Kind {
    /// Kinds with a pattern.
    pub(super) const WITH_PATTERN: [Kind; 4] = [Kind::RequestLine, Kind::Path, Kind::Query, Kind::Permit];

    /// The directive that makes such rules.
    #[must_use]
    pub fn directive(self) -> &'static str {
        match self {
            Kind::RequestLine => "QS_DenyRequestLine",
            Kind::Path => "QS_DenyPath",
            Kind::Query => "QS_DenyQuery",
            Kind::Permit => "QS_PermitUri",
            Kind::Event => "QS_DenyEvent",
        }
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is logged.
    Log,
    /// It is logged and the request is denied.
    Deny,
}

impl Action {
    /// `log` or `deny`, in any case.
    #[must_use]
    pub fn new(word: &[u8]) -> Option<Action> {
        if word.eq_ignore_ascii_case(b"log") {
            Some(Action::Log)
        } else if word.eq_ignore_ascii_case(b"deny") {
            Some(Action::Deny)
        } else {
            None
        }
    }
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Whether this matches what the rule looks at.
    Pattern(Pattern),
    /// Whether a variable is set, or, with `false`, whether it is not.
    Variable(CString, bool),
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id, without the sign. Ids compare without regard to ASCII case.
    pub id: CString,
    /// What it looks at.
    pub kind: Kind,
    /// What it does.
    pub action: Action,
    /// Its last argument, as written.
    pub text: Vec<u8>,
    /// What it asks.
    pub test: Test,
    /// Lines about it.
    pub lines: Lines,
}

impl Rule {
    /// The pattern, if it has one.
    #[must_use]
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.test {
            Test::Pattern(pattern) => Some(pattern),
            Test::Variable(..) => None,
        }
    }

    /// Its last argument as a log may have it: `\xHH` stands for bytes above 7f of one that is not UTF-8.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        as_text(&self.text)
    }
}

/// Whether two ids are the same.
pub(super) fn same_id(one: &CString, other: &CString) -> bool {
    one.as_bytes().eq_ignore_ascii_case(other.as_bytes())
}
