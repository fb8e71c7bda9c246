//! Which rules and which counters a virtual host has (connection-client.md sections 2, 3.1, 6.8, 6.9 and 16, E2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use httpd_lab::{Builder, Mpm, RawClient, Server, SlowPlan, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn hosts(config: &str) -> Builder {
    let show = "Header always set X-Conn \"%{QS_SrvConn}e/%{QS_AllConn}e\"\nKeepAliveTimeout 60\n";
    Server::builder().config(show).config(config).vhost_ports(3).log_env(&["mod_qos_ev"])
}

/// The plain port, or that of the k-th virtual host.
fn port(server: &Server, k: usize) -> u16 {
    if k == 0 { server.port() } else { server.vhost_port(k) }
}

/// A connection to the k-th host that was answered once; `None` if it was closed without a byte.
fn hold(server: &Server, k: usize, from: &str) -> Option<(RawClient, String)> {
    let from: IpAddr = from.parse().unwrap();
    let to = if from.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
    let mut client = RawClient::connect(Some(from), SocketAddr::new(to, port(server, k))).unwrap();
    let response = client.get("/small.txt").ok()?;
    assert_eq!(response.status, 200);
    Some((client, response.header("x-conn").unwrap().to_owned()))
}

/// The first connection after those of the start have ended.
fn first(server: &Server, k: usize, from: &str) -> RawClient {
    let mut held = None;
    let alone = || {
        held = None;
        held = hold(server, k, from).filter(|(_, counts)| counts == "1/1");
        held.is_some()
    };
    assert!(wait_until(SECONDS(10), alone), "connections that nobody holds are counted");
    held.unwrap().0
}

/// Example E2.
#[test]
fn hosts_without_limits_of_their_own_share_those_of_the_main_server() {
    let config = "QS_SrvMaxConn 5\n<VirtualHost *:@PORT1@>\nQS_SrvMaxConn 3\n</VirtualHost>\n\
                  <VirtualHost *:@PORT2@>\nQS_LimitRequestBody 100\n</VirtualHost>\n<VirtualHost *:@PORT3@>\n</VirtualHost>";
    const X: usize = 1;
    const Y: usize = 2;
    const Z: usize = 3;
    for mpm in Mpm::ALL {
        let server = hosts(config).mpm(mpm).start();
        let mut held = vec![first(&server, X, "127.0.16.1")];
        for (k, counts) in [(X, "2/2"), (X, "3/3"), (Y, "1/4"), (Y, "2/5"), (Y, "3/6"), (Z, "4/7"), (Z, "5/8")] {
            let (client, seen) = hold(&server, k, "127.0.16.1").unwrap_or_else(|| panic!("{mpm:?}: host {k}, {counts}: {}", server.error_log()));
            assert_eq!(seen, counts, "{mpm:?}: host {k}");
            held.push(client);
        }
        for k in [0, X, Y, Z] {
            assert!(hold(&server, k, "127.0.16.2").is_none(), "{mpm:?}: host {k} is full");
        }
        let line = |max, count| format!("mod_qos(030): access denied, QS_SrvMaxConn rule: max={max}, concurrent connections={count}, c=127.0.16.2");
        assert!(server.wait_for_log(&line(3, 4), SECONDS(5)) && server.wait_for_log(&line(5, 6), SECONDS(5)), "{}", server.error_log());
        // One of the shared ones ends: there is room on each host that shares, not on X.
        held.pop();
        for k in [Y, 0, Z] {
            assert!(wait_until(SECONDS(5), || hold(&server, k, "127.0.16.3").is_some()), "{mpm:?}: host {k}");
        }
        assert!(hold(&server, X, "127.0.16.3").is_none(), "{mpm:?}");
        server.stop();
    }
}

