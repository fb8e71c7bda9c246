//! The vectors of filters.md sections 7.6 and 16.4, and comparison with serde_json.

use super::reader::resolve;
use super::*;
use crate::parameters::Origin;
use proptest::prelude::*;
use serde::de::IgnoredAny;

fn read(text: &[u8]) -> Result<Found<'_>, Error> {
    parameters(text, &Limits::DEFAULT)
}

/// The parameters as one line that was decoded.
fn line(text: &[u8]) -> Result<String, Reason> {
    let found = read(text).map_err(|error| error.reason)?;
    assert!(found.parameters.iter().all(|parameter| parameter.has_value && parameter.origin == Origin::Json && !parameter.url_encoded));
    let parameters = found.parameters.iter().map(|parameter| [&parameter.name, &b"="[..], &parameter.value].concat());
    Ok(String::from_utf8(parameters.collect::<Vec<_>>().join(&b"&"[..])).unwrap())
}

fn subjects(text: &[u8]) -> Vec<Vec<u8>> {
    read(text).unwrap().subjects.into_iter().map(Cow::into_owned).collect()
}

#[test]
fn vectors_that_are_accepted() {
    for (text, expected) in [
        (r#"{"a":1}"#, "J_o_a_n=1"),
        (r#"[1,2,{"x":true},null]"#, "J_a0_n=1&J_a1_n=2&J_a2_o_x_b=true&J_a3_b=null"),
        ("[[1,2],[3]]", "J_a0_a0_n=1&J_a0_a1_n=2&J_a1_a0_n=3"),
        (r#"{"a":{"b":[1,"x"]}}"#, "J_o_a_o_b_a0_n=1&J_o_a_o_b_a1_v=x"),
        (r#"{"a b":"c&d=e"}"#, "J_o_a b_v=c&d=e"),
        (r#"{"n":-1.5e+3}"#, "J_o_n_n=-1.5e+3"),
        (r#"{"a":"t\t"}"#, r"J_o_a_v=t\t"),
        (r#"{"a":"\u0053ELECT"}"#, r"J_o_a_v=\u0053ELECT"),
        (r#"{"a":"50%41"}"#, "J_o_a_v=50%41"),
        ("{}", "J_o="),
        ("[]", "J_a="),
        (r#"{"a":[]}"#, "J_o_a_a="),
        (r#"{"a":{}, "b":[ ]}"#, "J_o_a_o=&J_o_b_a="),
        (r#"{"a":""}"#, "J_o_a_v="),
        (r#"{"":1}"#, "J_o__n=1"),
        (r#"{"a":"x\\","b":"y"}"#, r"J_o_a_v=x\\&J_o_b_v=y"),
        (r#"{"a":"x\"y"}"#, r#"J_o_a_v=x\"y"#),
        ("{\"a\":\"caf\u{e9}\"}", "J_o_a_v=caf\u{e9}"),
        ("{\"a\":1}\n", "J_o_a_n=1"),
        (" \t\r\n7 ", "J_n=7"),
        (r#""s""#, "J_v=s"),
        ("true", "J_b=true"),
        ("false", "J_b=false"),
        ("null", "J_b=null"),
        (r#"{"a":1e5}"#, "J_o_a_n=1e5"),
        ("[0,-0,0.0,10,1E-2]", "J_a0_n=0&J_a1_n=-0&J_a2_n=0.0&J_a3_n=10&J_a4_n=1E-2"),
        (r#"{"a":1,"a":2}"#, "J_o_a_n=1&J_o_a_n=2"),
        ("\"\x7f\"", "J_v=\x7f"),
        ("[[{}],1]", "J_a0_a0_o=&J_a1_n=1"),
        (r#"[{"a":{"b":1}},{"c":2}]"#, "J_a0_o_a_o_b_n=1&J_a1_o_c_n=2"),
    ] {
        assert_eq!(line(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn vectors_that_are_refused() {
    for (text, reason, at) in [
        (&b"123abc"[..], Reason::Number, 3),
        (b"0x10", Reason::Number, 1),
        (br#"{"a":1}{"b":"z"}"#, Reason::Behind, 7),
        (br#"{"a":1}{"q":"<script"}"#, Reason::Behind, 7),
        (br#"{"a":1, zzz "b":2}"#, Reason::Name, 8),
        (br#"{"a":1, <script "b":2}"#, Reason::Name, 8),
        (br#"{"a":1, zzz"#, Reason::Name, 8),
        (b"{", Reason::Ends, 1),
        (b"[", Reason::Ends, 1),
        (b"[1,", Reason::Ends, 3),
        (br#"{"a":1,"#, Reason::Ends, 7),
        (br#"{"a":1,}"#, Reason::Name, 7),
        (b"[1,]", Reason::Value, 3),
        (b"[,]", Reason::Value, 1),
        (br#"{"a":1 "b":2}"#, Reason::Comma, 7),
        (b"[1 2]", Reason::Comma, 3),
        (b"[1}", Reason::Comma, 2),
        (br#"{"a""#, Reason::Ends, 4),
        (br#"{"a" 1}"#, Reason::Colon, 5),
        (b"   ", Reason::Ends, 3),
        (b"", Reason::Ends, 0),
        (b"\"\xff\"", Reason::NotUtf8, 1),
        (b"\"\xed\xa0\x80\"", Reason::NotUtf8, 1),
        (br#"{"a":tru}"#, Reason::Value, 5),
        (b"nullx", Reason::Value, 0),
        (b"True", Reason::Value, 0),
        (br#"{"a":01}"#, Reason::Number, 6),
        (b"1-2-3", Reason::Number, 1),
        (b"-", Reason::Ends, 1),
        (b"-a", Reason::Number, 1),
        (b"1.", Reason::Ends, 2),
        (b"1.e1", Reason::Number, 2),
        (b"1e", Reason::Ends, 2),
        (b"+1", Reason::Value, 0),
        (b".5", Reason::Value, 0),
        (b"{a:1}", Reason::Name, 1),
        (b"{'a':1}", Reason::Name, 1),
        (b"\xef\xbb\xbf{}", Reason::Value, 0),
        (b"\x0c1", Reason::Value, 0),
        (b"1\0", Reason::Behind, 1),
        (b"\"a\0b\"", Reason::Control, 2),
        (b"\"a\nb\"", Reason::Control, 2),
        (br#""a"#, Reason::Ends, 2),
        (br#""a\"#, Reason::Ends, 3),
        (br#""\x41""#, Reason::Escape, 2),
        (br#""\u00g0""#, Reason::Escape, 5),
        (br#""\u00""#, Reason::Escape, 5),
        (b"/* */1", Reason::Value, 0),
        (b"]", Reason::Value, 0),
        (b"NaN", Reason::Value, 0),
    ] {
        assert_eq!(read(text), Err(Error { reason, at }), "{}", text.escape_ascii());
    }
}

#[test]
fn what_escapes_stand_for_is_found_besides() {
    assert_eq!(subjects(br#"{"a":"t\t"}"#), [&b"t\t"[..], b"J_o_a_v=t\t"]);
    assert_eq!(subjects(br#"{"a":"\u0053ELECT"}"#), [&b"SELECT"[..], b"J_o_a_v=SELECT"]);
    assert_eq!(subjects(br#"{"q":"<scr\u0069pt"}"#), [&b"<script"[..], b"J_o_q_v=<script"]);
    assert_eq!(subjects(br#"{"\u003cscript":[1]}"#), [b"J_o_<script_a0_n=1"]);
    // Names that have none do not take those of others over.
    assert_eq!(subjects(br#"{"\u0061":1,"b":2}"#), [b"J_o_a_n=1"]);
    assert_eq!(subjects(br#"[{"x\/":{"y":1}},{"z":2}]"#), [b"J_a0_o_x/_o_y_n=1"]);
    assert!(subjects(br#"{"a":"x","b":"caf\u00e9"}"#).contains(&"caf\u{e9}".as_bytes().to_vec()));
    for (raw, expected) in [
        (r#"\"\\\/\b\f\n\r\t"#, &b"\"\\/\x08\x0c\n\r\t"[..]),
        (r"\ud83d\uDE00!", "\u{1f600}!".as_bytes()),
        (r"\ud83d", b"\xed\xa0\xbd"),
        (r"\ud83dx", b"\xed\xa0\xbdx"),
        (r"\ud83d\ud83d\ude00", b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
        (r"\ude00\u0041", b"\xed\xb8\x80A"),
        (r"\u0000a", b"\0a"),
        (r"\\u0041", br"\u0041"),
    ] {
        let mut resolved = Vec::new();
        resolve(raw.as_bytes(), &mut resolved);
        assert_eq!(resolved, expected, "{raw}");
    }
}

/// Texts made of bytes that are escaped in the line are exact, whatever their length (FW-13a).
#[test]
fn values_are_exact() {
    for length in 0..40 {
        let value = "<>".repeat(length);
        assert_eq!(line(format!("{{\"a\":\"{value}\"}}").as_bytes()), Ok(format!("J_o_a_v={value}")));
    }
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(line(nested(79).as_bytes()), Ok(format!("J{}_n=1", "_a0".repeat(79))));
    assert_eq!(read(nested(80).as_bytes()), Err(Error { reason: Reason::Depth, at: 80 }));
    assert_eq!(read("[".repeat(1_000_000).as_bytes()).unwrap_err().reason, Reason::Depth);
    let objects = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!((line(objects(79).as_bytes()).is_ok(), line(objects(80).as_bytes())), (true, Err(Reason::Depth)));
}

#[test]
fn parameters_and_their_length_are_limited() {
    let array = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    assert_eq!(read(array(65_536).as_bytes()).map(|found| found.parameters.len()), Ok(65_536));
    assert_eq!(read(array(65_537).as_bytes()).unwrap_err().reason, Reason::Parameters);
    // A long name times many elements (FW-13b).
    let long = format!("{{\"{}\":[{}1]}}", "k".repeat(6000), "1,".repeat(4999));
    assert_eq!(read(long.as_bytes()).unwrap_err().reason, Reason::Line);
    assert!(Reason::Line.is_limit() && Reason::Depth.is_limit() && Reason::Parameters.is_limit() && !Reason::Ends.is_limit());
    // Exactly as long as the line that is built of them: J_o_a_n=1&J_o_%3c_v=%20.
    let limits = |line| Limits { line, ..Limits::DEFAULT };
    let text = br#"{"a":1,"<":" "}"#;
    assert!(parameters(text, &limits(23)).is_ok());
    assert_eq!(parameters(text, &limits(22)).unwrap_err().reason, Reason::Line);
}

#[test]
fn errors_say_nothing_of_the_text() {
    let error = read(br#"{"password":"hunter2"#).unwrap_err();
    assert_eq!(error.to_string(), "JSON: ends too early at byte 20");
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into)
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
        ]
    })
}

/// The parameters that a value has, texts without escapes.
fn expected(value: &serde_json::Value, name: &str, into: &mut Vec<String>) {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        Null => into.push(format!("{name}_b=null")),
        Bool(b) => into.push(format!("{name}_b={b}")),
        Number(n) => into.push(format!("{name}_n={n}")),
        String(s) => into.push(format!("{name}_v={s}")),
        Array(elements) if elements.is_empty() => into.push(format!("{name}_a=")),
        Object(members) if members.is_empty() => into.push(format!("{name}_o=")),
        Array(elements) => elements.iter().enumerate().for_each(|(n, element)| expected(element, &format!("{name}_a{n}"), into)),
        Object(members) => members.iter().for_each(|(key, member)| expected(member, &format!("{name}_o_{key}"), into)),
    }
}

proptest! {
    /// What serde_json writes is understood as serde_json means it.
    #[test]
    fn values_are_those_of_serde_json(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let found = read(text.as_bytes()).unwrap();
        let mut subjects = found.subjects.iter().map(|subject| subject.to_vec());
        let mut named = Vec::new();
        for parameter in &found.parameters {
            let raw = [&parameter.name, &b"="[..], &parameter.value].concat();
            // What has escapes is among the subjects, in the same order.
            if !raw.contains(&b'\\') {
                named.push(raw);
            } else {
                let first = subjects.next().unwrap();
                named.push(if parameter.value.contains(&b'\\') { subjects.next().unwrap() } else { first });
            }
        }
        let mut all = Vec::new();
        expected(&value, "J", &mut all);
        prop_assert_eq!(named, all.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        prop_assert_eq!(subjects.next(), None);
    }

    /// What is accepted is what serde_json accepts.
    #[test]
    fn texts_are_accepted_as_by_serde_json(text in r#"[\[\]{},:"\\a1.e\-+ \n0-9tu]{0,12}|(\[|\]|\{|\}|,|:|"a"|"\\u12aF"|true|null|-?[01]+(\.[0-9])?(e[+-]?[0-9])?| ){0,12}"#) {
        let theirs = serde_json::from_str::<IgnoredAny>(&text);
        prop_assert_eq!(read(text.as_bytes()).is_ok(), theirs.is_ok(), "{:?} {:?}", text, theirs);
    }

    #[test]
    fn any_bytes_are_read(text in prop::collection::vec(any::<u8>(), 0..64)) {
        let theirs = std::str::from_utf8(&text).is_ok() && serde_json::from_slice::<IgnoredAny>(&text).is_ok();
        let ours = read(&text);
        prop_assert_eq!(ours.is_ok(), theirs);
        prop_assert!(ours.map_err(|error| error.at <= text.len()).err().unwrap_or(true));
    }
}
