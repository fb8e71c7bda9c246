//! Multipart bodies (filters.md section 13.5): one pass over the body for each level, slices of it as the result.
//!
//! Readers differ: some find a delimiter within a line or before other text, some end lines with LF where others want CRLF. A body that they would split at different
//! places is refused. What some of them take for a value and others take apart is a subject of rules that deny, and satisfies none that permits.

use super::error::Error;
use super::media::{ContentType, Media, RawTypes, is_ascii_like};
use super::parse::looks_like_json;
use super::part::{Encoding, LineEnd, Part};
use super::{MOST_LEVELS, MOST_PARAMETERS, MOST_PARTS, field, form};
use crate::json;
use crate::parameters::{Origin, Parameter, Parsed};
use memchr::memmem::Finder;

/// The field of a form that names the charset of all (HTML, RFC 7578 section 4.6).
const CHARSET_FIELD: &[u8] = b"_charset_";

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
    /// How all their lines end, and the ones before them.
    line_end: Option<LineEnd>,
    /// Blanks stand behind one of them, or LF behind the last one where lines end with CRLF: some readers do not take it for a delimiter then.
    padded: bool,
}

impl<'a> Delimiters<'a> {
    fn new(text: &'a [u8], boundary: &[u8]) -> Delimiters<'a> {
        Delimiters { text, mark: Finder::new(&[b"--", boundary].concat()).into_owned(), at: 0, line_end: None, padded: false }
    }

    /// The next one: at the begin of a line, with nothing but blanks behind it. Nowhere else may there be the boundary behind two hyphens.
    fn next(&mut self) -> Result<Option<Delimiter>, Error> {
        let Some(place) = self.text.get(self.at..).and_then(|rest| self.mark.find(rest)) else { return Ok(None) };
        let at = self.at + place;
        let before = self.text.get(..at).unwrap_or_default();
        let line_before = LineEnd::of_end(before);
        if line_before.is_none() && !before.is_empty() {
            return Err(Error::Delimiter);
        }
        let behind = self.text.get(at + self.mark.needle().len()..).unwrap_or_default();
        let (closes, tail) = behind.strip_prefix(b"--").map_or((false, behind), |tail| (true, tail));
        let blanks = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.padded |= blanks > 0;
        let tail = tail.get(blanks..).unwrap_or_default();
        // Of a body whose lines end with CRLF some clients end the last one with LF.
        let ends_with_lf = closes && tail == b"\n" && line_before == Some(LineEnd::CrLf);
        self.padded |= ends_with_lf;
        let tail = if ends_with_lf { b"" } else { tail };
        let line_end = LineEnd::of_begin(tail);
        if line_end.is_none() && !(closes && tail.is_empty()) {
            return Err(if closes { Error::AfterClose } else { Error::Delimiter });
        }
        for found in line_before.into_iter().chain(line_end) {
            if *self.line_end.get_or_insert(found) != found {
                return Err(Error::LineEnds);
            }
        }
        self.at = self.text.len() - tail.len() + line_end.map_or(0, LineEnd::length);
        Ok(Some(Delimiter { begin: at - line_before.map_or(0, LineEnd::length), end: self.at, closes }))
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
        let mut delimiters = Delimiters::new(text, content_type.boundary()?);
        let Some(first) = delimiters.next()? else { return if text.is_empty() { Ok(()) } else { Err(Error::NoPart) } };
        let (preamble, is_empty) = (text.get(..first.begin).unwrap_or_default(), first.closes);
        let mut last = first;
        while !last.closes {
            let next = delimiters.next()?.ok_or(Error::NotClosed)?;
            self.parts += 1;
            if self.parts > MOST_PARTS {
                return Err(Error::Parts);
            }
            // An empty part may begin behind where it ends: the line end belongs to both delimiters.
            let part = text.get(last.end..next.begin.max(last.end)).unwrap_or_default();
            self.part(Part::new(part, delimiters.line_end.unwrap_or_default())?, level)?;
            last = next;
        }
        let epilogue = text.get(last.end..).unwrap_or_default();
        if delimiters.mark.find(epilogue).is_some() {
            // Some readers go on behind the closing delimiter.
            return Err(Error::Delimiter);
        }
        if delimiters.padded {
            // For them it is a part of the value before it.
            self.found.subjects.push(text.into());
            self.found.unparsed = true;
        }
        let has_text = self.outside(preamble) | self.outside(epilogue);
        // Browsers send a form without fields as a closing delimiter alone.
        if is_empty && (has_text || level > 1) { Err(Error::NoPart) } else { Ok(()) }
    }

    /// What stands before the first part or behind the last one: whether it is more than blanks. Who finds parts there finds more parameters.
    fn outside(&mut self, text: &'a [u8]) -> bool {
        let has_text = !field::trim(text).is_empty();
        if has_text {
            self.found.subjects.push(text.into());
            self.found.unparsed = true;
        }
        has_text
    }

    fn part(&mut self, part: Part<'a>, level: usize) -> Result<(), Error> {
        let decoded = part.decoded();
        let content_type = ContentType::new(part.content_type.as_deref());
        // Readers differ about whether they decode it.
        self.found.unparsed |= part.differs || part.encoding != Encoding::Plain;
        match content_type.check_charset() {
            // A file is no parameter for most readers, and is what it is.
            Err(_) if part.is_file => self.found.unparsed = true,
            checked => checked?,
        }
        self.found.subjects.extend(part.filenames);
        let is_document = part.is_file && content_type.is_whole_document();
        if content_type.is_any_multipart() && !is_document {
            // It may not be encoded itself (RFC 2045 section 6.4).
            if part.encoding != Encoding::Plain {
                return Err(Error::TransferEncoding);
            }
            // Some readers take it apart, others take it for a value, whatever its type.
            self.found.unparsed = true;
            if part.name.is_none() {
                self.found.subjects.push(part.content.into());
            }
            self.read(part.content, content_type, level + 1)?;
            return part.name.map_or(Ok(()), |name| self.value(name, part.content));
        }
        if content_type.mentions_multipart() && !is_document {
            return Err(Error::Type);
        }
        self.found.unparsed |= is_document;
        self.has_raw_part |= self.raw_types.has(content_type.media());
        self.found.subjects.extend(decoded.map(Into::into));
        if content_type.mentions_json() || looks_like_json(part.content) {
            self.found.subjects.extend(json::unescaped(part.content).map(Into::into));
        }
        if self.found.parameters.len() >= MOST_PARAMETERS {
            return Err(Error::Parameters);
        }
        if content_type.parser() == Media::Form {
            // Some readers take it for a value alone, some for parameters alone, and up to the end of the whole body.
            self.found.unparsed = true;
            form::parameters(form::without_line_end(part.content), Origin::Form, &mut self.found.parameters)?;
        }
        match part.name {
            Some(name) => self.value(name, part.content),
            // One of several files of a field (RFC 2388 section 4.2): all of them together are its value, or a subject.
            None if level > 1 => Ok(()),
            None => Err(Error::NoName),
        }
    }

    fn value(&mut self, name: std::borrow::Cow<'a, [u8]>, content: &'a [u8]) -> Result<(), Error> {
        if self.found.parameters.len() >= MOST_PARAMETERS {
            return Err(Error::Parameters);
        }
        // Browsers say there in which charset the other fields are, and some readers believe it.
        if name.eq_ignore_ascii_case(CHARSET_FIELD) && !is_ascii_like(field::trim(content)) {
            return Err(Error::Charset);
        }
        self.found.parameters.push(Parameter { name, value: content.into(), has_value: true, origin: Origin::Multipart, url_encoded: false });
        Ok(())
    }
}
