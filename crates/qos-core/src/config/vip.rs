//! Directives about VIPs and their sessions (request-event.md section 13).

use super::directive::{Directive, Family, Outcome, Scope, Target, first, optional, required, server};
use super::value::{SECONDS, Wrong, name as usable_name, number32, pattern, wrong};
use crate::cookie::{is_attribute, is_name};
use crate::token::Secret;
use crate::vip::{COOKIE, PATH, TIMEOUT, VipHeader};

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_VipHeaderName",
        scope: Scope::Server,
        arguments: &[required("header[=pattern]"), optional("drop")],
        help: c"A response with this header (and a matching value) makes its client a VIP: it gets a session cookie, and its address is marked when the connection ends. drop: clients do not see the header.",
        read: vip_header_name,
    },
    Directive {
        name: c"QS_VipIPHeaderName",
        scope: Scope::Server,
        arguments: &[required("header[=pattern]"), optional("drop")],
        help: c"A response with this header (and a matching value) marks the address of its client as a VIP's when the connection ends; no session. drop: clients do not see the header.",
        read: vip_ip_header_name,
    },
    Directive {
        name: c"QS_VipUser",
        scope: Scope::Server,
        arguments: &[],
        help: c"Who has logged in (with a module of httpd) is a VIP: gets a session cookie, and its address is marked when the connection ends.",
        read: vip_user,
    },
    Directive {
        name: c"QS_VipIPUser",
        scope: Scope::Server,
        arguments: &[],
        help: c"The address of who has logged in (with a module of httpd) is marked as a VIP's when the connection ends; no session.",
        read: vip_ip_user,
    },
    Directive {
        name: c"QS_VipIPTimeout",
        scope: Scope::Global,
        arguments: &[required("seconds")],
        help: c"How long an address stays marked as a VIP's after it was marked last, in whole minutes (rounded up). Without it: until its entry is needed for another client, or the console's unsetvip.",
        read: vip_ip_timeout,
    },
    Directive {
        name: c"QS_SessionTimeout",
        scope: Scope::Server,
        arguments: &[required("seconds")],
        help: c"How long a session of a VIP lasts from the moment it was made (default 3600).",
        read: session_timeout,
    },
    Directive {
        name: c"QS_SessionCookieName",
        scope: Scope::Server,
        arguments: &[required("name")],
        help: c"Name of the cookie that carries the session of a VIP (default MODQOS).",
        read: session_cookie_name,
    },
    Directive {
        name: c"QS_SessionCookiePath",
        scope: Scope::Server,
        arguments: &[required("path")],
        help: c"Path of the cookie that carries the session of a VIP (default /).",
        read: session_cookie_path,
    },
    Directive {
        name: c"QS_SessionKey",
        scope: Scope::Server,
        arguments: &[required("secret")],
        help: c"Secret that the keys of all cookies of this module are made of. Given several times: the first one makes cookies, all of them are accepted, so that keys can be changed. Without it: random, as long as the server runs, graceful restarts included.",
        read: session_key,
    },
];

/// Secrets below this length are worth a warning, bytes.
const SHORT: usize = 16;

/// VIPs and sessions of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VipConfig {
    /// `QS_VipHeaderName`.
    pub header: Option<VipHeader>,
    /// `QS_VipIPHeaderName`.
    pub ip_header: Option<VipHeader>,
    /// `QS_VipUser`.
    pub user: bool,
    /// `QS_VipIPUser`.
    pub ip_user: bool,
    /// `QS_VipIPTimeout`, seconds.
    pub ip_timeout: Option<u32>,
    /// `QS_SessionTimeout`, seconds.
    pub timeout: Option<u32>,
    /// `QS_SessionCookieName`.
    pub cookie: Option<Vec<u8>>,
    /// `QS_SessionCookiePath`.
    pub path: Option<Vec<u8>>,
    /// `QS_SessionKey` in order.
    pub secrets: Vec<Secret>,
}

