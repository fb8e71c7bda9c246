//! The region as one process sees it: layout, life of a connection, ledger.

use crate::layout::{EVENTS, Head, MAGIC, Shared};
use crate::request::REQUEST_CELLS;
use crate::sync::Ordering::SeqCst;
use crate::{ConnectionId, Holding, Reclaimed, Region, RegionError, RegionFull, Sizing};
use std::collections::HashSet;
use std::ptr::NonNull;

pub(crate) const SMALL: Sizing = Sizing { children: 2, connections: 8, requests: 8, block_slots: 4 };

/// Unmapped at the end of the test.
pub(crate) struct Mapped(pub Region);

impl Mapped {
    pub fn new(sizing: &Sizing) -> Self {
        Self(Region::create(sizing, [1, 2]).unwrap())
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: declared before what uses it, so dropped after.
        unsafe { self.0.unmap() }
    }
}

/// Nothing is held, used or owned.
pub(crate) fn assert_empty(region: &Region, context: &str) {
    assert_eq!(region.children().count(), 0, "{context}");
    assert_eq!(region.connections().count(), 0, "{context}");
    for block in region.blocks() {
        assert_eq!((block.owner.load(SeqCst), block.used.load(SeqCst)), (0, 0), "{context}");
    }
    for block in region.request_blocks() {
        assert_eq!((block.owner.load(SeqCst), block.used.load(SeqCst)), (0, 0), "{context}");
    }
    for slot in region.requests() {
        assert!((0..REQUEST_CELLS).all(|number| slot.holding(number).unwrap().counted().is_none()), "{context}");
    }
    assert!(region.marks().iter().all(|word| word.load(SeqCst) == 0), "{context}");
    for slot in region.slots() {
        assert!(!slot.is_open(), "{context}");
        assert!(Holding::EACH.iter().all(|&holding| slot.counted(holding).is_none()), "{context}");
    }
}

pub(crate) fn address(n: u8) -> [u8; 16] {
    [n; 16]
}

#[test]
fn head_fits_a_page_and_the_user_words_do_not_move() {
    assert!(size_of::<Head>() <= 4096);
    assert_eq!(size_of::<Shared>() % 128, 0);
    assert!(size_of::<Shared>() >= 2 * EVENTS * 8);
}

#[test]
fn a_new_region_is_empty() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    assert_empty(region, "");
    assert_eq!(region.generation(), 0);
    assert_eq!((region.begin_generation(), region.generation()), (1, 1));
    assert_eq!(region.count(region.key(1, &address(1))), 0);
    assert_eq!(region.sizing(), SMALL);
    assert_eq!((region.slot_count(), region.request_slots()), (16, 16), "two blocks of four, and one per child");
    assert_eq!((region.shared().delays.load(SeqCst), region.shared().prefer_totals[4].load(SeqCst)), (0, 0));
    assert_eq!(region.waiting(), 0);
    assert_eq!(region.bytes() % 4096, 0);
    assert_eq!(region.base().as_ptr() as usize % 4096, 0);
    assert_eq!(region.shared().events[EVENTS - 1].load(SeqCst), 0);
}

#[test]
fn sizes_are_rounded_and_stay() {
    let odd = Sizing { children: 0, connections: 0, requests: 0, block_slots: 33 };
    let rounded = Sizing { children: 1, connections: 1, requests: 1, block_slots: 64 };
    assert_eq!(Mapped::new(&odd).0.sizing(), rounded);
    let large = Mapped::new(&Sizing { children: 3, connections: 10, requests: 20, block_slots: 1000 });
    assert_eq!(large.0.sizing().block_slots, 64);
    let again = Mapped::new(&large.0.sizing());
    assert_eq!((again.0.sizing(), again.0.bytes()), (large.0.sizing(), large.0.bytes()));
}

#[test]
fn too_much_is_an_error_that_names_the_bytes() {
    for sizing in [
        Sizing { children: 1, connections: u32::MAX, requests: 1, block_slots: 1 },
        Sizing { children: u32::MAX, connections: u32::MAX, requests: u32::MAX, block_slots: 64 },
        Sizing { children: 1, connections: (1 << 30) / 3, requests: 1, block_slots: 1 },
        Sizing { children: 1, connections: 1, requests: (1 << 30) / 5, block_slots: 1 },
    ] {
        let error = Region::create(&sizing, [0; 2]).unwrap_err();
        let RegionError::TooLarge { bytes } = error else { panic!("{error}") };
        assert!(bytes > 100_000_000_000, "{bytes}");
        assert!(error.to_string().contains(&bytes.to_string()));
    }
    let error = RegionError::Map { errno: libc::ENOMEM, bytes: 12345 }.to_string();
    assert!(error.contains("12345") && error.contains("memory"), "{error}");
}

