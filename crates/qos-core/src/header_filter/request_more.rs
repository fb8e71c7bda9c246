//! Request headers of today's browsers, proxies and programs (filters.md section 8.5, FW-23c).
//!
//! What changes the meaning of a request for what stands behind this server (`X-HTTP-Method-Override`, `X-Original-URL`, `Proxy`, ...) has no rule on
//! purpose, and headers of single applications have none either.

use super::builtin::{Builtin, drop, list, some, url};
use super::request::AGENT;

const NUMBER: &str = "^[0-9]+\\z";
const DECIMAL: &str = "^[0-9.]+\\z";
const WORD: &str = "^[a-zA-Z0-9_.-]+\\z";
const WORDS: &str = list!("[a-zA-Z0-9_.-]+");
const BOOLEAN: &str = "^\\?[01]\\z";
const TRUE_FALSE: &str = "(?i)^(true|false)\\z";
/// Structured fields: words, texts in quotes, parameters.
const FIELD: &str = "^[a-zA-Z0-9 _.:;=,/+*?()\"-]+\\z";
const HEX: &str = "^[0-9a-fA-F-]+\\z";
const ID: &str = "^[a-zA-Z0-9_.:;/+=|@-]+\\z";
const ADDRESS: &str = "^[0-9a-fA-F:.]+\\z";
const SECRET: &str = "^[a-zA-Z0-9_.:;/+=|~%-]+\\z";
const URL: &str = some!(url!());
const QUOTED_URL: &str = some!("\"", url!());
const TF: &str = "^[TFtf]\\z";
const TAGS: &str = "^[a-zA-Z0-9=@;.,*\":_/+~ -]+\\z";

/// What a condition of WebDAV may hold in angle brackets, and a whole one.
macro_rules! coded {
    () => {
        "<[a-zA-Z0-9:/?#@!$&'()*+,;=._~%-]+>"
    };
}
macro_rules! condition {
    () => {
        concat!("((Not )?(", coded!(), "|\\[(W/)?\"[a-zA-Z0-9:/@*+,;=._~ -]*\"\\]))")
    };
}

