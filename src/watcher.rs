//! One thread per child that looks at its connections and cuts those whose clients are too slow
//! (connection-client.md section 7), and that writes the line of `QS_Status` (section 13.2).
//!
//! A look costs one `getsockopt(TCP_INFO)`, and happens only when a window of the connection ends:
//! an idle connection is asked once per window. What is decided is in `qos_core::watch`.

use crate::handlers::clients::content_totals;
use crate::hooks::connecting;
use crate::httpd::pool::Pool;
use crate::httpd::{clock, ffi, log, scoreboard, socket};
use crate::runtime::{ChildState, Runtime, Watched, flag};
use qos_core::address::Address;
use qos_core::config::{RateKind, RateRule};
use qos_core::phase::{Phase, State};
use qos_core::pressure::{Load, Pressure, window_ms};
use qos_core::rate::{Action, Standing, action, beyond_capacity, required};
use qos_core::repeat::{Line, line, remainder};
use qos_core::watch::{Direction, Sample, Slow, Terms, Watch};
use qos_core::{message, status};
use qos_shm::{ConnectionId, Slot};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often connections are looked through while workers are free.
const TICK: Duration = Duration::from_millis(500);
/// How often while no worker is free.
const BUSY_TICK: Duration = Duration::from_millis(100);
/// How often one of the children looks whether workers are free, milliseconds.
const PRESSURE_EVERY_MS: u64 = 95;
/// Addresses whose repeated lines are summed up at a time, and for how long, milliseconds.
const REPEATS: usize = 4096;
const REPEATS_FOR_MS: u64 = 60_000;

static STOP: AtomicBool = AtomicBool::new(false);
static ENDED: AtomicBool = AtomicBool::new(false);

/// Starts the thread where a rule needs it; it ends with the child's pool.
pub fn start(runtime: &'static Runtime, state: &'static ChildState, pool: Pool) {
    if runtime.rate.is_none() && !runtime.status {
        return;
    }
    STOP.store(false, Ordering::Release);
    ENDED.store(false, Ordering::Release);
    let spawned = without_signals(|| std::thread::Builder::new().name("qos-watcher".to_owned()).spawn(move || run(runtime, state)));
    match spawned {
        Ok(thread) => {
            if runtime.threaded {
                pool.on_clear(Box::into_raw(Box::new(thread)).cast(), child_ends);
            } else {
                pool.on_clear(Box::into_raw(Box::new(thread)).cast(), single_child_ends);
            }
        }
        Err(error) => {
            log::server(runtime.main, log::Level::Crit, || {
                format!("mod_qos(008): could not create supervisor thread (data rate is not enforced in this process): {error}")
            });
        }
    }
}

/// Signals belong to httpd's own threads: a thread inherits the mask of the one that starts it.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: plain signal sets on the stack; the old mask is restored.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        let mut old = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut());
        result
    }
}

unsafe extern "C" fn child_ends(data: *mut c_void) -> ffi::apr_status_t {
    STOP.store(true, Ordering::Release);
    crate::httpd::guard::guard("end of child", (), || {
        // SAFETY: registered with a box of exactly this type, called once.
        let thread = unsafe { Box::from_raw(data.cast::<JoinHandle<()>>()) };
        thread.thread().unpark();
        let _ = thread.join();
    });
    0
}

