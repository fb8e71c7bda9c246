//! What the region shows to those who look: children and connections, without stopping anybody.

use crate::layout::{Block, unpack};
use crate::region::Region;
use crate::slot::{ConnectionId, Holding};
use crate::sync::Ordering::SeqCst;

/// A registered child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its process.
    pub pid: u32,
    /// The generation it said it belongs to.
    pub generation: u32,
    /// Connections that it has open.
    pub connections: u32,
    /// Requests that it has in slots.
    pub requests: u32,
}

/// An open connection, as it was at one moment. The last five words may be younger than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// Its slot.
    pub id: ConnectionId,
    /// Tells it from others in this slot.
    pub nonce: u32,
    /// The process that holds it.
    pub pid: u32,
    /// Client address.
    pub address: [u8; 16],
    /// When it was opened: monotonic milliseconds.
    pub started_ms: u64,
    /// Counted for, in the order of [`Holding::EACH`].
    pub counted: [bool; Holding::EACH.len()],
    /// Virtual server.
    pub server: u32,
    /// As its holder packed it.
    pub state: u64,
    /// As its holder set them.
    pub flags: u32,
    /// Requests served.
    pub requests: u32,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Region {
    /// The registered children. Looks at each block once per child: for displays, not for requests.
    pub fn children(&self) -> impl Iterator<Item = ChildInfo> {
        (1_u32..).zip(self.records()).filter_map(|(owner, record)| {
            let word = record.word.load(SeqCst);
            let (generation, pid) = unpack(word);
            (word != 0).then(|| {
                let used = |blocks: &[Block]| {
                    let own = blocks.iter().filter(|block| block.owner.load(SeqCst) == owner);
                    own.map(|block| block.used.load(SeqCst).count_ones()).sum()
                };
                ChildInfo { pid, generation, connections: used(self.blocks()), requests: used(self.request_blocks()) }
            })
        })
    }

    /// The open connections of all children. Blocks that nobody owns cost one word each.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionView> {
        (0_u32..).zip(self.blocks()).flat_map(move |(number, block)| {
            let owner = block.owner.load(SeqCst);
            let used = if owner == 0 { 0 } else { block.used.load(SeqCst) };
            let pid = owner.checked_sub(1).and_then(|index| self.records().get(index as usize)).map_or(0, |record| unpack(record.word.load(SeqCst)).1);
            (0..self.width()).filter(move |bit| used >> bit & 1 == 1).filter_map(move |bit| self.look(ConnectionId::from_raw(number * self.width() + bit), pid))
        })
    }

    /// `None`: not open, or another connection than a moment ago.
    fn look(&self, id: ConnectionId, pid: u32) -> Option<ConnectionView> {
        let slot = self.slots().get(id.raw() as usize)?;
        let nonce = slot.nonce();
        if !slot.is_open() {
            return None;
        }
        let view = ConnectionView {
            id,
            nonce,
            pid,
            address: slot.address(),
            started_ms: slot.started_ms(),
            counted: Holding::EACH.map(|holding| slot.counted(holding).is_some()),
            server: slot.server(),
            state: slot.state.load(SeqCst),
            flags: slot.flags.load(SeqCst),
            requests: slot.requests.load(SeqCst),
            bytes_in: slot.bytes_in.load(SeqCst),
            bytes_out: slot.bytes_out.load(SeqCst),
        };
        (slot.nonce() == nonce).then_some(view)
    }
}
