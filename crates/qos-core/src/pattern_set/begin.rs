//! What the next byte says about which way a program can go on: most alternatives of a long choice begin otherwise, and need not be tried.

use super::bytes::Bytes;
use super::machine::{Class, Step, class_of};
use std::collections::HashMap;

/// No way is left.
pub(super) const NOWHERE: u16 = u16::MAX;

/// With what a match can go on from a step.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Begin {
    bytes: Bytes,
    /// Nothing need follow.
    end: bool,
}

impl Begin {
    const fn any() -> Begin {
        Begin { bytes: Bytes::all(), end: true }
    }

    /// With a byte of a class.
    fn with(sets: &[Bytes], class: usize) -> Begin {
        Begin { bytes: sets.get(class).copied().unwrap_or_else(Bytes::all), end: false }
    }

    fn or(mut self, other: Begin) -> Begin {
        self.bytes.add_all(other.bytes);
        Begin { bytes: self.bytes, end: self.end || other.end }
    }
}

/// Where the splits of a program lead, by the next byte.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Bytes that mean the same to all steps.
    kinds: Vec<u8>,
    /// How many kinds there are, and one for the end of the subject.
    width: usize,
    /// Per split and kind the step at which a program goes on; the split itself where both ways are left.
    next: Vec<u16>,
    /// Per repetition of a class the bytes with which a match can go on behind it; `None`: nothing need follow.
    behind: Vec<Option<Class>>,
}

/// With which two bytes a match begins: one bit for each second byte, by the first one.
#[derive(Debug)]
pub(super) struct Pairs(Box<[Bytes; 256]>);

impl Pairs {
    /// The first place, from this one on, at which a match may begin.
    pub(super) fn find(&self, subject: &[u8], from: usize) -> Option<usize> {
        let rest = subject.get(from..)?;
        let may_begin = |(first, second): (&u8, &u8)| self.0.get(usize::from(*first)).is_some_and(|seconds| seconds.contains(*second));
        if let Some(ahead) = rest.iter().zip(rest.get(1..)?).position(may_begin) {
            return Some(from + ahead);
        }
        // The last byte has none behind it.
        let last = rest.last()?;
        self.0.get(usize::from(*last)).is_some_and(|seconds| *seconds == Bytes::all()).then(|| subject.len() - 1)
    }

    fn new(steps: &[Step], sets: &[Bytes], begins: &[Begin]) -> Pairs {
        let mut pairs = Box::new([Bytes::default(); 256]);
        let of = |step: usize| begins.get(step).copied().unwrap_or_else(Begin::any);
        for step in consuming(steps) {
            let (class, next) = match steps.get(step) {
                Some(Step::Byte(class) | Step::Run { class, min: 0..=1, max: 1, .. }) => (*class, of(step + 1)),
                Some(Step::Run { class, min: 0..=1, .. }) => (*class, of(step + 1).or(Begin::with(sets, *class))),
                Some(Step::Run { class, .. }) => (*class, Begin::with(sets, *class)),
                _ => continue,
            };
            let seconds = if next.end { Bytes::all() } else { next.bytes };
            let firsts = Begin::with(sets, class).bytes.and(of(0).bytes);
            for (byte, pair) in (0..=u8::MAX).zip(pairs.iter_mut()) {
                if firsts.contains(byte) {
                    pair.add_all(seconds);
                }
            }
        }
        Pairs(pairs)
    }
}

/// The steps that may take the first byte of a match.
fn consuming(steps: &[Step]) -> Vec<usize> {
    let (mut seen, mut open, mut found) = (vec![false; steps.len()], vec![0], Vec::new());
    while let Some(at) = open.pop() {
        match seen.get_mut(at) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        match steps.get(at) {
            Some(Step::Byte(_) | Step::Run { min: 1.., .. }) => found.push(at),
            Some(Step::Run { .. }) => {
                found.push(at);
                open.push(at + 1);
            }
            Some(Step::Split { first, second, .. }) => open.extend([*first, *second]),
            Some(Step::Jump(next) | Step::Look { next, .. }) => open.push(*next),
            Some(Step::Progress(_, end)) => open.extend([at + 1, *end]),
            // Nothing that begins a match goes on behind these without a byte: it would match without one.
            Some(Step::Accept | Step::Back(_) | Step::Again(..)) | None => {}
            Some(Step::Start | Step::End | Step::LineEnd | Step::WordBoundary(_) | Step::Mark(_) | Step::Open(_) | Step::Close(_) | Step::Atomic(_)) => {
                open.push(at + 1)
            }
        }
    }
    found
}

