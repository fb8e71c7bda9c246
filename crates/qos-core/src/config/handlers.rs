//! Directives about countries, handlers and reports (connection-client.md sections 10, 11.4, 13.3, 13.4).

use super::directive::{Directive, Family, Outcome, Scope, Target, argument, first, optional, required, server};
use super::value::{Expected, Wrong, flag, number32, printable};
use crate::geo::{CountryList, PrivRule};

/// The directives of this family.
pub const DIRECTIVES: Family = &[
    Directive {
        name: c"QS_ClientGeoCountryDB",
        scope: Scope::Global,
        arguments: &[required("path")],
        help: c"Database of countries: a MaxMind DB (.mmdb, IPv4 and IPv6) or a CSV file with decimal IPv4 ranges. Sets QS_Country.",
        read: geo_country_db,
    },
    Directive {
        name: c"QS_ClientGeoCountryPriv",
        scope: Scope::Global,
        arguments: &[required("list"), required("connections"), optional("excludeUnknown")],
        help: c"Countries (CH,DE) that may still connect when the server has that many connections; excludeUnknown: addresses without a country as well. Lists of several lines add up.",
        read: geo_country_priv,
    },
    Directive {
        name: c"QS_ClientGeoIpFromHeader",
        scope: Scope::Global,
        arguments: &[required("header")],
        help: c"Request header with the address whose country is QS_Country.",
        read: geo_ip_from_header,
    },
    Directive {
        name: c"QSLog",
        scope: Scope::Global,
        arguments: &[required("program")],
        help: c"Program (qslog) that gets one line per request of all servers; it is started with the argument -f ISBiDUkEQaC.",
        read: qslog,
    },
    Directive {
        name: c"QS_EventCount",
        scope: Scope::Global,
        arguments: &[required("On|Off")],
        help: c"On: the viewer shows how often each message occurred.",
        read: event_count,
    },
    Directive {
        name: c"QS_ConsoleMethods",
        scope: Scope::Server,
        arguments: &[required("GET|POST"), optional("GET|POST")],
        help: c"Request methods by which qos-console changes the state of a client (default: any). POST alone keeps links and images of other pages from doing it.",
        read: console_methods,
    },
];

/// Where countries come from and what they are needed for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeoConfig {
    /// `QS_ClientGeoCountryDB`: the path as written.
    pub database: Option<Vec<u8>>,
    /// `QS_ClientGeoCountryPriv`, all lines united.
    pub rule: Option<PrivRule>,
    /// `QS_ClientGeoIpFromHeader`.
    pub header: Option<Vec<u8>>,
}

/// What is reported, and how the console is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportConfig {
    /// `QSLog`: the program and its arguments, without a leading `|`.
    pub log_program: Option<Vec<u8>>,
    /// `QS_EventCount`.
    pub event_count: Option<bool>,
    /// `QS_ConsoleMethods`; `None`: any method.
    pub console_methods: Option<ConsoleMethods>,
}

impl ReportConfig {
    /// A virtual host's configuration: it may choose the console's methods, the rest is global.
    #[must_use]
    pub fn merge(base: &ReportConfig, own: &ReportConfig) -> ReportConfig {
        ReportConfig { console_methods: own.console_methods.or(base.console_methods), ..base.clone() }
    }
}

/// Methods that `QS_ConsoleMethods` allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleMethods {
    /// GET (and HEAD).
    pub get: bool,
    /// POST.
    pub post: bool,
}

fn geo_country_db(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    server(name, target)?.geo.database = Some(first(arguments).to_vec());
    Ok(Outcome::Taken)
}

fn geo_country_priv(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let countries = CountryList::parse(first(arguments)).map_err(|entry| Wrong {
        directive: name,
        value: Some(printable(entry)),
        problem: "is not a country code".to_owned(),
        expected: "codes of two letters separated by commas, without blanks (CH,DE)".to_owned(),
    })?;
    let connections = argument(arguments, 1);
    let rule = PrivRule {
        countries,
        connections: number32(name, connections, Expected { unit: "connections", min: 0, max: i32::MAX as u64 })?,
        exclude_unknown: arguments.len() > 2,
    };
    if let Some(word) = arguments.get(2).filter(|word| !word.eq_ignore_ascii_case(b"excludeUnknown")) {
        return Err(Wrong { directive: name, value: Some(printable(word)), problem: "is not a known word".to_owned(), expected: "excludeUnknown".to_owned() });
    }
    let united = &mut server(name, target)?.geo.rule;
    match united {
        None => *united = Some(rule),
        Some(united) => {
            let before = united.connections;
            if !united.unite(&rule) {
                return Err(Wrong {
                    directive: name,
                    value: Some(printable(connections)),
                    problem: "differs from an earlier line".to_owned(),
                    expected: format!("the same number of connections, {before}"),
                });
            }
        }
    }
    Ok(Outcome::Taken)
}

fn geo_ip_from_header(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let header = first(arguments);
    if !header.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b)) {
        return Err(Wrong {
            directive: name,
            value: Some(printable(header)),
            problem: "is not a header name".to_owned(),
            expected: "the name of a request header, such as X-Forwarded-For".to_owned(),
        });
    }
    server(name, target)?.geo.header = Some(header.to_vec());
    Ok(Outcome::Taken)
}

fn qslog(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let program = first(arguments).trim_ascii();
    let program = program.strip_prefix(b"|").unwrap_or(program).trim_ascii();
    if program.is_empty() {
        return Err(Wrong {
            directive: name,
            value: Some(printable(first(arguments))),
            problem: "names no program".to_owned(),
            expected: "a program and its arguments, such as \"/usr/bin/qslog -o logs/qs.log\"".to_owned(),
        });
    }
    server(name, target)?.reports.log_program = Some(program.to_vec());
    Ok(Outcome::Taken)
}

