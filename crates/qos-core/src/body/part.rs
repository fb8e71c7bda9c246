//! A part of a multipart body: its headers and its content (filters.md section 13.5).

use super::MOST_PART_HEADERS;
use super::error::Error;
use super::field::{is_token, split, trim, unquote};
use super::media::{count, is_ascii_like};
use crate::query::hex_byte;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

/// How lines end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// As they have to.
    #[default]
    CrLf,
    /// As some clients and readers have it.
    Lf,
}

impl LineEnd {
    /// Of a line that ends where a text ends.
    pub fn of_end(text: &[u8]) -> Option<LineEnd> {
        text.strip_suffix(b"\n").map(|line| if line.ends_with(b"\r") { LineEnd::CrLf } else { LineEnd::Lf })
    }

    /// Of a line that ends where a text begins.
    pub fn of_begin(text: &[u8]) -> Option<LineEnd> {
        match text {
            [b'\r', b'\n', ..] => Some(LineEnd::CrLf),
            [b'\n', ..] => Some(LineEnd::Lf),
            _ => None,
        }
    }

    /// Its bytes.
    pub fn length(self) -> usize {
        if self == LineEnd::CrLf { 2 } else { 1 }
    }
}

/// A part.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of its field.
    pub name: Option<Cow<'a, [u8]>>,
    /// Names of files, of all kinds (`filename`, `filename*`), as they stand there, without their escapes and with what encoded words stand for; the same of a name
    /// with such, and the whole value where readers find other names in it.
    pub filenames: Vec<Cow<'a, [u8]>>,
    /// It has the name of a file.
    pub is_file: bool,
    /// The value of its `Content-Type`.
    pub content_type: Option<Cow<'a, [u8]>>,
    /// How its content is encoded.
    pub encoding: Encoding,
    /// Some readers find another name, or none.
    pub differs: bool,
    /// What stands behind its headers.
    pub content: &'a [u8],
}

/// `Content-Transfer-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Plain,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
}

/// The headers that matter, unfolded.
#[derive(Default)]
struct Headers<'a> {
    disposition: Option<Cow<'a, [u8]>>,
    content_type: Option<Cow<'a, [u8]>>,
    encoding: Option<Cow<'a, [u8]>>,
}

impl<'a> Part<'a> {
    /// Reads the bytes between two delimiters.
    ///
    /// # Errors
    /// Headers without an end, too long ones, lines that are none, and those that readers understand differently.
    pub fn new(text: &'a [u8], line_end: LineEnd) -> Result<Part<'a>, Error> {
        let (headers, content) = Headers::new(text, line_end)?;
        let mut part = Part { content, ..Part::default() };
        if let Some(value) = headers.encoding {
            part.encoding = Encoding::new(trim(&value))?;
        }
        match headers.disposition {
            Some(Cow::Borrowed(value)) => part.dispose(value, |text| text)?,
            Some(Cow::Owned(value)) => part.dispose(&value, |text| Cow::Owned(text.into_owned()))?,
            None => {}
        }
        part.content_type = headers.content_type;
        Ok(part)
    }

    /// Reads the value of `Content-Disposition`.
    fn dispose<'v>(&mut self, value: &'v [u8], keep: impl Fn(Cow<'v, [u8]>) -> Cow<'a, [u8]>) -> Result<(), Error> {
        let (kind, parameters) = split(value);
        if !is_token(kind) || kind.contains(&b'\'') {
            return Err(Error::Header);
        }
        let (mut names, mut begun, mut may_end) = (0, 0, false);
        for parameter in parameters {
            let parameter = parameter?;
            let escapes = parameter.quoted && parameter.value.contains(&b'\\');
            let text = if parameter.quoted { unquote(parameter.value) } else { Cow::Borrowed(parameter.value) };
            let is = |name: &[u8]| parameter.name.eq_ignore_ascii_case(name);
            let begins = |name: &[u8]| parameter.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            names += usize::from(is(b"name") || is(b"filename"));
            self.is_file |= is(b"filename") || is(b"filename*");
            begun += usize::from(parameter.begins_quote());
            may_end |= parameter.quoted && parameter.value.contains(&b'\'');
            // Some readers end the text at the first quote all the same.
            self.differs |= parameter.begins_quote() || parameter.value.windows(2).any(|two| two == b"\\\"");
            if is(b"name") {
                if self.name.is_some() {
                    return Err(Error::Ambiguous);
                }
                // Without quotes it ends where the reader likes.
                if !parameter.quoted && parameter.value.iter().any(|byte| b" \t\"(),/:<=>?@\\".contains(byte)) {
                    return Err(Error::Header);
                }
                let words = encoded_words(&text)?;
                // Some readers decode what browsers write for a quote (`%22`), some encoded words.
                self.differs |= escapes || parameter.value.contains(&b'%') || words.is_some();
                self.filenames.extend(words.map(Cow::Owned));
                if escapes {
                    self.filenames.push(keep(Cow::Borrowed(parameter.value)));
                }
                self.name = Some(keep(text));
            } else if is(b"filename*") {
                // RFC 5987, and no charset that makes other characters of ASCII.
                let charset = parameter.value.split(|byte| *byte == b'\'').next().unwrap_or_default();
                if ![b"utf-8".as_slice(), b"iso-8859-1", b"us-ascii", b""].iter().any(|known| charset.eq_ignore_ascii_case(known)) {
                    return Err(Error::Ambiguous);
                }
                self.filenames.push(keep(text));
            } else if is(b"filename") {
                if escapes {
                    self.filenames.push(keep(Cow::Borrowed(parameter.value)));
                }
                let words = encoded_words(&text)?;
                self.filenames.push(keep(text));
                self.filenames.extend(words.map(Cow::Owned));
            } else if begins(b"name*") || begins(b"filename*") {
                // Some readers take them for the name, or put them together (RFC 2231); most do not (RFC 7578).
                return Err(Error::Ambiguous);
            }
        }
        // For some readers a quoted text lies between the two, and other parameters behind it.
        if begun > 1 || (begun > 0 && may_end) {
            return Err(Error::Header);
        }
        // Some readers find it within other words.
        self.differs |= count(value, b"name=") != names;
        if self.differs {
            self.filenames.push(keep(Cow::Borrowed(value)));
        }
        Ok(())
    }

    /// The content as its transfer encoding means it, where it has one.
    pub fn decoded(&self) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Plain => None,
            Encoding::Base64 => Some(base64(self.content)),
            Encoding::QuotedPrintable => Some(quoted_printable(self.content)),
        }
    }
}

