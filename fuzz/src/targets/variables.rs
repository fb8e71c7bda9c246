//! Values with groups of a match in them, comparisons, and variables that tune a request.

use crate::environment::Variables;
use crate::input::first;
use qos_core::pattern::{Options, Pattern};
use qos_core::variables::compare::{Operator, compare};
use qos_core::variables::rules::SetEnv;
use qos_core::variables::template::Template;
use qos_core::variables::tuning::{KeepAlive, service, timeout};
use qos_core::variables::{Environment, MOST_BYTES};
use std::cmp::Ordering;

pub fn run(data: &[u8]) {
    let (one, rest) = first(data);
    let (two, three) = first(rest);

    if let (Some(template), Ok(pattern)) = (Template::new(one), Pattern::with(two, Options::default())) {
        if let Ok(Some(groups)) = pattern.groups(three) {
            assert!(template.fill(&groups).is_none_or(|value| value.len() <= MOST_BYTES));
            let literal = template.literal().map(|value| value.to_bytes().to_vec());
            assert!(literal.is_none() || literal == template.fill(&groups));
        }
    }

    assert_eq!(compare(one, two), compare(two, one).reverse());
    assert_eq!(compare(one, one), Ordering::Equal);
    if compare(one, two) == Ordering::Less && compare(two, three) == Ordering::Less && numbers([one, two, three]) {
        assert_eq!(compare(one, three), Ordering::Less);
    }
    assert_eq!(Operator::Eq.holds(one, two), !Operator::Ne.holds(one, two));

    if let Some(set) = SetEnv::new(c"NAME".into(), one) {
        assert!(set.pieces.len() <= one.len() + 1);
        let mut variables = Variables::default();
        variables.set(c"A", &two.repeat(8));
        assert_eq!(set.apply(&mut variables), variables.get(c"NAME").is_some());
    }
    let found = KeepAlive::read(Some(one), Some(two), None);
    assert!(found.over(KeepAlive::default()) == found && found.waits().is_none_or(|seconds| seconds > 0));
    assert!(timeout(one).is_none_or(|seconds| seconds > 0));
    assert!(service(one).is_none_or(|byte| byte <= 252 && byte % 4 == 0));
}

/// Numbers and texts are ordered each among themselves.
fn numbers(values: [&[u8]; 3]) -> bool {
    values.iter().all(|value| !value.is_empty() && value.iter().all(u8::is_ascii_digit))
}
