//! Lines of per-client rules (connection-client.md section 15). Keys, their order and separators are fixed.

use super::block::Blocked;
use super::limit::Limited;
use super::marks::NotPreferred;
use super::pace::{Change, MAX_DELAY_MS, Pace};
use crate::address::Address;
use crate::message::Mark;

/// 060 at a new connection. `repeated`: the line stands for that many.
#[must_use]
pub fn blocked_connection(blocked: &Blocked, mark: Mark, repeated: Option<u32>, client: Address) -> String {
    let Blocked { max, current, age } = *blocked;
    let last = repeated.map_or_else(|| format!("age={age}"), |times| format!("message repeated {times} times"));
    format!("mod_qos(060): access denied{}, QS_ClientEventBlockCount rule: max={max}, current={current}, {last}, c={client}", mark.text())
}

/// 060 at a request. `repeated`: the line stands for that many.
#[must_use]
pub fn blocked_request(blocked: &Blocked, mark: Mark, repeated: Option<u32>, client: &str, id: &str) -> String {
    let Blocked { max, current, age } = *blocked;
    let repeated = again(repeated);
    format!("mod_qos(060): access denied{}, QS_ClientEventBlockCount rule: max={max}, current={current}, age={age}, {repeated}c={client}, id={id}", mark.text())
}

fn again(repeated: Option<u32>) -> String {
    repeated.map(|times| format!("message repeated {times} times, ")).unwrap_or_default()
}

/// 061 and 062.
#[must_use]
pub fn pace(change: Change, pace: Pace, limit: u32, client: &str, id: &str) -> String {
    let (number, max) = match change {
        Change::Slower => ("061", if pace.delay_ms >= MAX_DELAY_MS { " (max)" } else { "" }),
        Change::Faster => ("062", ""),
    };
    format!("mod_qos({number}): request rate limit, rule: QS_Event({limit}), req/sec={}, delay={}ms{max}, c={client}, id={id}", pace.per_second, pace.delay_ms)
}

/// 061 for a request that is denied because as many of its client are delayed already.
#[must_use]
pub fn too_many_delayed(max: u32, current: u32, mark: Mark, client: &str, id: &str) -> String {
    format!("mod_qos(061): access denied{}, QS_ClientEventPerSecLimit rule: max delayed={max}, current={current}, c={client}, id={id}", mark.text())
}

/// 065. `repeated`: the line stands for that many.
#[must_use]
pub fn event_requests(max: u32, current: u32, mark: Mark, repeated: Option<u32>, client: &str, id: &str) -> String {
    let repeated = again(repeated);
    format!("mod_qos(065): access denied{}, QS_ClientEventRequestLimit rule: max={max}, current={current}, {repeated}c={client}, id={id}", mark.text())
}

/// 066. `repeated`: the line stands for that many.
#[must_use]
pub fn not_preferred(found: &NotPreferred, mark: Mark, repeated: Option<u32>, client: Address) -> String {
    let NotPreferred { penalty, flags, max, connections } = *found;
    let repeated = again(repeated);
    format!(
        "mod_qos(066): access denied{}, QS_ClientPrefer rule (penalty={penalty} 0x{flags:02x}): max={max}, concurrent connections={connections}, {repeated}c={client}",
        mark.text()
    )
}

/// 067. `repeated`: the line stands for that many.
#[must_use]
pub fn limited(event: &str, conditional: bool, limited: &Limited, mark: Mark, repeated: Option<u32>, client: &str, id: &str) -> String {
    let repeated = again(repeated);
    let rule = if conditional { "QS_CondClientEventLimitCount" } else { "QS_ClientEventLimitCount" };
    let Limited { max, current, age } = *limited;
    format!("mod_qos(067): access denied{}, {rule} rule: event={event}, max={max}, current={current}, age={age}, {repeated}c={client}, id={id}", mark.text())
}

/// Which rule lets requests run one after the other, and for whom.
#[derive(Clone, Copy, Debug)]
pub enum Serialized<'a> {
    /// `QS_ClientSerialize`, with the client.
    Client(&'a str),
    /// `QS_SrvSerialize`.
    Server,
}

impl Serialized<'_> {
    fn rule(self) -> &'static str {
        match self {
            Serialized::Client(_) => "QS_ClientSerialize",
            Serialized::Server => "QS_SrvSerialize",
        }
    }

    fn client(self) -> String {
        match self {
            Serialized::Client(client) => format!(", c={client}"),
            Serialized::Server => String::new(),
        }
    }
}

/// 068: has waited for the whole time and runs although it is not its turn.
#[must_use]
pub fn waited(who: Serialized<'_>, seconds: u32, id: &str) -> String {
    format!("mod_qos(068): {} exceeds limit of {seconds} seconds{}, id={id}", who.rule(), who.client())
}