impl Ways {
    /// Finds out the ways of a program, and with which bytes a match begins; `None`: it may be empty.
    pub(super) fn new(steps: &[Step], classes: &[Class], splits: usize) -> (Ways, Option<Pairs>) {
        let sets =
            classes.iter().map(|class| (0..=u8::MAX).filter(|byte| class.get(usize::from(*byte)).copied().unwrap_or(false)).collect()).collect::<Vec<Bytes>>();
        let begins = begins(steps, &sets);
        let first = begins.first().filter(|begin| !begin.end).map(|_| Pairs::new(steps, &sets, &begins));
        let behind = |(at, step): (usize, &Step)| {
            matches!(step, Step::Run { .. }).then(|| begins.get(at + 1).filter(|begin| !begin.end).map(|begin| class_of(begin.bytes)))
        };
        let behind = steps.iter().enumerate().filter_map(behind).collect();
        if splits == 0 {
            return (Ways { behind, ..Ways::default() }, first);
        }
        let (kinds, samples) = kinds(classes);
        let width = samples.len() + 1;
        let mut ways = Ways { kinds, width, next: vec![NOWHERE; splits * width], behind };
        // From the end, so that ways are known where others lead to.
        for (at, step) in steps.iter().enumerate().rev() {
            let Step::Split { first, second, number } = step else { continue };
            for kind in 0..width {
                let is_left = |step: usize| match (begins.get(step), samples.get(kind)) {
                    (Some(begin), Some(byte)) => begin.bytes.contains(*byte),
                    (Some(begin), None) => begin.end,
                    (None, _) => true,
                };
                let next = match (is_left(*first), is_left(*second)) {
                    (true, true) => u16::try_from(at).unwrap_or(NOWHERE),
                    (true, false) => ways.follow(steps, *first, at, kind),
                    (false, true) => ways.follow(steps, *second, at, kind),
                    (false, false) => NOWHERE,
                };
                if let Some(place) = ways.next.get_mut(number * width + kind) {
                    *place = next;
                }
            }
        }
        (ways, first)
    }

    /// Where a step leads to, as far as that is known: splits behind `after` are.
    fn follow(&self, steps: &[Step], mut step: usize, after: usize, kind: usize) -> u16 {
        loop {
            match steps.get(step) {
                Some(Step::Jump(next)) if *next > step => step = *next,
                Some(Step::Split { number, .. }) if step > after => return self.next.get(number * self.width + kind).copied().unwrap_or(NOWHERE),
                _ => return u16::try_from(step).unwrap_or(NOWHERE),
            }
        }
    }

    /// The bytes with which a match can go on behind a repetition; `None`: nothing need follow.
    pub(super) fn behind(&self, run: usize) -> Option<&Class> {
        self.behind.get(run).and_then(Option::as_ref)
    }

    /// Where a split leads if this byte follows, or none; the split itself if both ways are left.
    pub(super) fn next(&self, split: usize, byte: Option<&u8>) -> u16 {
        let kind = byte.map_or(self.width - 1, |byte| self.kinds.get(usize::from(*byte)).copied().map_or(0, usize::from));
        self.next.get(split * self.width + kind).copied().unwrap_or(NOWHERE)
    }
}

/// With what a match can go on, for each step.
fn begins(steps: &[Step], sets: &[Bytes]) -> Vec<Begin> {
    let mut begins = vec![Begin::default(); steps.len()];
    loop {
        let mut changed = false;
        for (at, step) in steps.iter().enumerate().rev() {
            let of = |step: usize| begins.get(step).copied().unwrap_or_else(Begin::any);
            let begin = match step {
                Step::Byte(class) | Step::Run { class, min: 1.., .. } => Begin::with(sets, *class),
                Step::Run { class, .. } => Begin::with(sets, *class).or(of(at + 1)),
                Step::End => Begin { bytes: Bytes::default(), end: of(at + 1).end },
                Step::LineEnd => Begin { bytes: of(at + 1).bytes.and(Bytes::one(b'\n')), end: of(at + 1).end },
                Step::Start | Step::WordBoundary(_) | Step::Mark(_) | Step::Open(_) | Step::Close(_) | Step::Atomic(_) => of(at + 1),
                Step::Split { first, second, .. } => of(*first).or(of(*second)),
                Step::Jump(next) | Step::Look { next, .. } => of(*next),
                Step::Progress(_, end) => of(at + 1).or(of(*end)),
                // What a part matches must not depend on what follows.
                Step::Accept | Step::Back(_) | Step::Again(..) => Begin::any(),
            };
            if let Some(known) = begins.get_mut(at).filter(|known| **known != begin) {
                (*known, changed) = (begin, true);
            }
        }
        if !changed {
            return begins;
        }
    }
}

