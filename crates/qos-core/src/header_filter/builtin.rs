//! How built-in rules are written.

use super::Action;
use std::fmt::Write;

/// A built-in rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// The header.
    pub name: &'static str,
    /// What becomes of one that breaks the rule.
    pub action: Action,
    /// Bytes of its value at most.
    pub max: u32,
    /// What its value has to match.
    pub pattern: &'static str,
}

/// A header that is dropped where it breaks the rule.
pub const fn drop(name: &'static str, max: u32, pattern: &'static str) -> Builtin {
    Builtin { name, action: Action::Drop, max, pattern }
}

/// A header for which the request is denied where it breaks the rule.
pub const fn deny(name: &'static str, max: u32, pattern: &'static str) -> Builtin {
    Builtin { name, action: Action::Deny, max, pattern }
}

/// What may stand in a URL, for a class. With a blank.
macro_rules! url {
    () => {
        "a-zA-Z0-9 :/?#\\[\\]@!$&'()*+,;=._~%-"
    };
}

/// Products and comments, for a class. With a blank.
macro_rules! products {
    () => {
        "a-zA-Z0-9 _.:;()/+!-"
    };
}

/// One byte or more of a class.
macro_rules! some {
    ($($class:expr),+) => {
        concat!("^[", $($class,)+ "]+\\z")
    };
}

/// One, or several with commas between them.
macro_rules! list {
    ($($item:expr),+) => {
        concat!("^", concat!($($item),+), "( ?, ?", concat!($($item),+), ")*\\z")
    };
}

pub(super) use {list, products, some, url};

/// The tables as Markdown, for docs/header-filter.md.
#[must_use]
pub fn reference(rules: &[Builtin]) -> String {
    let mut text = String::from("| Header | Breaking the rule | Bytes at most | Value |\n|---|---|---|---|\n");
    for rule in rules {
        let _ = writeln!(text, "| {} | {} | {} | `{}` |", rule.name, rule.action.word(), rule.max, rule.pattern.replace('|', "\\|"));
    }
    text
}