#[test]
fn a_host_with_a_configuration_counts_alone_where_the_main_server_has_no_limit() {
    let config = "<VirtualHost *:@PORT1@>\nQS_SrvMaxConnPerIP 2 1\n</VirtualHost>\n<VirtualHost *:@PORT2@>\nQS_LimitRequestBody 100\n</VirtualHost>\n\
                  <VirtualHost *:@PORT3@>\n</VirtualHost>";
    let server = hosts(config).start();
    let _main = first(&server, 0, "127.0.16.1");
    let shared = hold(&server, 3, "127.0.16.1").unwrap();
    assert_eq!(shared.1, "2/2", "without any directive: the main server's record");
    let own = hold(&server, 2, "127.0.16.1").unwrap();
    assert_eq!(own.1, "1/3");
    // W04: a threshold of 1 does not switch the rule off; the connections to other hosts do not count for this one.
    let two = (hold(&server, 1, "127.0.16.1").unwrap(), hold(&server, 1, "127.0.16.1").unwrap());
    assert_eq!((two.0.1.as_str(), two.1.1.as_str()), ("1/4", "2/5"));
    assert!(hold(&server, 1, "127.0.16.1").is_none(), "the third");
    assert!(hold(&server, 1, "127.0.16.2").is_some(), "another address");
}

/// Example E3, and section 6.8: each argument is inherited by itself.
#[test]
fn the_per_address_rule_acts_from_a_number_of_connections_that_a_host_inherits() {
    let config = "QS_SrvMaxConnPerIP 5 8\n<VirtualHost *:@PORT1@>\nQS_SrvMaxConnPerIP 2\n</VirtualHost>";
    let server = hosts(config).start();
    let mut held = vec![first(&server, 0, "127.0.16.1")];
    held.extend((2..=7).map(|n| hold(&server, 0, "127.0.16.1").unwrap_or_else(|| panic!("{n} of 7 on an idle server")).0));
    assert!(hold(&server, 0, "127.0.16.1").is_none(), "8 > 5 and 8 >= 8");
    let line = "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=5, concurrent connections=8, c=127.0.16.1";
    assert!(server.wait_for_log(line, SECONDS(5)), "{}", server.error_log());
    let other = hold(&server, 0, "127.0.16.2").expect("another client's first connection");
    // On the host the limit is 2, the threshold is still 8.
    drop((held.split_off(3), other));
    let idle = |count: &str| wait_until(SECONDS(5), || hold(&server, 1, "127.0.16.3").is_some_and(|(_, seen)| seen.ends_with(count)));
    assert!(idle("/4"), "three are left: {}", server.error_log());
    let mut own = vec![];
    for _ in 0..3 {
        assert!(wait_until(SECONDS(5), || hold(&server, 1, "127.0.16.1").map(|(client, _)| own.push(client)).is_some()));
    }
    while hold(&server, 0, "127.0.16.2").map(|(client, seen)| (held.push(client), seen.ends_with("/8")).1) == Some(false) {}
    assert!(hold(&server, 1, "127.0.16.1").is_none(), "4 > 2 and 9 >= 8");
    assert!(server.wait_for_log("QS_SrvMaxConnPerIP rule: max=2, concurrent connections=4, c=127.0.16.1", SECONDS(5)), "{}", server.error_log());
}

/// W03: of a name-based host, too, the connections to its address count.
#[test]
fn the_close_limit_of_a_name_based_host_is_compared_with_the_connections_of_its_port() {
    let config = "<VirtualHost *:@PORT1@>\nServerName a.example\n</VirtualHost>\n\
                  <VirtualHost *:@PORT1@>\nServerName b.example\nQS_SrvMaxConnClose 2\n</VirtualHost>";
    let server = hosts(config).start();
    let held = [first(&server, 1, "127.0.16.1"), hold(&server, 1, "127.0.16.1").unwrap().0];
    let mut third = hold(&server, 1, "127.0.16.1").unwrap().0;
    let ask = |client: &mut RawClient, host: &str| {
        client.send(format!("GET /small.txt?{host} HTTP/1.1\r\nHost: {host}\r\n\r\n")).unwrap();
        client.read_response().unwrap().header("connection").map(str::to_owned)
    };
    assert_eq!(ask(&mut third, "a.example"), None);
    assert_eq!(ask(&mut third, "b.example").as_deref(), Some("close"));
    assert!(server.wait_for_access("GET /small.txt?b.example HTTP/1.1\" 200", SECONDS(5)) && server.access_log().contains(" - mod_qos_ev=K;"));
    drop((held, third));
    let one = || hold(&server, 1, "127.0.16.1").is_some_and(|(mut client, seen)| seen == "1/1" && ask(&mut client, "b.example").is_none());
    assert!(wait_until(SECONDS(5), one), "at the limit connections are kept");
}

