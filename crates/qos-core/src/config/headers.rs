//! Directives about headers of requests and responses (request-event.md sections 10.10 and 11).

use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, optional, required, server};
use super::value::{Wrong, name as usable_name, pattern_with, wrong};
use crate::header_filter::frames;
use crate::list::List;
use crate::pattern::{Options, Pattern};
use crate::variables::headers::{SetEnvResHeader, SetReqHeader};
use crate::variables::same_name;
use std::ffi::CString;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_SetReqHeader",
        scope: Scope::Server,
        arguments: &[required("[!]header"), required("variable"), optional("late")],
        help: c"Sets a request header to the value of a variable that is set, or removes it (!); late: just before the response is made, also in sub-requests and redirects.",
        read: set_req_header,
    },
    Directive {
        name: c"QS_UnsetReqHeader",
        scope: Scope::Server,
        arguments: &[required("header")],
        help: c"Removes a request header before anything reads it.",
        read: unset_req_header,
    },
    Directive {
        name: c"QS_UnsetResHeader",
        scope: Scope::Server,
        arguments: &[required("header")],
        help: c"Removes a response header, but not from error responses that httpd makes itself.",
        read: unset_res_header,
    },
    Directive {
        name: c"QS_SetEnvResHeader",
        scope: Scope::Server,
        arguments: &[required("header"), optional("drop")],
        help: c"Sets a variable of the same name to the value of a response header; drop: the header does not reach the client.",
        read: set_env_res_header,
    },
    Directive {
        name: c"QS_SetEnvResHeaderMatch",
        scope: Scope::Server,
        arguments: &[required("header"), required("pattern")],
        help: c"As QS_SetEnvResHeader, if the value matches the pattern (without regard to case; a dot stands for line ends, too).",
        read: set_env_res_header_match,
    },
];

/// What a server does with headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// `QS_SetReqHeader` without `late`.
    pub early: List<SetReqHeader>,
    /// `QS_SetReqHeader` with `late`.
    pub late: List<SetReqHeader>,
    /// `QS_UnsetReqHeader`.
    pub unset_request: List<CString>,
    /// `QS_UnsetResHeader`.
    pub unset_response: List<CString>,
    /// `QS_SetEnvResHeaderMatch`.
    pub matched: List<SetEnvResHeader>,
    /// `QS_SetEnvResHeader`.
    pub response: List<SetEnvResHeader>,
}

impl HeaderRules {
    /// What a virtual host inherits, and what it says itself (section 3.3, W05).
    #[must_use]
    pub fn merge(base: &HeaderRules, own: &HeaderRules) -> HeaderRules {
        HeaderRules {
            early: List::merge(&base.early, &own.early, same_set),
            late: List::merge(&base.late, &own.late, same_set),
            unset_request: List::merge(&base.unset_request, &own.unset_request, |a, b| same_name(a, b)),
            unset_response: List::merge(&base.unset_response, &own.unset_response, |a, b| same_name(a, b)),
            matched: List::merge(&base.matched, &own.matched, same_header),
            response: List::merge(&base.response, &own.response, same_header),
        }
    }

    /// Whether a rule looks at responses.
    #[must_use]
    pub fn look_at_responses(&self) -> bool {
        !(self.unset_response.is_empty() && self.matched.is_empty() && self.response.is_empty())
    }
}

fn same_set(a: &SetReqHeader, b: &SetReqHeader) -> bool {
    same_name(&a.header, &b.header) && same_name(&a.variable, &b.variable)
}

fn same_header(a: &SetEnvResHeader, b: &SetEnvResHeader) -> bool {
    same_name(&a.header, &b.header)
}

fn set_req_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let (remove, header) = first(arguments).strip_prefix(b"!").map_or((false, first(arguments)), |rest| (true, rest));
    let variable = argument(arguments, 1);
    let rule =
        SetReqHeader { header: usable_name(name, header, first(arguments), "header")?, variable: usable_name(name, variable, variable, "variable")?, remove };
    let late = match arguments.get(2) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"late") => true,
        Some(word) => return Err(wrong(name, word, "is not known here", "late")),
    };
    let headers = &mut server(name, target)?.headers;
    if frames(rule.header.as_bytes()) {
        return Ok(ignored(rule.header.as_bytes()));
    }
    let rules = if late { &mut headers.late } else { &mut headers.early };
    rules.replace(rule, same_set);
    Ok(Outcome::Taken)
}

fn unset_req_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let header = usable_name(name, first(arguments), first(arguments), "header")?;
    let headers = &mut server(name, target)?.headers;
    if frames(header.as_bytes()) {
        return Ok(ignored(header.as_bytes()));
    }
    headers.unset_request.replace(header, |a, b| same_name(a, b));
    Ok(Outcome::Taken)
}

/// A header that says where a request ends stays as it came: the line is read, so that the configuration goes on loading, and has no effect.
fn ignored(header: &[u8]) -> Outcome {
    let text = if header.eq_ignore_ascii_case(b"Content-Length") {
        "Content-Length has no effect: a request with another or no such header ends elsewhere (request smuggling); remove the line"
    } else {
        "Transfer-Encoding has no effect: a request with another or no such header ends elsewhere (request smuggling); remove the line"
    };
    Outcome::Warn(text.into())
}

fn unset_res_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let header = usable_name(name, first(arguments), first(arguments), "header")?;
    server(name, target)?.headers.unset_response.replace(header, |a, b| same_name(a, b));
    Ok(Outcome::Taken)
}

fn set_env_res_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let drop = match arguments.get(1) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"drop") => true,
        Some(word) => return Err(wrong(name, word, "is not known here", "drop")),
    };
    let rule = SetEnvResHeader { header: usable_name(name, first(arguments), first(arguments), "header")?, pattern: None, drop };
    server(name, target)?.headers.response.replace(rule, same_header);
    Ok(Outcome::Taken)
}

fn set_env_res_header_match(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let header = usable_name(name, first(arguments), first(arguments), "header")?;
    let text = argument(arguments, 1);
    let pattern = pattern_with(name, text, Options { caseless: true, ..Pattern::OPTIONS })?;
    server(name, target)?.headers.matched.push(SetEnvResHeader { header, pattern: Some(pattern), drop: false });
    Ok(Outcome::Taken)
}
