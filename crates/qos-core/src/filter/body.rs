//! What a body adds to what rules look at (filters.md sections 5.1 and 5.5).
//!
//! A body may have megabytes, so one buffer holds whatever is decoded at the moment: pass after pass is made in its place, and nothing else is copied.

use super::decode::{CodePoints, Decoding, Pass, each_further, in_place};
use super::judge::{Rewrite, has_line};
use super::subjects::Head;
use crate::parameters::{Origin, Parameter, Parsed};
use std::borrow::Cow;

/// What a body adds.
pub(super) struct Body<'a> {
    parsed: Option<&'a Parsed<'a>>,
    /// The line of parameters, where the parser was not asked.
    line: Option<&'a [u8]>,
    decoding: Decoding,
    /// What has to be permitted: a path, `?` and the line after one pass. Later anything else that is decoded.
    buffer: Vec<u8>,
    /// Where the line begins in it.
    start: usize,
    has_line: bool,
    first: Pass,
}

impl<'a> Body<'a> {
    /// `line`: all parameters as one line, where the parser was not asked. `path`: before the line, where it has to be permitted.
    pub(super) fn new(parsed: Option<&'a Parsed<'a>>, line: Option<&'a [u8]>, decoding: Decoding, path: Option<&[u8]>, rewrite: &dyn Rewrite) -> Body<'a> {
        let has_line = parsed.map_or(line.is_some(), has_line);
        let mut buffer = Vec::new();
        if let Some(path) = path.filter(|_| has_line) {
            buffer.reserve_exact(path.len() + 1 + length(parsed, line));
            buffer.extend_from_slice(path);
            buffer.push(b'?');
        }
        let start = buffer.len();
        let mut body = Body { parsed, line, decoding, buffer, start, has_line, first: Pass::default() };
        if has_line {
            body.first = body.decode_line(CodePoints::LowByte, false);
            if let Some(line) = body.buffer.get(start..).and_then(|line| rewrite.query(line)) {
                body.buffer.truncate(start);
                body.buffer.extend_from_slice(&line);
            }
        }
        body
    }

    /// Whether there is anything in it besides the query.
    fn says_more_than(&self, head: &Head<'_>) -> bool {
        self.parsed.is_some() || !head.is_query(self.line)
    }

    /// Whether there are parameters in it that are not known.
    pub(super) fn is_unknown(&self) -> bool {
        self.parsed.is_some_and(|parsed| parsed.unparsed)
    }

    /// Escapes that are none.
    pub(super) fn errors(&self) -> u32 {
        self.first.errors
    }

    /// Whether there are parameters.
    pub(super) fn has_line(&self) -> bool {
        self.has_line
    }

    /// A path, `?` and the parameters after one pass; `None` if the path is longer than that of [`Body::new`].
    pub(super) fn uri(&mut self, path: &[u8]) -> Option<&[u8]> {
        let begin = self.start.checked_sub(path.len() + 1)?;
        self.buffer.get_mut(begin..begin + path.len())?.copy_from_slice(path);
        self.buffer.get(begin..)
    }

    /// What `QS_DenyQuery` looks at besides [`Head::query`], one after the other. The line is not there any more afterwards. `alone`: texts that are in it are looked at alone as well.
    pub(super) fn each_subject(&mut self, head: &Head<'_>, alone: bool, visit: &mut dyn FnMut(&[u8])) {
        if !self.says_more_than(head) {
            return;
        }
        if self.has_line {
            visit(self.buffer.get(self.start..).unwrap_or_default());
            each_further(&mut self.buffer, self.start, self.decoding, visit);
            if self.first.has_points {
                self.decode_line(CodePoints::Utf8, false);
                visit(self.buffer.get(self.start..).unwrap_or_default());
                each_further(&mut self.buffer, self.start, self.decoding, visit);
            }
            let is_escaped = |parsed: &Parsed<'_>| parsed.parameters.iter().any(|parameter| !parameter.url_encoded);
            if self.decoding.once && self.parsed.is_some_and(is_escaped) {
                // One pass gives those as they stand in the body: the next one decodes them once, but the others twice (section 13.5).
                let has_points = self.decode_line(CodePoints::LowByte, true).has_points;
                visit(self.buffer.get(self.start..).unwrap_or_default());
                if has_points {
                    self.decode_line(CodePoints::Utf8, true);
                    visit(self.buffer.get(self.start..).unwrap_or_default());
                }
            }
        }
        let (decoding, buffer) = (self.decoding, &mut self.buffer);
        let of_line = |parsed| texts(parsed).map(|text| (text, !decoding.once));
        let besides =
            |parsed: &'a Parsed<'a>| parsed.subjects.iter().map(|subject| (subject, false)).chain(alone.then(|| of_line(parsed)).into_iter().flatten());
        for (subject, as_in_line) in self.parsed.into_iter().flat_map(besides) {
            visit(subject);
            if as_in_line {
                // No deeper than there, where the first pass leaves it as it is.
                fill(buffer, subject);
                each_further(buffer, 0, decoding, visit);
                continue;
            }
            let mut decode = |points| {
                fill(buffer, subject);
                let pass = in_place(buffer, 0, decoding.unicode, points);
                if pass.changed {
                    visit(buffer);
                    each_further(buffer, 0, decoding, visit);
                }
                pass.has_points
            };
            if decode(CodePoints::LowByte) {
                decode(CodePoints::Utf8);
            }
        }
    }

    /// Puts the line after one pass into the buffer. What is not URL-encoded stays as it is then; `all`: it is decoded all the same.
    fn decode_line(&mut self, points: CodePoints, all: bool) -> Pass {
        let (unicode, start, buffer) = (self.decoding.unicode, self.start, &mut self.buffer);
        buffer.truncate(start);
        buffer.reserve_exact(length(self.parsed, self.line));
        let Some(parsed) = self.parsed else {
            buffer.extend_from_slice(self.line.unwrap_or_default());
            return in_place(buffer, start, unicode, points);
        };
        buffer.extend_from_slice(parsed.query.unwrap_or_default());
        let mut pass = in_place(buffer, start, unicode, points);
        for parameter in parsed.parameters.get(parsed.of_query..).unwrap_or_default() {
            if buffer.len() > start {
                buffer.push(b'&');
            }
            let begin = buffer.len();
            buffer.extend_from_slice(&parameter.name);
            // No escape goes beyond it.
            buffer.push(b'=');
            buffer.extend_from_slice(&parameter.value);
            if parameter.url_encoded || all {
                pass += in_place(buffer, begin, unicode, points);
            }
        }
        pass
    }
}

/// Puts a text into a buffer, which takes no more memory than it has to.
fn fill(buffer: &mut Vec<u8>, text: &[u8]) {
    buffer.clear();
    buffer.reserve_exact(text.len());
    buffer.extend_from_slice(text);
}

/// Values of a multipart body and strings of JSON: each of them is looked at alone as well (section 5.5).
fn texts<'p>(parsed: &'p Parsed<'_>) -> impl Iterator<Item = &'p Cow<'p, [u8]>> {
    let of_body = parsed.parameters.get(parsed.of_query..).unwrap_or_default().iter();
    let is_text = |parameter: &&Parameter<'_>| match parameter.origin {
        Origin::Multipart => true,
        Origin::Json => parameter.name.ends_with(b"_v"),
        Origin::Query | Origin::Form => false,
    };
    of_body.filter(is_text).map(|parameter| &parameter.value).filter(|value| !value.is_empty())
}

