//! Sets of bytes, and those that have a name in patterns: as PCRE2 has them without UTF mode.

/// Bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes([u128; 2]);

impl Bytes {
    pub(super) fn one(byte: u8) -> Bytes {
        let mut bytes = Bytes::default();
        bytes.add(byte, byte);
        bytes
    }

    pub(super) fn of(ranges: Ranges) -> Bytes {
        let mut bytes = Bytes::default();
        for (first, last) in ranges {
            bytes.add(*first, *last);
        }
        bytes
    }

    pub(super) const fn all() -> Bytes {
        Bytes([u128::MAX; 2])
    }

    pub(super) fn add(&mut self, first: u8, last: u8) {
        let [low, high] = &mut self.0;
        for byte in first..=last {
            let half = if byte < 128 { &mut *low } else { &mut *high };
            *half |= 1 << (byte & 127);
        }
    }

    pub(super) fn add_all(&mut self, other: Bytes) {
        let ([low, high], [other_low, other_high]) = (&mut self.0, other.0);
        *low |= other_low;
        *high |= other_high;
    }

    pub(super) fn contains(self, byte: u8) -> bool {
        let [low, high] = self.0;
        (if byte < 128 { low } else { high }) >> (byte & 127) & 1 == 1
    }

    pub(super) fn and(self, other: Bytes) -> Bytes {
        let ([low, high], [other_low, other_high]) = (self.0, other.0);
        Bytes([low & other_low, high & other_high])
    }

    pub(super) fn negated(self) -> Bytes {
        let [low, high] = self.0;
        Bytes([!low, !high])
    }

    /// How many they are.
    pub(super) fn count(self) -> u32 {
        let [low, high] = self.0;
        low.count_ones() + high.count_ones()
    }

    /// With lower case for upper case.
    pub(super) fn lowercase(self) -> Bytes {
        let mut bytes = Bytes::default();
        for byte in (0..=u8::MAX).filter(|byte| self.contains(*byte)) {
            let lower = byte.to_ascii_lowercase();
            bytes.add(lower, lower);
        }
        bytes
    }

    /// With the other case of each ASCII letter.
    pub(super) fn caseless(mut self) -> Bytes {
        for letter in b'a'..=b'z' {
            let upper = letter.to_ascii_uppercase();
            if self.contains(letter) || self.contains(upper) {
                self.add(letter, letter);
                self.add(upper, upper);
            }
        }
        self
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(all: I) -> Bytes {
        let mut bytes = Bytes::default();
        all.into_iter().for_each(|byte| bytes.add(byte, byte));
        bytes
    }
}

pub(super) type Ranges = &'static [(u8, u8)];

pub(super) const DIGITS: Ranges = &[(b'0', b'9')];
pub(super) const WORD: Ranges = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];
pub(super) const SPACE: Ranges = &[(b'\t', b'\r'), (b' ', b' ')];
pub(super) const HORIZONTAL: Ranges = &[(b'\t', b'\t'), (b' ', b' '), (0xa0, 0xa0)];
pub(super) const VERTICAL: Ranges = &[(b'\n', b'\r'), (0x85, 0x85)];

/// Classes that have a name, with what follows `[` there.
pub(super) const POSIX: &[(&[u8], Ranges)] = &[
    (b":alnum:]", &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]),
    (b":alpha:]", &[(b'A', b'Z'), (b'a', b'z')]),
    (b":ascii:]", &[(0, 0x7f)]),
    (b":blank:]", &[(b'\t', b'\t'), (b' ', b' ')]),
    (b":cntrl:]", &[(0, 0x1f), (0x7f, 0x7f)]),
    (b":digit:]", DIGITS),
    (b":graph:]", &[(b'!', b'~')]),
    (b":lower:]", &[(b'a', b'z')]),
    (b":print:]", &[(b' ', b'~')]),
    (b":punct:]", &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')]),
    (b":space:]", SPACE),
    (b":upper:]", &[(b'A', b'Z')]),
    (b":word:]", WORD),
    (b":xdigit:]", &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]),
];
