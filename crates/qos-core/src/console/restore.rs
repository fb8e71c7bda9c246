//! Taking a dump over again: `?action=restore`, the lines of a dump in the body of a POST request.

use super::line::{ClientState, Count};
use crate::address::Address;
use crate::config::printable;
use std::fmt;

/// Longer than any line of a dump.
const LONGEST: usize = 256;

/// One line read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The client.
    pub address: Address,
    /// What the line says about it.
    pub state: ClientState,
    /// Seconds since 1970.
    pub last_access: u64,
}

/// A line that is no line of a dump. The lines above it have been handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError {
    /// Counted from 1.
    pub line: u64,
    /// The text, escaped and cut.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} '{}': {} (the {} lines above were restored)", self.line, self.text, self.problem, self.line - 1)
    }
}

/// Reads a body piece by piece, without ever holding more than one line.
#[derive(Clone, Debug, Default)]
pub struct Restore {
    pending: Vec<u8>,
    line: u64,
    entries: u64,
}

impl Restore {
    /// Takes the next piece of the body and hands complete lines to `apply`.
    ///
    /// # Errors
    /// The first line that is none; nothing behind it is handed on.
    pub fn feed(&mut self, piece: &[u8], mut apply: impl FnMut(&Restored)) -> Result<(), RestoreError> {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (head, tail) = rest.split_at_checked(end).unwrap_or_default();
            self.hold(head);
            self.complete(&mut apply)?;
            rest = tail.get(1..).unwrap_or_default();
        }
        self.hold(rest);
        if self.pending.len() > LONGEST { self.complete(&mut apply) } else { Ok(()) }
    }

    /// The body is over: a last line may lack its end. Returns the number of entries.
    ///
    /// # Errors
    /// As [`Restore::feed`].
    pub fn finish(mut self, mut apply: impl FnMut(&Restored)) -> Result<u64, RestoreError> {
        if !self.pending.is_empty() {
            self.complete(&mut apply)?;
        }
        Ok(self.entries)
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = (LONGEST + 1).saturating_sub(self.pending.len());
        self.pending.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn complete(&mut self, apply: &mut impl FnMut(&Restored)) -> Result<(), RestoreError> {
        self.line += 1;
        let line = std::mem::take(&mut self.pending);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match parse(line) {
            Ok(entry) => {
                self.entries += 1;
                apply(&entry);
                Ok(())
            }
            Err(problem) => Err(RestoreError { line: self.line, text: printable(line), problem }),
        }
    }
}

/// `0000000001 192.0.2.7 vip=no lowprio=no block=0/0 limit=0/0 1700000000`
fn parse(line: &[u8]) -> Result<Restored, &'static str> {
    if line.len() > LONGEST {
        return Err("is too long");
    }
    let mut words = line.split(|b| *b == b' ');
    let mut next = || words.next().unwrap_or_default();
    number(next()).ok_or("does not begin with a position, as in 0000000001")?;
    let address = match next() {
        b"-" => Address::NONE,
        text => Address::parse(text).ok_or("the second word is no IP address")?,
    };
    let vip = flag(next(), b"vip=").ok_or("the third word is not vip=yes or vip=no")?;
    let low_prio = flag(next(), b"lowprio=").ok_or("the fourth word is not lowprio=yes or lowprio=no")?;
    let block = count(next(), b"block=").ok_or("the fifth word is not block=<counter>/<seconds>")?;
    let limit = count(next(), b"limit=").ok_or("the sixth word is not limit=<counter>/<seconds>")?;
    let last_access = number(next()).ok_or("the seventh word is no time in seconds since 1970")?;
    if words.next().is_some() {
        return Err("has more than seven words");
    }
    Ok(Restored { address, state: ClientState { vip, low_prio, block, limit }, last_access })
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

