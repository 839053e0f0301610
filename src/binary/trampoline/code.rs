//! The machine code beside a copy's own, as `probes/trampoline` is assembled, and what is filled into it.
//!
//! A symbol is an offset from `start`, where the segment of code begins. `entry` to `entry.end` is what tells of an
//! entry, `exit` to `exit.end` of an exit: one of them for each place. The other symbols with a point in their name
//! stand behind four bytes that are to be filled in.

use crate::binary::Error;
use crate::binary::elf::Elf;
use crate::binary::go::GoroutineFields;
use crate::binary::instruction::SiteEdge;
use rustc_hash::FxHashMap;

const AMD64: &[u8] = include_bytes!("../../../probes/prebuilt/linux-amd64/trampoline.o");

/// How far in front of `start` the memory of a copy is: `PAGE`, and in it `RING`.
pub(super) const PAGE: u64 = 0x10000;
/// `IMAGE`, from the start of that memory.
pub(super) const IMAGE: usize = 16;

/// The assembled code.
#[derive(Debug)]
pub(super) struct Code {
    text: &'static [u8],
    symbols: FxHashMap<&'static [u8], usize>,
}

/// What tells of one kind of edge.
#[derive(Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where it is entered.
    pub(super) begin: usize,
    /// Behind four bytes that hold the distance to the ring's address, and to `claim`.
    ring: usize,
    claim: usize,
    claim_at: i64,
    number: usize,
    frame: Option<usize>,
}

impl Code {
    pub(super) fn amd64() -> Result<Self, Error> {
        let elf = Elf::parse(AMD64)?;
        let text = elf.section(b".text").map(|section| section.data);
        let symbols = elf.symbols().iter();
        let symbols = symbols
            .filter_map(|symbol| Some((symbol.name, usize::try_from(symbol.address.0).ok()?)));
        Ok(Self {
            text: text.ok_or(Error::Missing {
                what: "code of trampolines",
            })?,
            symbols: symbols.collect(),
        })
    }

    pub(super) fn at(&self, symbol: &str) -> Result<usize, Error> {
        let at = self.symbols.get(symbol.as_bytes()).copied();
        at.ok_or(Error::Missing {
            what: "symbol in the code of trampolines",
        })
    }

    /// The code that a copy has once, for a program that begins `program` bytes from `start`.
    pub(super) fn once(
        &self,
        fields: &Fields,
        program: i64,
        descriptors: [u32; 3],
    ) -> Result<Vec<u8>, Error> {
        let mut text = self
            .text
            .get(..self.at("entry")?)
            .unwrap_or_default()
            .to_vec();
        let behind = self.at("start.program")?;
        fill(&mut text, behind, distance(program, behind)?)?;
        for (hole, field) in [
            ("claim.m_procid", fields.m_procid),
            ("claim.m_slot", fields.m_slot),
            ("claim.m_ring", fields.m_ring),
        ] {
            fill(&mut text, self.at(hole)?, i32::from(field))?;
        }
        let numbers = self.at("descriptors")?;
        for (number, descriptor) in (1_usize..).zip(descriptors) {
            let behind = numbers.saturating_add(number.saturating_mul(4));
            fill(&mut text, behind, descriptor.cast_signed())?;
        }
        Ok(text)
    }

    /// What tells of an edge, but for what is another for each place.
    pub(super) fn template(&self, edge: SiteEdge, fields: &Fields) -> Result<Template, Error> {
        let name = match edge {
            SiteEdge::Entry => "entry",
            SiteEdge::Return | SiteEdge::TailJump => "exit",
        };
        let start = self.at(name)?;
        let part = |part: &str| {
            let at = self.at(&format!("{name}.{part}"))?;
            Ok::<usize, Error>(at.saturating_sub(start))
        };
        let bytes = self.text.get(start..self.at(&format!("{name}.end"))?);
        let mut template = Template {
            bytes: bytes.unwrap_or_default().to_vec(),
            begin: part("begin")?,
            ring: part("ring")?,
            claim: part("claim")?,
            claim_at: i64::try_from(self.at("claim")?).unwrap_or_default(),
            number: part("number")?,
            frame: part("frame").ok(),
        };
        for (hole, field) in [
            ("m_ring", fields.m_ring),
            ("m_slot", fields.m_slot),
            ("g_goid", fields.g_goid),
        ] {
            fill(&mut template.bytes, part(hole)?, i32::from(field))?;
        }
        Ok(template)
    }
}

