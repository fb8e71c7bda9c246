//! httpd in one process under callgrind.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use httpd_lab::{RawClient, Server, apache_binary, sys, wait_until};

/// Starting and ending takes long under valgrind, longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run counted.
pub struct Counted {
    /// Instructions of the main thread, which in one process serves all requests.
    pub total: u64,
    /// The same by function.
    pub functions: HashMap<String, Function>,
}

/// Instructions of one function.
#[derive(Debug, Clone, Default)]
pub struct Function {
    /// The program or library that it is part of.
    pub object: String,
    pub own: u64,
    /// With all that it calls.
    pub inclusive: u64,
}

/// Runs httpd with the configuration of `server` (prefork), lets `visit` ask what it likes, and counts from start to
/// end. Functions are told apart only if asked for: reading them takes a while.
pub fn count(server: &Server, functions: bool, visit: impl FnOnce(SocketAddr)) -> Counted {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let folder = server.root().join("callgrind");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the counts");
    // They are written at the end, when httpd has given up its rights.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("permissions");
    let conf = folder.join("httpd.conf");
    fs::write(&conf, configuration(server, addr, &folder)).expect("httpd.conf");

    let out = folder.join("out");
    let log = fs::File::create(folder.join("valgrind.log")).expect("valgrind.log");
    let mut command = Command::new("valgrind");
    // Threads apart: the turns of a watcher depend on how long the run takes, not on what is asked.
    command.args(["--tool=callgrind", "--separate-threads=yes", "--vgdb=no"]);
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(apache_binary()).arg("-X").arg("-f").arg(&conf).stdin(Stdio::null()).stderr(log).stdout(Stdio::null());
    let mut process = Running(command.spawn().expect("valgrind is installed: run `make setup`"));
    let up = wait_until(PATIENCE, || RawClient::options().timeout(PATIENCE).connect(addr).is_ok_and(|mut c| c.get("/small.txt").is_ok()));
    assert!(up, "no answer under valgrind; its files are in {}", folder.display());
    visit(addr);
    sys::signal(process.0.id(), libc::SIGTERM);
    let ended = wait_until(PATIENCE, || !matches!(process.0.try_wait(), Ok(None)));
    assert!(ended, "httpd did not end under valgrind");
    let file = main_thread(&out);
    Counted { total: total(&file), functions: if functions { by_function(&file) } else { HashMap::new() } }
}

/// Ends with the measurement, also when that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

/// The server's own configuration with another port, and files of its own.
fn configuration(server: &Server, addr: SocketAddr, folder: &Path) -> String {
    let text = fs::read_to_string(server.root().join("httpd.conf")).expect("httpd.conf");
    let listen = format!("Listen {}", server.addr());
    assert!(text.contains(&listen), "the configuration listens elsewhere");
    text.replace(&listen, &format!("Listen {addr}"))
        .replace(&server.root().join("httpd.pid").display().to_string(), &folder.join("httpd.pid").display().to_string())
        .replace(&server.root().join("error.log").display().to_string(), &folder.join("error.log").display().to_string())
}

/// `out-01` where there are threads.
fn main_thread(out: &Path) -> PathBuf {
    let numbered = out.with_file_name("out-01");
    if numbered.exists() { numbered } else { out.to_owned() }
}

fn total(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let line = text.lines().rev().find_map(|l| l.strip_prefix("totals:").or_else(|| l.strip_prefix("summary:")));
    line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok()).expect("a total in callgrind's file")
}

fn by_function(file: &Path) -> HashMap<String, Function> {
    let mut functions: HashMap<String, Function> = HashMap::new();
    for inclusive in ["no", "yes"] {
        let mut command = Command::new("callgrind_annotate");
        command.args(["--threshold=100", "--auto=no"]).arg(format!("--inclusive={inclusive}")).arg(file);
        let out = command.output().expect("callgrind_annotate");
        for (name, object, count) in String::from_utf8_lossy(&out.stdout).lines().filter_map(annotated) {
            let function = functions.entry(name).or_default();
            if inclusive == "yes" {
                // What was compiled into it has lines of its own that are part of this one.
                function.inclusive = function.inclusive.max(count);
            } else {
                function.own += count;
            }
            if let Some(object) = object {
                function.object = object;
            }
        }
    }
    functions
}

/// ` 1,234 (5.6%)  path/file.c:function [object]`: function, object, count. What was compiled into a function from
/// several files has several lines, not all of them with the object.
fn annotated(line: &str) -> Option<(String, Option<String>, u64)> {
    let (count, rest) = line.trim().split_once(' ')?;
    let count = count.replace(',', "").parse().ok()?;
    let rest = rest.trim_start();
    let rest = if rest.starts_with('(') { rest.split_once(')')?.1.trim() } else { rest };
    let (place, object) = match rest.rsplit_once(" [") {
        Some((place, object)) => (place, Path::new(object.trim_end_matches(']')).file_name()),
        None => (rest, None),
    };
    Some((function(place)?.to_owned(), object.map(|o| o.to_string_lossy().into_owned()), count))
}

/// The function of `file:function`; Rust's names have colons of their own, always two.
fn function(place: &str) -> Option<&str> {
    let bytes = place.as_bytes();
    let single = |i: &usize| bytes[*i] == b':' && bytes.get(i + 1) != Some(&b':') && (*i == 0 || bytes[i - 1] != b':');
    let at = (0..bytes.len()).find(single)?;
    // Recursion is marked.
    Some(place[at + 1..].trim_end_matches("'2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_callgrind_annotate_are_understood() {
        let line = "  1,234 ( 5.60%)  src/hooks/mod.rs:mod_qos::hooks::run [/x/libmod_qos.so]";
        assert_eq!(annotated(line), Some(("mod_qos::hooks::run".into(), Some("libmod_qos.so".into()), 1234)));
        assert_eq!(annotated("10 (0.1%)  ???:memcpy").map(|f| f.0), Some("memcpy".into()));
        assert_eq!(annotated("Ir"), None);
    }
}
