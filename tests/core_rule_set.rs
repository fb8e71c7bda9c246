//! The patterns of the OWASP Core Rule Set against XSS and SQL injection load as rules, and match what they match in PCRE.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

use httpd_lab::Server;
use qos_core::filter::{Decoding, decode, further};
use qos_core::pattern::{Match, Options, Pattern};

const FOLDER: &str = "/usr/share/modsecurity-crs/rules";

/// Attacks, and what looks like them.
const INPUTS: &[&str] = &[
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js>",
    "\" onmouseover=alert(1) x=\"",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=confirm(1)>",
    "<iframe src=javascript:alert(1)>",
    "javascript:alert(document.cookie)",
    "<a href=\"vbscript:msgbox(1)\">",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<div style=\"behavior:url(x.htc)\">",
    "<object data=\"data:text/html;base64,PHNjcmlwdD4=\">",
    "<embed src=x>",
    "<!ENTITY x SYSTEM \"file:///etc/passwd\">",
    "<meta http-equiv=refresh content=\"0;url=http://evil.example\">",
    "eval(String.fromCharCode(97,108))",
    "{{constructor.constructor('alert(1)')()}}",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "1' or '1'='1",
    "1' OR 1=1-- ",
    "admin'--",
    "1 UNION ALL SELECT user, password FROM users",
    "1;DROP TABLE users",
    "1' AND SLEEP(5)#",
    "benchmark(10000000,md5(1))",
    "1; exec xp_cmdshell('dir')",
    "' waitfor delay '0:0:10'--",
    "1 and (select count(*) from information_schema.tables)>0",
    "@@version",
    "0x73656c656374",
    "1/**/union/**/select/**/1",
    "1' having 1=1--",
    "1 procedure analyse()",
    "select load_file('/etc/passwd')",
    "select * into outfile '/tmp/x'",
    "create function x returns string soname 'x.so'",
    "{\"$where\": \"1==1\"}",
    "db.users.find({$gt: 1})",
    "a'||utl_http.request('http://evil.example')||'",
    "1 rlike (select 1)",
    "` or `1`=`1",
    "x' and extractvalue(1,concat(0x7e,version()))-- -",
    "\"; shutdown --",
    "1e1union select 1",
    "!!1||1",
    "page=2&sort=name",
    "O'Reilly and Sons",
    "select a union station",
    "the quick brown fox jumps over the lazy dog",
    "user@example.com",
    "2026-11-25T07:00:00+01:00",
    "100% of \u{20ac} 5",
    "a\nb\r\nc\0d",
    "\u{1}\u{2}\u{7f}",
    "((((((((((",
    "''''''''''",
    "a=b=c=d",
    "https://www.example.com/a?b=c#d",
    "<b>bold</b>",
    "if (a < b && c > d) { return; }",
];

fn percent(text: &[u8]) -> String {
    text.iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// The rules as `tests/crs/rules.py` prints them: the lines, and each rule's id and pattern.
fn rules() -> (String, Vec<(String, Pattern)>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crs/rules.py");
    let output = Command::new("python3").arg(script).arg(FOLDER).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let rule = |line: &str| {
        let mut parts = line.splitn(4, ' ');
        let (_, id, _, quoted) = (parts.next(), parts.next().unwrap(), parts.next(), parts.next().unwrap());
        let mut text = String::new();
        let mut letters = quoted[1..quoted.len() - 1].chars();
        while let Some(letter) = letters.next() {
            text.push(if letter == '\\' { letters.next().unwrap() } else { letter });
        }
        (id[1..].to_owned(), Pattern::with(text.as_bytes(), Options { caseless: true, ..Pattern::URL }).unwrap())
    };
    let rules = lines.lines().map(rule).collect();
    (lines, rules)
}

#[test]
fn the_core_rule_set_matches_what_it_matches_in_pcre() {
    assert!(Path::new(FOLDER).is_dir(), "{FOLDER} is missing: make setup installs the package modsecurity-crs");
    let (lines, rules) = rules();
    assert!(rules.len() > 60, "{} rules", rules.len());
    // With `log` all rules that match are found.
    let config = format!("<Location />\n{}</Location>\nMaxKeepAliveRequests 0\nLimitRequestLine 200000", lines.replace(" deny \"", " log \""));
    let server = Server::builder().config(&config).config("AcceptFilter http none").processes(1).start();
    let mut client = server.client_from("127.0.72.1");
    let (mut asked, mut matches) = (0, 0);
    for text in INPUTS {
        let mut halves = [text.to_owned(), &text[text.len() / 2..]].map(str::as_bytes).map(<[u8]>::to_vec).to_vec();
        halves.push([text.as_bytes(), b"\n"].concat());
        for input in halves {
            let query = percent(&input);
            let first = decode(query.as_bytes(), false).bytes.into_owned();
            assert_eq!(first, input);
            let further = further(query.as_bytes(), &first, Decoding::default());
            let subjects = std::iter::once(&first).chain(&further).collect::<Vec<_>>();
            let verdict = |pattern: &Pattern| subjects.iter().map(|subject| pattern.matches(subject)).collect::<Vec<_>>();
            let before = server.lines("040").len();
            // Lines of a rule are bounded in each second: one request at a time, until the log has them.
            assert_eq!(client.get(&format!("/small.txt?{query}")).unwrap().status, 200, "{text}");
            let expected = rules.iter().filter(|(_, pattern)| verdict(pattern).contains(&Match::Yes)).map(|(id, _)| id.as_str()).collect::<Vec<_>>();
            let sure = rules.iter().all(|(_, pattern)| !verdict(pattern).contains(&Match::GivenUp));
            let lines = server.lines("040");
            let own = lines[before..].iter().filter(|line| !line.contains("(previously)"));
            let found = own.filter_map(|line| line.split(" rule id: ").nth(1)?.split(' ').next().map(str::to_owned)).collect::<Vec<_>>();
            asked += 1;
            matches += expected.len();
            if sure {
                assert_eq!(found, expected, "{text:?}");
            }
            if asked % 18 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(1000));
            }
        }
    }
    assert!(matches > 200, "{matches} matches of {asked} inputs");
    // Plain text, as long as what people write: what PCRE is sure about is found, and nothing is given up.
    let license = std::fs::read("/usr/share/common-licenses/GPL-3").unwrap();
    for length in [1024, 8 << 10, 24 << 10] {
        std::thread::sleep(std::time::Duration::from_millis(1000));
        let (text, before) = (&license[..length], server.lines("040").len());
        assert_eq!(client.get(&format!("/small.txt?{}", percent(text))).unwrap().status, 200);
        let expected = rules.iter().filter(|(_, pattern)| pattern.matches(text) == Match::Yes).map(|(id, _)| id.as_str()).collect::<Vec<_>>();
        let lines = server.lines("040").split_off(before);
        let found = lines.iter().filter_map(|line| line.split(" rule id: ").nth(1)?.split(' ').next()).collect::<Vec<_>>();
        assert!(expected.iter().all(|id| found.contains(id)), "{length} bytes: {expected:?} {found:?}");
        assert!(lines.iter().all(|line| !line.contains("limit=1")), "{length} bytes: {lines:#?}");
    }
}
