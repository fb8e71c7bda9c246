//! APR pools: memory and cleanups with the lifetime of a configuration, connection or request.

use super::ffi;
use std::ffi::{c_char, c_void};

/// A pool.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Pool(*mut ffi::apr_pool_t);

impl Pool {
    /// Wraps a pool.
    ///
    /// # Safety
    /// `pool` is a live pool, and no other thread uses it while the wrapper does.
    pub unsafe fn new(pool: *mut ffi::apr_pool_t) -> Pool {
        Pool(pool)
    }

    /// The raw pointer.
    pub fn as_ptr(self) -> *mut ffi::apr_pool_t {
        self.0
    }

    /// Copies bytes into the pool as a C string; interior NULs end it early for C readers.
    pub fn string(self, text: &[u8]) -> *const c_char {
        // SAFETY: the pool is live; APR copies `len` bytes and adds the NUL.
        unsafe { ffi::apr_pstrmemdup(self.0, text.as_ptr().cast(), text.len()) }
    }

    /// A C string in the pool, which `fill` puts there: so many bytes, zeros before.
    pub fn fill_string(self, length: usize, fill: impl FnOnce(&mut [u8])) -> *const c_char {
        // SAFETY: the pool is live, and APR aborts the process when memory ends; `fill` sees the bytes, but not the NUL behind them.
        unsafe {
            let place = ffi::apr_palloc(self.0, (length + 1) as _).cast::<u8>();
            place.write_bytes(0, length + 1);
            fill(std::slice::from_raw_parts_mut(place, length));
            place.cast()
        }
    }

    /// A path below httpd's root, or an absolute one as it is.
    pub fn relative_to_root(self, path: &[u8]) -> Option<std::path::PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let path = self.string(path);
        // SAFETY: a live pool and a C string; the result is null or a C string of the pool.
        let full = unsafe { super::bytes(ffi::ap_server_root_relative(self.0, path)) }?;
        Some(std::path::PathBuf::from(std::ffi::OsStr::from_bytes(full)))
    }

    /// A decimal number as a C string.
    pub fn number(self, value: u32) -> *const c_char {
        let mut digits = [0u8; 10];
        self.string(crate::httpd::decimal(u64::from(value), &mut digits))
    }

    /// Moves a value without destructor into the pool.
    pub fn place<T>(self, value: T) -> *mut T {
        const { assert!(!std::mem::needs_drop::<T>() && align_of::<T>() <= 8) }
        // SAFETY: the pool is live; APR aligns to 8 bytes and aborts the process when memory ends.
        unsafe {
            let place = ffi::apr_palloc(self.0, size_of::<T>() as _).cast::<T>();
            place.write(value);
            place
        }
    }

    /// Moves a value to the heap and drops it when the pool is cleared.
    pub fn own<T>(self, value: T) -> *mut T {
        unsafe extern "C" fn drop_box<T>(data: *mut c_void) -> ffi::apr_status_t {
            super::guard::guard("pool cleanup", (), || {
                // SAFETY: registered below with exactly this pointer, called once.
                drop(unsafe { Box::from_raw(data.cast::<T>()) });
            });
            0
        }
        let value = Box::into_raw(Box::new(value));
        self.on_clear(value.cast(), drop_box::<T>);
        value
    }

    /// Calls `cleanup` with `data` when the pool is cleared or destroyed, not at exec.
    pub fn on_clear(self, data: *mut c_void, cleanup: unsafe extern "C" fn(*mut c_void) -> ffi::apr_status_t) {
        // SAFETY: the pool is live; the cleanup matches the data by the caller's construction.
        unsafe { ffi::apr_pool_cleanup_register(self.0, data, Some(cleanup), Some(ffi::apr_pool_cleanup_null)) };
    }
}
