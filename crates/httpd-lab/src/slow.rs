//! slow
/// x
pub struct SlowClients;
/// x
pub struct SlowPlan;
