//! The packaged original, as an oracle: what it does with the same configuration and the same requests.
//!
//! The package is fetched and unpacked below target/oracle. It is never installed and never enabled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::install::Module;

/// The original's module, and the PCRE library that has to be loaded before it where it was built for that one.
#[derive(Debug, Clone)]
pub struct Original {
    /// mod_qos.so
    pub module: PathBuf,
    /// libpcre.so.3; newer packages are linked with another library and need none.
    pub libpcre: Option<PathBuf>,
}

/// The original, fetched when it is not there yet; `None` where the package cannot be had.
pub fn module() -> Option<Original> {
    static FOUND: OnceLock<Option<Original>> = OnceLock::new();
    FOUND.get_or_init(|| locate().or_else(fetch)).clone()
}

fn folder() -> PathBuf {
    crate::install::target_dir().join("oracle")
}

fn locate() -> Option<Original> {
    let module = find(&folder(), "mod_qos.so")?;
    let libpcre = find(&folder(), "libpcre.so.3");
    Some(Original { module, libpcre })
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let mut below = Vec::new();
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == name && path.exists() {
            return Some(path);
        }
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            below.push(path);
        }
    }
    below.iter().find_map(|dir| find(dir, name))
}

/// Downloads into a folder of its own and renames it, so that test processes that run at once do not meet.
fn fetch() -> Option<Original> {
    let work = folder().with_extension(format!("{}", std::process::id()));
    let done = unpack(&work);
    if done.is_some() && std::fs::rename(&work, folder()).is_err() {
        // Another process was first, or an earlier attempt left an incomplete folder.
        if locate().is_none() {
            let _ = std::fs::remove_dir_all(folder());
            let _ = std::fs::rename(&work, folder());
        }
    }
    let _ = std::fs::remove_dir_all(&work);
    locate()
}

fn unpack(work: &Path) -> Option<()> {
    std::fs::create_dir_all(work).ok()?;
    download(work, &["libapache2-mod-qos"])?;
    let _ = download(work, &["libpcre3"]);
    unpack_all(work, &work.join("root"))
}

/// Who is asked by tests on which the original and ours agree: ours, or, with QOS_ORACLE, the original; `None` where that cannot be had.
pub fn asked() -> Option<Module> {
    match std::env::var_os("QOS_ORACLE") {
        None => Some(Module::Ours),
        Some(_) if module().is_some() => Some(Module::Original),
        Some(_) => {
            eprintln!("skipped: the package of the original cannot be had here");
            None
        }
    }
}

/// Fetches Debian packages into `dir` without installing them.
pub fn download(dir: &Path, packages: &[&str]) -> Option<()> {
    let out = Command::new("apt-get").current_dir(dir).args(["-q", "-o", "APT::Sandbox::User=root", "download"]).args(packages).output().ok()?;
    if !out.status.success() {
        eprintln!("apt-get download {packages:?}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    out.status.success().then_some(())
}

/// Unpacks all Debian packages of `dir` into `into`.
pub fn unpack_all(dir: &Path, into: &Path) -> Option<()> {
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "deb") {
            let ok = Command::new("dpkg").arg("-x").arg(&path).arg(into).status().ok()?.success();
            ok.then_some(())?;
        }
    }
    Some(())
}
