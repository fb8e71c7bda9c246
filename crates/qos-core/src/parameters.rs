//! What a request brings as parameters, whatever form they came in (filters.md section 13.1).

use std::borrow::Cow;

/// Where a parameter came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The query of the URL.
    Query,
    /// A body of type `application/x-www-form-urlencoded`.
    Form,
    /// A part of a multipart body.
    Multipart,
    /// A value within JSON.
    Json,
}

/// A parameter, as it came: nothing is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its name; may hold any bytes.
    pub name: Cow<'a, [u8]>,
    /// Its value; may hold any bytes.
    pub value: Cow<'a, [u8]>,
    /// False where no `=` was there (URL-encoded only).
    pub has_value: bool,
    /// Where it came from.
    pub origin: Origin,
    /// Name and value are URL-encoded; otherwise they are meant as they stand.
    pub url_encoded: bool,
}

/// What was found in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Behind the `?` of the URL, as it came; `None` without `?`.
    pub query: Option<&'a [u8]>,
    /// How many of the parameters are those of the URL.
    pub of_query: usize,
    /// In order: those of the URL, then those of the body as they stand in it. Duplicates are kept.
    pub parameters: Vec<Parameter<'a>>,
    /// The whole body, where its type is one of those that are looked at as they are (`QS_BodyData`).
    pub raw: Option<&'a [u8]>,
    /// What `QS_DenyQuery` looks at besides, as it stands in the body: file names, what stands before and behind the parts, decoded copies, and bodies that
    /// were not taken apart.
    pub subjects: Vec<Cow<'a, [u8]>>,
    /// There is a body whose parameters are not known: no rule that permits may be satisfied by those that are.
    pub unparsed: bool,
}

/// Whether a byte of a parameter that is not URL-encoded is escaped (`%3c`) in a line of parameters, so that decoding the line gives it back
/// (filters.md section 7.3).
#[must_use]
pub const fn is_escaped(byte: u8) -> bool {
    matches!(
        byte,
        0..=b' ' | 0x7f..=0xff | b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'/' | b'[' | b']' | b'?' | b'=' | b'{' | b'}' | b'"' | b'\'' | b'&' | b'%' | b'+'
    )
}

/// The length of a text in a line of parameters.
#[must_use]
pub fn escaped_length(text: &[u8]) -> usize {
    text.len() + 2 * text.iter().filter(|byte| is_escaped(**byte)).count()
}
