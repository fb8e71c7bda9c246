//! `QS_SetEnvIfStatus` (request-event.md section 10.7, connection-client.md section 9.9).

use super::client_types::{SpecialCodes, StatusEvent};
use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, required, server};
use super::value::{Expected, Wrong, number32, printable};
use std::ffi::CString;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_SetEnvIfStatus",
        scope: Scope::ServerAndLocation,
        arguments: &[required("code"), required("variable[=value]")],
        help: c"Sets a variable when a response has that status; the codes QS_SrvMinDataRate, QS_SrvMaxConnPerIP, NullConnection and BrokenConnection count such connections for QS_ClientEventBlockCount (main server, variable QS_Block).",
        read: set_env_if_status,
    },
    Directive {
        name: c"QS_SetEnvStatus",
        scope: Scope::ServerAndLocation,
        arguments: &[required("code"), required("variable[=value]")],
        help: c"Another name of QS_SetEnvIfStatus.",
        read: set_env_if_status,
    },
];

type Select = fn(&mut SpecialCodes) -> &mut bool;

const SPECIAL: [(&[u8], Select); 4] = [
    (b"QS_SrvMinDataRate", |codes| &mut codes.data_rate),
    (b"QS_SrvMaxConnPerIP", |codes| &mut codes.per_ip),
    (b"NullConnection", |codes| &mut codes.null),
    (b"BrokenConnection", |codes| &mut codes.broken),
];

fn set_env_if_status(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let (code, assignment) = (first(arguments), argument(arguments, 1));
    let wrong = |value: &[u8], problem: &str, expected: &str| Wrong {
        directive: name,
        value: Some(printable(value)),
        problem: problem.to_owned(),
        expected: expected.to_owned(),
    };
    if let Some((_, select)) = SPECIAL.iter().find(|(special, _)| special.eq_ignore_ascii_case(code)) {
        if !matches!(target, Target::Server(_)) {
            return Err(wrong(code, "is not allowed in a virtual host or location", "it in the main server"));
        }
        if !assignment.eq_ignore_ascii_case(b"QS_Block") {
            return Err(wrong(assignment, "is not the variable of this code", "QS_Block, without a value"));
        }
        *select(&mut server(name, target)?.client.special) = true;
        return Ok(Outcome::Taken);
    }
    let status = number32(name, code, Expected { unit: "status", min: 100, max: 999 }).map_err(|wrong| Wrong {
        expected: "a status from 100 to 999, QS_SrvMinDataRate, QS_SrvMaxConnPerIP, NullConnection or BrokenConnection".to_owned(),
        ..wrong
    })?;
    let mut parts = assignment.splitn(2, |byte| *byte == b'=');
    let variable = parts.next().unwrap_or_default();
    // One event for QS_Block, wherever it stands (W61).
    let value = match parts.next() {
        Some(value) => value.to_vec(),
        None if variable.eq_ignore_ascii_case(b"QS_Block") => b"1".to_vec(),
        None => status.to_string().into_bytes(),
    };
    let usable = |text: Vec<u8>| CString::new(text).ok();
    let (Some(variable), Some(value), false) = (usable(variable.to_vec()), usable(value), variable.is_empty()) else {
        return Err(wrong(assignment, "is not a variable", "variable or variable=value"));
    };
    let event = StatusEvent { status: u16::try_from(status).unwrap_or(999), variable, value };
    let events = match target {
        Target::Server(server) | Target::VirtualHost(server) => &mut server.status_events,
        Target::Location(location) => &mut location.status_events,
    };
    *events = super::client_types::merge_status_events(events, &[event]);
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LocationConfig, ServerConfig};

    fn read(target: &mut Target<'_>, code: &str, assignment: &str) -> Result<(), String> {
        let result = set_env_if_status("QS_SetEnvIfStatus", target, &[code.as_bytes(), assignment.as_bytes()]);
        result.map(|_| ()).map_err(|wrong| wrong.to_string())
    }

    fn events(list: &[StatusEvent]) -> Vec<String> {
        list.iter().map(|event| format!("{} {}={}", event.status, event.variable.to_str().unwrap(), event.value.to_str().unwrap())).collect()
    }

    /// W61: in a location as in a server.
    #[test]
    fn the_status_is_the_value_except_for_qs_block() {
        let mut location = LocationConfig::default();
        let mut target = Target::Location(&mut location);
        for (code, assignment) in [("404", "QS_Block"), ("401", "QS_Limit"), ("404", "Other=x=y"), ("500", "QS_Block=5"), ("404", "qs_block=3")] {
            read(&mut target, code, assignment).unwrap();
        }
        assert_eq!(events(&location.status_events), ["401 QS_Limit=401", "404 Other=x=y", "500 QS_Block=5", "404 qs_block=3"]);
    }

    #[test]
    fn special_codes_stand_in_the_main_server_and_count_for_qs_block() {
        let mut server = ServerConfig::default();
        for code in ["qs_srvmindatarate", "QS_SrvMaxConnPerIP", "NullConnection", "BrokenConnection"] {
            read(&mut Target::Server(&mut server), code, "QS_Block").unwrap();
        }
        assert_eq!(server.client.special, SpecialCodes { data_rate: true, per_ip: true, null: true, broken: true });
        for assignment in ["QS_Block=1", "QS_Limit", "x"] {
            let error = read(&mut Target::Server(&mut server), "NullConnection", assignment).unwrap_err();
            assert!(error.starts_with("QS_SetEnvIfStatus: '") && error.contains("QS_Block"), "{error}");
        }
        let error = read(&mut Target::VirtualHost(&mut server), "NullConnection", "QS_Block").unwrap_err();
        assert!(error.contains("main server"), "{error}");
        assert!(read(&mut Target::Location(&mut LocationConfig::default()), "BrokenConnection", "QS_Block").is_err());
    }

    #[test]
    fn other_codes_are_statuses() {
        let mut server = ServerConfig::default();
        for code in ["0", "99", "1000", "404abc", "-1", "Null", ""] {
            let error = read(&mut Target::Server(&mut server), code, "x").unwrap_err();
            assert!(error.starts_with(&format!("QS_SetEnvIfStatus: '{code}' ")) && error.contains("100 to 999"), "{error}");
        }
        assert!(read(&mut Target::Server(&mut server), "404", "=x").is_err());
    }

    #[test]
    fn an_inner_entry_replaces_the_outer_one_of_the_same_status_and_variable() {
        let event =
            |status, variable: &str, value: &str| StatusEvent { status, variable: CString::new(variable).unwrap(), value: CString::new(value).unwrap() };
        let merged = merge_status_events_of(&[event(404, "A", "1"), event(404, "B", "1"), event(500, "A", "1")], &[event(404, "a", "2"), event(403, "A", "2")]);
        assert_eq!(merged, ["404 B=1", "500 A=1", "404 a=2", "403 A=2"]);
    }

    fn merge_status_events_of(base: &[StatusEvent], own: &[StatusEvent]) -> Vec<String> {
        events(&crate::config::merge_status_events(base, own))
    }
}
