//! slowhttptest, the attacker that everybody measures with.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wait_until;

/// The three attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// `-H`: header fields that never end (Slowloris).
    Headers,
    /// `-B`: a body that never ends.
    Body,
    /// `-X`: a response that is never taken.
    Read,
}

impl Slow {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Headers, Self::Body, Self::Read];
}

/// One attack; the URL decides on TLS, and for [`Slow::Read`] it should name a large file.
#[derive(Debug, Clone)]
#[must_use]
pub struct Attack {
    kind: Slow,
    url: String,
    connections: usize,
    rate: usize,
    interval: Duration,
    length: Duration,
}

impl Attack {
    /// 200 connections, 200 a second, a piece every 10 seconds, for 60 seconds.
    pub fn new(kind: Slow, url: &str) -> Self {
        Self { kind, url: url.into(), connections: 200, rate: 200, interval: Duration::from_secs(10), length: Duration::from_secs(60) }
    }

    /// The number of connections (`-c`).
    pub fn connections(mut self, n: usize) -> Self {
        self.connections = n;
        self
    }

    /// Connections opened per second (`-r`).
    pub fn rate(mut self, n: usize) -> Self {
        self.rate = n;
        self
    }

    /// Whole seconds between two pieces (`-i`; for [`Slow::Read`] between two reads, `-n`).
    pub fn interval(mut self, pause: Duration) -> Self {
        self.interval = pause;
        self
    }

    /// Whole seconds until it ends by itself (`-l`).
    pub fn length(mut self, length: Duration) -> Self {
        self.length = length;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When slowhttptest is not installed.
    pub fn start(&self) -> Running {
        let folder = crate::root::scratch("attack");
        let mut command = Command::new("slowhttptest");
        command.arg("-c").arg(self.connections.to_string());
        command.arg("-r").arg(self.rate.to_string());
        command.arg("-l").arg(self.length.as_secs().max(1).to_string());
        command.args(["-u", &self.url, "-v", "1", "-p", "1", "-g", "-o"]).arg(folder.join("result"));
        let pause = self.interval.as_secs().max(1).to_string();
        match self.kind {
            Slow::Headers => command.args(["-H", "-x", "24", "-i", &pause]),
            Slow::Body => command.args(["-B", "-x", "10", "-s", "1000000", "-t", "POST", "-i", &pause]),
            Slow::Read => command.args(["-X", "-w", "512", "-y", "1024", "-z", "32", "-k", "1", "-n", &pause]),
        };
        let out = std::fs::File::create(folder.join("out")).expect("a file for the output");
        command.stdin(Stdio::null()).stderr(out.try_clone().expect("one more handle")).stdout(out);
        command.current_dir(&folder);
        let child = crate::spawn::spawn(command).unwrap_or_else(|e| panic!("slowhttptest: {e}: run `make setup`"));
        Running { child, folder, start: Instant::now() }
    }
}

/// An attack under way; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: std::path::PathBuf,
    start: Instant,
}

/// What slowhttptest counted in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// Seconds since its start.
    pub at: u64,
    /// Connections that the server closed.
    pub closed: u64,
    /// Connections not yet accepted.
    pub pending: u64,
    /// Connections that stand.
    pub connected: u64,
    /// Its own probe was answered within a second.
    pub available: bool,
}

/// The result of an attack.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Why it ended, in its words, e.g. `No open connections left`.
    pub exit_status: String,
    /// One entry per second.
    pub seconds: Vec<Second>,
    /// How long it ran.
    pub lasted: Duration,
}

impl Report {
    /// The second in which no connection of the attacker stood any longer, after all were opened.
    pub fn gone_at(&self) -> Option<u64> {
        let last = self.seconds.iter().rposition(|s| s.connected + s.pending > 0)?;
        self.seconds.get(last + 1).map(|s| s.at)
    }
}

impl Running {
    /// Waits until it ends by itself, at most `limit`; then ends it.
    pub fn finish(mut self, limit: Duration) -> Report {
        wait_until(limit, || !matches!(self.child.try_wait(), Ok(None)));
        self.report()
    }

    /// Ends it now. The statistics are written at its end, and also on an interrupt.
    pub fn stop(mut self) -> Report {
        self.report()
    }

    fn report(&mut self) -> Report {
        let lasted = self.start.elapsed();
        self.end();
        let text = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        Report { exit_status: exit_status(&text("out")), seconds: seconds(&text("result.csv")), lasted }
    }

    fn end(&mut self) {
        crate::sys::signal_group(self.child.id(), libc::SIGINT);
        if !wait_until(Duration::from_secs(5), || !matches!(self.child.try_wait(), Ok(None))) {
            crate::sys::signal_group(self.child.id(), libc::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn exit_status(output: &str) -> String {
    let plain = without_colours(output);
    let line = plain.lines().rev().find_map(|l| l.split_once("Exit status:").map(|(_, s)| s.trim().to_owned()));
    line.unwrap_or_default()
}

fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // ESC [ ... letter
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Rows `Seconds,Closed,Pending,Connected,Service Available`; the last column is 0 or the number of connections.
fn seconds(csv: &str) -> Vec<Second> {
    let row = |line: &str| {
        let mut numbers = line.split(',').map(|f| f.trim().parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        Some(Second { at: next()?, closed: next()?, pending: next()?, connected: next()?, available: next()? > 0 })
    };
    csv.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistics_are_understood() {
        let csv = "Seconds,Closed,Pending,Connected,Service Available\n0,0,1,0,200\n1,0,20,180,0\n2,200,0,0,200\n";
        let report = Report { seconds: seconds(csv), ..Report::default() };
        assert_eq!(report.seconds[1], Second { at: 1, closed: 0, pending: 20, connected: 180, available: false });
        assert_eq!(report.gone_at(), Some(2));
    }

    #[test]
    fn the_reason_of_the_end_is_found_among_colours() {
        assert_eq!(exit_status("\u{1b}[1;32mExit status: \u{1b}[0mNo open connections left\n"), "No open connections left");
    }
}
