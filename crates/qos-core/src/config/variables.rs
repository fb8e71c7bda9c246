//! Directives that set variables of a request (request-event.md section 10).

use super::directive::{Directive, Family, Outcome, Scope, Target as Place, argument, first, location, optional, required, server};
use super::value::{Wrong, name as usable_name, pattern, pattern_with, wrong};
use crate::list::List;
use crate::pattern::{Options, Pattern};
use crate::variables::compare::Operator;
use crate::variables::rules::{Condition, SetEnv, SetEnvIf, SetEnvIfCmp, SetEnvIfQuery, SetEnvRes};
use crate::variables::search::Needle;
use crate::variables::template::Template;
use crate::variables::{Target, same_name};
use std::ffi::CString;
use std::sync::Arc;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_SetEnvIf",
        scope: Scope::ServerAndLocation,
        arguments: &[required("variable=pattern|[!]variable"), required("[!]variable=value|[!]variable"), optional("[!]variable=value")],
        help: c"Sets (or removes, !) a variable if another one matches a pattern ($1 in the value is its first group), or if two others are set (or not, !); when the request comes and again when it ends.",
        read: set_env_if,
    },
    Directive {
        name: c"QS_SetEnvIfQuery",
        scope: Scope::ServerAndLocation,
        arguments: &[required("pattern"), required("[!]variable[=value]")],
        help: c"Sets (or removes) a variable if the query, as it came, matches the pattern.",
        read: set_env_if_query,
    },
    Directive {
        name: c"QS_SetEnvIfParp",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("[!]variable[=value]")],
        help: c"Sets (or removes) a variable if the parameters of query and body, as they came, match the pattern; bodies of forms and JSON are read for it.",
        read: set_env_if_parp,
    },
    Directive {
        name: c"QS_SetEnvIfBody",
        scope: Scope::Server,
        arguments: &[required("pattern"), required("[!]variable[=value]")],
        help: c"Sets (or removes) a variable if a body of a type of QS_BodyData matches the pattern, without regard to case, in requests whose variable parp is set.",
        read: set_env_if_body,
    },
    Directive {
        name: c"QS_SetEnv",
        scope: Scope::Server,
        arguments: &[required("variable"), required("value")],
        help: c"Sets a variable to a value in which ${name} stands for the value of another variable, if all of them are set.",
        read: set_env,
    },
    Directive {
        name: c"QS_SetEnvIfCmp",
        scope: Scope::Location,
        arguments: &[required("variable"), required("eq|ne|gt|lt"), required("variable"), required("[!]variable[=value]")],
        help: c"Sets (or removes) a variable if two others, both set, compare so: as numbers where both are, else as text without regard to case.",
        read: set_env_if_cmp,
    },
    Directive {
        name: c"QS_SetEnvIfResBody",
        scope: Scope::Location,
        arguments: &[required("text"), required("[!]variable")],
        help: c"Sets a variable to the text (or removes it) if the text occurs in the body of the response. Once per section.",
        read: set_env_if_res_body,
    },
    Directive {
        name: c"QS_SetEnvResBody",
        scope: Scope::Location,
        arguments: &[required("text"), required("[!]variable")],
        help: c"Another name of QS_SetEnvIfResBody.",
        read: set_env_if_res_body,
    },
    Directive {
        name: c"QS_SetEnvRes",
        scope: Scope::Server,
        arguments: &[required("variable"), required("pattern"), required("[!]variable[=value]")],
        help: c"Sets a variable (default 1) if another one matches the pattern when the response begins.",
        read: set_env_res,
    },
];

/// Rules of a server that set variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerVariables {
    /// `QS_SetEnvIf`.
    pub set_env_if: List<SetEnvIf>,
    /// `QS_SetEnvIfQuery`.
    pub query: List<SetEnvIfQuery>,
    /// `QS_SetEnvIfParp`; several rules of a pattern are all kept (filters.md FW-26).
    pub parp: List<SetEnvIfQuery>,
    /// `QS_SetEnvIfBody`, likewise.
    pub body: List<SetEnvIfQuery>,
    /// `QS_SetEnv`.
    pub set_env: List<SetEnv>,
    /// `QS_SetEnvRes`.
    pub response: List<SetEnvRes>,
}

