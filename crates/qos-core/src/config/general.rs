//! Directives about the module itself (connection-client.md sections 9.1, 13.2, 14).

use super::directive::{Directive, Family, Outcome, Scope, Target, first, required, server};
use super::value::{Expected, Wrong, flag, number32, printable};

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_ClientEntries",
        scope: Scope::Global,
        arguments: &[required("number")],
        help: c"Number of client addresses that are remembered (640 to 10000000, rounded down to a multiple of 640; default 50000).",
        read: client_entries,
    },
    Directive {
        name: c"QS_LogOnly",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"On: rules are evaluated, counted and logged, nothing is enforced.",
        read: log_only,
    },
    Directive {
        name: c"QS_SupportIPv6",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"Accepted for compatibility: IPv4 and IPv6 addresses are always told apart completely.",
        read: support_ipv6,
    },
    Directive {
        name: c"QS_SemMemFile",
        scope: Scope::Server,
        arguments: &[required("path")],
        help: c"Accepted for compatibility, without effect: no lock or memory files are used.",
        read: sem_mem_file,
    },
    Directive {
        name: c"QS_Chroot",
        scope: Scope::Global,
        arguments: &[required("path")],
        help: c"Accepted for compatibility, without effect: use ChrootDir.",
        read: chroot,
    },
    Directive {
        name: c"QS_Status",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"On: one line with the state of the server is logged every minute.",
        read: status,
    },
    Directive {
        name: c"QS_LogEnv",
        scope: Scope::Server,
        arguments: &[required("On|Off")],
        help: c"On: the variables of a request are logged at each phase (for testing rules), secrets in them included.",
        read: log_env,
    },
    Directive {
        name: c"QS_DisableHandler",
        scope: Scope::Server,
        arguments: &[required("On|Off")],
        help: c"On: qos-viewer, qos-console and qos-metrics are not available.",
        read: disable_handler,
    },
];

fn client_entries(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = number32(name, first(arguments), Expected { unit: "client addresses", min: 640, max: 10_000_000 })?;
    server(name, target)?.client_entries = Some(value - value % 640);
    Ok(Outcome::Taken)
}

fn log_only(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.log_only = Some(value);
    Ok(Outcome::Taken)
}

fn support_ipv6(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.support_ipv6 = Some(value);
    Ok(Outcome::Taken)
}

/// The old checks of the argument as far as they need no look at the disk: not a relative path.
fn absolute_path(name: &'static str, text: &[u8]) -> Result<(), Wrong> {
    if text.starts_with(b"/") {
        return Ok(());
    }
    Err(Wrong {
        directive: name,
        value: Some(printable(text)),
        problem: "is not an absolute path".to_owned(),
        expected: "a path that begins with '/'".to_owned(),
    })
}

fn sem_mem_file(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    absolute_path(name, first(arguments))?;
    server(name, target)?;
    Ok(Outcome::Warn("has no effect: shared memory is anonymous and no files are used; the directive can be removed".into()))
}

fn chroot(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    absolute_path(name, first(arguments))?;
    server(name, target)?;
    Ok(Outcome::Warn("has no effect: use ChrootDir of httpd instead".into()))
}

fn status(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.status = Some(value);
    Ok(Outcome::Taken)
}

fn log_env(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.log_env = Some(value);
    Ok(Outcome::Taken)
}

fn disable_handler(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.disable_handler = Some(value);
    Ok(Outcome::Taken)
}
