//! Between httpd's configuration and the typed one: the command table made from qos-core's
//! directive table, and the records of servers and locations.

pub mod sections;

use crate::httpd::guard::guard;
use crate::httpd::pool::Pool;
use crate::httpd::{bytes, ffi, log};
use crate::rules::ServerRules;
use crate::runtime::{feature, steps};
use crate::tokens::Tokens;
use qos_core::config::{Directive, FAMILIES, LocationConfig, LocationHeaderFilters, Outcome, Scope, ServerConfig, Target, apply, printable};
use qos_core::filter;
use qos_core::geo::Database;
use qos_core::order::Step;
use qos_core::rules::Kind;
use qos_shm::CountKey;
use std::cell::OnceCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null;
use std::sync::Arc;

/// What a server has: its configuration, and what post_config derives from it.
#[derive(Default)]
pub struct ServerRecord {
    /// The directives.
    pub config: ServerConfig,
    /// What `QS_ClientGeoCountryDB` names.
    pub countries: Option<Database>,
    /// Derived before children start, never changed afterwards.
    derived: OnceCell<Derived>,
    /// The same for rules about requests.
    rules: OnceCell<ServerRules>,
    /// The error page that was found where none is configured.
    automatic_page: OnceCell<CString>,
    /// The keys of its cookies.
    tokens: OnceCell<Tokens>,
}

/// What follows from the configuration of all servers together.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// Counts connections of the server that owns the counter.
    pub domain: u64,
    /// The key of that counter.
    pub key: CountKey,
    /// Orders requests that `QS_SrvSerialize` lets run one after the other.
    pub turn: CountKey,
    /// The `server` that connection slots of this server carry.
    pub number: u32,
    /// `QS_SrvMaxConnClose` in connections.
    pub close_limit: Option<u32>,
}

impl ServerRecord {
    /// The record of a server of the running configuration.
    pub fn of<'a>(server: *const ffi::server_rec) -> Option<&'a ServerRecord> {
        // SAFETY: records live in the configuration pool, as long as the server; they are written before children start.
        unsafe { ffi::ap_get_module_config((*server).module_config, crate::module_record()).cast::<ServerRecord>().as_ref() }
    }

    /// Set once by post_config.
    pub fn derive(&self, derived: Derived) {
        // A second start-up pass finds a new record; an old value would be the same.
        let _ = self.derived.set(derived);
    }

    /// Set once by post_config.
    pub fn set_rules(&self, rules: ServerRules) {
        let _ = self.rules.set(rules);
    }

    /// Set once by post_config.
    pub fn set_automatic_page(&self, page: CString) {
        let _ = self.automatic_page.set(page);
    }

    /// Set once by post_config.
    pub fn set_tokens(&self, tokens: Tokens) {
        let _ = self.tokens.set(tokens);
    }

    /// The keys of its cookies; `None` where it sets none.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.get()
    }

    /// The error page that was found where none is configured.
    pub fn automatic_page(&self) -> Option<&CStr> {
        self.automatic_page.get().map(CString::as_c_str)
    }

    /// Rules about requests; `None` where the server has none.
    pub fn rules(&self) -> Option<&ServerRules> {
        self.rules.get()
    }

    /// What post_config derived.
    pub fn derived(&self) -> Option<&Derived> {
        self.derived.get()
    }
}

/// The location's configuration of a request; `None` in a configuration without any.
pub fn location<'a>(request: crate::httpd::request::Request<'a>) -> Option<&'a LocationConfig> {
    // SAFETY: made by `create_location` or `merge_location`, lives as long as the configuration.
    unsafe { request.location_config().cast::<LocationConfig>().as_ref() }
}

const fn count() -> usize {
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        #[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
        let directives = FAMILIES[family];
        n += directives.len();
        family += 1;
    }
    n
}

struct Commands([ffi::command_rec; count() + 1]);
// SAFETY: pointers to static data that nobody writes.
unsafe impl Sync for Commands {}

const fn command(directive: Option<&'static Directive>) -> ffi::command_rec {
    let (name, data, help, place) = match directive {
        Some(directive) => (
            directive.name.as_ptr(),
            (&raw const *directive).cast::<c_void>().cast_mut(),
            directive.help.as_ptr(),
            match directive.scope {
                Scope::Global | Scope::Server => ffi::RSRC_CONF,
                Scope::ServerAndLocation => ffi::RSRC_CONF | ffi::ACCESS_CONF,
                Scope::Location => ffi::ACCESS_CONF,
            },
        ),
        None => (null(), std::ptr::null_mut(), null(), 0),
    };
    ffi::command_rec {
        name,
        func: ffi::cmd_func { take_argv: Some(take_arguments) },
        cmd_data: data,
        req_override: place as c_int,
        args_how: ffi::TAKE_ARGV,
        errmsg: help,
    }
}

