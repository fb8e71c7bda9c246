//! Log lines about what may not pass (filters.md section 3.5).

use super::judge::Finding;
use super::rule::{Action, Rule};

/// The line of a finding. `enforced`: the server denies what rules deny.
#[must_use]
pub fn finding(finding: &Finding<'_>, enforced: bool, client: &str, unique_id: &str) -> String {
    let action = word(finding.action(), enforced);
    match finding {
        Finding::Denied { rule, given_up } => denied(rule, *given_up, enforced, client, unique_id),
        Finding::NotPermitted { given_up, .. } => {
            format!("mod_qos(041): access denied, no permit rule match, action={action}{}, c={client}, id={unique_id}", limit(*given_up))
        }
        Finding::WrongEncoding { .. } => format!("mod_qos(046): access denied, invalid url encoding, action={action}, c={client}, id={unique_id}"),
    }
}

/// Findings that got no line of their own.
#[must_use]
pub fn summed_up(finding: &Finding<'_>, times: u32) -> String {
    let (number, what) = match finding {
        Finding::Denied { rule, .. } => (40, format!("{} rule id: {} ({})", rule.kind.directive(), rule.id.to_string_lossy(), rule.shown())),
        Finding::NotPermitted { .. } => (41, "no permit rule match".to_owned()),
        Finding::WrongEncoding { .. } => (46, "invalid url encoding".to_owned()),
    };
    crate::rules::message::summed_up(number, &what, times)
}

/// 040.
fn denied(rule: &Rule, given_up: bool, enforced: bool, client: &str, unique_id: &str) -> String {
    let (directive, id, text) = (rule.kind.directive(), rule.id.to_string_lossy(), rule.shown());
    let (action, limit) = (word(rule.action, enforced), limit(given_up));
    format!("mod_qos(040): access denied, {directive} rule id: {id} ({text}), action={action}{limit}, c={client}, id={unique_id}")
}

fn word(action: Action, enforced: bool) -> &'static str {
    if action == Action::Deny && enforced { "deny" } else { "log only" }
}

fn limit(given_up: bool) -> &'static str {
    if given_up { ", limit=1" } else { "" }
}
