//! The parameters of a request as one line (filters.md section 5.2).

use super::decode::escape;
use crate::parameters::{Origin, Parsed};

/// The line: the query of the URL as it came (FD-05), then the parameters of the body in their order. What is meant as it stands is escaped, so that decoding restores
/// it. `None` without parameters.
#[must_use]
pub fn serialized(parsed: &Parsed<'_>, query: Option<&[u8]>) -> Option<Vec<u8>> {
    if parsed.parameters.is_empty() {
        return None;
    }
    let mut line = Vec::new();
    // A query that is JSON has become parameters of JSON.
    if let Some(query) = query.filter(|_| parsed.parameters.iter().any(|parameter| parameter.origin == Origin::Query)) {
        line.extend_from_slice(query);
    }
    let mut first = line.is_empty();
    for parameter in parsed.parameters.iter().filter(|parameter| parameter.origin != Origin::Query) {
        if !std::mem::replace(&mut first, false) {
            line.push(b'&');
        }
        let add = |line: &mut Vec<u8>, text: &[u8]| {
            if parameter.url_encoded {
                line.extend_from_slice(text);
            } else {
                escape(text, line);
            }
        };
        add(&mut line, &parameter.name);
        line.push(b'=');
        add(&mut line, &parameter.value);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameter;
    use std::borrow::Cow;

    fn parameter(name: &'static [u8], value: &'static [u8], origin: Origin) -> Parameter<'static> {
        let url_encoded = matches!(origin, Origin::Query | Origin::Form);
        Parameter { name: Cow::Borrowed(name), value: Cow::Borrowed(value), has_value: true, origin, url_encoded }
    }

    fn line(query: Option<&[u8]>, parameters: Vec<Parameter<'static>>) -> Option<String> {
        let parsed = Parsed { parameters, ..Parsed::default() };
        serialized(&parsed, query).map(|line| String::from_utf8(line).unwrap())
    }

    /// B30, J26, and FW-36: the part of the URL stays as it is.
    #[test]
    fn the_query_then_the_body() {
        let url = || parameter(b"a", b"1", Origin::Query);
        assert_eq!(line(Some(b"a=1"), vec![url(), parameter(b"b", b"2", Origin::Form)]).as_deref(), Some("a=1&b=2"));
        assert_eq!(line(Some(b"flag&&a==1"), vec![url(), parameter(b"b", b"", Origin::Form)]).as_deref(), Some("flag&&a==1&b="));
        assert_eq!(line(Some(b"s=12"), vec![url(), parameter(b"J_o_a_n", b"1", Origin::Json)]).as_deref(), Some("s=12&J_o_a_n=1"));
        assert_eq!(line(None, vec![parameter(b"b", b"%41", Origin::Form)]).as_deref(), Some("b=%41"));
        assert_eq!((line(Some(b""), vec![]), line(None, vec![])), (None, None));
        assert_eq!(line(Some(b"{}"), vec![parameter(b"J_o", b"", Origin::Json)]).as_deref(), Some("J_o="));
        assert_eq!(line(Some(b""), vec![parameter(b"b", b"2", Origin::Form)]).as_deref(), Some("b=2"));
    }

    #[test]
    fn what_is_meant_as_it_stands_is_escaped() {
        assert_eq!(line(None, vec![parameter(b"f", b"100% sure\0", Origin::Multipart)]).as_deref(), Some("f=100%25%20sure%00"));
        assert_eq!(line(None, vec![parameter(b"J_o_a b_v", b"c&d=e", Origin::Json)]).as_deref(), Some("J_o_a%20b_v=c%26d%3de"));
    }
}
