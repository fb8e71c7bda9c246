//! Regular expressions with PCRE meaning, over bytes, under a match limit (design invariant 7).

mod around;
mod end;
mod text;

use around::may_look_around;
use end::strict_end;
use pcre2::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
pub(crate) use text::as_text;

/// Backtracking steps after which a match is given up: a millisecond or two.
const MATCH_LIMIT: u32 = 100_000;

/// A compiled pattern: unanchored, case-sensitive unless the pattern says otherwise. A copy shares what was compiled.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    text: String,
    /// What was compiled, where that is not the text.
    strict: Option<String>,
    options: Options,
    looks_around: bool,
    regex: Regex,
}

/// How a pattern is meant besides what it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Case does not count.
    pub caseless: bool,
    /// `.` stands for line ends as well.
    pub dot_all: bool,
    /// `$` stands for the end of the subject only, not for the place before a line end that ends it (filters.md FW-29a).
    pub strict_end: bool,
}

/// The groups of a match, `$0` to `$9`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Groups<'s>([&'s [u8]; 10]);

impl<'s> Groups<'s> {
    /// A group; empty where it is not set or beyond the ninth.
    #[must_use]
    pub fn get(&self, number: usize) -> &'s [u8] {
        self.0.get(number).copied().unwrap_or_default()
    }
}

/// A match was given up at the match limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp;

/// Why a pattern cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte of the pattern at which it was noticed; `None` where there is no such place.
    pub offset: Option<usize>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "is not a regular expression (at character {offset}: {})", self.reason),
            None => write!(f, "is not a regular expression ({})", self.reason),
        }
    }
}

/// Whether a subject matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Given up at the match limit.
    GivenUp,
}

impl Pattern {
    /// How patterns of directives are meant that say nothing else.
    pub const OPTIONS: Options = Options { caseless: false, dot_all: true, strict_end: false };

    /// How patterns of rules about URLs and headers are meant that say nothing else (filters.md section 2.4).
    pub const URL: Options = Options { caseless: false, dot_all: true, strict_end: true };

    /// Compiles a pattern: `.` stands for line ends as well, as httpd has it by default, so that `%0a` in a path evades no rule. Unlike there, `$` also
    /// matches before a line end that ends the subject, as PCRE has it.
    ///
    /// # Errors
    /// [`PatternError`], with the position where PCRE noticed it.
    pub fn new(text: &[u8]) -> Result<Pattern, PatternError> {
        Pattern::with(text, Pattern::OPTIONS)
    }

