//! The block of one server: rules, events, connections, settings.

use super::parts::{Look, TABLE_END, label, or_dash, red, text};
use crate::text::html;
use crate::view::snapshot::{Connections, Done, Rate, Rule, RuleKind, Server, Snapshot};

const SHARED: &str = "<i>uses base server settings and counters</i>";

/// Everything about a server behind its title.
pub(in crate::view) fn block(snapshot: &Snapshot, server: &Server, look: Look) -> String {
    let remark = || format!("{}<tr><td colspan=\"9\">{SHARED}</td></tr>\n{TABLE_END}", look.table("pairs"));
    if server.shares_main {
        return remark();
    }
    let mut out = String::new();
    if !server.is_virtual {
        out += &client_control(snapshot, look);
    }
    if !server.rules.is_empty() {
        out += &rules(server, look);
    }
    if !server.event_limits.is_empty() {
        out += &event_limits(server, look);
    }
    match &server.connections {
        Some(connections) => out + &self::connections(snapshot, server, connections, look),
        None => {
            out += &look.table("pairs");
            out += "<tr><th colspan=\"9\">connections</th></tr>\n";
            out + &format!("<tr><td colspan=\"9\">{SHARED}</td></tr>\n{TABLE_END}")
        }
    }
}

/// The title: `host:port (base)`.
pub(in crate::view) fn title(server: &Server) -> String {
    format!("{} ({})", html(&server.title()), if server.is_virtual { "virtual" } else { "base" })
}

fn client_control(snapshot: &Snapshot, look: Look) -> String {
    let Some(table) = &snapshot.client_table else { return String::new() };
    let row = |label: String, max: u32, limit: String, current: u32| {
        format!("<tr><td colspan=\"6\">{label}</td><td class=\"number\">{max}</td><td class=\"number\">{limit}</td><td class=\"number\">{current}</td></tr>\n")
    };
    let mut out = look.table("pairs");
    out += "<tr><th colspan=\"6\">client control</th><th class=\"number\">max</th><th class=\"number\">limit</th><th class=\"number\">current</th></tr>\n";
    out += &row(label("QS_ClientEntries", "clients in memory"), table.max, "-".to_owned(), table.used);
    if let Some(prefer) = &table.prefer {
        out += &row(label("QS_ClientPrefer", "connections"), snapshot.max_clients, prefer.limit.to_string(), prefer.current);
    }
    out + TABLE_END
}

fn rules(server: &Server, look: Look) -> String {
    let mut out = look.table("rows");
    out += &format!(
        "<tr class=\"head\"><th rowspan=\"2\">rule</th><th colspan=\"2\" class=\"group\">{}</th><th colspan=\"3\" class=\"group\">{}</th><th colspan=\"3\" class=\"group\">{}</th></tr>\n",
        label("QS_LocRequestLimitMatch|QS_LocRequestLimit|QS_CondLocRequestLimitMatch|QS_EventRequestLimit", "concurrent requests"),
        label("QS_LocRequestPerSecLimitMatch|QS_LocRequestPerSecLimit|QS_EventPerSecLimit", "requests/second"),
        label("QS_LocKBytesPerSecLimitMatch|QS_LocKBytesPerSecLimit", "kbytes/second"),
    );
    let head = |name: &str, class: &str| format!("<th class=\"number{class}\">{name}</th>");
    let rate = [head("wait rate", " group"), head("limit", ""), head("current", "")].concat();
    out += &format!("<tr class=\"head\">{}{}{rate}{rate}</tr>\n", head("limit", " group"), head("current", ""));
    for rule in &server.rules {
        out += &rule_row(rule);
    }
    out + TABLE_END
}

fn rule_row(rule: &Rule) -> String {
    let unset = "<td class=\"number unset\">-</td>";
    let cell = |name: &str, reached: bool, value: String| format!("<td{} class=\"number\" data-label=\"{name}\">{value}</td>", red(reached));
    let conditional = if rule.kind == RuleKind::ConditionalLocationMatch { " (conditional)" } else { "" };
    let mut out = format!("<tr><td><code>{}</code>{conditional}</td>", broken(&rule.shown().to_string()));
    out += &rule.concurrent.as_ref().map_or_else(
        || unset.repeat(2),
        |found| {
            cell("concurrent, limit", false, limit_of(found.limit, found.done))
                + &cell("concurrent, current", nearly(found.current, found.limit), found.current.to_string())
        },
    );
    for (name, rate, seconds) in [("requests/s", &rule.requests, 30), ("kbytes/s", &rule.kbytes, 10)] {
        let rate: &Option<Rate> = rate;
        out += &rate.as_ref().map_or_else(
            || unset.repeat(3),
            |found| {
                let current = found.within(seconds);
                cell(&format!("{name}, wait rate"), found.wait_ms > 0, format!("{}&nbsp;ms", found.wait_ms))
                    + &cell(&format!("{name}, limit"), false, limit_of(found.limit, found.done))
                    + &cell(&format!("{name}, current"), nearly(current, found.limit), current.to_string())
            },
        );
    }
    out + "</tr>\n"
}

