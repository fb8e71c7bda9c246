//! Decoders, and rules about what may pass. The first group holds options and rules (kind, action, id, pattern: a letter each, then the text), the second targets of requests, the
//! third parameters of a body.

use std::borrow::Cow;
use std::ffi::CString;

use crate::input::{assert_line, fields, first, groups};
use qos_core::filter::{
    Action, Decoding, Finding, Kind, Masked, Parameters, Rule, Stage, Target, Test, UrlFilter, decode, further, judge, message, normalized,
};
use qos_core::parameters::{Origin, Parameter, Parsed};
use qos_core::pattern::{Options, Pattern};
use qos_core::repeat::Lines;

const MOST: usize = 6;
/// Longer ones are slow and not different.
const LONGEST: usize = 200;

pub fn run(data: &[u8]) {
    let (options, rest) = first(data);
    let options = options.first().copied().unwrap_or(0);
    let mut groups = groups(rest);
    let rules = groups.next().unwrap_or_default();
    let targets = groups.next().unwrap_or_default();
    let body = groups.next().unwrap_or_default();

    let decoding = Decoding { unicode: options & 1 == 1, once: options & 2 == 2 };
    let mut filter = UrlFilter { decoding: Some(decoding), encoding: Some(Some(Action::Log)), ..UrlFilter::default() };
    (filter.deny_body, filter.permit_body) = (Some(options & 4 == 4), Some(options & 8 == 8));
    filter.permit_listed = Some(options & 16 == 16);
    fields(rules).take(MOST).filter_map(rule).for_each(|rule| filter.rules.add(rule));

    let mut parsed = Parsed::default();
    for text in fields(body).take(MOST).filter(|text| text.len() <= LONGEST) {
        decoders(text, decoding);
        let (name, value) = text.split_at(text.len() / 2);
        let url_encoded = text.len() % 2 == 0;
        let origin = if url_encoded { Origin::Form } else { Origin::Multipart };
        parsed.parameters.push(Parameter { name: Cow::Borrowed(name), value: Cow::Borrowed(value), has_value: true, origin, url_encoded });
    }
    for text in fields(targets).take(MOST).filter(|text| text.len() <= LONGEST) {
        decoders(text, decoding);
        let target = Target::of_path(text, text).unwrap_or_default();
        for part in [Some(target.path), target.query, target.fragment].into_iter().flatten() {
            assert!(part == b"/" || text.windows(part.len().max(1)).any(|window| window == part) || part.is_empty());
        }
        for parsed in [None, Some(&parsed)] {
            verdicts(&filter, target, parsed);
        }
    }
}

/// A rule: letters for kind, action and id, then a pattern.
fn rule(text: &[u8]) -> Option<Rule> {
    let [kind, action, id, pattern @ ..] = text else { return None };
    let kind = [Kind::RequestLine, Kind::Path, Kind::Query, Kind::Permit][usize::from(kind % 4)];
    let action = if action & 1 == 1 { Action::Deny } else { Action::Log };
    let options = Options { caseless: kind != Kind::Permit, ..Pattern::URL };
    let test = Test::Pattern(Pattern::with(pattern.get(..LONGEST.min(pattern.len()))?, options).ok()?);
    Some(Rule { id: CString::new([*id]).ok()?, kind, action, text: pattern.to_vec(), test, lines: Lines::new() })
}

fn decoders(text: &[u8], decoding: Decoding) {
    let decoded = decode(text, decoding.unicode);
    assert!(decoded.bytes.len() <= text.len());
    let escapes = text.iter().filter(|byte| matches!(byte, b'%' | b'\\')).count();
    assert!(decoded.errors as usize <= escapes);
    let more = further(text, &decoded.bytes, decoding);
    assert!(more.len() <= 8 && more.iter().all(|other| *other != *decoded.bytes && other.len() <= 2 * text.len()), "{more:?}");
    let mut masked = Masked::default();
    masked.add(&decoded.bytes[..decoded.bytes.len() / 2]);
    let shown = masked.apply(text);
    assert!(shown.len() <= text.len() + 3 * (1 + text.iter().filter(|byte| **byte == b'=').count()));
    assert_eq!(masked.apply(&shown), shown, "again");
    let path = normalized(&decoded.bytes);
    assert_eq!(normalized(&path), path, "again");
    if path.starts_with(b"/") {
        assert!(!path.windows(2).any(|pair| pair == b"//"));
        assert!(!path.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b"..")));
    }
}

/// In two steps or one, the same is found, each once; what denies ends the search.
fn verdicts(filter: &UrlFilter, target: Target<'_>, parsed: Option<&Parsed<'_>>) {
    let parsed = parsed.map(|parsed| Parsed { query: target.query, ..parsed.clone() });
    let line = match &parsed {
        Some(_) => None,
        None => target.query,
    };
    let listed = parsed.as_ref().filter(|_| filter.permit_listed == Some(true)).map(Parsed::listed);
    let parameters = Parameters { parsed: parsed.as_ref(), line, listed: listed.as_ref().map(Option::as_deref) };
    let whole = judge(filter, target, Stage::Whole(parameters), true);
    let mut steps = judge(filter, target, Stage::Head, true);
    steps.extend(judge(filter, target, Stage::Body(parameters), true));
    let names = |findings: &[Finding<'_>]| {
        let mut names = findings.iter().map(|finding| message::finding(finding, true, "-", "-").replace(", limit=1", "")).collect::<Vec<_>>();
        names.sort();
        names
    };
    let found = names(&whole);
    assert_eq!(found, names(&steps));
    let mut once = found.clone();
    once.dedup();
    assert_eq!(once.len(), found.len(), "{found:?}");
    let enforced = judge(filter, target, Stage::Whole(parameters), false);
    let denying = enforced.iter().position(|finding| finding.action() == Action::Deny);
    assert!(denying.is_none_or(|place| place + 1 == enforced.len()));
    assert_eq!(names(&enforced), names(&whole[..enforced.len()]));
    for finding in &enforced {
        // httpd escapes what a pattern holds.
        let line = message::finding(finding, true, "-", "-");
        assert!(line.starts_with("mod_qos(04"));
        if let Finding::NotPermitted { .. } | Finding::WrongEncoding { .. } = finding {
            assert_line(&line);
        }
    }
}
