//! `$` as the end of the subject only.

use std::borrow::Cow;

/// The pattern with `\z` for each `$` that stands for the end. Where `(?m)` makes it the end of a line, nothing is changed.
pub(super) fn strict_end(text: &str) -> Cow<'_, str> {
    if !text.contains('$') || has_multi_line(text) {
        return Cow::Borrowed(text);
    }
    let mut strict = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '\\' if rest.starts_with("\\Q") => rest.find("\\E").map_or(rest.len(), |end| end + 2),
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '[' => class(rest),
            _ => letter.len_utf8(),
        };
        let (part, behind) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        strict.push_str(if part == "$" { "\\z" } else { part });
        rest = behind;
    }
    Cow::Owned(strict)
}

/// Whether options within the pattern may say that `$` is the end of each line.
fn has_multi_line(text: &str) -> bool {
    text.split("(?").skip(1).any(|options| {
        let set = options.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'^');
        set.into_iter().any(|byte| byte == b'm')
    })
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
            ("(?:m$)", r"(?:m\z)"),
            ("é$", r"é\z"),
            (r"\é$", r"\é\z"),
            ("a", "a"),
        ] {
            assert_eq!(strict_end(text), expected, "{text}");
        }
    }
}
