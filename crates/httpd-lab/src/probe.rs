//! p
/// x
pub struct Outage;
/// x
pub struct Probe;
