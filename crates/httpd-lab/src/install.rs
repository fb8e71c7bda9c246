//! Where httpd, its modules and our module are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The multi-processing module that httpd runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mpm {
    /// Threads, with idle connections held outside them; what distributions run.
    Event,
    /// A thread per connection.
    Worker,
    /// A process per connection.
    Prefork,
}

impl Mpm {
    /// All of them, for tests that run on each.
    pub const ALL: [Self; 3] = [Self::Event, Self::Worker, Self::Prefork];

    /// The name as in `mpm_event_module`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }
}

/// Which quality-of-service module httpd loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Ours: `$QOS_MODULE`, or what `make build` leaves in target/release.
    Ours,
    /// The packaged original, see [`crate::original`].
    Original,
    /// None: what httpd does by itself.
    None,
}

fn apxs(variable: &str) -> Option<String> {
    let found = ["apxs", "apxs2", "/usr/bin/apxs", "/usr/sbin/apxs"].into_iter().find_map(|name| Command::new(name).args(["-q", variable]).output().ok())?;
    let text = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    (found.status.success() && !text.is_empty()).then_some(text)
}

/// httpd itself: `$HTTPD`, or what apxs names, or the usual places.
pub fn apache_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("HTTPD") {
            return path.into();
        }
        let named = apxs("SBINDIR").zip(apxs("PROGNAME")).map(|(dir, name)| Path::new(&dir).join(name));
        let usual = ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"];
        named
            .into_iter()
            .chain(usual.into_iter().map(PathBuf::from))
            .find(|path| path.exists())
            .expect("no httpd found: run `make setup`, or set HTTPD to its path")
    })
}

/// The folder of httpd's own modules: `$HTTPD_MODULES`, or what apxs names.
pub fn modules_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        std::env::var_os("HTTPD_MODULES")
            .map(PathBuf::from)
            .or_else(|| apxs("LIBEXECDIR").map(PathBuf::from))
            .unwrap_or_else(|| "/usr/lib/apache2/modules".into())
    })
}

/// The checkout's top folder.
pub(crate) fn checkout() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    top.canonicalize().unwrap_or(top)
}

/// The folder cargo builds in.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), |dir| checkout().join(dir))
}

/// Our module.
///
/// # Panics
/// When it has not been built.
pub fn module_path() -> PathBuf {
    let path = std::env::var_os("QOS_MODULE").map_or_else(|| target_dir().join("release/libmod_qos.so"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make build` first, or set QOS_MODULE", path.display());
    path
}
