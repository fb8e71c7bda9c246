//! How bytes are cut into what a target needs. The separators are rare in what is parsed, and the fuzzer finds them by itself.

/// Between groups of fields.
const GROUP: u8 = 0x1d;
/// Between fields.
const FIELD: u8 = 0x1e;

/// Groups of fields.
pub fn groups(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == GROUP)
}

/// The fields of a group.
pub fn fields(group: &[u8]) -> impl Iterator<Item = &[u8]> {
    group.split(|byte| *byte == FIELD)
}

/// The first field; empty if there is none.
pub fn first(data: &[u8]) -> (&[u8], &[u8]) {
    data.iter().position(|byte| *byte == FIELD).map_or((data, &[]), |at| (&data[..at], &data[at + 1..]))
}

/// A line of a log or page: it ends in itself and holds no control characters.
pub fn assert_line(line: &str) {
    assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
}
