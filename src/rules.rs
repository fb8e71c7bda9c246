//! The rules of a server about its requests as hooks use them: what is configured, with counters and cells in shared memory
//! (request-event.md section 3.2).

use crate::clients::domain;
use crate::config::ServerRecord;
use crate::httpd::{ffi, log, retained, server};
use qos_core::config::ServerConfig;
use qos_core::names::NameSet;
use qos_core::rules::pace::Pace;
use qos_core::rules::window::Window;
use qos_core::rules::{EventCountRule, Kind, Rule, Selection, message};
use qos_shm::{CountKey, Region, RuleCell, RuleTable};
use std::ffi::CString;
use std::sync::atomic::Ordering;

/// A rule of a server that is running.
pub struct ActiveRule {
    /// What is configured.
    pub rule: Rule,
    /// As logs and the viewer show it.
    pub shown: Vec<u8>,
    /// Counts its requests.
    pub count: CountKey,
    /// Orders its requests that wait.
    pub queue: CountKey,
    /// Requests per second.
    pub pace: Option<Pace>,
    /// The number of the event's variable.
    pub variable: usize,
    /// `QS_EventRequestLimit_<variable>_Counter`.
    pub counter: CString,
    cell: u32,
}

/// `QS_EventLimitCount` or `QS_CondEventLimitCount` of a server that is running.
pub struct ActiveCount {
    /// What is configured.
    pub rule: EventCountRule,
    /// The number of the variable.
    pub variable: usize,
    /// The number of `<variable>_Decrement`.
    pub decrement: usize,
    /// The first rule for a variable publishes the counter of all of them: their places, none in the others.
    pub published: Vec<usize>,
    cell: u32,
}

/// The rules of a server.
pub struct ServerRules {
    table: RuleTable,
    /// All of them, in order.
    pub rules: Vec<ActiveRule>,
    /// Counts of events, in order.
    pub counts: Vec<ActiveCount>,
    /// Finds those of locations.
    pub selection: Selection,
    /// Places of those that look at variables: concurrent requests.
    pub event_requests: Vec<usize>,
    /// Requests per second.
    pub event_rates: Vec<usize>,
    /// Kbytes per second.
    pub event_kbytes: Vec<usize>,
}

impl ServerRules {
    /// What children share of a rule.
    pub fn cell(&self, rule: &ActiveRule) -> Option<&RuleCell> {
        self.table.cell(rule.cell)
    }

    /// What children share of a count of events.
    pub fn count_cell(&self, count: &ActiveCount) -> Option<&RuleCell> {
        self.table.cell(count.cell)
    }

    /// A rule by its place.
    pub fn rule(&self, place: Option<usize>) -> Option<&ActiveRule> {
        self.rules.get(place?)
    }
}

/// Cells of the smallest table.
const LEAST_CELLS: usize = 64;

/// Makes the rules of all servers ready. In the parent only.
///
/// # Errors
/// What the system or the table says, for the log.
pub fn open(region: &Region, main: *mut ffi::server_rec, names: &mut NameSet, now: u32) -> Result<(), String> {
    let servers = server::all(main).filter_map(|server| Some((server, ServerRecord::of(server)?)));
    let main_record = ServerRecord::of(main);
    // A host without directives has the record of the main server.
    let servers = servers.filter(|(server, record)| *server == main || main_record.is_none_or(|main| !std::ptr::eq(*record, main))).collect::<Vec<_>>();
    let needed = servers.iter().map(|(_, record)| record.config.rules.table.len() + record.config.rules.counts.len()).sum::<usize>();
    if needed == 0 {
        return Ok(());
    }
    let mut cells = needed * 2;
    let found = loop {
        let table = table(cells)?;
        let one = |(server, record): &(*mut ffi::server_rec, &ServerRecord)| one(region, *server, &record.config, table, names);
        let found = servers.iter().map(one).collect::<Result<Option<Vec<_>>, _>>()?;
        match found {
            Some(found) => break found,
            // Rules of the restarts before have kept their cells.
            None => cells = table.capacity() * 2,
        }
    };
    for ((server, record), found) in servers.into_iter().zip(found) {
        for cell in found.rules.iter().filter_map(|rule| found.cell(rule)) {
            let _ = cell.requests.compare_exchange(0, Window { start: now, requests: 0 }.pack(), Ordering::AcqRel, Ordering::Relaxed);
        }
        remarks(server, &found.rules);
        record.set_rules(found);
    }
    Ok(())
}

