//! Variables that tune a single request or its connection (section 17).

/// `QS_KeepAliveTimeout`, `QS_MaxKeepAliveRequests` and `QS_KeepAliveEnd` of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long the connection waits for the next request, seconds; 0: it does not.
    pub timeout: Option<u32>,
    /// Requests of the connection; 0: any number.
    pub requests: Option<u32>,
    /// The connection ends with the response.
    pub end: bool,
}

impl KeepAlive {
    /// Reads the values of the variables. Those that are no number, or negative, are ignored.
    #[must_use]
    pub fn read(timeout: Option<&[u8]>, requests: Option<&[u8]>, end: Option<&[u8]>) -> KeepAlive {
        KeepAlive { timeout: timeout.and_then(number), requests: requests.and_then(number), end: end.is_some() }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == KeepAlive::default()
    }

    /// What was found later, else what was found earlier.
    #[must_use]
    pub fn over(self, earlier: KeepAlive) -> KeepAlive {
        KeepAlive { timeout: self.timeout.or(earlier.timeout), requests: self.requests.or(earlier.requests), end: self.end || earlier.end }
    }

    /// Whether the connection ends with the response, whatever else.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.end || self.timeout == Some(0)
    }

    /// A time to wait that has to be applied, seconds.
    #[must_use]
    pub fn waits(&self) -> Option<u32> {
        self.timeout.filter(|seconds| *seconds > 0)
    }
}

/// `QS_Timeout`: seconds, more than 0.
#[must_use]
pub fn timeout(value: &[u8]) -> Option<u32> {
    lenient(value).filter(|seconds| *seconds > 0).and_then(|seconds| u32::try_from(seconds).ok()).map(|seconds| seconds.min(LONGEST))
}

/// `QS_Set_DSCP`: digits alone, 0 to 63, as the byte of the IP header (W41).
#[must_use]
pub fn service(value: &[u8]) -> Option<u8> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    lenient(value).filter(|number| digits && *number <= 63).and_then(|number| u8::try_from(number * 4).ok())
}

/// 037: the MPM decides alone how long a connection waits.
#[must_use]
pub fn not_supported() -> String {
    "mod_qos(037): QS_KeepAliveTimeout is not supported by the event MPM, its own KeepAliveTimeout applies (only the value 0 has effect)".to_owned()
}

/// 038. `result`: what the system call returned, `None` where it was not attempted.
#[must_use]
pub fn service_not_set(value: &str, socket: bool, result: Option<i32>, unique_id: &str) -> String {
    let socket = if socket { "yes" } else { "no" };
    format!("mod_qos(038): DSCP, failed to set socket options, QS_Set_DSCP={value}, socket={socket}, rc={}, id={unique_id}", result.unwrap_or(-2))
}

/// Longest time, seconds: httpd counts microseconds.
const LONGEST: u32 = i32::MAX as u32;

/// More than 0, or 0 where the text begins with it.
fn number(value: &[u8]) -> Option<u32> {
    let number = lenient(value).filter(|number| *number > 0 || value.first() == Some(&b'0'))?;
    u32::try_from(number).ok().map(|number| number.min(LONGEST))
}

/// Blanks, a sign, digits, and anything (section 1); what is too large stays at a number that is large enough. 0 without digits.
fn lenient(value: &[u8]) -> Option<i64> {
    let text = value.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(i64::from(LONGEST)));
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_leniently() {
        for (text, expected) in [
            ("12", Some(12)),
            (" 12s", Some(12)),
            ("+3", Some(3)),
            ("0", Some(0)),
            ("0x", Some(0)),
            ("00", Some(0)),
            (" 0", None),
            ("", None),
            ("-1", None),
            ("-0", None),
            ("yes", None),
            ("99999999999999999999", Some(LONGEST)),
        ] {
            assert_eq!(KeepAlive::read(Some(text.as_bytes()), None, None).timeout, expected, "{text}");
            assert_eq!(KeepAlive::read(None, Some(text.as_bytes()), None).requests, expected, "{text}");
            assert_eq!(timeout(text.as_bytes()), expected.filter(|seconds| *seconds > 0), "{text}");
        }
    }

    #[test]
    fn what_ends_a_connection() {
        let read = |timeout: Option<&str>, end: Option<&str>| KeepAlive::read(timeout.map(str::as_bytes), None, end.map(str::as_bytes));
        assert!(read(Some("0"), None).closes() && read(None, Some("")).closes() && read(Some("5"), Some("no")).closes());
        assert!(!read(Some("5"), None).closes() && read(Some("-5"), None).is_empty());
        assert_eq!(read(Some("5"), None).waits(), Some(5));
        assert_eq!(read(None, None).over(read(Some("5"), Some(""))), read(Some("5"), Some("")));
        assert_eq!(read(Some("7"), None).over(read(Some("5"), None)).timeout, Some(7));
    }

    /// W41.
    #[test]
    fn a_service_is_a_number_from_0_to_63() {
        for (text, expected) in [("0", Some(0)), ("46", Some(184)), ("63", Some(252)), ("007", Some(28))] {
            assert_eq!(service(text.as_bytes()), expected, "{text}");
        }
        for text in ["64", "-1", "", "af", "46 ", " 46", "+46", "46x", "99999999999999999999", "0x10"] {
            assert_eq!(service(text.as_bytes()), None, "{text}");
        }
        assert!(service_not_set("af", false, None, "x").ends_with("QS_Set_DSCP=af, socket=no, rc=-2, id=x"));
        assert!(service_not_set("1", true, Some(-1), "x").ends_with("QS_Set_DSCP=1, socket=yes, rc=-1, id=x"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in prop::collection::vec(any::<u8>(), 0..30)) {
            let keep_alive = KeepAlive::read(Some(&text), Some(&text), None);
            prop_assert_eq!(keep_alive.timeout, keep_alive.requests);
            let _ = (timeout(&text), service(&text));
        }
    }
}
