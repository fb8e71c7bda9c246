use super::kept::{NONE, OF_PROCESS, Room};
use super::rule::{Action, Kind, Rule, Test};
use super::section::Budgets;
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
    rules.matching(Kind::Query, &[subject.as_bytes()], &mut Budgets::default(), &mut hits);
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
    static ROOM: Room = Room::new(1 << 20);
    let (mut outer, inner) = (section(1, &list(&["+x"])), section(2, &list(&["+y"])));
    outer.keep_in(&ROOM);
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

/// What rules make together, worked out rule by rule.
fn model(sections: &[(usize, &[String])]) -> Vec<String> {
    let mut rules: Vec<(String, String)> = Vec::new();
    for (number, entries) in sections {
        let removed = |id: &str| entries.iter().any(|entry| entry.strip_prefix('-') == Some(id));
        rules.retain(|(id, _)| !removed(id));
        for id in entries.iter().filter_map(|entry| entry.strip_prefix('+')).filter(|id| !removed(id)) {
            let text = format!("^{number}{id}$");
            match rules.iter_mut().find(|(known, _)| known == id) {
                Some((_, old)) => *old = text,
                None => rules.push((id.to_owned(), text)),
            }
        }
    }
    rules.into_iter().map(|(_, text)| text).collect()
}

/// Clients choose which of the sections meet: all subsets of 16 keep no more than there is room for, and are what they are.
#[test]
fn all_subsets_of_sections_take_a_bounded_room() {
    const SECTIONS: usize = 16;
    const MOST: usize = 100_000;
    static ROOM: Room = Room::new(MOST);
    // Each has a rule of its own, replaces one of the others' and removes another one.
    let entries =
        (0..SECTIONS).map(|n| list(&[&format!("+own{n}"), &format!("+s{}", n % 5), &format!("-s{}", (n + 2) % 5), &format!("-own{}", (n * 7) % SECTIONS + 1)]));
    let entries = entries.collect::<Vec<_>>();
    let mut sections = entries.iter().enumerate().map(|(number, entries)| section(number, entries)).collect::<Vec<_>>();
    sections.iter_mut().for_each(|section| section.keep_in(&ROOM));
    for pass in 0..2 {
        for subset in 1..1u32 << SECTIONS {
            let chosen = (0..SECTIONS).filter(|n| subset >> n & 1 == 1).collect::<Vec<_>>();
            let merged = chosen.iter().fold(Rules::default(), |outer, n| Rules::merge(&outer, &sections[*n]));
            assert!(ROOM.taken() <= MOST);
            // All of them take a while.
            if subset % 31 > 0 {
                continue;
            }
            let expected = model(&chosen.iter().map(|n| (*n, entries[*n].as_slice())).collect::<Vec<_>>());
            for (n, id) in chosen.iter().flat_map(|n| [(n, format!("own{n}")), (n, format!("s{}", n % 5))]) {
                let place = expected.iter().position(|text| *text == format!("^{n}{id}$")).map(|place| u32::try_from(place).unwrap());
                assert_eq!(matching(&merged, &format!("{n}{id}")), place.into_iter().collect::<Vec<_>>(), "{pass} {subset:b} {n} {id}");
            }
            assert_eq!(texts(&merged), expected, "{pass} {subset:b}");
        }
    }
    assert!(ROOM.taken() > MOST / 2, "{}", ROOM.taken());
    drop(sections);
    assert_eq!(ROOM.taken(), 0);
}

/// More sections than are put one behind the other are joined.
#[test]
fn many_sections_for_one_request() {
    let entries = (0..1000).map(|n| list(&[&format!("+own{n}"), &format!("-own{}", n / 2), "+x"])).collect::<Vec<_>>();
    let mut sections = entries.iter().enumerate().map(|(number, entries)| section(number, entries)).collect::<Vec<_>>();
    sections.iter_mut().for_each(|section| section.keep_in(&NONE));
    let merged = sections.iter().fold(Rules::default(), |outer, inner| Rules::merge(&outer, inner));
    let expected = model(&entries.iter().enumerate().map(|(n, entries)| (n, entries.as_slice())).collect::<Vec<_>>());
    assert_eq!(texts(&merged), expected);
    assert_eq!((matching(&merged, "999x").len(), matching(&merged, "998x").len(), matching(&merged, "999own999").len()), (1, 0, 1));
}

/// What cannot be kept says what it can without being joined, and of permit rules the truth.
#[test]
fn rules_of_a_kind_that_were_removed() {
    let mut outer = Rules::default();
    outer.keep_in(&NONE);
    outer.add(Rule { kind: Kind::Permit, ..rule("a", "x") });
    let merged = Rules::merge(&outer, &section(2, &list(&["-a", "+b"])));
    assert!(merged.may_have(Kind::Permit) && !merged.has(Kind::Permit) && merged.has(Kind::Query) && !merged.is_empty());
    assert!(!merged.may_have(Kind::Event) && super::store::events(&merged, &|_| true).is_empty());
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(prop_oneof![4 => "\\+[a-e]", 2 => "-[a-e]", 1 => Just("!".to_owned())], 0..6)
}

proptest! {
    /// FW-25b: sections are merged one after the other or joined first.
    #[test]
    fn merging_is_associative(one in entries(), two in entries(), three in entries(), four in entries(), kept in any::<[bool; 4]>()) {
        let mut sections = [(1, one), (2, two), (3, three), (4, four)].map(|(number, entries)| section(number, &entries));
        sections.iter_mut().zip(kept).for_each(|(section, kept)| section.keep_in(if kept { &OF_PROCESS } else { &NONE }));
        let [one, two, three, four] = sections;
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
