//! URL-encoded parameters (filters.md section 13.4).

use super::MOST_PARAMETERS;
use super::error::Error;
use crate::parameters::{Origin, Parameter};

/// Adds the parameters of a query or of a body: each `&` ends one, the first `=` ends its name, and nothing is decoded. Empty pieces are none; a
/// parameter may have no name.
///
/// # Errors
/// [`Error::Parameters`].
pub fn parameters<'a>(text: &'a [u8], origin: Origin, found: &mut Vec<Parameter<'a>>) -> Result<(), Error> {
    for piece in text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if found.len() >= MOST_PARAMETERS {
            return Err(Error::Parameters);
        }
        let equals = memchr::memchr(b'=', piece);
        let (name, value) = equals.and_then(|at| Some((piece.get(..at)?, piece.get(at + 1..)?))).unwrap_or((piece, b""));
        found.push(Parameter { name: name.into(), value: value.into(), has_value: equals.is_some(), origin, url_encoded: true });
    }
    Ok(())
}

/// A body without the line end that some clients send behind it.
pub fn without_line_end(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").map_or(text, |rest| rest.strip_suffix(b"\r").unwrap_or(rest))
}
