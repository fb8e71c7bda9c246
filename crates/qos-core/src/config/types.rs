//! The typed configuration of a server and of a location, and how they are merged.

use super::client_types::{ClientConfig, Serialize, StatusEvent, merge_status_events};
use super::denial::Denials;
use super::handlers::{GeoConfig, ReportConfig};
use super::header_filter::{HeaderFilters, LocationHeaderFilters};
use super::headers::HeaderRules;
use super::milestone::MilestoneConfig;
use super::request_body::BodyConfig;
use super::request_rules::RequestRules;
use super::value::{Wrong, wrong};
use super::variables::{LocationVariables, ServerVariables};
use super::vip::VipConfig;
use crate::filter::{Masked, UrlFilter};
use crate::list::List;
use crate::milestone;
use crate::network::NetworkSet;
use crate::redirect::Redirect;
use crate::tracking::Tracking;
use std::ffi::CStr;
use std::sync::Arc;

/// Limit of `QS_SrvMaxConnClose`: a number of connections or a share of the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseLimit {
    /// Connections.
    Number(u32),
    /// Percent of `max_clients`, 1..=99.
    Percent(u8),
}

impl CloseLimit {
    /// The limit in connections: integer division, at least 1 (connection-client.md section 6.7).
    #[must_use]
    pub fn connections(self, max_clients: u32) -> u32 {
        match self {
            CloseLimit::Number(number) => number,
            CloseLimit::Percent(percent) => {
                let share = u64::from(max_clients) * u64::from(percent) / 100;
                u32::try_from(share).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

/// Which directive set the minimum data rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    /// `QS_SrvMinDataRate`: requests, responses and keep-alive.
    MinDataRate,
    /// `QS_SrvRequestRate`: requests only.
    RequestRate,
}

/// The minimum data rate rule (connection-client.md section 7.1); rates in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// The directive that set it.
    pub kind: RateKind,
    /// Required when the server is idle.
    pub base: u32,
    /// Required when the server is full.
    pub max: Option<u32>,
    /// Nothing is enforced below this number of connections.
    pub connections: Option<u32>,
}

/// `QS_SrvSampleRate`: length of the windows in which a rate is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleRate {
    /// Normal window, seconds (default 5).
    pub window: u32,
    /// Window while no worker is free, seconds (default 2), 0: never shortened.
    pub busy_window: u32,
}

impl Default for SampleRate {
    fn default() -> SampleRate {
        SampleRate { window: 5, busy_window: 2 }
    }
}

/// One `QS_SrvMinDataRateOffEvent`: `+name` adds, `-name` removes a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffEvent {
    /// `true` for `+`.
    pub add: bool,
    /// Variable name as written.
    pub name: Vec<u8>,
}

/// Variables that are in force after applying the entries in order; names are case-insensitive.
fn merge_off_events(base: &[OffEvent], own: &[OffEvent]) -> Vec<OffEvent> {
    let mut merged: Vec<OffEvent> = base.to_vec();
    for event in own {
        merged.retain(|old| !old.name.eq_ignore_ascii_case(&event.name));
        merged.push(event.clone());
    }
    merged
}