impl ServerVariables {
    /// What a virtual host inherits, and what it says itself (section 3.3, W05).
    #[must_use]
    pub fn merge(base: &ServerVariables, own: &ServerVariables) -> ServerVariables {
        ServerVariables {
            set_env_if: List::append(&base.set_env_if, &own.set_env_if),
            query: List::merge(&base.query, &own.query, same_query),
            parp: List::merge_behind(&own.parp, &base.parp, same_pattern),
            body: List::merge_behind(&own.body, &base.body, same_pattern),
            set_env: List::merge(&base.set_env, &own.set_env, same_set_env),
            response: List::merge(&base.response, &own.response, |a, b| {
                same_name(&a.variable, &b.variable) && same_name(&a.target.variable, &b.target.variable)
            }),
        }
    }
}

/// Rules of a location that set variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocationVariables {
    /// `QS_SetEnvIf`.
    pub set_env_if: List<SetEnvIf>,
    /// `QS_SetEnvIfQuery`.
    pub query: List<SetEnvIfQuery>,
    /// `QS_SetEnvIfCmp`.
    pub compare: List<SetEnvIfCmp>,
    /// `QS_SetEnvIfResBody`.
    pub search: Option<Arc<SearchRule>>,
}

/// `QS_SetEnvIfResBody`.
#[derive(Debug, PartialEq, Eq)]
pub struct SearchRule {
    /// The text.
    pub needle: Needle,
    /// The variable that becomes the text, or is removed.
    pub target: Target,
}

impl LocationVariables {
    /// The outer section, then the inner one.
    #[must_use]
    pub fn merge(base: &LocationVariables, own: &LocationVariables) -> LocationVariables {
        LocationVariables {
            set_env_if: List::append(&base.set_env_if, &own.set_env_if),
            query: List::merge(&base.query, &own.query, same_query),
            compare: List::append(&base.compare, &own.compare),
            search: own.search.as_ref().or(base.search.as_ref()).cloned(),
        }
    }
}

fn same_query(a: &SetEnvIfQuery, b: &SetEnvIfQuery) -> bool {
    a.pattern == b.pattern && same_name(&a.target.variable, &b.target.variable)
}

fn same_pattern(a: &SetEnvIfQuery, b: &SetEnvIfQuery) -> bool {
    a.pattern == b.pattern
}

fn same_set_env(a: &SetEnv, b: &SetEnv) -> bool {
    same_name(&a.variable, &b.variable) && a.text == b.text
}

