//! Directives that limit requests of locations and events (request-event.md sections 6 and 9).

use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, optional, required, server};
use super::value::{Expected, SECONDS, Wrong, number32, pattern, printable, wrong};
use crate::rules::{self, EventCountRule, Kind, Limit, LogOnly, Rule, RuleDirective};
use std::ffi::CString;

const MOST: u64 = i32::MAX as u64;
const REQUESTS: Expected = Expected { unit: "concurrent requests", min: 0, max: MOST };
const PER_SECOND: Expected = Expected { unit: "requests per second", min: 1, max: MOST };
const DELAYED: Expected = Expected { unit: "delayed requests", min: 1, max: MOST };
const KBYTES: Expected = Expected { unit: "kbytes per second", min: 1, max: MOST };
const EVENTS: Expected = Expected { unit: "events", min: 1, max: MOST };

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_LocRequestLimit",
        scope: Scope::Server,
        arguments: &[required("location"), required("number")],
        help: c"Concurrent requests whose path begins with the location; the longest location counts. 0: no limit.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Literal, concurrent),
    },
    Directive {
        name: c"QS_LocRequestLimitMatch",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("number")],
        help: c"Concurrent requests whose path and query match the pattern; goes before QS_LocRequestLimit, the lowest number counts. 0: no limit.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Match, concurrent),
    },
    Directive {
        name: c"QS_LocRequestLimitDefault",
        scope: Scope::Server,
        arguments: &[required("number")],
        help: c"Concurrent requests to all locations without a limit of their own: QS_LocRequestLimit / number.",
        read: default_limit,
    },
    Directive {
        name: c"QS_LocRequestPerSecLimit",
        scope: Scope::Server,
        arguments: &[required("location"), required("number"), optional("delayed requests")],
        help: c"Requests per second whose path begins with the location; more are delayed. Not more are delayed at a time than the second number says (default: five seconds' worth, a quarter of the workers), others are denied.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Literal, per_second),
    },
    Directive {
        name: c"QS_LocRequestPerSecLimitMatch",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("number"), optional("delayed requests")],
        help: c"As QS_LocRequestPerSecLimit, for requests whose path and query match the pattern.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Match, per_second),
    },
    Directive {
        name: c"QS_LocKBytesPerSecLimit",
        scope: Scope::Server,
        arguments: &[required("location"), required("kbytes")],
        help: c"Kbytes (1024 bytes) per second of all responses together whose path begins with the location.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Literal, kbytes),
    },
    Directive {
        name: c"QS_LocKBytesPerSecLimitMatch",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("kbytes")],
        help: c"As QS_LocKBytesPerSecLimit, for requests whose path and query match the pattern.",
        read: |name, target, arguments| located(name, target, arguments, Kind::Match, kbytes),
    },
    Directive {
        name: c"QS_CondLocRequestLimitMatch",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("number"), required("condition")],
        help: c"Concurrent requests whose path and query match the pattern; denies only requests whose variable QS_Cond matches the condition.",
        read: conditional,
    },
    Directive {
        name: c"QS_EventRequestLimit",
        scope: Scope::Server,
        arguments: &[required("variable[=pattern]"), required("number")],
        help: c"Concurrent requests that have the variable, with a value that matches the pattern if there is one.",
        read: event_request,
    },
    Directive {
        name: c"QS_EventPerSecLimit",
        scope: Scope::Server,
        arguments: &[required("[!]variable"), required("number"), optional("delayed requests")],
        help: c"Requests per second that have the variable (!: that do not); more are delayed. Not more are delayed at a time than the second number says (default: five seconds' worth, a quarter of the workers), others are denied.",
        read: event_per_second,
    },
    Directive {
        name: c"QS_EventKBytesPerSecLimit",
        scope: Scope::Server,
        arguments: &[required("[!]variable"), required("kbytes")],
        help: c"Kbytes (1024 bytes) per second of all responses together to requests that have the variable (!: that do not).",
        read: event_kbytes,
    },
    Directive {
        name: c"QS_EventLimitCount",
        scope: Scope::Server,
        arguments: &[required("variable"), required("number"), required("seconds")],
        help: c"Requests with the variable that pass within the time; more are denied until it is over.",
        read: event_count,
    },
    Directive {
        name: c"QS_CondEventLimitCount",
        scope: Scope::Server,
        arguments: &[required("variable"), required("number"), required("seconds"), required("condition")],
        help: c"As QS_EventLimitCount, denying only requests whose variable QS_Cond matches the condition.",
        read: event_count,
    },
    Directive {
        name: c"QS_LogOnlyRule",
        scope: Scope::Server,
        arguments: &[required("directive"), optional("rule argument")],
        help: c"Rules of that directive (the one with that first argument, or all) are evaluated, counted and logged, but not enforced.",
        read: log_only_rule,
    },
];

