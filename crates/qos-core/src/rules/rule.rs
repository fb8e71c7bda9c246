//! One entry of the table of rules (request-event.md sections 6.1 and 9).

use crate::pattern::Pattern;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A prefix of the path.
    Literal,
    /// A pattern of path and query.
    Match,
    /// A pattern of path and query, for requests whose variable `QS_Cond` matches another pattern.
    Conditional,
    /// A variable: concurrent requests.
    EventRequest,
    /// A variable: requests per second.
    EventPerSecond,
    /// A variable: kbytes per second.
    EventKBytes,
}

impl Kind {
    /// Whether it looks at variables.
    #[must_use]
    pub fn is_event(self) -> bool {
        matches!(self, Kind::EventRequest | Kind::EventPerSecond | Kind::EventKBytes)
    }
}

/// A limit, and whether it is only logged (`QS_LogOnlyRule`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// The number: requests, requests per second or kbytes (1024 bytes) per second. 0: no limit, except for `QS_EventRequestLimit`.
    pub number: u32,
    /// What it would do is logged and counted, nothing is done.
    pub log_only: bool,
}

impl Limit {
    /// An enforced limit.
    #[must_use]
    pub fn of(number: u32) -> Limit {
        Limit { number, log_only: false }
    }
}

/// A rule. The limits that are written with the same location or pattern belong to one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it looks at.
    pub kind: Kind,
    /// Location, pattern or variable as it was written.
    pub text: Vec<u8>,
    /// What path and query, or the value of the variable, have to match.
    pub pattern: Option<Pattern>,
    /// What `QS_Cond` has to match.
    pub condition: Option<Pattern>,
    /// The variable of an event.
    pub variable: Vec<u8>,
    /// The variable has to be absent.
    pub negated: bool,
    /// Concurrent requests.
    pub concurrent: Option<Limit>,
    /// Requests per second.
    pub per_second: Option<Limit>,
    /// Requests that may be delayed at a time, others are denied; `None`: any number.
    pub delayed: Option<u32>,
    /// Kbytes per second, 1024 bytes each.
    pub kbytes: Option<Limit>,
}

impl Rule {
    /// A rule without limits.
    #[must_use]
    pub fn new(kind: Kind, text: &[u8]) -> Rule {
        Rule {
            kind,
            text: text.to_vec(),
            pattern: None,
            condition: None,
            variable: Vec::new(),
            negated: false,
            concurrent: None,
            per_second: None,
            delayed: None,
            kbytes: None,
        }
    }

    /// The rule as logs and the viewer show it: variables of events stand in brackets that tell the kinds apart.
    #[must_use]
    pub fn shown(&self) -> Vec<u8> {
        let (open, close): (&[u8], &[u8]) = match self.kind {
            Kind::EventRequest => (b"var=(", b")"),
            Kind::EventPerSecond => (b"var=[", b"]"),
            Kind::EventKBytes => (b"var={", b"}"),
            _ => (b"", b""),
        };
        [open, &self.text, close].concat()
    }

    /// Whether both are the same entry of a table. Locations and patterns are told apart by case, names of variables are not (W04). A literal and a
    /// pattern of the same text are one entry.
    #[must_use]
    pub fn is_same(&self, other: &Rule) -> bool {
        let located = |kind: Kind| matches!(kind, Kind::Literal | Kind::Match);
        if located(self.kind) && located(other.kind) {
            return self.text == other.text;
        }
        self.kind == other.kind
            && match self.kind {
                Kind::EventRequest | Kind::EventPerSecond | Kind::EventKBytes => {
                    self.variable.eq_ignore_ascii_case(&other.variable) && self.pattern == other.pattern && self.negated == other.negated
                }
                _ => self.text == other.text,
            }
    }

    /// The limit of concurrent requests, if there is one: 0 is none for a location.
    #[must_use]
    pub fn concurrent_limit(&self) -> Option<Limit> {
        self.concurrent.filter(|limit| limit.number > 0 || self.kind == Kind::EventRequest)
    }

    /// Whether the value of its variable makes a request an event of this rule.
    #[must_use]
    pub fn applies(&self, value: Option<&[u8]>) -> bool {
        match (value, &self.pattern) {
            (value, _) if self.negated => value.is_none(),
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(pattern)) => pattern.may_match(value),
        }
    }
}

