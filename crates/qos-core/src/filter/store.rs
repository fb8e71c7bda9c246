//! The rules of a location, and how those of sections become one store (filters.md section 2.2).
//!
//! Sections are merged while requests are served. What a section says is compiled once, before children start; merging joins what was compiled and says
//! which of the rules are still in force at which place. What was merged once is kept with the outer section, in places that are written once
//! and read without locks, so that a request takes it from there.

use super::rule::{Kind, Rule, Test, same_id};
use crate::pattern::{Match, Pattern};
use crate::pattern_set::PatternSet;
use std::ffi::CString;
use std::sync::{Arc, OnceLock, Weak};

/// A place in no store: the rule is not in force there.
const NOWHERE: u32 = u32::MAX;
/// Merged stores that one piece of a list holds, and the most pieces.
const PIECE: usize = 16;
const PIECES: usize = 64;

/// The rules of a section or of several merged ones. A copy shares them.
#[derive(Clone, Default)]
pub struct Rules(Option<Arc<Store>>);

/// A function on lists of rules: what is inherited loses the removed ids, then each rule takes the place of the one with its id, or the last place. Such functions
/// can be applied one after the other or joined first (FW-25b).
#[derive(Debug, Default)]
struct Store {
    /// Nothing is inherited (`QS_DenyInheritanceOff`).
    alone: bool,
    /// Ids that are not inherited.
    removed: Vec<CString>,
    /// In the order in which they are evaluated.
    rules: Vec<Arc<Rule>>,
    /// Rules that another kind of rule with their id has replaced: the kinds and the id, for the one who wrote it.
    replaced: Vec<(Kind, Kind, CString)>,
    /// Kinds of which there are rules, one bit each.
    kinds: u8,
    parts: OnceLock<Vec<Part>>,
    merged: Merged,
}

/// What was compiled for a section, and the place in this store of each of the section's rules.
#[derive(Debug)]
struct Part {
    compiled: Arc<Compiled>,
    places: Vec<u32>,
}

/// The patterns of a section, by kind, and which of its rules each of them belongs to.
#[derive(Debug, Default)]
struct Compiled([(PatternSet, Vec<usize>); Kind::WITH_PATTERN.len()]);

/// A rule that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// Its place in the order of evaluation.
    pub place: u32,
    /// It cannot be said whether it matches: the pattern was given up at the match limit.
    pub given_up: bool,
}

impl Rules {
    /// Adds a rule, in the place of one with the same id in the same section. For reading the configuration.
    pub fn add(&mut self, rule: Rule) {
        let store = self.store();
        if store.removed.iter().any(|id| same_id(id, &rule.id)) {
            return;
        }
        match store.rules.iter_mut().find(|old| same_id(&old.id, &rule.id)) {
            Some(old) => {
                if old.kind != rule.kind {
                    store.replaced.push((old.kind, rule.kind, rule.id.clone()));
                }
                *old = Arc::new(rule);
            }
            None => store.rules.push(Arc::new(rule)),
        }
        store.kinds = kinds(&store.rules);
    }

    /// Removes the rule with an id, whatever its kind: an inherited one, and one of the same section, before or after. For reading the configuration.
    pub fn remove(&mut self, id: CString) {
        let store = self.store();
        store.rules.retain(|rule| !same_id(&rule.id, &id));
        store.kinds = kinds(&store.rules);
        if !store.removed.iter().any(|old| same_id(old, &id)) {
            store.removed.push(id);
        }
    }

    /// Nothing is inherited. For reading the configuration.
    pub fn stand_alone(&mut self) {
        self.store().alone = true;
    }

    /// The store while its section is read; what was made of it before is not it any more.
    fn store(&mut self) -> &mut Store {
        let store = Arc::make_mut(self.0.get_or_insert_default());
        (store.parts, store.merged) = (OnceLock::new(), Merged::default());
        store
    }

