//! The letters of `mod_qos_ev`: newest first, each followed by `;`, at most once per request
//! (connection-client.md section 1).

/// Events of a request or connection, oldest first internally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    letters: [u8; 16],
    len: u8,
}

impl Letters {
    /// Nothing happened yet.
    pub const NONE: Letters = Letters { letters: [0; 16], len: 0 };

    /// Adds a letter unless it is there; a 17th kind of letter is dropped.
    pub fn add(&mut self, letter: u8) {
        if self.iter().any(|old| old == letter) {
            return;
        }
        if let Some(place) = self.letters.get_mut(usize::from(self.len)) {
            *place = letter;
            self.len += 1;
        }
    }

    /// Adds the letters of another list, in their order.
    pub fn add_all(&mut self, others: &Letters) {
        others.iter().for_each(|letter| self.add(letter));
    }

    /// Whether no letter is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        self.letters.iter().take(usize::from(self.len)).copied()
    }

    /// The value of `mod_qos_ev`: the connection's letters before the request's.
    #[must_use]
    pub fn render(connection: &Letters, request: &Letters) -> Vec<u8> {
        let mut text = Vec::with_capacity(2 * usize::from(connection.len + request.len));
        for letter in connection.iter().rev().chain(request.iter().rev()) {
            if !text.contains(&letter) {
                text.extend_from_slice(&[letter, b';']);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_once_each_connection_before_request() {
        let (mut connection, mut request) = (Letters::NONE, Letters::NONE);
        assert!(request.is_empty());
        connection.add(b'S');
        request.add(b'D');
        request.add(b'K');
        request.add(b'D');
        request.add(b'S');
        assert_eq!(Letters::render(&connection, &request), b"S;K;D;");
    }

    #[test]
    fn more_letters_than_fit_are_dropped() {
        let mut letters = Letters::NONE;
        (b'a'..=b'z').for_each(|letter| letters.add(letter));
        assert_eq!(Letters::render(&Letters::NONE, &letters).len(), 32);
    }
}
