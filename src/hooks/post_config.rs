//! Start-up (connection-client.md section 3.2): what follows from the whole configuration, and the shared region.

use crate::clients::{self, ClientStore};
use crate::config::{Derived, ServerRecord, sections};
use crate::httpd::guard::guard;
use crate::httpd::pool::Pool;
use crate::httpd::{decode_hooks, ffi, log, process_exists, retained, server};
use crate::names::Names;
use crate::runtime::{LogPipe, Runtime, feature, publish, retract, steps};
use crate::{rules, tokens};
use qos_core::capacity::{Mpm, computed};
use qos_core::config::{AUTOMATIC_PAGES, RESPONSE_CODE, ServerConfig};
use qos_core::order::Step;
use qos_shm::{Region, Sizing};
use std::ffi::{CString, c_int, c_void};
use std::hash::{BuildHasher, RandomState};

/// Generations of children that may be alive at a time, for the size of the region.
const GENERATIONS: u64 = 8;
/// Slots in the smallest region.
const LEAST_CONNECTIONS: u64 = 16_384;
/// Request slots in the smallest region.
const LEAST_REQUESTS: u64 = 4096;
/// Slots in the largest region.
const MOST_CONNECTIONS: u64 = 4_000_000;
/// Failure of start-up, as httpd understands it.
const START_FAILED: c_int = 500;

