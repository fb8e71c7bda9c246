//! Simulated downloads: exactness, fairness, and nothing below the limit.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const SECOND: u64 = 1_000_000_000;
/// Some time after the machine started.
const START: u64 = 5_000 * SECOND;

/// Who waits looks so often whether others have left.
const LOOK: u64 = SECOND / 4;

/// As much as there is.
const ANY: Wish = Wish { most: MOST_PIECE, credit: BURST_NS, part: 1 };

/// One download.
#[derive(Clone)]
struct Download {
    arrives: u64,
    leaves: u64,
    /// Bytes per second that its client takes.
    client: u64,
    /// Bytes of its buckets.
    bucket: u64,
    size: u64,
}

impl Download {
    fn endless() -> Self {
        Self { arrives: 0, leaves: u64::MAX, client: u64::MAX, bucket: u64::MAX, size: u64::MAX }
    }
}

#[derive(Clone, Default)]
struct Sent {
    sending: Sending,
    /// Bytes sent in the observed time.
    bytes: u64,
    all: u64,
    finished: Option<u64>,
}

struct Simulation {
    limit: u32,
    /// How late a wait ends, nanoseconds.
    late: u64,
    tail: u64,
    seed: u64,
}

impl Simulation {
    fn new(limit: u32, late: u64) -> Self {
        Self { limit, late, tail: 0, seed: 88_172_645_463_325_252 }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        if below == 0 { 0 } else { self.seed % below }
    }

    /// Runs until `to`; counts what is sent from `from` on (both from the start).
    fn run(&mut self, downloads: &[Download], from: u64, to: u64) -> Vec<Sent> {
        let mut sent = vec![Sent::default(); downloads.len()];
        let mut events: BinaryHeap<_> = downloads.iter().enumerate().map(|(n, download)| Reverse((START + download.arrives, n))).collect();
        while let Some(Reverse((now, n))) = events.pop() {
            if now > START + to {
                break;
            }
            let download = &downloads[n];
            let leaves = START.saturating_add(download.leaves);
            if now >= leaves {
                self.tail = give_back(self.tail, self.limit, sent[n].sending.end());
                continue;
            }
            let remaining = download.size - sent[n].all;
            if remaining == 0 {
                self.tail = give_back(self.tail, self.limit, sent[n].sending.end());
                sent[n].finished = Some(now - START);
                continue;
            }
            match sent[n].sending.next(now, self.tail, (download.bucket >= remaining).then_some(remaining)) {
                Next::Reserve { wish, give_back: unused, .. } => {
                    self.tail = give_back(self.tail, self.limit, unused);
                    let piece = reserve(self.tail, now, self.limit, wish);
                    self.tail = piece.tail;
                    let wait = sent[n].sending.reserved(&piece, now, self.limit);
                    let late = if wait > 0 { self.random(self.late) } else { 0 };
                    // A client that leaves ends the wait.
                    events.push(Reverse(((now + (wait + late).min(LOOK)).min(leaves).max(now), n)));
                }
                Next::Send { start, .. } if start > now + LEAST_WAIT_NS => {
                    let late = self.random(self.late);
                    events.push(Reverse(((start + late).min(now + LOOK).min(leaves), n)));
                }
                Next::Send { bytes, .. } => {
                    let bytes = bytes.min(download.bucket).min(remaining);
                    sent[n].sending.sent(bytes);
                    sent[n].all += bytes;
                    if now >= START + from {
                        sent[n].bytes += bytes;
                    }
                    let takes = u64::try_from(u128::from(bytes) * u128::from(SECOND) / u128::from(download.client)).unwrap();
                    // Nothing takes no time at all.
                    events.push(Reverse((now + takes.max(1000), n)));
                }
            }
        }
        sent
    }
}

fn total(sent: &[Sent]) -> u64 {
    sent.iter().map(|sent| sent.bytes).sum()
}

