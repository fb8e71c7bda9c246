//! Looks for a literal in a body that comes in pieces (request-event.md section 10.8, W25).

use memchr::memmem::Finder;

/// A text that bodies are searched for: bytes, case-sensitive.
#[derive(Clone, Debug)]
pub struct Needle(Finder<'static>);

impl PartialEq for Needle {
    fn eq(&self, other: &Needle) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Needle {}

impl Needle {
    /// Prepares a text, at least one byte.
    #[must_use]
    pub fn new(text: &[u8]) -> Needle {
        Needle(Finder::new(text).into_owned())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.0.needle()
    }
}

/// A search that goes on over the borders of pieces. Keeps less than the text is long.
#[derive(Debug, Default)]
pub struct Search {
    /// The last bytes, at most one less than the text has.
    tail: Vec<u8>,
}

impl Search {
    /// Takes the next piece of the body, which is searched for the same text each time. `true`: the text ends in it.
    pub fn feed(&mut self, needle: &Needle, piece: &[u8]) -> bool {
        let kept = needle.text().len().saturating_sub(1);
        if !self.tail.is_empty() {
            let tail = self.tail.len();
            self.tail.extend(piece.iter().take(kept));
            if needle.0.find(&self.tail).is_some() {
                return true;
            }
            self.tail.truncate(tail);
        }
        if needle.0.find(piece).is_some() {
            return true;
        }
        let of_piece = piece.get(piece.len().saturating_sub(kept)..).unwrap_or_default();
        let surplus = (self.tail.len() + of_piece.len()).saturating_sub(kept);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(of_piece);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(needle: &[u8], pieces: &[&[u8]]) -> bool {
        let needle = Needle::new(needle);
        let mut search = Search::default();
        pieces.iter().any(|piece| search.feed(&needle, piece))
    }

    /// W25.
    #[test]
    fn texts_over_borders_are_found_and_case_counts() {
        assert!(found(b"secret", &[b"xx sec", b"r", b"", b"et xx"]));
        assert!(found(b"secret", &[b"s", b"e", b"c", b"r", b"e", b"t"]));
        assert!(!found(b"secret", &[b"xx SECRET", b"Sec", b"ret"]));
        assert!(found(b"a\0b", &[b"xa", b"\0bx"]));
        assert!(found(b"x", &[b"", b"x"]) && !found(b"xy", &[b"x"]));
        // The begin of the text occurs before it.
        assert!(found(b"aab", &[b"aa", b"ab"]));
    }

    proptest! {
        #[test]
        fn pieces_are_searched_as_the_whole(
            needle in prop::collection::vec(0u8..3, 1..6),
            pieces in prop::collection::vec(prop::collection::vec(0u8..3, 0..7), 0..12),
        ) {
            let whole = pieces.concat();
            let expected = whole.windows(needle.len()).any(|window| window == needle);
            let (prepared, mut kept) = (Needle::new(&needle), 0);
            let mut search = Search::default();
            let found = pieces.iter().any(|piece| {
                let found = search.feed(&prepared, piece);
                kept = kept.max(search.tail.len());
                found
            });
            prop_assert_eq!(found, expected);
            prop_assert!(kept < needle.len() || found);
        }
    }
}