#[test]
fn a_host_excludes_what_the_main_server_excludes_and_more() {
    let config = "QS_SrvMaxConnPerIP 1\nQS_SrvMaxConnExcludeIP 127.0.17.0/28\nQS_SrvMaxConnExcludeIP ::/96\n\
                  <VirtualHost *:@PORT1@>\nQS_SrvMaxConnExcludeIP 127.0.18.\n</VirtualHost>\n\
                  <VirtualHost *:@PORT2@>\nQS_SrvMaxConnPerIPIgnoreVIP on\n</VirtualHost>\n\
                  <VirtualHost *:@PORT3@>\nQS_LimitRequestBody 100\n</VirtualHost>";
    let server = hosts(config).listen_v6().start();
    let _others = first(&server, 0, "127.0.19.1");
    // Host and address, and whether two connections at a time are served.
    for (k, from, both) in [
        (0, "127.0.17.15", true),
        (0, "127.0.17.16", false),
        (0, "127.0.18.1", false),
        (0, "::1", true),
        (1, "127.0.17.1", true),
        (1, "127.0.18.255", true),
        (1, "127.0.180.1", false),
        (1, "::1", true),
        (2, "127.0.17.2", false),
        (2, "::1", false),
        (3, "127.0.17.3", true),
        (3, "127.0.18.3", false),
    ] {
        let one = hold(&server, k, from).unwrap_or_else(|| panic!("host {k}, {from}: {}", server.error_log()));
        let two = hold(&server, k, from);
        assert_eq!(two.is_some(), both, "host {k}, {from}: {}", server.error_log());
        if !both {
            let line = format!("QS_SrvMaxConnPerIP rule: max=1, concurrent connections=2, c={from}");
            assert!(server.wait_for_log(&line, SECONDS(5)), "{line}: {}", server.error_log());
        }
        drop((one, two));
        // Hosts that share a counter shall not see this client's connections.
        let alone = || hold(&server, 0, "127.0.17.14").is_some_and(|(_, seen)| seen.ends_with("/2"));
        assert!(wait_until(SECONDS(5), alone), "{}", server.error_log());
    }
}

#[test]
fn switching_the_data_rate_off_is_not_inherited_by_a_host_with_a_configuration() {
    let config = "QS_SrvMinDataRate 10000\nQS_SrvSampleRate 2\nQS_SrvDataRateOff\n\
                  <VirtualHost *:@PORT1@>\nQS_LimitRequestBody 100\n</VirtualHost>\n<VirtualHost *:@PORT2@>\n</VirtualHost>\n\
                  <VirtualHost *:@PORT3@>\nQS_SrvDataRateOff\n</VirtualHost>";
    let server = hosts(config).start();
    let slow = |k: usize| SlowPlan::head((Ipv4Addr::LOCALHOST, port(&server, k)).into()).connections(3).from(Ipv4Addr::new(127, 0, 16, 10 + k as u8)).start();
    let clients = [0, 1, 2, 3].map(slow);
    assert!(clients.iter().all(|clients| clients.wait_all_opened(SECONDS(5))));
    assert!(clients[1].wait_all_closed(SECONDS(10)).is_some(), "{}", server.error_log());
    // The others have had a second more than those.
    assert!(server.wait_for_log("QS_SrvMinDataRate rule (in): min=10000, this connection=", SECONDS(5)));
    std::thread::sleep(SECONDS(1));
    for k in [0, 2, 3] {
        assert_eq!(clients[k].open(), 3, "host {k}: {}", server.error_log());
    }
}
