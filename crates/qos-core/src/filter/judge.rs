//! Whether a request may pass (filters.md sections 5.3 and 5.4).

use super::body::Body;
use super::decode::Decoding;
use super::rule::{Action, Kind, Rule};
use super::section::Budgets;
use super::store::{Hit, Rules};
use super::subjects::{Head, Subjects, Target, decoded_query};
use crate::parameters::Parsed;

/// What a location says of what may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlFilter {
    /// Deny and permit rules.
    pub rules: Rules,
    /// `QS_Decoding`.
    pub decoding: Option<Decoding>,
    /// `QS_InvalidUrlEncoding`; the inner `None` is `off`.
    pub encoding: Option<Option<Action>>,
    /// `QS_DenyQueryBody`.
    pub deny_body: Option<bool>,
    /// `QS_PermitUriBody`.
    pub permit_body: Option<bool>,
    /// `QS_PermitUriNormalize`.
    pub permit_listed: Option<bool>,
    /// `QS_BodyStrict`.
    pub strict_body: Option<bool>,
    /// `QS_FilterInternalRedirects`.
    pub internal_redirects: Option<bool>,
}

impl UrlFilter {
    /// An outer section, then an inner one (section 2.3).
    #[must_use]
    pub fn merge(base: &UrlFilter, own: &UrlFilter) -> UrlFilter {
        UrlFilter {
            rules: Rules::merge(&base.rules, &own.rules),
            decoding: own.decoding.or(base.decoding.filter(|_| !own.rules.is_alone())),
            encoding: own.encoding.or(base.encoding),
            deny_body: own.deny_body.or(base.deny_body),
            permit_body: own.permit_body.or(base.permit_body),
            permit_listed: own.permit_listed.or(base.permit_listed),
            strict_body: own.strict_body.or(base.strict_body),
            internal_redirects: own.internal_redirects.or(base.internal_redirects),
        }
    }

    /// Whether bodies count for `QS_DenyQuery` or `QS_PermitUri`.
    #[must_use]
    pub fn looks_at_bodies(&self) -> bool {
        self.deny_body == Some(true) || self.permit_body == Some(true)
    }

    /// Whether requests are looked at that were redirected here within the server (FD-09).
    #[must_use]
    pub fn looks_at_redirects(&self) -> bool {
        self.internal_redirects == Some(true) && self.is_active()
    }

    /// Whether a request is looked at (FW-27).
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.rules.is_empty() || self.encoding.flatten().is_some() || self.looks_at_bodies()
    }
}

/// What is known when a request is judged.
#[derive(Clone, Copy, Debug)]
pub enum Stage<'a> {
    /// Its head; the body counts as well and is not read yet. Only what can deny it already is judged (FW-20).
    Head,
    /// Its body as well, after [`Stage::Head`]; what was found then is not found again.
    Body(Parameters<'a>),
    /// All of it.
    Whole(Parameters<'a>),
}

/// What a request brings besides its head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    /// What the parser has made of it; `None` where it was not asked.
    pub parsed: Option<&'a Parsed<'a>>,
    /// Where the parser was not asked: all parameters as one line, if that is known otherwise, else the query (FW-16).
    pub line: Option<&'a [u8]>,
    /// What permit rules see instead of it: [`Parsed::listed`] where there is `QS_PermitUriNormalize`. The outer `None`: nothing else.
    pub listed: Option<Option<&'a [u8]>>,
}

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding<'r> {
    /// A rule denies (040). `given_up`: its pattern was given up at the match limit.
    Denied {
        /// The rule.
        rule: &'r Rule,
        /// See above.
        given_up: bool,
    },
    /// No rule permits it (041). `given_up`: one might, but its pattern was given up.
    NotPermitted {
        /// What is done.
        action: Action,
        /// See above.
        given_up: bool,
    },
    /// It holds escapes that are none (046).
    WrongEncoding {
        /// What is done.
        action: Action,
    },
}

