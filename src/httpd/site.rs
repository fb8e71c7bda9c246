//! What a server is called and where it listens, for URLs that lead back to it.

use super::request::Request;
use super::{bytes, ffi};
use qos_core::tracking::{Site, base_url, glob};
use std::ffi::c_char;

/// The beginning of the URLs of a request's server (request-event.md section 16.4).
pub fn base(request: Request<'_>) -> Vec<u8> {
    // SAFETY: a live request and its server; both calls only ask.
    let (scheme, default_port, server) = unsafe {
        let r = request.as_ptr();
        (bytes(ffi::ap_run_http_scheme(r)).unwrap_or(b"http"), ffi::ap_run_default_port(r), &*request.server())
    };
    // SAFETY: the name of a server lives as long as the configuration.
    let name = unsafe { bytes(server.server_hostname) }.unwrap_or(b"localhost");
    let site = Site { scheme, default_port, name, port: own_port(request, server) };
    let is_alias = |name: &[u8]| aliases(server).any(|(alias, is_pattern)| if is_pattern { glob(alias, name) } else { alias.eq_ignore_ascii_case(name) });
    base_url(&site, request.header(c"Host"), is_alias, |port| listens(server, port))
}

/// The port where the client gives none: that of the first address of the virtual host, else the server's, else the one that the client came to.
fn own_port(request: Request<'_>, server: &ffi::server_rec) -> u16 {
    // SAFETY: addresses of a server live as long as the configuration, that of a connection as long as its requests.
    let (of_host, of_connection) = unsafe {
        let local = (*request.connection()).local_addr;
        (server.addrs.as_ref().map_or(0, |address| address.host_port), local.as_ref().map_or(0, |address| address.port))
    };
    [of_host, server.port, of_connection].into_iter().find(|port| *port != 0).unwrap_or(0)
}

/// `ServerAlias`, with and without wildcards.
fn aliases<'a>(server: &'a ffi::server_rec) -> impl Iterator<Item = (&'a [u8], bool)> {
    let of = |array: *mut ffi::apr_array_header_t| {
        // SAFETY: null or an array of C strings that lives as long as the configuration.
        let names = unsafe {
            match array.as_ref() {
                Some(array) if !array.elts.is_null() => {
                    std::slice::from_raw_parts(array.elts.cast::<*const c_char>().cast_const(), usize::try_from(array.nelts).unwrap_or(0))
                }
                _ => &[],
            }
        };
        // SAFETY: as above.
        names.iter().filter_map(|name| unsafe { bytes::<'a>(*name) })
    };
    of(server.names).map(|name| (name, false)).chain(of(server.wild_names).map(|name| (name, true)))
}

/// Whether a port is one of the server's: it listens there, or its `ServerName` names it.
fn listens(server: &ffi::server_rec, port: u16) -> bool {
    if server.port == port {
        return true;
    }
    // SAFETY: a list of addresses that lives as long as the configuration.
    let mut addresses = std::iter::successors(unsafe { server.addrs.as_ref() }, |address| unsafe { address.next.as_ref() }).peekable();
    let is_main = addresses.peek().is_none() || server.is_virtual == 0;
    if !is_main && !addresses.any(|address| address.host_port == 0 || address.host_port == port) {
        return false;
    }
    // SAFETY: httpd's list of listeners, made while the configuration was read and not changed by children.
    let listeners = std::iter::successors(unsafe { ffi::ap_listeners.as_ref() }, |listener| unsafe { listener.next.as_ref() });
    // SAFETY: the address of a listener lives as long as it.
    listeners.filter_map(|listener| unsafe { listener.bind_addr.as_ref() }).any(|address| address.port == port)
}