/// A virtual host's table: its own rules, then the inherited ones that it does not define itself.
#[must_use]
pub fn merge(base: &[Rule], own: &[Rule]) -> Vec<Rule> {
    let inherited = base.iter().filter(|rule| !own.iter().any(|other| other.is_same(rule)));
    own.iter().chain(inherited).cloned().collect()
}

/// A directive that defines rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the directives")]
pub enum RuleDirective {
    LocRequestLimit,
    LocRequestLimitDefault,
    LocRequestLimitMatch,
    LocRequestPerSecLimit,
    LocRequestPerSecLimitMatch,
    LocKBytesPerSecLimit,
    LocKBytesPerSecLimitMatch,
    CondLocRequestLimitMatch,
    EventRequestLimit,
    EventPerSecLimit,
    EventKBytesPerSecLimit,
    EventLimitCount,
    CondEventLimitCount,
}

impl RuleDirective {
    /// All of them.
    pub const ALL: [RuleDirective; 13] = [
        RuleDirective::LocRequestLimit,
        RuleDirective::LocRequestLimitDefault,
        RuleDirective::LocRequestLimitMatch,
        RuleDirective::LocRequestPerSecLimit,
        RuleDirective::LocRequestPerSecLimitMatch,
        RuleDirective::LocKBytesPerSecLimit,
        RuleDirective::LocKBytesPerSecLimitMatch,
        RuleDirective::CondLocRequestLimitMatch,
        RuleDirective::EventRequestLimit,
        RuleDirective::EventPerSecLimit,
        RuleDirective::EventKBytesPerSecLimit,
        RuleDirective::EventLimitCount,
        RuleDirective::CondEventLimitCount,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RuleDirective::LocRequestLimit => "QS_LocRequestLimit",
            RuleDirective::LocRequestLimitDefault => "QS_LocRequestLimitDefault",
            RuleDirective::LocRequestLimitMatch => "QS_LocRequestLimitMatch",
            RuleDirective::LocRequestPerSecLimit => "QS_LocRequestPerSecLimit",
            RuleDirective::LocRequestPerSecLimitMatch => "QS_LocRequestPerSecLimitMatch",
            RuleDirective::LocKBytesPerSecLimit => "QS_LocKBytesPerSecLimit",
            RuleDirective::LocKBytesPerSecLimitMatch => "QS_LocKBytesPerSecLimitMatch",
            RuleDirective::CondLocRequestLimitMatch => "QS_CondLocRequestLimitMatch",
            RuleDirective::EventRequestLimit => "QS_EventRequestLimit",
            RuleDirective::EventPerSecLimit => "QS_EventPerSecLimit",
            RuleDirective::EventKBytesPerSecLimit => "QS_EventKBytesPerSecLimit",
            RuleDirective::EventLimitCount => "QS_EventLimitCount",
            RuleDirective::CondEventLimitCount => "QS_CondEventLimitCount",
        }
    }

    /// The limit of a rule that this directive sets; `None`: the rule is not of its kind, or has no such limit.
    fn limit(self, rule: &mut Rule) -> Option<&mut Limit> {
        use RuleDirective as D;
        let kind = match self {
            D::LocRequestLimit | D::LocRequestLimitDefault | D::LocRequestPerSecLimit | D::LocKBytesPerSecLimit => Kind::Literal,
            D::LocRequestLimitMatch | D::LocRequestPerSecLimitMatch | D::LocKBytesPerSecLimitMatch => Kind::Match,
            D::CondLocRequestLimitMatch => Kind::Conditional,
            D::EventRequestLimit => Kind::EventRequest,
            D::EventPerSecLimit => Kind::EventPerSecond,
            D::EventKBytesPerSecLimit => Kind::EventKBytes,
            D::EventLimitCount | D::CondEventLimitCount => return None,
        };
        if rule.kind != kind || (self == D::LocRequestLimitDefault && rule.text != b"/") {
            return None;
        }
        match self {
            D::LocRequestPerSecLimit | D::LocRequestPerSecLimitMatch | D::EventPerSecLimit => rule.per_second.as_mut(),
            D::LocKBytesPerSecLimit | D::LocKBytesPerSecLimitMatch | D::EventKBytesPerSecLimit => rule.kbytes.as_mut(),
            _ => rule.concurrent.as_mut(),
        }
    }
}

