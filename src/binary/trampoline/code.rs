//! The machine code beside a copy's own, as `probes/trampoline` is assembled, and what is filled into it.
//!
//! A symbol is an offset from `start`, where the segment of code begins. `entry` to `entry.end` is what tells of an
//! entry, `exit` to `exit.end` of an exit: one of them for each place, or `span_entry` and `span_exit` where those are
//! there and the function's argument is not recorded. All that stands before `entry` is in a copy once. The other symbols
//! with a point in their name stand behind four bytes that are to be filled in ([`super::hole`] says how).

use super::hole::Holes;
use super::ring::SPANS;
use crate::binary::Error;
use crate::binary::elf::Elf;
use crate::binary::go::GoroutineFields;
use crate::binary::instruction::SiteEdge;
use rustc_hash::FxHashMap;

/// In ELF files, for macOS, too.
const AMD64: &[u8] = include_bytes!("../../../probes/prebuilt/linux-amd64/trampoline.o");
const ARM64: &[u8] = include_bytes!("../../../probes/prebuilt/linux-arm64/trampoline.o");
const MACOS_AMD64: &[u8] = include_bytes!("../../../probes/prebuilt/macos-amd64/trampoline.o");
const MACOS_ARM64: &[u8] = include_bytes!("../../../probes/prebuilt/macos-arm64/trampoline.o");

/// The code of each processor in copies for Linux: another one makes other copies.
pub const ASSEMBLED: [&[u8]; 2] = [AMD64, ARM64];

/// How far in front of `start` the memory of a copy is: `PAGE`, and in it `RING`.
pub(super) const PAGE: u64 = 0x10000;
/// `IMAGE`, from the start of that memory.
pub(super) const IMAGE: usize = 16;

/// The assembled code.
#[derive(Debug)]
pub(super) struct Code {
    holes: Holes,
    text: &'static [u8],
    symbols: FxHashMap<&'static [u8], usize>,
}

/// Reads one of [`Fields`].
type Field = fn(&Fields) -> u16;

/// What each part of the code has of [`Fields`], or not.
const FIELDS: [(&str, Field); 6] = [
    ("m_procid", |fields| fields.m_procid),
    ("m_slot", |fields| fields.m_slot),
    ("m_next", |fields| fields.m_slot),
    ("m_ring", |fields| fields.m_ring),
    ("g_goid", |fields| fields.g_goid),
    ("g_own", |fields| fields.g_goid),
];

/// The templates, of which the second two are not there for each system and processor.
const TEMPLATES: [&str; 4] = ["entry", "exit", "span_entry", "span_exit"];

/// What tells of one kind of edge.
#[derive(Debug)]
pub(super) struct Template {
    holes: Holes,
    bytes: Vec<u8>,
    /// Where it is entered.
    pub(super) begin: usize,
    /// Bits of the numbers of its records.
    bits: u32,
    /// What is to lead somewhere, and where to: positions behind its own start, and from that of the code.
    leads: Vec<(usize, i64)>,
    number: usize,
    /// None where the frame is gone at an exit.
    frame: Option<usize>,
}

impl Code {
    /// That of copies of ELF files.
    pub(super) fn for_linux(holes: Holes) -> Result<Self, Error> {
        let code = match holes {
            Holes::Amd64 => AMD64,
            Holes::Arm64 => ARM64,
        };
        Self::read(holes, code)
    }

    /// That of copies of Mach-O files, in which no kernel is called.
    pub(super) fn for_macos(holes: Holes) -> Result<Self, Error> {
        let code = match holes {
            Holes::Amd64 => MACOS_AMD64,
            Holes::Arm64 => MACOS_ARM64,
        };
        Self::read(holes, code)
    }

