//! Rules about requests for the viewer: what they count, measure and do now.

use crate::clients;
use crate::httpd::clock;
use crate::rules::{ActiveCount, ActiveRule, ServerRules};
use crate::runtime::Runtime;
use qos_core::rules::{EventCount, Kind, Limit};
use qos_core::text::Text;
use qos_core::throttle;
use qos_core::view::{Concurrent, Done, EventLimit, Rate, Rule, RuleKind};
use qos_shm::RuleCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A delay that was over longer ago is none, seconds.
const RECENT: u32 = 10;

/// The cell of a rule, which may be missing.
#[derive(Clone, Copy)]
struct Cell<'a>(Option<&'a RuleCell>);

impl Cell<'_> {
    fn read(self, word: fn(&RuleCell) -> &AtomicU64) -> u64 {
        self.0.map_or(0, |cell| word(cell).load(Ordering::Acquire))
    }
}

/// A rule with its limits.
pub fn rule(runtime: &Runtime, rules: &ServerRules, active: &ActiveRule) -> Rule {
    let (rule, cell) = (&active.rule, Cell(rules.cell(active)));
    let log_only = |limit: Limit| runtime.only_logs(limit.log_only);
    let concurrent = |limit: Limit| Concurrent {
        limit: u64::from(limit.number),
        current: u64::from(runtime.region.count(active.count)),
        done: Done { log_only: log_only(limit), done: cell.read(|cell| &cell.denied), would_have: cell.read(|cell| &cell.would_deny) },
    };
    Rule {
        kind: match rule.kind {
            Kind::Literal => RuleKind::Location,
            Kind::Match => RuleKind::LocationMatch,
            Kind::Conditional => RuleKind::ConditionalLocationMatch,
            Kind::EventRequest => RuleKind::EventRequest,
            Kind::EventPerSecond => RuleKind::EventPerSecond,
            Kind::EventKBytes => RuleKind::EventKBytes,
        },
        text: Text::from(rule.text.as_slice()),
        concurrent: rule.concurrent.map(concurrent),
        requests: rule.per_second.map(|limit| requests(limit, cell, log_only(limit))),
        kbytes: rule.kbytes.map(|limit| kbytes(limit, cell, log_only(limit))),
    }
}

/// Requests per second as measured last, and what requests have waited for in the last seconds.
fn requests(limit: Limit, cell: Cell<'_>, log_only: bool) -> Rate {
    let (measured, delay, now) = (cell.read(|cell| &cell.measured), cell.read(|cell| &cell.delay), clients::now());
    Rate {
        limit: u64::from(limit.number),
        current: measured >> 32,
        age: if measured == 0 { u32::MAX } else { now.saturating_sub(measured as u32) },
        wait_ms: if now.saturating_sub(delay as u32) > RECENT { 0 } else { (delay >> 32) as u32 },
        done: Done {
            log_only,
            done: cell.read(|cell| &cell.delayed).saturating_add(cell.read(|cell| &cell.crowded)),
            would_have: cell.read(|cell| &cell.would_delay),
        },
    }
}

/// Current bandwidth, and how long the next bytes wait.
fn kbytes(limit: Limit, cell: Cell<'_>, log_only: bool) -> Rate {
    let (now, bytes) = (clock::monotonic_ns(), cell.read(|cell| &cell.bytes));
    let current = throttle::current(cell.read(|cell| &cell.bandwidth_window), cell.read(|cell| &cell.bandwidth), bytes, now);
    Rate {
        limit: u64::from(limit.number),
        current: u64::from(current),
        age: if bytes == 0 { u32::MAX } else { 0 },
        wait_ms: u32::try_from(cell.read(|cell| &cell.tail).saturating_sub(now) / 1_000_000).unwrap_or(u32::MAX),
        done: Done { log_only, done: cell.read(|cell| &cell.throttled), would_have: cell.read(|cell| &cell.would_throttle) },
    }
}

/// Events in a window.
pub fn event_limit(runtime: &Runtime, rules: &ServerRules, count: &ActiveCount) -> EventLimit {
    let (cell, now) = (Cell(rules.count_cell(count)), clients::now());
    let state = count.rule.expire(EventCount::unpack(cell.read(|cell| &cell.events)), now);
    EventLimit {
        name: Text::from(count.rule.variable.to_bytes()),
        conditional: count.rule.condition.is_some(),
        limit: u64::from(count.rule.number),
        seconds: count.rule.seconds,
        current: u64::from(state.count),
        remaining: count.rule.remaining(state, now),
        done: Done { log_only: runtime.only_logs(count.rule.log_only), done: cell.read(|cell| &cell.denied), would_have: cell.read(|cell| &cell.would_deny) },
    }
}
