//! Rules of a section, and what several sections make together.

use super::kept::{Kept, OF_PROCESS, Room};
use super::rule::{Kind, Rule, same_id};
use super::store::Hit;
use crate::pattern::{Match, Pattern};
use crate::pattern_set::{Budget, PatternSet};
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// Among the bits of kinds: a pattern about queries may ask where it matches.
pub(super) const LOOKS_AROUND: u8 = 1 << 7;

/// A place in no section: the rule is not in force there.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A function on lists of rules: what is inherited loses the removed ids, then each rule takes the place of the one with its id, or the last place. Such functions
/// can be applied one after the other or joined first (FW-25b).
#[derive(Debug)]
pub(super) struct Section {
    /// Nothing is inherited (`QS_DenyInheritanceOff`).
    pub alone: bool,
    /// Ids that are not inherited.
    pub removed: Vec<CString>,
    /// In the order in which they are evaluated.
    pub rules: Vec<Arc<Rule>>,
    /// Rules that another kind of rule with their id has replaced: the kinds and the id, for the one who wrote it.
    pub replaced: Vec<(Kind, Kind, CString)>,
    /// Kinds of which there are rules, one bit each, and [`LOOKS_AROUND`].
    pub kinds: u8,
    /// Where what it makes with inner ones may be kept.
    pub room: &'static Room,
    parts: OnceLock<Vec<Part>>,
    pub kept: Kept,
}

/// What was compiled for a section, and the place here of each of the section's rules.
#[derive(Debug)]
pub(super) struct Part {
    compiled: Arc<Compiled>,
    pub places: Vec<u32>,
}

/// The patterns of a section, by kind, and which of its rules each of them belongs to.
#[derive(Debug, Default)]
struct Compiled([(PatternSet, Vec<usize>); Kind::WITH_PATTERN.len()]);

/// What patterns may take for a request: one budget for each section and kind, whatever parts of it they are asked about.
#[derive(Debug, Default)]
pub(super) struct Budgets(Vec<(*const Compiled, Kind, Budget)>);

impl Budgets {
    fn of(&mut self, compiled: &Arc<Compiled>, kind: Kind) -> Option<&mut Budget> {
        let key = Arc::as_ptr(compiled);
        let place = self.0.iter().position(|(known, of, _)| (*known, *of) == (key, kind)).unwrap_or_else(|| {
            self.0.push((key, kind, Budget::default()));
            self.0.len() - 1
        });
        self.0.get_mut(place).map(|(_, _, budget)| budget)
    }
}

impl Default for Section {
    fn default() -> Section {
        let (removed, rules, replaced) = (Vec::new(), Vec::new(), Vec::new());
        Section { alone: false, removed, rules, replaced, kinds: 0, room: &OF_PROCESS, parts: OnceLock::new(), kept: Kept::default() }
    }
}

/// A copy that will be changed: nothing that was made of the original is its.
impl Clone for Section {
    fn clone(&self) -> Section {
        let Section { alone, removed, rules, replaced, kinds, room, .. } = self;
        let (removed, rules, replaced) = (removed.clone(), rules.clone(), replaced.clone());
        Section { alone: *alone, removed, rules, replaced, kinds: *kinds, room, parts: OnceLock::new(), kept: Kept::default() }
    }
}

/// An id, as the same as one in the other case.
struct Id<'a>(&'a CString);

impl Hash for Id<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().iter().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

impl PartialEq for Id<'_> {
    fn eq(&self, other: &Id<'_>) -> bool {
        same_id(self.0, other.0)
    }
}

impl Eq for Id<'_> {}

/// The place of a rule while sections are joined.
struct Place<'a> {
    rule: &'a Arc<Rule>,
    /// The section whose rule it is, by number.
    owner: usize,
    /// It was removed.
    free: bool,
}

impl Section {
    /// While its section is read: what was made of it before is not it any more.
    pub(super) fn changes(&mut self) {
        (self.parts, self.kept) = (OnceLock::new(), Kept::default());
        self.kinds = kinds(&self.rules);
    }

