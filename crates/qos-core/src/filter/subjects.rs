//! What rules look at (filters.md sections 5.1 and 5.5).

use super::decode::{Decoded, Decoding, decode, further};
use super::judge::Rewrite;
use super::path::normalized;
use crate::parameters::Parsed;
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
    /// Splits the target of a request line: a path, an address with a path, or what CONNECT names.
    #[must_use]
    pub fn new(line: &'a [u8], target: &'a [u8]) -> Target<'a> {
        let split = |text: &'a [u8], mark: u8| match text.iter().position(|byte| *byte == mark).and_then(|at| text.split_at_checked(at)) {
            Some((before, behind)) => (before, behind.get(1..)),
            None => (text, None),
        };
        let (rest, fragment) = split(target, b'#');
        let (rest, query) = split(rest, b'?');
        // An address: the path begins behind its authority.
        let authority = rest.windows(3).position(|part| part == b"://").filter(|_| !rest.starts_with(b"/")).and_then(|at| rest.get(at + 3..));
        let path = match authority {
            Some(behind) => behind.iter().position(|byte| *byte == b'/').and_then(|at| behind.get(at..)).unwrap_or(b"/"),
            None => rest,
        };
        Target { line, path, query, fragment }
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
        let changed = subjects.iter().map(|path| normalized(path)).filter(|path| matches!(path, Cow::Owned(_))).map(Cow::into_owned).collect::<Vec<_>>();
        subjects.extend(changed.into_iter().map(Cow::Owned));
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
        if self.target.fragment.is_some() {
            return None;
        }
        let uri = |path: &[u8]| match query {
            Some(query) => [path, b"?", query].concat(),
            None => path.to_vec(),
        };
        let normalized = normalized(&self.path.bytes);
        let mut uris = vec![uri(&self.path.bytes)];
        if normalized != self.path.bytes {
            uris.push(uri(&normalized));
        }
        Some(uris)
    }

    /// The query after one pass.
    pub(super) fn decoded_query(&self) -> Option<&[u8]> {
        self.query.as_ref().map(|query| &*query.bytes)
    }
}

/// What a body adds.
pub(super) struct Body<'a> {
    parsed: Option<&'a Parsed<'a>>,
    raw_line: Option<&'a [u8]>,
    line: Option<Decoded<'a>>,
    decoding: Decoding,
}

impl<'a> Body<'a> {
    /// `line`: the parameters as one line, if there are any.
    pub(super) fn new(parsed: Option<&'a Parsed<'a>>, line: Option<&'a [u8]>, decoding: Decoding, rewrite: &dyn Rewrite) -> Body<'a> {
        Body { parsed, raw_line: line, line: line.map(|line| decoded_query(line, decoding, rewrite)), decoding }
    }

    /// Whether there is anything in it besides the query.
    pub(super) fn says_more_than(&self, head: &Head<'_>) -> bool {
        self.parsed.is_some() || self.raw_line != head.target.query
    }

    /// Whether there are parameters in it that are not known.
    pub(super) fn is_unknown(&self) -> bool {
        self.parsed.is_some_and(|parsed| parsed.unparsed)
    }

    pub(super) fn errors(&self) -> u32 {
        self.line.as_ref().map_or(0, |line| line.errors)
    }

    /// The parameters after one pass.
    pub(super) fn decoded_line(&self) -> Option<&[u8]> {
        self.line.as_ref().map(|line| &*line.bytes)
    }

    /// For `QS_DenyQuery`, besides [`Head::query`].
    pub(super) fn subjects(&self) -> Subjects<'_> {
        let mut subjects = match (self.raw_line, &self.line) {
            (Some(raw), Some(line)) => with_further(raw, &line.bytes, self.decoding),
            _ => Vec::new(),
        };
        let Some(parsed) = self.parsed else { return subjects };
        for subject in &parsed.subjects {
            let subject: &[u8] = subject;
            subjects.push(Cow::Borrowed(subject));
            let decoded = decoded_with_further(subject, self.decoding);
            subjects.extend(decoded.into_iter().filter(|decoded| **decoded != *subject));
        }
        subjects
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
            ("http://host/a/b?c", "/a/b", Some("c"), None),
            ("http://host", "/", None, None),
            ("http://host?x=/y", "/", Some("x=/y"), None),
            ("host:443", "host:443", None, None),
            ("*", "*", None, None),
            ("/a://b/c", "/a://b/c", None, None),
        ] {
            let found = Target::new(b"", target.as_bytes());
            let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
            assert_eq!((found.path, found.query, found.fragment), (path.as_bytes(), bytes(query), bytes(fragment)), "{target}");
        }
    }
}