#[test]
fn attach_finds_the_same_region() {
    let mapped = Mapped::new(&SMALL);
    let child = mapped.0.register_child(10, 1).unwrap();
    let id = child.open(&address(7), 3, 55).unwrap();
    // SAFETY: the region is mapped.
    let found = unsafe { Region::attach(mapped.0.base()) }.unwrap();
    assert_eq!((found.sizing(), found.bytes()), (mapped.0.sizing(), mapped.0.bytes()));
    assert_eq!(found.key(5, &address(7)), mapped.0.key(5, &address(7)));
    let view: Vec<_> = found.connections().collect();
    assert_eq!(view.len(), 1);
    assert_eq!((view[0].id, view[0].pid, view[0].address), (id, 10, address(7)));
    assert_eq!((view[0].server, view[0].started_ms), (3, 55));
}

#[test]
fn attach_refuses_what_is_not_a_region() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let attach = |edit: &dyn Fn(&mut [u8; 4096])| {
        let mapped = Mapped::new(&SMALL);
        let mut page = Page([0; 4096]);
        // SAFETY: a region has at least a page; nobody writes to it now.
        page.0.copy_from_slice(unsafe { std::slice::from_raw_parts(mapped.0.base().as_ptr(), 4096) });
        edit(&mut page.0);
        // SAFETY: a readable page; the handle is never used.
        unsafe { Region::attach(NonNull::from(&mut page.0).cast()) }.map(|_| ())
    };
    assert_eq!(attach(&|_| ()), Ok(()));
    assert_eq!(attach(&|page| page[0] ^= 1), Err(RegionError::Magic));
    assert_eq!(attach(&|page| page.fill(0)), Err(RegionError::Magic));
    assert_eq!(attach(&|page| page[8] = 99), Err(RegionError::Version { found: 99 }));
    for byte in [12, 16, 20, 24, 48, 56, 64, 72, 48 + 7 * 24] {
        assert_eq!(attach(&|page| page[byte] ^= 3), Err(RegionError::Sizes), "byte {byte}");
    }
    assert_eq!(MAGIC.to_le_bytes()[..7], *b"mod_qos");
}

#[test]
fn keys_depend_on_domain_address_and_secret() {
    let (one, other) = (Mapped::new(&SMALL), Mapped(Region::create(&SMALL, [1, 3]).unwrap()));
    let keys = [one.0.key(1, &address(1)), one.0.key(2, &address(1)), one.0.key(1, &address(2)), other.0.key(1, &address(1))];
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(keys[0], one.0.key(1, &address(1)));
}

#[test]
fn a_connection_lives_and_ends() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let child = region.register_child(10, 1).unwrap();
    let id = child.open(&address(1), 2, 3).unwrap();
    let nonce = child.slot(id).unwrap().nonce();
    child.slot(id).unwrap().requests.store(9, SeqCst);
    let (all, one, two) = (region.key(0, &address(0)), region.key(1, &address(1)), region.key(1, &address(2)));
    assert_eq!(child.enter(id, Holding::All, all), Some(1));
    assert_eq!(child.enter(id, Holding::Address, one), Some(1));
    assert_eq!(child.enter(id, Holding::Address, two), Some(1), "another address of the same connection");
    assert_eq!((region.count(one), region.count(two)), (0, 1));
    assert_eq!(child.slot(id).unwrap().counted(Holding::Address), Some(two));
    assert_eq!(child.leave(id, Holding::Address), 0);
    assert_eq!(child.leave(id, Holding::Address), 0);
    child.close(id);
    child.close(id);
    assert_eq!(region.count(all), 0);
    assert!(child.slot(id).is_none());
    assert_eq!(child.enter(id, Holding::All, all), None);
    let again = child.open(&address(1), 2, 3).unwrap();
    assert_eq!(again, id, "the slot used last is warm");
    assert_ne!(child.slot(id).unwrap().nonce(), nonce);
    assert_eq!(child.slot(id).unwrap().requests.load(SeqCst), 0);
    child.unregister();
    assert_empty(region, "");
    assert_eq!(child.open(&address(1), 0, 0), None);
}