#[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
static COMMANDS: Commands = {
    let mut commands = Commands([const { command(None) }; count() + 1]);
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut directive = 0;
        while directive < FAMILIES[family].len() {
            commands.0[n] = command(Some(&FAMILIES[family][directive]));
            n += 1;
            directive += 1;
        }
        family += 1;
    }
    commands
};

/// The table that the module record names.
pub const fn commands() -> *const ffi::command_rec {
    (&raw const COMMANDS.0).cast()
}

/// Reads one directive: every directive of the module comes here.
unsafe extern "C" fn take_arguments(parms: *mut ffi::cmd_parms, location: *mut c_void, argc: c_int, argv: *const *mut c_char) -> *const c_char {
    guard("configuration", c"mod_qos: internal error while reading this directive".as_ptr(), || {
        // SAFETY: httpd passes its parameters, `argc` C strings and the record of the location it is in (null outside);
        // `cmd_data` is the directive of the table above.
        let (parms, directive, arguments) = unsafe {
            let parms = &mut *parms;
            let directive = &*(*parms.cmd).cmd_data.cast::<Directive>();
            let arguments = (0..usize::try_from(argc).unwrap_or(0)).map(|n| bytes(*argv.add(n)).unwrap_or_default()).collect::<Vec<_>>();
            (parms, directive, arguments)
        };
        // SAFETY: the pool of the command, in the one thread that reads the configuration.
        let pool = unsafe { Pool::new(parms.pool) };
        if directive.scope == Scope::Global {
            // SAFETY: live parameters.
            let problem = unsafe { ffi::ap_check_cmd_context(parms, ffi::NOT_IN_VIRTUALHOST) };
            if !problem.is_null() {
                return problem;
            }
        }
        // SAFETY: a server of the configuration that is being read; its record was made by `create_server`.
        let server = unsafe { ffi::ap_get_module_config((*parms.server).module_config, crate::module_record()).cast::<ServerRecord>() };
        let mut target = if parms.path.is_null() {
            // SAFETY: see above; no other reference exists while the configuration is read.
            match unsafe { server.as_mut() } {
                // SAFETY: live parameters; only virtual hosts are marked so.
                Some(server) if unsafe { (*parms.server).is_virtual } != 0 => Target::VirtualHost(&mut server.config),
                Some(server) => Target::Server(&mut server.config),
                None => return c"mod_qos: this server has no configuration record".as_ptr(),
            }
        } else {
            // SAFETY: made by `create_location`.
            match unsafe { location.cast::<LocationConfig>().as_mut() } {
                Some(location) => Target::Location(location),
                None => return c"mod_qos: this section has no configuration record".as_ptr(),
            }
        };
        let applied = apply(directive, &mut target, &arguments);
        note_features(&target);
        match applied {
            Ok(Outcome::Taken) if directive.name() == "QS_ClientGeoCountryDB" => {
                // SAFETY: see above.
                match unsafe { server.as_mut() }.map(|server| read_countries(server, pool, arguments.first().copied().unwrap_or_default())) {
                    Some(Err(error)) => pool.string(format!("{}: {error}", directive.name()).as_bytes()),
                    _ => null(),
                }
            }
            Ok(Outcome::Taken) if directive.name() == "QS_BodyTempDir" => {
                let path = arguments.first().copied().unwrap_or_default();
                if pool.relative_to_root(path).is_some_and(|path| path.is_dir()) {
                    null()
                } else {
                    let text = format!("{}: '{}' is not a directory; expected one that httpd's children may write to", directive.name(), printable(path));
                    pool.string(text.as_bytes())
                }
            }
            Ok(Outcome::Taken) if matches!(directive.name(), "QS_ErrorResponseCode" | "QS_BodyErrorCode" | "PARP_ExitOnError") => {
                let code = arguments.first().copied().unwrap_or_default();
                if knows_status(code) {
                    null()
                } else {
                    pool.string(format!("{}: '{}' is not a status that httpd knows", directive.name(), printable(code)).as_bytes())
                }
            }
            Ok(Outcome::Taken) => null(),
            Ok(Outcome::Warn(text)) => {
                log::server(parms.server, log::Level::Warning, || format!("mod_qos(009): {} {text}", directive.name()));
                null()
            }
            Err(wrong) => pool.string(wrong.to_string().as_bytes()),
        }
    })
}

