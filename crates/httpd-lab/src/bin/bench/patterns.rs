//! Instructions that 200 URL patterns add to a request: exact, and the same on each machine of one architecture.

use httpd_lab::Module;

use crate::instructions::{Extra, per_request};
use crate::options::Options;
use crate::table::{Bar, Table, grouped};
use crate::variant;

/// How many there are.
const PATTERNS: u32 = 200;
/// What they may add to a request, instructions.
const BAR: f64 = 3000.0;

/// Patterns as administrators write them; some need backtracking.
fn patterns() -> String {
    let one = |n: u32| match n % 8 {
        0 => format!("^/app{n}/[a-z]+/[0-9]+$"),
        1 => format!("\\.ext{n}$"),
        2 => format!("^/(shop|store)/{n}/"),
        3 => format!("/item{n}\\?id=[0-9]+"),
        4 => format!("(?i)^/Path{n}/"),
        5 => format!("^/api/v[0-9]/resource{n}(/.*)?$"),
        6 => format!("[?&]token{n}="),
        _ => format!("^/a{n}/(?!private).*\\.html"),
    };
    (0..PATTERNS).map(|n| format!("QS_LocRequestLimitMatch {} 100\n", one(n))).collect()
}

pub fn measure(options: &Options) {
    let n = options.pick(1000, 200);
    let mut table = Table::new(
        &format!("Instructions per keep-alive request, {PATTERNS} patterns of QS_LocRequestLimitMatch, prefork in one process ({n} requests)"),
        &["variant", "request", "no pattern", "with patterns", "difference", "bar for ours"],
    );
    for module in options.modules.iter().filter(|module| **module != Module::None) {
        for (name, extra) in [("no pattern matches", Extra::Requests), ("one matches and counts", Extra::Queries)] {
            let without = per_request(*module, "QS_LocRequestLimit /nowhere 100", n, extra);
            let with = per_request(*module, &patterns(), n, extra);
            let judged = if *module == Module::Ours { Bar::AtMost(BAR).judge(Some(with - without)) } else { String::new() };
            let cells = [without, with, with - without].map(|value| grouped(value, 0));
            table.row([vec![variant::name(*module).to_owned(), name.to_owned()], cells.to_vec(), vec![judged]].concat());
        }
    }
    table.print();
}
