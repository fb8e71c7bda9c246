//! IPv6 networks are one client, IPv4 in another notation is IPv4 (connection-client.md section 5.1, W28). In a network of its own, as
//! machines have but one IPv6 address on their loopback interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use httpd_lab::mmdb::Mmdb;
use httpd_lab::namespace::with_addresses;
use httpd_lab::said::{answer, by_query};
use httpd_lab::{Builder, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
/// Where the server listens for both families.
const BOTH: &str = "[::1]:8080";
const MAPPED: &str = "127.0.0.1:8080";
/// Two addresses in each of three networks of 64 bits; the first two networks are one of 56 bits.
const ADDRESSES: [&str; 7] = [
    "2001:db8:0:1::1/128",
    "2001:db8:0:1:ffff:ffff:ffff:ffff/128",
    "2001:db8:0:2::1/128",
    "2001:db8:0:2::2/128",
    "2001:db8:0:100::1/128",
    "2001:db8:0:100::2/128",
    "2001:db8:0:100::3/128",
];

fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\nListen [::]:8080\nHeader always set X-Ip \"%{QS_IPConn}e\"\nHeader always set X-Counter \"%{Login_Counter}e\"\n\
                Header always set X-Country \"%{QS_Country}e\"\n";
    Server::builder().config(show).config(&by_query(&["Login", "QS_Block", "QS_EventRequest"])).config(config)
}

fn connect(from: &str, to: &str) -> RawClient {
    RawClient::connect(Some(from.parse::<IpAddr>().unwrap()), to.parse::<SocketAddr>().unwrap()).unwrap()
}

fn ask(from: &str, to: &str, path: &str) -> Option<Response> {
    answer(connect(from, to).request("GET", path, &["Connection: close"], b""))
}

fn status(from: &str, path: &str) -> Option<u16> {
    ask(from, BOTH, path).map(|response| response.status)
}

/// The same as soon as connections before it, which the server closes by and by, leave room for one.
fn answered(from: &str, path: &str) -> Option<u16> {
    let mut said = None;
    wait_until(SECONDS(5), || {
        said = status(from, path);
        said.is_some()
    });
    said
}

/// A connection that stays, and how many the client has.
fn held(from: &str, to: &str) -> Option<(RawClient, String)> {
    let mut client = connect(from, to);
    let count = answer(client.get("/small.txt"))?.header("x-ip").unwrap().to_owned();
    Some((client, count))
}

const RULES: &str = "QS_SrvMaxConnPerIP 2\nQS_ClientEventBlockCount 2 600\nQS_ClientEventLimitCount 2 600 Login\nQS_ClientEventRequestLimit 0\nQS_ClientEventBlockExcludeIP 2001:db8:0:100::3";

#[test]
fn a_network_of_64_bits_is_one_client() {
    with_addresses(&ADDRESSES, || {
        let server = serving(RULES).start();
        // Connections.
        let first = held("2001:db8:0:1::1", BOTH).unwrap();
        let second = held("2001:db8:0:1:ffff:ffff:ffff:ffff", BOTH).unwrap();
        assert_eq!((first.1.as_str(), second.1.as_str()), ("1", "2"));
        assert!(held("2001:db8:0:1::1", BOTH).is_none());
        server.expect_line("mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=3, c=2001:db8:0:1::1");
        assert_eq!(held("2001:db8:0:2::1", BOTH).map(|(_, count)| count).as_deref(), Some("1"), "another network");
        drop((first, second));
        assert!(wait_until(SECONDS(5), || held("2001:db8:0:1::1", BOTH).is_some_and(|(_, count)| count == "1")));
        // Events.
        assert_eq!(answered("2001:db8:0:1::1", "/small.txt?Login=1"), Some(200));
        assert_eq!(answered("2001:db8:0:1:ffff:ffff:ffff:ffff", "/small.txt?Login=1"), Some(500));
        server.expect_line(
            "mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=2001:db8:0:1:ffff:ffff:ffff:ffff, id=*",
        );
        // The connections before may still be closing.
        assert!(wait_until(SECONDS(5), || status("2001:db8:0:1::1", "/small.txt") == Some(500)));
        assert_eq!(status("2001:db8:0:2::1", "/small.txt"), Some(200));
        // Blocks; an excluded address of the network is let in, and counted with it.
        assert_eq!(status("2001:db8:0:100::1", "/small.txt?QS_Block=1"), Some(200));
        assert_eq!(status("2001:db8:0:100::2", "/small.txt?QS_Block=1"), Some(500));
        assert_eq!(
            [status("2001:db8:0:100::1", "/small.txt"), status("2001:db8:0:100::3", "/small.txt"), status("2001:db8:0:2::2", "/small.txt")],
            [None, Some(200), Some(200)]
        );
        server.expect_line("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=2, current=2, age=#, c=2001:db8:0:100::1");
        // Places of requests.
        assert_eq!(status("2001:db8:0:2::2", "/small.txt?QS_EventRequest=1"), Some(500));
        server.expect_line("mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=0, current=1, c=2001:db8:0:2::2, id=*");
    });
}

