//! Types of bodies: which of them are read, and by which parser (filters.md sections 13.2 and 13.6).

use super::MOST_BOUNDARY;
use super::error::Error;
use super::field::{Parameters, has_comma, split, unquote};
use std::borrow::Cow;
use std::sync::Arc;

const FORM: &[u8] = b"application/x-www-form-urlencoded";
const MULTIPART: [&[u8]; 2] = [b"multipart/form-data", b"multipart/mixed"];
const JSON: &[u8] = b"application/json";

/// The value of a `Content-Type` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a>(&'a [u8]);

/// Which parser a type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`, `multipart/mixed`.
    Multipart,
    /// `application/json`, and what begins so (section 7.1).
    Json,
    /// None.
    Other,
}

impl<'a> ContentType<'a> {
    /// Wraps the value of a header; without one, an empty one.
    #[must_use]
    pub fn new(header: Option<&'a [u8]>) -> ContentType<'a> {
        ContentType(header.unwrap_or_default())
    }

    /// The type itself: what stands before the parameters.
    #[must_use]
    pub fn media(self) -> &'a [u8] {
        split(self.0).0
    }

    /// Its parser.
    #[must_use]
    pub fn parser(self) -> Media {
        let media = self.media();
        let is = |name: &[u8]| media.eq_ignore_ascii_case(name);
        if is(FORM) {
            Media::Form
        } else if MULTIPART.into_iter().any(is) {
            Media::Multipart
        } else if media.get(..JSON.len()).is_some_and(|start| start.eq_ignore_ascii_case(JSON)) {
            Media::Json
        } else {
            Media::Other
        }
    }

    /// Whether any subtype of `multipart` is meant, as for parts of a multipart body.
    pub(super) fn is_any_multipart(self) -> bool {
        self.media().get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
    }

    /// Whether it names several types.
    #[must_use]
    pub fn is_ambiguous(self) -> bool {
        has_comma(self.0)
    }

    fn parameters(self) -> Parameters<'a> {
        split(self.0).1
    }

    /// The boundary of a multipart body.
    ///
    /// # Errors
    /// [`Error::Boundary`]: missing, empty, too long, or several that differ; [`Error::Header`].
    pub(super) fn boundary(self) -> Result<Cow<'a, [u8]>, Error> {
        let mut boundary = None;
        for parameter in self.parameters() {
            let parameter = parameter?;
            let is_boundary = parameter.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"boundary"));
            match parameter.name.get(8..) {
                Some([]) if is_boundary => {
                    let value = if parameter.quoted { unquote(parameter.value) } else { Cow::Borrowed(parameter.value) };
                    if boundary.as_ref().is_some_and(|known| *known != value) {
                        return Err(Error::Boundary);
                    }
                    boundary = Some(value);
                }
                // `boundary*0=`: some readers put such pieces together (RFC 2231).
                Some([b'*', ..]) if is_boundary => return Err(Error::Boundary),
                _ => {}
            }
        }
        let usable = |value: &Cow<'_, [u8]>| (1..=MOST_BOUNDARY).contains(&value.len()) && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
        boundary.filter(usable).ok_or(Error::Boundary)
    }
}

/// Whether the parser is activated for requests of this type by rules that want it (section 13.2): more often than its bodies have a parser, so that
/// nobody evades rules by a header that others read more generously.
#[must_use]
pub fn is_supported(content_type: &[u8]) -> bool {
    let contains = |name: &&[u8]| content_type.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    MULTIPART.iter().chain([&FORM, &JSON]).any(contains)
}

/// `QS_BodyData`: types whose bodies are looked at as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawTypes(Arc<[Vec<u8>]>);

impl RawTypes {
    /// A list of types.
    #[must_use]
    pub fn new(types: &[&[u8]]) -> RawTypes {
        RawTypes(types.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Both lists together.
    #[must_use]
    pub fn and(&self, types: &[&[u8]]) -> RawTypes {
        RawTypes(self.0.iter().cloned().chain(types.iter().map(|name| name.to_ascii_lowercase())).collect())
    }

    /// Whether a type is one of them by its name.
    #[must_use]
    pub fn has(&self, media: &[u8]) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(media))
    }

    /// Whether all types are that have no parser of their own: `*/*`.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.has(b"*/*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ContentType<'_> {
        ContentType::new(Some(text.as_bytes()))
    }

    #[test]
    fn types_and_their_parsers() {
        for (header, parser) in [
            ("Application/X-WWW-Form-Urlencoded ; charset=UTF-8", Media::Form),
            ("multipart/form-data; boundary=x", Media::Multipart),
            ("MULTIPART/MIXED", Media::Multipart),
            ("application/json", Media::Json),
            ("application/json-patch+json", Media::Json),
            ("application/vnd.api+json", Media::Other),
            ("text/plain; x=application/json", Media::Other),
            ("multipart/related; boundary=x", Media::Other),
            ("", Media::Other),
        ] {
            assert_eq!(of(header).parser(), parser, "{header}");
        }
        assert!(is_supported(b"text/plain; x=Application/JSON") && is_supported(b"x, multipart/Mixed") && !is_supported(b"text/plain") && !is_supported(b""));
        assert!(of("application/x-www-form-urlencoded, text/plain").is_ambiguous() && !of("multipart/form-data; boundary=\"a,b\"").is_ambiguous());
    }

    #[test]
    fn boundaries() {
        let boundary = |text: &str| of(text).boundary().map(|found| String::from_utf8_lossy(&found).into_owned());
        for (header, expected) in [
            ("m/x; boundary=b1", "b1"),
            ("m/x; BOUNDARY=\"a b:;\"", "a b:;"),
            ("m/x; boundary=\"a\\\"b\"", "a\"b"),
            ("m/x; charset=x; boundary = ----=_Part_1.2 ", "----=_Part_1.2"),
            ("m/x; boundary=a; boundary=\"a\"", "a"),
        ] {
            assert_eq!(boundary(header).as_deref(), Ok(expected), "{header}");
        }
        let long = format!("m/x; boundary={}", "b".repeat(71));
        for header in ["m/x", "m/x; boundary", "m/x; boundary=", "m/x; boundary=\"\"", "m/x; boundary=a; boundary=b", "m/x; boundary=a; boundary*0=b", &long] {
            assert_eq!(boundary(header), Err(Error::Boundary), "{header}");
        }
        assert!(boundary(&format!("m/x; boundary={}", "b".repeat(70))).is_ok());
        assert_eq!(boundary("m/x; boundary=\"a"), Err(Error::Header));
    }

    #[test]
    fn raw_types() {
        let types = RawTypes::new(&[b"text/XML"]).and(&[b"*/*"]);
        assert!(types.has(b"Text/xml") && !types.has(b"text/plain") && types.has_all() && !RawTypes::default().has_all());
    }
}