    /// What was compiled for it. One that was joined has it from the beginning.
    pub(super) fn parts(&self) -> &[Part] {
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

    /// Tells of the rules of a kind that match one of the subjects, each once, in no order.
    pub(super) fn matching(&self, kind: Kind, subjects: &[&[u8]], budgets: &mut Budgets, hit: &mut dyn FnMut(Hit)) {
        let Some(number) = Kind::WITH_PATTERN.iter().position(|known| *known == kind).filter(|_| self.has(kind)) else { return };
        for Part { compiled, places } in self.parts() {
            let Some((set, rules)) = compiled.0.get(number).filter(|(_, rules)| !rules.is_empty()) else { continue };
            let mut own = Budget::default();
            set.judge_within(budgets.of(compiled, kind).unwrap_or(&mut own), subjects, &mut |index, matched| {
                let place = rules.get(index).and_then(|rule| places.get(*rule)).copied().unwrap_or(NOWHERE);
                if place != NOWHERE {
                    hit(Hit { place, given_up: matched == Match::GivenUp });
                }
            });
        }
    }

    /// Whether a rule of a kind is in force.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.kinds >> kind as u8 & 1 == 1
    }

    /// What sections make together, the outermost first. Only that one may inherit nothing. Takes time for each rule, however many sections there are.
    pub(super) fn join(sections: &[&Section], room: &'static Room) -> Section {
        let most = sections.iter().map(|section| section.rules.len()).sum();
        let mut places: Vec<Place<'_>> = Vec::with_capacity(most);
        let mut by_id: HashMap<Id<'_>, usize> = HashMap::with_capacity(most);
        // The place of each rule of each section.
        let mut of_sections = Vec::with_capacity(sections.len());
        for (owner, section) in sections.iter().enumerate() {
            for id in &section.removed {
                if let Some(place) = by_id.remove(&Id(id)).and_then(|at| places.get_mut(at)) {
                    place.free = true;
                }
            }
            let mut of_section = Vec::with_capacity(section.rules.len());
            for rule in &section.rules {
                let at = *by_id.entry(Id(&rule.id)).or_insert(places.len());
                match places.get_mut(at) {
                    Some(place) => (place.rule, place.owner) = (rule, owner),
                    None => places.push(Place { rule, owner, free: false }),
                }
                of_section.push(at);
            }
            of_sections.push(of_section);
        }
        let rules = places.iter().filter(|place| !place.free).map(|place| place.rule.clone()).collect::<Vec<_>>();
        let mut next = 0u32;
        let numbers = places.iter().map(|place| {
            next += u32::from(!place.free);
            if place.free { NOWHERE } else { next - 1 }
        });
        let numbers = numbers.collect::<Vec<u32>>();
        let mut parts = Vec::new();
        for ((owner, section), of_section) in sections.iter().enumerate().zip(&of_sections) {
            let moved = |from: &u32| {
                let at = usize::try_from(*from).ok().and_then(|from| of_section.get(from));
                at.filter(|at| places.get(**at).is_some_and(|place| place.owner == owner)).and_then(|at| numbers.get(*at)).copied().unwrap_or(NOWHERE)
            };
            for part in section.parts() {
                let places = part.places.iter().map(moved).collect::<Vec<u32>>();
                if places.iter().any(|place| *place != NOWHERE) {
                    parts.push(Part { compiled: part.compiled.clone(), places });
                }
            }
        }
        let mut known = HashSet::new();
        let removed = sections.iter().flat_map(|section| &section.removed).filter(|id| known.insert(Id(id))).cloned().collect();
        let alone = sections.first().is_some_and(|section| section.alone);
        Section { alone, removed, kinds: kinds(&rules), rules, replaced: Vec::new(), room, parts: OnceLock::from(parts), kept: Kept::default() }
    }
}

fn kinds(rules: &[Arc<Rule>]) -> u8 {
    let looks_around = |rule: &Rule| rule.kind == Kind::Query && rule.pattern().is_some_and(Pattern::may_look_around);
    rules.iter().fold(0, |bits, rule| bits | 1 << rule.kind as u8 | if looks_around(rule) { LOOKS_AROUND } else { 0 })
}
