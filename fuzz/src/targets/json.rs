//! JSON bodies: what is accepted, what it holds, and that it needs no more than it may.

use qos_core::json::{Limits, parameters};
use qos_core::parameters::escaped_length;
use serde::de::IgnoredAny;

pub fn run(data: &[u8]) {
    let found = parameters(data, &Limits::DEFAULT);
    let right = std::str::from_utf8(data).is_ok() && serde_json::from_slice::<IgnoredAny>(data).is_ok();
    match &found {
        Ok(found) => {
            assert!(right, "accepted: {}", data.escape_ascii());
            let line: usize = found.parameters.iter().map(|parameter| escaped_length(&parameter.name) + escaped_length(&parameter.value) + 2).sum();
            assert!(!found.parameters.is_empty() && line - 1 <= Limits::DEFAULT.line);
            assert!(found.parameters.iter().all(|parameter| parameter.name.starts_with(b"J") && parameter.has_value && !parameter.url_encoded));
            // Without escapes there is nothing to look at besides.
            assert!(data.contains(&b'\\') || found.subjects.is_empty());
        }
        Err(error) => {
            assert!(error.at <= data.len());
            assert!(!right || error.reason.is_limit(), "{error}: {}", data.escape_ascii());
        }
    }
    // Lower limits refuse, and change nothing else.
    let small = Limits { depth: 3, parameters: 4, line: 60 };
    match (parameters(data, &small), found) {
        (Ok(small), Ok(found)) => assert_eq!(small, found),
        (Ok(_), Err(error)) => panic!("{error}"),
        (Err(error), found) => assert!(found.is_err() || error.reason.is_limit(), "{error}"),
    }
}
