//! The lines of the console's answers.

use crate::address::Address;
use std::fmt;

/// A counter and the seconds until its window is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// As stored, even if its window is over.
    pub counter: u32,
    /// 0 if the window is over.
    pub remaining: u32,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.counter, self.remaining)
    }
}

/// What a line says about a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientState {
    /// Marked as VIP.
    pub vip: bool,
    /// Marked as low priority.
    pub low_prio: bool,
    /// `QS_ClientEventBlockCount`.
    pub block: Count,
    /// The limit variable that the request names.
    pub limit: Count,
}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |set: bool| if set { "yes" } else { "no" };
        write!(f, "vip={} lowprio={} block={} limit={}", word(self.vip), word(self.low_prio), self.block, self.limit)
    }
}

/// The answer to a search for an address that has no entry.
pub const NOT_AVAILABLE: &str = "not available\n";

/// The answer about one client; `shown` is the address as it was given.
#[must_use]
pub fn line(shown: &[u8], state: &ClientState) -> String {
    format!("{} {state}\n", crate::config::printable(shown))
}

/// One line of a dump: `index` is a running position, `last_access` seconds since 1970.
#[must_use]
pub fn dump_line(index: u64, address: Address, state: &ClientState, last_access: u64) -> String {
    format!("{index:010} {address} {state} {last_access}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Example E15.
    #[test]
    fn lines() {
        let state = ClientState { limit: Count { counter: 1010, remaining: 5 }, ..ClientState::default() };
        assert_eq!(line(b"203.0.113.9", &state), "203.0.113.9 vip=no lowprio=no block=0/0 limit=1010/5\n");
        let state = ClientState { vip: true, low_prio: true, block: Count { counter: 1003, remaining: 60 }, ..state };
        assert_eq!(
            dump_line(24_997, Address::from([203, 0, 113, 9]), &state, 1_795_563_952),
            "0000024997 203.0.113.9 vip=yes lowprio=yes block=1003/60 limit=1010/5 1795563952\n"
        );
    }
}
