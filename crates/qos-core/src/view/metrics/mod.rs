//! Metrics for Prometheus and others: OpenMetrics text. Names and labels are an interface.

mod writer;

use super::snapshot::{Done, RuleKind, Server, Snapshot};
use crate::text::Text;
use std::collections::HashMap;
use writer::{Family, Writer};

/// Content type of the document.
pub const CONTENT_TYPE: &std::ffi::CStr = c"application/openmetrics-text; version=1.0.0; charset=utf-8";

const CONNECTIONS: Family = Family::gauge("qos_connections", "connections", "Open TCP connections of all servers.");
const SERVER_CONNECTIONS: Family = Family::gauge("qos_server_connections", "connections", "Open TCP connections of a server that counts for itself.");
const SERVER_LIMIT: Family = Family::gauge("qos_server_limit_connections", "connections", "Limit of connections of a server, by directive.");
const CAPACITY: Family = Family::gauge("qos_capacity_connections", "connections", "Capacity of the server in connections.");
const CLIENTS: Family = Family::gauge("qos_clients", "clients", "Different client addresses that have a connection.");
const LOG_ONLY: Family = Family::gauge("qos_log_only", "", "1 if rules are evaluated but not enforced (QS_LogOnly).");
const LOAD: Family = Family::gauge("qos_system_load", "", "Load average of the last minute.");
const WORKERS: Family = Family::gauge("qos_workers", "workers", "Slots of the scoreboard by state.");
const TABLE_CAPACITY: Family = Family::gauge("qos_client_table_capacity_entries", "entries", "Client addresses that the client table has room for.");
const TABLE_USED: Family = Family::gauge("qos_client_table_used_entries", "entries", "Client addresses in the client table.");
const TABLE_VIP: Family = Family::gauge("qos_client_table_vip_entries", "entries", "Client addresses that are marked as a VIP's.");
const TABLE_BYTES: Family = Family::gauge("qos_client_table_bytes", "bytes", "Memory of the client table.");
const EVICTIONS: Family = Family::counter("qos_client_table_evictions", "", "Entries of the client table that made room for others, by what they were.");
const PREFER: Family = Family::gauge("qos_prefer_connections", "connections", "Connections above which known good clients are preferred (QS_ClientPrefer).");
const CONTENT: Family = Family::counter("qos_responses", "", "Responses of all clients by content type (QS_ClientPrefer).");
const DENIALS: Family = Family::counter("qos_denials", "", "Denials by message id and directive.");
const DELAYS: Family = Family::counter("qos_delays", "", "Delayed requests by directive.");
const DELAY_SECONDS: Family = Family::counter("qos_delay_seconds", "seconds", "Time for which requests were delayed, by directive.");
const RATE: Family = Family::gauge("qos_data_rate_required_bytes_per_second", "", "Minimum data rate that is required of clients now.");
const CUTS: Family = Family::counter("qos_data_rate_cuts", "", "Connections that were cut because they were too slow.");
const RULE_LIMIT: Family = Family::gauge("qos_rule_limit", "", "Limit of a rule, by directive.");
const RULE_CURRENT: Family = Family::gauge("qos_rule_current", "", "What a rule counts or measures now.");
const RULE_LOG_ONLY: Family = Family::gauge("qos_rule_log_only", "", "1 if a limit is only logged (QS_LogOnlyRule, QS_LogOnly).");
const RULE_ACTIONS: Family =
    Family::counter("qos_rule_actions", "", "Requests that a limit denied or delayed, responses that it throttled; mode log_only: would have.");
const EVENTS: Family = Family::counter("qos_events", "", "Messages by id (QS_EventCount).");
const GEO: Family = Family::gauge("qos_geo_ranges", "", "Address ranges with a country in the database.");

/// The document. Nothing in it changes by being read.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = Writer::default();
    out.family(&Family::info("qos_build", "Version of the module."));
    out.sample(&[("version", &snapshot.version)], 1u32);
    connections(&mut out, snapshot);
    out.family(&LOG_ONLY);
    out.sample(&[], u32::from(snapshot.log_only));
    if let Some(load) = snapshot.load {
        out.family(&LOAD);
        out.float(&[], load);
    }
    out.family(&WORKERS);
    for (state, slots) in snapshot.workers.states() {
        out.sample(&[("state", state)], slots);
    }
    client_table(&mut out, snapshot);
    out.family(&DENIALS);
    for denial in &snapshot.denials {
        out.sample(&[("id", &format!("{:03}", denial.id)), ("rule", denial.rule)], denial.count);
    }
    if !snapshot.delays.is_empty() {
        out.family(&DELAYS);
        snapshot.delays.iter().for_each(|delay| out.sample(&[("rule", delay.rule)], delay.count));
        out.family(&DELAY_SECONDS);
        snapshot.delays.iter().for_each(|delay| out.float(&[("rule", delay.rule)], delay.seconds));
    }
    if let Some(rate) = snapshot.data_rate {
        out.family(&RATE);
        out.sample(&[], rate.current);
        out.family(&CUTS);
        out.sample(&[], rate.cuts);
    }
    rules(&mut out, snapshot);
    if let Some(list) = &snapshot.events {
        out.family(&EVENTS);
        list.iter().for_each(|event| out.sample(&[("id", &format!("{:03}", event.id))], event.total));
    }
    if let Some(geo) = &snapshot.geo {
        out.family(&GEO);
        out.sample(&[("family", "ipv4")], geo.ipv4_ranges);
        out.sample(&[("family", "ipv6")], geo.ipv6_ranges);
    }
    out.end()
}