fn flag(word: &[u8], key: &[u8]) -> Option<bool> {
    match word.strip_prefix(key)? {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn count(word: &[u8], key: &[u8]) -> Option<Count> {
    let mut numbers = word.strip_prefix(key)?.split(|b| *b == b'/').map(|digits| number(digits).and_then(|value| u32::try_from(value).ok()));
    let count = Count { counter: numbers.next()??, remaining: numbers.next()?? };
    numbers.next().is_none().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::super::dump_line;
    use super::*;
    use proptest::prelude::*;

    fn read(body: &[u8], piece: usize) -> (Vec<Restored>, Result<u64, RestoreError>) {
        let (mut restore, mut found) = (Restore::default(), Vec::new());
        for piece in body.chunks(piece) {
            if let Err(error) = restore.feed(piece, |entry| found.push(*entry)) {
                return (found, Err(error));
            }
        }
        let entries = restore.finish(|entry| found.push(*entry));
        (found, entries)
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let good = "0000000001 192.0.2.7 vip=no lowprio=yes block=3/60 limit=0/0 1700000000\n";
        for (line, problem) in [
            ("", "does not begin with a position"),
            ("x 192.0.2.7", "does not begin with a position"),
            ("1 192.0.2", "no IP address"),
            ("1 -- vip=no lowprio=no block=0/0 limit=0/0 1", "no IP address"),
            ("1 192.0.2.7 vip=maybe", "vip=yes or vip=no"),
            ("1 192.0.2.7 vip=no lowprio=", "lowprio=yes or lowprio=no"),
            ("1 192.0.2.7 vip=no lowprio=no block=1", "block=<counter>/<seconds>"),
            ("1 192.0.2.7 vip=no lowprio=no block=1/99999999999", "block=<counter>/<seconds>"),
            ("1 192.0.2.7 vip=no lowprio=no block=1/2/3", "block=<counter>/<seconds>"),
            ("1 192.0.2.7 vip=no lowprio=no block=1/2 limit=-1/2", "limit=<counter>/<seconds>"),
            ("1 192.0.2.7 vip=no lowprio=no block=1/2 limit=1/2", "no time in seconds"),
            ("1 192.0.2.7 vip=no lowprio=no block=1/2 limit=1/2 3 4", "more than seven words"),
            (&"x".repeat(1000), "is too long"),
        ] {
            let (found, result) = read(format!("{good}{line}\n{good}").as_bytes(), 7);
            let error = result.unwrap_err();
            assert!(found.len() == 1 && error.line == 2 && error.problem.contains(problem), "{line}: {error}");
        }
        let error = read(b"1 <b>\x01", 100).1.unwrap_err();
        assert_eq!(error.to_string(), "line 1 '1 <b>\\x01': the second word is no IP address (the 0 lines above were restored)");
    }

    #[test]
    fn an_empty_body_and_a_last_line_without_end() {
        assert_eq!(read(b"", 1), (Vec::new(), Ok(0)));
        assert_eq!(read(b"1 ::1 vip=yes lowprio=no block=0/0 limit=0/0 5\r\n2 ::2 vip=no lowprio=no block=0/0 limit=0/0 6", 9).1, Ok(2));
        assert_eq!(read(b"1 - vip=no lowprio=no block=0/0 limit=0/0 6", 9).0.first().map(|entry| entry.address), Some(Address::NONE));
    }

    prop_compose! {
        fn entry()(octets in any::<[u8; 16]>(), v4 in any::<[u8; 4]>(), is_v4: bool, vip: bool, low_prio: bool, n in any::<[u32; 4]>(), last_access: u64) -> Restored {
            let state = ClientState { vip, low_prio, block: Count { counter: n[0], remaining: n[1] }, limit: Count { counter: n[2], remaining: n[3] } };
            Restored { address: if is_v4 { Address::from(v4) } else { Address::from_octets(octets) }, state, last_access }
        }
    }

    proptest! {
        #[test]
        fn a_dump_is_read_back(entries in proptest::collection::vec(entry(), 0..20), piece in 1usize..200) {
            let dump = entries.iter().zip(1u64..).map(|(entry, index)| dump_line(index, entry.address, &entry.state, entry.last_access)).collect::<String>();
            let (found, count) = read(dump.as_bytes(), piece);
            prop_assert_eq!(count, Ok(entries.len() as u64));
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..600), piece in 1usize..100) {
            let (found, result) = read(&body, piece);
            prop_assert!(result.map_or(true, |entries| entries == found.len() as u64));
        }
    }
}
