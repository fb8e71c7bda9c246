//! `$` as the end of the subject only (filters.md FW-29a).

use std::borrow::Cow;

/// What options within a pattern say, at a place in it.
#[derive(Clone, Copy, Default)]
struct Flags {
    /// `(?m)`: `$` is the end of each line.
    multi_line: bool,
    /// `(?x)`: a `#` begins a comment.
    extended: bool,
}

/// The pattern with `\z` for each `$` that stands for the end. Where `(?m)` makes it the end of a line, it is left alone.
pub(super) fn strict_end(text: &str) -> Cow<'_, str> {
    if !text.contains('$') {
        return Cow::Borrowed(text);
    }
    let mut strict = String::with_capacity(text.len() + 8);
    let mut rest = text;
    // Of the groups around the place: an option counts from where it is set to the end of its group.
    let (mut flags, mut outer) = (Flags::default(), Vec::new());
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '\\' => escape(rest),
            '[' => class(rest),
            '#' if flags.extended => rest.find('\n').unwrap_or(rest.len()),
            '(' if is_remark(rest) => rest.find(')').unwrap_or(rest.len()),
            '(' => {
                let (changed, behind) = options(rest, flags);
                // `(?m)` is no group: its bracket is closed again.
                outer.push(if rest.get(behind..).is_some_and(|rest| rest.starts_with(')')) { changed } else { flags });
                flags = changed;
                behind
            }
            ')' => {
                flags = outer.pop().unwrap_or(flags);
                1
            }
            _ => letter.len_utf8(),
        };
        let (part, behind) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        strict.push_str(if part == "$" && !flags.multi_line { "\\z" } else { part });
        rest = behind;
    }
    if strict == text { Cow::Borrowed(text) } else { Cow::Owned(strict) }
}

/// The length of an escape, from its backslash.
fn escape(text: &str) -> usize {
    match text.chars().nth(1) {
        Some('Q') => text.find("\\E").map_or(text.len(), |end| end + 2),
        // A control character, named by the letter behind it, which may be any.
        Some('c') => 2 + text.chars().nth(2).map_or(0, char::len_utf8),
        Some(letter) => 1 + letter.len_utf8(),
        None => 1,
    }
}

/// Whether a bracket begins a comment or a verb, whose text means nothing here.
fn is_remark(text: &str) -> bool {
    let verb = text.strip_prefix("(*").is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase() || letter == ':'));
    verb || text.starts_with("(?#")
}

/// What counts behind the beginning of a group or of options, from its bracket, and its length.
fn options(text: &str, outside: Flags) -> (Flags, usize) {
    let Some(letters) = text.strip_prefix("(?") else { return (outside, 1) };
    let (mut flags, mut on) = (outside, true);
    for (at, letter) in letters.char_indices() {
        match letter {
            '^' => flags = Flags::default(),
            '-' => on = false,
            'm' => flags.multi_line = on,
            'x' => flags.extended = on,
            ':' | ')' => return (flags, at + 2),
            letter if letter.is_ascii_alphabetic() => {}
            // Another kind of group.
            _ => break,
        }
    }
    (outside, 1)
}

/// The length of a class, from its `[`.
fn class(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied();
    let mut place = 1 + usize::from(at(1) == Some(b'^'));
    // A bracket that comes first is one.
    place += usize::from(at(place) == Some(b']'));
    while let Some(byte) = at(place) {
        let quoted = text.get(place..).filter(|rest| rest.starts_with("\\Q"));
        place += match (byte, at(place + 1)) {
            (b']', _) => return place + 1,
            (b'\\', _) if quoted.is_some() => quoted.and_then(|rest| rest.find("\\E")).map_or(text.len(), |end| end + 2),
            (b'\\', Some(b'c')) => 3,
            // The second byte of an escape; what follows a longer letter's first byte is none of those looked for.
            (b'\\', Some(_)) => 2,
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => text.get(place + 2..).and_then(|rest| named(rest, kind)).map_or(1, |end| end + 2),
            _ => 1,
        };
    }
    text.len()
}

