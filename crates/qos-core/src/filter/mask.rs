//! Values that an access log is not to show (filters.md section 11, FW-32).

use super::decode::decode;
use memchr::memmem::find_iter;
use std::borrow::Cow;

/// Stands for a value.
const MASK: &[u8] = b"***";
/// Passes in which a name is decoded: rather too much is masked than what another reader takes for the name.
const PASSES: usize = 3;

/// Names of parameters whose values are masked (`QS_MaskQueryParameters`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked(Vec<Vec<u8>>);

impl Masked {
    /// Adds a name; it is compared without regard to ASCII case.
    pub fn add(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// The names of a server and those of a virtual host.
    #[must_use]
    pub fn merge(base: &Masked, own: &Masked) -> Masked {
        let mut merged = base.clone();
        own.0.iter().for_each(|name| merged.add(name));
        merged
    }

    /// A query or line of parameters as it may be shown.
    #[must_use]
    pub fn apply<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        if self.0.is_empty() || line.is_empty() {
            return Cow::Borrowed(line);
        }
        if self.is_named_in_json(line) {
            return Cow::Borrowed(MASK);
        }
        let (mut shown, mut copied) = (Vec::new(), 0);
        let mut start = 0;
        for piece in line.split(|byte| *byte == b'&') {
            let end = start + piece.len();
            if let Some(value) = self.value(piece).map(|value| start + value) {
                shown.extend_from_slice(line.get(copied..value).unwrap_or_default());
                shown.extend_from_slice(MASK);
                copied = end;
            }
            start = end + 1;
        }
        if copied == 0 {
            return Cow::Borrowed(line);
        }
        shown.extend_from_slice(line.get(copied..).unwrap_or_default());
        Cow::Owned(shown)
    }

    /// Where the value of such a name begins in a parameter. For some readers `;` separates parameters as well, for others it belongs to the value.
    fn value(&self, piece: &[u8]) -> Option<usize> {
        let named = |part: &[u8]| memchr::memchr(b'=', part).filter(|equals| part.get(..*equals).is_some_and(|name| self.has(name)));
        let mut start = 0;
        named(piece).map(|equals| equals + 1).or_else(|| {
            piece.split(|byte| *byte == b';').find_map(|part| {
                let begin = start;
                start += part.len() + 1;
                if begin == 0 { None } else { named(part).map(|equals| begin + equals + 1) }
            })
        })
    }

    /// Whether a name is one of these, or that of a value of JSON within a member of such a name.
    fn has(&self, name: &[u8]) -> bool {
        let is_one = |name: &[u8]| self.0.iter().any(|masked| masked == name || masked == plain(name));
        as_decoded(name, |name| is_one(name) || without_escapes(name).is_some_and(|name| is_one(&name)) || (name.starts_with(b"j") && self.has_member(name)))
    }

    /// Members stand behind `_o_`, as in `J_o_user_o_password_v`.
    fn has_member(&self, name: &[u8]) -> bool {
        let behind = find_iter(name, b"_o_").filter_map(|at| name.get(at + 3..));
        behind.into_iter().any(|member| self.0.iter().any(|masked| member.strip_prefix(masked.as_slice()).is_some_and(ends_member)))
    }

    /// JSON itself, where nothing has taken it apart: shown as a whole or not at all.
    fn is_named_in_json(&self, line: &[u8]) -> bool {
        as_decoded(line.get(..MOST_BEFORE_JSON).unwrap_or(line), |text| matches!(text.trim_ascii_start(), [b'{' | b'[', ..]))
            && as_decoded(line, |text| self.0.iter().any(|masked| memchr::memmem::find(text, masked).is_some()))
    }
}

/// A name as readers take it that are not exact: without blanks around, and up to a NUL or to the brackets that make a list of it.
fn plain(name: &[u8]) -> &[u8] {
    name.split(|byte| matches!(byte, 0 | b'[')).next().unwrap_or_default().trim_ascii()
}

/// A name without the backslashes that some readers of a multipart body take for escapes; `None` where there are none.
fn without_escapes(name: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', name).map(|_| name.iter().copied().filter(|byte| *byte != b'\\').collect())
}

/// In so many bytes stands the first one of JSON, however it is encoded.
const MOST_BEFORE_JSON: usize = 16;

/// Whether something is true of a text, in lower case, after one of some decodings, or none.
fn as_decoded(text: &[u8], is_true: impl Fn(&[u8]) -> bool) -> bool {
    let mut text = text.to_ascii_lowercase();
    for _ in 0..PASSES {
        if is_true(&text) {
            return true;
        }
        let Cow::Owned(decoded) = decode(&text, true).bytes else { return false };
        if decoded == text {
            return false;
        }
        text = decoded.to_ascii_lowercase();
    }
    is_true(&text)
}

