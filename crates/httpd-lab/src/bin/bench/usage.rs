//! CPU time of processes and threads, from /proc.

use std::fs;
use std::time::Duration;

/// Ticks per second in /proc/PID/stat: USER_HZ is 100 on all platforms that httpd runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of all threads of all `pids`, user and system.
pub fn of_processes(pids: &[u32]) -> Duration {
    pids.iter().flat_map(|pid| threads(*pid)).map(|(_, time)| time).sum()
}

/// CPU time of the threads of `pids` named `name`, and how many there are.
pub fn of_threads(pids: &[u32], name: &str) -> (usize, Duration) {
    let times: Vec<Duration> = pids.iter().flat_map(|pid| threads(*pid)).filter(|(n, _)| n == name).map(|(_, t)| t).collect();
    (times.len(), times.iter().sum())
}

/// CPU time of this process.
pub fn of_self() -> Duration {
    of_processes(&[std::process::id()])
}

/// Name and CPU time of each thread of a process.
fn threads(pid: u32) -> Vec<(String, Duration)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let thread = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        // In nanoseconds where the kernel keeps them, in ticks otherwise.
        let time = fs::read_to_string(task.path().join("schedstat")).ok().and_then(|s| nanoseconds(&s));
        let time = time.or_else(|| ticks(&fs::read_to_string(task.path().join("stat")).ok()?))?;
        Some((name, time))
    };
    tasks.filter_map(thread).collect()
}

fn nanoseconds(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(TICK * (next()? + next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 1 1 0 -1 4194304 101 0 0 0 7 5 0 0 20 0 1 0 373779";
        assert_eq!(ticks(stat), Some(Duration::from_millis(120)));
        assert_eq!(nanoseconds("93449 158305 2\n"), Some(Duration::from_nanos(93_449)));
    }
}