    /// Rules of an outer section, then those of an inner one.
    #[must_use]
    pub fn merge(base: &Rules, own: &Rules) -> Rules {
        match (&base.0, &own.0) {
            (_, None) => base.clone(),
            (None, Some(_)) => own.clone(),
            (Some(_), Some(inner)) if inner.alone => own.clone(),
            (Some(outer), Some(inner)) => Rules(Some(outer.merged.get(inner, PIECES, || Store::merge(outer, inner)))),
        }
    }

    /// Whether nothing is inherited.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.0.as_ref().is_some_and(|store| store.alone)
    }

    /// Whether no rule is in force.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Whether a rule of a kind is in force.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.0.as_ref().is_some_and(|store| store.kinds >> kind as u8 & 1 == 1)
    }

    /// The rules in the order in which they are evaluated.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.as_slice().iter().map(AsRef::as_ref)
    }

    /// Ids that are removed from what is inherited.
    pub fn removed(&self) -> impl Iterator<Item = &CString> {
        self.0.iter().flat_map(|store| store.removed.iter())
    }

    /// Rules of one section that another kind of rule with their id has replaced: the kinds and the id.
    pub fn replaced(&self) -> impl Iterator<Item = &(Kind, Kind, CString)> {
        self.0.iter().flat_map(|store| store.replaced.iter())
    }

    /// Makes the tables of the patterns, which takes up to some tenths of a second where there are hundreds of them. Otherwise that happens when they are asked.
    pub fn compile(&self) {
        if let Some(store) = &self.0 {
            store.parts();
        }
    }

    /// The rule at a place.
    pub(super) fn at(&self, place: u32) -> Option<&Rule> {
        self.as_slice().get(usize::try_from(place).ok()?).map(AsRef::as_ref)
    }

    /// Adds the rules of a kind that match one of the subjects, each once, in no order.
    pub(super) fn matching(&self, kind: Kind, subjects: &[&[u8]], hits: &mut Vec<Hit>) {
        let Some(store) = &self.0 else { return };
        let Some(number) = Kind::WITH_PATTERN.iter().position(|known| *known == kind) else { return };
        for Part { compiled, places } in store.parts() {
            let Some((set, rules)) = compiled.0.get(number).filter(|(_, rules)| !rules.is_empty()) else { continue };
            set.judge(subjects, &mut |index, matched| {
                let place = rules.get(index).and_then(|rule| places.get(*rule)).copied().unwrap_or(NOWHERE);
                if place != NOWHERE {
                    hits.push(Hit { place, given_up: matched == Match::GivenUp });
                }
            });
        }
    }

    fn as_slice(&self) -> &[Arc<Rule>] {
        self.0.as_ref().map(|store| store.rules.as_slice()).unwrap_or_default()
    }
}

impl Clone for Store {
    fn clone(&self) -> Store {
        let Store { alone, removed, rules, replaced, kinds, .. } = self;
        let (removed, rules, replaced) = (removed.clone(), rules.clone(), replaced.clone());
        Store { alone: *alone, removed, rules, replaced, kinds: *kinds, parts: OnceLock::new(), merged: Merged::default() }
    }
}

