//! What clients ask for: learned shares of content, and who differs (connection-client.md section 9.2, "Learning").

use super::marks::Behaviour;

/// Activity points above which a client is judged.
pub const ACTIVITY: u32 = 50;
/// Pages that all clients together must have got before learned shares are used.
pub const PAGES: u64 = 50_000;
/// `QS_ClientTolerance` where it is not given, percentage points.
pub const TOLERANCE: u8 = 20;

/// Classes of responses, in the order of the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Pages.
    Html = 0,
    /// Style sheets and scripts.
    CssJs = 1,
    /// Images.
    Image = 2,
    /// Anything else.
    Other = 3,
}

/// What a client got, by content, and how active it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Responses: html, css/js, images, other, 304.
    pub responses: [u32; 5],
    /// Activity points.
    pub activity: u32,
}

/// The class of a `Content-Type`.
#[must_use]
pub fn class(content_type: Option<&[u8]>) -> Class {
    let Some(text) = content_type else { return Class::Other };
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    if has(b"html") {
        Class::Html
    } else if has(b"image") {
        Class::Image
    } else if has(b"css") || has(b"javascript") {
        Class::CssJs
    } else {
        Class::Other
    }
}

/// What a response adds to the statistics of its client.
#[must_use]
pub fn response(class: Class, not_modified: bool) -> Statistics {
    let mut responses = [0; 5];
    if let Some(place) = responses.get_mut(class as usize) {
        *place = 1;
    }
    responses[4] = u32::from(not_modified);
    Statistics { responses, activity: 1 + u32::from(class == Class::Html) }
}

/// Whole percentages of five numbers.
#[must_use]
pub fn shares(numbers: [u64; 5]) -> [u8; 5] {
    let sum = numbers.iter().map(|n| u128::from(*n)).sum::<u128>().max(1);
    numbers.map(|n| u8::try_from(u128::from(n) * 100 / sum).unwrap_or(100))
}

/// Compares a client with the others: with the configured shares, or with those learned from the totals of all. Each number of the
/// client counts one more than it is, as does each total.
#[must_use]
pub fn judge(client: &Statistics, totals: [u64; 5], configured: Option<[u8; 5]>, tolerance: u8) -> Behaviour {
    if client.activity <= ACTIVITY {
        return Behaviour::Unknown;
    }
    let [pages, ..] = totals;
    let learned = || (pages > PAGES && totals.iter().all(|n| *n > 0)).then(|| shares(totals));
    let Some(server) = configured.or_else(learned) else { return Behaviour::Unknown };
    let own = shares(client.responses.map(|n| u64::from(n) + 1));
    let differs = |own: u8, server: u8| {
        let (own, server, tolerance) = (i32::from(own), i32::from(server), i32::from(tolerance));
        own > server + tolerance || (server > tolerance && own < server - tolerance)
    };
    match own.iter().zip(&server).filter(|(own, server)| differs(**own, **server)).count() {
        0 => Behaviour::Normal,
        n => Behaviour::Abnormal(u8::try_from(n).unwrap_or(5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_by_content_type() {
        for (text, expected) in [
            ("text/html; charset=utf-8", Class::Html),
            ("application/XHTML+xml", Class::Html),
            ("image/svg+xml", Class::Image),
            ("text/CSS", Class::CssJs),
            ("application/javascript", Class::CssJs),
            ("application/json", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(class(Some(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(class(None), Class::Other);
    }

    #[test]
    fn a_page_is_two_points_and_a_304_counts_in_its_class_too() {
        assert_eq!(response(Class::Html, false), Statistics { responses: [1, 0, 0, 0, 0], activity: 2 });
        assert_eq!(response(Class::Other, true), Statistics { responses: [0, 0, 0, 1, 1], activity: 1 });
    }

    fn client(responses: [u32; 5], activity: u32) -> Statistics {
        Statistics { responses, activity }
    }

    /// W49: nobody is normal before there is something to compare with.
    #[test]
    fn nothing_is_known_without_activity_or_a_comparison() {
        let enough = [60_000, 60_000, 60_000, 60_000, 60_000];
        assert_eq!(judge(&client([10; 5], 50), enough, None, 20), Behaviour::Unknown);
        assert_eq!(judge(&client([10; 5], 51), enough, None, 20), Behaviour::Normal);
        assert_eq!(judge(&client([10; 5], 51), [50_000, 1, 1, 1, 1], None, 20), Behaviour::Unknown);
        assert_eq!(judge(&client([10; 5], 51), [60_000, 0, 1, 1, 1], None, 20), Behaviour::Unknown);
        assert_eq!(judge(&client([10; 5], 51), [0; 5], Some([20; 5]), 20), Behaviour::Normal);
    }

    #[test]
    fn classes_that_differ_are_counted() {
        let typical = Some([30, 20, 30, 10, 10]);
        assert_eq!(judge(&client([30, 20, 30, 10, 10], 99), [0; 5], typical, 20), Behaviour::Normal);
        // Only pages: 97 against 30 is too much, 0 against 30 too little; where 20 or less are usual, nothing is too little.
        assert_eq!(judge(&client([200, 0, 0, 0, 0], 400), [0; 5], typical, 20), Behaviour::Abnormal(2));
        assert_eq!(judge(&client([200, 0, 100, 0, 0], 400), [0; 5], typical, 20), Behaviour::Abnormal(1));
    }
}
