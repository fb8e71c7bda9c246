//! Types of bodies: which of them are read, and by which parser (filters.md sections 13.2 and 13.6).

use super::MOST_BOUNDARY;
use super::error::Error;
use super::field::{self, Parameters, has_comma, split};
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

    /// Whether it is a type of documents in several parts that no reader takes apart: a subtype of `multipart` that forms do not have, without anything that could be a boundary
    /// (a web archive, `.mhtml`, as browsers upload it).
    pub(super) fn is_whole_document(self) -> bool {
        let media = self.media();
        let is_of_forms = MULTIPART.iter().any(|known| media.eq_ignore_ascii_case(known));
        self.is_any_multipart() && !is_of_forms && is_type(media) && count(self.0, b"multipart") == 1 && count(self.0, b"boundary") == 0
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

    /// Whether readers of forms take it for the same type, and the body for the same characters.
    ///
    /// # Errors
    /// [`Error::Type`]: other words beside the type of a form, a list of parameters that does not begin with `;`, bytes that are no text, or more than one
    /// kind of type; [`Error::Charset`].
    pub(super) fn check(self) -> Result<(), Error> {
        let (parser, mentions) = (self.parser(), |kind: &[u8]| count(self.0, kind) > 0);
        if parser == Media::Other && !is_supported(self.0) {
            return Ok(());
        }
        // What begins with the type of JSON is JSON, whatever follows.
        let is_type = parser == Media::Json || is_type(self.media());
        let others = match parser {
            Media::Form => mentions(b"multipart") || mentions(b"json"),
            Media::Multipart => mentions(b"urlencoded") || count(self.0, b"multipart") > 1,
            Media::Json => mentions(b"urlencoded") || mentions(b"multipart"),
            Media::Other => false,
        };
        if !is_type || others || !self.0.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::Type);
        }
        self.check_charset()
    }

    /// Whether what it names as charset leaves ASCII what it is.
    pub(super) fn check_charset(self) -> Result<(), Error> {
        let mut rest = self.0;
        while let Some(at) = find(rest, b"charset") {
            rest = rest.get(at + b"charset".len()..).unwrap_or_default();
            // Some readers look for the word anywhere.
            let Some(value) = field::trim(rest).strip_prefix(b"=").map(field::trim) else { return Err(Error::Charset) };
            let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
            if !is_ascii_like(value.split(|byte| matches!(byte, b'"' | b'\'' | b';' | b',' | b' ' | b'\t')).next().unwrap_or_default()) {
                return Err(Error::Charset);
            }
        }
        Ok(())
    }

    /// Whether some readers may find parameters in a body of such a type that has no parser here: they look for a word anywhere in it, or take a body without a type for a form.
    pub(super) fn may_be_read(self) -> bool {
        self.media().is_empty() || [b"urlencoded".as_slice(), b"url-encoded", b"multipart", b"json"].iter().any(|kind| count(self.0, kind) > 0)
    }

    /// Whether JSON is mentioned.
    pub(super) fn mentions_json(self) -> bool {
        count(self.0, b"json") > 0
    }

    /// Whether `multipart` is mentioned.
    pub(super) fn mentions_multipart(self) -> bool {
        count(self.0, b"multipart") > 0
    }

    /// The boundary of a multipart body.
    ///
    /// # Errors
    /// [`Error::Boundary`]: missing, empty, too long, several that differ, or one that other readers find elsewhere in the header or end earlier; [`Error::Header`].
    pub(super) fn boundary(self) -> Result<&'a [u8], Error> {
        let (mut boundary, mut times) = (None, 0);
        for parameter in self.parameters() {
            let parameter = parameter?;
            if parameter.begins_quote() {
                return Err(Error::Header);
            }
            if parameter.name.eq_ignore_ascii_case(b"boundary") {
                if boundary.is_some_and(|known| known != parameter.value) {
                    return Err(Error::Boundary);
                }
                // Blanks do not end a quoted one; as its last byte they are lost on the way (RFC 2046 section 5.1.1).
                let known = |byte: &u8| field::is_token(&[*byte]) || b"()/:=?".contains(byte) || parameter.quoted && matches!(byte, b' ' | b',');
                if !parameter.value.iter().all(known) || parameter.value.ends_with(b" ") {
                    return Err(Error::Boundary);
                }
                (boundary, times) = (Some(parameter.value), times + 1);
            }
        }
        let boundary = boundary.filter(|value| (1..=MOST_BOUNDARY).contains(&value.len())).ok_or(Error::Boundary)?;
        // `x-boundary=`, `boundary*0=`: some readers take the first or the last thing that looks like one.
        let is_elsewhere = count(self.0, b"boundary") != times * (1 + count(boundary, b"boundary"));
        let has_other_type = count(self.0, b"json") != times * count(boundary, b"json");
        if is_elsewhere || has_other_type { Err(Error::Boundary) } else { Ok(boundary) }
    }
}

/// `type/subtype` and nothing else.
fn is_type(media: &[u8]) -> bool {
    let mut words = media.splitn(2, |byte| *byte == b'/');
    words.next().is_some_and(field::is_token) && words.next().is_some_and(field::is_token)
}

