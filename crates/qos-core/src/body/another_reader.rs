//! What a reader of multipart bodies finds that knows both kinds of quotes, as that of PHP: the same as [`super::part`], or something that was noticed there.

use super::part::{LineEnd, Part};
use proptest::prelude::*;

/// What stands before the next `stop` outside of quotes, and what behind it. In quotes a backslash escapes the quote that ends them, whatever is before it.
fn word(text: &[u8], stop: u8) -> (&[u8], &[u8]) {
    let (mut at, mut quote) = (0, None);
    while let Some(byte) = text.get(at) {
        match quote {
            None if *byte == stop => break,
            None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
            Some(open) if *byte == b'\\' && text.get(at + 1) == Some(&open) => at += 1,
            Some(open) if *byte == open => quote = None,
            _ => {}
        }
        at += 1;
    }
    let (word, rest) = text.split_at(at.min(text.len()));
    (word, &rest[rest.iter().take_while(|byte| **byte == stop).count()..])
}

fn value(text: &[u8]) -> Vec<u8> {
    let text = text.trim_ascii_start();
    let quote = text.first().copied().filter(|first| matches!(first, b'"' | b'\''));
    let ends = |byte: u8| quote.map_or(byte.is_ascii_whitespace(), |quote| byte == quote);
    let (mut found, mut at) = (Vec::new(), usize::from(quote.is_some()));
    while let Some(byte) = text.get(at).filter(|byte| !ends(**byte)) {
        let next = text.get(at + 1).copied();
        let escapes = *byte == b'\\' && (next == Some(b'\\') || quote.is_some() && next == quote);
        found.push(if escapes { text[at + 1] } else { *byte });
        at += 1 + usize::from(escapes);
    }
    found
}

/// The name of the field, and that of the file.
fn names(disposition: &[u8]) -> [Option<Vec<u8>>; 2] {
    let (mut names, mut rest) = ([None, None], disposition.trim_ascii_start());
    while !rest.is_empty() {
        let (pair, behind) = word(rest, b';');
        rest = behind.trim_ascii_start();
        if pair.contains(&b'=') {
            let (key, behind) = word(pair, b'=');
            let place = ["name", "filename"].iter().position(|known| key.eq_ignore_ascii_case(known.as_bytes()));
            place.into_iter().for_each(|place| names[place] = Some(value(behind)));
        }
    }
    names
}

#[test]
fn it_reads() {
    let of = |text: &str| names(text.as_bytes()).map(|name| name.map(|name| String::from_utf8(name).unwrap()));
    let two = |name: &str, file: Option<&str>| [Some(name.to_owned()), file.map(str::to_owned)];
    assert_eq!(of("form-data; name=\"a b\"; filename=x"), two("a b", Some("x")));
    assert_eq!(of("x; y=\"\\\\\"; name=a; z=\"; name=b; u=\""), two("b", None));
    assert_eq!(of("x'; name=a; y=\"'; name=b; z=\""), two("b", None));
}

/// A parameter, or what looks like one.
fn parameter() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["name", "name", "filename", "filename*", "x", "x", "x'", "x*", "NAME"]);
    let inside = prop::sample::select(vec![
        "a",
        "'",
        "'",
        "\\\\",
        "\\\\",
        "\\\"",
        "\\",
        "; name=b",
        "; name=b; y=",
        "; filename=c",
        ";",
        "=",
        " ",
        "it's",
        "utf-8''",
        "%22",
    ]);
    let text = prop::collection::vec(inside, 0..4).prop_map(|pieces| pieces.concat());
    let value = (text, 0..4).prop_map(|(text, kind)| if kind == 0 { text } else { format!("\"{text}\"") });
    prop_oneof![8 => (key, value).prop_map(|(key, value)| format!("{key}={value}")), 1 => prop::sample::select(vec!["x", "'", "x'", "\"", "name", ""]).prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// It finds no other field, and takes nothing for a file that is none here or the other way round, unless that was noticed.
    #[test]
    fn it_finds_the_same_name(kind in prop::sample::select(vec!["form-data", "form-data", "x'"]), pieces in prop::collection::vec(parameter(), 0..5)) {
        let disposition = format!("{kind}; {}", pieces.join("; "));
        let text = format!("Content-Disposition: {disposition}\r\n\r\n");
        if let Ok(part) = Part::new(text.as_bytes(), LineEnd::CrLf) {
            let [name, file] = names(disposition.as_bytes());
            // It does not know `filename*`.
            let same_file = file.is_some() == part.is_file || disposition.contains("filename*");
            prop_assert!(name.is_none() || name.as_deref() == part.name.as_deref(), "{} {:?} {:?}", disposition, name, part.name);
            prop_assert!(part.differs || (name.is_some() == part.name.is_some() && same_file), "{} {:?} {:?}", disposition, file, part);
        }
    }
}
