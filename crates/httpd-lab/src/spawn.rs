//! Starts child processes that end with the test process.
//!
//! PR_SET_PDEATHSIG fires when the *thread* that forked ends, and a test is a thread. So one thread that lives as
//! long as the process forks all children.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};

type Job = (Command, Sender<io::Result<Child>>);

/// Starts `command` in a process group of its own and in the network of the calling thread; it gets SIGTERM when this process ends.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, answer) in queue {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread that starts processes");
        Mutex::new(jobs)
    });
    command.process_group(0);
    let namespace = crate::namespace::of_thread();
    // SAFETY: the closure makes one or two system calls, which are async-signal-safe and touch no memory.
    unsafe {
        command.pre_exec(move || {
            namespace.as_ref().map_or(Ok(()), crate::namespace::enter)?;
            crate::sys::terminate_with_parent()
        })
    };
    let (answer, result) = channel();
    spawner.lock().expect("spawner").send((command, answer)).expect("spawner runs");
    result.recv().expect("spawner answers")
}
