//! All parameters of a request as one line (filters.md section 5.2).

use crate::parameters::{Parsed, is_escaped};

impl Parsed<'_> {
    /// The parameters as `name=value&name=value`: those of the URL byte for byte as they came, those of the body as they stand in it, with a `=` behind each name. What is not
    /// URL-encoded is escaped, so that decoding the line once gives everything as it is meant.
    ///
    /// A line is at most three times as long as query and body together; that of JSON, whose names repeat, is limited when it is parsed.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.line_length());
        self.each_of_line(&mut |piece| line.extend_from_slice(piece));
        line
    }

    /// Bytes of the line.
    #[must_use]
    pub fn line_length(&self) -> usize {
        let mut length = 0;
        self.each_of_line(&mut |piece| length += piece.len());
        length
    }

    /// The line in pieces, for those who have a place for it.
    pub fn each_of_line(&self, write: &mut dyn FnMut(&[u8])) {
        let query = self.query.unwrap_or_default();
        write(query);
        let of_body = self.parameters.get(self.of_query..).unwrap_or_default();
        for (number, parameter) in of_body.iter().enumerate() {
            // An empty query is there all the same, but has nothing to be kept apart.
            if number > 0 || !query.is_empty() {
                write(b"&");
            }
            add(&parameter.name, parameter.url_encoded, write);
            write(b"=");
            add(&parameter.value, parameter.url_encoded, write);
        }
    }
}

fn add(text: &[u8], as_it_is: bool, write: &mut dyn FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|byte| !as_it_is && is_escaped(*byte)) {
        let (before, behind) = rest.split_at_checked(plain).unwrap_or_default();
        write(before);
        let Some((byte, behind)) = behind.split_first() else { return };
        let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or_default();
        write(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        rest = behind;
    }
    write(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Origin, Parameter};

    #[test]
    fn what_came_in_the_url_stays_as_it_is_and_the_rest_is_escaped_where_it_must() {
        let verbatim = |name: &'static [u8], value: &'static [u8]| Parameter {
            name: name.into(),
            value: value.into(),
            has_value: true,
            origin: Origin::Json,
            url_encoded: false,
        };
        let query = b"s=12&&flag&a==b".as_slice();
        let parsed = Parsed { query: Some(query), parameters: vec![verbatim(b"J_o_a b_v", b"<\xff&=+%\0~"), verbatim(b"", b"")], ..Parsed::default() };
        assert_eq!(parsed.line_length(), parsed.line().len());
        assert_eq!(parsed.line(), b"s=12&&flag&a==b&J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed { query: None, ..parsed.clone() }.line(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed { query: Some(b""), ..parsed }.line(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed::default().line(), b"");
    }
}