    fn read(holes: Holes, code: &'static [u8]) -> Result<Self, Error> {
        let elf = Elf::parse(code)?;
        let text = elf.section(b".text").map(|section| section.data);
        let symbols = elf.symbols().iter();
        let symbols = symbols
            .filter_map(|symbol| Some((symbol.name, usize::try_from(symbol.address.0).ok()?)));
        Ok(Self {
            holes,
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

    /// The code that a copy has once.
    pub(super) fn once(&self, fields: &Fields) -> Result<Vec<u8>, Error> {
        let text = self.text.get(..self.at("entry")?);
        let mut text = text.unwrap_or_default().to_vec();
        self.put_fields(&mut text, "claim", 0, fields)?;
        for template in TEMPLATES {
            self.put_fields(&mut text, &format!("tell_{template}"), 0, fields)?;
        }
        Ok(text)
    }

    /// The same, which also is where a program begins whose own code begins `program` bytes from `start`.
    pub(super) fn beginning(
        &self,
        fields: &Fields,
        program: i64,
        descriptors: [u32; 3],
    ) -> Result<Vec<u8>, Error> {
        let mut text = self.once(fields)?;
        let behind = self.at("start.program")?;
        self.holes.lead(&mut text, behind, 0, program)?;
        let numbers = self.at("descriptors")?;
        for (number, descriptor) in (1_usize..).zip(descriptors) {
            let behind = numbers.saturating_add(number.saturating_mul(4));
            self.holes.put(&mut text, behind, descriptor)?;
        }
        Ok(text)
    }

    /// What tells of an edge, but for what is another for each place; `spans` where that is no matter of an argument.
    pub(super) fn template(
        &self,
        edge: SiteEdge,
        spans: bool,
        fields: &Fields,
    ) -> Result<Template, Error> {
        let plain = match edge {
            SiteEdge::Entry => "entry",
            SiteEdge::Return | SiteEdge::TailJump => "exit",
        };
        let spanning = format!("span_{plain}");
        let (name, bits) = match spans && self.at(&spanning).is_ok() {
            true => (spanning.as_str(), SPANS),
            false => (plain, 0),
        };
        let start = self.at(name)?;
        let part = |part: &str| {
            let at = self.at(&format!("{name}.{part}"))?;
            Ok::<usize, Error>(at.saturating_sub(start))
        };
        let mut leads = Vec::new();
        if let Ok(behind) = part("ring") {
            leads.push((behind, 0_i64.saturating_sub_unsigned(PAGE)));
        }
        for (hole, to) in [("claim", "claim"), ("tell", &format!("tell_{name}"))] {
            if let Ok(behind) = part(hole) {
                leads.push((behind, i64::try_from(self.at(to)?).unwrap_or_default()));
            }
        }
        let bytes = self.text.get(start..self.at(&format!("{name}.end"))?);
        let mut template = Template {
            holes: self.holes,
            bytes: bytes.unwrap_or_default().to_vec(),
            begin: part("begin").unwrap_or_default(),
            bits,
            leads,
            number: part("number")?,
            frame: part("frame").ok(),
        };
        self.put_fields(&mut template.bytes, name, start, fields)?;
        Ok(template)
    }

    /// Fills offsets of fields into the part of the code that has a name and begins at `start`. Not each part has all.
    fn put_fields(
        &self,
        bytes: &mut [u8],
        name: &str,
        start: usize,
        fields: &Fields,
    ) -> Result<(), Error> {
        for (hole, field) in FIELDS {
            if let Ok(behind) = self.at(&format!("{name}.{hole}")) {
                let behind = behind.saturating_sub(start);
                self.holes.put(bytes, behind, field(fields).into())?;
            }
        }
        Ok(())
    }
}

impl Template {
    /// The code for one place, which lies `at` bytes behind `start`.
    pub(super) fn filled(&self, at: usize, number: u32, frame: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = self.bytes.clone();
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        for (behind, to) in &self.leads {
            self.holes.lead(&mut bytes, *behind, at, *to)?;
        }
        self.holes
            .put(&mut bytes, self.number, number | self.bits)?;
        if let Some(hole) = self.frame {
            self.holes.put(&mut bytes, hole, frame)?;
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

/// The constants of the assembled code, to be held against [`super::ring`].
#[cfg(test)]
mod tests {
    use super::super::ring;
    use super::*;

    #[test]
    fn both_sides_know_the_same_ring() {
        for code in [AMD64, ARM64, MACOS_AMD64, MACOS_ARM64] {
            let elf = Elf::parse(code).unwrap();
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
                ("RING_INSISTS", ring::INSISTS),
                ("RING_HEAD", ring::HEAD),
                ("RING_TAIL", ring::TAIL),
                ("RING_DROPPED", ring::DROPPED),
                ("RING_MAPPED", ring::MAPPED),
                ("RING_QUEUE", ring::QUEUE),
                ("RETURN", ring::RETURN as usize),
                ("CHUNKS", ring::FIRST_CHUNK),
            ] {
                assert_eq!(constant(name), value as u64, "{name}");
            }
            assert_eq!(constant("PAGE"), PAGE.wrapping_neg());
            assert_eq!(constant("RING"), PAGE.wrapping_neg());
            assert_eq!(constant("IMAGE") - constant("PAGE"), IMAGE as u64);
        }
    }
}
