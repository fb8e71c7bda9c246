//! What a directive is: name, place, arguments, and the function that reads it.

use super::types::{LocationConfig, ServerConfig};
use super::value::{Wrong, printable};
use std::borrow::Cow;
use std::ffi::CStr;

/// Where a directive may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Main server only.
    Global,
    /// Main server and virtual host.
    Server,
    /// Also in `<Directory>`, `<Location>`, `<Files>` and `<If>`.
    ServerAndLocation,
    /// Only there.
    Location,
}

/// One argument as the reference shows it.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name, for instance `connections`.
    pub name: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub repeated: bool,
}

/// What is configured: the server or the location the directive stands in.
#[derive(Debug)]
pub enum Target<'a> {
    /// In the main server.
    Server(&'a mut ServerConfig),
    /// In a virtual host.
    VirtualHost(&'a mut ServerConfig),
    /// In a location section.
    Location(&'a mut LocationConfig),
}

/// What the reader of a directive wants to say besides success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Taken,
    /// Taken, but the administrator should read this at start.
    Warn(Cow<'static, str>),
}

/// Reads the arguments into the target.
pub type Read = fn(&'static str, &mut Target<'_>, &[&[u8]]) -> Result<Outcome, Wrong>;

/// A directive of the module.
#[derive(Debug)]
pub struct Directive {
    /// Name as documented.
    pub name: &'static CStr,
    /// Where it is allowed.
    pub scope: Scope,
    /// Its arguments in order.
    pub arguments: &'static [Argument],
    /// One sentence for `httpd -L` and the reference.
    pub help: &'static CStr,
    /// The function that reads it.
    pub read: Read,
}

/// The directives of one family.
pub type Family = &'static [Directive];

/// A mandatory argument.
pub(super) const fn required(name: &'static str) -> Argument {
    Argument { name, optional: false, repeated: false }
}

/// An argument that may be left out.
pub(super) const fn optional(name: &'static str) -> Argument {
    Argument { name, optional: true, repeated: false }
}

/// Any number of arguments, also none.
pub(super) const fn any(name: &'static str) -> Argument {
    Argument { name, optional: true, repeated: true }
}

impl Directive {
    /// The name as text.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    /// Directive and arguments as the reference writes them: `QS_SrvMaxConnPerIP <number> [<connections>]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut usage = self.name().to_owned();
        for argument in self.arguments {
            let dots = if argument.repeated { " ..." } else { "" };
            usage.push_str(&if argument.optional { format!(" [<{}>{dots}]", argument.name) } else { format!(" <{}>", argument.name) });
        }
        usage
    }
}

/// Looks a directive up by name, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Directive> {
    super::directives().find(|directive| directive.name().eq_ignore_ascii_case(name))
}

/// Checks the number of arguments and reads the directive.
///
/// # Errors
/// [`Wrong`] names directive, value and what would be right.
pub fn apply(directive: &'static Directive, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let least = directive.arguments.iter().filter(|argument| !argument.optional).count();
    let wrong = |value: Option<&[u8]>, problem: &str| Wrong {
        directive: directive.name(),
        value: value.map(printable),
        problem: problem.to_owned(),
        expected: directive.usage(),
    };
    if arguments.len() < least {
        return Err(wrong(None, "an argument is missing"));
    }
    let unlimited = directive.arguments.last().is_some_and(|argument| argument.repeated);
    if let Some(extra) = arguments.get(directive.arguments.len()).filter(|_| !unlimited) {
        return Err(wrong(Some(extra), "is one argument too many"));
    }
    if let Some(empty) = arguments.iter().position(|argument| argument.is_empty()) {
        return Err(wrong(None, &format!("argument {} is empty", empty + 1)));
    }
    (directive.read)(directive.name(), target, arguments)
}

/// The server that a directive of server scope configures.
///
/// # Errors
/// [`Wrong`] inside a location section (httpd refuses that before; a second wall).
pub(super) fn server<'a>(directive: &'static str, target: &'a mut Target<'_>) -> Result<&'a mut ServerConfig, Wrong> {
    match target {
        Target::Server(server) | Target::VirtualHost(server) => Ok(server),
        Target::Location(_) => Err(Wrong {
            directive,
            value: None,
            problem: "not allowed in a directory or location section".to_owned(),
            expected: "it in the server configuration or a virtual host".to_owned(),
        }),
    }
}

/// The location that a directive of location scope configures.
///
/// # Errors
/// [`Wrong`] outside of one (httpd refuses that before; a second wall).
pub(super) fn location<'a>(directive: &'static str, target: &'a mut Target<'_>) -> Result<&'a mut LocationConfig, Wrong> {
    match target {
        Target::Location(location) => Ok(location),
        Target::Server(_) | Target::VirtualHost(_) => Err(Wrong {
            directive,
            value: None,
            problem: "not allowed outside of a directory or location section".to_owned(),
            expected: "it in <Location>, <Directory>, <Files> or <If>".to_owned(),
        }),
    }
}

/// The first argument; [`apply`] has made sure that mandatory ones are there.
pub(super) fn first<'a>(arguments: &[&'a [u8]]) -> &'a [u8] {
    argument(arguments, 0)
}

/// An argument by its place, from 0; empty where it is not given.
pub(super) fn argument<'a>(arguments: &[&'a [u8]], place: usize) -> &'a [u8] {
    arguments.get(place).copied().unwrap_or_default()
}
