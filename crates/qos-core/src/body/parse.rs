//! The parameters of a request (filters.md sections 13.3 and 13.6).

use super::error::Error;
use super::media::{ContentType, Media, RawTypes};
use super::multipart::Reader;
use super::{MOST_PARAMETERS, field, form};
use crate::filter::decode;
use crate::json;
use crate::parameters::{Origin, Parameter, Parsed};
use std::borrow::Cow;

/// What a request brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Behind the `?` of its target, as it came; `None` without `?`.
    pub query: Option<&'a [u8]>,
    /// The query decoded once, where others have taken part in that (section 12); `None`: it is decoded here, where it is JSON.
    pub decoded_query: Option<&'a [u8]>,
    /// `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// `Content-Encoding` of the body as it is here.
    pub content_encoding: Option<&'a [u8]>,
    /// The whole body; empty without one.
    pub body: &'a [u8],
}

/// What is done with bodies that have no parser.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rules want to see what is in the body: one without a parser is a subject of theirs, one that is compressed is refused (FD-06).
    pub filter: bool,
    /// A body without a parser is refused all the same.
    pub strict: bool,
    /// `QS_BodyData`.
    pub raw_types: RawTypes,
    /// A query that is JSON may have escapes of code points (`QS_Decoding uni`).
    pub unicode: bool,
}

/// Finds the parameters of a request: those of its URL, then those of its body. With an error, what was found up to it, and the whole body as a subject of
/// rules.
#[must_use]
pub fn parse<'a>(facts: &Facts<'a>, options: &Options) -> (Parsed<'a>, Option<Error>) {
    let mut found = Parsed { query: facts.query, ..Parsed::default() };
    let of_query = form::parameters(facts.query.unwrap_or_default(), Origin::Query, &mut found.parameters);
    found.of_query = found.parameters.len();
    let is_json = || ContentType::new(facts.content_type).parser() == Media::Json;
    let result = of_query.and_then(|()| match facts.query {
        _ if !facts.body.is_empty() => of_body(&mut found, facts, options),
        Some(query @ [b'[' | b'{', ..]) if options.filter && is_json() => {
            json_query(&mut found, facts.decoded_query.map_or_else(|| decode(query, options.unicode).bytes, Cow::Borrowed))
        }
        _ => Ok(()),
    });
    let error = result.err();
    if error.is_some() {
        found.unparsed = true;
        if !facts.body.is_empty() {
            found.subjects.push(facts.body.into());
        }
    }
    (found, error)
}

fn of_body<'a>(found: &mut Parsed<'a>, facts: &Facts<'a>, options: &Options) -> Result<(), Error> {
    let (content_type, body) = (ContentType::new(facts.content_type), facts.body);
    if content_type.is_ambiguous() {
        return Err(Error::SeveralTypes);
    }
    if options.filter {
        content_type.check()?;
    }
    if is_encoded(facts.content_encoding.unwrap_or_default()) {
        found.unparsed = true;
        return if options.filter { Err(Error::Encoded) } else { Ok(()) };
    }
    let registered = options.raw_types.has(content_type.media());
    if registered {
        found.raw = Some(body);
    }
    match content_type.parser() {
        Media::Json => json(found, body, options)?,
        _ if registered => as_it_is(found, content_type, body),
        Media::Form => {
            form::parameters(form::without_line_end(body), Origin::Form, &mut found.parameters)?;
            if options.filter && looks_like_json(body) {
                // Applications that expect JSON often do not ask for the type.
                found.subjects.extend(json::unescaped(body).map(Into::into));
            }
        }
        Media::Multipart => {
            let mut reader = Reader { found, raw_types: &options.raw_types, has_raw_part: false, parts: 0 };
            reader.read(body, content_type, 1)?;
            if reader.has_raw_part {
                found.raw = Some(body);
            }
        }
        Media::Other if options.raw_types.has_all() => {
            found.raw = Some(body);
            as_it_is(found, content_type, body);
        }
        Media::Other if options.filter && !options.strict => as_it_is(found, content_type, body),
        Media::Other => return Err(Error::NoParser),
    }
    Ok(())
}

/// A body of a type that is not taken apart. If it may be JSON all the same, texts count with what their escapes stand for, too. Of a type in which some reader finds parameters it satisfies no rule
/// that permits.
fn as_it_is<'a>(found: &mut Parsed<'a>, content_type: ContentType<'_>, body: &'a [u8]) {
    found.subjects.push(body.into());
    found.unparsed |= content_type.may_be_read();
    if content_type.mentions_json() || looks_like_json(body) {
        // The whole of it, which needs no grammar and has no limit; each text alone, for patterns with anchors.
        if let Some(unescaped) = json::unescaped(body) {
            found.subjects.push(unescaped.into());
            found.subjects.extend(json::parameters(body, &json::Limits::DEFAULT).map(|json| json.subjects).unwrap_or_default());
        }
    }
}

/// Whether a text begins as JSON does.
pub(super) fn looks_like_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[' | b'"'))
}

/// JSON becomes parameters (section 7). What is none is refused where rules want to see what is in it.
fn json<'a>(found: &mut Parsed<'a>, text: &'a [u8], options: &Options) -> Result<(), Error> {
    match json::parameters(text, &limits(found)) {
        Ok(json) => {
            found.parameters.extend(json.parameters);
            found.subjects.extend(json.subjects);
            Ok(())
        }
        Err(error) if options.filter => Err(Error::Json(error)),
        Err(_) => {
            found.unparsed = true;
            Ok(())
        }
    }
}

/// A query that is JSON: the whole of it, decoded once, stands for its parameters then (section 7.2, FW-14).
fn json_query(found: &mut Parsed<'_>, text: Cow<'_, [u8]>) -> Result<(), Error> {
    found.parameters.clear();
    (found.query, found.of_query) = (None, 0);
    let json = json::parameters(&text, &limits(found)).map_err(Error::Json)?;
    let own = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
    found.subjects.extend(json.subjects.into_iter().map(own));
    found.parameters.extend(json.parameters.into_iter().map(|parameter| Parameter { name: own(parameter.name), value: own(parameter.value), ..parameter }));
    Ok(())
}

fn limits(found: &Parsed<'_>) -> json::Limits {
    json::Limits { parameters: MOST_PARAMETERS.saturating_sub(found.parameters.len()), ..json::Limits::DEFAULT }
}

/// Whether a content coding other than `identity` is named.
fn is_encoded(header: &[u8]) -> bool {
    header.split(|byte| *byte == b',').map(field::trim).any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}
