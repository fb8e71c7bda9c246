//! One program for all targets; `FUZZ_TARGET` says which one runs (`packaging/fuzz.sh`).
//!
//! A target takes any bytes. It fails by a panic: of the code it calls, of an overflow, or of an assertion about what came out.

#![no_main]

mod environment;
mod input;
mod targets;

use std::sync::OnceLock;
use targets::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET={name:?} is none of {:?}", TARGETS.iter().map(|(name, _)| name).collect::<Vec<_>>())).1
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.get_or_init(target)(data));