fn assert_exact(bytes: u64, limit: u32, seconds: u64, context: &str) {
    let due = u64::from(limit) * 1024 * seconds;
    let off = bytes.abs_diff(due) as f64 / due as f64;
    assert!(off < 0.05, "{context}: {bytes} of {due} bytes");
}

/// Between equals within ten per cent of each other's mean.
fn assert_fair(sent: &[Sent], context: &str) {
    let mean = total(sent) as f64 / sent.len() as f64;
    for (n, one) in sent.iter().enumerate() {
        let off = (one.bytes as f64 - mean).abs() / mean;
        assert!(off < 0.10, "{context}: download {n} got {} of {mean} bytes", one.bytes);
    }
}

#[test]
fn any_number_of_downloads_shares_the_limit_exactly_and_equally() {
    for limit in [500, 3000, 100_000, 1_000_000] {
        for count in [1, 2, 7, 20, 90, 200] {
            for late in [0, 3_000_000, 20_000_000] {
                let context = format!("{count} downloads, {limit} kbytes/s, {late} ns late");
                let downloads = vec![Download::endless(); count];
                // From the first byte on, and in the middle.
                for from in [0, 4] {
                    let sent = Simulation::new(limit, late).run(&downloads, from * SECOND, (from + 10) * SECOND);
                    assert_exact(total(&sent), limit, 10, &context);
                    assert_fair(&sent, &context);
                }
            }
        }
    }
}

/// E5: half a megabyte a second from the first second on, not only after twelve.
#[test]
fn one_download_is_at_its_limit_at_once() {
    let sent = Simulation::new(500, 1_000_000).run(&[Download::endless()], 0, 2 * SECOND);
    let credit = 500 * 1024 * BURST_NS / SECOND;
    assert!(sent[0].bytes.abs_diff(2 * 500 * 1024 + credit) < 40_000, "{}", sent[0].bytes);
    assert!((10_000..70_000).contains(&sent[0].sending.delayed), "{}", sent[0].sending.delayed);
}

/// Who comes first and uses the credit has no more than the others after ten seconds.
#[test]
fn a_head_start_is_paid_back() {
    for count in [5, 20, 60] {
        let late = Download { arrives: SECOND / 100, ..Download::endless() };
        let mut downloads = vec![late; count - 1];
        downloads.push(Download::endless());
        let sent = Simulation::new(500, 1_000_000).run(&downloads, 0, 10 * SECOND);
        assert_exact(total(&sent), 500, 10, "with a head start");
        assert_fair(&sent, &format!("{count} with a head start"));
    }
}

#[test]
fn each_response_sends_several_pieces_a_second() {
    for (count, least) in [(1, 12), (20, 4), (200, 2)] {
        let mut simulation = Simulation::new(500, 1_000_000);
        let sent = simulation.run(&vec![Download::endless(); count], 0, 10 * SECOND);
        for one in sent {
            let pieces = one.bytes / one.sending.last / 10;
            assert!(pieces >= least, "{count} responses: {pieces} pieces a second");
        }
    }
}

#[test]
fn below_the_limit_nobody_waits() {
    // 40 clients that take 12 kbytes/s each, and small files one after the other.
    let slow = |n: u64| Download { arrives: n * SECOND / 40, client: 12 * 1024, ..Download::endless() };
    let mut downloads: Vec<_> = (0..40).map(slow).collect();
    downloads.extend((0..100).map(|n| Download { arrives: n * SECOND / 10, size: 1500, ..Download::endless() }));
    let sent = Simulation::new(600, 1_000_000).run(&downloads, 0, 10 * SECOND);
    for (n, one) in sent.iter().enumerate() {
        assert_eq!(one.sending.waited_us, 0, "download {n} waited");
    }
}

#[test]
fn what_slow_clients_do_not_take_goes_to_the_others() {
    let slow = Download { client: 2 * 1024, ..Download::endless() };
    let mut downloads = vec![slow; 50];
    downloads.extend(vec![Download::endless(); 4]);
    let sent = Simulation::new(500, 2_000_000).run(&downloads, 2 * SECOND, 12 * SECOND);
    assert_exact(total(&sent), 500, 10, "slow and fast clients");
    assert_fair(&sent[50..], "the fast ones");
    assert!(sent[50].bytes > 4 * sent[0].bytes);
}

