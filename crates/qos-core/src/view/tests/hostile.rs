//! Texts that try to break out: every format stays well-formed.

use super::super::snapshot::*;
use super::super::{Options, auto, html, json, metrics, status};
use super::fixtures::full;
use super::markup::check;
use crate::text::Text;
use proptest::prelude::*;

/// Bytes, often those that mean something somewhere.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            "<script>",
            "</script>",
            "</main>",
            "\"",
            "'",
            "&",
            "&amp;",
            "\\",
            "\n",
            "\r\n",
            "# EOF",
            "{",
            "}",
            "]: 1",
            ";",
            "\u{202e}",
            "\u{e9}"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn snapshot(host: &[u8], rule: &[u8], path: &[u8]) -> Snapshot {
    let mut snapshot = full();
    for server in &mut snapshot.servers {
        server.host = Some(Text::from(host));
        server.rules.iter_mut().for_each(|known| known.text = Text::from(rule));
        server.event_limits.iter_mut().for_each(|limit| limit.name = Text::from(rule));
    }
    snapshot.version = Text::from(host).to_string();
    snapshot.geo = snapshot.geo.map(|geo| Geo { path: Text::from(path), countries: Some(Text::from(rule).to_string()), ..geo });
    snapshot.delays.push(Delay { rule: "QS_X", count: u64::MAX, seconds: f64::NAN });
    snapshot
}

/// One line of OpenMetrics: metadata, or name, labels and value.
fn is_sample(line: &str) -> bool {
    let name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let Some((before, value)) = line.rsplit_once(' ') else { return false };
    let Some((metric, labels)) = before.split_once('{') else { return name(before) && value.parse::<f64>().is_ok() };
    let mut rest = labels;
    loop {
        let Some((label, value)) = rest.split_once("=\"") else { return false };
        let mut escaped = false;
        let end = value.char_indices().find_map(|(at, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends.then_some(at)
        });
        let Some(end) = end else { return false };
        if !name(label) {
            return false;
        }
        match &value[end + 1..] {
            "}" => break,
            more => match more.strip_prefix(',') {
                Some(more) => rest = more,
                None => return false,
            },
        }
    }
    name(metric) && value.parse::<f64>().is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_format_stays_well_formed(host in hostile(), rule in hostile(), path in hostile(), address in hostile()) {
        let snapshot = snapshot(&host, &rule, &path);
        let options = Options { path: path.clone(), address: Some(address), ..Options::default() };

        let page = html::render(&snapshot, &options);
        prop_assert_eq!(check(&page), Ok(()));
        prop_assert_eq!(page.matches("<script").count(), 1);
        prop_assert_eq!(page.matches("<main>").count(), 1);
        prop_assert_eq!(check(&status::render(&snapshot, &options)), Ok(()));

        let document: serde_json::Value = serde_json::from_str(&json(&snapshot)).unwrap();
        prop_assert_eq!(document["servers"][0]["host"].as_str().unwrap(), Text::from(host.as_slice()).to_string());
        let schema = serde_json::from_str(include_str!("../../../../../docs/viewer.schema.json")).unwrap();
        prop_assert!(jsonschema::is_valid(&schema, &document));

        let text = metrics::render(&snapshot);
        let (samples, end) = text.rsplit_once("# EOF\n").unwrap();
        prop_assert_eq!(end, "");
        for line in samples.lines() {
            prop_assert!(line.starts_with("# TYPE ") || line.starts_with("# UNIT ") || line.starts_with("# HELP ") || is_sample(line), "{}", line);
        }

        let lines = auto::render(&snapshot);
        let clean = auto::render(&full());
        let count = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
        prop_assert_eq!(count(&lines), count(&clean));
        prop_assert!(lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).all(|line| matches!(line, [b'b' | b'v' | b'e', b';', ..])));
    }
}
