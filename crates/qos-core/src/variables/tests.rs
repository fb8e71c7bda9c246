//! Rules as they are configured, on variables and headers in memory.

use super::headers::unset_all;
use super::{Environment, Headers, MOST_BYTES, Reason, Trouble, same_name};
use crate::config::{LocationConfig, ServerConfig, Target, apply, find};
use crate::list::List;
use proptest::prelude::*;
use std::ffi::{CStr, CString};

#[derive(Default)]
struct Map {
    entries: Vec<(CString, Vec<u8>)>,
    troubles: Vec<Reason>,
}

impl Map {
    fn of(entries: &[(&str, &str)]) -> Map {
        let mut map = Map::default();
        entries.iter().for_each(|(name, value)| Environment::set(&mut map, &CString::new(*name).unwrap(), value.as_bytes()));
        map
    }

    fn text(&self) -> String {
        let entry = |(name, value): &(CString, Vec<u8>)| format!("{}={}", name.to_str().unwrap(), String::from_utf8_lossy(value));
        self.entries.iter().map(entry).collect::<Vec<_>>().join(" ")
    }
}

impl Environment for Map {
    fn get(&self, name: &CStr) -> Option<&[u8]> {
        self.entries.iter().find(|(own, _)| same_name(own, name)).map(|(_, value)| value.as_slice())
    }
    fn set_literal(&mut self, name: &CStr, value: &CStr) {
        Environment::set(self, name, value.to_bytes());
    }
    fn set(&mut self, name: &CStr, value: &[u8]) {
        assert!(value.len() <= MOST_BYTES);
        match self.entries.iter_mut().find(|(own, _)| same_name(own, name)) {
            Some((_, old)) => *old = value.to_vec(),
            None => self.entries.push((name.to_owned(), value.to_vec())),
        }
    }
    fn unset(&mut self, name: &CStr) {
        self.entries.retain(|(own, _)| !same_name(own, name));
    }
    fn trouble(&mut self, trouble: &Trouble<'_>) {
        assert!(trouble.message().starts_with("mod_qos(): QS_"));
        self.troubles.push(trouble.reason);
    }
}

/// Repeated headers, and headers that are set.
#[derive(Default)]
struct Table(Vec<(CString, Vec<u8>)>);

impl Table {
    fn of(headers: &[(&str, &str)]) -> Table {
        Table(headers.iter().map(|(name, value)| (CString::new(*name).unwrap(), value.as_bytes().to_vec())).collect())
    }

    fn text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{}: {}", name.to_str().unwrap(), String::from_utf8_lossy(value))).collect::<Vec<_>>().join(", ")
    }
}

impl Headers for Table {
    fn find(&self, name: &CStr, accept: &mut dyn FnMut(&[u8]) -> bool) -> Option<&[u8]> {
        self.0.iter().find(|(own, value)| same_name(own, name) && accept(value)).map(|(_, value)| value.as_slice())
    }
    fn set(&mut self, name: &CStr, value: &[u8]) {
        self.unset(name);
        self.0.push((name.to_owned(), value.to_vec()));
    }
    fn unset(&mut self, name: &CStr) {
        self.0.retain(|(own, _)| !same_name(own, name));
    }
}

/// Words in quotes stay together.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut parts = line.split('"');
    let mut words = vec![];
    while let Some(plain) = parts.next() {
        words.extend(plain.split_whitespace().map(|word| word.as_bytes().to_vec()));
        words.extend(parts.next().map(|quoted| quoted.as_bytes().to_vec()));
    }
    words
}

fn read(target: &mut Target<'_>, line: &str) -> Result<(), String> {
    let words = words(line);
    let arguments = words[1..].iter().map(Vec::as_slice).collect::<Vec<_>>();
    let directive = find(std::str::from_utf8(&words[0]).unwrap()).unwrap();
    apply(directive, target, &arguments).map(|_| ()).map_err(|wrong| wrong.to_string())
}

fn server(lines: &str) -> ServerConfig {
    let mut config = ServerConfig::default();
    lines.lines().for_each(|line| read(&mut Target::Server(&mut config), line).unwrap());
    config
}

fn location(lines: &str) -> LocationConfig {
    let mut config = LocationConfig::default();
    lines.lines().for_each(|line| read(&mut Target::Location(&mut config), line).unwrap());
    config
}

