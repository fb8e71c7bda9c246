//! Directives that limit connections (connection-client.md section 6).

use super::client::network;
use super::directive::{Directive, Family, Outcome, Scope, Target, first, optional, required, server};
use super::types::CloseLimit;
use super::value::{Expected, Wrong, flag, number32, printable};

const CONNECTIONS: Expected = Expected { unit: "connections", min: 1, max: i32::MAX as u64 };

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_SrvMaxConn",
        scope: Scope::Server,
        arguments: &[required("number")],
        help: c"Maximum number of concurrent TCP connections of this server.",
        read: max_conn,
    },
    Directive {
        name: c"QS_SrvMaxConnClose",
        scope: Scope::Server,
        arguments: &[required("number|percent%")],
        help: c"Number of connections (or share of the capacity) above which connections are closed after a response instead of kept alive.",
        read: max_conn_close,
    },
    Directive {
        name: c"QS_SrvMaxConnPerIP",
        scope: Scope::Server,
        arguments: &[required("number"), optional("connections")],
        help: c"Maximum number of concurrent TCP connections of one client address; with a second number only while the server has at least that many connections.",
        read: max_conn_per_ip,
    },
    Directive {
        name: c"QS_SrvMaxConnExcludeIP",
        scope: Scope::Server,
        arguments: &[required("address")],
        help: c"Address, network (192.0.2.0/24, 2001:db8::/32) or prefix (192.168.10.) that connection limits do not apply to.",
        read: max_conn_exclude_ip,
    },
    Directive {
        name: c"QS_SrvMaxConnPerIPIgnoreVIP",
        scope: Scope::Server,
        arguments: &[required("On|Off")],
        help: c"On: QS_SrvMaxConnPerIP applies to VIP and excluded addresses as well.",
        read: max_conn_per_ip_ignore_vip,
    },
    Directive {
        name: c"QS_MaxClients",
        scope: Scope::Global,
        arguments: &[required("number")],
        help: c"Capacity of the server in connections that percentages and the data rate refer to, where the value derived from the MPM does not fit.",
        read: max_clients,
    },
    Directive {
        name: c"QS_ForcedClose",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"Accepted for compatibility: how a refused connection is closed. Refused connections are closed correctly either way.",
        read: forced_close,
    },
];

fn max_conn(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = number32(name, first(arguments), CONNECTIONS)?;
    let server = server(name, target)?;
    server.max_connections = Some(value);
    server.owns_connections = true;
    Ok(Outcome::Taken)
}

fn max_conn_close(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let limit = match text.strip_suffix(b"%") {
        Some(digits) => {
            let percent = number32(name, digits, Expected { unit: "percent", min: 1, max: 99 }).map_err(|wrong| Wrong {
                value: Some(printable(text)),
                expected: "a percentage from 1% to 99%".to_owned(),
                ..wrong
            })?;
            CloseLimit::Percent(u8::try_from(percent).unwrap_or(99))
        }
        None => CloseLimit::Number(
            number32(name, text, CONNECTIONS).map_err(|wrong| Wrong { expected: format!("{} or a percentage from 1% to 99%", wrong.expected), ..wrong })?,
        ),
    };
    let server = server(name, target)?;
    server.close_limit = Some(limit);
    server.owns_connections = true;
    Ok(Outcome::Taken)
}

fn max_conn_per_ip(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let limit = number32(name, first(arguments), CONNECTIONS)?;
    let from = arguments.get(1).map(|text| number32(name, text, Expected { min: 0, ..CONNECTIONS })).transpose()?;
    let server = server(name, target)?;
    server.per_ip = Some(limit);
    server.per_ip_from = from;
    server.owns_connections = true;
    Ok(Outcome::Taken)
}

fn max_conn_exclude_ip(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let network = network(name, text)?;
    server(name, target)?.exclude.add(network);
    Ok(Outcome::Taken)
}

fn max_conn_per_ip_ignore_vip(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.per_ip_ignore_vip = Some(value);
    Ok(Outcome::Taken)
}

fn max_clients(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = number32(name, first(arguments), CONNECTIONS)?;
    server(name, target)?.max_clients = Some(value);
    Ok(Outcome::Taken)
}

fn forced_close(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.forced_close = Some(value);
    Ok(Outcome::Taken)
}