/// The table of an earlier configuration where it has so many cells, or a larger one.
fn table(cells: usize) -> Result<RuleTable, String> {
    // SAFETY: what is kept is the base of a table that this process made and has not unmapped.
    let old = retained::rules().and_then(|base| unsafe { RuleTable::attach(base) }.ok());
    if let Some(old) = old.filter(|old| old.capacity() >= cells) {
        return Ok(old);
    }
    let table = RuleTable::create((cells * 2).next_power_of_two().max(LEAST_CELLS)).map_err(|error| error.to_string())?;
    if let Some(old) = old {
        table.take_over(&old);
        // SAFETY: handles of the old configuration were dropped with it; children have mappings of their own.
        unsafe { old.unmap() };
    }
    retained::keep_rules(Some(table.base()));
    Ok(table)
}

/// The rules of one server. `None`: the table has no cell left for one of them.
fn one(region: &Region, server: *mut ffi::server_rec, config: &ServerConfig, table: RuleTable, names: &mut NameSet) -> Result<Option<ServerRules>, String> {
    let generation = region.generation();
    let identity = server::identity(server);
    let key = |domain: u64, parts: &[&[u8]]| {
        let mut text = identity.clone();
        parts.iter().for_each(|part| text.extend([&[0], *part].concat()));
        crate::clients::key_of_bytes(region, domain, &text)
    };
    let (configured, counts) = config.rules.marked().map_err(|wrong| wrong.to_string())?;
    let selection = Selection::new(&configured);
    let mut rules = Vec::with_capacity(configured.len());
    for rule in configured {
        let kind = [rule.kind as u8];
        let limits = [rule.per_second, rule.kbytes].map(|limit| limit.map_or(0, |limit| limit.number)).map(u32::to_le_bytes).concat();
        let Some(cell) = table.claim(key(domain::RULE_CELL, &[&kind, &rule.text, &limits]).raw(), generation) else { return Ok(None) };
        let counter = [b"QS_EventRequestLimit_", rule.variable.as_slice(), b"_Counter"].concat();
        rules.push(ActiveRule {
            shown: rule.shown(),
            count: key(domain::RULE_REQUESTS, &[&kind, &rule.text]),
            queue: key(domain::RULE_TURN, &[&kind, &rule.text]),
            pace: rule.per_second.map(|limit| Pace::new(limit.number)),
            variable: if rule.kind.is_event() { names.add(&rule.variable) } else { usize::MAX },
            counter: CString::new(counter).unwrap_or_default(),
            cell,
            rule,
        });
    }
    let mut active = Vec::<ActiveCount>::with_capacity(counts.len());
    for rule in counts {
        let name = rule.variable.to_bytes();
        let same = |other: &ActiveCount| other.rule.variable.to_bytes().eq_ignore_ascii_case(name);
        let first = active.iter().position(same);
        let before = active.iter().filter(|other| same(other)).count().to_le_bytes();
        let numbers = [rule.number, rule.seconds, u32::from(rule.condition.is_some())].map(u32::to_le_bytes).concat();
        let Some(cell) = table.claim(key(domain::RULE_CELL, &[b"count", &name.to_ascii_lowercase(), &numbers, &before]).raw(), generation) else {
            return Ok(None);
        };
        active.push(ActiveCount { variable: names.add(name), decrement: names.add(rule.decrement.to_bytes()), published: Vec::new(), cell, rule });
        let place = active.len() - 1;
        if let Some(publisher) = active.get_mut(first.unwrap_or(place)) {
            publisher.published.push(place);
        }
    }
    let places = |kind: Kind| rules.iter().enumerate().filter(|(_, rule)| rule.rule.kind == kind).map(|(place, _)| place).collect::<Vec<_>>();
    Ok(Some(ServerRules {
        table,
        selection,
        event_requests: places(Kind::EventRequest),
        event_rates: places(Kind::EventPerSecond),
        event_kbytes: places(Kind::EventKBytes),
        counts: active,
        rules,
    }))
}

/// 003, for rules of locations that limit no concurrent requests.
fn remarks(server: *mut ffi::server_rec, rules: &[ActiveRule]) {
    for rule in rules.iter().filter(|rule| matches!(rule.rule.kind, Kind::Literal | Kind::Match) && rule.rule.concurrent_limit().is_none()) {
        log::server(server, log::Level::Warning, || message::without_limit(&rule.shown));
    }
}
