//! Which headers may pass, and what they may hold (filters.md sections 8.1 to 8.4).

use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, location, required, server};
use super::value::{Expected, Wrong, name as usable_name, number, pattern_with, printable, wrong};
use crate::header_filter::{Action, Mode, ResponseMode, Rule, frames};
use crate::list::List;
use crate::pattern::Pattern;
use crate::pattern_set::{Doubt, doubt, is_whole};

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_RequestHeaderFilter",
        scope: Scope::ServerAndLocation,
        arguments: &[required("on|off|size")],
        help: c"Removes request headers that have no rule or break theirs, or denies the request where the rule says so; size: values may be anything of the allowed length.",
        read: request_header_filter,
    },
    Directive {
        name: c"QS_RequestHeaderFilterRule",
        scope: Scope::Global,
        arguments: &[required("header"), required("drop|deny"), required("pattern"), required("bytes")],
        help: c"What a request header has to match and how long it may be, in the place of a built-in rule for it, if there is one.",
        read: request_header_filter_rule,
    },
    Directive {
        name: c"QS_ResponseHeaderFilter",
        scope: Scope::Location,
        arguments: &[required("on|silent|off")],
        help: c"Removes response headers that have no rule or break theirs; silent: without a line in the log.",
        read: response_header_filter,
    },
    Directive {
        name: c"QS_ResponseHeaderFilterRule",
        scope: Scope::Global,
        arguments: &[required("header"), required("pattern"), required("bytes")],
        help: c"What a response header has to match and how long it may be, in the place of a built-in rule for it, if there is one.",
        read: response_header_filter_rule,
    },
];

/// What a server says about headers; only the main server has rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFilters {
    /// `QS_RequestHeaderFilter`.
    pub request: Option<Mode>,
    /// `QS_RequestHeaderFilterRule`.
    pub request_rules: List<Rule>,
    /// `QS_ResponseHeaderFilterRule`.
    pub response_rules: List<Rule>,
}

impl HeaderFilters {
    /// What a virtual host inherits, and what it says itself.
    #[must_use]
    pub fn merge(base: &HeaderFilters, own: &HeaderFilters) -> HeaderFilters {
        HeaderFilters { request: own.request.or(base.request), request_rules: base.request_rules.clone(), response_rules: base.response_rules.clone() }
    }
}

/// What a location says about headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocationHeaderFilters {
    /// `QS_RequestHeaderFilter`.
    pub request: Option<Mode>,
    /// `QS_ResponseHeaderFilter`.
    pub response: Option<ResponseMode>,
}

impl LocationHeaderFilters {
    /// The inner section wins.
    #[must_use]
    pub fn merge(base: LocationHeaderFilters, own: LocationHeaderFilters) -> LocationHeaderFilters {
        LocationHeaderFilters { request: own.request.or(base.request), response: own.response.or(base.response) }
    }
}

