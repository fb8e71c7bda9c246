//! What remembering clients costs: connections per second when every client is new to a table of any size, requests per second of
//! clients that stay, and memory per client.

use std::net::Ipv4Addr;
use std::process::Command;

use httpd_lab::{Module, Server};

use crate::connections::{self, Plan};
use crate::options::Options;
use crate::table::{Bar, Cells, Table, grouped, median};
use crate::usage;
use crate::variant;

/// Sizes of the table.
const SIZES: [u32; 3] = [100_000, 1_000_000, 10_000_000];

/// A block rule and four limit variables.
pub fn limits(entries: u32) -> String {
    let rules = "QS_ClientEventBlockCount 100 600\nQS_ClientEventLimitCount 100 600 QS_Limit\nQS_ClientEventLimitCount 100 600 Login\n\
                 QS_ClientEventLimitCount 100 600 Search\nQS_ClientEventLimitCount 100 600 Upload\n";
    format!("<IfModule mod_qos.c>\nQS_ClientEntries {entries}\n{rules}</IfModule>\n")
}

/// The same on top of `packaging/run.conf`.
pub fn limits_and_run_conf(entries: u32) -> String {
    format!("{}\n{}", variant::run_conf_without(&["QS_ClientEntries"]), limits(entries))
}

pub fn measure(options: &Options) {
    memory(options);
    for entries in SIZES {
        let title = format!("Connections, every client new, QS_ClientEntries {}, block rule and four limit variables, event", grouped(f64::from(entries), 0));
        let config = limits(entries);
        // At ten million entries the original serves a connection in some seconds.
        let modules = options.modules.iter().copied().filter(|module| *module != Module::Original || entries < 10_000_000).collect();
        let options = Options { sections: Vec::new(), modules, mpms: Vec::new(), attack: None, quick: options.quick, profile: false };
        let plan = Plan { title, config: &config, total: (50_000, 10_000), original_share: if entries > 100_000 { 100 } else { 25 }, rounds: (5, 3) };
        connections::compare(&options, &plan);
    }
    keep_alive(options);
}

/// Bytes of the mapping by which a server is larger than one with the smallest table, per entry.
fn memory(options: &Options) {
    let mut table = Table::of_variants("Memory per client, block rule and four limit variables, from the size of the mapping", "");
    let (small, large) = (64_000, 1_024_000);
    let cells: Cells = options
        .modules
        .iter()
        .filter(|module| **module != Module::None)
        .map(|module| {
            let bytes = |entries| shared_bytes(&connections::server(*module, &limits(entries)));
            (*module, (bytes(large) - bytes(small)) / f64::from(large - small))
        })
        .collect();
    table.compare("bytes", &cells, 1, None);
    table.print();
    println!("Bar for ours: 128 bytes.\n");
}

/// Size of all shared writable mappings of the parent.
fn shared_bytes(server: &Server) -> f64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.parent_pid())).unwrap_or_default();
    let size = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (begin, end) = range.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        rest.starts_with("rw-s").then_some(address(end)? - address(begin)?)
    };
    maps.lines().filter_map(size).sum::<u64>() as f64
}

/// One round of keep-alive requests.
struct Stay {
    per_second: f64,
    /// CPU time of the server per request.
    server_us: f64,
}

/// Clients that stay: `ab` with keep-alive, in turn.
fn keep_alive(options: &Options) {
    let (rounds, requests) = options.pick((15, 30_000), (3, 10_000));
    let config = format!("{}\nMaxKeepAliveRequests 0\n", limits(100_000));
    let servers: Vec<(Module, Server)> = options.modules.iter().map(|module| (*module, connections::server(*module, &config))).collect();
    let mut seen: Vec<(Module, Vec<Stay>)> = options.modules.iter().map(|module| (*module, Vec::new())).collect();
    for round in 0..rounds {
        for k in 0..servers.len() {
            let k = (k + round) % servers.len();
            seen[k].1.push(stay(&servers[k].1, requests));
        }
    }
    let mut table =
        Table::of_variants(&format!("Keep-alive requests, block rule and four limit variables, event (medians of {rounds} rounds and of their ratios)"), "");
    let mut row = |name: &str, figure: fn(&Stay) -> f64, digits, bar| {
        let none = seen.iter().find(|(other, _)| *other == Module::None).map_or(&[][..], |(_, rounds)| rounds);
        let ratios = |own: &[Stay]| median(own.iter().zip(none).map(|(own, none)| figure(own) / figure(none)).collect());
        let cells: Cells = seen.iter().map(|(module, rounds)| (*module, median(rounds.iter().map(figure).collect()))).collect();
        table.compare_by(name, &cells, &seen.iter().map(|(module, rounds)| (*module, ratios(rounds))).collect(), digits, bar);
    };
    row("requests per second", |stay| stay.per_second, 0, Some(Bar::AtLeast(0.97)));
    row("server CPU time per request, microseconds", |stay| stay.server_us, 2, None);
    table.print();
}

fn stay(server: &Server, requests: u32) -> Stay {
    let pids = server.children();
    let before = usage::of_processes(&pids);
    let out = Command::new("ab")
        .args(["-q", "-k", "-c", "16", "-n", &requests.to_string(), "-B", &Ipv4Addr::new(127, 9, 0, 1).to_string(), &server.url("/small.txt")])
        .output()
        .expect("ab (package apache2-utils)");
    let spent = usage::of_processes(&pids).saturating_sub(before);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("Requests per second:")).unwrap_or_else(|| panic!("ab: {text}"));
    let per_second = line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).expect("a number");
    Stay { per_second, server_us: spent.as_secs_f64() * 1e6 / f64::from(requests) }
}
