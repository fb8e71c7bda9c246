//! The client store as hooks use it: which entry belongs to whom, and what is worth keeping (connection-client.md section 4).

use crate::httpd::ffi;
use crate::httpd::{clock, log, retained};
use crate::runtime::Runtime;
use qos_core::address::Address;
use qos_core::client::LOW_SECONDS;
use qos_core::config::ClientConfig;
use qos_shm::{Bound, Client, ClientId, ClientSizing, ClientTable, CountKey, Keep, Region};

/// Domains of keys in the shared region, besides those of servers.
pub mod domain {
    /// Requests that `QS_ClientEventRequestLimit` counts.
    pub const EVENT_REQUESTS: u64 = u64::MAX - 2;
    /// Requests that `QS_ClientEventPerSecLimit` delays.
    pub const DELAYED: u64 = u64::MAX - 3;
    /// Turns of `QS_ClientSerialize`.
    pub const CLIENT_TURN: u64 = u64::MAX - 4;
    /// Turns of `QS_SrvSerialize`.
    pub const SERVER_TURN: u64 = u64::MAX - 5;
    /// Connections of a server, combined with the domain of its addresses.
    pub const SERVER: u64 = 0x5345_5256_4552_0001;
    /// Requests of a rule.
    pub const RULE_REQUESTS: u64 = u64::MAX - 7;
    /// Requests of a rule that wait.
    pub const RULE_TURN: u64 = u64::MAX - 8;
    /// The cell of a rule.
    pub const RULE_CELL: u64 = u64::MAX - 9;
    /// What tells tables with another secret.
    pub const CHECK: u64 = u64::MAX - 6;
}

/// The table with what the running configuration makes of it.
pub struct ClientStore {
    /// The shared table.
    pub table: ClientTable,
    /// What is worth keeping.
    keep: Keep,
    /// Column of each limit rule.
    columns: Vec<usize>,
    /// Domains in which connections of an address are counted. The first one, the main server's, hashes addresses for the table.
    domains: Vec<u64>,
    /// `QS_ClientEventRequestLimit` is there.
    counts_requests: bool,
}

/// So many servers with counters of their own are asked for open connections before a client makes room: what a new client costs must not
/// grow with the number of virtual hosts.
const ASKED_DOMAINS: usize = 8;

/// Monotonic seconds, as the table keeps times.
pub fn seconds(monotonic_ms: u64) -> u32 {
    u32::try_from(monotonic_ms / 1000).unwrap_or(u32::MAX)
}

/// The current second.
pub fn now() -> u32 {
    seconds(clock::monotonic_ms())
}

impl ClientStore {
    /// The column of a limit rule, by its place in the configuration.
    pub fn column(&self, rule: usize) -> usize {
        self.columns.get(rule).copied().unwrap_or(usize::MAX)
    }

    /// The hash of a client. Who has the key of its connections in the main server's domain has it already.
    fn hash(&self, region: &Region, octets: &[u8; 16]) -> u64 {
        region.key(self.home(), octets).raw()
    }

    fn home(&self) -> u64 {
        self.domains.first().copied().unwrap_or(0)
    }

    /// The entry of a client, made if it is new.
    pub fn entry(&self, region: &Region, client: Address, now: u32) -> Option<Client<'_>> {
        self.insert(region, client, self.hash(region, &client.octets()), now)
    }

    /// The same for a client whose connections are counted by `key` in `domain`.
    pub fn entry_of(&self, region: &Region, client: Address, (domain, key): (u64, CountKey), now: u32) -> Option<Client<'_>> {
        let hash = if domain == self.home() { key.raw() } else { self.hash(region, &client.octets()) };
        self.insert(region, client, hash, now)
    }

    fn insert(&self, region: &Region, client: Address, hash: u64, now: u32) -> Option<Client<'_>> {
        let mut is_open = |octets: &[u8; 16]| self.is_open(region, octets);
        self.table.find_or_insert(&client.octets(), hash, now, &self.keep, &mut is_open)
    }

    /// The entry of a client, if it is known.
    pub fn find(&self, region: &Region, client: Address) -> Option<Client<'_>> {
        let octets = client.octets();
        self.table.find(&octets, self.hash(region, &octets))
    }

    /// The entry that was found before, or the one that the client has now.
    pub fn resume(&self, region: &Region, client: Address, id: Option<ClientId>, now: u32) -> Option<Client<'_>> {
        match id.and_then(|id| self.table.get(id)) {
            Some(entry) => {
                entry.touch(now);
                Some(entry)
            }
            None => self.entry(region, client, now),
        }
    }

    fn is_open(&self, region: &Region, octets: &[u8; 16]) -> bool {
        let counted = |domain: u64| region.count(region.key(domain, octets)) > 0;
        self.domains.iter().take(ASKED_DOMAINS).any(|domain| counted(*domain)) || (self.counts_requests && counted(domain::EVENT_REQUESTS))
    }
}

