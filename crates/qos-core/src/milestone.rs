//! `QS_MileStone`: pages that a client may ask for only in their order, and not too fast (request-event.md section 15).

use crate::filter::decode;
use crate::pattern::{Match, Pattern};
use crate::pattern_set::PatternSet;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The name of the cookie that says how far a client got.
pub const COOKIE: &str = "QSSCD";
/// `QS_MileStoneTimeout` where it is not given, seconds.
pub const TIMEOUT: u32 = 3600;

/// A milestone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// Looked for in the decoded line of the request.
    pub pattern: Pattern,
    /// Who comes too early is denied; otherwise this is only logged.
    pub deny: bool,
    /// How long a client takes at least from the milestone before to this one, seconds.
    pub think_time: Option<u32>,
}

/// The milestones of a server in their order.
#[derive(Clone, Default)]
pub struct Milestones {
    list: Vec<Milestone>,
    patterns: PatternSet,
}

/// How far a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The milestone, from 0.
    pub index: u32,
    /// When, seconds since 1970.
    pub at: i64,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Milestones before it were not reached; the last one that was (047).
    Skipped(Option<u32>),
    /// The client took so many seconds instead of the think time (147).
    TooEarly(i64, u32),
    /// Its pattern was given up at the match limit: nobody knows whether it matches (047, W37).
    GivenUp,
}

/// A violation of a milestone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The milestone's place, from 0.
    pub index: u32,
    /// The milestone.
    pub milestone: &'a Milestone,
    /// What is wrong.
    pub violation: Violation,
}

/// What milestones say about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// What is wrong, at most one of each kind. Behind one that denies there is no other.
    pub found: Vec<Found<'a>>,
    /// The request is denied.
    pub denied: bool,
    /// The client has reached this milestone now.
    pub reached: Option<u32>,
}

impl Milestones {
    /// In their order.
    #[must_use]
    pub fn new(list: &[Milestone]) -> Milestones {
        Milestones { list: list.to_vec(), patterns: PatternSet::new(list.iter().map(|milestone| milestone.pattern.clone()).collect()) }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Tells these milestones from others: what was reached with another list is worth nothing here.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for milestone in &self.list {
            hash.update(milestone.pattern.text().as_bytes());
            hash.update([0]);
        }
        hash.finalize().into()
    }

    /// The index that a token carries.
    #[must_use]
    pub fn index(&self, data: &[u8]) -> Option<u32> {
        let (index, _) = data.split_first_chunk::<4>().filter(|(_, rest)| rest.is_empty())?;
        let index = u32::from_be_bytes(*index);
        (usize::try_from(index).ok()? < self.list.len()).then_some(index)
    }

    /// Judges a request by the decoded line as it came, and as it is served ([`served_line`]): both have to pass, and what was reached is what is served.
    /// Otherwise `//page` or `/x/../page` would evade a pattern, or reach a milestone without visiting it (W09).
    #[must_use]
    pub fn judge_both(&self, came: &[u8], served: &[u8], reached: Option<Reached>, now: i64, log_only: bool) -> Verdict<'_> {
        let mut verdict = self.judge(served, reached, now, log_only);
        if came != served && !verdict.denied {
            let other = self.judge(came, reached, now, log_only);
            verdict.denied = other.denied;
            let new = other.found.into_iter().filter(|found| !verdict.found.contains(found)).collect::<Vec<_>>();
            verdict.found.extend(new);
            verdict.reached = verdict.reached.filter(|_| !other.denied);
        }
        verdict
    }

    /// Judges a request by its decoded line. `reached`: how far the client got, if that still counts; `now`: when the request came, seconds since 1970;
    /// `log_only`: violations are logged, not denied (`QS_LogOnly`, W22).
    #[must_use]
    pub fn judge(&self, line: &[u8], reached: Option<Reached>, now: i64, log_only: bool) -> Verdict<'_> {
        let (mut verdict, mut first) = (Verdict::default(), None);
        self.patterns.judge(&[line], &mut |place, matched| {
            let (Some(milestone), Ok(index)) = (self.list.get(place), u32::try_from(place)) else { return };
            if first.is_some() || verdict.denied {
                return;
            }
            if matched == Match::Yes {
                first = Some((milestone, index));
            } else {
                // It may be another page than the one that is meant: no progress, and those behind it are asked.
                verdict.found.push(Found { index, milestone, violation: Violation::GivenUp });
                verdict.denied = milestone.deny && !log_only;
            }
        });
        let Some((milestone, index)) = first else { return verdict };
        let denies = milestone.deny && !log_only;
        let found = |violation| Found { index, milestone, violation };
        let next = reached.map_or(0, |reached| reached.index + 1);
        if index > next {
            verdict.found.push(found(Violation::Skipped(reached.map(|reached| reached.index))));
            if denies {
                return Verdict { denied: true, ..verdict };
            }
        }
        // Who has reached nothing has no time to look at (W36).
        if let (Some(least), Some(reached)) = (milestone.think_time, reached) {
            let took = now.saturating_sub(reached.at);
            if took < i64::from(least) {
                verdict.found.push(found(Violation::TooEarly(took, least)));
                if denies {
                    return Verdict { denied: true, ..verdict };
                }
            }
        }
        verdict.reached = (index >= next).then_some(index);
        verdict
    }
}

