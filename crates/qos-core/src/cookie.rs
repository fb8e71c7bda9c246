//! Cookies of the module: how they are taken out of a request, and how they are set (request-event.md sections 13.4 and 14.3).

use std::borrow::Cow;

/// What a `Cookie` header holds besides and under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// Values of that name, in order. What is set for longer paths comes first.
    pub values: Vec<&'a [u8]>,
    /// The header without them; `None`: nothing is left of it.
    pub rest: Option<Vec<u8>>,
}

/// Takes all cookies of a name (in any case) out of the value of a `Cookie` header. `None`: it has none.
///
/// Pairs are separated by `;`. httpd joins several headers with commas, and old clients with blanks: a pair also begins behind one of these, if it is ours.
#[must_use]
pub fn take<'a>(header: &'a [u8], name: &[u8]) -> Option<Taken<'a>> {
    let (mut values, mut kept) = (Vec::new(), Vec::<Cow<'a, [u8]>>::new());
    let mut attribute = false;
    for piece in header.split(|byte| *byte == b';') {
        let trimmed = piece.trim_ascii();
        // `$Path` behind the pair belongs to it.
        if std::mem::take(&mut attribute) && starts(trimmed, b"$path=") {
            continue;
        }
        let before = values.len();
        let (left, at_end) = without(trimmed, name, &mut values);
        attribute = values.len() > before && at_end;
        if !left.is_empty() {
            kept.push(left);
        }
    }
    if values.is_empty() {
        return None;
    }
    let only_version = |kept: &[Cow<'_, [u8]>]| matches!(kept, [only] if starts(only, b"$version=") && only.len() <= 12);
    let rest = (!kept.is_empty() && !only_version(&kept)).then(|| kept.join(&b"; "[..]));
    Some(Taken { values, rest })
}

fn starts(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// A piece without the pairs of that name, and whether the last of them stood at its end.
fn without<'a>(piece: &'a [u8], name: &[u8], values: &mut Vec<&'a [u8]>) -> (Cow<'a, [u8]>, bool) {
    let (mut left, mut rest) = (Vec::<&[u8]>::new(), piece);
    while let Some((at, length)) = find(rest, name) {
        let (front, found) = rest.split_at(at);
        let (pair, behind) = found.split_at(length);
        values.push(pair.get(name.len() + 1..).unwrap_or_default());
        let front = front.iter().rposition(|byte| !is_separator(byte)).map_or(&b""[..], |last| front.get(..=last).unwrap_or_default());
        if !front.is_empty() {
            left.push(front);
        }
        rest = behind.iter().position(|byte| !is_separator(byte)).map_or(&b""[..], |first| behind.get(first..).unwrap_or_default());
    }
    let at_end = rest.is_empty();
    if !at_end {
        left.push(rest);
    }
    let left = match left.as_slice() {
        [only] => Cow::Borrowed(*only),
        several => Cow::Owned(several.join(&b", "[..])),
    };
    (left, at_end)
}

/// Separates pairs within a piece.
fn is_separator(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == b','
}

/// The first `name=value` at the beginning or behind a blank or comma: where, and how long.
fn find(piece: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().position(is_separator).unwrap_or(rest.len());
        if starts(rest, name) && rest.get(name.len()) == Some(&b'=') {
            return Some((at, length));
        }
        at += length + 1;
    }
    None
}

/// A cookie that is set.
#[derive(Clone, Copy, Debug)]
pub struct Cookie<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Where it is sent to.
    pub path: &'a [u8],
    /// How long the client keeps it, seconds; `None`: until it ends.
    pub max_age: Option<u32>,
    /// For which hosts; `None`: this one.
    pub domain: Option<&'a [u8]>,
    /// Over TLS only.
    pub secure: bool,
    /// Not seen by scripts.
    pub http_only: bool,
}

impl Cookie<'_> {
    /// The value of `Set-Cookie`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = [self.name, b"=", self.value, b"; Path=", self.path].concat();
        if let Some(seconds) = self.max_age {
            text.extend_from_slice(format!("; Max-Age={seconds}").as_bytes());
        }
        if let Some(domain) = self.domain {
            text.extend_from_slice(b"; Domain=");
            text.extend_from_slice(domain);
        }
        for (set, attribute) in [(self.http_only, "; HttpOnly"), (true, "; SameSite=Lax"), (self.secure, "; Secure")] {
            if set {
                text.extend_from_slice(attribute.as_bytes());
            }
        }
        text
    }
}

/// Whether a value of `Cache-Control` keeps shared caches from storing the response.
#[must_use]
pub fn keeps_out(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|word| word.eq_ignore_ascii_case(b"no-store") || word.eq_ignore_ascii_case(b"private"))
}

