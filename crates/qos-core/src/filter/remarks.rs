//! What the administrator should know of rules that are taken (filters.md section 14).

use super::judge::UrlFilter;
use super::rule::{Action, Kind, Rule, same_id};
use super::store::Rules;
use crate::config::LocationConfig;
use crate::pattern_set::{Doubt, doubt};
use std::cmp::Reverse;
use std::ffi::{CStr, CString};

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
    mixed_actions(sections, &mut remarks);
    other_kinds(sections, &mut remarks);
    remarks
}

/// Sections below each other, of which the permit rules of one only log and those of the other deny (FW-29b). Of sections whose names are patterns nothing is known.
fn mixed_actions(sections: &[&LocationConfig], remarks: &mut Vec<String>) {
    let action = |section: &LocationConfig| {
        let mut actions = section.url.rules.iter().filter(|rule| rule.kind == Kind::Permit).map(|rule| rule.action);
        let first = actions.next()?;
        // Those of both kinds were remarked on.
        actions.all(|action| action == first).then_some(first)
    };
    let permitting = sections.iter().filter_map(|section| Some((section.section.as_ref()?, &section.url.rules, action(section)?))).collect::<Vec<_>>();
    for (inner, rules, of_inner) in permitting.iter().filter(|(_, rules, _)| !rules.is_alone()) {
        let is_gone = |rule: &Rule| rules.removed().chain(rules.iter().map(|own| &own.id)).any(|id| same_id(id, &rule.id));
        let is_kept = |outer: &Rules| outer.iter().any(|rule| rule.kind == Kind::Permit && !is_gone(rule));
        for (outer, _, of_outer) in permitting.iter().filter(|(outer, rules, action)| action != of_inner && is_around(outer, inner) && is_kept(rules)) {
            let word = |action: Action| if action == Action::Deny { "deny" } else { "log" };
            remarks.push(format!(
                "QS_PermitUri: rules in {} have the action {}, those in {}, which come on top, {}; a request that none of them permits is denied",
                outer.to_string_lossy(),
                word(*of_outer),
                inner.to_string_lossy(),
                word(*of_inner)
            ));
        }
    }
}

/// Whether a section is around another one, by their names.
fn is_around(outer: &CStr, inner: &CStr) -> bool {
    let rest = inner.to_bytes().strip_prefix(outer.to_bytes());
    rest.is_some_and(|rest| rest.first().is_some_and(|next| *next == b'/' || outer.to_bytes().ends_with(b"/")))
}

