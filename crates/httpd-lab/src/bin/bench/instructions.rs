//! Instructions per request and per connection: exact, and the same on each machine of one architecture.
//!
//! Each figure is the difference between two whole runs of httpd that differ in `n` requests, divided by `n`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use httpd_lab::{Module, Mpm, RawClient, Server};

use crate::callgrind::{Counted, Function, count};
use crate::clients;
use crate::options::Options;
use crate::table::{Bar, Cells, Table, grouped};
use crate::variant::{self, RUN_CONF};

/// What a run does after its `n` keep-alive requests for a small file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// None.
    Nothing,
    /// As many again.
    Requests,
    /// As many with a query that a rule of [`crate::patterns`] counts.
    Queries,
    /// As many with the headers of a browser.
    Browser,
    /// As many for a file that is not there.
    Missing,
    /// As many on connections of their own.
    Connections,
}

/// The measured kinds with their names and bars.
const KINDS: [(Extra, &str, Option<Bar>); 3] = [
    (Extra::Requests, "keep-alive request, small file", Some(Bar::AtMost(1.05))),
    (Extra::Missing, "keep-alive request, 404", None),
    (Extra::Connections, "connection with one request", None),
];

/// Instructions of one request more.
pub fn per_request(module: Module, config: &str, n: u32, extra: Extra) -> f64 {
    let server = server(module, config);
    let run = |extra| count(&server, false, |addr| visit(addr, n, extra)).total as f64;
    (run(extra) - run(Extra::Nothing)) / f64::from(n)
}

/// The functions in which the instructions of one request more are, beyond those without `config`.
pub fn profile_of(module: Module, without: &str, with: &str, n: u32, extra: Extra) {
    let runs = |config: &str| {
        let server = server(module, config);
        [Extra::Nothing, extra].map(|extra| count(&server, true, |addr| visit(addr, n, extra)))
    };
    let ([base, less], [nothing, more]) = (runs(without), runs(with));
    let at = |run: &Counted, name: &String| run.functions.get(name).map_or(0.0, |f| f.own as f64);
    let mut rows: Vec<(String, String, f64)> = more
        .functions
        .iter()
        .map(|(name, f)| (name.clone(), f.object.clone(), (at(&more, name) - at(&nothing, name) - at(&less, name) + at(&base, name)) / f64::from(n)))
        .collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2));
    print_functions(&format!("Instructions that {} adds: functions", variant::name(module)), rows);
}

pub fn measure(options: &Options) {
    compare(options, "packaging/run.conf", RUN_CONF);
    // What client limits cost in instructions; their bar is in requests per second.
    compare(options, "packaging/run.conf with a block rule and four limit variables", &clients::limits_and_run_conf(100_000));
}

fn compare(options: &Options, name: &str, config: &str) {
    let n = options.pick(1000, 200);
    let mut counted: Vec<(Module, Vec<Counted>)> = Vec::new();
    for module in &options.modules {
        let server = server(*module, config);
        let run = |extra| count(&server, options.profile, |addr| visit(addr, n, extra));
        let runs = [Extra::Nothing].into_iter().chain(KINDS.map(|k| k.0)).map(run).collect();
        counted.push((*module, runs));
    }
    let mut table = Table::of_variants(&format!("Instructions, {name}, prefork in one process ({n} of each)"), "per");
    for (k, (_, name, bar)) in KINDS.iter().enumerate() {
        let bar = bar.as_ref().filter(|_| config == RUN_CONF);
        let per = |runs: &[Counted]| (runs[k + 1].total as f64 - runs[0].total as f64) / f64::from(n);
        let cells: Cells = counted.iter().map(|(module, runs)| (*module, per(runs))).collect();
        table.compare(name, &cells, 0, bar.copied());
    }
    table.print();
    if options.profile {
        profile(&counted, n);
    }
}

