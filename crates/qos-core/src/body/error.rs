//! Why a body is not understood (filters.md section 13.7).

use super::{MOST_LEVELS, MOST_PARAMETERS, MOST_PART_HEADERS, MOST_PARTS};
use crate::config::printable;
use crate::json;
use std::fmt;

/// What is wrong with a body. Nothing of its content is told: it may hold passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `Content-Type` names more than one type, and readers may choose different ones.
    SeveralTypes,
    /// `Content-Type` holds more than a type and its parameters, or readers differ about which type it is.
    Type,
    /// A charset in which bytes of ASCII may be other characters.
    Charset,
    /// Nothing is known about bodies of this type.
    NoParser,
    /// It is compressed.
    Encoded,
    /// `Content-Type` of a multipart body: no boundary, one that is empty or too long, or several.
    Boundary,
    /// Parameters of a header that cannot be told apart.
    Header,
    /// No delimiter.
    NoPart,
    /// The boundary stands somewhere else than in a delimiter, or something else than blanks stands behind one.
    Delimiter,
    /// Some lines that matter end with CRLF, some with LF.
    LineEnds,
    /// The last part has no end.
    NotClosed,
    /// Something follows the closing delimiter on its line.
    AfterClose,
    /// A part whose headers have no end.
    PartHeaders,
    /// A line among the headers of a part that is no header.
    PartHeader,
    /// A part that names the same thing twice.
    Ambiguous,
    /// A part without a name.
    NoName,
    /// A transfer encoding that is not known.
    TransferEncoding,
    /// Multipart bodies within each other, too many.
    Levels,
    /// More than [`MOST_PARTS`].
    Parts,
    /// Headers of a part of more than [`MOST_PART_HEADERS`] bytes.
    LongPartHeaders,
    /// More than [`MOST_PARAMETERS`].
    Parameters,
    /// It is no JSON, or too much.
    Json(json::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::SeveralTypes => f.write_str("several content types"),
            Error::Type => f.write_str("malformed content type"),
            Error::Charset => f.write_str("charset that cannot be inspected"),
            Error::NoParser => f.write_str("no parser for this content type"),
            Error::Encoded => f.write_str("compressed, cannot be inspected"),
            Error::Boundary => f.write_str("multipart: no usable boundary"),
            Error::Header => f.write_str("malformed parameters of a header"),
            Error::NoPart => f.write_str("multipart: no part"),
            Error::Delimiter => f.write_str("multipart: the boundary within something else"),
            Error::LineEnds => f.write_str("multipart: lines end differently"),
            Error::NotClosed => f.write_str("multipart: the closing delimiter is missing"),
            Error::AfterClose => f.write_str("multipart: text behind the closing delimiter"),
            Error::PartHeaders => f.write_str("multipart: the headers of a part have no end"),
            Error::PartHeader => f.write_str("multipart: malformed headers of a part"),
            Error::Ambiguous => f.write_str("multipart: ambiguous headers of a part"),
            Error::NoName => f.write_str("multipart: a part without a name"),
            Error::TransferEncoding => f.write_str("multipart: unknown transfer encoding"),
            Error::Levels => write!(f, "multipart: more than {MOST_LEVELS} levels"),
            Error::Parts => write!(f, "multipart: more than {MOST_PARTS} parts"),
            Error::LongPartHeaders => write!(f, "multipart: headers of a part with more than {MOST_PART_HEADERS} bytes"),
            Error::Json(error) => error.fmt(f),
            Error::Parameters => write!(f, "more than {MOST_PARAMETERS} parameters"),
        }
    }
}

/// 048: a body that is not understood. `media` is the type that the client names, `enforced` whether the request is denied.
#[must_use]
pub fn message(reason: &dyn fmt::Display, media: &[u8], enforced: bool, client: &str, unique_id: &str) -> String {
    let (media, action) = (if media.is_empty() { "-".to_owned() } else { printable(media) }, if enforced { "deny" } else { "log only" });
    format!("mod_qos(048): access denied, invalid request body ({reason}), type={media}, action={action}, c={client}, id={unique_id}")
}