fn all<T>(rules: &List<T>, mut apply: impl FnMut(&T) -> bool) {
    rules.iter().for_each(|rule| {
        apply(rule);
    });
}

/// Steps 12 to 14 of a server.
fn evaluate(config: &ServerConfig, map: &mut Map, query: Option<&str>) {
    if let Some(query) = query {
        all(&config.variables.query, |rule| rule.apply(map, query.as_bytes()));
    }
    all(&config.variables.set_env_if, |rule| rule.apply(map));
    all(&config.variables.set_env, |rule| rule.apply(map));
}

fn after(lines: &str, entries: &[(&str, &str)], query: Option<&str>) -> String {
    let mut map = Map::of(entries);
    evaluate(&server(lines), &mut map, query);
    map.text()
}

const E9: &str = "QS_SetEnvIf !A !B STEP=1\nQS_SetEnvIf STEP !B STEP2=x\nQS_SetEnvIf STEP2=(x) RES=$1y\nQS_SetEnvIf RES STEP !STEP";

#[test]
fn e9_order_of_set_env_if() {
    let config = server(E9);
    let mut map = Map::default();
    for _ in ["when the request comes", "when it ends"] {
        evaluate(&config, &mut map, None);
        assert_eq!(map.text(), "STEP2=x RES=xy");
    }
    assert_eq!(after(E9, &[("a", "")], None), "a=", "set, although empty");
}

#[test]
fn conditions_of_two_variables_and_literal_values() {
    let rule = "QS_SetEnvIf A !B C=$1\\x=y";
    assert_eq!(after(rule, &[("A", "1")], None), "A=1 C=$1\\x=y");
    assert_eq!(after(rule, &[("a", "1"), ("b", "1")], None), "a=1 b=1");
    assert_eq!(after(rule, &[], None), "");
    assert_eq!(after("QS_SetEnvIf A A !B=ignored", &[("A", "1"), ("B", "2")], None), "A=1");
    assert_eq!(after("QS_SetEnvIf A A B=", &[("A", "1")], None), "A=1 B=");
}

#[test]
fn a_value_matches_a_pattern() {
    let rule = "QS_SetEnvIf A=^x(.)(z)?  B=<$1$2$0\\$1>";
    assert_eq!(after(rule, &[("A", "xyw")], None), "A=xyw B=<yxy$1>");
    assert_eq!(after(rule, &[("A", "XYW")], None), "A=XYW", "case counts");
    assert_eq!(after("QS_SetEnvIf A=1=1 B=2", &[("A", "1=1")], None), "A=1=1 B=2", "split at the first =");
    assert_eq!(after("QS_SetEnvIf A=^x !A", &[("A", "xy")], None), "");
    assert_eq!(after("QS_SetEnvIf !A=^x B=1", &[("A", "y")], None), "A=y", "no negation");
    // The result of the first run is what the second run sees.
    let (config, mut map) = (server("QS_SetEnvIf A=(.*) A=$1x"), Map::of(&[("A", "")]));
    (0..2).for_each(|_| evaluate(&config, &mut map, None));
    assert_eq!(map.text(), "A=xx");
}

#[test]
fn the_query_is_searched_as_it_came() {
    let rules = "QS_SetEnvIfQuery a=([^&]*) A=$1\nQS_SetEnvIfQuery ^$ EMPTY=1\nQS_SetEnvIfQuery %00 NUL\nQS_SetEnvIfQuery drop !A=x";
    assert_eq!(after(rules, &[], Some("a=%20b&a=c")), "A=%20b");
    assert_eq!(after(rules, &[], None), "");
    assert_eq!(after(rules, &[], Some("")), "EMPTY=1");
    assert_eq!(after(rules, &[], Some("%00")), "NUL=");
    assert_eq!(after(rules, &[], Some("a=1&drop")), "");
}

/// W20.
#[test]
fn set_env_expands_once() {
    assert_eq!(after("QS_SetEnv X <${A}|${b}>${A}", &[("A", "1"), ("B", "2")], None), "A=1 B=2 X=<1|2>1");
    assert_eq!(after("QS_SetEnv X ${A}${B}", &[("A", "1")], None), "A=1", "B is not set");
    assert_eq!(after("QS_SetEnv X ${A}", &[("A", "")], None), "A=", "an empty value");
    assert_eq!(after("QS_SetEnv X plain$}{", &[], None), "X=plain$}{");
    assert_eq!(after("QS_SetEnv X ${", &[], None), "");
    assert_eq!(after("QS_SetEnv X ${}", &[], None), "");
    for hostile in ["${X}", "${UA}", "${SECRET}", "${UA"] {
        assert_eq!(after("QS_SetEnv X ${UA}", &[("UA", hostile), ("SECRET", "s")], None), format!("UA={hostile} SECRET=s X={hostile}"));
    }
    // A rule that inserts its own variable does so once per request.
    assert_eq!(after("QS_SetEnv X ${X}${X}", &[("X", "ab")], None), "X=abab");
}

