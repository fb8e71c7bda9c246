//! The packed state of a place in a queue.

const PHASE_BITS: u32 = 3;
const NONCE_BITS: u32 = 13;
const TICKET_BITS: u32 = 64 - PHASE_BITS - NONCE_BITS;
const TICKET_MASK: u64 = (1 << TICKET_BITS) - 1;
const NONCE_MASK: u64 = (1 << NONCE_BITS) - 1;

/// Where a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In no queue.
    Free,
    /// In the queue, but where is not decided.
    Choosing,
    /// Waits; its turn comes by its ticket.
    Queued,
    /// It is its turn.
    Holding,
    /// In no queue any more, but who is next may not know yet.
    Leaving,
}

/// `phase:3 | nonce:13 | ticket:48`. Zero is free. The nonce is another one for each stay in a queue, and the ticket is
/// 0 for the first of an empty queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(pub u64);

impl State {
    /// The next stay begins.
    pub const fn choosing(self) -> Self {
        let nonce = ((self.0 >> TICKET_BITS) + 1) & NONCE_MASK;
        Self(nonce << TICKET_BITS).with(Phase::Choosing)
    }

    /// The same stay in another phase.
    pub const fn with(self, phase: Phase) -> Self {
        let code: u64 = match phase {
            Phase::Free => 0,
            Phase::Choosing => 1,
            Phase::Queued => 2,
            Phase::Holding => 3,
            Phase::Leaving => 4,
        };
        Self((self.0 << PHASE_BITS >> PHASE_BITS) | (code << (TICKET_BITS + NONCE_BITS)))
    }

    /// The same stay, waiting with this ticket.
    pub const fn queued(self, ticket: u64) -> Self {
        Self((self.0 & !TICKET_MASK) | (ticket & TICKET_MASK)).with(Phase::Queued)
    }

    pub const fn phase(self) -> Phase {
        match self.0 >> (TICKET_BITS + NONCE_BITS) {
            0 => Phase::Free,
            1 => Phase::Choosing,
            2 => Phase::Queued,
            3 => Phase::Holding,
            _ => Phase::Leaving,
        }
    }

    /// Whether others have to reckon with it.
    pub const fn is_present(self) -> bool {
        matches!(self.phase(), Phase::Choosing | Phase::Queued | Phase::Holding)
    }

    pub const fn ticket(self) -> u64 {
        self.0 & TICKET_MASK
    }

    pub const fn same_stay(self, other: Self) -> bool {
        ((self.0 ^ other.0) >> TICKET_BITS) & NONCE_MASK == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch() {
        let mut state = State(0);
        assert_eq!((state.phase(), state.ticket()), (Phase::Free, 0));
        for _ in 0..2 * NONCE_MASK {
            let next = state.choosing();
            assert!(!next.same_stay(state) && next.phase() == Phase::Choosing && next.ticket() == 0);
            for phase in [Phase::Free, Phase::Choosing, Phase::Queued, Phase::Holding, Phase::Leaving] {
                let queued = next.queued(TICKET_MASK);
                assert_eq!((queued.phase(), queued.ticket()), (Phase::Queued, TICKET_MASK));
                let moved = queued.with(phase);
                assert_eq!((moved.phase(), moved.ticket()), (phase, TICKET_MASK));
                assert!(moved.same_stay(next));
            }
            state = next.queued(TICKET_MASK).with(Phase::Free);
        }
    }
}
