//! What refused clients and administrators see: plain closes, summed-up log lines, log-only mode, the status line,
//! start-up notices (connection-client.md sections 6.3, 6.4, 13.2, 14, 15 and 16, E4; request-event.md section 17.2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use httpd_lab::{Builder, Mpm, RawClient, Server, wait_until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn showing(config: &str) -> Builder {
    // Without the filter the kernel keeps clients to itself until they have sent something.
    let show = "AcceptFilter http none\nAcceptFilter https none\nHeader always set X-All \"%{QS_AllConn}e\"\nKeepAliveTimeout 60\n";
    Server::builder().config(show).config(config).log_env(&["mod_qos_ev", "QS_ErrorNotes"])
}

fn connect(from: &str, to: SocketAddr) -> RawClient {
    RawClient::options().from(from.parse::<Ipv4Addr>().unwrap()).connect(to).unwrap()
}

/// A connection that was answered, and how many there were when it came.
fn served(from: &str, to: SocketAddr) -> Option<(RawClient, String)> {
    let mut client = connect(from, to);
    let response = client.get("/small.txt").ok()?;
    (response.status == 200).then(|| (client, response.header("x-all").unwrap().to_owned()))
}

/// Waits until no connection is open but `n` that are held. Asks from an address that nobody else uses.
fn only(server: &Server, n: usize) {
    let held = || served("127.0.20.99", server.addr()).is_some_and(|(_, all)| all == (n + 1).to_string());
    assert!(wait_until(SECONDS(10), held), "connections that nobody holds are counted");
}

