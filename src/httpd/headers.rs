//! Headers of a request or response.

use super::pool::Pool;
use super::{bytes, ffi};
use qos_core::variables::Headers;
use std::ffi::CStr;
use std::marker::PhantomData;

/// A table of headers.
pub struct HeaderTable<'a> {
    table: *mut ffi::apr_table_t,
    pool: Pool,
    /// The type of the content, which is not in the table of a response.
    content_type: Option<&'a [u8]>,
    request: PhantomData<&'a ffi::request_rec>,
}

impl<'a> HeaderTable<'a> {
    /// Wraps a table.
    ///
    /// # Safety
    /// `table` is a live table for `'a` that belongs to this thread; the pool is that of its request.
    pub unsafe fn new(table: *mut ffi::apr_table_t, pool: Pool, content_type: Option<&'a [u8]>) -> HeaderTable<'a> {
        HeaderTable { table, pool, content_type, request: PhantomData }
    }

    fn entries(&self) -> &[ffi::apr_table_entry_t] {
        // SAFETY: the array of a live table that does not change during the borrow.
        unsafe {
            let array = ffi::apr_table_elts(self.table);
            let first = (*array).elts.cast::<ffi::apr_table_entry_t>();
            if first.is_null() { &[] } else { std::slice::from_raw_parts(first.cast_const(), usize::try_from((*array).nelts).unwrap_or(0)) }
        }
    }
}

impl<'a> HeaderTable<'a> {
    /// Names and values, which live as long as the request, also when they are removed.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a CStr, &'a [u8])> + '_ {
        // SAFETY: keys and values are null or C strings of the request's pool or of the configuration.
        self.entries().iter().filter_map(|entry| unsafe { (!entry.key.is_null()).then(|| CStr::from_ptr(entry.key)).zip(bytes(entry.val)) })
    }
}

impl HeaderTable<'_> {
    /// Adds a header to those that are there, also of the same name.
    pub fn add(&mut self, name: &'static CStr, value: &[u8]) {
        // SAFETY: a live table; the name is the program's, the copied value the pool's.
        unsafe { ffi::apr_table_addn(self.table, name.as_ptr(), self.pool.string(value)) };
    }

    /// Adds to the value of a header.
    pub fn merge(&mut self, name: &'static CStr, value: &'static CStr) {
        // SAFETY: a live table and strings of the program; both values are copied where they are joined.
        unsafe { ffi::apr_table_mergen(self.table, name.as_ptr(), value.as_ptr()) };
    }
}

impl Headers for HeaderTable<'_> {
    fn find(&self, name: &CStr, accept: &mut dyn FnMut(&[u8]) -> bool) -> Option<&[u8]> {
        let name = name.to_bytes();
        // SAFETY: keys and values of a table of headers are C strings that live as long as the table.
        let values = self.entries().iter().filter_map(|entry| unsafe { bytes(entry.key).filter(|key| key.eq_ignore_ascii_case(name)).and(bytes(entry.val)) });
        let content_type = self.content_type.filter(|_| name.eq_ignore_ascii_case(b"Content-Type"));
        values.chain(content_type).find(|value| accept(value))
    }

    fn set(&mut self, name: &CStr, value: &[u8]) {
        // SAFETY: a live table; the name is the configuration's, the copied value the pool's.
        unsafe { ffi::apr_table_setn(self.table, name.as_ptr(), self.pool.string(value)) };
    }

    fn unset(&mut self, name: &CStr) {
        // SAFETY: a live table and a C string.
        unsafe { ffi::apr_table_unset(self.table, name.as_ptr()) };
    }
}
