//! Numbers of the variables that rules about clients ask for.

use qos_core::config::ClientConfig;
use qos_core::names::NameSet;

/// Numbers of the variables of a limit rule.
#[derive(Clone, Copy)]
pub struct LimitNames {
    /// Counted.
    pub event: usize,
    /// Begins anew.
    pub clear: usize,
    /// Counts less.
    pub decrement: usize,
    /// Was counted.
    pub seen: usize,
}

/// All of them.
pub struct Names {
    /// The names.
    pub set: NameSet,
    /// `QS_Block`.
    pub block: usize,
    /// `QS_Block_seen`.
    pub block_seen: usize,
    /// `QS_Block_Decrement`.
    pub block_decrement: usize,
    /// `QS_Event`.
    pub event: usize,
    /// `QS_EventRequest`.
    pub event_request: usize,
    /// `QS_Serialize`.
    pub serialize: usize,
    /// `QS_SrvSerialize`.
    pub server_serialize: usize,
    /// `QS_Cond`.
    pub condition: usize,
    /// `QS_Delay`.
    pub delay: usize,
    /// Those of the limit rules, in their order.
    pub limits: Vec<LimitNames>,
}

impl Names {
    /// The names that a configuration asks for.
    pub fn new(config: &ClientConfig) -> Names {
        let mut set = NameSet::default();
        let limits = config.limits.iter().map(|rule| &rule.names);
        let limits = limits
            .map(|names| LimitNames {
                event: set.add(names.event.as_bytes()),
                clear: set.add(names.clear.as_bytes()),
                decrement: set.add(names.decrement.as_bytes()),
                seen: set.add(names.seen.as_bytes()),
            })
            .collect();
        let [block, block_seen, block_decrement, event, event_request, serialize, server_serialize, condition, delay] = [
            &b"QS_Block"[..],
            b"QS_Block_seen",
            b"QS_Block_Decrement",
            b"QS_Event",
            b"QS_EventRequest",
            b"QS_Serialize",
            b"QS_SrvSerialize",
            b"QS_Cond",
            b"QS_Delay",
        ]
        .map(|name| set.add(name));
        Names { set, block, block_seen, block_decrement, event, event_request, serialize, server_serialize, condition, delay, limits }
    }
}
