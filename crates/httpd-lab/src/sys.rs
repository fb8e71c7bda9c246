//! The few system calls that std does not offer, behind safe functions.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// One entry of [`poll`]: what is asked of a descriptor, and what the kernel answers.
pub use libc::pollfd;

/// Waits until one of `fds` has something to say, at most `limit`; returns how many have.
pub fn poll(fds: &mut [pollfd], limit: Duration) -> io::Result<usize> {
    let ms = i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: the pointer and the length describe the exclusive slice, which outlives the call.
    let n = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) };
    if n >= 0 {
        return Ok(n as usize);
    }
    let err = io::Error::last_os_error();
    if err.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(err) }
}

/// Waits at most `limit` for `events` on one socket; returns what the kernel reports, 0 when nothing came.
pub fn poll_one(socket: &impl AsRawFd, events: i16, limit: Duration) -> io::Result<i16> {
    let mut fds = [entry(socket.as_raw_fd(), events)];
    poll(&mut fds, limit)?;
    Ok(fds[0].revents)
}

/// An entry for [`poll`].
pub fn entry(fd: RawFd, events: i16) -> pollfd {
    pollfd { fd, events, revents: 0 }
}

/// Has the peer ended its side, or was the connection reset? Unread data does not hide it.
pub fn peer_closed(socket: &impl AsRawFd, limit: Duration) -> bool {
    match poll_one(socket, libc::POLLRDHUP, limit) {
        Ok(events) => events & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0,
        Err(_) => true,
    }
}

/// Sends a signal to one process; false when it no longer exists.
pub fn signal(pid: u32, signal: i32) -> bool {
    // SAFETY: kill takes plain integers and touches no memory of ours.
    pid > 1 && unsafe { libc::kill(pid as libc::pid_t, signal) } == 0
}

/// Sends a signal to every process of a group; false when there is none left.
pub fn signal_group(group: u32, signal: i32) -> bool {
    // SAFETY: kill takes plain integers and touches no memory of ours.
    group > 1 && unsafe { libc::kill(-(group as libc::pid_t), signal) } == 0
}

/// Asks the kernel to send SIGTERM to this process when the thread that forked it ends.
pub(crate) fn terminate_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Is this the superuser?
pub fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Lets `connect` choose the local port together with the remote end, so that a bound address costs no port.
pub fn bind_without_port(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option value is a c_int that lives during the call, and its size is given.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the limit of open files to what the system allows and returns it.
pub fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid rlimit that lives during the call.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
    limit.rlim_cur
}

/// How long ago a process was started, to a hundredth of a second; zero when it is gone.
pub fn age(pid: u32) -> Duration {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let age = || {
        let up: f64 = read("/proc/uptime")?.split_whitespace().next()?.parse().ok()?;
        let stat = read(&format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold spaces; the start time is the 20th field after it, in ticks since boot.
        let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        // SAFETY: sysconf takes a plain integer and touches no memory of ours.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        Some(Duration::from_secs_f64((up - ticks / per_second).max(0.0)))
    };
    age().unwrap_or_default()
}
