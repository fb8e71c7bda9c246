//! Connections per second when every client is new, and the CPU time that the server spends on each.

use std::net::Ipv4Addr;
use std::time::Duration;

use httpd_lab::{Module, Mpm, Server};

use crate::load::{Load, Served};
use crate::options::Options;
use crate::table::{Bar, Cells, Table, grouped, median};
use crate::usage;
use crate::variant::{self, RUN_CONF};

/// Source addresses of one round.
const ADDRESSES: u32 = 100_000;

/// What a measurement differs in.
pub struct Plan<'a> {
    pub title: String,
    pub config: &'a str,
    /// Connections of a round, full and quick.
    pub total: (u32, u32),
    /// The original gets only one in so many, where it takes seconds for each.
    pub original_share: u32,
    pub rounds: (usize, usize),
}

/// Slices of a round.
const SLICES: u32 = 5;

/// One round of one variant.
#[derive(Default)]
struct Round {
    served: Served,
    /// CPU time of the server, and of this process, which is the client.
    server: Duration,
    client: Duration,
}

impl Round {
    fn add(&mut self, slice: &Self) {
        self.served.served += slice.served.served;
        self.served.failed += slice.served.failed;
        self.served.lasted += slice.served.lasted;
        self.server += slice.server;
        self.client += slice.client;
    }

    fn per_second(&self) -> f64 {
        f64::from(self.served.served) / self.served.lasted.as_secs_f64()
    }

    /// Percent of a core.
    fn busy(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.served.lasted.as_secs_f64()
    }

    fn server_us(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / f64::from(self.served.served.max(1))
    }
}

pub fn measure(options: &Options) {
    let total = options.pick(ADDRESSES, 20_000);
    let title = format!("Connections from {} different addresses, packaging/run.conf, event", grouped(f64::from(total), 0));
    compare(options, &Plan { title, config: RUN_CONF, total: (ADDRESSES, 20_000), original_share: 1, rounds: (5, 3) });
}

/// Lets the variants serve connections from addresses that are all new, and prints what came of it.
pub fn compare(options: &Options, plan: &Plan<'_>) {
    let (rounds, total) = (options.pick(plan.rounds.0, plan.rounds.1), options.pick(plan.total.0, plan.total.1));
    let servers: Vec<(Module, Server)> = options.modules.iter().map(|m| (*m, server(*m, plan.config))).collect();
    let mut seen: Vec<(Module, Vec<Round>)> = options.modules.iter().map(|m| (*m, Vec::new())).collect();
    let mut first = Ipv4Addr::new(127, 16, 0, 1);
    for (module, server) in &servers {
        let total = if *module == Module::Original { 2000 / plan.original_share } else { 2000 };
        Load { addr: server.addr(), first, total, concurrent: 64 }.run();
    }
    first = Ipv4Addr::from_bits(first.to_bits() + 2000);
    for round in 0..rounds {
        let mut sums: Vec<Round> = servers.iter().map(|_| Round::default()).collect();
        // In slices, in turn, beginning with another one each time: what disturbs the machine disturbs all.
        for slice in 0..SLICES {
            for k in 0..servers.len() {
                let k = (k + round + slice as usize) % servers.len();
                let share = if servers[k].0 == Module::Original { plan.original_share } else { 1 };
                sums[k].add(&run(&servers[k].1, first.to_bits() + slice * (total / SLICES), total / SLICES / share));
            }
        }
        for ((_, rounds), sum) in seen.iter_mut().zip(sums) {
            rounds.push(sum);
        }
        first = Ipv4Addr::from_bits(first.to_bits() + total);
    }
    print(&seen, &plan.title);
}

pub fn server(module: Module, config: &str) -> Server {
    Server::builder().module(module).mpm(Mpm::Event).workers(256).processes(4).log_level("warn").config(config).start()
}

fn run(server: &Server, first: u32, total: u32) -> Round {
    let first = Ipv4Addr::from_bits(first);
    let pids = server.children();
    let (server_before, client_before) = (usage::of_processes(&pids), usage::of_self());
    let served = Load { addr: server.addr(), first, total, concurrent: 64 }.run();
    let (server_after, client_after) = (usage::of_processes(&pids), usage::of_self());
    Round { served, server: server_after.saturating_sub(server_before), client: client_after.saturating_sub(client_before) }
}

fn print(seen: &[(Module, Vec<Round>)], title: &str) {
    let rounds = seen.first().map_or(0, |(_, r)| r.len());
    let title = format!("{title} (medians of {rounds} rounds; ratios are medians of the rounds' ratios)");
    let mut table = Table::of_variants(&title, "");
    let mut row = |what: &str, figure: &dyn Fn(&Round) -> f64, digits, bar| {
        let cells: Cells = seen.iter().map(|(module, rounds)| (*module, median(rounds.iter().map(figure).collect()))).collect();
        let ratios = seen.iter().map(|(module, _)| (*module, median(paired(seen, *module, figure)))).collect();
        table.compare_by(what, &cells, &ratios, digits, bar);
    };
    row("connections per second", &Round::per_second, 0, Some(Bar::AtLeast(0.95)));
    row("server CPU time per connection, microseconds", &Round::server_us, 1, None);
    row("server CPU use, % of a core", &|r| r.busy(r.server), 0, None);
    row("client CPU use, % of a core", &|r| r.busy(r.client), 0, None);
    row("connections that failed", &|r| f64::from(r.served.failed), 0, None);
    table.print();
    println!();
    for (module, rounds) in seen {
        let all: Vec<String> = rounds.iter().map(|r| format!("{} ({:.1})", grouped(r.per_second(), 0), r.server_us())).collect();
        println!("{}, round by round: {} connections/s (microseconds).", variant::name(*module), all.join(", "));
    }
}

/// A figure of each round of `module` in relation to that without a module in the same round.
fn paired(seen: &[(Module, Vec<Round>)], module: Module, figure: &dyn Fn(&Round) -> f64) -> Vec<f64> {
    let of = |module| seen.iter().find(|(m, _)| *m == module).map(|(_, rounds)| rounds);
    let Some((with, without)) = of(module).zip(of(Module::None)) else { return Vec::new() };
    with.iter().zip(without).map(|(a, b)| figure(a) / figure(b)).collect()
}