/// Which bytes mean the same to all classes, and one byte of each kind.
fn kinds(classes: &[Class]) -> (Vec<u8>, Vec<u8>) {
    let mut known: HashMap<Vec<bool>, u8> = HashMap::new();
    let mut samples = Vec::new();
    let kinds = (0..=u8::MAX).map(|byte| {
        let is_in = classes.iter().map(|class| class.get(usize::from(byte)).copied().unwrap_or(false));
        *known.entry(is_in.chain([byte == b'\n']).collect()).or_insert_with(|| {
            samples.push(byte);
            // Not more than there are bytes.
            u8::try_from(samples.len() - 1).unwrap_or(u8::MAX)
        })
    });
    let kinds = kinds.collect();
    (kinds, samples)
}

#[cfg(test)]
mod tests {
    use super::super::machine::Program;
    use super::*;
    use crate::pattern::Pattern;

    fn begins_with(text: &str) -> Option<String> {
        let program = Program::new(&Pattern::new(text.as_bytes()).unwrap()).unwrap();
        let letter = |byte: u8| byte.escape_ascii().to_string();
        let seconds = |seconds: &Bytes| (0..=u8::MAX).filter(|byte| seconds.contains(*byte)).map(letter).collect::<String>();
        let pair = |(first, second): (u8, &Bytes)| match second.count() {
            0 => String::new(),
            256 => format!("{}* ", letter(first)),
            _ => format!("{}[{}] ", letter(first), seconds(second)),
        };
        program.first.as_ref().map(|pairs| (0..=u8::MAX).zip(pairs.0.iter()).map(pair).collect::<String>().trim().to_owned())
    }

    #[test]
    fn where_a_match_may_begin() {
        let pairs = |text: &str| Program::new(&Pattern::new(text.as_bytes()).unwrap()).unwrap().first.unwrap();
        for (text, subject, from, expected) in [
            ("ab(?!x)", "xxab", 0, Some(2)),
            ("ab(?!x)", "abab", 1, Some(2)),
            ("ab(?!x)", "xa", 0, None),
            ("a(?!x)", "xa", 0, Some(1)),
            ("a(?!x)", "a", 0, Some(0)),
            ("a(?!x)", "a", 1, None),
            ("a(?!x)", "", 0, None),
            ("a+(?!x)", "bbaa", 0, Some(2)),
        ] {
            assert_eq!(pairs(text).find(subject.as_bytes(), from), expected, "{text} in {subject:?} from {from}");
        }
    }

    #[test]
    fn with_what_a_match_begins() {
        for (text, expected) in [
            ("(?:ab|cd|ce)(?!x)", Some("a[b] c[de]")),
            ("(?:ab|c)(?!x)", Some("a[b] c*")),
            ("a*bc(?!x)", Some("a[ab] b[c]")),
            ("a{2}b(?!x)", Some("a[a]")),
            ("a?b?cd(?!x)", Some("a[bc] b[c] c[d]")),
            ("(?:a?|b)*cd(?!x)", Some("a[abc] b[abc] c[d]")),
            ("(?>a|bd?)cd(?!x)", Some("a* b*")),
            ("(?>a|b?)c(?!x)", None),
            ("(?=x)yz(?!x)", Some("y[z]")),
            (r"\bxy(?!x)", Some("x[y]")),
            ("(?:^|a)bc(?!x)", Some("a[b] b[c]")),
            ("(?:$|a)(?!x)", None),
            (r"\zx(?!x)", Some("")),
            (r"$\n(?!x)", Some("\\n*")),
            ("(?<=a)bc(?!x)", Some("b[c]")),
            (r"(a|b?)\1(?!x)", None),
            ("a*(?!x)", None),
        ] {
            assert_eq!(begins_with(text), expected.map(str::to_owned), "{text}");
        }
    }
}
