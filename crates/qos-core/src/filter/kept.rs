//! What sections make together, kept with the outer one for the next request (filters.md section 2.2).
//!
//! Clients choose by their paths which sections meet: where any of 16 may, there are 65536 stores. So a process keeps no more of them than fit into a fixed
//! room; what does not fit is joined for its request alone, which is cheap as well. Places are written once and read without locks.

use super::section::{Part, Section};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Bytes of what is kept in a process.
const ROOM: usize = 1 << 20;
/// Stores that one piece of a list holds, and the most pieces.
const PIECE: usize = 16;
const PIECES: usize = 64;

/// Bytes that may be kept, and how many are.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    taken: AtomicUsize,
}

/// The room of this process.
pub(super) static OF_PROCESS: Room = Room::new(ROOM);

/// Nothing is kept with what lasts no longer than its request.
pub(super) static NONE: Room = Room::new(0);

impl Room {
    pub(super) const fn new(most: usize) -> Room {
        Room { most, taken: AtomicUsize::new(0) }
    }

    /// Whether anything is kept.
    pub(super) fn is_any(&self) -> bool {
        self.most > 0
    }

    /// A share, until it is dropped.
    fn take(&'static self, bytes: usize) -> Option<Share> {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Share { room: self, bytes })
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A part of the room.
#[derive(Debug)]
struct Share {
    room: &'static Room,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What an outer section and an inner one make together.
#[derive(Debug)]
struct Known {
    /// It keeps the address from being used again, not the section from being dropped.
    inner: Weak<Section>,
    both: Arc<Section>,
    _share: Share,
}

/// What an outer section and each of several inner ones make together.
#[derive(Debug, Default)]
pub(super) struct Kept {
    known: [OnceLock<Known>; PIECE],
    more: OnceLock<(Box<Kept>, Share)>,
}

impl Kept {
    /// What both make; joined if it is not known yet. `None`: there is no room to keep it.
    pub(super) fn get(&self, outer: &Section, inner: &Arc<Section>, room: &'static Room) -> Option<Arc<Section>> {
        let mut piece = self;
        for _ in 0..PIECES {
            for place in &piece.known {
                match place.get() {
                    Some(known) if std::ptr::eq(known.inner.as_ptr(), Arc::as_ptr(inner)) => return Some(known.both.clone()),
                    Some(_) => {}
                    None => {
                        let share = room.take(bytes(outer, inner))?;
                        let both = Arc::new(Section::join(&[outer, inner], room));
                        // Another thread may have been quicker; what it has kept is found next time, or this is joined again.
                        let _ = place.set(Known { inner: Arc::downgrade(inner), both: both.clone(), _share: share });
                        return Some(both);
                    }
                }
            }
            piece = match piece.more.get() {
                Some((more, _)) => more,
                None => {
                    let share = room.take(size_of::<Kept>())?;
                    &piece.more.get_or_init(|| (Box::default(), share)).0
                }
            };
        }
        None
    }
}

/// What two sections take together at most.
fn bytes(outer: &Section, inner: &Section) -> usize {
    let of_part = |part: &Part| size_of::<Part>() + size_of_val(part.places.as_slice());
    let of_section = |section: &Section| {
        let removed = section.removed.iter().map(|id| size_of_val(id) + id.as_bytes_with_nul().len()).sum::<usize>();
        size_of_val(section.rules.as_slice()) + section.parts().iter().map(of_part).sum::<usize>() + removed
    };
    size_of::<Section>() + of_section(outer) + of_section(inner)
}