/// A limit, and whether it is only logged: with what it would have done.
fn limit_of(limit: u64, done: Done) -> String {
    if done.log_only { format!("{limit}&nbsp;(log only, would have acted {}&nbsp;times)", done.would_have) } else { limit.to_string() }
}

/// Above 90 percent of the limit.
fn nearly(current: u64, limit: u64) -> bool {
    current.saturating_mul(10) > limit.saturating_mul(9)
}

/// Long texts may be broken every 65 characters.
fn broken(text: &str) -> String {
    let mut rest = text.chars().peekable();
    let mut lines = Vec::new();
    while rest.peek().is_some() {
        lines.push(html(&rest.by_ref().take(65).collect::<String>()));
    }
    lines.join("<wbr>")
}

fn event_limits(server: &Server, look: Look) -> String {
    let mut out = look.table("pairs");
    out += &format!(
        "<tr><th colspan=\"5\">{}</th><th class=\"number\">limit</th><th class=\"number\">seconds</th><th colspan=\"2\" class=\"number\">current</th></tr>\n",
        label("QS_EventLimitCount", "events")
    );
    for limit in &server.event_limits {
        let conditional = if limit.conditional { " (conditional)" } else { "" };
        out += &format!(
            "<tr><td colspan=\"5\"><code>{}</code>{conditional}</td><td class=\"number\">{}</td><td class=\"number\">{}s</td><td{} class=\"number\">{}</td><td class=\"number\">{}s</td></tr>\n",
            text(&limit.name),
            limit_of(limit.limit, limit.done),
            limit.seconds,
            red(limit.current >= limit.limit),
            limit.current,
            limit.remaining
        );
    }
    out + TABLE_END
}

fn connections(snapshot: &Snapshot, server: &Server, connections: &Connections, look: Look) -> String {
    let row = |label: &str, reached: bool, value: String| format!("<tr><td colspan=\"6\">{label}</td><td{} colspan=\"3\">{value}</td></tr>\n", red(reached));
    let reached = |limit: Option<u32>| limit.is_some_and(|limit| connections.current >= limit);
    let mut out = look.table("pairs");
    out += "<tr><th colspan=\"9\">connections</th></tr>\n";
    out += &row(&label("QS_SrvMaxConnPerIP", "free ip entries"), false, connections.free_ip_entries.to_string());
    let current = label("QS_SrvMaxConn|QS_SrvMaxConnClose", "current connections");
    out += &row(&current, reached(connections.max) || reached(connections.close), connections.current.to_string());
    if !server.is_virtual {
        out += &row("<div>total connections</div>", false, snapshot.all_connections.map_or_else(|| "n/a".to_owned(), |all| all.to_string()));
    }
    if let Some(addresses) = &connections.addresses {
        out += &format!("<tr><th colspan=\"6\">{}</th><th colspan=\"3\">current</th></tr>\n", label("QS_SrvMaxConnPerIP", "client ip connections"));
        for entry in addresses {
            out += &row(&entry.address.to_string(), connections.per_ip.is_some_and(|limit| entry.connections >= limit), entry.connections.to_string());
        }
    }
    out += "<tr><th colspan=\"9\">connection settings</th></tr>\n";
    out += &row(&label("QS_SrvMaxConn", "max connections"), false, or_dash(connections.max));
    out += &row(&label("QS_SrvMaxConnClose", "max connections with keep-alive"), false, or_dash(connections.close));
    out += &row(&label("QS_SrvMaxConnPerIP", "max connections per client ip"), false, or_dash(connections.per_ip));
    let rate = snapshot.data_rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/{}/{}", rate.min, or_dash(rate.max), rate.current));
    out += &row(&label("QS_SrvMinDataRate|QS_SrvRequestRate", "min. data rate (bytes/sec) (min/max/current)"), false, rate);
    out + TABLE_END
}