/// Rules of a server about its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRules {
    /// Rules of locations and events, in the order of their first appearance.
    pub table: Vec<Rule>,
    /// `QS_EventLimitCount` and `QS_CondEventLimitCount`, in order.
    pub counts: Vec<EventCountRule>,
    /// `QS_LogOnlyRule`, in order.
    pub log_only: Vec<LogOnly>,
}

impl RequestRules {
    /// What a virtual host inherits, and what it says itself (section 3.3).
    #[must_use]
    pub fn merge(base: &RequestRules, own: &RequestRules) -> RequestRules {
        let inherited = base.log_only.iter().map(|mark| LogOnly { inherited: true, ..mark.clone() });
        RequestRules {
            table: rules::merge(&base.table, &own.table),
            counts: base.counts.iter().chain(&own.counts).cloned().collect(),
            log_only: inherited.chain(own.log_only.iter().cloned()).collect(),
        }
    }

    /// Whether there is a rule of that kind.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.table.iter().any(|rule| rule.kind == kind)
    }

    /// Whether there is a rule that looks at locations.
    #[must_use]
    pub fn has_locations(&self) -> bool {
        self.table.iter().any(|rule| !rule.kind.is_event())
    }

    /// The rules with those marked that are only logged.
    ///
    /// # Errors
    /// A `QS_LogOnlyRule` of this server that names no rule.
    pub fn marked(&self) -> Result<(Vec<Rule>, Vec<EventCountRule>), Wrong> {
        let (mut table, mut counts) = (self.table.clone(), self.counts.clone());
        for mark in &self.log_only {
            if mark.apply(&mut table, &mut counts) == 0 && !mark.inherited {
                let rule = mark.argument.as_ref().map_or(mark.directive.name().to_owned(), |text| format!("{} {}", mark.directive.name(), printable(text)));
                return Err(Wrong {
                    directive: "QS_LogOnlyRule",
                    value: Some(rule),
                    problem: "names no rule of this server".to_owned(),
                    expected: "a rule as it is configured: its directive and its first argument".to_owned(),
                });
            }
        }
        Ok((table, counts))
    }
}

type Set = fn(&'static str, &mut Rule, &[&[u8]]) -> Result<(), Wrong>;

/// The entry that is the same rule, or a new one at the end.
fn entry(table: &mut Vec<Rule>, rule: Rule) -> Option<&mut Rule> {
    let place = table.iter().position(|other| other.is_same(&rule)).unwrap_or(table.len());
    if place == table.len() {
        table.push(rule);
    }
    table.get_mut(place)
}

/// A limit of a location or pattern: the same text means the same rule, of the kind of the last directive.
fn located(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]], kind: Kind, set: Set) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let pattern = if kind == Kind::Match { Some(pattern(name, text)?) } else { None };
    let table = &mut server(name, target)?.rules.table;
    // Checked before the table is changed.
    set(name, &mut Rule::new(kind, text), arguments)?;
    if let Some(rule) = entry(table, Rule::new(kind, text)) {
        (rule.kind, rule.pattern) = (kind, pattern);
        set(name, rule, arguments)?;
    }
    Ok(Outcome::Taken)
}

fn concurrent(name: &'static str, rule: &mut Rule, arguments: &[&[u8]]) -> Result<(), Wrong> {
    rule.concurrent = Some(Limit::of(number32(name, argument(arguments, 1), REQUESTS)?));
    Ok(())
}

