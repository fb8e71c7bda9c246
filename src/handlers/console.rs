//! `SetHandler qos-console`: looking at and changing entries of the client table (connection-client.md section 11.4).

use super::{clients, headers};
use crate::config::ServerRecord;
use crate::hooks::deny::note_error;
use crate::hooks::header_parser::unique_id;
use crate::httpd::request::Request;
use crate::httpd::response::Response;
use crate::httpd::{ffi, log};
use crate::runtime::Runtime;
use qos_core::address::Address;
use qos_core::console::{self, Action, Command, Method, NOT_AVAILABLE, Problem, Restore};
use std::ffi::c_int;

/// Bytes of a dump that are written at a time.
const PIECE: usize = 64 * 1024;

/// Answers a request.
pub(super) fn serve(request: Request<'_>, runtime: &'static Runtime) -> c_int {
    let response = Response::of(request);
    headers(response);
    response.content_type(c"text/plain");
    let method = match request.method() {
        ffi::M_GET => Method::Get,
        ffi::M_POST => Method::Post,
        _ => Method::Other,
    };
    let methods = ServerRecord::of(request.server()).and_then(|record| record.config.reports.console_methods);
    let command = console::parse(request.query(), method, methods, clients::active(runtime));
    if !matches!(command, Ok(Command::Restore { .. })) {
        if let Err(status) = response.discard_body() {
            return status;
        }
    }
    match command {
        Ok(Command::One { action, address, shown, event }) => one(request, response, runtime, action, address, &shown, &event),
        Ok(Command::Restore { event }) => restore(request, response, runtime, &event),
        Ok(dump) => write_dump(response, runtime, &dump),
        Err(problem) => refuse(request, response, runtime, &problem),
    }
}

/// Says why, in the log (070) and in one line.
fn refuse(request: Request<'_>, response: Response<'_>, runtime: &Runtime, problem: &Problem) -> c_int {
    runtime.event(70);
    let id = unique_id(request);
    log::request(request, log::Level::Error, || problem.message(&id));
    note_error(request, 70);
    response.status(problem.status());
    if let Some(methods) = problem.allow() {
        response.header(c"Allow", methods);
    }
    response.write(format!("{problem}\n").as_bytes());
    ffi::OK as c_int
}

fn one(request: Request<'_>, response: Response<'_>, runtime: &Runtime, action: Action, address: Address, shown: &[u8], event: &[u8]) -> c_int {
    let id = unique_id(request);
    let (created, state) = clients::apply(runtime, action, address, event);
    if created {
        log::request(request, log::Level::Info, || console::created_message(shown, &id));
    }
    log::request(request, log::Level::Info, || console::applied_message(action, shown, &id));
    let line = state.map_or_else(|| NOT_AVAILABLE.to_owned(), |state| console::line(shown, &state));
    response.write(line.as_bytes());
    ffi::OK as c_int
}

fn write_dump(response: Response<'_>, runtime: &Runtime, dump: &Command) -> c_int {
    let Command::Dump { event, .. } = dump else { return ffi::HTTP_INTERNAL_SERVER_ERROR as c_int };
    let (mut piece, mut index) = (String::with_capacity(PIECE + 256), 0u64);
    clients::each(runtime, event, |address, state, last_access| {
        if !dump.dumps(address) {
            return true;
        }
        piece.push_str(&console::dump_line(index, address, state, last_access));
        index += 1;
        if piece.len() < PIECE {
            return true;
        }
        let going_on = response.write(piece.as_bytes());
        piece.clear();
        going_on
    });
    response.write(piece.as_bytes());
    ffi::OK as c_int
}

fn restore(request: Request<'_>, response: Response<'_>, runtime: &Runtime, event: &[u8]) -> c_int {
    let (mut lines, mut wrong) = (Restore::default(), None);
    let mut apply = |entry: &console::Restored| clients::restore(runtime, event, entry);
    let read = response.read_body(|piece| match lines.feed(piece, &mut apply) {
        Ok(()) => true,
        Err(error) => {
            wrong = Some(error);
            false
        }
    });
    if let Err(status) = read {
        return status;
    }
    let done = match wrong {
        Some(error) => Err(error),
        None => lines.finish(&mut apply),
    };
    match done {
        Ok(entries) => {
            let id = unique_id(request);
            log::request(request, log::Level::Info, || console::restored_message(entries, &id));
            response.write(format!("{entries} entries restored\n").as_bytes());
            ffi::OK as c_int
        }
        Err(error) => {
            if let Err(status) = response.discard_body() {
                return status;
            }
            refuse(request, response, runtime, &Problem::Line(error))
        }
    }
}
