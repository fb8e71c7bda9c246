//! A part of a multipart body: its headers and its content (filters.md section 13.5).

use super::MOST_PART_HEADERS;
use super::error::Error;
use super::field::{split, trim, unquote};
use crate::query::hex_byte;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

/// A part.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of its field.
    pub name: Option<Cow<'a, [u8]>>,
    /// Names of files, of all kinds (`filename`, `filename*`), as they stand there.
    pub filenames: Vec<Cow<'a, [u8]>>,
    /// The value of its `Content-Type`.
    pub content_type: Option<Cow<'a, [u8]>>,
    /// How its content is encoded.
    pub encoding: Encoding,
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
    /// Headers without an end, too long ones, and those that readers understand differently.
    pub fn new(text: &'a [u8]) -> Result<Part<'a>, Error> {
        let (headers, content) = Headers::new(text)?;
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
        for parameter in split(value).1 {
            let parameter = parameter?;
            let text = if parameter.quoted { unquote(parameter.value) } else { Cow::Borrowed(parameter.value) };
            let is = |name: &[u8]| parameter.name.eq_ignore_ascii_case(name);
            let begins = |name: &[u8]| parameter.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            if is(b"name") {
                if self.name.is_some() {
                    return Err(Error::Ambiguous);
                }
                self.name = Some(keep(text));
            } else if begins(b"name*") {
                // Some readers take it for the name (RFC 2231), most do not (RFC 7578).
                return Err(Error::Ambiguous);
            } else if is(b"filename") || begins(b"filename*") {
                self.filenames.push(keep(text));
            }
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
    fn new(text: &'a [u8]) -> Result<(Headers<'a>, &'a [u8]), Error> {
        let (mut headers, mut rest) = (Headers::default(), text);
        let mut current: Option<(&'a [u8], Cow<'a, [u8]>)> = None;
        loop {
            let within = MOST_PART_HEADERS.saturating_sub(text.len() - rest.len());
            let window = rest.get(..within.min(rest.len())).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', window) else {
                return Err(if rest.len() > window.len() { Error::LongPartHeaders } else { Error::PartHeaders });
            };
            let line = rest.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            rest = rest.get(end + 1..).unwrap_or_default();
            if let ([b' ' | b'\t', ..], Some((_, value))) = (line, current.as_mut()) {
                value.to_mut().extend_from_slice(line);
                continue;
            }
            if let Some((name, value)) = current.take() {
                headers.keep(name, value)?;
            }
            if line.is_empty() {
                return Ok((headers, rest));
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                let (name, value) = line.split_at_checked(colon).unwrap_or_default();
                current = Some((trim(name), Cow::Borrowed(value.get(1..).unwrap_or_default())));
            }
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
        let part =
            Part::new(b"Content-Disposition: form-data; name=\"a%22\\\"\";\r\n\tfilename=x; filename*=UTF-8''%3Cy\r\ncontent-type: text/x\r\nX: y\n\r\nv\r\n")
                .unwrap();
        assert_eq!(part.name.as_deref(), Some(b"a%22\"".as_slice()));
        assert_eq!(part.filenames.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(), [b"x".as_slice(), b"UTF-8''%3Cy"]);
        assert_eq!((part.content, part.encoding), (b"v\r\n".as_slice(), Encoding::Plain));
        assert_eq!(Part::new(b"\nv").unwrap(), Part { content: b"v", ..Part::default() });
        let long = [b"X: ".as_slice(), &vec![b'x'; 9000], b"\r\n\r\nv"].concat();
        for (text, error) in [
            (b"Content-Disposition: form-data; name=a\r\n".as_slice(), Error::PartHeaders),
            (b"", Error::PartHeaders),
            (&long, Error::LongPartHeaders),
            (b"Content-Disposition: x; name=a\r\nContent-Disposition: x; name=b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; name=b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=a; name*=UTF-8''b\r\n\r\n", Error::Ambiguous),
            (b"Content-Disposition: x; name=\"a\r\n\r\n", Error::Header),
            (b"Content-Transfer-Encoding: x-zip\r\n\r\n", Error::TransferEncoding),
        ] {
            assert_eq!(Part::new(text), Err(error), "{}", String::from_utf8_lossy(text));
        }
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
