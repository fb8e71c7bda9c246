//! What a deny rule costs with a query of 128 KB that is made to backtrack: milliseconds of one request more than without the rule.

use std::time::{Duration, Instant};

use httpd_lab::{Module, Mpm, RawClient, Server};

use crate::options::Options;
use crate::table::{Bar, Cells, Table, median};

const LENGTH: usize = 128 << 10;

/// Patterns, and what their queries are made of: the first text over and over, the second once behind it.
const CASES: [(&str, &str, &str, &str); 5] = [
    ("keyword, anything, keyword", "select.*from", "select", ""),
    ("bounded repeats", "a.{1,100}b.{1,100}c", "ab", ""),
    ("nested repeats", "(a+)+$", "a", "!"),
    ("repeats with a back-reference", "(a+)+\\1b", "a", ""),
    ("repeats with a look-ahead", "(?=(a+))a*b\\1", "a", ""),
];

/// How long a request takes, milliseconds: the middle of several.
fn takes(module: Module, config: &str, query: &str, rounds: u32) -> f64 {
    let server = Server::builder().module(module).mpm(Mpm::Prefork).workers(8).processes(1).log_level("crit");
    let server = server.config("LimitRequestLine 200000\nMaxKeepAliveRequests 0\n").config(config).start();
    let mut client = RawClient::options().timeout(Duration::from_secs(120)).connect(server.addr()).expect("connect");
    let path = format!("/small.txt?{query}");
    client.get("/small.txt").expect("a response");
    let one = |_| {
        let begin = Instant::now();
        let _ = client.get(&path);
        let took = begin.elapsed().as_secs_f64() * 1000.0;
        // A denial may have ended the connection.
        client = RawClient::options().timeout(Duration::from_secs(120)).connect(server.addr()).expect("connect");
        took
    };
    median((0..rounds).map(one).collect())
}

pub fn measure(options: &Options) {
    let rounds = options.pick(15, 5);
    let title =
        format!("Milliseconds that one QS_DenyQuery rule adds to a request with a query of {} KB made to backtrack (medians of {rounds})", LENGTH >> 10);
    let mut table = Table::new(&title, &["rule", "pattern", "original", "ours", "bar for ours"]);
    for (name, pattern, piece, end) in CASES {
        let query = piece.repeat(LENGTH / piece.len()) + end;
        let rule = |text: &str| format!("<Location />\nQS_DenyQuery +one deny \"{text}\"\n</Location>\n");
        let cells: Cells = options
            .modules
            .iter()
            .filter(|module| **module != Module::None)
            .map(|module| (*module, takes(*module, &rule(pattern), &query, rounds) - takes(*module, &rule("^never$"), &query, rounds)))
            .collect();
        let of = |wanted: Module| cells.iter().find(|(module, _)| *module == wanted).map(|(_, value)| value.max(0.0));
        let show = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.2}"));
        table.row(vec![name.to_owned(), format!("`{pattern}`"), show(of(Module::Original)), show(of(Module::Ours)), Bar::AtMost(1.0).judge(of(Module::Ours))]);
    }
    table.print();
}
