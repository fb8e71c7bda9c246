//! The packed words of the count table.

/// How many bits of a header name a holding.
pub(crate) const HOLDING_BITS: u32 = 30;
const HOLDING_MASK: u64 = (1 << HOLDING_BITS) - 1;
const LOW32: u64 = 0xffff_ffff;
const BIRTH_BITS: u32 = 24;
const BIRTH_MASK: u64 = (1 << BIRTH_BITS) - 1;
const NONCE_BITS: u32 = 30;
const NONCE_MASK: u64 = (1 << NONCE_BITS) - 1;

/// Result word of an add that found its bucket full.
pub(crate) const FULL: u32 = u32::MAX;

/// Which counter of the region: 64 bits of a keyed hash (see `Region::key`). Low bits choose the bucket, the upper 40
/// are compared within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountKey(u64);

impl CountKey {
    /// From a number that [`CountKey::raw`] gave.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The hash itself.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The 40 bits that are compared within a bucket.
    pub(crate) const fn fingerprint(self) -> u64 {
        self.0 >> BIRTH_BITS
    }
}

/// What is announced in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// One more of the key.
    Add,
    /// One less of the key.
    Remove,
}

/// Header of a bucket: `sequence:32 | operation:2 | holding:30`. Operation 0 is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header(pub u64);

impl Header {
    pub const fn announce(sequence: u32, operation: Operation, holding: u32) -> Self {
        let code: u64 = match operation {
            Operation::Add => 1,
            Operation::Remove => 2,
        };
        Self(((sequence as u64) << 32) | (code << HOLDING_BITS) | (holding as u64 & HOLDING_MASK))
    }

    /// The same sequence, nothing announced.
    pub const fn idle(self) -> Self {
        Self(self.0 & !LOW32)
    }

    pub const fn sequence(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// `None`: idle.
    pub const fn operation(self) -> Option<Operation> {
        match (self.0 >> HOLDING_BITS) & 3 {
            0 => None,
            1 => Some(Operation::Add),
            _ => Some(Operation::Remove),
        }
    }

    pub const fn holding(self) -> u32 {
        (self.0 & HOLDING_MASK) as u32
    }
}

/// Whose entry it is: `fingerprint:40 | birth:24`. The birth is the low part of the sequence of the add that put the
/// key in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenant(pub u64);

impl Tenant {
    pub const fn new(fingerprint: u64, sequence: u32) -> Self {
        Self((fingerprint << BIRTH_BITS) | (sequence as u64 & BIRTH_MASK))
    }

    pub const fn fingerprint(self) -> u64 {
        self.0 >> BIRTH_BITS
    }

    /// Marks what belongs to this tenancy: all of the birth and 8 bits of the fingerprint.
    pub const fn tag(self) -> u32 {
        self.0 as u32
    }
}

/// How many: `count:32 | sequence:32` of the operation that changed it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally(pub u64);

impl Tally {
    pub const fn new(count: u32, sequence: u32) -> Self {
        Self(((count as u64) << 32) | sequence as u64)
    }

    pub const fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub const fn sequence(self) -> u32 {
        self.0 as u32
    }
}

/// Where a holding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Holds nothing.
    Idle,
    /// Wants to add; announced or about to be.
    PendingAdd,
    /// Holds one of its key's count.
    Counted,
    /// Wants to give back; announced or about to be.
    PendingRemove,
}

/// State of a holding: `phase:2 | nonce:30 | result:32`. The nonce changes with each transition and is never reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub u64);

impl Word {
    /// The word that follows this one.
    pub const fn next(self, phase: Phase, result: u32) -> Self {
        let code: u64 = match phase {
            Phase::Idle => 0,
            Phase::PendingAdd => 1,
            Phase::Counted => 2,
            Phase::PendingRemove => 3,
        };
        let nonce = ((self.0 >> 32) + 1) & NONCE_MASK;
        Self((code << (32 + NONCE_BITS)) | (nonce << 32) | result as u64)
    }

    pub const fn phase(self) -> Phase {
        match self.0 >> (32 + NONCE_BITS) {
            0 => Phase::Idle,
            1 => Phase::PendingAdd,
            2 => Phase::Counted,
            _ => Phase::PendingRemove,
        }
    }

    pub const fn result(self) -> u32 {
        self.0 as u32
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn zero_is_empty() {
        assert_eq!(Header(0).operation(), None);
        assert_eq!(Tally(0).count(), 0);
        assert_eq!(Word(0).phase(), Phase::Idle);
    }

    #[test]
    fn fields_do_not_touch() {
        for operation in [Operation::Add, Operation::Remove] {
            let header = Header::announce(u32::MAX - 1, operation, (1 << 30) - 1);
            assert_eq!(header.sequence(), u32::MAX - 1);
            assert_eq!(header.operation(), Some(operation));
            assert_eq!(header.holding(), (1 << 30) - 1);
            assert_eq!(header.idle().operation(), None);
            assert_eq!(header.idle().sequence(), u32::MAX - 1);
        }
        let tenant = Tenant::new((1 << 40) - 1, 0xab12_3456);
        assert_eq!(tenant.fingerprint(), (1 << 40) - 1);
        assert_eq!(tenant.tag(), 0xff12_3456);
        let tally = Tally::new(7, u32::MAX);
        assert_eq!((tally.count(), tally.sequence()), (7, u32::MAX));
    }

    #[test]
    fn nonce_changes_and_wraps_inside_its_bits() {
        let mut word = Word(u64::from((1_u32 << 30) - 1) << 32);
        assert_eq!(word.phase(), Phase::Idle);
        for phase in [
            Phase::PendingAdd,
            Phase::Counted,
            Phase::PendingRemove,
            Phase::Idle,
        ] {
            let next = word.next(phase, FULL);
            assert_eq!((next.phase(), next.result()), (phase, FULL));
            assert_ne!(next.0 << 2 >> 34, word.0 << 2 >> 34);
            word = next;
        }
    }

    #[test]
    fn fingerprint_and_bucket_take_different_bits() {
        assert_eq!(CountKey::from_raw(0xff_ffff).fingerprint(), 0);
        assert_eq!(CountKey::from_raw(u64::MAX).fingerprint(), (1 << 40) - 1);
    }
}
