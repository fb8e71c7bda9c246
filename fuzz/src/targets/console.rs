//! Queries of the console and the viewer, and the lines of a dump that is restored.

use crate::input::{assert_line, first};
use qos_core::config::ConsoleMethods;
use qos_core::console::{Command, Method, Restore, applied_message, created_message, dump_line, line, parse};
use qos_core::query::Query;

pub fn run(data: &[u8]) {
    let (query, body) = first(data);
    let asked = Query::new(query);
    assert!(asked.address().is_none_or(|address| address.len() <= query.len()));
    assert_eq!(asked.has("auto"), asked.get("AUTO").is_some());
    for method in [Method::Get, Method::Post, Method::Other] {
        match parse(query, method, Some(ConsoleMethods { get: body.len() % 2 == 0, post: true }), true) {
            Ok(Command::One { action, shown, .. }) => {
                assert_line(&created_message(&shown, "id"));
                assert_line(&applied_message(action, &shown, "id"));
            }
            Ok(_) => {}
            Err(problem) => assert_line(&problem.message("id")),
        }
    }
    restore(body);
}

/// What is read is written again the same way, however it comes.
fn restore(body: &[u8]) {
    let mut whole = Vec::new();
    let mut reader = Restore::default();
    let result = reader.feed(body, |restored| whole.push(*restored)).and_then(|()| reader.finish(|restored| whole.push(*restored)));
    let mut pieces = Vec::new();
    let mut reader = Restore::default();
    let fed = body.chunks(7).try_for_each(|piece| reader.feed(piece, |restored| pieces.push(*restored)));
    let in_pieces = fed.and_then(|()| reader.finish(|restored| pieces.push(*restored)));
    assert_eq!((&whole, result.is_ok()), (&pieces, in_pieces.is_ok()));
    if let Err(error) = result {
        assert_line(&error.to_string());
    }
    for (index, restored) in (0..).zip(&whole) {
        let text = dump_line(index, restored.address, &restored.state, restored.last_access);
        let mut again = Vec::new();
        let mut reader = Restore::default();
        reader.feed(text.as_bytes(), |restored| again.push(*restored)).expect("a line that was written is read");
        assert_eq!(again, [*restored]);
        assert!(line(text.as_bytes(), &restored.state).ends_with('\n'));
    }
}
