//! Directives about single clients (connection-client.md sections 5, 8 and 9).

use super::client_types::{EventLimit, PerSecond, Serialize};
use super::directive::{Directive, Family, Outcome, Scope, Target, any, argument, first, optional, required, server};
use super::value::{Expected, SECONDS, Wrong, flag, number32, pattern, printable, wrong};
use crate::client::content::shares;
use crate::client::{BlockRule, IpHeader, LimitRule, Names, Prefer};
use crate::network::{NetworkSet, parse_network};
use crate::pattern::Pattern;

const EVENTS: Expected = Expected { unit: "events", min: 0, max: u32::MAX as u64 };
const REQUESTS: Expected = Expected { unit: "requests", min: 0, max: u32::MAX as u64 };
const WAITERS: Expected = Expected { unit: "waiting requests", min: 1, max: u32::MAX as u64 };
/// `QS_ClientEventBlockCount`, `QS_Client(Cond)EventLimitCount` without a number of seconds.
const WINDOW: u32 = 600;
/// `QS_SrvSerialize` without a number of seconds; always for `QS_ClientSerialize`.
pub(super) const SERIALIZE_SECONDS: u32 = 300;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_ClientEventBlockCount",
        scope: Scope::Global,
        arguments: &[required("number"), optional("seconds")],
        help: c"Events (variable QS_Block) within the time (default 600) after whose number a client is refused until the time is over.",
        read: event_block_count,
    },
    Directive {
        name: c"QS_ClientEventBlockExcludeIP",
        scope: Scope::Global,
        arguments: &[required("address")],
        help: c"Address, network or prefix that QS_ClientEventBlockCount does not refuse.",
        read: event_block_exclude_ip,
    },
    Directive {
        name: c"QS_ClientEventLimitCount",
        scope: Scope::Global,
        arguments: &[required("number"), optional("seconds"), optional("variable")],
        help: c"Events (variable, default QS_Limit) within the time (default 600) at whose number requests of the client are denied until the time is over.",
        read: event_limit_count,
    },
    Directive {
        name: c"QS_CondClientEventLimitCount",
        scope: Scope::Global,
        arguments: &[required("number"), required("seconds"), required("variable"), required("pattern")],
        help: c"As QS_ClientEventLimitCount, denying only requests whose variable QS_Cond matches the pattern.",
        read: cond_event_limit_count,
    },
    Directive {
        name: c"QS_ClientEventPerSecLimit",
        scope: Scope::Global,
        arguments: &[required("number"), optional("delayed requests")],
        help: c"Events (variable QS_Event) per second and client; faster ones are delayed. With a second number no more requests of a client are delayed at a time, others are denied.",
        read: event_per_sec_limit,
    },
    Directive {
        name: c"QS_ClientEventRequestLimit",
        scope: Scope::Global,
        arguments: &[required("number")],
        help: c"Concurrent requests of a client with the variable QS_EventRequest.",
        read: event_request_limit,
    },
    Directive {
        name: c"QS_ClientSerialize",
        scope: Scope::Global,
        arguments: &[optional("waiting requests")],
        help: c"Requests of a client with the variable QS_Serialize run one after the other. With a number no more may wait, others are denied.",
        read: client_serialize,
    },
    Directive {
        name: c"QS_SrvSerialize",
        scope: Scope::Server,
        arguments: &[required("On|Off"), optional("seconds"), optional("waiting requests")],
        help: c"On: requests with the variable QS_SrvSerialize run one after the other; who has waited for the time (default 300) runs anyway. With a last number no more may wait, others are denied.",
        read: srv_serialize,
    },
    Directive {
        name: c"QS_ClientPrefer",
        scope: Scope::Global,
        arguments: &[optional("percent")],
        help: c"Above this share of the capacity (default 80) connections of clients that behave badly are refused first.",
        read: prefer,
    },
    Directive {
        name: c"QS_ClientTolerance",
        scope: Scope::Global,
        arguments: &[required("percent")],
        help: c"How far the content a client asks for may differ from what others ask for, percentage points (5 to 80, default 20).",
        read: tolerance,
    },
    Directive {
        name: c"QS_ClientContentTypes",
        scope: Scope::Server,
        arguments: &[required("html"), required("css/js"), required("images"), required("other"), required("304")],
        help: c"What clients usually ask for, as shares, instead of what is learned.",
        read: content_types,
    },
    Directive {
        name: c"QS_ClientIpFromHeader",
        scope: Scope::Global,
        arguments: &[required("header"), any("trusted network")],
        help: c"Request header that holds the client's address (#header: a hash of its value; #SSL_CLIENT_S_DN; #USERAGENT_IP), for all per-client rules of requests; believed only from the networks named, if any.",
        read: ip_from_header,
    },
    Directive {
        name: c"QS_ClientIPv6Prefix",
        scope: Scope::Global,
        arguments: &[required("bits")],
        help: c"IPv6 addresses with the same first bits are one client (default 64, 128: each address alone).",
        read: ipv6_prefix,
    },
];

