//! What may pass: rules about the request line, path, query and parameters of a request (filters.md sections 2 to 6).
//!
//! `store` holds the rules of a location, `section` and `kept` how those of sections are merged, `decode` and `path` what bytes stand for, `subjects` and `body` what rules look at, `judge` the verdict,
//! `message` its log lines; `mask` what an access log does not show.

mod body;
mod decode;
mod judge;
mod kept;
mod mask;
pub mod message;
mod path;
mod redirected;
mod remarks;
mod rule;
mod section;
mod store;
mod subjects;

#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use decode::{Decoded, Decoding, decode, further};
pub use judge::{AsDecoded, Finding, Parameters, Rewrite, Stage, UrlFilter, has_line, judge, judge_rewritten};
pub use mask::Masked;
pub use path::normalized;
pub use redirected::Redirected;
pub use remarks::remarks;
pub use rule::{Action, Kind, Rule, Test};
pub use store::{Rules, events};
pub use subjects::Target;
