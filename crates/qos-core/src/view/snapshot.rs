//! Everything the viewer shows, as plain data. What is not configured or not known is `None`.

use crate::address::Address;
use crate::status::{ContentTypes, Workers};
use crate::text::Text;
use serde::{Serialize, Serializer};
use std::fmt;

/// The whole server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// Version of the module.
    pub version: String,
    /// When.
    pub time: LocalTime,
    /// `QS_LogOnly`.
    pub log_only: bool,
    /// Load average of the last minute.
    pub load: Option<f64>,
    /// Capacity in connections.
    pub max_clients: u32,
    /// Connections of all servers (`QS_AllConn`).
    pub all_connections: Option<u32>,
    /// Different client addresses that have a connection.
    pub connected_clients: Option<u32>,
    /// The minimum data rate.
    pub data_rate: Option<DataRate>,
    /// Slots of the scoreboard.
    pub workers: Workers,
    /// The table of clients.
    pub client_table: Option<ClientTable>,
    /// Result of a search.
    pub search: Option<Search>,
    /// The database of countries.
    pub geo: Option<Geo>,
    /// What was denied since the start, by message.
    pub denials: Vec<Denial>,
    /// What was delayed since the start, by rule.
    pub delays: Vec<Delay>,
    /// Counters of messages, with `QS_EventCount`.
    pub events: Option<Vec<Event>>,
    /// The main server, then its virtual hosts.
    pub servers: Vec<Server>,
}

/// A moment in the server's time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTime {
    /// Since 1970, UTC.
    pub seconds: u64,
    /// For instance 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl LocalTime {
    /// `DD.MM.YYYY hh:mm:ss`.
    #[must_use]
    pub fn date_and_time(&self) -> String {
        format!("{:02}.{:02}.{:04} {:02}:{:02}:{:02}", self.day, self.month, self.year, self.hour, self.minute, self.second)
    }
}

impl fmt::Display for LocalTime {
    /// `Www Mmm dd hh:mm:ss yyyy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].get(usize::from(self.weekday)).unwrap_or(&"???");
        let month = usize::from(self.month).checked_sub(1).and_then(|index| MONTHS.get(index)).unwrap_or(&"???");
        write!(f, "{weekday} {month} {:02} {:02}:{:02}:{:02} {:04}", self.day, self.hour, self.minute, self.second, self.year)
    }
}

impl Serialize for LocalTime {
    /// Seconds since 1970.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.seconds)
    }
}

/// `QS_SrvMinDataRate`, bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DataRate {
    /// When the server is idle.
    pub min: u32,
    /// When it is full.
    pub max: Option<u32>,
    /// Now.
    pub current: u32,
    /// Connections cut since the start.
    pub cuts: u64,
}

/// The table of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientTable {
    /// Entries it has room for.
    pub max: u32,
    /// Entries in use.
    pub used: u32,
    /// Entries marked as a VIP's; of a large table as it was up to ten seconds ago.
    pub vip: u32,
    /// Memory, bytes.
    pub bytes: u64,
    /// Entries that made room for others, by what they were.
    pub evictions: Vec<Evictions>,
    /// `QS_ClientPrefer`.
    pub prefer: Option<Prefer>,
}

/// A kind of entry and how many of it were evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Evictions {
    /// For instance `idle`.
    pub kind: &'static str,
    /// Since the start.
    pub count: u64,
}

/// `QS_ClientPrefer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prefer {
    /// Connections above which clients are preferred.
    pub limit: u32,
    /// Connections that count for it.
    pub current: u32,
    /// Responses of all clients by content type.
    pub totals: ContentTypes,
    /// `QS_ClientContentTypes`, percent.
    pub configured: Option<ContentTypes>,
}

/// A search in the table of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    /// Who was searched for.
    pub address: Address,
    /// `None`: not found.
    pub entry: Option<ClientEntry>,
}

