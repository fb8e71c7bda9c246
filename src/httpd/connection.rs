//! A connection.

use super::pool::Pool;
use super::request::Request;
use super::{bytes, ffi};
use crate::runtime::feature;
use qos_core::address::Address;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A connection while one of its hooks or filters runs.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Connection<'a>(NonNull<ffi::conn_rec>, PhantomData<&'a ffi::conn_rec>);

impl<'a> Connection<'a> {
    /// Wraps what httpd passed to a hook.
    ///
    /// # Safety
    /// `connection` is null or a live connection for `'a`.
    pub unsafe fn new(connection: *mut ffi::conn_rec) -> Option<Connection<'a>> {
        NonNull::new(connection).map(|connection| Connection(connection, PhantomData))
    }

    /// The connection of a request, or its stream.
    pub fn of(request: Request<'a>) -> Option<Connection<'a>> {
        // SAFETY: a connection outlives its requests.
        unsafe { Connection::new(request.connection()) }
    }

    /// The raw pointer.
    pub fn as_ptr(self) -> *mut ffi::conn_rec {
        self.0.as_ptr()
    }

    fn get(self) -> &'a ffi::conn_rec {
        // SAFETY: the promise of `new`; fields that other threads change are not read through this.
        unsafe { self.0.as_ref() }
    }

    /// The client's TCP connection: itself, or the master of an HTTP/2 stream.
    pub fn master(self) -> Connection<'a> {
        // SAFETY: a master outlives its streams.
        unsafe { Connection::new(self.get().master) }.unwrap_or(self)
    }

    /// Whether this is an HTTP/2 stream.
    pub fn is_stream(self) -> bool {
        !self.get().master.is_null()
    }

    /// Whether httpd opened it (proxy): no scoreboard handle.
    pub fn is_outgoing(self) -> bool {
        self.get().outgoing != 0 || (self.get().sbh.is_null() && self.get().master.is_null())
    }

    /// The server that httpd chose by local address and port.
    pub fn base_server(self) -> *mut ffi::server_rec {
        self.get().base_server
    }

    /// The connection's pool.
    pub fn pool(self) -> Pool {
        // SAFETY: the pool lives as long as the connection; hooks of one connection run on one thread at a time.
        unsafe { Pool::new(self.get().pool) }
    }

    /// The address of the TCP peer.
    pub fn address(self) -> Address {
        // SAFETY: an address of the connection, or null.
        unsafe { address(self.get().client_addr) }
    }

    /// How long reading and writing may take until httpd sets it again: at the next request.
    pub fn set_timeout(self, seconds: u32) {
        // SAFETY: the socket of a connection that this thread serves; null is none.
        unsafe {
            let socket = ffi::ap_get_conn_socket(self.as_ptr());
            if !socket.is_null() {
                ffi::apr_socket_timeout_set(socket, i64::from(seconds) * 1_000_000);
            }
        }
    }

    /// The descriptor of its socket.
    pub fn descriptor(self) -> Option<i32> {
        // SAFETY: the socket of a connection that this thread serves; null is none.
        unsafe { super::socket::descriptor(ffi::ap_get_conn_socket(self.as_ptr()).cast()) }
    }

    /// The id that httpd gave the connection.
    pub fn id(self) -> i64 {
        self.get().id
    }

    /// Whether the connection stays open after the response.
    pub fn is_kept_alive(self) -> bool {
        self.get().keepalive == ffi::AP_CONN_KEEPALIVE && self.get().aborted == 0
    }

    /// The connection is closed after the current response.
    pub fn close_after_response(self) {
        // SAFETY: a plain field that the thread of this connection may write.
        unsafe { (*self.as_ptr()).keepalive = ffi::AP_CONN_CLOSE };
    }

    /// The connection is closed without a further byte (connection-client.md section 6.4).
    pub fn abort(self) {
        // SAFETY: plain fields that the thread of this connection may write; `cs` is null on some MPMs.
        unsafe {
            let c = self.as_ptr();
            (*c).keepalive = ffi::AP_CONN_CLOSE;
            (*c).aborted = 1;
            if !(*c).cs.is_null() {
                (*(*c).cs).state = ffi::CONN_STATE_LINGER;
            }
        }
        self.set_note(c"mod_qos_connection_aborted", c"1".as_ptr());
        self.set_note(c"short-lingering-close", c"1".as_ptr());
    }

    /// Whether the connection is closed without a further byte, or its client is gone.
    pub fn is_aborted(self) -> bool {
        // SAFETY: a bit field that the connection's thread writes.
        unsafe { ffi::qos_shim_aborted(self.as_ptr()) != 0 }
    }

    /// The client is gone: nothing more is sent.
    pub fn set_aborted(self) {
        // SAFETY: a bit field that the thread of this connection may write.
        unsafe { ffi::qos_shim_set_aborted(self.as_ptr()) };
    }

    /// Whether it may wait without a worker: HTTP/1 on an MPM that allows it.
    pub fn can_wait(self) -> bool {
        // SAFETY: plain fields of a live connection.
        unsafe { ffi::qos_shim_can_wait(self.as_ptr()) != 0 }
    }

    /// Whether its response is left to the MPM to be finished. Only for those that [`Connection::can_wait`].
    pub fn is_written(self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::qos_shim_is_written(self.as_ptr()) != 0 }
    }

    /// What process_connection leaves to the MPM (`QOS_LEAVE_...`). Only for those that [`Connection::can_wait`].
    pub fn leave(self, what: u32) {
        // SAFETY: plain fields that the thread of this connection may write.
        unsafe { ffi::qos_shim_leave(self.as_ptr(), what as i32) };
    }

    /// The scoreboard shows that a worker writes to it.
    pub fn busy_writing(self) {
        // SAFETY: a live connection, in its thread.
        unsafe { ffi::qos_shim_busy_writing(self.as_ptr()) };
    }

    /// Whether a note is set.
    pub fn has_note(self, name: &CStr) -> bool {
        // SAFETY: a table of the connection and a C string.
        !unsafe { ffi::apr_table_get(self.get().notes, name.as_ptr()) }.is_null()
    }

    /// Sets a note to a string that lives as long as the connection.
    pub fn set_note(self, name: &'static CStr, value: *const c_char) {
        // SAFETY: the table stores both pointers; both outlive the connection.
        unsafe { ffi::apr_table_setn(self.get().notes, name.as_ptr(), value) };
    }

    /// Adds a note that nobody has set yet: cheaper than looking for an old value.
    pub fn add_note(self, name: &'static CStr, value: *const c_char) {
        // SAFETY: as for `set_note`.
        unsafe { ffi::apr_table_addn(self.get().notes, name.as_ptr(), value) };
    }

    /// What the module keeps with the connection.
    pub fn state(self) -> *mut c_void {
        // SAFETY: the vector belongs to the connection.
        unsafe { ffi::ap_get_module_config(self.get().conn_config, crate::module_record()) }
    }

    /// Keeps something with the connection.
    pub fn set_state(self, state: *mut c_void) {
        // SAFETY: as above.
        unsafe { ffi::ap_set_module_config(self.get().conn_config, crate::module_record(), state) };
    }

    /// Whether the client's address comes with the PROXY protocol.
    pub fn awaits_address(self) -> bool {
        feature::any(feature::REMOTEIP) && self.has_input_filter(b"remoteip_input")
    }

    /// Whether the connection speaks TLS.
    pub fn is_tls(self) -> bool {
        feature::any(feature::SSL) && self.has_input_filter(b"ssl/tls filter")
    }

    /// Whether one of the connection's input filters has that (lower-case) name.
    fn has_input_filter(self, name: &[u8]) -> bool {
        let mut filter = self.get().input_filters;
        // SAFETY: the list of filters belongs to the connection; names are C strings of the registry.
        unsafe {
            while let Some(here) = filter.as_ref() {
                if here.frec.as_ref().is_some_and(|record| bytes(record.name) == Some(name)) {
                    return true;
                }
                filter = here.next;
            }
        }
        false
    }
}

/// The address as the tables know it; [`Address::NONE`] for anything but IPv4 and IPv6.
///
/// # Safety
/// `address` is null or a live socket address.
pub unsafe fn address(address: *const ffi::apr_sockaddr_t) -> Address {
    let mut raw = [0u8; 16];
    // SAFETY: the caller's promise; the shim writes at most 16 bytes.
    match unsafe { ffi::qos_shim_address(address, raw.as_mut_ptr()) } {
        4 => {
            let [a, b, c, d, ..] = raw;
            Address::from([a, b, c, d])
        }
        16 => Address::from_octets(raw),
        _ => Address::NONE,
    }
}
