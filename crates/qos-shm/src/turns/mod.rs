//! Queues of requests that are served one at a time, shared by processes that may be killed or stopped at any
//! instruction.
//!
//! # How it works
//!
//! Each request has a few *places*; a place stands in the queue of one key at most. Its [`State`] is written by its owner
//! only, or by the reclaimer once the owner is dead. A place is *present* while it is choosing, queued, or holding.
//! For as long as it is present, and a little longer, it is counted for its key in the count table, and the bit of the
//! place is set in the *marks*. A queue has no memory of its own: it is the present places of its key.
//!
//! * **Arrive**: set the mark, write the key; *choosing*; count. A count of 1: the queue was empty, *holding* at once.
//!   Otherwise draw a ticket (one sequence for all queues), *queued*, look.
//! * **Look**: remember the own wake word; go over the marked places of the key. *Holding* if nobody else is choosing, holding,
//!   or queued with a smaller ticket. Otherwise sleep until the wake word changes, and look again.
//! * **Wake the first**: find the queued place of the smallest ticket, unless somebody holds; change its wake word, wake it.
//!   Done by who has arrived and is not the first, and by who leaves.
//! * **Leave**: *leaving*; count one less; unless that is 0, wake the first; *free*; clear the mark.
//!
//! This is Lamport's bakery. The exact count in front of it makes the common case, a queue of one, independent of how many
//! requests there are. The others go over marks (a bit per place of the region, 64 bytes per 256 request slots) and
//! over places that are in a queue, not over all requests.
//!
//! # At most one holds a key
//!
//! A place is present before it is counted and counted until it is no longer present. All accesses are sequentially consistent.
//!
//! * *A* came with a count of 1, at time t. Whoever else is present at t has not been counted yet. It, and whoever comes
//!   later while A is counted, gets a count above 1, draws a ticket, and looks after t: sees A until A is leaving.
//!   Nobody counted was there at t, so nobody held.
//! * *B* and *C* have tickets, b < c. B was choosing before b was drawn, C looks after c was drawn: C sees B choosing, queued
//!   with b, holding, or leaving; only then it passes. So C does not hold before B has left.
//! * A place that is present all the time that a look lasts is seen as such: its mark is set and its key does not change. A place
//!   whose stay changed between two reads was free in between. If it is in this queue again, it has drawn or will draw
//!   its ticket after the one who looks; it is passed over.
//!
//! # No wake-up is lost
//!
//! Suppose W is queued, nobody stands in its way, nobody is in the middle of arriving or leaving, and the wake word of W is
//! as it was when W looked last. That look saw somebody in the way. Nobody who came later can be in the way: his
//! ticket is larger, and he does not hold while W is present. Let X be the one of those seen who went out of the way last: by
//! leaving, or because it was choosing and got a larger ticket than W. In both cases X has gone over the queue
//! after that (when it left, its count was not 0, as W is counted). All others were out of the way by then, so it
//! found nobody holding and W with the smallest ticket, and changed the wake word, later than W had
//! remembered it. A contradiction. The kernel compares the word again before it lets W sleep.
//!
//! As a net below this, [`TurnTable::wait`] returns after a second.
//!
//! # After a death
//!
//! [`TurnTable::settle`] does for a dead owner what leaving is, from the beginning, whatever phase the place was found in;
//! only *free* says that somebody has been woken. So a reclaimer may be killed and settle again. A dead owner's place is in the
//! way until then, choosing or holding or with its ticket, as is the place of a stopped process until that goes on.
//!
//! # Limits
//!
//! * If the bucket of a key is full in the count table (see there), a request cannot be queued.
//! * Tickets go round after 2^48 (nine years at a million per second).
//! * A look that is stopped between two reads of a place for exactly 8192 stays of this place may count it in a queue that it
//!   has left: one too many in [`Turn::After`]. It is told to look again, as the place has left after the wake word was remembered.

#[cfg(not(loom))]
mod futex;
mod state;

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod interleaving_tests;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests;

use crate::counts::CountKey;
use crate::sync::{AtomicU32, AtomicU64, Ordering::SeqCst};
use state::{Phase, State};
#[cfg(not(loom))]
use std::time::Duration;

/// How many queues one request can stand in at a time.
pub const TURNS: usize = 2;

