//! One bucket of the count table: what is announced, who has entries, and what an announcement changes.

use super::words::{CountKey, Header, Operation, Tally, Tenant};
use crate::sync::{AtomicU64, Ordering::SeqCst};

/// Keys per bucket. A model with fewer entries says the same and is smaller.
pub(crate) const ENTRIES: usize = if cfg!(loom) { 2 } else { 5 };

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Entry {
    /// [`Tenant`]
    pub tenant: AtomicU64,
    /// [`Tally`]
    pub tally: AtomicU64,
    /// `tag:32 | number:32`, see the module `refusals`.
    pub refusals: AtomicU64,
}

/// A bucket: 128 bytes, zero is empty.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Bucket {
    pub(super) header: AtomicU64,
    pub(super) entries: [Entry; ENTRIES],
}

/// Tenants and tallies as one helper read them.
pub(super) struct Snapshot([(Tenant, Tally); ENTRIES]);

/// What an announcement means for the entries of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was carried out already; the count after it.
    Applied(u32),
    /// This is to be done.
    Change(Change),
    /// An add without a free entry: nothing is done.
    Full,
    /// A remove of a key that is not there: nothing is done.
    Absent,
}

/// The two words that change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub entry: usize,
    pub tenant: (Tenant, Tenant),
    pub tally: (Tally, Tally),
}

impl Bucket {
    pub(super) fn header(&self) -> Header {
        Header(self.header.load(SeqCst))
    }

    pub(super) fn replace_header(&self, old: Header, new: Header) -> bool {
        self.header.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut entries = [(Tenant(0), Tally(0)); ENTRIES];
        for (copy, entry) in entries.iter_mut().zip(&self.entries) {
            *copy = (Tenant(entry.tenant.load(SeqCst)), Tally(entry.tally.load(SeqCst)));
        }
        Snapshot(entries)
    }

    /// The sequence for an announcement after the idle header `idle`: the next one that no tally carries. Without this
    /// an entry that rested while the sequence went round once would pass for the work of the new operation.
    pub(super) fn next_sequence(&self, idle: Header) -> u32 {
        let mut taken = [0_u32; ENTRIES];
        for (copy, entry) in taken.iter_mut().zip(&self.entries) {
            *copy = Tally(entry.tally.load(SeqCst)).sequence();
        }
        let mut sequence = idle.sequence().wrapping_add(1);
        while taken.contains(&sequence) {
            sequence = sequence.wrapping_add(1);
        }
        sequence
    }

    /// Carries out a change; `false`: another helper was faster, or the operation is long over.
    pub(super) fn apply(&self, change: &Change) -> bool {
        let Some(entry) = self.entries.get(change.entry) else {
            return false;
        };
        let (old, new) = change.tenant;
        if old != new {
            // When this fails the tenant is in already, or the tally below has changed as well.
            let _ = entry.tenant.compare_exchange(old.0, new.0, SeqCst, SeqCst);
        }
        let (old, new) = change.tally;
        entry.tally.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
    }

    /// The living entry of a key, with its tenant and count at one instant.
    pub(super) fn living(&self, key: CountKey) -> Option<(&Entry, Tenant, u32)> {
        self.entries.iter().find_map(|entry| {
            let tenant = Tenant(entry.tenant.load(SeqCst));
            if tenant.fingerprint() != key.fingerprint() {
                return None;
            }
            let count = Tally(entry.tally.load(SeqCst)).count();
            // The same tenant before and after: the tally was this tenant's.
            (count > 0 && entry.tenant.load(SeqCst) == tenant.0).then_some((entry, tenant, count))
        })
    }
}

impl Snapshot {
    /// Depends on nothing but the snapshot and the announcement, so that all helpers choose the same entry. It is also
    /// the same before and after the tenant was written: the entry is then still the first with count 0.
    pub(super) fn outcome(&self, operation: Operation, sequence: u32, key: CountKey) -> Outcome {
        if let Some((_, tally)) = self.0.iter().find(|(_, tally)| tally.sequence() == sequence) {
            return Outcome::Applied(tally.count());
        }
        let place = |wanted: &dyn Fn(Tenant, Tally) -> bool| {
            self.0.iter().enumerate().find_map(|(entry, &(tenant, tally))| wanted(tenant, tally).then_some((entry, tenant, tally)))
        };
        let living = place(&|tenant, tally| tenant.fingerprint() == key.fingerprint() && tally.count() > 0);
        match (operation, living) {
            (Operation::Add, Some((entry, tenant, tally))) => {
                Outcome::Change(Change { entry, tenant: (tenant, tenant), tally: (tally, Tally::new(tally.count().saturating_add(1), sequence)) })
            }
            (Operation::Remove, Some((entry, tenant, tally))) => {
                Outcome::Change(Change { entry, tenant: (tenant, tenant), tally: (tally, Tally::new(tally.count().saturating_sub(1), sequence)) })
            }
            (Operation::Add, None) => match place(&|_, tally| tally.count() == 0) {
                Some((entry, tenant, tally)) => {
                    Outcome::Change(Change { entry, tenant: (tenant, Tenant::new(key.fingerprint(), sequence)), tally: (tally, Tally::new(1, sequence)) })
                }
                None => Outcome::Full,
            },
            (Operation::Remove, None) => Outcome::Absent,
        }
    }
}
