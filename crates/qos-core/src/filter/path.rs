//! Paths as httpd maps them (filters.md section 5.1, FW-03).

use std::borrow::Cow;

/// A path with one slash instead of several and without `.` and `..` segments (RFC 3986 section 5.2.4).
#[must_use]
pub fn normalized(path: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = !path.windows(2).any(|pair| pair == b"//" || pair == b"/.");
    if is_plain || !path.starts_with(b"/") {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_folder = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut normalized = Vec::with_capacity(path.len());
    for segment in &kept {
        normalized.push(b'/');
        normalized.extend_from_slice(segment);
    }
    if is_folder || kept.is_empty() {
        normalized.push(b'/');
    }
    if normalized == path { Cow::Borrowed(path) } else { Cow::Owned(normalized) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments() {
        for (path, expected) in [
            ("/app/admin", "/app/admin"),
            ("/app//admin", "/app/admin"),
            ("///", "/"),
            ("/", "/"),
            ("/app/./admin", "/app/admin"),
            ("/app/x/../admin", "/app/admin"),
            ("/app/x/..", "/app/"),
            ("/app/.", "/app/"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/a//..//b", "/b"),
            ("/.hidden/..x/...", "/.hidden/..x/..."),
            ("/a/", "/a/"),
            ("*", "*"),
            ("host:443", "host:443"),
            ("", ""),
        ] {
            assert_eq!(normalized(path.as_bytes()), path_of(expected), "{path}");
        }
    }

    fn path_of(text: &str) -> Cow<'_, [u8]> {
        Cow::Borrowed(text.as_bytes())
    }
}
