use super::property_tests::{NO_TABLES, same};
use super::{PatternSet, Ways};
use crate::pattern::{Match, Options, Pattern};

fn set(patterns: &[&str]) -> PatternSet {
    PatternSet::new(patterns.iter().map(|pattern| Pattern::new(pattern.as_bytes()).unwrap()).collect())
}

fn found(set: &PatternSet, subject: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    assert_eq!(set.matches(subject, &mut |index| found.push(index)), None);
    found
}

fn ways(patterns: &[&str]) -> (usize, usize, usize) {
    let Ways { automaton, checked, pcre, .. } = set(patterns).ways();
    (automaton, checked, pcre)
}

#[test]
fn all_that_match_are_found_in_order() {
    let set = set(&["^/app/foo[0-9]+/", r"\.pdf$", "/(a|b)/x", "^/", "(?i)APP", "(.)\\1", "", "^/app/(?!foo8)"]);
    assert_eq!(found(&set, b"/app/foo7/b/x.pdf"), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(found(&set, b"/app/foo8/b.pdf"), [0, 1, 3, 4, 5, 6]);
    assert_eq!(found(&set, b"app/a/x"), [2, 4, 5, 6]);
    assert_eq!(found(&set, b""), [6]);
    assert_eq!(found(&PatternSet::default(), b"/"), [0; 0]);
    assert_eq!(found(&PatternSet::new(Vec::new()), b"/"), [0; 0]);
}

/// Patterns whose meaning is easily got wrong, each with subjects that show the difference.
const TRICKY: &[(&str, &[&str])] = &[
    ("a$", &["a", "a\n", "a\n\n", "a\r\n", "ab"]),
    (r"a\Z", &["a", "a\n", "a\n\n"]),
    (r"a\z", &["a", "a\n"]),
    ("a$\n", &["a\n", "a", "a\n\n"]),
    ("a$\nb", &["a\nb"]),
    ("(a$)*", &["", "b"]),
    ("(a|b$)x", &["ax", "bx", "b\nx"]),
    ("$a|b", &["b", "a"]),
    ("^$", &["", "\n", "\n\n", "a"]),
    ("$", &["", "a"]),
    ("a^b", &["ab", "a\nb"]),
    ("a\n^b", &["a\nb"]),
    ("(^a|b)c", &["ac", "xac", "xbc"]),
    ("^a|b", &["xb", "xa", "a"]),
    ("a.b", &["a\nb", "a\rb", "a\u{85}b", "a\0b"]),
    ("^.*b", &["ab", "\nb", "a\nb"]),
    (".*b$", &["a\nb\n"]),
    (r"\s", &["\u{b}", "\u{c}", "\u{85}", "\u{a0}", " "]),
    (r"^\w$", &["_", "é", "a", "ª"]),
    (r"\d", &["1", "٣", "¹"]),
    (r"\bfoo\b", &["foo", "xfoo", "foo_", "foo-", "éfoo"]),
    (r"\Bfoo", &["foo", "xfoo"]),
    ("(?i)straße", &["STRAßE", "strasse", "straSSe"]),
    ("(?i)k", &["\u{212a}", "K"]),
    ("(?i)É", &["é", "É"]),
    ("(?i)[^a]", &["A", "a", "b"]),
    ("(?i)[[:upper:]]", &["a", "A", "1"]),
    (r"(?i)[^\W]", &["a", "-"]),
    ("(?i)a|b", &["B", "A"]),
    ("(a(?i)b|c)", &["aB", "C", "AB"]),
    ("(?i:a)b", &["Ab", "AB"]),
    ("[]a]", &["]", "a", "b"]),
    ("[^]a]", &["]", "b"]),
    ("[a^]", &["^"]),
    ("[a-]", &["-", "b"]),
    ("[+--]", &[",", "-", "."]),
    (r"[\w-]", &["-", "a", "."]),
    (r"[a\]b]", &["]", "\\"]),
    ("[a&&b]", &["a", "&", "b"]),
    ("[a--b]", &["a", "b"]),
    ("[a~~b]", &["~"]),
    ("[[a]b]", &["ab]", "[b]", "b"]),
    ("[[:alpha:]-]", &["-", "a", ":"]),
    ("[[:^digit:]]", &["1", "a"]),
    ("[:alpha]x", &["ax", ":x"]),
    ("[a[=b]x", &["ax", "[x", "=x"]),
    ("[[:a\\]:]x", &["ax", "]x", ":]x"]),
    ("[a-[:b]x", &["[x", ":x", "cx"]),
    ("[[.a]x", &[".x", "ax"]),
    ("[é]", &["é", "\u{c3}", "ã"]),
    ("é{2}", &["éé", "é\u{a9}"]),
    (r"\x41\x{42}\x4", &["AB\u{4}"]),
    (r"\101", &["A"]),
    (r"\01", &["\u{1}"]),
    (r"a\0b", &["a\0b"]),
    (r"\Q.*\E", &[".*", "ab"]),
    (r"\Qa\Eb+", &["abb"]),
    (r"a\Eb", &["ab"]),
    ("a{,2}b", &["ab", "a{,2}b", "aab"]),
    ("a{2,1}", &["a{2,1}"]),
    ("a{2", &["a{2", "aa"]),
    ("a{ 2}", &["a{ 2}", "aa"]),
    ("x{0}y", &["y"]),
    (r"(a|\A){0}$", &["a", "b"]),
    ("a{2}{3}", &["aaaaaa", "aaa"]),
    ("a++a", &["aaa"]),
    ("(?>a+)a", &["aaa"]),
    ("(?>a|ab)c", &["abc", "ac"]),
    ("a?+a", &["a", "aa"]),
    ("a(?=b)", &["ab", "ac"]),
    ("(?<!x)a", &["xa", "ya", "a"]),
    ("a(?!b)", &["a", "ab"]),
    (r"(a|b)\1", &["aa", "ab"]),
    (r"(a)?\1b", &["b", "aab"]),
    (r"(?<n>a)\k<n>", &["aa", "a"]),
    ("(?|(a)|(b))", &["b"]),
    ("(?#comment)a", &["a"]),
    ("(?x)a b # c", &["ab", "a b"]),
    ("(?s)a.b", &["a\nb"]),
    ("(?m)^b$", &["a\nb\nc"]),
    ("(?-i)a", &["A"]),
    ("(?i)a(?-i)b", &["AB", "Ab"]),
    (r"a\Kb", &["ab"]),
    (r"\Ga", &["a", "ba"]),
    (r"\h\v\R", &["\t\n\n"]),
    (r"\N", &["\n", "a"]),
    ("(|a)b", &["b"]),
    ("(a|)", &[""]),
    ("(|a)+b", &["aab"]),
    ("(a*)*b", &["aab", "c"]),
    (r"(\b|a)*c", &["aac"]),
    ("(^|/)x", &["x", "a/x", "ax"]),
    ("(/|$)", &["a", "a/"]),
    ("x(/|$)", &["x", "x\n", "x/", "xy"]),
    ("(*UTF)é.", &["éé"]),
    ("(*CRLF)a.b$", &["a\nb\r\n"]),
    ("a(*FAIL)|b", &["a", "b"]),
    ("(a)(?1)", &["aa", "a"]),
    ("(?(?=a)ab|c)", &["ab", "c"]),
    (r"\p{L}", &["é", "a"]),
    (r"\<", &["<"]),
    ("]}", &["]}"]),
    ("a\0b", &["a\0b"]),
    ("/{2,}", &["//", "/"]),
];

#[test]
fn tricky_patterns_mean_what_pcre_means() {
    // All of them together are one automaton, or one search for literals.
    let all = |options: Options| TRICKY.iter().filter_map(move |(pattern, subjects)| Some((Pattern::with(pattern.as_bytes(), options).ok()?, *subjects)));
    let plain = Options::default();
    for options in [plain, Options { caseless: true, ..plain }, Options { dot_all: true, ..plain }] {
        let together = PatternSet::new(all(options).map(|(pattern, _)| pattern).collect());
        assert!(together.patterns().len() > 90, "{}", together.patterns().len());
        let by_literals = PatternSet::with_limits(together.patterns().to_vec(), NO_TABLES);
        for (pattern, subjects) in all(options) {
            let alone = PatternSet::new(vec![pattern]);
            for subject in subjects.iter().map(|subject| subject.as_bytes()).chain([&b""[..], b"\n", b"\xff", b"\0", b"aaab\n"]) {
                for set in [&alone, &together, &by_literals] {
                    same(set, subject).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_an_automaton_can_say_is_not_asked_of_pcre() {
    assert_eq!(ways(&["^/app/foo[0-9]+/", r"\.pdf$", "/(a|b)/x", "(?i)login", r"^/[\w.-]+\.php(/|$)", "^/a/.*/b$", ".*", ""]), (8, 0, 0));
    assert_eq!(ways(&["^/a/(?!b)", r"/(.+)/\1/x", "/a++b", "(?>/a)", "a$b"]), (0, 5, 0));
    assert_eq!(ways(&["(?=a)", r"a\Kb", r"\p{L}", "a{,2}", "(?:ab){600}"]), (0, 0, 5));
    assert_eq!(ways(&["(?s)a.b", "(?i)a(?-i)b", "(?x) a b # c", r"\Qa.\Eb", "(?#c)a", "{{a}}", r"\Ga[\h\v]", "[a[=<>]b"]), (8, 0, 0));
    assert_eq!(ways(&["(?m)^a$", "a{600}b", "a[^b]{1,1000}b"]), (0, 3, 0));
    assert_eq!(ways(&["a.*b", "b.*c", "c.*d"]), (3, 0, 0));
    assert_eq!(ways(&["a.*b", "b.*c", "c.*d", "d.*e"]), (0, 4, 0));
}

#[test]
fn who_is_given_up_is_said() {
    let subject = [&[b'a'; 60][..], b"!"].concat();
    let patterns = set(&["a", r"^(a+)+$(?!b)\1?", "b", "!"]);
    assert_eq!(patterns.patterns()[1].matches(&subject), Match::GivenUp);
    let mut found = Vec::new();
    // Each `$` in it makes the automaton say "perhaps": the rest has to be asked.
    assert_eq!(patterns.matches(&subject, &mut |index| found.push(index)), Some(1));
    assert_eq!(found, [0, 3]);
    let mut judged = Vec::new();
    patterns.judge(&[&subject], &mut |index, matched| judged.push((index, matched)));
    assert_eq!(judged, [(0, Match::Yes), (1, Match::GivenUp), (3, Match::Yes)]);
    // An automaton needs no backtracking, and knows.
    assert_eq!(set(&["^(a+)+$"]).matches(&subject, &mut |_| panic!("it does not match")), None);
}

#[test]
fn one_of_several_subjects_is_enough() {
    let set = set(&["a", "^b", "(?!b)c", "", r"(.)\1"]);
    let judge = |subjects: &[&[u8]]| {
        let mut judged = Vec::new();
        set.judge(subjects, &mut |index, matched| judged.push((index, matched == Match::Yes)));
        judged
    };
    assert_eq!(judge(&[b"ca", b"b"]), [(0, true), (1, true), (2, true), (3, true)]);
    assert_eq!(judge(&[b"x", b"cc"]), [(2, true), (3, true), (4, true)]);
    assert_eq!(judge(&[]), []);
}

#[test]
fn options_are_part_of_a_pattern() {
    let pattern = |caseless, dot_all| Pattern::with(b"A.b$", Options { caseless, dot_all, strict_end: false }).unwrap();
    let set = PatternSet::new(vec![pattern(false, false), pattern(true, false), pattern(false, true), pattern(true, true)]);
    assert_eq!(set.ways().automaton, 4);
    assert_eq!(found(&set, b"a\nB\n"), [3]);
    assert_eq!(found(&set, b"A\nb"), [2, 3]);
    assert_eq!(found(&set, b"axb"), [1, 3]);
}

/// Patterns that would need exponentially many states together.
#[test]
fn patterns_that_make_tables_explode_are_found_by_their_literals() {
    let patterns: Vec<Pattern> = (0..100)
        .map(|n| match n % 4 {
            0 => format!("foo{n}.*bar{n}.*baz{n}"),
            1 => format!("^/x{n}.*y{n}.*z{n}$"),
            2 => format!("a{n}.{{30}}b{n}"),
            _ => format!("^/app{n}/"),
        })
        .map(|text| Pattern::new(text.as_bytes()).unwrap())
        .collect();
    let set = PatternSet::new(patterns);
    let ways = set.ways();
    assert_eq!((ways.automaton, ways.checked, ways.pcre, ways.passes), (25, 75, 0, 2), "{ways:?}");
    assert!(ways.memory < 1 << 20, "{ways:?}");
    for (subject, expected) in [
        ("foo4 foo8 bar8 bar4 baz8 baz4", &[4, 8][..]),
        ("baz4 bar4 foo4", &[]),
        ("/x5 y5 z5", &[5]),
        ("/x5 y5 z5\n", &[5]),
        ("/x5 y5 z5.", &[]),
        ("a6..............................b6", &[6]),
        ("a6.............................b6", &[]),
        ("/app3/", &[3]),
    ] {
        same(&set, subject.as_bytes()).unwrap();
        assert_eq!(found(&set, subject.as_bytes()), expected, "{subject}");
    }
}

#[test]
fn a_table_that_becomes_too_large_is_made_without_what_repeats() {
    let mut patterns: Vec<String> = (1..61).map(|n| format!("x{n}[^/]{{{n}}}y")).collect();
    patterns.extend(["/simple".to_owned(), "[a-z]{400}([a-y]{400}[a-x]){300}".to_owned()]);
    let set = set(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
    let ways = set.ways();
    assert_eq!((ways.automaton, ways.checked, ways.pcre, ways.passes), (2, 59, 1, 2), "{ways:?}");
    assert!(ways.memory < 1 << 20, "{ways:?}");
    assert_eq!(found(&set, b"/simple/x3abcy"), [2, 60]);
    assert_eq!(found(&set, b"/simple/x3abcdy"), [60]);
}

#[test]
fn thousands_of_patterns_take_bounded_memory() {
    let patterns = (0..3000).map(|n| Pattern::new(format!("(?i)/area{n}/[a-z0-9]+/item{}\\.html$", n * 7).as_bytes()).unwrap()).collect();
    let set = PatternSet::new(patterns);
    let ways = set.ways();
    assert!(ways.memory <= 4 << 20 && ways.pcre == 0 && ways.passes <= 2, "{ways:?}");
    assert_eq!(found(&set, b"/Area2999/abc/item20993.html"), [2999]);
    assert_eq!(found(&set, b"/x/area0/abc/item0.html\n"), [0]);
    assert_eq!(found(&set, b"/area1/abc/item0.html"), [0; 0]);
}

/// A pattern without literals is left to PCRE; one with alternatives needs a literal in each of them.
#[test]
fn literals_are_found_where_patterns_have_them() {
    let literals = |pattern: &str| super::literals::required(&super::syntax::read(&Pattern::new(pattern.as_bytes()).unwrap()).unwrap());
    let expect = |pattern: &str, expected: &[&str]| {
        let mut literals = literals(pattern).unwrap();
        literals.sort();
        assert_eq!(literals, expected.iter().map(|literal| literal.as_bytes().to_vec()).collect::<Vec<_>>(), "{pattern}");
    };
    expect("foo.*longer", &["longer"]);
    expect("(?i)Foo", &["foo"]);
    expect("(foo|bar.*x)", &["bar", "foo"]);
    expect("(?:(union|SELECT)[a-z]+from)", &["select", "union"]);
    expect("(union|select)[a-z]+of", &["select", "union"]);
    expect("a[0-3]b", &["a0b", "a1b", "a2b", "a3b"]);
    expect("[^/]x[^/]", &["x"]);
    expect("(?>foo)+(?=bar)", &["foo"]);
    expect("ab{3}c+d", &["abbbc"]);
    expect("^ab?(cd)*", &["a"]);
    for pattern in ["", "[0-9]+", "a?", "(foo|.*)", r"(.)\1", "(?=foo)", "(foo)?", "(a|b|c|d|e|f|g|h|i)?x*"] {
        assert_eq!(literals(pattern), None, "{pattern}");
    }
}

/// All threads of a child search in the same tables.
#[test]
fn threads_share_a_set() {
    let set = set(&["^/a[0-9]+/", r"\.pdf$", r"(.)\1"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let set = set.clone();
            scope.spawn(move || {
                for _ in 0..1000 {
                    assert_eq!(found(&set, b"/a1/x.pdf"), [0, 1]);
                    assert_eq!(found(&set, b"/b//"), [2]);
                }
            });
        }
    });
}

/// E2: all subjects share one budget, and what is left to PCRE has less of it at each byte the more bytes there are.
#[test]
fn subjects_share_what_a_pattern_may_take() {
    let slow = set(&[r"(a+)+\1b"]);
    let subject = format!("{}!b", "a".repeat(11));
    let judge = |set: &PatternSet, subjects: &[&[u8]]| {
        let mut said = Match::No;
        set.judge(subjects, &mut |_, matched| said = matched);
        said
    };
    assert_eq!(judge(&slow, &[subject.as_bytes(), b"b"]), Match::No);
    assert_eq!(judge(&slow, &vec![subject.as_bytes(); 1000]), Match::GivenUp);
    let pcre = set(&[r"a[^b]*[^c]*\p{L}z"]);
    assert_eq!((ways(&[r"a[^b]*[^c]*\p{L}z"]), judge(&pcre, &[b"aaaa"]), judge(&pcre, &[b"aaaaxz"])), ((0, 0, 1), Match::No, Match::Yes));
    for length in [4 << 10, 128 << 10] {
        assert_eq!(judge(&pcre, &[format!("{}!z", "a".repeat(length)).as_bytes()]), Match::GivenUp, "{length}");
    }
}
