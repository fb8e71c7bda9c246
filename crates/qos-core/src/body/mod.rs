//! Bodies of requests (filters.md sections 9, 10 and 13): how long they may be, which of them are read, and the parameters in them.
//!
//! A body is parsed once and as a whole; what is found are slices of it. Where two readers could understand a body differently, it is refused: that is
//! how attackers get past a filter. Nothing takes more memory than the limits here allow.

#[cfg(test)]
mod another_reader;
mod error;
mod field;
mod form;
mod limit;
mod line;
mod media;
mod multipart;
mod parse;
mod part;
#[cfg(test)]
mod tests;

pub use error::{Error, message};
pub use limit::{Verdict, decimal, judge, limit};
pub use media::{ContentType, Media, RawTypes, is_supported};
pub use parse::{Facts, Options, parse};

/// Most bytes of a body that is read to be looked at, where no lower limit is set (section 13.7).
pub const MOST_BYTES: u64 = 8 << 20;
/// Most parameters of a request.
pub const MOST_PARAMETERS: usize = 65_536;
/// Multipart bodies within each other; the outermost is the first.
pub const MOST_LEVELS: usize = 4;
/// Most parts of a body, on all levels together.
pub const MOST_PARTS: usize = 1024;
/// Most bytes of the headers of a part.
pub const MOST_PART_HEADERS: usize = 8192;
/// Longest boundary (RFC 2046).
pub const MOST_BOUNDARY: usize = 70;
