//! Snapshots to render.

use super::super::snapshot::*;
use super::super::{Options, events};
use crate::address::Address;
use crate::status::{ContentTypes, Workers};
use crate::text::Text;

pub fn types(first: u64) -> ContentTypes {
    ContentTypes { html: first, css_js: first + 1, images: first + 2, other: first + 3, not_modified: first + 4 }
}

pub fn time() -> LocalTime {
    LocalTime { seconds: 1_795_563_952, year: 2026, month: 11, day: 24, weekday: 2, hour: 23, minute: 45, second: 52 }
}

pub fn nothing() -> Snapshot {
    Snapshot { version: "1.2.3".to_owned(), time: time(), servers: vec![Server::default()], ..Snapshot::default() }
}

/// Example E16.
pub fn e16() -> Snapshot {
    let events = events::IDS.iter().map(|id| Event { id: *id, new: 0, total: 0 }).collect();
    let connections = Connections { current: 2, max: Some(100), free_ip_entries: 398, ..Connections::default() };
    let server = Server { host: Some(Text::from("www.example.net")), connections: Some(connections), ..Server::default() };
    Snapshot { load: Some(0.31), max_clients: 400, all_connections: Some(2), events: Some(events), servers: vec![server], ..nothing() }
}

pub fn rules() -> Vec<Rule> {
    let rate = |limit, current, age, wait_ms| Some(Rate { limit, current, age, wait_ms, done: Done::default() });
    let watched = Done { log_only: true, done: 2, would_have: 17 };
    let rule = |kind, text: &str| Rule { kind, text: Text::from(text), concurrent: None, requests: None, kbytes: None };
    vec![
        Rule {
            concurrent: Some(Concurrent { limit: 10, current: 10, ..Concurrent::default() }),
            requests: rate(12, 3, 5, 0),
            kbytes: rate(13, 14, 11, 250),
            ..rule(RuleKind::Location, "/app")
        },
        Rule { concurrent: Some(Concurrent { limit: 11, current: 9, ..Concurrent::default() }), ..rule(RuleKind::LocationMatch, "^/(a|b)<x>\"") },
        Rule {
            concurrent: Some(Concurrent { limit: 5, current: 1, ..Concurrent::default() }),
            ..rule(RuleKind::ConditionalLocationMatch, &format!("^/{}$", "long/".repeat(20)))
        },
        Rule { concurrent: Some(Concurrent { limit: 3, current: 0, ..Concurrent::default() }), ..rule(RuleKind::EventRequest, "VARA=^x$") },
        Rule { requests: rate(4, 9, 31, 0), ..rule(RuleKind::EventPerSecond, "VARB") },
        Rule { kbytes: rate(5, 6, 99, 0), ..rule(RuleKind::EventKBytes, "VARC") },
        Rule {
            concurrent: Some(Concurrent { limit: 20, current: 4, done: watched }),
            requests: rate(6, 0, 0, 0).map(|found| Rate { done: watched, ..found }),
            ..rule(RuleKind::Location, "/watched")
        },
    ]
}

/// Every item there is.
pub fn full() -> Snapshot {
    let addresses = vec![
        AddressCount { address: Address::from([192, 0, 2, 7]), connections: 50 },
        AddressCount { address: Address::from_octets([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), connections: 1 },
    ];
    let base = Server {
        host: Some(Text::from("www.example.net")),
        rules: rules(),
        event_limits: vec![
            EventLimit { name: Text::from("VARD"), limit: 6, seconds: 60, current: 6, remaining: 12, ..EventLimit::default() },
            EventLimit { name: Text::from("VARE"), conditional: true, limit: 7, seconds: 61, ..EventLimit::default() },
            EventLimit { name: Text::from("VARF"), limit: 8, seconds: 62, done: Done { log_only: true, done: 0, would_have: 5 }, ..EventLimit::default() },
        ],
        connections: Some(Connections { current: 95, max: Some(100), close: Some(95), per_ip: Some(50), free_ip_entries: 398, addresses: Some(addresses) }),
        ..Server::default()
    };
    let own = Connections { current: 0, max: Some(7), free_ip_entries: 400, ..Connections::default() };
    let servers = vec![
        base,
        Server { is_virtual: true, host: Some(Text::from("v.example")), port: 18081, connections: Some(own), ..Server::default() },
        Server { is_virtual: true, host: Some(Text::from("w.example")), port: 18081, shares_main: true, ..Server::default() },
        Server { is_virtual: true, host: None, port: 443, ..Server::default() },
    ];
    let window = Window { count: 3, age: 7 };
    let entry = ClientEntry {
        last_access: time(),
        vip: true,
        block: Some(window),
        limit: Limited::Open(Window { count: 1, age: 0 }),
        events_per_second: 4,
        delay_ms: 300,
        low_prio: true,
        low_prio_flags: 0x0c,
        event_requests: Some(2),
        content_types: Some(types(1)),
    };
    let prefer = Prefer { limit: 320, current: 95, totals: types(100), configured: Some(types(18)) };
    let evictions = vec![Evictions { kind: "idle", count: 17 }, Evictions { kind: "active", count: 0 }];
    Snapshot {
        log_only: true,
        load: Some(1.33),
        max_clients: 400,
        all_connections: Some(95),
        connected_clients: Some(46),
        data_rate: Some(DataRate { min: 64, max: Some(256), current: 124, cuts: 9 }),
        workers: Workers { open: 1, waiting: 2, read: 3, write: 4, keepalive: 5, start: 6, log: 7, dns: 8, closing: 9, finishing: 10, idle: 11 },
        client_table: Some(ClientTable { max: 50_000, used: 46_000, vip: 12, bytes: 6_400_000, evictions, prefer: Some(prefer) }),
        search: Some(Search { address: Address::from([192, 0, 2, 7]), entry: Some(entry) }),
        geo: Some(Geo {
            path: Text::from("conf/country.mmdb"),
            kind: "MaxMind DB",
            ipv4_ranges: 12,
            ipv6_ranges: 3,
            countries: Some("CH,DE".to_owned()),
            connections: Some(300),
        }),
        denials: events::denials(|id| u64::from(id == 31) * 5),
        delays: vec![Delay { rule: "QS_LocRequestPerSecLimit", count: 4, seconds: 1.5 }],
        events: Some(events::IDS.iter().map(|id| Event { id: *id, new: u64::from(id % 2), total: u64::from(*id) }).collect()),
        servers,
        ..nothing()
    }
}

pub fn options(query: &str) -> Options {
    Options::new(b"/qos", query.as_bytes())
}