/// Whether the name of a member ends here: with places in arrays, and then a kind of value or a further member.
fn ends_member(behind: &[u8]) -> bool {
    let mut rest = behind;
    while let Some(place) = rest.strip_prefix(b"_a").filter(|place| place.first().is_some_and(u8::is_ascii_digit)) {
        let digits = place.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = place.get(digits..).unwrap_or_default();
    }
    matches!(rest, b"_v" | b"_n" | b"_b" | b"_o" | b"_a" | [b'_', b'o', b'_', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str], line: &str) -> String {
        let mut masked = Masked::default();
        names.iter().for_each(|name| masked.add(name.as_bytes()));
        String::from_utf8(masked.apply(line.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn values_of_some_names() {
        for (line, expected) in [
            ("", ""),
            ("a=1&b", "a=1&b"),
            ("password=x", "password=***"),
            ("a=1&password=x=y&b=2", "a=1&password=***&b=2"),
            ("&&PassWord=x&", "&&PassWord=***&"),
            ("password", "password"),
            ("password=", "password=***"),
            ("pass%5cword=x&pa\\ssword=y&pass%5c=z", "pass%5cword=***&pa\\ssword=***&pass%5c=z"),
            ("password[]=x&password%5b0%5D=y&user[password]=z", "password[]=***&password%5b0%5D=***&user[password]=z"),
            ("%20{\"password\":\"x\"}", "***"),
            ("+%0a[\"password\"]", "***"),
            ("password=a&pin=1&pins=2&xpin=3", "password=***&pin=***&pins=2&xpin=3"),
            ("p%61ssword=x", "p%61ssword=***"),
            ("p%2561ssword=x", "p%2561ssword=***"),
            ("%70%41SSWORD=x", "%70%41SSWORD=***"),
            ("p%u0061ssword=x", "p%u0061ssword=***"),
            ("passwor%64=x&password=y", "passwor%64=***&password=***"),
            ("new+pass=x&new%20pass=y", "new+pass=***&new%20pass=***"),
            ("a=password=x", "a=password=x"),
            ("=x", "=x"),
            // What some readers separate, or cut off.
            ("a=1;password=x;b=2&c=3", "a=1;password=***&c=3"),
            ("a=1&amp;password=x", "a=1&amp;password=***"),
            ("password=x;y&a=1;b=2", "password=***&a=1;b=2"),
            ("a;password=x", "a;password=***"),
            (";;pass;word=x;", ";;pass;word=x;"),
            ("+password=x&password%20=y&%0d%0apassword=z", "+password=***&password%20=***&%0d%0apassword=***"),
            ("password%00=x&password%00a=y&a%00password=z", "password%00=***&password%00a=***&a%00password=z"),
        ] {
            assert_eq!(shown(&["Password", "pin", "new pass"], line), expected, "{line}");
        }
        assert_eq!(shown(&[], "password=x"), "password=x");
    }

    #[test]
    fn members_of_json_at_any_depth() {
        for (line, expected) in [
            ("J_o_password_v=x", "J_o_password_v=***"),
            ("J_o_Password_n=1", "J_o_Password_n=***"),
            ("J_a0_o_user_o_password_v=x", "J_a0_o_user_o_password_v=***"),
            ("J_o_password_a0_a17_v=x", "J_o_password_a0_a17_v=***"),
            ("J_o_password_o_old_v=x", "J_o_password_o_old_v=***"),
            ("J_o_password_o=", "J_o_password_o=***"),
            ("J_o_password_hint_v=x", "J_o_password_hint_v=x"),
            ("J_o_mypassword_v=x", "J_o_mypassword_v=x"),
            ("J_o_password_ax_v=x", "J_o_password_ax_v=x"),
            ("J_o_p%5cu0061ssword_v=x", "J_o_p%5cu0061ssword_v=***"),
            ("J_o_a%20b_v=x&J_o_c_v=y", "J_o_a%20b_v=***&J_o_c_v=y"),
        ] {
            assert_eq!(shown(&["password", "a b"], line), expected, "{line}");
        }
    }

    /// A query that is JSON itself has no parameters where no rule takes it apart.
    #[test]
    fn json_as_it_came() {
        for (line, expected) in [
            (r#"{"password":"x"}"#, "***"),
            ("%7b%22PASSWORD%22:1}", "***"),
            (r#"[{"p\u0061ssword":1}]"#, "***"),
            (r#"{"user":"x"}"#, r#"{"user":"x"}"#),
            (r#"q={"password":"x"}"#, r#"q={"password":"x"}"#),
        ] {
            assert_eq!(shown(&["password"], line), expected, "{line}");
        }
    }

    #[test]
    fn names_of_a_virtual_host_are_added() {
        let of = |names: &[&str]| {
            let mut masked = Masked::default();
            names.iter().for_each(|name| masked.add(name.as_bytes()));
            masked
        };
        assert_eq!(Masked::merge(&of(&["a", "B"]), &of(&["b", "c"])), of(&["a", "b", "c"]));
    }
}
