//! All parameters of a request as one line (filters.md section 5.2).

use crate::parameters::{Parameter, Parsed, escaped_length, is_escaped};

impl Parsed<'_> {
    /// The parameters as `name=value&name=value`: those of the URL byte for byte as they came, those of the body as they stand in it, with a `=` behind each name. What is not
    /// URL-encoded is escaped, so that decoding the line once gives everything as it is meant.
    ///
    /// A line is at most three times as long as query and body together; that of JSON, whose names repeat, is limited when it is parsed.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let of_body = self.parameters.get(self.of_query..).unwrap_or_default();
        let mut line = Vec::with_capacity(self.query.map_or(0, <[u8]>::len) + of_body.iter().map(length).sum::<usize>());
        line.extend_from_slice(self.query.unwrap_or_default());
        for parameter in of_body {
            // An empty query is there all the same, but has nothing to be kept apart.
            if !line.is_empty() {
                line.push(b'&');
            }
            add(&mut line, &parameter.name, parameter.url_encoded);
            line.push(b'=');
            add(&mut line, &parameter.value, parameter.url_encoded);
        }
        line
    }
}

/// What a parameter takes in the line.
fn length(parameter: &Parameter<'_>) -> usize {
    let of = |text: &[u8]| if parameter.url_encoded { text.len() } else { escaped_length(text) };
    of(&parameter.name) + of(&parameter.value) + 2
}

fn add(line: &mut Vec<u8>, text: &[u8], as_it_is: bool) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if as_it_is {
        line.extend_from_slice(text);
        return;
    }
    for byte in text {
        if is_escaped(*byte) {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or_default();
            line.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            line.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Origin;

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
        assert_eq!(parsed.line(), b"s=12&&flag&a==b&J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed { query: None, ..parsed.clone() }.line(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed { query: Some(b""), ..parsed }.line(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~&=");
        assert_eq!(Parsed::default().line(), b"");
    }
}
