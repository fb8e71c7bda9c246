//! The packed words of an entry. Each carries the low bits of the entry's birth, so that a write meant for a former
//! tenant of the slot fails.

use qos_core::client::{Marks, Pace};

/// Seconds are kept modulo 2^28 (8.5 years).
const SECOND_BITS: u32 = 28;
const SECOND_MASK: u32 = (1 << SECOND_BITS) - 1;
const NIBBLE: u64 = 0xf;
const BIRTH_BITS: u32 = 16;
const BIRTH_MASK: u64 = (1 << BIRTH_BITS) - 1;
const CLAIMED: u64 = 1 << BIRTH_BITS;
const FINGERPRINT_SHIFT: u32 = BIRTH_BITS + 1;
const FINGERPRINT_BITS: u32 = 19;
const FINGERPRINT_MASK: u64 = (1 << FINGERPRINT_BITS) - 1;
const LINK_SHIFT: u32 = FINGERPRINT_SHIFT + FINGERPRINT_BITS;
/// How many entries a tag can name.
pub(super) const MOST_LINKS: u64 = (1 << (64 - LINK_SHIFT)) - 2;

/// Who lives in a slot: `link:28 | fingerprint:19 | claimed:1 | birth:16`. Fingerprint 0: nobody. The link is the number of the
/// slot's entry + 1; 0 until the slot is used for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(pub u64);

impl Tag {
    /// The 19 bits of a hash that are kept; never 0.
    pub const fn fingerprint_of(hash: u64) -> u64 {
        let bits = hash & FINGERPRINT_MASK;
        if bits == 0 { 1 } else { bits }
    }

    pub const fn fingerprint(self) -> u64 {
        (self.0 >> FINGERPRINT_SHIFT) & FINGERPRINT_MASK
    }

    /// The number of the entry.
    pub const fn entry(self) -> Option<usize> {
        match self.0 >> LINK_SHIFT {
            0 => None,
            link => Some(link as usize - 1),
        }
    }

    /// With an entry.
    pub const fn linked(self, entry: usize) -> Self {
        Self((self.0 & ((1 << LINK_SHIFT) - 1)) | ((entry as u64 + 1) << LINK_SHIFT))
    }

    pub const fn is_claimed(self) -> bool {
        self.0 & CLAIMED != 0
    }

    /// A complete entry lives here.
    pub const fn is_live(self) -> bool {
        self.fingerprint() != 0 && !self.is_claimed()
    }

    /// The claim that follows this tag.
    pub const fn claim(self, fingerprint: u64) -> Self {
        Self((self.0 >> LINK_SHIFT << LINK_SHIFT) | (fingerprint << FINGERPRINT_SHIFT) | CLAIMED | (self.0.wrapping_add(1) & BIRTH_MASK))
    }

    /// The claim is complete.
    pub const fn live(self) -> Self {
        Self(self.0 & !CLAIMED)
    }

    /// Nobody, with the same birth and entry.
    pub const fn vacant(self) -> Self {
        Self((self.0 >> LINK_SHIFT << LINK_SHIFT) | (self.0 & BIRTH_MASK))
    }

    /// What the words of this tenant carry.
    pub const fn nibble(self) -> u64 {
        self.0 & NIBBLE
    }
}

/// The birth that a word carries.
pub(super) const fn nibble_of(word: u64) -> u64 {
    word & NIBBLE
}

/// A second as a word keeps it.
const fn short(second: u32) -> u64 {
    (second & SECOND_MASK) as u64
}

/// The second that was meant, seen from `now`: the nearest one, before or after.
const fn long(kept: u64, now: u32) -> u32 {
    let ago = now.wrapping_sub(kept as u32) & SECOND_MASK;
    if ago <= SECOND_MASK / 2 { now.saturating_sub(ago) } else { now.wrapping_add(SECOND_MASK + 1 - ago) }
}

/// `number:32 | second:28 | birth:4`, for counters with a start, and for what else has a time and a number.
pub(super) const fn timed(number: u32, second: u32, nibble: u64) -> u64 {
    ((number as u64) << 32) | (short(second) << 4) | nibble
}

/// Number and second of a word.
pub(super) const fn read_timed(word: u64, now: u32) -> (u32, u32) {
    ((word >> 32) as u32, long((word >> 4) & SECOND_MASK as u64, now))
}

/// Minutes until which a client is a VIP are kept modulo 2^22 (eight years); 0: for good.
const MINUTE_MASK: u32 = (1 << 22) - 1;

/// The minute in which a VIP is none any more, as a word keeps it.
const fn minute(until: Option<u32>) -> u64 {
    match until {
        None => 0,
        // Minute 0 means another thing: one more.
        Some(until) => match until.div_ceil(60) & MINUTE_MASK {
            0 => 1,
            minute => minute as u64,
        },
    }
}

/// Until when a kept minute lasts, seen from `now`; the outer `None`: it is over.
const fn until(kept: u32, now: u32) -> Option<Option<u32>> {
    if kept == 0 {
        return Some(None);
    }
    let ahead = kept.wrapping_sub(now / 60) & MINUTE_MASK;
    if ahead == 0 || ahead > MINUTE_MASK / 2 { None } else { Some(Some((now / 60).saturating_add(ahead).saturating_mul(60))) }
}

