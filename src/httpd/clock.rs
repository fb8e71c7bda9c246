//! The clocks. Rules use the monotonic one; wall clock is for display and ids (invariant 8).

use qos_core::view::LocalTime;

/// Milliseconds of the monotonic clock.
pub fn monotonic_ms() -> u64 {
    monotonic_us() / 1000
}

/// Microseconds of the monotonic clock.
pub fn monotonic_us() -> u64 {
    monotonic_ns() / 1000
}

/// Nanoseconds of the monotonic clock.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Seconds of the wall clock since 1970.
pub fn wall_seconds() -> u64 {
    wall_microseconds() / 1_000_000
}

/// Microseconds of the wall clock since 1970.
pub fn wall_microseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// A moment of the wall clock in the server's time zone.
pub fn local_time(seconds: u64) -> LocalTime {
    let time = libc::time_t::try_from(seconds).unwrap_or(0);
    // SAFETY: a plain structure of numbers and a pointer that may be null; localtime_r fills it in.
    let mut parts = unsafe { std::mem::zeroed::<libc::tm>() };
    // SAFETY: both point to valid places.
    unsafe { libc::localtime_r(&raw const time, &raw mut parts) };
    let small = |value: i32| u8::try_from(value).unwrap_or(0);
    LocalTime {
        seconds,
        year: parts.tm_year.saturating_add(1900),
        month: small(parts.tm_mon.saturating_add(1)),
        day: small(parts.tm_mday),
        weekday: small(parts.tm_wday),
        hour: small(parts.tm_hour),
        minute: small(parts.tm_min),
        second: small(parts.tm_sec),
    }
}

/// Load average of the last minute, where the system tells.
pub fn load_average() -> Option<f64> {
    let mut load = 0f64;
    // SAFETY: room for one number.
    (unsafe { libc::getloadavg(&raw mut load, 1) } == 1).then_some(load)
}