/// Whether a text can be the name of a cookie (a token of RFC 9110).
#[must_use]
pub fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether a text can be an attribute of a cookie, as `Path` and `Domain` are.
#[must_use]
pub fn is_attribute(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b';' && *byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(header: &str) -> Option<(Vec<String>, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        take(header.as_bytes(), b"MODQOS").map(|taken| (taken.values.iter().map(|value| text(value)).collect(), taken.rest.map(|rest| text(&rest))))
    }

    #[test]
    fn the_table_of_the_specification() {
        for (header, values, rest) in [
            ("MODQOS=x", &["x"][..], None),
            ("MODQOS=x;", &["x"], None),
            ("MODQOS=x; $Path=/", &["x"], None),
            ("a=1; MODQOS=x", &["x"], Some("a=1")),
            ("modqos=x; a=1", &["x"], Some("a=1")),
            ("a=1; MODQOS=x; $path=/; b=2", &["x"], Some("a=1; b=2")),
            ("$Version=1; MODQOS=x; $Path=/", &["x"], None),
            ("$Version=\"1\"; MODQOS=x", &["x"], None),
            ("$Version=123456; MODQOS=x", &["x"], Some("$Version=123456")),
            // All of them go (the original: the first one), and nothing dangles.
            ("MODQOS=x; a=1; MODQOS=y", &["x", "y"], Some("a=1")),
            ("a=1;MODQOS=x;b=2", &["x"], Some("a=1; b=2")),
            ("a=1 MODQOS=x", &["x"], Some("a=1")),
            ("a=1, MODQOS=x, b=2", &["x"], Some("a=1, b=2")),
            ("a=1, MODQOS=x, MODQOS=y; c=3", &["x", "y"], Some("a=1; c=3")),
            ("MODQOS=", &[""], None),
            ("MODQOS=a=b", &["a=b"], None),
            (" MODQOS=x ;; a=1 ", &["x"], Some("a=1")),
        ] {
            let values = values.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(taken(header), Some((values, rest.map(ToOwned::to_owned))), "{header}");
        }
    }

    #[test]
    fn other_cookies_stay() {
        for header in ["myMODQOS=x", "a=MODQOS=x", "MODQOSx=1", "MODQOS", "a=1; b=2", "", ";;", "$Path=/; a=1"] {
            assert_eq!(taken(header), None, "{header}");
        }
    }

    #[test]
    fn attributes() {
        let cookie = Cookie { name: b"uid", value: b"T", path: b"/", max_age: Some(600), domain: Some(b".example.org"), secure: true, http_only: true };
        assert_eq!(cookie.render(), b"uid=T; Path=/; Max-Age=600; Domain=.example.org; HttpOnly; SameSite=Lax; Secure");
        let cookie = Cookie { max_age: None, domain: None, secure: false, http_only: false, ..cookie };
        assert_eq!(cookie.render(), b"uid=T; Path=/; SameSite=Lax");
    }

    #[test]
    fn responses_that_no_shared_cache_stores() {
        assert!(keeps_out(b"no-cache, No-Store") && keeps_out(b"private") && keeps_out(b"max-age=5 , private"));
        assert!(!keeps_out(b"") && !keeps_out(b"no-cache") && !keeps_out(b"private=\"x\"") && !keeps_out(b"max-age=600, public"));
    }

    #[test]
    fn names_and_attributes_that_browsers_take() {
        assert!(is_name(b"MODQOS") && is_name(b"__Host-q.1") && !is_name(b"") && !is_name(b"a b") && !is_name(b"a=b") && !is_name(b"a;b") && !is_name(b"\xff"));
        assert!(is_attribute(b"/app") && is_attribute(b".example.org") && !is_attribute(b"") && !is_attribute(b"/;x") && !is_attribute(b"/\n"));
    }

    proptest! {
        /// Pairs of other names come through in their order, whatever stands between them.
        #[test]
        fn pairs_of_others_are_kept(pairs in proptest::collection::vec(("[a-c]{1,3}|MODQOS", "[a-z0-9]{0,5}"), 0..8)) {
            let header = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let of = |ours: bool| pairs.iter().filter(move |(name, _)| (name == "MODQOS") == ours);
            let rest = of(false).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let values = of(true).map(|(_, value)| value.clone()).collect::<Vec<_>>();
            let expected = (!values.is_empty()).then_some((values, (!rest.is_empty()).then_some(rest)));
            prop_assert_eq!(taken(&header), expected);
        }

        #[test]
        fn any_bytes_are_survived_and_none_is_left(header in "[MODQSmodqs=; ,$a]{0,60}") {
            if let Some(taken) = take(header.as_bytes(), b"MODQOS") {
                prop_assert!(take(taken.rest.as_deref().unwrap_or_default(), b"MODQOS").is_none());
            }
        }
    }
}