fn seconds(name: &'static str, text: Option<&&[u8]>) -> Result<u32, Wrong> {
    text.map_or(Ok(WINDOW), |text| number32(name, text, SECONDS))
}

fn event_block_count(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let rule = BlockRule { limit: number32(name, first(arguments), EVENTS)?, seconds: seconds(name, arguments.get(1))? };
    server(name, target)?.client.block = Some(rule);
    Ok(Outcome::Taken)
}

fn event_block_exclude_ip(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let network = network(name, first(arguments))?;
    server(name, target)?.client.block_exclude.add(network);
    Ok(Outcome::Taken)
}

/// An address, network or prefix.
pub(super) fn network(name: &'static str, text: &[u8]) -> Result<ipnet::IpNet, Wrong> {
    const NETWORK: &str = "an IPv4 or IPv6 address, a network such as 192.0.2.0/24 or 2001:db8::/32, or a prefix that ends in '.' or ':'";
    parse_network(text).ok_or_else(|| wrong(name, text, "is not an address", NETWORK))
}

fn limit_rule(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]], condition: Option<Pattern>) -> Result<Outcome, Wrong> {
    let limit = number32(name, first(arguments), EVENTS)?;
    let seconds = seconds(name, arguments.get(1))?;
    let variable = arguments.get(2).copied().unwrap_or(b"QS_Limit");
    let plain = !variable.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'=');
    let names =
        Names::new(variable).filter(|_| plain).ok_or_else(|| wrong(name, variable, "is not the name of a variable", "a name without '=' and blanks"))?;
    let limits = &mut server(name, target)?.client.limits;
    if limits.iter().any(|rule| rule.names.event.as_bytes().eq_ignore_ascii_case(variable)) {
        return Err(wrong(
            name,
            variable,
            "is counted by another rule already",
            "each variable once in QS_ClientEventLimitCount and QS_CondClientEventLimitCount",
        ));
    }
    limits.push(LimitRule { names, limit, seconds, condition });
    Ok(if limit == 0 { Outcome::Warn("with the number 0 denies every request".into()) } else { Outcome::Taken })
}

fn event_limit_count(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    limit_rule(name, target, arguments, None)
}

fn cond_event_limit_count(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let pattern = pattern(name, argument(arguments, 3))?;
    limit_rule(name, target, arguments, Some(pattern))
}

fn event_per_sec_limit(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let limit = number32(name, first(arguments), Expected { unit: "events per second", ..EVENTS })?;
    let delayed = arguments.get(1).map(|text| number32(name, text, Expected { unit: "delayed requests", ..WAITERS })).transpose()?;
    server(name, target)?.client.per_second = Some(PerSecond { limit, delayed });
    Ok(Outcome::Taken)
}

fn event_request_limit(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let limit = number32(name, first(arguments), REQUESTS)?;
    server(name, target)?.client.event_requests = Some(EventLimit(limit));
    Ok(Outcome::Taken)
}

fn client_serialize(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let waiters = arguments.first().map(|text| number32(name, text, WAITERS)).transpose()?;
    server(name, target)?.client.serialize = Some(Serialize { seconds: SERIALIZE_SECONDS, waiters });
    Ok(Outcome::Taken)
}

fn srv_serialize(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let on = flag(name, first(arguments))?;
    let seconds = arguments.get(1).map(|text| number32(name, text, SECONDS)).transpose()?;
    let waiters = arguments.get(2).map(|text| number32(name, text, WAITERS)).transpose()?;
    let server = server(name, target)?;
    server.serialize = Some(on);
    server.serialize_waits = seconds.map(|seconds| Serialize { seconds, waiters });
    Ok(Outcome::Taken)
}

