//! Directives about what may pass: request line, path, query and parameters (filters.md sections 4.2 and 6).

use super::directive::{Directive, Family, Outcome, Scope, Target, any, argument, first, location, required, server};
use super::value::{Wrong, flag, name as usable_name, pattern_with, wrong};
use crate::filter::{Action, Kind, Rule, Test};
use crate::pattern::{Options, Pattern};
use crate::repeat::Lines;
use std::ffi::CString;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_DenyRequestLine",
        scope: Scope::Location,
        arguments: &[required("+id|-id"), required("log|deny"), required("pattern")],
        help: c"Logs or denies requests whose decoded first line matches the pattern, in any case; -id removes an inherited rule.",
        read: |name, target, arguments| with_pattern(name, target, arguments, Kind::RequestLine),
    },
    Directive {
        name: c"QS_DenyPath",
        scope: Scope::Location,
        arguments: &[required("+id|-id"), required("log|deny"), required("pattern")],
        help: c"The same for the decoded path, as it came and without dot segments and repeated slashes, also as others read it: without path parameters (;a=b), with backslashes as slashes.",
        read: |name, target, arguments| with_pattern(name, target, arguments, Kind::Path),
    },
    Directive {
        name: c"QS_DenyQuery",
        scope: Scope::Location,
        arguments: &[required("+id|-id"), required("log|deny"), required("pattern")],
        help: c"The same for the decoded query, with QS_DenyQueryBody also for what the body says.",
        read: |name, target, arguments| with_pattern(name, target, arguments, Kind::Query),
    },
    Directive {
        name: c"QS_PermitUri",
        scope: Scope::Location,
        arguments: &[required("+id|-id"), required("log|deny"), required("pattern")],
        help: c"Where such rules are, logs or denies requests whose decoded path and query match none of them; case counts.",
        read: |name, target, arguments| with_pattern(name, target, arguments, Kind::Permit),
    },
    Directive {
        name: c"QS_DenyEvent",
        scope: Scope::Location,
        arguments: &[required("+id|-id"), required("log|deny"), required("[!]variable")],
        help: c"Logs or denies requests with a variable, or without it (!).",
        read: deny_event,
    },
    Directive {
        name: c"QS_DenyInheritanceOff",
        scope: Scope::Location,
        arguments: &[],
        help: c"Nothing is inherited of QS_Deny*, QS_PermitUri and QS_Decoding.",
        read: deny_inheritance_off,
    },
    Directive {
        name: c"QS_InvalidUrlEncoding",
        scope: Scope::Location,
        arguments: &[required("log|deny|off")],
        help: c"Logs or denies requests with escapes in line, path, query or URL-encoded body that are none (default off).",
        read: invalid_url_encoding,
    },
    Directive {
        name: c"QS_Decoding",
        scope: Scope::Location,
        arguments: &[required("uni|once"), any("uni|once")],
        help: c"uni: %uXXXX and \\uXXXX are decoded as well. once: deny rules do not look at what a second and third decoding would make. What a section says replaces all that an outer one says.",
        read: decoding,
    },
    Directive {
        name: c"QS_DenyQueryBody",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"On: the body counts for QS_DenyQuery (default off).",
        read: |name, target, arguments| body(name, target, arguments, (true, false)),
    },
    Directive {
        name: c"QS_PermitUriBody",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"On: parameters in the body count for QS_PermitUri (default off).",
        read: |name, target, arguments| body(name, target, arguments, (false, true)),
    },
    Directive {
        name: c"QS_PermitUriNormalize",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"On: where bodies count for QS_PermitUri, its patterns see each parameter as name=value, as the original does: ?flag as ?flag=, a&&b as a=&b=, a==b as a=b; off (default): the query as it came.",
        read: permit_normalize,
    },
    Directive {
        name: c"QS_DenyBody",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"Sets QS_DenyQueryBody and QS_PermitUriBody.",
        read: |name, target, arguments| body(name, target, arguments, (true, true)),
    },
    Directive {
        name: c"QS_BodyStrict",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"On: where bodies count for QS_DenyQuery or QS_PermitUri, those of a type that nothing here takes apart are denied (048); off (default): QS_DenyQuery looks at their bytes.",
        read: body_strict,
    },
    Directive {
        name: c"QS_FilterInternalRedirects",
        scope: Scope::Location,
        arguments: &[required("On|Off")],
        help: c"On: QS_DenyRequestLine, QS_DenyPath, QS_DenyQuery, QS_PermitUri and QS_InvalidUrlEncoding also apply to requests that are redirected here within the server, except pages of errors (default off).",
        read: filter_internal_redirects,
    },
    Directive {
        name: c"QS_MaskQueryParameters",
        scope: Scope::Server,
        arguments: &[required("name"), any("name")],
        help: c"The note qos-query, for access logs, shows *** for the values of parameters with these names, in any case, however they are encoded; also members of JSON, at any depth.",
        read: mask_query_parameters,
    },
];