fn connections(out: &mut Writer, snapshot: &Snapshot) {
    if let Some(all) = snapshot.all_connections {
        out.family(&CONNECTIONS);
        out.sample(&[], all);
    }
    out.family(&CAPACITY);
    out.sample(&[], snapshot.max_clients);
    if let Some(clients) = snapshot.connected_clients {
        out.family(&CLIENTS);
        out.sample(&[], clients);
    }
    let names = names(snapshot);
    let counting = || names.iter().zip(&snapshot.servers).filter_map(|(name, server)| Some((name, server, server.connections.as_ref()?)));
    out.family(&SERVER_CONNECTIONS);
    for (name, server, connections) in counting() {
        out.sample(&[("server", name), ("kind", kind(server))], connections.current);
    }
    out.family(&SERVER_LIMIT);
    for (name, server, connections) in counting() {
        for (rule, limit) in [("QS_SrvMaxConn", connections.max), ("QS_SrvMaxConnClose", connections.close), ("QS_SrvMaxConnPerIP", connections.per_ip)] {
            if let Some(limit) = limit {
                out.sample(&[("server", name), ("kind", kind(server)), ("rule", rule)], limit);
            }
        }
    }
}

/// What the servers are called: virtual hosts of one name and port get a number, the same in all families.
fn names(snapshot: &Snapshot) -> Vec<String> {
    let mut seen = HashMap::<String, u32>::new();
    let name = |server: &Server| {
        let title = server.title();
        let times = seen.entry(title.clone()).and_modify(|times| *times += 1).or_insert(1);
        if *times == 1 { title } else { format!("{title} ({times})") }
    };
    snapshot.servers.iter().map(name).collect()
}

fn kind(server: &Server) -> &'static str {
    if server.is_virtual { "virtual" } else { "base" }
}

fn client_table(out: &mut Writer, snapshot: &Snapshot) {
    let Some(table) = &snapshot.client_table else { return };
    for (family, value) in
        [(&TABLE_CAPACITY, u64::from(table.max)), (&TABLE_USED, u64::from(table.used)), (&TABLE_VIP, u64::from(table.vip)), (&TABLE_BYTES, table.bytes)]
    {
        out.family(family);
        out.sample(&[], value);
    }
    out.family(&EVICTIONS);
    table.evictions.iter().for_each(|evictions| out.sample(&[("kind", evictions.kind)], evictions.count));
    if let Some(prefer) = &table.prefer {
        out.family(&PREFER);
        out.sample(&[], prefer.limit);
        out.family(&CONTENT);
        for (name, count) in ["html", "css/js", "images", "other", "304"].into_iter().zip(prefer.totals.values()) {
            out.sample(&[("type", name)], count);
        }
    }
}

/// One limit of a rule with all its labels.
struct Counter<'a> {
    server: &'a str,
    kind: &'static str,
    directive: &'static str,
    text: &'a Text,
    limit: u64,
    current: u64,
    done: Done,
}

fn counters<'a>(name: &'a str, server: &'a Server) -> Vec<Counter<'a>> {
    let mut found = Vec::new();
    let mut add = |directive, text, limit, current, done| found.push(Counter { server: name, kind: kind(server), directive, text, limit, current, done });
    for rule in &server.rules {
        let [concurrent, requests, kbytes] = rule.kind.directives();
        if let Some(counted) = &rule.concurrent {
            add(concurrent, &rule.text, counted.limit, counted.current, counted.done);
        }
        let seconds = if rule.kind == RuleKind::EventKBytes { 100 } else { 10 };
        for (directive, rate, seconds) in [(requests, &rule.requests, 30), (kbytes, &rule.kbytes, seconds)] {
            if let Some(rate) = rate {
                add(directive, &rule.text, rate.limit, rate.within(seconds), rate.done);
            }
        }
    }
    for limit in &server.event_limits {
        add(limit.directive(), &limit.name, limit.limit, limit.current, limit.done);
    }
    found
}

fn rules(out: &mut Writer, snapshot: &Snapshot) {
    let names = names(snapshot);
    let all = || names.iter().zip(&snapshot.servers).filter(|(_, server)| !server.shares_main).flat_map(|(name, server)| counters(name, server));
    if all().next().is_none() {
        return;
    }
    for (place, family) in [&RULE_LIMIT, &RULE_CURRENT, &RULE_LOG_ONLY].into_iter().enumerate() {
        out.family(family);
        for counter in all() {
            let text = counter.text.to_string();
            let value = match place {
                0 => counter.limit,
                1 => counter.current,
                _ => u64::from(counter.done.log_only),
            };
            out.sample(&[("server", counter.server), ("kind", counter.kind), ("rule", counter.directive), ("text", &text)], value);
        }
    }
    out.family(&RULE_ACTIONS);
    for counter in all() {
        let text = counter.text.to_string();
        for (mode, value) in [("enforced", counter.done.done), ("log_only", counter.done.would_have)] {
            out.sample(&[("server", counter.server), ("kind", counter.kind), ("rule", counter.directive), ("text", &text), ("mode", mode)], value);
        }
    }
}