impl VipConfig {
    /// What a virtual host says itself, else what it inherits.
    #[must_use]
    pub fn merge(base: &VipConfig, own: &VipConfig) -> VipConfig {
        VipConfig {
            header: own.header.clone().or_else(|| base.header.clone()),
            ip_header: own.ip_header.clone().or_else(|| base.ip_header.clone()),
            user: own.user || base.user,
            ip_user: own.ip_user || base.ip_user,
            ip_timeout: base.ip_timeout,
            timeout: own.timeout.or(base.timeout),
            cookie: own.cookie.clone().or_else(|| base.cookie.clone()),
            path: own.path.clone().or_else(|| base.path.clone()),
            secrets: if own.secrets.is_empty() { base.secrets.clone() } else { own.secrets.clone() },
        }
    }

    /// Whether there are sessions: only then requests are VIPs' (section 13.2).
    #[must_use]
    pub fn has_sessions(&self) -> bool {
        self.header.is_some() || self.user
    }

    /// Whether addresses are marked (W29).
    #[must_use]
    pub fn marks_addresses(&self) -> bool {
        self.has_sessions() || self.ip_header.is_some() || self.ip_user
    }

    /// Whether responses are looked at.
    #[must_use]
    pub fn looks_at_responses(&self) -> bool {
        self.has_sessions() || self.ip_header.is_some()
    }

    /// How long a session lasts, seconds.
    #[must_use]
    pub fn timeout(&self) -> u32 {
        self.timeout.unwrap_or(TIMEOUT)
    }

    /// The name of the session cookie.
    #[must_use]
    pub fn cookie(&self) -> &[u8] {
        self.cookie.as_deref().unwrap_or(COOKIE.as_bytes())
    }

    /// The path of the session cookie.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.path.as_deref().unwrap_or(PATH.as_bytes())
    }
}

fn vip_header(name: &'static str, arguments: &[&[u8]]) -> Result<VipHeader, Wrong> {
    let text = first(arguments);
    let (header, value) = match text.iter().position(|byte| *byte == b'=') {
        Some(at) => (text.get(..at).unwrap_or_default(), Some(text.get(at + 1..).unwrap_or_default())),
        None => (text, None),
    };
    let header = usable_name(name, header, text, "header")?;
    let drop = match arguments.get(1) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"drop") => true,
        Some(word) => return Err(wrong(name, word, "is not known here", "drop")),
    };
    Ok(VipHeader { name: header, pattern: value.map(|text| pattern(name, text)).transpose()?, drop })
}

fn vip_header_name(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.header = Some(vip_header(name, arguments)?);
    Ok(Outcome::Taken)
}

fn vip_ip_header_name(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.ip_header = Some(vip_header(name, arguments)?);
    Ok(Outcome::Taken)
}

fn vip_user(name: &'static str, target: &mut Target<'_>, _arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.user = true;
    Ok(Outcome::Taken)
}

fn vip_ip_user(name: &'static str, target: &mut Target<'_>, _arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.ip_user = true;
    Ok(Outcome::Taken)
}

fn seconds(name: &'static str, arguments: &[&[u8]]) -> Result<u32, Wrong> {
    number32(name, first(arguments), SECONDS)
}

fn vip_ip_timeout(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.ip_timeout = Some(seconds(name, arguments)?);
    Ok(Outcome::Taken)
}

fn session_timeout(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.vip.timeout = Some(seconds(name, arguments)?);
    Ok(Outcome::Taken)
}

fn session_cookie_name(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    if !is_name(text) {
        return Err(wrong(name, text, "cannot be the name of a cookie", "letters, digits and any of !#$%&'*+-.^_`|~"));
    }
    server(name, target)?.vip.cookie = Some(text.to_vec());
    Ok(Outcome::Taken)
}

fn session_cookie_path(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    if !text.starts_with(b"/") || !is_attribute(text) {
        return Err(wrong(name, text, "cannot be the path of a cookie", "a path that begins with '/', without ';' and ','"));
    }
    server(name, target)?.vip.path = Some(text.to_vec());
    Ok(Outcome::Taken)
}

