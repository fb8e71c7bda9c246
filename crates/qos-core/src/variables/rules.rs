//! The rules that set variables. Each function evaluates one rule and says whether it set or removed something.

use super::compare::Operator;
use super::template::Template;
use super::{Environment, MOST_BYTES, Reason, Target, Trouble};
use crate::pattern::{Match, Pattern};
use std::ffi::CString;

/// `QS_SetEnvIf` (section 10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetEnvIf {
    /// Two conditions; the value is literal.
    Both([Condition; 2], Target),
    /// The value of a variable matches.
    Matches(CString, Pattern, Target),
}

/// A variable that has to be set, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The variable.
    pub variable: CString,
    /// `true`: set.
    pub set: bool,
}

/// `QS_SetEnvIfQuery`, `QS_SetEnvIfParp`, `QS_SetEnvIfBody` (sections 10.2 to 10.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEnvIfQuery {
    /// Looked for in query, parameters or body as they came.
    pub pattern: Pattern,
    /// What is set.
    pub target: Target,
}

/// `QS_SetEnvIfCmp` (section 10.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEnvIfCmp {
    /// The variables that are compared; both have to be set.
    pub variables: [CString; 2],
    /// How.
    pub operator: Operator,
    /// What is set; the value is literal.
    pub target: Target,
}

/// `QS_SetEnv` (section 10.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEnv {
    /// The variable.
    pub variable: CString,
    /// The value as configured.
    pub text: Vec<u8>,
    /// The value in pieces.
    pub pieces: Vec<Piece>,
}

/// A piece of the value of `QS_SetEnv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(Vec<u8>),
    /// The value of a variable: inserted and not read again (W20).
    Variable(CString),
}

/// `QS_SetEnvRes` (section 10.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEnvRes {
    /// The variable that has to match.
    pub variable: CString,
    /// What it has to match.
    pub pattern: Pattern,
    /// What is set.
    pub target: Target,
}

impl SetEnvIf {
    /// Evaluates the rule.
    pub fn apply(&self, environment: &mut impl Environment) -> bool {
        match self {
            SetEnvIf::Both(conditions, target) => {
                conditions.iter().all(|condition| environment.get(&condition.variable).is_some() == condition.set)
                    && carry_out(environment, "QS_SetEnvIf", target, Verdict::Literal)
            }
            SetEnvIf::Matches(variable, pattern, target) => {
                let Some(verdict) = environment.get(variable).map(|value| judge(pattern, target, value)) else { return false };
                carry_out(environment, "QS_SetEnvIf", target, verdict)
            }
        }
    }
}

impl SetEnvIfQuery {
    /// Evaluates the rule for a query as it came.
    pub fn apply(&self, environment: &mut impl Environment, query: &[u8]) -> bool {
        self.apply_as("QS_SetEnvIfQuery", environment, query)
    }

    /// Evaluates a rule of that directive. Groups are those of the one match (W19, filters.md FW-35).
    pub fn apply_as(&self, directive: &'static str, environment: &mut impl Environment, subject: &[u8]) -> bool {
        carry_out(environment, directive, &self.target, judge(&self.pattern, &self.target, subject))
    }
}

impl SetEnvIfCmp {
    /// Evaluates the rule.
    pub fn apply(&self, environment: &mut impl Environment) -> bool {
        let [first, second] = &self.variables;
        let holds = match (environment.get(first), environment.get(second)) {
            (Some(first), Some(second)) => self.operator.holds(first, second),
            _ => false,
        };
        holds && carry_out(environment, "QS_SetEnvIfCmp", &self.target, Verdict::Literal)
    }
}

impl SetEnvRes {
    /// Evaluates the rule.
    pub fn apply(&self, environment: &mut impl Environment) -> bool {
        let Some(verdict) = environment.get(&self.variable).map(|value| judge(&self.pattern, &self.target, value)) else { return false };
        carry_out(environment, "QS_SetEnvRes", &self.target, verdict)
    }
}

impl SetEnv {
    /// Reads a value with `${name}` in it. `None`: a `${` has no end, or a NUL is there.
    #[must_use]
    pub fn new(variable: CString, text: &[u8]) -> Option<SetEnv> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(begin) = rest.windows(2).position(|two| two == b"${") {
            let (before, behind) = (rest.get(..begin)?, rest.get(begin + 2..)?);
            let end = behind.iter().position(|byte| *byte == b'}')?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_vec()));
            }
            pieces.push(Piece::Variable(CString::new(behind.get(..end)?).ok()?));
            rest = behind.get(end + 1..)?;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_vec()));
        }
        (!text.contains(&0)).then(|| SetEnv { variable, text: text.to_vec(), pieces })
    }

    /// Evaluates the rule: one pass over the configured text; nothing is set where a variable is missing or the value is empty.
    pub fn apply(&self, environment: &mut impl Environment) -> bool {
        if self.pieces.iter().any(|piece| matches!(piece, Piece::Variable(name) if environment.get(name).is_none())) {
            return false;
        }
        let mut value = Vec::new();
        for piece in &self.pieces {
            let inserted = match piece {
                Piece::Text(text) => text,
                Piece::Variable(name) => environment.get(name).unwrap_or_default(),
            };
            if value.len() + inserted.len() > MOST_BYTES {
                environment.trouble(&Trouble { directive: "QS_SetEnv", name: &self.variable, reason: Reason::TooLong });
                return false;
            }
            value.extend_from_slice(inserted);
        }
        if value.is_empty() {
            return false;
        }
        environment.set(&self.variable, &value);
        true
    }
}

/// `QS_SetEnvIfResBody`: the text was found (section 10.8).
pub fn text_found(environment: &mut impl Environment, target: &Target) -> bool {
    carry_out(environment, "QS_SetEnvIfResBody", target, Verdict::Literal)
}

/// What a match leads to.
enum Verdict {
    /// Nothing matches.
    Nothing,
    /// The target with its literal value, or its removal.
    Literal,
    /// The target with this value.
    Value(Vec<u8>),
    /// The rule did not act.
    Trouble(Reason),
}

/// Matches a subject; makes the value of the target.
fn judge(pattern: &Pattern, target: &Target, subject: &[u8]) -> Verdict {
    let Some(template) = target.value.as_ref().filter(|template| template.literal().is_none()) else {
        return match pattern.matches(subject) {
            Match::Yes => Verdict::Literal,
            Match::No => Verdict::Nothing,
            Match::GivenUp => Verdict::Trouble(Reason::GivenUp),
        };
    };
    match pattern.groups(subject) {
        Ok(Some(groups)) => template.fill(&groups).map_or(Verdict::Trouble(Reason::TooLong), Verdict::Value),
        Ok(None) => Verdict::Nothing,
        Err(_) => Verdict::Trouble(Reason::GivenUp),
    }
}

/// Sets or removes the target; says whether it did.
fn carry_out(environment: &mut impl Environment, directive: &'static str, target: &Target, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Nothing => return false,
        Verdict::Trouble(reason) => {
            environment.trouble(&Trouble { directive, name: &target.variable, reason });
            return false;
        }
        Verdict::Value(value) => environment.set(&target.variable, &value),
        Verdict::Literal => match target.value.as_ref().map(Template::literal) {
            Some(Some(value)) => environment.set_literal(&target.variable, value),
            Some(None) => return false,
            None => environment.unset(&target.variable),
        },
    }
    true
}