/// What is known about a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientEntry {
    /// Its last request.
    pub last_access: LocalTime,
    /// VIP mark.
    pub vip: bool,
    /// Block counter, while its window is open.
    pub block: Option<Window>,
    /// Counter of `QS_Limit`.
    pub limit: Limited,
    /// Events per second.
    pub events_per_second: u32,
    /// Delay of its events, milliseconds.
    pub delay_ms: u32,
    /// Low priority.
    pub low_prio: bool,
    /// Why: bits as in `QS_ClientLowPrio`.
    pub low_prio_flags: u8,
    /// Requests of `QS_ClientEventRequestLimit` being served; `None` without the directive.
    pub event_requests: Option<u32>,
    /// Its responses by content type, with `QS_ClientPrefer`.
    pub content_types: Option<ContentTypes>,
}

/// A counter in a time window that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The counter.
    pub count: u32,
    /// Seconds since the window began.
    pub age: u32,
}

/// The counter of a limit variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limited {
    /// The variable is not configured.
    #[default]
    Off,
    /// Its window is not open.
    No,
    /// Its window is open.
    Open(Window),
}

/// The database of countries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Geo {
    /// The file.
    pub path: Text,
    /// `CSV` or `MaxMind DB`.
    pub kind: &'static str,
    /// IPv4 ranges.
    pub ipv4_ranges: u64,
    /// IPv6 ranges.
    pub ipv6_ranges: u64,
    /// `QS_ClientGeoCountryPriv`: its countries.
    pub countries: Option<String>,
    /// `QS_ClientGeoCountryPriv`: the number of connections from which it acts.
    pub connections: Option<u32>,
}

/// Denials that were logged with one message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The id.
    pub id: u16,
    /// The directive behind it.
    pub rule: &'static str,
    /// Since the start.
    pub count: u64,
}

/// Delays by one rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delay {
    /// The directive.
    pub rule: &'static str,
    /// How many requests were delayed since the start.
    pub count: u64,
    /// For how long together.
    pub seconds: f64,
}

/// Counters of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its id.
    pub id: u16,
    /// Since they were read last.
    pub new: u64,
    /// Since the start.
    pub total: u64,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Server {
    /// A virtual host.
    #[serde(rename = "virtual")]
    pub is_virtual: bool,
    /// `ServerName`.
    pub host: Option<Text>,
    /// Port of its address; 0 for a main server without one.
    pub port: u16,
    /// A virtual host without directives of its own: it uses settings and counters of the main server.
    pub shares_main: bool,
    /// Rules with limits, in order.
    pub rules: Vec<Rule>,
    /// `QS_EventLimitCount` and its conditional form.
    pub event_limits: Vec<EventLimit>,
    /// Its own counter; `None` where it counts together with the main server.
    pub connections: Option<Connections>,
}

impl Server {
    /// Its name or `-`.
    #[must_use]
    pub fn host(&self) -> Text {
        self.host.clone().unwrap_or_else(|| Text::from("-"))
    }

    /// `host:port`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}:{}", self.host(), self.port)
    }
}

/// Connections of a server and their limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// Open now.
    pub current: u32,
    /// `QS_SrvMaxConn`.
    pub max: Option<u32>,
    /// `QS_SrvMaxConnClose`, in connections.
    pub close: Option<u32>,
    /// `QS_SrvMaxConnPerIP`.
    pub per_ip: Option<u32>,
    /// Addresses that can still be counted.
    pub free_ip_entries: u32,
    /// Addresses with connections, if asked for.
    pub addresses: Option<Vec<AddressCount>>,
}

/// An address and its open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AddressCount {
    /// The address.
    pub address: Address,
    /// Its connections.
    pub connections: u32,
}

/// What a rule looks at, which also says which directives it can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// `QS_LocRequestLimit` and the like.
    Location,
    /// `QS_LocRequestLimitMatch` and the like.
    LocationMatch,
    /// `QS_CondLocRequestLimitMatch`.
    ConditionalLocationMatch,
    /// `QS_EventRequestLimit`: the text is `VAR` or `VAR=regex`.
    EventRequest,
    /// `QS_EventPerSecLimit`: the text is the variable.
    EventPerSecond,
    /// `QS_EventKBytesPerSecLimit`: the text is the variable.
    EventKBytes,
}

