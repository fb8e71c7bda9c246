//! Rules about headers (sections 10.10 and 11).

use super::{Environment, Headers, Reason, Trouble};
use crate::pattern::{Match, Pattern};
use std::ffi::{CStr, CString};

/// `QS_SetReqHeader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReqHeader {
    /// The header.
    pub header: CString,
    /// The variable that has to be set.
    pub variable: CString,
    /// The header is removed instead of set to the variable's value.
    pub remove: bool,
}

/// `QS_SetEnvResHeader` or `QS_SetEnvResHeaderMatch`: the variable is named like the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEnvResHeader {
    /// The header.
    pub header: CString,
    /// What a value has to match.
    pub pattern: Option<Pattern>,
    /// The header does not reach the client.
    pub drop: bool,
}

impl SetReqHeader {
    /// Evaluates the rule. A value that would end the header is refused (W27).
    pub fn apply(&self, environment: &mut impl Environment, headers: &mut impl Headers) {
        let Some(value) = environment.get(&self.variable) else { return };
        if self.remove {
            headers.unset(&self.header);
        } else if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            environment.trouble(&Trouble { directive: "QS_SetReqHeader", name: &self.header, reason: Reason::Unsafe });
        } else {
            headers.set(&self.header, value);
        }
    }
}

impl SetEnvResHeader {
    /// Evaluates the rule: the first value, or the first that matches, of all headers of that name (W26). Says whether a variable was set.
    pub fn apply(&self, environment: &mut impl Environment, headers: &mut impl Headers) -> bool {
        let mut given_up = false;
        let mut accept = |value: &[u8]| match self.pattern.as_ref().map(|pattern| pattern.matches(value)) {
            None | Some(Match::Yes) => true,
            Some(Match::No) => false,
            Some(Match::GivenUp) => {
                given_up = true;
                false
            }
        };
        let found = headers.find(&self.header, &mut accept);
        if let Some(value) = found {
            environment.set(&self.header, value);
        }
        let found = found.is_some();
        if given_up {
            environment.trouble(&Trouble { directive: "QS_SetEnvResHeaderMatch", name: &self.header, reason: Reason::GivenUp });
        }
        if found && self.drop {
            headers.unset(&self.header);
        }
        found
    }
}

/// Removes headers.
pub fn unset_all<'a>(names: impl Iterator<Item = &'a CStr>, headers: &mut impl Headers) {
    names.for_each(|name| headers.unset(name));
}
