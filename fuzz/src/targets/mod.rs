//! One file per target.

mod addresses;
mod bodies;
mod configuration;
mod console;
mod filters;
mod form;
mod geo;
mod headers;
mod json;
mod multipart;
mod patterns;
mod text;
mod variables;

/// What a target does with bytes.
pub type Target = fn(&[u8]);

/// All targets with their names. Each of them has seeds in `fuzz/seeds/<name>/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("addresses", addresses::run),
    ("bodies", bodies::run),
    ("configuration", configuration::run),
    ("console", console::run),
    ("filters", filters::run),
    ("form", form::run),
    ("geo", geo::run),
    ("headers", headers::run),
    ("json", json::run),
    ("multipart", multipart::run),
    ("patterns", patterns::run),
    ("text", text::run),
    ("variables", variables::run),
];
