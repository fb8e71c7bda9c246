//! The words of a JSON text.

use super::{Error, Reason};

/// A place in a text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// A text between quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// As it is written, without the quotes.
    pub raw: &'a [u8],
    /// Whether there are escapes in it.
    pub escapes: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// An error at this place.
    pub fn error(&self, reason: Reason) -> Error {
        Error { reason, at: self.at }
    }

    /// The byte at this place.
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Goes over the byte at this place.
    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Goes over a byte if it is that one.
    pub fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Goes over blanks.
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// An error for what stands here instead of something else.
    pub fn unexpected(&self, reason: Reason) -> Error {
        self.error(if self.peek().is_none() { Reason::Ends } else { reason })
    }

    /// What stands between two places.
    fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// What stands between quotes; the first of them was gone over.
    pub fn quoted(&mut self) -> Result<Quoted<'a>, Error> {
        let (start, mut escapes) = (self.at, false);
        loop {
            match self.peek() {
                None => return Err(self.error(Reason::Ends)),
                Some(b'"') => {
                    let raw = self.since(start);
                    self.step();
                    return Ok(Quoted { raw, escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.error(Reason::Control)),
                Some(_) => self.step(),
            }
        }
    }

    /// Goes over an escape. What half of a pair it stands for is not looked at: the grammar does not.
    fn escape(&mut self) -> Result<(), Error> {
        self.step();
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.step(),
            Some(b'u') => {
                self.step();
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.unexpected(Reason::Escape));
                    }
                    self.step();
                }
            }
            _ => return Err(self.unexpected(Reason::Escape)),
        }
        Ok(())
    }

    /// A number as it is written; the first byte of one stands here.
    pub fn number(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        // What may not stand behind a number is told here, where it says more than that no comma was found.
        match self.peek() {
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'A'..=b'Z' | b'a'..=b'z') => Err(self.error(Reason::Number)),
            _ => Ok(self.since(start)),
        }
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected(Reason::Number));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        Ok(())
    }

    /// One of the three words.
    pub fn word(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            self.step();
        }
        match self.since(start) {
            word @ (b"true" | b"false" | b"null") => Ok(word),
            _ => {
                self.at = start;
                Err(self.unexpected(Reason::Value))
            }
        }
    }
}

/// What a text with escapes stands for, in UTF-8; halves of pairs that stand alone are encoded as the others are.
pub fn resolve(raw: &[u8], into: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        into.extend_from_slice(before);
        rest = match escape {
            [_, b'u', behind @ ..] => {
                let (unit, behind) = unit(behind);
                match behind {
                    [b'\\', b'u', second @ ..] if (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&self::unit(second).0) => {
                        let (low, behind) = self::unit(second);
                        encode(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), into);
                        behind
                    }
                    _ => {
                        encode(unit, into);
                        behind
                    }
                }
            }
            [_, byte, behind @ ..] => {
                into.push(match byte {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                behind
            }
            _ => &[],
        };
    }
    into.extend_from_slice(rest);
}

/// Four hexadecimal digits, and what stands behind them.
fn unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, behind) = text.split_at(text.len().min(4));
    (digits.iter().fold(0, |unit, digit| unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0)), behind)
}

fn encode(code: u32, into: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        // Half of a pair.
        None => into.extend_from_slice(&[0xe0 | (code >> 12 & 0x0f) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}
