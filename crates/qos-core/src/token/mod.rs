//! Tokens that clients keep for the server: authenticated encryption, one key for each purpose (request-event.md section 14, W34, W35).
//!
//! ```text
//! token  = base64url( version:1 | nonce:24 | sealed | open )            no padding
//! sealed = XChaCha20-Poly1305( key, nonce, purpose:1 | issued:8 | expires:8 | data;  associated data: version | open )
//! key    = HKDF-SHA256( secret, info: "mod_qos token 1" 0 purpose 0 context )
//! ```
//!
//! The cipher is ChaCha20-Poly1305 with a nonce so long that random ones do not repeat, however many tokens a key makes. Seconds are those since 1970, as signed
//! numbers of eight bytes, the highest first. What a client has a say in stands in `open`: it is authenticated, but not encrypted.

#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;

/// How many random bytes a token takes.
pub const NONCE_BYTES: usize = 24;
/// Random bytes of a secret that nobody has configured.
pub const SECRET_BYTES: usize = 32;
/// How far the clocks of servers with the same secret may differ, seconds.
const CLOCK_SKEW: i64 = 60;
/// The longest data of a token, bytes.
const MOST_DATA: usize = 512;
/// The longest text that stands in the open, bytes: as long as httpd's default for a line of a request.
const MOST_OPEN: usize = 8190;

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
/// Purpose and the two times.
const HEAD_BYTES: usize = 17;
const KEY_BYTES: usize = 32;

/// What a token is for. One of another purpose is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The session of a VIP: no data.
    Session = 1,
    /// How far a client got with the milestones: an index.
    Milestone = 2,
    /// The user tracking cookie: the id of the user.
    Tracking = 3,
    /// The page that a client is sent back to by the check page: stands in the open.
    Check = 4,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Purpose::Session => b"session",
            Purpose::Milestone => b"milestone",
            Purpose::Tracking => b"user tracking",
            Purpose::Check => b"cookie check",
        }
    }
}

/// What keys are made of: the text of `QS_SessionKey`, or random bytes. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// From bytes; the more and the less guessable the better.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Secret {
        Secret(bytes.to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The keys of one purpose.
#[derive(Clone)]
pub struct Keys {
    purpose: Purpose,
    /// The first makes tokens, all of them read tokens.
    ciphers: Vec<XChaCha20Poly1305>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?}, {})", self.purpose, self.ciphers.len())
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When it was made, seconds since 1970.
    pub issued: i64,
    /// Its data, which only the server can write.
    pub data: Vec<u8>,
    /// Its text that stands in the open.
    pub open: Vec<u8>,
    /// Made with the secret that makes tokens now; otherwise that one should make another.
    pub current: bool,
}

/// Why a token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token, altered, made with another secret or for another purpose, or from the future.
    Unusable,
    /// Its time is over.
    Expired,
}

impl Keys {
    /// The keys that follow from secrets. `context`: the name of the cookie or what else the tokens belong to.
    #[must_use]
    pub fn derive(purpose: Purpose, context: &[u8], secrets: &[Secret]) -> Keys {
        let key = |secret: &Secret| {
            let info = [b"mod_qos token 1\0", purpose.label(), b"\0", context].concat();
            let mut key = [0u8; KEY_BYTES];
            // Fails for lengths above 8160 bytes only.
            Hkdf::<Sha256>::new(None, &secret.0).expand(&info, &mut key).ok().map(|()| XChaCha20Poly1305::new(&Key::from(key)))
        };
        Keys { purpose, ciphers: secrets.iter().filter_map(key).collect() }
    }

    /// A token that is good for `seconds` from `now` (seconds since 1970), that last second included. `nonce`: random bytes, new ones for each token.
    /// `None`: without a secret, or where data or open text are too long.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], now: i64, seconds: u32, data: &[u8], open: &[u8]) -> Option<String> {
        if data.len() > MOST_DATA || open.len() > MOST_OPEN {
            return None;
        }
        let expires = now.saturating_add(i64::from(seconds));
        let text = [&[self.purpose as u8][..], &now.to_be_bytes(), &expires.to_be_bytes(), data].concat();
        let associated = [&[VERSION][..], open].concat();
        let sealed = self.ciphers.first()?.encrypt(&XNonce::from(*nonce), Payload { msg: &text, aad: &associated }).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&[VERSION][..], nonce, &sealed, open].concat()))
    }

    /// Reads a token at `now`. `data`: how much of it is data, where the rest stands in the open; `None`: all of it is data.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn open(&self, token: &[u8], now: i64, data: Option<usize>) -> Result<Opened, Refused> {
        if token.len() > (1 + NONCE_BYTES + HEAD_BYTES + MOST_DATA + TAG_BYTES + MOST_OPEN).div_ceil(3) * 4 {
            return Err(Refused::Unusable);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refused::Unusable)?;
        let (version, rest) = bytes.split_first().ok_or(Refused::Unusable)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Refused::Unusable)?;
        let sealed = data.map_or(rest.len(), |data| HEAD_BYTES + data + TAG_BYTES);
        let (sealed, open) = rest.split_at_checked(sealed).ok_or(Refused::Unusable)?;
        let associated = [&[*version][..], open].concat();
        let read = |cipher: &XChaCha20Poly1305| cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &associated }).ok();
        let found = self.ciphers.iter().enumerate().find_map(|(place, cipher)| Some((place, read(cipher)?)));
        let (place, text) = found.filter(|_| *version == VERSION).ok_or(Refused::Unusable)?;
        self.judge(&text, open, now).ok_or(Refused::Unusable)?.map(|opened| Opened { current: place == 0, ..opened })
    }

    /// What an authentic token says. `None`: it is for another purpose, or from the future.
    fn judge(&self, text: &[u8], open: &[u8], now: i64) -> Option<Result<Opened, Refused>> {
        let (purpose, rest) = text.split_first()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let (expires, data) = rest.split_first_chunk::<8>()?;
        let (issued, expires) = (i64::from_be_bytes(*issued), i64::from_be_bytes(*expires));
        if *purpose != self.purpose as u8 || issued > now.saturating_add(CLOCK_SKEW) {
            return None;
        }
        if now > expires {
            return Some(Err(Refused::Expired));
        }
        Some(Ok(Opened { issued, data: data.to_vec(), open: open.to_vec(), current: true }))
    }
}
