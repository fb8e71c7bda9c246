//! A network of its own for a test: addresses that the machine does not have.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Runs a test on a thread that has a network of its own, in which the loopback interface has these addresses as well. Servers that it
/// starts and clients that it makes, also on threads that it starts, are in that network. `false`, with a message: this process may not
/// make a network.
///
/// # Panics
/// When the test does.
pub fn with_addresses(addresses: &[&str], test: impl FnOnce() + Send) -> bool {
    std::thread::scope(|scope| {
        let inside = scope.spawn(move || match make(addresses) {
            Ok(()) => {
                test();
                true
            }
            Err(why) => {
                eprintln!("skipped: no network namespace with addresses of its own can be made here: {why}");
                false
            }
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn make(addresses: &[&str]) -> Result<(), String> {
    // SAFETY: a flag; only this thread leaves the network of the process.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error().to_string());
    }
    // The child is forked by this thread, so it is in the new network.
    let ip = |arguments: &str| {
        let out = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
        if out.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&out.stderr).trim())) }
    };
    ip("link set lo up")?;
    addresses.iter().try_for_each(|address| ip(&format!("addr add {address} dev lo nodad")))
}

/// The network of this thread, if it is not that of the process.
pub(crate) fn of_thread() -> Option<File> {
    let open = |path: &str| File::open(path).ok();
    let (own, usual) = (open("/proc/thread-self/ns/net")?, open("/proc/self/ns/net")?);
    (own.metadata().ok()?.ino() != usual.metadata().ok()?.ino()).then_some(own)
}

/// Goes to another network, in a process that was just forked.
pub(crate) fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: a live descriptor and a flag; async-signal-safe, touches no memory of ours.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
