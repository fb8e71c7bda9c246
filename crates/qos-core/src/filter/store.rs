//! The rules of a location, and how those of sections become one (filters.md section 2.2).
//!
//! Sections are merged while requests are served. What a section says is compiled once, before children start; merging joins what was compiled and says
//! which of the rules are still in force at which place. What was merged once is [kept](super::kept) as long as there is room; else sections are only put one behind the
//! other, and what they make together is found out where one of their rules matches.

use super::rule::{Kind, Rule, Test, same_id};
use super::section::{Budgets, LOOKS_AROUND, Section};
use std::ffi::CString;
use std::sync::{Arc, OnceLock};

/// Sections that are put one behind the other, at most about so many; more are joined.
const MOST_IN_ROW: u32 = 64;

/// The rules of a section or of several merged ones. A copy shares them.
#[derive(Clone, Default)]
pub struct Rules(Option<Link>);

#[derive(Clone)]
enum Link {
    /// A section, or several that were joined.
    One(Arc<Section>),
    /// Two that were put one behind the other, for one request.
    Row(Arc<Row>),
}

struct Row {
    outer: Link,
    inner: Link,
    /// How deep rows are in this one.
    depth: u32,
    /// Kinds of rules that the sections have; some may be in force no more.
    kinds: u8,
    joined: OnceLock<Section>,
}

/// A rule that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// Its place in the order of evaluation.
    pub place: u32,
    /// It cannot be said whether it matches: the pattern was given up at the match limit.
    pub given_up: bool,
}

impl Link {
    /// What is known of them without joining them: that of the outermost section.
    fn alone(&self) -> bool {
        match self {
            Link::One(section) => section.alone,
            Link::Row(row) => row.outer.alone(),
        }
    }

    fn kinds(&self) -> u8 {
        match self {
            Link::One(section) => section.kinds,
            Link::Row(row) => row.kinds,
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Link::One(_) => 0,
            Link::Row(row) => row.depth,
        }
    }

    /// The sections, the outermost first.
    fn sections<'s>(&'s self, all: &mut Vec<&'s Section>) {
        match self {
            Link::One(section) => all.push(section),
            Link::Row(row) => {
                row.outer.sections(all);
                row.inner.sections(all);
            }
        }
    }

    /// What they make together.
    fn joined(&self) -> &Section {
        match self {
            Link::One(section) => section,
            Link::Row(row) => row.joined.get_or_init(|| row.join()),
        }
    }

    fn matches(&self, kind: Kind, subjects: &[&[u8]], budgets: &mut Budgets) -> bool {
        match self {
            Link::One(section) => {
                let mut found = false;
                section.matching(kind, subjects, budgets, &mut |_| found = true);
                found
            }
            Link::Row(row) => row.outer.matches(kind, subjects, budgets) || row.inner.matches(kind, subjects, budgets),
        }
    }

    fn merge(outer: &Link, inner: &Link) -> Link {
        if let (Link::One(outer), Link::One(inner)) = (outer, inner) {
            // What lasts no longer than its request does not come again.
            if let Some(both) = Some(outer.room).filter(|_| inner.room.is_any()).and_then(|room| outer.kept.get(outer, inner, room)) {
                return Link::One(both);
            }
        }
        let depth = 1 + outer.depth().max(inner.depth());
        let row = Row { outer: outer.clone(), inner: inner.clone(), depth, kinds: outer.kinds() | inner.kinds(), joined: OnceLock::new() };
        if depth < MOST_IN_ROW { Link::Row(Arc::new(row)) } else { Link::One(Arc::new(row.join())) }
    }
}

impl Row {
    fn join(&self) -> Section {
        let mut sections = Vec::new();
        self.outer.sections(&mut sections);
        self.inner.sections(&mut sections);
        Section::join(&sections, &super::kept::NONE)
    }
}

impl Rules {
    /// Adds a rule, in the place of one with the same id in the same section. For reading the configuration.
    pub fn add(&mut self, rule: Rule) {
        self.change(|section| {
            if section.removed.iter().any(|id| same_id(id, &rule.id)) {
                return;
            }
            match section.rules.iter_mut().find(|old| same_id(&old.id, &rule.id)) {
                Some(old) => {
                    if old.kind != rule.kind {
                        section.replaced.push((old.kind, rule.kind, rule.id.clone()));
                    }
                    *old = Arc::new(rule);
                }
                None => section.rules.push(Arc::new(rule)),
            }
        });
    }

    /// Removes the rule with an id, whatever its kind: an inherited one, and one of the same section, before or after. For reading the configuration.
    pub fn remove(&mut self, id: CString) {
        self.change(|section| {
            section.rules.retain(|rule| !same_id(&rule.id, &id));
            if !section.removed.iter().any(|old| same_id(old, &id)) {
                section.removed.push(id);
            }
        });
    }

