//! 200 slow connections against 64 workers: how long ordinary visitors are without service, when the attackers are
//! gone, and whether anybody is cut who should not be.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use httpd_lab::attack::{Attack, Running, Slow};
use httpd_lab::{Module, Mpm, Probe, Server, SlowClients, SlowPlan};

use crate::innocents::{Cut, Innocents, KEEP_ALIVE};
use crate::options::Options;
use crate::table::Table;
use crate::variant;

const ATTACKERS: usize = 200;
const WORKERS: u32 = 64;

/// The bars, in seconds.
const BACK: f64 = 5.0;
const GONE: f64 = 15.0;

/// A run ends here at the latest.
const LIMIT: Duration = Duration::from_secs(60);

/// A visitor who has no answer after this time has no service.
const PATIENCE: Duration = Duration::from_secs(1);

/// The address of all attackers: slowhttptest has no other.
const ATTACKER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 8, 0, 1);

#[derive(Debug, Clone, Copy)]
enum How {
    Slowhttptest(Slow),
    Handshake,
}

struct Kind {
    name: &'static str,
    how: How,
    tls: bool,
}

const KINDS: [Kind; 7] = [
    Kind { name: "headers", how: How::Slowhttptest(Slow::Headers), tls: false },
    Kind { name: "body", how: How::Slowhttptest(Slow::Body), tls: false },
    Kind { name: "read", how: How::Slowhttptest(Slow::Read), tls: false },
    Kind { name: "headers-tls", how: How::Slowhttptest(Slow::Headers), tls: true },
    Kind { name: "body-tls", how: How::Slowhttptest(Slow::Body), tls: true },
    Kind { name: "read-tls", how: How::Slowhttptest(Slow::Read), tls: true },
    Kind { name: "handshake", how: How::Handshake, tls: true },
];

/// What came of one attack on one variant, seconds from its start.
struct Outcome {
    /// `None`: never within the limit.
    back: Option<f64>,
    longest: f64,
    gone: Option<f64>,
    cut: Vec<Cut>,
    /// Children that crashed during the attack.
    crashed: usize,
}

pub fn measure(options: &Options) {
    let wanted = |kind: &&Kind| options.attack.as_ref().is_none_or(|name| kind.name == name);
    let kinds: Vec<&Kind> = KINDS.iter().filter(wanted).collect();
    assert!(!kinds.is_empty(), "--attack: one of {}", KINDS.map(|k| k.name).join(", "));
    for mpm in &options.mpms {
        let title = format!(
            "{ATTACKERS} slow connections against {WORKERS} workers, {}: seconds until the service is back for good / longest outage / until all attackers are gone",
            mpm.name()
        );
        let mut times = Table::new(&title, &["attack", "no module", "original", "ours", "bar for ours"]);
        let title = format!("Innocent clients during these attacks, {}", mpm.name());
        let mut fates = Table::new(&title, &["attack", "no module", "original", "ours", "bar for ours"]);
        for kind in &kinds {
            eprintln!("attacks: {} on {} ...", kind.name, mpm.name());
            let outcomes = side_by_side(&options.modules, *mpm, kind);
            let of = |module| outcomes.iter().find(|(m, _)| *m == module).map(|(_, outcome)| outcome);
            for (module, outcome) in &outcomes {
                eprintln!("attacks: {}: {}; {}", variant::name(*module), outcome.times(), outcome.fates());
            }
            let ours = of(Module::Ours);
            let row = |show: &dyn Fn(&Outcome) -> String, bar: String| {
                let cells = variant::ALL.map(|m| of(m).map_or("n/a".into(), show));
                [kind.name.to_owned()].into_iter().chain(cells).chain([bar]).collect()
            };
            times.row(row(&Outcome::times, met(&format!("back {BACK}, gone {GONE}"), ours.map(Outcome::in_time))));
            fates.row(row(&Outcome::fates, met("none by us", ours.map(|o| o.crashed == 0 && !o.cut.iter().any(|c| c.by_module)))));
        }
        times.print();
        fates.print();
    }
}

fn met(bar: &str, met: Option<bool>) -> String {
    match met {
        Some(true) => format!("{bar}: met"),
        Some(false) => format!("{bar}: MISSED"),
        None => bar.to_owned(),
    }
}

/// All variants at once: an attack costs both sides next to nothing but time.
fn side_by_side(modules: &[Module], mpm: Mpm, kind: &Kind) -> Vec<(Module, Outcome)> {
    std::thread::scope(|scope| {
        let runs: Vec<_> = modules.iter().map(|module| (*module, scope.spawn(move || run(*module, mpm, kind)))).collect();
        runs.into_iter().map(|(module, run)| (module, run.join().expect("a run"))).collect()
    })
}

/// The configuration of `make run`, but all attackers come from one address, and there are 64 workers.
fn server(module: Module, mpm: Mpm) -> Server {
    let processes = if mpm == Mpm::Prefork { WORKERS } else { 2 };
    let config = variant::run_conf_without(&["QS_SrvMaxConnPerIP", "MaxClients"]);
    let builder = Server::builder().module(module).mpm(mpm).workers(WORKERS).processes(processes).tls().log_level("warn");
    // httpd itself crashes at times when it is told to end with connections that are blocked; `run` looks before that.
    let builder = builder.expect_crashes();
    builder.config(&config).config(&format!("KeepAliveTimeout {KEEP_ALIVE}")).start()
}

