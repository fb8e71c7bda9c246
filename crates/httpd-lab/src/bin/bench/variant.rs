//! The three variants that are compared, and the configuration they run with.

use httpd_lab::{Module, original};

/// The columns, in their order.
pub const ALL: [Module; 3] = [Module::None, Module::Original, Module::Ours];

/// The configuration of `make run`, as written there.
pub const RUN_CONF: &str = include_str!("../../../../../packaging/run.conf");

/// The name of a column.
pub fn name(module: Module) -> &'static str {
    match module {
        Module::None => "no module",
        Module::Original => "original",
        Module::Ours => "ours",
    }
}

/// As named on the command line.
pub fn by_name(text: &str) -> Option<Module> {
    ALL.into_iter().find(|m| name(*m) == text || text == "none" && *m == Module::None)
}

/// The original's package cannot be had everywhere.
pub fn available(module: Module) -> bool {
    module != Module::Original || original::module().is_some()
}

/// [`RUN_CONF`] without the lines that begin with one of `names`.
pub fn run_conf_without(names: &[&str]) -> String {
    let keep = |line: &&str| !names.contains(&line.split_whitespace().next().unwrap_or(""));
    RUN_CONF.lines().filter(keep).collect::<Vec<_>>().join("\n")
}
