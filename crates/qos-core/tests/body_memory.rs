//! What the rules about bodies need of memory besides the body: as much as it has once more, whatever it holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use qos_core::body::{Facts, Options, parse};
use qos_core::config::{LocationConfig, Target as Place, apply, find};
use qos_core::filter::{Parameters, Stage, Target, judge};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's, and how much is in use.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BODY: usize = 2 << 20;

fn part(headers: &str, content: &[u8]) -> Vec<u8> {
    [format!("--b1\r\nContent-Disposition: form-data; name=\"f\"{headers}\r\n\r\n").as_bytes(), content, b"\r\n--b1--\r\n"].concat()
}

#[test]
fn rules_need_the_body_once_more() {
    let mut location = LocationConfig::default();
    for (directive, arguments) in [
        ("QS_DenyBody", &["on"][..]),
        ("QS_DenyQuery", &["+a", "deny", "<script"]),
        ("QS_DenyQuery", &["+b", "deny", "union.{1,20}select"]),
        ("QS_PermitUri", &["+c", "deny", "^/x\\?f=ok$"]),
        ("QS_InvalidUrlEncoding", &["log"]),
    ] {
        let arguments = arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>();
        apply(find(directive).unwrap(), &mut Place::Location(&mut location), &arguments).unwrap();
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    let noise = noise.take(BODY).collect::<Vec<_>>();
    let (form, multipart) = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b1");
    for (name, content_type, body) in [
        ("noise in a part", multipart, part("; filename=x", &noise)),
        ("escapes in a part", multipart, part("", &b"%2525253c".repeat(BODY / 9))),
        ("a form", form, b"a=%253c%253c+&".repeat(BODY / 16)[..BODY / 32].to_vec()),
        ("a form of one parameter", form, [b"a=".as_slice(), &b"%2525253c".repeat(BODY / 9)].concat()),
        ("text", "text/plain", b"%2525253c\\u003c".repeat(BODY / 15)),
        ("text that begins as JSON", "text/plain", [b"{".as_slice(), &b"%2525253c\\u003c".repeat(BODY / 15)].concat()),
        (
            "nested",
            multipart,
            part(
                "\r\nContent-Type: multipart/mixed; boundary=nested-boundary",
                &[b"--nested-boundary\r\nX: y\r\nContent-Disposition: x; name=g\r\n\r\n", noise.as_slice(), b"\r\n--nested-boundary--"].concat(),
            ),
        ),
        ("encoded", multipart, part("\r\nContent-Transfer-Encoding: base64", &b"PHNj".repeat(BODY / 4))),
    ] {
        let facts = Facts { query: None, content_type: Some(content_type.as_bytes()), content_encoding: None, body: &body, decoded_query: None };
        let target = Target::of_path(b"POST /x HTTP/1.1", b"/x").unwrap();
        // Patterns are compiled when they are first asked.
        let _ = judge(&location.url, target, Stage::Head, true);
        let _ = judge(&location.url, target, Stage::Body(Parameters::default()), true);
        let before = NOW.load(Relaxed);
        PEAK.store(before, Relaxed);
        let (parsed, error) = parse(&facts, &Options { filter: true, ..Options::default() });
        assert_eq!(error, None, "{name}");
        let findings = judge(&location.url, target, Stage::Body(Parameters { parsed: Some(&parsed), ..Parameters::default() }), true);
        let (used, findings) = (PEAK.load(Relaxed) - before, findings.len());
        let times = used as f64 / body.len() as f64;
        println!("{name}: {} bytes need {used} more, {times:.2} times as many, {findings} findings", body.len());
        let most = if ["text that begins as JSON", "nested", "encoded"].contains(&name) { 2.6 } else { 1.1 };
        assert!(times < most || used < 1 << 20, "{name}: {used} bytes besides {}", body.len());
    }
}
