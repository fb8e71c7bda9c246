//! The console: what a request asks for, and the lines it answers (connection-client.md section 11.4).

mod line;
mod restore;

pub use line::{ClientState, Count, NOT_AVAILABLE, dump_line, line};
pub use restore::{Restore, RestoreError, Restored};

use crate::address::Address;
use crate::config::ConsoleMethods;
use crate::network::parse_network;
use crate::query::Query;
use crate::text::Text;
use ipnet::IpNet;
use std::fmt;

/// What is done with one client's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the query")]
pub enum Action {
    SetVip,
    UnsetVip,
    SetLowPrio,
    UnsetLowPrio,
    Block,
    Unblock,
    Limit,
    Unlimit,
    IncLimit,
    Search,
}

impl Action {
    /// All actions on one address.
    pub const ALL: [Action; 10] = [
        Action::SetVip,
        Action::UnsetVip,
        Action::SetLowPrio,
        Action::UnsetLowPrio,
        Action::Block,
        Action::Unblock,
        Action::Limit,
        Action::Unlimit,
        Action::IncLimit,
        Action::Search,
    ];

    /// Its name in the query.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::SetVip => "setvip",
            Action::UnsetVip => "unsetvip",
            Action::SetLowPrio => "setlowprio",
            Action::UnsetLowPrio => "unsetlowprio",
            Action::Block => "block",
            Action::Unblock => "unblock",
            Action::Limit => "limit",
            Action::Unlimit => "unlimit",
            Action::IncLimit => "inclimit",
            Action::Search => "search",
        }
    }

    /// By name, in any case.
    #[must_use]
    pub fn find(name: &[u8]) -> Option<Action> {
        Action::ALL.into_iter().find(|action| name.eq_ignore_ascii_case(action.name().as_bytes()))
    }

    /// Whether it changes an entry (and creates it, if it is missing).
    #[must_use]
    pub fn changes(self) -> bool {
        self != Action::Search
    }
}

/// A checked request. `event` is the limit variable that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Something about one client.
    One {
        /// What to do.
        action: Action,
        /// The client.
        address: Address,
        /// The address exactly as given, for the line of the answer.
        shown: Vec<u8>,
        /// The limit variable.
        event: Vec<u8>,
    },
    /// All entries, or those of a network.
    Dump {
        /// `None`: all.
        network: Option<IpNet>,
        /// The limit variable whose counter is shown.
        event: Vec<u8>,
    },
    /// The body holds lines of a dump; see [`Restore`].
    Restore {
        /// The limit variable that gets the counters.
        event: Vec<u8>,
    },
}

impl Command {
    /// Whether an entry with this address belongs to a dump.
    #[must_use]
    pub fn dumps(&self, address: Address) -> bool {
        match self {
            Command::Dump { network: Some(network), .. } => network.contains(&address.ip()),
            Command::Dump { network: None, .. } => true,
            _ => false,
        }
    }
}

/// Methods as the console tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET or HEAD.
    Get,
    /// POST.
    Post,
    /// Any other.
    Other,
}

impl Method {
    fn allowed(self, methods: Option<ConsoleMethods>) -> bool {
        match (methods, self) {
            (None, _) => true,
            (Some(methods), Method::Get) => methods.get,
            (Some(methods), Method::Post) => methods.post,
            (Some(_), Method::Other) => false,
        }
    }
}

/// Why a request is refused; displayed as one line of printable text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// `action` or `address` is missing.
    Missing,
    /// No directive needs the client table.
    NoStore,
    /// The address is none.
    Address(Text),
    /// There is no such action.
    UnknownAction(Text),
    /// `restore` needs a body.
    NeedsPost,
    /// `QS_ConsoleMethods`.
    Method(ConsoleMethods),
    /// A line of the body of `restore`.
    Line(RestoreError),
}

