//! Style, script and icon of the page, and the policy that allows exactly these.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Between `<style>` and `</style>`.
pub(super) const STYLE: &str = include_str!("page.css");

/// Between `<script>` and `</script>`.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The style attribute of cells that show a reached limit.
pub(in crate::view) const RED: &str = "background-color: rgb(240,153,155);";

/// The icon, 16 x 16.
pub const FAVICON: &[u8] = include_bytes!("favicon.ico");

/// The value of the header `Content-Security-Policy`.
#[must_use]
pub fn content_security_policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src 'unsafe-hashes' {} {}; script-src {}; connect-src 'self'; img-src 'self' data:; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        hash(STYLE),
        hash(RED),
        hash(SCRIPT)
    )
}
