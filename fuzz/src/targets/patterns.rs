//! Many patterns matched together say what each of them says alone. The first group holds patterns (a letter for their options before each), the others subjects.

use crate::input::{fields, groups};
use qos_core::pattern::{Match, Options, Pattern};
use qos_core::pattern_set::PatternSet;

const MOST_PATTERNS: usize = 8;
const MOST_SUBJECTS: usize = 8;
/// Longer ones are slow and not different.
const LONGEST: usize = 120;

pub fn run(data: &[u8]) {
    let mut groups = groups(data);
    let patterns: Vec<Pattern> = fields(groups.next().unwrap_or_default())
        .take(MOST_PATTERNS)
        .filter(|text| text.len() <= LONGEST)
        .filter_map(<[u8]>::split_first)
        .filter_map(|(options, text)| Pattern::with(text, Options { caseless: options & 1 == 1, dot_all: options & 2 == 2, strict_end: options & 4 == 4 }).ok())
        .collect();
    let set = PatternSet::new(patterns);
    for subject in groups.flat_map(fields).take(MOST_SUBJECTS).filter(|subject| subject.len() <= LONGEST) {
        let mut together = vec![Match::No; set.patterns().len()];
        set.judge(&[subject], &mut |index, matched| together[index] = matched);
        for (pattern, together) in set.patterns().iter().zip(together) {
            let alone = pattern.matches(subject);
            // An automaton knows where backtracking is given up.
            assert!(
                // The interpreter decides: the compiler of PCRE has a defect.
                alone == together || alone == Match::GivenUp || pattern.matches_interpreted(subject) == together,
                "{:?} {:?} on {:?}: alone {alone:?}, together {together:?}",
                pattern.text(),
                pattern.options(),
                subject.escape_ascii().to_string()
            );
        }
    }
}