fn body_strict(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let on = flag(directive, first(arguments))?;
    location(directive, target)?.url.strict_body = Some(on);
    Ok(Outcome::Taken)
}

fn permit_normalize(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let on = flag(directive, first(arguments))?;
    location(directive, target)?.url.permit_listed = Some(on);
    Ok(Outcome::Taken)
}

fn filter_internal_redirects(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let on = flag(directive, first(arguments))?;
    location(directive, target)?.url.internal_redirects = Some(on);
    Ok(Outcome::Taken)
}

fn mask_query_parameters(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let masked = &mut server(directive, target)?.masked;
    arguments.iter().for_each(|name| masked.add(name));
    Ok(Outcome::Taken)
}

/// Sign, id and action, which all rules begin with.
fn sign_id_action(directive: &'static str, arguments: &[&[u8]]) -> Result<(bool, CString, Action), Wrong> {
    let (text, word) = (first(arguments), argument(arguments, 1));
    let parts = text.split_first().filter(|(sign, id)| matches!(sign, b'+' | b'-') && !id.is_empty());
    let parts = parts.and_then(|(sign, id)| Some((*sign == b'+', CString::new(id).ok()?)));
    let (adds, id) = parts.ok_or_else(|| wrong(directive, text, "is not the id of a rule", "+id or -id"))?;
    let action = Action::new(word).ok_or_else(|| wrong(directive, word, "is not an action", "log or deny"))?;
    Ok((adds, id, action))
}

fn with_pattern(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]], kind: Kind) -> Result<Outcome, Wrong> {
    let (adds, id, action) = sign_id_action(directive, arguments)?;
    let text = argument(arguments, 2);
    let options = Options { caseless: kind != Kind::Permit, ..Pattern::URL };
    let test = Test::Pattern(pattern_with(directive, text, options)?);
    let rules = &mut location(directive, target)?.url.rules;
    if adds {
        rules.add(Rule { id, kind, action, text: text.to_vec(), test, lines: Lines::new() });
    } else {
        rules.remove(id);
    }
    Ok(Outcome::Taken)
}

fn deny_event(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let (adds, id, action) = sign_id_action(directive, arguments)?;
    let text = argument(arguments, 2);
    let (expected, bare) = text.strip_prefix(b"!").map_or((true, text), |rest| (false, rest));
    let test = Test::Variable(usable_name(directive, bare, text, "variable")?, expected);
    let rules = &mut location(directive, target)?.url.rules;
    if adds {
        rules.add(Rule { id, kind: Kind::Event, action, text: text.to_vec(), test, lines: Lines::new() });
    } else {
        rules.remove(id);
    }
    Ok(Outcome::Taken)
}

fn deny_inheritance_off(directive: &'static str, target: &mut Target<'_>, _: &[&[u8]]) -> Result<Outcome, Wrong> {
    location(directive, target)?.url.rules.stand_alone();
    Ok(Outcome::Taken)
}

fn invalid_url_encoding(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let word = first(arguments);
    let action = Action::new(word);
    if action.is_none() && !word.eq_ignore_ascii_case(b"off") {
        return Err(wrong(directive, word, "is not an action", "log, deny or off"));
    }
    location(directive, target)?.url.encoding = Some(action);
    Ok(Outcome::Taken)
}

fn decoding(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let decoding = &mut location(directive, target)?.url.decoding;
    let mut all = decoding.unwrap_or_default();
    for word in arguments {
        match word.to_ascii_lowercase().as_slice() {
            b"uni" => all.unicode = true,
            b"once" => all.once = true,
            _ => return Err(wrong(directive, word, "is not a decoding that is known", "uni or once")),
        }
    }
    *decoding = Some(all);
    Ok(Outcome::Taken)
}

