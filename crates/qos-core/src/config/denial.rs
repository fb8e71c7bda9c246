//! Directives about how a request is denied (request-event.md section 4).

use super::directive::{Directive, Family, Outcome, Scope, Target, first, required, server};
use super::value::{Expected, Wrong, number32, printable};
use std::ffi::CString;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_ErrorPage",
        scope: Scope::Server,
        arguments: &[required("path|URL")],
        help: c"Page that denied requests get: a path of this server (with QS_ErrorResponseCode as its status) or a URL that clients are redirected to; the variable of the same name overrides it per request.",
        read: error_page,
    },
    Directive {
        name: c"QS_ErrorResponseCode",
        scope: Scope::Global,
        arguments: &[required("status")],
        help: c"Status of denied requests (400 to 599, default 500).",
        read: error_response_code,
    },
];

/// The status of denied requests where nothing is configured.
pub const RESPONSE_CODE: u16 = 500;

/// How requests are denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denials {
    /// `QS_ErrorPage`.
    pub page: Option<CString>,
    /// `QS_ErrorResponseCode`.
    pub code: Option<u16>,
}

impl Denials {
    /// A virtual host's page, or the inherited one; the status is global.
    #[must_use]
    pub fn merge(base: &Denials, own: &Denials) -> Denials {
        Denials { page: own.page.clone().or_else(|| base.page.clone()), code: base.code }
    }
}

/// Where clients are sent with a page: to another server, or to a path of this one (section 4.1 step 6).
#[must_use]
pub fn is_url(page: &[u8]) -> bool {
    page.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"http"))
}

/// Pages that are taken where none is configured: files below `work/errorpages` of httpd's root, and their paths (section 4.2).
pub const AUTOMATIC_PAGES: [&str; 6] = ["server_error.html", "forbidden.html", "500.html", "error.html", "error500.html", "gateway_error.html"];

fn error_page(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let page = CString::new(text).ok().filter(|_| text.starts_with(b"/") || text.starts_with(b"http://") || text.starts_with(b"https://"));
    let Some(page) = page else {
        return Err(Wrong {
            directive: name,
            value: Some(printable(text)),
            problem: "is neither a path nor a URL".to_owned(),
            expected: "a path that begins with '/', or a URL that begins with http:// or https://".to_owned(),
        });
    };
    server(name, target)?.denials.page = Some(page);
    Ok(Outcome::Taken)
}

fn error_response_code(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let code = number32(name, first(arguments), Expected { unit: "status", min: 400, max: 599 })
        .map_err(|wrong| Wrong { expected: "a status from 400 to 599".to_owned(), ..wrong })?;
    server(name, target)?.denials.code = u16::try_from(code).ok();
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Target, apply, find};
    use super::*;

    fn read(line: &str) -> Result<Denials, String> {
        let mut config = ServerConfig::default();
        let (name, argument) = line.split_once(' ').unwrap();
        apply(find(name).unwrap(), &mut Target::Server(&mut config), &[argument.as_bytes()]).map_err(|wrong| wrong.to_string())?;
        Ok(config.denials)
    }

    #[test]
    fn good_values() {
        assert_eq!(read("QS_ErrorPage /err/qos.shtml").unwrap().page.as_deref(), Some(c"/err/qos.shtml"));
        assert_eq!(read("QS_ErrorPage https://status.example/busy").unwrap().page.as_deref(), Some(c"https://status.example/busy"));
        assert_eq!(read("QS_ErrorResponseCode 429").unwrap().code, Some(429));
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (line, expected) in [
            ("QS_ErrorPage err.html", "'err.html' is neither a path nor a URL"),
            ("QS_ErrorPage httpx", "is neither a path nor a URL"),
            ("QS_ErrorPage HTTP://x", "is neither a path nor a URL"),
            ("QS_ErrorResponseCode 399", "'399' is too small; expected a status from 400 to 599"),
            ("QS_ErrorResponseCode 600", "'600' is too large"),
            ("QS_ErrorResponseCode 503x", "'503x' is not a number"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_host_has_a_page_of_its_own_and_the_status_of_all() {
        let base = Denials { page: Some(c"/a".into()), code: Some(503) };
        let own = Denials { page: Some(c"/b".into()), code: None };
        assert_eq!(Denials::merge(&base, &own), Denials { page: Some(c"/b".into()), code: Some(503) });
        assert_eq!(Denials::merge(&base, &Denials::default()), base);
    }

    #[test]
    fn a_variable_may_name_either() {
        assert!(is_url(b"https://x") && is_url(b"HTTP://x") && !is_url(b"/http") && !is_url(b"htt"));
    }
}
