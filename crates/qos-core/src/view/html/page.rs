//! The page as a whole.

use super::assets::{SCRIPT, STYLE};
use super::parts::{LOG_ONLY, Look, TABLE_END, bar, forms, percent, search, text};
use super::server;
use crate::text::{Text, html};
use crate::view::Options;
use crate::view::snapshot::{ClientTable, Geo, Snapshot};

/// The page. Its header `Content-Security-Policy` has to be [`super::content_security_policy`].
#[must_use]
pub fn render(snapshot: &Snapshot, options: &Options) -> String {
    let path = html(&Text(options.path.clone()).to_string());
    let base = options.path.strip_suffix(b"/").unwrap_or(&options.path);
    let icon = html(&Text([base, b"/favicon.ico"].concat()).to_string());
    let forms = forms(snapshot, options, |class, label, content| {
        format!("<form class=\"{class}\" action=\"{path}\" method=\"get\"><span>{label}</span>{content}</form>\n")
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>mod_qos</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n\
         <link rel=\"icon\" href=\"{icon}\">\n<style>{STYLE}</style></head>\n<body>\n\
         <div class=\"top\"><h1>mod_qos</h1>\n{forms}</div>\n<main>\n{}</main>\n<script>{SCRIPT}</script>\n</body></html>\n",
        content(snapshot)
    )
}

/// What changes: the part of the page that the script replaces.
fn content(snapshot: &Snapshot) -> String {
    let mut out = overview(snapshot);
    if let Some(found) = &snapshot.search {
        out += &card("search result", &search(snapshot, found, Look::Page));
    }
    for server in &snapshot.servers {
        out += &card(&server::title(server), &server::block(snapshot, server, Look::Page));
    }
    let mut pair = denials(snapshot) + &delays(snapshot) + &messages(snapshot);
    pair += &snapshot.client_table.as_ref().map(client_table).unwrap_or_default();
    pair += &snapshot.geo.as_ref().map(geo).unwrap_or_default();
    out += &format!("<div class=\"pair\">\n{pair}</div>\n");
    out + &format!("<footer>{}, mod_qos {}</footer>\n", snapshot.time, html(&snapshot.version))
}

fn card(title: &str, content: &str) -> String {
    format!("<section class=\"card\"><h2>{title}</h2>\n{content}</section>\n")
}

fn overview(snapshot: &Snapshot) -> String {
    let tile = |content: String| format!("<div class=\"tile\">{content}</div>\n");
    let mut out = String::from("<section class=\"card\"><h2>overview</h2>\n");
    if snapshot.log_only {
        out += &format!("<p class=\"notice\">{LOG_ONLY}</p>\n");
    }
    out += "<div class=\"tiles\">\n";
    let all = snapshot.all_connections.map_or_else(|| "n/a".to_owned(), |all| all.to_string());
    let share = percent(snapshot.all_connections.unwrap_or(0).into(), snapshot.max_clients.into());
    out += &tile(format!("<b>connections: {all}</b>{}<small>of {}</small>", bar(share), snapshot.max_clients));
    let load = snapshot.load.unwrap_or(0.0).max(0.0);
    let shown = snapshot.load.map_or_else(|| "n/a".to_owned(), |load| format!("{load:.2}"));
    // Integer part: 10 is half of the bar.
    let whole = load as u64;
    out += &tile(format!("<b>load: {shown}</b>{}<small>average of a minute</small>", bar(percent(whole, whole.saturating_add(10)))));
    let slots = snapshot.workers;
    let usable = slots.busy() + slots.waiting;
    out += &tile(format!("<b>workers: {}</b>{}<small>busy of {usable}</small>", slots.busy(), bar(percent(slots.busy().into(), usable.into()))));
    if let Some(clients) = snapshot.connected_clients {
        out += &tile(format!("<b>clients: {clients}</b><br><small>addresses with a connection</small>"));
    }
    if let Some(rate) = snapshot.data_rate {
        out += &tile(format!("<b>cut: {}</b><br><small>slow connections, below {} bytes/s now</small>", rate.cuts, rate.current));
    }
    out + "</div>\n</section>\n"
}

/// A table whose first `texts` columns are texts and whose others are numbers.
fn numbers(texts: usize, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let cells = |tag: &str, cells: &[String]| {
        let cell = |(index, cell): (usize, &String)| format!("<{tag}{}>{cell}</{tag}>", if index < texts { " class=\"long\"" } else { " class=\"number\"" });
        format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let head = head.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    format!("<table><tbody>\n{}{}{TABLE_END}", cells("th", &head), rows.map(|row| cells("td", &row)).collect::<String>())
}

const NOTHING: &str = "<p class=\"empty\">nothing</p>\n";

fn denials(snapshot: &Snapshot) -> String {
    const TITLE: &str = "denied <small>since the start</small>";
    let denied = snapshot.denials.iter().filter(|denial| denial.count > 0);
    if denied.clone().next().is_none() {
        return card(TITLE, NOTHING);
    }
    let rows = denied.map(|denial| vec![format!("{:03}", denial.id), html(denial.rule), denial.count.to_string()]);
    card(TITLE, &numbers(2, &["message", "rule", "count"], rows))
}

fn delays(snapshot: &Snapshot) -> String {
    if snapshot.delays.is_empty() {
        return String::new();
    }
    let rows = snapshot.delays.iter().map(|delay| vec![html(delay.rule), delay.count.to_string(), format!("{:.1}", delay.seconds)]);
    card("delayed <small>since the start</small>", &numbers(1, &["rule", "requests", "seconds"], rows))
}

fn messages(snapshot: &Snapshot) -> String {
    let Some(events) = &snapshot.events else { return String::new() };
    let counted = events.iter().filter(|event| event.total > 0);
    if counted.clone().next().is_none() {
        return card("messages", NOTHING);
    }
    let rows = counted.map(|event| vec![format!("mod_qos({:03})", event.id), event.new.to_string(), event.total.to_string()]);
    card("messages", &numbers(1, &["id", "new", "total"], rows))
}

fn client_table(table: &ClientTable) -> String {
    let used = format!(
        "<div class=\"tile\"><b>{} of {}</b>{}<small>{} VIP, {:.1} MiB</small></div>\n",
        table.used,
        table.max,
        bar(percent(table.used.into(), table.max.into())),
        table.vip,
        table.bytes as f64 / 1_048_576.0
    );
    let rows = table.evictions.iter().map(|evictions| vec![html(evictions.kind), evictions.count.to_string()]);
    card("client table", &(used + &numbers(1, &["entries that made room for others", "count"], rows)))
}

fn geo(geo: &Geo) -> String {
    let mut rows = vec![
        vec!["file".to_owned(), text(&geo.path)],
        vec!["kind".to_owned(), html(geo.kind)],
        vec!["IPv4 ranges".to_owned(), geo.ipv4_ranges.to_string()],
        vec!["IPv6 ranges".to_owned(), geo.ipv6_ranges.to_string()],
    ];
    if let (Some(countries), Some(connections)) = (&geo.countries, geo.connections) {
        rows.push(vec![format!("may connect from {connections} connections on"), html(countries)]);
    }
    let rows = rows.into_iter().map(|row| format!("<tr>{}</tr>\n", row.iter().map(|cell| format!("<td class=\"long\">{cell}</td>")).collect::<String>()));
    card("countries", &format!("<table><tbody>\n{}{TABLE_END}", rows.collect::<String>()))
}
