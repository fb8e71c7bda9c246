//! The typed configuration of per-client rules (connection-client.md sections 5 and 9).

use crate::client::{BlockRule, IpHeader, LimitRule, Prefer};
use crate::network::NetworkSet;
use std::ffi::CString;

/// How requests that run one after the other wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serialize {
    /// After this time a request runs although it is not its turn, seconds.
    pub seconds: u32,
    /// So many may wait, more are denied; `None`: any number.
    pub waiters: Option<u32>,
}

/// `QS_ClientEventPerSecLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerSecond {
    /// Events per second; 0: off.
    pub limit: u32,
    /// So many requests of a client may be delayed at a time, more are denied; `None`: any number.
    pub delayed: Option<u32>,
}

/// `QS_ClientEventRequestLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimit(pub u32);

/// Which special codes of `QS_SetEnvIfStatus` count for the block rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialCodes {
    /// `QS_SrvMinDataRate`: a connection that was too slow.
    pub data_rate: bool,
    /// `QS_SrvMaxConnPerIP`: a connection that this rule refused.
    pub per_ip: bool,
    /// `NullConnection`: a connection without any request.
    pub null: bool,
    /// `BrokenConnection`: a client that left while a response was written.
    pub broken: bool,
}

impl SpecialCodes {
    /// Whether any of them is used.
    #[must_use]
    pub fn any(self) -> bool {
        self != SpecialCodes::default()
    }
}

/// Per-client rules; they stand in the main server only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientConfig {
    /// `QS_ClientEventBlockCount`.
    pub block: Option<BlockRule>,
    /// `QS_ClientEventBlockExcludeIP`.
    pub block_exclude: NetworkSet,
    /// `QS_ClientEventLimitCount` and `QS_CondClientEventLimitCount` in order.
    pub limits: Vec<LimitRule>,
    /// `QS_ClientEventPerSecLimit`.
    pub per_second: Option<PerSecond>,
    /// `QS_ClientEventRequestLimit`.
    pub event_requests: Option<EventLimit>,
    /// `QS_ClientSerialize`.
    pub serialize: Option<Serialize>,
    /// `QS_ClientPrefer`.
    pub prefer: Option<Prefer>,
    /// `QS_ClientTolerance`, percentage points.
    pub tolerance: Option<u8>,
    /// `QS_ClientIpFromHeader`.
    pub ip_header: Option<IpHeader>,
    /// `QS_ClientIPv6Prefix`, bits.
    pub ipv6_prefix: Option<u8>,
    /// Special codes of `QS_SetEnvIfStatus`.
    pub special: SpecialCodes,
}

/// `QS_ClientIPv6Prefix` where it is not given, bits.
pub const IPV6_PREFIX: u8 = 64;

impl ClientConfig {
    /// Whether clients have to be remembered (section 2.1).
    #[must_use]
    pub fn needs_store(&self) -> bool {
        self.block.is_some()
            || !self.limits.is_empty()
            || self.per_second.is_some()
            || self.event_requests.is_some()
            || self.serialize.is_some()
            || self.prefer.is_some()
    }

    /// How many bits of an IPv6 address tell clients apart.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.ipv6_prefix.unwrap_or(IPV6_PREFIX)
    }
}

/// `QS_SetEnvIfStatus`: a variable that a status sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEvent {
    /// The status, 100 to 999.
    pub status: u16,
    /// The variable.
    pub variable: CString,
    /// Its value.
    pub value: CString,
}

/// What is inherited and what is said here; an entry for the same status and variable replaces the inherited one (request-event.md W05).
#[must_use]
pub fn merge_status_events(base: &[StatusEvent], own: &[StatusEvent]) -> Vec<StatusEvent> {
    let same = |a: &StatusEvent, b: &StatusEvent| a.status == b.status && a.variable.as_bytes().eq_ignore_ascii_case(b.variable.as_bytes());
    let inherited = base.iter().filter(|old| !own.iter().any(|new| same(old, new)));
    inherited.chain(own).cloned().collect()
}