impl Problem {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Problem::NeedsPost | Problem::Method(_) => 405,
            _ => 406,
        }
    }

    /// The value of the header `Allow` that belongs to status 405.
    #[must_use]
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Problem::NeedsPost => Some("POST"),
            Problem::Method(methods) => Some(match (methods.get, methods.post) {
                (true, true) => "GET, POST",
                (true, false) => "GET",
                _ => "POST",
            }),
            _ => None,
        }
    }

    /// 070.
    #[must_use]
    pub fn message(&self, unique_id: &str) -> String {
        let kind = if self.status() == 405 { "method not allowed" } else { "not acceptable" };
        format!("mod_qos(070): console, {kind}, {self}, id={unique_id}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Missing => f.write_str("missing request query (action/address)"),
            Problem::NoStore => f.write_str("client data store has not been enabled"),
            Problem::Address(text) => write!(f, "invalid ip/wrong format '{}'", short(text)),
            Problem::UnknownAction(text) => {
                let names = Action::ALL.map(Action::name).join(", ");
                write!(f, "unknown action '{}' (allowed: {names}, restore)", short(text))
            }
            Problem::NeedsPost => f.write_str("restore takes the lines of a dump in the body of a POST request"),
            Problem::Method(_) => write!(f, "QS_ConsoleMethods allows {} only for actions that change an entry", self.allow().unwrap_or_default()),
            Problem::Line(error) => error.fmt(f),
        }
    }
}

fn short(text: &Text) -> String {
    crate::config::printable(&text.0)
}

/// The limit variable of a request that names none.
pub const DEFAULT_EVENT: &[u8] = b"QS_Limit";

/// Checks a request completely before anything is touched (W57).
///
/// # Errors
/// [`Problem`], for the log and the body of the response.
pub fn parse(query: &[u8], method: Method, methods: Option<ConsoleMethods>, store_active: bool) -> Result<Command, Problem> {
    let query = Query::new(query);
    let action = query.get("action");
    let event = query.get("event").filter(|event| !event.is_empty()).unwrap_or(DEFAULT_EVENT).to_vec();
    let restore = action.is_some_and(|name| name.eq_ignore_ascii_case(b"restore"));
    let (Some(name), Some(shown)) = (action, query.address().or(restore.then(Vec::new))) else {
        return Err(Problem::Missing);
    };
    if !store_active {
        return Err(Problem::NoStore);
    }
    let action = Action::find(name);
    if action == Some(Action::Search) {
        if shown == b"*" {
            return Ok(Command::Dump { network: None, event });
        }
        if let (None, Some(network)) = (Address::parse(&shown), parse_network(&shown)) {
            return Ok(Command::Dump { network: Some(network), event });
        }
    }
    let address = Address::parse(&shown);
    if address.is_none() && !restore {
        return Err(Problem::Address(Text(shown)));
    }
    if action.is_none() && !restore {
        return Err(Problem::UnknownAction(Text::from(name)));
    }
    if action.is_none_or(Action::changes) {
        if let Some(methods) = methods.filter(|methods| !method.allowed(Some(*methods))) {
            return Err(Problem::Method(methods));
        }
        if restore && method != Method::Post {
            return Err(Problem::NeedsPost);
        }
    }
    match (action, address) {
        (Some(action), Some(address)) => Ok(Command::One { action, address, shown, event }),
        _ => Ok(Command::Restore { event }),
    }
}

/// 071: an entry was made.
#[must_use]
pub fn created_message(shown: &[u8], unique_id: &str) -> String {
    format!("mod_qos(071): console, add new client ip entry '{}', id={unique_id}", crate::config::printable(shown))
}

/// 071: an action was carried out.
#[must_use]
pub fn applied_message(action: Action, shown: &[u8], unique_id: &str) -> String {
    format!("mod_qos(071): console, action '{}' applied to client ip entry '{}', id={unique_id}", action.name(), crate::config::printable(shown))
}