    /// Compiles a pattern with options. Bytes that are no UTF-8 stand for themselves.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn with(text: &[u8], options: Options) -> Result<Pattern, PatternError> {
        let written = text;
        let text = &*as_text(written);
        let build = |text: &str| compile(text, options, MATCH_LIMIT);
        let strict = match strict_end(text) {
            Cow::Owned(strict) if options.strict_end => Some(strict),
            _ => None,
        };
        // An error is about the pattern as it was written.
        let built = match &strict {
            Some(strict) => build(text).and_then(|_| build(strict)),
            None => build(text),
        };
        let looks_around = may_look_around(text);
        built.map(|regex| Pattern(Arc::new(Compiled { text: text.to_owned(), strict, options, looks_around, regex }))).map_err(|error| PatternError {
            offset: error.offset().map(|offset| text::place(written, offset.saturating_sub(verbs(MATCH_LIMIT).len()))),
            reason: {
                let whole = error.to_string();
                whole.rsplit_once(": ").map_or(whole.clone(), |(_, reason)| reason.to_owned())
            },
        })
    }

    /// The same pattern under another match limit, for subjects in which it may be looked for at many bytes.
    pub(crate) fn under_limit(&self, limit: u32) -> Pattern {
        let Compiled { text, strict, options, looks_around, .. } = &*self.0;
        // It compiled before.
        let Ok(regex) = compile(self.source(), *options, limit) else { return self.clone() };
        Pattern(Arc::new(Compiled { text: text.clone(), strict: strict.clone(), options: *options, looks_around: *looks_around, regex }))
    }

    /// What PCRE's interpreter says, compiled for this call: the arbiter of tests. Its compiler to machine code, which [`Pattern::matches`] uses, keeps groups that a
    /// possessive repeat has set where the alternative fails (10.42: `(\A)*+ab|(a|b)\1` on `a`), and its compiler takes `.*` for possessive where an optional end follows
    /// (`^.*(\z)?+a` on `a`).
    #[must_use]
    pub fn matches_interpreted(&self, subject: &[u8]) -> Match {
        let Options { caseless, dot_all, .. } = self.0.options;
        let limited = format!("{}(*NO_AUTO_POSSESS){}", verbs(MATCH_LIMIT), self.source());
        match RegexBuilder::new().caseless(caseless).dotall(dot_all).build(&limited).and_then(|regex| regex.is_match(subject)) {
            Ok(true) => Match::Yes,
            Ok(false) => Match::No,
            Err(_) => Match::GivenUp,
        }
    }

    /// The pattern as written, with `\xHH` for bytes above 7f if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The pattern in PCRE's words, with nothing to be said about `$`.
    pub(crate) fn source(&self) -> &str {
        self.0.strict.as_deref().unwrap_or(&self.0.text)
    }

    /// Whether it may ask what stands before or behind what it matches, or where that is (`^`, `$`, `\b`, `(?=..)`): if not, it matches in every text that holds one in which it matches. Rather
    /// too often true.
    #[must_use]
    pub fn may_look_around(&self) -> bool {
        self.0.looks_around
    }

    /// How it is meant besides what it says itself.
    #[must_use]
    pub fn options(&self) -> Options {
        self.0.options
    }

    /// Looks for the pattern anywhere in the subject.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> Match {
        match self.0.regex.is_match(subject) {
            Ok(true) => Match::Yes,
            Ok(false) => Match::No,
            Err(_) => Match::GivenUp,
        }
    }

    /// Whether it matches, or cannot be said not to: what was given up at the match limit counts as a match. For rules that limit: nobody evades
    /// them by a subject that takes too long (design invariant 7).
    #[must_use]
    pub fn may_match(&self, subject: &[u8]) -> bool {
        self.matches(subject) != Match::No
    }

    /// Looks for the pattern anywhere in the subject, and what its groups are; needs memory only where it is there.
    ///
    /// # Errors
    /// [`GivenUp`] at the match limit.
    pub fn groups<'s>(&self, subject: &'s [u8]) -> Result<Option<Groups<'s>>, GivenUp> {
        let regex = &self.0.regex;
        let Some(whole) = regex.find(subject).map_err(|_| GivenUp)? else { return Ok(None) };
        let mut groups = Groups::default();
        if regex.captures_len() == 1 {
            groups.0 = [whole.as_bytes(), b"", b"", b"", b"", b"", b"", b"", b"", b""];
        } else if let Some(found) = regex.captures(subject).map_err(|_| GivenUp)? {
            groups.0 = std::array::from_fn(|number| found.get(number).map_or(b"".as_slice(), |group| group.as_bytes()));
        }
        Ok(Some(groups))
    }
}

/// What stands before each pattern. What a line end is must not depend on how PCRE was built.
fn verbs(limit: u32) -> String {
    format!("(*LIMIT_MATCH={limit})(*LF)")
}