/// The server closes without a word, after at most the time an orderly close takes.
fn closed_without_a_byte(mut client: RawClient) {
    assert!(client.wait_closed(SECONDS(5)).is_some(), "not closed");
    match client.read_some(1) {
        Ok(bytes) => assert!(bytes.is_empty(), "heard {bytes:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// The lines of the error log with `text`, from that text on.
fn lines(server: &Server, text: &str) -> Vec<String> {
    server.error_log().lines().filter_map(|line| Some(line[line.find(text)?..].to_owned())).collect()
}

/// Example E4, for a rule: 77 refusals at `to`, and what is said of them.
fn seventy_seven(server: &Server, to: SocketAddr, id: &str, rule: &str) {
    // One stays: with the last connection of an address what was refused to it is forgotten.
    let (_stays, held) = (served("127.0.20.1", to).unwrap(), served("127.0.20.1", to).unwrap());
    let mut worst = Duration::ZERO;
    for _ in 0..77 {
        let start = Instant::now();
        closed_without_a_byte(connect("127.0.20.1", to));
        worst = worst.max(start.elapsed());
    }
    assert!(worst < SECONDS(2), "a refusal took {worst:?}");
    let said = || lines(server, &format!("mod_qos({id})"));
    assert!(wait_until(SECONDS(5), || said().len() >= 22), "{:#?}", said());
    drop(held);
    only(server, 1);
    let (_back, _) = served("127.0.20.1", to).expect("served again");
    assert!(wait_until(SECONDS(5), || said().len() >= 23), "{:#?}", said());
    let said = said();
    let start = format!("mod_qos({id}): access denied, {rule} rule: max=2, concurrent connections=");
    let is_line = |line: &str, start: &str, end: &str| {
        let count = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        count.is_some_and(|count| count.parse::<u32>().is_ok())
    };
    assert_eq!(said.len(), 23, "{said:#?}");
    assert!(said[..20].iter().all(|line| is_line(line, &start, ", c=127.0.20.1")), "{said:#?}");
    assert!(said[20..22].iter().all(|line| is_line(line, &start, ", message repeated 20 times, c=127.0.20.1")), "{said:#?}");
    let previously = start.replace("access denied", "access denied (previously)");
    assert!(is_line(&said[22], &previously, ", message repeated 17 times, c=127.0.20.1"), "{said:#?}");
    // A few refusals after that are written singly again.
    closed_without_a_byte(connect("127.0.20.1", to));
    assert!(wait_until(SECONDS(5), || lines(server, &format!("mod_qos({id})")).last().is_some_and(|line| is_line(line, &start, ", c=127.0.20.1"))));
}

#[test]
fn repeated_refusals_are_summed_up() {
    let config = "<VirtualHost *:@PORT1@>\nQS_SrvMaxConnPerIP 2\n</VirtualHost>\n<VirtualHost *:@PORT2@>\nQS_SrvMaxConn 2\n</VirtualHost>";
    for mpm in Mpm::ALL {
        let server = showing(config).mpm(mpm).vhost_ports(2).start();
        let to = |k| (Ipv4Addr::LOCALHOST, server.vhost_port(k)).into();
        only(&server, 0);
        seventy_seven(&server, to(1), "031", "QS_SrvMaxConnPerIP");
        only(&server, 0);
        seventy_seven(&server, to(2), "030", "QS_SrvMaxConn");
        server.stop();
    }
}

#[test]
fn refused_clients_hear_nothing_on_plain_and_tls_ports() {
    for (mpm, forced) in [(Mpm::Event, "on"), (Mpm::Event, "off"), (Mpm::Worker, "off"), (Mpm::Prefork, "on"), (Mpm::Prefork, "off")] {
        let server = showing(&format!("QS_SrvMaxConn 1\nQS_ForcedClose {forced}")).mpm(mpm).tls().start();
        let mut held = None;
        assert!(
            wait_until(SECONDS(5), || {
                held = served("127.0.20.1", server.addr());
                held.is_some()
            }),
            "{mpm:?} {forced}: the connections of the start end"
        );
        let (mut held, _) = held.unwrap();
        let before = server.count_log("mod_qos(030)");
        for round in 0..3 {
            // Silent ones, and ones that speak first.
            closed_without_a_byte(connect("127.0.20.2", server.addr()));
            closed_without_a_byte(connect("127.0.20.2", server.tls_addr()));
            let mut speaks = connect("127.0.20.2", server.addr());
            let _ = speaks.send("GET /small.txt?refused HTTP/1.1\r\nHost: localhost\r\n\r\n");
            closed_without_a_byte(speaks);
            let tls = RawClient::options().from("127.0.20.2".parse::<Ipv4Addr>().unwrap()).tls().connect(server.tls_addr());
            assert!(tls.is_err(), "{mpm:?} {forced}: no handshake");
            assert_eq!(held.get("/small.txt").unwrap().status, 200, "{mpm:?} {forced}: round {round}");
        }
        assert_eq!(server.count_log("mod_qos(030): access denied, QS_SrvMaxConn rule: max=1, ") - before, 12, "{mpm:?} {forced}: {}", server.error_log());
        assert!(!server.access_log().contains("refused"), "{mpm:?} {forced}: {}", server.access_log());
        drop(held);
        assert!(wait_until(SECONDS(5), || served("127.0.20.2", server.addr()).is_some()), "{mpm:?} {forced}: room again");
        server.stop();
    }
}

#[test]
fn in_log_only_mode_every_rule_speaks_and_everybody_is_served() {
    for mpm in Mpm::ALL {
        let server = showing("QS_SrvMaxConn 1\nQS_SrvMaxConnPerIP 1\nQS_LogOnly on").mpm(mpm).tls().start();
        assert!(server.error_log().contains("[qos:notice]") && server.error_log().contains("mod_qos(009): running in 'log only' mode"), "{mpm:?}");
        let mut first = None;
        let alone = || {
            first = None;
            first = served("127.0.20.1", server.addr()).filter(|(_, all)| all == "1");
            first.is_some()
        };
        assert!(wait_until(SECONDS(5), alone), "{mpm:?}: the connections of the start end");
        let before = server.count_log("(log only)");
        let second = served("127.0.20.1", server.addr()).expect("served");
        let mut tls = RawClient::options().from("127.0.20.2".parse::<Ipv4Addr>().unwrap()).tls().connect(server.tls_addr()).unwrap();
        assert_eq!((second.1.as_str(), tls.get("/small.txt").unwrap().status), ("2", 200), "{mpm:?}");
        let said = lines(&server, "mod_qos(03").split_off(before);
        assert_eq!(
            said,
            [
                "mod_qos(030): access denied (log only), QS_SrvMaxConn rule: max=1, concurrent connections=2, c=127.0.20.1",
                "mod_qos(031): access denied (log only), QS_SrvMaxConnPerIP rule: max=1, concurrent connections=2, c=127.0.20.1",
                "mod_qos(030): access denied (log only), QS_SrvMaxConn rule: max=1, concurrent connections=3, c=127.0.20.2",
            ],
            "{mpm:?}"
        );
        server.stop();
    }
}

/// The line comes with the full minute: the other tests of this file run meanwhile.
#[test]
fn a_status_line_is_written_once_a_minute() {
    let server = showing("QS_Status on\nLogLevel crit").processes(4).start();
    let preferring = showing("QS_Status on\nQS_ClientPrefer").start();
    let start = Instant::now();
    // The harness and three pages: one plain text, three html.
    (0..3).for_each(|_| drop(preferring.client().get("/index.html").unwrap()));
    let held = [1, 2, 3].map(|n| served(&format!("127.0.20.{n}"), server.addr()).unwrap());
    only(&server, 3);
    assert!(server.wait_for_log("mod_qos(200): ", SECONDS(65)), "{}", server.error_log());
    // Each of the four children looks once a second.
    std::thread::sleep(SECONDS(3));
    let said = lines(&server, "mod_qos(200): ");
    assert_eq!(said.len(), 1, "{said:#?}");
    let log = server.error_log();
    let line = log.lines().find(|line| line.contains("mod_qos(200)")).unwrap();
    assert!(line.contains("[qos:notice]"), "whatever LogLevel says: {line}");
    let second = line.split(':').nth(2).and_then(|rest| rest.get(..2)).and_then(|text| text.parse::<u32>().ok()).unwrap();
    assert!(second < 3 || start.elapsed() < SECONDS(5), "with the full minute: {line}");

    let numbers =
        said[0].split(|c: char| !c.is_ascii_digit()).filter(|text| !text.is_empty()).skip(1).map(|text| text.parse::<u32>().unwrap()).collect::<Vec<_>>();
    let [open, waiting, read, write, keepalive, starting, log, dns, closing, finishing, idle, max, busy, all] = numbers[..] else { panic!("{}", said[0]) };
    let exact = format!(
        "mod_qos(200): {{ \"scoreboard\": {{ \"open\": {open}, \"waiting\": {waiting}, \"read\": {read}, \"write\": {write}, \"keepalive\": {keepalive}, \
         \"start\": {starting}, \"log\": {log}, \"dns\": {dns}, \"closing\": {closing}, \"finishing\": {finishing}, \"idle\": {idle} }}, \
         \"maxclients\": {{ \"max\": {max}, \"busy\": {busy}, \"QS_AllConn\": {all} }} }}"
    );
    assert_eq!(said[0], exact);
    // 16 processes with 64 threads have room in the scoreboard; 64 threads run, and event holds twice as many idle.
    assert_eq!(open + waiting + read + write + keepalive + starting + log + dns + closing + finishing + idle, 16 * 64, "{exact}");
    assert_eq!((waiting + read + write + keepalive, max, busy, all), (64, 192, read + write + keepalive + log + dns, held.len() as u32), "{exact}");
    // With QS_ClientPrefer, what all clients asked for.
    assert!(preferring.wait_for_log("mod_qos(200): ", SECONDS(5)), "{}", preferring.error_log());
    preferring.expect_line(
        "mod_qos(200): { \"scoreboard\": { \"open\": #, \"waiting\": #, \"read\": #, \"write\": #, \"keepalive\": #, \"start\": #, \"log\": #, \"dns\": #, \
         \"closing\": #, \"finishing\": #, \"idle\": # }, \"maxclients\": { \"max\": 192, \"busy\": #, \"QS_AllConn\": # }, \
         \"clientContentTypes\": { \"html\": 3, \"css/js\": 0, \"images\": 0, \"other\": #, \"304\": 0 } }",
    );
}

#[test]
fn the_phases_of_a_request_are_logged_with_its_variables() {
    let config = "QS_LogEnv on\nSetEnvIf Request_URI txt later=yes\nErrorDocument 404 /small.txt\n<VirtualHost *:@PORT1@>\nQS_LogEnv off\n</VirtualHost>";
    let server = showing(config).vhost_ports(1).start();
    let quiet = served("127.0.20.1", (Ipv4Addr::LOCALHOST, server.vhost_port(1)).into());
    assert!(quiet.is_some());
    let mine = |server: &Server| lines(server, "mod_qos(210): ENV ").into_iter().skip_while(|line| !line.contains("QS_AllConn")).collect::<Vec<_>>();
    let markers = |said: &[String]| said.iter().map(|line| line["mod_qos(210): ENV ".len()..].split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    const ALL: [&str; 7] = [">PR_1", ">PR_2", ">HP_1", ">HP_2", ">HP_3", ">FX_1", "<LG_1"];
    // The harness has asked at the start, too, and its request may not be logged yet.
    assert!(wait_until(SECONDS(5), || mine(&server).len() % ALL.len() == 0), "{:#?}", mine(&server));
    let before = mine(&server).len();
    let (mut client, _) = served("127.0.20.1", server.addr()).unwrap();
    assert!(wait_until(SECONDS(5), || mine(&server).len() == before + ALL.len()), "{:#?}", mine(&server));
    let said = mine(&server).split_off(before);
    assert_eq!(markers(&said), ALL);
    assert!(!said[0].contains("later=yes;"), "before mod_setenvif: {}", said[0]);
    let (newer, older) = (said[1].find("later=yes;").unwrap(), said[1].find("QS_AllConn=").unwrap());
    assert!(newer < older, "newest first: {}", said[1]);
    let id = said[6].rsplit(' ').next().unwrap();
    assert!(id.len() >= 8 && said.iter().all(|line| line.ends_with(&format!("; {id}"))), "each line ends with the id of the request: {said:#?}");

    assert_eq!(client.get("/missing").unwrap().status, 404);
    let last = || mine(&server).last().is_some_and(|line| line.contains("<LG_1")) && mine(&server).len() > before + ALL.len();
    assert!(wait_until(SECONDS(5), last));
    let redirected = [">PR_1", ">PR_2", ">HP_1", ">HP_2", ">HP_3", ">FX_1", ">PR_1", ">PR_2", ">FX_1", "<LG_1"];
    assert_eq!(markers(&mine(&server).split_off(before + ALL.len())), redirected, "limits act on the initial request only");
}

#[test]
fn handlers_can_be_switched_off() {
    let places = "<Location /view>\nSetHandler qos-viewer\n</Location>\n<Location /console>\nSetHandler qos-console\n</Location>";
    let config = format!("QS_DisableHandler on\n{places}\nErrorDocument 404 /small.txt\n<VirtualHost *:@PORT1@>\nQS_LimitRequestBody 5\n</VirtualHost>");
    let server = showing(&config).vhost_ports(1).start();
    for (to, path) in [(server.addr(), "/view"), (server.addr(), "/console"), ((Ipv4Addr::LOCALHOST, server.vhost_port(1)).into(), "/view")] {
        let response = connect("127.0.20.1", to).get(path).unwrap();
        assert_eq!((response.status, response.text().as_str()), (404, "small\n"), "{path}");
    }
    let said = || lines(&server, "mod_qos(072): ");
    assert!(wait_until(SECONDS(5), || said().len() == 3), "{}", server.error_log());
    assert!(said().iter().all(|line| line.contains("handler has been disabled for this host, id=")), "{:#?}", said());
    assert!(server.wait_for_access("\"GET /view HTTP/1.1\" 404", SECONDS(5)));
    assert!(server.access_log().lines().all(|line| line.ends_with(" mod_qos_ev=- QS_ErrorNotes=072")), "{}", server.access_log());
}

#[test]
fn an_applied_capacity_that_differs_from_the_computed_one_is_said_at_start() {
    for (mpm, computed) in [(Mpm::Event, 192), (Mpm::Worker, 64), (Mpm::Prefork, 64)] {
        let server = showing("QS_MaxClients 10").mpm(mpm).start();
        let notice = format!("mod_qos(007): calculated MaxClients/MaxRequestWorkers (max connections): {computed}, applied limit: 10");
        let said = lines(&server, "mod_qos(007)");
        assert!(!said.is_empty() && said.iter().all(|line| *line == notice), "{mpm:?}: {said:#?}");
        // The texts are those of the original.
        let said = lines(&server, "mod_qos(009): mod_unique_id");
        assert!(
            said.iter().any(|line| line == "mod_qos(009): mod_unique_id not available (mod_qos generates simple request id if required)"),
            "{mpm:?}: {said:#?}"
        );
        assert!(server.error_log().contains("[qos:warn]"), "{mpm:?}");
        server.stop();
        let server = showing(&format!("QS_MaxClients {computed}")).mpm(mpm).start();
        assert_eq!(server.count_log("mod_qos(007)"), 0, "{mpm:?}: {}", server.error_log());
        server.stop();
    }
}
