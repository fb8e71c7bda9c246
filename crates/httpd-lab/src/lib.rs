//! A private httpd for tests and measurements.
//!
//! [`Server`] starts an httpd of its own on free loopback ports, with any MPM, with our module, the packaged
//! original, or none. [`RawClient`] speaks HTTP/1.1 byte by byte, plain or TLS, from any address of 127.0.0.0/8.
//! [`slow`] holds many slow connections in one thread, [`attack`] runs slowhttptest, [`probe`] is the ordinary
//! visitor who finds out how long the service was away.
//!
//! Everything waits for a condition with a deadline ([`wait_until`]); nothing relies on the length of a sleep.

// A failed expectation in a harness is a failed test: panicking with a message is how it reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

pub mod attack;
pub mod browser;
pub mod client;
pub mod http2;
mod install;
pub mod mmdb;
pub mod namespace;
pub mod original;
pub mod packets;
mod ports;
pub mod probe;
mod render;
mod root;
pub mod said;
mod server;
pub mod slow;
mod spawn;
pub mod sys;
mod tls;

pub use browser::Browser;
pub use client::{ConnectOptions, RawClient, Response};
pub use install::{Module, Mpm, apache_binary, module_path, modules_dir};
pub use probe::{Outage, Probe};
pub use render::Builder;
pub use server::{HARNESS_ADDRESS, Server, configtest};
pub use slow::{SlowClients, SlowPlan};

/// Asks `cond` every few milliseconds until it holds or `limit` has passed; says whether it held.
pub fn wait_until(limit: Duration, mut cond: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if cond() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
