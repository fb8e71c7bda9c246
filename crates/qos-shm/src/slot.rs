//! One connection in the shared region.

use crate::counts::{CountKey, HOLDINGS, HoldingCell};
use crate::sync::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

/// Names a connection slot: its index in the region. The same slot serves other connections later; its
/// [`Slot::nonce`] tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct ConnectionId(u32);

impl ConnectionId {
    /// From a number that [`ConnectionId::raw`] gave.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The index of the slot.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// The counters that a connection can be part of, one key each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// All connections.
    All,
    /// The connections of a virtual server.
    Server,
    /// The connections of a client address.
    Address,
}

impl Holding {
    /// Each of them.
    pub const EACH: [Self; HOLDINGS] = [Self::All, Self::Server, Self::Address];

    /// Index of this holding of a slot in the count table.
    pub(crate) const fn of(self, id: ConnectionId) -> u32 {
        id.0.saturating_mul(HOLDINGS as u32).saturating_add(self as u32)
    }
}

/// A connection: 128 bytes. The public words belong to whoever holds the connection; they are 0 when it is opened.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Slot {
    holdings: [HoldingCell; HOLDINGS],
    address: [AtomicU64; 2],
    started_ms: AtomicU64,
    /// Free for the user.
    pub state: AtomicU64,
    /// Bytes received.
    pub bytes_in: AtomicU64,
    /// Bytes sent.
    pub bytes_out: AtomicU64,
    /// Free for the user.
    pub flags: AtomicU32,
    server: AtomicU32,
    /// Requests served.
    pub requests: AtomicU32,
    /// Odd: a connection lives here. Even: none, or it is being set up.
    nonce: AtomicU32,
    reserved: [AtomicU64; 2],
}

impl Slot {
    pub(crate) fn holdings(&self) -> &[HoldingCell; HOLDINGS] {
        &self.holdings
    }

    /// Client address, IPv4 mapped into IPv6 or however the opener wrote it.
    #[must_use]
    pub fn address(&self) -> [u8; 16] {
        let mut address = [0; 16];
        for (bytes, word) in address.chunks_exact_mut(8).zip(&self.address) {
            bytes.copy_from_slice(&word.load(SeqCst).to_ne_bytes());
        }
        address
    }

    /// Virtual server, as the opener numbered it.
    #[must_use]
    pub fn server(&self) -> u32 {
        self.server.load(SeqCst)
    }

    /// Changes the virtual server (TLS and HTTP/1.1 name it late).
    pub fn set_server(&self, server: u32) {
        self.server.store(server, SeqCst);
    }

    /// When the connection was opened: monotonic milliseconds.
    #[must_use]
    pub fn started_ms(&self) -> u64 {
        self.started_ms.load(SeqCst)
    }

    /// Another number for each connection in this slot. Odd while a connection lives here.
    #[must_use]
    pub fn nonce(&self) -> u32 {
        self.nonce.load(SeqCst)
    }

    /// Whether a connection lives here, completely set up.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.nonce() % 2 == 1
    }

    /// The key that the connection is counted for, if it is.
    #[must_use]
    pub fn counted(&self, holding: Holding) -> Option<CountKey> {
        self.holdings.get(holding as usize).and_then(HoldingCell::counted)
    }

    /// Changes the client address, for one that becomes known after the connection was accepted.
    pub fn set_address(&self, address: &[u8; 16]) {
        for (word, half) in self.address.iter().zip(address.chunks_exact(8)) {
            word.store(u64::from_ne_bytes(half.try_into().unwrap_or_default()), Relaxed);
        }
    }

    /// Sets up a connection. The caller has taken the slot.
    pub(crate) fn open(&self, address: &[u8; 16], server: u32, started_ms: u64) {
        self.set_address(address);
        for word in [&self.state, &self.bytes_in, &self.bytes_out] {
            word.store(0, Relaxed);
        }
        self.flags.store(0, Relaxed);
        self.requests.store(0, Relaxed);
        self.server.store(server, Relaxed);
        self.started_ms.store(started_ms, Relaxed);
        self.nonce.store(self.nonce.load(Relaxed) | 1, SeqCst);
    }

    /// No connection lives here from now on.
    pub(crate) fn close(&self) {
        let nonce = self.nonce();
        if nonce % 2 == 1 {
            self.nonce.store(nonce.wrapping_add(1), SeqCst);
        }
    }
}
