//! The way through a text.

use super::name::{Name, Size};
use super::reader::{Quoted, Reader, resolve};
use super::{Error, Found, Limits, Reason};
use crate::parameters::{Origin, Parameter, escaped_length};
use std::borrow::Cow;

/// An object or array that has begun.
#[derive(Debug)]
struct Level {
    is_object: bool,
    /// The element that comes next.
    next: usize,
    /// Its own name.
    name: Size,
}

/// How far a text was read, and what was found.
#[derive(Debug)]
pub struct Walk<'a> {
    reader: Reader<'a>,
    limits: Limits,
    levels: Vec<Level>,
    name: Name,
    /// Length of the line of parameters so far.
    line: usize,
    found: Found<'a>,
}

impl<'a> Walk<'a> {
    pub fn new(text: &'a [u8], limits: Limits) -> Walk<'a> {
        Walk { reader: Reader::new(text), limits, levels: Vec::new(), name: Name::root(), line: 0, found: Found::default() }
    }

    pub fn run(mut self) -> Result<Found<'a>, Error> {
        loop {
            self.reader.skip_blanks();
            if self.value()? {
                continue;
            }
            if !self.behind()? {
                return Ok(self.found);
            }
        }
    }

    /// Reads a value, or of an object or array what stands before its first value: true then.
    fn value(&mut self) -> Result<bool, Error> {
        if self.levels.len() >= self.limits.depth {
            return Err(self.reader.unexpected(Reason::Depth));
        }
        match self.reader.peek() {
            Some(b'{') => self.begin(true),
            Some(b'[') => self.begin(false),
            Some(b'"') => {
                self.reader.step();
                let text = self.reader.quoted()?;
                self.emit(b"_v", text).map(|()| false)
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = self.reader.number()?;
                self.emit_plain(b"_n", number).map(|()| false)
            }
            _ => {
                let word = self.reader.word()?;
                self.emit_plain(b"_b", word).map(|()| false)
            }
        }
    }

    /// An object or array begins; false if it is empty.
    fn begin(&mut self, is_object: bool) -> Result<bool, Error> {
        self.reader.step();
        self.reader.skip_blanks();
        let (end, kind) = if is_object { (b'}', b"_o") } else { (b']', b"_a") };
        if self.reader.take(end) {
            return self.emit_plain(kind, b"").map(|()| false);
        }
        self.levels.push(Level { is_object, next: 0, name: self.name.size() });
        self.next_name()?;
        Ok(true)
    }

    /// The name of the next value of the innermost object or array.
    fn next_name(&mut self) -> Result<(), Error> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        self.name.cut(level.name);
        if !level.is_object {
            self.name.element(level.next);
            level.next += 1;
            return Ok(());
        }
        self.reader.skip_blanks();
        if !self.reader.take(b'"') {
            return Err(self.reader.unexpected(Reason::Name));
        }
        let key = self.reader.quoted()?;
        self.name.member(key);
        // A name that fits into no line needs no memory.
        if self.name.escaped() > self.limits.line {
            return Err(self.reader.error(Reason::Line));
        }
        self.reader.skip_blanks();
        if self.reader.take(b':') { Ok(()) } else { Err(self.reader.unexpected(Reason::Colon)) }
    }

    /// What stands behind a value: true where another one follows, false at the end of the text.
    fn behind(&mut self) -> Result<bool, Error> {
        loop {
            self.reader.skip_blanks();
            let Some(level) = self.levels.last() else {
                return if self.reader.peek().is_none() { Ok(false) } else { Err(self.reader.error(Reason::Behind)) };
            };
            if self.reader.take(b',') {
                return self.next_name().map(|()| true);
            }
            if !self.reader.take(if level.is_object { b'}' } else { b']' }) {
                return Err(self.reader.unexpected(Reason::Comma));
            }
            self.levels.pop();
        }
    }

    fn emit_plain(&mut self, kind: &[u8], value: &'a [u8]) -> Result<(), Error> {
        self.emit(kind, Quoted { raw: value, escapes: false })
    }

    /// A parameter, and what it is matched as besides.
    fn emit(&mut self, kind: &[u8], value: Quoted<'a>) -> Result<(), Error> {
        if self.found.parameters.len() >= self.limits.parameters {
            return Err(self.reader.error(Reason::Parameters));
        }
        // With `=`, and `&` before the next one.
        self.line += self.name.escaped() + kind.len() + escaped_length(value.raw) + 2;
        if self.line - 1 > self.limits.line {
            return Err(self.reader.error(Reason::Line));
        }
        if value.escapes || self.name.escapes() {
            let mut named = self.name.resolved(kind);
            named.push(b'=');
            let start = named.len();
            resolve(value.raw, &mut named);
            if value.escapes {
                self.found.subjects.push(Cow::Owned(named.get(start..).unwrap_or_default().to_vec()));
            }
            self.found.subjects.push(Cow::Owned(named));
        }
        self.found.parameters.push(Parameter {
            name: Cow::Owned(self.name.with(kind)),
            value: Cow::Borrowed(value.raw),
            has_value: true,
            origin: Origin::Json,
            url_encoded: false,
        });
        Ok(())
    }
}
