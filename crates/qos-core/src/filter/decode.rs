//! What the bytes of a request stand for (filters.md section 4).

use crate::query::hex_byte;
use std::borrow::Cow;

/// Passes up to which what was decoded is decoded again for deny rules (FD-04).
const PASSES: usize = 3;

/// How bytes are decoded: `QS_Decoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoding {
    /// Also `%uXXXX` and `\uXXXX`.
    pub unicode: bool,
    /// Deny rules look at what comes of one pass only.
    pub once: bool,
}

/// What came of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The bytes; any value, also 0.
    pub bytes: Cow<'a, [u8]>,
    /// Escapes that are none, which stay as they are.
    pub errors: u32,
}

/// How a code point becomes bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CodePoints {
    /// Its low byte; full-width ASCII as ASCII.
    LowByte,
    /// UTF-8; full-width ASCII as ASCII (FW-05).
    Utf8,
}

/// One pass, left to right; what comes of it is not looked at again.
#[must_use]
pub fn decode(text: &[u8], unicode: bool) -> Decoded<'_> {
    pass(text, unicode, CodePoints::LowByte)
}

/// What deny rules look at besides one pass: the code points as UTF-8, and what further passes make of either. Each different one once, `first` not among them.
#[must_use]
pub fn further(text: &[u8], first: &[u8], decoding: Decoding) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let add = |all: &mut Vec<Vec<u8>>, bytes: &[u8]| {
        if bytes != first && !all.iter().any(|known| known == bytes) {
            all.push(bytes.to_vec());
        }
    };
    if decoding.unicode {
        add(&mut all, &pass(text, true, CodePoints::Utf8).bytes);
    }
    if !decoding.once {
        let starts = std::iter::once(first.to_vec()).chain(all.clone()).collect::<Vec<_>>();
        for mut bytes in starts {
            for _ in 1..PASSES {
                let again = match decode(&bytes, decoding.unicode).bytes {
                    Cow::Borrowed(_) => break,
                    Cow::Owned(again) => again,
                };
                if again == bytes {
                    break;
                }
                add(&mut all, &again);
                if decoding.unicode {
                    add(&mut all, &pass(&bytes, true, CodePoints::Utf8).bytes);
                }
                bytes = again;
            }
        }
    }
    all
}

/// What a pass came upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    /// Escapes that are none, which stay as they are.
    pub errors: u32,
    /// Something was decoded.
    pub changed: bool,
    /// Code points that are something else in UTF-8.
    pub has_points: bool,
}

impl std::ops::AddAssign for Pass {
    fn add_assign(&mut self, other: Pass) {
        *self = Pass { errors: self.errors + other.errors, changed: self.changed | other.changed, has_points: self.has_points | other.has_points };
    }
}

fn pass(text: &[u8], unicode: bool, points: CodePoints) -> Decoded<'_> {
    // Most of what is asked for needs no decoding, and costs no memory then.
    if memchr::memchr3(b'%', b'\\', b'+', text).is_none() {
        return Decoded { bytes: Cow::Borrowed(text), errors: 0 };
    }
    let mut bytes = text.to_vec();
    let errors = in_place(&mut bytes, 0, unicode, points).errors;
    Decoded { bytes: Cow::Owned(bytes), errors }
}

/// One pass over what stands behind a place of a buffer. It needs no other memory: nothing becomes longer.
pub(super) fn in_place(bytes: &mut Vec<u8>, start: usize, unicode: bool, points: CodePoints) -> Pass {
    let (mut from, mut to, mut pass) = (start, start, Pass::default());
    while let Some((plain, escape, length)) = next(bytes.get(from..).unwrap_or_default(), unicode) {
        if from != to {
            bytes.copy_within(from..from + plain, to);
        }
        (from, to) = (from + plain, to + plain);
        let mut utf8 = [0; 4];
        let decoded: &[u8] = match escape {
            Escape::Byte(byte) => {
                pass.changed = true;
                utf8[0] = byte;
                &utf8[..1]
            }
            Escape::Point(high, low) => {
                pass.changed = true;
                pass.has_points |= differs(high, low);
                point_as(points, high, low, &mut utf8)
            }
            Escape::Wrong | Escape::Itself => {
                pass.errors += u32::from(matches!(escape, Escape::Wrong));
                utf8[0] = bytes.get(from).copied().unwrap_or_default();
                &utf8[..1]
            }
        };
        if let Some(place) = bytes.get_mut(to..to + decoded.len()) {
            place.copy_from_slice(decoded);
        }
        (from, to) = (from + length, to + decoded.len());
    }
    let end = bytes.len();
    if from != to {
        bytes.copy_within(from..end, to);
    }
    bytes.truncate(to + end - from);
    pass
}

/// Whether there are code points that are something else in UTF-8.
fn has_points(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((plain, escape, length)) = next(rest, true) {
        if matches!(escape, Escape::Point(high, low) if differs(high, low)) {
            return true;
        }
        rest = rest.get(plain + length..).unwrap_or_default();
    }
    false
}

