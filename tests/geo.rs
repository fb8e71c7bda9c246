//! Countries (connection-client.md section 10, example E13): databases in both formats, the rule, and the address that a header names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use httpd_lab::mmdb::Mmdb;
use httpd_lab::said::{answer, hold};
use httpd_lab::{Builder, Mpm, RawClient, Server, configtest, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
/// Who fills the server, from Germany.
const GERMAN: &str = "127.0.63.1";
const AMERICAN: &str = "127.0.62.1";
const UNMAPPED: &str = "127.0.61.1";

/// A file that ends with the test.
struct Database(PathBuf);

impl Database {
    fn new(end: &str, content: &[u8]) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!("geo-{}-{}.{end}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&path, content).unwrap();
        Database(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn range(from: &str, to: &str, code: &str) -> String {
    let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
    format!("\"{from}\",\"{to}\",\"{}\",\"{}\",\"{code}\",\"Somewhere\"\n", number(from), number(to))
}

fn csv() -> Database {
    // A country called '-' is none.
    let text = range("127.0.60.0", "127.0.60.255", "-")
        + &range("127.0.62.0", "127.0.62.255", "US")
        + &range("127.0.63.0", "127.0.63.255", "DE")
        + &range("192.0.2.0", "192.0.2.127", "CH");
    Database::new("csv", text.as_bytes())
}

fn mmdb() -> Database {
    let file = Mmdb::new(6)
        .country("127.0.62.0/24", "US")
        .country("127.0.63.0/24", "DE")
        .other("127.0.60.0/24")
        .country("192.0.2.0/25", "CH")
        .country("2001:db8::/32", "FR");
    Database::new("mmdb", &file.bytes())
}

fn serving(database: &Database, config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nHeader always set X-Country \"%{QS_Country}e\"\nHeader always set X-All \"%{QS_AllConn}e\"\n";
    Server::builder().config(show).config(&format!("QS_ClientGeoCountryDB {}", database.path().display())).config(config).log_env(&["mod_qos_ev"])
}

/// So many connections, of which the first is the first of the server.
fn crowd(server: &Server, count: usize) -> Vec<RawClient> {
    assert!(wait_until(SECONDS(5), || server.open_connections() == 0));
    let held = hold(server, GERMAN, count);
    assert!(wait_until(SECONDS(5), || server.open_connections() == count));
    held
}

/// Country of a client that is served.
fn country(server: &Server, from: &str) -> Option<String> {
    answer(server.client_from(from).request("GET", "/small.txt", &["Connection: close"], b"")).map(|response| response.header("x-country").unwrap().to_owned())
}

/// Example E13.
#[test]
fn e13_who_may_still_connect() {
    for (database, exclude, log_only) in
        [(csv(), "", "off"), (mmdb(), "", "off"), (csv(), " excludeUnknown", "off"), (mmdb(), " EXCLUDEUNKNOWN", "off"), (mmdb(), "", "on")]
    {
        let what = format!("{} {exclude} {log_only}", database.path().display());
        // Lists add up; VIP and excluded addresses are not exempt.
        let rules =
            format!("QS_LogOnly {log_only}\nQS_ClientGeoCountryPriv ch 10\nQS_ClientGeoCountryPriv De,FR 10{exclude}\nQS_SrvMaxConnExcludeIP {AMERICAN}");
        let server = serving(&database, &rules).start();
        let mut held = crowd(&server, 8);
        // One after the other: the connection before has ended.
        let next = |from: &str, others: usize| {
            assert!(wait_until(SECONDS(5), || server.open_connections() == others));
            country(&server, from)
        };
        assert_eq!(
            [AMERICAN, UNMAPPED, "127.0.60.1", GERMAN].map(|from| next(from, 8)),
            ["US", "(null)", "(null)", "DE"].map(|code| Some(code.to_owned())),
            "{what}: the ninth"
        );
        assert!(wait_until(SECONDS(5), || server.open_connections() == 8));
        held.extend(hold(&server, GERMAN, 1));
        let tenth = [AMERICAN, UNMAPPED, "127.0.60.1", GERMAN].map(|from| next(from, 9).is_some());
        let unknown = !exclude.is_empty() || log_only == "on";
        assert_eq!(tenth, [log_only == "on", unknown, unknown, true], "{what}: the tenth");
        let mark = if log_only == "on" { " (log only)" } else { "" };
        server.expect_line(&format!(
            "mod_qos(101): access denied{mark}, QS_ClientGeoCountryPriv rule: max=10, concurrent connections=#, c={AMERICAN} country=US"
        ));
        let unknown = server.lines("101").iter().filter(|line| line.ends_with(" country=--")).count();
        assert_eq!(unknown, if exclude.is_empty() { 2 } else { 0 }, "{what}: {:#?}", server.lines("101"));
    }
}

#[test]
fn a_rule_without_a_database_is_said_to_be_one() {
    let server = Server::builder().config("QS_ClientGeoCountryPriv CH 1").start();
    assert!(
        server.error_log().lines().any(|line| line.contains("[qos:crit]") && line.contains("mod_qos(100): ") && line.contains("QS_ClientGeoCountryPriv")),
        "{}",
        server.error_log()
    );
    assert_eq!(server.status(UNMAPPED, "/small.txt"), Some(200));
}

/// Section 10.1 and release 11.78: whose country a request has. The rule about connections goes by the connection alone.
#[test]
fn a_header_names_the_address_whose_country_counts() {
    for database in [csv(), mmdb()] {
        let six = database.path().extension().unwrap() == "mmdb";
        for (directive, trusted) in
            [("QS_ClientGeoIpFromHeader X-Real-IP", true), ("QS_ClientIpFromHeader X-Real-IP", true), ("QS_ClientIpFromHeader X-Real-IP 127.0.61.0/24", false)]
        {
            let server = serving(&database, directive).start();
            let ask = |headers: &[&str]| server.ask(AMERICAN, "/small.txt", headers).unwrap().header("x-country").unwrap().to_owned();
            assert_eq!(ask(&[]), "US", "{directive}");
            assert_eq!(ask(&["X-Real-IP: 192.0.2.1"]), if trusted { "CH" } else { "US" }, "{directive}");
            // Known to nobody, or no address: the connection's.
            assert_eq!([ask(&["X-Real-IP: 192.0.2.200"]), ask(&["X-Real-IP: nonsense"])], ["US", "US"], "{directive}");
            assert_eq!(ask(&["X-Real-IP: 2001:db8::1"]), if six && trusted { "FR" } else { "US" }, "{directive}");
        }
    }
    // A variable that is set already stays (11.78); rules about variables see the country.
    let server = serving(
        &mmdb(),
        "SetEnvIf QS_Country ^US$ american=yes\nHeader always set X-American \"%{american}e\"\n<Location /page.shtml>\nSetOutputFilter INCLUDES\n</Location>",
    )
    .start();
    std::fs::write(server.docs().join("page.shtml"), "<!--#echo var=\"QS_Country\" -->").unwrap();
    let response = server.ask(AMERICAN, "/page.shtml", &[]).unwrap();
    assert_eq!((response.header("x-american"), response.text().as_str()), (Some("yes"), "US"));
}

/// Section 10.1: a database that cannot be used is an error of the configuration that says where.
#[test]
fn a_damaged_database_is_an_error_with_its_place() {
    let good = range("192.0.2.0", "192.0.2.255", "CH");
    let whole = std::fs::read(mmdb().path()).unwrap();
    let files = [
        ("csv", format!("{good}nonsense\n").into_bytes(), "line 2: 'nonsense'"),
        ("csv", format!("{good}\n{good}").into_bytes(), "line 2: ''"),
        ("csv", (range("198.51.100.0", "198.51.100.9", "US") + &good).into_bytes(), "line 2: "),
        ("csv", (good.clone() + &range("192.0.2.128", "192.0.3.0", "US")).into_bytes(), "line 2: "),
        ("csv", b"\"5\",\"4\",\"CH\"\n".to_vec(), "line 1: "),
        ("csv", b"\"5\",\"4294967296\",\"CH\"\n".to_vec(), "line 1: "),
        ("csv", b"\"5\",\"6\",\"Switzerland\"\n".to_vec(), "line 1: "),
        ("csv", Vec::new(), "the file is empty"),
        ("mmdb", whole[..whole.len() / 2].to_vec(), "the file is damaged: "),
        ("mmdb", whole[20..].to_vec(), "the file is damaged: "),
        ("mmdb", Mmdb::new(6).other("192.0.2.0/24").bytes(), "holds no countries"),
    ];
    for (end, content, words) in files {
        let file = Database::new(end, &content);
        let said = configtest(Mpm::Event, &format!("QS_ClientGeoCountryDB {}", file.path().display()));
        let text = said.expect_err(words);
        assert!(text.contains("QS_ClientGeoCountryDB: ") && text.contains(&file.path().display().to_string()) && text.contains(words), "{words}: {text}");
    }
    let missing = configtest(Mpm::Event, "QS_ClientGeoCountryDB /nowhere/at/all.mmdb").unwrap_err();
    assert!(missing.contains("QS_ClientGeoCountryDB: '/nowhere/at/all.mmdb'") && missing.contains("No such file"), "{missing}");
    // Relative to ServerRoot; one that is damaged later leaves the running server as it is.
    let file = csv();
    let server = serving(&file, "").start();
    std::fs::write(file.path(), "nonsense\n").unwrap();
    assert_eq!(country(&server, AMERICAN).as_deref(), Some("US"));
}