/// Whether httpd has a status line for a number that the directive table has taken. Unknown ones share the place of 500.
fn knows_status(code: &[u8]) -> bool {
    let code = std::str::from_utf8(code).ok().and_then(|text| text.parse::<c_int>().ok()).unwrap_or(0);
    // SAFETY: looks a number up in a table.
    code == 200 || code == 500 || unsafe { ffi::ap_index_of_response(code) != ffi::ap_index_of_response(500) }
}

/// Reads the database of countries; the path is relative to httpd's root.
fn read_countries(server: &mut ServerRecord, pool: Pool, path: &[u8]) -> Result<(), String> {
    let shown = printable(path);
    let path = pool.relative_to_root(path).ok_or_else(|| format!("'{shown}' is not a usable path; expected the path of a .mmdb or .csv file"))?;
    let bytes = std::fs::read(&path).map_err(|error| format!("'{shown}' cannot be read ({error}); expected a .mmdb or .csv file"))?;
    let database = Database::read(bytes).map_err(|error| format!("'{shown}' is not usable: {error}"))?;
    server.countries = Some(database);
    Ok(())
}

fn note_features(target: &Target<'_>) {
    match target {
        Target::Server(server) | Target::VirtualHost(server) => {
            for (used, feature) in [
                (server.client.needs_store() || server.vip.marks_addresses(), feature::CLIENTS),
                (server.vip.marks_addresses(), feature::VIP),
                (!server.milestones.list.is_empty(), feature::MILESTONES),
                (server.tracking.is_some(), feature::TRACKING),
                (!server.redirects.is_empty(), feature::REDIRECTS),
                (server.client.block.is_some(), feature::BLOCK),
                (server.serialize == Some(true), feature::SERIALIZE),
                (!server.status_events.is_empty(), feature::STATUS_EVENTS),
                (server.client.special.broken, feature::BROKEN),
                (server.geo.database.is_some(), feature::COUNTRIES),
                (server.reports.log_program.is_some(), feature::LOG_PROGRAM),
                (server.log_env == Some(true), feature::LOG_ENV),
                (!server.off_events.is_empty(), feature::RATE_OFF_EVENTS),
                (server.max_connections.is_some(), feature::MAX_CONNECTIONS),
                (!server.rules.table.is_empty() || !server.rules.counts.is_empty(), feature::RULES),
                (server.close_limit.is_some(), feature::CLOSE_LIMIT),
                (server.body_limit.is_some(), feature::BODY_LIMIT),
                (!server.variables.set_env_if.is_empty(), feature::SET_ENV_IF),
                (!server.variables.response.is_empty() || server.headers.look_at_responses(), feature::RESPONSE_RULES),
                (!server.headers.unset_request.is_empty(), feature::UNSET_HEADERS),
                (!server.headers.late.is_empty(), feature::LATE_HEADERS),
                (!server.variables.parp.is_empty(), feature::PARAMETERS),
                (server.header_filters.request.is_some(), feature::HEADER_FILTERS),
            ] {
                if used {
                    feature::add(feature);
                }
            }
            let client = &server.client;
            let needs_store = client.block.is_some() || !client.limits.is_empty() || client.per_second.is_some() || client.prefer.is_some();
            for (used, step) in [
                (server.log_env == Some(true), Step::LogEnv),
                (client.event_requests.is_some(), Step::ClientEventRequestLimit),
                (needs_store, Step::ClientStore),
                (client.serialize.is_some(), Step::ClientSerialize),
                (server.serialize == Some(true), Step::SrvSerialize),
                (server.rules.has_locations(), Step::SelectLocation),
                (server.rules.has_locations(), Step::LocationLimit),
                (server.rules.has(Kind::Conditional), Step::ConditionalLimit),
                (server.rules.has(Kind::EventRequest), Step::EventRequestLimit),
                (server.rules.has(Kind::EventPerSecond) || server.rules.has(Kind::EventKBytes), Step::EventRates),
                (server.rules.table.iter().any(|rule| rule.per_second.is_some()), Step::RequestDelay),
                (server.rules.table.iter().any(|rule| rule.kbytes.is_some()), Step::Bandwidth),
                (!server.rules.counts.is_empty(), Step::EventLimitCount),
                (server.body.raw_types.is_some() || server.body.error_code.is_some(), Step::ReadBody),
                (!server.variables.parp.is_empty(), Step::SetEnvIfParp),
                (!server.variables.body.is_empty(), Step::SetEnvIfBody),
                (!server.variables.query.is_empty(), Step::SetEnvIfQuery),
                (!server.variables.set_env_if.is_empty(), Step::SetEnvIf),
                (!server.variables.set_env.is_empty(), Step::SetEnv),
                (!server.headers.early.is_empty(), Step::SetReqHeader),
                (server.vip.has_sessions(), Step::Vip),
                (server.vip.has_sessions(), Step::VipVariable),
                (!server.milestones.list.is_empty(), Step::Milestones),
            ] {
                if used {
                    steps::add(&[step]);
                }
            }
        }
        Target::Location(location) => {
            if !location.off_events.is_empty() {
                feature::add(feature::RATE_OFF_EVENTS);
            }
            if !location.status_events.is_empty() {
                feature::add(feature::STATUS_EVENTS);
            }
            if !location.variables.set_env_if.is_empty() {
                feature::add(feature::SET_ENV_IF);
            }
            if !location.redirects.is_empty() {
                feature::add(feature::REDIRECTS);
            }
            if location.body_limit.is_some() {
                feature::add(feature::BODY_LIMIT);
            }
            if location.header_filters != LocationHeaderFilters::default() {
                feature::add(feature::HEADER_FILTERS);
            }
            let url = &location.url;
            if url.is_active() {
                feature::add(feature::FILTERS);
            }
            if url.internal_redirects == Some(true) {
                feature::add(feature::INTERNAL_REDIRECTS);
            }
            if url.looks_at_bodies() {
                feature::add(feature::BODY_RULES);
            }
            for (used, step) in [
                (url.is_active(), Step::Filters),
                (url.rules.has(filter::Kind::Event), Step::DenyEvent),
                (location.variables.search.is_some(), Step::SearchBody),
                (!location.variables.query.is_empty(), Step::SetEnvIfQuery),
                (!location.variables.set_env_if.is_empty(), Step::SetEnvIf),
                (!location.variables.compare.is_empty(), Step::SetEnvIfCmp),
            ] {
                if used {
                    steps::add(&[step]);
                }
            }
        }
    }
}

