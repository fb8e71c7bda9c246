//! Every directive takes what it should and refuses everything else, with an error that names the directive, the
//! value and what would be right (connection-client.md sections 2 and 18.1).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use httpd_lab::{Mpm, configtest};
use qos_core::config::{Scope, directives};

/// What one argument may be; everything that is wrong for its kind is tried.
#[derive(Clone, Copy)]
enum Kind {
    /// A number: what the error calls it, smallest, largest.
    Number(&'static str, u64, u64),
    Flag,
    /// A number of connections, or a percentage.
    Share,
    Address,
    Variable,
    Path,
    /// A file that is looked for at start, or later: any text.
    File,
    Countries,
    Word(&'static str),
    Header,
    Program,
    Method,
    Percent(u64, u64),
    /// The name of a variable that is counted.
    Event,
    Pattern,
    /// Where the client's address stands.
    ClientHeader,
    Status,
    Assignment,
    /// What two or three arguments mean together: special cases try it.
    Together,
    /// A name, of this.
    Name(&'static str),
    /// A variable that is set or removed.
    Set,
    Operator,
    /// A word that may stand there, and nothing else.
    Only(&'static str),
    /// A directive that defines rules.
    RuleDirective,
    /// An error page.
    Page,
    /// The status of a denial.
    Denied,
    /// The id of a deny or permit rule, with its sign.
    RuleId,
    /// What such a rule does; also `off`.
    Action(&'static str),
    /// A variable that is set, or not (`!`).
    Condition,
    Decoding,
    /// The name of a cookie.
    CookieName,
    CookiePath,
    /// What a milestone does.
    Milestone,
    /// Where a client is sent.
    Redirect,
    /// A text that nothing is wrong with.
    Text,
}

use Kind::{
    Action, Address, Assignment, ClientHeader, Condition, CookieName, CookiePath, Countries, Decoding, Denied, Event, File, Flag, Header, Method, Milestone,
    Name, Number, Only, Operator, Page, Path, Pattern, Percent, Program, Redirect, RuleDirective, RuleId, Set, Share, Status, Text, Together, Variable, Word,
};

const INT_MAX: u64 = i32::MAX as u64;
const CONNECTIONS: Kind = Number("connections", 1, INT_MAX);
const U32: u64 = u32::MAX as u64;
const RESPONSES: Kind = Number("responses", 1, INT_MAX);
const EVENTS: Kind = Number("events", 0, U32);
const SECONDS: Kind = Number("seconds", 1, 100_000_000);
const WAITING: Kind = Number("waiting requests", 1, U32);
const CONCURRENT: Kind = Number("concurrent requests", 0, INT_MAX);
const PER_SECOND: Kind = Number("requests per second", 1, INT_MAX);
const DELAYED: Kind = Number("delayed requests", 1, INT_MAX);
const KBYTES: Kind = Number("kbytes per second", 1, INT_MAX);
const RATE: Kind = Number("bytes per second", 1, INT_MAX);

/// A directive: arguments that are right, and the kind of each argument. Where a bad value is tried, the arguments
/// around it are those of the fullest right form.
struct Row {
    name: &'static str,
    good: &'static [&'static str],
    kinds: &'static [Kind],
}

const TABLE: &[Row] = &[
    Row { name: "QS_SrvMaxConn", good: &["1", "2147483647", "+7", "007"], kinds: &[CONNECTIONS] },
    Row { name: "QS_SrvMaxConnClose", good: &["1", "2147483647", "1%", "99%"], kinds: &[Share] },
    Row { name: "QS_SrvMaxConnPerIP", good: &["50", "1 0", "50 700"], kinds: &[CONNECTIONS, Number("connections", 0, INT_MAX)] },
    Row {
        name: "QS_SrvMaxConnExcludeIP",
        good: &["192.0.2.7", "192.0.2.0/24", "10.", "192.168.10.", "2001:db8::1", "2001:DB8:0::1", "2001:db8::/32", "fe80:", "::1", "::ffff:192.0.2.7"],
        kinds: &[Address],
    },
    Row { name: "QS_SrvMaxConnPerIPIgnoreVIP", good: &["on", "Off"], kinds: &[Flag] },
    Row { name: "QS_MaxClients", good: &["1", "2147483647"], kinds: &[CONNECTIONS] },
    Row { name: "QS_ForcedClose", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_SrvMinDataRate", good: &["150", "150 1000", "150 1000 200"], kinds: &[RATE, RATE, CONNECTIONS] },
    Row { name: "QS_SrvRequestRate", good: &["150", "150 1000"], kinds: &[RATE, RATE] },
    Row { name: "QS_SrvSampleRate", good: &["2", "86400", "5 0", "5 5"], kinds: &[Number("seconds", 2, 86_400), Number("seconds", 0, 5)] },
    Row { name: "QS_SrvDataRateOff", good: &[""], kinds: &[] },
    Row { name: "QS_SrvMinDataRateIgnoreVIP", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_SrvMinDataRateOffEvent", good: &["+Slow", "-Slow", "+x"], kinds: &[Variable] },
    Row { name: "QS_LimitRequestBody", good: &["0", "102400", "9223372036854775807"], kinds: &[Number("bytes", 0, i64::MAX as u64)] },
    Row { name: "QS_BodyMaxSize", good: &["1", "8388608", "1073741824"], kinds: &[Number("bytes", 1, 1 << 30)] },
    Row { name: "QS_BodyTempDir", good: &["/tmp", "."], kinds: &[Together] },
    Row { name: "QS_BodyData", good: &["application/json", "text/xml */*"], kinds: &[Together, Together] },
    Row { name: "PARP_BodyData", good: &["application/json", "text/xml */*"], kinds: &[Together, Together] },
    Row { name: "QS_BodyErrorCode", good: &["200", "400", "503"], kinds: &[Together] },
    Row { name: "PARP_ExitOnError", good: &["200", "400", "503"], kinds: &[Together] },
    Row { name: "QS_ClientEntries", good: &["640", "100000", "10000000"], kinds: &[Number("client addresses", 640, 10_000_000)] },
    Row { name: "QS_LogOnly", good: &["on", "off", "ON"], kinds: &[Flag] },
    Row { name: "QS_SupportIPv6", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_SemMemFile", good: &["/var/tmp/", "/tmp/qos"], kinds: &[Path] },
    Row { name: "QS_Chroot", good: &["/var/empty"], kinds: &[Path] },
    Row { name: "QS_Status", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_LogEnv", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_DisableHandler", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_ClientGeoCountryDB", good: &["@ROOT@/geo.csv"], kinds: &[File] },
    Row {
        name: "QS_ClientGeoCountryPriv",
        good: &["CH 0", "CH,de,A1 2147483647", "CH,- 10 excludeUnknown", "CH 10 EXCLUDEUNKNOWN"],
        kinds: &[Countries, Number("connections", 0, INT_MAX), Word("excludeUnknown")],
    },
    Row { name: "QS_ClientGeoIpFromHeader", good: &["X-Forwarded-For"], kinds: &[Header] },
    Row { name: "QSLog", good: &["/bin/cat", "|/bin/cat"], kinds: &[Program] },
    Row { name: "QS_EventCount", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_ClientEventBlockCount", good: &["0", "3", "4294967295 100000000"], kinds: &[EVENTS, SECONDS] },
    Row { name: "QS_ClientEventBlockExcludeIP", good: &["192.0.2.7", "192.0.2.0/24", "10.", "2001:db8::/32", "::1"], kinds: &[Address] },
    Row { name: "QS_ClientEventLimitCount", good: &["0", "100000 60", "3 60 Login"], kinds: &[EVENTS, SECONDS, Event] },
    Row { name: "QS_CondClientEventLimitCount", good: &["3 60 Other ^(a|b)$"], kinds: &[EVENTS, SECONDS, Event, Pattern] },
    Row { name: "QS_ClientEventPerSecLimit", good: &["0", "5", "5 20"], kinds: &[Number("events per second", 0, U32), Number("delayed requests", 1, U32)] },
    Row { name: "QS_ClientEventRequestLimit", good: &["0", "5"], kinds: &[Number("requests", 0, U32)] },
    Row { name: "QS_ClientSerialize", good: &["", "5"], kinds: &[WAITING] },
    Row { name: "QS_SrvSerialize", good: &["on", "off 10", "on 300 5"], kinds: &[Flag, SECONDS, WAITING] },
    Row { name: "QS_ClientPrefer", good: &["", "1", "99%"], kinds: &[Percent(1, 99)] },
    Row { name: "QS_ClientTolerance", good: &["5", "80%"], kinds: &[Percent(5, 80)] },
    Row { name: "QS_ClientContentTypes", good: &["1 1 1 1 1", "300 200 300 100 2147483647"], kinds: &[RESPONSES; 5] },
    Row {
        name: "QS_ClientIpFromHeader",
        good: &["X-Forwarded-For", "#X-Token", "#SSL_CLIENT_S_DN", "#USERAGENT_IP", "X-Real-IP 10.0.0.0/8"],
        kinds: &[ClientHeader, Address],
    },
    Row { name: "QS_ClientIPv6Prefix", good: &["1", "64", "128"], kinds: &[Number("bits", 1, 128)] },
    Row { name: "QS_SetEnvIfStatus", good: &["404 QS_Block", "100 x", "999 X=y=z"], kinds: &[Status, Assignment] },
    Row { name: "QS_SetEnvStatus", good: &["404 QS_Block=2"], kinds: &[Status, Assignment] },
    Row { name: "QS_SetEnvIf", good: &["A=^(x|y)$ B=$1", "!A B C=1", "A !B !C", "A=x !B", "A=x !B=ignored"], kinds: &[Together, Together, Together] },
    Row { name: "QS_SetEnvIfQuery", good: &["^a=([^&]*) AB", "x A=1", "x !A", "x A=$1$2"], kinds: &[Pattern, Set] },
    Row { name: "QS_SetEnvIfParp", good: &["^a=([^&]*) AB", "x A=1", "x !A"], kinds: &[Pattern, Set] },
    Row { name: "QS_SetEnvIfBody", good: &["<a>([^<]*)</a> A=$1", "x A", "x !A"], kinds: &[Pattern, Set] },
    Row { name: "QS_SetEnv", good: &["A b", "A ${B}-${C}"], kinds: &[Name("variable"), Together] },
    Row { name: "QS_SetEnvIfCmp", good: &["A eq B C", "A NE B !C", "A gt B C=1", "A lt B C="], kinds: &[Name("variable"), Operator, Name("variable"), Set] },
    Row { name: "QS_SetEnvIfResBody", good: &["text A", "text !A"], kinds: &[Together, Set] },
    Row { name: "QS_SetEnvResBody", good: &["text A"], kinds: &[Together, Set] },
    Row { name: "QS_SetEnvRes", good: &["A ^(x)$ B", "A x B=$0", "A x !B"], kinds: &[Name("variable"), Pattern, Set] },
    Row { name: "QS_SetReqHeader", good: &["X-A A", "!X-A A LATE", "X-A A late"], kinds: &[Name("header"), Name("variable"), Only("late")] },
    Row { name: "QS_UnsetReqHeader", good: &["X-A"], kinds: &[Name("header")] },
    Row { name: "QS_UnsetResHeader", good: &["X-A"], kinds: &[Name("header")] },
    Row { name: "QS_RequestHeaderFilter", good: &["on", "OFF", "size"], kinds: &[Word("on, off or size")] },
    Row {
        name: "QS_RequestHeaderFilterRule",
        good: &["X-A drop ^a$ 10", "X-B DENY ^a$ 1"],
        kinds: &[Name("header"), Word("drop or deny"), Pattern, Number("bytes", 1, INT_MAX)],
    },
    Row { name: "QS_ResponseHeaderFilter", good: &["on", "Silent", "off"], kinds: &[Word("on, silent or off")] },
    Row { name: "QS_ResponseHeaderFilterRule", good: &["X-A ^a$ 10"], kinds: &[Name("header"), Pattern, Number("bytes", 1, INT_MAX)] },
    Row { name: "QS_SetEnvResHeader", good: &["X-A", "X-A Drop"], kinds: &[Name("header"), Only("drop")] },
    Row { name: "QS_SetEnvResHeaderMatch", good: &["X-A ^x"], kinds: &[Name("header"), Pattern] },
    Row { name: "QS_LocRequestLimit", good: &["/a 0", "/a 2147483647"], kinds: &[Together, CONCURRENT] },
    Row { name: "QS_LocRequestLimitMatch", good: &["^/a$ 0", "^/a$ 5"], kinds: &[Pattern, CONCURRENT] },
    Row { name: "QS_LocRequestLimitDefault", good: &["0", "5"], kinds: &[CONCURRENT] },
    Row { name: "QS_LocRequestPerSecLimit", good: &["/a 1", "/a 5 7"], kinds: &[Together, PER_SECOND, DELAYED] },
    Row { name: "QS_LocRequestPerSecLimitMatch", good: &["^/a$ 1", "^/a$ 5 7"], kinds: &[Pattern, PER_SECOND, DELAYED] },
    Row { name: "QS_LocKBytesPerSecLimit", good: &["/a 1"], kinds: &[Together, KBYTES] },
    Row { name: "QS_LocKBytesPerSecLimitMatch", good: &["^/a$ 1"], kinds: &[Pattern, KBYTES] },
    Row { name: "QS_CondLocRequestLimitMatch", good: &["^/a$ 1 ^x$"], kinds: &[Pattern, CONCURRENT, Pattern] },
    Row { name: "QS_EventRequestLimit", good: &["A 1", "A=^b$ 0", "A= 1"], kinds: &[Together, CONCURRENT] },
    Row { name: "QS_EventPerSecLimit", good: &["A 1", "!A 5 7"], kinds: &[Event, PER_SECOND, DELAYED] },
    Row { name: "QS_EventKBytesPerSecLimit", good: &["A 1", "!A 5"], kinds: &[Event, KBYTES] },
    Row { name: "QS_EventLimitCount", good: &["A 1 1"], kinds: &[Event, Number("events", 1, INT_MAX), SECONDS] },
    Row { name: "QS_CondEventLimitCount", good: &["A 1 1 ^x$"], kinds: &[Event, Number("events", 1, INT_MAX), SECONDS, Pattern] },
    Row { name: "QS_LogOnlyRule", good: &["QS_LocRequestLimitDefault /", "QS_EventRequestLimit"], kinds: &[RuleDirective, Together] },
    Row { name: "QS_ErrorPage", good: &["/a", "http://a", "https://a"], kinds: &[Page] },
    Row { name: "QS_ErrorResponseCode", good: &["400", "429", "503"], kinds: &[Denied] },
    Row { name: "QS_DenyRequestLine", good: &["+a log ^x$", "-a DENY ^x$"], kinds: &[RuleId, Action("log or deny"), Pattern] },
    Row { name: "QS_DenyPath", good: &["+b deny ^x$"], kinds: &[RuleId, Action("log or deny"), Pattern] },
    Row { name: "QS_DenyQuery", good: &["+c deny ^x$"], kinds: &[RuleId, Action("log or deny"), Pattern] },
    Row { name: "QS_PermitUri", good: &["+d deny ^x$"], kinds: &[RuleId, Action("log or deny"), Pattern] },
    Row { name: "QS_DenyEvent", good: &["+e deny !x", "+f log x"], kinds: &[RuleId, Action("log or deny"), Condition] },
    Row { name: "QS_DenyInheritanceOff", good: &[""], kinds: &[] },
    Row { name: "QS_InvalidUrlEncoding", good: &["log", "DENY", "off"], kinds: &[Action("log, deny or off")] },
    Row { name: "QS_Decoding", good: &["uni once", "UNI"], kinds: &[Decoding, Decoding] },
    Row { name: "QS_DenyQueryBody", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_PermitUriBody", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_PermitUriNormalize", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_FilterInternalRedirects", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_BodyStrict", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_MaskQueryParameters", good: &["password", "password PIN"], kinds: &[Text, Text] },
    Row { name: "QS_DenyBody", good: &["on", "off"], kinds: &[Flag] },
    Row { name: "QS_ConsoleMethods", good: &["GET", "post", "GET POST"], kinds: &[Method, Method] },
    Row { name: "QS_VipHeaderName", good: &["X-Priv", "X-Priv=^gold$", "X-Priv=a=b drop"], kinds: &[Together, Only("drop")] },
    Row { name: "QS_VipIPHeaderName", good: &["X-Priv", "X-Priv=^gold$ DROP"], kinds: &[Together, Only("drop")] },
    Row { name: "QS_VipUser", good: &[""], kinds: &[] },
    Row { name: "QS_VipIPUser", good: &[""], kinds: &[] },
    Row { name: "QS_VipIPTimeout", good: &["1", "100000000"], kinds: &[SECONDS] },
    Row { name: "QS_SessionTimeout", good: &["1", "3600", "100000000"], kinds: &[SECONDS] },
    Row { name: "QS_SessionCookieName", good: &["MODQOS", "__Host-q.1"], kinds: &[CookieName] },
    Row { name: "QS_SessionCookiePath", good: &["/", "/app"], kinds: &[CookiePath] },
    Row { name: "QS_SessionKey", good: &["0123456789abcdef"], kinds: &[Text] },
    Row { name: "QS_MileStone", good: &["deny ^GET./a", "log ^GET./b 5", "LOG x 100000000"], kinds: &[Milestone, Pattern, SECONDS] },
    Row { name: "QS_MileStoneTimeout", good: &["1", "3600"], kinds: &[SECONDS] },
    Row { name: "QS_UserTrackingCookieName", good: &["uid", "uid /check.html", "uid session", "uid example.org"], kinds: &[CookieName, Together] },
    Row { name: "QS_RedirectIf", good: &["VAR x /to", "VAR (a)(b) 308:https://h/$2$1"], kinds: &[Name("variable"), Pattern, Redirect] },
];

/// Wrong values of a kind, each with words that the error must have besides the directive and the value.
fn bad_values(kind: Kind) -> Vec<(String, String)> {
    let same = |values: &[&str], words: &str| values.iter().map(|value| ((*value).to_owned(), words.to_owned())).collect::<Vec<_>>();
    match kind {
        Number(unit, min, max) => {
            let range = format!("expected a number of {unit} from {min} to {max}");
            let mut bad = Vec::new();
            for (values, problem) in [
                (vec!["abc", "10abc", "1.5", "0x10", "10M", "-", "+-1", " "], "is not a number"),
                (vec!["-1", "-2147483649"], "is negative"),
                (vec!["99999999999999999999999"], "is too large"),
            ] {
                bad.extend(same(&values, &format!("{problem}; {range}")));
            }
            bad.push(((u128::from(max) + 1).to_string(), format!("is too large; {range}")));
            if min > 0 {
                bad.push(((min - 1).to_string(), format!("is too small; {range}")));
            }
            bad
        }
        Flag => same(&["1", "yes", "onn"], "expected On or Off"),
        Share => {
            let mut bad = same(&["0%", "100%", "-5%", "5%%", "%", "10abc%"], "expected a percentage from 1% to 99%");
            let or = "from 1 to 2147483647 or a percentage from 1% to 99%";
            bad.extend(same(&["0", "-1", "abc", "10abc", "2147483648"], or));
            bad
        }
        Address => {
            same(&["10.1", "host.example", "192.0.2.0/33", "2001:db8::/129", "256.", "192.0.2.7:80", "*"], "expected an IPv4 or IPv6 address, a network")
        }
        Variable => same(&["Slow", "+", "-", "*Slow"], "expected +variable or -variable"),
        Path => same(&["var/tmp", "."], "expected a path that begins with '/'"),
        File => Vec::new(),
        Countries => same(&["CHE", "C", "c ", "*"], "is not a country code; expected codes of two letters"),
        Word(word) => same(&["yes", "exclude", "-"], &format!("is not a known word; expected {word}")),
        Header => same(&["X Real", "X:", "(x)"], "is not a header name; expected the name of a request header"),
        Program => same(&["|", " ", "| "], "names no program; expected a program and its arguments"),
        Percent(min, max) => {
            let over = [format!("{}%", max + 1), (min - 1).to_string()];
            let other = ["abc", "-5", "5%%", "%", "1.5"].map(str::to_owned);
            over.into_iter().chain(other).map(|value| (value, format!("; expected a percentage from {min} to {max}"))).collect()
        }
        Event => same(&["a=b", "a b"], "is not the name of a variable; expected a name without '=' and blanks"),
        Pattern => same(&["(", "a[", "*"], "; expected a Perl compatible regular expression"),
        ClientHeader => same(&["#"], "is not the name of a header; expected a header, #header, #SSL_CLIENT_S_DN or #USERAGENT_IP"),
        Status => same(
            &["99", "1000", "0", "-1", "404abc", "Null", "QS_SrvMaxConn"],
            "expected a status from 100 to 999, QS_SrvMinDataRate, QS_SrvMaxConnPerIP, NullConnection or BrokenConnection",
        ),
        Assignment => same(&["=", "=x"], "is not a variable; expected variable or variable=value"),
        Together | Text => Vec::new(),
        CookieName => same(&["a=b", "a;b", "a b"], "cannot be the name of a cookie; expected letters, digits and"),
        CookiePath => same(&["app", "/a;b", "/a,b"], "cannot be the path of a cookie; expected a path that begins with '/'"),
        Milestone => same(&["block", "denied"], "is no action; expected log or deny"),
        Redirect => same(&["301:", "/a b"], "is no URL; expected [301:|302:|307:|308:]url"),
        Name(what) => same(&["a=b"], &format!("is not the name of a {what}; expected a name without '='")),
        Set => same(&["=x", "!="], "is not the name of a variable; expected a name without '='"),
        Operator => same(&["==", "ge", "e"], "is no operator; expected eq, ne, gt or lt"),
        RuleDirective => same(&["QS_LogOnly", "x"], "is not a directive whose rules can be logged only; expected one of QS_LocRequestLimit,"),
        Page => same(&["x", "httpx", "ftp://x"], "is neither a path nor a URL; expected a path that begins with '/', or a URL"),
        RuleId => same(&["x1", "+", "-", "a"], "is not the id of a rule; expected +id or -id"),
        Action(words) => same(&["allow", "on"], &format!("is not an action; expected {words}")),
        Condition => same(&["!", "a=b"], "is not the name of a variable; expected a name without '='"),
        Decoding => same(&["html", "ansi"], "is not a decoding that is known; expected uni or once"),
        Denied => same(&["399", "600", "200", "x", "50x"], "expected a status from 400 to 599"),
        Only(word) => same(&["yes", "x"], &format!("is not known here; expected {word}")),
        Method => same(&["PUT", "GET,POST", "-"], "is not a method of the console; expected GET, POST or both"),
    }
}

/// Configuration that has to be refused, and all words of the error.
struct Case {
    config: String,
    words: Vec<String>,
}

fn case(config: &str, words: &[&str]) -> Case {
    Case { config: config.to_owned(), words: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn quoted(arguments: &[&str]) -> String {
    arguments.iter().map(|argument| format!("\"{argument}\"")).collect::<Vec<_>>().join(" ")
}

/// All wrong uses of a directive as far as its row and its place tell.
fn cases(row: &Row) -> Vec<Case> {
    let name = row.name;
    let directive = directives().find(|directive| directive.name() == name).unwrap_or_else(|| panic!("{name}: no such directive"));
    assert_eq!(directive.arguments.len(), row.kinds.len(), "{name}: arguments");
    let usage = directive.usage();
    let full = row.good.iter().map(|good| good.split_whitespace().collect::<Vec<_>>()).max_by_key(Vec::len).unwrap();
    assert_eq!(full.len(), row.kinds.len(), "{name}: a right form with all arguments");
    let needed = directive.arguments.iter().filter(|argument| !argument.optional).count();
    let mut all = Vec::new();
    let case = |line: &str, words: &[&str]| match directive.scope {
        Scope::Location => case(&format!("<Location />\n{line}\n</Location>"), words),
        _ => case(line, words),
    };

    for (place, kind) in row.kinds.iter().enumerate() {
        for (value, words) in bad_values(*kind) {
            let behind = full.get(place + 1..needed).unwrap_or_default();
            let arguments = full[..place].iter().copied().chain([value.as_str()]).chain(behind.iter().copied()).collect::<Vec<_>>();
            all.push(case(&format!("{name} {}", quoted(&arguments)), &[&format!("{name}: '{value}'"), &words]));
        }
        // An empty last argument does not reach the module: httpd drops it.
        let (last, optional) = (place + 1 == row.kinds.len(), directive.arguments[place].optional);
        let mut empty = full.clone();
        empty[place] = "";
        let words = if last {
            format!("{name}: an argument is missing; expected {usage}")
        } else {
            format!("{name}: argument {} is empty; expected {usage}", place + 1)
        };
        if !(last && optional) {
            all.push(case(&format!("{name} {}", quoted(&empty)), &[&words]));
        }
    }
    if needed > 0 {
        all.push(case(name, &[&format!("{name}: an argument is missing; expected {usage}")]));
    }
    let extra = [full.as_slice(), &["surplus"]].concat();
    if directive.arguments.last().is_some_and(|argument| argument.repeated) {
        // A text more is right.
        if !matches!(row.kinds.last(), Some(Text)) {
            all.push(case(&format!("{name} {}", quoted(&extra)), &[&format!("{name}: 'surplus' is not")]));
        }
    } else {
        all.push(case(&format!("{name} {}", quoted(&extra)), &[&format!("{name}: 'surplus' is one argument too many; expected {usage}")]));
    }

    let right = format!("{name} {}", quoted(&full));
    if directive.scope == Scope::Location {
        all.push(self::case(&right, &[&format!("{name} not allowed")]));
    } else if directive.scope != Scope::ServerAndLocation {
        for section in ["Location /", "Directory @DOCS@", "Files small.txt"] {
            let end = section.split(' ').next().unwrap();
            all.push(case(&format!("<{section}>\n{right}\n</{end}>"), &[&format!("{name} not allowed")]));
        }
    }
    if directive.scope == Scope::Global {
        all.push(case(&format!("<VirtualHost *:1>\n{right}\n</VirtualHost>"), &[&format!("{name} cannot occur within <VirtualHost> section")]));
    }
    all
}

/// What a value may not be because of another one.
fn special_cases() -> Vec<Case> {
    let twice = "a minimum data rate is set already; expected QS_SrvMinDataRate or QS_SrvRequestRate, once";
    vec![
        case("QS_SrvMinDataRate 150\nQS_SrvMinDataRate 150", &["QS_SrvMinDataRate: ", twice]),
        case("QS_SrvRequestRate 150\nQS_SrvRequestRate 200", &["QS_SrvRequestRate: ", twice]),
        case("QS_SrvMinDataRate 150\nQS_SrvRequestRate 150", &["QS_SrvRequestRate: ", twice]),
        case("QS_SrvRequestRate 150\nQS_SrvMinDataRate 150", &["QS_SrvMinDataRate: ", twice]),
        case("QS_SrvMinDataRate 150 150", &["QS_SrvMinDataRate: '150' is not more than the minimum; expected a maximum of more than 150"]),
        case("QS_SrvRequestRate 150 100", &["QS_SrvRequestRate: '100' is not more than the minimum; expected a maximum of more than 150"]),
        case(
            "QS_ClientGeoCountryPriv CH 10\nQS_ClientGeoCountryPriv DE 11",
            &["QS_ClientGeoCountryPriv: '11' differs from an earlier line; expected the same number of connections, 10"],
        ),
        case("QS_ClientGeoCountryPriv CH,,DE 10", &["QS_ClientGeoCountryPriv: '' is not a country code"]),
        case(
            "QS_ClientEventLimitCount 3 60 Login\nQS_CondClientEventLimitCount 3 60 LOGIN x",
            &["QS_CondClientEventLimitCount: 'LOGIN' is counted by another rule already; expected each variable once"],
        ),
        case(
            "QS_ClientEventLimitCount 3\nQS_ClientEventLimitCount 3 60 qs_limit",
            &["QS_ClientEventLimitCount: 'qs_limit' is counted by another rule already"],
        ),
        case("QS_SetEnvIfStatus NullConnection QS_Limit", &["QS_SetEnvIfStatus: 'QS_Limit' is not the variable of this code; expected QS_Block"]),
        case("QS_SetEnvIfStatus BrokenConnection QS_Block=2", &["QS_SetEnvIfStatus: 'QS_Block=2' is not the variable of this code; expected QS_Block"]),
        case(
            "<VirtualHost *:1>\nQS_SetEnvIfStatus QS_SrvMinDataRate QS_Block\n</VirtualHost>",
            &["QS_SetEnvIfStatus: 'QS_SrvMinDataRate' is not allowed in a virtual host or location; expected it in the main server"],
        ),
        case(
            "<Location />\nQS_SetEnvIfStatus QS_SrvMaxConnPerIP QS_Block\n</Location>",
            &["QS_SetEnvIfStatus: 'QS_SrvMaxConnPerIP' is not allowed in a virtual host or location"],
        ),
        case("QS_SetEnvIf A B C", &["QS_SetEnvIf: 'C' has no value; expected variable=value or !variable"]),
        case("QS_SetEnvIf A B !", &["QS_SetEnvIf: '!' is not the name of a variable"]),
        case("QS_SetEnvIf A=x B C=1", &["QS_SetEnvIf: 'A=x' is not the name of a variable"]),
        case("QS_SetEnvIf A B=1", &["QS_SetEnvIf: 'A' has no pattern; expected variable=pattern with two arguments"]),
        case("QS_SetEnvIf =x B=1", &["QS_SetEnvIf: '=x' is not the name of a variable"]),
        case("QS_SetEnvIf A=x B", &["QS_SetEnvIf: 'B' has no value"]),
        case("QS_SetEnvIf A=( B=1", &["QS_SetEnvIf: '(' is not a regular expression (at character 1: missing closing parenthesis)"]),
        case("<Location />\nQS_SetEnvIf A=x B\n</Location>", &["QS_SetEnvIf: 'B' has no value"]),
        case("QS_SetEnvIfQuery x A", &["QS_SetEnvIfQuery: 'A' is too short; expected variable or variable=value, at least two characters"]),
        case(
            "<Location />\nQS_SetEnvIfResBody one A\nQS_SetEnvResBody two B\n</Location>",
            &["QS_SetEnvResBody: 'two' is the second text of this section; expected one per section"],
        ),
        case("QS_SetEnvIfParp x A", &["QS_SetEnvIfParp: 'A' is too short; expected variable or variable=value, at least two characters"]),
        case("QS_BodyErrorCode 302", &["QS_BodyErrorCode: '302' is not such a status; expected 200, or a status from 400 to 599"]),
        case("PARP_ExitOnError x", &["PARP_ExitOnError: 'x' is not such a status"]),
        case("PARP_ExitOnError 499", &["PARP_ExitOnError: '499' is not a status that httpd knows"]),
        case("PARP_BodyData text/xml json", &["PARP_BodyData: 'json' is not a content type; expected types such as application/json or */*"]),
        case("QS_BodyTempDir /nowhere", &["QS_BodyTempDir: '/nowhere' is not a directory"]),
        case("QS_RequestHeaderFilter silent", &["QS_RequestHeaderFilter: 'silent' is not a known word; expected on, off or size"]),
        case("<Location />\nQS_ResponseHeaderFilter size\n</Location>", &["QS_ResponseHeaderFilter: 'size' is not a known word; expected on, silent or off"]),
        case("<Location />\nQS_RequestHeaderFilter x\n</Location>", &["QS_RequestHeaderFilter: 'x' is not a known word"]),
        // In this order.
        case("QS_RequestHeaderFilterRule X allow ( 0", &["QS_RequestHeaderFilterRule: 'allow' is not a known word; expected drop or deny"]),
        case(
            "QS_RequestHeaderFilterRule X drop ( 0",
            &["QS_RequestHeaderFilterRule: '(' is not a regular expression (at character 1: missing closing parenthesis)"],
        ),
        case("QS_VipHeaderName X=(", &["QS_VipHeaderName: '(' is not a regular expression (at character 1: missing closing parenthesis)"]),
        case("QS_VipIPHeaderName =x", &["QS_VipIPHeaderName: '=x' is not the name of a header"]),
        case("QS_UserTrackingCookieName uid /a /b", &["QS_UserTrackingCookieName: '/b' is not the only one of its kind"]),
        case("QS_UserTrackingCookieName uid /a;b", &["QS_UserTrackingCookieName: '/a;b' is neither a path nor a domain"]),
        case("QS_SrvSampleRate 5 6", &["QS_SrvSampleRate: '6' is too large; expected a number of seconds from 0 to 5"]),
        case("<VirtualHost *:1>\nQS_SrvMaxConn 5x\n</VirtualHost>", &["QS_SrvMaxConn: '5x' is not a number"]),
        case("<Location />\nQS_LimitRequestBody 5x\n</Location>", &["QS_LimitRequestBody: '5x' is not a number"]),
        case("<Location />\nQS_SrvMinDataRateOffEvent x\n</Location>", &["QS_SrvMinDataRateOffEvent: 'x'"]),
        case("QS_SrvMaxConn \"5\x01\"", &["QS_SrvMaxConn: '5", "x01' is not a number"]),
    ]
}

/// Starts two httpd at a time and returns what went wrong.
fn refused(cases: &[Case]) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = match configtest(Mpm::Event, &case.config) {
                Ok(_) => Some("is accepted".to_owned()),
                Err(text) if !text.contains("Syntax error on line") => Some(format!("is refused without position: {text}")),
                Err(text) if case.words.iter().all(|word| text.contains(word.as_str())) => None,
                Err(text) => Some(format!("is refused without {:?}: {text}", case.words)),
            };
            wrong.lock().unwrap().extend(verdict.map(|verdict| format!("{:?} {verdict}", case.config)));
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    wrong.into_inner().unwrap()
}

#[test]
fn each_directive_of_the_module_has_a_row() {
    let mut listed = TABLE.iter().map(|row| row.name).collect::<Vec<_>>();
    let mut known = directives().map(|directive| directive.name()).collect::<Vec<_>>();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn each_kind_of_bad_value_is_refused_with_an_error_that_says_what_would_be_right() {
    let cases = TABLE.iter().flat_map(cases).chain(special_cases()).collect::<Vec<_>>();
    assert!(cases.len() > 250, "{} cases", cases.len());
    let wrong = refused(&cases);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn each_right_form_is_accepted_wherever_the_directive_may_stand() {
    let countries = std::env::temp_dir().join(format!("configtest-{}.csv", std::process::id()));
    std::fs::write(&countries, "\"3221225984\",\"3221226239\",\"CH\"\n").unwrap();
    let rounds = TABLE.iter().map(|row| row.good.len()).max().unwrap();
    for round in 0..rounds {
        let line = |row: &Row| row.good.get(round).map(|good| format!("{} {good}\n", row.name)).unwrap_or_default();
        let allowed = |row: &Row, scopes: &[Scope]| directives().any(|d| d.name() == row.name && scopes.contains(&d.scope));
        let lines = |scopes: &[Scope], without: &str| TABLE.iter().filter(|row| row.name != without && allowed(row, scopes)).map(line).collect::<String>();
        let server = lines(&[Scope::Server, Scope::ServerAndLocation], "");
        // Only one of the two directives of the data rate can be used, and one of the two names of the text in a body.
        for (without, name) in [("QS_SrvRequestRate", "QS_SetEnvResBody"), ("QS_SrvMinDataRate", "QS_SetEnvIfResBody")] {
            let location = lines(&[Scope::ServerAndLocation, Scope::Location], name);
            let main = lines(&[Scope::Global, Scope::Server, Scope::ServerAndLocation], without);
            let inner = format!("<Location />\n{location}</Location>\n<Directory @DOCS@>\n{location}</Directory>\n");
            let config = format!("{main}{inner}<VirtualHost *:1>\n{server}{inner}</VirtualHost>\n");
            let config = config.replace("@ROOT@/geo.csv", &countries.display().to_string());
            configtest(Mpm::Event, &config).unwrap_or_else(|text| panic!("{config}{text}"));
        }
    }
    let _ = std::fs::remove_file(countries);
}

#[test]
fn the_module_is_known_by_its_name_and_the_readme_configuration_loads_on_each_mpm() {
    const SEED: &str = "<ifmodule mod_qos.c>\nQS_ClientEntries 100000\nQS_SrvMaxConnPerIP 50\nMaxClients 256\nQS_SrvMaxConnClose 180\n\
                        QS_SrvMinDataRate 150 1000\n# LimitRequestFields 30\n# QS_LimitRequestBody 102400\n</ifmodule>";
    for mpm in Mpm::ALL {
        let said = configtest(mpm, SEED).unwrap_or_else(|text| panic!("{mpm:?}: {text}"));
        assert!(!said.contains("mod_qos"), "{mpm:?}: no remark on a good configuration: {said}");
        let inside = configtest(mpm, "<ifmodule mod_qos.c>\nQS_SrvMaxConn none\n</ifmodule>");
        assert!(inside.is_err_and(|text| text.contains("QS_SrvMaxConn: 'none' is not a number")), "{mpm:?}");
        let outside = configtest(mpm, "<ifmodule !mod_qos.c>\nQS_SrvMaxConn none\n</ifmodule>");
        assert!(outside.is_ok(), "{mpm:?}: {outside:?}");
    }
}

#[test]
fn directives_without_effect_are_accepted_with_a_warning() {
    let said = configtest(Mpm::Event, "QS_SemMemFile /var/tmp/qos\nQS_Chroot /var/empty").unwrap();
    for warning in ["[qos:warn]", "mod_qos(009): QS_SemMemFile has no effect", "mod_qos(009): QS_Chroot has no effect: use ChrootDir"] {
        assert!(said.contains(warning), "{warning}: {said}");
    }
}