/// 068 for a request that is denied because as many wait already.
#[must_use]
pub fn too_many_waiting(who: Serialized<'_>, max: u32, current: u32, mark: Mark, id: &str) -> String {
    format!("mod_qos(068): access denied{}, {} rule: max waiting={max}, current={current}{}, id={id}", mark.text(), who.rule(), who.client())
}

/// 069. `missed`: how many were not logged before this one.
#[must_use]
pub fn header_problem(header: &str, value: Option<&str>, site: &str, missed: u64, fallback: &str, id: &str) -> String {
    let what = value.map_or_else(|| format!("header '{header}' is missing"), |value| format!("header '{header}' is not an address: '{value}'"));
    let missed = if missed == 0 { String::new() } else { format!("message repeated {missed} times, ") };
    format!("mod_qos(069): no valid IP header found ({site}): {what}, {missed}fallback to connection's IP {fallback}, id={id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: &str = "192.0.2.7";

    #[test]
    fn blocked() {
        let client = Address::parse(C.as_bytes()).unwrap();
        let found = Blocked { max: 3, current: 4, age: 9 };
        assert_eq!(
            blocked_connection(&found, Mark::Enforced, None, client),
            "mod_qos(060): access denied, QS_ClientEventBlockCount rule: max=3, current=4, age=9, c=192.0.2.7"
        );
        assert_eq!(
            blocked_connection(&found, Mark::Previously, Some(17), client),
            "mod_qos(060): access denied (previously), QS_ClientEventBlockCount rule: max=3, current=4, message repeated 17 times, c=192.0.2.7"
        );
        assert_eq!(
            blocked_request(&found, Mark::LogOnly, None, C, "x"),
            "mod_qos(060): access denied (log only), QS_ClientEventBlockCount rule: max=3, current=4, age=9, c=192.0.2.7, id=x"
        );
    }

    #[test]
    fn limits_as_fail2ban_reads_them() {
        let line = limited("QS_Limit", false, &Limited { max: 6, current: 6, age: 0 }, Mark::Enforced, None, C, "x");
        assert_eq!(line, "mod_qos(067): access denied, QS_ClientEventLimitCount rule: event=QS_Limit, max=6, current=6, age=0, c=192.0.2.7, id=x");
        let pattern = crate::pattern::Pattern::new(b"event=(.*), max=([0-9]+), current=([0-9]+), age=0, c=(.*), id=").unwrap();
        assert_eq!(pattern.matches(line.as_bytes()), crate::pattern::Match::Yes);
    }

    #[test]
    fn summed_up_lines_of_requests() {
        let line = limited("Login", true, &Limited { max: 3, current: 43, age: 9 }, Mark::Enforced, Some(20), C, "x");
        assert_eq!(
            line,
            "mod_qos(067): access denied, QS_CondClientEventLimitCount rule: event=Login, max=3, current=43, age=9, message repeated 20 times, c=192.0.2.7, id=x"
        );
    }

    #[test]
    fn the_others() {
        assert_eq!(
            pace(Change::Slower, Pace { per_second: 20, delay_ms: 5000 }, 5, C, "x"),
            "mod_qos(061): request rate limit, rule: QS_Event(5), req/sec=20, delay=5000ms (max), c=192.0.2.7, id=x"
        );
        assert_eq!(
            not_preferred(&NotPreferred { penalty: 5, flags: 1, max: 80, connections: 93 }, Mark::Enforced, None, Address::parse(C.as_bytes()).unwrap()),
            "mod_qos(066): access denied, QS_ClientPrefer rule (penalty=5 0x01): max=80, concurrent connections=93, c=192.0.2.7"
        );
        assert_eq!(
            event_requests(2, 3, Mark::Enforced, None, C, "x"),
            "mod_qos(065): access denied, QS_ClientEventRequestLimit rule: max=2, current=3, c=192.0.2.7, id=x"
        );
        assert_eq!(waited(Serialized::Server, 10, "x"), "mod_qos(068): QS_SrvSerialize exceeds limit of 10 seconds, id=x");
        assert_eq!(waited(Serialized::Client(C), 300, "x"), "mod_qos(068): QS_ClientSerialize exceeds limit of 300 seconds, c=192.0.2.7, id=x");
        assert_eq!(
            header_problem("X-Real-IP", None, "@hp", 3, C, "x"),
            "mod_qos(069): no valid IP header found (@hp): header 'X-Real-IP' is missing, message repeated 3 times, fallback to connection's IP 192.0.2.7, id=x"
        );
    }
}