/// A percentage with or without the sign.
fn percent(name: &'static str, text: &[u8], min: u64, max: u64) -> Result<u8, Wrong> {
    let digits = text.strip_suffix(b"%").unwrap_or(text);
    let value = number32(name, digits, Expected { unit: "percent", min, max }).map_err(|wrong| Wrong {
        value: Some(printable(text)),
        expected: format!("a percentage from {min} to {max}"),
        ..wrong
    })?;
    Ok(u8::try_from(value).unwrap_or(u8::MAX))
}

fn prefer(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let percent = arguments.first().map_or(Ok(80), |text| percent(name, text, 1, 99))?;
    server(name, target)?.client.prefer = Some(Prefer { percent });
    Ok(Outcome::Taken)
}

fn tolerance(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = percent(name, first(arguments), 5, 80)?;
    server(name, target)?.client.tolerance = Some(value);
    Ok(Outcome::Taken)
}

fn content_types(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let mut numbers = [0; 5];
    for (number, text) in numbers.iter_mut().zip(arguments) {
        *number = u64::from(number32(name, text, Expected { unit: "responses", min: 1, max: i32::MAX as u64 })?);
    }
    server(name, target)?.content_types = Some(shares(numbers));
    Ok(Outcome::Taken)
}

fn ip_from_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let source =
        IpHeader::parse(text).ok_or_else(|| wrong(name, text, "is not the name of a header", "a header, #header, #SSL_CLIENT_S_DN or #USERAGENT_IP"))?;
    let mut trusted = NetworkSet::default();
    for text in arguments.iter().skip(1) {
        trusted.add(network(name, text)?);
    }
    server(name, target)?.client.ip_header = Some(IpHeader { source, trusted });
    Ok(Outcome::Taken)
}

