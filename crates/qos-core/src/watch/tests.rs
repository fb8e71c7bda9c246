use super::*;
use proptest::prelude::*;

const TERMS: Terms = Terms { required: 120, window_ms: 5000, normal_window_ms: 5000, responses: true, keep_alive_ms: 15_000 };

/// A connection driven second by second (or in finer steps) by a script.
struct Client {
    watch: Watch,
    state: State,
    terms: Terms,
    now: u64,
    received: u64,
    acked: u64,
    outstanding: u64,
}

impl Client {
    fn new() -> Client {
        Client { watch: Watch::new(0), state: State::NEW, terms: TERMS, now: 0, received: 0, acked: 0, outstanding: 0 }
    }

    fn active() -> Client {
        let mut client = Client::new();
        client.received = 200;
        client.state = client.state.request_begins();
        client
    }

    /// Advances by `step` and looks, as the watcher does.
    fn tick(&mut self, step: u64) -> Option<Slow> {
        self.now += step;
        if !self.watch.due(self.now, self.state, self.terms.window_ms) {
            return None;
        }
        let sample = Sample {
            now_ms: self.now,
            state: self.state,
            received: self.received,
            acked: self.acked,
            outstanding: self.outstanding,
            rtt_ms: 0,
            multiplexed: false,
        };
        self.watch.observe(&sample, &self.terms)
    }

    /// Ticks every second until slow, at most `limit` seconds; `each` is the client's behaviour.
    fn run(&mut self, limit: u64, mut each: impl FnMut(&mut Client)) -> Option<(u64, Slow)> {
        for _ in 0..limit {
            if let Some(slow) = self.tick(1000) {
                return Some((self.now / 1000, slow));
            }
            each(self);
        }
        None
    }
}

/// Example E6: one byte per second.
#[test]
fn slow_head() {
    let (at, slow) = Client::new().run(60, |client| client.received += 1).unwrap();
    assert!((6..=7).contains(&at), "{at}");
    assert_eq!((slow.direction, slow.rate), (Direction::In, 1));
}

/// Example E6: nothing at all.
#[test]
fn silent_connection() {
    let (at, slow) = Client::new().run(60, |_| ()).unwrap();
    assert!((6..=7).contains(&at));
    assert_eq!(slow.direction, Direction::InEmpty);
}

/// Example E6: 700 bytes at first, then nothing: passes once, a new window starts.
#[test]
fn a_good_first_window_passes() {
    let mut client = Client::new();
    client.received = 700;
    let (at, _) = client.run(60, |_| ()).unwrap();
    assert!((12..=14).contains(&at), "{at}");
}

#[test]
fn the_required_rate_itself_is_enough() {
    assert_eq!(Client::new().run(120, |client| client.received += 120), None);
    assert!(Client::new().run(120, |client| client.received += 119).is_some());
}

/// W42: idle keep-alive is never a slow head, and lasts as long as httpd allows.
#[test]
fn idle_keep_alive_is_never_slow() {
    let mut client = Client::active();
    client.tick(500);
    client.state = client.state.request_ends(true);
    assert_eq!(client.run(20, |_| ()), None);
    let (_, slow) = client.run(7, |_| ()).unwrap();
    assert_eq!(slow.direction, Direction::KeepAlive);
}

/// W43: every request of a connection is watched.
#[test]
fn a_slow_head_after_keep_alive() {
    let mut client = Client::active();
    client.tick(500);
    client.state = client.state.request_ends(true);
    client.run(3, |_| ());
    client.state = client.state.next_head();
    client.received += 10;
    let (_, slow) = client.run(8, |client| client.received += 1).unwrap();
    assert_eq!(slow.direction, Direction::In);
}

#[test]
fn a_handler_at_work_is_never_slow() {
    assert_eq!(Client::active().run(600, |_| ()), None);
}

/// Long polling: a line of 30 bytes every 3 s, taken at once.
#[test]
fn long_polling_is_never_slow() {
    let mut n = 0;
    let mut client = Client::active();
    assert_eq!(
        client.run(600, |client| {
            n += 1;
            if n % 3 == 0 {
                client.acked += 30
            }
        }),
        None
    );
    // Even when each look happens to find the last line on its way.
    let mut client = Client::active();
    assert_eq!(
        client.run(600, |client| {
            client.acked += client.outstanding;
            client.outstanding = 30
        }),
        None
    );
}

