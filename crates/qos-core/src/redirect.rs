//! `QS_RedirectIf`: a variable that matches sends the client elsewhere (request-event.md section 12).

use crate::header_filter::shown_value;
use crate::pattern::{GivenUp, Groups, Pattern};
use crate::variables::MOST_BYTES;
use crate::variables::template::{Part, Template};
use std::ffi::CString;

/// The status of a redirect where none is given.
pub const STATUS: u16 = 302;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The variable that has to match.
    pub variable: CString,
    /// What it has to match, in any case.
    pub pattern: Pattern,
    /// 301, 302, 307 or 308.
    pub status: u16,
    /// Where to, with `$0` to `$9` for groups of the match.
    pub url: Template,
}

/// The status before the colon of `[<status>:]<url>`, and the URL.
#[must_use]
pub fn split_status(text: &[u8]) -> (u16, &[u8]) {
    let statuses: [(&[u8], u16); 4] = [(b"301:", 301), (b"302:", 302), (b"307:", 307), (b"308:", 308)];
    statuses.into_iter().find_map(|(prefix, status)| Some((status, text.strip_prefix(prefix)?))).unwrap_or((STATUS, text))
}

impl Redirect {
    /// Where a value of the variable leads to. `None`: it does not match, or the URL would be too long.
    ///
    /// # Errors
    /// [`GivenUp`] at the match limit.
    pub fn url(&self, value: &[u8]) -> Result<Option<Vec<u8>>, GivenUp> {
        Ok(self.pattern.groups(value)?.and_then(|groups| self.fill(&groups)))
    }

    fn fill(&self, groups: &Groups<'_>) -> Option<Vec<u8>> {
        let parts = match &self.url {
            Template::Literal(url) => return Some(url.to_bytes().to_vec()),
            Template::Groups(parts) => parts,
        };
        let mut url = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => url.extend_from_slice(text),
                Part::Group(number) => escape(groups.get(usize::from(*number)), &mut url),
            }
        }
        // A path of this server stays one, whatever the client has sent: `//host` would be another server.
        if !self.leads_away() && url.starts_with(b"//") {
            let slashes = url.iter().take_while(|byte| **byte == b'/').count();
            url.drain(1..slashes);
        }
        (url.len() <= MOST_BYTES).then_some(url)
    }

    /// Whether the URL as configured begins otherwise than with a path.
    fn leads_away(&self) -> bool {
        match &self.url {
            Template::Groups(parts) => !matches!(parts.first(), Some(Part::Text(text)) if text.starts_with(b"/") && !text.starts_with(b"//")),
            Template::Literal(_) => true,
        }
    }
}

/// What a client has sent, as it may stand in a URL and in a header: what cannot be there is `%HH`. A `%` stays: the value may be encoded already.
pub fn escape(text: &[u8], url: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(byte) {
            url.push(*byte);
        } else {
            url.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// 049. What a client has sent may stand in the URL, also a secret.
#[must_use]
pub fn message(url: &[u8], variable: &[u8], log_only: bool, client: &str, id: &str) -> String {
    let action = if log_only { "log only" } else { "redirect" };
    let (url, variable) = (shown_value(b"Location", url), String::from_utf8_lossy(variable));
    format!("mod_qos(049): redirect to {url}, var={variable}, action={action}, c={client}, id={id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Options;
    use proptest::prelude::*;

    fn redirect(pattern: &str, target: &str) -> Redirect {
        let (status, url) = split_status(target.as_bytes());
        let pattern = Pattern::with(pattern.as_bytes(), Options { caseless: true, ..Pattern::OPTIONS }).unwrap();
        Redirect { variable: c"VAR".to_owned(), pattern, status, url: Template::new(url).unwrap() }
    }

    fn url(pattern: &str, target: &str, value: &str) -> Option<String> {
        redirect(pattern, target).url(value.as_bytes()).unwrap().map(|url| String::from_utf8(url).unwrap())
    }

    #[test]
    fn a_status_may_stand_before_the_url() {
        for (target, status, url) in [
            ("/a", 302, "/a"),
            ("301:/a", 301, "/a"),
            ("302:https://h/", 302, "https://h/"),
            ("307:/a", 307, "/a"),
            ("308:/a", 308, "/a"),
            ("303:/a", 302, "303:/a"),
            ("http://h:301/", 302, "http://h:301/"),
        ] {
            assert_eq!(split_status(target.as_bytes()), (status, url.as_bytes()), "{target}");
        }
    }

    #[test]
    fn groups_become_part_of_the_url() {
        assert_eq!(url("^/(.*)/(.*)$", "/to/$1/$2", "/x/y").as_deref(), Some("/to/x/y"));
        assert_eq!(url("^/A", "/b", "/abc").as_deref(), Some("/b"));
        assert_eq!(url("^b", "/b", "/abc"), None);
        assert_eq!(url("(a)(b)?", "/$1$2\\$1?q=$0", "xa").as_deref(), Some("/a$1?q=a"));
    }

    /// A decoded path may hold line ends: they must not become headers.
    #[test]
    fn what_a_client_sent_is_escaped() {
        assert_eq!(url("(.*)", "/to?u=$1", "a\r\nSet-Cookie: x=1").as_deref(), Some("/to?u=a%0D%0ASet-Cookie:%20x=1"));
        assert_eq!(url("(.*)", "/$1", "ä\"<>%41").as_deref(), Some("/%C3%A4%22%3C%3E%41"));
    }

    #[test]
    fn a_path_stays_a_path_of_this_server() {
        assert_eq!(url("^/c/(.*)", "/$1", "/c//evil.example/x").as_deref(), Some("/evil.example/x"));
        assert_eq!(url("^/c/(.*)", "/$1", "/c/\\evil.example").as_deref(), Some("/%5Cevil.example"));
        assert_eq!(url("^/c/(.*)", "/a/$1", "/c//b").as_deref(), Some("/a//b"));
        assert_eq!(url("^/c/(.*)", "//cdn.example/$1", "/c/b").as_deref(), Some("//cdn.example/b"));
        assert_eq!(url("(.*)", "$1", "//host/").as_deref(), Some("//host/"), "who configures that wants it");
    }

    #[test]
    fn a_url_has_a_largest_length_and_a_match_a_limit() {
        assert_eq!(url("(.*)", "/$1$1$1$1$1", &"a".repeat(MOST_BYTES / 4)), None);
        assert_eq!(redirect("^(a+)+\\1$", "/").url(&[&[b'a'; 60][..], b"!"].concat()), Err(GivenUp));
    }

    #[test]
    fn lines() {
        assert_eq!(message(b"/to/x", b"RED", false, "127.0.0.1", "abc"), "mod_qos(049): redirect to /to/x, var=RED, action=redirect, c=127.0.0.1, id=abc");
        assert!(message(b"/to/x", b"RED", true, "-", "-").contains("action=log only, "));
        assert!(message(b"https://h/to?q=hunter2", b"RED", true, "-", "-").contains("redirect to https://h/to (10 bytes left out), var=RED, "));
    }

    proptest! {
        #[test]
        fn no_value_breaks_a_header(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let url = redirect("(?s)^(.*)$", "/$1").url(&value).unwrap().unwrap();
            prop_assert!(url.iter().all(u8::is_ascii_graphic));
        }
    }
}