impl Encoding {
    fn new(name: &[u8]) -> Result<Encoding, Error> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match () {
            () if is(b"") || is(b"7bit") || is(b"8bit") || is(b"binary") => Ok(Encoding::Plain),
            () if is(b"base64") => Ok(Encoding::Base64),
            () if is(b"quoted-printable") => Ok(Encoding::QuotedPrintable),
            () => Err(Error::TransferEncoding),
        }
    }
}

impl<'a> Headers<'a> {
    /// Splits a part at the first empty line.
    fn new(text: &'a [u8], line_end: LineEnd) -> Result<(Headers<'a>, &'a [u8]), Error> {
        let (mut headers, mut rest) = (Headers::default(), text);
        let mut current: Option<(&'a [u8], Cow<'a, [u8]>)> = None;
        loop {
            let within = MOST_PART_HEADERS.saturating_sub(text.len() - rest.len());
            let window = rest.get(..within.min(rest.len())).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', window) else {
                return Err(if rest.len() > window.len() { Error::LongPartHeaders } else { Error::PartHeaders });
            };
            let line = rest.get(..end).unwrap_or_default();
            let line = if line_end == LineEnd::CrLf { line.strip_suffix(b"\r").ok_or(Error::LineEnds)? } else { line };
            rest = rest.get(end + 1..).unwrap_or_default();
            // Some readers end a line at CR, or all of them at NUL.
            if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
                return Err(Error::PartHeader);
            }
            if let ([b' ' | b'\t', ..], Some((_, value))) = (line, current.as_mut()) {
                // Some readers take blanks for the empty line.
                if trim(line).is_empty() {
                    return Err(Error::PartHeader);
                }
                value.to_mut().extend_from_slice(line);
                continue;
            }
            if let Some((name, value)) = current.take() {
                headers.keep(name, value)?;
            }
            if line.is_empty() {
                return Ok((headers, rest));
            }
            // Some readers take anything else for more of the line before.
            let (name, value) = memchr::memchr(b':', line).and_then(|colon| line.split_at_checked(colon)).ok_or(Error::PartHeader)?;
            if !is_token(name) {
                return Err(Error::PartHeader);
            }
            current = Some((name, Cow::Borrowed(value.get(1..).unwrap_or_default())));
        }
    }

    fn keep(&mut self, name: &[u8], value: Cow<'a, [u8]>) -> Result<(), Error> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let place = match () {
            () if is(b"Content-Disposition") => &mut self.disposition,
            () if is(b"Content-Type") => &mut self.content_type,
            () if is(b"Content-Transfer-Encoding") => &mut self.encoding,
            () => return Ok(()),
        };
        if place.is_some() {
            return Err(Error::Ambiguous);
        }
        *place = Some(value);
        Ok(())
    }
}

