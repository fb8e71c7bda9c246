//! Message ids that are counted, and the directives behind denials.

/// The ids of 11.3, in the order in which they are shown.
pub const IDS: [u16; 35] =
    [10, 11, 12, 13, 21, 23, 25, 30, 31, 34, 35, 36, 37, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 61, 62, 65, 66, 67, 68, 69, 101, 147];

/// Ids of messages about something that was denied, and the directive that did it.
pub const DENIALS: [(u16, &str); 21] = [
    (10, "QS_LocRequestLimit"),
    (11, "QS_CondLocRequestLimitMatch"),
    (12, "QS_EventRequestLimit"),
    (13, "QS_EventLimitCount"),
    (30, "QS_SrvMaxConn"),
    (31, "QS_SrvMaxConnPerIP"),
    (34, "QS_SrvMinDataRate"),
    (40, "QS_Deny"),
    (41, "QS_PermitUri"),
    (43, "QS_RequestHeaderFilter"),
    (44, "QS_LimitRequestBody"),
    (45, "QS_Deny (no path)"),
    (46, "QS_InvalidUrlEncoding"),
    (47, "QS_MileStone"),
    (48, "QS_DenyBody"),
    (60, "QS_ClientEventBlockCount"),
    (65, "QS_ClientEventRequestLimit"),
    (66, "QS_ClientPrefer"),
    (67, "QS_ClientEventLimitCount"),
    (101, "QS_ClientGeoCountryPriv"),
    (147, "QS_MileStone (too early)"),
];

/// The counters that belong to [`DENIALS`], as the snapshot wants them.
pub fn denials(mut count: impl FnMut(u16) -> u64) -> Vec<super::Denial> {
    DENIALS.iter().map(|(id, rule)| super::Denial { id: *id, rule, count: count(*id) }).collect()
}