#[test]
fn values_that_grow_are_not_set() {
    let long = "x".repeat(40_000);
    let mut map = Map::of(&[("A", &long)]);
    evaluate(&server("QS_SetEnv X ${A}${A}\nQS_SetEnvIf A=(.*) Y=$1$1"), &mut map, None);
    assert_eq!((map.entries.len(), map.troubles.as_slice()), (1, [Reason::TooLong, Reason::TooLong].as_slice()));
    // Doubled by each of many rules, it stays below the limit.
    let doubling = "QS_SetEnvIf A=(.*) A=$1$1\n".repeat(40);
    let mut map = Map::of(&[("A", "a")]);
    evaluate(&server(&doubling), &mut map, None);
    assert_eq!(map.get(c"A").map(<[u8]>::len), Some(MOST_BYTES));
}

/// A line end in a value, as `%0a` in a path becomes one, evades no pattern.
#[test]
fn dots_stand_for_line_ends() {
    let mut map = Map::of(&[("A", "a\nb")]);
    let config = server("QS_SetEnvIf A=^a.b$ B=1\nQS_SetEnvIfQuery ^a.b$ C=1\nQS_SetEnvRes A ^a.b$ D=1");
    evaluate(&config, &mut map, Some("a\nb"));
    assert_eq!((map.get(c"B"), map.get(c"C")), (Some(b"1".as_slice()), Some(b"1".as_slice())));
    assert_eq!(config.variables.response.iter().next().unwrap().pattern.matches(b"a\nb"), crate::pattern::Match::Yes);
}

#[test]
fn patterns_that_backtrack_count_as_no_match() {
    let mut map = Map::of(&[("A", &("a".repeat(64) + "!"))]);
    evaluate(&server("QS_SetEnvIf A=^(a+)+$ B=1\nQS_SetEnvIf A=^(a+)+$ B=$1\nQS_SetEnvIf A=^a C=1"), &mut map, None);
    assert_eq!((map.get(c"B"), map.get(c"C")), (None, Some(b"1".as_slice())));
    assert_eq!(map.troubles, [Reason::GivenUp, Reason::GivenUp]);
}

/// W21.
#[test]
fn variables_are_compared() {
    let compared = |line: &str, first: &str, second: &str| {
        let mut map = Map::of(&[("A", first), ("B", second)]);
        location(&format!("QS_SetEnvIfCmp A {line}")).variables.compare.iter().any(|rule| rule.apply(&mut map))
    };
    assert!(compared("gt B C=1", "4294967297", "2") && compared("LT B C", "-1", "0") && compared("eq B C", "Abc", "aBC") && compared("gt B C", "b", "a"));
    assert!(!compared("gt B C", "a", "b") && !compared("gt C D", "1", "0"));
    let mut map = Map::of(&[("A", "1"), ("B", "1")]);
    let config = location("QS_SetEnvIfCmp A eq B C\nQS_SetEnvIfCmp A eq B D=$1=2\nQS_SetEnvIfCmp A eq C X=1\nQS_SetEnvIfCmp A ne C !A");
    all(&config.variables.compare, |rule| rule.apply(&mut map));
    assert_eq!(map.text(), "B=1 C= D=$1=2");
}

#[test]
fn variables_of_responses() {
    let config = server("QS_SetEnvRes A ^(1|2) X=<$1>\nQS_SetEnvRes A 2 Y\nQS_SetEnvRes A ^2 !A\nQS_SetEnvRes A . Z");
    let mut map = Map::of(&[("A", "2")]);
    all(&config.variables.response, |rule| rule.apply(&mut map));
    assert_eq!(map.text(), "X=<2> Y=1");
}