impl Finding<'_> {
    /// What is done.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Finding::Denied { rule, .. } => rule.action,
            Finding::NotPermitted { action, .. } | Finding::WrongEncoding { action } => *action,
        }
    }
}

/// Whether a request has a line of parameters: not if it has none, and nothing behind the `?` of its URL (section 5.1).
#[must_use]
pub fn has_line(parsed: &Parsed<'_>) -> bool {
    !parsed.parameters.is_empty() || parsed.query.is_some_and(|query| !query.is_empty())
}

/// What others make of a text that was decoded once (section 12). `None`: they leave it as it is.
pub trait Rewrite {
    /// Of the path.
    fn path(&self, decoded: &[u8]) -> Option<Vec<u8>> {
        let _ = decoded;
        None
    }

    /// Of the query, or of the line of parameters.
    fn query(&self, decoded: &[u8]) -> Option<Vec<u8>> {
        let _ = decoded;
        None
    }
}

/// Nobody takes part.
#[derive(Clone, Copy, Debug)]
pub struct AsDecoded;

impl Rewrite for AsDecoded {}

/// Judges a request; what was found in the order in which it is logged. Only the last finding denies, unless `all` are asked for: where nothing is enforced, all that would deny are
/// found (FW-30a).
#[must_use]
pub fn judge<'r>(filter: &'r UrlFilter, target: Target<'_>, stage: Stage<'_>, all: bool) -> Vec<Finding<'r>> {
    judge_rewritten(filter, target, stage, all, &AsDecoded)
}

/// The same, where others take part in decoding.
#[must_use]
pub fn judge_rewritten<'r>(filter: &'r UrlFilter, target: Target<'_>, stage: Stage<'_>, all: bool, rewrite: &dyn Rewrite) -> Vec<Finding<'r>> {
    let mut findings = Vec::new();
    let decoding = filter.decoding.unwrap_or_default();
    let head = Head::new(target, decoding, rewrite);
    let permits = !matches!(stage, Stage::Head) && filter.rules.has(Kind::Permit);
    let paths = if permits { head.paths() } else { None };
    let mut body = match stage {
        Stage::Body(Parameters { parsed, line, listed }) | Stage::Whole(Parameters { parsed, line, listed }) if filter.looks_at_bodies() => {
            let by_line = filter.permit_body == Some(true) && listed.is_none();
            let path = paths.as_ref().and_then(|paths| paths.first()).filter(|_| by_line);
            Some(Body::new(parsed, line, decoding, path.map(|path| &**path), rewrite))
        }
        _ => None,
    };
    if let Some(action) = filter.encoding.flatten() {
        let of_body = body.as_ref().map_or(0, Body::errors);
        let errors = match stage {
            Stage::Head => head.errors(),
            Stage::Body(_) if head.errors() > 0 => 0,
            Stage::Body(_) => of_body,
            Stage::Whole(_) => head.errors() + of_body,
        };
        if errors > 0 {
            findings.push(Finding::WrongEncoding { action });
            if action == Action::Deny && !all {
                return findings;
            }
        }
    }
    let rules = &filter.rules;
    let mut budgets = Budgets::default();
    let listed = match stage {
        Stage::Body(parameters) | Stage::Whole(parameters) if permits => {
            parameters.listed.map(|line| line.map(|line| decoded_query(line, decoding, rewrite).bytes))
        }
        _ => None,
    };
    let not_permitted = if permits { not_permitted(filter, &head, body.as_mut(), listed.as_ref().map(Option::as_deref), &mut budgets) } else { None };
    let mut hits = hits(filter, &head, body.as_mut(), stage, &mut budgets);
    hits.sort_unstable();
    for hit in hits {
        let Some(rule) = rules.at(hit.place) else { continue };
        findings.push(Finding::Denied { rule, given_up: hit.given_up });
        if rule.action == Action::Deny && !all {
            return findings;
        }
    }
    findings.extend(not_permitted);
    findings
}

