//! The variables of a request for the rules that set some.

use super::log::{self, Level};
use super::request::Request;
use qos_core::variables::{Environment, Reason, Trouble};
use std::ffi::CStr;

/// The variables of a request, or of all requests of a redirect chain.
pub struct RequestVariables<'a> {
    first: Request<'a>,
    last: Request<'a>,
}

impl<'a> RequestVariables<'a> {
    /// Those of one request.
    pub fn of(request: Request<'a>) -> RequestVariables<'a> {
        RequestVariables { first: request, last: request }
    }

    /// Those of a request and what it was redirected to: a variable has the value that the last one gives it, and is set and removed in all
    /// (request-event.md W01).
    pub fn of_chain(request: Request<'a>) -> RequestVariables<'a> {
        RequestVariables { first: request, last: request.last() }
    }

    fn requests(&self) -> impl Iterator<Item = Request<'a>> + use<'a> {
        let last = self.last.as_ptr();
        std::iter::successors(Some(self.first), move |request| if request.as_ptr() == last { None } else { request.next() })
    }
}

/// Names and literal values come from the configuration, which outlives requests.
impl Environment for RequestVariables<'_> {
    fn get(&self, name: &CStr) -> Option<&[u8]> {
        let of_last = self.last.variable(name);
        if of_last.is_some() || self.first.as_ptr() == self.last.as_ptr() { of_last } else { self.first.variable(name) }
    }

    fn set_literal(&mut self, name: &CStr, value: &CStr) {
        self.requests().for_each(|request| request.set_variable(name, value.as_ptr()));
    }

    fn set(&mut self, name: &CStr, value: &[u8]) {
        let value = self.first.pool().string(value);
        self.requests().for_each(|request| request.set_variable(name, value));
    }

    fn unset(&mut self, name: &CStr) {
        self.requests().for_each(|request| request.unset_variable(name));
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) {
        static UNSAFE: log::Sparse = log::Sparse::new();
        let level = if trouble.reason == Reason::Unsafe { Level::Warning } else { Level::Debug };
        if level == Level::Warning && !UNSAFE.allows() {
            return;
        }
        log::request(self.first, level, || trouble.message());
    }
}