/// W27.
#[test]
fn request_headers() {
    let config = server("QS_SetReqHeader X-A A\nQS_SetReqHeader !X-B A\nQS_SetReqHeader X-C C\nQS_UnsetReqHeader x-d\nQS_SetReqHeader X-E A Late");
    let mut headers = Table::of(&[("x-a", "old"), ("X-A", "older"), ("X-B", "b"), ("X-D", "1"), ("x-d", "2")]);
    let mut map = Map::of(&[("A", "new")]);
    unset_all(config.headers.unset_request.iter().map(CString::as_c_str), &mut headers);
    config.headers.early.iter().for_each(|rule| rule.apply(&mut map, &mut headers));
    assert_eq!(headers.text(), "X-A: new");
    config.headers.late.iter().for_each(|rule| rule.apply(&mut map, &mut headers));
    assert_eq!(headers.text(), "X-A: new, X-E: new");
    for value in ["a\r\nX-Evil: 1", "a\n", "\r", "a\0"] {
        let mut map = Map::of(&[("A", value)]);
        config.headers.early.iter().for_each(|rule| rule.apply(&mut map, &mut headers));
        assert_eq!((headers.text().as_str(), map.troubles.as_slice()), ("X-A: new, X-E: new", [Reason::Unsafe].as_slice()), "{value:?}");
    }
}

/// What says where a request ends stays as it came.
#[test]
fn headers_that_frame_a_request_are_left_alone() {
    let config = server(
        "QS_UnsetReqHeader content-length\nQS_UnsetReqHeader Transfer-Encoding\nQS_SetReqHeader !Content-Length A\nQS_SetReqHeader Transfer-Encoding A\n\
         QS_SetReqHeader CONTENT-LENGTH A late\nQS_UnsetReqHeader Content_Length",
    );
    assert!(config.headers.early.is_empty() && config.headers.late.is_empty());
    assert_eq!(config.headers.unset_request.iter().map(|name| name.to_str().unwrap()).collect::<Vec<_>>(), ["Content_Length"]);
    for (line, begins) in
        [("QS_UnsetReqHeader content-length", "Content-Length has no effect"), ("QS_SetReqHeader !Transfer-Encoding A", "Transfer-Encoding has no effect")]
    {
        let words = line.split(' ').collect::<Vec<_>>();
        let outcome =
            apply(find(words[0]).unwrap(), &mut Target::Server(&mut ServerConfig::default()), &words[1..].iter().map(|w| w.as_bytes()).collect::<Vec<_>>());
        assert!(matches!(outcome, Ok(crate::config::Outcome::Warn(text)) if text.starts_with(begins)), "{line}");
    }
}

/// W26.
#[test]
fn response_headers() {
    let config = server(
        "QS_SetEnvResHeaderMatch Set-Cookie ^sid=\nQS_SetEnvResHeaderMatch set-cookie ^(a+)+$\nQS_SetEnvResHeader X-Code drop\nQS_SetEnvResHeader X-Keep",
    );
    let mut headers = Table::of(&[("Set-Cookie", "x=1"), ("set-cookie", "SID=2"), ("X-Code", "5"), ("x-code", "6"), ("X-Keep", "7")]);
    let mut map = Map::default();
    let rules = config.headers.matched.iter().chain(config.headers.response.iter());
    rules.for_each(|rule| {
        rule.apply(&mut map, &mut headers);
    });
    assert_eq!(map.text(), "Set-Cookie=SID=2 X-Code=5 X-Keep=7");
    assert_eq!(headers.text(), "Set-Cookie: x=1, set-cookie: SID=2, X-Keep: 7");
    assert!(config.headers.look_at_responses() && !server("QS_SetReqHeader a b").headers.look_at_responses());
    let mut slow = Table::of(&[("Set-Cookie", &("a".repeat(64) + "!"))]);
    let mut map = Map::default();
    all(&config.headers.matched, |rule| rule.apply(&mut map, &mut slow));
    assert_eq!((map.text().as_str(), map.troubles.as_slice()), ("", [Reason::GivenUp].as_slice()));
    // Dot-all.
    let mut lines = Table::of(&[("X", "a\nb")]);
    let config = server("QS_SetEnvResHeaderMatch X A.B");
    assert!(config.headers.matched.iter().all(|rule| rule.apply(&mut Map::default(), &mut lines)));
}

