use super::vectors::{self, CONFIGURATION, INHERITANCE, TARGETS};
use super::*;
use crate::config::{LocationConfig, Target as Place, apply, find};
use crate::parameters::{Origin, Parameter, Parsed};
use std::borrow::Cow;
use std::ffi::CString;

/// The sections of a configuration text, outer before inner, with their paths.
fn sections(text: &str) -> Vec<(String, UrlFilter)> {
    let mut sections = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "</Location>") {
        if let Some(path) = line.strip_prefix("<Location ") {
            sections.push((path.trim_end_matches('>').to_owned(), LocationConfig::default()));
            continue;
        }
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut parts =
            rest.trim().splitn(3, char::is_whitespace).map(|part| part.trim().trim_matches('"')).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        // Columns of blanks stand before the last argument.
        if let Some(last) = parts.last_mut() {
            *last = last.trim().trim_matches('"');
        }
        let arguments = parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>();
        let config = &mut sections.last_mut().unwrap().1;
        apply(find(name).unwrap(), &mut Place::Location(config), &arguments).unwrap();
    }
    sections.into_iter().map(|(path, config)| (path, config.url)).collect()
}

/// What applies to a path.
fn filter_of(sections: &[(String, UrlFilter)], path: &[u8]) -> UrlFilter {
    let below = |prefix: &str| prefix == "/" || path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    let applying = sections.iter().filter(|(prefix, _)| below(prefix));
    applying.fold(UrlFilter::default(), |merged, (_, own)| UrlFilter::merge(&merged, own))
}

fn words(findings: &[Finding<'_>]) -> Vec<String> {
    let action = |action: Action| if action == Action::Deny { "" } else { " log" };
    let word = |finding: &Finding<'_>| match finding {
        Finding::Denied { rule, given_up } => format!("{}{}{}", rule.id.to_str().unwrap(), action(rule.action), if *given_up { " limit" } else { "" }),
        Finding::NotPermitted { action: done, given_up } => format!("041{}{}", action(*done), if *given_up { " limit" } else { "" }),
        Finding::WrongEncoding { action: done } => format!("046{}", action(*done)),
    };
    findings.iter().map(word).collect()
}

/// What a GET of a target meets.
fn found(filter: &UrlFilter, target: &str, all: bool) -> Vec<String> {
    let line = format!("GET {target} HTTP/1.1");
    let target = Target::of_path(line.as_bytes(), target.as_bytes()).unwrap();
    let parameters = Parameters { parsed: None, line: target.query, ..Parameters::default() };
    let whole = words(&judge(filter, target, Stage::Whole(parameters), all));
    // In two steps it is the same, apart from rules that only log and come in another order.
    let mut steps = words(&judge(filter, target, Stage::Head, all));
    if !steps.iter().any(|word| !word.ends_with(" log")) || all {
        steps.extend(words(&judge(filter, target, Stage::Body(parameters), all)));
    }
    assert_eq!(steps, whole, "in two steps");
    whole
}