/// Everything configured for a server. `None` means not given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// `QS_MaxClients`.
    pub max_clients: Option<u32>,
    /// `QS_SrvMaxConn`.
    pub max_connections: Option<u32>,
    /// `QS_SrvMaxConnClose`.
    pub close_limit: Option<CloseLimit>,
    /// `QS_SrvMaxConnPerIP`, first argument.
    pub per_ip: Option<u32>,
    /// `QS_SrvMaxConnPerIP`, second argument: the rule rests below this number of connections.
    pub per_ip_from: Option<u32>,
    /// `QS_SrvMaxConnExcludeIP`.
    pub exclude: NetworkSet,
    /// `QS_SrvMaxConnPerIPIgnoreVIP`.
    pub per_ip_ignore_vip: Option<bool>,
    /// `QS_ForcedClose`.
    pub forced_close: Option<bool>,
    /// `QS_SrvMinDataRate` or `QS_SrvRequestRate`.
    pub rate: Option<RateRule>,
    /// `QS_SrvSampleRate`.
    pub sample_rate: Option<SampleRate>,
    /// `QS_SrvDataRateOff`; not inherited by a virtual host with a configuration of its own.
    pub data_rate_off: bool,
    /// `QS_SrvMinDataRateIgnoreVIP`.
    pub rate_ignore_vip: Option<bool>,
    /// `QS_SrvMinDataRateOffEvent` in order.
    pub off_events: Vec<OffEvent>,
    /// Per-client rules of the main server.
    pub client: ClientConfig,
    /// `QS_ClientContentTypes`, whole percentages: html, css/js, images, other, 304.
    pub content_types: Option<[u8; 5]>,
    /// `QS_SrvSerialize`: on or off.
    pub serialize: Option<bool>,
    /// `QS_SrvSerialize`: how long a request waits, and how many may.
    pub serialize_waits: Option<Serialize>,
    /// `QS_SetEnvIfStatus` in order.
    pub status_events: Vec<StatusEvent>,
    /// `QS_ClientEntries`, rounded down to a multiple of 640.
    pub client_entries: Option<u32>,
    /// `QS_LimitRequestBody`, bytes.
    pub body_limit: Option<u64>,
    /// How bodies are inspected.
    pub body: BodyConfig,
    /// `QS_LogOnly`.
    pub log_only: Option<bool>,
    /// `QS_SupportIPv6` (accepted; addresses are always compared whole).
    pub support_ipv6: Option<bool>,
    /// `QS_Status`.
    pub status: Option<bool>,
    /// `QS_LogEnv`.
    pub log_env: Option<bool>,
    /// `QS_DisableHandler`.
    pub disable_handler: Option<bool>,
    /// Countries.
    pub geo: GeoConfig,
    /// Reports and the console.
    pub reports: ReportConfig,
    /// Limits of locations and events.
    pub rules: RequestRules,
    /// Variables that are set.
    pub variables: ServerVariables,
    /// Headers that are set or removed.
    pub headers: HeaderRules,
    /// Headers that may pass.
    pub header_filters: HeaderFilters,
    /// `QS_MaskQueryParameters`.
    pub masked: Masked,
    /// How requests are denied.
    pub denials: Denials,
    /// VIPs and sessions.
    pub vip: VipConfig,
    /// Milestones.
    pub milestones: MilestoneConfig,
    /// `QS_UserTrackingCookieName`.
    pub tracking: Option<Tracking>,
    /// `QS_RedirectIf` in order.
    pub redirects: List<Redirect>,
    /// Whether this server itself says how many connections it takes (own counters, section 3.1).
    pub owns_connections: bool,
}