/// 071: lines of a dump were taken over.
#[must_use]
pub fn restored_message(entries: u64, unique_id: &str) -> String {
    format!("mod_qos(071): console, action 'restore' applied to {entries} client ip entries, id={unique_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST_ONLY: Option<ConsoleMethods> = Some(ConsoleMethods { get: false, post: true });

    fn get(query: &str) -> Result<Command, String> {
        parse(query.as_bytes(), Method::Get, None, true).map_err(|problem| format!("{} {problem}", problem.status()))
    }

    /// Example E15.
    #[test]
    fn requests_and_what_they_mean() {
        let address = Address::from([203, 0, 113, 9]);
        let one = |action, event: &str| Ok(Command::One { action, address, shown: b"203.0.113.9".to_vec(), event: event.as_bytes().to_vec() });
        assert_eq!(get("action=inclimit&address=203.0.113.9"), one(Action::IncLimit, "QS_Limit"));
        assert_eq!(get("ADDRESS=203.0.113.9&Action=BLOCK&event=Login&action=x"), one(Action::Block, "Login"));
        assert_eq!(
            get("action=foo&address=203.0.113.9").unwrap_err(),
            "406 unknown action 'foo' (allowed: setvip, unsetvip, setlowprio, unsetlowprio, block, unblock, limit, unlimit, inclimit, search, restore)"
        );
        assert_eq!(get("action=search"), Err("406 missing request query (action/address)".to_owned()));
        assert_eq!(get("address=1.1.1.1"), Err("406 missing request query (action/address)".to_owned()));
        assert_eq!(get("action=block&address=x%3Cb%3E%0a"), Err("406 invalid ip/wrong format 'x<b>\\n'".to_owned()));
        assert_eq!(get("action=foo&address=*"), Err("406 invalid ip/wrong format '*'".to_owned()));
        let shown = b"2001:DB8::1".to_vec();
        assert!(matches!(get("action=search&address=2001%3ADB8%3A%3A1"), Ok(Command::One { shown: given, .. }) if given == shown));
    }

    #[test]
    fn dumps_of_all_and_of_a_network() {
        let all = get("action=search&address=*&event=Login").unwrap();
        assert_eq!(all, Command::Dump { network: None, event: b"Login".to_vec() });
        assert!(all.dumps(Address::from([1, 2, 3, 4])));
        for network in ["192.0.2.0/24", "192.0.2.", "192.0.2.9%2f24"] {
            let some = get(&format!("action=search&address={network}")).unwrap();
            assert!(some.dumps(Address::from([192, 0, 2, 200])) && !some.dumps(Address::from([192, 0, 3, 1])), "{network}");
        }
        let v6 = get("action=search&address=2001:db8:").unwrap();
        assert!(v6.dumps(Address::parse(b"2001:db8::7").unwrap()) && !v6.dumps(Address::from([192, 0, 2, 1])));
        assert!(get("action=block&address=192.0.2.0/24").unwrap_err().starts_with("406 invalid ip"));
    }

    #[test]
    fn without_a_table_nothing_is_done() {
        let problem = parse(b"action=search&address=1.1.1.1", Method::Get, None, false).unwrap_err();
        assert_eq!(problem.message("x"), "mod_qos(070): console, not acceptable, client data store has not been enabled, id=x");
        assert_eq!(parse(b"action=foo", Method::Get, None, false), Err(Problem::Missing));
    }

    #[test]
    fn methods() {
        let ask = |query: &str, method, methods| parse(query.as_bytes(), method, methods, true).map_err(|problem| (problem.status(), problem.allow()));
        assert_eq!(ask("action=block&address=1.1.1.1", Method::Get, POST_ONLY), Err((405, Some("POST"))));
        assert_eq!(ask("action=block&address=1.1.1.1", Method::Other, Some(ConsoleMethods { get: true, post: true })), Err((405, Some("GET, POST"))));
        assert!(ask("action=block&address=1.1.1.1", Method::Post, POST_ONLY).is_ok());
        assert!(ask("action=block&address=1.1.1.1", Method::Other, None).is_ok());
        assert!(ask("action=search&address=1.1.1.1", Method::Get, POST_ONLY).is_ok());
        assert!(ask("action=search&address=*", Method::Get, POST_ONLY).is_ok());
        assert_eq!(ask("action=restore", Method::Get, None), Err((405, Some("POST"))));
        assert_eq!(ask("action=restore&event=Login", Method::Post, POST_ONLY), Ok(Command::Restore { event: b"Login".to_vec() }));
        assert_eq!(ask("action=restore", Method::Post, Some(ConsoleMethods { get: true, post: false })), Err((405, Some("GET"))));
        let problem = parse(b"action=block&address=1.1.1.1", Method::Get, POST_ONLY, true).unwrap_err();
        assert_eq!(
            problem.message("x"),
            "mod_qos(070): console, method not allowed, QS_ConsoleMethods allows POST only for actions that change an entry, id=x"
        );
    }

    #[test]
    fn messages() {
        assert_eq!(created_message(b"203.0.113.9", "x"), "mod_qos(071): console, add new client ip entry '203.0.113.9', id=x");
        assert_eq!(applied_message(Action::Block, b"::1", "x"), "mod_qos(071): console, action 'block' applied to client ip entry '::1', id=x");
        assert_eq!(restored_message(7, "x"), "mod_qos(071): console, action 'restore' applied to 7 client ip entries, id=x");
    }
}
