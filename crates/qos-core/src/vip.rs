//! VIPs: users whom an application names, and the session by which they are known again (request-event.md section 13).

use crate::pattern::{Match, Pattern};
use crate::token::{Keys, Opened, Refused};
use crate::variables::Headers;
use std::ffi::CString;

/// `QS_SessionTimeout` where it is not given, seconds.
pub const TIMEOUT: u32 = 3600;
/// `QS_SessionCookieName` where it is not given.
pub const COOKIE: &str = "MODQOS";
/// `QS_SessionCookiePath` where it is not given.
pub const PATH: &str = "/";

/// `QS_VipHeaderName`, `QS_VipIPHeaderName`: a header of a response that names a VIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipHeader {
    /// Its name.
    pub name: CString,
    /// What its value has to match; `None`: any.
    pub pattern: Option<Pattern>,
    /// Clients do not see it.
    pub drop: bool,
}

impl VipHeader {
    /// Whether the headers of a response name a VIP. A pattern that is given up at the match limit names nobody. Drops the header if that is wanted, whatever
    /// its value is (W32).
    pub fn look(&self, headers: &mut impl Headers) -> bool {
        let names = |value: &[u8]| self.pattern.as_ref().is_none_or(|pattern| pattern.matches(value) == Match::Yes);
        let found = headers.find(&self.name, &mut |value| names(value)).is_some();
        if self.drop {
            headers.unset(&self.name);
        }
        found
    }
}

/// Whether one of the values of the session cookie is a session. The first one that is counts; without any, the first problem does.
///
/// `timeout`: `QS_SessionTimeout` as it is now; a session ends by it even where it was made to last longer.
///
/// # Errors
/// [`Refused`]
pub fn session(values: &[&[u8]], keys: &Keys, now: i64, timeout: u32) -> Result<(), Refused> {
    let judge = |value: &&[u8]| match keys.open(value, now, None)? {
        Opened { data, .. } if !data.is_empty() => Err(Refused::Unusable),
        Opened { issued, .. } if now > issued.saturating_add(i64::from(timeout)) => Err(Refused::Expired),
        _ => Ok(()),
    };
    let mut problem = Refused::Unusable;
    for (n, value) in values.iter().enumerate() {
        match judge(value) {
            Ok(()) => return Ok(()),
            Err(refused) if n == 0 => problem = refused,
            Err(_) => {}
        }
    }
    Err(problem)
}

/// 021 and 023.
#[must_use]
pub fn refused(refused: Refused, client: &str, id: &str) -> String {
    let (number, reason) = match refused {
        Refused::Unusable => ("021", "decoding failed"),
        Refused::Expired => ("023", "expired"),
    };
    format!("mod_qos({number}): session cookie verification failed, {reason}, c={client}, id={id}")
}

/// 025.
#[must_use]
pub fn not_created(client: &str, id: &str) -> String {
    format!("mod_qos(025): failed to create session cookie, c={client}, id={id}")
}

/// The number of the message about a refused session.
#[must_use]
pub fn refused_id(refused: Refused) -> u16 {
    match refused {
        Refused::Unusable => 21,
        Refused::Expired => 23,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{NONCE_BYTES, Purpose, Secret};
    use std::ffi::CStr;

    const NOW: i64 = 1_795_600_000;

    #[derive(Default)]
    struct Table(Vec<(&'static str, &'static str)>);

    impl Headers for Table {
        fn find(&self, name: &CStr, accept: &mut dyn FnMut(&[u8]) -> bool) -> Option<&[u8]> {
            let named = |key: &str| key.eq_ignore_ascii_case(name.to_str().unwrap());
            self.0.iter().filter(|(key, _)| named(key)).map(|(_, value)| value.as_bytes()).find(|value| accept(value))
        }

        fn set(&mut self, _name: &CStr, _value: &[u8]) {}

        fn unset(&mut self, name: &CStr) {
            self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name.to_str().unwrap()));
        }
    }

    fn look(pattern: Option<&str>, drop: bool, headers: &[(&'static str, &'static str)]) -> (bool, usize) {
        let rule = VipHeader { name: c"X-Priv".to_owned(), pattern: pattern.map(|text| Pattern::new(text.as_bytes()).unwrap()), drop };
        let mut table = Table(headers.to_vec());
        (rule.look(&mut table), table.0.len())
    }

    #[test]
    fn a_header_names_a_vip_and_is_dropped_in_any_case() {
        assert_eq!(look(None, false, &[("x-priv", "")]), (true, 1));
        assert_eq!(look(Some("^gold$"), true, &[("X-Priv", "gold"), ("A", "b")]), (true, 1));
        assert_eq!(look(Some("^gold$"), true, &[("X-Priv", "silver")]), (false, 0));
        assert_eq!(look(Some("^gold$"), false, &[("X-Priv", "silver"), ("X-Priv", "gold")]), (true, 2));
        assert_eq!(look(Some("^gold$"), false, &[("X-Priv", "GOLD")]), (false, 1));
        assert_eq!(look(Some("^gold$"), true, &[("Y", "gold")]), (false, 1));
    }

    fn keys(secret: &str) -> Keys {
        Keys::derive(Purpose::Session, b"MODQOS", &[Secret::new(secret.as_bytes())])
    }

    fn token(keys: &Keys, at: i64, data: &[u8]) -> String {
        keys.seal(&[7; NONCE_BYTES], at, 600, data, b"").unwrap()
    }

    #[test]
    fn the_last_second_of_a_session() {
        let keys = keys("secret");
        let token = token(&keys, NOW, b"");
        let at = |now: i64, timeout| session(&[token.as_bytes()], &keys, now, timeout);
        assert_eq!((at(NOW + 600, 600), at(NOW + 601, 600)), (Ok(()), Err(Refused::Expired)));
        // The directive was changed: what is shorter counts.
        assert_eq!((at(NOW + 30, 30), at(NOW + 31, 30), at(NOW + 601, 3600)), (Ok(()), Err(Refused::Expired), Err(Refused::Expired)));
    }

    #[test]
    fn one_of_several_cookies_is_enough() {
        let (keys, foreign) = (keys("secret"), keys("another"));
        let (good, old, bad) = (token(&keys, NOW, b""), token(&keys, NOW - 700, b""), token(&foreign, NOW, b""));
        let of = |values: &[&String]| session(&values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), &keys, NOW, 600);
        assert_eq!((of(&[&bad, &good]), of(&[&old, &bad]), of(&[&bad, &old])), (Ok(()), Err(Refused::Expired), Err(Refused::Unusable)));
        assert_eq!(session(&[token(&keys, NOW, b"x").as_bytes()], &keys, NOW, 600), Err(Refused::Unusable));
    }

    #[test]
    fn lines() {
        let (client, id) = ("192.0.2.7", "abc");
        assert_eq!(refused(Refused::Unusable, client, id), "mod_qos(021): session cookie verification failed, decoding failed, c=192.0.2.7, id=abc");
        assert_eq!(refused(Refused::Expired, client, id), "mod_qos(023): session cookie verification failed, expired, c=192.0.2.7, id=abc");
        assert_eq!(not_created(client, id), "mod_qos(025): failed to create session cookie, c=192.0.2.7, id=abc");
        assert_eq!((refused_id(Refused::Unusable), refused_id(Refused::Expired)), (21, 23));
    }
}
