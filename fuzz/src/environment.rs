//! Variables of a request, in memory.

use crate::input::assert_line;
use qos_core::variables::{Environment, MOST_BYTES, Trouble, same_name};
use std::ffi::{CStr, CString};

/// Names and values in the order in which they were set.
#[derive(Default)]
pub struct Variables(Vec<(CString, Vec<u8>)>);

impl Environment for Variables {
    fn get(&self, name: &CStr) -> Option<&[u8]> {
        self.0.iter().find(|(own, _)| same_name(own, name)).map(|(_, value)| value.as_slice())
    }

    fn set_literal(&mut self, name: &CStr, value: &CStr) {
        self.set(name, value.to_bytes());
    }

    fn set(&mut self, name: &CStr, value: &[u8]) {
        assert!(value.len() <= MOST_BYTES, "{name:?} has {} bytes", value.len());
        self.unset(name);
        self.0.push((name.to_owned(), value.to_vec()));
    }

    fn unset(&mut self, name: &CStr) {
        self.0.retain(|(own, _)| !same_name(own, name));
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) {
        let text = trouble.message();
        // Names come from the configuration, which has its own rules about them.
        if trouble.name.to_bytes().iter().all(|byte| byte.is_ascii_graphic()) {
            assert_line(&text);
        }
    }
}
