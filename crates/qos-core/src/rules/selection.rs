//! Which rules of locations apply to a request (request-event.md section 6.2).
//!
//! At most one rule counts the request, and at most one conditional rule. Patterns come before prefixes, lower limits before higher ones, no
//! limit of concurrent requests after all others (W10). A rule of a pattern that has no such limit still slows its requests down: of those, the
//! one with the lowest limit per second and the one with the fewest kbytes apply besides.

use super::{Kind, Limit, Rule};
use crate::pattern_set::PatternSet;

/// What was found; numbers are places in the table of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The rule that counts the request, with all of its limits.
    pub main: Option<usize>,
    /// The conditional rule that counts it.
    pub conditional: Option<usize>,
    /// A rule without a limit of concurrent requests whose requests per second apply besides.
    pub per_second: Option<usize>,
    /// A rule without a limit of concurrent requests whose kbytes per second apply besides.
    pub kbytes: Option<usize>,
}

/// The rules of a server, made ready to be searched.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Prefixes in order; each with its rule and the place of the longest other prefix that it begins with.
    prefixes: Vec<(Vec<u8>, usize, Option<usize>)>,
    matches: Patterns,
    conditionals: Patterns,
}

/// Patterns, matched together, with what their rules demand.
#[derive(Clone, Debug, Default)]
struct Patterns {
    patterns: PatternSet,
    rules: Vec<Ranked>,
}

#[derive(Clone, Copy, Debug)]
struct Ranked {
    rule: usize,
    concurrent: Option<u32>,
    per_second: Option<u32>,
    kbytes: Option<u32>,
}

impl Patterns {
    fn new(rules: &[Rule], kind: Kind) -> Patterns {
        let number = |limit: Option<Limit>| limit.map(|limit| limit.number);
        let found = rules.iter().enumerate().filter(|(_, rule)| rule.kind == kind).filter_map(|(place, rule)| {
            let ranked = Ranked { rule: place, concurrent: number(rule.concurrent_limit()), per_second: number(rule.per_second), kbytes: number(rule.kbytes) };
            Some((rule.pattern.clone()?, ranked))
        });
        let (patterns, rules) = found.unzip();
        Patterns { patterns: PatternSet::new(patterns), rules }
    }

    /// Rules whose pattern matches one of the subjects, in order. What was given up at the match limit counts as a match.
    fn find(&self, subjects: &[&[u8]], mut found: impl FnMut(Ranked)) {
        if self.rules.is_empty() {
            return;
        }
        self.patterns.judge(subjects, &mut |index, _| {
            if let Some(ranked) = self.rules.get(index) {
                found(*ranked);
            }
        });
    }
}

/// The lower one; the first of equals; a number before none.
fn lower(best: Option<(usize, u32)>, rule: usize, number: Option<u32>) -> Option<(usize, u32)> {
    let Some(number) = number else { return best };
    best.filter(|(other, before)| (*before, *other) <= (number, rule)).or(Some((rule, number)))
}

impl Selection {
    /// Over the rules of a server.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Selection {
        let literal = rules.iter().enumerate().filter(|(_, rule)| rule.kind == Kind::Literal);
        let prefixes = longest_prefix::order(literal.map(|(place, rule)| (rule.text.clone(), place)).collect());
        Selection { prefixes, matches: Patterns::new(rules, Kind::Match), conditionals: Patterns::new(rules, Kind::Conditional) }
    }

    /// Whether there is nothing to be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && !self.looks_at_targets()
    }

    /// Whether patterns are looked for.
    #[must_use]
    pub fn looks_at_targets(&self) -> bool {
        !self.matches.rules.is_empty() || !self.conditionals.rules.is_empty()
    }

    /// The rules for a request. `path`: decoded, dot segments removed. `target`: the same with `?` and the query, if there is one; `raw`: as it was received, where that differs (W09).
    #[must_use]
    pub fn select(&self, path: &[u8], target: &[u8], raw: Option<&[u8]>) -> Located {
        let mut located = Located::default();
        let both = [target, raw.unwrap_or_default()];
        let subjects = if raw.is_some() { &both[..] } else { &both[..1] };
        let mut best = None;
        self.conditionals.find(subjects, |rule| {
            located.conditional = located.conditional.or(Some(rule.rule));
            best = lower(best, rule.rule, rule.concurrent);
        });
        if let Some((rule, _)) = best {
            located.conditional = Some(rule);
        }
        let (mut best, mut unlimited, mut per_second, mut kbytes) = (None, None, None, None);
        self.matches.find(subjects, |rule| match rule.concurrent {
            Some(number) => best = lower(best, rule.rule, Some(number)),
            None => {
                unlimited = unlimited.or(Some(rule.rule));
                per_second = lower(per_second, rule.rule, rule.per_second);
                kbytes = lower(kbytes, rule.rule, rule.kbytes);
            }
        });
        located.main = best.map(|(rule, _)| rule).or(unlimited).or_else(|| longest_prefix::find(&self.prefixes, path));
        let besides = |rule: Option<(usize, u32)>| rule.map(|(rule, _)| rule).filter(|rule| located.main != Some(*rule));
        (located.per_second, located.kbytes) = (besides(per_second), besides(kbytes));
        located
    }
}