/// A word of a list, in any case.
fn word<T: Copy>(directive: &'static str, text: &[u8], words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word.as_bytes()));
    let expected = || match words {
        [others @ .., (last, _)] => format!("{} or {last}", others.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")),
        [] => String::new(),
    };
    found.map(|(_, value)| *value).ok_or_else(|| wrong(directive, text, "is not a known word", &expected()))
}

fn request_header_filter(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let mode = word(name, first(arguments), &[("on", Mode::On), ("off", Mode::Off), ("size", Mode::Size)])?;
    match target {
        Target::Server(server) | Target::VirtualHost(server) => server.header_filters.request = Some(mode),
        Target::Location(location) => location.header_filters.request = Some(mode),
    }
    Ok(Outcome::Taken)
}

fn response_header_filter(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let mode = word(name, first(arguments), &[("on", ResponseMode::On), ("silent", ResponseMode::Silent), ("off", ResponseMode::Off)])?;
    location(name, target)?.header_filters.response = Some(mode);
    Ok(Outcome::Taken)
}

fn request_header_filter_rule(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let action = word(name, argument(arguments, 1), &[("drop", Action::Drop), ("deny", Action::Deny)]);
    let header = first(arguments);
    let smuggles = frames(header) && action == Ok(Action::Drop);
    let rule = rule(name, arguments, if smuggles { Ok(Action::Deny) } else { action }, argument(arguments, 2), argument(arguments, 3))?;
    let warning = match smuggles {
        true if header.eq_ignore_ascii_case(b"Content-Length") => Outcome::Warn(LENGTH_DENIES.into()),
        true => Outcome::Warn(CODING_DENIES.into()),
        false => warning(&rule),
    };
    server(name, target)?.header_filters.request_rules.replace(rule, same);
    Ok(warning)
}

const LENGTH_DENIES: &str =
    "Content-Length drop: requests that break the rule are denied (as with deny), because a request without this header ends elsewhere (request smuggling)";
const CODING_DENIES: &str =
    "Transfer-Encoding drop: requests that break the rule are denied (as with deny), because a request without this header ends elsewhere (request smuggling)";

fn response_header_filter_rule(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let rule = rule(name, arguments, Ok(Action::Drop), argument(arguments, 1), argument(arguments, 2))?;
    let warning = warning(&rule);
    server(name, target)?.header_filters.response_rules.replace(rule, same);
    Ok(warning)
}

fn rule(name: &'static str, arguments: &[&[u8]], action: Result<Action, Wrong>, text: &[u8], max: &[u8]) -> Result<Rule, Wrong> {
    let header = usable_name(name, first(arguments), first(arguments), "header")?;
    let (action, pattern) = (action?, pattern_with(name, text, Pattern::URL)?);
    let max = number(name, max, Expected { unit: "bytes", min: 1, max: i32::MAX as u64 })?;
    Ok(Rule::new(header.as_bytes(), action, pattern, max))
}

fn same(a: &Rule, b: &Rule) -> bool {
    a.name().eq_ignore_ascii_case(b.name())
}

/// A pattern that is found anywhere lets anything stand around it (section 14); one that backtracks without bound is given up, and the header is dropped.
fn warning(rule: &Rule) -> Outcome {
    let text = match doubt(rule.compiled()) {
        Some(Doubt::Repeats) => "a repetition within a repetition may take exponential time; values for which it does break the rule",
        Some(Doubt::OnlyPcre) => {
            "it has something in it that only PCRE knows and may take few steps in long values; values for which it takes more break the rule"
        }
        None if is_whole(rule.compiled()) => return Outcome::Taken,
        None => "a pattern that does not begin with ^ and end with $ (^a$|^b$ or ^(a|b)$, not ^a|b$) lets anything stand before or behind it",
    };
    Outcome::Warn(format!("{}: {text}", printable(rule.name())).into())
}

#[cfg(test)]
mod tests {
    use super::super::{LocationConfig, ServerConfig, apply, find};
    use super::*;

    fn read(target: &mut Target<'_>, line: &str) -> Result<Outcome, String> {
        let words = line.split('~').collect::<Vec<_>>();
        apply(find(words[0]).unwrap(), target, &words[1..].iter().map(|word| word.as_bytes()).collect::<Vec<_>>()).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn rules_replace_each_other_by_name() {
        let mut server = ServerConfig::default();
        let mut target = Target::Server(&mut server);
        for line in ["QS_RequestHeaderFilterRule~X-A~drop~^a$~3", "QS_RequestHeaderFilterRule~x-a~DENY~^b$~4", "QS_ResponseHeaderFilterRule~X-A~^c\\z~5"] {
            assert_eq!(read(&mut target, line), Ok(Outcome::Taken), "{line}");
        }
        let rules = server.header_filters.request_rules.iter().map(|rule| (rule.name(), rule.action(), rule.pattern(), rule.max())).collect::<Vec<_>>();
        assert_eq!(rules, [(&b"x-a"[..], Action::Deny, "^b$", 4)]);
        assert_eq!(server.header_filters.response_rules.iter().count(), 1);
        // All virtual hosts use the rules of the main server.
        let merged = HeaderFilters::merge(&server.header_filters, &HeaderFilters { request: Some(Mode::Size), ..HeaderFilters::default() });
        assert_eq!((merged.request, merged.request_rules), (Some(Mode::Size), server.header_filters.request_rules.clone()));
    }

    /// Section 8.2: what is wrong is said in this order, and 14: warnings.
    #[test]
    fn what_is_wrong_with_a_rule() {
        let mut server = ServerConfig::default();
        let mut target = Target::Server(&mut server);
        for (line, expected) in [
            ("QS_RequestHeaderFilterRule~X~allow~(~0", "QS_RequestHeaderFilterRule: 'allow' is not a known word; expected drop or deny"),
            (
                "QS_RequestHeaderFilterRule~X~drop~(~0",
                "QS_RequestHeaderFilterRule: '(' is not a regular expression (at character 1: missing closing parenthesis)",
            ),
            ("QS_RequestHeaderFilterRule~X~drop~^a$~0", "QS_RequestHeaderFilterRule: '0' is too small; expected a number of bytes from 1"),
            ("QS_RequestHeaderFilterRule~X~drop~^a$~20abc", "QS_RequestHeaderFilterRule: '20abc' is not a number"),
            ("QS_RequestHeaderFilterRule~X~drop~^a$", "QS_RequestHeaderFilterRule: an argument is missing"),
            ("QS_ResponseHeaderFilterRule~X~^a$~1~2", "QS_ResponseHeaderFilterRule: '2' is one argument too many"),
            ("QS_ResponseHeaderFilterRule~X~(~0", "QS_ResponseHeaderFilterRule: '(' is not a regular expression"),
            ("QS_RequestHeaderFilter~silent", "QS_RequestHeaderFilter: 'silent' is not a known word; expected on, off or size"),
            ("QS_ResponseHeaderFilter~on", "QS_ResponseHeaderFilter: not allowed outside of a directory or location section"),
        ] {
            assert!(read(&mut target, line).unwrap_err().starts_with(expected), "{line}: {:?}", read(&mut target, line));
        }
        const AROUND: &str = "X-Any: a pattern that does not begin with ^ and end with $ ";
        const REPEATS: &str = "X-Any: a repetition within a repetition ";
        const PCRE: &str = "X-Any: it has something in it that only PCRE knows ";
        for (pattern, begins) in [
            ("^a$", None),
            ("(?i)^a\\z", None),
            ("\\Aa\\Z", None),
            ("^a$|^b$", None),
            ("^(a|b)$", None),
            ("a", Some(AROUND)),
            ("^a", Some(AROUND)),
            ("a$", Some(AROUND)),
            ("^a\\$", Some(AROUND)),
            ("^a|b$", Some(AROUND)),
            ("^(?:(a+)+|b\\1)+$", Some(REPEATS)),
            ("^\\p{L}$", Some(PCRE)),
        ] {
            for line in [format!("QS_ResponseHeaderFilterRule~X-Any~{pattern}~1"), format!("QS_RequestHeaderFilterRule~X-Any~drop~{pattern}~1")] {
                match (read(&mut target, &line).unwrap(), begins) {
                    (Outcome::Taken, None) => {}
                    (Outcome::Warn(text), Some(begins)) if text.starts_with(begins) => {}
                    (outcome, _) => panic!("{line}: {outcome:?}"),
                }
            }
        }
    }

    /// What says where a request ends is never removed.
    #[test]
    fn headers_that_frame_a_request_are_not_dropped() {
        for (header, action, stays, warns) in [
            ("Content-Length", "drop", Action::Deny, true),
            ("content-LENGTH", "DROP", Action::Deny, true),
            ("Transfer-Encoding", "drop", Action::Deny, true),
            ("Content-Length", "deny", Action::Deny, false),
            ("Content_Length", "drop", Action::Drop, false),
            ("Connection", "drop", Action::Drop, false),
            ("TE", "drop", Action::Drop, false),
        ] {
            let mut server = ServerConfig::default();
            let outcome = read(&mut Target::Server(&mut server), &format!("QS_RequestHeaderFilterRule~{header}~{action}~^a$~3")).unwrap();
            assert_eq!(server.header_filters.request_rules.iter().map(Rule::action).collect::<Vec<_>>(), [stays], "{header}");
            let Outcome::Warn(text) = outcome else {
                assert!(!warns, "{header}");
                continue;
            };
            assert!(warns && text.to_ascii_lowercase().starts_with(&format!("{header} drop: requests").to_ascii_lowercase()), "{header}: {text}");
        }
        // What is wrong is an error still, and responses are framed anew by httpd.
        let mut server = ServerConfig::default();
        let mut target = Target::Server(&mut server);
        assert!(read(&mut target, "QS_RequestHeaderFilterRule~Content-Length~drop~(~3").is_err());
        assert_eq!(read(&mut target, "QS_ResponseHeaderFilterRule~Content-Length~^a$~3"), Ok(Outcome::Taken));
    }

    #[test]
    fn the_inner_section_wins() {
        let read = |line: &str| {
            let mut location = LocationConfig::default();
            read(&mut Target::Location(&mut location), line).unwrap();
            location.header_filters
        };
        let (outer, inner) = (read("QS_RequestHeaderFilter~ON"), read("QS_ResponseHeaderFilter~silent"));
        let merged = LocationHeaderFilters::merge(outer, inner);
        assert_eq!((merged.request, merged.response), (Some(Mode::On), Some(ResponseMode::Silent)));
        assert_eq!(LocationHeaderFilters::merge(merged, read("QS_RequestHeaderFilter~off")).request, Some(Mode::Off));
    }
}
