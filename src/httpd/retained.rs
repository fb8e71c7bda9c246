//! Data that outlives configurations (invariant 5): the addresses of what children share.
//!
//! The module is unloaded and loaded again at each restart; its statics vanish, the process pool stays.

use super::ffi;
use qos_core::token::SECRET_BYTES;
use std::ptr::NonNull;

const KEY: &std::ffi::CStr = c"mod_qos-region";
/// A block of its own: one that an earlier version of the module made keeps its size.
const RULES_KEY: &std::ffi::CStr = c"mod_qos-rules";

/// What is kept in the process pool. Only the parent writes it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Retained {
    /// Base of the region, null before the first start.
    region: *mut u8,
    /// Place of the client table, which is a mapping of its own so that its size can change.
    clients: *mut u8,
}

/// Random bytes that stand for `QS_SessionKey` where none is configured: as long as the server runs.
const SECRET_KEY: &std::ffi::CStr = c"mod_qos-secret";

#[derive(Clone, Copy)]
#[repr(C)]
struct Random {
    made: bool,
    bytes: [u8; SECRET_BYTES],
}

/// The random secret of this server, made by `make` when it is asked for first. `None`: it cannot be made.
pub fn secret(make: impl FnOnce() -> Option<[u8; SECRET_BYTES]>) -> Option<[u8; SECRET_BYTES]> {
    let place = block::<Random>(SECRET_KEY)?;
    // SAFETY: see `block`; all its bits are zero at first, which is a valid value.
    let kept = unsafe { place.read() };
    if kept.made {
        return Some(kept.bytes);
    }
    let bytes = make()?;
    // SAFETY: as above.
    unsafe { place.write(Random { made: true, bytes }) };
    Some(bytes)
}

fn retained() -> Option<NonNull<Retained>> {
    block(KEY)
}

/// The block of that name, always asked for with the same type.
fn block<T>(key: &std::ffi::CStr) -> Option<NonNull<T>> {
    // SAFETY: httpd keeps the block zeroed at creation until the process ends; only the parent's one thread is here.
    unsafe {
        let mut place = ffi::ap_retained_data_get(key.as_ptr());
        if place.is_null() {
            place = ffi::ap_retained_data_create(key.as_ptr(), size_of::<T>() as _);
        }
        NonNull::new(place.cast())
    }
}

/// The region of an earlier configuration.
pub fn region() -> Option<NonNull<u8>> {
    // SAFETY: see `retained`.
    retained().and_then(|place| NonNull::new(unsafe { place.read() }.region))
}

/// Remembers the region for the configurations to come.
pub fn keep_region(region: NonNull<u8>) {
    if let Some(place) = retained() {
        // SAFETY: see `retained`.
        unsafe { (*place.as_ptr()).region = region.as_ptr() };
    }
}

/// The client table of an earlier configuration.
pub fn clients() -> Option<NonNull<u8>> {
    // SAFETY: see `retained`.
    retained().and_then(|place| NonNull::new(unsafe { place.read() }.clients))
}

/// Remembers the client table for the configurations to come.
pub fn keep_clients(table: Option<NonNull<u8>>) {
    if let Some(place) = retained() {
        // SAFETY: see `retained`.
        unsafe { (*place.as_ptr()).clients = table.map_or(std::ptr::null_mut(), NonNull::as_ptr) };
    }
}

/// The table of rules of an earlier configuration.
pub fn rules() -> Option<NonNull<u8>> {
    // SAFETY: see `retained`.
    block::<*mut u8>(RULES_KEY).and_then(|place| NonNull::new(unsafe { place.read() }))
}

/// Remembers the table of rules for the configurations to come.
pub fn keep_rules(table: Option<NonNull<u8>>) {
    if let Some(place) = block::<*mut u8>(RULES_KEY) {
        // SAFETY: see `retained`.
        unsafe { place.write(table.map_or(std::ptr::null_mut(), NonNull::as_ptr)) };
    }
}
