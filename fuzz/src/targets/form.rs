//! URL-encoded parameters of URLs and bodies.

use crate::input::first;
use qos_core::body::{Facts, MOST_PARAMETERS, Options, parse};
use qos_core::parameters::Origin;

pub fn run(data: &[u8]) {
    let (query, body) = first(data);
    let facts = Facts { query: Some(query), content_type: Some(b"application/x-www-form-urlencoded"), content_encoding: None, body, ..Facts::default() };
    let (found, error) = parse(&facts, &Options { filter: true, ..Options::default() });
    assert_eq!(error, None);
    assert!(found.parameters.len() <= MOST_PARAMETERS && !found.unparsed && (found.subjects.is_empty() || body.contains(&b'\\')));
    // Nothing is lost and nothing is made up, but for a line end behind the body and empty pieces.
    let line = found.line();
    let rest = line.strip_prefix(query).expect("the query comes first, as it is");
    let body = body.strip_suffix(b"\n").map_or(body, |body| body.strip_suffix(b"\r").unwrap_or(body));
    let pieces = |text: &[u8]| text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let with_equals = |piece: &Vec<u8>| if piece.contains(&b'=') { piece.clone() } else { [piece.as_slice(), b"="].concat() };
    assert_eq!(pieces(rest), pieces(body).iter().map(with_equals).collect::<Vec<_>>());
    for (parameter, piece) in found.parameters.iter().zip(pieces(query).into_iter().chain(pieces(body))) {
        let equals: &[u8] = if parameter.has_value { b"=" } else { b"" };
        assert_eq!([&parameter.name, equals, &parameter.value].concat(), piece);
        assert!(!parameter.name.contains(&b'=') && parameter.url_encoded && matches!(parameter.origin, Origin::Query | Origin::Form));
    }
}