pub(super) const RULES: &[Builtin] = &[
    // --- browsers: where a request comes from and what for
    drop("Sec-Fetch-Site", 40, WORD),
    drop("Sec-Fetch-Mode", 40, WORD),
    drop("Sec-Fetch-Dest", 40, WORD),
    drop("Sec-Fetch-User", 2, BOOLEAN),
    drop("Sec-Fetch-Storage-Access", 40, WORD),
    drop("Sec-GPC", 1, "^[01]\\z"),
    drop("Sec-Purpose", 100, FIELD),
    drop("Purpose", 40, WORD),
    drop("X-Purpose", 40, WORD),
    drop("X-Moz", 40, WORD),
    drop("Priority", 60, FIELD),
    drop("Upgrade", 100, "^[a-zA-Z0-9_./, -]+\\z"),
    drop("HTTP2-Settings", 200, "^[a-zA-Z0-9_=-]+\\z"),
    drop("Alt-Used", 100, "^[a-zA-Z0-9.:\\[\\]-]+\\z"),
    drop("Early-Data", 1, "^1\\z"),
    drop("Access-Control-Request-Private-Network", 5, TRUE_FALSE),
    drop("Access-Control-Request-Local-Network", 5, TRUE_FALSE),
    drop("Last-Event-ID", 500, URL),
    drop("Service-Worker", 40, WORD),
    drop("Service-Worker-Navigation-Preload", 200, FIELD),
    drop("Ping-From", 2000, URL),
    drop("Ping-To", 2000, URL),
    drop("Available-Dictionary", 100, FIELD),
    drop("Dictionary-ID", 300, QUOTED_URL),
    drop("X-Client-Data", 1000, SECRET),
    // --- browsers: what they are and what they can
    drop("Sec-CH-UA", 300, FIELD),
    drop("Sec-CH-UA-Mobile", 2, BOOLEAN),
    drop("Sec-CH-UA-Platform", 60, FIELD),
    drop("Sec-CH-UA-Platform-Version", 60, FIELD),
    drop("Sec-CH-UA-Arch", 60, FIELD),
    drop("Sec-CH-UA-Bitness", 60, FIELD),
    drop("Sec-CH-UA-Model", 100, FIELD),
    drop("Sec-CH-UA-Full-Version", 60, FIELD),
    drop("Sec-CH-UA-Full-Version-List", 500, FIELD),
    drop("Sec-CH-UA-WoW64", 2, BOOLEAN),
    drop("Sec-CH-UA-Form-Factors", 100, FIELD),
    drop("Sec-CH-Prefers-Color-Scheme", 40, FIELD),
    drop("Sec-CH-Prefers-Contrast", 40, FIELD),
    drop("Sec-CH-Prefers-Reduced-Motion", 40, FIELD),
    drop("Sec-CH-Prefers-Reduced-Transparency", 40, FIELD),
    drop("Sec-CH-Viewport-Width", 20, DECIMAL),
    drop("Sec-CH-Viewport-Height", 20, DECIMAL),
    drop("Sec-CH-Width", 20, DECIMAL),
    drop("Sec-CH-DPR", 20, DECIMAL),
    drop("Sec-CH-Device-Memory", 20, DECIMAL),
    drop("Viewport-Width", 20, DECIMAL),
    drop("Width", 20, DECIMAL),
    drop("DPR", 20, DECIMAL),
    drop("Device-Memory", 20, DECIMAL),
    drop("Downlink", 20, DECIMAL),
    drop("RTT", 20, NUMBER),
    drop("ECT", 20, WORD),
    drop("Save-Data", 10, FIELD),
    drop("Sec-Browsing-Topics", 500, FIELD),
    drop("Sec-Speculation-Tags", 300, FIELD),
    drop("Sec-Shared-Storage-Writable", 2, BOOLEAN),
    drop("Sec-Ad-Auction-Fetch", 2, BOOLEAN),
    drop("Sec-Session-Id", 300, QUOTED_URL),
    drop("Sec-Session-Response", 4000, QUOTED_URL),
    drop("Sec-Secure-Session-Id", 300, QUOTED_URL),
    drop("Sec-Secure-Session-Skipped", 300, QUOTED_URL),
    drop("Secure-Session-Response", 4000, QUOTED_URL),
    drop("Attribution-Reporting-Eligible", 300, FIELD),
    drop("Attribution-Reporting-Support", 300, FIELD),
    // --- WebSocket
    drop("Sec-WebSocket-Key", 50, "^[a-zA-Z0-9+/=]+\\z"),
    drop("Sec-WebSocket-Version", 20, "^[0-9, ]+\\z"),
    drop("Sec-WebSocket-Extensions", 300, FIELD),
    drop("Sec-WebSocket-Protocol", 4000, "^[a-zA-Z0-9_.~+/=:,!#$%&'*|^` -]+\\z"),
    // --- proxies and tracing
    drop("Forwarded", 500, "^[a-zA-Z0-9_.:;=,\"\\[\\]/ -]+\\z"),
    drop("X-Forwarded-Proto", 40, WORDS),
    drop("X-Forwarded-Protocol", 40, WORDS),
    drop("X-Forwarded-Scheme", 40, WORDS),
    drop("X-Forwarded-Ssl", 10, WORD),
    drop("X-Forwarded-Port", 40, WORDS),
    drop("X-Real-IP", 50, ADDRESS),
    drop("X-Client-IP", 50, ADDRESS),
    drop("X-Cluster-Client-IP", 50, ADDRESS),
    drop("True-Client-IP", 50, ADDRESS),
    drop("Fastly-Client-IP", 50, ADDRESS),
    drop("CF-Connecting-IP", 50, ADDRESS),
    drop("CF-Connecting-IPv6", 50, ADDRESS),
    drop("CF-IPCountry", 2, "^[A-Z0-9]{2}\\z"),
    drop("CF-Ray", 50, WORD),
    drop("CF-Visitor", 30, "^\\{\"scheme\":\"https?\"\\}\\z"),
    drop("CDN-Loop", 300, FIELD),
    drop("X-Request-ID", 200, ID),
    drop("X-Correlation-ID", 200, ID),
    drop("Request-Id", 200, ID),
    drop("Original-Request-ID", 200, ID),
    drop("X-Amzn-Trace-Id", 300, ID),
    drop("X-Cloud-Trace-Context", 200, ID),
    drop("traceparent", 100, HEX),
    drop("tracestate", 512, "^[a-zA-Z0-9 _.:;=,/+*@!~-]+\\z"),
    drop("baggage", 2000, URL),
    drop("b3", 100, HEX),
    drop("X-B3-TraceId", 50, HEX),
    drop("X-B3-SpanId", 50, HEX),
    drop("X-B3-ParentSpanId", 50, HEX),
    drop("X-B3-Sampled", 10, WORD),
    drop("X-B3-Flags", 10, NUMBER),
    drop("uber-trace-id", 200, "^[0-9a-fA-F:%]+\\z"),
    drop("sentry-trace", 100, HEX),
    drop("newrelic", 1000, SECRET),
    drop("elastic-apm-traceparent", 100, HEX),
    drop("X-Datadog-Trace-Id", 30, NUMBER),
    drop("X-Datadog-Parent-Id", 30, NUMBER),
    drop("X-Datadog-Sampling-Priority", 10, "^-?[0-9]\\z"),
    drop("X-Datadog-Origin", 50, WORD),
    drop("Proxy-Connection", 40, WORD),
    // --- programs that use an interface
    drop("X-Requested-With", 100, WORD),
    drop("X-CSRF-Token", 1000, SECRET),
    drop("X-CSRFToken", 1000, SECRET),
    drop("X-XSRF-TOKEN", 1000, SECRET),
    drop("X-API-Key", 1000, SECRET),
    drop("X-Auth-Token", 4000, SECRET),
    drop("DPoP", 4000, SECRET),
    drop("Idempotency-Key", 300, QUOTED_URL),
    drop("Prefer", 300, FIELD),
    drop("Accept-Datetime", 100, "^[a-zA-Z0-9 :,]+\\z"),
    drop("A-IM", 100, FIELD),
    drop("Content-Disposition", 300, QUOTED_URL),
    drop("Content-Digest", 500, FIELD),
    drop("Repr-Digest", 500, FIELD),
    drop("Digest", 500, FIELD),
    drop("Want-Content-Digest", 200, FIELD),
    drop("Want-Repr-Digest", 200, FIELD),
    drop("Want-Digest", 200, FIELD),
    drop("Signature", 2000, QUOTED_URL),
    drop("Signature-Input", 2000, QUOTED_URL),
    drop("Date", 100, "^[a-zA-Z0-9 :,+-]+\\z"),
    drop("Trailer", 200, WORDS),
    drop("Link", 1000, concat!("^([\"", url!(), "]|", coded!(), ")+\\z")),
    drop("MIME-Version", 10, DECIMAL),
    drop("SOAPAction", 500, QUOTED_URL),
    drop("Icy-MetaData", 2, NUMBER),
    drop("X-Playback-Session-Id", 50, HEX),
    // --- gRPC, gRPC-web, Connect
    drop("X-Grpc-Web", 1, "^1\\z"),
    drop("X-User-Agent", 300, AGENT),
    drop("X-Accept-Content-Transfer-Encoding", 100, WORDS),
    drop("X-Accept-Response-Streaming", 10, WORD),
    drop("Grpc-Timeout", 20, "^[0-9]+[HMSmun]\\z"),
    drop("Grpc-Encoding", 100, WORDS),
    drop("Grpc-Accept-Encoding", 200, WORDS),
    drop("Grpc-Trace-Bin", 300, SECRET),
    drop("Grpc-Tags-Bin", 300, SECRET),
    drop("Connect-Protocol-Version", 10, NUMBER),
    drop("Connect-Timeout-Ms", 20, NUMBER),
    drop("Connect-Content-Encoding", 100, WORDS),
    drop("Connect-Accept-Encoding", 200, WORDS),
    // --- WebDAV and uploads
    drop("Depth", 20, "(?i)^(0|1|infinity)(, ?noroot)?\\z"),
    drop("Destination", 2000, URL),
    drop("Overwrite", 1, TF),
    drop("Timeout", 100, concat!("(?i)", list!("(infinite|second-[0-9]+)"))),
    drop("Lock-Token", 200, concat!("^", coded!(), "\\z")),
    drop("If", 1000, concat!("^( ?(", coded!(), "|\\( ?", condition!(), "( ?", condition!(), ")* ?\\)))+\\z")),
    drop("If-Schedule-Tag", 200, TAGS),
    drop("If-Schedule-Tag-Match", 200, TAGS),
    drop("Schedule-Reply", 1, TF),
    drop("CalDAV-Timezones", 1, TF),
    drop("Brief", 1, TF),
    drop("Translate", 1, TF),
    drop("Apply-To-Redirect-Ref", 1, TF),
    drop("X-Expected-Entity-Length", 20, NUMBER),
    drop("OC-Checksum", 200, ID),
    drop("OC-Total-Length", 20, NUMBER),
    drop("OC-Chunked", 1, "^1\\z"),
    drop("X-OC-Mtime", 20, NUMBER),
    drop("X-OC-CTime", 20, NUMBER),
    drop("OCS-APIRequest", 5, TRUE_FALSE),
    drop("Tus-Resumable", 10, DECIMAL),
    drop("Upload-Length", 20, NUMBER),
    drop("Upload-Offset", 20, NUMBER),
    drop("Upload-Defer-Length", 1, "^1\\z"),
    drop("Upload-Metadata", 1000, "^[a-zA-Z0-9 _+/=,-]+\\z"),
    drop("Upload-Concat", 1000, URL),
    drop("Upload-Checksum", 200, "^[a-zA-Z0-9 +/=-]+\\z"),
    drop("Upload-Complete", 2, BOOLEAN),
    drop("Upload-Draft-Interop-Version", 10, NUMBER),
];
