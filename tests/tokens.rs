//! Whoever forges a cookie is somebody without a cookie: never an error, one line where the specification has one (request-event.md section 14, W34, W35).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use httpd_lab::{RawClient, Response, Server, wait_until};
use qos_core::milestone::{Milestone, Milestones};
use qos_core::pattern::Pattern;
use qos_core::token::{Keys, NONCE_BYTES, Purpose, Secret};

const FROM: &str = "127.0.74.1";
const SECRET: &[u8] = b"a-secret-of-32-characters-for-all";
const PATTERNS: [&str; 2] = ["^GET /start", "^GET /small"];

/// A server with all kinds of cookies: `/small.txt` is for those who have reached the first milestone, and `/vip` for VIPs.
fn server() -> Server {
    let config = "LimitRequestFieldSize 16384\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\nAliasMatch ^/(start|vip) @DOCS@/small.txt\n\
                  SetEnvIf Request_URI ^/vip QS_EventRequest=1\nQS_ClientEventRequestLimit 0\nQS_VipUser\nQS_SessionTimeout 600\n\
                  QS_UserTrackingCookieName uid\nQS_MileStone deny \"^GET /start\"\nQS_MileStone deny \"^GET /small\"\n\
                  Header always set X-User \"%{mod_qos_user_id}e\"\nHeader always set X-Vip \"%{QS_IsVipRequest}e\"\n";
    let config = format!("QS_SessionKey {}\n{config}", std::str::from_utf8(SECRET).unwrap());
    Server::builder().config(&config).log_level("warn").log_env(&["mod_qos_ev", "QS_ErrorNotes"]).start()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The keys of a purpose as the server has them, or as somebody else would.
fn keys(purpose: Purpose, secret: &[u8]) -> Keys {
    let milestone = |pattern: &str| Milestone { pattern: Pattern::new(pattern.as_bytes()).unwrap(), deny: true, think_time: None };
    let digest = Milestones::new(&PATTERNS.map(milestone)).digest();
    let context = match purpose {
        Purpose::Session => b"MODQOS".to_vec(),
        Purpose::Milestone => [&b"QSSCD"[..], &digest].concat(),
        Purpose::Tracking | Purpose::Check => b"uid".to_vec(),
    };
    Keys::derive(purpose, &context, &[Secret::new(secret)])
}

fn seal(purpose: Purpose, secret: &[u8], at: i64, data: &[u8]) -> String {
    keys(purpose, secret).seal(&[9; NONCE_BYTES], at, 600, data, b"").unwrap()
}

/// The three cookies as they should be.
fn good() -> [(&'static str, Purpose, Vec<u8>); 3] {
    [("MODQOS", Purpose::Session, vec![]), ("QSSCD", Purpose::Milestone, vec![0; 4]), ("uid", Purpose::Tracking, b"somebody".to_vec())]
}

struct Tester {
    server: Server,
    client: RawClient,
}

impl Tester {
    fn get(&mut self, path: &str, cookie: &str) -> Response {
        self.client.request("GET", path, &[&format!("Cookie: {cookie}")], b"").unwrap_or_else(|error| panic!("{cookie}: {error}"))
    }

    /// Whether a cookie is worth something.
    fn is_taken(&mut self, name: &str, value: &str) -> bool {
        let cookie = format!("{name}={value}");
        match name {
            "MODQOS" => self.get("/start", &cookie).header("x-vip") == Some("yes"),
            "uid" => self.get("/start", &cookie).header("x-user") == Some("somebody"),
            _ => {
                // A denial ends no connection: 403.
                let status = self.get("/small.txt", &cookie).status;
                assert!(status == 200 || status == 403, "{status}");
                status == 200
            }
        }
    }

    /// A forged cookie: worth nothing, and for sessions one line more.
    fn refuses(&mut self, name: &str, value: &str, id: &str, what: &str) {
        assert!(!self.is_taken(name, value), "{name}, {what}: {value}");
        if name == "MODQOS" {
            let reason = if id == "023" { "expired" } else { "decoding failed" };
            self.server.expect_line(&format!("mod_qos({id}): session cookie verification failed, {reason}, c={FROM}, id=*"));
        }
    }
}

#[test]
fn forged_cookies_are_no_cookies() {
    let server = server();
    let client = RawClient::options().from(FROM.parse::<std::net::IpAddr>().unwrap()).connect(server.addr()).unwrap();
    let mut tester = Tester { server, client };
    let purposes = [Purpose::Session, Purpose::Milestone, Purpose::Tracking, Purpose::Check];
    for (name, purpose, data) in good() {
        let token = seal(purpose, SECRET, now(), &data);
        assert!(tester.is_taken(name, &token), "{name}: the good one");
        // Altered at every bit, and cut at every length.
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!tester.is_taken(name, &URL_SAFE_NO_PAD.encode(altered)), "{name}: bit {bit}");
        }
        for length in 0..token.len() {
            assert!(!tester.is_taken(name, &token[..length]), "{name}: {length} characters");
        }
        for other in purposes.into_iter().filter(|other| *other != purpose) {
            tester.refuses(name, &seal(other, SECRET, now(), &data), "021", "another purpose");
        }
        tester.refuses(name, &seal(purpose, SECRET, now() - 601, &data), "023", "expired");
        tester.refuses(name, &seal(purpose, SECRET, now() + 3600, &data), "021", "from the future");
        tester.refuses(name, &seal(purpose, b"another secret", now(), &data), "021", "a foreign key");
        for garbage in
            ["", "%00", "\"", "====", &"A".repeat(8192), &"\u{e4}".repeat(4000), &format!("{token}="), &format!("{token}{token}"), &token.to_lowercase()]
        {
            assert!(!tester.is_taken(name, garbage), "{name}: garbage of {} bytes", garbage.len());
        }
        // All that is as it should be still is.
        assert!(tester.is_taken(name, &token), "{name}: the good one, again");
    }
    // Nothing of it was an error of the server: no status 500, no line but those about sessions and milestones.
    let log = tester.server.error_log();
    let odd = log.lines().filter(|line| line.contains("mod_qos(") && !["(021)", "(023)", "(047)", "(009)", "(003)"].iter().any(|id| line.contains(id)));
    assert_eq!(odd.count(), 0, "{log}");
    assert!(!tester.server.access_log().contains("\" 500 "), "{}", tester.server.access_log());
    // Hundreds of forged cookies have not filled the log: 20 lines of a kind in a second, and how many there were besides, with the next one.
    let asked = tester.server.access_log().lines().filter(|line| line.contains("QS_ErrorNotes=021")).count();
    let summed_up = || tester.server.lines("021").iter().any(|line| line.contains("message repeated "));
    let next = || tester.server.ask(FROM, "/start", &["Cookie: MODQOS=x"]).is_some() && summed_up();
    assert!(wait_until(std::time::Duration::from_secs(5), next), "{:?}", tester.server.lines("021"));
    assert!(asked > 500 && tester.server.lines("021").len() < asked / 2, "{} lines of {asked}", tester.server.lines("021").len());
    tester.server.stop();
}