#[test]
fn the_vectors_of_the_specification() {
    let sections = sections(CONFIGURATION);
    for row in TARGETS {
        let target = vectors::target(row);
        let path = Target::of_path(b"", target.as_bytes()).unwrap().path;
        // httpd finds the location by the path as it maps it.
        let filter = filter_of(&sections, &normalized(&decode(path, false).bytes));
        assert_eq!(found(&filter, &target, false), row.2.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{}: {target}", row.0);
    }
}

/// Examples 15.1 and 15.3.
#[test]
fn inheritance() {
    let sections = sections(INHERITANCE);
    for (target, expected) in [
        ("/a.bak", &["p1"][..]),
        ("/a?debug=1", &["q1 log"]),
        ("/tools/a.bak", &[]),
        ("/tools/a?DEBUG=1", &["q1"]),
        ("/tools/raw/a.bak?debug=1", &[]),
        ("/tools/raw/a?trace=1", &["q2"]),
    ] {
        let path = Target::of_path(b"", target.as_bytes()).unwrap().path;
        let filter = filter_of(&sections, path);
        assert_eq!(
            (found(&filter, target, false), found(&filter, target, true)),
            (expected.iter().map(|w| (*w).to_owned()).collect(), expected.iter().map(|w| (*w).to_owned()).collect()),
            "{target}"
        );
    }
}

fn one(text: &str) -> UrlFilter {
    sections(&format!("<Location />\n{text}\n</Location>")).pop().unwrap().1
}

/// Example 15.10, and FW-30a.
#[test]
fn order_of_evaluation() {
    let filter = one("QS_DenyQuery +a log x\nQS_PermitUri +c deny ^/y$\nQS_DenyQuery +b deny x\nQS_DenyPath +d deny ^/$");
    assert_eq!(found(&filter, "/?x", false), ["a log", "b"]);
    assert_eq!(found(&filter, "/?x", true), ["a log", "b", "d", "041"]);
    assert_eq!(found(&filter, "/?y", false), ["d"]);
    assert_eq!(found(&filter, "/z", false), ["041"]);
    assert_eq!(found(&filter, "/y", false), [""; 0]);
}

/// FW-29b, and a permit rule that only logs.
#[test]
fn permit_rules_deny_if_one_does() {
    assert_eq!(found(&one("QS_PermitUri +a deny ^/a$\nQS_PermitUri +b log ^/b$"), "/c", false), ["041"]);
    assert_eq!(found(&one("QS_PermitUri +a log ^/a$\nQS_PermitUri +b log ^/b$"), "/c", false), ["041 log"]);
}

/// FW-03: an allow list is asked about both, the path as it came and as it is meant.
#[test]
fn permitted_both_ways() {
    let filter = one("QS_PermitUri +a deny ^/shop/");
    assert_eq!((found(&filter, "/shop/../admin", false), found(&filter, "/shop/./x", false)), (vec!["041".to_owned()], vec![]));
    assert_eq!(found(&one("QS_PermitUri +a deny ^/shop/\nQS_PermitUri +b deny ^/admin$"), "/shop/../admin", false), [""; 0]);
}

/// FW-34a, FW-29c and FW-06.
/// What applications behind httpd read differently counts for rules that deny, not for those that permit.
#[test]
fn parameters_of_paths_and_backslashes() {
    let (denies, permits) = (one("QS_DenyPath +d deny ^/app/admin$"), one("QS_PermitUri +p deny ^/app/admin$"));
    for (target, denied) in [
        ("/app/admin", true),
        ("/app/admin;v=1", true),
        ("/app/;x/admin", true),
        ("/app/x;a=b/../admin", true),
        ("/app/x/..;/admin", true),
        ("/app/x/..%3b/admin", true),
        ("/app/x/..%253b/admin", true),
        (r"/app\admin", true),
        ("/app/x/..%5cadmin", true),
        ("/app%255cadmin;x", true),
        ("/app/admin/x;y", false),
        ("/app/x;/admin", false),
        ("/app?;/admin", false),
        (r"/app\x", false),
    ] {
        assert_eq!(found(&denies, target, false), if denied { vec!["d"] } else { vec![] }, "{target}");
        assert_eq!(found(&permits, target, false), if target == "/app/admin" { vec![] } else { vec!["041"] }, "{target}");
    }
    let once = one("QS_DenyPath +d deny ^/app/admin$\nQS_Decoding once");
    let escape = one("QS_DenyPath +d deny ^/app/xadmin$");
    assert_eq!((found(&escape, r"/app\xadmin", false), found(&escape, r"/app/.\xad%6Din;y", false)), (vec!["d".to_owned()], vec!["d".to_owned()]));
    assert_eq!((found(&once, "/app/x/..%3b/admin", false), found(&once, "/app/x/..%253b/admin", false)), (vec!["d".to_owned()], vec![]));
}

#[test]
fn what_counts_as_query() {
    let empty = one("QS_DenyQuery +a deny ^$");
    assert_eq!((found(&empty, "/", false), found(&empty, "/?", false)), (vec![], vec!["a".to_owned()]));
    let permit = one("QS_PermitUri +a deny ^/\\?q=a&id=1$");
    assert_eq!((found(&permit, "/?q=a%26id=1", false), found(&permit, "/?q=a&id=1", false)), (vec![], vec![]));
    assert_eq!(found(&one("QS_DenyQuery +a deny id=1"), "/?x=2#id=1", false), ["a"]);
}

/// FW-27.
#[test]
fn encoding_is_checked_without_rules() {
    let filter = one("QS_InvalidUrlEncoding log");
    assert!(filter.is_active() && filter.rules.is_empty());
    assert_eq!((found(&filter, "/?a=%zz", false), found(&filter, "/?a=%41", false)), (vec!["046 log".to_owned()], vec![]));
    assert!(!one("QS_InvalidUrlEncoding off").is_active());
    let both = one("QS_InvalidUrlEncoding deny\nQS_DenyQuery +a deny a");
    assert_eq!((found(&both, "/?a=%zz", false), found(&both, "/?a=%zz", true)), (vec!["046".to_owned()], vec!["046".to_owned(), "a".to_owned()]));
}

/// `QS_Decoding`, and what switches it off again (section 2.3).
#[test]
fn decodings() {
    let sections = sections(
        "<Location />\nQS_Decoding uni\nQS_DenyQuery +a deny <|\u{153}\n</Location>\n<Location /off>\nQS_DenyInheritanceOff\nQS_DenyQuery +a deny <\n</Location>\n<Location /once>\nQS_Decoding once\n</Location>",
    );
    let at = |target: &str| found(&filter_of(&sections, Target::of_path(b"", target.as_bytes()).unwrap().path), target, false).join(" ");
    assert_eq!(
        (at("/?%uff1c"), at("/off?%uff1c"), at("/off?%253c"), at("/?%u0153"), at("/once?%253c"), at("/once?%3c")),
        ("a".into(), String::new(), "a".into(), "a".into(), String::new(), "a".into())
    );
}

fn given<'a>(parameters: &[(&'a str, &'a str, Origin)]) -> Parsed<'a> {
    let parameter = |(name, value, origin): &(&'a str, &'a str, Origin)| Parameter {
        name: Cow::Borrowed(name.as_bytes()),
        value: Cow::Borrowed(value.as_bytes()),
        has_value: true,
        origin: *origin,
        url_encoded: matches!(origin, Origin::Query | Origin::Form),
    };
    let of_query = parameters.iter().filter(|(_, _, origin)| *origin == Origin::Query).count();
    Parsed { of_query, parameters: parameters.iter().map(parameter).collect(), ..Parsed::default() }
}

/// What a POST meets before and after its body was read.
fn posted(filter: &UrlFilter, target: &str, parsed: &Parsed<'_>) -> (Vec<String>, Vec<String>) {
    let line = format!("POST {target} HTTP/1.1");
    let target = Target::of_path(line.as_bytes(), target.as_bytes()).unwrap();
    let parsed = Parsed { query: target.query, ..parsed.clone() };
    let listed = (filter.permit_listed == Some(true)).then(|| parsed.listed());
    let parameters = Parameters { parsed: Some(&parsed), line: None, listed: listed.as_ref().map(Option::as_deref) };
    (words(&judge(filter, target, Stage::Head, false)), words(&judge(filter, target, Stage::Body(parameters), false)))
}

/// Rows of sections 16.3 and 16.4, with what the parser makes of the bodies.
#[test]
fn bodies() {
    use Origin::{Form, Json, Multipart, Query};
    let sections = sections(CONFIGURATION);
    for (row, target, parsed, expected) in [
        ("B1", "/app/post", given(&[("a", "1", Form), ("b", "2", Form)]), None),
        ("B2", "/app/post", given(&[("a", "1", Form), ("b", "%3Cscript", Form)]), Some("qu2")),
        ("B3", "/app/post", given(&[("a", "drop+table", Form)]), Some("qu1")),
        ("B4", "/app/post", given(&[("a", "50%", Form)]), Some("046")),
        ("B5", "/app/post", given(&[("a", "1\0", Form), ("b", "<script", Form)]), Some("qu2")),
        ("B6", "/app/post", given(&[("", "<script", Form)]), Some("qu2")),
        ("B8", "/app/post", given(&[("a", "exec", Form), ("b", "(", Form)]), Some("qu3")),
        ("B10", "/app/post", Parsed { subjects: vec![Cow::Borrowed(b"a=%3cscript")], ..Parsed::default() }, Some("qu2")),
        ("B16", "/app/post", given(&[("f", "<script", Multipart)]), Some("qu2")),
        ("B17", "/app/post", given(&[("f", "%3Cscript", Multipart)]), Some("qu2")),
        ("B18", "/app/post", given(&[("f", "100% sure", Multipart)]), None),
        ("B19", "/app/post", Parsed { subjects: vec![Cow::Borrowed(b"%3cscript.jpg")], ..given(&[("f", "x", Multipart)]) }, Some("qu2")),
        ("B27", "/app/post", given(&[("f", "a\0<script", Multipart)]), Some("qu2")),
        ("B31", "/shop/item", given(&[("id", "42", Form)]), None),
        ("B32", "/shop/item?id=1", given(&[("id", "1", Query), ("id", "42", Form)]), Some("041")),
        ("B33", "/shop/search", given(&[("q", "two+words", Form)]), None),
        ("B35", "/shop/item", Parsed { subjects: vec![Cow::Borrowed(b"id=42&evil=1")], ..Parsed::default() }, None),
        ("13.7", "/shop/item", Parsed { unparsed: true, ..Parsed::default() }, Some("041")),
        ("J3", "/app/api", given(&[("J_o_<script_n", "1", Json)]), Some("qu2")),
        ("J6", "/app/api", Parsed { subjects: vec![Cow::Borrowed(b"<script")], ..given(&[("J_o_q_v", "\\u003cscript", Json)]) }, Some("qu2")),
        ("J8", "/app/api", given(&[("J_o_q_v", "%3cscript", Json)]), Some("qu2")),
        ("J13", "/app/api", Parsed { raw: Some(b"{\"<script"), ..given(&[("J_o", "", Json)]) }, None),
    ] {
        let filter = filter_of(&sections, Target::of_path(b"", target.as_bytes()).unwrap().path);
        assert_eq!(posted(&filter, target, &parsed), (vec![], expected.map(str::to_owned).into_iter().collect()), "{row}");
    }
}

/// FW-20: what the head says is found before the body is read, and once. FW-14: the query stays what `QS_DenyQuery` looks at, whatever the body is.
#[test]
fn head_before_body() {
    let filter = one("QS_DenyBody on\nQS_DenyQuery +a log <\nQS_DenyQuery +b deny evil");
    let json = given(&[("J_a0_n", "1", Origin::Json)]);
    assert_eq!(posted(&filter, "/?[1]&q=<", &json), (vec!["a log".to_owned()], vec![]));
    let form = given(&[("x", "%3c", Origin::Form)]);
    assert_eq!(posted(&filter, "/?q=1", &form), (vec![], vec!["a log".to_owned()]));
    assert_eq!(posted(&filter, "/?q=<", &form), (vec!["a log".to_owned()], vec![]));
    assert_eq!(posted(&filter, "/?evil", &form).0, ["b"]);
    // Without the switch bodies do not count.
    let off = one("QS_PermitUriBody on\nQS_DenyQuery +a log <");
    assert_eq!(posted(&off, "/", &form), (vec![], vec![]));
}

/// FD-05: permit rules may see the parameters as the original lists them; deny rules see what came.
#[test]
fn parameters_as_the_original_lists_them() {
    let rules = "QS_PermitUri +p deny ^/(\\?flag=&a=b)?$\nQS_DenyQuery +d log a==b";
    let on = one(&format!("QS_DenyBody on\nQS_PermitUriNormalize on\n{rules}"));
    let off = one(&format!("QS_DenyBody on\n{rules}"));
    let parsed = given(&[("flag", "", Origin::Query), ("a", "=b", Origin::Query)]);
    assert_eq!(posted(&on, "/?flag&a==b", &parsed), (vec!["d log".to_owned()], vec![]));
    assert_eq!(posted(&off, "/?flag&a==b", &parsed), (vec!["d log".to_owned()], vec!["041".to_owned()]));
    // No parameters are no query.
    assert_eq!(posted(&on, "/?&&", &given(&[])).1, [""; 0]);
    assert_eq!(posted(&off, "/?&&", &given(&[])).1, ["041"]);
    let without = one(&format!("QS_DenyQueryBody on\nQS_PermitUriNormalize on\n{rules}"));
    assert_eq!(posted(&without, "/?flag&a==b", &parsed).1, ["041"], "the switch is about bodies");
    let merged = UrlFilter::merge(&on, &one("QS_PermitUriNormalize off"));
    assert_eq!((merged.permit_listed, UrlFilter::merge(&on, &UrlFilter::default()).permit_listed), (Some(false), Some(true)));
}

/// Section 12: rules see what others make of what was decoded once, and what follows from that.
#[test]
fn others_take_part_in_decoding() {
    struct Base;
    impl Rewrite for Base {
        fn path(&self, decoded: &[u8]) -> Option<Vec<u8>> {
            decoded.strip_prefix(b"/~").map(|rest| [b"/home/../", rest].concat())
        }

        fn query(&self, decoded: &[u8]) -> Option<Vec<u8>> {
            Some(decoded.iter().map(|byte| if *byte == b'!' { b'%' } else { *byte }).collect())
        }
    }
    let filter = one(
        "QS_DenyPath +raw deny ^/~\nQS_DenyPath +path deny ^/home/../a$\nQS_DenyPath +norm deny ^/a$\nQS_DenyQuery +query log x%3c\nQS_DenyQuery +further log x<\nQS_DenyQuery +raw2 log !",
    );
    let found = |target: &str| {
        let target = Target::of_path(b"", target.as_bytes()).unwrap();
        let parameters = Parameters { line: target.query, ..Parameters::default() };
        words(&judge_rewritten(&filter, target, Stage::Whole(parameters), true, &Base))
    };
    assert_eq!(found("/%7ea?x!3c"), ["path", "norm", "query log", "further log"]);
    assert_eq!(found("/b?x"), [""; 0]);
    let filter = one("QS_DenyBody on\nQS_PermitUri +p deny ^/a\\?x=%$\nQS_DenyQuery +d deny evil%");
    let parsed = given(&[("x", "!", Origin::Form)]);
    let judged = |parsed: &Parsed<'_>, listed: bool| {
        let (line, target) = (parsed.line(), Target::of_path(b"", b"/a").unwrap());
        let parameters = Parameters { parsed: Some(parsed), line: Some(&line), listed: listed.then_some(Some(&line)) };
        words(&judge_rewritten(&filter, target, Stage::Body(parameters), true, &Base))
    };
    assert_eq!((judged(&parsed, false), judged(&parsed, true)), (vec![], vec![]));
    assert_eq!(judged(&given(&[("x", "evil!", Origin::Form)]), false), ["d", "041"]);
}