/// A prefork child may end inside a signal handler: nothing is freed, and the thread is waited for only a moment
/// (it could need a lock that the interrupted code holds).
unsafe extern "C" fn single_child_ends(data: *mut c_void) -> ffi::apr_status_t {
    STOP.store(true, Ordering::Release);
    // SAFETY: registered with a box of exactly this type, which is never freed.
    unsafe { (*data.cast::<JoinHandle<()>>()).thread().unpark() };
    for _ in 0..100 {
        if ENDED.load(Ordering::Acquire) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    0
}

fn run(runtime: &'static Runtime, state: &'static ChildState) {
    let mut watcher = Watcher::new(runtime, state);
    let mut tick = TICK;
    loop {
        std::thread::park_timeout(tick);
        if STOP.load(Ordering::Acquire) {
            ENDED.store(true, Ordering::Release);
            return;
        }
        tick = crate::httpd::guard::guard("watcher", TICK, || {
            let now = clock::monotonic_ms();
            write_status(runtime);
            match runtime.rate {
                Some(rule) => watcher.look(now, &rule),
                None => TICK,
            }
        });
    }
}

/// What is remembered of a connection between two looks.
struct Entry {
    nonce: u32,
    watch: Watch,
    /// HTTP/2: bytes handed on and acknowledged when no stream was open.
    settled: (u64, u64),
}

/// A connection that was found too slow.
struct Found {
    id: ConnectionId,
    index: usize,
    nonce: u32,
    slow: Slow,
    watched: Watched,
    standing: Standing,
}

struct Watcher {
    runtime: &'static Runtime,
    state: &'static ChildState,
    entries: Vec<Option<Entry>>,
    /// Lines by address and by whether the connection was cut.
    repeats: HashMap<(Address, bool), u32>,
    repeats_since: u64,
    beyond: bool,
}

impl Watcher {
    fn new(runtime: &'static Runtime, state: &'static ChildState) -> Watcher {
        Watcher { runtime, state, entries: Vec::new(), repeats: HashMap::new(), repeats_since: 0, beyond: false }
    }

    /// Looks through all connections of this child; says when to look again.
    fn look(&mut self, now: u64, rule: &RateRule) -> Duration {
        let runtime = self.runtime;
        let connections = runtime.region.count(runtime.all);
        let level = pressure(runtime, now, connections);
        let required = required(rule, connections, runtime.max_clients);
        self.say_beyond_capacity(connections, required);
        let mut terms = Terms {
            required,
            window_ms: window_ms(runtime.sample, level),
            normal_window_ms: window_ms(runtime.sample, 0),
            responses: rule.kind == RateKind::MinDataRate,
            keep_alive_ms: 0,
        };
        let mut found = Vec::new();
        let state = self.state;
        state.child.for_each(&mut |id, index, slot| {
            if let Some(slow) = self.judge(now, id, index, slot, &mut terms) {
                found.push(slow);
            }
        });
        found.sort_by_key(|found| found.slow.rate);
        for found in found {
            self.carry_out(now, &found, rule, required, connections);
        }
        self.forget_repeats(now, required);
        if level == 0 { TICK } else { BUSY_TICK }
    }

    fn judge(&mut self, now: u64, id: ConnectionId, index: usize, slot: &Slot, terms: &mut Terms) -> Option<Found> {
        let nonce = slot.nonce();
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, || None);
        }
        let place = self.entries.get_mut(index)?;
        let entry = match place {
            Some(entry) if entry.nonce == nonce => entry,
            _ => place.insert(Entry { nonce, watch: Watch::new(slot.started_ms()), settled: (0, 0) }),
        };
        let packed = State(slot.state.load(Ordering::Acquire));
        if packed.phase() == Phase::Closing || !entry.watch.due(now, packed, terms.window_ms) {
            return None;
        }
        let local = self.state.local(index)?;
        // A connection that ends at this moment holds the lock: it needs no judgement.
        let watched = local.watched.try_lock()?;
        let watched = (*watched).filter(|watched| watched.demanded)?;
        let progress = socket::progress(watched.fd)?;
        slot.bytes_in.store(progress.received, Ordering::Relaxed);
        slot.bytes_out.store(progress.acked, Ordering::Relaxed);
        let mut flags = slot.flags.load(Ordering::Acquire);
        if packed.phase() == Phase::Head && spoke_first(slot, flags, &progress) {
            flags = slot.flags.fetch_or(flag::MULTIPLEXED, Ordering::AcqRel) | flag::MULTIPLEXED;
            let _ = slot.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| Some(State(state).idle().0));
        }
        let multiplexed = flags & flag::MULTIPLEXED != 0;
        let handed_on = local.handed_on.load(Ordering::Relaxed);
        if packed.open_requests() == 0 {
            entry.settled = (handed_on, progress.acked);
        }
        let (handed_then, acked_then) = entry.settled;
        let held_back = handed_on.saturating_sub(handed_then).saturating_sub(progress.acked.saturating_sub(acked_then));
        // A thread that waits for a first HTTP/2 request while there is none for others: as with HTTP/1, a client has to
        // say what it wants. (On event it waits without a thread, and is left alone.)
        let state = State(slot.state.load(Ordering::Acquire));
        let unused = state.open_requests() == 0 && slot.requests.load(Ordering::Relaxed) == 0;
        let speculative = multiplexed && unused && !self.runtime.is_async && terms.window_ms < terms.normal_window_ms;
        let sample = Sample {
            now_ms: now,
            state: if speculative { state.as_head() } else { state },
            received: progress.received,
            acked: progress.acked,
            outstanding: if multiplexed { progress.outstanding.max(held_back) } else { progress.outstanding },
            rtt_ms: progress.rtt_ms,
            multiplexed: multiplexed && !speculative,
        };
        terms.keep_alive_ms = u64::from(local.keep_alive_ms.load(Ordering::Relaxed));
        let slow = entry.watch.observe(&sample, terms)?;
        // The server has not read what the client sent: not the client's fault.
        if matches!(slow.direction, Direction::In) && socket::unread(watched.fd) > 0 {
            entry.watch.spare();
            return None;
        }
        let standing = Standing {
            vip: flags & flag::VIP != 0,
            ignore_vip: self.runtime.rate_ignore_vip,
            switched_off: flags & flag::RATE_OFF != 0,
            log_only: self.runtime.log_only,
        };
        Some(Found { id, index, nonce, slow, watched, standing })
    }

    fn carry_out(&mut self, now: u64, found: &Found, rule: &RateRule, required: u32, connections: u32) {
        let (slow, watched) = (&found.slow, &found.watched);
        let action = action(rule, found.standing, connections);
        self.runtime.event(34);
        if action == Action::Cut && !self.end(found) {
            return;
        }
        self.note_slow(found, action);
        if action == Action::Allow {
            log::server(watched.server, log::Level::Debug, || message::slow(slow, action, required, None, watched.address));
            return;
        }
        let repeated = match self.repeat(now, (watched.address, action == Action::Cut)) {
            Line::Single => None,
            Line::Repeated(times) => Some(times),
            Line::Silent => return,
        };
        log::server(watched.server, log::Level::Error, || message::slow(slow, action, required, repeated, watched.address));
    }

    /// The client's mark is set when its request or its connection ends; the event for the block rule counts now, once per connection,
    /// where the rate is enforced or would be (connection-client.md section 9.9).
    fn note_slow(&self, found: &Found, action: Action) {
        let (Some(store), Some(slot)) = (&self.runtime.clients, self.state.child.slot(found.id)) else { return };
        if slot.nonce() != found.nonce {
            return;
        }
        let counts = self.runtime.rules.special.data_rate && action != Action::Allow && self.runtime.rules.block.is_some_and(|rule| rule.limit > 0);
        let before = slot.flags.fetch_or(if counts { flag::SLOW | flag::BLOCK_SEEN } else { flag::SLOW }, Ordering::AcqRel);
        if counts && before & flag::BLOCK_SEEN == 0 {
            connecting::block_event(self.runtime, store, found.watched.address, 1);
        }
    }

    /// Ends the connection; `false` if it ended by itself meanwhile.
    fn end(&self, found: &Found) -> bool {
        let (Some(local), Some(slot)) = (self.state.local(found.index), self.state.child.slot(found.id)) else { return false };
        let watched = local.watched.lock();
        let Some(watched) = watched.as_ref().filter(|_| slot.nonce() == found.nonce) else { return false };
        slot.flags.fetch_or(flag::CUT, Ordering::AcqRel);
        let reading = matches!(found.slow.direction, Direction::In | Direction::InEmpty | Direction::KeepAlive);
        if reading && found.slow.before == 0 {
            // The reader wakes with end of file; httpd may still answer.
            socket::stop_reading(watched.fd);
        } else {
            socket::cut(watched.fd);
        }
        self.runtime.region.shared().cuts.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn repeat(&mut self, now: u64, who: (Address, bool)) -> Line {
        if self.repeats.is_empty() {
            self.repeats_since = now;
        }
        if self.repeats.len() >= REPEATS && !self.repeats.contains_key(&who) {
            return Line::Single;
        }
        let count = self.repeats.entry(who).or_insert(0);
        *count += 1;
        line(*count)
    }

    /// Says what repeated lines have not said yet, once a minute.
    fn forget_repeats(&mut self, now: u64, required: u32) {
        if self.repeats.is_empty() || now.saturating_sub(self.repeats_since) < REPEATS_FOR_MS {
            return;
        }
        for ((address, cut), count) in self.repeats.drain() {
            if let Some(unsaid) = remainder(count).filter(|unsaid| *unsaid > 0) {
                log::server(self.runtime.main, log::Level::Error, || {
                    let begin = if cut { "access denied (previously)" } else { "log only (allowed) (previously)" };
                    format!("mod_qos(034): {begin}, QS_SrvMinDataRate rule: min={required}, message repeated {unsaid} times, c={address}")
                });
            }
        }
    }

    /// 036, when it begins to be so.
    fn say_beyond_capacity(&mut self, connections: u32, required: u32) {
        let beyond = beyond_capacity(connections, self.runtime.max_clients);
        if beyond && !self.beyond {
            self.runtime.event(36);
            let max_clients = self.runtime.max_clients;
            log::server(self.runtime.main, log::Level::Crit, || message::beyond_capacity(connections, required, max_clients));
        }
        self.beyond = beyond;
    }
}

