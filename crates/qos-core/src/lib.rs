//! All decisions of mod_qos as pure functions: no httpd, no clock, no I/O, no unsafe code.
//!
//! Facts come in as plain values, time is an argument, verdicts go out; `hooks/` of the
//! module fetches the former and carries out the latter.

#![forbid(unsafe_code)]

pub mod address;
pub mod admission;
pub mod body;
pub mod capacity;
pub mod client;
pub mod config;
pub mod console;
pub mod cookie;
pub mod filter;
pub mod geo;
pub mod header_filter;
pub mod json;
pub mod letters;
pub mod list;
pub mod message;
pub mod milestone;
pub mod names;
pub mod network;
pub mod order;
pub mod parameters;
pub mod pattern;
pub mod pattern_set;
pub mod phase;
pub mod pressure;
pub mod qslog;
pub mod query;
pub mod rate;
pub mod redirect;
pub mod repeat;
pub mod rules;
pub mod status;
pub mod text;
pub mod throttle;
pub mod token;
pub mod tracking;
pub mod variables;
pub mod view;
pub mod vip;
pub mod watch;
