//! mod_qos: quality of service for Apache httpd.
//!
//! This file is the table of contents: the module record that httpd reads, and the hook table.
//! Facts are fetched in `hooks/` and `filters/`, judged in the crate qos-core, and carried out here;
//! what children share is in the crate qos-shm.

mod clients;
mod config;
mod filters;
mod handlers;
mod hooks;
mod httpd;
mod names;
mod rules;
mod runtime;
mod tokens;
mod watcher;

use httpd::ffi;
use std::ptr::{null, null_mut};

/// The module record. httpd finds it by this symbol; `<IfModule mod_qos.c>` looks at the name in it.
///
/// httpd writes module index, handle and list pointer into it while it loads the module, in the one thread it has then.
#[unsafe(no_mangle)]
pub static mut qos_module: ffi::module = ffi::module {
    version: ffi::MODULE_MAGIC_NUMBER_MAJOR as i32,
    minor_version: ffi::MODULE_MAGIC_NUMBER_MINOR as i32,
    module_index: -1,
    name: c"mod_qos.c".as_ptr(),
    dynamic_load_handle: null_mut(),
    next: null_mut(),
    magic: ffi::MODULE_MAGIC_COOKIE as _,
    rewrite_args: None,
    create_dir_config: Some(config::create_location),
    merge_dir_config: Some(config::merge_location),
    create_server_config: Some(config::create_server),
    merge_server_config: Some(config::merge_server),
    cmds: config::commands(),
    register_hooks: Some(register_hooks),
    flags: 0,
};

/// The address of the module record, as httpd's look-up functions want it.
fn module_record() -> *const ffi::module {
    &raw const qos_module
}

/// An order against other modules: a NULL-terminated list of their names.
struct Order<const N: usize>([*const std::ffi::c_char; N]);
// SAFETY: pointers to string literals.
unsafe impl<const N: usize> Sync for Order<N> {}

static BEFORE_SETENVIF: Order<4> = Order([c"mod_setenvif.c".as_ptr(), c"mod_setenvifplus.c".as_ptr(), c"mod_unique_id.c".as_ptr(), null()]);
static AFTER_REMOTEIP: Order<2> = Order([c"mod_remoteip.c".as_ptr(), null()]);
static AFTER_SETENVIF: Order<5> =
    Order([c"mod_setenvif.c".as_ptr(), c"mod_setenvifplus.c".as_ptr(), c"mod_unique_id.c".as_ptr(), c"mod_parp.c".as_ptr(), null()]);
static AFTER_SETENVIF_AND_SSL: Order<6> =
    Order([c"mod_setenvif.c".as_ptr(), c"mod_setenvifplus.c".as_ptr(), c"mod_ssl.c".as_ptr(), c"mod_remoteip.c".as_ptr(), c"mod_logio.c".as_ptr(), null()]);
static AFTER_DIR: Order<3> = Order([c"mod_dir.c".as_ptr(), c"mod_negotiation.c".as_ptr(), null()]);
static BEFORE_SSL: Order<2> = Order([c"mod_ssl.c".as_ptr(), null()]);
static BEFORE_HTTP2: Order<2> = Order([c"mod_http2.c".as_ptr(), null()]);

/// Hooks and filters. Each entry point is guarded in its own file.
unsafe extern "C" fn register_hooks(_pool: *mut ffi::apr_pool_t) {
    httpd::guard::install();
    config::sections::begin();
    let (first, middle, last) = (ffi::APR_HOOK_FIRST as i32, ffi::APR_HOOK_MIDDLE as i32, ffi::APR_HOOK_LAST as i32);
    let none = null();
    let before_setenvif = BEFORE_SETENVIF.0.as_ptr();
    let after_remoteip = AFTER_REMOTEIP.0.as_ptr();
    let after_setenvif = AFTER_SETENVIF.0.as_ptr();
    let after_ssl = AFTER_SETENVIF_AND_SSL.0.as_ptr();
    let before_ssl = BEFORE_SSL.0.as_ptr();
    let before_http2 = BEFORE_HTTP2.0.as_ptr();
    // SAFETY: httpd's registration functions, called while it loads the module; names and lists are static.
    unsafe {
        ffi::ap_hook_check_config(Some(hooks::post_config::check_config), none, none, middle);
        ffi::ap_hook_post_config(Some(hooks::post_config::post_config), after_ssl, none, middle);
        ffi::ap_hook_child_init(Some(hooks::child::child_init), none, none, middle);
        ffi::ap_hook_child_status(Some(hooks::child::child_status), none, none, middle);
        ffi::ap_hook_monitor(Some(hooks::child::monitor), none, none, middle);

        ffi::ap_hook_pre_connection(Some(hooks::connecting::pre_connection_blocked), after_remoteip, before_ssl, middle);
        ffi::ap_hook_pre_connection(Some(hooks::pre_connection::pre_connection), after_ssl, none, last);
        ffi::ap_hook_process_connection(Some(hooks::waiting::process_connection), none, before_http2, ffi::APR_HOOK_REALLY_FIRST);
        ffi::ap_hook_suspend_connection(Some(hooks::waiting::suspend_connection), none, none, ffi::APR_HOOK_REALLY_LAST as i32);
        ffi::ap_hook_resume_connection(Some(hooks::waiting::resume_connection), none, none, ffi::APR_HOOK_REALLY_FIRST);
        ffi::ap_hook_process_connection(Some(hooks::process_connection::process_connection), none, before_http2, first);
        ffi::ap_hook_protocol_switch(Some(hooks::process_connection::protocol_switch), none, before_http2, ffi::APR_HOOK_REALLY_FIRST);
        ffi::ap_hook_pre_close_connection(Some(hooks::pre_connection::pre_close_connection), none, none, first);

        ffi::ap_hook_pre_read_request(Some(hooks::tuning::pre_read_request), none, none, middle);
        ffi::ap_hook_post_read_request(Some(hooks::post_read_request::before_setenvif), after_remoteip, before_setenvif, middle);
        ffi::ap_hook_post_read_request(Some(hooks::post_read_request::after_setenvif), after_setenvif, none, middle);
        ffi::ap_hook_header_parser(Some(hooks::header_parser::first), none, before_setenvif, first);
        ffi::ap_hook_header_parser(Some(hooks::body_limit::header_parser), after_setenvif, none, first);
        ffi::ap_hook_header_parser(Some(hooks::header_parser::main), after_setenvif, none, middle);
        ffi::ap_hook_fixups(Some(hooks::fixups::fixups), after_ssl, none, middle);
        ffi::ap_hook_fixups(Some(hooks::internal_redirects::last_fixups), AFTER_DIR.0.as_ptr(), none, ffi::APR_HOOK_REALLY_LAST as i32);
        ffi::ap_hook_handler(Some(handlers::handler), none, none, first);
        ffi::qos_shim_hook_status(Some(handlers::section));
        ffi::ap_hook_insert_filter(Some(hooks::insert_filter::insert_filter), none, none, middle);
        ffi::ap_hook_insert_error_filter(Some(hooks::insert_filter::insert_error_filter), none, none, middle);
        ffi::ap_hook_log_transaction(Some(hooks::log_transaction::log_transaction), none, none, first);
    }
    filters::register();
}