/// The attack as long as it lasts.
enum Attackers {
    Slowhttptest(Running),
    Ours(SlowClients),
}

impl Attackers {
    fn start(kind: &Kind, server: &Server) -> Self {
        match kind.how {
            How::Slowhttptest(slow) => {
                let url = if kind.tls { server.tls_url("/large.bin") } else { server.url("/large.bin") };
                Self::Slowhttptest(Attack::new(slow, &url).connections(ATTACKERS).rate(ATTACKERS).length(LIMIT * 2).start())
            }
            How::Handshake => Self::Ours(SlowPlan::handshake(server.tls_addr()).connections(ATTACKERS).every(Duration::from_secs(10)).start()),
        }
    }

    fn stop(self) {
        match self {
            Self::Slowhttptest(running) => drop(running.stop()),
            Self::Ours(clients) => drop(clients.stop()),
        }
    }
}

fn run(module: Module, mpm: Mpm, kind: &Kind) -> Outcome {
    let server = server(module, mpm);
    let innocents = Innocents::start(&server, kind.tls);
    let start = Instant::now();
    let visitor = if kind.tls { Probe::start_tls(server.tls_addr(), VISITOR, PATIENCE) } else { Probe::start(server.addr(), VISITOR, PATIENCE) };
    let attackers = Attackers::start(kind, &server);
    let (mut came, mut last_seen) = (false, Duration::ZERO);
    // slowhttptest itself asks now and then whether the service is there, by one connection.
    let own = usize::from(matches!(kind.how, How::Slowhttptest(_)));
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = start.elapsed();
        if attackers_held(&server) > own {
            (came, last_seen) = (true, now);
        }
        let calm = came && now.saturating_sub(last_seen) > Duration::from_secs(5) && in_service(&visitor);
        if now >= LIMIT || calm && innocents.gone() {
            break;
        }
    }
    assert!(came, "the attack never reached the server");
    let gone = (last_seen + Duration::from_secs(2) < LIMIT).then_some(last_seen.as_secs_f64());
    let outage = visitor.stop();
    let back = if outage.failures == 0 { Some(0.0) } else { outage.back_at.map(|t| t.as_secs_f64()) };
    let cut = innocents.finish(&server);
    let crashed = server.count_log("exit signal");
    attackers.stop();
    Outcome { back, longest: outage.longest.as_secs_f64(), gone, cut, crashed }
}

fn in_service(visitor: &Probe) -> bool {
    let outage = visitor.outage();
    outage.failures == 0 || outage.back_at.is_some()
}

/// Connections of the attackers that the server holds or has still to accept, as the kernel sees it.
fn attackers_held(server: &Server) -> usize {
    let ports = [server.port(), server.tls_port()];
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().skip(1).filter(|line| held(line, &ports)).count()
}

/// A line of /proc/net/tcp: `sl local remote state ... inode`. Established and without inode is not yet accepted;
/// in another state and without inode, the server has given it up.
fn held(line: &str, ports: &[u16]) -> bool {
    const ESTABLISHED: &str = "01";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let end = |i: usize| fields.get(i).and_then(|text| endpoint(text));
    let ours = end(1).is_some_and(|(_, port)| ports.contains(&port));
    let theirs = end(2).is_some_and(|(addr, _)| addr == ATTACKER);
    let alive = fields.get(3) == Some(&ESTABLISHED) || fields.get(9).is_some_and(|inode| *inode != "0");
    ours && theirs && alive
}

/// `0100007F:1F90`: the address in the order of this machine's bytes, and the port.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (addr, port) = text.split_once(':')?;
    let addr = u32::from_str_radix(addr, 16).ok()?.to_ne_bytes();
    Some((Ipv4Addr::from(addr).into(), u16::from_str_radix(port, 16).ok()?))
}

impl Outcome {
    fn in_time(&self) -> bool {
        self.back.is_some_and(|t| t <= BACK) && self.gone.is_some_and(|t| t <= GONE)
    }

    fn times(&self) -> String {
        let limit = LIMIT.as_secs();
        let show = |t: Option<f64>| t.map_or(format!(">{limit}"), |t| format!("{t:.1}"));
        let longest = if self.back.is_none() { show(None) } else { show(Some(self.longest)) };
        format!("{} / {longest} / {}", show(self.back), show(self.gone))
    }

    fn fates(&self) -> String {
        if self.crashed > 0 {
            return format!("{} children crashed", self.crashed);
        }
        if self.cut.is_empty() {
            return "all served".into();
        }
        let show = |c: &Cut| format!("{}: {} ({})", c.who, c.what, if c.by_module { "by the module" } else { "by httpd" });
        self.cut.iter().map(show).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attackers_are_told_from_other_connections() {
        let line = |remote: &str, state: &str, inode: &str| format!("0: 0100007F:1F90 {remote} {state} 0:0 0:0 0 0 0 {inode} 1");
        let held = |line: String| held(&line, &[8080]);
        assert!(held(line("0100007F:C000", "01", "4711")));
        assert!(held(line("0100007F:C000", "01", "0")), "in the queue");
        assert!(!held(line("0100007F:C000", "05", "0")), "given up");
        assert!(!held(line("0100087F:C000", "01", "4711")), "the visitor");
    }
}
