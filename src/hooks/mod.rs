//! One file per hook phase: facts are fetched, qos-core is asked, its verdict is carried out.

pub mod body_limit;
pub mod child;
pub mod client_log;
pub mod client_rules;
pub mod connecting;
mod cookies;
pub mod deny;
pub mod fixups;
pub mod header_filter;
pub mod header_parser;
mod identity;
pub mod insert_filter;
pub mod internal_redirects;
pub mod judging;
pub mod limits;
pub mod log_transaction;
pub mod milestones;
pub mod pacing;
pub mod parameters;
pub mod pause;
pub mod post_config;
pub mod post_read_request;
pub mod pre_connection;
pub mod process_connection;
pub mod read_body;
mod redirect;
mod request_state;
pub mod set_variables;
pub mod tracking;
pub mod tuning;
pub mod turns;
pub mod url_filter;
pub mod vip;
pub mod waiting;

pub use request_state::RequestState;