/// How the value of a target is meant, and what it is where none is given.
enum Value {
    /// As it stands, and mandatory.
    Literal,
    /// As it stands, empty where it is not given.
    LiteralOrEmpty,
    /// With the groups of a match in it, and mandatory.
    Groups,
    /// The same, with a value where none is given.
    GroupsOr(&'static [u8]),
}

/// `[!]variable[=value]`, split at the first `=`; the value of one that is removed does not matter.
fn target(directive: &'static str, text: &[u8], value: &Value) -> Result<Target, Wrong> {
    let (removed, assignment) = text.strip_prefix(b"!").map_or((false, text), |rest| (true, rest));
    let mut parts = assignment.splitn(2, |byte| *byte == b'=');
    let variable = usable_name(directive, parts.next().unwrap_or_default(), text, "variable")?;
    if removed {
        return Ok(Target { variable, value: None });
    }
    let given = match (parts.next(), value) {
        (Some(given), _) => given,
        (None, Value::LiteralOrEmpty) => b"",
        (None, Value::GroupsOr(default)) => default,
        (None, Value::Literal | Value::Groups) => return Err(wrong(directive, text, "has no value", "variable=value or !variable")),
    };
    let value = match value {
        Value::Literal | Value::LiteralOrEmpty => CString::new(given).ok().map(Template::Literal),
        Value::Groups | Value::GroupsOr(_) => Template::new(given),
    };
    let value = value.ok_or_else(|| wrong(directive, text, "holds a NUL", "variable=value"))?;
    Ok(Target { variable, value: Some(value) })
}

fn set_env_if(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let condition = |text: &[u8]| {
        let (set, variable) = text.strip_prefix(b"!").map_or((true, text), |rest| (false, rest));
        Ok(Condition { variable: usable_name(name, variable, text, "variable")?, set })
    };
    let (one, two) = (first(arguments), argument(arguments, 1));
    let mut outcome = Outcome::Taken;
    let rule = if let Some(three) = arguments.get(2) {
        SetEnvIf::Both([condition(one)?, condition(two)?], target(name, three, &Value::Literal)?)
    } else {
        let Some(equals) = one.iter().position(|byte| *byte == b'=') else {
            return Err(wrong(name, one, "has no pattern", "variable=pattern with two arguments, two conditions before the target with three"));
        };
        let (variable, text) = one.split_at(equals);
        if variable.starts_with(b"!") {
            outcome = Outcome::Warn("with a pattern takes a '!' before the first variable for a part of its name".into());
        }
        let pattern = pattern(name, text.get(1..).unwrap_or_default())?;
        SetEnvIf::Matches(usable_name(name, variable, one, "variable")?, pattern, target(name, two, &Value::Groups)?)
    };
    match place {
        Place::Server(server) | Place::VirtualHost(server) => server.variables.set_env_if.push(rule),
        Place::Location(location) => location.variables.set_env_if.push(rule),
    }
    Ok(outcome)
}

fn set_env_if_query(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = argument(arguments, 1);
    if text.len() < 2 {
        return Err(wrong(name, text, "is too short", "variable or variable=value, at least two characters"));
    }
    let pattern = pattern(name, first(arguments))?;
    let rule = SetEnvIfQuery { pattern, target: target(name, text, &Value::GroupsOr(b""))? };
    match place {
        Place::Server(server) | Place::VirtualHost(server) => server.variables.query.replace(rule, same_query),
        Place::Location(location) => location.variables.query.replace(rule, same_query),
    }
    Ok(Outcome::Taken)
}

fn set_env_if_parp(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = argument(arguments, 1);
    if text.len() < 2 {
        return Err(wrong(name, text, "is too short", "variable or variable=value, at least two characters"));
    }
    let rule = SetEnvIfQuery { pattern: pattern(name, first(arguments))?, target: target(name, text, &Value::GroupsOr(b""))? };
    server(name, place)?.variables.parp.push(rule);
    Ok(Outcome::Taken)
}

fn set_env_if_body(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let pattern = pattern_with(name, first(arguments), Options { caseless: true, ..Pattern::OPTIONS })?;
    let rule = SetEnvIfQuery { pattern, target: target(name, argument(arguments, 1), &Value::GroupsOr(b""))? };
    server(name, place)?.variables.body.push(rule);
    Ok(Outcome::Taken)
}

fn set_env(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let variable = usable_name(name, first(arguments), first(arguments), "variable")?;
    let Some(rule) = SetEnv::new(variable, argument(arguments, 1)) else {
        return Ok(Outcome::Warn("with a value in which a ${ has no end never sets its variable".into()));
    };
    server(name, place)?.variables.set_env.replace(rule, same_set_env);
    Ok(Outcome::Taken)
}

fn set_env_if_cmp(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let word = argument(arguments, 1);
    let operator = Operator::new(word).ok_or_else(|| wrong(name, word, "is no operator", "eq, ne, gt or lt"))?;
    let variables = [first(arguments), argument(arguments, 2)];
    let [one, two] = variables.map(|variable| usable_name(name, variable, variable, "variable"));
    let variables = [one?, two?];
    let rule = SetEnvIfCmp { variables, operator, target: target(name, argument(arguments, 3), &Value::LiteralOrEmpty)? };
    location(name, place)?.variables.compare.push(rule);
    Ok(Outcome::Taken)
}

fn set_env_if_res_body(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let (text, variable) = (first(arguments), argument(arguments, 1));
    let search = &mut location(name, place)?.variables.search;
    if search.is_some() {
        return Err(wrong(name, text, "is the second text of this section", "one per section"));
    }
    let value = CString::new(text).map_err(|_| wrong(name, text, "holds a NUL", "a text"))?;
    let (removed, bare) = variable.strip_prefix(b"!").map_or((false, variable), |rest| (true, rest));
    let variable = usable_name(name, bare, variable, "variable")?;
    let value = (!removed).then_some(Template::Literal(value));
    *search = Some(Arc::new(SearchRule { needle: Needle::new(text), target: Target { variable, value } }));
    Ok(Outcome::Taken)
}

fn set_env_res(name: &'static str, place: &mut Place<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let rule = SetEnvRes {
        variable: usable_name(name, first(arguments), first(arguments), "variable")?,
        pattern: pattern(name, argument(arguments, 1))?,
        target: target(name, argument(arguments, 2), &Value::GroupsOr(b"1"))?,
    };
    server(name, place)?.variables.response.push(rule);
    Ok(Outcome::Taken)
}