/// A clear-text connection on which the server sent something before any request: HTTP/2 with prior knowledge.
fn spoke_first(slot: &Slot, flags: u32, progress: &socket::Progress) -> bool {
    const LEAST_SETTINGS: u64 = 9;
    flags & (flag::TLS | flag::MULTIPLEXED) == 0 && slot.requests.load(Ordering::Relaxed) == 0 && progress.acked + progress.outstanding >= LEAST_SETTINGS
}

/// How scarce workers are. One child at a time looks, all use the result.
fn pressure(runtime: &Runtime, now: u64, connections: u32) -> u32 {
    let shared = runtime.region.shared();
    let [level, memory, last_busy, cuts] = &shared.pressure;
    let checked = shared.busy_checked_ms.load(Ordering::Acquire);
    let due = now.saturating_sub(checked) >= PRESSURE_EVERY_MS || checked > now;
    if due && shared.busy_checked_ms.compare_exchange(checked, now, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        let word = |word: &AtomicU64| word.load(Ordering::Acquire);
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let old = Pressure { level: small(word(level)), memory: small(word(memory)), last_busy_ms: word(last_busy), cuts: word(cuts) };
        let idle_workers = scoreboard::idle_workers();
        shared.idle_workers.store(idle_workers, Ordering::Release);
        let load = Load { idle_workers, workers: runtime.workers, connections, capacity: runtime.max_clients, cuts: shared.cuts.load(Ordering::Acquire) };
        let new = old.next(now, &load);
        memory.store(u64::from(new.memory), Ordering::Release);
        last_busy.store(new.last_busy_ms, Ordering::Release);
        cuts.store(new.cuts, Ordering::Release);
        level.store(u64::from(new.level), Ordering::Release);
        if new.level != old.level {
            log::server(runtime.main, log::Level::Debug, || {
                let window = window_ms(runtime.sample, new.level);
                format!("mod_qos(): {idle_workers} free workers, {connections} connections, slow clients are cut after {window} ms")
            });
        }
    }
    u32::try_from(level.load(Ordering::Acquire)).unwrap_or(0)
}

/// `QS_Status`: the first child that finds the minute over writes the line.
fn write_status(runtime: &Runtime) {
    if !runtime.status {
        return;
    }
    let due = &runtime.region.shared().status_due;
    let (minute, wanted) = (clock::wall_seconds() / 60, due.load(Ordering::Acquire));
    if minute < wanted || due.compare_exchange(wanted, minute + 1, Ordering::AcqRel, Ordering::Acquire).is_err() || wanted == 0 {
        return;
    }
    let totals = runtime.rules.prefer.map(|_| content_totals(runtime));
    let line = status::line(&scoreboard::workers(), runtime.max_clients, runtime.region.count(runtime.all), totals.as_ref());
    log::server(runtime.main, log::Level::Notice, || line);
}
