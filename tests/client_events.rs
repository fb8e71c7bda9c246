//! Events of clients: blocked, limited, counted (connection-client.md sections 9.6 to 9.9, examples E8 to E10).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use httpd_lab::{Builder, Mpm, RawClient, Response, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Shows what rules publish. `Event_NAME=value` in the query sets a variable.
fn serving(config: &str) -> Builder {
    let show = "AcceptFilter http none\nKeepAliveTimeout 60\n\
                SetEnvIfExpr \"%{QUERY_STRING} =~ /limit=(\\w*)/\" QS_Limit=$1\n\
                SetEnvIfExpr \"%{QUERY_STRING} =~ /block=(\\w*)/\" QS_Block=$1\n\
                Header always set X-Counter \"%{QS_Limit_Counter}e\"\nHeader always set X-Remaining \"%{QS_Limit_Remaining}e\"\n";
    Server::builder().config(show).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn get(client: &mut RawClient, path: &str) -> Response {
    client.get(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn refused(server: &Server, from: &str) -> bool {
    let mut client = server.client_from(from);
    client.wait_closed(SECONDS(5)).is_some() && client.read_some(1).map_or(true, |bytes| bytes.is_empty())
}

/// Example E8, with a window that is long enough for the test to be slow.
#[test]
fn e8_three_bad_answers_block_the_client() {
    for mpm in Mpm::ALL {
        let server = serving("QS_ClientEventBlockCount 3 8\nQS_SetEnvIfStatus 404 QS_Block").mpm(mpm).start();
        let mut client = server.client_from("127.0.30.1");
        let begin = Instant::now();
        for n in 0..3 {
            assert_eq!(get(&mut client, &format!("/missing?{n}")).status, 404, "{mpm:?}");
        }
        assert_eq!(get(&mut client, "/small.txt").status, 500, "{mpm:?}");
        assert!(
            server.wait_for_log("mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=3, age=", SECONDS(5)),
            "{}",
            server.error_log()
        );
        assert!(refused(&server, "127.0.30.1"), "{mpm:?}");
        assert_eq!(get(&mut server.client_from("127.0.30.2"), "/small.txt").status, 200, "another client");
        let again = || server.client_from("127.0.30.1").get("/small.txt").is_ok_and(|response| response.status == 200);
        assert!(wait_until(SECONDS(12), again), "{mpm:?}: {}", server.error_log());
        assert!(begin.elapsed() > SECONDS(7));
        server.stop();
    }
}

/// Example E9.
#[test]
fn e9_weighted_events_limit_the_client() {
    let server = serving("QS_ClientEventLimitCount 6 3").start();
    let mut client = server.client_from("127.0.30.1");
    let first = get(&mut client, "/small.txt?limit=3");
    assert_eq!((first.status, first.header("x-counter"), first.header("x-remaining")), (200, Some("3"), Some("3")));
    assert_eq!(get(&mut client, "/small.txt?limit=3").status, 500);
    assert!(
        server.wait_for_log("mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=6, current=6, age=", SECONDS(5)),
        "{}",
        server.error_log()
    );
    let mut second = server.client_from("127.0.30.1");
    assert_eq!(get(&mut second, "/small.txt").status, 500, "without the variable as well");
    assert_eq!(get(&mut server.client_from("127.0.30.2"), "/small.txt").status, 200, "another client");
    assert!(wait_until(SECONDS(8), || get(&mut server.client_from("127.0.30.1"), "/small.txt").status == 200));
}

/// A client that goes on asking cannot fill the log: 20 lines, then one for each 20; the rest is said when its limit is over.
#[test]
fn denied_requests_are_summed_up() {
    let server = serving("QS_ClientEventLimitCount 1 4").start();
    let begin = Instant::now();
    for _ in 0..77 {
        assert_eq!(get(&mut server.client_from("127.0.30.1"), "/small.txt?limit=1").status, 500);
    }
    assert!(begin.elapsed() < SECONDS(4), "the window must not end before");
    let line = "mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=1, current=";
    assert!(wait_until(SECONDS(5), || server.count_log(line) == 22), "{}", server.error_log());
    assert_eq!(server.count_log("message repeated 20 times, c=127.0.30.1"), 2);
    let served = || server.client_from("127.0.30.1").get("/small.txt").is_ok_and(|response| response.status == 200);
    assert!(wait_until(SECONDS(8), served));
    assert!(
        server.wait_for_log("mod_qos(067): access denied (previously), QS_ClientEventLimitCount rule: event=QS_Limit, max=1, current=", SECONDS(5)),
        "{}",
        server.error_log()
    );
    let asked = server.error_log().lines().filter(|line| line.contains("(previously)")).map(str::to_owned).collect::<Vec<_>>();
    assert!(asked.len() == 1 && asked[0].contains("message repeated "), "{asked:?}");
}