/// The longest sleep without a look.
#[cfg(not(loom))]
const NET: Duration = Duration::from_secs(1);

/// A place in a queue. Zero is free.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct TurnCell {
    /// [`State`]
    state: AtomicU64,
    /// The wake word: changed by others when it may be this one's turn.
    word: AtomicU32,
    /// The wake word before the last look; the owner's.
    seen: AtomicU32,
}

impl TurnCell {
    fn state(&self) -> State {
        State(self.state.load(SeqCst))
    }

    fn set(&self, state: State) {
        self.state.store(state.0, SeqCst);
    }

    /// Whether something has happened since it looked last: it will not sleep.
    #[cfg(test)]
    pub fn is_told(&self) -> bool {
        self.word.load(SeqCst) != self.seen.load(SeqCst)
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is this one's turn, until it leaves the queue.
    Mine,
    /// So many are before this one, who holds the turn included; at least 1. Some that arrive at the same instant may be
    /// among them and come later after all.
    After(u32),
}

/// The memory that queues are made of. Places are numbered from 0.
pub(crate) trait Places {
    fn cell(&self, place: u32) -> Option<&TurnCell>;
    /// Where the key of this place stands: that of the holding that it is counted by. Written by the owner only.
    fn key(&self, place: u32) -> Option<&AtomicU64>;
    /// A bit per place, 64 in a word.
    fn marks(&self) -> &[AtomicU64];
    /// The ticket drawn last.
    fn tickets(&self) -> &AtomicU64;
    /// Counts the place for the key; returns the count with it. `None`: there is no room for the key.
    fn enter(&self, place: u32, key: CountKey) -> Option<u32>;
    /// Gives the count back; returns the count after.
    fn leave(&self, place: u32) -> u32;
    /// Gives back whatever a dead owner left. Can be killed and called again.
    fn settle(&self, place: u32);
}

/// What was seen of a queue.
#[derive(Default)]
struct Survey<'a> {
    held: bool,
    /// Choosing, holding, or queued with a smaller ticket than that of the one who looks.
    before: u32,
    /// Queued with the smallest ticket.
    first: Option<(u64, &'a TurnCell)>,
}

/// The queues over some memory.
#[derive(Debug)]
pub(crate) struct TurnTable<P>(pub P);

impl<P: Places> TurnTable<P> {
    /// Puts `place` at the end of the queue of `key`. If it stands in a queue, it leaves that first. `None`: there is no
    /// such place, or no room for the key.
    pub fn queue(&self, place: u32, key: CountKey) -> Option<Turn> {
        let (cell, place_key) = (self.0.cell(place)?, self.0.key(place)?);
        if cell.state().phase() != Phase::Free {
            self.leave(place);
        }
        self.mark(place)?.fetch_or(bit(place), SeqCst);
        place_key.store(key.raw(), SeqCst);
        let state = cell.state().choosing();
        cell.set(state);
        match self.0.enter(place, key) {
            Some(1) => {
                cell.set(state.with(Phase::Holding));
                return Some(Turn::Mine);
            }
            Some(_) => {}
            None => {
                self.settle(place);
                return None;
            }
        }
        let state = state.queued(self.0.tickets().fetch_add(1, SeqCst).wrapping_add(1));
        cell.set(state);
        let (turn, survey) = self.look(cell, state, key.raw());
        if survey.first.is_some_and(|(first, _)| first != state.ticket()) {
            survey.wake();
        }
        Some(turn)
    }

    /// Looks whether it is the turn of `place`. `None`: it stands in no queue.
    pub fn turn(&self, place: u32) -> Option<Turn> {
        let (cell, key) = (self.0.cell(place)?, self.0.key(place)?);
        let state = cell.state();
        match state.phase() {
            Phase::Holding => Some(Turn::Mine),
            Phase::Queued => Some(self.look(cell, state, key.load(SeqCst)).0),
            Phase::Free | Phase::Choosing | Phase::Leaving => None,
        }
    }

    /// Sleeps until it may be the turn of `place`, for `timeout` or a second at most, or until a signal comes. Comes back at once if
    /// something has happened since it looked last.
    #[cfg(not(loom))]
    pub fn wait(&self, place: u32, timeout: Duration) {
        if let Some(cell) = self.0.cell(place) {
            if cell.state().phase() == Phase::Queued {
                futex::wait(&cell.word, cell.seen.load(SeqCst), timeout.min(NET));
            }
        }
    }

