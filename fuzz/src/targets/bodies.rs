//! Lengths of bodies, and texts that are looked for in bodies which come in pieces.

use crate::input::{fields, first};
use qos_core::body::{Verdict, decimal, judge, limit};
use qos_core::variables::search::{Needle, Search};

pub fn run(data: &[u8]) {
    let (needle, body) = first(data);
    let limit = limit(Some(needle), None, Some(1000)).unwrap_or_default();
    match judge(limit, Some(body)) {
        Verdict::Pass => assert!(decimal(body).is_some_and(|length| length <= limit)),
        Verdict::TooLarge { length } => assert!(length > limit && decimal(body) == Some(length)),
        Verdict::Unusable => assert_eq!(decimal(body), None),
        Verdict::Count => panic!("a length was announced"),
    }
    if !needle.is_empty() {
        let text = Needle::new(needle);
        let mut search = Search::default();
        // It may be found again in what follows; once is enough.
        let in_pieces = fields(body).any(|piece| search.feed(&text, piece));
        let whole: Vec<u8> = fields(body).flatten().copied().collect();
        assert_eq!(in_pieces, whole.windows(needle.len()).any(|window| window == needle));
    }
}
