//! Directives about the bodies of requests (filters.md sections 9 and 13).

use super::directive::{Directive, Family, Outcome, Scope, Target, any, first, location, required, server};
use super::value::{Expected, Wrong, number, number32, wrong};
use crate::body::RawTypes;

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_LimitRequestBody",
        scope: Scope::ServerAndLocation,
        arguments: &[required("bytes")],
        help: c"Largest request body (default: unlimited); the variable of the same name overrides it per request.",
        read: limit_request_body,
    },
    Directive {
        name: c"QS_BodyMaxSize",
        scope: Scope::ServerAndLocation,
        arguments: &[required("bytes")],
        help: c"Largest request body, inflated if need be, that is read to be inspected (default 8388608; a lower QS_LimitRequestBody wins).",
        read: body_max_size,
    },
    Directive {
        name: c"QS_BodyTempDir",
        scope: Scope::Global,
        arguments: &[required("directory")],
        help: c"Where inspected bodies of more than 1 MiB are kept while their request lasts (default: what TMPDIR says, else /tmp).",
        read: body_temp_dir,
    },
    Directive {
        name: c"QS_BodyData",
        scope: Scope::Server,
        arguments: &[required("type"), any("type")],
        help: c"Content types whose bodies are looked at as they are (QS_SetEnvIfBody); */* for all that have no parser of their own.",
        read: body_data,
    },
    Directive {
        name: c"PARP_BodyData",
        scope: Scope::Server,
        arguments: &[required("type"), any("type")],
        help: c"Another name of QS_BodyData.",
        read: body_data,
    },
    Directive {
        name: c"QS_BodyErrorCode",
        scope: Scope::Server,
        arguments: &[required("status")],
        help: c"Status of requests whose body is not understood (400 to 599, default 403); 200: they are served, and the whole body counts as a subject of QS_DenyQuery.",
        read: body_error_code,
    },
    Directive {
        name: c"PARP_ExitOnError",
        scope: Scope::Server,
        arguments: &[required("status")],
        help: c"Another name of QS_BodyErrorCode.",
        read: body_error_code,
    },
];

/// How bodies are inspected on a server. `None` means not given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyConfig {
    /// `QS_BodyData`.
    pub raw_types: Option<RawTypes>,
    /// `QS_BodyErrorCode`; 200: nobody is denied.
    pub error_code: Option<u16>,
    /// `QS_BodyMaxSize`, bytes.
    pub max_size: Option<u64>,
    /// `QS_BodyTempDir`, as written.
    pub temp_dir: Option<Vec<u8>>,
}

impl BodyConfig {
    /// A virtual host with a list of types of its own does not inherit the other one (section 13.6).
    #[must_use]
    pub fn merge(base: &BodyConfig, own: &BodyConfig) -> BodyConfig {
        BodyConfig {
            raw_types: own.raw_types.as_ref().or(base.raw_types.as_ref()).cloned(),
            error_code: own.error_code.or(base.error_code),
            max_size: own.max_size.or(base.max_size),
            temp_dir: base.temp_dir.clone(),
        }
    }
}

/// Largest value of `QS_BodyMaxSize`, bytes: what httpd's own `LimitRequestBody` allows by default.
const MOST_INSPECTED: u64 = 1 << 30;

fn limit_request_body(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let limit = number(name, first(arguments), Expected { unit: "bytes", min: 0, max: i64::MAX as u64 })?;
    match target {
        Target::Server(server) | Target::VirtualHost(server) => server.body_limit = Some(limit),
        Target::Location(location) => location.body_limit = Some(limit),
    }
    Ok(Outcome::Taken)
}

fn body_max_size(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let most = number(name, first(arguments), Expected { unit: "bytes", min: 1, max: MOST_INSPECTED })?;
    match target {
        Target::Location(_) => location(name, target)?.body_max_size = Some(most),
        Target::Server(_) | Target::VirtualHost(_) => server(name, target)?.body.max_size = Some(most),
    }
    Ok(Outcome::Taken)
}

fn body_temp_dir(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.body.temp_dir = Some(first(arguments).to_vec());
    Ok(Outcome::Taken)
}

fn body_data(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    if let Some(bad) = arguments.iter().find(|text| text.contains(&b';') || text.split(|byte| *byte == b'/').filter(|half| !half.is_empty()).count() != 2) {
        return Err(wrong(name, bad, "is not a content type", "types such as application/json or */*, with blanks between them"));
    }
    let body = &mut server(name, target)?.body;
    body.raw_types = Some(body.raw_types.take().unwrap_or_default().and(arguments));
    Ok(Outcome::Taken)
}

fn body_error_code(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let text = first(arguments);
    let code = number32(name, text, Expected { unit: "status", min: 200, max: 599 }).ok().filter(|code| *code == 200 || *code >= 400);
    let Some(code) = code.and_then(|code| u16::try_from(code).ok()) else {
        return Err(wrong(name, text, "is not such a status", "200, or a status from 400 to 599"));
    };
    server(name, target)?.body.error_code = Some(code);
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, apply, find};
    use super::*;

    fn read(lines: &[&str]) -> Result<BodyConfig, String> {
        let mut config = ServerConfig::default();
        for line in lines {
            let mut words = line.split(' ');
            let directive = find(words.next().unwrap()).unwrap();
            apply(directive, &mut Target::Server(&mut config), &words.map(str::as_bytes).collect::<Vec<_>>()).map_err(|wrong| wrong.to_string())?;
        }
        Ok(config.body)
    }

    #[test]
    fn types_add_up_and_a_virtual_host_may_have_its_own() {
        let base = read(&["PARP_BodyData application/json text/xml", "QS_BodyData */*", "PARP_ExitOnError 200"]).unwrap();
        let types = base.raw_types.clone().unwrap();
        assert!(types.has(b"application/JSON") && types.has(b"text/xml") && types.has_all());
        let own = read(&["QS_BodyData text/plain", "QS_BodyErrorCode 400"]).unwrap();
        let merged = BodyConfig::merge(&base, &own);
        assert!(merged.raw_types.as_ref().is_some_and(|types| types.has(b"text/plain") && !types.has(b"text/xml")));
        assert_eq!(merged.error_code, Some(400));
        assert_eq!(BodyConfig::merge(&base, &BodyConfig::default()), base);
    }

    /// filters.md section 14.
    #[test]
    fn bad_values_say_what_would_be_right() {
        for line in ["QS_BodyErrorCode 302", "PARP_ExitOnError x", "QS_BodyErrorCode 201", "QS_BodyErrorCode 600", "QS_BodyErrorCode 99"] {
            let (name, value) = line.split_once(' ').unwrap();
            assert_eq!(read(&[line]).unwrap_err(), format!("{name}: '{value}' is not such a status; expected 200, or a status from 400 to 599"));
        }
        for value in ["json", "/", "a/", "/b", "a/b/c", "a/b;c"] {
            let error = read(&[&format!("PARP_BodyData text/xml {value}")]).unwrap_err();
            assert!(error.starts_with(&format!("PARP_BodyData: '{value}' is not a content type")), "{error}");
        }
    }
}
