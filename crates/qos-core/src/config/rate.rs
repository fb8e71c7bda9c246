//! Directives of the minimum data rate (connection-client.md section 7.1).

use super::directive::{Directive, Family, Outcome, Scope, Target, first, optional, required, server};
use super::types::{OffEvent, RateKind, RateRule, SampleRate};
use super::value::{Expected, Wrong, flag, number32, printable};

const RATE: Expected = Expected { unit: "bytes per second", min: 1, max: i32::MAX as u64 };

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_SrvMinDataRate",
        scope: Scope::Global,
        arguments: &[required("bytes per second"), optional("max bytes per second"), optional("connections")],
        help: c"Minimum rate at which clients have to send requests and take responses; grows to the maximum as the server fills up; enforced from the given number of connections.",
        read: min_data_rate,
    },
    Directive {
        name: c"QS_SrvRequestRate",
        scope: Scope::Global,
        arguments: &[required("bytes per second"), optional("max bytes per second")],
        help: c"As QS_SrvMinDataRate, for requests only.",
        read: request_rate,
    },
    Directive {
        name: c"QS_SrvSampleRate",
        scope: Scope::Global,
        arguments: &[required("seconds"), optional("seconds while busy")],
        help: c"Window in which data rates are measured (default 5), and the one used while no worker is free (default 2, 0: never shortened).",
        read: sample_rate,
    },
    Directive {
        name: c"QS_SrvDataRateOff",
        scope: Scope::Server,
        arguments: &[],
        help: c"No data rate is required from connections to this server.",
        read: data_rate_off,
    },
    Directive {
        name: c"QS_SrvMinDataRateIgnoreVIP",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"On: the minimum data rate is required from VIP and excluded addresses as well.",
        read: min_data_rate_ignore_vip,
    },
    Directive {
        name: c"QS_SrvMinDataRateOffEvent",
        scope: Scope::ServerAndLocation,
        arguments: &[required("+variable|-variable")],
        help: c"Variable that, when set, ends data-rate monitoring of the connection (+), or does so no longer (-).",
        read: min_data_rate_off_event,
    },
];

fn rule(name: &'static str, kind: RateKind, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let base = number32(name, first(arguments), RATE)?;
    let max = arguments.get(1).map(|text| number32(name, text, RATE)).transpose()?;
    if let (Some(max), Some(text)) = (max, arguments.get(1)) {
        if max <= base {
            return Err(Wrong {
                directive: name,
                value: Some(printable(text)),
                problem: "is not more than the minimum".to_owned(),
                expected: format!("a maximum of more than {base} bytes per second"),
            });
        }
    }
    let connections = arguments.get(2).map(|text| number32(name, text, Expected { unit: "connections", ..RATE })).transpose()?;
    let server = server(name, target)?;
    if server.rate.is_some() {
        return Err(Wrong {
            directive: name,
            value: None,
            problem: "a minimum data rate is set already".to_owned(),
            expected: "QS_SrvMinDataRate or QS_SrvRequestRate, once".to_owned(),
        });
    }
    server.rate = Some(RateRule { kind, base, max, connections });
    Ok(Outcome::Taken)
}

fn min_data_rate(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    rule(name, RateKind::MinDataRate, target, arguments)
}

fn request_rate(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    rule(name, RateKind::RequestRate, target, arguments)
}

fn sample_rate(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    const SECONDS: Expected = Expected { unit: "seconds", min: 2, max: 86_400 };
    let window = number32(name, first(arguments), SECONDS)?;
    let busy_window = match arguments.get(1) {
        Some(text) => number32(name, text, Expected { min: 0, max: u64::from(window), ..SECONDS })?,
        None => SampleRate::default().busy_window.min(window),
    };
    server(name, target)?.sample_rate = Some(SampleRate { window, busy_window });
    Ok(Outcome::Taken)
}

fn data_rate_off(name: &'static str, target: &mut Target<'_>, _arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.data_rate_off = true;
    Ok(Outcome::Taken)
}

fn min_data_rate_ignore_vip(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.rate_ignore_vip = Some(value);
    Ok(Outcome::Taken)
}

fn min_data_rate_off_event(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let event = match text.split_first() {
        Some((sign @ (b'+' | b'-'), variable)) if !variable.is_empty() => OffEvent { add: *sign == b'+', name: variable.to_vec() },
        _ => {
            return Err(Wrong {
                directive: name,
                value: Some(printable(text)),
                problem: "is not a variable with '+' or '-' before it".to_owned(),
                expected: "+variable or -variable".to_owned(),
            });
        }
    };
    let events = match target {
        Target::Server(server) | Target::VirtualHost(server) => &mut server.off_events,
        Target::Location(location) => &mut location.off_events,
    };
    events.retain(|old| !old.name.eq_ignore_ascii_case(&event.name));
    events.push(event);
    Ok(Outcome::Taken)
}
