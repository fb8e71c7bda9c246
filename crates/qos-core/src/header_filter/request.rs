//! Request headers that have always had a rule (filters.md section 8.5).
//!
//! What those rules took is taken still, and besides what section 8.5 lists as sent by today's clients: the values in the comments.

use super::builtin::{Builtin, deny, drop, list, products, some, url};

/// Letters, digits and what else names of types have.
macro_rules! range {
    () => {
        concat!("([a-zA-Z0-9_*+-]+/[a-zA-Z0-9_*+.-]+|\\*)( ?; ?(escaping=[a-z0-9-]+|[a-zA-Z0-9._-]+=([a-zA-Z0-9._]+|\"[", url!(), "]*\")))* ?")
    };
}

/// A name with a weight.
macro_rules! weighted {
    () => {
        "[a-zA-Z0-9*-]+(; ?q=[0-9.]+)?"
    };
}

macro_rules! cache {
    () => {
        "(no-cache|no-store|max-age=[0-9]+|max-stale(=[0-9]+)?|min-fresh=[0-9]+|no-transform|only-if-cached|only-if-chached|must-revalidate|private|stale-if-error=[0-9]+)"
    };
}

/// Text of a type of content, and an identifier in angle brackets (`start="<a@b>"`).
macro_rules! content {
    () => {
        "([a-zA-Z0-9\"*/; =+._:'?()@&~#-]|\"<[a-zA-Z0-9.@_:/+-]+>\")+"
    };
}

macro_rules! language {
    () => {
        "[0-9a-zA-Z]{0,8}(-[0-9a-zA-Z]{0,8})*"
    };
}

macro_rules! coding {
    () => {
        "(chunked|compress|deflate|gzip|identity)"
    };
}

const DATE: &str = "^[a-zA-Z0-9 :,]+\\z";
const NUMBER: &str = "^[0-9]+\\z";
const PLAIN: &str = "^[a-zA-Z0-9=;., -]+\\z";
const TAGS: &str = "^[a-zA-Z0-9=@;.,*\":_/+~ -]+\\z";
const HOSTS: &str = list!("[a-zA-Z0-9_.:\\[\\]-]+");

/// A program and what else it says of itself.
pub(super) const AGENT: &str = "^[a-zA-Z0-9%(\\[@._][a-zA-Z0-9 _.:;()\\[\\]@/+!=,%&'~*-]+\\z";

pub(super) const RULES: &[Builtin] = &[
    // application/signed-exchange;v=b3;q=0.7, and *; q=.2 of Java
    drop("Accept", 300, list!(range!())),
    drop("Accept-Charset", 300, list!(weighted!())),
    drop("Accept-Encoding", 500, list!(weighted!())),
    drop("Accept-Language", 200, list!("[a-zA-Z*-]+[0-9]{0,3}(; ?q=[0-9.]+)?")),
    drop("Access-Control-Request-Method", 10, "^[a-zA-Z]+\\z"),
    drop("Access-Control-Request-Headers", 500, list!("[a-zA-Z0-9-]+")),
    // Bearer a.b-c_d, Digest username="u", nc=1, and what else is signed
    drop("Authorization", 4000, some!("\"", url!())),
    // NO-CACHE, only-if-cached
    drop("Cache-Control", 100, concat!("(?i)", list!(cache!()))),
    // keep-alive, Upgrade; Upgrade, HTTP2-Settings
    drop(
        "Connection",
        100,
        "(?i)^([te]+, ?)?([a-z0-9-]+|(keep-alive|close|upgrade|http2-settings)( ?, ?(keep-alive|close|upgrade|http2-settings))+)( ?, ?[te]+)?\\z",
    ),
    deny("Content-Encoding", 100, "^[a-zA-Z0-9-]+(, *[a-zA-Z0-9-]+)*\\z"),
    drop("Content-Language", 100, concat!("^", language!(), "(, *", language!(), ")*\\z")),
    deny("Content-Length", 10, NUMBER),
    deny("Content-Location", 200, some!(url!())),
    deny("Content-MD5", 50, "^[a-zA-Z0-9+/$=: ]+\\z"),
    // bytes */11
    deny("Content-Range", 50, "^bytes +([0-9]+-[0-9]+/([0-9]+|\\*)|\\*/[0-9]+)\\z"),
    // application/soap+xml, application/vnd.ms-excel, boundary=a_b.c
    deny("Content-Type", 200, concat!("^", content!(), "(,", content!(), ")*\\z")),
    drop("Cookie", 3000, some!("\"", url!())),
    drop("Cookie2", 3000, some!("\"", url!())),
    drop("DNT", 3, NUMBER),
    drop("Expect", 200, PLAIN),
    drop("From", 100, "^[a-zA-Z0-9=@;.,()-]+\\z"),
    // [::1]:8080
    drop("Host", 100, "^([a-zA-Z0-9.-]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]+)?\\z"),
    drop("If-Invalid", 500, some!(products!())),
    // "a", "b"; "a:b"; "a_b"
    drop("If-Match", 500, TAGS),
    drop("If-Modified-Since", 100, DATE),
    drop("If-None-Match", 500, TAGS),
    // Sun, 06 Nov 1994 08:49:37 GMT; W/"a"
    drop("If-Range", 100, TAGS),
    drop("If-Unmodified-Since", 100, DATE),
    drop("If-Valid", 500, some!(products!())),
    drop("Keep-Alive", 20, NUMBER),
    drop("Max-Forwards", 20, NUMBER),
    drop("Origin", 2000, some!(url!())),
    drop("Proxy-Authorization", 4000, some!("\"", url!())),
    drop("Pragma", 200, PLAIN),
    // bytes=0-0,-1
    drop("Range", 200, some!("=,", products!())),
    drop("Referer", 2000, some!(url!())),
    drop("TE", 100, list!(weighted!())),
    // CHUNKED
    deny("Transfer-Encoding", 100, concat!("(?i)", list!(coding!()))),
    drop("Unless-Modified-Since", 100, DATE),
    // %E5%BE%AE/1 CFNetwork/1.0; (null)/1.0; (compatible; Let's Encrypt validation server); FBCR/AT&T
    drop("User-Agent", 300, AGENT),
    drop("Upgrade-Insecure-Requests", 1, "^1\\z"),
    // 1.1 a, 1.1 b
    drop("Via", 500, some!(",", products!())),
    // 10.0.0.1,10.0.0.2; as many IPv6 addresses
    drop("X-Forwarded-For", 500, HOSTS),
    drop("X-Forwarded-Host", 200, HOSTS),
    drop("X-Forwarded-Server", 200, HOSTS),
    drop("X-lori-time-1", 20, NUMBER),
    drop("X-Do-Not-Track", 20, NUMBER),
];