/// Whether bytes of ASCII mean the same in a charset.
pub(super) fn is_ascii_like(charset: &[u8]) -> bool {
    const SERIES: [&[u8]; 5] = [b"iso-8859-", b"iso8859-", b"iso_8859-", b"windows-125", b"cp125"];
    let charset = charset.to_ascii_lowercase();
    let is_one_of = SERIES.iter().filter_map(|series| charset.strip_prefix(*series)).any(|number| number.iter().all(u8::is_ascii_digit));
    is_one_of
        || matches!(
            charset.as_slice(),
            b"" | b"utf-8"
                | b"utf8"
                | b"us-ascii"
                | b"ascii"
                | b"latin1"
                | b"koi8-r"
                | b"koi8-u"
                | b"tis-620"
                | b"windows-874"
                | b"euc-jp"
                | b"euc-kr"
                | b"iso-8859-8-i"
                | b"ibm866"
                | b"macintosh"
                | b"x-mac-cyrillic"
        )
}

/// Where a word begins, in any case.
fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word))
}

/// How often a word is there, in any case.
pub(super) fn count(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).filter(|part| part.eq_ignore_ascii_case(word)).count()
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
        let boundary = |text: &str| of(text).boundary().map(|found| String::from_utf8_lossy(found).into_owned());
        for (header, expected) in [
            ("m/x; boundary=b1", "b1"),
            ("m/x; BOUNDARY=\"a b:,\"", "a b:,"),
            ("m/x; charset=x; boundary=----=_Part_1.2 ", "----=_Part_1.2"),
            ("m/x; boundary=----WebKitFormBoundaryJsonXy; x=y", "----WebKitFormBoundaryJsonXy"),
            ("m/x; boundary=a; boundary=\"a\"", "a"),
            // A token, which needs no quotes; of many programs for Android.
            ("m/x;boundary=*****", "*****"),
            ("m/x; boundary=!#$%&*^`|~", "!#$%&*^`|~"),
        ] {
            assert_eq!(boundary(header).as_deref(), Ok(expected), "{header}");
        }
        let long = format!("m/x; boundary={}", "b".repeat(71));
        for header in [
            "m/x",
            "m/x; boundary",
            "m/x; boundary=",
            "m/x; boundary=\"\"",
            "m/x; boundary=a; boundary=b",
            "m/x; boundary=a; boundary*0=b",
            "m/x; x-boundary=b; boundary=a",
            "m/x; x=boundary; boundary=a",
            "m/x; x=\"y; boundary=b\"; boundary=a",
            "m/x; boundary=a; json",
            "m/x; boundary=\"a \"",
            "m/x; boundary=a b",
            "m/x; boundary=\"a;b\"",
            "m/x; boundary=\"a\\\"b\"",
            "m/x; boundary=a<b",
            &long,
        ] {
            assert_eq!(boundary(header), Err(Error::Boundary), "{header}");
        }
        // PHP takes the blanks for a part of it.
        for header in ["m/x; boundary =a", "m/x; boundary= a", "m/x; boundary=\"a\"b", "m/x; boundary=a\"b"] {
            assert_eq!(boundary(header), Err(Error::Header), "{header}");
        }
        assert!(boundary(&format!("m/x; boundary={}", "b".repeat(70))).is_ok());
        assert_eq!(boundary("m/x; boundary=\"a"), Err(Error::Header));
    }

    /// What readers of forms take for something else than others do.
    #[test]
    fn types_that_readers_differ_about() {
        let form = "application/x-www-form-urlencoded";
        for (parameters, error) in [
            ("", None),
            ("; charset=UTF-8", None),
            (" ; charset=\"iso-8859-15\"; x=y", None),
            ("; charset=windows-1252", None),
            ("; charset=", None),
            (" foo", Some(Error::Type)),
            ("\tfoo", Some(Error::Type)),
            ("\t; x=y", Some(Error::Type)),
            ("; x=\u{e9}", Some(Error::Type)),
            ("; x=multipart/form-data", Some(Error::Type)),
            ("; x=json", Some(Error::Type)),
            (" charset=UTF-8", Some(Error::Type)),
            ("; charset=utf-7", Some(Error::Charset)),
            ("; charset=\"UTF-16LE\"", Some(Error::Charset)),
            ("; x=y; Charset = 'utf-16'", Some(Error::Charset)),
            ("; charset=utf-8; charset=ibm037", Some(Error::Charset)),
            ("; charset*=utf-8''utf-7", Some(Error::Charset)),
            ("; charset=iso-8859-1x", Some(Error::Charset)),
        ] {
            assert_eq!(of(&format!("{form}{parameters}")).check().err(), error, "{parameters}");
        }
        for (header, error) in [
            ("multipart/form-data boundary=x", Some(Error::Type)),
            ("multipart/form-data; boundary=x; charset=utf-7", Some(Error::Charset)),
            ("multipart/form-data; x=multipart/mixed; boundary=x", Some(Error::Type)),
            ("multipart/mixed; boundary=x", None),
            ("application/json charset=utf-8", None),
            ("application/json; charset=utf-16", Some(Error::Charset)),
            ("application/json; x=urlencoded", Some(Error::Type)),
            ("foo multipart/form-data; boundary=x", Some(Error::Type)),
            ("text/plain; charset=utf-16", None),
            ("text/plain\t", None),
        ] {
            assert_eq!(of(header).check().err(), error, "{header}");
        }
        for header in
            ["", " ; x=y", "application/vnd.api+json", "text/json", "multipart/related; boundary=b1", "text/plain; x=urlencoded", "application/x-url-encoded"]
        {
            assert!(of(header).may_be_read(), "{header}");
        }
        assert!(!of("text/plain; x=y").may_be_read() && of("a/b+JSON").mentions_json());
    }

    #[test]
    fn raw_types() {
        let types = RawTypes::new(&[b"text/XML"]).and(&[b"*/*"]);
        assert!(types.has(b"Text/xml") && !types.has(b"text/plain") && types.has_all() && !RawTypes::default().has_all());
    }
}
