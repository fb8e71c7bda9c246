//! Generated patterns and subjects: a set says what each pattern alone says.

use super::compile::Limits;
use super::{Doubt, PatternSet, doubt};
use crate::pattern::{Match, Options, Pattern};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Subjects that are made for these patterns, with bytes of all kinds.
fn subject() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        &b"a"[..],
        b"b",
        b"A",
        b"B",
        b"ab",
        b"aab",
        b"1",
        b"12",
        b"/",
        b".",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b"_",
        b" ",
        b"-",
        b"]",
        b"{1}",
        b"x",
    ]);
    prop_oneof![9 => vec(known, 0..10).prop_map(|parts| parts.concat()), 1 => vec(any::<u8>(), 0..12)]
}

const ITEMS: &[&str] = &[
    "a",
    "b",
    "A",
    "ab",
    "1",
    "/",
    r"\.",
    ".",
    "é",
    "-",
    "]",
    "}",
    r"\n",
    r"\x0a",
    r"\xff",
    r"\x00",
    "\n",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[^/]",
    "[]a]",
    "[^]a]",
    "[a-]",
    "[-a]",
    r"[\d_]",
    r"[^\w]",
    "[[:alpha:]]",
    "[^[:space:]x]",
    "[[:^alpha:]]",
    r"[\x00-\x1f]",
    r"[\b]",
    "[a[b]",
    "[é]",
    r"\h",
    r"\R",
    r"\N",
    r"\101",
    r"\0",
    r"\Qa.\E",
    r"\e",
    "(?#x)",
    "[[:upper:]]",
    "[[:punct:]]",
    "[[:print:]]",
    "[[:word:]]",
];
const CONDITIONS: &[&str] = &["^", "$", r"\A", r"\z", r"\Z", r"\b", r"\B", r"\G", r"\K"];
const QUANTIFIERS: &[&str] =
    &["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,}", "{0,2}", "{,2}", "{2,1}", "{0}", "{2}?", "{1,2}+", "{", "{x}", "{2}{2}"];

fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![6 => select(ITEMS), 1 => select(CONDITIONS)].prop_map(str::to_owned);
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            4 => vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => (inner.clone(), select(QUANTIFIERS)).prop_map(|(node, quantifier)| format!("{node}{quantifier}")),
            2 => (select(vec!["(", "(?:", "(", "(?:", "(?i:", "(?i)(", "((?i)", "(?s:", "(?<n>", "(?P<m>", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?|", "(?x: ", "(?-i:", "(?m:"]), vec(inner.clone(), 1..4))
                .prop_map(|(open, branches)| format!("{open}{})", branches.join("|"))),
            1 => vec(inner.clone(), 0..3).prop_map(|branches| format!("({}|)", branches.join("|"))),
            1 => (inner.clone(), select(QUANTIFIERS), inner).prop_map(|(node, quantifier, rest)| format!("({node}){quantifier}{rest}")),
            1 => select(vec![r"(a|b)\1", r"(.)x\1", r"a\1(a)", "(?(1)a|b)", "(?R)?", "(*ACCEPT)", "(a)(?1)"]).prop_map(str::to_owned),
        ]
    });
    let start = select(vec!["", "", "", "", "^", "(?i)", "(?i)^", "(?s)", "(?x)", "(*UTF)", "^.*", ".*"]);
    let end = select(vec!["", "", "", "$", r"\z", r"\Z", ".*$", ".*", r"\b"]);
    prop_oneof![
        12 => (start, vec(inner, 1..3), end).prop_map(|(start, alternatives, end)| format!("{start}{}{end}", alternatives.join("|"))),
        1 => vec(select(vec!["a", "b", "(", ")", "[", "]", "|", "*", "?", "+", "{", "}", "^", "$", "\\", ".", "-", ":", "1", ","]), 1..10).prop_map(|parts| parts.concat()),
    ]
}

fn said_alone(patterns: &[Pattern], subject: &[u8]) -> Vec<Match> {
    patterns.iter().map(|pattern| pattern.matches(subject)).collect()
}

fn said_together(set: &PatternSet, subject: &[u8]) -> Vec<Match> {
    let mut said = vec![Match::No; set.patterns().len()];
    let mut last = None;
    set.judge(&[subject], &mut |index, matched| {
        assert!(last < Some(index), "in ascending order, each one once");
        last = Some(index);
        said[index] = matched;
    });
    said
}

pub(super) const NO_TABLES: Limits = Limits { anchored: (0, 0), floating: (0, 0), waiting: 0 };

/// A set is the same as its patterns alone. Where PCRE gives up, the set may know better, and it gives up earlier what is left to PCRE.
pub(super) fn same(set: &PatternSet, subject: &[u8]) -> Result<(), String> {
    let alone = said_alone(set.patterns(), subject);
    let together = said_together(set, subject);
    for ((pattern, alone), together) in set.patterns().iter().zip(alone).zip(together) {
        let earlier = together == Match::GivenUp && doubt(pattern) == Some(Doubt::OnlyPcre);
        if alone != Match::GivenUp && alone != together && !earlier && pattern.matches_interpreted(subject) != together {
            return Err(format!("{:?} on {:?}: alone {alone:?}, together {together:?}", pattern.text(), subject.escape_ascii().to_string()));
        }
    }
    Ok(())
}

/// Defects of PCRE's compilers: its interpreter and we agree.
#[test]
fn what_pcre_takes_for_possessive() {
    let pattern = Pattern::new(b"(\\A)*+ab|(a|b)\\1.*").unwrap();
    assert_eq!(pattern.matches_interpreted(b"a"), Match::No);
    assert_eq!(same(&PatternSet::new(vec![pattern]), b"a"), Ok(()));
    let pattern = Pattern::new(b"^.*(\\z)?+a").unwrap();
    assert_eq!(pattern.matches_interpreted(b"a"), Match::Yes);
    assert_eq!(same(&PatternSet::new(vec![pattern]), b"a"), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("PATTERN_CASES").is_some() { 200_000 } else { 3_000 }))]

    #[test]
    fn a_set_is_the_same_as_its_patterns(patterns in vec(pattern(), 1..6), subjects in vec(subject(), 1..12)) {
        let options = |pattern: &String| Options { caseless: pattern.len() % 3 == 0, dot_all: pattern.len() % 2 == 0, strict_end: pattern.len() % 5 == 0 };
        let patterns = patterns.iter().filter_map(|pattern| Pattern::with(pattern.as_bytes(), options(pattern)).ok()).collect();
        let patterns: Vec<Pattern> = patterns;
        // Matched by tables as far as possible, and by literals.
        for limits in [Limits::NORMAL, NO_TABLES] {
            let set = PatternSet::with_limits(patterns.clone(), limits);
            for subject in &subjects {
                if let Err(difference) = same(&set, subject) {
                    prop_assert!(false, "{}", difference);
                }
            }
        }
    }

    /// What does not look around matches in a longer text as well.
    #[test]
    fn what_does_not_look_around(pattern in pattern(), before in subject(), subject in subject(), behind in subject()) {
        let Ok(pattern) = Pattern::with(pattern.as_bytes(), Pattern::URL) else { return Ok(()) };
        if !pattern.may_look_around() && pattern.matches(&subject) == Match::Yes {
            let longer = [before, subject, behind].concat();
            prop_assert_ne!(pattern.matches(&longer), Match::No, "{:?} in {}", pattern, longer.escape_ascii());
        }
    }
}
