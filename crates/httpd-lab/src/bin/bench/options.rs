//! What the command line asks for.

use httpd_lab::{Module, Mpm};

use crate::variant;

pub const USAGE: &str = "\
usage: bench [instructions|patterns|filters|headers|connections|clients|attacks|watcher|all]... [--quick] [--profile] [--mpm NAME] [--attack NAME] [--only none|original|ours]...

  instructions   instructions per request and per connection, counted by callgrind
  patterns       instructions that 200 URL patterns add to a request
  filters        instructions per request with 100 deny rules; what rules cost that are made to backtrack
  headers        instructions that header filters add to a browser's request
  connections    connections per second and CPU time per connection, every client new
  clients        the same with client limits and tables of 100,000 to 10,000,000 clients; keep-alive requests; memory
  attacks        200 slow connections against 64 workers: how long the service is away, and who is cut
  watcher        CPU time of the thread that watches 10,000 open connections

  --quick        fewer rounds, fewer connections, one MPM
  --profile      instructions: also the functions in which our share is spent
  --mpm NAME     attacks: event, worker or prefork only
  --attack NAME  attacks: one of headers, body, read, headers-tls, body-tls, read-tls, handshake only
  --only WHICH   this variant only; may be repeated";

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Instructions,
    Patterns,
    Filters,
    Headers,
    Connections,
    Clients,
    Attacks,
    Watcher,
}

impl Section {
    const ALL: [(&'static str, Self); 8] = [
        ("instructions", Self::Instructions),
        ("patterns", Self::Patterns),
        ("filters", Self::Filters),
        ("headers", Self::Headers),
        ("connections", Self::Connections),
        ("clients", Self::Clients),
        ("attacks", Self::Attacks),
        ("watcher", Self::Watcher),
    ];
}

/// The command line.
pub struct Options {
    pub sections: Vec<Section>,
    pub quick: bool,
    pub profile: bool,
    pub mpms: Vec<Mpm>,
    /// Name of the one attack to run.
    pub attack: Option<String>,
    /// The variants to measure, in the order of the columns.
    pub modules: Vec<Module>,
}

impl Options {
    pub fn from_args(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut sections, mut only, mut mpm, mut attack) = (Vec::new(), Vec::new(), None, None);
        let (mut quick, mut profile) = (false, false);
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
            match arg.as_str() {
                "--quick" => quick = true,
                "--profile" => profile = true,
                "--mpm" => {
                    let name = value()?;
                    mpm = Some(Mpm::ALL.into_iter().find(|m| m.name() == name).ok_or_else(|| format!("--mpm {name}: no such MPM"))?);
                }
                "--attack" => attack = Some(value()?),
                "--only" => {
                    let name = value()?;
                    only.push(variant::by_name(&name).ok_or_else(|| format!("--only {name}: none, original or ours"))?);
                }
                "all" => sections.extend(Section::ALL.map(|(_, section)| section)),
                name => {
                    let found = Section::ALL.into_iter().find(|(known, _)| *known == name);
                    sections.push(found.ok_or_else(|| format!("{name} is not known"))?.1);
                }
            }
        }
        if sections.is_empty() {
            sections.extend(Section::ALL.map(|(_, section)| section));
        }
        let mpms = match mpm {
            Some(mpm) => vec![mpm],
            None if quick => vec![Mpm::Event],
            None => Mpm::ALL.to_vec(),
        };
        let modules = variant::ALL.into_iter().filter(|m| (only.is_empty() || only.contains(m)) && variant::available(*m)).collect();
        Ok(Self { sections, quick, profile, mpms, attack, modules })
    }

    /// `full`, or `quick` in a short run.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}