/// `since:28 | flags:8 | low:1 | vip:1 | vip until:22 | birth:4`.
pub(super) const fn marks(marks: Marks, nibble: u64) -> u64 {
    let (since, low) = match marks.low_since {
        Some(since) => (short(since), 1),
        None => (0, 0),
    };
    let vip = if marks.vip { 1 << 26 | minute(marks.vip_until) << 4 } else { 0 };
    (since << 36) | ((marks.flags as u64) << 28) | (low << 27) | vip | nibble
}

pub(super) const fn read_marks(word: u64, now: u32) -> Marks {
    let since = if word >> 27 & 1 == 1 { Some(long(word >> 36, now)) } else { None };
    let vip = if word >> 26 & 1 == 1 { until((word >> 4) as u32 & MINUTE_MASK, now) } else { None };
    let vip_until = match vip {
        Some(until) => until,
        None => None,
    };
    Marks { vip: vip.is_some(), vip_until, low_since: since, flags: (word >> 28) as u8 }
}

/// The largest number of denials that a word keeps.
pub const MOST_DENIALS: u32 = 0xfff;

/// `per_second:32 | delay:16 | denials:12 | birth:4`.
pub(super) const fn pace(pace: Pace, denials: u32, nibble: u64) -> u64 {
    let delay = if pace.delay_ms > 0xffff { 0xffff } else { pace.delay_ms };
    ((pace.per_second as u64) << 32) | ((delay as u64) << 16) | (((denials & MOST_DENIALS) as u64) << 4) | nibble
}

pub(super) const fn read_pace(word: u64) -> Pace {
    Pace { per_second: (word >> 32) as u32, delay_ms: ((word >> 16) & 0xffff) as u32 }
}

pub(super) const fn read_denials(word: u64) -> u32 {
    (word >> 4) as u32 & MOST_DENIALS
}

/// Two numbers of a word without birth.
pub(super) const fn pair(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

pub(super) const fn read_pair(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_vacant_claimed_and_live() {
        let vacant = Tag(0xffff);
        assert!(!vacant.is_live() && !vacant.is_claimed() && vacant.entry().is_none());
        let claim = vacant.linked(77).claim(Tag::fingerprint_of(u64::MAX));
        assert!(claim.is_claimed() && !claim.is_live());
        assert_eq!((claim.fingerprint(), claim.nibble(), claim.0 & BIRTH_MASK, claim.entry()), ((1 << 19) - 1, 0, 0, Some(77)));
        assert!(claim.live().is_live());
        assert_eq!((claim.live().vacant(), claim.vacant().claim(5).entry()), (Tag(0).linked(77), Some(77)));
        assert_ne!(Tag::fingerprint_of(1 << 19), 0);
        assert_eq!(Tag(0).linked(MOST_LINKS as usize).entry(), Some(MOST_LINKS as usize));
    }

    #[test]
    fn seconds_are_the_nearest_ones() {
        let now = 3_000_000_000;
        for second in [now, now - 1, now + 3, now - SECOND_MASK / 2, now - 86_400] {
            assert_eq!(long(short(second), now), second);
        }
        assert_eq!(long(short(0), 5), 0);
        assert_eq!(read_timed(timed(u32::MAX, 77, 9), 80), (u32::MAX, 77));
        assert_eq!(nibble_of(timed(1, u32::MAX, 9)), 9);
    }

    #[test]
    fn marks_and_pace_come_back() {
        for marked in [
            Marks::default(),
            Marks { vip: true, low_since: Some(12), flags: 0xff, ..Marks::default() },
            Marks { low_since: Some(0), flags: 0x3d, ..Marks::default() },
            Marks { vip: true, flags: 2, vip_until: Some(60), ..Marks::default() },
            Marks { vip: true, vip_until: Some(100_000_020), low_since: Some(1), flags: 0xff },
        ] {
            let word = marks(marked, 5);
            assert_eq!((read_marks(word, 20), nibble_of(word)), (marked, 5));
        }
        let paced = Pace { per_second: u32::MAX, delay_ms: 5000 };
        let word = pace(paced, 77, 3);
        assert_eq!((read_pace(word), read_denials(word), nibble_of(word)), (paced, 77, 3));
        assert_eq!(read_pair(pair(1, u32::MAX)), (1, u32::MAX));
    }

    #[test]
    fn a_vip_mark_ends_with_its_minute() {
        for begin in [0, 59, 3_000_000_000, (MINUTE_MASK - 1) * 60] {
            let promoted = Marks::default().promote(begin, Some(90));
            let (word, end) = (marks(promoted, 3), promoted.vip_until.unwrap());
            assert!(end >= begin + 90 && end < begin + 150);
            // Where the minute would be 0 it lasts one more.
            let end = if (end / 60) & MINUTE_MASK == 0 { end + 60 } else { end };
            assert!(read_marks(word, begin).vip && read_marks(word, end - 1).vip, "{begin}");
            assert_eq!((read_marks(word, end), read_marks(word, end + 86_400 * 365)), (Marks::default(), Marks::default()), "{begin}");
        }
        let for_good = marks(Marks::default().promote(5, None), 3);
        assert!(read_marks(for_good, u32::MAX).vip && nibble_of(for_good) == 3);
    }
}