#[test]
fn what_belongs_to_others_is_left_alone() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let (one, two) = (region.register_child(10, 1).unwrap(), region.register_child(11, 1).unwrap());
    assert_eq!(region.register_child(12, 1).unwrap_err(), RegionFull);
    assert_eq!(region.register_child(0, 1).unwrap_err(), RegionFull);
    let id = one.open(&address(1), 0, 0).unwrap();
    let all = region.key(0, &address(0));
    assert_eq!(one.enter(id, Holding::All, all), Some(1));
    assert_eq!(two.enter(id, Holding::All, all), None);
    assert_eq!(two.leave(id, Holding::All), 0);
    two.close(id);
    assert!(two.slot(id).is_none());
    assert_eq!(two.local_index(id), usize::MAX);
    assert!(one.slot(ConnectionId::from_raw(u32::MAX)).is_none());
    assert_eq!(region.count(all), 1);
    assert_eq!(region.reclaim_child(11), Some(Reclaimed::default()));
    assert_eq!(region.reclaim_child(11), None);
    assert_eq!(region.count(all), 1);
    assert_eq!(region.reclaim_missing(&mut |pid| pid != 10), 1);
    assert_empty(region, "");
    assert_eq!(region.count(all), 0);
}

#[test]
fn a_reused_pid_gives_back_first() {
    let mapped = Mapped::new(&SMALL);
    let region = &mapped.0;
    let all = region.key(0, &address(0));
    let old = region.register_child(10, 1).unwrap();
    let id = old.open(&address(1), 0, 0).unwrap();
    assert_eq!(old.enter(id, Holding::All, all), Some(1));
    let _new = region.register_child(10, 2).unwrap();
    assert_eq!(region.count(all), 0);
    let children: Vec<_> = region.children().map(|child| (child.pid, child.generation, child.connections)).collect();
    assert_eq!(children, [(10, 2, 0)]);
}

/// All slots can be had by one child, each once; each child can have its share while another one has started blocks.
#[test]
fn every_slot_is_given_out_once() {
    let mapped = Mapped::new(&SMALL);
    let (one, two) = (mapped.0.register_child(10, 1).unwrap(), mapped.0.register_child(11, 1).unwrap());
    assert!(two.open(&address(2), 0, 0).is_some());
    let ids: HashSet<_> = std::iter::from_fn(|| one.open(&address(1), 0, 0)).collect();
    assert_eq!(ids.len(), 12, "all but the block of the other child");
    let locals: HashSet<_> = ids.iter().map(|&id| one.local_index(id)).collect();
    assert_eq!(locals.len(), 12);
    assert!(locals.iter().all(|&local| local < one.local_capacity()));
    assert_eq!((one.local_capacity(), one.max_local()), (12, 16));
    assert_eq!(mapped.0.children().map(|child| child.connections).sum::<u32>(), 13);
    assert_eq!(mapped.0.connections().count(), 13);
    assert_eq!(mapped.0.reclaim_child(10), Some(Reclaimed { connections: 12, requests: 0 }));
    assert_eq!(two.local_capacity(), 4);
    let more = std::iter::from_fn(|| two.open(&address(2), 0, 0)).count();
    assert_eq!(more, 15);
}

/// Threads of one child: no slot twice, no local index twice, all counts right in the end.
#[test]
fn threads_share_a_child() {
    let mapped = Mapped::new(&Sizing { children: 2, connections: 64, requests: 1, block_slots: 8 });
    let region = mapped.0;
    let child = region.register_child(10, 1).unwrap();
    let all = region.key(0, &address(0));
    let taken: Vec<_> = (0..child.max_local()).map(|_| std::sync::atomic::AtomicBool::new(false)).collect();
    std::thread::scope(|scope| {
        for n in 0..4_u8 {
            let (child, taken) = (&child, &taken);
            scope.spawn(move || {
                let mine = region.key(1, &address(n));
                for round in 0..400_u32 {
                    let ids: Vec<_> = (0..round % 20).filter_map(|_| child.open(&address(n), n.into(), 1)).collect();
                    for (count, &id) in (1..).zip(&ids) {
                        assert!(!taken[child.local_index(id)].swap(true, SeqCst));
                        assert_eq!(child.enter(id, Holding::Address, mine), Some(count));
                        let total = child.enter(id, Holding::All, all).unwrap();
                        assert!((1..=80).contains(&total));
                    }
                    for &id in &ids {
                        assert_eq!(child.slot(id).unwrap().address(), address(n));
                        assert!(taken[child.local_index(id)].swap(false, SeqCst));
                        child.close(id);
                    }
                }
            });
        }
    });
    assert_eq!((0..4).map(|n| region.count(region.key(1, &address(n)))).sum::<u32>(), 0);
    assert_eq!(region.count(all), 0);
    child.for_each(&mut |id, _, _| panic!("{id:?}"));
    child.unregister();
    assert_empty(&region, "");
}