fn ipv6_prefix(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let bits = number32(name, first(arguments), Expected { unit: "bits", min: 1, max: 128 })?;
    server(name, target)?.client.ipv6_prefix = u8::try_from(bits).ok();
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use crate::client::{BlockRule, Prefer, Source};
    use crate::config::{EventLimit, PerSecond, Serialize, ServerConfig, Target, apply, find};

    fn read(server: &mut ServerConfig, line: &str) -> Result<(), String> {
        let mut words = line.split(' ');
        let directive = find(words.next().unwrap()).unwrap();
        let arguments = words.map(str::as_bytes).collect::<Vec<_>>();
        apply(directive, &mut Target::Server(server), &arguments).map(|_| ()).map_err(|wrong| wrong.to_string())
    }

    fn read_all(lines: &[&str]) -> ServerConfig {
        let mut server = ServerConfig::default();
        lines.iter().for_each(|line| read(&mut server, line).unwrap());
        server
    }

    #[test]
    fn defaults_of_arguments() {
        let server =
            read_all(&["QS_ClientEventBlockCount 3", "QS_ClientEventLimitCount 100000", "QS_ClientSerialize", "QS_ClientPrefer", "QS_SrvSerialize on"]);
        assert_eq!(server.client.block, Some(BlockRule { limit: 3, seconds: 600 }));
        let [limit] = server.client.limits.as_slice() else { panic!() };
        assert_eq!((limit.limit, limit.seconds, limit.names.event.as_c_str()), (100_000, 600, c"QS_Limit"));
        assert_eq!(server.client.serialize, Some(Serialize { seconds: 300, waiters: None }));
        assert_eq!((server.client.prefer, server.serialize, server.serialize_waits), (Some(Prefer { percent: 80 }), Some(true), None));
        assert_eq!(server.client.prefix(), 64);
    }

    #[test]
    fn all_arguments() {
        let server = read_all(&[
            "QS_ClientEventBlockCount 0 10",
            "QS_CondClientEventLimitCount 3 60 Login ^/admin",
            "QS_ClientEventPerSecLimit 5 20",
            "QS_ClientEventRequestLimit 0",
            "QS_ClientSerialize 7",
            "QS_SrvSerialize off 10 5",
            "QS_ClientPrefer 70%",
            "QS_ClientTolerance 80%",
            "QS_ClientContentTypes 300 200 300 100 100",
            "QS_ClientIpFromHeader X-Forwarded-For 10.0.0.0/8 2001:db8::1",
            "QS_ClientIPv6Prefix 56",
        ]);
        let client = &server.client;
        assert_eq!(client.limits[0].condition.as_ref().map(|pattern| pattern.text()), Some("^/admin"));
        assert_eq!(client.limits[0].condition.as_ref().map(crate::pattern::Pattern::options), Some(crate::pattern::Pattern::OPTIONS));
        assert_eq!((client.per_second, client.event_requests), (Some(PerSecond { limit: 5, delayed: Some(20) }), Some(EventLimit(0))));
        assert_eq!(
            (client.serialize, server.serialize_waits),
            (Some(Serialize { seconds: 300, waiters: Some(7) }), Some(Serialize { seconds: 10, waiters: Some(5) }))
        );
        assert_eq!((client.prefer, client.tolerance, server.content_types), (Some(Prefer { percent: 70 }), Some(80), Some([30, 20, 30, 10, 10])));
        let header = client.ip_header.as_ref().unwrap();
        assert_eq!((&header.source, client.prefix()), (&Source::Header(c"X-Forwarded-For".into()), 56));
        assert!(header.trusted.contains(crate::address::Address::parse(b"10.1.2.3").unwrap()));
    }

    #[test]
    fn a_variable_is_counted_by_one_rule() {
        let mut server = read_all(&["QS_ClientEventLimitCount 3 60 Login"]);
        let error = read(&mut server, "QS_CondClientEventLimitCount 3 60 LOGIN x").unwrap_err();
        assert!(error.starts_with("QS_CondClientEventLimitCount: 'LOGIN' ") && error.contains("another rule"), "{error}");
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, words) in [
            ("QS_ClientEventBlockCount x", "a number of events from 0 to 4294967295"),
            ("QS_ClientEventBlockCount 4294967296", "too large"),
            ("QS_ClientEventBlockCount 3 0", "a number of seconds from 1 to 100000000"),
            ("QS_ClientEventBlockExcludeIP 10.1", "is not an address"),
            ("QS_ClientEventLimitCount 3 60 a=b", "is not the name of a variable"),
            ("QS_CondClientEventLimitCount 3 60 Login (", "at character 1: missing closing parenthesis"),
            ("QS_ClientEventPerSecLimit -1", "is negative"),
            ("QS_ClientEventRequestLimit 1.5", "a number of requests from 0 to 4294967295"),
            ("QS_ClientSerialize 0", "a number of waiting requests"),
            ("QS_SrvSerialize maybe", "On or Off"),
            ("QS_SrvSerialize on 0", "a number of seconds"),
            ("QS_ClientPrefer 100", "a percentage from 1 to 99"),
            ("QS_ClientPrefer 0%", "a percentage from 1 to 99"),
            ("QS_ClientTolerance 4", "a percentage from 5 to 80"),
            ("QS_ClientContentTypes 1 2 3 4", "an argument is missing"),
            ("QS_ClientContentTypes 1 2 3 4 0", "a number of responses from 1"),
            ("QS_ClientIpFromHeader #", "is not the name of a header"),
            ("QS_ClientIpFromHeader X nonsense", "is not an address"),
            ("QS_ClientIPv6Prefix 129", "a number of bits from 1 to 128"),
        ] {
            let error = read(&mut ServerConfig::default(), line).unwrap_err();
            let name = line.split(' ').next().unwrap();
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn clients_are_remembered_where_a_rule_needs_it() {
        assert!(
            !read_all(&["QS_ClientEntries 640", "QS_ClientTolerance 20", "QS_ClientContentTypes 1 1 1 1 1", "QS_ClientIpFromHeader X"]).client.needs_store()
        );
        for line in [
            "QS_ClientPrefer",
            "QS_ClientEventBlockCount 0",
            "QS_ClientEventLimitCount 3",
            "QS_CondClientEventLimitCount 3 60 Login x",
            "QS_ClientEventPerSecLimit 0",
            "QS_ClientEventRequestLimit 1",
            "QS_ClientSerialize",
        ] {
            assert!(read_all(&[line]).client.needs_store(), "{line}");
        }
    }
}