/// The version that the `Server` header carries.
pub const VERSION: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(concat!("mod_qos/", env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"mod_qos",
};

/// The hook.
pub unsafe extern "C" fn post_config(
    pconf: *mut ffi::apr_pool_t,
    _plog: *mut ffi::apr_pool_t,
    _ptemp: *mut ffi::apr_pool_t,
    main: *mut ffi::server_rec,
) -> c_int {
    guard("post_config", START_FAILED, || {
        log::set_main_server(main);
        let sections = sections::end();
        // httpd reads its configuration twice at start; the first time only to see whether it can (W22).
        if server::state(ffi::AP_SQ_MAIN_STATE) == ffi::AP_SQ_MS_CREATE_PRE_CONFIG {
            return ffi::OK as c_int;
        }
        // Children share the tables of all rules with their parent.
        sections.iter().for_each(|section| section.url.rules.compile());
        // SAFETY: the configuration pool, in the parent's one thread.
        let pool = unsafe { Pool::new(pconf) };
        let default = ServerConfig::default();
        let config = ServerRecord::of(main).map_or(&default, |record| &record.config);
        let mpm = mpm();
        let computed = computed(mpm);
        let max_clients = config.max_clients.unwrap_or(computed);
        remarks(main, config, computed, max_clients);
        let Some(region) = region(main, mpm) else { return START_FAILED };
        for (module, feature) in [(c"mod_remoteip.c", feature::REMOTEIP), (c"mod_ssl.c", feature::SSL)] {
            if server::has_module(module) {
                feature::add(feature);
            }
        }
        let domains = derive(&region, main, max_clients);
        let Some(clients) = client_store(main, &region, config, domains) else { return START_FAILED };
        let Some(log_pipe) = log_program(main, config, pconf) else { return START_FAILED };
        // SAFETY: the record lives in the configuration pool, longer than the runtime that is retracted with it.
        let countries = ServerRecord::of(main).and_then(|record| record.countries.as_ref()).map(|countries| unsafe { &*std::ptr::from_ref(countries) });
        if config.geo.rule.is_some() && countries.is_none() {
            log::server(main, log::Level::Crit, qos_core::geo::without_database);
        }
        let mut names = Names::new(&config.client);
        if let Err(error) = rules::open(&region, main, &mut names.set, clients::now()) {
            log::server(main, log::Level::Emerg, || format!("mod_qos(002): failed to create shared memory (rules): {error}"));
            return START_FAILED;
        }
        if !tokens::open(main) {
            return START_FAILED;
        }
        // SAFETY: only asks the MPM.
        if steps::active().has(Step::Bandwidth) && unsafe { ffi::qos_shim_mpm_can_wait() } != 0 {
            feature::add(feature::WAITING);
        }
        let Some(header_filters) = super::header_filter::load(main, config) else { return START_FAILED };
        automatic_pages(main, pool);
        if server::mentioned(["%{qos-path}n", "%{qos-query}n"]) == [true; 2] {
            feature::add(feature::FILTERS);
            steps::add(&[Step::Audit]);
        }
        super::tuning::look_for_variables();
        if decode_hooks::are_used() {
            feature::add(feature::DECODE_HOOKS);
        }
        let runtime = Box::into_raw(Box::new(Runtime {
            parent: std::process::id(),
            region,
            main,
            max_clients,
            workers: mpm.processes.saturating_mul(mpm.threads).max(1),
            log_only: config.log_only(),
            deny_code: config.denials.code.unwrap_or(RESPONSE_CODE),
            forced_close: config.forced_close.unwrap_or(true),
            rate: config.rate,
            sample: config.sample_rate.unwrap_or_default(),
            rate_ignore_vip: config.rate_ignore_vip.unwrap_or(false),
            vip_timeout: config.vip.ip_timeout,
            status: config.status.unwrap_or(false),
            threaded: server::mpm(ffi::AP_MPMQ_IS_THREADED) != 0,
            all: region.key(ALL, &[0; 16]),
            is_async: mpm.async_factor.is_some(),
            names,
            rules: config.client.clone(),
            clients,
            geo: config.geo.clone(),
            countries,
            body_dir: config.body.temp_dir.as_deref().and_then(|path| pool.relative_to_root(path)).unwrap_or_else(std::env::temp_dir),
            log_pipe,
            header_filters,
        }));
        publish(runtime);
        pool.on_clear(runtime.cast(), retract_runtime);
        // SAFETY: a pool and a C string.
        unsafe { ffi::ap_add_version_component(pconf, VERSION.as_ptr()) };
        ffi::OK as c_int
    })
}

/// Also at `configtest`: what only all directives of a server together show.
pub unsafe extern "C" fn check_config(
    _pconf: *mut ffi::apr_pool_t,
    _plog: *mut ffi::apr_pool_t,
    _ptemp: *mut ffi::apr_pool_t,
    main: *mut ffi::server_rec,
) -> c_int {
    guard("check_config", START_FAILED, || {
        if !server::has_module(c"mod_parp.c") {
            super::parameters::offer();
        }
        for server in server::all(main) {
            let checked = |record: &ServerRecord| record.config.rules.marked().map(|_| ()).and_then(|()| record.config.cookies_differ());
            if let Some(Err(wrong)) = ServerRecord::of(server).map(checked) {
                let (host, port) = server::host_and_port(server);
                let host = String::from_utf8_lossy(host.unwrap_or(b"-"));
                log::server(main, log::Level::Emerg, || format!("mod_qos(009): {wrong} (server {host}:{port})"));
                return START_FAILED;
            }
        }
        // httpd reads its configuration twice at start; what it means is said once.
        let only_checked = server::state(ffi::AP_SQ_RUN_MODE) == ffi::AP_SQ_RM_CONFIG_TEST;
        if only_checked || server::state(ffi::AP_SQ_MAIN_STATE) != ffi::AP_SQ_MS_CREATE_PRE_CONFIG {
            for remark in qos_core::filter::remarks(&sections::all()) {
                log::server(main, log::Level::Warning, || format!("mod_qos(009): {remark}"));
            }
        }
        ffi::OK as c_int
    })
}

/// Domain of the counter of all connections.
const ALL: u64 = u64::MAX;

unsafe extern "C" fn retract_runtime(data: *mut c_void) -> ffi::apr_status_t {
    guard("pool cleanup", (), || retract(data.cast()));
    0
}

fn mpm() -> Mpm {
    let is_async = server::mpm(ffi::AP_MPMQ_IS_ASYNC) != 0;
    let factor = server::directive_value("AsyncRequestWorkerFactor").and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
    Mpm {
        processes: server::mpm(ffi::AP_MPMQ_MAX_DAEMONS),
        threads: server::mpm(ffi::AP_MPMQ_MAX_THREADS).max(1),
        async_factor: is_async.then(|| factor.unwrap_or(2.0)),
    }
}

fn remarks(main: *mut ffi::server_rec, config: &ServerConfig, computed: u32, max_clients: u32) {
    if config.max_clients.is_some() && max_clients != computed {
        log::server(main, log::Level::Notice, || {
            format!("mod_qos(007): calculated MaxClients/MaxRequestWorkers (max connections): {computed}, applied limit: {max_clients}")
        });
    } else {
        log::server(main, log::Level::Debug, || format!("mod_qos(): calculated MaxClients/MaxRequestWorkers (max connections): {computed}"));
    }
    if config.log_only() {
        log::server(main, log::Level::Notice, || "mod_qos(009): running in 'log only' mode - rules are NOT enforced!".to_owned());
    }
    if let Some(header) = config.client.ip_header.as_ref().filter(|header| header.is_written_by_anybody()) {
        log::server(main, log::Level::Notice, || {
            format!(
                "mod_qos(009): QS_ClientIpFromHeader: '{}' is believed from every client, who may so count for others; name the networks of your proxies behind it",
                header.name()
            )
        });
    }
    if server::has_module(c"mod_parp.c") {
        log::server(main, log::Level::Notice, || "mod_qos(009): mod_parp is loaded: rules of mod_qos use their own parser and do not need it".to_owned());
    }
    if !server::has_module(c"mod_unique_id.c") {
        log::server(main, log::Level::Warning, || "mod_qos(009): mod_unique_id not available (mod_qos generates simple request id if required)".to_owned());
    }
    if !server::has_module(c"mod_ssl.c") {
        log::server(main, log::Level::Info, || "mod_qos(009): mod_ssl not available".to_owned());
    }
}

/// Error pages where none is configured (request-event.md section 4.2): the first file that exists.
fn automatic_pages(main: *mut ffi::server_rec, pool: Pool) {
    let exists = |page: &&&str| pool.relative_to_root(format!("work/errorpages/{page}").as_bytes()).is_some_and(|path| path.is_file());
    let Some(page) = AUTOMATIC_PAGES.iter().find(exists).and_then(|page| CString::new(format!("/errorpages/{page}")).ok()) else { return };
    let without = server::all(main).filter_map(|server| ServerRecord::of(server)).filter(|record| record.config.denials.page.is_none());
    if without.map(|record| record.set_automatic_page(page.clone())).count() > 0 {
        log::server(main, log::Level::Notice, || format!("mod_qos(009): QS_ErrorPage: {} is used where no error page is configured", page.to_string_lossy()));
    }
}

/// The region of an earlier configuration, or a new one.
fn region(main: *mut ffi::server_rec, mpm: Mpm) -> Option<Region> {
    if let Some(base) = retained::region() {
        // SAFETY: `keep_region` was given the base of a region that is never unmapped.
        match unsafe { Region::attach(base) } {
            Ok(region) => {
                region.begin_generation();
                // Children of ended generations that nobody reported.
                region.reclaim_missing(&mut process_exists);
                return Some(region);
            }
            // Another version of the module made it; its children keep theirs, ours begin anew.
            Err(error) => log::server(main, log::Level::Notice, || {
                format!("mod_qos(009): shared memory of an earlier version of the module cannot be taken over ({error}); counters begin anew")
            }),
        }
    }
    let hard_processes = u64::from(server::mpm(ffi::AP_MPMQ_HARD_LIMIT_DAEMONS).max(1));
    let threads = u64::from(server::mpm(ffi::AP_MPMQ_HARD_LIMIT_THREADS).max(1));
    let per_child = u64::from(computed(Mpm { processes: 1, threads: u32::try_from(threads).unwrap_or(u32::MAX), ..mpm }));
    let connections = (hard_processes * per_child * GENERATIONS).clamp(LEAST_CONNECTIONS, MOST_CONNECTIONS);
    let sizing = Sizing {
        children: u32::try_from(hard_processes * GENERATIONS + 64).unwrap_or(u32::MAX).min(1 << 20),
        connections: u32::try_from(connections).unwrap_or(u32::MAX),
        // A connection seldom has more requests than one that hold something at a time, and HTTP/2 has fewer workers than streams.
        block_slots: if per_child <= 2 { 2 } else { 64 },
        // Requests that are served at a time, HTTP/2 included, need a worker.
        requests: u32::try_from((2 * hard_processes * threads * GENERATIONS).clamp(LEAST_REQUESTS, MOST_CONNECTIONS)).unwrap_or(u32::MAX),
    };
    // The secret of the keyed hash: two values of the standard library's randomly keyed hasher.
    let secret = [RandomState::new().hash_one(0u8), RandomState::new().hash_one(1u8)];
    match Region::create(&sizing, secret) {
        Ok(region) => {
            retained::keep_region(region.base());
            region.begin_generation();
            Some(region)
        }
        Err(error) => {
            log::server(main, log::Level::Emerg, || format!("mod_qos(002): failed to create shared memory (connections): {error}"));
            None
        }
    }
}

/// `QS_ClientEntries` where it is not given.
const CLIENT_ENTRIES: u32 = 50_000;

/// The client table, where a rule needs one (section 2.1). The outer `None`: there is no memory for it.
fn client_store(main: *mut ffi::server_rec, region: &Region, config: &ServerConfig, domains: Vec<u64>) -> Option<Option<ClientStore>> {
    // Who is a VIP is remembered, whichever server says so (W29).
    let marks_vips = server::all(main).filter_map(|server| ServerRecord::of(server)).any(|record| record.config.vip.marks_addresses());
    if !config.client.needs_store() && !marks_vips {
        clients::close(main);
        return Some(None);
    }
    match clients::open(main, region, &config.client, config.client_entries.unwrap_or(CLIENT_ENTRIES), domains) {
        Ok(store) => Some(Some(store)),
        Err(error) => {
            log::server(main, log::Level::Emerg, || format!("mod_qos(002): failed to create shared memory (client table): {error}"));
            None
        }
    }
}

/// Starts the program of `QSLog` (section 13.4). The outer `None`: it cannot be started (W60).
fn log_program(main: *mut ffi::server_rec, config: &ServerConfig, pconf: *mut ffi::apr_pool_t) -> Option<Option<LogPipe>> {
    let Some(program) = &config.reports.log_program else { return Some(None) };
    // SAFETY: the configuration pool, in the parent's one thread.
    let command = unsafe { Pool::new(pconf) }.string(&[program.as_slice(), qos_core::qslog::ARGUMENTS].concat());
    // SAFETY: a live pool and a C string; the pipe lives as long as the pool.
    let pipe = unsafe {
        let log = ffi::ap_open_piped_log(pconf, command);
        if log.is_null() { std::ptr::null_mut() } else { ffi::ap_piped_log_write_fd(log) }
    };
    if pipe.is_null() {
        log::server(main, log::Level::Emerg, || {
            format!("mod_qos(009): QSLog: '{}' cannot be started; expected a program that can be executed", qos_core::config::printable(program))
        });
        return None;
    }
    Some(Some(LogPipe(pipe)))
}

/// Who counts with whom (connection-client.md section 3.1), and percentages as numbers. Returns all domains of address counters.
fn derive(region: &Region, main: *mut ffi::server_rec, max_clients: u32) -> Vec<u64> {
    let mut domains = Vec::new();
    let Some(main_record) = ServerRecord::of(main) else { return domains };
    let any_limit_in_main = main_record.config.owns_connections;
    let domain = |server: *mut ffi::server_rec| crate::clients::hash(region, 0, &server::identity(server));
    let main_domain = domain(main);
    // Where all servers count together, the counter of all connections is theirs: one that every connection changes less.
    let counts_for_itself = |record: &ServerRecord| record.config.owns_connections || !any_limit_in_main;
    let alone = server::all(main).filter_map(|server| ServerRecord::of(server)).all(|record| std::ptr::eq(record, main_record) || !counts_for_itself(record));
    for server in server::all(main) {
        let Some(record) = ServerRecord::of(server) else { continue };
        if std::ptr::eq(record, main_record) && server != main {
            continue;
        }
        let own = server == main || counts_for_itself(record);
        let identity = domain(server);
        let domain = if own { identity } else { main_domain };
        if !domains.contains(&domain) {
            domains.push(domain);
        }
        record.derive(Derived {
            turn: clients::key_of(region, clients::domain::SERVER_TURN, identity),
            domain,
            // Another domain than that of its addresses: `::` is an address.
            key: if alone { region.key(ALL, &[0; 16]) } else { region.key(domain ^ clients::domain::SERVER, &[0; 16]) },
            number: (domain & u64::from(u32::MAX)) as u32,
            close_limit: record.config.close_limit.map(|limit| limit.connections(max_clients)),
        });
    }
    domains
}
