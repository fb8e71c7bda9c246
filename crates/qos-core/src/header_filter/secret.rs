//! Headers as a log may show them: nothing that lets somebody in (filters.md FW-23a).
//!
//! A secret is known by the name of its header, by how it begins, or by the name before a `=` or `:` in it. Of URLs nothing is shown that is no path: neither what
//! stands behind it nor who asks. Where that is doubtful, rather one value too few is shown than one too many.

use crate::filter::{Decoding, decode, further};
use crate::json;
use crate::text::Text;
use std::borrow::Cow;

/// Bytes of a value that are shown.
const VALUE: usize = 256;
/// Bytes of a name that are shown.
const NAME: usize = 64;

/// What names of headers and parameters with secrets have in them, in lower case: `Authorization`, `Set-Cookie`, `Ocp-Apim-Subscription-Key`, `PHPSESSID`, ...
const SECRET_NAMES: &[&[u8]] = &[
    b"key",
    b"token",
    b"secret",
    b"auth",
    b"pass",
    b"pwd",
    b"sess",
    b"cookie",
    b"credential",
    b"signature",
    b"hmac",
    b"otp",
    b"csrf",
    b"xsrf",
    b"jwt",
    b"saml",
    b"assertion",
    b"dpop",
    b"cert",
    b"bearer",
    b"ticket",
    b"kennwort",
    b"geheim",
    b"wachtwoord",
    b"contrase",
    b"senha",
    b"nonce",
    b"2fa",
    b"login",
];

/// Whole words of such names, without digits behind them.
const SECRET_WORDS: &[&[u8]] = &[b"pin", b"sid", b"pw", b"code", b"sig", b"mfa", b"totp", b"tan", b"cvv", b"cvc", b"ssn"];

/// How values of headers with secrets begin, or what stands in a list of them, in lower case, whatever the header is called.
const SECRET_VALUES: &[&[u8]] = &[
    b"basic ",
    b"bearer ",
    b"digest ",
    b"negotiate ",
    b"ntlm ",
    b"token ",
    b"apikey ",
    b"hawk ",
    b"dpop ",
    b"signature ",
    b"ssws ",
    b"aws4-hmac",
    b"sharedaccesssignature",
];

/// What names of headers with URLs have in them, in lower case.
const URL_NAMES: &[&[u8]] =
    &[b"url", b"uri", b"refer", b"location", b"destination", b"link", b"refresh", b"origin", b"ping-", b"redirect", b"callback", b"path"];

fn has_any(text: &[u8], parts: &[&[u8]]) -> bool {
    parts.iter().any(|part| memchr::memmem::find(text, part).is_some())
}

/// Whether something of that name is a secret.
fn is_secret_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|byte| !byte.is_ascii_alphanumeric()).map(|word| {
        let letters = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        word.get(..letters).unwrap_or_default()
    });
    has_any(&name, SECRET_NAMES) || words.any(|word| SECRET_WORDS.contains(&word) || word.ends_with(b"sid"))
}

