//! What a server calls itself when it sends a client to another of its pages (request-event.md section 16.4, W39).

/// A host and port as a `Host` header has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The name or address; IPv6 in brackets.
    pub host: &'a [u8],
    /// The port, if one is given.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[address]` and `[address]:port`. `None`: neither.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Authority<'a>> {
        let bracket = text.starts_with(b"[").then(|| text.iter().position(|byte| *byte == b']')).flatten();
        let end = match bracket {
            Some(at) => at + 1,
            None => text.iter().position(|byte| *byte == b':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at_checked(end)?;
        let is_address = bracket.is_some();
        let of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        let of_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.[]".contains(byte);
        if host.is_empty() || !host.iter().all(|byte| if is_address { of_address(byte) } else { of_host(byte) }) {
            return None;
        }
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
            _ => return None,
        };
        Some(Authority { host, port })
    }
}

/// What is known of a server.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// The port that goes without saying: 80 or 443.
    pub default_port: u16,
    /// `ServerName`.
    pub name: &'a [u8],
    /// The port where the client gives none.
    pub port: u16,
}

/// The beginning of the URLs of a server. `asked`: the `Host` header; it counts where it names the server: `is_alias` tells (`ServerAlias`), and `listens`
/// whether a port is one of the server's.
#[must_use]
pub fn base_url(site: &Site<'_>, asked: Option<&[u8]>, is_alias: impl Fn(&[u8]) -> bool, listens: impl Fn(u16) -> bool) -> Vec<u8> {
    let asked = asked.and_then(Authority::parse);
    let named = asked.filter(|asked| asked.host.eq_ignore_ascii_case(site.name) || is_alias(asked.host));
    let host = named.map_or(site.name, |asked| asked.host);
    let port = asked.and_then(|asked| asked.port).filter(|port| *port != 0 && listens(*port)).unwrap_or(site.port);
    let mut url = [site.scheme, b"://", host].concat();
    if port != 0 && port != site.default_port {
        url.extend_from_slice(format!(":{port}").as_bytes());
    }
    url
}

/// Whether a name matches a `ServerAlias` with `*` and `?`, in any case.
#[must_use]
pub fn glob(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last `*` stands, and from where on it may take more.
    let (mut p, mut n, mut star) = (0, 0, None::<(usize, usize)>);
    while n < name.len() {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(b'?'), Some(_)) => (p, n) = (p + 1, n + 1),
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}
