//! Small pieces of HTML that the page and the section in mod_status share.

use super::assets::RED;
use crate::status::ContentTypes;
use crate::text::{Text, html};
use crate::view::Options;
use crate::view::snapshot::{Limited, Search, Snapshot};
use std::fmt::Display;

/// How tables look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Look {
    /// The viewer's page.
    Page,
    /// mod_status: plain tables with borders.
    Plain,
}

impl Look {
    pub(in crate::view) fn table(self, class: &str) -> String {
        match self {
            Look::Page => format!("<table class=\"{class}\"><tbody>\n"),
            Look::Plain => "<table border=\"1\" cellpadding=\"2\" cellspacing=\"2\" width=\"100%\"><tbody>\n".to_owned(),
        }
    }
}

pub(in crate::view) const TABLE_END: &str = "</tbody></table>\n";

/// What is shown in log-only mode.
pub(in crate::view) const LOG_ONLY: &str = "running in 'log only' mode - rules are NOT enforced";

/// A label with the directives behind it as a tool tip.
pub(in crate::view) fn label(title: &str, text: &str) -> String {
    format!("<div title=\"{title}\">{text}</div>")
}

/// Text of a configuration or a client.
pub(in crate::view) fn text(text: &Text) -> String {
    html(&text.to_string())
}

/// A value or `-`.
pub(in crate::view) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The attribute of a cell that shows a reached limit.
pub(in crate::view) fn red(reached: bool) -> String {
    if reached { format!(" style=\"{RED}\"") } else { String::new() }
}

/// A bar of `percent`: `prog-bar`, from 90 `prog-bar-limit`.
pub(in crate::view) fn bar(percent: u32) -> String {
    let percent = percent.min(100);
    let class = if percent >= 90 { "prog-bar-limit" } else { "prog-bar" };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{percent}%\">\
         <rect class=\"track\" width=\"100\" height=\"8\"/><rect class=\"{class}\" width=\"{percent}\" height=\"8\"/></svg>"
    )
}

/// The share in percent, at most 100.
pub(in crate::view) fn percent(part: u64, whole: u64) -> u32 {
    u32::try_from(part.saturating_mul(100).checked_div(whole).unwrap_or(0).min(100)).unwrap_or(100)
}

/// The settings of the viewer: each form keeps what the others set.
pub(in crate::view) fn forms(snapshot: &Snapshot, options: &Options, form: impl Fn(&str, &str, &str) -> String) -> String {
    let hidden = |name: &str, value: &str| format!("<input name=\"{name}\" value=\"{}\" type=\"hidden\">", html(value));
    let option = |addresses: bool| hidden("option", if addresses { "ip" } else { "no" });
    let kept_option = if options.addresses { option(true) } else { String::new() };
    let given = options.address.as_ref().map(|address| Text(address.clone()).to_string());
    let kept_address = given.as_ref().map(|address| hidden("address", address)).unwrap_or_default();
    let kept_refresh = if options.refresh { hidden("refresh", "") } else { String::new() };
    let submit = |enable: bool| format!("<input name=\"action\" value=\"{}\" type=\"submit\">", if enable { "enable" } else { "disable" });

    let has_store = snapshot.client_table.is_some();
    let per_ip = snapshot.servers.iter().filter_map(|server| server.connections.as_ref()).any(|connections| connections.per_ip.is_some());
    let toggled = if options.refresh { String::new() } else { hidden("refresh", "") };
    let mut out = form("refresh", "auto refresh", &format!("{kept_option}{kept_address}{toggled}{}", submit(!options.refresh)));
    if has_store || per_ip {
        let content = format!("{}{kept_address}{kept_refresh}{}", option(!options.addresses), submit(!options.addresses));
        out += &form("addresses", "client ip connections", &content);
    }
    if has_store {
        let address = given.unwrap_or_else(|| "0.0.0.0".to_owned());
        let search = "<input name=\"action\" value=\"search\" type=\"submit\">";
        let input = format!("<input name=\"address\" value=\"{}\" type=\"text\" aria-label=\"address\">", html(&address));
        out += &form("search", "search a client ip entry", &format!("{kept_option}{kept_refresh}{input}{search}"));
    }
    out
}