/// 047 and 147.
#[must_use]
pub fn message(found: &Found<'_>, log_only: bool, client: &str, id: &str) -> String {
    let Found { index, milestone, violation } = found;
    let action = if milestone.deny && !log_only { "deny" } else { "log only (pass milestone)" };
    let rest = format!("action={action}, c={client}, id={id}");
    let begin = format!("access denied, reached milestone '{index}' ({})", milestone.pattern.text());
    match violation {
        Violation::Skipped(reached) => {
            let reached = reached.map_or_else(|| "none".to_owned(), |reached| reached.to_string());
            format!("mod_qos(047): {begin}, user has already passed '{reached}', {rest}")
        }
        Violation::TooEarly(took, least) => format!("mod_qos(147): {begin}, earlier than expected (right after {took} instead of {least} seconds), {rest}"),
        Violation::GivenUp => format!("mod_qos(047): {begin}, match limit reached, limit=1, {rest}"),
    }
}

impl Violation {
    /// The number of its message.
    #[must_use]
    pub fn id(self) -> u16 {
        if matches!(self, Violation::TooEarly(..)) { 147 } else { 47 }
    }
}

/// The line of a request as patterns see it: `%HH` and `\xHH` decoded, `+` a blank; what is no valid escape stays.
#[must_use]
pub fn decode_line(line: &[u8]) -> Cow<'_, [u8]> {
    decode(line, false).bytes
}