fn session_key(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let secret = first(arguments);
    server(name, target)?.vip.secrets.push(Secret::new(secret));
    Ok(if secret.len() < SHORT {
        Outcome::Warn("is short: who guesses it makes cookies of VIPs; 32 random characters are right (openssl rand -base64 24)".into())
    } else {
        Outcome::Taken
    })
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Target, apply, find};
    use super::*;

    fn read(lines: &[&str]) -> Result<(VipConfig, Outcome), String> {
        let (mut config, mut outcome) = (ServerConfig::default(), Outcome::Taken);
        for line in lines {
            let words = line.split(' ').map(str::as_bytes).collect::<Vec<_>>();
            let directive = find(std::str::from_utf8(words[0]).unwrap()).unwrap();
            outcome = apply(directive, &mut Target::Server(&mut config), &words[1..]).map_err(|wrong| wrong.to_string())?;
        }
        Ok((config.vip, outcome))
    }

    #[test]
    fn good_values() {
        let (config, _) =
            read(&["QS_VipHeaderName X-Priv=^a=b$ DROP", "QS_VipIPHeaderName X-Ip", "QS_VipUser", "QS_VipIpUser", "QS_SessionTimeout 600"]).unwrap();
        let header = config.header.clone().unwrap();
        assert_eq!((header.name.to_str(), header.pattern.unwrap().text(), header.drop), (Ok("X-Priv"), "^a=b$", true));
        assert_eq!(config.ip_header, Some(VipHeader { name: c"X-Ip".to_owned(), pattern: None, drop: false }));
        assert_eq!((config.user, config.ip_user, config.timeout(), config.cookie(), config.path()), (true, true, 600, &b"MODQOS"[..], &b"/"[..]));
        let (config, _) = read(&["QS_SessionCookieName q", "QS_SessionCookiePath /app", "QS_VipIPTimeout 600"]).unwrap();
        assert_eq!((config.cookie(), config.path(), config.timeout(), config.ip_timeout), (&b"q"[..], &b"/app"[..], 3600, Some(600)));
        assert!(!config.has_sessions() && !config.marks_addresses());
    }

    #[test]
    fn keys_are_kept_in_order_and_short_ones_are_noticed() {
        let (config, outcome) = read(&["QS_SessionKey 0123456789abcdef", "QS_SessionKey short"]).unwrap();
        assert_eq!(config.secrets, [Secret::new(b"0123456789abcdef"), Secret::new(b"short")]);
        assert!(matches!(outcome, Outcome::Warn(text) if text.contains("is short")));
        assert_eq!(read(&["QS_SessionKey 0123456789abcdef"]).unwrap().1, Outcome::Taken);
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, expected) in [
            ("QS_VipHeaderName X=( drop", "'(' is not a regular expression"),
            ("QS_VipHeaderName =x", "'=x' is not the name of a header"),
            ("QS_VipIPHeaderName X keep", "'keep' is not known here; expected drop"),
            ("QS_VipUser on", "'on' is one argument too many"),
            ("QS_VipIPUser on", "one argument too many"),
            ("QS_SessionTimeout 0", "'0' is too small"),
            ("QS_SessionTimeout -5", "'-5' is negative"),
            ("QS_SessionTimeout 10x", "'10x' is not a number"),
            ("QS_SessionCookieName a=b", "'a=b' cannot be the name of a cookie"),
            ("QS_SessionCookiePath app", "'app' cannot be the path of a cookie"),
            ("QS_SessionCookiePath /a;b", "cannot be the path of a cookie"),
            ("QS_SessionKey", "an argument is missing"),
            ("QS_SessionKey ", "argument 1 is empty"),
            ("QS_VipIPTimeout 0", "'0' is too small"),
        ] {
            let error = read(&[line]).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_host_inherits_what_it_does_not_say() {
        let (base, _) = read(&["QS_VipUser", "QS_SessionTimeout 600", "QS_SessionKey aaaaaaaaaaaaaaaa", "QS_VipHeaderName X-A", "QS_VipIPTimeout 60"]).unwrap();
        let (own, _) = read(&["QS_SessionTimeout 3600", "QS_SessionKey bbbbbbbbbbbbbbbb", "QS_VipHeaderName X-B", "QS_VipIPTimeout 90"]).unwrap();
        let merged = VipConfig::merge(&base, &own);
        assert_eq!((merged.user, merged.timeout(), merged.ip_timeout), (true, 3600, Some(60)));
        assert_eq!((merged.secrets, merged.header), (own.secrets, own.header));
        assert_eq!(VipConfig::merge(&base, &VipConfig::default()), base);
    }
}