/// Section 3.3 and W05: ordered lists, all is inherited, an own rule for the same key and variable replaces the inherited one.
#[test]
fn virtual_hosts_inherit() {
    let merged = |base: &str, own: &str| ServerConfig::merge(&server(base), &server(own));
    let result = |config: &ServerConfig, query: &str| {
        let mut map = Map::of(&[("V", "v")]);
        evaluate(config, &mut map, Some(query));
        map.text()
    };
    let config = merged("QS_SetEnvIfQuery ^a A=base\nQS_SetEnvIfQuery ^a B=base", "QS_SetEnvIfQuery ^a a=own\nQS_SetEnvIfQuery ^A C=own");
    assert_eq!(result(&config, "a"), "V=v B=base a=own");
    assert_eq!(result(&config, "A"), "V=v C=own", "patterns that differ in case are two (W04)");
    let config = merged("QS_SetEnvIf V V X=base\nQS_SetEnvIf X=base Y=1", "QS_SetEnvIf V V X=own\nQS_SetEnvIf Y Y Z=1");
    assert_eq!(result(&config, ""), "V=v X=own Y=1 Z=1");
    let config = merged("QS_SetEnv X ${V}\nQS_SetEnv X b", "QS_SetEnv x b\nQS_SetEnv Y ${X}");
    assert_eq!((config.variables.set_env.iter().count(), result(&config, "").as_str()), (3, "V=v X=b Y=b"));
    let count = |base: &str, own: &str| merged(base, own).variables.response.iter().map(|rule| rule.pattern.text().to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(count("QS_SetEnvRes A 1 X\nQS_SetEnvRes A 2 X\nQS_SetEnvRes A 3 Y", "QS_SetEnvRes B 4 X"), "1 2 3 4");
    assert_eq!(count("QS_SetEnvRes A 1 X\nQS_SetEnvRes A 2 X\nQS_SetEnvRes A 3 Y", "QS_SetEnvRes a 4 x"), "3 4");

    let config = merged(
        "QS_SetReqHeader A a\nQS_SetReqHeader B b late\nQS_UnsetReqHeader C\nQS_UnsetResHeader D\nQS_SetEnvResHeader E drop\nQS_SetEnvResHeaderMatch F 1",
        "QS_SetReqHeader !a A\nQS_SetReqHeader B b\nQS_UnsetReqHeader c\nQS_SetEnvResHeader e\nQS_SetEnvResHeaderMatch F 2\nQS_SetEnvResHeaderMatch f 3",
    )
    .headers;
    let early = config.early.iter().map(|rule| format!("{}{}", if rule.remove { "!" } else { "" }, rule.header.to_str().unwrap())).collect::<Vec<_>>();
    assert_eq!((early.join(" ").as_str(), config.late.iter().count()), ("!a B", 1));
    assert_eq!((config.unset_request.iter().count(), config.unset_response.iter().count()), (1, 1));
    assert_eq!(config.response.iter().map(|rule| rule.drop).collect::<Vec<_>>(), [false]);
    assert_eq!(config.matched.iter().map(|rule| rule.pattern.as_ref().unwrap().text()).collect::<Vec<_>>(), ["2", "3"]);
}

#[test]
fn nested_sections_inherit() {
    let (outer, inner) = (
        location("QS_SetEnvIfQuery ^a A=outer\nQS_SetEnvIf V V X=outer\nQS_SetEnvIfCmp A eq B X\nQS_SetEnvIfResBody one X"),
        location("QS_SetEnvIfQuery ^a A=inner\nQS_SetEnvIf V V X=inner\nQS_SetEnvIfCmp A eq B Y"),
    );
    let merged = LocationConfig::merge(&outer, &inner).variables;
    let mut map = Map::of(&[("V", "")]);
    all(&merged.query, |rule| rule.apply(&mut map, b"a"));
    all(&merged.set_env_if, |rule| rule.apply(&mut map));
    assert_eq!((map.text().as_str(), merged.compare.iter().count()), ("V= A=inner X=inner", 2), "the inner section wins");
    let text = |config: &LocationConfig| String::from_utf8(config.variables.search.as_ref().unwrap().needle.text().to_vec()).unwrap();
    let two = location("QS_SetEnvResBody two !X");
    assert_eq!((text(&LocationConfig::merge(&outer, &inner)), text(&LocationConfig::merge(&outer, &two))), ("one".to_owned(), "two".to_owned()));
}

/// Section 19.2.
#[test]
fn wrong_directives_are_refused() {
    for (line, problem) in [
        ("QS_SetEnvIf A B C", "'C' has no value"),
        ("QS_SetEnvIf A B !", "'!' is not the name of a variable"),
        ("QS_SetEnvIf A B =1", "'=1' is not the name of a variable"),
        ("QS_SetEnvIf ! B C=1", "'!' is not the name of a variable"),
        ("QS_SetEnvIf A C=1", "'A' has no pattern"),
        ("QS_SetEnvIf A=( C=1", "'(' is not a regular expression"),
        ("QS_SetEnvIf A=x C", "'C' has no value"),
        ("QS_SetEnvIf A B C=1 D", "'D' is one argument too many"),
        ("QS_SetEnvIfQuery a A", "'A' is too short"),
        ("QS_SetEnvIfQuery ( AB", "'(' is not a regular expression"),
        ("QS_SetEnvIfQuery a =1", "'=1' is not the name of a variable"),
        ("QS_SetEnv A=B c", "'A=B' is not the name of a variable"),
        ("QS_SetEnv A \"\"", "argument 2 is empty"),
        ("QS_SetEnvRes A ( B", "'(' is not a regular expression"),
        ("QS_SetReqHeader ! B", "'!' is not the name of a header"),
        ("QS_SetReqHeader A=B C", "'A=B' is not the name of a header"),
        ("QS_SetReqHeader A B later", "'later' is not known here"),
        ("QS_SetEnvResHeader A B", "'B' is not known here"),
        ("QS_SetEnvResHeaderMatch A (", "'(' is not a regular expression"),
        ("QS_SetEnvIfCmp A eq B C", "not allowed outside of a directory or location section"),
        ("QS_SetEnvIfResBody text A", "not allowed outside of a directory or location section"),
    ] {
        let error = read(&mut Target::Server(&mut ServerConfig::default()), line).unwrap_err();
        let directive = line.split(' ').next().unwrap();
        assert!(error.starts_with(&format!("{directive}: {problem}")) && error.contains("; expected "), "{line}: {error}");
    }
    let mut section = LocationConfig::default();
    for (line, problem) in [
        ("QS_SetEnvIfCmp A ge B C", "'ge' is no operator"),
        ("QS_SetEnvIfCmp A eq B !", "'!' is not the name of a variable"),
        ("QS_SetEnvIfCmp A eq B", "an argument is missing"),
        ("QS_SetEnvIfResBody text !", "'!' is not the name of a variable"),
        ("QS_SetEnvIfResBody \"\" A", "argument 1 is empty"),
        ("QS_SetEnvRes A b C", "not allowed in a directory or location section"),
        ("QS_SetReqHeader A b", "not allowed in a directory or location section"),
    ] {
        let error = read(&mut Target::Location(&mut section), line).unwrap_err();
        assert!(error.contains(problem), "{line}: {error}");
    }
    assert_eq!(section, LocationConfig::default());
    read(&mut Target::Location(&mut section), "QS_SetEnvIfResBody text A").unwrap();
    let error = read(&mut Target::Location(&mut section), "QS_SetEnvResBody other B").unwrap_err();
    assert!(error.contains("'other' is the second text of this section"), "{error}");
    assert!(read(&mut Target::Server(&mut ServerConfig::default()), "QS_SetEnvIfQuery a A=1").is_ok());
}

proptest! {
    /// Whatever a client sends, the rules end, and no value grows beyond the limit (`Map::set` checks it).
    #[test]
    fn any_values(values in prop::collection::vec(prop::collection::vec(1u8.., 0..40), 3)) {
        let config = server("QS_SetEnv A ${A}${B}${C}\nQS_SetEnvIf A=(.*) B=$1\\$1$0\nQS_SetEnvIf B=(a|b)* C=${A}$1\nQS_SetEnvIfQuery (.*) D=$1$1");
        let mut map = Map::default();
        for (name, value) in [c"A", c"B", c"C"].iter().zip(&values) {
            Environment::set(&mut map, name, value);
        }
        let before = map.get(c"A").unwrap().to_vec();
        all(&config.variables.set_env, |rule| rule.apply(&mut map));
        let whole = values.concat();
        let expected = if whole.is_empty() { before } else { whole };
        prop_assert_eq!(map.get(c"A"), Some(expected.as_slice()));
        all(&config.variables.query, |rule| rule.apply(&mut map, &values[0]));
        all(&config.variables.set_env_if, |rule| rule.apply(&mut map));
    }
}
