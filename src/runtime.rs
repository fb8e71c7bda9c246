//! What the hooks work with: the running configuration with the shared region, this child's
//! place in it, and the record of each connection.

use crate::clients::ClientStore;
use crate::config::ServerRecord;
use crate::httpd::ffi;
use crate::names::Names;
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use qos_core::address::Address;
use qos_core::config::{ClientConfig, GeoConfig, RateRule, SampleRate};
use qos_core::geo::{Country, Database};
use qos_core::header_filter::HeaderFilter;
use qos_core::letters::Letters;
use qos_core::phase::State;
use qos_shm::{Child, ClientId, ConnectionId, CountKey, Region, Slot};
use std::ffi::c_char;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Made by post_config in the parent, inherited by the children, never changed.
pub struct Runtime {
    /// The shared region.
    pub region: Region,
    /// The main server.
    pub main: *const ffi::server_rec,
    /// Capacity in connections.
    pub max_clients: u32,
    /// Workers that the server may have.
    pub workers: u32,
    /// `QS_LogOnly`.
    pub log_only: bool,
    /// `QS_ErrorResponseCode`.
    pub deny_code: u16,
    /// `QS_ForcedClose`.
    pub forced_close: bool,
    /// The minimum data rate.
    pub rate: Option<RateRule>,
    /// Its windows.
    pub sample: SampleRate,
    /// `QS_SrvMinDataRateIgnoreVIP`.
    pub rate_ignore_vip: bool,
    /// `QS_VipIPTimeout`, seconds.
    pub vip_timeout: Option<u32>,
    /// `QS_Status`.
    pub status: bool,
    /// Whether children have several threads.
    pub threaded: bool,
    /// Counts all connections.
    pub all: CountKey,
    /// Whether connections wait without a thread (event).
    pub is_async: bool,
    /// Per-client rules.
    pub rules: ClientConfig,
    /// The variables they ask for.
    pub names: Names,
    /// The clients that are remembered; `None` where no rule needs it.
    pub clients: Option<ClientStore>,
    /// Rules about countries.
    pub geo: GeoConfig,
    /// The database of countries, which lives as long as the configuration.
    pub countries: Option<&'static Database>,
    /// Where bodies are kept that are too long for memory.
    pub body_dir: PathBuf,
    /// The program that `QSLog` names.
    pub log_pipe: Option<LogPipe>,
    /// What request and response headers may be called and hold, where that is asked for.
    pub header_filters: [Option<HeaderFilter>; 2],
    /// The process that made it.
    pub parent: u32,
}

// SAFETY: the server pointer is only handed back to httpd's logging, which reads it.
unsafe impl Send for Runtime {}
// SAFETY: as above; nothing is changed after post_config.
unsafe impl Sync for Runtime {}

static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(null_mut());

/// The running configuration; `None` before post_config and while httpd only checks its configuration.
pub fn runtime() -> Option<&'static Runtime> {
    // SAFETY: set by `publish`, taken back by `retract` when the configuration pool is cleared, after which no hook runs.
    unsafe { RUNTIME.load(Ordering::Acquire).as_ref() }
}

/// Makes a runtime the current one. The pointer has to stay valid until [`retract`].
pub fn publish(runtime: *mut Runtime) {
    RUNTIME.store(runtime, Ordering::Release);
}