#[test]
fn who_leaves_makes_room_at_once() {
    // 199 of 200 leave after five seconds.
    let mut downloads = vec![Download { leaves: 5 * SECOND, ..Download::endless() }; 199];
    downloads.push(Download::endless());
    let sent = Simulation::new(500, 1_000_000).run(&downloads, 5 * SECOND + SECOND / 2, 10 * SECOND + SECOND / 2);
    assert_exact(sent[199].bytes, 500, 5, "the one that stayed");
}

/// Whoever opens downloads by the hundred and leaves does not hold those who came after him.
#[test]
fn nobody_waits_for_those_who_have_left() {
    for (limit, staying) in [(1, 1), (1, 10), (20, 30)] {
        let mut downloads = vec![Download { leaves: 2 * SECOND, ..Download::endless() }; 3000];
        downloads.extend(vec![Download { arrives: SECOND, ..Download::endless() }; staying]);
        let sent = Simulation::new(limit, 1_000_000).run(&downloads, 2 * SECOND + SECOND / 2, 22 * SECOND + SECOND / 2);
        let stayed = &sent[3000..];
        let bytes = total(stayed);
        assert!(bytes.abs_diff(u64::from(limit) * 1024 * 20) < 256 * staying as u64 + 1024 * u64::from(limit), "{limit} {staying}: {bytes}");
        for one in stayed {
            assert!(one.bytes > bytes / staying as u64 / 2, "{limit} {staying}: {} of {bytes}", one.bytes);
        }
    }
}

#[test]
fn a_process_that_died_delays_the_others_by_no_more_than_what_it_had_reserved() {
    let mut simulation = Simulation::new(500, 0);
    simulation.run(&vec![Download::endless(); 20], 0, 3 * SECOND);
    // None of them gives anything back.
    let backlog = simulation.tail.saturating_sub(START + 3 * SECOND);
    assert!(backlog < SECOND / 4, "{backlog}");
    let piece = reserve(simulation.tail, START + 3 * SECOND, 500, ANY);
    assert!(piece.start - (START + 3 * SECOND) < SECOND / 4);
}

#[test]
fn streams_of_small_buckets_get_the_same_share() {
    let mut downloads = vec![Download { bucket: 800, ..Download::endless() }; 5];
    downloads.extend(vec![Download::endless(); 5]);
    let sent = Simulation::new(2000, 1_000_000).run(&downloads, 0, 10 * SECOND);
    assert_exact(total(&sent), 2000, 10, "small and large buckets");
    assert_fair(&sent, "small and large buckets");
}

#[test]
fn a_trickle_does_not_keep_what_it_reserved() {
    // A piece that is not used is given back, not saved up.
    let mut sending = Sending::default();
    let Next::Reserve { wish, give_back: 0, .. } = sending.next(START, 0, None) else { panic!() };
    let piece = reserve(0, START, 500, wish);
    assert_eq!(sending.reserved(&piece, START, 500), 0);
    sending.sent(100);
    assert!(matches!(sending.next(START + SECOND / 10, piece.tail, None), Next::Send { bytes, .. } if bytes == piece.bytes - 100));
    assert!(matches!(sending.next(START + SECOND, piece.tail, None), Next::Reserve { give_back, .. } if give_back == piece.bytes - 100));
}

#[test]
fn a_tail_that_makes_no_sense_holds_nobody_for_long() {
    let piece = reserve(u64::MAX, START, 500, ANY);
    assert!(piece.start <= START + MOST_WAIT_NS && piece.bytes == LEAST_PIECE && piece.tail < START + MOST_WAIT_NS + SECOND);
    assert_eq!(reserve(0, 0, u32::MAX, Wish { most: 0, credit: u64::MAX, part: 0 }).bytes, 1);
    assert_eq!(give_back(5, 1, u64::MAX), 0);
}

