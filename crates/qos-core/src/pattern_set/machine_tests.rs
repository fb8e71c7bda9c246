use super::machine::Program;
use super::walk::search;
use crate::pattern::{Match, Options, Pattern};
use proptest::prelude::*;

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
            2 => (inner.clone(), prop_oneof![Just("?="), Just("?!"), Just("?<="), Just("?<!"), Just("?>"), Just("?i:")]).prop_map(|(one, kind)| format!("({kind}{one})")),
        ]
    })
}

fn compare(text: &str, options: Options, subject: &[u8]) -> Result<bool, TestCaseError> {
    // A reference needs its group.
    let Ok(pattern) = Pattern::with(format!("{text}(?:)").as_bytes(), options).or_else(|_| Pattern::with(format!("()()|{text}").as_bytes(), options)) else {
        return Ok(false);
    };
    let Some(program) = Program::new(&pattern) else { return Ok(false) };
    let (alone, ours) = (pattern.matches(subject), search(&program, subject));
    prop_assert!(
        alone == ours || alone == Match::GivenUp,
        "{:?} {options:?} on {:?}: PCRE {alone:?}, ours {ours:?}",
        pattern.text(),
        subject.escape_ascii().to_string()
    );
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn programs_match_what_pcre_matches(text in expressions(), subjects in proptest::collection::vec("[abcA \n]{0,9}", 8), bits in 0..8u8) {
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
