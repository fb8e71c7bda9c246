//! Parameters of a JSON text, so that rules about queries see what is in it (filters.md section 7).
//!
//! The parser is strict (RFC 8259): two parsers that understand a text differently are a way around rules. Names, texts and numbers stay as they are
//! written; what escapes in them stand for is found besides. Memory is bounded by [`Limits`].

mod error;
mod name;
mod reader;
#[cfg(test)]
mod tests;
mod walk;

pub use error::{Error, Reason};

use crate::parameters::Parameter;
use std::borrow::Cow;

/// What a text may need at most (filters.md section 13.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values within each other, the innermost counts as well.
    pub depth: usize,
    /// Parameters.
    pub parameters: usize,
    /// Bytes of all parameters as one line, escaped.
    pub line: usize,
}

impl Limits {
    /// Those of the specification.
    pub const DEFAULT: Limits = Limits { depth: 80, parameters: 65_536, line: 4 << 20 };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its values in their order, also those of the same name: `J_o_a_n` and `1` of `{"a":1}`. Not URL-encoded; escapes stay as they are written.
    pub parameters: Vec<Parameter<'a>>,
    /// What `QS_DenyQuery` looks at besides: of each value with escapes what it stands for, and of each parameter with escapes in its name or value
    /// `name=value` with what they stand for.
    pub subjects: Vec<Cow<'a, [u8]>>,
}

/// A text with what escapes stand for, wherever they are in it, JSON or not; `None` where there are none.
#[must_use]
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', text)?;
    let mut plain = Vec::with_capacity(text.len());
    reader::resolve(text, &mut plain);
    Some(plain)
}

/// Reads one JSON text, with blanks around it, which has to be all there is. An empty one is none: ask only about bodies that are not empty.
///
/// # Errors
/// [`Error`] says what is wrong with it, and at which byte; or which of the limits it exceeds.
pub fn parameters<'a>(text: &'a [u8], limits: &Limits) -> Result<Found<'a>, Error> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(Error { reason: Reason::NotUtf8, at: error.valid_up_to() });
    }
    walk::Walk::new(text, *limits).run()
}
