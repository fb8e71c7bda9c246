//! The viewer's page (connection-client.md section 11.2): readable without JavaScript, which only
//! makes it refresh itself without a reload. Nothing is loaded from elsewhere.

mod assets;
mod page;
pub(super) mod parts;
pub(super) mod server;

pub use assets::{FAVICON, content_security_policy};
pub use page::render;
