//! The keys of a server's cookies, made at start (request-event.md section 14).

use crate::config::ServerRecord;
use crate::httpd::{ffi, log, retained, server};
use qos_core::config::ServerConfig;
use qos_core::milestone::{self, Milestones};
use qos_core::token::{Keys, Purpose, SECRET_BYTES, Secret};

/// Keys for each purpose, and the milestones, whose patterns are compiled together.
pub struct Tokens {
    /// Sessions of VIPs.
    pub session: Keys,
    /// Milestones.
    pub milestone: Keys,
    /// Users.
    pub tracking: Keys,
    /// The way over the check page.
    pub check: Keys,
    /// `QS_MileStone`.
    pub milestones: Milestones,
}

impl Tokens {
    fn new(config: &ServerConfig, secrets: &[Secret]) -> Tokens {
        let milestones = Milestones::new(&config.milestones.list);
        let user = config.tracking.as_ref().map_or(&b""[..], |tracking| &tracking.name);
        Tokens {
            session: Keys::derive(Purpose::Session, config.vip.cookie(), secrets),
            // What was reached in another list of milestones counts for nothing here.
            milestone: Keys::derive(Purpose::Milestone, &[milestone::COOKIE.as_bytes(), &milestones.digest()].concat(), secrets),
            tracking: Keys::derive(Purpose::Tracking, user, secrets),
            check: Keys::derive(Purpose::Check, user, secrets),
            milestones,
        }
    }
}

/// Whether a server sets cookies.
fn needs(config: &ServerConfig) -> bool {
    config.vip.has_sessions() || !config.milestones.list.is_empty() || config.tracking.is_some()
}

/// Makes the keys of all servers. `false`: there are no random bytes (083, W45).
pub fn open(main: *mut ffi::server_rec) -> bool {
    for server in server::all(main) {
        let Some(record) = ServerRecord::of(server).filter(|record| needs(&record.config)) else { continue };
        let tokens = match record.config.vip.secrets.as_slice() {
            [] => {
                let Some(secret) = retained::secret(random::<SECRET_BYTES>) else {
                    log::server(main, log::Level::Emerg, || {
                        "mod_qos(083): the system has no random bytes for the default key; QS_SessionKey sets one".to_owned()
                    });
                    return false;
                };
                Tokens::new(&record.config, &[Secret::new(&secret)])
            }
            secrets => Tokens::new(&record.config, secrets),
        };
        record.set_tokens(tokens);
    }
    true
}

/// Random bytes of the system.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
