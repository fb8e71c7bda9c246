//! httpd's scoreboard: what its workers are doing.

use super::ffi;
use qos_core::status::Workers;

/// Reads every slot of the scoreboard (server limit x thread limit).
pub fn workers() -> Workers {
    let mut workers = Workers::default();
    each(|status, _| match u32::from(status) {
        ffi::SERVER_DEAD => workers.open += 1,
        ffi::SERVER_READY => workers.waiting += 1,
        ffi::SERVER_STARTING => workers.start += 1,
        ffi::SERVER_BUSY_READ => workers.read += 1,
        ffi::SERVER_BUSY_WRITE => workers.write += 1,
        ffi::SERVER_BUSY_KEEPALIVE => workers.keepalive += 1,
        ffi::SERVER_BUSY_LOG => workers.log += 1,
        ffi::SERVER_BUSY_DNS => workers.dns += 1,
        ffi::SERVER_CLOSING => workers.closing += 1,
        ffi::SERVER_GRACEFUL => workers.finishing += 1,
        ffi::SERVER_IDLE_KILL => workers.idle += 1,
        _ => (),
    });
    workers
}

/// Workers that wait for work in processes that still accept connections.
pub fn idle_workers() -> u32 {
    let mut idle = 0;
    each(|status, quiescing| {
        if u32::from(status) == ffi::SERVER_READY && !quiescing {
            idle += 1;
        }
    });
    idle
}

fn each(mut visit: impl FnMut(u8, bool)) {
    // SAFETY: the scoreboard is made before children start and lives as long as they; its sizes stand in its global part.
    // Statuses are bytes that other processes write; any value is a valid byte.
    unsafe {
        let image = ffi::ap_scoreboard_image;
        if image.is_null() || (*image).global.is_null() {
            return;
        }
        let global = &*(*image).global;
        for process in 0..usize::try_from(global.server_limit).unwrap_or(0) {
            let parent = &raw const *(*image).parent.add(process);
            // Event: a child that holds all the connections it may accepts no more, whatever its threads do.
            let quiescing = (&raw const (*parent).quiescing).read_volatile() != 0 || (&raw const (*parent).not_accepting).read_volatile() != 0;
            let slots = *(*image).servers.add(process);
            for thread in 0..usize::try_from(global.thread_limit).unwrap_or(0) {
                visit((&raw const (*slots.add(thread)).status).read_volatile(), quiescing);
            }
        }
    }
}