/// Rules with the id of one of another kind in the nearest section around theirs that says something about the id (FW-25a). One of the same kind is meant to replace it.
fn other_kinds(sections: &[&LocationConfig], remarks: &mut Vec<String>) {
    let named = sections.iter().filter_map(|section| Some((section.section.as_deref()?, &section.url.rules))).collect::<Vec<_>>();
    for (inner, rules) in named.iter().filter(|(_, rules)| !rules.is_alone() && !rules.is_empty()) {
        let mut around = named.iter().copied().filter(|(outer, _)| is_around(outer, inner)).collect::<Vec<_>>();
        around.sort_by_key(|(outer, _)| Reverse((outer.to_bytes().len(), *outer)));
        for rule in rules.iter() {
            let is_same = |id: &CString| same_id(id, &rule.id);
            let decides = |of_outer: &Rules| of_outer.is_alone() || of_outer.removed().any(is_same) || of_outer.iter().any(|old| is_same(&old.id));
            // Virtual hosts may have sections with the same name.
            let nearest = around.chunk_by(|one, next| one.0 == next.0).find(|same_name| same_name.iter().any(|(_, of_outer)| decides(of_outer)));
            let mut of_nearest = nearest.into_iter().flatten().flat_map(|(outer, of_outer)| of_outer.iter().map(move |old| (outer, old)));
            let Some((outer, old)) = of_nearest.find(|(_, old)| old.kind != rule.kind && is_same(&old.id)) else { continue };
            let (new, old, id) = (rule.kind.directive(), old.kind.directive(), rule.id.to_string_lossy());
            let (inner, outer) = (inner.to_string_lossy(), outer.to_string_lossy());
            let remark = format!(
                "{new} +{id} in {inner} and {old} +{id} in {outer}: only that of the section which httpd merges last is in force in {inner}, because all QS_Deny... and QS_PermitUri share their ids"
            );
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }
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
        let (directive, id, text) = (rule.kind.directive(), rule.id.to_string_lossy(), rule.shown());
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

    #[test]
    fn permit_rules_of_sections_that_meet() {
        const LOG: (&str, &[&str]) = ("QS_PermitUri", &["+a", "log", "x"]);
        const DENY: (&str, &[&str]) = ("QS_PermitUri", &["+b", "deny", "x"]);
        const DENY_A: (&str, &[&str]) = ("QS_PermitUri", &["+A", "deny", "x"]);
        const REMOVES: (&str, &[&str]) = ("QS_DenyPath", &["-a", "log", "x"]);
        const OFF: (&str, &[&str]) = ("QS_DenyInheritanceOff", &[]);
        type Lines = &'static [(&'static str, &'static [&'static str])];
        let said = |outer: &CStr, of_outer: Lines, inner: &CStr, of_inner: Lines| remarks(&[&section(inner, of_inner), &section(outer, of_outer)]);
        assert_eq!(
            said(c"/", &[LOG], c"/a", &[DENY]),
            ["QS_PermitUri: rules in / have the action log, those in /a, which come on top, deny; a request that none of them permits is denied"]
        );
        for (outer, of_outer, inner, of_inner, expected) in [
            (c"/a", &[DENY][..], c"/a/b", &[LOG][..], 1),
            (c"/a/", &[DENY], c"/a/b", &[LOG], 1),
            (c"/a", &[DENY], c"/ab", &[LOG], 0),
            (c"/a", &[DENY], c"/b", &[LOG], 0),
            (c"/a", &[LOG], c"/a/b", &[LOG], 0),
            (c"/a", &[LOG], c"/a/b", &[OFF, DENY], 0),
            (c"/a", &[OFF, LOG], c"/a/b", &[DENY], 1),
            (c"/a", &[LOG], c"/a/b", &[DENY_A], 0),
            (c"/a", &[LOG], c"/a/b", &[REMOVES, DENY], 0),
            (c"/a", &[LOG], c"/a/b", &[LOG, DENY], 1),
        ] {
            assert_eq!(said(outer, of_outer, inner, of_inner).len(), expected, "{outer:?} {of_outer:?} {inner:?} {of_inner:?}");
        }
    }

    /// FW-25a over sections: the rule of the outer one is in force no more in the inner one.
    #[test]
    fn ids_of_rules_of_another_kind_around() {
        const PATH: (&str, &[&str]) = ("QS_DenyPath", &["+a1", "deny", "x"]);
        const QUERY: (&str, &[&str]) = ("QS_DenyQuery", &["+A1", "deny", "x"]);
        const OTHER: (&str, &[&str]) = ("QS_DenyQuery", &["+a2", "deny", "x"]);
        const REMOVES: (&str, &[&str]) = ("QS_DenyPath", &["-a1", "log", "x"]);
        const OFF: (&str, &[&str]) = ("QS_DenyInheritanceOff", &[]);
        type Line<'t> = (&'t str, &'t [&'t str]);
        fn said(sections: &[(&CStr, &[Line<'_>])]) -> Vec<String> {
            let sections = sections.iter().map(|(name, lines)| section(name, lines)).collect::<Vec<_>>();
            remarks(&sections.iter().collect::<Vec<_>>())
        }
        let line = |inner: &str, outer: &str| {
            format!(
                "QS_DenyQuery +A1 in {inner} and QS_DenyPath +A1 in {outer}: only that of the section which httpd merges last is in force in {inner}, because all QS_Deny... and QS_PermitUri share their ids"
            )
        };
        for (sections, expected) in [
            (&[(c"/", &[PATH][..]), (c"/app", &[QUERY])][..], vec![line("/app", "/")]),
            (&[(c"/app/x", &[QUERY]), (c"/app", &[PATH])], vec![line("/app/x", "/app")]),
            (&[(c"/app/", &[OFF, PATH]), (c"/app/x/y", &[QUERY])], vec![line("/app/x/y", "/app/")]),
            // Another rule, the same kind, beside each other, the same name.
            (&[(c"/", &[PATH]), (c"/app", &[OTHER])], vec![]),
            (&[(c"/", &[PATH]), (c"/app", &[PATH])], vec![]),
            (&[(c"/a", &[PATH]), (c"/ab", &[QUERY]), (c"/b", &[QUERY])], vec![]),
            (&[(c"/a", &[PATH]), (c"/a", &[QUERY])], vec![]),
            // Nothing is inherited.
            (&[(c"/", &[PATH]), (c"/app", &[OFF, QUERY])], vec![]),
            (&[(c"/", &[PATH]), (c"/app", &[OFF]), (c"/app/x", &[QUERY])], vec![]),
            (&[(c"/", &[PATH]), (c"/app", &[REMOVES]), (c"/app/x", &[QUERY])], vec![]),
            // Once, with the nearest one.
            (&[(c"/", &[PATH]), (c"/app", &[QUERY]), (c"/app/x", &[QUERY])], vec![line("/app", "/")]),
            (&[(c"/", &[PATH]), (c"/app", &[PATH]), (c"/app/x", &[QUERY])], vec![line("/app/x", "/app")]),
            // Of two virtual hosts.
            (&[(c"/", &[PATH]), (c"/app", &[QUERY]), (c"/", &[QUERY]), (c"/app", &[QUERY])], vec![line("/app", "/")]),
        ] {
            assert_eq!(said(sections), expected, "{sections:?}");
        }
    }
}