fn per_second(name: &'static str, rule: &mut Rule, arguments: &[&[u8]]) -> Result<(), Wrong> {
    rule.per_second = Some(Limit::of(number32(name, argument(arguments, 1), PER_SECOND)?));
    rule.delayed = arguments.get(2).map(|text| number32(name, text, DELAYED)).transpose()?;
    Ok(())
}

fn kbytes(name: &'static str, rule: &mut Rule, arguments: &[&[u8]]) -> Result<(), Wrong> {
    rule.kbytes = Some(Limit::of(number32(name, argument(arguments, 1), KBYTES)?));
    Ok(())
}

fn default_limit(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    located(name, target, &[b"/", first(arguments)], Kind::Literal, concurrent)
}

fn conditional(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let mut rule = Rule::new(Kind::Conditional, first(arguments));
    rule.pattern = Some(pattern(name, first(arguments))?);
    rule.condition = Some(pattern(name, argument(arguments, 2))?);
    concurrent(name, &mut rule, arguments)?;
    replace(server(name, target)?, rule);
    Ok(Outcome::Taken)
}

/// A rule whose repetition replaces all of it.
fn replace(server: &mut super::ServerConfig, rule: Rule) {
    if let Some(place) = entry(&mut server.rules.table, rule.clone()) {
        *place = rule;
    }
}

/// The name of a variable; `!` before it would never match (W16).
fn variable<'a>(name: &'static str, text: &'a [u8]) -> Result<&'a [u8], Wrong> {
    const EXPECTED: &str = "a name without '=' and blanks";
    if text.starts_with(b"!") {
        return Err(wrong(name, text, "begins with '!', which this directive does not know", EXPECTED));
    }
    if text.is_empty() || text.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'=') {
        return Err(wrong(name, text, "is not the name of a variable", EXPECTED));
    }
    Ok(text)
}

fn event_request(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let mut rule = Rule::new(Kind::EventRequest, text);
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    rule.variable = variable(name, parts.next().unwrap_or_default())?.to_vec();
    rule.pattern = parts.next().map(|text| pattern(name, text)).transpose()?;
    concurrent(name, &mut rule, arguments)?;
    let none = rule.concurrent == Some(Limit::of(0));
    replace(server(name, target)?, rule);
    Ok(if none { Outcome::Warn("with the number 0 denies every request that has the variable".into()) } else { Outcome::Taken })
}

fn event_rate(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]], kind: Kind, set: Set) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let mut rule = Rule::new(kind, text);
    rule.negated = text.starts_with(b"!");
    rule.variable = variable(name, text.strip_prefix(b"!").unwrap_or(text))?.to_vec();
    set(name, &mut rule, arguments)?;
    replace(server(name, target)?, rule);
    Ok(Outcome::Taken)
}

fn event_per_second(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    event_rate(name, target, arguments, Kind::EventPerSecond, per_second)
}

fn event_kbytes(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    event_rate(name, target, arguments, Kind::EventKBytes, kbytes)
}

/// Each line is a rule of its own, also for the same variable.
fn event_count(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = variable(name, first(arguments))?;
    let named = |suffix: &[u8]| CString::new([text, suffix].concat()).map_err(|_| wrong(name, text, "is not the name of a variable", "a name"));
    let rule = EventCountRule {
        variable: named(b"")?,
        counter: named(b"_Counter")?,
        decrement: named(b"_Decrement")?,
        number: number32(name, argument(arguments, 1), EVENTS)?,
        seconds: number32(name, argument(arguments, 2), SECONDS)?,
        condition: arguments.get(3).map(|text| pattern(name, text)).transpose()?,
        log_only: false,
    };
    server(name, target)?.rules.counts.push(rule);
    Ok(Outcome::Taken)
}

