//! What `make install` leaves behind, and that `a2enmod qos` and httpd accept it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use httpd_lab::{Module, Server, module_path, modules_dir, original};

/// A scratch folder that goes with the test, and stays when it fails.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("qos-packaging-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("files are kept in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn make(target: &str, destdir: &Path, more: &[&str]) -> (bool, String) {
    let module = format!("MODULE={}", module_path().display());
    let destdir = format!("DESTDIR={}", destdir.display());
    let mut command = Command::new("make");
    // Not the settings of the make that runs the tests.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("MFLAGS");
    said(command.current_dir(checkout()).args([target, &module, &destdir]).args(more))
}

fn said(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.success(), text)
}

const DEBIAN: &str = "SYSCONFDIR=/etc/apache2";

#[test]
fn install_then_a2enmod_then_httpd_accepts_it() {
    let scratch = Scratch::new("a2enmod");
    let (etc, installed) = (scratch.0.join("etc/apache2"), scratch.0.join(&modules_dir().to_str().unwrap()[1..]));
    fs::create_dir_all(etc.join("mods-available")).unwrap();
    let (ok, text) = make("install", &scratch.0, &[DEBIAN]);
    assert!(ok && text.contains("a2enmod qos"), "{text}");
    let module = installed.join("mod_qos.so");
    assert_eq!(fs::metadata(&module).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read(&module).unwrap(), fs::read(module_path()).unwrap());
    let load = fs::read_to_string(etc.join("mods-available/qos.load")).unwrap();
    assert!(load.contains(&format!("LoadModule qos_module {}/mod_qos.so", modules_dir().display())), "{load}");

    let Some(a2enmod) = a2enmod(&scratch.0) else {
        eprintln!("skipped: no a2enmod here, and its package cannot be had");
        return;
    };
    // What Debian's apache2 brings besides.
    let setenvif = format!("LoadModule setenvif_module {}/mod_setenvif.so\n", modules_dir().display());
    fs::write(etc.join("mods-available/setenvif.load"), setenvif).unwrap();
    for dir in ["mods-enabled", "conf-available", "conf-enabled", "sites-available", "sites-enabled"] {
        fs::create_dir_all(etc.join(dir)).unwrap();
    }
    let mut command = Command::new("perl");
    command.arg(a2enmod).args(["-m", "-f", "qos"]).env("APACHE_CONFDIR", &etc).env("APACHE_STATEDIR", scratch.0.join("state"));
    let (ok, text) = said(&mut command);
    assert!(ok && text.contains("Enabling module qos"), "{text}");
    for name in ["qos.load", "qos.conf"] {
        assert!(etc.join("mods-enabled").join(name).exists(), "{name}: {text}");
    }

    // The load line names the final place; under DESTDIR the module is elsewhere.
    let load = load.replace(&format!("{}/", modules_dir().display()), &format!("{}/", installed.display()));
    fs::write(etc.join("mods-available/qos.load"), load).unwrap();
    let config = format!("Include {}/mods-enabled/qos.*", etc.display());
    Server::builder().module(Module::None).config(&config).configtest().unwrap();

    let (ok, text) = make("uninstall", &scratch.0, &[DEBIAN]);
    assert!(!ok && text.contains("a2dismod qos"), "an enabled module stays: {text}");
    assert!(module.exists());
}

/// The system's a2enmod, or the one of the package that is fetched but not installed.
fn a2enmod(scratch: &Path) -> Option<PathBuf> {
    let system = Path::new("/usr/sbin/a2enmod");
    if system.exists() {
        return Some(system.into());
    }
    let dir = scratch.join("package");
    fs::create_dir_all(&dir).unwrap();
    original::download(&dir, &["apache2"])?;
    original::unpack_all(&dir, &dir.join("root"))?;
    Some(dir.join("root/usr/sbin/a2enmod")).filter(|path| path.exists())
}

#[test]
fn an_administrators_rules_are_never_replaced_or_removed() {
    let scratch = Scratch::new("rules");
    let available = scratch.0.join("etc/apache2/mods-available");
    fs::create_dir_all(&available).unwrap();
    fs::write(available.join("qos.conf"), "QS_SrvMaxConnPerIP 7\n").unwrap();
    let (ok, text) = make("install", &scratch.0, &[DEBIAN]);
    assert!(ok && text.contains("kept"), "{text}");
    assert_eq!(fs::read_to_string(available.join("qos.conf")).unwrap(), "QS_SrvMaxConnPerIP 7\n");
    assert!(available.join("qos.conf.dist").exists());
    let (ok, text) = make("uninstall", &scratch.0, &[DEBIAN]);
    assert!(ok, "{text}");
    assert_eq!(fs::read_dir(&available).unwrap().count(), 1, "only the administrator's file is left");
}

#[test]
fn uninstall_removes_what_install_put_there() {
    let scratch = Scratch::new("uninstall");
    fs::create_dir_all(scratch.0.join("etc/apache2/mods-available")).unwrap();
    assert!(make("install", &scratch.0, &[DEBIAN]).0);
    let (ok, text) = make("uninstall", &scratch.0, &[DEBIAN]);
    assert!(ok, "{text}");
    let (_, files) = said(Command::new("find").arg(&scratch.0).args(["-type", "f"]));
    assert_eq!(files, "");
}

#[test]
fn the_configuration_of_make_run_is_accepted_on_each_mpm() {
    let rules = fs::read_to_string(checkout().join("packaging/run.conf")).unwrap();
    for mpm in httpd_lab::Mpm::ALL {
        // With sizes that hold MaxClients 256.
        let server = Server::builder().mpm(mpm).workers(256).processes(8).config(&rules);
        server.configtest().unwrap();
    }
}
