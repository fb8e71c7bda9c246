//! The sections of the configuration that is being read: httpd has no list of them.

use qos_core::config::LocationConfig;
use std::sync::Mutex;

/// Records of sections, in the order in which they were read; `None`: no configuration is being read.
static READ: Mutex<Option<Vec<Section>>> = Mutex::new(None);

struct Section(*const LocationConfig);
// SAFETY: used by the parent's one thread only, which reads the configuration.
unsafe impl Send for Section {}

fn read() -> std::sync::MutexGuard<'static, Option<Vec<Section>>> {
    READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The module was loaded for a configuration.
pub fn begin() {
    *read() = Some(Vec::new());
}

/// A section was begun. Those that httpd makes while it serves requests are not remembered.
pub fn created(section: *const LocationConfig) {
    if let Some(sections) = read().as_mut() {
        sections.push(Section(section));
    }
}

/// All sections that were read so far.
pub fn all<'a>() -> Vec<&'a LocationConfig> {
    // SAFETY: records of a configuration that has not ended: `end` forgets them before it can.
    read().iter().flatten().filter_map(|section| unsafe { section.0.as_ref() }).collect()
}

/// The configuration is complete: all its sections, which are forgotten.
pub fn end<'a>() -> Vec<&'a LocationConfig> {
    let all = all();
    *read() = None;
    all
}