/// In log-only mode a download would wait as it waits when it is enforced, though it takes no time.
#[test]
fn waits_that_are_not_made_are_those_that_would_be_made() {
    let waits = |pretends: bool| {
        let (mut tail, mut now, mut sending, mut sent) = (0, START, Sending::default(), 0);
        while sent < 5_000_000 {
            let at = if pretends { sending.virtual_now(now, tail) } else { now };
            match sending.next(at, tail, None) {
                Next::Send { bytes, .. } => {
                    sending.sent(bytes);
                    sent += bytes;
                    now += 1000;
                }
                Next::Reserve { wish, .. } => {
                    let piece = reserve(tail, at, 500, wish);
                    tail = piece.tail;
                    let wait = sending.reserved(&piece, at, 500);
                    now += if pretends { 0 } else { wait };
                }
            }
        }
        (sending.waited_us, sending.delayed, tail)
    };
    let (made, pretended) = (waits(false), waits(true));
    assert!(made.0.abs_diff(pretended.0) < made.0 / 20 && made.1.abs_diff(pretended.1) < made.1 / 10, "{made:?} {pretended:?}");
    // Somebody who comes then is not told to wait for all of them.
    let mut late = Sending::default();
    let at = late.virtual_now(START + SECOND, pretended.2);
    let piece = reserve(pretended.2, at, 500, ANY);
    assert!(late.reserved(&piece, at, 500) <= PIECE_NS);
}

#[test]
fn the_current_rate_is_that_of_the_last_second_or_two() {
    let (mut window, mut measured, mut bytes) = (0, 0, 7 << 30);
    for millisecond in 0..4000_u64 {
        let now = START + millisecond * 1_000_000;
        bytes += 512;
        if let Some((following, rate)) = measure(window, bytes, now) {
            window = following;
            measured = rate.unwrap_or(measured);
        }
    }
    let now = START + 4 * SECOND;
    assert!((495..=505).contains(&current(window, measured, bytes, now)), "{}", current(window, measured, bytes, now));
    assert_eq!(current(window, measured, bytes, now + 60 * SECOND), 8, "what it was since");
    assert_eq!(current(window, measured, bytes, now + 6000 * SECOND), 0);
    assert_eq!(current(0, 0, 0, now), 0);
    // Long after the start of the machine the numbers wrap.
    let late = u64::from(u32::MAX) << TICK_BITS;
    let (window, _) = measure(0, 0, late).unwrap();
    assert!((1014..=1034).contains(&current(window, 0, 1 << 20, late + SECOND)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Downloads of all sorts that come and go: never more than the limit in any ten seconds, and no less while enough is asked for.
    #[test]
    fn the_limit_is_kept(
        seed in 1..u64::MAX,
        limit in 64..20_000_u32,
        others in proptest::collection::vec((0..15 * SECOND, 0..15 * SECOND, 1_000..10_000_000_u64, 100..100_000_u64, 1..3_000_000_u64), 0..150),
        late in 0..20_000_000_u64,
    ) {
        let mut downloads: Vec<_> = others
            .into_iter()
            .map(|(arrives, stays, client, bucket, size)| Download { arrives, leaves: arrives + stays, client, bucket, size })
            .collect();
        downloads.extend(vec![Download::endless(); 2]);
        let mut simulation = Simulation { seed, ..Simulation::new(limit, late) };
        let sent = simulation.run(&downloads, 3 * SECOND, 13 * SECOND);
        assert_exact(total(&sent), limit, 10, "any");
        let (a, b) = (sent[downloads.len() - 2].bytes, sent[downloads.len() - 1].bytes);
        // With so much coming and going, chance plays a part.
        prop_assert!(a.abs_diff(b) <= a.max(b) / 5 + MOST_PIECE, "{} and {}", a, b);
    }
}
