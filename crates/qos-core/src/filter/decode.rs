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
enum CodePoints {
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

fn pass(text: &[u8], unicode: bool, points: CodePoints) -> Decoded<'_> {
    // Most of what is asked for needs no decoding, and costs no memory then.
    let Some(start) = memchr::memchr3(b'%', b'\\', b'+', text) else {
        return Decoded { bytes: Cow::Borrowed(text), errors: 0 };
    };
    let (plain, mut rest) = text.split_at(start);
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(plain);
    let mut errors = 0;
    while let Some((first, behind)) = rest.split_first() {
        let escape = match first {
            b'%' => percent(behind, unicode),
            b'\\' => backslash(behind, unicode),
            b'+' => Some(Escape::Byte(b' ', behind)),
            _ => None,
        };
        rest = match escape {
            Some(Escape::Byte(byte, behind)) => {
                bytes.push(byte);
                behind
            }
            Some(Escape::Point(high, low, behind)) => {
                add_point(&mut bytes, [high, low], points);
                behind
            }
            Some(Escape::Wrong) => {
                errors += 1;
                bytes.push(*first);
                behind
            }
            None => {
                bytes.push(*first);
                behind
            }
        };
    }
    Decoded { bytes: Cow::Owned(bytes), errors }
}

enum Escape<'a> {
    /// A byte, and what stands behind it.
    Byte(u8, &'a [u8]),
    /// The two bytes of a code point, and what stands behind it.
    Point(u8, u8, &'a [u8]),
    /// It looks like one and is none.
    Wrong,
}

/// After `%`.
fn percent(behind: &[u8], unicode: bool) -> Option<Escape<'_>> {
    Some(match behind {
        [high, low, rest @ ..] if hex_byte(*high, *low).is_some() => Escape::Byte(hex_byte(*high, *low)?, rest),
        [b'u' | b'U', rest @ ..] if unicode => point(rest).unwrap_or(Escape::Wrong),
        _ => Escape::Wrong,
    })
}

/// After `\`; `None` where it means itself.
fn backslash(behind: &[u8], unicode: bool) -> Option<Escape<'_>> {
    match behind {
        [b'u' | b'U', rest @ ..] if unicode => Some(point(rest).unwrap_or(Escape::Wrong)),
        [b'x', high, low, rest @ ..] if hex_byte(*high, *low).is_some() => Some(Escape::Byte(hex_byte(*high, *low)?, rest)),
        [b'x', ..] => Some(Escape::Wrong),
        _ => None,
    }
}

/// Four hexadecimal digits.
fn point(digits: &[u8]) -> Option<Escape<'_>> {
    match digits {
        [one, two, three, four, rest @ ..] => Some(Escape::Point(hex_byte(*one, *two)?, hex_byte(*three, *four)?, rest)),
        _ => None,
    }
}

fn add_point(bytes: &mut Vec<u8>, [high, low]: [u8; 2], points: CodePoints) {
    if high == 0xff && (0x01..0x5f).contains(&low) {
        // Full-width ASCII.
        bytes.push(low + 0x20);
    } else if points == CodePoints::LowByte {
        bytes.push(low);
    } else {
        let letter = char::from_u32(u32::from(high) << 8 | u32::from(low)).unwrap_or(char::REPLACEMENT_CHARACTER);
        bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it, and the number of errors.
    type Expected = (&'static [u8], u32);

    /// The vectors of section 4.1: input, without and with `uni`, with the number of errors.
    const VECTORS: [(&str, Expected, Option<Expected>); 27] = [
        ("a%41b", (b"aAb", 0), None),
        ("%2541", (b"%41", 0), None),
        ("%25%34%31", (b"%41", 0), None),
        ("%zz", (b"%zz", 1), None),
        ("%4", (b"%4", 1), None),
        ("%", (b"%", 1), None),
        ("%%41", (b"%A", 1), None),
        ("%00x", (b"\0x", 0), None),
        ("%c0%af", (b"\xc0\xaf", 0), None),
        (r"\x41", (b"A", 0), None),
        (r"\X41", (br"\X41", 0), None),
        (r"\x4", (br"\x4", 1), None),
        (r"\x", (br"\x", 1), None),
        (r"a\b", (br"a\b", 0), None),
        ("+a+", (b" a ", 0), None),
        ("%u0041", (b"%u0041", 1), Some((b"A", 0))),
        ("%U0041", (b"%U0041", 1), Some((b"A", 0))),
        ("%u003", (b"%u003", 1), None),
        ("%u00", (b"%u00", 1), None),
        (r"\u0041", (br"\u0041", 0), Some((b"A", 0))),
        (r"\u0", (br"\u0", 0), Some((br"\u0", 1))),
        ("%uff1c", (b"%uff1c", 1), Some((b"<", 0))),
        ("%uFF5e", (b"%uFF5e", 1), Some((b"~", 0))),
        ("%uff5f", (b"%uff5f", 1), Some((b"_", 0))),
        ("%uff00", (b"%uff00", 1), Some((b"\0", 0))),
        ("%u0153", (b"%u0153", 1), Some((b"S", 0))),
        ("%u2215", (b"%u2215", 1), Some((b"\x15", 0))),
    ];

    #[test]
    fn the_vectors_of_the_specification() {
        for (number, (input, without, with)) in VECTORS.into_iter().enumerate() {
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