/// A record for the main server or for a virtual host that has a directive of the module.
pub unsafe extern "C" fn create_server(pool: *mut ffi::apr_pool_t, _server: *mut ffi::server_rec) -> *mut c_void {
    // SAFETY: the configuration pool, in the thread that reads it.
    guard("create_server_config", std::ptr::null_mut(), || unsafe { Pool::new(pool) }.own(ServerRecord::default()).cast())
}

/// The record of a virtual host that inherits from the main server.
pub unsafe extern "C" fn merge_server(pool: *mut ffi::apr_pool_t, base: *mut c_void, own: *mut c_void) -> *mut c_void {
    guard("merge_server_config", base, || {
        // SAFETY: both were made by `create_server`; the pool is the configuration's.
        let (base, own, pool) = unsafe { (&*base.cast::<ServerRecord>(), &*own.cast::<ServerRecord>(), Pool::new(pool)) };
        pool.own(ServerRecord {
            config: ServerConfig::merge(&base.config, &own.config),
            countries: None,
            derived: OnceCell::new(),
            rules: OnceCell::new(),
            automatic_page: OnceCell::new(),
            tokens: OnceCell::new(),
        })
        .cast()
    })
}

/// A record for a location section.
pub unsafe extern "C" fn create_location(pool: *mut ffi::apr_pool_t, dir: *mut c_char) -> *mut c_void {
    guard("create_dir_config", std::ptr::null_mut(), || {
        // SAFETY: null, or the path, pattern or directory of the section.
        let section = (!dir.is_null()).then(|| Arc::from(unsafe { CStr::from_ptr(dir) }));
        // SAFETY: the configuration pool, or a request's.
        let location = unsafe { Pool::new(pool) }.own(LocationConfig { section, ..LocationConfig::default() });
        sections::created(location);
        location.cast()
    })
}

/// The record of a section within another, also per request.
pub unsafe extern "C" fn merge_location(pool: *mut ffi::apr_pool_t, base: *mut c_void, own: *mut c_void) -> *mut c_void {
    guard("merge_dir_config", base, || {
        // SAFETY: both were made by `create_location` or here.
        let (outer, inner) = unsafe { (&*base.cast::<LocationConfig>(), &*own.cast::<LocationConfig>()) };
        // Merging happens on the request path: what one side decides alone needs no new record.
        if *inner == LocationConfig::default() {
            return base;
        }
        if *outer == LocationConfig::default() {
            return own;
        }
        // SAFETY: the pool lives as long as the merged record is used.
        unsafe { Pool::new(pool) }.own(LocationConfig::merge(outer, inner)).cast()
    })
}
