//! `QS_LimitRequestBody` (filters.md section 9.1).

/// What the head of a request says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The length is announced and allowed, or there is no body.
    Pass,
    /// The length is not known: count what arrives.
    Count,
    /// 044 and 413.
    TooLarge {
        /// The announced length.
        length: u64,
    },
    /// 044 without numbers and 413: the announced length is not one.
    Unusable,
}

/// A whole decimal number, else `None` (FW-21b).
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// The limit in force: the variable if it is a number, else the location's, else the server's.
#[must_use]
pub fn limit(variable: Option<&[u8]>, location: Option<u64>, server: Option<u64>) -> Option<u64> {
    variable.and_then(decimal).or(location).or(server)
}

/// Judges the announced length against the limit; equal is allowed.
#[must_use]
pub fn judge(limit: u64, content_length: Option<&[u8]>) -> Verdict {
    match content_length {
        None => Verdict::Count,
        Some(text) => match decimal(text) {
            None => Verdict::Unusable,
            Some(length) if length > limit => Verdict::TooLarge { length },
            Some(_) => Verdict::Pass,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// filters.md section 16.5, L1 to L4 and L9 to L12.
    #[test]
    fn lengths_and_limits() {
        assert_eq!(judge(1000, Some(b"1000")), Verdict::Pass);
        assert_eq!(judge(1000, Some(b"1001")), Verdict::TooLarge { length: 1001 });
        assert_eq!(judge(0, Some(b"0")), Verdict::Pass);
        assert_eq!(judge(0, Some(b"1")), Verdict::TooLarge { length: 1 });
        assert_eq!(judge(9, None), Verdict::Count);
        for bad in ["-1", "", "010x", "99999999999999999999", "+1", " 1"] {
            assert_eq!(judge(1000, Some(bad.as_bytes())), Verdict::Unusable, "{bad:?}");
        }
        assert_eq!(judge(9, Some(b"010")), Verdict::TooLarge { length: 10 });
    }

    #[test]
    fn the_variable_wins_if_it_is_a_number() {
        assert_eq!(limit(Some(b"10"), None, Some(1000)), Some(10));
        assert_eq!(limit(Some(b"5000"), Some(20), Some(1000)), Some(5000));
        assert_eq!(limit(Some(b"-1"), None, Some(1000)), Some(1000));
        assert_eq!(limit(Some(b"abc"), Some(20), Some(1000)), Some(20));
        assert_eq!(limit(Some(b""), None, None), None);
    }
}
