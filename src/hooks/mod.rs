//! One file per hook phase: facts are fetched, qos-core is asked, its verdict is carried out.

pub mod child;
pub mod fixups;
pub mod header_parser;
pub mod insert_filter;
pub mod log_transaction;
pub mod post_config;
pub mod post_read_request;
pub mod pre_connection;
pub mod process_connection;
mod request_state;

pub use request_state::RequestState;
