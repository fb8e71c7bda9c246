//! The phase of a connection, packed into one atomic word of its slot.
//!
//! Bits: 0..4 phase, 4..20 open requests, 20..32 threads that wait for the client's bytes,
//! 32..64 a sequence number that changes with every phase.

/// What the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A request head (or a TLS handshake) is expected from the client.
    Head = 1,
    /// A request is being served.
    Active = 2,
    /// Between two requests: the client may be idle as long as httpd allows.
    Keep = 3,
    /// The last response is on its way, the connection ends.
    Closing = 4,
}

/// The packed word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(pub u64);

const OPEN_ONE: u64 = 1 << 4;
const OPEN_MASK: u64 = 0xffff << 4;
const WAITING_ONE: u64 = 1 << 20;
const WAITING_MASK: u64 = 0xfff << 20;
const SEQ_ONE: u64 = 1 << 32;

impl State {
    /// A new connection: the client has to send its first request.
    pub const NEW: State = State(SEQ_ONE | Phase::Head as u64);

    /// The phase; unknown bits count as closing (nothing is demanded).
    #[must_use]
    pub fn phase(self) -> Phase {
        match self.0 & 0xf {
            1 => Phase::Head,
            2 => Phase::Active,
            3 => Phase::Keep,
            _ => Phase::Closing,
        }
    }

    /// Requests that have begun and are not logged yet (more than one with HTTP/2).
    #[must_use]
    pub fn open_requests(self) -> u32 {
        ((self.0 & OPEN_MASK) / OPEN_ONE) as u32
    }

    /// Whether a thread of the server waits for bytes of the client.
    #[must_use]
    pub fn waiting(self) -> bool {
        self.0 & WAITING_MASK != 0
    }

    /// Changes with each phase.
    #[must_use]
    pub fn sequence(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn enter(self, phase: Phase) -> State {
        State(self.0.wrapping_add(SEQ_ONE) & !0xf | phase as u64)
    }

    /// A request head is complete.
    #[must_use]
    pub fn request_begins(self) -> State {
        let counted = if self.0 & OPEN_MASK == OPEN_MASK { self } else { State(self.0 + OPEN_ONE) };
        counted.enter(Phase::Active)
    }

    /// A request was logged. The last one open leads to keep-alive or to the end.
    #[must_use]
    pub fn request_ends(self, kept_alive: bool) -> State {
        let counted = if self.0 & OPEN_MASK == 0 { self } else { State(self.0 - OPEN_ONE) };
        if counted.0 & OPEN_MASK != 0 { counted } else { counted.enter(if kept_alive { Phase::Keep } else { Phase::Closing }) }
    }

    /// The first byte of a further request arrived (W42: nothing else ends keep-alive).
    #[must_use]
    pub fn next_head(self) -> State {
        if self.phase() == Phase::Keep { self.enter(Phase::Head) } else { self }
    }

    /// The connection is idle by right, for instance HTTP/2 without a stream.
    #[must_use]
    pub fn idle(self) -> State {
        if self.phase() == Phase::Head { self.enter(Phase::Keep) } else { self }
    }

    /// The same moment, judged as if the client owed a request head.
    #[must_use]
    pub fn as_head(self) -> State {
        State(self.0 & !0xf | Phase::Head as u64)
    }

    /// The connection is about to be closed.
    #[must_use]
    pub fn closing(self) -> State {
        self.enter(Phase::Closing)
    }

    /// A thread begins to wait for the client.
    #[must_use]
    pub fn read_begins(self) -> State {
        if self.0 & WAITING_MASK == WAITING_MASK { self } else { State(self.0 + WAITING_ONE) }
    }

    /// A thread no longer waits.
    #[must_use]
    pub fn read_ends(self) -> State {
        if self.0 & WAITING_MASK == 0 { self } else { State(self.0 - WAITING_ONE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_keep_alive_connection() {
        let state = State::NEW;
        assert_eq!((state.phase(), state.open_requests()), (Phase::Head, 0));
        let state = state.request_begins();
        assert_eq!((state.phase(), state.open_requests()), (Phase::Active, 1));
        let state = state.request_ends(true);
        assert_eq!(state.phase(), Phase::Keep);
        let before = state.sequence();
        let state = state.next_head();
        assert_eq!((state.phase(), state.sequence()), (Phase::Head, before + 1));
        assert_eq!(state.next_head(), state);
        assert_eq!(state.request_begins().request_ends(false).phase(), Phase::Closing);
    }

    #[test]
    fn streams_of_one_connection() {
        let state = State::NEW.idle().request_begins().request_begins();
        assert_eq!(state.request_ends(true).phase(), Phase::Active);
        assert_eq!(state.request_ends(true).request_ends(true).phase(), Phase::Keep);
    }

    proptest! {
        #[test]
        fn counts_never_spill_into_each_other(steps in proptest::collection::vec(0u8..6, 0..400)) {
            let (mut state, mut open, mut waiting) = (State::NEW, 0u32, 0u32);
            for step in steps {
                match step {
                    0 => { state = state.request_begins(); open += 1; }
                    1 => { state = state.request_ends(true); open = open.saturating_sub(1); }
                    2 => { state = state.read_begins(); waiting += 1; }
                    3 => { state = state.read_ends(); waiting = waiting.saturating_sub(1); }
                    4 => state = state.next_head(),
                    _ => state = state.idle(),
                }
                prop_assert_eq!(state.open_requests(), open);
                prop_assert_eq!(state.waiting(), waiting > 0);
            }
        }
    }

    #[test]
    fn full_counters_stay() {
        let state = State(OPEN_MASK | WAITING_MASK | Phase::Active as u64);
        assert_eq!(state.request_begins().open_requests(), 0xffff);
        assert_eq!(state.read_begins(), state);
    }
}
