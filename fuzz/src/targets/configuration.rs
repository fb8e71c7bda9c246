//! Directives with any arguments, and a request that is judged by them. Groups are lines: a letter (server, virtual host, location, or `?` for what the
//! request is), the directive, its arguments.

use crate::environment::Variables;
use crate::input::{assert_line, fields, groups};
use qos_core::config::{Directive, LocationConfig, Outcome, ServerConfig, Target, apply, directives, find};
use qos_core::rules::Selection;
use qos_core::variables::Environment;

/// More lines say nothing new, and patterns take long to compile.
const MOST_LINES: usize = 24;

pub fn run(data: &[u8]) {
    let (mut server, mut host, mut location) = (ServerConfig::default(), ServerConfig::default(), LocationConfig::default());
    let mut request: &[u8] = &[];
    for line in groups(data).take(MOST_LINES) {
        let mut fields = fields(line);
        let Some((place, name)) = fields.next().and_then(<[u8]>::split_first) else { continue };
        let directive = directive(name);
        let arguments: Vec<&[u8]> = fields.collect();
        let mut target = match place {
            b'?' => {
                request = name;
                continue;
            }
            place if place % 3 == 0 => Target::Server(&mut server),
            place if place % 3 == 1 => Target::VirtualHost(&mut host),
            _ => Target::Location(&mut location),
        };
        match apply(directive, &mut target, &arguments) {
            Ok(Outcome::Taken) => {}
            Ok(Outcome::Warn(text)) => assert_line(&text),
            Err(wrong) => {
                let text = wrong.to_string();
                assert_line(&text);
                assert!(text.contains(directive.name()), "{text:?} does not name {}", directive.name());
            }
        }
    }
    let merged = ServerConfig::merge(&server, &host);
    let _ = ServerConfig::merge(&merged, &ServerConfig::default());
    let location = LocationConfig::merge(&location, &location);
    judge(&merged, &location, request);
}

/// What happens to a request: its target is `request`, a variable has the same value.
fn judge(server: &ServerConfig, location: &LocationConfig, request: &[u8]) {
    match server.rules.marked() {
        Ok((rules, _)) => {
            let path = request.split(|byte| *byte == b'?').next().unwrap_or_default();
            let found = Selection::new(&rules).select(path, request, Some(path));
            let places = [found.main, found.conditional, found.per_second, found.kbytes];
            assert!(places.into_iter().flatten().all(|place| place < rules.len()));
        }
        Err(wrong) => assert_line(&wrong.to_string()),
    }
    let mut variables = Variables::default();
    for name in [c"A", c"QS_Cond", c"QS_Event"] {
        variables.set(name, request);
    }
    let changes = [
        server.variables.set_env_if.iter().chain(location.variables.set_env_if.iter()).filter(|rule| rule.apply(&mut variables)).count(),
        server.variables.query.iter().chain(location.variables.query.iter()).filter(|rule| rule.apply(&mut variables, request)).count(),
        server.variables.set_env.iter().filter(|rule| rule.apply(&mut variables)).count(),
        location.variables.compare.iter().filter(|rule| rule.apply(&mut variables)).count(),
        server.variables.response.iter().filter(|rule| rule.apply(&mut variables)).count(),
    ];
    assert!(changes.into_iter().all(|changes| changes <= 2 * MOST_LINES));
}

/// By name, else by number.
fn directive(name: &[u8]) -> &'static Directive {
    let number = name.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let by_number = directives().nth(number % directives().count());
    std::str::from_utf8(name).ok().and_then(find).or(by_number).expect("there are directives")
}
