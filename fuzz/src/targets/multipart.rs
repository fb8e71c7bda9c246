//! Multipart bodies, with the type that announces them.

use crate::input::{assert_line, first};
use qos_core::body::{ContentType, Facts, MOST_PARAMETERS, MOST_PARTS, Options, RawTypes, is_supported, message, parse};
use qos_core::parameters::Origin;

pub fn run(data: &[u8]) {
    let (content_type, body) = first(data);
    let facts = Facts { query: None, content_type: Some(content_type), content_encoding: None, body, ..Facts::default() };
    let options = Options { filter: true, raw_types: RawTypes::new(&[b"text/xml"]), ..Options::default() };
    let (found, error) = parse(&facts, &options);
    assert!(found.raw.is_none_or(|raw| raw == body));
    assert!(found.unparsed || error.is_none());
    if let Some(error) = error {
        assert_line(&message(&error, ContentType::new(Some(content_type)).media(), true, "192.0.2.7", "id"));
        assert!(body.is_empty() || found.subjects.last().is_some_and(|subject| subject.as_ref() == body), "what is not understood can be looked at");
        return;
    }
    let of_parts = found.parameters.iter().filter(|parameter| parameter.origin == Origin::Multipart);
    assert!(of_parts.clone().count() <= MOST_PARTS && found.parameters.len() <= MOST_PARAMETERS);
    for parameter in of_parts {
        assert!(is_supported(content_type) && !parameter.url_encoded && parameter.has_value);
        assert!(
            parameter.value.is_empty() || body.windows(parameter.value.len()).any(|part| part == parameter.value.as_ref()),
            "a value is a part of the body"
        );
    }
    // Decoding the line once gives everything as it is meant; `&` and `=` keep it apart.
    let line = found.line();
    if found.parameters.iter().all(|parameter| !parameter.url_encoded) {
        let read = line.split(|byte| *byte == b'&').filter(|_| !line.is_empty()).map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=').expect("a value");
            (decode(&pair[..equals]), decode(&pair[equals + 1..]))
        });
        assert!(read.eq(found.parameters.iter().map(|parameter| (parameter.name.to_vec(), parameter.value.to_vec()))));
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::new(), text);
    while let [byte, behind @ ..] = rest {
        assert!(byte.is_ascii_graphic());
        rest = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let digits = std::str::from_utf8(&[*high, *low]).map(str::to_owned).expect("digits");
                decoded.push(u8::from_str_radix(&digits, 16).expect("an escape"));
                behind
            }
            _ => {
                decoded.push(*byte);
                behind
            }
        };
    }
    decoded
}
