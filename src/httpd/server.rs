//! Servers, the configuration tree and the MPM.

use super::{bytes, ffi};
use std::ffi::{CStr, c_int};

/// The main server and its virtual hosts, in order.
pub fn all(main: *mut ffi::server_rec) -> impl Iterator<Item = *mut ffi::server_rec> {
    let mut next = main;
    std::iter::from_fn(move || {
        let server = (!next.is_null()).then_some(next)?;
        // SAFETY: a list that httpd made while reading the configuration and that no one changes.
        next = unsafe { (*server).next };
        Some(server)
    })
}

/// Text that tells a server from the others, the same after a restart: name, port and addresses.
pub fn identity(server: *const ffi::server_rec) -> Vec<u8> {
    let mut identity = Vec::new();
    // SAFETY: a server of the configuration; its strings live as long.
    unsafe {
        let server = &*server;
        identity.extend_from_slice(bytes(server.server_hostname).unwrap_or(b"-"));
        identity.extend_from_slice(format!(":{}", server.port).as_bytes());
        let mut address = server.addrs;
        while !address.is_null() {
            identity.push(b' ');
            identity.extend_from_slice(bytes((*address).virthost).unwrap_or(b"-"));
            identity.extend_from_slice(format!(":{}", (*address).host_port).as_bytes());
            address = (*address).next;
        }
    }
    identity
}

/// The name of a server, and the port of its address (0 for a main server without one).
pub fn host_and_port<'a>(server: *const ffi::server_rec) -> (Option<&'a [u8]>, u16) {
    // SAFETY: a server of the configuration; its strings and addresses live as long.
    unsafe {
        let server = &*server;
        (bytes(server.server_hostname), server.addrs.as_ref().map_or(0, |address| address.host_port))
    }
}

/// Asks the MPM; 0 where it does not know.
pub fn mpm(query: u32) -> u32 {
    let mut value: c_int = 0;
    // SAFETY: `value` is a valid place for the result.
    let status = unsafe { ffi::ap_mpm_query(query as c_int, &raw mut value) };
    if status == 0 { u32::try_from(value).unwrap_or(0) } else { 0 }
}

/// Asks for httpd's state (`AP_SQ_...`).
pub fn state(query: u32) -> u32 {
    // SAFETY: no preconditions.
    u32::try_from(unsafe { ffi::ap_state_query(query as c_int) }).unwrap_or(0)
}

/// Whether a module is loaded, by the name in its record (`mod_ssl.c`).
pub fn has_module(name: &CStr) -> bool {
    // SAFETY: a NUL-terminated name.
    !unsafe { ffi::ap_find_linked_module(name.as_ptr()) }.is_null()
}

/// Which of the texts occur in the arguments of any directive, in any case.
pub fn mentioned<const N: usize>(texts: [&str; N]) -> [bool; N] {
    fn search<const N: usize>(mut node: *const ffi::ap_directive_t, texts: &[&str; N], found: &mut [bool; N]) {
        while !node.is_null() {
            // SAFETY: nodes of the tree that httpd keeps while it runs the configuration.
            unsafe {
                let arguments = bytes((*node).args).unwrap_or_default();
                for (text, found) in texts.iter().zip(found.iter_mut()) {
                    *found |= arguments.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
                }
                search((*node).first_child, texts, found);
                node = (*node).next;
            }
        }
    }
    let mut found = [false; N];
    // SAFETY: the tree is complete when post_config runs.
    search(unsafe { ffi::ap_conftree }, &texts, &mut found);
    found
}

/// Whether a directive stands anywhere with another value than `word`.
pub fn differs(name: &str, word: &str) -> bool {
    fn search(mut node: *const ffi::ap_directive_t, name: &str, word: &str) -> bool {
        while !node.is_null() {
            // SAFETY: nodes of the tree that httpd keeps while it runs the configuration.
            unsafe {
                let is_it = bytes((*node).directive).is_some_and(|directive| directive.eq_ignore_ascii_case(name.as_bytes()));
                if is_it && !bytes((*node).args).unwrap_or_default().trim_ascii().eq_ignore_ascii_case(word.as_bytes()) {
                    return true;
                }
                if search((*node).first_child, name, word) {
                    return true;
                }
                node = (*node).next;
            }
        }
        false
    }
    // SAFETY: the tree is complete when post_config runs.
    search(unsafe { ffi::ap_conftree }, name, word)
}

/// The last value of a directive in the main configuration, for what an MPM does not tell
/// (`AsyncRequestWorkerFactor`).
pub fn directive_value(name: &str) -> Option<Vec<u8>> {
    fn search(mut node: *const ffi::ap_directive_t, name: &str, found: &mut Option<Vec<u8>>) {
        while !node.is_null() {
            // SAFETY: nodes of the tree that httpd keeps while it runs the configuration.
            unsafe {
                if bytes((*node).directive).is_some_and(|directive| directive.eq_ignore_ascii_case(name.as_bytes())) {
                    *found = bytes((*node).args).map(<[u8]>::to_vec);
                }
                search((*node).first_child, name, found);
                node = (*node).next;
            }
        }
    }
    let mut found = None;
    // SAFETY: the tree is complete when post_config runs.
    search(unsafe { ffi::ap_conftree }, name, &mut found);
    found
}
