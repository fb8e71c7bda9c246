//! The text of log lines: `mod_qos(NNN): ...`, an interface that fail2ban and others parse
//! (connection-client.md section 15). Keys, their order and separators are fixed.

use crate::address::Address;
use crate::admission::Refusal;
use crate::rate::Action;
use crate::watch::{Direction, Slow};

/// How a denial is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Enforced.
    Enforced,
    /// `QS_LogOnly`.
    LogOnly,
    /// A sum that was still to be said.
    Previously,
}

impl Mark {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Mark::Enforced => "",
            Mark::LogOnly => " (log only)",
            Mark::Previously => " (previously)",
        }
    }
}

/// 030, 031, 066 and 101. `repeated`: the line stands for that many.
#[must_use]
pub fn refusal(refusal: Refusal, mark: Mark, repeated: Option<u32>, client: Address) -> String {
    let (id, rule, max, connections) = match refusal {
        Refusal::NotPreferred(found) => return crate::client::message::not_preferred(&found, mark, repeated, client),
        Refusal::Country(found) => return crate::geo::refusal_message(&found, mark, repeated, client),
        Refusal::MaxConnections { max, connections } => ("030", "QS_SrvMaxConn", max, connections),
        Refusal::PerIp { max, connections } => ("031", "QS_SrvMaxConnPerIP", max, connections),
    };
    let repeated = repeated.map(|times| format!("message repeated {times} times, ")).unwrap_or_default();
    format!("mod_qos({id}): access denied{}, {rule} rule: max={max}, concurrent connections={connections}, {repeated}c={client}", mark.text())
}

/// The number of the event that a refusal counts as.
#[must_use]
pub fn refusal_id(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::NotPreferred(_) => 66,
        Refusal::Country(_) => 101,
        Refusal::MaxConnections { .. } => 30,
        Refusal::PerIp { .. } => 31,
    }
}

/// 034. `repeated`: the line stands for that many.
#[must_use]
pub fn slow(slow: &Slow, action: Action, required: u32, repeated: Option<u32>, client: Address) -> String {
    let begin = match action {
        Action::Cut => "access denied",
        Action::LogOnly | Action::Allow => "log only (allowed)",
    };
    let repeated = repeated.map(|times| format!("message repeated {times} times, ")).unwrap_or_default();
    let direction = match slow.direction {
        Direction::In => "in",
        Direction::InEmpty => "in:0",
        Direction::Out => "out",
        Direction::KeepAlive => return format!("mod_qos(034): {begin}, QS_SrvMinDataRate rule (enforce keep-alive): {repeated}c={client}"),
    };
    format!("mod_qos(034): {begin}, QS_SrvMinDataRate rule ({direction}): min={required}, this connection={}, {repeated}c={client}", slow.rate)
}

/// 035: the shared tables have no room for a further connection.
#[must_use]
pub fn table_full(what: &str, room: u32) -> String {
    format!("mod_qos(035): QS_SrvMaxConn: no free {what} entry ({room}), connection is served without being counted")
}

/// 036: more connections than the server can have.
#[must_use]
pub fn beyond_capacity(connections: u32, required: u32, max_clients: u32) -> String {
    format!("mod_qos(036): QS_SrvMinDataRate: unexpected connection count, connections={connections}, cal. request rate={required}, max. limit={max_clients}")
}

/// What 045 says of a request.
pub const NO_PATH: &str = "the request target has no path";

/// 045: a request target without a path.
#[must_use]
pub fn unusable_target(mark: Mark, client: &str, unique_id: &str) -> String {
    format!("mod_qos(045): access denied{}, {NO_PATH}, c={client}, id={unique_id}", mark.text())
}

/// 044: a request body beyond the limit of a directive; `None` where the announced length is not a number.
#[must_use]
pub fn body_limit(directive: &str, numbers: Option<(u64, u64)>, log_only: bool, client: &str, unique_id: &str) -> String {
    let action = if log_only { " (log only)" } else { "" };
    match numbers {
        Some((max, this)) => format!("mod_qos(044): access denied{action}, {directive}: max={max} this={this}, c={client}, id={unique_id}"),
        None => format!("mod_qos(044): access denied{action}, {directive}: invalid content-length header, c={client}, id={unique_id}"),
    }
}

/// 044: a compressed body of which mod_deflate inflates no more.
#[must_use]
pub fn inflates_too_much(client: &str, unique_id: &str) -> String {
    format!("mod_qos(044): access denied, QS_DeflateReqBody: the body inflates to more than mod_deflate allows, c={client}, id={unique_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u8; 4] = [192, 0, 2, 7];

    #[test]
    fn lines_of_denied_connections() {
        let client = Address::from(CLIENT);
        let per_ip = Refusal::PerIp { max: 50, connections: 51 };
        assert_eq!(
            refusal(per_ip, Mark::Enforced, None, client),
            "mod_qos(031): access denied, QS_SrvMaxConnPerIP rule: max=50, concurrent connections=51, c=192.0.2.7"
        );
        assert_eq!(
            refusal(per_ip, Mark::Previously, Some(17), client),
            "mod_qos(031): access denied (previously), QS_SrvMaxConnPerIP rule: max=50, concurrent connections=51, message repeated 17 times, c=192.0.2.7"
        );
        assert_eq!(
            refusal(Refusal::MaxConnections { max: 3, connections: 4 }, Mark::LogOnly, None, client),
            "mod_qos(030): access denied (log only), QS_SrvMaxConn rule: max=3, concurrent connections=4, c=192.0.2.7"
        );
    }

    #[test]
    fn lines_of_slow_connections() {
        let client = Address::from(CLIENT);
        let found = |direction, rate| Slow { direction, rate, before: 0 };
        assert_eq!(
            slow(&found(Direction::In, 1), Action::Cut, 120, None, client),
            "mod_qos(034): access denied, QS_SrvMinDataRate rule (in): min=120, this connection=1, c=192.0.2.7"
        );
        assert_eq!(
            slow(&found(Direction::InEmpty, 0), Action::Allow, 120, None, client),
            "mod_qos(034): log only (allowed), QS_SrvMinDataRate rule (in:0): min=120, this connection=0, c=192.0.2.7"
        );
        assert_eq!(
            slow(&found(Direction::KeepAlive, 0), Action::Cut, 120, None, client),
            "mod_qos(034): access denied, QS_SrvMinDataRate rule (enforce keep-alive): c=192.0.2.7"
        );
    }

    #[test]
    fn lines_of_targets() {
        let said = |mark| unusable_target(mark, "192.0.2.7", "x");
        assert_eq!(said(Mark::Enforced), "mod_qos(045): access denied, the request target has no path, c=192.0.2.7, id=x");
        assert_eq!(said(Mark::LogOnly), "mod_qos(045): access denied (log only), the request target has no path, c=192.0.2.7, id=x");
    }

    #[test]
    fn lines_of_bodies() {
        assert_eq!(
            body_limit("QS_LimitRequestBody", Some((1000, 1001)), false, "192.0.2.7", "x"),
            "mod_qos(044): access denied, QS_LimitRequestBody: max=1000 this=1001, c=192.0.2.7, id=x"
        );
    }
}