    /// Nothing is inherited. For reading the configuration.
    pub fn stand_alone(&mut self) {
        self.change(|section| section.alone = true);
    }

    /// Where merged ones are kept.
    #[cfg(test)]
    pub(super) fn keep_in(&mut self, room: &'static super::kept::Room) {
        self.change(|section| section.room = room);
    }

    /// Changes a section while it is read.
    fn change(&mut self, change: impl FnOnce(&mut Section)) {
        let mut section = match self.0.take() {
            None => Arc::default(),
            Some(Link::One(section)) => section,
            Some(Link::Row(row)) => Arc::new(row.join()),
        };
        let changed = Arc::make_mut(&mut section);
        change(changed);
        changed.changes();
        self.0 = Some(Link::One(section));
    }

    /// Rules of an outer section, then those of an inner one.
    #[must_use]
    pub fn merge(base: &Rules, own: &Rules) -> Rules {
        match (&base.0, &own.0) {
            (_, None) => base.clone(),
            (None, Some(_)) => own.clone(),
            (Some(_), Some(inner)) if inner.alone() => own.clone(),
            (Some(outer), Some(inner)) => Rules(Some(Link::merge(outer, inner))),
        }
    }

    /// Whether nothing is inherited.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.0.as_ref().is_some_and(Link::alone)
    }

    /// Whether no rule is in force. Where that would have to be found out first, it may be `false` although each rule of the sections was removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds() == 0
    }

    fn kinds(&self) -> u8 {
        self.0.as_ref().map_or(0, Link::kinds)
    }

    /// Whether a rule of a kind is in force.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds() >> kind as u8 & 1 == 1 && self.joined().is_some_and(|section| section.has(kind))
    }

    /// Whether a rule of a kind may be in force: nothing has to be found out for it.
    pub(super) fn may_have(&self, kind: Kind) -> bool {
        self.kinds() >> kind as u8 & 1 == 1
    }

    /// Whether a text may match a rule about queries alone that does not match within a longer one.
    pub(super) fn may_look_around(&self) -> bool {
        self.kinds() & LOOKS_AROUND != 0
    }

    /// The rules in the order in which they are evaluated.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.as_slice().iter().map(AsRef::as_ref)
    }

    /// Ids that are removed from what is inherited.
    pub fn removed(&self) -> impl Iterator<Item = &CString> {
        self.joined().into_iter().flat_map(|section| section.removed.iter())
    }

    /// Rules of one section that another kind of rule with their id has replaced: the kinds and the id.
    pub fn replaced(&self) -> impl Iterator<Item = &(Kind, Kind, CString)> {
        self.joined().into_iter().flat_map(|section| section.replaced.iter())
    }

    /// Makes the tables of the patterns, which takes up to some tenths of a second where there are hundreds of them. Otherwise that happens when they are asked.
    pub fn compile(&self) {
        if let Some(section) = self.joined() {
            section.parts();
        }
    }

    /// The rule at a place.
    pub(super) fn at(&self, place: u32) -> Option<&Rule> {
        self.as_slice().get(usize::try_from(place).ok()?).map(AsRef::as_ref)
    }

    /// Adds the rules of a kind that match one of the subjects, each once, in no order.
    pub(super) fn matching(&self, kind: Kind, subjects: &[&[u8]], budgets: &mut Budgets, hits: &mut Vec<Hit>) {
        let Some(link) = self.0.as_ref().filter(|_| self.may_have(kind)) else { return };
        // Most requests match nothing: no need to know what is in force.
        if link.is_joined() || link.matches(kind, subjects, budgets) {
            link.joined().matching(kind, subjects, budgets, &mut |hit| hits.push(hit));
        }
    }

    fn joined(&self) -> Option<&Section> {
        self.0.as_ref().map(Link::joined)
    }

    fn as_slice(&self) -> &[Arc<Rule>] {
        self.joined().map(|section| section.rules.as_slice()).unwrap_or_default()
    }
}

impl Link {
    fn is_joined(&self) -> bool {
        match self {
            Link::One(_) => true,
            Link::Row(row) => row.joined.get().is_some(),
        }
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Rules) -> bool {
        match (&self.0, &other.0) {
            (Some(Link::One(one)), Some(Link::One(other))) if Arc::ptr_eq(one, other) => true,
            (Some(Link::Row(one)), Some(Link::Row(other))) if Arc::ptr_eq(one, other) => true,
            (Some(one), Some(other)) => {
                let (one, other) = (one.joined(), other.joined());
                (one.alone, &one.removed, &one.rules, &one.replaced) == (other.alone, &other.removed, &other.rules, &other.replaced)
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
    if !rules.may_have(Kind::Event) {
        return Vec::new();
    }
    rules.iter().filter(|rule| matches!(&rule.test, Test::Variable(name, expected) if is_set(name) == *expected)).collect()
}
