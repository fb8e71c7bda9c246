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

/// What a path is for applications behind this server that understand more than httpd: without path parameters (`/app/..;a=b/admin`, as Java's containers cut them
/// off), with a backslash as a slash, or both, each as it is and [normalized]. Nothing where it has neither.
#[must_use]
pub fn other_readings(path: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    if memchr::memchr2(b';', b'\\', path).is_none() {
        return all;
    }
    let mut add = |reading: Vec<u8>| {
        if let Cow::Owned(normalized) = normalized(&reading) {
            all.push(normalized);
        }
        all.push(reading);
    };
    let slashed = slashed(path);
    if path.contains(&b';') {
        add(without_parameters(path));
        if let Some(slashed) = &slashed {
            add(without_parameters(slashed));
        }
    }
    if let Some(slashed) = slashed {
        add(slashed);
    }
    all
}

/// The path with backslashes as slashes; `None` where it has none.
#[must_use]
pub fn slashed(path: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', path).map(|_| path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect())
}

/// Each segment ends at its first `;`.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut is_kept = true;
    let kept = path.iter().filter(|byte| {
        is_kept = **byte == b'/' || (is_kept && **byte != b';');
        is_kept
    });
    kept.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_read() {
        for (path, expected) in [
            ("/app/admin", &[][..]),
            ("/app/x/../admin", &[]),
            ("/app/admin;v=1", &["/app/admin"]),
            ("/app/;x/admin", &["/app/admin", "/app//admin"]),
            ("/app/..;a=b/admin", &["/admin", "/app/../admin"]),
            ("/app/x;a=b/../admin;;", &["/app/admin", "/app/x/../admin"]),
            ("/;/", &["/", "//"]),
            (r"/app\admin", &["/app/admin"]),
            (r"/app\..\admin", &["/admin", "/app/../admin"]),
            (r"/app;a\..;b/admin", &["/app/admin", "/admin", "/app/../admin", "/app;a/..;b/admin"]),
            (r"\app", &["/app"]),
            ("*;x", &["*"]),
        ] {
            let found = other_readings(path.as_bytes()).into_iter().map(|path| String::from_utf8(path).unwrap()).collect::<Vec<_>>();
            assert_eq!(found, expected, "{path}");
        }
    }

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