/// The same line with the target as it is served: `path` as httpd maps it, decoded and without dot segments.
#[must_use]
pub fn served_line(line: &[u8], path: &[u8], query: Option<&[u8]>) -> Vec<u8> {
    let method = line.iter().position(|byte| *byte == b' ').and_then(|at| line.get(..at)).unwrap_or(line);
    let protocol = line.iter().rposition(|byte| *byte == b' ').and_then(|at| line.get(at + 1..)).filter(|text| text.starts_with(b"HTTP/"));
    let mut served = [method, b" "].concat();
    for byte in path {
        // httpd may have been told to leave double slashes (MergeSlashes); files do not know them.
        if !(*byte == b'/' && served.last() == Some(&b'/')) {
            served.push(if *byte == b'+' { b' ' } else { *byte });
        }
    }
    if let Some(query) = query {
        served.push(b'?');
        served.extend_from_slice(&decode_line(query));
    }
    if let Some(protocol) = protocol {
        served.push(b' ');
        served.extend_from_slice(protocol);
    }
    served
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Options;
    use proptest::prelude::*;

    fn milestone(deny: bool, pattern: &str, think_time: Option<u32>) -> Milestone {
        let pattern = Pattern::with(pattern.as_bytes(), Options { caseless: false, ..Pattern::OPTIONS }).unwrap();
        Milestone { pattern, deny, think_time }
    }

    /// Section 21, E12.
    fn example() -> Milestones {
        Milestones::new(&[milestone(true, "^GET /start", None), milestone(true, "^POST /form", Some(5)), milestone(false, "^GET /result", None)])
    }

    fn reached(index: u32, at: i64) -> Option<Reached> {
        Some(Reached { index, at })
    }

    #[test]
    fn e12_row_by_row() {
        let milestones = example();
        type Row<'a> = (&'a str, Option<Reached>, i64, &'a [Violation], bool, Option<u32>);
        let rows: [Row<'_>; 8] = [
            ("GET /form", None, 90, &[], false, None),
            ("POST /form", None, 90, &[Violation::Skipped(None)], true, None),
            ("GET /start", None, 100, &[], false, Some(0)),
            ("POST /form", reached(0, 100), 103, &[Violation::TooEarly(3, 5)], true, None),
            ("POST /form", reached(0, 100), 105, &[], false, Some(1)),
            ("GET /start", reached(1, 105), 110, &[], false, None),
            ("GET /result", None, 120, &[Violation::Skipped(None)], false, Some(2)),
            ("POST /form", reached(2, 120), 121, &[Violation::TooEarly(1, 5)], true, None),
        ];
        for (line, before, now, violations, denied, after) in rows {
            let verdict = milestones.judge(format!("{line} HTTP/1.1").as_bytes(), before, now, false);
            assert_eq!(verdict.found.iter().map(|found| found.violation).collect::<Vec<_>>(), violations, "{line} at {now}");
            assert_eq!((verdict.denied, verdict.reached), (denied, after), "{line} at {now}");
        }
    }

    #[test]
    fn e12_lines() {
        let milestones = example();
        let line = |line: &str, before, now, log_only| {
            let verdict = milestones.judge(line.as_bytes(), before, now, log_only);
            verdict.found.iter().map(|found| message(found, log_only, "192.0.2.7", "abc")).collect::<Vec<_>>()
        };
        assert_eq!(
            line("POST /form", None, 90, false),
            ["mod_qos(047): access denied, reached milestone '1' (^POST /form), user has already passed 'none', action=deny, c=192.0.2.7, id=abc"]
        );
        assert_eq!(
            line("GET /result", reached(0, 90), 90, false),
            [
                "mod_qos(047): access denied, reached milestone '2' (^GET /result), user has already passed '0', action=log only (pass milestone), c=192.0.2.7, id=abc"
            ]
        );
        assert_eq!(
            line("POST /form", reached(0, 100), 103, true),
            [
                "mod_qos(147): access denied, reached milestone '1' (^POST /form), earlier than expected (right after 3 instead of 5 seconds), action=log only (pass milestone), c=192.0.2.7, id=abc"
            ]
        );
    }

    /// W22: what is only logged is recorded, so that what follows is not reported too.
    #[test]
    fn log_only_records_what_was_reached() {
        let milestones = example();
        let verdict = milestones.judge(b"POST /form", reached(0, 100), 101, true);
        assert_eq!((verdict.found.len(), verdict.denied, verdict.reached), (1, false, Some(1)));
        let both = Milestones::new(&[milestone(true, "a", None), milestone(true, "b", None), milestone(false, "c", Some(9))]);
        let verdict = both.judge(b"c", reached(0, 100), 101, false);
        assert_eq!(verdict.found.iter().map(|found| found.violation).collect::<Vec<_>>(), [Violation::Skipped(Some(0)), Violation::TooEarly(1, 9)]);
        assert_eq!((verdict.denied, verdict.reached), (false, Some(2)));
    }

    /// W36: a new client can reach the first milestone whatever its think time.
    #[test]
    fn the_first_milestone_can_be_reached() {
        let milestones = Milestones::new(&[milestone(true, "^GET /start", Some(10))]);
        assert_eq!(milestones.judge(b"GET /start", None, 100, false), Verdict { found: Vec::new(), denied: false, reached: Some(0) });
        assert!(milestones.judge(b"GET /start", reached(0, 100), 109, false).denied);
    }

    /// W37: what takes too long is denied, and leads nowhere.
    #[test]
    fn a_pattern_that_is_given_up_denies() {
        let milestones = Milestones::new(&[milestone(true, "^GET /(a+)+\\1$", None)]);
        let line = [b"GET /", &[b'a'; 60][..], b"!"].concat();
        let verdict = milestones.judge(&line, reached(0, 1), 100, false);
        assert_eq!((verdict.found.len(), verdict.denied, verdict.reached), (1, true, None));
        assert_eq!(
            message(&verdict.found[0], false, "-", "-"),
            "mod_qos(047): access denied, reached milestone '0' (^GET /(a+)+\\1$), match limit reached, limit=1, action=deny, c=-, id=-"
        );
        assert!(!milestones.judge(&line, None, 100, true).denied);
    }

    /// W37: one that is only logged hides none behind it.
    #[test]
    fn a_pattern_that_is_given_up_hides_none() {
        let milestones = Milestones::new(&[milestone(false, "^GET /zz(a+)+\\1$", None), milestone(true, "^GET /zz.*page", None)]);
        let line = [b"GET /zz", &[b'a'; 60][..], b"/../page HTTP/1.1"].concat();
        let verdict = milestones.judge(&line, None, 100, false);
        assert_eq!(
            verdict.found.iter().map(|found| (found.index, found.violation)).collect::<Vec<_>>(),
            [(0, Violation::GivenUp), (1, Violation::Skipped(None))]
        );
        assert_eq!((verdict.denied, verdict.reached), (true, None));
    }

    #[test]
    fn other_spellings_of_a_page_are_the_page() {
        let milestones = Milestones::new(&[milestone(true, "^GET /start", None), milestone(true, "^GET /cart", None), milestone(true, "^GET /order", None)]);
        let judge = |line: &str, path: &str, reached| {
            let served = served_line(line.as_bytes(), path.as_bytes(), None);
            let verdict = milestones.judge_both(&decode_line(line.as_bytes()), &served, reached, 100, false);
            (verdict.denied, verdict.reached, verdict.found.len())
        };
        assert_eq!(judge("GET /order HTTP/1.1", "/order", None), (true, None, 1));
        assert_eq!(judge("GET //order HTTP/1.1", "/order", None), (true, None, 1));
        // What it begins with is not what is served, and is no progress.
        assert_eq!(judge("GET /start/../order HTTP/1.1", "/order", None), (true, None, 1));
        assert_eq!(judge("GET /start/../else HTTP/1.1", "/else", None), (false, None, 0));
        assert_eq!(judge("GET /cart/../else HTTP/1.1", "/else", None), (true, None, 1));
        assert_eq!(judge("GET http://h/start HTTP/1.1", "/start", None), (false, Some(0), 0));
        assert_eq!(judge("GET /start HTTP/1.1", "/start", None), (false, Some(0), 0));
    }

    #[test]
    fn lines_as_they_are_served() {
        let line =
            |line: &str, path: &str, query: Option<&str>| String::from_utf8(served_line(line.as_bytes(), path.as_bytes(), query.map(str::as_bytes))).unwrap();
        assert_eq!(line("GET //a%20b/./c?x=%41+1 HTTP/1.1", "/a b/c", Some("x=%41+1")), "GET /a b/c?x=A 1 HTTP/1.1");
        assert_eq!(line("GET /a+b HTTP/2.0", "//a+b", None), "GET /a b HTTP/2.0");
        assert_eq!(line("GET /a", "/a", None), "GET /a");
        // In ordinary spelling both are the same.
        assert_eq!(line("POST /form?a=1 HTTP/1.1", "/form", Some("a=1")).as_bytes(), decode_line(b"POST /form?a=1 HTTP/1.1").as_ref());
    }

    #[test]
    fn the_first_pattern_counts_and_tokens_belong_to_a_list() {
        let milestones = Milestones::new(&[milestone(true, "x", None), milestone(true, "x|y", None)]);
        assert_eq!((milestones.judge(b"x", None, 1, false).reached, milestones.judge(b"y", None, 1, false).reached), (Some(0), None));
        assert_eq!(
            (milestones.index(&[0, 0, 0, 1]), milestones.index(&[0, 0, 0, 2]), milestones.index(&[1]), milestones.index(b"")),
            (Some(1), None, None, None)
        );
        assert_ne!(milestones.digest(), example().digest());
        assert_eq!(example().digest(), example().digest());
    }

    #[test]
    fn lines_are_decoded_once() {
        for (line, decoded) in
            [("GET /a%20b+c HTTP/1.1", "GET /a b c HTTP/1.1"), ("\\x41%42\\X43", "AB\\X43"), ("%", "%"), ("%4", "%4"), ("%zz\\x4", "%zz\\x4"), ("%2541", "%41")]
        {
            assert_eq!(decode_line(line.as_bytes()).as_ref(), decoded.as_bytes(), "{line}");
        }
        assert_eq!(decode_line(b"%00%ff").as_ref(), b"\0\xff");
    }

    proptest! {
        /// No request without a token gets beyond the first milestone of a list that denies.
        #[test]
        fn nobody_skips(index in 0_u32..4, target in 0_usize..4, took in 0_i64..9) {
            let names = ["a", "b", "c", "d"];
            let milestones = Milestones::new(&names.map(|name| milestone(true, name, Some(3))));
            let verdict = milestones.judge(names[target].as_bytes(), reached(index, 100), 100 + took, false);
            let target = u32::try_from(target).unwrap();
            prop_assert_eq!(verdict.denied, target > index + 1 || took < 3);
            prop_assert_eq!(verdict.reached, (!verdict.denied && target == index + 1).then_some(target));
        }
    }
}