impl RuleKind {
    /// Directives for concurrent requests, requests per second and kbytes per second.
    #[must_use]
    pub fn directives(self) -> [&'static str; 3] {
        match self {
            RuleKind::Location => ["QS_LocRequestLimit", "QS_LocRequestPerSecLimit", "QS_LocKBytesPerSecLimit"],
            RuleKind::LocationMatch => ["QS_LocRequestLimitMatch", "QS_LocRequestPerSecLimitMatch", "QS_LocKBytesPerSecLimitMatch"],
            RuleKind::ConditionalLocationMatch => ["QS_CondLocRequestLimitMatch", "QS_LocRequestPerSecLimitMatch", "QS_LocKBytesPerSecLimitMatch"],
            RuleKind::EventRequest | RuleKind::EventPerSecond | RuleKind::EventKBytes => {
                ["QS_EventRequestLimit", "QS_EventPerSecLimit", "QS_EventKBytesPerSecLimit"]
            }
        }
    }
}

/// A rule with up to three limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What it looks at.
    pub kind: RuleKind,
    /// Path, pattern or variable as configured.
    pub text: Text,
    /// Limit of concurrent requests.
    pub concurrent: Option<Concurrent>,
    /// Limit of requests per second.
    pub requests: Option<Rate>,
    /// Limit of kbytes per second.
    pub kbytes: Option<Rate>,
}

impl Rule {
    /// The text as it is shown: variables of events stand in brackets that tell the kinds apart.
    #[must_use]
    pub fn shown(&self) -> Text {
        let (open, close): (&[u8], &[u8]) = match self.kind {
            RuleKind::EventRequest => (b"var=(", b")"),
            RuleKind::EventPerSecond => (b"var=[", b"]"),
            RuleKind::EventKBytes => (b"var={", b"}"),
            _ => (b"", b""),
        };
        Text([open, &self.text.0, close].concat())
    }
}

/// What a limit has done since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// It is only logged: `QS_LogOnlyRule` or `QS_LogOnly`.
    pub log_only: bool,
    /// Requests that it denied or delayed, responses that it throttled.
    pub done: u64,
    /// The same for those that were only logged.
    pub would_have: u64,
}

/// Concurrent requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Concurrent {
    /// The limit.
    pub limit: u64,
    /// Now.
    pub current: u64,
    /// What it has done.
    #[serde(flatten)]
    pub done: Done,
}

/// Something per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// The limit.
    pub limit: u64,
    /// As measured last.
    pub current: u64,
    /// Seconds since it was measured.
    pub age: u32,
    /// By how much requests are delayed, milliseconds.
    pub wait_ms: u32,
    /// What it has done.
    #[serde(flatten)]
    pub done: Done,
}

impl Rate {
    /// The rate, or 0 if it was measured more than `seconds` ago.
    #[must_use]
    pub fn within(&self, seconds: u32) -> u64 {
        if self.age > seconds { 0 } else { self.current }
    }
}

/// `QS_EventLimitCount` or `QS_CondEventLimitCount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventLimit {
    /// The variable.
    pub name: Text,
    /// `QS_CondEventLimitCount`.
    pub conditional: bool,
    /// How many events may be in a window.
    pub limit: u64,
    /// Length of the window.
    pub seconds: u32,
    /// Events in the window; 0 when it is over.
    pub current: u64,
    /// Seconds until it is over; 0 when it is.
    pub remaining: u32,
    /// What it has done.
    #[serde(flatten)]
    pub done: Done,
}

impl EventLimit {
    /// The directive.
    #[must_use]
    pub fn directive(&self) -> &'static str {
        if self.conditional { "QS_CondEventLimitCount" } else { "QS_EventLimitCount" }
    }
}