/// The deny rules that match.
fn hits(filter: &UrlFilter, head: &Head<'_>, body: Option<&mut Body<'_>>, stage: Stage<'_>, budgets: &mut Budgets) -> Vec<Hit> {
    let rules = &filter.rules;
    let mut hits = Vec::new();
    let ask = |kind, subjects: Subjects<'_>, budgets: &mut Budgets, hits: &mut Vec<Hit>| {
        let subjects = subjects.iter().map(|subject| &**subject).collect::<Vec<&[u8]>>();
        rules.matching(kind, &subjects, budgets, hits);
    };
    let is_second = matches!(stage, Stage::Body(_));
    if rules.may_have(Kind::RequestLine) && !is_second {
        ask(Kind::RequestLine, head.request_line(), budgets, &mut hits);
    }
    if rules.may_have(Kind::Path) && !is_second {
        ask(Kind::Path, head.path(), budgets, &mut hits);
    }
    if rules.may_have(Kind::Query) {
        let mut of_head = Vec::new();
        let mut of_body = Vec::new();
        if let Some(body) = body.filter(|_| filter.deny_body == Some(true)) {
            let mut found = Vec::new();
            body.each_subject(head, rules.may_look_around(), &mut |subject| {
                rules.matching(Kind::Query, &[subject], budgets, &mut found);
                found.drain(..).for_each(|hit| add(&mut of_body, hit));
            });
        }
        if !is_second || !of_body.is_empty() {
            ask(Kind::Query, head.query(), budgets, &mut of_head);
        }
        if is_second {
            of_body.retain(|hit| !of_head.iter().any(|known| known.place == hit.place));
        } else {
            of_head.into_iter().for_each(|hit| add(&mut of_body, hit));
        }
        hits.extend(of_body);
    }
    hits
}

/// A rule that matches one of its subjects matches, even if it was given up with another.
fn add(hits: &mut Vec<Hit>, hit: Hit) {
    match hits.iter_mut().find(|known| known.place == hit.place) {
        Some(known) => known.given_up &= hit.given_up,
        None => hits.push(hit),
    }
}

/// Whether no permit rule matches. It is denied if any of them says so (FW-29b). `listed`: what they see instead of the line of parameters.
fn not_permitted<'r>(
    filter: &'r UrlFilter,
    head: &Head<'_>,
    body: Option<&mut Body<'_>>,
    listed: Option<Option<&[u8]>>,
    budgets: &mut Budgets,
) -> Option<Finding<'r>> {
    let rules = &filter.rules;
    let mut given_up = false;
    let mut permits = |uri: &[u8]| {
        let mut hits = Vec::new();
        rules.matching(Kind::Permit, &[uri], budgets, &mut hits);
        given_up |= hits.iter().any(|hit| hit.given_up);
        hits.iter().any(|hit| !hit.given_up)
    };
    let permitted = match (body.filter(|_| filter.permit_body == Some(true)), listed) {
        // There is more in it than is known.
        (Some(body), _) if body.is_unknown() => false,
        (Some(_), Some(listed)) => head.uris(listed).is_some_and(|uris| uris.iter().all(|uri| permits(uri))),
        (Some(body), None) if body.has_line() => head.paths().is_some_and(|paths| paths.iter().all(|path| body.uri(path).is_some_and(&mut permits))),
        (Some(_), None) => head.uris(None).is_some_and(|uris| uris.iter().all(|uri| permits(uri))),
        (None, _) => head.uris(head.decoded_query()).is_some_and(|uris| uris.iter().all(|uri| permits(uri))),
    };
    if permitted {
        return None;
    }
    let denies = rules.iter().any(|rule| rule.kind == Kind::Permit && rule.action == Action::Deny);
    Some(Finding::NotPermitted { action: if denies { Action::Deny } else { Action::Log }, given_up })
}