/// The longest of many prefixes in a search by halves.
pub mod longest_prefix {
    /// Orders prefixes, each with a value. Of equal ones the first counts.
    #[must_use]
    pub fn order<T: Copy>(mut prefixes: Vec<(Vec<u8>, T)>) -> Vec<(Vec<u8>, T, Option<usize>)> {
        prefixes.sort_by(|a, b| a.0.cmp(&b.0));
        prefixes.dedup_by(|later, first| later.0 == first.0);
        let mut ordered: Vec<(Vec<u8>, T, Option<usize>)> = Vec::with_capacity(prefixes.len());
        for (prefix, value) in prefixes {
            let parent = climb(&ordered, ordered.len().checked_sub(1), &prefix);
            ordered.push((prefix, value, parent));
        }
        ordered
    }

    /// The value of the longest prefix of `text`.
    #[must_use]
    pub fn find<T: Copy>(ordered: &[(Vec<u8>, T, Option<usize>)], text: &[u8]) -> Option<T> {
        let after = ordered.partition_point(|(prefix, _, _)| prefix.as_slice() <= text);
        climb(ordered, after.checked_sub(1), text).and_then(|place| Some(ordered.get(place)?.1))
    }

    /// All prefixes of `text` are among those that the entry before it in the order begins with, or that entry itself.
    fn climb<T>(ordered: &[(Vec<u8>, T, Option<usize>)], mut place: Option<usize>, text: &[u8]) -> Option<usize> {
        while let Some((prefix, _, parent)) = place.and_then(|place| ordered.get(place)) {
            if text.starts_with(prefix) {
                return place;
            }
            place = *parent;
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use proptest::prelude::*;

    fn literal(text: &str, number: u32) -> Rule {
        Rule { concurrent: Some(Limit::of(number)), ..Rule::new(Kind::Literal, text.as_bytes()) }
    }

    fn matching(text: &str) -> Rule {
        Rule { pattern: Pattern::new(text.as_bytes()).ok(), ..Rule::new(Kind::Match, text.as_bytes()) }
    }

    fn selected(rules: &[Rule], raw: &str, path: &str) -> Located {
        let query = raw.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let target = format!("{path}{query}");
        Selection::new(rules).select(path.as_bytes(), target.as_bytes(), Some(raw.as_bytes()))
    }

    /// Example E1.
    #[test]
    fn e1() {
        let limited = |text, number| Rule { concurrent: Some(Limit::of(number)), ..matching(text) };
        let rules = [literal("/", 50), literal("/app", 20), literal("/app/report", 2), limited(r"\.pdf", 5), limited("^/app/", 8)];
        for (raw, path, expected) in [
            ("/index.html", "/index.html", "/"),
            ("/application/x", "/application/x", "/app"),
            ("/app/report/1", "/app/report/1", "^/app/"),
            ("/app/a.pdf", "/app/a.pdf", r"\.pdf"),
            ("/x?file=a.pdf", "/x", r"\.pdf"),
            ("/%61pp/report/1", "/app/report/1", "^/app/"),
            ("http://host/app/x", "/app/x", "^/app/"),
            ("/./app//x", "/app/x", "^/app/"),
            ("", "", ""),
        ] {
            let found = selected(&rules, raw, path).main.map_or(String::new(), |rule| String::from_utf8(rules[rule].text.clone()).unwrap());
            assert_eq!(found, expected, "{raw}");
        }
    }

    /// Example E3; W10: no limit is not the lowest one.
    #[test]
    fn e3() {
        let limit = |number| Some(Limit::of(number));
        let all = Rule { concurrent: limit(100), per_second: limit(30), kbytes: limit(2048), ..matching("^/dl/") };
        let rules = [all.clone(), Rule { concurrent: limit(10), ..matching("^/dl/iso/") }];
        assert_eq!(selected(&rules, "/dl/a", "/dl/a"), Located { main: Some(0), ..Located::default() });
        assert_eq!(selected(&rules, "/dl/iso/b", "/dl/iso/b"), Located { main: Some(1), ..Located::default() });
        let rules = [all, Rule { per_second: limit(5), ..matching("^/dl/iso/") }];
        assert_eq!(selected(&rules, "/dl/iso/b", "/dl/iso/b"), Located { main: Some(0), per_second: Some(1), ..Located::default() });
        assert_eq!(selected(&rules[1..], "/dl/iso/b", "/dl/iso/b"), Located { main: Some(0), ..Located::default() });
    }

    #[test]
    fn the_first_of_equal_limits_counts_and_conditional_rules_are_apart() {
        let limited = |text, number| Rule { concurrent: Some(Limit::of(number)), ..matching(text) };
        let conditional = |text, number| Rule { kind: Kind::Conditional, ..limited(text, number) };
        let rules = [conditional("^/shop", 10), limited("^/shop", 300), limited("/shop", 300), conditional("/", 10)];
        assert_eq!(selected(&rules, "/shop", "/shop"), Located { main: Some(1), conditional: Some(0), ..Located::default() });
        assert_eq!(selected(&rules, "/x", "/x"), Located { conditional: Some(3), ..Located::default() });
    }

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(prefixes in prop::collection::vec("[ab/]{0,5}", 0..12), text in "[ab/]{0,7}") {
            let numbered = prefixes.iter().enumerate().map(|(n, prefix)| (prefix.as_bytes().to_vec(), n)).collect();
            let ordered = longest_prefix::order(numbered);
            let best = prefixes.iter().enumerate().filter(|(_, prefix)| text.starts_with(*prefix)).rev().max_by_key(|(_, prefix)| prefix.len());
            prop_assert_eq!(longest_prefix::find(&ordered, text.as_bytes()), best.map(|(n, _)| n));
        }
    }
}
