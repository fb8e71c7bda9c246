//! Whether it matters what stands around a match.

/// See [`super::Pattern::may_look_around`].
pub(super) fn may_look_around(pattern: &str) -> bool {
    let mut rest = pattern.as_bytes();
    while !rest.is_empty() {
        rest = match rest {
            [b'\\', b'A' | b'z' | b'Z' | b'G' | b'b' | b'B' | b'K' | b'c' | b'Q' | b'E', ..] | [b'^' | b'$', ..] | [b'(', b'*', ..] => return true,
            [b'\\', _, behind @ ..] | [b'[', b'^', behind @ ..] => behind,
            [b'(', b'?', flags @ ..] => {
                let end = flags.iter().position(|flag| !matches!(flag, b'i' | b's' | b'm' | b'-')).unwrap_or(flags.len());
                match flags.get(end..) {
                    Some([b':' | b')', behind @ ..]) => behind,
                    _ => return true,
                }
            }
            // Possessive: what it takes of a longer text it does not give back.
            [b'+' | b'*' | b'?' | b'}', b'+', ..] => return true,
            [_, behind @ ..] => behind,
            [] => rest,
        };
    }
    false
}
