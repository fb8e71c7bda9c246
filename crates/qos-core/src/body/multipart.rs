//! Multipart bodies (filters.md section 13.5): one pass over the body for each level, slices of it as the result.

use super::error::Error;
use super::media::{ContentType, Media, RawTypes};
use super::part::{Encoding, Part};
use super::{MOST_LEVELS, MOST_PARAMETERS, MOST_PARTS, field, form};
use crate::parameters::{Origin, Parameter, Parsed};
use memchr::memmem::Finder;

/// Reads a multipart body.
pub struct Reader<'a, 'f> {
    /// What is found.
    pub found: &'f mut Parsed<'a>,
    /// Types of parts for which the body is kept as it is.
    pub raw_types: &'f RawTypes,
    /// Whether one of the parts was of such a type.
    pub has_raw_part: bool,
    /// Parts so far.
    pub parts: usize,
}

/// A line that ends a part.
struct Delimiter {
    /// Where what is before it ends.
    begin: usize,
    /// Where what is behind it begins.
    end: usize,
    /// No part follows.
    closes: bool,
}

/// The delimiters of a body.
struct Delimiters<'a> {
    text: &'a [u8],
    mark: Finder<'static>,
    at: usize,
}

impl<'a> Delimiters<'a> {
    fn new(text: &'a [u8], boundary: &[u8]) -> Delimiters<'a> {
        Delimiters { text, mark: Finder::new(&[b"--", boundary].concat()).into_owned(), at: 0 }
    }

    /// The next one: at the begin of a line, with nothing but blanks behind it. A longer word that begins so is none: it belongs to another level.
    fn next(&mut self) -> Result<Option<Delimiter>, Error> {
        while let Some(place) = self.text.get(self.at..).and_then(|rest| self.mark.find(rest)) {
            let at = self.at + place;
            self.at = at + 1;
            let before = self.text.get(..at).unwrap_or_default();
            if !(before.is_empty() || before.ends_with(b"\n")) {
                continue;
            }
            let begin = form::without_line_end(before).len();
            let mark_end = at + self.mark.needle().len();
            let behind = self.text.get(mark_end..).unwrap_or_default();
            let (closes, tail) = behind.strip_prefix(b"--").map_or((false, behind), |tail| (true, tail));
            let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let tail = tail.get(blanks..).unwrap_or_default();
            let line_end = if tail.starts_with(b"\n") { 1 } else { 2 };
            if tail.starts_with(b"\n") || tail.starts_with(b"\r\n") {
                self.at = self.text.len() - tail.len() + line_end;
            } else if closes && tail.is_empty() {
                self.at = self.text.len();
            } else if closes {
                return Err(Error::AfterClose);
            } else {
                continue;
            }
            return Ok(Some(Delimiter { begin, end: self.at, closes }));
        }
        Ok(None)
    }
}

impl<'a> Reader<'a, '_> {
    /// Reads a body, or the content of a part that is one. `level`: 1 for the body of the request.
    ///
    /// # Errors
    /// What is not understood, and whatever exceeds a limit.
    pub fn read(&mut self, text: &'a [u8], content_type: ContentType<'_>, level: usize) -> Result<(), Error> {
        if level > MOST_LEVELS {
            return Err(Error::Levels);
        }
        let mut delimiters = Delimiters::new(text, &content_type.boundary()?);
        let Some(first) = delimiters.next()? else { return if text.is_empty() { Ok(()) } else { Err(Error::NoPart) } };
        self.outside(text.get(..first.begin));
        let mut last = first;
        while !last.closes {
            let next = delimiters.next()?.ok_or(Error::NotClosed)?;
            self.parts += 1;
            if self.parts > MOST_PARTS {
                return Err(Error::Parts);
            }
            // An empty part may begin behind where it ends: the line end belongs to both delimiters.
            let part = text.get(last.end..next.begin.max(last.end)).unwrap_or_default();
            self.part(Part::new(part)?, level)?;
            last = next;
        }
        self.outside(text.get(last.end..));
        if self.parts == 0 {
            return Err(Error::NoPart);
        }
        Ok(())
    }

    /// What stands before the first part or behind the last one.
    fn outside(&mut self, text: Option<&'a [u8]>) {
        if let Some(text) = text.filter(|text| !field::trim(text).is_empty()) {
            self.found.subjects.push(text.into());
        }
    }

    fn part(&mut self, part: Part<'a>, level: usize) -> Result<(), Error> {
        let decoded = part.decoded();
        let content_type = ContentType::new(part.content_type.as_deref());
        self.found.subjects.extend(part.filenames);
        if content_type.is_any_multipart() {
            // It may not be encoded itself (RFC 2045 section 6.4).
            return if part.encoding == Encoding::Plain { self.read(part.content, content_type, level + 1) } else { Err(Error::TransferEncoding) };
        }
        self.has_raw_part |= self.raw_types.has(content_type.media());
        self.found.subjects.extend(decoded.map(Into::into));
        if self.found.parameters.len() >= MOST_PARAMETERS {
            return Err(Error::Parameters);
        }
        if content_type.parser() == Media::Form {
            form::parameters(form::without_line_end(part.content), Origin::Form, &mut self.found.parameters)?;
        }
        let name = part.name.ok_or(Error::NoName)?;
        self.found.parameters.push(Parameter { name, value: part.content.into(), has_value: true, origin: Origin::Multipart, url_encoded: false });
        Ok(())
    }
}
