//! What a test asks of its httpd, and the configuration text that follows from it.

use std::fmt::Write as _;
use std::path::Path;

use crate::install::{Module, Mpm, module_path, modules_dir};
use crate::root::Root;

/// Settings of a private httpd; made by [`crate::Server::builder`], turned into a running one by `start`.
///
/// Configuration text may contain `@PORT@`, `@TLS@`, `@PORT1@` ... (see [`Builder::vhost_ports`]), `@ROOT@` (the
/// server's folder) and `@DOCS@` (its documents).
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(crate) mpm: Mpm,
    pub(crate) module: Module,
    pub(crate) config: String,
    tls_config: String,
    pub(crate) tls: bool,
    http2: bool,
    v6: bool,
    workers: u32,
    processes: Option<u32>,
    vhost_ports: usize,
    log_env: Vec<String>,
    log_level: String,
    load: Vec<String>,
    pub(crate) expect_crashes: bool,
    pub(crate) spoil_freed_memory: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            mpm: Mpm::Event,
            module: Module::Ours,
            config: String::new(),
            tls_config: String::new(),
            tls: false,
            http2: false,
            v6: false,
            workers: 64,
            processes: None,
            vhost_ports: 0,
            log_env: Vec::new(),
            log_level: "info".into(),
            load: Vec::new(),
            expect_crashes: false,
            spoil_freed_memory: false,
        }
    }
}

impl Builder {
    /// The MPM; event unless said otherwise.
    pub fn mpm(mut self, mpm: Mpm) -> Self {
        self.mpm = mpm;
        self
    }

    /// The module under test; ours unless said otherwise.
    pub fn module(mut self, module: Module) -> Self {
        self.module = module;
        self
    }

    /// Adds text at server level, after everything the harness sets, so that it can override it.
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// A second port with TLS and a self-signed certificate.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Adds text inside the virtual host of the TLS port.
    pub fn tls_config(mut self, text: &str) -> Self {
        self.tls_config.push_str(text);
        self.tls_config.push('\n');
        self.tls()
    }

    /// HTTP/2: h2c on the plain port, h2 by ALPN on the TLS port. Not on prefork.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Listens on `[::1]` with the same port numbers, too.
    pub fn listen_v6(mut self) -> Self {
        self.v6 = true;
        self
    }

    /// MaxRequestWorkers, 64 unless said otherwise; with fewer than two per process the processes become fewer.
    pub fn workers(mut self, n: u32) -> Self {
        self.workers = n.max(1);
        self
    }

    /// Child processes: on event and worker the workers are divided among them (2 unless said otherwise), on
    /// prefork so many are started and kept (8, or all workers if they are fewer).
    pub fn processes(mut self, n: u32) -> Self {
        self.processes = Some(n.max(1));
        self
    }

    /// `k` further ports, `@PORT1@` to `@PORTk@`, for which the test supplies `<VirtualHost *:@PORT1@>`.
    pub fn vhost_ports(mut self, k: usize) -> Self {
        self.vhost_ports = k;
        self
    }

    /// Environment variables that each line of the access log shows as `NAME=value` (`-` when unset).
    pub fn log_env(mut self, names: &[&str]) -> Self {
        self.log_env.extend(names.iter().map(|s| (*s).to_owned()));
        self
    }

    /// LogLevel, `info` unless said otherwise.
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// Loads one more of httpd's own modules, e.g. `unique_id` or `reqtimeout`, before ours.
    pub fn load(mut self, name: &str) -> Self {
        self.load.push(name.into());
        self
    }

    /// This test kills children or crashes them: crash lines in the error log do not fail it.
    pub fn expect_crashes(mut self) -> Self {
        self.expect_crashes = true;
        self
    }

    /// Memory that was freed is overwritten at once (glibc): who still uses it crashes, and does not go on by luck.
    pub fn spoil_freed_memory(mut self) -> Self {
        self.spoil_freed_memory = true;
        self
    }

    pub(crate) fn has_http2(&self) -> bool {
        self.http2 && self.mpm != Mpm::Prefork
    }

    /// How many ports it needs: plain, TLS, virtual hosts, in this order.
    pub(crate) fn port_count(&self) -> usize {
        2 + self.vhost_ports
    }

    /// The complete configuration.
    pub(crate) fn render(&self, root: &Root, ports: &[u16]) -> String {
        let mut text = String::new();
        self.base(&mut text, root);
        self.listen(&mut text, ports);
        self.scale(&mut text);
        self.modules(&mut text);
        self.site(&mut text);
        text.push_str(&self.config);
        if self.tls {
            let protocols = if self.has_http2() { "Protocols h2 http/1.1\n" } else { "" };
            let _ = write!(
                text,
                "<VirtualHost *:@TLS@>\nSSLEngine on\nSSLCertificateFile @ROOT@/cert.pem\n\
                 SSLCertificateKeyFile @ROOT@/key.pem\n{protocols}{}</VirtualHost>\n",
                self.tls_config
            );
        }
        fill_in(&text, root, ports)
    }

    fn base(&self, text: &mut String, root: &Root) {
        let _ = write!(
            text,
            "ServerRoot @ROOT@\nDefaultRuntimeDir @ROOT@/run\nPidFile @ROOT@/httpd.pid\nServerName localhost\n\
             ErrorLog @ROOT@/error.log\nLogLevel {}\nKeepAlive On\nDocumentRoot @DOCS@\n\
             CoreDumpDirectory {}\n",
            self.log_level,
            root.path().display()
        );
    }

