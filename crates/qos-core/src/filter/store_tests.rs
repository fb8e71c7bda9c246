use super::rule::{Action, Kind, Rule, Test};
use super::store::{Hit, Rules};
use crate::pattern::Pattern;
use crate::repeat::Lines;
use proptest::prelude::*;
use std::ffi::CString;

fn rule(id: &str, text: &str) -> Rule {
    let test = Test::Pattern(Pattern::with(text.as_bytes(), Pattern::URL).unwrap());
    Rule { id: CString::new(id).unwrap(), kind: Kind::Query, action: Action::Deny, text: text.as_bytes().to_vec(), test, lines: Lines::new() }
}

/// `+a` adds a rule that matches its own number, `-a` removes one, `!` is `QS_DenyInheritanceOff`.
fn section(number: usize, entries: &[String]) -> Rules {
    let mut rules = Rules::default();
    for entry in entries {
        match entry.split_at(1) {
            ("+", id) => rules.add(rule(id, &format!("^{number}{id}$"))),
            ("-", id) => rules.remove(CString::new(id).unwrap()),
            _ => rules.stand_alone(),
        }
    }
    rules
}

fn texts(rules: &Rules) -> Vec<String> {
    rules.iter().map(|rule| String::from_utf8(rule.text.clone()).unwrap()).collect()
}

fn matching(rules: &Rules, subject: &str) -> Vec<u32> {
    let mut hits = Vec::new();
    rules.matching(Kind::Query, &[subject.as_bytes()], &mut hits);
    hits.iter().map(|Hit { place, .. }| *place).collect()
}

fn list(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

/// Section 2.1: ids without regard to case, the place of the first and the content of the last; `-id` wins within a section.
#[test]
fn one_section() {
    let rules = section(1, &list(&["+a", "+b", "+A", "+c", "-C", "+c"]));
    assert_eq!(texts(&rules), ["^1A$", "^1b$"]);
    assert_eq!((matching(&rules, "1A"), matching(&rules, "1a"), matching(&rules, "1b"), matching(&rules, "1c")), (vec![0], vec![], vec![1], vec![]));
}

/// FW-25a.
#[test]
fn another_kind_with_the_same_id_is_noted() {
    let mut rules = section(1, &list(&["+a", "+b"]));
    rules.add(Rule { kind: Kind::Path, ..rule("A", "x") });
    let replaced = rules.replaced().map(|(old, new, id)| (*old, *new, id.as_bytes().to_vec())).collect::<Vec<_>>();
    assert_eq!(replaced, [(Kind::Query, Kind::Path, b"A".to_vec())]);
    assert!(rules.has(Kind::Path) && rules.has(Kind::Query) && !rules.has(Kind::Event));
}

/// FW-25b: the examples of section 2.2.
#[test]
fn removals_are_kept_when_inner_sections_are_merged_first() {
    let (directory, outer, inner) = (section(1, &list(&["+x"])), section(2, &list(&["-x"])), section(3, &list(&["+y"])));
    let locations = Rules::merge(&outer, &inner);
    assert_eq!(texts(&Rules::merge(&directory, &locations)), ["^3y$"]);
    let alone = Rules::merge(&section(2, &list(&["!", "+z"])), &inner);
    assert_eq!((texts(&Rules::merge(&directory, &alone)), alone.is_alone()), (list(&["^2z$", "^3y$"]), true));
}

#[test]
fn what_was_merged_once_is_shared() {
    let (outer, inner) = (section(1, &list(&["+x"])), section(2, &list(&["+y"])));
    let first = Rules::merge(&outer, &inner);
    let again = Rules::merge(&outer, &inner);
    let address = |rules: &Rules| rules.iter().next().map(std::ptr::from_ref);
    assert_eq!((address(&first), texts(&first)), (address(&again), list(&["^1x$", "^2y$"])));
    assert_eq!(matching(&first, "2y"), [1]);
    // However many there are.
    let inners = (0..1100).map(|n| section(n, &list(&["+y"]))).collect::<Vec<_>>();
    for _ in 0..2 {
        for (n, inner) in inners.iter().enumerate() {
            assert_eq!(texts(&Rules::merge(&outer, inner)), [format!("^{}x$", 1), format!("^{n}y$")]);
        }
    }
}

#[test]
fn what_one_side_decides_alone_is_shared() {
    let (none, some) = (Rules::default(), section(1, &list(&["+x"])));
    assert_eq!((Rules::merge(&none, &some), Rules::merge(&some, &none)), (some.clone(), some));
    assert!(none.is_empty() && Rules::merge(&none, &none) == none);
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(prop_oneof![4 => "\\+[a-e]", 2 => "-[a-e]", 1 => Just("!".to_owned())], 0..6)
}

proptest! {
    /// FW-25b: sections are merged one after the other or joined first.
    #[test]
    fn merging_is_associative(one in entries(), two in entries(), three in entries(), four in entries()) {
        let [one, two, three, four] = [(1, one), (2, two), (3, three), (4, four)].map(|(number, entries)| section(number, &entries));
        let left = Rules::merge(&Rules::merge(&Rules::merge(&one, &two), &three), &four);
        let right = Rules::merge(&one, &Rules::merge(&two, &Rules::merge(&three, &four)));
        let middle = Rules::merge(&Rules::merge(&one, &two), &Rules::merge(&three, &four));
        prop_assert_eq!(texts(&left), texts(&right));
        prop_assert_eq!(texts(&left), texts(&middle));
        for merged in [&left, &right, &middle] {
            for (place, text) in texts(merged).iter().enumerate() {
                prop_assert_eq!(matching(merged, text.trim_matches(['^', '$'])), [u32::try_from(place).unwrap()]);
            }
            for number in 1..=4 {
                for id in ["a", "b", "c", "d", "e"] {
                    let text = format!("^{number}{id}$");
                    let expected = texts(merged).iter().position(|known| *known == text).map(|place| u32::try_from(place).unwrap());
                    prop_assert_eq!(matching(merged, &format!("{number}{id}")), expected.into_iter().collect::<Vec<_>>());
                }
            }
        }
    }
}