/// The configuration ends: the runtime is dropped, but not in a child, whose watcher may still be looking at it.
pub fn retract(runtime: *mut Runtime) {
    let _ = RUNTIME.compare_exchange(runtime, null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    // SAFETY: made by post_config with `Box::into_raw`, retracted once; only the process that made it drops it.
    unsafe {
        if (*runtime).parent == std::process::id() && child().is_none() {
            drop(Box::from_raw(runtime));
        }
    }
}

impl Runtime {
    /// The country of an address.
    pub fn country(&self, address: Address) -> Option<Country> {
        self.countries.and_then(|countries| countries.country(address))
    }

    /// The client that an address stands for.
    pub fn client(&self, address: Address) -> Address {
        address.client(self.rules.prefix())
    }

    /// Whether a rule only logs: all do (`QS_LogOnly`), or this one does (`QS_LogOnlyRule`).
    pub fn only_logs(&self, rule: bool) -> bool {
        self.log_only || rule
    }

    /// Adds one to the counter of a message.
    pub fn event(&self, id: u16) {
        let shared = self.region.shared();
        for counters in [&shared.events, &shared.events_new] {
            if let Some(counter) = counters.get(usize::from(id)) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What the configuration asks for anywhere, so that a hook that has nothing to do costs a few instructions.
pub mod feature {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// `QS_LogEnv`.
    pub const LOG_ENV: u64 = 1;
    /// `QS_SrvMinDataRateOffEvent`.
    pub const RATE_OFF_EVENTS: u64 = 2;
    /// `QS_SrvMaxConn`.
    pub const MAX_CONNECTIONS: u64 = 4;
    /// `QS_SrvMaxConnClose`.
    pub const CLOSE_LIMIT: u64 = 8;
    /// A rule about clients that acts on requests.
    pub const CLIENTS: u64 = 16;
    /// `QS_ClientEventBlockCount`.
    pub const BLOCK: u64 = 32;
    /// `QS_SrvSerialize`.
    pub const SERIALIZE: u64 = 64;
    /// `QS_SetEnvIfStatus` with a status.
    pub const STATUS_EVENTS: u64 = 128;
    /// `QS_SetEnvIfStatus BrokenConnection`.
    pub const BROKEN: u64 = 256;
    /// `QS_ClientGeoCountryDB`.
    pub const COUNTRIES: u64 = 512;
    /// `QSLog`.
    pub const LOG_PROGRAM: u64 = 1024;
    /// mod_remoteip is there: connections may bring their address with the PROXY protocol.
    pub const REMOTEIP: u64 = 2048;
    /// mod_ssl is there.
    pub const SSL: u64 = 4096;
    /// Rules about requests of locations and events.
    pub const RULES: u64 = 8192;
    /// Responses that are throttled, on an MPM on which they can wait without a worker.
    pub const WAITING: u64 = 1 << 21;

    /// `QS_LimitRequestBody`, the directive or the variable.
    pub const BODY_LIMIT: u64 = 1 << 20;
    /// `QS_DenyQueryBody`, `QS_PermitUriBody`.
    pub const BODY_RULES: u64 = 1 << 22;
    /// Rules about what may pass, or notes for an access log.
    pub const FILTERS: u64 = 1 << 23;
    /// `QS_SetEnvIf`.
    pub const SET_ENV_IF: u64 = 1 << 19;
    /// Rules about the headers and variables of responses.
    pub const RESPONSE_RULES: u64 = 1 << 14;
    /// `QS_UnsetReqHeader`.
    pub const UNSET_HEADERS: u64 = 1 << 15;
    /// `QS_SetReqHeader ... late`.
    pub const LATE_HEADERS: u64 = 1 << 16;
    /// Variables about keep-alive may be set.
    pub const KEEP_ALIVE: u64 = 1 << 17;
    /// `QS_Set_DSCP` may be set.
    pub const SERVICE: u64 = 1 << 18;
    /// `QS_SetEnvIfParp`.
    pub const PARAMETERS: u64 = 1 << 24;
    /// `QS_DeflateReqBody` may be set, and mod_deflate is there.
    pub const INFLATE: u64 = 1 << 26;
    /// `QS_RequestHeaderFilter`, `QS_ResponseHeaderFilter`.
    pub const HEADER_FILTERS: u64 = 1 << 27;
    /// VIPs: sessions and marks of addresses.
    pub const VIP: u64 = 1 << 28;
    /// `QS_MileStone`.
    pub const MILESTONES: u64 = 1 << 29;
    /// `QS_UserTrackingCookieName`.
    pub const TRACKING: u64 = 1 << 30;
    /// `QS_RedirectIf`.
    pub const REDIRECTS: u64 = 1 << 31;
    /// `QS_FilterInternalRedirects`.
    pub const INTERNAL_REDIRECTS: u64 = 1 << 32;
    /// Other modules take part in decoding.
    pub const DECODE_HOOKS: u64 = 1 << 33;
    /// All that have something to do when a response begins.
    pub const RESPONSES: u64 =
        CLOSE_LIMIT | RATE_OFF_EVENTS | STATUS_EVENTS | RESPONSE_RULES | KEEP_ALIVE | SERVICE | VIP | MILESTONES | TRACKING | HEADER_FILTERS;
    /// All whose variables a redirected request takes over.
    pub const INHERITED: u64 = CLIENTS | SERIALIZE | STATUS_EVENTS | RULES | SET_ENV_IF | KEEP_ALIVE | VIP | TRACKING;

    static FEATURES: AtomicU64 = AtomicU64::new(0);

    /// Found in the configuration (also of a location in .htaccess-like sections, hence at any time).
    pub fn add(bits: u64) {
        FEATURES.fetch_or(bits, Ordering::Relaxed);
    }

    /// Whether one of the features is asked for.
    pub fn any(bits: u64) -> bool {
        FEATURES.load(Ordering::Relaxed) & bits != 0
    }
}

/// Steps of judging a request that the configuration asks for anywhere.
pub mod steps {
    use qos_core::order::{Step, Steps};
    use std::sync::atomic::{AtomicU64, Ordering};

    static STEPS: AtomicU64 = AtomicU64::new(0);

    /// Found in the configuration.
    pub fn add(steps: &[Step]) {
        STEPS.fetch_or(Steps::of(steps).bits(), Ordering::Relaxed);
    }

    /// All that were found.
    pub fn active() -> Steps {
        Steps::from_bits(STEPS.load(Ordering::Relaxed))
    }
}

/// What the watcher has to know of a connection besides its slot.
#[derive(Clone, Copy)]
pub struct Watched {
    /// The socket, valid as long as this entry exists (it is taken out before httpd closes it).
    pub fd: i32,
    /// For the log.
    pub server: *const ffi::server_rec,
    /// The client.
    pub address: Address,
    /// Whether a data rate is demanded of it.
    pub demanded: bool,
}

// SAFETY: the server pointer is only handed back to httpd's logging.
unsafe impl Send for Watched {}

/// Process-local companion of a connection slot.
pub struct Local {
    /// Locked by the watcher while it uses the socket, by the connection's thread when it ends.
    pub watched: Mutex<Option<Watched>>,
    /// Keep-alive timeout, milliseconds.
    pub keep_alive_ms: AtomicU32,
    /// Body bytes that streams of the connection have handed on (HTTP/2).
    pub handed_on: AtomicU64,
}

/// Bits of [`Slot::flags`].
pub mod flag {
    /// VIP or excluded address.
    pub const VIP: u32 = 1;
    /// Data rate no longer watched (`QS_SrvMinDataRateOffEvent`).
    pub const RATE_OFF: u32 = 2;
    /// HTTP/2.
    pub const MULTIPLEXED: u32 = 4;
    /// Refused or cut.
    pub const CUT: u32 = 8;
    /// TLS.
    pub const TLS: u32 = 16;
    /// Was too slow, or timed out; not noted for the client yet.
    pub const SLOW: u32 = 32;
    /// An event of the block rule was counted.
    pub const BLOCK_SEEN: u32 = 64;
    /// The client left while a response was written.
    pub const BROKEN: u32 = 128;
    /// Refused, or reported, by `QS_SrvMaxConnPerIP`.
    pub const PER_IP: u32 = 256;
}

/// Slots that one chunk of companions covers.
const CHUNK: usize = 64;

/// This child.
pub struct ChildState {
    /// Its place in the region.
    pub child: Child,
    pid: u32,
    locals: Box<[OnceCell<Box<[Local]>>]>,
}

static CHILD: AtomicPtr<ChildState> = AtomicPtr::new(null_mut());

/// This child; `None` in the parent and where no place was free.
pub fn child() -> Option<&'static ChildState> {
    // SAFETY: set once by `adopt` and never freed in this process.
    unsafe { CHILD.load(Ordering::Acquire).as_ref() }
}

/// Called at the start of a child. What an earlier configuration of the same process had (single-process mode) stays allocated.
pub fn adopt(child: Child) -> &'static ChildState {
    let chunks = child.max_local().div_ceil(CHUNK);
    let state = Box::leak(Box::new(ChildState { child, pid: std::process::id(), locals: (0..chunks).map(|_| OnceCell::new()).collect() }));
    CHILD.store(state, Ordering::Release);
    state
}

/// This process's id, asked for once per child.
pub fn process_id() -> u32 {
    child().map_or_else(std::process::id, |state| state.pid)
}

impl ChildState {
    /// The companion of a slot by its local index.
    pub fn local(&self, index: usize) -> Option<&Local> {
        let chunk = self
            .locals
            .get(index / CHUNK)?
            .get_or_init(|| (0..CHUNK).map(|_| Local { watched: Mutex::new(None), keep_alive_ms: AtomicU32::new(0), handed_on: AtomicU64::new(0) }).collect());
        chunk.get(index % CHUNK)
    }
}

/// A connection, kept in its pool. Several threads read it when it carries HTTP/2 streams.
pub struct ConnectionRecord {
    /// Its slot; `None` where the region was full.
    pub id: Option<ConnectionId>,
    /// The slot itself, looked up once.
    pub slot: Option<&'static Slot>,
    /// Its process-local companion, looked up once.
    pub local: Option<&'static Local>,
    /// Configuration of the server that took the connection.
    pub server: Option<&'static ServerRecord>,
    /// The TCP peer.
    pub peer: Address,
    /// `QS_SrvConn`, `QS_AllConn`: C strings in the connection's pool or null.
    pub server_connections: *const c_char,
    /// See above.
    pub all_connections: *const c_char,
    /// `QS_IPConn`; null while unknown or without the rule.
    pub address_connections: AtomicPtr<c_char>,
    /// The text it points to, written once before: the thread of a stream cannot use the connection's pool.
    pub address_text: std::cell::UnsafeCell<[u8; 12]>,
    /// What is known of the client, once its address is.
    pub known: OnceCell<Known>,
    /// Events of the connection that every request shows.
    pub letters: Letters,
    /// VIP or excluded, from the beginning.
    pub vip: AtomicBool,
    /// The client's address is marked as a VIP's when the connection ends.
    pub becomes_vip: AtomicBool,
    /// The address comes with the PROXY protocol.
    pub announced: AtomicU8,
    /// Refused: closed without a byte.
    pub refused: AtomicBool,
    /// How long it waits for its next request, seconds; 0: as its server says.
    pub keep_alive: AtomicU32,
    /// Whether the connection can wait for a moment without a worker while it is processed now.
    pub comes_back: AtomicBool,
    /// What waits so, once a response was throttled.
    pub hold: AtomicPtr<crate::filters::hold::Hold>,
    /// `QS_ConnectionId`, NUL-terminated, and whether it was written (0 no, 1 in progress, 2 yes).
    pub connection_id: std::cell::UnsafeCell<[u8; 64]>,
    /// See above.
    pub connection_id_state: AtomicU8,
}

/// What a connection knows of its client.
#[derive(Clone, Copy, Default)]
pub struct Known {
    /// Its entry, as it was when the connection began.
    pub entry: Option<ClientId>,
    /// The entry says that it is a VIP.
    pub vip: bool,
    /// Low-priority flags as text, NUL-terminated; empty: none.
    pub low: [u8; 8],
    /// Its country as text, NUL-terminated; empty: unknown.
    pub country: [u8; 4],
}

/// The program that gets a line per request: where to write.
#[derive(Clone, Copy)]
pub struct LogPipe(pub *mut crate::httpd::ffi::apr_file_t);

// SAFETY: the pipe is opened before children start and written by single calls that the kernel keeps apart.
unsafe impl Send for LogPipe {}
// SAFETY: as above.
unsafe impl Sync for LogPipe {}

/// States of [`ConnectionRecord::announced`].
pub mod announced {
    /// The TCP peer is the client.
    pub const NO: u8 = 0;
    /// The first request will tell.
    pub const AWAITED: u8 = 1;
    /// Known and counted.
    pub const KNOWN: u8 = 2;
}

impl ConnectionRecord {
    /// The record of a connection, that of the master for an HTTP/2 stream.
    pub fn of<'a>(connection: crate::httpd::connection::Connection<'a>) -> Option<&'a ConnectionRecord> {
        // SAFETY: set by pre_connection, lives in the connection's pool; shared fields are atomic.
        unsafe { connection.master().state().cast::<ConnectionRecord>().as_ref() }
    }

    /// The record of a request's connection.
    pub fn of_request(request: crate::httpd::request::Request<'_>) -> Option<&ConnectionRecord> {
        crate::httpd::connection::Connection::of(request).and_then(ConnectionRecord::of)
    }

    /// Changes the phase. Contention is rare: one thread for HTTP/1, streams for HTTP/2.
    pub fn step(&self, change: impl Fn(State) -> State) {
        if let Some(slot) = self.slot {
            let _ = slot.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| Some(change(State(state)).0));
        }
    }

    /// Sets bits of the slot's flags.
    pub fn flag(&self, bits: u32) {
        if let Some(slot) = self.slot {
            slot.flags.fetch_or(bits, Ordering::AcqRel);
        }
    }

    /// Whether a bit is set.
    pub fn has_flag(&self, bit: u32) -> bool {
        self.slot.is_some_and(|slot| slot.flags.load(Ordering::Acquire) & bit != 0)
    }

    /// The client's address as it counts: announced or the peer's.
    pub fn client(&self) -> Address {
        if self.announced.load(Ordering::Acquire) == announced::KNOWN {
            self.slot.map_or(self.peer, |slot| Address::from_octets(slot.address()))
        } else {
            self.peer
        }
    }
}
