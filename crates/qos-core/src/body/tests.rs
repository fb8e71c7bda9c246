//! Tables of filters.md section 16.3, as far as the parser decides, and the weaknesses that section 17 lists about it.

use super::*;
use crate::parameters::{Origin, Parsed};
use proptest::prelude::*;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b1";

fn read<'a>(query: Option<&'a str>, content_type: &'a str, body: &'a [u8], options: &Options) -> (Parsed<'a>, Option<Error>) {
    let content_type = (!content_type.is_empty()).then_some(content_type.as_bytes());
    parse(&Facts { query: query.map(str::as_bytes), content_type, content_encoding: None, body, ..Facts::default() }, options)
}

fn filter() -> Options {
    Options { filter: true, ..Options::default() }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The line, the subjects besides, and what is wrong.
fn line(query: Option<&str>, content_type: &str, body: &[u8]) -> (String, Vec<String>, Option<Error>) {
    let (found, error) = read(query, content_type, body, &filter());
    (text(&found.line()), found.subjects.iter().map(|subject| text(subject)).collect(), error)
}

fn part(headers: &str, content: &str) -> String {
    format!("--b1\r\nContent-Disposition: form-data; name=\"f\"{headers}\r\n\r\n{content}\r\n")
}

fn named(name: &str, content: &str) -> String {
    part("", content).replace("\"f\"", &format!("\"{name}\""))
}

fn multipart(parts: &[String]) -> Vec<u8> {
    format!("{}--b1--\r\n", parts.concat()).into_bytes()
}

#[test]
fn forms() {
    for (name, query, body, expected) in [
        ("B1", None, b"a=1&b=2".as_slice(), "a=1&b=2"),
        ("B2", None, b"a=1&b=%3Cscript", "a=1&b=%3Cscript"),
        ("B5 (FW-17a)", None, b"a=1\0&b=<script", "a=1\\x00&b=<script"),
        ("B6 (FW-17b)", None, b"=<script", "=<script"),
        ("B7 (FW-17c)", None, b"\x80n=<script", "\\x80n=<script"),
        ("B9", Some("?=<script"), b"", "?=<script"),
        ("B30", Some("a=1"), b"b=2", "a=1&b=2"),
        ("B32", Some("id=1"), b"id=42", "id=1&id=42"),
        ("B34", None, b"q=a\n", "q=a"),
        ("line ends within", None, b"a=1\r\n&b=2\r\n", "a=1\\r\\n&b=2"),
        ("empty pieces", None, b"&&a&&b=", "a=&b="),
        ("several =", None, b"a==b", "a==b"),
        ("FD-05", Some("flag&&x=&y==z"), b"a", "flag&&x=&y==z&a="),
        ("nothing", Some(""), b"", ""),
    ] {
        assert_eq!(line(query, FORM, body), (expected.to_owned(), vec![], None), "{name}");
    }
    let (found, _) = read(Some("a=1&b"), FORM, b"=c&d", &filter());
    let seen = found.parameters.iter().map(|p| (text(&p.name), text(&p.value), p.has_value, p.origin, p.url_encoded)).collect::<Vec<_>>();
    let of = |name: &str, value: &str, has_value, origin| (name.to_owned(), value.to_owned(), has_value, origin, true);
    assert_eq!(seen, [of("a", "1", true, Origin::Query), of("b", "", false, Origin::Query), of("", "c", true, Origin::Form), of("d", "", false, Origin::Form)]);
    assert_eq!(found.of_query, 2);
}

#[test]
fn multipart_bodies() {
    for (name, body, expected, subjects) in [
        ("B15", multipart(&[part("", "hello")]), "f=hello", vec![]),
        ("B16", multipart(&[part("", "<script")]), "f=%3cscript", vec![]),
        ("B17", multipart(&[part("", "%3Cscript")]), "f=%253Cscript", vec![]),
        ("B18 (FW-18a)", multipart(&[part("", "100% sure")]), "f=100%25%20sure", vec![]),
        ("B19 (FW-18c)", multipart(&[part("; filename=\"<script.jpg\"", "x")]), "f=x", vec!["<script.jpg"]),
        ("B20", multipart(&[part("; filename=a", "x<script")]), "f=x%3cscript", vec!["a"]),
        (
            "B23",
            b"--b1\r\nContent-Disposition: form-data; name=f\r\n\r\na\r\n--b1 \r\nContent-Disposition: form-data; name=g\r\n\r\n<script\r\n--b1-- \t".to_vec(),
            "f=a&g=%3cscript",
            // Some readers take the padded delimiter for a part of the value.
            vec![
                "--b1\\r\\nContent-Disposition: form-data; name=f\\r\\n\\r\\na\\r\\n--b1 \\r\\nContent-Disposition: form-data; name=g\\r\\n\\r\\n<script\\r\\n--b1-- \\t",
            ],
        ),
        ("B27", multipart(&[part("", "a\0<script")]), "f=a%00%3cscript", vec![]),
        ("B28", [b"<script\r\n".to_vec(), multipart(&[part("", "x")])].concat(), "f=x", vec!["<script"]),
        ("epilogue", [multipart(&[part("", "x")]), b"\r\n<script".to_vec()].concat(), "f=x", vec!["\\r\\n<script"]),
        ("B29", multipart(&[part("\r\nContent-Transfer-Encoding: Base64", "PHNjcmlwdA==")]), "f=PHNjcmlwdA%3d%3d", vec!["<script"]),
        ("quoted-printable", multipart(&[part("\r\nContent-Transfer-Encoding: quoted-printable", "=3Cscript")]), "f=%3d3Cscript", vec!["<script"]),
        ("line feeds", b"--b1\nContent-Disposition: form-data; name=f\n\na\nb\n--b1--".to_vec(), "f=a%0ab", vec![]),
        ("nothing in it", multipart(&[part("", "")]), "f=", vec![]),
        ("no boundary", multipart(&[part("", "x-b1--")]), "f=x-b1--", vec![]),
        ("a form within", multipart(&[part("\r\nContent-Type: application/x-www-form-urlencoded", "a=%31&b")]), "a=%31&b=&f=a%3d%2531%26b", vec![]),
        ("several", multipart(&[part("", "1"), part("", "2")]), "f=1&f=2", vec![]),
    ] {
        let subjects = subjects.into_iter().map(str::to_owned).collect();
        assert_eq!(line(None, MULTIPART, &body), (expected.to_owned(), subjects, None), "{name}");
    }
}

/// `levels` multipart bodies within each other, the innermost with a field.
fn nested(levels: usize) -> (String, Vec<u8>) {
    let mut body = "Content-Disposition: form-data; name=f\r\n\r\nx".to_owned();
    for level in (1..=levels).rev() {
        body = format!("--b{level}\r\n{body}\r\n--b{level}--");
        if level > 1 {
            body = format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n{body}");
        }
    }
    ("multipart/mixed; boundary=b1".to_owned(), body.into_bytes())
}

#[test]
fn multipart_bodies_that_are_refused() {
    let whole = |body: &[u8]| vec![text(body)];
    for (name, content_type, body, error) in [
        ("B21 (FW-18b)", MULTIPART, part("", "<script").into_bytes(), Error::NotClosed),
        ("B22 (FW-18b)", MULTIPART, b"<script".to_vec(), Error::NoPart),
        ("B24", MULTIPART, b"--b1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b1--".to_vec(), Error::NoName),
        ("no disposition", MULTIPART, b"--b1\r\nX: y\r\n\r\nx\r\n--b1--".to_vec(), Error::NoName),
        ("B25", "multipart/form-data", multipart(&[part("", "x")]), Error::Boundary),
        ("no part", MULTIPART, b"x\r\n--b1--\r\n".to_vec(), Error::NoPart),
        ("no part, but text", MULTIPART, b"--b1--\r\nx".to_vec(), Error::NoPart),
        ("no part in a part", MULTIPART, multipart(&[part("\r\nContent-Type: multipart/mixed; boundary=b2", "--b2--")]), Error::NoPart),
        ("inside of a line", MULTIPART, multipart(&[part("", "x--b1--")]), Error::Delimiter),
        ("a longer word", MULTIPART, multipart(&[part("", "--b1x")]), Error::Delimiter),
        ("a longer word in a header", MULTIPART, multipart(&[part("; filename=\"--b12\"", "")]), Error::Delimiter),
        ("behind CR", MULTIPART, multipart(&[part("", "x\r--b1")]), Error::Delimiter),
        ("before CR", MULTIPART, multipart(&[part("", "x\r\n--b1\ry")]), Error::Delimiter),
        ("behind the end", MULTIPART, [multipart(&[part("", "x")]), multipart(&[part("", "y")])].concat(), Error::Delimiter),
        ("ends twice", MULTIPART, [multipart(&[part("", "x")]), b"--b1--".to_vec()].concat(), Error::Delimiter),
        ("LF and more behind the end", MULTIPART, [part("", "x").as_bytes(), b"--b1--\ny"].concat(), Error::LineEnds),
        ("behind LF", MULTIPART, multipart(&[part("", "x\n--b1\r\nContent-Disposition: form-data; name=g\r\n\r\ny")]), Error::LineEnds),
        ("before LF", MULTIPART, multipart(&[part("", "x\r\n--b1\nContent-Disposition: form-data; name=g\r\n\r\ny")]), Error::LineEnds),
        ("LF before the end", MULTIPART, [part("", "x").as_bytes(), b"y\n--b1--\r\n"].concat(), Error::LineEnds),
        ("CRLF among LF", MULTIPART, b"--b1\nContent-Disposition: form-data; name=f\n\na\r\n--b1--".to_vec(), Error::LineEnds),
        ("LF behind headers", MULTIPART, b"--b1\r\nContent-Disposition: form-data; name=f\n\na\r\n--b1--".to_vec(), Error::LineEnds),
        ("no colon", MULTIPART, multipart(&[part("\r\n;filename=x", "")]), Error::PartHeader),
        ("NUL", MULTIPART, multipart(&[part("\r\n\0", "")]), Error::PartHeader),
        ("pieces of a name", MULTIPART, multipart(&[part("; filename*0=\"<scr\"; filename*1=\"ipt\"", "")]), Error::Ambiguous),
        ("charset of a part", MULTIPART, multipart(&[part("\r\nContent-Type: text/plain; charset=utf-7", "+ADw-script")]), Error::Charset),
        ("a charset for all", MULTIPART, multipart(&[named("_charset_", "utf-16le"), part("", "x")]), Error::Charset),
        ("an apostrophe in a type", "multipart/form-data; filename=it's; boundary=b1", multipart(&[part("", "x")]), Error::Header),
        ("an archive without a name", MULTIPART, multipart(&[part("\r\nContent-Type: multipart/related", "x")]), Error::Boundary),
        ("files without a boundary", MULTIPART, multipart(&[part("; filename=x\r\nContent-Type: multipart/mixed", "x")]), Error::Boundary),
        ("half a boundary", MULTIPART, multipart(&[part("; filename=x\r\nContent-Type: multipart/related; boundary", "x")]), Error::Boundary),
        ("hidden multipart", MULTIPART, multipart(&[part("\r\nContent-Type: text/plain; x=multipart/mixed", "")]), Error::Type),
        ("type", "multipart/form-data foo; boundary=b1", multipart(&[part("", "x")]), Error::Type),
        ("words behind a type", "application/x-www-form-urlencoded foo", b"a=1".to_vec(), Error::Type),
        ("without ;", "multipart/form-data boundary=b1", multipart(&[part("", "x")]), Error::Type),
        ("charset", "application/x-www-form-urlencoded; charset=utf-7", b"a=1".to_vec(), Error::Charset),
        ("no empty line", MULTIPART, b"--b1\r\nContent-Disposition: form-data; name=f\r\n--b1--".to_vec(), Error::PartHeaders),
        ("text behind the end", MULTIPART, b"--b1\r\nContent-Disposition: x; name=f\r\n\r\nx\r\n--b1--x\r\n".to_vec(), Error::AfterClose),
        (
            "encoded level",
            MULTIPART,
            multipart(&[part("\r\nContent-Type: multipart/mixed; boundary=b2\r\nContent-Transfer-Encoding: base64", "x")]),
            Error::TransferEncoding,
        ),
        ("two delimiters", MULTIPART, b"--b1\r\n--b1--".to_vec(), Error::PartHeaders),
        ("B36", "application/x-www-form-urlencoded, text/plain", b"a=1".to_vec(), Error::SeveralTypes),
    ] {
        let (_, subjects, found) = line(None, content_type, &body);
        assert_eq!((found, subjects.last().cloned()), (Some(error), whole(&body).pop()), "{name}");
        assert!(read(None, content_type, &body, &filter()).0.unparsed, "{name}");
    }
    // Who takes a part for a value sees all of it.
    let inner = |body: &[u8]| {
        let whole = text(body);
        let of = |level: u32| whole[whole.find(&format!("--b{level}\\r")).unwrap()..].split_once(&format!("\\r\\n--b{}--", level - 1)).unwrap().0.to_owned();
        (2..=4).map(of).collect::<Vec<_>>()
    };
    let (content_type, body) = nested(4);
    assert_eq!(line(None, &content_type, &body), ("f=x".to_owned(), inner(&body), None), "B26, 4 levels");
    let (content_type, body) = nested(5);
    assert_eq!(line(None, &content_type, &body).2, Some(Error::Levels), "B26, 5 levels");
}

/// What some readers understand differently satisfies no rule that permits; what they may find is looked at by those that deny.
#[test]
fn what_readers_differ_about() {
    let nested = |headers: &str| {
        multipart(&[part(&format!("{headers}\r\nContent-Type: multipart/mixed; boundary=b2"), "--b2\r\nContent-Disposition: x; name=g\r\n\r\n<\r\n--b2--")])
    };
    for (name, content_type, body, expected, subjects, unparsed) in [
        ("plain", MULTIPART, multipart(&[part("", "1")]), "f=1", vec![], false),
        ("a form without fields", MULTIPART, b"--b1--\r\n".to_vec(), "", vec![], false),
        ("the same without a line end", MULTIPART, b"--b1--".to_vec(), "", vec![], false),
        ("nested", MULTIPART, nested(""), "g=%3c&f=--b2%0d%0aContent-Disposition%3a%20x%3b%20name%3dg%0d%0a%0d%0a%3c%0d%0a--b2--", vec![], true),
        (
            "several files of a field",
            MULTIPART,
            multipart(&[part(
                "\r\nContent-Type: multipart/mixed; boundary=b2",
                "--b2\r\nContent-Disposition: attachment; filename=\"x\"\r\n\r\n<\r\n--b2\r\nContent-Transfer-Encoding: base64\r\n\r\nPA==\r\n--b2--",
            )]),
            "f=--b2%0d%0aContent-Disposition%3a%20attachment%3b%20filename%3d%22x%22%0d%0a%0d%0a%3c%0d%0a--b2%0d%0aContent-Transfer-Encoding%3a%20base64%0d%0a%0d%0aPA%3d%3d%0d%0a--b2--",
            vec!["x", "<"],
            true,
        ),
        ("blanks outside", MULTIPART, [b"\r\n".to_vec(), multipart(&[part("", "1")]), b" \r\n".to_vec()].concat(), "f=1", vec![], false),
        ("preamble", MULTIPART, [b"x\r\n".to_vec(), multipart(&[part("", "1")])].concat(), "f=1", vec!["x"], true),
        ("epilogue", MULTIPART, [multipart(&[part("", "1")]), b"--x".to_vec()].concat(), "f=1", vec!["--x"], true),
        (
            "blanks behind a delimiter",
            MULTIPART,
            [part("", "1").as_bytes(), b"--b1-- \r\n"].concat(),
            "f=1",
            vec![r#"--b1\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n1\r\n--b1-- \r\n"#],
            true,
        ),
        ("a form within", MULTIPART, multipart(&[part("\r\nContent-Type: application/x-www-form-urlencoded", "a=1")]), "a=1&f=a%3d1", vec![], true),
        ("encoded", MULTIPART, multipart(&[part("\r\nContent-Transfer-Encoding: base64", "MQ==")]), "f=MQ%3d%3d", vec!["1"], true),
        ("a name within a name", MULTIPART, multipart(&[part("; x-name=y", "1")]), "f=1", vec![r#" form-data; name=\"f\"; x-name=y"#], true),
        ("charset of a file", MULTIPART, multipart(&[part("; filename=x\r\nContent-Type: text/plain; charset=utf-16", "1")]), "f=1", vec!["x"], true),
        (
            "an apostrophe",
            MULTIPART,
            multipart(&[part("; filename=it's.txt", "1")]),
            "f=1",
            vec!["it\\'s.txt", r#" form-data; name=\"f\"; filename=it\'s.txt"#],
            true,
        ),
        (
            "a web archive",
            MULTIPART,
            multipart(&[part("; filename=\"a.mhtml\"\r\nContent-Type: multipart/related; type=\"text/html\"", "--x\r\n\r\n<\r\n--x--")]),
            "f=--x%0d%0a%0d%0a%3c%0d%0a--x--",
            vec!["a.mhtml"],
            true,
        ),
        (
            "a charset for all",
            MULTIPART,
            multipart(&[named("_charset_", "UTF-8"), named("_CHARSET_", " koi8-r "), part("", "1")]),
            "_charset_=UTF-8&_CHARSET_=%20koi8-r%20&f=1",
            vec![],
            false,
        ),
        (
            "LF behind all",
            MULTIPART,
            [part("", "1").as_bytes(), b"--b1--\n"].concat(),
            "f=1",
            vec![r#"--b1\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n1\r\n--b1--\n"#],
            true,
        ),
        (
            "escapes of JSON in a part",
            MULTIPART,
            multipart(&[part("\r\nContent-Type: application/json", r#""\u003cscript""#)]),
            "f=%22%5cu003cscript%22",
            vec!["\\\"<script\\\""],
            false,
        ),
        ("no type", "", b"a=1".to_vec(), "", vec!["a=1"], true),
        ("text", "text/plain", b"a=1\\n".to_vec(), "", vec!["a=1\\\\n"], false),
        ("another multipart", "multipart/related; boundary=b1", b"--b1--".to_vec(), "", vec!["--b1--"], true),
        ("found within a type", "text/plain; x=urlencoded", b"a=1".to_vec(), "", vec!["a=1"], true),
        (
            "JSON of another type",
            "application/vnd.api+json",
            br#"{"q":"\u003cscript"}"#.to_vec(),
            "",
            vec![r#"{\"q\":\"\\u003cscript\"}"#, r#"{\"q\":\"<script\"}"#, "<script", "J_o_q_v=<script"],
            true,
        ),
        ("no JSON of such a type", "text/json", br"\u003cscript".to_vec(), "", vec![r"\\u003cscript", "<script"], true),
        ("JSON without its type", "text/plain", br#" ["\u003cscript"}"#.to_vec(), "", vec![r#" [\"\\u003cscript\"}"#, r#" [\"<script\"}"#], false),
        ("JSON as a form", FORM, br#"{"a":"\u003cscript"}"#.to_vec(), r#"{"a":"\u003cscript"}="#, vec![r#"{\"a\":\"<script\"}"#], false),
    ] {
        let found = read(None, content_type, &body, &filter());
        let seen = found.0.subjects.iter().map(|subject| text(subject)).collect::<Vec<_>>();
        let subjects = subjects.into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((String::from_utf8(found.0.line()).unwrap().as_str(), seen, found.0.unparsed, found.1), (expected, subjects, unparsed, None), "{name}");
    }
    let registered = Options { raw_types: RawTypes::new(&[FORM.as_bytes()]), ..filter() };
    assert!(read(None, FORM, b"a=1", &registered).0.unparsed, "a form that is not taken apart");
    // QS_Decoding uni.
    let unicode = Options { unicode: true, ..filter() };
    assert_eq!(read(Some("[\"%u0041\"]"), "application/json", b"", &unicode).0.line(), b"J_a0_v=A");
}

/// Section 16.4: what the parser of JSON finds has its place in the line, and what is wrong is told.
#[test]
fn json() {
    const JSON: &str = "application/json; charset=UTF-8";
    for (name, query, body, expected, wrong) in [
        ("J2", None, r#"{"q":"<script"}"#, "J_o_q_v=%3cscript", false),
        ("J26 (FW-12)", Some("s=12"), r#"{"a":1}"#, "s=12&J_o_a_n=1", false),
        ("J27", Some(r#"{"q":"%3Cscript"}"#), "", "J_o_q_v=%3cscript", false),
        ("J28 (FW-14)", Some("[1]&q=<script"), "", "", true),
        ("J9 (FW-07)", None, r#"{"a":1}{"q":"<script"}"#, "", true),
        ("J23", None, "{\"a\":\"\0\"}", "", true),
        ("not JSON, no body", Some("a=1"), "", "a=1", false),
    ] {
        let (found, subjects, error) = line(query, JSON, body.as_bytes());
        assert_eq!((found.as_str(), matches!(error, Some(Error::Json(_)))), (expected, wrong), "{name}: {error:?} {subjects:?}");
    }
    let escaped = line(None, JSON, br#"{"q":"\u003cscript"}"#);
    assert!(escaped.1.iter().any(|subject| subject.contains("<script")), "J6 (FW-09): {escaped:?}");
    // Where no rule looks into bodies nobody is denied for them.
    let (found, error) = read(Some("a=1"), JSON, b"{", &Options::default());
    assert_eq!((text(&found.line()), error, found.unparsed), ("a=1".to_owned(), None, true));
    let registered = Options { raw_types: RawTypes::new(&[b"application/json"]), ..Options::default() };
    let (found, _) = read(None, JSON, br#"{"a":1}"#, &registered);
    assert_eq!((text(&found.line()), found.raw), ("J_o_a_n=1".to_owned(), Some(br#"{"a":1}"#.as_slice())));
}

#[test]
fn limits() {
    let count = |n: usize| read(None, FORM, "a&".repeat(n).as_bytes(), &filter()).1;
    assert_eq!((count(MOST_PARAMETERS), count(MOST_PARAMETERS + 1)), (None, Some(Error::Parameters)));
    let parts = |n: usize| read(None, MULTIPART, &multipart(&vec![part("", ""); n]), &filter()).1;
    assert_eq!((parts(MOST_PARTS), parts(MOST_PARTS + 1)), (None, Some(Error::Parts)));
    let headers = |n: usize| read(None, MULTIPART, &multipart(&[part(&format!("\r\nX: {}", "x".repeat(n)), "")]), &filter()).1;
    assert_eq!((headers(8000), headers(8192)), (None, Some(Error::LongPartHeaders)));
}

#[test]
fn types_without_a_parser() {
    let options = |types: &[&[u8]]| Options { raw_types: RawTypes::new(types), ..Options::default() };
    let body = b"a=<script".as_slice();
    for (name, content_type, options, error, raw, subject) in [
        ("B10 (FW-15)", "", filter(), None, false, true),
        ("B11 (FW-15)", "text/plain", filter(), None, false, true),
        ("strict", "text/plain", Options { strict: true, ..filter() }, Some(Error::NoParser), false, true),
        ("no rule about bodies", "text/plain", Options::default(), Some(Error::NoParser), false, true),
        ("registered", "text/plain; x=y", options(&[b"Text/Plain"]), None, true, true),
        ("another one", "text/xml", options(&[b"text/plain"]), Some(Error::NoParser), false, true),
        ("all", "text/xml", options(&[b"*/*"]), None, true, true),
        ("all but those with a parser", FORM, options(&[b"*/*"]), None, false, false),
        ("a form that is registered", FORM, options(&[FORM.as_bytes()]), None, true, true),
    ] {
        let (found, seen) = read(Some("x=1"), content_type, body, &options);
        assert_eq!((seen, found.raw == Some(body), found.subjects.iter().any(|s| s.as_ref() == body)), (error, raw, subject), "{name}");
        assert_eq!(found.parameters.first().map(|p| p.name.as_ref()), Some(b"x".as_slice()), "{name}");
        assert_eq!(read(None, content_type, b"", &options).1, None, "{name}: nothing is never wrong");
    }
    let body = multipart(&[part("\r\nContent-Type: text/xml", "<x/>")]);
    let (found, error) = read(None, MULTIPART, &body, &options(&[b"text/xml"]));
    assert_eq!((error, found.raw), (None, Some(body.as_slice())), "a part of a registered type");
}

/// FW-19a, B12.
#[test]
fn compressed_bodies() {
    fn read<'a>(encoding: &'a str, options: &Options) -> (Parsed<'a>, Option<Error>) {
        parse(&Facts { content_type: Some(FORM.as_bytes()), content_encoding: Some(encoding.as_bytes()), body: b"a=1", ..Facts::default() }, options)
    }
    for encoding in ["gzip", "br", "identity, deflate", "GZIP"] {
        let (found, error) = read(encoding, &filter());
        assert_eq!((error, found.unparsed), (Some(Error::Encoded), true), "{encoding}");
        let (found, error) = read(encoding, &Options::default());
        assert_eq!((error, found.unparsed, found.parameters.len()), (None, true, 0), "{encoding}");
    }
    for encoding in ["", "identity", " Identity ,"] {
        assert_eq!(read(encoding, &filter()).1, None, "{encoding}");
    }
}

#[test]
fn what_is_logged_tells_nothing_of_the_body() {
    let error = read(None, "application/json", b"[1", &filter()).1.unwrap();
    assert_eq!(error.to_string(), "JSON: ends too early at byte 2");
    let body = part("", "password=secret");
    let (found, error) = read(None, MULTIPART, body.as_bytes(), &filter());
    let text = message(&error.unwrap(), b"multipart/form-data\n", true, "192.0.2.7", "x");
    assert_eq!(
        text,
        "mod_qos(048): access denied, invalid request body (multipart: the closing delimiter is missing), type=multipart/form-data\\n, action=deny, c=192.0.2.7, id=x"
    );
    assert!(found.unparsed);
    assert!(message(&Error::NoParser, b"", false, "-", "x").contains("type=-, action=log only, "));
}

proptest! {
    /// Whatever is put together is found again.
    #[test]
    fn fields_are_found_again(fields in prop::collection::vec(("[a-z%<]{0,5}", prop::collection::vec(any::<u8>(), 0..40)), 1..6)) {
        let mut body = Vec::new();
        for (name, value) in &fields {
            body.extend(format!("--=_boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
            body.extend(value);
            body.extend(b"\r\n");
        }
        body.extend(b"--=_boundary--");
        let (found, error) = read(None, "multipart/form-data; boundary=\"=_boundary\"", &body, &filter());
        prop_assert_eq!(error, None);
        let seen = found.parameters.iter().map(|p| (text(&p.name), p.value.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(seen, fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>());
    }

    /// Nothing of a form is lost.
    #[test]
    fn forms_are_kept(body in prop::collection::vec(any::<u8>(), 0..60)) {
        let (found, error) = read(None, FORM, &body, &filter());
        prop_assert_eq!(error, None);
        let pieces = form::without_line_end(&body).split(|b| *b == b'&').filter(|piece| !piece.is_empty());
        let pieces = pieces.map(|piece| [piece, if piece.contains(&b'=') { b"" } else { b"=".as_slice() }].concat()).collect::<Vec<_>>();
        prop_assert_eq!(found.line(), pieces.join(&b'&'));
    }

    #[test]
    fn no_bytes_do_harm(body in prop::collection::vec(any::<u8>(), 0..200), head in "[ -~]{0,60}") {
        let _ = read(Some(&head), &head, &body, &filter());
        let _ = read(None, MULTIPART, &body, &filter());
    }
}