impl Store {
    /// What was compiled for it. A store that was merged has it from the beginning.
    fn parts(&self) -> &[Part] {
        self.parts.get_or_init(|| {
            let compiled = Kind::WITH_PATTERN.map(|kind| {
                let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.kind == kind);
                let (places, patterns): (Vec<usize>, Vec<Pattern>) = rules.filter_map(|(place, rule)| Some((place, rule.pattern()?.clone()))).unzip();
                (PatternSet::new(patterns), places)
            });
            let places = (0..self.rules.len()).map(|place| u32::try_from(place).unwrap_or(NOWHERE)).collect();
            vec![Part { compiled: Arc::new(Compiled(compiled)), places }]
        })
    }

    fn merge(outer: &Store, inner: &Store) -> Store {
        let mut rules: Vec<Arc<Rule>> = Vec::with_capacity(outer.rules.len() + inner.rules.len());
        let place = |rules: &[Arc<Rule>]| u32::try_from(rules.len()).unwrap_or(NOWHERE);
        let mut of_outer = Vec::with_capacity(outer.rules.len());
        for rule in &outer.rules {
            let is_removed = inner.removed.iter().any(|id| same_id(id, &rule.id));
            of_outer.push(if is_removed { NOWHERE } else { place(&rules) });
            if !is_removed {
                rules.push(rule.clone());
            }
        }
        let inherited = rules.len();
        let mut of_inner = Vec::with_capacity(inner.rules.len());
        for rule in &inner.rules {
            match rules.iter_mut().take(inherited).position(|old| same_id(&old.id, &rule.id)) {
                Some(at) => {
                    let at_place = u32::try_from(at).unwrap_or(NOWHERE);
                    of_outer.iter_mut().filter(|place| **place == at_place).for_each(|place| *place = NOWHERE);
                    of_inner.push(at_place);
                    if let Some(old) = rules.get_mut(at) {
                        *old = rule.clone();
                    }
                }
                None => {
                    of_inner.push(place(&rules));
                    rules.push(rule.clone());
                }
            }
        }
        let moved = |parts: &[Part], to: &[u32]| {
            let place = |from: &u32| usize::try_from(*from).ok().and_then(|from| to.get(from)).copied().unwrap_or(NOWHERE);
            let part = |part: &Part| Part { compiled: part.compiled.clone(), places: part.places.iter().map(place).collect() };
            parts.iter().map(part).filter(|part| part.places.iter().any(|place| *place != NOWHERE)).collect::<Vec<Part>>()
        };
        let parts = moved(outer.parts(), &of_outer).into_iter().chain(moved(inner.parts(), &of_inner)).collect::<Vec<Part>>();
        let added = inner.removed.iter().filter(|id| !outer.removed.iter().any(|old| same_id(old, id)));
        let removed = outer.removed.iter().chain(added).cloned().collect();
        let (kinds, parts) = (kinds(&rules), OnceLock::from(parts));
        Store { alone: outer.alone, removed, rules, replaced: Vec::new(), kinds, parts, merged: Merged::default() }
    }
}

fn kinds(rules: &[Arc<Rule>]) -> u8 {
    rules.iter().fold(0, |bits, rule| bits | 1 << rule.kind as u8)
}

/// What an outer section and each of several inner ones make together.
#[derive(Debug, Default)]
struct Merged {
    known: [OnceLock<(Weak<Store>, Arc<Store>)>; PIECE],
    more: OnceLock<Box<Merged>>,
}

impl Merged {
    /// The merged store for an inner section; made if it is not known, and kept if there is room, in so many pieces.
    fn get(&self, inner: &Arc<Store>, pieces: usize, make: impl FnOnce() -> Store) -> Arc<Store> {
        for place in &self.known {
            match place.get() {
                // The key keeps the address from being used again, not the section from being dropped.
                Some((key, merged)) if std::ptr::eq(key.as_ptr(), Arc::as_ptr(inner)) => return merged.clone(),
                Some(_) => {}
                None => {
                    let merged = Arc::new(make());
                    // Another thread may have been quicker; what it has kept is found next time, or this is made again.
                    let _ = place.set((Arc::downgrade(inner), merged.clone()));
                    return merged;
                }
            }
        }
        if pieces == 1 { Arc::new(make()) } else { self.more.get_or_init(Box::default).get(inner, pieces - 1, make) }
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Rules) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => {
                Arc::ptr_eq(one, other) || (one.alone, &one.removed, &one.rules, &one.replaced) == (other.alone, &other.removed, &other.rules, &other.replaced)
            }
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Rules {}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Rules about variables that match, in the order in which they are evaluated.
#[must_use]
pub fn events<'r>(rules: &'r Rules, is_set: &dyn Fn(&CString) -> bool) -> Vec<&'r Rule> {
    rules.iter().filter(|rule| matches!(&rule.test, Test::Variable(name, expected) if is_set(name) == *expected)).collect()
}