impl ServerConfig {
    /// The configuration of a virtual host: what it says itself, else what the main server says
    /// (connection-client.md section 2, column "Virtual-host merge").
    #[must_use]
    pub fn merge(base: &ServerConfig, own: &ServerConfig) -> ServerConfig {
        let mut exclude = base.exclude.clone();
        exclude.add_all(&own.exclude);
        ServerConfig {
            max_clients: base.max_clients,
            max_connections: own.max_connections.or(base.max_connections),
            close_limit: own.close_limit.or(base.close_limit),
            per_ip: own.per_ip.or(base.per_ip),
            per_ip_from: own.per_ip_from.or(base.per_ip_from),
            exclude,
            per_ip_ignore_vip: own.per_ip_ignore_vip.or(base.per_ip_ignore_vip),
            forced_close: base.forced_close,
            rate: base.rate,
            sample_rate: base.sample_rate,
            data_rate_off: own.data_rate_off,
            rate_ignore_vip: base.rate_ignore_vip,
            off_events: merge_off_events(&base.off_events, &own.off_events),
            client: base.client.clone(),
            content_types: own.content_types.or(base.content_types),
            serialize: own.serialize.or(base.serialize),
            serialize_waits: own.serialize_waits.or(base.serialize_waits),
            status_events: merge_status_events(&base.status_events, &own.status_events),
            client_entries: base.client_entries,
            body_limit: own.body_limit.or(base.body_limit),
            body: BodyConfig::merge(&base.body, &own.body),
            log_only: base.log_only,
            support_ipv6: base.support_ipv6,
            status: base.status,
            log_env: own.log_env.or(base.log_env),
            disable_handler: own.disable_handler.or(base.disable_handler),
            geo: base.geo.clone(),
            reports: ReportConfig::merge(&base.reports, &own.reports),
            rules: RequestRules::merge(&base.rules, &own.rules),
            variables: ServerVariables::merge(&base.variables, &own.variables),
            headers: HeaderRules::merge(&base.headers, &own.headers),
            header_filters: HeaderFilters::merge(&base.header_filters, &own.header_filters),
            masked: Masked::merge(&base.masked, &own.masked),
            denials: Denials::merge(&base.denials, &own.denials),
            vip: VipConfig::merge(&base.vip, &own.vip),
            milestones: MilestoneConfig::merge(&base.milestones, &own.milestones),
            tracking: own.tracking.clone().or_else(|| base.tracking.clone()),
            redirects: List::append(&base.redirects, &own.redirects),
            owns_connections: own.owns_connections,
        }
    }

    /// The cookies of a server must have different names.
    ///
    /// # Errors
    /// [`Wrong`]
    pub fn cookies_differ(&self) -> Result<(), Wrong> {
        let session = self.vip.has_sessions().then(|| self.vip.cookie());
        let milestone = (!self.milestones.list.is_empty()).then_some(milestone::COOKIE.as_bytes());
        let user = self.tracking.as_ref().map(|tracking| tracking.name.as_slice());
        let same = |a: Option<&[u8]>, b: Option<&[u8]>| a.zip(b).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
        let directive = if same(user, session) || same(user, milestone) {
            "QS_UserTrackingCookieName"
        } else if same(session, milestone) {
            "QS_SessionCookieName"
        } else {
            return Ok(());
        };
        let name = if directive == "QS_SessionCookieName" { session } else { user };
        Err(wrong(directive, name.unwrap_or_default(), "is the name of another cookie of this server", "a name of its own"))
    }

    /// Whether nothing is enforced.
    #[must_use]
    pub fn log_only(&self) -> bool {
        self.log_only.unwrap_or(false)
    }

    /// Whether one of the variables that end data-rate monitoring is set, given a look-up.
    /// The location's entries come after the server's (W62).
    pub fn rate_switched_off(&self, location: &LocationConfig, mut is_set: impl FnMut(&[u8]) -> bool) -> bool {
        if location.off_events.is_empty() {
            return self.off_events.iter().any(|event| event.add && is_set(&event.name));
        }
        merge_off_events(&self.off_events, &location.off_events).iter().any(|event| event.add && is_set(&event.name))
    }
}

/// Everything configured for a directory or location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocationConfig {
    /// `QS_SrvMinDataRateOffEvent` in order.
    pub off_events: Vec<OffEvent>,
    /// `QS_LimitRequestBody`, bytes.
    pub body_limit: Option<u64>,
    /// `QS_BodyMaxSize`, bytes.
    pub body_max_size: Option<u64>,
    /// `QS_SetEnvIfStatus` in order.
    pub status_events: Vec<StatusEvent>,
    /// Variables that are set.
    pub variables: LocationVariables,
    /// What may pass.
    pub url: UrlFilter,
    /// Path, pattern or directory of the section.
    pub section: Option<Arc<CStr>>,
    /// Headers that may pass.
    pub header_filters: LocationHeaderFilters,
    /// `QS_RedirectIf` in order.
    pub redirects: List<Redirect>,
}

impl LocationConfig {
    /// Whether rules want to see what is in bodies (filters.md section 0.2, "body filter on").
    #[must_use]
    pub fn inspects_bodies(&self) -> bool {
        self.url.looks_at_bodies()
    }

