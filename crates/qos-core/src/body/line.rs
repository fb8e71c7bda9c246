//! All parameters of a request as one line (filters.md section 5.2).

use super::form::without_line_end;
use crate::parameters::{Parameter, Parsed, is_escaped};

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

    /// The parameters as the original makes one line of them (section 5.2, FW-36): all of them as `name=value`, those of the URL as well, so that `?flag` is `flag=`, `a&&b` is
    /// `a=&b=` and `a==b` is `a=b`. Those that it loses are kept (FW-17). `None` without parameters.
    #[must_use]
    pub fn listed(&self) -> Option<Vec<u8>> {
        let mut line = Vec::with_capacity(self.line_length());
        for parameter in &self.parameters {
            if !line.is_empty() {
                line.push(b'&');
            }
            add(&parameter.name, parameter.url_encoded, &mut |piece| line.extend_from_slice(piece));
            line.push(b'=');
            add(listed_value(parameter), parameter.url_encoded, &mut |piece| line.extend_from_slice(piece));
        }
        (!line.is_empty()).then_some(line)
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

/// A value as the original lists it: without further `=` in front, and without a line end behind it.
fn listed_value<'a>(parameter: &'a Parameter<'_>) -> &'a [u8] {
    if !parameter.url_encoded {
        return &parameter.value;
    }
    let start = parameter.value.iter().take_while(|byte| **byte == b'=').count();
    without_line_end(parameter.value.get(start..).unwrap_or_default())
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

    #[test]
    fn as_the_original_lists_them() {
        let of =
            |text: &'static str, origin, parameters: &mut Vec<Parameter<'static>>| super::super::form::parameters(text.as_bytes(), origin, parameters).unwrap();
        for (query, body, expected) in [
            ("flag", "", "flag="),
            ("a&&b", "", "a=&b="),
            ("a==b&c=d=e&f==", "", "a=b&c=d=e&f="),
            ("=x&\x01=y", "", "=x&\x01=y"),
            ("a=1&", "b=2\r\n&c=3\n\n", "a=1&b=2&c=3\n"),
            ("a=%41+%0a", "", "a=%41+%0a"),
            ("=", "", "="),
        ] {
            let mut parameters = Vec::new();
            of(query, Origin::Query, &mut parameters);
            let of_query = parameters.len();
            of(body, Origin::Form, &mut parameters);
            let parsed = Parsed { query: Some(query.as_bytes()), of_query, parameters, ..Parsed::default() };
            assert_eq!(String::from_utf8(parsed.listed().unwrap()).unwrap(), expected, "{query} {body}");
        }
        for query in ["", "&&"] {
            assert_eq!(Parsed { query: Some(query.as_bytes()), ..Parsed::default() }.listed(), None);
        }
        let json = Parameter { name: b"J_o_a".into(), value: b"==\n".into(), has_value: true, origin: Origin::Json, url_encoded: false };
        assert_eq!(Parsed { parameters: vec![json], ..Parsed::default() }.listed().unwrap(), b"J_o_a=%3d%3d%0a");
    }
}
