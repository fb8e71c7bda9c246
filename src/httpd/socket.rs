//! What the kernel knows of a TCP connection. These are the only system calls of the watcher.

use std::ffi::c_void;
use std::mem::MaybeUninit;

/// Progress of a connection as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes received in order since the connection was made (TLS handshake included).
    pub received: u64,
    /// Bytes sent and acknowledged.
    pub acked: u64,
    /// Bytes written by the server and not acknowledged yet.
    pub outstanding: u64,
    /// Least round-trip time of late (the distance, without the time that a busy client adds), milliseconds, rounded up.
    pub rtt_ms: u64,
}

/// `struct tcp_info` of Linux up to `tcpi_bytes_retrans` (kernel 4.19); older kernels fill less.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "layout of the kernel")]
struct TcpInfo {
    bytes: [u8; 8],
    words: [u32; 24],
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: u32,
    delivered_ce: u32,
    bytes_sent: u64,
    bytes_retrans: u64,
}

/// Index of `tcpi_rtt` (microseconds) and `tcpi_unacked` in the block of 32-bit words behind the first 8 bytes.
const RTT_WORD: usize = 15;
const UNACKED_WORD: usize = 4;

/// Asks the kernel; `None` where the descriptor is no TCP socket (or gone).
pub fn progress(fd: i32) -> Option<Progress> {
    let mut info = MaybeUninit::<TcpInfo>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<TcpInfo>()).ok()?;
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let result = unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length) };
    if result != 0 {
        return None;
    }
    // SAFETY: all fields are integers, zeroed before the kernel filled a part.
    let info = unsafe { info.assume_init() };
    let in_flight = if info.words.get(UNACKED_WORD).copied().unwrap_or(0) == 0 {
        0
    } else {
        info.bytes_sent.saturating_sub(info.bytes_retrans).saturating_sub(info.bytes_acked).max(1)
    };
    Some(Progress {
        received: info.bytes_received,
        acked: info.bytes_acked,
        outstanding: in_flight + u64::from(info.notsent_bytes),
        rtt_ms: match info.min_rtt {
            0 | u32::MAX => u64::from(info.words.get(RTT_WORD).copied().unwrap_or(0)).div_ceil(1000),
            least => u64::from(least).div_ceil(1000),
        },
    })
}

/// Whether more can be written now. A connection that has failed can: writing tells.
pub fn is_writable(fd: i32) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, which lives during the call.
    unsafe { libc::poll(&raw mut asked, 1, 0) == 1 }
}

/// Which end of a connection is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// That of the client's side, or of both.
    Theirs,
    /// That of both sides, or a descriptor that is closed. An end of what the client sends alone is none.
    Both,
}

/// Whether the client ends its side, or the connection, within a time.
pub fn ends_within(fd: i32, time: std::time::Duration, end: End) -> bool {
    let events = if end == End::Theirs { libc::POLLRDHUP } else { 0 };
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(i32::try_from(time.subsec_nanos()).unwrap_or(0)),
    };
    // SAFETY: one entry and a time, which live during the call; no signal mask is given.
    unsafe { libc::ppoll(&raw mut asked, 1, &raw const time, std::ptr::null()) == 1 && asked.revents != 0 }
}

/// The descriptor of the socket that httpd hands to pre_connection (core knows it with the connection only later).
///
/// # Safety
/// `socket` is null or the `apr_socket_t` that httpd passed.
pub unsafe fn descriptor(socket: *mut c_void) -> Option<i32> {
    // SAFETY: the caller's promise.
    let fd = unsafe { super::ffi::qos_shim_socket_fd(socket) };
    (fd >= 0).then_some(fd)
}

/// Sets the type of service (DSCP and ECN bits) of what a TCP connection sends. The number that the system call returned.
pub fn set_service(fd: i32, service: u8) -> i32 {
    let value = libc::c_int::from(service);
    // SAFETY: the option is read from an int that lives during the call.
    let set = |level, option| unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<libc::c_int>() as libc::socklen_t) };
    let (mut family, mut length) = (0 as libc::c_int, size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: the kernel writes one int.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN, (&raw mut family).cast(), &raw mut length) };
    let of_v4 = set(libc::IPPROTO_IP, libc::IP_TOS);
    // An IPv6 socket may carry IPv4 as well; what it carries decides which of the two counts.
    if family == libc::AF_INET6 { set(libc::IPPROTO_IPV6, libc::IPV6_TCLASS) } else { of_v4 }
}

/// Bytes that the kernel holds for the server because it has not read them yet.
pub fn unread(fd: i32) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    let result = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) };
    if result == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// The client's bytes are no longer read: a blocked reader wakes with end of file.
pub fn stop_reading(fd: i32) {
    // SAFETY: shutdown on a descriptor that the caller's lock keeps open.
    unsafe { libc::shutdown(fd, libc::SHUT_RD) };
}

/// The connection ends at once and what the client has not taken is thrown away.
pub fn cut(fd: i32) {
    let now = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: as above; the option is read from a valid struct.
    unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const now).cast(), size_of::<libc::linger>() as libc::socklen_t);
        libc::shutdown(fd, libc::SHUT_RDWR);
    }
}
