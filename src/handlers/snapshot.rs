//! Facts for the viewer: read from configuration, shared region and scoreboard, without stopping anybody.

use super::{clients, rules};
use crate::config::ServerRecord;
use crate::hooks::post_config::VERSION;
use crate::httpd::{clock, ffi, scoreboard, server};
use crate::rules::ServerRules;
use crate::runtime::Runtime;
use qos_core::address::Address;
use qos_core::rate::required;
use qos_core::text::Text;
use qos_core::view::{AddressCount, Connections, DataRate, Delay, Event, Geo, Options, Search, Server, Snapshot, events};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether reading the counters of messages resets those that count what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They stay.
    Peek,
    /// They begin anew (W54: only `?auto` does so).
    Reset,
}

/// Everything the viewer shows. `counting`: connections are counted, as the request's own variables say.
pub fn take(runtime: &Runtime, options: &Options, counting: bool, reading: Reading) -> Snapshot {
    let shared = runtime.region.shared();
    let all = runtime.region.count(runtime.all);
    let open = Open::look(runtime);
    let total = |id: u16| shared.events.get(usize::from(id)).map_or(0, |counter| counter.load(Ordering::Relaxed));
    let main = ServerRecord::of(runtime.main);
    let counts_events = main.is_some_and(|record| record.config.reports.event_count == Some(true));
    let has_store = clients::active(runtime);
    let search = options.address.as_deref().and_then(Address::parse).filter(|_| has_store);
    Snapshot {
        version: version(),
        time: clock::local_time(clock::wall_seconds()),
        log_only: runtime.log_only,
        load: clock::load_average(),
        max_clients: runtime.max_clients,
        all_connections: counting.then_some(all),
        connected_clients: Some(u32::try_from(open.clients).unwrap_or(u32::MAX)),
        data_rate: runtime.rate.map(|rule| DataRate {
            min: rule.base,
            max: rule.max,
            current: required(&rule, all, runtime.max_clients),
            cuts: shared.cuts.load(Ordering::Relaxed),
        }),
        workers: scoreboard::workers(),
        client_table: clients::clients_snapshot(runtime),
        search: search.map(|address| Search { address, entry: clients::find(runtime, address) }),
        geo: geo(runtime),
        denials: events::denials(total),
        delays: delays(runtime),
        events: counts_events.then(|| events::IDS.iter().map(|id| Event { id: *id, new: new(&shared.events_new, *id, reading), total: total(*id) }).collect()),
        servers: servers(runtime, options, &open),
    }
}

fn geo(runtime: &Runtime) -> Option<Geo> {
    let (database, rule) = (runtime.countries?, &runtime.geo.rule);
    let (ipv4, ipv6) = database.ranges();
    Some(Geo {
        path: Text::from(runtime.geo.database.as_deref().unwrap_or_default()),
        kind: database.kind().name(),
        ipv4_ranges: ipv4 as u64,
        ipv6_ranges: ipv6 as u64,
        countries: rule.as_ref().map(|rule| rule.countries.to_string()),
        connections: rule.as_ref().map(|rule| rule.connections),
    })
}

fn delays(runtime: &Runtime) -> Vec<Delay> {
    let shared = runtime.region.shared();
    let milliseconds = shared.delayed_ms.load(Ordering::Relaxed);
    runtime
        .rules
        .per_second
        .map(|_| Delay { rule: "QS_ClientEventPerSecLimit", count: shared.delays.load(Ordering::Relaxed), seconds: milliseconds as f64 / 1000.0 })
        .into_iter()
        .collect()
}

fn version() -> String {
    VERSION.to_str().ok().and_then(|text| text.strip_prefix("mod_qos/")).unwrap_or_default().to_owned()
}

fn new(counters: &[AtomicU64], id: u16, reading: Reading) -> u64 {
    counters.get(usize::from(id)).map_or(0, |counter| match reading {
        Reading::Peek => counter.load(Ordering::Relaxed),
        Reading::Reset => counter.swap(0, Ordering::Relaxed),
    })
}

/// Open connections by server and address.
struct Open {
    by_server: HashMap<u32, HashMap<Address, u32>>,
    clients: usize,
}

impl Open {
    fn look(runtime: &Runtime) -> Open {
        let mut by_server = HashMap::<u32, HashMap<Address, u32>>::new();
        let mut clients = HashSet::new();
        for connection in runtime.region.connections() {
            let address = runtime.client(Address::from_octets(connection.address));
            clients.insert(address);
            *by_server.entry(connection.server).or_default().entry(address).or_default() += 1;
        }
        Open { by_server, clients: clients.len() }
    }
}

fn servers(runtime: &Runtime, options: &Options, open: &Open) -> Vec<Server> {
    let main = runtime.main.cast_mut();
    let Some(main_record) = ServerRecord::of(main) else { return Vec::new() };
    let main_domain = main_record.derived().map(|derived| derived.domain);
    let one = |server: *mut ffi::server_rec| {
        let (host, port) = server::host_and_port(server);
        let record = ServerRecord::of(server);
        let is_virtual = server != main;
        let shares_main = is_virtual && record.is_none_or(|record| std::ptr::eq(record, main_record));
        let own = record.filter(|record| !shares_main && (!is_virtual || record.derived().map(|derived| derived.domain) != main_domain));
        Server {
            is_virtual,
            host: host.map(Text::from),
            port,
            shares_main,
            connections: own.map(|record| connections(runtime, options, open, record)),
            // A host with a configuration of its own has rules of its own.
            rules: rules_of(record.filter(|_| !shares_main))
                .map(|rules| rules.rules.iter().map(|rule| rules::rule(runtime, rules, rule)).collect())
                .unwrap_or_default(),
            event_limits: rules_of(record.filter(|_| !shares_main))
                .map(|rules| rules.counts.iter().map(|count| rules::event_limit(runtime, rules, count)).collect())
                .unwrap_or_default(),
        }
    };
    server::all(main).map(one).collect()
}

fn rules_of(record: Option<&ServerRecord>) -> Option<&ServerRules> {
    record.and_then(ServerRecord::rules)
}

fn connections(runtime: &Runtime, options: &Options, open: &Open, record: &ServerRecord) -> Connections {
    let derived = record.derived();
    let addresses = derived.and_then(|derived| open.by_server.get(&derived.number));
    let used = u32::try_from(addresses.map_or(0, HashMap::len)).unwrap_or(u32::MAX);
    let listed = options.addresses.then(|| {
        let mut list =
            addresses.into_iter().flatten().map(|(address, connections)| AddressCount { address: *address, connections: *connections }).collect::<Vec<_>>();
        list.sort_by_key(|entry| (std::cmp::Reverse(entry.connections), entry.address));
        list
    });
    Connections {
        current: derived.map_or(0, |derived| runtime.region.count(derived.key)),
        max: record.config.max_connections,
        close: derived.and_then(|derived| derived.close_limit),
        per_ip: record.config.per_ip,
        free_ip_entries: runtime.max_clients.saturating_sub(used),
        addresses: listed,
    }
}
