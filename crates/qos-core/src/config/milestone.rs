//! Directives about milestones (request-event.md section 15).

use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, optional, required, server};
use super::value::{SECONDS, Wrong, number32, pattern, wrong};
use crate::milestone::{Milestone, TIMEOUT};

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_MileStone",
        scope: Scope::Server,
        arguments: &[required("log|deny"), required("pattern"), optional("seconds")],
        help: c"A page (a pattern of the request line) that clients reach only after the milestones before it, in the order of the configuration, and not sooner than so many seconds after the one before. A cookie says how far a client got.",
        read: mile_stone,
    },
    Directive {
        name: c"QS_MileStoneTimeout",
        scope: Scope::Server,
        arguments: &[required("seconds")],
        help: c"How long it counts that a client has reached a milestone (default 3600).",
        read: mile_stone_timeout,
    },
];

/// Milestones of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MilestoneConfig {
    /// `QS_MileStone` in order.
    pub list: Vec<Milestone>,
    /// `QS_MileStoneTimeout`, seconds.
    pub timeout: Option<u32>,
}

impl MilestoneConfig {
    /// A host with milestones has its own list and timeout, another one both of the main server (section 3.3).
    #[must_use]
    pub fn merge(base: &MilestoneConfig, own: &MilestoneConfig) -> MilestoneConfig {
        if own.list.is_empty() { base.clone() } else { own.clone() }
    }

    /// How long it counts what was reached, seconds.
    #[must_use]
    pub fn timeout(&self) -> u32 {
        self.timeout.unwrap_or(TIMEOUT)
    }
}

fn mile_stone(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let action = first(arguments);
    let deny = match action {
        _ if action.eq_ignore_ascii_case(b"deny") => true,
        _ if action.eq_ignore_ascii_case(b"log") => false,
        _ => return Err(wrong(name, action, "is no action", "log or deny")),
    };
    let pattern = pattern(name, argument(arguments, 1))?;
    let seconds = |text: &&[u8]| number32(name, text, SECONDS);
    let think_time = arguments.get(2).map(seconds).transpose()?;
    server(name, target)?.milestones.list.push(Milestone { pattern, deny, think_time });
    Ok(Outcome::Taken)
}

fn mile_stone_timeout(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let seconds = number32(name, first(arguments), SECONDS)?;
    server(name, target)?.milestones.timeout = Some(seconds);
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Target, apply, find};
    use super::*;

    fn read(lines: &[&[&str]]) -> Result<MilestoneConfig, String> {
        let mut config = ServerConfig::default();
        for line in lines {
            let arguments = line[1..].iter().map(|word| word.as_bytes()).collect::<Vec<_>>();
            apply(find(line[0]).unwrap(), &mut Target::Server(&mut config), &arguments).map_err(|wrong| wrong.to_string())?;
        }
        Ok(config.milestones)
    }

    #[test]
    fn good_values() {
        let config = read(&[&["QS_MileStone", "DENY", "^GET /a"], &["QS_MileStone", "log", "^GET /b", "5"], &["QS_MileStoneTimeout", "60"]]).unwrap();
        let seen = config.list.iter().map(|milestone| (milestone.deny, milestone.pattern.text(), milestone.think_time)).collect::<Vec<_>>();
        assert_eq!(seen, [(true, "^GET /a", None), (false, "^GET /b", Some(5))]);
        assert_eq!((config.timeout(), read(&[]).unwrap().timeout()), (60, 3600));
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, expected) in [
            (&["QS_MileStone", "block", "x"][..], "'block' is no action; expected log or deny"),
            (&["QS_MileStone", "deny", "("], "is not a regular expression"),
            (&["QS_MileStone", "deny", "x", "0"], "'0' is too small"),
            (&["QS_MileStone", "deny", "x", "5s"], "'5s' is not a number"),
            (&["QS_MileStone", "deny"], "an argument is missing"),
            (&["QS_MileStoneTimeout", "0"], "'0' is too small"),
            (&["QS_MileStoneTimeout", "-1"], "'-1' is negative"),
        ] {
            let error = read(&[line]).unwrap_err();
            assert!(error.contains(expected), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_host_with_milestones_has_a_timeout_of_its_own() {
        let base = read(&[&["QS_MileStone", "deny", "a"], &["QS_MileStoneTimeout", "60"]]).unwrap();
        let own = read(&[&["QS_MileStone", "deny", "b"]]).unwrap();
        let merged = MilestoneConfig::merge(&base, &own);
        assert_eq!((merged.timeout(), merged.list), (3600, own.list));
        let timeout = read(&[&["QS_MileStoneTimeout", "90"]]).unwrap();
        assert_eq!(MilestoneConfig::merge(&base, &timeout), base);
    }
}
