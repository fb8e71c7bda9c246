//! Options within a pattern: `(?i)`, `(?s-m:...)`.

/// What letters in `(?...)` change, up to the end of the group they stand in.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub caseless: bool,
    /// A dot stands for line ends as well.
    pub dot_all: bool,
    /// `^` and `$` stand for the ends of each line.
    pub multi_line: bool,
    /// Blanks and comments are left out.
    pub extended: bool,
}

impl Options {
    /// The options after `(?letters` and this end, and what follows; `None` if that does not stand there, or says what is left to PCRE.
    pub(super) fn changed(self, rest: &[u8], end: u8) -> Option<(Options, &[u8])> {
        let rest = rest.strip_prefix(b"(")?;
        if rest.starts_with(b"?)") { None } else { self.changed_after(rest, end) }
    }

    /// The same, after `(`.
    pub(super) fn changed_after(mut self, rest: &[u8], end: u8) -> Option<(Options, &[u8])> {
        let mut letters = rest.strip_prefix(b"?")?;
        let mut value = true;
        loop {
            let (letter, behind) = letters.split_first()?;
            let option = match letter {
                letter if *letter == end => return Some((self, behind)),
                b'-' if value => {
                    value = false;
                    letters = behind;
                    continue;
                }
                b'i' => &mut self.caseless,
                b's' => &mut self.dot_all,
                b'm' => &mut self.multi_line,
                // `xx` changes classes as well.
                b'x' if behind.first() != Some(&b'x') => &mut self.extended,
                _ => return None,
            };
            *option = value;
            letters = behind;
        }
    }
}