    /// Leaves the queue, whether it was its turn or not, and tells who is next.
    pub fn leave(&self, place: u32) {
        let (Some(cell), Some(key), Some(mark)) = (self.0.cell(place), self.0.key(place), self.mark(place)) else {
            return;
        };
        let state = cell.state();
        if state.phase() == Phase::Free {
            return;
        }
        cell.set(state.with(Phase::Leaving));
        if self.0.leave(place) > 0 {
            self.survey(key.load(SeqCst), 0).wake();
        }
        cell.set(state.with(Phase::Free));
        mark.fetch_and(!bit(place), SeqCst);
    }

    /// Does that for an owner who is dead (or is the caller), whatever he was at. By one process at a time; can be killed
    /// and called again.
    pub fn settle(&self, place: u32) {
        let (Some(cell), Some(key), Some(mark)) = (self.0.cell(place), self.0.key(place), self.mark(place)) else {
            return;
        };
        let state = cell.state();
        if state.phase() != Phase::Free {
            cell.set(state.with(Phase::Leaving));
            self.0.settle(place);
            self.survey(key.load(SeqCst), 0).wake();
            cell.set(state.with(Phase::Free));
        }
        if mark.load(SeqCst) & bit(place) != 0 {
            mark.fetch_and(!bit(place), SeqCst);
        }
    }

    /// How many places wait in all queues, those whose turn it is not included.
    #[cfg(not(loom))]
    pub fn waiting(&self) -> u32 {
        let waits = |place: &u32| self.0.cell(*place).is_some_and(|cell| matches!(cell.state().phase(), Phase::Choosing | Phase::Queued));
        u32::try_from(self.marked().filter(waits).count()).unwrap_or(u32::MAX)
    }

    /// `state`: queued.
    fn look(&self, cell: &TurnCell, state: State, key: u64) -> (Turn, Survey<'_>) {
        cell.seen.store(cell.word.load(SeqCst), SeqCst);
        let survey = self.survey(key, state.ticket());
        if survey.before > 0 {
            return (Turn::After(survey.before), survey);
        }
        cell.set(state.with(Phase::Holding));
        (Turn::Mine, survey)
    }

    /// Goes over the queue of `key`, for the one with `ticket`, or 0.
    fn survey(&self, key: u64, ticket: u64) -> Survey<'_> {
        let mut survey = Survey::default();
        for place in self.marked() {
            let (Some(cell), Some(place_key)) = (self.0.cell(place), self.0.key(place)) else {
                continue;
            };
            let before = cell.state();
            if !before.is_present() || place_key.load(SeqCst) != key {
                continue;
            }
            // The key was that of this stay only if the stay is the same now.
            let state = cell.state();
            if !state.same_stay(before) {
                continue;
            }
            match state.phase() {
                Phase::Choosing => survey.before += 1,
                Phase::Holding => {
                    survey.before += 1;
                    survey.held = true;
                }
                Phase::Queued => {
                    survey.before += u32::from(state.ticket() < ticket);
                    if survey.first.is_none_or(|(first, _)| state.ticket() < first) {
                        survey.first = Some((state.ticket(), cell));
                    }
                }
                Phase::Free | Phase::Leaving => {}
            }
        }
        survey
    }

    fn mark(&self, place: u32) -> Option<&AtomicU64> {
        self.0.marks().get(place as usize / 64)
    }

    /// The places that may be in a queue.
    fn marked(&self) -> impl Iterator<Item = u32> {
        (0_u32..).step_by(64).zip(self.0.marks()).flat_map(|(first, word)| {
            let mut bits = word.load(SeqCst);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(first + bit)
            })
        })
    }
}

impl Survey<'_> {
    /// Wakes the first who waits, unless somebody holds: that one will do so when it leaves.
    fn wake(&self) {
        if let (false, Some((_, cell))) = (self.held, self.first) {
            cell.word.fetch_add(1, SeqCst);
            #[cfg(not(loom))]
            futex::wake(&cell.word);
        }
    }
}

fn bit(place: u32) -> u64 {
    1 << (place % 64)
}