/// The result of a search.
pub(in crate::view) fn search(snapshot: &Snapshot, search: &Search, look: Look) -> String {
    let mut out = look.table("found rows");
    out += &format!(
        "<tr class=\"head\"><th colspan=\"1\">IP</th><th colspan=\"2\">last request</th><th colspan=\"1\">{}</th><th colspan=\"1\">{}</th><th colspan=\"1\">{}</th>\
         <th colspan=\"2\">{}</th><th colspan=\"1\">{}</th></tr>\n",
        label("QS_VipHeaderName|QS_VipIPHeaderName", "vip"),
        label("QS_ClientEventBlockCount", "blocked"),
        label("QS_ClientEventLimitCount (QS_Limit)", "limited"),
        label("QS_ClientEventPerSecLimit", "events/sec"),
        label("QS_ClientPrefer&#10;0x01 slow&#10;0x02 normal behavior&#10;0x04 unusual content&#10;0x08 blocked&#10;0x10 limited&#10;0x20 timeout", "low prio"),
    );
    let Some(entry) = &search.entry else {
        return out + &format!("<tr><td colspan=\"1\">{}</td><td colspan=\"8\">not found</td></tr>\n{TABLE_END}", search.address);
    };
    let window = |window: Option<crate::view::Window>| window.map_or_else(|| "no".to_owned(), |window| format!("{}, {}&nbsp;sec", window.count, window.age));
    let word = |set: bool| if set { "yes" } else { "no" };
    let limit = match entry.limit {
        Limited::Off => "off".to_owned(),
        Limited::No => window(None),
        Limited::Open(open) => window(Some(open)),
    };
    out += &format!(
        "<tr><td colspan=\"1\">{}</td><td colspan=\"2\">{}</td><td colspan=\"1\">{}</td><td colspan=\"1\">{}</td><td colspan=\"1\">{limit}</td>\
         <td colspan=\"1\">{}</td><td colspan=\"1\">{}&nbsp;ms</td><td colspan=\"1\">{} (0x{:02x})</td></tr>\n",
        search.address,
        entry.last_access.date_and_time(),
        word(entry.vip),
        window(entry.block),
        entry.events_per_second,
        entry.delay_ms,
        word(entry.low_prio),
        entry.low_prio_flags,
    );
    out += TABLE_END;
    let events = entry.event_requests.map_or_else(|| "off".to_owned(), |requests| requests.to_string());
    out += &look.table("pairs");
    out += &format!("<tr><td colspan=\"6\">{}</td><td colspan=\"3\" class=\"number\">{events}</td></tr>\n", label("QS_ClientEventRequestLimit", "events:"));
    out += TABLE_END;
    if let Some(prefer) = snapshot.client_table.as_ref().and_then(|table| table.prefer) {
        out += &look.table("types");
        out += "<tr><th></th><th class=\"number\">html</th><th class=\"number\">css/js</th><th class=\"number\">images</th><th class=\"number\">other</th><th class=\"number\">304</th></tr>\n";
        if let Some(own) = &entry.content_types {
            out += &content_types("this client", own, "");
        }
        out += &content_types(&label("QS_ClientContentTypes", "all clients"), &prefer.totals, "");
        if let Some(configured) = &prefer.configured {
            out += &content_types("configured (global)", configured, "%");
        }
        out += TABLE_END;
    }
    out
}

fn content_types(label: &str, types: &ContentTypes, unit: &str) -> String {
    let cells = types.values().map(|value| format!("<td class=\"number\">{value}{unit}</td>")).concat();
    format!("<tr><td>{label}</td>{cells}</tr>\n")
}
