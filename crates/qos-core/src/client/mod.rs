//! What is known of a client, and what follows from it (connection-client.md section 9). Times are monotonic seconds.

mod block;
pub mod content;
mod counter;
mod identity;
mod limit;
mod marks;
pub mod message;
pub mod pace;

pub use block::{BlockRule, Blocked};
pub use content::Statistics;
pub use counter::{Counter, weight};
pub use identity::{IpHeader, Source, pseudo_address, pseudo_text};
pub use limit::{LimitRule, Limited, Names};
pub use marks::{Behaviour, LOW_SECONDS, Marks, NotPreferred, Prefer, low};
pub use pace::Pace;
