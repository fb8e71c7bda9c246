//! Start and end of children (connection-client.md section 3.3, design invariant 3).

use crate::httpd::guard::guard;
use crate::httpd::pool::Pool;
use crate::httpd::{ffi, log, pin_library, process_exists};
use crate::runtime::{adopt, runtime};
use crate::watcher;
use std::ffi::c_int;

/// A child begins: it takes its place in the ledger and starts its watcher.
pub unsafe extern "C" fn child_init(pchild: *mut ffi::apr_pool_t, main: *mut ffi::server_rec) {
    guard("child_init", (), || {
        let Some(runtime) = runtime() else { return };
        pin_library();
        match runtime.region.register_child(std::process::id(), runtime.region.generation()) {
            Ok(child) => {
                let state = adopt(child);
                if let Some(store) = &runtime.clients {
                    store.table.populate();
                }
                // SAFETY: the child's pool, in its first thread.
                watcher::start(runtime, state, unsafe { Pool::new(pchild) });
            }
            Err(_) => log::server(main, log::Level::Alert, || {
                "mod_qos(035): no free child entry in shared memory, connections of this child are served without being counted".to_owned()
            }),
        }
    });
}

/// The parent learns that a child ended, however it did: what it held is given back.
pub unsafe extern "C" fn child_status(
    main: *mut ffi::server_rec,
    pid: ffi::pid_t,
    _generation: ffi::ap_generation_t,
    _slot: c_int,
    status: ffi::mpm_child_status,
) {
    guard("child_status", (), || {
        if status != ffi::MPM_CHILD_EXITED {
            return;
        }
        let (Some(runtime), Ok(pid)) = (runtime(), u32::try_from(pid)) else { return };
        if let Some(reclaimed) = runtime.region.reclaim_child(pid) {
            if reclaimed.connections > 0 {
                log::server(main, log::Level::Debug, || format!("mod_qos(): process {pid} ended, {} connections given back", reclaimed.connections));
            }
        }
    });
}

/// Once in a while in the parent: children whose end nobody reported.
pub unsafe extern "C" fn monitor(_pool: *mut ffi::apr_pool_t, _main: *mut ffi::server_rec) -> c_int {
    guard("monitor", ffi::DECLINED, || {
        if let Some(runtime) = runtime() {
            runtime.region.reclaim_missing(&mut process_exists);
        }
        ffi::DECLINED
    })
}