/// Base64 as the most generous reader has it: what is no digit is skipped, and what stands behind padding is read as well.
fn base64(text: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let (engine, mut decoded, mut digits) = (GeneralPurpose::new(&STANDARD, config), Vec::new(), Vec::new());
    for piece in text.split(|byte| *byte == b'=') {
        digits.clear();
        digits.extend(piece.iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')));
        // A single digit at the end holds no byte.
        if digits.len() % 4 == 1 {
            digits.pop();
        }
        let _ = engine.decode_vec(&digits, &mut decoded);
    }
    decoded
}

/// A text with what encoded words in it stand for (RFC 2047), as some readers decode them wherever they are; `None` where there are none.
fn encoded_words(text: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let (mut decoded, mut rest, mut found) = (Vec::new(), text, false);
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, word) = rest.split_at_checked(at).unwrap_or_default();
        let mut pieces = word.get(2..).unwrap_or_default().splitn(3, |byte| *byte == b'?');
        let (charset, kind, behind) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
        let [kind @ (b'b' | b'B' | b'q' | b'Q')] = kind else {
            decoded.extend_from_slice(before);
            decoded.extend_from_slice(b"=?");
            rest = word.get(2..).unwrap_or_default();
            continue;
        };
        // Without an end here there is none further on, either.
        let Some(content) = memchr::memmem::find(behind, b"?=").and_then(|end| behind.get(..end)) else { break };
        // A language may stand behind it (RFC 2231).
        if !is_ascii_like(charset.split(|byte| *byte == b'*').next().unwrap_or_default()) {
            return Err(Error::Ambiguous);
        }
        // Blanks between two of them are none.
        if !(found && trim(before).is_empty()) {
            decoded.extend_from_slice(before);
        }
        found = true;
        decoded.extend(match kind.to_ascii_lowercase() {
            b'b' => base64(content),
            _ => quoted_printable(&content.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect::<Vec<_>>()),
        });
        rest = behind.get(content.len() + 2..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    Ok(found.then_some(decoded))
}

/// Quoted-printable; what is no escape stays as it is.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'=', b'\r', b'\n', behind @ ..] | [b'=', b'\n', behind @ ..] => behind,
            [b'=', high, low, behind2 @ ..] => match hex_byte(*high, *low) {
                Some(byte) => {
                    decoded.push(byte);
                    behind2
                }
                None => {
                    decoded.push(b'=');
                    behind
                }
            },
            _ => {
                decoded.push(*first);
                behind
            }
        };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_parts() {
        let read = |text: &'static [u8]| Part::new(text, LineEnd::CrLf);
        let part =
            read(b"Content-Disposition: form-data; name=\"a b\";\r\n\tfilename=x; filename*=UTF-8''%3Cy\r\ncontent-type: text/x\r\nX: y\r\n\r\nv\r\n").unwrap();
        assert_eq!(part.name.as_deref(), Some(b"a b".as_slice()));
        assert_eq!(part.filenames.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), [b"x".as_slice(), b"UTF-8''%3Cy"]);
        assert_eq!((part.content, part.encoding, part.differs), (b"v\r\n".as_slice(), Encoding::Plain, false));
        assert_eq!(Part::new(b"\nv", LineEnd::Lf).unwrap(), Part { content: b"v", ..Part::default() });
        let path = read(b"Content-Disposition: form-data; name=a[]; filename=\"C:\\dir\\\\x\"\r\n\r\n").unwrap();
        assert_eq!(path.filenames.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), [br"C:\dir\\x".as_slice(), br"C:\dir\x"]);
        assert!(!path.differs);
    }

    #[test]
    fn headers_of_parts_that_are_refused() {
        let long = [b"X: ".as_slice(), &vec![b'x'; 9000], b"\r\n\r\nv"].concat();
        for (text, error) in [
            (b"Content-Disposition: form-data; name=a\r\n".as_slice(), Error::PartHeaders),
            (b"", Error::PartHeaders),
            (&long, Error::LongPartHeaders),
            (b"Content-Disposition: x; name=a\r\nContent-Disposition: x; name=b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; name=b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; name*=UTF-8''b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name*0=a; name*1=b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; filename*0=\"<scr\"; filename*1=ipt\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; filename*=utf-7''x\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=\"a\r\n\r\n", Error::Header),
            (b"Content-Disposition: x\"; name=a; y=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename=it's; name=a; y=\"'; name=b\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; name=\"a'\"; filename=it's\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename*=utf-8'; filename=\"x'; name=b; y=\"; name=a\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename*=utf-8'; name=a; filename*=\"utf-8'; name=b; y=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename=it's; name=a; filename*=\"utf-8'; name=b; y=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename=it's; name=a; filename=\"'; name=b; y=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; filename=it's; name=a; filename=it's\r\n\r\n", Error::Header),
            (b"Content-Disposition: x'; name=a; y=\"'; name=b; z=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; y'=1; name=a; y=\"'; name=b; z=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; y=\"\\\\\"; name=a; z=\"; name=b; u=\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; name=\"a\\\\\"\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; name=a b\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; name='a; y=b'\r\n\r\n", Error::Header),
            (b"Content-Disposition: x; name =a\r\n\r\n", Error::Header),
            (b"Content-Disposition: name=\"a\"\r\n\r\n", Error::Header),
            (b"Content-Transfer-Encoding: x-zip\r\n\r\n", Error::TransferEncoding),
            // Lines that are none.
            (b"Content-Disposition: x; name=a\r\n;filename=b\r\n\r\n", Error::PartHeader),
            (b"Content-Disposition: x; name=a\r\nno colon\r\n\r\n", Error::PartHeader),
            (b"Content-Disposition : x; name=a\r\n\r\n", Error::PartHeader),
            (b": x\r\n\r\n", Error::PartHeader),
            (b" X: y\r\n\r\n", Error::PartHeader),
            (b"X: y\r\n \r\n\r\n", Error::PartHeader),
            (b"X: y\0\r\n\r\n", Error::PartHeader),
            (b"\0\r\n\r\n", Error::PartHeader),
            (b"X: y\rContent-Disposition: x; name=a\r\n\r\n", Error::PartHeader),
            (b"X: y\r\n\r\r\n\r\n", Error::PartHeader),
            // Line ends.
            (b"X: y\n\r\n", Error::LineEnds),
            (b"X: y\r\n\nv", Error::LineEnds),
        ] {
            assert_eq!(Part::new(text, LineEnd::CrLf), Err(error), "{}", text.escape_ascii());
        }
        assert_eq!(Part::new(b"X: y\r\n\n", LineEnd::Lf), Err(Error::PartHeader));
    }

    /// Names that some readers find elsewhere, or cut.
    #[test]
    fn names_that_differ() {
        for value in [
            "name=\"a\\\"b\"",
            "name=\"a\\\\b\"",
            "name=\"a%22b\"",
            "x-name=\"b\"; name=\"a\"",
            "filename=\"x name=b\"; name=a",
            "name=a; filename=\"\\\"; x=b\"",
            "name=a; filename=it's.txt",
            "name=a; filename=it's.txt; filename*=utf-8''it%27s.txt",
            "filename=rock'n'roll; name=a",
        ] {
            let text = format!("Content-Disposition: form-data; {value}\r\n\r\n");
            let part = Part::new(text.as_bytes(), LineEnd::CrLf).unwrap();
            assert!(part.differs && part.filenames.iter().any(|seen| seen.ends_with(value.as_bytes())), "{value}");
        }
    }

    /// Tomcat and others decode them (RFC 2047), .NET sends names of files so.
    #[test]
    fn encoded_words() {
        for (value, name, texts, differs) in [
            ("name=f; filename=\"=?utf-8?B?w7wuanNw?=\"", "f", vec!["=?utf-8?B?w7wuanNw?=", "\u{fc}.jsp"], false),
            ("name=f; filename=\"a =?UTF-8?q?=3Cscr?= =?us-ascii?Q?ipt_?=b\"", "f", vec!["a =?UTF-8?q?=3Cscr?= =?us-ascii?Q?ipt_?=b", "a <script b"], false),
            ("name=\"=?utf-8?B?ZXZpbA==?=\"", "=?utf-8?B?ZXZpbA==?=", vec!["evil", " form-data; name=\"=?utf-8?B?ZXZpbA==?=\""], true),
            ("name=\"=?\"; filename=\"a=?b?c?=\"", "=?", vec!["a=?b?c?="], false),
        ] {
            let text = format!("Content-Disposition: form-data; {value}\r\n\r\n");
            let part = Part::new(text.as_bytes(), LineEnd::CrLf).unwrap();
            assert_eq!((part.name.as_deref(), part.differs), (Some(name.as_bytes()), differs), "{value}");
            assert_eq!(part.filenames.iter().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>(), texts, "{value}");
        }
        let text = b"Content-Disposition: form-data; name=f; filename=\"=?utf-7?Q?+ADw-?=\"\r\n\r\n";
        assert_eq!(Part::new(text, LineEnd::CrLf), Err(Error::Ambiguous));
    }

    #[test]
    fn transfer_encodings() {
        for (text, decoded) in [("PHNjcmlwdA==", "<script"), ("PHNj\r\ncm lwdA", "<script"), ("YQ==Yg==", "ab"), ("YWI", "ab"), ("Y", ""), ("", "")] {
            assert_eq!(base64(text.as_bytes()), decoded.as_bytes(), "{text}");
        }
        for (text, decoded) in [("=3Cscr=\r\nipt=\n", "<script"), ("a=zz=4", "a=zz=4"), ("=", "="), ("", "")] {
            assert_eq!(quoted_printable(text.as_bytes()), decoded.as_bytes(), "{text}");
        }
    }
}
