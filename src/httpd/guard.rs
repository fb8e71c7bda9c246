//! No panic crosses into C (invariant 1): every entry from httpd runs in [`guard`].

use super::{clock, log};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A panic is logged at most once in this time, milliseconds.
const LOG_EVERY_MS: u64 = 60_000;

static LAST_LOGGED: AtomicU64 = AtomicU64::new(0);
static WHERE: Mutex<String> = Mutex::new(String::new());

/// Runs an entry point. A panic is logged with the name of the hook and the location in the code, at
/// most once a minute, and the neutral value is returned: the server goes on.
pub fn guard<T>(hook: &'static str, neutral: T, entry: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(entry)) {
        Ok(value) => value,
        Err(_) => {
            report(hook);
            neutral
        }
    }
}

/// Remembers where a panic happened instead of printing it. Called once when the module is loaded.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        *WHERE.lock() = format!("{place}: {message}");
    }));
}

#[cold]
fn report(hook: &'static str) {
    let now = clock::monotonic_ms();
    let last = LAST_LOGGED.load(Ordering::Relaxed);
    let due = last == 0 || now.saturating_sub(last) >= LOG_EVERY_MS;
    if due && LAST_LOGGED.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        let place = WHERE.lock().clone();
        log::main_server(log::Level::Crit, &format!("mod_qos(): internal error in {hook} ({place}); the request was not affected, please report this"));
    }
}
