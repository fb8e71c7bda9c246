//! `?auto`: one item per line (connection-client.md section 11.3). The order is an interface.

use super::snapshot::{Rate, Rule, RuleKind, Server, Snapshot};
use crate::text::Text;

/// The lines. Addresses are listed where the snapshot has them.
#[must_use]
pub fn render(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    if let Some(load) = snapshot.load {
        line(&mut out, &[b"b;system.load: ", format!("{load:.2}").as_bytes()]);
    }
    let prefer = snapshot.client_table.as_ref().and_then(|table| table.prefer);
    if let Some(prefer) = prefer {
        let totals = prefer.totals.values().map(|total| total.to_string()).join(" ");
        line(&mut out, &[b"b;clientContentTypes(html,css/js,images,other,304): ", totals.as_bytes()]);
    }
    for server in &snapshot.servers {
        let mut lines = Lines::of(server, &mut out);
        if let (false, Some(all)) = (server.is_virtual, snapshot.all_connections) {
            lines.item("QS_AllConn", all.into());
        }
        if server.shares_main {
            continue;
        }
        if let (false, Some(prefer)) = (server.is_virtual, prefer) {
            lines.limit("QS_ClientPrefer", &prefer.limit.to_string(), b"", prefer.current.into());
        }
        server.rules.iter().for_each(|rule| lines.rule(rule));
        for limit in &server.event_limits {
            lines.limit(limit.directive(), &format!("{}/{}", limit.limit, limit.seconds), &limit.name.0, limit.current);
        }
        lines.log_only(server);
        if let Some(connections) = &server.connections {
            for (directive, limit) in [("QS_SrvMaxConn", connections.max), ("QS_SrvMaxConnClose", connections.close)] {
                if let Some(limit) = limit {
                    lines.limit(directive, &limit.to_string(), b"", connections.current.into());
                }
            }
            for entry in connections.addresses.iter().flatten().filter(|entry| entry.connections > 0) {
                lines.item(&format!("QS_SrvMaxConnPerIP;{}", entry.address), entry.connections.into());
            }
        }
    }
    for event in snapshot.events.iter().flatten() {
        line(&mut out, &[format!("e;mod_qos({:03});new: {}", event.id, event.new).as_bytes()]);
        line(&mut out, &[format!("e;mod_qos({:03});total: {}", event.id, event.total).as_bytes()]);
    }
    out
}

/// Bytes stay as configured; only control characters, which would make further lines, are escaped.
fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for byte in parts.iter().copied().flatten() {
        if byte.is_ascii_control() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out.push(b'\n');
}

/// The lines of one server.
struct Lines<'a> {
    out: &'a mut Vec<u8>,
    begin: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn of(server: &Server, out: &'a mut Vec<u8>) -> Lines<'a> {
        let kind: &[u8] = if server.is_virtual { b"v;" } else { b"b;" };
        Lines { out, begin: [kind, &server.host().0, format!(";{};", server.port).as_bytes()].concat() }
    }

    fn item(&mut self, name: &str, value: u64) {
        line(self.out, &[&self.begin, name.as_bytes(), b": ", value.to_string().as_bytes()]);
    }

    fn limit(&mut self, directive: &str, limit: &str, rule: &[u8], current: u64) {
        line(self.out, &[&self.begin, directive.as_bytes(), b";", limit.as_bytes(), b"[", rule, b"]: ", current.to_string().as_bytes()]);
    }

    /// Limits that are only logged, each with the number of requests that it would have denied or delayed.
    fn log_only(&mut self, server: &Server) {
        for rule in &server.rules {
            let [concurrent, requests, kbytes] = rule.kind.directives();
            let found = [
                (concurrent, rule.concurrent.map(|found| found.done)),
                (requests, rule.requests.map(|found| found.done)),
                (kbytes, rule.kbytes.map(|found| found.done)),
            ];
            for (directive, done) in found {
                if let Some(done) = done.filter(|done| done.log_only) {
                    self.limit("QS_LogOnlyRule", directive, &rule.shown().0, done.would_have);
                }
            }
        }
        for limit in server.event_limits.iter().filter(|limit| limit.done.log_only) {
            self.limit("QS_LogOnlyRule", limit.directive(), &limit.name.0, limit.done.would_have);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let Text(text) = rule.shown();
        let [concurrent, requests, kbytes] = rule.kind.directives();
        let is_event = matches!(rule.kind, RuleKind::EventRequest | RuleKind::EventPerSecond | RuleKind::EventKBytes);
        // What events measured is forgotten after a while; locations show what was measured last.
        let rate = |rate: &Rate, seconds| if is_event { rate.within(seconds) } else { rate.current };
        if let Some(found) = &rule.concurrent {
            self.limit(concurrent, &found.limit.to_string(), &text, found.current);
        }
        let mut rates = [(requests, &rule.requests, 30), (kbytes, &rule.kbytes, 100)];
        if is_event {
            rates.reverse();
        }
        for (directive, found, seconds) in rates {
            if let Some(found) = found {
                self.limit(directive, &found.limit.to_string(), &text, rate(found, seconds));
            }
        }
    }
}