    /// The inner section wins; variables add up, `-` removes.
    #[must_use]
    pub fn merge(base: &LocationConfig, own: &LocationConfig) -> LocationConfig {
        LocationConfig {
            off_events: merge_off_events(&base.off_events, &own.off_events),
            body_limit: own.body_limit.or(base.body_limit),
            body_max_size: own.body_max_size.or(base.body_max_size),
            status_events: merge_status_events(&base.status_events, &own.status_events),
            variables: LocationVariables::merge(&base.variables, &own.variables),
            url: UrlFilter::merge(&base.url, &own.url),
            section: own.section.as_ref().or(base.section.as_ref()).cloned(),
            header_filters: LocationHeaderFilters::merge(base.header_filters, own.header_filters),
            redirects: List::append(&base.redirects, &own.redirects),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(add: bool, name: &str) -> OffEvent {
        OffEvent { add, name: name.as_bytes().to_vec() }
    }

    #[test]
    fn each_argument_of_the_per_ip_limit_is_inherited_alone() {
        let base = ServerConfig { per_ip: Some(50), per_ip_from: Some(700), ..ServerConfig::default() };
        let own = ServerConfig { per_ip: Some(10), ..ServerConfig::default() };
        let merged = ServerConfig::merge(&base, &own);
        assert_eq!((merged.per_ip, merged.per_ip_from), (Some(10), Some(700)));
    }

    #[test]
    fn cookies_have_different_names() {
        let mut server = ServerConfig { tracking: Some(Tracking { name: b"modqos".to_vec(), ..Tracking::default() }), ..ServerConfig::default() };
        assert_eq!(server.cookies_differ(), Ok(()), "no session, no cookie");
        server.vip.user = true;
        let error = server.cookies_differ().unwrap_err().to_string();
        assert_eq!(error, "QS_UserTrackingCookieName: 'modqos' is the name of another cookie of this server; expected a name of its own");
        server.tracking = None;
        server.vip.cookie = Some(b"qsscd".to_vec());
        assert_eq!(server.cookies_differ(), Ok(()));
        let pattern = crate::pattern::Pattern::new(b"x").unwrap();
        server.milestones.list.push(milestone::Milestone { pattern, deny: true, think_time: None });
        assert!(server.cookies_differ().unwrap_err().to_string().starts_with("QS_SessionCookieName: 'qsscd' is"));
    }

    #[test]
    fn close_limit_in_percent_is_at_least_one() {
        assert_eq!(CloseLimit::Percent(70).connections(256), 179);
        assert_eq!(CloseLimit::Percent(1).connections(10), 1);
        assert_eq!(CloseLimit::Number(180).connections(1), 180);
    }

    #[test]
    fn global_values_come_from_the_base_and_data_rate_off_is_not_inherited() {
        let base = ServerConfig { log_only: Some(true), data_rate_off: true, ..ServerConfig::default() };
        let merged = ServerConfig::merge(&base, &ServerConfig::default());
        assert!(merged.log_only() && !merged.data_rate_off);
    }

    #[test]
    fn a_location_removes_a_variable_of_the_server() {
        let server = ServerConfig { off_events: vec![event(true, "Slow")], ..ServerConfig::default() };
        let off = |location: &LocationConfig| server.rate_switched_off(location, |name| name == b"Slow" || name == b"Other");
        assert!(off(&LocationConfig::default()));
        let removed = LocationConfig { off_events: vec![event(false, "slow")], ..LocationConfig::default() };
        assert!(!off(&removed));
        let inner = LocationConfig { off_events: vec![event(true, "Other")], ..LocationConfig::default() };
        assert!(off(&LocationConfig::merge(&removed, &inner)));
        assert!(!off(&LocationConfig::merge(
            &inner,
            &LocationConfig { off_events: vec![event(false, "Other"), event(false, "Slow")], ..LocationConfig::default() }
        )));
    }
}
