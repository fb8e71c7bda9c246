//! Every client remembered: a table of clients that all children share.
//!
//! The table is a mapping of its own, so that its size can change: the parent makes a new one and moves the clients over
//! (connection-client.md section 4).
//!
//! # How it works
//!
//! A keyed hash of the address selects a bucket of [`WAYS`] slots. Look-up, insertion and eviction touch this bucket only: a line of
//! tags, then the one entry that is meant. A tag says who lives in a slot: a fingerprint of the hash, a *birth* that changes with each
//! tenant, whether the tenant is complete or only *claimed*, and which entry the slot has. It gets its entry when it is used for the first time, one
//! after the other: a large table takes memory only for the clients that are there, and a new client seldom needs a new page. Every word of an entry that decides about a client carries the
//! low bits of the birth and is changed by compare-and-swap, so that what is meant for a former tenant changes nothing.
//!
//! An insertion is done by anybody who wants the same client:
//!
//! 1. *Claim*: replace the tag of the victim by `{fingerprint, claimed, birth + 1}`, or take part in a claim of this fingerprint that is there.
//! 2. *Prepare*: bring each word to its initial value, as long as the claim stands.
//! 3. *Look around*: if the client lives in another slot, or a claim of it stands in a lower one, vacate this one and begin
//!    again; vacate claims of it in higher slots.
//! 4. *Publish*: replace the claim by the live tag.
//!
//! # Why it is right
//!
//! * **A client has one entry.** Of two claims of a client that both get published, one was made first. The other one's look around came
//!   after its own claim, hence after the first, and saw the first claimed or live: it either vacated it or gave itself up.
//! * **Nobody waits.** Every step can be done by anybody; an attempt is repeated only if another one has changed the bucket.
//! * **A killed process leaves nothing behind** but a claim, which the same client completes and another one evicts, as it is worth little.
//! * **A former tenant's events count for nobody.** A change loads the word, sees that the tag is still the one it knows, and replaces
//!   exactly the word it loaded. When the slot changes hands in between, all words get another birth.
//!
//! # Limits
//!
//! * A process that is stopped between two instructions while its slot is given away a multiple of 16 times, and the word then has
//!   the value it had, changes it. Statistics (`qos_core::client::Statistics`) carry no birth.
//! * Two clients of one bucket with the same 19 bits of the hash that are inserted at the same instant may come to share an entry.
//! * A process that is killed between taking an entry and giving it to a slot loses it; there are 1024 more than slots.
//! * Buckets are not filled evenly: of as many clients as there are slots, one in seven finds its bucket full and drives out
//!   the one that is worth least.

mod entry;
mod rank;
mod table;
mod words;

#[cfg(not(loom))]
mod mapping;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;

pub use entry::{Client, ClientId, Gone};
#[cfg(not(loom))]
pub use mapping::{ClientSizing, ClientTable, ClientTableError, Resumed};
pub use rank::{Bound, Keep, WORTHS, Worth};
pub use table::{IsOpen, WAYS};
pub use words::MOST_DENIALS;