    fn listen(&self, text: &mut String, ports: &[u16]) {
        for (i, port) in ports.iter().enumerate() {
            if i == 1 && !self.tls {
                continue;
            }
            let _ = writeln!(text, "Listen 127.0.0.1:{port}");
            if self.v6 {
                let _ = writeln!(text, "Listen [::1]:{port}");
            }
        }
    }

    /// Sizes of the MPM. Room for children of older generations, and for changing the sizes at a restart, is left.
    fn scale(&self, text: &mut String) {
        let n = self.workers;
        let _ = writeln!(text, "{}", load_line(&format!("mpm_{}", self.mpm.name())));
        if self.mpm == Mpm::Prefork {
            let start = self.processes.unwrap_or(8).min(n);
            let _ = writeln!(
                text,
                "ServerLimit {}\nMaxRequestWorkers {n}\nStartServers {start}\nMinSpareServers {}\nMaxSpareServers {}",
                n.max(256),
                start.min(8),
                n + 1
            );
            return;
        }
        let processes = self.processes.unwrap_or(2).min(n);
        let threads = n.div_ceil(processes);
        let _ = writeln!(
            text,
            "ServerLimit {}\nThreadLimit {}\nThreadsPerChild {threads}\nMaxRequestWorkers {}\nStartServers {processes}\n\
             MinSpareThreads 1\nMaxSpareThreads {}",
            (processes * 4).max(16),
            threads.max(64),
            threads * processes,
            threads * processes + threads,
        );
    }

    fn modules(&self, text: &mut String) {
        let cgi = if self.mpm == Mpm::Prefork { "cgi" } else { "cgid" };
        let mut names = vec![
            "log_config",
            "mime",
            "dir",
            "setenvif",
            "env",
            "headers",
            "alias",
            "authz_core",
            "authz_host",
            "unixd",
            "remoteip",
            "filter",
            "include",
            "status",
            cgi,
        ];
        if self.tls {
            names.push("ssl");
        }
        if self.has_http2() {
            names.push("http2");
        }
        names.extend(self.load.iter().map(String::as_str));
        for name in names {
            let _ = writeln!(text, "{}", load_line(name));
        }
        if cgi == "cgid" {
            text.push_str("ScriptSock @ROOT@/run/cgid.sock\n");
        }
        if crate::sys::is_root() {
            let (user, group) = account();
            let _ = writeln!(text, "User {user}\nGroup {group}");
        }
        match self.module {
            Module::Ours => {
                let _ = writeln!(text, "LoadModule qos_module {}", module_path().display());
            }
            Module::Original => {
                let original = crate::original::module().expect("the packaged original cannot be had here");
                if let Some(libpcre) = &original.libpcre {
                    let _ = writeln!(text, "LoadFile {}", libpcre.display());
                }
                let _ = writeln!(text, "LoadModule qos_module {}", original.module.display());
            }
            Module::None => {}
        }
    }

    fn site(&self, text: &mut String) {
        let mut format = String::from(r#"%a %{local}p %k \"%r\" %>s %O %X"#);
        for name in &self.log_env {
            let _ = write!(format, " {name}=%{{{name}}}e");
        }
        let _ = write!(
            text,
            "TypesConfig @ROOT@/mime.types\nLogFormat \"{format}\" lab\nCustomLog @ROOT@/access.log lab\n\
             <Directory />\nAllowOverride None\nRequire all denied\n</Directory>\n\
             <Directory @DOCS@>\nOptions FollowSymLinks Includes\nRequire all granted\n</Directory>\n\
             ScriptAlias /cgi/ @ROOT@/cgi/\n<Directory @ROOT@/cgi>\nRequire all granted\n</Directory>\n\
             <Location /server-status>\nSetHandler server-status\nRequire all granted\n</Location>\n"
        );
        if self.has_http2() {
            text.push_str("Protocols h2c http/1.1\n");
        }
    }
}

/// The LoadModule line; a module that has no file is built in.
fn load_line(name: &str) -> String {
    let file = modules_dir().join(format!("mod_{name}.so"));
    if file.exists() { format!("LoadModule {name}_module {}", file.display()) } else { format!("# {name}: built in") }
}

fn fill_in(text: &str, root: &Root, ports: &[u16]) -> String {
    let show = |path: &Path| path.display().to_string();
    let mut text = text.replace("@ROOT@", &show(root.path())).replace("@DOCS@", &show(&root.docs()));
    for (i, port) in ports.iter().enumerate() {
        let name = match i {
            0 => "@PORT@".to_owned(),
            1 => "@TLS@".to_owned(),
            _ => format!("@PORT{}@", i - 1),
        };
        text = text.replace(&name, &port.to_string());
    }
    text
}

/// An account without rights, and its group.
fn account() -> (&'static str, &'static str) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let has = |list: &str, name: &str| list.lines().any(|l| l.split(':').next() == Some(name));
    let user = ["www-data", "apache", "nobody"].into_iter().find(|n| has(&users, n)).unwrap_or("nobody");
    let group = ["www-data", "apache", "nogroup", "nobody"].into_iter().find(|n| has(&groups, n)).unwrap_or("nogroup");
    (user, group)
}