/// What is worth keeping, with limits in the order of columns.
fn keep(config: &ClientConfig, columns: &[usize], width: usize) -> Keep {
    let mut limits = vec![None; width];
    for (rule, column) in config.limits.iter().zip(columns) {
        if let Some(place) = limits.get_mut(*column) {
            *place = Some(Bound { count: rule.limit, seconds: rule.seconds });
        }
    }
    let block = config.block.filter(|rule| rule.limit > 0).map(|rule| Bound { count: rule.limit, seconds: rule.seconds });
    Keep { block, limits, low_seconds: LOW_SECONDS }
}

/// A name of a variable as a column is named.
fn column_name(variable: &[u8]) -> u64 {
    qos_shm::name_hash(&variable.to_ascii_lowercase())
}

/// The table of an earlier configuration, its clients moved over where its size or its variables changed, or a new one. In the parent only.
///
/// # Errors
/// What the system or the table says, for the log.
pub fn open(main: *const ffi::server_rec, region: &Region, config: &ClientConfig, entries: u32, domains: Vec<u64>) -> Result<ClientStore, String> {
    let variables = config.limits.iter().map(|rule| column_name(rule.names.event.as_bytes())).collect::<Vec<_>>();
    // The hash changes with the secret and with the name of the main server.
    let check = key_of(region, domain::CHECK, domains.first().copied().unwrap_or(0)).raw();
    let sizing = ClientSizing { entries, variables, secret_check: check };
    // SAFETY: what is kept is the base of a table that this process made and has not unmapped.
    let old = retained::clients().and_then(|base| unsafe { ClientTable::attach(base) }.ok());
    let table = match old {
        Some(old) if old.fits(&sizing) => old,
        _ => ClientTable::create(&sizing).map_err(|error| error.to_string())?,
    };
    let columns = sizing.variables.iter().map(|name| table.variables().iter().position(|own| own == name).unwrap_or(usize::MAX)).collect::<Vec<_>>();
    let keep = keep(config, &columns, table.variables().len());
    if let Some(old) = old.filter(|old| old.base() != table.base()) {
        let home = domains.first().copied().unwrap_or(0);
        let resumed = table.take_over(&old, now(), &keep, &|octets| region.key(home, octets).raw());
        log::server(main, log::Level::Notice, || {
            format!(
                "mod_qos(001): client table changed (QS_ClientEntries: {} to {}, limit variables: {} to {}): {} clients kept, {} dropped",
                old.capacity(),
                table.capacity(),
                old.variables().len(),
                table.variables().len(),
                resumed.moved,
                resumed.dropped
            )
        });
        // SAFETY: handles of the old configuration were dropped with it; children have mappings of their own.
        unsafe { old.unmap() };
    }
    retained::keep_clients(Some(table.base()));
    Ok(ClientStore { table, keep, columns, domains, counts_requests: config.event_requests.is_some() })
}

/// No rule remembers clients any more (W23). In the parent only.
pub fn close(main: *const ffi::server_rec) {
    if let Some(base) = retained::clients() {
        // SAFETY: as for `open`.
        if let Ok(table) = unsafe { ClientTable::attach(base) } {
            log::server(main, log::Level::Notice, || {
                format!(
                    "mod_qos(001): client table is given up (QS_ClientEntries: {}, limit variables: {}): no rule about clients is left",
                    table.capacity(),
                    table.variables().len()
                )
            });
            // SAFETY: as for `open`.
            unsafe { table.unmap() };
        }
        retained::keep_clients(None);
    }
}

/// The key of a number in one of the domains.
pub fn key_of(region: &Region, domain: u64, number: u64) -> CountKey {
    region.key(domain, &u128::from(number).to_le_bytes())
}

/// The key of a text in one of the domains.
pub fn key_of_bytes(region: &Region, domain: u64, text: &[u8]) -> CountKey {
    key_of(region, domain, hash(region, text.len() as u64, text))
}

/// A number that stands for a text: the same over restarts, because the region's secret is.
pub fn hash(region: &Region, seed: u64, text: &[u8]) -> u64 {
    text.chunks(16).fold(seed, |hashed, chunk| {
        let mut block = [0u8; 16];
        block.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        region.key(hashed, &block).raw()
    })
}

/// The key of a client in one of the domains.
pub fn key(runtime: &Runtime, domain: u64, client: Address) -> CountKey {
    runtime.region.key(domain, &client.octets())
}