/// FW-01 and E3: a pattern that is given up denies, and permits nothing.
#[test]
fn a_pattern_that_is_given_up() {
    let filter = one("QS_DenyQuery +a deny (a+)+\\1$\nQS_DenyQuery +b log \\d{3}");
    let subject = format!("/?{}!", "a".repeat(60));
    assert_eq!((found(&filter, &subject, false), found(&filter, "/?bb", false)), (vec!["a limit".to_owned()], vec![]));
    let permit = one("QS_PermitUri +a deny ^/(a+)+\\1$");
    assert_eq!(found(&permit, &format!("/{}!", "a".repeat(60)), false), ["041 limit"]);
}

/// E2: thousands of strings in a body have no budget each.
#[test]
fn all_parts_of_a_body_share_what_a_rule_may_take() {
    let filter = one("QS_DenyBody on\nQS_DenyQuery +a deny (a+)+\\1b");
    let text = b"aaaaaaaaaaa!b".as_slice();
    let judged = |count| posted(&filter, "/", &Parsed { subjects: vec![Cow::Borrowed(text); count], ..Parsed::default() }).1;
    assert_eq!((judged(3), judged(3000)), (vec![], vec!["a limit".to_owned()]));
}

/// Example 15.4.
#[test]
fn variables() {
    let filter = one("QS_DenyEvent +noxml deny !ISXML\nQS_DenyEvent +bad log BAD");
    let matching = |set: &[&str]| {
        events(&filter.rules, &|name: &CString| set.iter().any(|set| set.eq_ignore_ascii_case(name.to_str().unwrap())))
            .into_iter()
            .map(|rule| rule.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((matching(&[]), matching(&["isxml"]), matching(&["BAD"])), (vec![c"noxml".into()], vec![], vec![c"noxml".into(), c"bad".into()]));
}

#[test]
fn log_lines() {
    let filter = one("QS_DenyPath +a deny ^/x\nQS_DenyQuery +b log y\nQS_DenyEvent +c deny !V\nQS_InvalidUrlEncoding deny\nQS_PermitUri +p deny ^/z");
    let target = Target::of_path(b"", b"/x?y%").unwrap();
    let lines = |enforced| {
        judge(&filter, target, Stage::Whole(Parameters::default()), true)
            .iter()
            .map(|found| message::finding(found, enforced, "192.0.2.7", "u"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(true),
        [
            "mod_qos(046): access denied, invalid url encoding, action=deny, c=192.0.2.7, id=u",
            "mod_qos(040): access denied, QS_DenyPath rule id: a (^/x), action=deny, c=192.0.2.7, id=u",
            "mod_qos(040): access denied, QS_DenyQuery rule id: b (y), action=log only, c=192.0.2.7, id=u",
            "mod_qos(041): access denied, no permit rule match, action=deny, c=192.0.2.7, id=u",
        ]
    );
    assert!(lines(false).iter().all(|line| line.contains("action=log only")));
    let event = events(&filter.rules, &|_| false)[0];
    assert_eq!(
        message::finding(&Finding::Denied { rule: event, given_up: true }, true, "-", "u"),
        "mod_qos(040): access denied, QS_DenyEvent rule id: c (!V), action=deny, limit=1, c=-, id=u"
    );
}