fn body(directive: &'static str, target: &mut Target<'_>, arguments: &[&[u8]], (deny, permit): (bool, bool)) -> Result<Outcome, Wrong> {
    let on = flag(directive, first(arguments))?;
    let url = &mut location(directive, target)?.url;
    if deny {
        url.deny_body = Some(on);
    }
    if permit {
        url.permit_body = Some(on);
    }
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{LocationConfig, Target, apply, find};
    use super::*;
    use crate::filter::Decoding;

    fn read(config: &mut LocationConfig, name: &str, arguments: &[&str]) -> Result<Outcome, String> {
        let arguments = arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>();
        apply(find(name).unwrap(), &mut Target::Location(config), &arguments).map_err(|wrong| wrong.to_string())
    }

    fn wrong(name: &str, arguments: &[&str]) -> String {
        read(&mut LocationConfig::default(), name, arguments).unwrap_err()
    }

    #[test]
    fn rules() {
        let mut config = LocationConfig::default();
        read(&mut config, "QS_DenyPath", &["+a", "DENY", "^/x$"]).unwrap();
        read(&mut config, "QS_PermitUri", &["+b", "log", "^/x$"]).unwrap();
        read(&mut config, "QS_DenyEvent", &["+c", "deny", "!ISXML"]).unwrap();
        read(&mut config, "QS_DenyQuery", &["-c", "log", "x"]).unwrap();
        let rules = config.url.rules.iter().collect::<Vec<_>>();
        assert_eq!(
            rules.iter().map(|rule| (rule.id.to_str().unwrap(), rule.kind, rule.action)).collect::<Vec<_>>(),
            [("a", Kind::Path, Action::Deny), ("b", Kind::Permit, Action::Log)]
        );
        assert_eq!(rules.iter().map(|rule| rule.pattern().unwrap().options().caseless).collect::<Vec<_>>(), [true, false]);
    }

    /// The rows of section 14 that are about these directives.
    #[test]
    fn errors_say_what_would_be_right() {
        for name in ["QS_DenyRequestLine", "QS_DenyPath", "QS_DenyQuery", "QS_DenyEvent", "QS_PermitUri"] {
            for id in ["x1", "+", "-"] {
                assert_eq!(wrong(name, &[id, "deny", "x"]), format!("{name}: '{id}' is not the id of a rule; expected +id or -id"));
            }
            assert_eq!(wrong(name, &["+a", "allow", "x"]), format!("{name}: 'allow' is not an action; expected log or deny"));
            if name != "QS_DenyEvent" {
                let error = wrong(name, &["-a", "deny", "x("]);
                assert!(error.starts_with(&format!("{name}: 'x(' is not a regular expression (at character 2: missing closing parenthesis)")), "{error}");
            }
        }
        assert!(wrong("QS_DenyEvent", &["+a", "deny", "!"]).contains("is not the name of a variable"));
        assert!(wrong("QS_InvalidUrlEncoding", &["on"]).contains("expected log, deny or off"));
        assert!(wrong("QS_Decoding", &["html"]).contains("QS_Decoding: 'html' is not a decoding that is known; expected uni or once"));
        assert!(wrong("QS_Decoding", &[]).contains("an argument is missing"));
        assert!(wrong("QS_DenyBody", &["yes"]).contains("On or Off"));
    }

    #[test]
    fn switches() {
        let mut config = LocationConfig::default();
        for (name, argument) in [("QS_InvalidUrlEncoding", "Off"), ("QS_Decoding", "UNI"), ("QS_DenyBody", "on"), ("QS_PermitUriBody", "off")] {
            read(&mut config, name, &[argument]).unwrap();
        }
        let url = &config.url;
        assert_eq!((url.encoding, url.deny_body, url.permit_body), (Some(None), Some(true), Some(false)));
        assert_eq!(url.decoding, Some(Decoding { unicode: true, once: false }));
        assert!(!url.rules.is_alone());
        read(&mut config, "QS_DenyInheritanceOff", &[]).unwrap();
        assert!(config.url.rules.is_alone());
    }
}
