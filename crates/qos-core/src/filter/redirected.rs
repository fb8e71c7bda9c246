//! What a request was redirected to within the server (filters.md section 1.2, FD-09).

use super::subjects::Target;
use std::borrow::Cow;

/// A redirected request, put as a client would have asked for it: rules see the same as in a request for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirected<'a> {
    line: Vec<u8>,
    path: Cow<'a, [u8]>,
    query: Option<&'a [u8]>,
}

impl<'a> Redirected<'a> {
    /// `path` is what httpd has decoded already: its `%` mean themselves. `query` is not decoded.
    #[must_use]
    pub fn new(method: &[u8], path: &'a [u8], query: Option<&'a [u8]>, protocol: &[u8]) -> Redirected<'a> {
        let path = encoded(path);
        let (mark, text) = query.map_or((&b""[..], &b""[..]), |query| (b"?", query));
        let line = [method, b" ", &path, mark, text, b" ", protocol].concat();
        Redirected { line, path, query }
    }

    /// What rules look at.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target { line: &self.line, path: &self.path, query: self.query, fragment: None }
    }
}

/// A decoded path, so that decoding it once gives it back as a request for it would: `+` and `\\x41` are read as they are there.
fn encoded(path: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', path).is_none() {
        return Cow::Borrowed(path);
    }
    let mut encoded = Vec::with_capacity(path.len() + 2);
    for byte in path {
        encoded.push(*byte);
        if *byte == b'%' {
            encoded.extend_from_slice(b"25");
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (path, query, line, target) in [
            ("/a b", None, "GET /a b HTTP/1.1", "/a b"),
            ("/a", Some(""), "GET /a? HTTP/1.1", "/a"),
            ("/100%", Some("a=%41"), "GET /100%25?a=%41 HTTP/1.1", "/100%25"),
            ("/%41#?", Some("b"), "GET /%2541#??b HTTP/1.1", "/%2541#?"),
        ] {
            let redirected = Redirected::new(b"GET", path.as_bytes(), query.map(str::as_bytes), b"HTTP/1.1");
            let expected = Target { line: line.as_bytes(), path: target.as_bytes(), query: query.map(str::as_bytes), fragment: None };
            let found = redirected.target();
            assert_eq!((found.line, found.path, found.query, found.fragment), (expected.line, expected.path, expected.query, None), "{path}");
        }
    }
}
