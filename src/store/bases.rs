//! Objects kept in mind because others in a pack are made of them.
//!
//! Packs keep an object as what differs from another, which differs from another again, up to fifty deep. Runs follow one
//! another in such chains: whoever reads many would make up each chain anew for each of its links.

use std::collections::{HashMap, VecDeque};

use gix::objs::Kind;
use gix::odb::pack::cache::DecodeEntry;

/// How many bytes of objects are kept, the last that were read.
const BYTES_MAX: usize = 12 << 20;

/// The objects read last, by pack and offset.
#[derive(Default)]
pub(super) struct Bases {
    known: HashMap<(u32, u64), Base>,
    order: VecDeque<(u32, u64)>,
    bytes: usize,
}

struct Base {
    kind: Kind,
    compressed_size: usize,
    data: Box<[u8]>,
}

impl DecodeEntry for Bases {
    fn put(&mut self, pack_id: u32, offset: u64, data: &[u8], kind: Kind, compressed_size: usize) {
        let place = (pack_id, offset);
        if data.len() > BYTES_MAX / 16 || self.known.contains_key(&place) {
            return;
        }
        while self.bytes + data.len() > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.known.remove(&oldest).map_or(0, |base| base.data.len());
        }
        self.bytes += data.len();
        self.order.push_back(place);
        self.known.insert(place, Base { kind, compressed_size, data: data.into() });
    }

    fn get(&mut self, pack_id: u32, offset: u64, out: &mut Vec<u8>) -> Option<(Kind, usize)> {
        let base = self.known.get(&(pack_id, offset))?;
        out.clear();
        out.extend_from_slice(&base.data);
        Some((base.kind, base.compressed_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let mut bases = Bases::default();
        let data = vec![7; 1 << 19];
        for offset in 0..100 {
            bases.put(0, offset, &data, Kind::Blob, 5);
        }
        let mut out = vec![1];
        assert_eq!(bases.get(0, 99, &mut out), Some((Kind::Blob, 5)));
        assert_eq!(out, data);
        assert_eq!(bases.get(0, 0, &mut out), None);
        assert_eq!(bases.get(1, 99, &mut out), None);
        assert!(bases.bytes <= BYTES_MAX && bases.known.len() == bases.order.len());
    }
}
