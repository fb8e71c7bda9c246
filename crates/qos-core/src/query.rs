//! Query strings of the handlers (connection-client.md section 11): names in any case, the first
//! one wins, a name without `=` has an empty value, only `address` is URL-decoded.

/// A query string.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a>(&'a [u8]);

impl<'a> Query<'a> {
    /// Wraps what stands behind the `?`.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Query<'a> {
        Query(text)
    }

    /// The value of the first parameter of that name, as it stands there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.split(|b| *b == b'&').find_map(|pair| {
            let (key, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
                None => (pair, <&[u8]>::default()),
            };
            key.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The parameter `address`, URL-decoded.
    #[must_use]
    pub fn address(&self) -> Option<Vec<u8>> {
        self.get("address").map(decode)
    }
}

/// `%XX` and `+`; what is no valid escape stays as it is.
pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let escape = match rest {
            [b'%', high, low, behind @ ..] => hex_byte(*high, *low).map(|byte| (byte, behind)),
            _ => None,
        };
        let (byte, behind) = escape.unwrap_or((if *first == b'+' { b' ' } else { *first }, behind));
        decoded.push(byte);
        rest = behind;
    }
    decoded
}

/// The byte that two hexadecimal digits stand for.
#[inline]
pub(crate) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_in_any_case() {
        let query = Query::new(b"Action=search&address=a%3Ab+%zz%&ACTION=block&auto&=x");
        assert_eq!(query.get("action"), Some(b"search".as_slice()));
        assert_eq!(query.address().as_deref(), Some(b"a:b %zz%".as_slice()));
        assert_eq!((query.get("auto"), query.has("peek"), query.has("actio")), (Some(b"".as_slice()), false, false));
    }

    #[test]
    fn only_the_address_is_decoded() {
        assert_eq!(Query::new(b"event=a%20b").get("event"), Some(b"a%20b".as_slice()));
    }
}
