//! Measures the same server with no module, with the packaged original, and with ours, side by side: what `make bench`
//! runs. docs/benchmarks.md says what is measured and how.

// A measurement that cannot go on ends with a message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attacks;
mod backtrack;
mod callgrind;
mod clients;
mod connections;
mod filters;
mod headers;
mod innocents;
mod instructions;
mod link;
mod load;
mod options;
mod patterns;
mod table;
mod usage;
mod variant;
mod watcher;

use std::process::ExitCode;

use options::{Options, Section};

fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    httpd_lab::sys::raise_open_files();
    if options.modules.len() < variant::ALL.len() {
        println!("Not every variant is measured; the others show n/a.");
    }
    for section in &options.sections {
        match section {
            Section::Instructions => instructions::measure(&options),
            Section::Patterns => patterns::measure(&options),
            Section::Filters => {
                filters::measure(&options);
                backtrack::measure(&options);
            }
            Section::Headers => headers::measure(&options),
            Section::Connections => connections::measure(&options),
            Section::Clients => clients::measure(&options),
            Section::Attacks => attacks::measure(&options),
            Section::Watcher => watcher::measure(&options),
        }
    }
    ExitCode::SUCCESS
}