/// Bytes of the line before anything is decoded, and not escaped.
fn length(parsed: Option<&Parsed<'_>>, line: Option<&[u8]>) -> usize {
    let Some(parsed) = parsed else { return line.map_or(0, <[u8]>::len) };
    let of_body = parsed.parameters.get(parsed.of_query..).unwrap_or_default();
    parsed.query.map_or(0, <[u8]>::len) + of_body.iter().map(|parameter| parameter.name.len() + parameter.value.len() + 2).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::super::decode::{decode, further};
    use super::super::judge::AsDecoded;
    use super::super::subjects::Target;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What rules look at, one by one as they do.
    fn seen(parsed: &Parsed<'_>, decoding: Decoding) -> BTreeSet<Vec<u8>> {
        let mut seen = BTreeSet::new();
        let head = Head::new(Target::default(), decoding, &AsDecoded);
        let mut body = Body::new(Some(parsed), None, decoding, Some(b"/path"), &AsDecoded);
        body.each_subject(&head, true, &mut |subject| {
            seen.insert(subject.to_vec());
        });
        seen
    }

    fn with_further(raw: &[u8], decoding: Decoding) -> Vec<Vec<u8>> {
        let first = decode(raw, decoding.unicode).bytes.into_owned();
        let further = further(raw, &first, decoding);
        std::iter::once(first).chain(further).collect()
    }

    fn parameter(value: &[u8], url_encoded: bool) -> Parameter<'_> {
        let origin = if url_encoded { Origin::Form } else { Origin::Multipart };
        Parameter { name: Cow::Borrowed(b"n%41"), value: Cow::Borrowed(value), has_value: true, origin, url_encoded }
    }

    /// Section 13.5: what a multipart or JSON value is after one pass, also where no further ones are made; within the line and alone.
    #[test]
    fn values_that_are_not_encoded_are_decoded_once_all_the_same() {
        let decoding = Decoding { once: true, unicode: false };
        let of = |value: &'static [u8], url_encoded| seen(&Parsed { parameters: vec![parameter(value, url_encoded)], ..Parsed::default() }, decoding);
        assert_eq!(of(b"%3c", false), BTreeSet::from([b"n%41=%3c".to_vec(), b"nA=<".to_vec(), b"%3c".to_vec(), b"<".to_vec()]));
        assert_eq!(of(b"%253c", false), BTreeSet::from([b"n%41=%253c".to_vec(), b"nA=%3c".to_vec(), b"%253c".to_vec(), b"%3c".to_vec()]));
        assert_eq!(of(b"%253c", true), BTreeSet::from([b"nA=%3c".to_vec()]), "no further pass over what is encoded");
        let both = Parsed { parameters: vec![parameter(b"%253c", true), parameter(b"%3c", false)], ..Parsed::default() };
        assert_eq!(seen(&both, decoding), BTreeSet::from([b"nA=%3c&n%41=%3c".to_vec(), b"nA=%3c&nA=<".to_vec(), b"%3c".to_vec(), b"<".to_vec()]));
        let unicode = Decoding { once: true, unicode: true };
        let seen = seen(&Parsed { parameters: vec![parameter(b"%u0153", false)], ..Parsed::default() }, unicode);
        let expected = ["n%41=%u0153", "nA=S", "nA=\u{153}", "%u0153", "S", "\u{153}"].map(|text| text.as_bytes().to_vec());
        assert_eq!(seen, BTreeSet::from(expected));
    }

    /// Whatever the patterns ask: a text alone is decoded as often as within the line.
    #[test]
    fn texts_alone_are_decoded_no_deeper() {
        for (value, deepest) in [(b"%253c".as_slice(), b"<".as_slice()), (b"%25253c", b"%3c")] {
            let parsed = Parsed { parameters: vec![parameter(value, false)], ..Parsed::default() };
            let seen = seen(&parsed, Decoding::default());
            let of_line = seen.iter().filter_map(|subject| subject.strip_prefix(b"nA=")).collect::<BTreeSet<_>>();
            assert!(of_line.contains(deepest) && seen.contains(deepest), "{seen:?}");
            assert_eq!(seen.contains(b"<".as_slice()), deepest == b"<", "{seen:?}");
        }
    }

    /// Section 5.5: values and strings alone, for patterns with anchors; not numbers, nor what is URL-encoded or not there.
    #[test]
    fn texts_are_looked_at_alone() {
        let of = |name: &'static [u8], value: &'static [u8], origin| Parameter {
            name: Cow::Borrowed(name),
            value: Cow::Borrowed(value),
            has_value: true,
            origin,
            url_encoded: matches!(origin, Origin::Query | Origin::Form),
        };
        let parameters = vec![
            of(b"q", b"query", Origin::Query),
            of(b"f", b"form", Origin::Form),
            of(b"m", b"multi=part", Origin::Multipart),
            of(b"e", b"", Origin::Multipart),
            of(b"J_o_s_v", b"string", Origin::Json),
            of(b"J_o_n_n", b"12", Origin::Json),
        ];
        let parsed = Parsed { query: Some(b"q=query"), of_query: 1, parameters, ..Parsed::default() };
        let line = b"q=query&f=form&m=multi=part&e=&J_o_s_v=string&J_o_n_n=12".to_vec();
        assert_eq!(seen(&parsed, Decoding::default()), BTreeSet::from([line.clone(), b"multi=part".to_vec(), b"string".to_vec()]));
        // Where no pattern asks for what is around it that is the same.
        let mut seen = Vec::new();
        let head = Head::new(Target::default(), Decoding::default(), &AsDecoded);
        Body::new(Some(&parsed), None, Decoding::default(), None, &AsDecoded).each_subject(&head, false, &mut |subject| seen.push(subject.to_vec()));
        assert_eq!(seen, [line]);
    }

    #[test]
    fn what_has_to_be_permitted() {
        let parsed = Parsed { query: Some(b"a=%31"), parameters: vec![parameter(b"%", false)], ..Parsed::default() };
        let mut body = Body::new(Some(&parsed), None, Decoding::default(), Some(b"/a//b"), &AsDecoded);
        assert_eq!(body.uri(b"/a//b"), Some(b"/a//b?a=1&n%41=%".as_slice()));
        assert_eq!(body.uri(b"/a/b"), Some(b"/a/b?a=1&n%41=%".as_slice()));
        assert_eq!(body.uri(b"/a//bc"), None, "it was to be no longer");
        assert_eq!((body.errors(), body.has_line()), (0, true));
        assert!(!Body::new(Some(&Parsed::default()), None, Decoding::default(), None, &AsDecoded).has_line());
    }

    proptest! {
        /// One buffer for all passes gives what a copy for each does.
        #[test]
        fn nothing_is_lost(
            query in prop::option::of("[%u0-3\\\\x+a&]{0,8}"),
            values in prop::collection::vec(("[%u0-3f\\\\x+]{0,16}", any::<bool>()), 0..4),
            subjects in prop::collection::vec("[%u0-3f\\\\x+]{0,16}", 0..3),
            unicode: bool,
            once: bool,
        ) {
            let decoding = Decoding { unicode, once };
            let parameters = values.iter().map(|(value, url_encoded)| parameter(value.as_bytes(), *url_encoded)).collect();
            let subjects = subjects.iter().map(|subject| Cow::Borrowed(subject.as_bytes())).collect::<Vec<_>>();
            let parsed = Parsed { query: query.as_deref().map(str::as_bytes), parameters, subjects, ..Parsed::default() };
            let mut expected = BTreeSet::new();
            let line = parsed.line();
            if has_line(&parsed) {
                expected.extend(with_further(&line, decoding));
                prop_assert_eq!(Body::new(Some(&parsed), None, decoding, None, &AsDecoded).errors(), decode(&line, unicode).errors);
            }
            for subject in &parsed.subjects {
                expected.insert(subject.to_vec());
                expected.extend(with_further(subject, decoding));
            }
            for Parameter { value, .. } in parsed.parameters.iter().filter(|parameter| !parameter.url_encoded && !parameter.value.is_empty()) {
                expected.insert(value.to_vec());
                expected.extend(if once { with_further(value, decoding) } else { further(value, value, decoding) });
            }
            let seen = seen(&parsed, decoding);
            prop_assert!(expected.is_subset(&seen), "{:?}", expected.difference(&seen));
            let more = seen.difference(&expected).count();
            prop_assert!(more <= if once { 2 } else { 0 }, "{:?}", seen.difference(&expected));
        }
    }
}