impl Template {
    /// The code for one place, which lies `at` bytes behind `start`.
    pub(super) fn filled(&self, at: usize, number: u32, frame: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = self.bytes.clone();
        let page = i64::try_from(PAGE).unwrap_or_default();
        let ring = distance(page.saturating_neg(), at.saturating_add(self.ring))?;
        fill(&mut bytes, self.ring, ring)?;
        let claim = distance(self.claim_at, at.saturating_add(self.claim))?;
        fill(&mut bytes, self.claim, claim)?;
        fill(&mut bytes, self.number, number.cast_signed())?;
        if let Some(hole) = self.frame {
            fill(&mut bytes, hole, frame.cast_signed())?;
        }
        Ok(bytes)
    }
}

/// Where the runtime keeps what trampolines read and write, in bytes from g and from m. Of the words of thread-local
/// storage in m the runtime leaves all but the first one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    g_goid: u16,
    m_procid: u16,
    /// The next record of the thread: `m.tls[1]`.
    m_slot: u16,
    /// The ring that it belongs to: `m.tls[2]`.
    m_ring: u16,
}

impl Fields {
    pub(super) const fn of(fields: &GoroutineFields) -> Self {
        Self {
            g_goid: fields.g_goid,
            m_procid: fields.m_procid,
            m_slot: fields.m_tls.saturating_add(8),
            m_ring: fields.m_tls.saturating_add(16),
        }
    }
}

/// Writes a number over the four bytes that end at an offset.
pub(super) fn fill(bytes: &mut [u8], behind: usize, value: i32) -> Result<(), Error> {
    let available = bytes.len() as u64;
    let hole = behind
        .checked_sub(4)
        .and_then(|at| bytes.get_mut(at..behind));
    match hole {
        Some(hole) => hole.copy_from_slice(&value.to_le_bytes()),
        None => {
            return Err(Error::CutShort {
                what: "code of trampolines",
                offset: behind as u64,
                length: 4,
                available,
            });
        }
    }
    Ok(())
}

/// How far it is from behind an instruction to somewhere, both counted from `start`.
pub(super) fn distance(to: i64, behind: usize) -> Result<i32, Error> {
    let far = Error::Unsupported {
        what: "distance between code and its trampolines",
        expected: "less than 2 GiB",
        found: to.cast_unsigned(),
    };
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    let distance = to.checked_sub(behind);
    distance
        .and_then(|distance| i32::try_from(distance).ok())
        .ok_or(far)
}

/// The constants of the assembled code, to be held against [`super::ring`].
#[cfg(test)]
mod tests {
    use super::super::ring;
    use super::*;

    #[test]
    fn both_sides_know_the_same_ring() {
        let elf = Elf::parse(AMD64).unwrap();
        let constant = |name: &str| {
            let mut symbols = elf.symbols().iter();
            let found = symbols.find(|symbol| symbol.name == name.as_bytes());
            found.unwrap().address.0
        };
        for (name, value) in [
            ("RING_BYTES", ring::BYTES),
            ("RING_MASK", ring::MASK),
            ("RING_CHUNKS", ring::CHUNKS),
            ("RING_PATIENCE", ring::PATIENCE),
            ("RING_CLOSED", ring::CLOSED),
            ("RING_HEAD", ring::HEAD),
            ("RING_TAIL", ring::TAIL),
            ("RING_DROPPED", ring::DROPPED),
            ("RING_QUEUE", ring::QUEUE),
            ("CHUNKS", ring::FIRST_CHUNK),
        ] {
            assert_eq!(constant(name), value as u64, "{name}");
        }
        assert_eq!(constant("PAGE"), PAGE.wrapping_neg());
        assert_eq!(constant("RING"), PAGE.wrapping_neg());
        assert_eq!(constant("IMAGE") - constant("PAGE"), IMAGE as u64);
    }
}
