//! The part of PCRE's syntax whose meaning is known for certain. Whatever is not in here is left to PCRE.
//!
//! It is read as PCRE2 reads it: bytes, no UTF mode, classes of ASCII. Only patterns that PCRE has compiled come here, so what PCRE
//! takes for an error need not be noticed.

use crate::pattern::{Options, Pattern};

/// Groups in groups up to which a pattern is read.
const MAX_DEPTH: u32 = 60;
/// Largest count in a quantifier, to keep automatons small.
const MAX_COUNT: u32 = 500;

/// Bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes([u128; 2]);

impl Bytes {
    pub(super) fn one(byte: u8) -> Bytes {
        let mut bytes = Bytes::default();
        bytes.add(byte, byte);
        bytes
    }

    fn of(ranges: Ranges) -> Bytes {
        let mut bytes = Bytes::default();
        for (first, last) in ranges {
            bytes.add(*first, *last);
        }
        bytes
    }

    pub(super) fn all() -> Bytes {
        Bytes([u128::MAX; 2])
    }

    fn add(&mut self, first: u8, last: u8) {
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

    fn negated(self) -> Bytes {
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
    fn caseless(mut self) -> Bytes {
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

/// A pattern, as far as it matters for whether it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// One byte of these.
    Byte(Bytes),
    /// `^`, `\A`.
    Start,
    /// `\z`.
    End,
    /// `$`, `\Z`: the end, or before a newline that ends the subject.
    LineEnd,
    /// `\b` (true) and `\B`.
    WordBoundary(bool),
    /// One after the other; none is the empty pattern.
    Sequence(Vec<Node>),
    /// Either of them.
    Choice(Vec<Node>),
    /// So many times. `None`: any number. Whether as many as possible are tried first.
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, greedy: bool },
    /// What PCRE restricts further: a group or repetition that does not give back what it took.
    Restricted(Box<Node>),
    /// A condition on what stands around, which takes no byte.
    LookAround { node: Box<Node>, behind: bool, negated: bool },
    /// What a group has matched before; with `true` in any case.
    BackReference(u32, bool),
    /// A group that can be referred to; only where they are asked for.
    Group(u32, Box<Node>),
}

/// Reads a pattern; `None` if anything in it is not known for certain. Groups that can be referred to are left out.
pub(super) fn read(pattern: &Pattern) -> Option<Node> {
    read_as(pattern, false)
}

/// Reads a pattern with its groups.
pub(super) fn read_with_groups(pattern: &Pattern) -> Option<Node> {
    read_as(pattern, true)
}

fn read_as(pattern: &Pattern, with_groups: bool) -> Option<Node> {
    let Options { caseless, dot_all, .. } = pattern.options();
    let (caseless, text) = match pattern.source().strip_prefix("(?i)") {
        Some(rest) => (true, rest),
        None => (caseless, pattern.source()),
    };
    let mut reader = Reader { rest: text.as_bytes(), depth: 0, dot_all, with_groups, groups: 0 };
    let node = reader.choice(caseless)?;
    reader.rest.is_empty().then_some(node)
}

struct Reader<'p> {
    rest: &'p [u8],
    depth: u32,
    /// A dot stands for line ends as well.
    dot_all: bool,
    with_groups: bool,
    /// Groups that can be referred to, so far.
    groups: u32,
}

impl<'p> Reader<'p> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Alternatives, up to the end of the group or of the pattern.
    fn choice(&mut self, caseless: bool) -> Option<Node> {
        let first = self.sequence(caseless)?;
        if self.rest.first() != Some(&b'|') {
            return Some(first);
        }
        let mut branches = vec![first];
        while self.take(b"|") {
            branches.push(self.sequence(caseless)?);
        }
        Some(Node::Choice(branches))
    }

