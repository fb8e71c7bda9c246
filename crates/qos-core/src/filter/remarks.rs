//! What the administrator should know of rules that are taken (filters.md section 14).

use super::judge::UrlFilter;
use super::rule::{Action, Kind};
use crate::config::LocationConfig;
use crate::pattern_set::{Doubt, doubt};

/// Remarks about the sections of a configuration, one text each.
#[must_use]
pub fn remarks(sections: &[&LocationConfig]) -> Vec<String> {
    let mut remarks = Vec::new();
    for section in sections {
        let place = section.section.as_ref().map_or_else(String::new, |name| format!(" in {}", name.to_string_lossy()));
        of_section(&section.url, &place, &mut remarks);
        for id in section.url.rules.removed() {
            let is_there = |other: &&LocationConfig| other.url.rules.iter().any(|rule| rule.id.as_bytes().eq_ignore_ascii_case(id.as_bytes()));
            if !sections.iter().any(is_there) {
                remarks.push(format!("rule id -{}{place} removes nothing: there is no rule with this id", id.to_string_lossy()));
            }
        }
    }
    remarks
}

fn of_section(filter: &UrlFilter, place: &str, remarks: &mut Vec<String>) {
    for (old, new, id) in filter.rules.replaced() {
        let (old, new, id) = (old.directive(), new.directive(), id.to_string_lossy());
        remarks.push(format!("{new} +{id}{place} replaces {old} +{id}: all QS_Deny... and QS_PermitUri share their ids"));
    }
    let mut actions = filter.rules.iter().filter(|rule| rule.kind == Kind::Permit).map(|rule| rule.action);
    let first = actions.next();
    if actions.any(|action| Some(action) != first) {
        remarks.push(format!("QS_PermitUri{place}: some rules have the action log, some deny; a request that none of them permits is denied"));
    }
    for rule in filter.rules.iter() {
        let Some(doubt) = rule.pattern().and_then(doubt) else { continue };
        let (directive, id, text) = (rule.kind.directive(), rule.id.to_string_lossy(), String::from_utf8_lossy(&rule.text));
        let why = match doubt {
            Doubt::Repeats => "repeats what is repeated within it and needs backtracking: subjects can be made for which that takes beyond measure",
            Doubt::OnlyPcre => "has something in it that only PCRE knows, which may take few steps in long subjects",
        };
        let then = match (rule.kind, rule.action) {
            (Kind::Permit, _) => "does not permit the request",
            (_, Action::Deny) => "denies the request",
            (_, Action::Log) => "counts as a match",
        };
        remarks.push(format!("{directive} +{id}{place}: '{text}' {why}, so it is given up after a while, which {then}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Target, apply, find};

    fn section(name: &std::ffi::CStr, lines: &[(&str, &[&str])]) -> LocationConfig {
        let mut config = LocationConfig { section: Some(name.into()), ..LocationConfig::default() };
        for (directive, arguments) in lines {
            let arguments = arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>();
            apply(find(directive).unwrap(), &mut Target::Location(&mut config), &arguments).unwrap();
        }
        config
    }

    #[test]
    fn what_is_said() {
        let one = section(c"/", &[("QS_DenyPath", &["+a1", "deny", "x"]), ("QS_DenyQuery", &["+A1", "deny", "x"]), ("QS_DenyPath", &["-b", "log", "x"])]);
        let two = section(
            c"/a",
            &[
                ("QS_PermitUri", &["+p", "deny", "x"]),
                ("QS_PermitUri", &["+q", "log", "x"]),
                ("QS_DenyPath", &["-a1", "log", "x"]),
                ("QS_DenyQuery", &["+r", "deny", r"^(a+)+\1$"]),
                ("QS_DenyQuery", &["+s", "deny", "^(?=(a+)+$)"]),
                ("QS_DenyQuery", &["+t", "deny", r"\p{L}"]),
            ],
        );
        let remarks = remarks(&[&one, &two]);
        let begins = [
            "QS_DenyQuery +A1 in / replaces QS_DenyPath +A1: ",
            "rule id -b in / removes nothing",
            "QS_PermitUri in /a: some rules have",
            r"QS_DenyQuery +r in /a: '^(a+)+\1$' repeats",
            r"QS_DenyQuery +t in /a: '\p{L}' has something in it that only PCRE knows",
        ];
        assert_eq!(remarks.len(), begins.len(), "{remarks:#?}");
        for (remark, begin) in remarks.iter().zip(begins) {
            assert!(remark.starts_with(begin), "{remark}");
        }
        assert!(super::remarks(&[&section(c"/", &[("QS_DenyPath", &["+a", "deny", "[a-z]+\\.bak$"])])]).is_empty());
    }
}