fn server(module: Module, config: &str) -> Server {
    let builder = Server::builder().module(module).mpm(Mpm::Prefork).workers(256).processes(1).log_level("warn");
    // All requests of a run on one connection.
    builder.config(config).config("MaxKeepAliveRequests 0\nKeepAliveTimeout 60").start()
}

fn visit(addr: SocketAddr, n: u32, extra: Extra) {
    let connect = |from: Ipv4Addr| RawClient::options().from(from).timeout(Duration::from_secs(60)).connect(addr).expect("connect");
    let mut client = connect(Ipv4Addr::new(127, 2, 0, 1));
    let mut ask = |n: u32, path: &str, status: u16| {
        for _ in 0..n {
            assert_eq!(client.get(path).expect("a response").status, status, "{path}");
        }
    };
    ask(n, "/small.txt", 200);
    match extra {
        Extra::Nothing => {}
        Extra::Requests => ask(n, "/small.txt", 200),
        Extra::Queries => ask(n, "/small.txt?lang=en&token14=0123456789abcdef", 200),
        Extra::Browser => (0..n).for_each(|_| {
            let response = client.request("GET", "/small.txt", &crate::headers::BROWSER, b"").expect("a response");
            assert_eq!(response.status, 200);
        }),
        Extra::Missing => ask(n, "/missing.txt", 404),
        Extra::Connections => {
            drop(client);
            for i in 0..n {
                let mut client = connect(Ipv4Addr::from_bits(Ipv4Addr::new(127, 3, 0, 1).to_bits() + i));
                let response = client.request("GET", "/small.txt", &["Connection: close"], b"").expect("a response");
                assert_eq!(response.status, 200);
                assert!(client.wait_closed(Duration::from_secs(60)).is_some());
            }
        }
    }
}

/// Where the instructions are that a module adds: in its own functions, and in httpd's that it calls or makes run longer.
/// Then each of our hooks with all that it calls.
fn profile(counted: &[(Module, Vec<Counted>)], n: u32) {
    let of = |module| counted.iter().find(|(m, _)| *m == module).map(|(_, runs)| runs);
    let added = |with: &[Counted], without: &[Counted], k: usize, figure: fn(&Function) -> u64| {
        let per = |runs: &[Counted], name: &String| {
            let at = |run: &Counted| run.functions.get(name).map_or(0.0, |f| figure(f) as f64);
            (at(&runs[k + 1]) - at(&runs[0])) / f64::from(n)
        };
        let mut rows: Vec<(String, String, f64)> =
            with[k + 1].functions.iter().map(|(name, f)| (name.clone(), f.object.clone(), per(with, name) - per(without, name))).collect();
        rows.sort_by(|a, b| b.2.total_cmp(&a.2));
        rows
    };
    for module in [Module::Original, Module::Ours] {
        let Some((with, without)) = of(module).zip(of(Module::None)) else { continue };
        for (k, (_, name, _)) in KINDS.iter().enumerate() {
            let rows = added(with, without, k, |f| f.own);
            print_functions(&format!("Instructions that {} adds per {name}: functions", variant::name(module)), rows);
            let mut rows = added(with, without, k, |f| f.inclusive);
            // A filter calls all filters below it.
            rows.retain(|(name, _, _)| ["mod_qos::hooks::", "mod_qos::handlers::"].iter().any(|start| name.starts_with(start)));
            if !rows.is_empty() {
                print_functions(&format!("Instructions that {} adds per {name}: hooks with what they call", variant::name(module)), rows);
            }
        }
    }
}

fn print_functions(title: &str, rows: Vec<(String, String, f64)>) {
    let mut table = Table::new(title, &["instructions", "function", "object"]);
    for (function, object, instructions) in rows.into_iter().take(15) {
        table.row(vec![grouped(instructions, 0), shortened(&function), object]);
    }
    table.print();
}

fn shortened(function: &str) -> String {
    const MOST: usize = 100;
    if function.chars().count() <= MOST { function.to_owned() } else { format!("{}...", function.chars().take(MOST).collect::<String>()) }
}
