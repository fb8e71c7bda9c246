//! The folder a private httpd lives in: configuration, logs, documents, CGI scripts, certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Size of docs/large.bin in bytes.
pub const LARGE: u64 = 64 << 20;

/// The folder; removed by [`Root::remove`] only, so that a failed test can keep it.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    /// A new folder with documents and scripts, readable for the account that httpd's children run as.
    pub(crate) fn new() -> Self {
        let root = Self { path: scratch("lab") };
        root.fill();
        root
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.path.join("docs")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        // Logs carry bytes of clients.
        String::from_utf8_lossy(&fs::read(self.file(name)).unwrap_or_default()).into_owned()
    }

    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    fn fill(&self) {
        for dir in ["", "docs", "cgi", "run"] {
            let dir = self.path.join(dir);
            fs::create_dir_all(&dir).unwrap();
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        }
        self.write("docs/index.html", "<!doctype html><title>lab</title><p>It works.\n");
        self.write("docs/small.txt", "small\n");
        self.write("mime.types", "text/html html\ntext/plain txt\napplication/octet-stream bin\n");
        // Sparse: costs no disk, whatever the number of servers.
        let large = fs::File::create(self.docs().join("large.bin")).unwrap();
        large.set_len(LARGE).unwrap();
        for (name, script) in SCRIPTS {
            let path = self.write(&format!("cgi/{name}"), script);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Writes a text file that everybody may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// Puts the run's self-signed certificate here.
    pub(crate) fn write_certificate(&self) {
        let (cert, key) = certificate();
        self.write("cert.pem", cert);
        self.write("key.pem", key);
    }
}

/// A new folder for temporary files. Its path is short: that of a unix socket (mod_cgid) may have 107 bytes.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("httpd-{name}-{}-{n}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return path,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => panic!("{}: {e}", path.display()),
        }
    }
}

/// CGI scripts below /cgi/.
const SCRIPTS: [(&str, &str); 5] = [
    // Reads its whole body and says how many bytes it had.
    ("upload", "#!/bin/sh\nn=$(wc -c)\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' \"$n\"\n"),
    // Reads its whole body and says what its SHA-256 is, and which length and coding were announced.
    (
        "hash",
        "#!/bin/sh\nh=$(sha256sum)\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s %s %s\\n' \"${h%% *}\" \"${CONTENT_LENGTH:-none}\" \"${HTTP_CONTENT_ENCODING:-plain}\"\n",
    ),
    // /cgi/slow?3 is silent for 3 seconds (fractions work) before it answers.
    ("slow", "#!/bin/sh\nsleep \"${QUERY_STRING:-1}\"\nprintf 'Content-Type: text/plain\\r\\n\\r\\ndone\\n'\n"),
    // Prints its environment.
    ("env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env\n"),
    // /cgi/drip?0.2,50 writes 50 lines, one every 0.2 seconds: an event stream.
    (
        "drip",
        "#!/bin/sh\nprintf 'Content-Type: text/event-stream\\r\\n\\r\\n'\n\
         every=${QUERY_STRING%%,*}; count=${QUERY_STRING##*,}\n\
         i=0; while [ $i -lt \"${count:-10}\" ]; do i=$((i+1)); printf 'data: %d\\n\\n' $i; sleep \"${every:-0.1}\"; done\n",
    ),
];

/// Certificate and key in PEM, made once per process.
fn certificate() -> &'static (String, String) {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
                    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout - -out -";
        let out = Command::new("openssl").args(args.split_whitespace()).output().expect("openssl is installed");
        assert!(out.status.success(), "openssl: {}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8_lossy(&out.stdout);
        let block = |kind: &str| {
            let start = text.find(&format!("-----BEGIN {kind}")).expect("PEM block");
            let end_line = format!("-----END {kind}-----");
            let end = text.find(&end_line).expect("PEM block ends") + end_line.len();
            format!("{}\n", &text[start..end])
        };
        (block("CERTIFICATE"), block("PRIVATE KEY"))
    })
}