/// [`further`] one after the other, with what stands behind a place of a buffer as the first pass, which is lost.
pub(super) fn each_further(bytes: &mut Vec<u8>, start: usize, decoding: Decoding, visit: &mut dyn FnMut(&[u8])) {
    if decoding.once {
        return;
    }
    for _ in 1..PASSES {
        if decoding.unicode && has_points(bytes.get(start..).unwrap_or_default()) {
            let mut other = bytes.get(start..).unwrap_or_default().to_vec();
            in_place(&mut other, 0, true, CodePoints::Utf8);
            visit(&other);
        }
        if !in_place(bytes, start, decoding.unicode, CodePoints::LowByte).changed {
            return;
        }
        visit(bytes.get(start..).unwrap_or_default());
    }
}

/// What stands at a byte that may begin an escape.
#[derive(Clone, Copy)]
enum Escape {
    /// A byte.
    Byte(u8),
    /// The two bytes of a code point.
    Point(u8, u8),
    /// It looks like an escape and is none.
    Wrong,
    /// It means itself.
    Itself,
}

/// The next byte that may begin an escape: what stands before it, what it is, and its length.
fn next(text: &[u8], unicode: bool) -> Option<(usize, Escape, usize)> {
    let plain = memchr::memchr3(b'%', b'\\', b'+', text)?;
    let (escape, length) = match text.get(plain..)? {
        [b'%', behind @ ..] => percent(behind, unicode),
        [b'\\', behind @ ..] => backslash(behind, unicode),
        _ => (Escape::Byte(b' '), 1),
    };
    Some((plain, escape, length))
}

/// After `%`.
fn percent(behind: &[u8], unicode: bool) -> (Escape, usize) {
    match behind {
        [b'u' | b'U', rest @ ..] if unicode => point(rest),
        [high, low, ..] => hex_byte(*high, *low).map_or((Escape::Wrong, 1), |byte| (Escape::Byte(byte), 3)),
        _ => (Escape::Wrong, 1),
    }
}

/// After `\`.
fn backslash(behind: &[u8], unicode: bool) -> (Escape, usize) {
    match behind {
        [b'u' | b'U', rest @ ..] if unicode => point(rest),
        [b'x', high, low, ..] => hex_byte(*high, *low).map_or((Escape::Wrong, 1), |byte| (Escape::Byte(byte), 4)),
        [b'x', ..] => (Escape::Wrong, 1),
        _ => (Escape::Itself, 1),
    }
}

/// Four hexadecimal digits, behind two other bytes.
fn point(digits: &[u8]) -> (Escape, usize) {
    let point = match digits {
        [one, two, three, four, ..] => hex_byte(*one, *two).zip(hex_byte(*three, *four)),
        _ => None,
    };
    point.map_or((Escape::Wrong, 1), |(high, low)| (Escape::Point(high, low), 6))
}

/// Full-width ASCII.
fn is_full_width(high: u8, low: u8) -> bool {
    high == 0xff && (0x01..0x5f).contains(&low)
}

/// Whether a code point is something else in UTF-8 than its low byte.
fn differs(high: u8, low: u8) -> bool {
    !is_full_width(high, low) && (high != 0 || low > 0x7f)
}

fn point_as(points: CodePoints, high: u8, low: u8, bytes: &mut [u8; 4]) -> &[u8] {
    if is_full_width(high, low) || points == CodePoints::LowByte {
        bytes[0] = if is_full_width(high, low) { low + 0x20 } else { low };
        return &bytes[..1];
    }
    let letter = char::from_u32(u32::from(high) << 8 | u32::from(low)).unwrap_or(char::REPLACEMENT_CHARACTER);
    letter.encode_utf8(bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::DECODED;
    use super::*;

    #[test]
    fn the_vectors_of_the_specification() {
        assert_eq!(DECODED.len(), 27);
        for (number, &(input, without, with)) in DECODED.iter().enumerate() {
            for (unicode, (bytes, errors)) in [(false, without), (true, with.unwrap_or(without))] {
                let decoded = decode(input.as_bytes(), unicode);
                assert_eq!((&*decoded.bytes, decoded.errors), (bytes, errors), "vector {}, {input}, uni {unicode}", number + 1);
            }
        }
    }

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(decode(b"/app/list?a=b", true).bytes, Cow::Borrowed(_)));
    }

    fn more(text: &[u8], decoding: Decoding) -> Vec<Vec<u8>> {
        further(text, &decode(text, decoding.unicode).bytes, decoding)
    }

    /// FW-04: what is decoded twice or three times by a backend.
    #[test]
    fn three_passes() {
        let plain = Decoding::default();
        assert_eq!(more(b"%253c", plain), [b"<"]);
        assert_eq!(more(b"%25253c", plain), [&b"%3c"[..], b"<"]);
        assert_eq!(more(b"%2525253c", plain), [&b"%253c"[..], b"%3c"], "a fourth pass is not made");
        assert!(more(b"a%20b%", plain).is_empty() && more(b"/app", plain).is_empty());
        assert!(more(b"%25253c", Decoding { once: true, ..plain }).is_empty());
    }

    /// FW-05: code points whose low byte is something else.
    #[test]
    fn code_points_as_utf8() {
        let unicode = Decoding { unicode: true, once: false };
        assert_eq!(more(b"%u0153", unicode), ["\u{153}".as_bytes()]);
        assert_eq!(more(b"%uff1c%u2215", unicode), ["<\u{2215}".as_bytes()]);
        assert_eq!(more(b"%25u0153", unicode), [&b"S"[..], "\u{153}".as_bytes()]);
        assert_eq!(more(b"%ud800", unicode), ["\u{fffd}".as_bytes()]);
    }
}
