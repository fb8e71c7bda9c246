//! Log lines of header filters (filters.md section 3.5).

use super::{BuiltinError, Rule, shown};
use crate::message::Mark;
use crate::text::Text;

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Of the request.
    Request,
    /// Of the response.
    Response,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Direction::Request => "request",
            Direction::Response => "response",
        }
    }
}

fn why(rule: Option<&Rule>) -> String {
    match rule {
        Some(rule) => format!("(pattern={}, max. length={})", rule.pattern(), rule.max()),
        None => "(no rule available)".to_owned(),
    }
}

/// 042: a header was dropped.
#[must_use]
pub fn dropped(direction: Direction, mark: Mark, header: (&[u8], &[u8]), rule: Option<&Rule>, client: &str, unique_id: &str) -> String {
    let (name, value) = header;
    format!("mod_qos(042): drop {} header{}: '{}', {}, c={client}, id={unique_id}", direction.word(), mark.text(), shown(name, value), why(rule))
}

/// 042 for so many headers that got no line of their own.
#[must_use]
pub fn dropped_before(direction: Direction, times: u32, client: &str) -> String {
    format!("mod_qos(042): drop {} header{}, message repeated {times} times, c={client}", direction.word(), Mark::Previously.text())
}

/// 043: a request was denied because of a header.
#[must_use]
pub fn denied(mark: Mark, header: (&[u8], &[u8]), rule: &Rule, client: &str, unique_id: &str) -> String {
    let (name, value) = header;
    format!("mod_qos(043): access denied{}, request header: '{}', {}, c={client}, id={unique_id}", mark.text(), shown(name, value), why(Some(rule)))
}

/// 043 for so many requests that got no line of their own.
#[must_use]
pub fn denied_before(times: u32, client: &str) -> String {
    format!("mod_qos(043): access denied{}, request header, message repeated {times} times, c={client}", Mark::Previously.text())
}

/// A rule that was loaded, at start.
#[must_use]
pub fn loaded(direction: Direction, rule: &Rule) -> String {
    let name = Text::from(rule.name());
    format!("mod_qos(): {} header filter rule ({}) {name}: {} max={}", direction.word(), rule.action().word(), rule.pattern(), rule.max())
}

/// 006: a built-in rule cannot be compiled.
#[must_use]
pub fn not_compiled(direction: Direction, error: &BuiltinError) -> String {
    format!("mod_qos(006): the built-in {} header rule for {} {}", direction.word(), error.name, error.error)
}
