//! Inputs out of seeds: a few changes at a time, of the kinds that readers stumble over.

/// Numbers at the edges of what offsets, sizes and counts can be.
const EDGES: [u64; 14] = [
    0,
    1,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];
/// No input grows beyond this.
const LARGEST: usize = 1 << 20;

/// `SplitMix64` (G. L. Steele, D. Lea, C. H. Flood 2014): the same inputs in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % (limit.max(1) as u64)).unwrap_or(0)
    }
}

/// A changed copy of one input; `other` is another one, of which a piece may be taken.
pub(crate) fn mutated(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = input.to_vec();
    for _ in 0..=random.below(6) {
        change(&mut data, other, random);
    }
    data.truncate(LARGEST);
    data
}

/// A place: mostly near the beginning, where headers are.
fn place(length: usize, random: &mut Random) -> usize {
    match random.below(3) {
        0 => random.below(length.min(256)),
        1 => random.below(length.min(4096)),
        _ => random.below(length),
    }
}

fn change(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = place(data.len(), random);
    match random.below(10) {
        0 => {
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = data.get_mut(at) {
                *byte = random.bits().to_le_bytes()[0];
            }
        }
        2..=4 => number(data, at, random),
        5 => {
            let end = at.saturating_add(random.below(64)).min(data.len());
            drop(data.drain(at.min(end)..end));
        }
        6 => {
            let piece = piece(other, random).to_vec();
            let at = at.min(data.len());
            drop(data.splice(at..at, piece));
        }
        7 => {
            let piece = piece(other, random);
            if let Some(room) = data.get_mut(at..)
                && let Some(room) = room.get_mut(..piece.len())
            {
                room.copy_from_slice(piece);
            }
        }
        8 => data.truncate(at),
        _ => {
            let own = data.clone();
            let piece = piece(&own, random);
            if let Some(room) = data.get_mut(at..)
                && let Some(room) = room.get_mut(..piece.len())
            {
                room.copy_from_slice(piece);
            }
        }
    }
}

/// Puts a number at an edge, or next to what was there, in either order of bytes.
fn number(data: &mut [u8], at: usize, random: &mut Random) {
    let width = [1, 2, 4, 8][random.below(4)];
    let at = at / width * width;
    let Some(room) = data.get_mut(at..at.saturating_add(width)) else {
        return;
    };
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(room);
    let value = if random.below(2) == 0 {
        EDGES[random.below(EDGES.len())].wrapping_sub(random.bits() % 3)
    } else {
        u64::from_le_bytes(bytes)
            .wrapping_add(random.bits() % 33)
            .wrapping_sub(16)
    };
    room.copy_from_slice(&value.to_le_bytes()[..width]);
    if random.below(3) == 0 {
        room.reverse();
    }
}

fn piece<'d>(data: &'d [u8], random: &mut Random) -> &'d [u8] {
    let start = random.below(data.len());
    let end = start.saturating_add(random.below(128)).min(data.len());
    data.get(start..end).unwrap_or_default()
}
