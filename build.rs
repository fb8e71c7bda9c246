//! Bindings and shim from the headers that apxs names.
//!
//! `APXS` selects another apxs; httpd's and APR's flags come from it and from the apr config tool it names.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Everything the module uses of httpd and APR. Nothing else is bound.
const FUNCTIONS: &[&str] = &[
    "ap_add_input_filter_handle",
    "ap_add_output_filter_handle",
    "ap_add_version_component",
    "ap_check_cmd_context",
    "ap_discard_request_body",
    "ap_find_linked_module",
    "ap_get_brigade",
    "ap_get_client_block",
    "ap_get_module_config",
    "ap_get_server_name",
    "ap_hook_.*",
    "ap_index_of_response",
    "ap_map_http_request_error",
    "ap_internal_redirect",
    "ap_mpm_query",
    "ap_get_conn_socket",
    "ap_pass_brigade",
    "ap_register_input_filter",
    "ap_register_output_filter",
    "ap_remove_input_filter",
    "ap_request_has_body",
    "ap_remove_output_filter",
    "ap_run_default_port",
    "ap_run_http_scheme",
    "ap_run_process_connection",
    "ap_save_brigade",
    "ap_retained_data_create",
    "ap_retained_data_get",
    "ap_open_piped_log",
    "ap_piped_log_write_fd",
    "ap_server_root_relative",
    "ap_rwrite",
    "ap_set_content_type",
    "ap_set_module_config",
    "ap_setup_client_block",
    "ap_should_client_block",
    "ap_state_query",
    "apr_brigade_cleanup",
    "apr_file_write",
    "apr_socket_timeout_set",
    "apr_palloc",
    "apr_pool_cleanup_null",
    "apr_pool_cleanup_register",
    "apr_pstrmemdup",
    "apr_table_addn",
    "apr_table_elts",
    "apr_table_make",
    "apr_table_get",
    "apr_table_mergen",
    "apr_table_setn",
    "apr_table_unset",
    "apr_uri_parse",
];
const TYPES: &[&str] = &[
    "module",
    "command_rec",
    "cmd_parms",
    "server_rec",
    "conn_rec",
    "request_rec",
    "ap_filter_t",
    "ap_directive_t",
    "scoreboard",
    "worker_score",
    "process_score",
    "global_score",
    "apr_bucket",
    "apr_bucket_brigade",
    "piped_log",
    "apr_file_t",
    "apr_table_entry_t",
    "apr_array_header_t",
    "ap_listen_rec",
];
const VARIABLES: &[&str] = &[
    "QOS_.*",
    "ap_scoreboard_image",
    "ap_conftree",
    "ap_listeners",
    "MODULE_MAGIC_NUMBER_MAJOR",
    "MODULE_MAGIC_NUMBER_MINOR",
    "MODULE_MAGIC_COOKIE",
    "RSRC_CONF",
    "ACCESS_CONF",
    "NOT_IN_.*",
    "GLOBAL_ONLY",
    "OK",
    "DECLINED",
    "DONE",
    "HTTP_.*",
    "APLOG_.*",
    "APR_HOOK_.*",
    "APR_ENOSPC",
    "APR_TIMEUP",
    "APR_EGENERAL",
    "AP_FILTER_ERROR",
    "AP_MODE_.*",
    "AP_CONN_.*",
    "APR_SUCCESS",
    "AP_MPMQ_.*",
    "AP_SQ_.*",
    "SERVER_.*",
    "AP_FTYPE_.*",
    "AP_STATUS_.*",
    "M_GET",
    "M_CONNECT",
    "M_POST",
    "REQUEST_CHUNKED_DECHUNK",
];

fn main() {
    println!("cargo:rerun-if-env-changed=APXS");
    println!("cargo:rerun-if-changed=src/httpd/shim.c");
    println!("cargo:rerun-if-changed=src/httpd/shim.h");
    println!("cargo:rerun-if-changed=include/mod_qos_hooks.h");
    let apxs = env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let mut flags = vec![format!("-I{}", query(&apxs, "INCLUDEDIR"))];
    // apxs -q EXTRA_CPPFLAGS and APR_CONFIG are what `apxs -c` itself compiles with.
    flags.extend(query(&apxs, "EXTRA_CPPFLAGS").split_whitespace().map(str::to_owned));
    let apr_config = query(&apxs, "APR_CONFIG");
    flags.extend(output(&apr_config, &["--includes", "--cppflags"]).split_whitespace().map(str::to_owned));

    let mut shim = cc::Build::new();
    shim.file("src/httpd/shim.c").include("include").flag_if_supported("-fvisibility=hidden").warnings(true);
    for flag in &flags {
        shim.flag(flag);
    }
    shim.compile("qos_shim");

    let mut bindings = bindgen::Builder::default()
        .header("src/httpd/shim.h")
        .clang_args(&flags)
        .allowlist_function("qos_shim_.*")
        .generate_comments(false)
        .layout_tests(false)
        .derive_debug(false)
        .prepend_enum_name(false)
        .merge_extern_blocks(true);
    for name in FUNCTIONS {
        bindings = bindings.allowlist_function(name);
    }
    for name in TYPES {
        bindings = bindings.allowlist_type(name);
    }
    for name in VARIABLES {
        bindings = bindings.allowlist_var(name);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    match bindings.generate() {
        Ok(generated) => {
            if let Err(error) = generated.write_to_file(&out) {
                fail(&format!("cannot write {}: {error}", out.display()));
            }
        }
        Err(error) => fail(&format!("bindgen cannot read httpd's headers with {flags:?}: {error}")),
    }
}

/// `apxs -q NAME`, first of several values (`a;;b` on some versions when asked for more).
fn query(apxs: &str, name: &str) -> String {
    output(apxs, &["-q", name])
}

fn output(command: &str, arguments: &[&str]) -> String {
    match Command::new(command).args(arguments).output() {
        Ok(result) if result.status.success() => String::from_utf8_lossy(&result.stdout).trim().to_owned(),
        Ok(result) => fail(&format!("'{command} {}' failed: {}", arguments.join(" "), String::from_utf8_lossy(&result.stderr).trim())),
        Err(error) => fail(&format!(
            "cannot run '{command}': {error}; it is in package apache2-dev (Debian) or httpd-devel (Fedora); 'make setup' installs it, APXS=/path names another"
        )),
    }
}

fn fail(message: &str) -> ! {
    println!("cargo:warning={message}");
    eprintln!("error: {message}");
    std::process::exit(1)
}
