//! The variables that rules ask for, found in one pass over those that are set: a look-up of its own for each would cost more
//! than the rules.

use super::request::Request;
use super::{bytes, ffi};
use qos_core::names::NameSet;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr::null;

/// Values that need no memory of their own.
const INLINE: usize = 48;

/// Values of the names of a set, as they were at one moment.
pub struct Variables<'a> {
    few: [*const c_char; INLINE],
    more: Vec<*const c_char>,
    request: PhantomData<&'a ffi::request_rec>,
}

impl<'a> Variables<'a> {
    /// Those that a request has.
    pub fn of(request: Request<'a>, names: &NameSet) -> Variables<'a> {
        let more = names.len().saturating_sub(INLINE);
        let mut found = Variables { few: [null(); INLINE], more: if more == 0 { Vec::new() } else { vec![null(); more] }, request: PhantomData };
        found.complete(request, names);
        found
    }

    /// Those of a request when it ends: after redirects also those of the request that answered (request-event.md W01), where it has none itself.
    pub fn of_chain(request: Request<'a>, names: &NameSet) -> Variables<'a> {
        let (mut found, last) = (Variables::of(request, names), request.last());
        if last.as_ptr() != request.as_ptr() {
            found.complete(last, names);
        }
        found
    }

    /// Adds those that are not there from another request of the same chain.
    fn complete(&mut self, request: Request<'a>, names: &NameSet) {
        for (key, value) in request.entries() {
            if let Some(number) = names.find(key) {
                if let Some(place) = self.place(number).filter(|place| place.is_null()) {
                    *place = value;
                }
            }
        }
    }

    fn place(&mut self, number: usize) -> Option<&mut *const c_char> {
        if number < INLINE { self.few.get_mut(number) } else { self.more.get_mut(number - INLINE) }
    }

    /// The value of a name by its number.
    pub fn get(&self, number: usize) -> Option<&'a [u8]> {
        let value = if number < INLINE { self.few.get(number) } else { self.more.get(number - INLINE) };
        // SAFETY: a C string of the request, which lives as long as `'a`; null is none.
        value.and_then(|value| unsafe { bytes(*value) })
    }

    /// Whether a name is set.
    pub fn has(&self, number: usize) -> bool {
        let value = if number < INLINE { self.few.get(number) } else { self.more.get(number - INLINE) };
        value.is_some_and(|value| !value.is_null())
    }
}
