//! Behind a load balancer that announces its clients with the PROXY protocol, the announced address is the one that
//! counts (connection-client.md section 5.1, W26).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use httpd_lab::http2::curl;
use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Two connections for each client. The balancer is excluded, which must not help its clients.
const LIMITS: &str = "RemoteIPProxyProtocol On\nKeepAliveTimeout 60\nHeader always set X-Ip \"%{QS_IPConn}e\"\nQS_SrvMaxConnPerIP 2\n\
                      QS_SrvMaxConnExcludeIP 127.0.22.\nQS_SrvMaxConnExcludeIP 198.51.100.0/24";

fn behind_a_balancer() -> Builder {
    Server::builder().config(LIMITS).log_env(&["mod_qos_ev", "QS_IPConn"])
}

/// The balancer connects for a client, and the client's first request is answered; `None` if it hears nothing.
fn client(server: &Server, announced: &str) -> Option<RawClient> {
    let mut client = server.client_from("127.0.22.1");
    let (family, to) = if announced.contains(':') { ("TCP6", "2001:db8::80") } else { ("TCP4", "192.0.2.80") };
    client.send(format!("PROXY {family} {announced} {to} 4711 80\r\n")).unwrap();
    let response = client.get(&format!("/small.txt?{announced}"));
    match response {
        Ok(response) => {
            assert_eq!(response.status, 200);
            Some(client)
        }
        Err(error) => {
            use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            assert!([BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind()), "{error}");
            None
        }
    }
}

fn shown(client: &mut RawClient) -> String {
    client.get("/small.txt").unwrap().header("x-ip").unwrap().to_owned()
}

#[test]
fn the_announced_address_counts_and_the_balancer_does_not() {
    for mpm in Mpm::ALL {
        // Prefork starts further processes one by one.
        let server = if mpm == Mpm::Prefork { behind_a_balancer().processes(32) } else { behind_a_balancer() }.mpm(mpm).start();
        let mut held = Vec::new();
        for n in 1..=5 {
            for address in [format!("192.0.2.{n}"), format!("2001:db8:0:{n}::1")] {
                for count in ["1", "2"] {
                    let mut one = client(&server, &address).unwrap_or_else(|| panic!("{mpm:?}: {address}, {count}: {}", server.error_log()));
                    assert_eq!(shown(&mut one), count, "{mpm:?}: {address}");
                    held.push(one);
                }
            }
        }
        // Any other address of an IPv6 network is the same client.
        for address in ["192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:1::2"] {
            assert!(client(&server, address).is_none(), "{mpm:?}: the third of {address}");
            let line = format!("mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=3, c={address}");
            assert!(server.wait_for_log(&line, SECONDS(5)), "{mpm:?}: {}", server.error_log());
        }
        // An excluded client; keep-alive goes on for all.
        let mut excluded = (0..4).map(|_| client(&server, "198.51.100.7").expect("excluded")).collect::<Vec<_>>();
        assert_eq!(shown(&mut excluded[3]), "4", "{mpm:?}");
        assert!(server.wait_for_access("GET /small.txt?192.0.2.1 HTTP/1.1\" 200", SECONDS(5)));
        let vip = server.access_log().lines().filter(|line| line.starts_with("198.51.100.7 ") && line.contains(" mod_qos_ev=S; ")).count();
        assert!(vip >= 4, "{mpm:?}: {}", server.access_log());
        assert!(server.access_log().lines().filter(|line| line.starts_with("192.0.2.")).all(|line| line.contains(" mod_qos_ev=- ")), "{mpm:?}");
        held.iter_mut().for_each(|client| drop(shown(client)));
        // Its place is free again as soon as one ends, and not before.
        assert!(client(&server, "192.0.2.1").is_none(), "{mpm:?}");
        drop(held.remove(0));
        assert!(wait_until(SECONDS(5), || client(&server, "192.0.2.1").is_some()), "{mpm:?}: {}", server.error_log());
        server.stop();
    }
}

#[test]
fn log_only_serves_the_client_and_names_it() {
    let server = behind_a_balancer().config("QS_LogOnly on").start();
    let _held = [1, 2, 3].map(|_| client(&server, "192.0.2.1").expect("served"));
    let line = "mod_qos(031): access denied (log only), QS_SrvMaxConnPerIP rule: max=2, concurrent connections=3, c=192.0.2.1";
    assert!(server.wait_for_log(line, SECONDS(5)), "{}", server.error_log());
}

#[test]
fn streams_of_http2_count_once_for_the_announced_client() {
    // Told to end while a connection is just closing, event and mod_http2 crash by themselves.
    let server = behind_a_balancer().expect_crashes().http2().tls_config("RemoteIPProxyProtocol On").config("QS_SrvMaxConnExcludeIP 127.0.22.200").start();
    // curl announces its own address; its limit is used up by connections that come through the balancer.
    let ask = |from: &str, urls: &[&str], protocol: &str| {
        let mut arguments = vec!["--haproxy-protocol", "--interface", from, protocol, "-w", "%{http_code} %{http_version} %{num_connects};"];
        urls.iter().for_each(|url| arguments.extend(["-o", "/dev/null", url]));
        curl(&arguments)
    };
    let others = [1, 2].map(|_| client(&server, "127.0.23.1").unwrap());
    let (plain, tls) = (server.url("/small.txt"), server.tls_url("/small.txt"));
    // curl sends its PROXY header once too often when it uses a clear-text connection again.
    for (urls, protocol, expected) in
        [(&[plain.as_str()][..], "--http2-prior-knowledge", "200 2 1;"), (&[tls.as_str(), tls.as_str()], "--http2", "200 2 1;200 2 0;")]
    {
        let said = ask("127.0.23.2", urls, protocol);
        assert_eq!(said.out, expected, "{}\n{}", said.err, server.error_log());
        let refused = ask("127.0.23.1", urls, protocol);
        assert!(!refused.ok && !refused.out.contains("200"), "{}", refused.out);
    }
    let line = "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=2, concurrent connections=3, c=127.0.23.1";
    assert!(server.wait_for_log(line, SECONDS(5)), "{}", server.error_log());
    let streams = || server.access_log().lines().filter(|line| line.starts_with("127.0.23.2 ") && line.ends_with("mod_qos_ev=- QS_IPConn=1")).count();
    assert!(wait_until(SECONDS(5), || streams() == 3), "{}", server.access_log());
    // What they were counted in is given back.
    drop(others);
    let all_back = || [1, 2].map(|_| client(&server, "127.0.23.1")).iter().all(Option::is_some);
    assert!(wait_until(SECONDS(5), all_back), "{}", server.error_log());
    assert!(!server.error_log().contains("exit signal"), "{}", server.error_log());
}