/// Whether a value names a secret that it holds (`password=x`, `"token": "x"`, `<pin>1</pin>`), or holds a JSON Web Token.
fn names_secret(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut begin = 0;
    let marks = memchr::memchr3_iter(b'=', b':', b'>', value).any(|at| {
        let before = value.get(begin..at).unwrap_or_default();
        begin = at + 1;
        let is_scheme = value.get(at..).is_some_and(|rest| rest.starts_with(b"://"));
        let last = before.iter().rposition(is_part).map_or(0, |last| last + 1);
        let name = before.get(..last).unwrap_or_default();
        let first = name.iter().rposition(|byte| !is_part(byte)).map_or(0, |before| before + 1);
        !is_scheme && is_secret_name(name.get(first..).unwrap_or_default())
    });
    let starts_word = |at: usize| at.checked_sub(1).and_then(|before| value.get(before)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    marks || memchr::memmem::find_iter(value, b"eyJ").any(starts_word)
}

/// Whether nothing of a header's value may be shown.
fn is_secret(name: &[u8], value: &[u8]) -> bool {
    let begins_secret = |piece: &[u8]| SECRET_VALUES.iter().any(|prefix| piece.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
    // Of a header that comes twice httpd makes a list.
    let mut pieces = value.split(|byte| matches!(byte, b',' | b';' | b'=' | b':' | b'"' | b'\'')).map(<[u8]>::trim_ascii_start);
    is_secret_name(name) || pieces.any(begins_secret) || holds_secret(value)
}

/// The same of a value alone, also of one that is escaped.
fn holds_secret(value: &[u8]) -> bool {
    let first = decode(value, false).bytes;
    names_secret(value)
        || json::unescaped(value).is_some_and(|plain| names_secret(&plain))
        || names_secret(&first)
        || further(value, &first, Decoding::default()).iter().any(|decoded| names_secret(decoded))
}

/// What may be shown of a value with URLs: without query, fragment, path parameters and who asks.
fn shortened(name: &[u8], value: &[u8]) -> Vec<u8> {
    let is_url = has_any(&name.to_ascii_lowercase(), URL_NAMES) || value.starts_with(b"/");
    let Some(begin) = (if is_url { Some(0) } else { memchr::memmem::find(value, b"://") }) else { return value.to_vec() };
    let ends = |byte: &u8| matches!(byte, b'?' | b'#') || (is_url && *byte == b';');
    let end = value.get(begin..).and_then(|rest| rest.iter().position(ends)).map_or(value.len(), |at| begin + at);
    let mut kept: Vec<u8> = Vec::with_capacity(end);
    for piece in value.get(..end).unwrap_or_default().split_inclusive(|byte| matches!(byte, b'/' | b'\\' | b' ' | b'<' | b'>' | b'"')) {
        let is_authority = kept.ends_with(b"//");
        let host = match piece.iter().rposition(|byte| *byte == b'@') {
            Some(at) if is_authority || is_url => piece.get(at + 1..).unwrap_or_default(),
            // A name and the beginning of a password: what ends them was taken for the end of the host.
            None if is_authority => without_password(piece),
            _ => piece,
        };
        kept.extend_from_slice(host);
    }
    kept
}

/// A host with a port is left as it is.
fn without_password(authority: &[u8]) -> &[u8] {
    let Some(at) = authority.iter().position(|byte| *byte == b':').filter(|_| !authority.starts_with(b"[")) else { return authority };
    let port = authority.get(at + 1..).unwrap_or_default();
    let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_port = port.get(digits).is_none_or(|byte| !byte.is_ascii_alphanumeric()) && digits < 6;
    if is_port { authority } else { authority.get(..at).unwrap_or_default() }
}

fn cut(bytes: &[u8], most: usize) -> String {
    let dots = if bytes.len() > most { "..." } else { "" };
    format!("{}{dots}", Text::from(bytes.get(..bytes.len().min(most)).unwrap_or_default()))
}

/// The value of a header, at most 256 bytes of it; of a secret one its length only, `(52 bytes)`; of a URL its path, `https://h/a (17 bytes left out)`.
#[must_use]
pub fn shown_value(name: &[u8], value: &[u8]) -> String {
    let kept = if is_secret(name, b"") { Cow::Borrowed(value) } else { Cow::Owned(shortened(name, value)) };
    if is_secret(name, &kept) {
        return format!("({} bytes)", value.len());
    }
    let left = value.len().saturating_sub(kept.len());
    let note = if left == 0 { String::new() } else { format!(" ({left} bytes left out)") };
    format!("{}{note}", cut(&kept, VALUE))
}

/// `name: value`, as [`shown_value`] has it.
#[must_use]
pub fn shown(name: &[u8], value: &[u8]) -> String {
    format!("{}: {}", cut(name, NAME), shown_value(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_told_by_their_length() {
        for (name, value) in [
            ("Authorization", "Basic dXNlcjpwYXNz"),
            ("Proxy-Authorization", "x"),
            ("COOKIE", "sid=1"),
            ("Cookie2", "sid=1"),
            ("Set-Cookie", "sid=1"),
            ("X-Api-Key", "1"),
            ("Ocp-Apim-Subscription-Key", "1"),
            ("X-Functions-Key", "1"),
            ("X-CSRF-Token", "1"),
            ("Private-Token", "1"),
            ("X-My-Session", "1"),
            ("PHPSESSID", "1"),
            ("X-Sid", "1"),
            ("X-Password", "1"),
            ("X-Passcode", "1"),
            ("X-PIN", "1234"),
            ("x_pin2", "1234"),
            ("X-SMS-OTP", "1234"),
            ("X-Verification-Code", "1234"),
            ("X-Hub-Signature-256", "sha256=1"),
            ("X-Forwarded-Client-Cert", "Hash=1"),
            ("X-SAML-Assertion", "1"),
            ("DPoP", "1"),
            ("X-Upstream", "bearer abc"),
            ("X-Upstream", "AWS4-HMAC-SHA256 Credential=a"),
            // httpd makes one of headers that come twice.
            ("X-Upstream", "abc, Bearer hunter2"),
            ("X-Upstream", "abc;\t\"BASIC dXNlcjpwYXNz\""),
            ("X-Data", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
            ("X-Data", "a, eyJhbGciOiJIUzI1NiJ9.e30.x"),
            ("X-Data", "user=a&password=hunter2"),
            ("X-Data", "{\"user\": \"a\", \"passwd\" : \"hunter2\"}"),
            ("X-Data", r#"{"pass\u0077ord":"hunter2"}"#),
            ("X-Data", "<a><password>hunter2</password></a>"),
            ("X-Kennwort", "1"),
            ("X-2FA", "1234"),
            ("X-Nonce", "1"),
            ("X-Data", "user%3Da%26password%3Dhunter2"),
            ("X-Data", "user%253Da%2526access_token%253Dhunter2"),
            ("X-Original-URL", "/a%3Fpassword=hunter2"),
            ("baggage", "id=1,apiKey=hunter2"),
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
        // What says why a header was dropped is there still.
        for (name, value) in [
            ("Accept", "text/html;level=1;q=x"),
            ("Host", "auth.example.com:80a"),
            ("X-Forwarded-For", "10.0.0.1' OR 1=1"),
            ("User-Agent", "sqlmap/1.7#stable (https://sqlmap.org)"),
            ("User-Agent", "Mozilla/5.0 (compatible; Bot/2.1; +http://www.example.com/bot.html; x)"),
            ("User-Agent", "Visual Basic 6"),
            ("X-Spin", "1"),
            ("X-Pinned", "1"),
            ("Content-Length", "+5"),
            ("Forwarded", "for=1.2.3.4;proto=<https>"),
        ] {
            assert_eq!(shown(name.as_bytes(), value.as_bytes()), format!("{name}: {value}"));
        }
    }

    #[test]
    fn of_urls_the_path_is_shown() {
        for (name, value, kept) in [
            ("Referer", "https://h/a?password=hunter2", "https://h/a"),
            ("Referer", "https://h/a#access_token=hunter2", "https://h/a"),
            ("Referer", "https://user:hunter2@h:8080/a", "https://h:8080/a"),
            ("Referer", "https://hunter2@h/a?b", "https://h/a"),
            ("Location", "/a?code=hunter2&state=1", "/a"),
            ("Location", "//user:hunter2@h", "//h"),
            ("Location", "https://user:hunt@er2@h/", "https://h/"),
            ("Location", "https://user:hunter2?@h/", "https://user"),
            ("X-Original-URL", "/a;jsessionid=hunter2/b", "/a"),
            ("X-Rewrite-URL", "/a?token=hunter2", "/a"),
            ("X-Forwarded-Uri", "/a?token=hunter2", "/a"),
            ("X-Original-URL", "user:hunter2@h/a", "h/a"),
            ("Link", "<https://h/a?token=hunter2>; rel=next", "<https://h/a"),
            ("Refresh", "0; url=https://h/a?token=hunter2", "0"),
            ("X-Foo", "/a?token=hunter2", "/a"),
            ("X-Foo", "see https://user:hunter2@h/a?token=hunter2", "see https://h/a"),
            ("X-Foo", "see https://h/a#hunter2", "see https://h/a"),
        ] {
            let expected = format!("{name}: {kept} ({} bytes left out)", value.len() - kept.len());
            assert_eq!(shown(name.as_bytes(), value.as_bytes()), expected, "{value}");
        }
        assert_eq!(shown(b"Referer", b"https://h/a<script>"), "Referer: https://h/a<script>");
        assert_eq!(shown(b"Origin", b"https://[::1]:8080"), "Origin: https://[::1]:8080");
        assert_eq!(shown(b"From", b"a@b"), "From: a@b");
        let long = format!("/{}?x", "a".repeat(300));
        assert_eq!(shown(b"X-Original-URL", long.as_bytes()), format!("X-Original-URL: /{}... (2 bytes left out)", "a".repeat(255)));
    }

    proptest! {
        /// Whatever stands around it: a password of a parameter or of who asks is not shown.
        #[test]
        fn no_password_is_shown(name in "(Referer|Location|X-Foo|X-Original-URL|User-Agent)", before in "[a-z /?#;:@,.<\"%=&]{0,12}", after in "[a-z /?#;:@,.<\"%=&]{0,12}") {
            for value in [format!("{before}&password=hunter2{after}"), format!("{before} https://user:hunter2@h/{after}")] {
                prop_assert!(!shown(name.as_bytes(), value.as_bytes()).contains("hunter2"), "{}: {}", name, value);
            }
        }

        #[test]
        fn any_bytes(name in proptest::collection::vec(any::<u8>(), 0..80), value in proptest::collection::vec(any::<u8>(), 0..400)) {
            let text = shown(&name, &value);
            prop_assert!(!text.contains(char::is_control) && text.len() < 4 * (NAME + VALUE) + 60);
        }
    }
}
