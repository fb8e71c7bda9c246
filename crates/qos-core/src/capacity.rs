//! How many connections the server can hold (connection-client.md sections 3.2 and 6.10,
//! release 11.72).

/// What the MPM says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mpm {
    /// Processes it may start.
    pub processes: u32,
    /// Threads per process.
    pub threads: u32,
    /// `AsyncRequestWorkerFactor` where connections wait without a thread (event), else `None`.
    pub async_factor: Option<f64>,
}

/// The capacity that follows from the MPM: threads x processes, on event times
/// (AsyncRequestWorkerFactor + 1). Each factor counts as 1 at least.
#[must_use]
pub fn computed(mpm: Mpm) -> u32 {
    let workers = u64::from(mpm.processes.max(1)) * u64::from(mpm.threads.max(1));
    let capacity = match mpm.async_factor {
        Some(factor) if factor.is_finite() && factor > 0.0 => {
            // Thousandths are exact enough for a factor that people write as 2 or 1.5.
            let thousandths = (factor.min(1_000_000.0) * 1000.0).round();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10^9")]
            let thousandths = thousandths as u64;
            workers.saturating_mul(thousandths + 1000) / 1000
        }
        _ => workers,
    };
    u32::try_from(capacity).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_holds_more_connections_than_threads() {
        assert_eq!(computed(Mpm { processes: 4, threads: 64, async_factor: None }), 256);
        assert_eq!(computed(Mpm { processes: 4, threads: 64, async_factor: Some(2.0) }), 768);
        assert_eq!(computed(Mpm { processes: 4, threads: 64, async_factor: Some(0.5) }), 384);
    }

    #[test]
    fn nonsense_counts_as_one() {
        assert_eq!(computed(Mpm { processes: 0, threads: 0, async_factor: Some(f64::NAN) }), 1);
        assert_eq!(computed(Mpm { processes: u32::MAX, threads: u32::MAX, async_factor: Some(1e300) }), u32::MAX);
    }
}
