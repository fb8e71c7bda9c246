//! `?json`: the snapshot as one document; docs/viewer.schema.json describes it.

use super::snapshot::Snapshot;

/// The document and a line end.
#[must_use]
pub fn json(snapshot: &Snapshot) -> String {
    // Serializing plain data into memory cannot fail: no map has keys that are not text, floats that are no number become null.
    let mut text = serde_json::to_string(snapshot).unwrap_or_else(|error| format!("{{\"error\":{}}}", serde_json::Value::from(error.to_string())));
    text.push('\n');
    text
}