fn event_count(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let value = flag(name, first(arguments))?;
    server(name, target)?.reports.event_count = Some(value);
    Ok(Outcome::Taken)
}

fn console_methods(name: &'static str, target: &mut Target<'_>, arguments: &[&[u8]]) -> Result<Outcome, Wrong> {
    let mut methods = ConsoleMethods::default();
    for method in arguments {
        let place = match method.to_ascii_uppercase().as_slice() {
            b"GET" => &mut methods.get,
            b"POST" => &mut methods.post,
            _ => {
                return Err(Wrong {
                    directive: name,
                    value: Some(printable(method)),
                    problem: "is not a method of the console".to_owned(),
                    expected: "GET, POST or both".to_owned(),
                });
            }
        };
        *place = true;
    }
    server(name, target)?.reports.console_methods = Some(methods);
    Ok(Outcome::Taken)
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Target, apply, find};
    use super::ConsoleMethods;
    use crate::geo::Country;

    fn read(lines: &[&str]) -> Result<ServerConfig, String> {
        let mut config = ServerConfig::default();
        for line in lines {
            let mut words = line.split('~');
            let directive = words.next().and_then(find).unwrap();
            let arguments = words.map(str::as_bytes).collect::<Vec<_>>();
            apply(directive, &mut Target::Server(&mut config), &arguments).map_err(|wrong| wrong.to_string())?;
        }
        Ok(config)
    }

    #[test]
    fn good_values() {
        let config = read(&[
            "QS_ClientGeoCountryDB~conf/country.mmdb",
            "QS_ClientGeoCountryPriv~CH,de~10",
            "QS_ClientGeoCountryPriv~at~10~ExcludeUnknown",
            "QS_ClientGeoIpFromHeader~X-Real-IP",
            "QSLog~|/usr/bin/qslog -o x",
            "QS_EventCount~on",
            "QS_ConsoleMethods~post",
        ])
        .unwrap();
        let rule = config.geo.rule.unwrap();
        assert_eq!((rule.countries.to_string().as_str(), rule.connections, rule.exclude_unknown), ("AT,CH,DE", 10, true));
        assert!(rule.judge(Country::parse(b"US"), 10).is_some());
        assert_eq!(config.geo.database.as_deref(), Some(b"conf/country.mmdb".as_slice()));
        assert_eq!(config.geo.header.as_deref(), Some(b"X-Real-IP".as_slice()));
        assert_eq!(config.reports.log_program.as_deref(), Some(b"/usr/bin/qslog -o x".as_slice()));
        assert_eq!((config.reports.event_count, config.reports.console_methods), (Some(true), Some(ConsoleMethods { get: false, post: true })));
    }

    #[test]
    fn bad_values_say_what_would_be_right() {
        for (lines, expected) in [
            (vec!["QS_ClientGeoCountryDB"], "an argument is missing"),
            (vec!["QS_ClientGeoCountryDB~"], "argument 1 is empty"),
            (vec!["QS_ClientGeoCountryPriv~CH"], "an argument is missing"),
            (vec!["QS_ClientGeoCountryPriv~~10"], "argument 1 is empty"),
            (vec!["QS_ClientGeoCountryPriv~CH,CHE~10"], "'CHE' is not a country code; expected codes of two letters"),
            (vec!["QS_ClientGeoCountryPriv~CH,~10"], "'' is not a country code"),
            (vec!["QS_ClientGeoCountryPriv~CH~x"], "'x' is not a number; expected a number of connections from 0"),
            (vec!["QS_ClientGeoCountryPriv~CH~10x"], "'10x' is not a number"),
            (vec!["QS_ClientGeoCountryPriv~CH~-1"], "is negative"),
            (vec!["QS_ClientGeoCountryPriv~CH~10~unknown"], "'unknown' is not a known word; expected excludeUnknown"),
            (vec!["QS_ClientGeoCountryPriv~CH~10~excludeUnknown~x"], "one argument too many"),
            (
                vec!["QS_ClientGeoCountryPriv~CH~10", "QS_ClientGeoCountryPriv~DE~11"],
                "'11' differs from an earlier line; expected the same number of connections, 10",
            ),
            (vec!["QS_ClientGeoIpFromHeader~X Real"], "'X Real' is not a header name"),
            (vec!["QS_ClientGeoIpFromHeader~X:"], "is not a header name"),
            (vec!["QSLog~| "], "names no program"),
            (vec!["QS_EventCount~yes"], "expected On or Off"),
            (vec!["QS_ConsoleMethods~PUT"], "'PUT' is not a method of the console; expected GET, POST or both"),
            (vec!["QS_ConsoleMethods~GET~POST~GET"], "one argument too many"),
        ] {
            let error = read(&lines).unwrap_err();
            assert!(error.contains(expected) && error.starts_with("QS"), "{lines:?}: {error}");
        }
    }

    #[test]
    fn a_virtual_host_chooses_the_methods_and_nothing_else() {
        let base = read(&["QS_EventCount~on", "QS_ConsoleMethods~GET", "QS_ClientGeoCountryDB~x"]).unwrap();
        let host = read(&["QS_ConsoleMethods~POST"]).unwrap();
        let merged = ServerConfig::merge(&base, &host);
        assert_eq!((merged.reports.event_count, merged.reports.console_methods), (Some(true), Some(ConsoleMethods { get: false, post: true })));
        assert_eq!(merged.geo, base.geo);
        assert_eq!(ServerConfig::merge(&base, &ServerConfig::default()).reports, base.reports);
    }
}
