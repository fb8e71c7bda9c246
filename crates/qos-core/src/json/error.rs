//! What is wrong with a text.

use std::fmt;

/// Why a text is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Why.
    pub reason: Reason,
    /// The byte at which it was noticed, from 0; the length of the text where that ends too early.
    pub at: usize,
}

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// It ends before the value does; or there is none.
    Ends,
    /// Something else than a value.
    Value,
    /// Something else than the name of a member.
    Name,
    /// Something else than the colon behind a name.
    Colon,
    /// Something else than a comma or the end of the object or array.
    Comma,
    /// A control character in a text.
    Control,
    /// A backslash before something that is no escape.
    Escape,
    /// A number that is none.
    Number,
    /// Something behind the value.
    Behind,
    /// More values within each other than allowed.
    Depth,
    /// More parameters than allowed.
    Parameters,
    /// A longer line of parameters than allowed.
    Line,
}

impl Reason {
    /// As the log shows it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Reason::NotUtf8 => "not UTF-8",
            Reason::Ends => "ends too early",
            Reason::Value => "value expected",
            Reason::Name => "name expected",
            Reason::Colon => "colon expected",
            Reason::Comma => "comma expected",
            Reason::Control => "control character in a string",
            Reason::Escape => "invalid escape",
            Reason::Number => "invalid number",
            Reason::Behind => "data behind the value",
            Reason::Depth => "limit: nesting",
            Reason::Parameters => "limit: parameters",
            Reason::Line => "limit: length of the parameters",
        }
    }

    /// Whether the text may be right but needs too much.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(self, Reason::Depth | Reason::Parameters | Reason::Line)
    }
}

/// As the log shows it; nothing of the text itself, which may be secret.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JSON: {} at byte {}", self.reason.text(), self.at)
    }
}

impl std::error::Error for Error {}
