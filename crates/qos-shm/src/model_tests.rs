//! The region against a map: random lives of connections of two children.

use crate::region_tests::{Mapped, SMALL, address};
use crate::{Child, ConnectionId, Holding, Reclaimed};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Debug)]
enum Step {
    Open(usize, u8),
    Enter(usize, usize, u8),
    Leave(usize, usize),
    Close(usize),
    Reclaim(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, 0..6_u8).prop_map(|(child, n)| Step::Open(child, n)),
        6 => (0..20_usize, 0..3_usize, 0..6_u8).prop_map(|(id, holding, n)| Step::Enter(id, holding, n)),
        2 => (0..20_usize, 0..3_usize).prop_map(|(id, holding)| Step::Leave(id, holding)),
        2 => (0..20_usize).prop_map(Step::Close),
        1 => (0..2_usize).prop_map(Step::Reclaim),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Two children over a small region against a map of connections.
    #[test]
    fn behaves_like_a_map(steps in steps()) {
        struct Open { child: usize, id: ConnectionId, held: [Option<u8>; 3], address: u8 }
        let mapped = Mapped::new(&SMALL);
        let region = &mapped.0;
        let register = |n: usize| region.register_child(n as u32 + 10, 1).unwrap();
        let mut children: [Child; 2] = [register(0), register(1)];
        let mut open: Vec<Open> = Vec::new();
        let count = |open: &[Open], holding: usize, n| {
            open.iter().filter(|connection| connection.held[holding] == Some(n)).count() as u32
        };
        for step in steps {
            match step {
                Step::Open(child, n) => match children[child].open(&address(n), n.into(), 5) {
                    Some(id) => {
                        prop_assert!(open.iter().all(|connection| connection.id != id));
                        open.push(Open { child, id, held: [None; 3], address: n });
                    }
                    None => prop_assert!(open.len() > 8, "the region has room for eight"),
                },
                Step::Enter(which, holding, n) if which < open.len() => {
                    let (child, id) = (&children[open[which].child], open[which].id);
                    open[which].held[holding] = Some(n);
                    let key = region.key(holding as u64, &address(n));
                    prop_assert_eq!(child.enter(id, Holding::EACH[holding], key), Some(count(&open, holding, n)));
                }
                Step::Leave(which, holding) if which < open.len() => {
                    let (child, id) = (&children[open[which].child], open[which].id);
                    let left = open[which].held[holding].take().map_or(0, |n| count(&open, holding, n));
                    prop_assert_eq!(child.leave(id, Holding::EACH[holding]), left);
                }
                Step::Close(which) if which < open.len() => {
                    let connection = open.swap_remove(which);
                    children[connection.child].close(connection.id);
                }
                Step::Reclaim(child) => {
                    let before = open.len();
                    open.retain(|connection| connection.child != child);
                    let connections = (before - open.len()) as u32;
                    prop_assert_eq!(region.reclaim_child(child as u32 + 10), Some(Reclaimed { connections, requests: 0 }));
                    children[child] = register(child);
                }
                _ => {}
            }
            for holding in 0..3 {
                for n in 0..6 {
                    let key = region.key(holding as u64, &address(n));
                    prop_assert_eq!(region.count(key), count(&open, holding, n));
                }
            }
            let seen: HashMap<_, _> =
                region.connections().map(|view| (view.id, (view.address, view.pid as usize - 10))).collect();
            let expected: HashMap<_, _> =
                open.iter().map(|c| (c.id, (address(c.address), c.child))).collect();
            prop_assert_eq!(seen, expected);
            for (n, child) in children.iter().enumerate() {
                let mut locals = HashSet::new();
                child.for_each(&mut |id, local, slot| {
                    assert_eq!(child.local_index(id), local);
                    assert!(slot.is_open() && locals.insert(local) && local < child.local_capacity());
                });
                prop_assert_eq!(locals.len(), open.iter().filter(|c| c.child == n).count());
            }
        }
    }
}