    fn sequence(&mut self, caseless: bool) -> Option<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let node = self.item(caseless)?;
            nodes.push(self.quantified(node)?);
        }
        Some(if nodes.len() == 1 { nodes.pop()? } else { Node::Sequence(nodes) })
    }

    fn item(&mut self, caseless: bool) -> Option<Node> {
        let literal = |byte| {
            let one = Bytes::one(byte);
            Node::Byte(if caseless { one.caseless() } else { one })
        };
        match self.next()? {
            b'^' => Some(Node::Start),
            b'$' => Some(Node::LineEnd),
            b'.' if self.dot_all => Some(Node::Byte(Bytes::all())),
            b'.' => Some(Node::Byte(Bytes::one(b'\n').negated())),
            b'[' => self.class(caseless).map(Node::Byte),
            b'(' => self.group(caseless),
            b'\\' => match self.next()? {
                b'A' => Some(Node::Start),
                b'z' => Some(Node::End),
                b'Z' => Some(Node::LineEnd),
                b'b' => Some(Node::WordBoundary(true)),
                b'B' => Some(Node::WordBoundary(false)),
                // With a digit after it, it may be an octal number.
                number @ b'1'..=b'9' if !matches!(self.rest.first(), Some(b'0'..=b'9')) => Some(Node::BackReference(u32::from(number - b'0'), caseless)),
                escaped => match self.escape(escaped)? {
                    Escape::Byte(byte) => Some(literal(byte)),
                    Escape::Class(bytes) => Some(Node::Byte(bytes)),
                },
            },
            // A quantifier of nothing, or a brace that is one or is not, depending on the release.
            b'*' | b'+' | b'?' | b'{' => None,
            byte => Some(literal(byte)),
        }
    }

    /// After `(`.
    fn group(&mut self, caseless: bool) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || self.rest.first() == Some(&b'*') {
            return None;
        }
        let (mut caseless, mut kind) = (caseless, Kind::Plain);
        let mut refers = true;
        if self.take(b"?") {
            refers = false;
            let looks = [(&b"="[..], false, false), (b"!", false, true), (b"<=", true, false), (b"<!", true, true)];
            let look = looks.into_iter().find(|(mark, ..)| self.take(mark));
            if let Some((_, behind, negated)) = look {
                kind = Kind::LookAround { behind, negated };
            } else if self.take(b":") {
            } else if self.take(b"i:") {
                caseless = true;
            } else if self.take(b">") {
                kind = Kind::Restricted;
            } else if self.take(b"P<") || self.take(b"<") {
                while self.next()? != b'>' {}
                refers = true;
            } else {
                return None;
            }
        }
        if refers {
            self.groups += 1;
            kind = if self.with_groups { Kind::Group(self.groups) } else { kind };
        }
        let inner = self.choice(caseless)?;
        if !self.take(b")") {
            return None;
        }
        self.depth -= 1;
        Some(match kind {
            Kind::Plain => inner,
            Kind::Restricted => Node::Restricted(Box::new(inner)),
            Kind::LookAround { behind, negated } => Node::LookAround { node: Box::new(inner), behind, negated },
            Kind::Group(number) => Node::Group(number, Box::new(inner)),
        })
    }

    fn quantified(&mut self, node: Node) -> Option<Node> {
        let (min, max) = match self.rest.first() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => return self.counted(node),
            _ => return Some(node),
        };
        self.next()?;
        self.repeated(node, min, max)
    }

    /// `{n}`, `{n,}`, `{n,m}`. Other braces are literal for one release of PCRE and a quantifier for the next.
    fn counted(&mut self, node: Node) -> Option<Node> {
        self.next()?;
        let min = self.number()?;
        let max = if self.take(b",") { if self.rest.first() == Some(&b'}') { None } else { Some(self.number()?) } } else { Some(min) };
        // PCRE 10.42 lets `{0}` of a group with `\A` in it anchor the whole pattern.
        if !self.take(b"}") || max.is_some_and(|max| max < min || max == 0) {
            return None;
        }
        self.repeated(node, min, max)
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        std::str::from_utf8(number).ok()?.parse().ok().filter(|number| *number <= MAX_COUNT)
    }

    fn repeated(&mut self, node: Node, min: u32, max: Option<u32>) -> Option<Node> {
        // What repeats a condition is an error for some releases of PCRE.
        if matches!(node, Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. }) {
            return None;
        }
        let greedy = !self.take(b"?");
        let possessive = greedy && self.take(b"+");
        if matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{')) {
            return None;
        }
        let repeat = Node::Repeat { node: Box::new(node), min, max, greedy };
        Some(if possessive { Node::Restricted(Box::new(repeat)) } else { repeat })
    }

    /// After `[`.
    fn class(&mut self, caseless: bool) -> Option<Bytes> {
        let negated = self.take(b"^");
        let mut bytes = Bytes::default();
        let mut first = true;
        loop {
            let start = match self.next()? {
                b']' if !first => break,
                b'[' if matches!(self.rest.first(), Some(b':' | b'.' | b'=')) => Escape::Class(self.posix()?),
                // A hyphen is one for certain at both ends only.
                b'-' if !first && self.rest.first() != Some(&b']') => return None,
                b'\\' => match self.next()? {
                    b'b' => Escape::Byte(8),
                    byte => self.escape(byte)?,
                },
                byte => Escape::Byte(byte),
            };
            first = false;
            let range = matches!(self.rest, [b'-', after, ..] if *after != b']');
            match start {
                Escape::Class(class) if !range => bytes.add_all(class),
                Escape::Byte(byte) if !range => bytes.add(byte, byte),
                Escape::Byte(from) => {
                    self.next()?;
                    let to = match self.next()? {
                        b'[' if matches!(self.rest.first(), Some(b':' | b'.' | b'=')) => return None,
                        b'\\' => match self.next()? {
                            b'b' => return None,
                            byte => self.escape(byte)?,
                        },
                        byte => Escape::Byte(byte),
                    };
                    match to {
                        Escape::Byte(to) if from <= to => bytes.add(from, to),
                        _ => return None,
                    }
                }
                Escape::Class(_) => return None,
            }
        }
        let bytes = if caseless { bytes.caseless() } else { bytes };
        Some(if negated { bytes.negated() } else { bytes })
    }

    /// `[:name:]`, after its `[`.
    fn posix(&mut self) -> Option<Bytes> {
        POSIX.iter().find(|(name, _)| self.take(name)).map(|(_, ranges)| Bytes::of(ranges))
    }

    /// What a backslash and this byte mean, in a class and outside.
    fn escape(&mut self, byte: u8) -> Option<Escape> {
        Some(match byte {
            b'd' => Escape::Class(Bytes::of(DIGITS)),
            b'D' => Escape::Class(Bytes::of(DIGITS).negated()),
            b'w' => Escape::Class(Bytes::of(WORD)),
            b'W' => Escape::Class(Bytes::of(WORD).negated()),
            b's' => Escape::Class(Bytes::of(SPACE)),
            b'S' => Escape::Class(Bytes::of(SPACE).negated()),
            b'n' => Escape::Byte(b'\n'),
            b'r' => Escape::Byte(b'\r'),
            b't' => Escape::Byte(b'\t'),
            b'f' => Escape::Byte(0x0c),
            b'e' => Escape::Byte(0x1b),
            b'a' => Escape::Byte(0x07),
            b'x' => {
                let digits = [self.next()?, self.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                Escape::Byte(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?)
            }
            byte if byte.is_ascii_punctuation() || byte == b' ' => Escape::Byte(byte),
            _ => return None,
        })
    }
}

enum Kind {
    Plain,
    Restricted,
    LookAround { behind: bool, negated: bool },
    Group(u32),
}

enum Escape {
    Byte(u8),
    Class(Bytes),
}

type Ranges = &'static [(u8, u8)];

const DIGITS: Ranges = &[(b'0', b'9')];
const WORD: Ranges = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];
const SPACE: Ranges = &[(b'\t', b'\r'), (b' ', b' ')];

const POSIX: &[(&[u8], Ranges)] = &[
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