fn compile(text: &str, options: Options, limit: u32) -> Result<Regex, pcre2::Error> {
    let verbs = verbs(limit);
    RegexBuilder::new().jit_if_available(true).caseless(options.caseless).dotall(options.dot_all).build(&format!("{verbs}{text}"))
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.text == other.0.text && self.0.options == other.0.options)
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.0.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_look_around() {
        for (pattern, looks) in [
            ("union\\s+select|drop", false),
            ("[^a-z]+(?:b|c)(?i)d(?s-i:.)", false),
            (r"\^\$\[^", true),
            (r"\^\$\\[^\]]", false),
            ("^a", true),
            ("a$", true),
            (r"a\b", true),
            (r"\Aa", true),
            (r"\\A", false),
            ("(?=a)", true),
            ("(?>a)", true),
            ("(?<n>a)", true),
            ("(*ACCEPT)a", true),
            ("a++b", true),
            ("(?:aab|a)?+a", true),
            ("a{2}+", true),
            ("a+b?c*[+-]+", false),
            (r"\c[^a", true),
            (r"a+\E+b", true),
            (r"a+\Q\E+b", true),
            ("", false),
        ] {
            assert_eq!(Pattern::new(pattern.as_bytes()).map(|pattern| pattern.may_look_around()), Ok(looks), "{pattern}");
        }
    }

    #[test]
    fn patterns_are_unanchored_and_take_bytes() {
        let pattern = Pattern::new(b"a.c$").unwrap();
        assert_eq!((pattern.matches(b"xxabc"), pattern.matches(b"abcd"), pattern.matches(b"a\xffc")), (Match::Yes, Match::No, Match::Yes));
        assert_eq!(Pattern::new(b"(?i)ABC").unwrap().matches(b"abc"), Match::Yes);
        assert_eq!(Pattern::new(b"ABC").unwrap().matches(b"abc"), Match::No);
    }

    #[test]
    fn a_bad_pattern_says_where_and_why() {
        let error = Pattern::new(b"ab(c").unwrap_err();
        assert_eq!((error.offset, error.reason.as_str()), (Some(4), "missing closing parenthesis"));
    }

    #[test]
    fn options_and_groups() {
        let any = Pattern::with(b"A.B", Options { caseless: true, ..Pattern::OPTIONS }).unwrap();
        let line = Pattern::with(b"A.B", Options::default()).unwrap();
        assert_eq!((any.matches(b"a\nb"), line.matches(b"A\nB"), Pattern::new(b"A.B").unwrap().matches(b"A\nB")), (Match::Yes, Match::No, Match::Yes));
        assert_ne!(any, Pattern::new(b"A.B").unwrap());
        let groups = Pattern::new(b"(b)(c)?(d)").unwrap().groups(b"abd\xff").unwrap().unwrap();
        assert_eq!([0, 1, 2, 3, 4, 10].map(|n| groups.get(n)), [&b"bd"[..], b"b", b"", b"d", b"", b""]);
        assert_eq!(Pattern::new(b"b").unwrap().groups(b"abd").unwrap().unwrap().get(0), b"b");
        assert_eq!(Pattern::new(b"x").unwrap().groups(b"abd"), Ok(None));
        assert_eq!(Pattern::new(b"^(a+)+$").unwrap().groups(&[&[b'a'; 60][..], b"!"].concat()), Err(GivenUp));
    }

    /// FW-29a.
    #[test]
    fn the_end_of_the_subject_only() {
        let (strict, other) = (Pattern::with(b"^a[$]?$", Pattern::URL).unwrap(), Pattern::new(b"^a[$]?$").unwrap());
        for subject in [&b"a"[..], b"a$"] {
            assert_eq!((strict.matches(subject), other.matches(subject)), (Match::Yes, Match::Yes));
        }
        assert_eq!((strict.matches(b"a\n"), other.matches(b"a\n")), (Match::No, Match::Yes));
        assert_eq!(strict.text(), "^a[$]?$");
        assert_eq!(Pattern::with(b"a$(", Pattern::URL).unwrap_err(), Pattern::new(b"a$(").unwrap_err());
    }

    #[test]
    fn a_pattern_that_backtracks_is_given_up() {
        let pattern = Pattern::new(b"^(a+)+$").unwrap();
        let subject = [&[b'a'; 60][..], b"!"].concat();
        assert_eq!((pattern.matches(&subject), pattern.may_match(&subject), pattern.may_match(b"b")), (Match::GivenUp, true, false));
    }
}