#[test]
fn a_body_is_watched_while_it_is_awaited() {
    let mut client = Client::active();
    client.state = client.state.read_begins();
    let (at, slow) = client.run(30, |client| client.received += 5).unwrap();
    assert!(at <= 9, "{at}");
    assert_eq!(slow.direction, Direction::In);
    // The handler reads, works for long, reads: its own time does not count.
    let mut client = Client::active();
    let mut reading = false;
    let result = client.run(300, |client| {
        client.state = if reading { client.state.read_ends() } else { client.state.read_begins() };
        reading = !reading;
    });
    assert_eq!(result, None);
}

/// A reader that takes nothing after the first burst; the burst gives it one more window.
#[test]
fn slow_reader() {
    let mut client = Client::active();
    client.acked = 500;
    client.outstanding = 1_000_000;
    let (at, slow) = client.run(60, |_| ()).unwrap();
    assert!(at <= 7, "{at}");
    assert_eq!(slow.direction, Direction::Out);
    let mut client = Client::active();
    client.acked = 2_500_000;
    client.outstanding = 1_000_000;
    let (at, _) = client.run(60, |_| ()).unwrap();
    assert!(at <= 15, "{at}");
}

/// 10 KB/s in lumps of 64 to 128 KiB, 6.5 to 13 s apart, as over loopback: never slow, not even on a busy server.
#[test]
fn a_steady_reader_in_lumps_is_served() {
    for (lump, gap) in [(65_536, 6500), (98_304, 9800), (131_072, 13_000)] {
        for (window, step, required) in [(5000, 1000, 120), (2000, 250, 1000), (1000, 250, 1000), (500, 250, 1000)] {
            for offset in 0..53 {
                let mut client = Client::active();
                client.terms.window_ms = window;
                client.terms.required = required;
                client.acked = lump;
                client.outstanding = 5_000_000;
                client.now = offset * 250;
                client.watch = Watch::new(client.now);
                let begin = client.now;
                while client.now < begin + 120_000 {
                    let slow = client.tick(step);
                    assert_eq!(slow, None, "window {window} offset {offset} at {}", client.now);
                    client.acked = lump * (1 + (client.now - begin) / gap);
                }
            }
        }
    }
}

#[test]
fn a_busy_server_judges_after_the_busy_window() {
    let mut client = Client::new();
    client.terms.window_ms = 2000;
    let mut slow = None;
    while slow.is_none() && client.now < 60_000 {
        slow = client.tick(250);
    }
    assert_eq!((client.now, slow.unwrap().before), (2000, 0));
    assert!((0..8).any(|_| client.tick(250).is_some_and(|slow| slow.before == 1)), "the second time is told apart");
}

/// A far client gets four round trips, however busy the server is.
#[test]
fn distance_is_not_slowness() {
    let mut watch = Watch::new(0);
    let terms = Terms { window_ms: 500, ..TERMS };
    let sample = |now_ms| Sample { now_ms, state: State::NEW, received: 0, acked: 0, outstanding: 0, rtt_ms: 700, multiplexed: false };
    assert_eq!(watch.observe(&sample(2700), &terms), None);
    assert!(watch.observe(&sample(2800), &terms).is_some());
}

#[test]
fn request_rate_does_not_watch_responses() {
    let mut client = Client::active();
    client.terms.responses = false;
    client.outstanding = 1_000_000;
    assert_eq!(client.run(60, |_| ()), None);
}

#[test]
fn idle_connections_are_looked_at_once_a_window() {
    let mut client = Client::active();
    client.tick(500);
    client.state = client.state.request_ends(true);
    client.tick(500);
    let looks = (0..100)
        .filter(|_| {
            client.now += 100;
            client.watch.due(client.now, client.state, 5000) && {
                client.tick(0);
                true
            }
        })
        .count();
    assert!(looks <= 2, "{looks} looks in 10 s");
}

proptest! {
    /// Whatever a connection does, a client that is always fast enough in both directions is never slow.
    #[test]
    fn a_fast_client_is_never_slow(steps in proptest::collection::vec((0u8..6, 100u64..3000), 1..200)) {
        let mut client = Client::new();
        client.terms.keep_alive_ms = u64::MAX / 4;
        for (step, wait) in steps {
            match step {
                0 => client.state = client.state.request_begins(),
                1 => client.state = client.state.request_ends(true),
                2 => client.state = client.state.next_head(),
                3 => client.state = client.state.read_begins(),
                4 => client.state = client.state.read_ends(),
                _ => client.outstanding = 100_000,
            }
            client.received += wait;
            client.acked += wait;
            prop_assert_eq!(client.tick(wait), None);
        }
    }
}
