//! The line of `QS_Status` (connection-client.md section 13.2).

/// Slots of httpd's scoreboard by what their worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
}

/// The message 200, exact to the byte.
#[must_use]
pub fn line(workers: &Workers, max_clients: u32, all_connections: u32) -> String {
    let Workers { open, waiting, read, write, keepalive, start, log, dns, closing, finishing, idle } = *workers;
    let busy = workers.busy();
    format!(
        "mod_qos(200): {{ \"scoreboard\": {{ \"open\": {open}, \"waiting\": {waiting}, \"read\": {read}, \"write\": {write}, \"keepalive\": {keepalive}, \
         \"start\": {start}, \"log\": {log}, \"dns\": {dns}, \"closing\": {closing}, \"finishing\": {finishing}, \"idle\": {idle} }}, \
         \"maxclients\": {{ \"max\": {max_clients}, \"busy\": {busy}, \"QS_AllConn\": {all_connections} }} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line() {
        let workers = Workers { open: 1, waiting: 2, read: 3, write: 4, keepalive: 5, start: 6, log: 7, dns: 8, closing: 9, finishing: 10, idle: 11 };
        assert_eq!(
            line(&workers, 256, 12),
            r#"mod_qos(200): { "scoreboard": { "open": 1, "waiting": 2, "read": 3, "write": 4, "keepalive": 5, "start": 6, "log": 7, "dns": 8, "closing": 9, "finishing": 10, "idle": 11 }, "maxclients": { "max": 256, "busy": 27, "QS_AllConn": 12 } }"#
        );
    }
}