#[test]
fn the_length_of_the_prefix_is_configured() {
    with_addresses(&ADDRESSES, || {
        let server = serving(RULES).config("QS_ClientIPv6Prefix 128").start();
        let _held = [held("2001:db8:0:1::1", BOTH), held("2001:db8:0:1::1", BOTH)].map(Option::unwrap);
        assert!(held("2001:db8:0:1::1", BOTH).is_none());
        assert_eq!(held("2001:db8:0:1:ffff:ffff:ffff:ffff", BOTH).map(|(_, count)| count).as_deref(), Some("1"));
        assert_eq!([status("2001:db8:0:2::1", "/small.txt?Login=2"), status("2001:db8:0:2::2", "/small.txt?Login=1")], [Some(500), Some(200)]);
        assert_eq!(status("2001:db8:0:100::1", "/small.txt?QS_Block=2"), Some(500));
        assert_eq!([status("2001:db8:0:100::1", "/small.txt"), status("2001:db8:0:100::2", "/small.txt")], [None, Some(200)]);
        drop(_held);
        server.stop();

        let server = serving(RULES).config("QS_ClientIPv6Prefix 56").start();
        let _held = [held("2001:db8:0:1::1", BOTH), held("2001:db8:0:2::1", BOTH)].map(Option::unwrap);
        assert!(held("2001:db8:0:2::2", BOTH).is_none());
        assert_eq!(held("2001:db8:0:100::1", BOTH).map(|(_, count)| count).as_deref(), Some("1"));
        drop(_held);
        let free = || status("2001:db8:0:1::1", "/small.txt?Login=2") == Some(500);
        assert!(wait_until(SECONDS(5), free));
        assert_eq!([status("2001:db8:0:2::1", "/small.txt"), status("2001:db8:0:100::1", "/small.txt")], [Some(500), Some(200)]);
        server.stop();
    });
}

#[test]
fn ipv4_is_ipv4_however_it_comes() {
    with_addresses(&ADDRESSES, || {
        for prefix in [64, 128] {
            let server = serving(RULES).config(&format!("QS_ClientIPv6Prefix {prefix}")).start();
            let plain = server.addr().to_string();
            let _held = [held("127.0.95.1", MAPPED), held("127.0.95.1", &plain)].map(Option::unwrap);
            assert_eq!(_held[1].1, "2", "one client at both doors");
            assert!(held("127.0.95.1", MAPPED).is_none() && held("127.0.95.1", &plain).is_none());
            server.expect_line("mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=3, c=127.0.95.1");
            // Its neighbour is another one: nothing is cut off.
            assert_eq!(held("127.0.95.2", MAPPED).map(|(_, count)| count).as_deref(), Some("1"));
            assert_eq!(ask("127.0.95.3", MAPPED, "/small.txt?Login=1").map(|response| response.status), Some(200));
            assert_eq!(ask("127.0.95.3", &plain, "/small.txt?Login=1").map(|response| response.status), Some(500));
            server.expect_line("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=Login, max=2, current=2, age=#, c=127.0.95.3, id=*");
            assert_eq!(ask("127.0.95.4", MAPPED, "/small.txt").map(|response| response.status), Some(200));
            assert_eq!(ask("127.0.95.5", MAPPED, "/small.txt?QS_Block=2").map(|response| response.status), Some(500));
            assert!(ask("127.0.95.5", &plain, "/small.txt").is_none() && ask("127.0.95.6", &plain, "/small.txt").is_some());
            server.stop();
        }
    });
}

/// Section 10.1: a MaxMind DB knows IPv6, too.
#[test]
fn countries_of_ipv6_clients() {
    with_addresses(&ADDRESSES, || {
        let file = std::env::temp_dir().join(format!("ipv6-{}.mmdb", std::process::id()));
        std::fs::write(&file, Mmdb::new(6).country("2001:db8:0:1::/64", "CH").country("127.0.95.0/24", "DE").country("2001:db8:0:2::1/128", "US").bytes())
            .unwrap();
        let config = format!("QS_ClientGeoCountryDB {}\nQS_ClientGeoCountryPriv CH 1\nQS_ClientGeoIpFromHeader X-Real-IP", file.display());
        let server = serving(&config).start();
        let country = |from: &str, to: &str| ask(from, to, "/small.txt").map(|response| response.header("x-country").unwrap().to_owned());
        assert_eq!(country("2001:db8:0:1::1", BOTH).as_deref(), Some("CH"));
        assert_eq!(
            ["127.0.95.1", "2001:db8:0:2::1", "2001:db8:0:100::1"].map(|from| country(from, if from.contains(':') { BOTH } else { MAPPED })),
            [const { None }; 3]
        );
        for line in ["c=127.0.95.1 country=DE", "c=2001:db8:0:2::1 country=US", "c=2001:db8:0:100::1 country=--"] {
            server.expect_line(&format!("mod_qos(101): access denied, QS_ClientGeoCountryPriv rule: max=1, concurrent connections=#, {line}"));
        }
        // W31: an IPv6 address in the header has a country as well, or none, and is no error.
        let mut client = connect("2001:db8:0:1::1", BOTH);
        for (named, country) in [("2001:db8:0:2::1", "US"), ("127.0.95.9", "DE"), ("2001:db8:ffff::1", "CH")] {
            let response = client.request("GET", "/small.txt", &[&format!("X-Real-IP: {named}")], b"").unwrap();
            assert_eq!(response.header("x-country"), Some(country), "{named}");
        }
        assert_eq!(server.lines("069"), Vec::<String>::new());
        let _ = std::fs::remove_file(file);
    });
}
