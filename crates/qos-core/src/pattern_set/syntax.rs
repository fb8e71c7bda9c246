//! The part of PCRE's syntax whose meaning is known for certain. Whatever is not in here is left to PCRE.
//!
//! It is read as PCRE2 reads it: bytes, no UTF mode, classes of ASCII. Only patterns that PCRE has compiled come here, so what PCRE
//! takes for an error need not be noticed.

use super::bytes::{Bytes, DIGITS, HORIZONTAL, POSIX, SPACE, VERTICAL, WORD};
use super::options::Options;
use crate::pattern::Pattern;

/// Groups in groups up to which a pattern is read.
const MAX_DEPTH: u32 = 60;
/// Largest count in a quantifier of a group, to keep programs small, and of a class.
const MAX_COUNT: u32 = 500;
const MAX_COUNT_OF_CLASS: u32 = 65535;

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
    let crate::pattern::Options { caseless, dot_all, .. } = pattern.options();
    let options = Options { caseless, dot_all, multi_line: false, extended: false };
    let mut reader = Reader { rest: pattern.source().as_bytes(), depth: 0, options, with_groups, groups: 0 };
    let node = reader.choice()?;
    reader.rest.is_empty().then_some(node)
}

struct Reader<'p> {
    rest: &'p [u8],
    depth: u32,
    options: Options,
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

    /// Takes bytes up to a text, and the text.
    fn take_until(&mut self, end: &[u8]) -> Option<&'p [u8]> {
        let at = self.rest.windows(end.len()).position(|part| part == end)?;
        let (before, rest) = self.rest.split_at_checked(at)?;
        self.rest = rest.get(end.len()..)?;
        Some(before)
    }

    /// Whether what follows repeats what stands before it. A brace does if a number follows; with a comma or a blank it depends on the release, and what comes of it is left to PCRE.
    fn at_quantifier(&self) -> bool {
        matches!(self.rest, [b'*' | b'+' | b'?', ..] | [b'{', b'0'..=b'9' | b',' | b' ', ..])
    }

    /// Alternatives, up to the end of the group or of the pattern.
    fn choice(&mut self) -> Option<Node> {
        let first = self.sequence()?;
        if self.rest.first() != Some(&b'|') {
            return Some(first);
        }
        let mut branches = vec![first];
        while self.take(b"|") {
            branches.push(self.sequence()?);
        }
        Some(Node::Choice(branches))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        loop {
            if self.skip()? && self.at_quantifier() {
                // It repeats what stands before the comment for one release of PCRE.
                return None;
            }
            if matches!(self.rest.first(), None | Some(b'|' | b')')) {
                break;
            }
            if self.take(b"\\Q") {
                let quoted = self.take_until(b"\\E")?;
                let (last, others) = quoted.split_last()?;
                nodes.extend(others.iter().map(|byte| self.literal(*byte)));
                let last = self.literal(*last);
                nodes.push(self.quantified(last)?);
            } else {
                let node = self.item()?;
                nodes.push(self.quantified(node)?);
            }
        }
        Some(if nodes.len() == 1 { nodes.pop()? } else { Node::Sequence(nodes) })
    }

    /// Skips what means nothing, and takes options. Returns whether anything was there.
    fn skip(&mut self) -> Option<bool> {
        let before = self.rest.len();
        loop {
            if self.take(b"(?#") {
                self.take_until(b")")?;
            } else if self.options.extended && matches!(self.rest.first(), Some(b' ' | b'\t'..=b'\r')) {
                self.next();
            } else if self.options.extended && self.take(b"#") {
                let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
                self.rest = self.rest.get(end..)?;
            } else if let Some((options, rest)) = self.options.changed(self.rest, b')') {
                (self.options, self.rest) = (options, rest);
            } else {
                return Some(self.rest.len() != before);
            }
        }
    }

    fn literal(&self, byte: u8) -> Node {
        self.class_of(Bytes::one(byte))
    }

    fn class_of(&self, bytes: Bytes) -> Node {
        Node::Byte(if self.options.caseless { bytes.caseless() } else { bytes })
    }

    fn item(&mut self) -> Option<Node> {
        match self.next()? {
            b'^' if self.options.multi_line => Some(line_start()),
            b'$' if self.options.multi_line => Some(look(Node::Choice(vec![Node::Byte(Bytes::one(b'\n')), Node::End]), false)),
            b'^' => Some(Node::Start),
            b'$' => Some(Node::LineEnd),
            b'.' if self.options.dot_all => Some(Node::Byte(Bytes::all())),
            b'.' => Some(Node::Byte(Bytes::one(b'\n').negated())),
            b'[' => self.class().map(Node::Byte),
            b'(' => self.group(),
            b'\\' => match self.next()? {
                b'A' | b'G' => Some(Node::Start),
                b'z' => Some(Node::End),
                b'Z' => Some(Node::LineEnd),
                b'b' => Some(Node::WordBoundary(true)),
                b'B' => Some(Node::WordBoundary(false)),
                b'N' if self.rest.first() != Some(&b'{') => Some(Node::Byte(Bytes::one(b'\n').negated())),
                // With a digit after it, it may be an octal number.
                number @ b'1'..=b'9' if !matches!(self.rest.first(), Some(b'0'..=b'9')) => {
                    Some(Node::BackReference(u32::from(number - b'0'), self.options.caseless))
                }
                escaped => match self.escape(escaped)? {
                    Escape::Byte(byte) => Some(self.literal(byte)),
                    Escape::Class(bytes) => Some(Node::Byte(bytes)),
                },
            },
            // A quantifier of nothing, or a brace that is one or is not, depending on the release.
            b'*' | b'+' | b'?' => None,
            b'{' if matches!(self.rest.first(), None | Some(b'0'..=b'9' | b',' | b' ')) => None,
            byte => Some(self.literal(byte)),
        }
    }

    /// After `(`.
    fn group(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || self.rest.first() == Some(&b'*') {
            return None;
        }
        let (outside, mut kind) = (self.options, Kind::Plain);
        let mut refers = true;
        if self.rest.first() == Some(&b'?') {
            refers = false;
            let looks = [(&b"?="[..], false, false), (b"?!", false, true), (b"?<=", true, false), (b"?<!", true, true)];
            let look = looks.into_iter().find(|(mark, ..)| self.take(mark));
            if let Some((_, behind, negated)) = look {
                kind = Kind::LookAround { behind, negated };
            } else if let Some((options, rest)) = self.options.changed_after(self.rest, b':') {
                (self.options, self.rest) = (options, rest);
            } else if self.take(b"?>") {
                kind = Kind::Restricted;
            } else if self.take(b"?P<") || self.take(b"?<") {
                self.take_until(b">")?;
                refers = true;
            } else {
                return None;
            }
        }
        if refers {
            self.groups += 1;
            kind = if self.with_groups { Kind::Group(self.groups) } else { kind };
        }
        let inner = self.choice()?;
        if !self.take(b")") {
            return None;
        }
        self.depth -= 1;
        self.options = outside;
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
            Some(b'{') if self.at_quantifier() => return self.counted(node),
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
        let most = if matches!(node, Node::Byte(_)) { MAX_COUNT_OF_CLASS } else { MAX_COUNT };
        if max.unwrap_or(min) > most {
            return None;
        }
        self.repeated(node, min, max)
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    fn repeated(&mut self, node: Node, min: u32, max: Option<u32>) -> Option<Node> {
        // What repeats a condition is an error for some releases of PCRE.
        if is_condition(&node) {
            return None;
        }
        let greedy = !self.take(b"?");
        let possessive = greedy && self.take(b"+");
        if self.at_quantifier() {
            return None;
        }
        let repeat = Node::Repeat { node: Box::new(node), min, max, greedy };
        Some(if possessive { Node::Restricted(Box::new(repeat)) } else { repeat })
    }

    /// After `[`.
    fn class(&mut self) -> Option<Bytes> {
        let negated = self.take(b"^");
        let mut bytes = Bytes::default();
        let mut first = true;
        loop {
            let start = match self.next()? {
                b']' if !first => break,
                b'[' if names_a_class(self.rest) => Escape::Class(self.posix()?),
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
                        b'[' if names_a_class(self.rest) => return None,
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
        let bytes = if self.options.caseless { bytes.caseless() } else { bytes };
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
            b'h' => Escape::Class(Bytes::of(HORIZONTAL)),
            b'H' => Escape::Class(Bytes::of(HORIZONTAL).negated()),
            b'v' => Escape::Class(Bytes::of(VERTICAL)),
            b'V' => Escape::Class(Bytes::of(VERTICAL).negated()),
            b'n' => Escape::Byte(b'\n'),
            b'r' => Escape::Byte(b'\r'),
            b't' => Escape::Byte(b'\t'),
            b'f' => Escape::Byte(0x0c),
            b'e' => Escape::Byte(0x1b),
            b'a' => Escape::Byte(0x07),
            b'x' => {
                let digits = if self.take(b"{") { self.take_until(b"}")? } else { self.hex_digits(2) };
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                let digits = std::str::from_utf8(digits).ok()?;
                Escape::Byte(if digits.is_empty() { return None } else { u8::from_str_radix(digits, 16).ok()? })
            }
            byte if byte.is_ascii_punctuation() || byte == b' ' => Escape::Byte(byte),
            _ => return None,
        })
    }

    fn hex_digits(&mut self, most: usize) -> &'p [u8] {
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = self.rest.split_at_checked(count).unwrap_or_default();
        self.rest = rest;
        digits
    }
}

/// Whether a bracket within a class begins a name, as in `[:alpha:]`: from what follows it.
fn names_a_class(rest: &[u8]) -> bool {
    let Some((mark @ (b':' | b'.' | b'='), mut rest)) = rest.split_first() else { return false };
    loop {
        rest = match rest {
            [b'\\', b']' | b'\\', behind @ ..] => behind,
            [first, b']', ..] if first == mark => return true,
            [b']', ..] | [] => return false,
            [b'[', second, ..] if second == mark => return false,
            [_, behind @ ..] => behind,
        };
    }
}

fn look(node: Node, behind: bool) -> Node {
    Node::LookAround { node: Box::new(node), behind, negated: false }
}

/// The start, or behind a newline that does not end the subject.
fn line_start() -> Node {
    let behind_newline = Node::Sequence(vec![look(Node::Byte(Bytes::one(b'\n')), true), look(Node::Byte(Bytes::all()), false)]);
    Node::Choice(vec![Node::Start, behind_newline])
}

fn is_condition(node: &Node) -> bool {
    matches!(node, Node::Start | Node::End | Node::LineEnd | Node::WordBoundary(_) | Node::LookAround { .. }) || *node == line_start()
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
