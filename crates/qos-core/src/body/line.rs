//! All parameters of a request as one line (filters.md section 5.2).

use std::fmt;

use crate::parameters::{Parameter, Parsed, escaped_length, is_escaped};

/// Longest line, bytes (section 13.7).
pub const MOST_LINE: usize = 4 << 20;

/// 048 says so.
impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameters of more than {MOST_LINE} bytes")
    }
}

/// The line would be longer than [`MOST_LINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong;

impl Parsed<'_> {
    /// The parameters as `name=value&name=value`: those of the URL byte for byte as they came, those of the body as they stand in it. What is not
    /// URL-encoded is escaped, so that decoding the line once gives everything as it is meant.
    ///
    /// # Errors
    /// [`LineTooLong`].
    pub fn line(&self) -> Result<Vec<u8>, LineTooLong> {
        let mut line = Vec::new();
        let of_body = self.parameters.get(self.of_query..).unwrap_or_default();
        if let Some(query) = self.query {
            add(&mut line, query, true)?;
        }
        for (n, parameter) in of_body.iter().enumerate() {
            // An empty query is there all the same, but has nothing to be kept apart.
            if n > 0 || !line.is_empty() {
                add(&mut line, b"&", true)?;
            }
            add_parameter(&mut line, parameter)?;
        }
        Ok(line)
    }
}

fn add_parameter(line: &mut Vec<u8>, parameter: &Parameter<'_>) -> Result<(), LineTooLong> {
    add(line, &parameter.name, parameter.url_encoded)?;
    if parameter.has_value {
        add(line, b"=", true)?;
        add(line, &parameter.value, parameter.url_encoded)?;
    }
    Ok(())
}

fn add(line: &mut Vec<u8>, text: &[u8], as_it_is: bool) -> Result<(), LineTooLong> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let length = if as_it_is { text.len() } else { escaped_length(text) };
    if line.len() + length > MOST_LINE {
        return Err(LineTooLong);
    }
    if as_it_is {
        line.extend_from_slice(text);
        return Ok(());
    }
    for byte in text {
        if is_escaped(*byte) {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or_default();
            line.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            line.push(*byte);
        }
    }
    Ok(())
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
        let parsed = Parsed { query: Some(query), parameters: vec![verbatim(b"J_o_a b_v", b"<\xff&=+%\0~")], ..Parsed::default() };
        assert_eq!(parsed.line().unwrap(), b"s=12&&flag&a==b&J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~");
        assert_eq!(Parsed { query: None, ..parsed.clone() }.line().unwrap(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~");
        assert_eq!(Parsed { query: Some(b""), ..parsed }.line().unwrap(), b"J_o_a%20b_v=%3c%ff%26%3d%2b%25%00~");
        assert_eq!(Parsed::default().line().unwrap(), b"");
    }

    #[test]
    fn a_line_has_a_largest_length() {
        let value = vec![b'<'; MOST_LINE / 3];
        let one = Parameter { name: b"".as_slice().into(), value: value.as_slice().into(), has_value: false, origin: Origin::Multipart, url_encoded: false };
        let parsed = |has_value| Parsed { parameters: vec![Parameter { has_value, ..one.clone() }], ..Parsed::default() };
        assert_eq!(parsed(true).line().map(|line| line.len()), Ok(MOST_LINE));
        let query = Parsed { query: Some(b"x"), ..parsed(true) };
        assert_eq!(query.line(), Err(LineTooLong));
    }
}