/// `QS_LogOnlyRule`: rules that are not enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOnly {
    /// The directive that defines them.
    pub directive: RuleDirective,
    /// The first argument of the rule meant; `None`: all rules of the directive.
    pub argument: Option<Vec<u8>>,
    /// It stands in the main server and was inherited.
    pub inherited: bool,
}

impl LogOnly {
    /// Marks what it names; says how many limits that are.
    pub fn apply(&self, rules: &mut [Rule], counts: &mut [super::EventCountRule]) -> usize {
        let named = |text: &[u8], ignore_case: bool| match &self.argument {
            None => true,
            Some(argument) if ignore_case => argument.eq_ignore_ascii_case(text),
            Some(argument) => argument == text,
        };
        let mut marked = 0;
        for rule in rules {
            if named(&rule.text, rule.kind.is_event() && rule.pattern.is_none()) {
                if let Some(limit) = self.directive.limit(rule) {
                    limit.log_only = true;
                    marked += 1;
                }
            }
        }
        for count in counts {
            let directive = if count.condition.is_some() { RuleDirective::CondEventLimitCount } else { RuleDirective::EventLimitCount };
            if directive == self.directive && named(count.variable.to_bytes(), true) {
                count.log_only = true;
                marked += 1;
            }
        }
        marked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: Kind, text: &str) -> Rule {
        Rule { variable: text.as_bytes().to_vec(), ..Rule::new(kind, text.as_bytes()) }
    }

    #[test]
    fn names_of_variables_are_told_apart_without_case_and_locations_with() {
        assert!(rule(Kind::Literal, "/a").is_same(&rule(Kind::Match, "/a")));
        assert!(!rule(Kind::Literal, "/a").is_same(&rule(Kind::Literal, "/A")));
        assert!(!rule(Kind::Conditional, "/a").is_same(&rule(Kind::Match, "/a")));
        assert!(rule(Kind::EventRequest, "Kind").is_same(&rule(Kind::EventRequest, "KIND")));
        assert!(!rule(Kind::EventRequest, "Kind").is_same(&rule(Kind::EventPerSecond, "Kind")));
    }

    #[test]
    fn a_host_has_its_own_rules_first() {
        let merged = merge(&[rule(Kind::Literal, "/a"), rule(Kind::Literal, "/b")], &[rule(Kind::Literal, "/b"), rule(Kind::Literal, "/c")]);
        assert_eq!(merged.iter().map(|rule| rule.text.as_slice()).collect::<Vec<_>>(), [b"/b", b"/c", b"/a"]);
    }

    #[test]
    fn events_are_told_by_presence_value_or_absence() {
        let mut event = rule(Kind::EventRequest, "KIND");
        assert!(event.applies(Some(b"")) && !event.applies(None));
        event.pattern = Pattern::new(b"^slow$").ok();
        assert!(event.applies(Some(b"slow")) && !event.applies(Some(b"slower")) && !event.applies(None));
        let absent = Rule { negated: true, ..rule(Kind::EventPerSecond, "X") };
        assert!(absent.applies(None) && !absent.applies(Some(b"")));
    }

    #[test]
    fn a_limit_can_be_put_in_log_only_mode() {
        let mut rules = [rule(Kind::Literal, "/a"), rule(Kind::Literal, "/b"), rule(Kind::Match, "/a")];
        for rule in &mut rules {
            rule.concurrent = Some(Limit::of(5));
            rule.per_second = Some(Limit::of(5));
        }
        let mark = |directive, argument: Option<&str>| LogOnly { directive, argument: argument.map(|text| text.as_bytes().to_vec()), inherited: false };
        assert_eq!(mark(RuleDirective::LocRequestLimit, Some("/a")).apply(&mut rules, &mut []), 1);
        assert_eq!(mark(RuleDirective::LocRequestPerSecLimitMatch, None).apply(&mut rules, &mut []), 1);
        assert_eq!(mark(RuleDirective::LocKBytesPerSecLimit, None).apply(&mut rules, &mut []), 0);
        let marks = rules.map(|rule| (rule.concurrent.unwrap().log_only, rule.per_second.unwrap().log_only));
        assert_eq!(marks, [(true, false), (false, false), (false, true)]);
    }
}
