//! The line of `QS_Status` (connection-client.md section 13.2).

use serde::Serialize;

/// Responses by content type, as `QS_ClientPrefer` counts them; or their shares in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the line")]
pub struct ContentTypes {
    pub html: u64,
    #[serde(rename = "css/js")]
    pub css_js: u64,
    pub images: u64,
    pub other: u64,
    #[serde(rename = "304")]
    pub not_modified: u64,
}

impl ContentTypes {
    /// In the order of the line.
    #[must_use]
    pub fn values(&self) -> [u64; 5] {
        [self.html, self.css_js, self.images, self.other, self.not_modified]
    }
}

/// Slots of httpd's scoreboard by what their worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the line")]
pub struct Workers {
    pub open: u32,
    pub waiting: u32,
    pub read: u32,
    pub write: u32,
    pub keepalive: u32,
    pub start: u32,
    pub log: u32,
    pub dns: u32,
    pub closing: u32,
    pub finishing: u32,
    pub idle: u32,
}

impl Workers {
    /// Workers that serve a connection.
    #[must_use]
    pub fn busy(&self) -> u32 {
        self.read + self.write + self.keepalive + self.log + self.dns
    }

    /// Every state with its number, in the order of the line.
    #[must_use]
    pub fn states(&self) -> [(&'static str, u32); 11] {
        [
            ("open", self.open),
            ("waiting", self.waiting),
            ("read", self.read),
            ("write", self.write),
            ("keepalive", self.keepalive),
            ("start", self.start),
            ("log", self.log),
            ("dns", self.dns),
            ("closing", self.closing),
            ("finishing", self.finishing),
            ("idle", self.idle),
        ]
    }
}

/// The message 200, exact to the byte. `content_types`: with `QS_ClientPrefer`, the totals of all clients.
#[must_use]
pub fn line(workers: &Workers, max_clients: u32, all_connections: u32, content_types: Option<&ContentTypes>) -> String {
    let scoreboard = workers.states().map(|(state, slots)| format!("\"{state}\": {slots}")).join(", ");
    let busy = workers.busy();
    let content_types = content_types.map_or_else(String::new, |totals| {
        let [html, css_js, images, other, not_modified] = totals.values();
        format!(", \"clientContentTypes\": {{ \"html\": {html}, \"css/js\": {css_js}, \"images\": {images}, \"other\": {other}, \"304\": {not_modified} }}")
    });
    format!(
        "mod_qos(200): {{ \"scoreboard\": {{ {scoreboard} }}, \
         \"maxclients\": {{ \"max\": {max_clients}, \"busy\": {busy}, \"QS_AllConn\": {all_connections} }}{content_types} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line() {
        let workers = Workers { open: 1, waiting: 2, read: 3, write: 4, keepalive: 5, start: 6, log: 7, dns: 8, closing: 9, finishing: 10, idle: 11 };
        assert_eq!(
            line(&workers, 256, 12, None),
            r#"mod_qos(200): { "scoreboard": { "open": 1, "waiting": 2, "read": 3, "write": 4, "keepalive": 5, "start": 6, "log": 7, "dns": 8, "closing": 9, "finishing": 10, "idle": 11 }, "maxclients": { "max": 256, "busy": 27, "QS_AllConn": 12 } }"#
        );
        let totals = ContentTypes { html: 1, css_js: 2, images: 3, other: 4, not_modified: 5 };
        assert_eq!(
            line(&Workers::default(), 256, 0, Some(&totals)),
            r#"mod_qos(200): { "scoreboard": { "open": 0, "waiting": 0, "read": 0, "write": 0, "keepalive": 0, "start": 0, "log": 0, "dns": 0, "closing": 0, "finishing": 0, "idle": 0 }, "maxclients": { "max": 256, "busy": 0, "QS_AllConn": 0 }, "clientContentTypes": { "html": 1, "css/js": 2, "images": 3, "other": 4, "304": 5 } }"#
        );
    }
}