fn log_only_rule(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let directive = RuleDirective::ALL.into_iter().find(|directive| directive.name().as_bytes().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let known = RuleDirective::ALL.map(RuleDirective::name).join(", ");
        wrong(name, text, "is not a directive whose rules can be logged only", &format!("one of {known}"))
    })?;
    let argument = arguments.get(1).map(|text| text.to_vec());
    server(name, target)?.rules.log_only.push(LogOnly { directive, argument, inherited: false });
    Ok(Outcome::Taken)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::super::{ServerConfig, Target, apply, find};
    use super::*;

    fn read(lines: &[&str]) -> Result<ServerConfig, String> {
        let mut config = ServerConfig::default();
        for line in lines {
            let mut words = line.split(' ');
            let directive = words.next().and_then(find).unwrap();
            let arguments = words.map(str::as_bytes).collect::<Vec<_>>();
            apply(directive, &mut Target::Server(&mut config), &arguments).map_err(|wrong| wrong.to_string())?;
        }
        Ok(config)
    }

    fn shown(config: &ServerConfig) -> Vec<String> {
        let number = |limit: Option<Limit>| limit.map_or("-".to_owned(), |limit| limit.number.to_string());
        let line = |rule: &Rule| {
            let text = String::from_utf8(rule.shown()).unwrap();
            format!("{:?} {text} {} {} {}", rule.kind, number(rule.concurrent), number(rule.per_second), number(rule.kbytes))
        };
        config.rules.table.iter().map(line).collect()
    }

    #[test]
    fn the_same_text_is_one_rule() {
        let config = read(&[
            "QS_LocRequestLimit /a 10",
            "QS_LocRequestLimitDefault 50",
            "QS_LocRequestPerSecLimit /a 5 7",
            "QS_LocKBytesPerSecLimit /a 100",
            "QS_LocRequestLimit /A 20",
            "QS_LocRequestLimitMatch ^/x$ 1",
            "QS_LocRequestPerSecLimitMatch ^/x$ 2",
            "QS_LocKBytesPerSecLimitMatch ^/x$ 3",
            "QS_CondLocRequestLimitMatch ^/x$ 4 bot",
            "QS_EventRequestLimit K 1",
            "QS_EventRequestLimit k 2",
            "QS_EventRequestLimit K=^s 3",
            "QS_EventPerSecLimit !K 4",
            "QS_EventKBytesPerSecLimit K 5",
        ])
        .unwrap();
        assert_eq!(
            shown(&config),
            [
                "Literal /a 10 5 100",
                "Literal / 50 - -",
                "Literal /A 20 - -",
                "Match ^/x$ 1 2 3",
                "Conditional ^/x$ 4 - -",
                "EventRequest var=(k) 2 - -",
                "EventRequest var=(K=^s) 3 - -",
                "EventPerSecond var=[!K] - 4 -",
                "EventKBytes var={K} - - 5",
            ]
        );
        assert_eq!(config.rules.table[0].delayed, Some(7));
        assert!(config.rules.table[7].negated);
        let changed = read(&["QS_LocRequestLimit /a 10", "QS_LocRequestLimitMatch /a 3"]).unwrap();
        assert_eq!(shown(&changed), ["Match /a 3 - -"]);
        let changed = read(&["QS_LocRequestLimitMatch /a 10", "QS_LocKBytesPerSecLimit /a 3"]).unwrap();
        assert_eq!((shown(&changed), changed.rules.table[0].pattern.is_none()), (vec!["Literal /a 10 - 3".to_owned()], true));
    }

    /// Example E15: a host's entry replaces the inherited one as a whole.
    #[test]
    fn a_host_replaces_a_rule_and_adds_events() {
        let base = read(&["QS_LocRequestLimit /app 10", "QS_EventLimitCount A 1 60", "QS_LogOnlyRule QS_LocRequestLimit /app"]).unwrap();
        let host = read(&["QS_LocRequestPerSecLimit /app 50", "QS_CondEventLimitCount B 1 60 x"]).unwrap();
        let merged = ServerConfig::merge(&base, &host);
        assert_eq!(shown(&merged), ["Literal /app - 50 -"]);
        assert_eq!(merged.rules.counts.iter().map(|rule| rule.counter.to_str().unwrap()).collect::<Vec<_>>(), ["A_Counter", "B_Counter"]);
        assert!(merged.rules.marked().is_ok(), "an inherited mark of a rule that the host has replaced");
        assert_eq!(shown(&ServerConfig::merge(&base, &ServerConfig::default())), ["Literal /app 10 - -"]);
    }

    #[test]
    fn marks_have_to_name_a_rule() {
        let config = read(&["QS_EventLimitCount A 1 60", "QS_EventLimitCount B 1 60", "QS_LogOnlyRule qs_eventlimitcount a"]).unwrap();
        let (_, counts) = config.rules.marked().unwrap();
        assert_eq!(counts.iter().map(|count| count.log_only).collect::<Vec<_>>(), [true, false]);
        for (line, expected) in [
            ("QS_LogOnlyRule QS_LocRequestLimit", "QS_LogOnlyRule: 'QS_LocRequestLimit' names no rule of this server"),
            ("QS_LogOnlyRule QS_EventLimitCount C", "'QS_EventLimitCount C' names no rule"),
            ("QS_LogOnlyRule QS_CondEventLimitCount A", "names no rule"),
        ] {
            let error = read(&["QS_EventLimitCount A 1 60", line]).unwrap().rules.marked().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, expected) in [
            ("QS_LocRequestLimit /a", "an argument is missing"),
            ("QS_LocRequestLimit /a -5", "'-5' is negative; expected a number of concurrent requests from 0 to 2147483647"),
            ("QS_LocRequestLimit /a 10x", "'10x' is not a number"),
            ("QS_LocRequestLimit /a 2147483648", "is too large"),
            ("QS_LocRequestLimitDefault x", "'x' is not a number"),
            ("QS_LocRequestLimitMatch a( 5", "'a(' is not a regular expression (at character 2: missing closing parenthesis)"),
            ("QS_LocRequestPerSecLimit /a 0", "'0' is too small; expected a number of requests per second from 1"),
            ("QS_LocRequestPerSecLimit /a 5 0", "delayed requests from 1"),
            ("QS_LocRequestPerSecLimitMatch [ 5", "is not a regular expression"),
            ("QS_LocKBytesPerSecLimit /a -5", "is negative"),
            ("QS_LocKBytesPerSecLimitMatch /a 10x", "is not a number"),
            ("QS_CondLocRequestLimitMatch /a 5", "an argument is missing"),
            ("QS_CondLocRequestLimitMatch /a 5 [", "is not a regular expression"),
            ("QS_CondLocRequestLimitMatch /a 5 x y", "one argument too many"),
            ("QS_EventRequestLimit !X 5", "'!X' begins with '!', which this directive does not know"),
            ("QS_EventRequestLimit =x 5", "is not the name of a variable"),
            ("QS_EventRequestLimit X=[ 5", "is not a regular expression"),
            ("QS_EventPerSecLimit X=y 5", "is not the name of a variable"),
            ("QS_EventPerSecLimit ! 5", "is not the name of a variable"),
            ("QS_EventPerSecLimit X 0", "is too small"),
            ("QS_EventKBytesPerSecLimit X x", "is not a number"),
            ("QS_EventLimitCount X 0 60", "is too small; expected a number of events from 1"),
            ("QS_EventLimitCount X 1 0", "is too small; expected a number of seconds from 1"),
            ("QS_EventLimitCount !X 1 60", "begins with '!'"),
            ("QS_EventLimitCount X 1 60 y", "one argument too many"),
            ("QS_CondEventLimitCount X 1 60", "an argument is missing"),
            ("QS_CondEventLimitCount X 1 60 [", "is not a regular expression"),
            ("QS_CondEventLimitCount X 1 60 y z", "one argument too many"),
            ("QS_LogOnlyRule QS_LogOnly", "'QS_LogOnly' is not a directive whose rules can be logged only; expected one of QS_LocRequestLimit,"),
        ] {
            let error = read(&[line]).unwrap_err();
            let name = line.split(' ').next().unwrap();
            assert!(error.contains(expected) && error.starts_with(name), "{line}: {error}");
        }
        assert!(read(&["QS_LocRequestLimit /a 5", "QS_LocRequestLimitMatch /b( 5"]).is_err());
    }
}
