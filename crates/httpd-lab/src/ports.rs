//! Free ports for listening.
//!
//! They are taken below the kernel's range for outgoing connections, so that a client of another test cannot occupy
//! one between the look and httpd's own bind. Two test processes can still choose the same: the start is then tried
//! again with other ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// `n` ports of the loopback interface that nobody listens on now, each different.
pub(crate) fn free_ports(n: usize) -> Vec<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (low, high) = range();
    let span = u32::from(high - low);
    // Test processes start at different places, so that they rarely meet.
    let offset = std::process::id().wrapping_mul(2_654_435_761) % span;
    let mut found = Vec::with_capacity(n);
    for _ in 0..span {
        if found.len() == n {
            return found;
        }
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = low + ((offset + step) % span) as u16;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            found.push(port);
        }
    }
    panic!("no free ports between {low} and {high}");
}

/// The ports outside the range for outgoing connections that are tried.
fn range() -> (u16, u16) {
    let first_outgoing = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|s| s.split_whitespace().next().and_then(|n| n.parse().ok()))
        .unwrap_or(32768u16);
    if first_outgoing > 14_000 { (10_000, first_outgoing - 1) } else { (61_000, 65_500) }
}
