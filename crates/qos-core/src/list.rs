//! Ordered lists of rules that are cheap to inherit: records of locations are merged while requests are served.

use std::sync::Arc;

/// Rules in the order in which they are evaluated. A copy shares them.
#[derive(Debug)]
pub struct List<T>(Option<Arc<[Arc<T>]>>);

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(None)
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> List<T> {
        List(self.0.clone())
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &List<T>) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others) || own == others,
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T> List<T> {
    /// Adds a rule at the end. Costs as much as the list is long: for reading the configuration.
    pub fn push(&mut self, rule: T) {
        let rule = Arc::new(rule);
        self.0 = Some(self.0.iter().flat_map(|own| own.iter()).cloned().chain([rule]).collect());
    }

    /// Adds a rule at the end, in the place of those it stands for.
    pub fn replace(&mut self, rule: T, same: impl Fn(&T, &T) -> bool) {
        let mut own = List::default();
        own.push(rule);
        *self = List::merge(self, &own, same);
    }

    /// What is inherited, then the own rules.
    #[must_use]
    pub fn append(base: &List<T>, own: &List<T>) -> List<T> {
        List::merge(base, own, |_, _| false)
    }

    /// What is inherited, without those that an own rule stands for, then the own rules (request-event.md W05).
    #[must_use]
    pub fn merge(base: &List<T>, own: &List<T>, same: impl Fn(&T, &T) -> bool) -> List<T> {
        let (Some(inherited), Some(rules)) = (&base.0, &own.0) else {
            return if own.0.is_none() { base.clone() } else { own.clone() };
        };
        let inherited = inherited.iter().filter(|old| !rules.iter().any(|new| same(old, new)));
        List(Some(inherited.chain(rules.iter()).cloned().collect()))
    }

    /// The own rules, then what is inherited, without those that an own rule stands for.
    #[must_use]
    pub fn merge_behind(own: &List<T>, base: &List<T>, same: impl Fn(&T, &T) -> bool) -> List<T> {
        let (Some(inherited), Some(rules)) = (&base.0, &own.0) else {
            return if own.0.is_none() { base.clone() } else { own.clone() };
        };
        let inherited = inherited.iter().filter(|old| !rules.iter().any(|new| same(old, new)));
        List(Some(rules.iter().chain(inherited).cloned().collect()))
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|own| own.iter()).map(AsRef::as_ref)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rules: &[&'static str]) -> List<&'static str> {
        let mut list = List::default();
        rules.iter().for_each(|rule| list.push(*rule));
        list
    }

    fn text(list: &List<&'static str>) -> String {
        list.iter().copied().collect::<Vec<_>>().join(" ")
    }

    fn same(a: &&str, b: &&str) -> bool {
        a.eq_ignore_ascii_case(b)
    }

    #[test]
    fn lists_are_ordered_and_own_rules_replace_inherited_ones() {
        let (base, own) = (list(&["a", "b", "a"]), list(&["C", "A"]));
        assert_eq!(text(&List::append(&base, &own)), "a b a C A");
        assert_eq!(text(&List::merge(&base, &own, same)), "b C A");
        assert_eq!(text(&List::merge_behind(&own, &base, same)), "C A b");
        let mut replaced = base.clone();
        replaced.replace("B", same);
        assert_eq!((text(&replaced), text(&base)), ("a a B".to_owned(), "a b a".to_owned()));
    }

    #[test]
    fn what_one_side_decides_alone_is_shared() {
        let (base, none) = (list(&["a"]), List::default());
        for merged in [List::append(&base, &none), List::merge(&none, &base, same)] {
            assert!(Arc::ptr_eq(merged.0.as_ref().unwrap(), base.0.as_ref().unwrap()));
        }
        assert!(none.is_empty() && List::append(&none, &none).is_empty() && none == List::default() && none != base);
        assert_eq!(base, list(&["a"]));
    }
}
