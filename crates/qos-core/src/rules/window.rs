//! Requests per second as they are measured and reported (request-event.md section 7).
//!
//! What requests have to wait for is in [`super::pace`]; here is what the log and the viewer say of it.

/// A window is closed by the first request that began more than this after its start, seconds.
const LENGTH: u32 = 10;
/// From this delay on, reports are marked `(max)`: milliseconds.
const MAX_MS: u32 = 5000;

/// Requests since `start`, in seconds of a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// When it began.
    pub start: u32,
    /// Requests so far.
    pub requests: u32,
}

impl Window {
    /// From one word.
    #[must_use]
    pub fn unpack(word: u64) -> Window {
        Window { start: (word >> 32) as u32, requests: word as u32 }
    }

    /// As one word.
    #[must_use]
    pub fn pack(self) -> u64 {
        u64::from(self.start) << 32 | u64::from(self.requests)
    }

    /// A request that began at `began` is over. `Some`: that closed the window, with so many requests per second.
    #[must_use]
    pub fn count(self, began: u32) -> (Window, Option<u32>) {
        let requests = self.requests.saturating_add(1);
        match began.checked_sub(self.start) {
            Some(age) if age > LENGTH => (Window { start: began, requests: 0 }, Some(requests / age)),
            _ => (Window { requests, ..self }, None),
        }
    }
}

/// What is reported when a window is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// 050: requests are delayed.
    Delayed,
    /// 051: they are delayed less, or no longer.
    Recovering,
}

/// Whether something is reported: `delay_ms` is what requests wait for now, `last_ms` what was reported before.
#[must_use]
pub fn report(last_ms: u32, delay_ms: u32) -> Option<Report> {
    match (last_ms, delay_ms) {
        (0, 0) => None,
        (last, now) if now >= last => Some(Report::Delayed),
        _ => Some(Report::Recovering),
    }
}

/// Whether a report is marked `(max)`.
#[must_use]
pub fn is_max(delay_ms: u32) -> bool {
    delay_ms >= MAX_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The measuring part of example E4: start-up at second 0, requests every 4 ms.
    #[test]
    fn the_first_window_closes_with_the_first_request_of_second_eleven() {
        let mut window = Window::default();
        for n in 0..2750 {
            let (next, closed) = window.count(n / 250);
            assert_eq!(closed, None, "request {n}");
            window = next;
        }
        let (next, closed) = window.count(11);
        assert_eq!((next, closed), (Window { start: 11, requests: 0 }, Some(2751 / 11)));
    }

    #[test]
    fn after_an_idle_time_the_first_request_closes_a_window_of_next_to_nothing() {
        let window = Window { start: 100, requests: 4 };
        assert_eq!(window.count(100_000), (Window { start: 100_000, requests: 0 }, Some(0)));
        assert_eq!(window.count(99), (Window { start: 100, requests: 5 }, None), "a request that began before the window");
    }

    #[test]
    fn reports() {
        for (last, now, expected) in [
            (0, 0, None),
            (0, 300, Some(Report::Delayed)),
            (300, 300, Some(Report::Delayed)),
            (300, 400, Some(Report::Delayed)),
            (300, 299, Some(Report::Recovering)),
            (300, 0, Some(Report::Recovering)),
        ] {
            assert_eq!(report(last, now), expected, "{last} {now}");
        }
        assert!(is_max(5000) && !is_max(4999));
    }

    proptest! {
        #[test]
        fn words(start: u32, requests: u32) {
            let window = Window { start, requests };
            prop_assert_eq!(Window::unpack(window.pack()), window);
        }
    }
}
