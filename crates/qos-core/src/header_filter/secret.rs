//! Headers as a log may show them: nothing that lets somebody in (filters.md FW-23a).

use crate::text::Text;

/// Bytes of a value that are shown.
const VALUE: usize = 256;
/// Bytes of a name that are shown.
const NAME: usize = 64;

/// What names of headers with secrets have in them, in lower case: `Authorization`, `Set-Cookie`, `X-Api-Key`, `X-CSRF-Token`, `DPoP`, ...
const SECRET_NAMES: &[&[u8]] = &[
    b"auth",
    b"cookie",
    b"token",
    b"secret",
    b"passw",
    b"pwd",
    b"session",
    b"credential",
    b"apikey",
    b"api-key",
    b"api_key",
    b"access-key",
    b"accesskey",
    b"private-key",
    b"signature",
    b"csrf",
    b"xsrf",
    b"jwt",
    b"saml",
    b"assertion",
    b"dpop",
    b"client-cert",
    b"otp",
];

/// How values of headers with secrets begin, in lower case, whatever the header is called.
const SECRET_VALUES: &[&[u8]] = &[b"basic ", b"bearer ", b"digest ", b"negotiate ", b"ntlm ", b"eyj"];

fn is_secret(name: &[u8], value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let start = value.get(..value.len().min(16)).unwrap_or_default().to_ascii_lowercase();
    // `Authority` and the like are secrets as well: better one value too few than one too many.
    SECRET_NAMES.iter().any(|part| name.windows(part.len()).any(|window| window == *part)) || SECRET_VALUES.iter().any(|prefix| start.starts_with(prefix))
}

/// `name: value`, at most 256 bytes of the value; of a secret one its length only: `Authorization: (52 bytes)`.
#[must_use]
pub fn shown(name: &[u8], value: &[u8]) -> String {
    let text = |bytes: &[u8], most: usize| {
        let dots = if bytes.len() > most { "..." } else { "" };
        format!("{}{dots}", Text::from(bytes.get(..bytes.len().min(most)).unwrap_or_default()))
    };
    let name_shown = text(name, NAME);
    if is_secret(name, value) { format!("{name_shown}: ({} bytes)", value.len()) } else { format!("{name_shown}: {}", text(value, VALUE)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_length() {
        for (name, value) in [
            ("Authorization", "Basic dXNlcjpwYXNz"),
            ("Proxy-Authorization", "x"),
            ("COOKIE", "sid=1"),
            ("Cookie2", "sid=1"),
            ("Set-Cookie", "sid=1"),
            ("X-Api-Key", "1"),
            ("X-CSRF-Token", "1"),
            ("Private-Token", "1"),
            ("X-My-Session", "1"),
            ("X-Password", "1"),
            ("DPoP", "1"),
            ("X-Upstream", "bearer abc"),
            ("X-Data", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
        ] {
            assert_eq!(shown(name.as_bytes(), value.as_bytes()), format!("{name}: ({} bytes)", value.len()));
        }
    }

    #[test]
    fn others_are_shown_and_cut() {
        assert_eq!(shown(b"X-Foo", b"a\xffb\x01"), "X-Foo: a\\xffb\\x01");
        assert_eq!(shown(b"User-Agent", &[b'x'; 256]), format!("User-Agent: {}", "x".repeat(256)));
        assert_eq!(shown(b"User-Agent", &[b'x'; 257]), format!("User-Agent: {}...", "x".repeat(256)));
        assert_eq!(shown(&[b'n'; 9000], b"v"), format!("{}...: v", "n".repeat(64)));
    }
}
