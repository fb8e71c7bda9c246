//! Names of variables that rules ask for, all looked up in one pass over what is set.

/// A set of names, each with the number that it was given.
#[derive(Clone, Debug)]
pub struct NameSet {
    names: Vec<Box<[u8]>>,
    /// Number + 1 of the first name with that hash; most names that are asked for find nothing here.
    first: [u16; SLOTS],
    /// Number + 1 of the next name with the same hash.
    next: Vec<u16>,
}

const SLOTS: usize = 256;

impl Default for NameSet {
    fn default() -> NameSet {
        NameSet { names: Vec::new(), first: [0; SLOTS], next: Vec::new() }
    }
}

impl NameSet {
    /// Adds a name; returns its number, the old one if it is there already. Case does not matter. At most 65535 names; more
    /// are never found.
    pub fn add(&mut self, name: &[u8]) -> usize {
        if let Some(number) = self.find(name) {
            return number;
        }
        self.names.push(name.into());
        if let Some(first) = self.first.get_mut(hash(name)) {
            self.next.push(*first);
            *first = u16::try_from(self.names.len()).unwrap_or(0);
        }
        self.names.len() - 1
    }

    /// How many names there are: their numbers are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of a name. Case does not matter.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let mut place = self.first.get(hash(name)).copied()?;
        while let Some(number) = usize::from(place).checked_sub(1) {
            if self.names.get(number).is_some_and(|own| own.eq_ignore_ascii_case(name)) {
                return Some(number);
            }
            place = self.next.get(number).copied()?;
        }
        None
    }
}

/// Length and two letters tell most names apart. The same for both cases of a letter.
fn hash(name: &[u8]) -> usize {
    let letter = |at: usize| name.get(at).map_or(0, |byte| usize::from(byte & 0x1f));
    (name.len() * 37 + letter(3) * 11 + letter(name.len().wrapping_sub(1))) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_found_in_any_case() {
        let mut set = NameSet::default();
        assert_eq!((set.add(b"QS_Block"), set.add(b"QS_Limit"), set.add(b"qs_block"), set.add(b"x")), (0, 1, 0, 2));
        assert_eq!(
            (set.find(b"QS_BLOCK"), set.find(b"QS_Blocks"), set.find(b"qs_limit"), set.find(b"X"), set.find(b"")),
            (Some(0), None, Some(1), Some(2), None)
        );
        assert_eq!(set.len(), 3);
    }

    proptest! {
        #[test]
        fn a_set_is_a_list(names in prop::collection::vec("[a-zA-Z_]{0,60}", 0..20), asked in "[a-zA-Z_]{0,60}") {
            let mut set = NameSet::default();
            let mut list: Vec<String> = vec![];
            for name in &names {
                let number = set.add(name.as_bytes());
                let position = list.iter().position(|own| own.eq_ignore_ascii_case(name));
                prop_assert_eq!(number, position.unwrap_or(list.len()));
                if position.is_none() {
                    list.push(name.clone());
                }
            }
            for name in names.iter().chain([&asked]) {
                prop_assert_eq!(set.find(name.as_bytes()), list.iter().position(|own| own.eq_ignore_ascii_case(name)));
            }
        }
    }
}
