//! What rules look at (filters.md sections 5.1 and 5.5).

use super::decode::{Decoded, Decoding, decode, further};
use super::judge::Rewrite;
use super::path::{normalized, other_readings, slashed};
use std::borrow::Cow;

/// A request as it came: nothing is decoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The first line of the request.
    pub line: &'a [u8],
    /// The path.
    pub path: &'a [u8],
    /// What stands behind the `?`; empty is not absent.
    pub query: Option<&'a [u8]>,
    /// What stands behind the `#`.
    pub fragment: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Splits the target of a request line that is a path, as most are; of several slashes at its begin one is left, as httpd has it. `None`: it is an address, an authority or `*`, and only
    /// the server knows what it takes for the path.
    #[must_use]
    pub fn of_path(line: &'a [u8], target: &'a [u8]) -> Option<Target<'a>> {
        let split = |text: &'a [u8], mark: u8| match text.iter().position(|byte| *byte == mark).and_then(|at| text.split_at_checked(at)) {
            Some((before, behind)) => (before, behind.get(1..)),
            None => (text, None),
        };
        let (rest, fragment) = split(target, b'#');
        let (path, query) = split(rest, b'?');
        let slashes = path.iter().take_while(|byte| **byte == b'/').count();
        let path = path.get(slashes.saturating_sub(1)..).unwrap_or_default();
        target.starts_with(b"/").then_some(Target { line, path, query, fragment })
    }
}

/// Byte strings, one of which has to match.
pub(super) type Subjects<'a> = Vec<Cow<'a, [u8]>>;

/// What the head of a request is after one pass.
pub(super) struct Head<'a> {
    target: Target<'a>,
    decoding: Decoding,
    line: Decoded<'a>,
    path: Decoded<'a>,
    query: Option<Decoded<'a>>,
}

impl<'a> Head<'a> {
    pub(super) fn new(target: Target<'a>, decoding: Decoding, rewrite: &dyn Rewrite) -> Head<'a> {
        let (line, path) = (decode(target.line, decoding.unicode), decode(target.path, decoding.unicode));
        let path = rewritten(path, |decoded| rewrite.path(decoded));
        Head { target, decoding, line, path, query: target.query.map(|query| decoded_query(query, decoding, rewrite)) }
    }

    /// Escapes that are none.
    pub(super) fn errors(&self) -> u32 {
        self.line.errors + self.path.errors + self.query.as_ref().map_or(0, |query| query.errors)
    }

    /// For `QS_DenyRequestLine`.
    pub(super) fn request_line(&self) -> Subjects<'_> {
        with_further(self.target.line, &self.line.bytes, self.decoding)
    }

    /// For `QS_DenyPath`.
    pub(super) fn path(&self) -> Subjects<'_> {
        let mut subjects = with_further(self.target.path, &self.path.bytes, self.decoding);
        // For who takes a backslash for a slash it begins no escape.
        if let Some(slashed) = slashed(self.target.path) {
            subjects.extend(decoded_with_further(&slashed, self.decoding).into_iter().map(|path| Cow::Owned(path.into_owned())));
        }
        let changed = subjects.iter().map(|path| normalized(path)).filter(|path| matches!(path, Cow::Owned(_))).map(Cow::into_owned).collect::<Vec<_>>();
        let others = subjects.iter().flat_map(|path| other_readings(path)).collect::<Vec<_>>();
        for path in changed.into_iter().chain(others) {
            if !subjects.iter().any(|known| **known == *path) {
                subjects.push(Cow::Owned(path));
            }
        }
        subjects
    }

    /// For `QS_DenyQuery`, as far as the URL goes. A fragment reaches nobody, where httpd lets it pass at all (FW-06).
    pub(super) fn query(&self) -> Subjects<'_> {
        let mut subjects = match (self.target.query, &self.query) {
            (Some(raw), Some(query)) => with_further(raw, &query.bytes, self.decoding),
            _ => Vec::new(),
        };
        if let Some(fragment) = self.target.fragment {
            subjects.extend(decoded_with_further(fragment, self.decoding));
        }
        subjects
    }

    /// For `QS_PermitUri`: what has to be permitted, all of it. `None`: nothing permits it.
    ///
    /// `query`: what counts as query, decoded.
    pub(super) fn uris(&self, query: Option<&[u8]>) -> Option<Vec<Vec<u8>>> {
        let uri = |path: &[u8]| match query {
            Some(query) => [path, b"?", query].concat(),
            None => path.to_vec(),
        };
        Some(self.paths()?.iter().map(|path| uri(path)).collect())
    }

    /// The paths of what has to be permitted: as it came after one pass, and without dot segments and repeated slashes where that is another one, which is not longer.
    pub(super) fn paths(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        if self.target.fragment.is_some() {
            return None;
        }
        let normalized = normalized(&self.path.bytes);
        let mut paths: Vec<Cow<'_, [u8]>> = vec![Cow::Borrowed(&*self.path.bytes)];
        if normalized != self.path.bytes {
            paths.push(normalized);
        }
        Some(paths)
    }

    /// Whether a line says nothing but the query.
    pub(super) fn is_query(&self, line: Option<&[u8]>) -> bool {
        line == self.target.query
    }

    /// The query after one pass.
    pub(super) fn decoded_query(&self) -> Option<&[u8]> {
        self.query.as_ref().map(|query| &*query.bytes)
    }
}

/// A query or line of parameters after one pass, and as others rewrite that.
pub(super) fn decoded_query<'a>(text: &'a [u8], decoding: Decoding, rewrite: &dyn Rewrite) -> Decoded<'a> {
    rewritten(decode(text, decoding.unicode), |decoded| rewrite.query(decoded))
}

fn rewritten<'a>(decoded: Decoded<'a>, rewrite: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Decoded<'a> {
    match rewrite(&decoded.bytes) {
        Some(bytes) => Decoded { bytes: Cow::Owned(bytes), ..decoded },
        None => decoded,
    }
}

fn decoded_with_further(raw: &[u8], decoding: Decoding) -> Subjects<'_> {
    let first = decode(raw, decoding.unicode).bytes;
    let further = further(raw, &first, decoding);
    std::iter::once(first).chain(further.into_iter().map(Cow::Owned)).collect()
}

fn with_further<'a>(raw: &[u8], first: &'a [u8], decoding: Decoding) -> Subjects<'a> {
    std::iter::once(Cow::Borrowed(first)).chain(further(raw, first, decoding).into_iter().map(Cow::Owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (target, path, query, fragment) in [
            ("/a/b?c=d", "/a/b", Some("c=d"), None),
            ("/a?", "/a", Some(""), None),
            ("/a", "/a", None, None),
            ("/a?b?c", "/a", Some("b?c"), None),
            ("/a#b?c", "/a", None, Some("b?c")),
            ("/a?b=1#c=2", "/a", Some("b=1"), Some("c=2")),
            ("/a://b/c", "/a://b/c", None, None),
        ] {
            let found = Target::of_path(b"", target.as_bytes()).unwrap();
            let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
            assert_eq!((found.path, found.query, found.fragment), (path.as_bytes(), bytes(query), bytes(fragment)), "{target}");
        }
        for target in ["http://host/a/b?c", "http://host", "http:/a", "host:443", "*", ""] {
            assert!(Target::of_path(b"", target.as_bytes()).is_none(), "{target}");
        }
    }
}
