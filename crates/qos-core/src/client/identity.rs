//! Who the client of a request is (connection-client.md section 5.2).

use crate::address::Address;
use crate::network::NetworkSet;
use md5::{Digest, Md5};
use std::ffi::CString;

/// `QS_ClientIpFromHeader`: where the client's address comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// Which value names the client.
    pub source: Source,
    /// Only connections from these networks are believed; empty: all (W29).
    pub trusted: NetworkSet,
}

/// See [`IpHeader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A request header that holds exactly one address.
    Header(CString),
    /// `#name`: a pseudo address made of the whole value of a request header.
    Hashed(CString),
    /// `#SSL_CLIENT_S_DN`: a pseudo address made of subject and issuer of the TLS client certificate.
    Certificate,
    /// `#USERAGENT_IP`: the address that mod_remoteip found.
    UserAgent,
}

impl IpHeader {
    /// Reads the argument of the directive; `None` for an empty name or one with a NUL.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Source> {
        match text.strip_prefix(b"#") {
            Some(b"SSL_CLIENT_S_DN") => Some(Source::Certificate),
            Some(b"USERAGENT_IP") => Some(Source::UserAgent),
            Some([]) => None,
            Some(name) => CString::new(name).ok().map(Source::Hashed),
            None if text.is_empty() => None,
            None => CString::new(text).ok().map(Source::Header),
        }
    }

    /// Whether a client can choose whom its requests count for: a header without networks of proxies (W29).
    #[must_use]
    pub fn is_written_by_anybody(&self) -> bool {
        matches!(self.source, Source::Header(_) | Source::Hashed(_)) && self.trusted.is_empty()
    }

    /// The name as it is logged.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.source {
            Source::Header(name) => name.to_string_lossy().into_owned(),
            Source::Hashed(name) => format!("#{}", name.to_string_lossy()),
            Source::Certificate => "#SSL_CLIENT_S_DN".to_owned(),
            Source::UserAgent => "#USERAGENT_IP".to_owned(),
        }
    }
}

/// The pseudo address of a value: its MD5 as 16 bytes. `None` for an empty value.
#[must_use]
pub fn pseudo_address(parts: &[&[u8]]) -> Option<Address> {
    if parts.iter().all(|part| part.is_empty()) {
        return None;
    }
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    Some(Address::from_octets(hash.finalize().into()))
}

/// A pseudo address as it is shown: 8 groups of 4 hexadecimal digits.
#[must_use]
pub fn pseudo_text(address: Address) -> String {
    let octets = address.octets();
    let groups = octets.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    groups.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_addresses_are_the_md5_in_groups() {
        let address = pseudo_address(&[b"hello"]).unwrap();
        assert_eq!(pseudo_text(address), "5d41:402a:bc4b:2a76:b971:9d91:1017:c592");
        assert_eq!(pseudo_address(&[b"hel", b"lo"]), Some(address));
        assert_eq!(pseudo_address(&[b"", b""]), None);
    }

    #[test]
    fn sources() {
        assert_eq!(IpHeader::parse(b"X-Real-IP"), Some(Source::Header(c"X-Real-IP".into())));
        assert_eq!(IpHeader::parse(b"#X-Token"), Some(Source::Hashed(c"X-Token".into())));
        assert_eq!(IpHeader::parse(b"#SSL_CLIENT_S_DN"), Some(Source::Certificate));
        assert_eq!(IpHeader::parse(b"#ssl_client_s_dn"), Some(Source::Hashed(c"ssl_client_s_dn".into())));
        assert_eq!(IpHeader::parse(b"#USERAGENT_IP"), Some(Source::UserAgent));
        assert_eq!((IpHeader::parse(b""), IpHeader::parse(b"#"), IpHeader::parse(b"a\0")), (None, None, None));
    }
}
