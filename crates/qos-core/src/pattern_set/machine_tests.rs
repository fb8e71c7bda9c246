use super::machine::Program;
use super::walk::Walk;
use crate::pattern::{Match, Options, Pattern};
use proptest::prelude::*;

fn search(program: &Program, subject: &[u8]) -> Match {
    Walk::new(program, super::STEPS + subject.len() / 2 * super::STEPS_PER_TWO_BYTES).search(subject)
}

/// What patterns that need backtracking are made of, over few letters.
fn expressions() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        6 => "[abc]",
        2 => Just(".".to_owned()),
        2 => prop_oneof![Just("[ab]"), Just("[^a]"), Just("\\w"), Just("\\s"), Just("[a\\n]")].prop_map(str::to_owned),
        1 => prop_oneof![Just("^"), Just("$"), Just("\\b"), Just("\\B"), Just("\\z"), Just("\\Z")].prop_map(str::to_owned),
        2 => prop_oneof![Just("\\1"), Just("\\2")].prop_map(str::to_owned),
        1 => Just(String::new()),
    ];
    atom.prop_recursive(5, 24, 4, |inner| {
        let quantifier = prop_oneof![Just("*"), Just("+"), Just("?"), Just("*?"), Just("+?"), Just("??"), Just("*+"), Just("++"), Just("{2}"), Just("{1,2}"), Just("{2,}?")];
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("{one}{two}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("(?:{one}|{two})")),
            3 => inner.clone().prop_map(|one| format!("({one})")),
            3 => (inner.clone(), quantifier).prop_map(|(one, many)| format!("(?:{one}){many}")),
            2 => (inner.clone(), prop_oneof![Just("?="), Just("?!"), Just("?<="), Just("?<!"), Just("?>"), Just("?i:"), Just("?m:"), Just("?s-i:"), Just("?i)")]).prop_map(|(one, kind)| format!("({kind}{one})")),
        ]
    })
}

fn compare(text: &str, options: Options, subject: &[u8]) -> Result<bool, TestCaseError> {
    // A reference needs its group.
    let Ok(pattern) = Pattern::with(format!("{text}(?:)").as_bytes(), options).or_else(|_| Pattern::with(format!("()()|{text}").as_bytes(), options)) else {
        return Ok(false);
    };
    let Some(program) = Program::new(&pattern) else { return Ok(false) };
    let alone = pattern.matches(subject);
    for ours in [search(&program, subject), Walk::remembering(&program, super::STEPS).search(subject)] {
        // What refers to its groups may have to try all there is, where PCRE knows better for some.
        let all_tried = ours == Match::GivenUp && !program.forgetful;
        prop_assert!(
            alone == ours || alone == Match::GivenUp || all_tried || pattern.matches_interpreted(subject) == ours,
            "{:?} {options:?} on {:?}: PCRE {alone:?}, ours {ours:?}",
            pattern.text(),
            subject.escape_ascii().to_string()
        );
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("PATTERN_CASES").is_some() { 200_000 } else { 4_000 }))]

    #[test]
    fn programs_match_what_pcre_matches(text in expressions(), subjects in proptest::collection::vec("[abcA \n]{0,9}|[ab]{0,14}c?", 8), bits in 0..8u8) {
        let options = Options { caseless: bits & 1 == 1, dot_all: bits & 2 == 2, strict_end: bits & 4 == 4 };
        for subject in subjects {
            compare(&text, options, subject.as_bytes())?;
        }
    }
}

#[test]
fn what_programs_can_say() {
    for (text, matching, other) in [
        (r"(a|b)\1", "xbb", "ab"),
        (r"<(?!b>)\w+", "<script", "<b>"),
        (r"(?<=union)\s+select", "union select", "onion select"),
        (r"(?<!un|a)ion", "onion ion", "union"),
        (r#"(['"]).*?\1\s*="#, "x'a' =", "'a\" ="),
        (r"(?>a+)b", "aab", "aaa"),
        (r"(?i:a(b))\1c", "ABBc", "ABbC"),
        (r"(?:(a)|b)*\1$", "aba", "ab!"),
        (r"(?=.*x)(?!.*y)^a", "ax", "axy"),
        (r"a*?(?<=aaa)b", "aaab", "aab"),
        (r"(a*)*(?!.)", "aab", "\u{0}\n"),
        (r"(?m)^b$", "a\nb\nc", "a b"),
        (r"(?m)^(?!b)", "b\na", "b\n"),
        (r"(?x) ( a ) \1 # twice", "aa", "a a"),
        (r"((?i)a|b)\1", "BB", "aB"),
        (r"(a)\Q\1\E(?!x)", "a\\1", "aa"),
        (r"{(?!x)}?", "{a", "{x"),
        (r"a{600}(?!a)b", "aab", "aa"),
    ] {
        let pattern = Pattern::new(text.as_bytes()).unwrap();
        let program = Program::new(&pattern).unwrap();
        for subject in [matching, other] {
            assert_eq!(search(&program, subject.as_bytes()), pattern.matches(subject.as_bytes()), "{text} on {subject:?}");
        }
    }
    // What only PCRE knows.
    for text in [r"(?R)?a", r"a(*SKIP)b", r"(?<=a+)b", r"\p{L}", r"\X"] {
        assert!(Pattern::new(text.as_bytes()).ok().and_then(|pattern| Program::new(&pattern)).is_none(), "{text}");
    }
}

/// E2: one budget for the whole subject, whatever it is made of.
#[test]
fn all_steps_over_a_subject_are_counted() {
    let long = 128 * 1024;
    for (text, subject) in [
        (r"a[^b]*b(?!c|$)", [vec![b'a'; long], b"b".to_vec()].concat()),
        (r"(?=(a+)+$)a", b"aaaaaaaaaaaaaaa!".repeat(long / 16)),
        (r"(?=(?:a+)+!x)a", b"aaaaaaaaaaaaaaa!".repeat(long / 16)),
        (r"(\w+)\s\1x", b"ab".repeat(long / 2)),
        (r"(.*)(.*)(.*)\1(?<=x)", vec![b'y'; long]),
    ] {
        let program = Program::new(&Pattern::new(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(search(&program, &subject), Match::GivenUp, "{text}");
    }
    let plain = b"name=value&text=the quick brown fox jumps over the lazy dog ".repeat(long / 60);
    for text in [r"<(?!b>)\w+", r"(?<=union)\s+select", r"(['\x22])or\1=", r"\bor\b\s+(\d)=\1"] {
        let program = Program::new(&Pattern::new(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(search(&program, &plain), Match::No, "{text}");
    }
}