/// One request with a forged session gets one line.
#[test]
fn one_line_for_one_cookie() {
    let server = server();
    let token = |secret: &[u8], purpose, at| seal(purpose, secret, at, b"");
    let cases = [
        (token(SECRET, Purpose::Session, now() - 601), "023"),
        (token(SECRET, Purpose::Session, now() + 3600), "021"),
        (token(b"another secret", Purpose::Session, now()), "021"),
        (token(SECRET, Purpose::Milestone, now()), "021"),
        (token(SECRET, Purpose::Tracking, now()), "021"),
        (token(SECRET, Purpose::Check, now()), "021"),
        ("A".repeat(8192), "021"),
        ("x".to_owned(), "021"),
        (String::new(), "021"),
        ("x; MODQOS=y; MODQOS=z".to_owned(), "021"),
    ];
    for (n, (value, id)) in cases.into_iter().enumerate() {
        let before = server.lines(id).len();
        assert_eq!(server.ask(FROM, &format!("/start?{n}"), &[&format!("Cookie: MODQOS={value}")]).unwrap().status, 200);
        assert!(server.logged(&format!("/start?{n}")).ends_with(&format!("QS_ErrorNotes={id}")), "{}", server.access_log());
        assert_eq!(server.lines(id).len(), before + 1, "{value}");
    }
    // A good one among bad ones is one.
    let good = seal(Purpose::Session, SECRET, now(), b"");
    let response = server.ask(FROM, "/start?good", &[&format!("Cookie: MODQOS=x; MODQOS={good}")]).unwrap();
    assert_eq!((response.header("x-vip"), server.lines("021").len()), (Some("yes"), 9));
    server.stop();
}

/// No request makes the server encrypt what its client wants: the check page's token carries the target in the open.
#[test]
fn clients_choose_nothing_that_is_encrypted() {
    let config = "QS_UserTrackingCookieName uid /check.html\nQS_SessionKey a-secret-of-32-characters-for-all\n";
    let server = Server::builder().config(config).start();
    let tokens = ["/AAAAAAA", "/AAAAAAA9", "/0123456789012345678901234567890123456789"].map(|target| {
        let location = server.ask(FROM, target, &[]).unwrap().header("location").unwrap().to_owned();
        let token = URL_SAFE_NO_PAD.decode(location.split("?r=").nth(1).unwrap()).unwrap();
        assert!(token.ends_with(target.as_bytes()), "{location}");
        token.len() - target.len()
    });
    assert!(tokens.iter().all(|length| *length == tokens[0]), "what is sealed is the same for all: {tokens:?}");
    server.stop();
}