/// The end of `[:name:]`, from its name.
fn named(rest: &str, kind: u8) -> Option<usize> {
    let letters = rest.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'^').count();
    (rest.as_bytes().get(letters..letters + 2) == Some(&[kind, b']'])).then_some(letters + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Match, Pattern};
    use proptest::prelude::*;

    #[test]
    fn a_line_end_behind_the_path_is_no_end() {
        for (text, expected) in [("^/admin\\(?m$|/x$", Match::No), ("(?m)/x$", Match::Yes), ("(?m:y$)|/x$", Match::No), ("/x$", Match::No)] {
            assert_eq!(Pattern::with(text.as_bytes(), Pattern::URL).unwrap().matches(b"/x\n"), expected, "{text}");
        }
    }

    #[test]
    fn only_the_end_is_replaced() {
        for (text, expected) in [
            ("a$", r"a\z"),
            (r"a\$", r"a\$"),
            (r"a\\$", r"a\\\z"),
            ("[$]$", r"[$]\z"),
            ("[]$]$", r"[]$]\z"),
            ("[^]$]$", r"[^]$]\z"),
            (r"[\]$]$", r"[\]$]\z"),
            ("[[:alpha:]$]$|b$", r"[[:alpha:]$]\z|b\z"),
            ("[[:$]$", r"[[:$]\z"),
            (r"\Q$\E$", r"\Q$\E\z"),
            (r"\Qa$", r"\Qa$"),
            (r"[\Q]$\E$]$", r"[\Q]$\E$]\z"),
            ("(?i)a$", r"(?i)a\z"),
            ("(?m)a$", "(?m)a$"),
            ("(?im-s:a$)", "(?im-s:a$)"),
            // A bracket that is one.
            (r"a\(?m$", r"a\(?m\z"),
            (r"\(?m:a$", r"\(?m:a\z"),
            (r"\\(?m)a$", r"\\(?m)a$"),
            ("[(?m)]$", r"[(?m)]\z"),
            (r"\Q(?m)\E$", r"\Q(?m)\E\z"),
            (r"\c(?m$", r"\c(?m\z"),
            (r"\c$$", r"\c$\z"),
            (r"[\c]$]$", r"[\c]$]\z"),
            ("(?# (?m) )a$", r"(?# (?m) )a\z"),
            ("(*MARK:(?m)a$", r"(*MARK:(?m)a\z"),
            ("(?x)a # (?m)\n$", "(?x)a # (?m)\n\\z"),
            ("(?x-x)#(?m)$", "(?x-x)#(?m)$"),
            // Only as far as it goes.
            ("(?m:a$)|b$", r"(?m:a$)|b\z"),
            ("(a(?m)b$|c$)|d$", r"(a(?m)b$|c$)|d\z"),
            ("(?m)a$(?-m)b$", r"(?m)a$(?-m)b\z"),
            ("(?m)(?:(?^)a$)b$", r"(?m)(?:(?^)a\z)b$"),
            ("(?m)(?^:a$)b$", r"(?m)(?^:a\z)b$"),
            ("(?-m)a$", r"(?-m)a\z"),
            ("(?i-m:a$)", r"(?i-m:a\z)"),
            ("(?P<m>a$)", r"(?P<m>a\z)"),
            ("(?<m>a$)(?&m)$", r"(?<m>a\z)(?&m)\z"),
            ("(?=m)a$", r"(?=m)a\z"),
            ("(m)(?(1)a$|b$)$", r"(m)(?(1)a\z|b\z)\z"),
            ("(?:m$)", r"(?:m\z)"),
            ("é$", r"é\z"),
            (r"\é$", r"\é\z"),
            ("a", "a"),
        ] {
            assert_eq!(strict_end(text), expected, "{text}");
        }
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            "b",
            "$",
            "\\$",
            "\\\\",
            "[",
            "]",
            "[^",
            "(",
            ")",
            "(?m)",
            "(?-m)",
            "(?m:",
            "(?x)",
            "#",
            "\n",
            " ",
            "(?^)",
            "(?#",
            "(*MARK:",
            "\\Q",
            "\\E",
            "\\c",
            "|",
            "(?:",
            "(?<m>",
            "(?=",
            "[:alpha:]",
            "?",
            "é",
        ]);
        proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// What PCRE takes it takes with a strict end; without line ends in a subject both say the same.
        #[test]
        fn only_line_ends_make_a_difference(text in pieces(), subject in "[ab$#(?m) ]{0,6}") {
            if let Ok(loose) = Pattern::new(text.as_bytes()) {
                let strict = Pattern::with(text.as_bytes(), Pattern::URL);
                prop_assert!(strict.is_ok(), "{:?}: {}", text, strict_end(&text));
                prop_assert_eq!(loose.matches(subject.as_bytes()), strict.unwrap().matches(subject.as_bytes()), "{:?}: {}", text, strict_end(&text));
            }
        }
    }
}
