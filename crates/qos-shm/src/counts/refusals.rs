//! How often a key was refused: a number that lives beside the key's count.
//!
//! The word is `tag:32 | number:32`; the tag is that of the [`Tenant`]. A word with another tag belongs to a former
//! tenant and means 0, so nothing has to be cleared when a key goes: the next tenancy, even of the same key, has
//! another tag. The number is written only while the tenant was seen after the old word was read. If the entry changes
//! hands in between, the write either fails or leaves a word with a tag that means 0 to the new tenant.

use super::words::{CountKey, Tenant};
use super::{CountTable, Holdings};
use crate::sync::Ordering::SeqCst;

const NUMBER: u64 = 0xffff_ffff;

impl<H: Holdings> CountTable<'_, H> {
    /// Notes one more refusal of `key`, returns how many there are now. A key that nobody holds has no place for the
    /// number: it is 1 each time.
    #[must_use]
    pub fn refused(&self, key: CountKey) -> u32 {
        self.renumber(key, |number| number.saturating_add(1)).map_or(1, |(_, new)| new)
    }

    /// How often `key` was refused since the last call, or since it is counted; starts again at 0.
    #[must_use]
    pub fn take_refusals(&self, key: CountKey) -> u32 {
        self.renumber(key, |_| 0).map_or(0, |(old, _)| old)
    }

    fn renumber(&self, key: CountKey, next: impl Fn(u32) -> u32) -> Option<(u32, u32)> {
        let bucket = self.bucket(key)?;
        loop {
            let (entry, tenant, _) = bucket.living(key)?;
            let word = entry.refusals.load(SeqCst);
            if entry.tenant.load(SeqCst) != tenant.0 {
                continue;
            }
            let old = number_of(word, tenant);
            let new = next(old);
            let replacement = (u64::from(tenant.tag()) << 32) | u64::from(new);
            if entry.refusals.compare_exchange(word, replacement, SeqCst, SeqCst).is_ok() {
                return Some((old, new));
            }
        }
    }
}

fn number_of(word: u64, tenant: Tenant) -> u32 {
    if word >> 32 == u64::from(tenant.tag()) { (word & NUMBER) as u32 } else { 0 }
}
