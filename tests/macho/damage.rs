//! Files that break one rule each: real ones, with a few bytes changed. What is changed is found
//! by the few lines of a reader of their own.

use crate::files::{bytes, official_named};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{Finding, Level, Rule, Wanted};

/// A Mach-O file to be changed.
struct File(Vec<u8>);

impl File {
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    fn set32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn set64(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn set32_be(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn u32_be(&self, at: usize) -> u32 {
        self.u32(at).swap_bytes()
    }

    /// Where load commands begin, with their numbers.
    fn commands(&self) -> Vec<(u32, usize)> {
        let mut at = 32;
        let mut found = Vec::new();
        for _ in 0..self.u32(16) {
            found.push((self.u32(at), at));
            at += self.u32(at + 4) as usize;
        }
        found
    }

    fn command(&self, number: u32) -> usize {
        let commands = self.commands();
        commands.iter().find(|(one, _)| *one == number).unwrap().1
    }

    /// Where the load command of a segment is.
    fn segment(&self, name: &str) -> usize {
        let commands = self.commands();
        let mut segments = commands.iter().filter(|(number, _)| *number == 0x19);
        let named = segments.find(|(_, at)| self.name(at + 8) == name);
        named.unwrap_or_else(|| panic!("no segment {name}")).1
    }

    /// Where the header of a section is.
    fn section(&self, segment: &str, name: &str) -> usize {
        let at = self.segment(segment);
        let sections = (0..self.u32(at + 64) as usize).map(|number| at + 72 + 80 * number);
        let mut named = sections.filter(|&section| self.name(section) == name);
        named.next().unwrap_or_else(|| panic!("no section {name}"))
    }

    fn name(&self, at: usize) -> &str {
        let name = std::str::from_utf8(&self.0[at..at + 16]).unwrap();
        name.trim_end_matches('\0')
    }

    /// Where the fourth stub is, for an architecture with stubs of this size.
    fn stub(&self, size: usize) -> usize {
        let section = self.section("__TEXT", "__symbol_stub1");
        self.u32(section + 48) as usize + 3 * size
    }

    /// Where opcodes begin and end.
    fn opcodes(&self) -> (usize, usize) {
        let at = self.command(0x8000_0022);
        let start = self.u32(at + 16) as usize;
        (start, start + self.u32(at + 20) as usize)
    }

    fn signature(&self) -> usize {
        self.u32(self.command(0x1d) + 8) as usize
    }

    /// Where the blob of a slot is.
    fn blob(&self, slot: u32) -> usize {
        let start = self.signature();
        let count = self.u32_be(start + 8) as usize;
        let entries = (0..count).map(|number| start + 12 + 8 * number);
        let mut of_slot = entries.filter(|&at| self.u32_be(at) == slot);
        let entry = of_slot.next().unwrap();
        start + self.u32_be(entry + 4) as usize
    }
}

fn check(data: &[u8]) -> Vec<Finding> {
    let wanted = Wanted {
        bindings: false,
        findings: true,
    };
    let mut found = Inspection::of(data, wanted).unwrap();
    found.slices.remove(0).findings.unwrap()
}

/// Changes a file, and checks that one rule is broken then, and no other, and that none was.
fn breaks(rule: Rule, file: &[u8], change: impl FnOnce(&mut File)) -> Finding {
    assert_eq!(check(file), &[], "before {rule:?}");
    let mut changed = File(file.to_vec());
    change(&mut changed);
    assert_ne!(changed.0, file);
    let findings = check(&changed.0);
    let first = findings.first().unwrap_or_else(|| panic!("{rule:?}: none"));
    for finding in &findings {
        assert_eq!(finding.rule, rule, "{findings:#?}");
    }
    assert!(!first.expected.is_empty() && !first.found.is_empty());
    first.clone()
}

const READ: u32 = 1;
const WRITE: u32 = 2;

#[test]
fn segments() {
    let Some(file) = bytes("amd64") else {
        return;
    };
    let found = breaks(Rule::SegmentFile, &file, |file| {
        let at = file.segment("__LINKEDIT");
        file.set64(at + 48, file.u64(at + 48) + 0x10_0000);
    });
    assert_eq!(found.section.as_deref(), Some("__LINKEDIT"));
    let more_than_memory = breaks(Rule::SegmentFile, &file, |file| {
        let at = file.segment("__LINKEDIT");
        file.set64(at + 32, 0x1000);
    });
    assert!(more_than_memory.expected.starts_with("0x1000 bytes"));
    breaks(Rule::SegmentOverlap, &file, |file| {
        let (data, link_edit) = (file.segment("__DATA"), file.segment("__LINKEDIT"));
        file.set64(link_edit + 24, file.u64(data + 24) + 0x1000);
    });
    breaks(Rule::SegmentOrder, &file, |file| {
        let (zero, link_edit) = (file.segment("__PAGEZERO"), file.segment("__LINKEDIT"));
        file.set64(zero + 32, 0x80_0000);
        file.set64(link_edit + 24, 0x80_0000);
    });
    breaks(Rule::SegmentName, &file, |file| {
        let at = file.segment("__DATA_CONST") + 8;
        file.0[at..at + 16].copy_from_slice(b"__DATA\0\0\0\0\0\0\0\0\0\0");
    });
    let found = breaks(Rule::SectionBounds, &file, |file| {
        let at = file.section("__DATA", "__noptrbss");
        file.set64(at + 32, file.u64(at + 32) + 0x1000_0000);
    });
    assert_eq!(found.section.as_deref(), Some("__DATA,__noptrbss"));
    let in_file = breaks(Rule::SectionBounds, &file, |file| {
        let at = file.section("__TEXT", "__rodata");
        file.set32(at + 48, file.u32(at + 48) + 0x1000_0000);
    });
    assert!(in_file.found.contains("in the file"), "{in_file:?}");
    breaks(Rule::TextWritable, &file, |file| {
        let at = file.segment("__TEXT") + 60;
        file.set32(at, file.u32(at) | WRITE);
    });
    breaks(Rule::DataProtection, &file, |file| {
        let at = file.segment("__DATA") + 60;
        file.set32(at, READ);
    });
    let found = breaks(Rule::DataConstFlag, &file, |file| {
        let at = file.segment("__DATA_CONST") + 68;
        file.set32(at, 0);
    });
    assert_eq!(found.found, "flags 0x0");
    breaks(Rule::LinkEditWritable, &file, |file| {
        let at = file.segment("__LINKEDIT") + 60;
        file.set32(at, READ | WRITE);
    });
}

#[test]
fn load_commands() {
    let Some(file) = bytes("amd64") else {
        return;
    };
    let found = breaks(Rule::EntryOutside, &file, |file| {
        let data = file.u64(file.segment("__DATA") + 24);
        // The 17th register.
        file.set64(file.command(5) + 16 + 16 * 8, data);
    });
    assert!(found.section.unwrap().starts_with("__DATA,"));
    // A library that needs none, of another linker, and of an SDK that lets it.
    let alone = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/macho/libplus-simulator.dylib"
    ));
    let found = breaks(Rule::LibraryNone, &alone.unwrap(), |file| {
        file.set32(file.command(0x32) + 16, 0x0012_0400);
    });
    assert!(found.found.starts_with("none among"), "{found:?}");
    // What no linker writes into the file of a program.
    breaks(Rule::UuidMissing, &file, |file| {
        file.set32(file.command(0x1b), 0x31)
    });
    breaks(Rule::LibraryTwice, &file, |file| {
        let name = b"/usr/lib/libresolv.9.dylib";
        let at = file.0.windows(name.len()).position(|bytes| bytes == name);
        let at = at.unwrap();
        file.0[at..at + name.len()].copy_from_slice(b"/usr/lib/libSystem.B.dylib");
    });
    breaks(Rule::RunPathTwice, &file, |file| {
        let mut at = 32 + file.u32(20) as usize;
        for _ in 0..2 {
            for word in [0x8000_001c_u32, 24, 12] {
                file.set32(at, word);
                at += 4;
            }
            file.0[at..at + 12].copy_from_slice(b"@loader\0\0\0\0\0");
            at += 12;
        }
        file.set32(16, file.u32(16) + 2);
        file.set32(20, file.u32(20) + 48);
    });
    // Programs of before SDK 26 may be as they like: 0x32 is LC_BUILD_VERSION.
    let mut old = File(file);
    let version = old.command(0x32);
    old.set32(version + 16, 0x000f_0000);
    let uuid = old.command(0x1b);
    old.set32(uuid, 0x31);
    assert_eq!(check(&old.0), &[]);
}

#[test]
fn imports() {
    let Some(file) = bytes("amd64") else {
        return;
    };
    let found = breaks(Rule::TableUnread, &file, |file| {
        let (start, _) = file.opcodes();
        file.0[start] = 0xf0;
    });
    assert!(found.found.contains("bind opcode"), "{found:?}");
    // Where imports are asked for, none that can be read is not the same as none.
    let mut unread = File(file.clone());
    let (start, _) = unread.opcodes();
    unread.0[start] = 0xf0;
    let wanted = Wanted {
        bindings: true,
        findings: false,
    };
    let error = Inspection::of(&unread.0, wanted).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("bind opcode at {start:#x}: expected 00 to d1, found f0")
    );
    breaks(Rule::BindLibrary, &file, |file| {
        let (start, end) = file.opcodes();
        // Set segment and offset, three bytes; then the library.
        let at = (start..end).find(|&at| file.0[at] == 0x11 && file.0[at + 1] == 0x40);
        file.0[at.unwrap()] = 0x1f;
    });
    // Of before SDK 26: a newer one must have its data writable anyway.
    let mut old = File(file.clone());
    old.set32(old.command(0x32) + 16, 0x000f_0000);
    breaks(Rule::BindPlace, &old.0, |file| {
        let at = file.segment("__DATA_CONST") + 60;
        file.set32(at, READ);
    });
    let found = breaks(Rule::SlotUnbound, &file, |file| {
        let (start, end) = file.opcodes();
        let bind = file.0[start..end]
            .windows(2)
            .position(|two| two == [0, 0x90]);
        file.0[start + bind.unwrap() + 1] = 0x51;
    });
    assert_eq!(found.section.as_deref(), Some("__DATA_CONST,__got"));
    breaks(Rule::SlotTwice, &file, |file| {
        // The last import is put into the place before its own, and then, by a second opcode for
        // which padding has room, into its own.
        let (_, end) = file.opcodes();
        let last = file.0[..end]
            .iter()
            .rposition(|&byte| byte == 0x90)
            .unwrap();
        assert_eq!(&file.0[last..last + 2], &[0x90, 0]);
        file.0[last + 1] = 0x90;
        let set = file.0[..last]
            .iter()
            .rposition(|&byte| byte == 0x11)
            .unwrap()
            - 4;
        assert_eq!(file.0[set], 0x72);
        let low = file.0[set + 1] & 0x7f;
        if low >= 8 {
            file.0[set + 1] -= 8;
        } else {
            file.0[set + 1] = 0x80 | (low + 0x80 - 8);
            file.0[set + 2] -= 1;
        }
    });
}

#[test]
fn stubs() {
    let (Some(amd64), Some(arm64)) = (bytes("amd64"), bytes("arm64")) else {
        return;
    };
    let found = breaks(Rule::StubSize, &amd64, |file| {
        let at = file.section("__TEXT", "__symbol_stub1") + 40;
        file.set64(at, file.u64(at) - 1);
    });
    assert!(found.found.contains("5 too many"), "{found:?}");
    for filler in [0x00, 0xcc] {
        let found = breaks(Rule::StubEmpty, &amd64, |file| {
            let at = file.stub(6);
            file.0[at..at + 6].fill(filler);
        });
        assert_eq!(found.section.as_deref(), Some("__TEXT,__symbol_stub1"));
        assert_eq!(found.offset.0, File(amd64.clone()).stub(6) as u64);
    }
    breaks(Rule::StubCode, &amd64, |file| {
        let at = file.stub(6);
        file.0[at + 1] = 0x15;
    });
    for (distance, target) in [
        (8, "that of"),
        (0x4000, "where none is"),
        (4, "where none is"),
    ] {
        let found = breaks(Rule::StubTarget, &amd64, |file| {
            let at = file.stub(6) + 2;
            file.set32(at, file.u32(at) + distance);
        });
        assert!(found.found.contains(target), "{found:?}");
    }
    // Two stubs that have changed places: what they reach is wrong, and their names are not.
    breaks(Rule::StubTarget, &amd64, |file| {
        let at = file.stub(6) + 2;
        file.set32(at, file.u32(at) + 8);
        file.set32(at + 6, file.u32(at + 6) - 8);
    });
    let found = breaks(Rule::IndirectSymbol, &amd64, |file| {
        let table = file.u32(file.command(0xb) + 56) as usize;
        file.set32(table + 12, file.u32(table + 16));
    });
    assert_eq!(found.rule.level(), Level::Warning);
    breaks(Rule::IndirectSymbol, &amd64, |file| {
        let table = file.u32(file.command(0xb) + 56) as usize;
        file.set32(table + 12, 0x00ff_ffff);
    });
    // The same of arm64, whose code is signed: the page's hash is wrong as well.
    let mut changed = File(arm64);
    let at = changed.stub(12);
    changed.set32(at + 4, changed.u32(at + 4) + (1 << 10));
    let rules: Vec<Rule> = check(&changed.0).iter().map(|one| one.rule).collect();
    assert_eq!(rules, [Rule::StubTarget, Rule::PageHash]);
}

#[test]
fn signatures() {
    let Some(file) = bytes("arm64") else {
        return;
    };
    breaks(Rule::SignatureMissing, &file, |file| {
        file.set32(file.command(0x1d), 0x31);
    });
    breaks(Rule::SignatureForm, &file, |file| {
        let at = file.signature();
        file.0[at + 3] ^= 1;
    });
    breaks(Rule::SignatureForm, &file, |file| {
        let at = file.signature();
        file.set32_be(at + 4, 0x7fff_ffff);
    });
    breaks(Rule::SignatureForm, &file, |file| {
        let directory = file.blob(0);
        file.0[directory + 36] = 20;
    });
    // What is read first of it.
    let form = |what: &str, change: &dyn Fn(&mut File)| {
        let found = breaks(Rule::SignatureForm, &file, |file| change(file));
        assert!(found.found.contains(what), "{found:?}");
    };
    form("number of blobs", &|file| {
        file.set32_be(file.signature() + 8, 0xffff)
    });
    form("no code directory", &|file| {
        file.set32_be(file.signature() + 12, 5)
    });
    form("size of a page", &|file| {
        let directory = file.blob(0);
        file.0[directory + 39] = 40;
    });
    form("number of special slots", &|file| {
        file.set32_be(file.blob(0) + 24, 0x7fff_ffff)
    });
    // The last page is no longer signed.
    let found = breaks(Rule::SignatureLimit, &file, |file| {
        let directory = file.blob(0);
        let limit = file.u32_be(directory + 32);
        file.set32_be(directory + 32, (limit - 1) & !0xfff);
        file.set32_be(directory + 28, file.u32_be(directory + 28) - 1);
    });
    assert!(found.expected.contains("where the signature begins"));
    let found = breaks(Rule::SignatureLimit, &file, |file| {
        let directory = file.blob(0);
        file.set32_be(directory + 28, file.u32_be(directory + 28) - 1);
    });
    assert!(found.expected.ends_with("pages"), "{found:?}");
    for (segment, section) in [("__TEXT", "__rodata"), ("__DATA", "__go_buildinfo")] {
        let mut place = 0;
        let found = breaks(Rule::PageHash, &file, |file| {
            let header = file.section(segment, section);
            // Its last byte: a page may begin in what stands before.
            place = file.u32(header + 48) as u64 + file.u64(header + 40) - 1;
            file.0[usize::try_from(place).unwrap()] ^= 1;
        });
        assert_eq!(found.offset.0, place & !0xfff);
        assert!(found.section.unwrap().starts_with(segment));
    }
}

/// Linkers make no special slots; those of an official toolchain have the requirements.
#[test]
fn special_slots() {
    let Some(path) = official_named("arm64", "gofmt") else {
        return;
    };
    let file = std::fs::read(path).unwrap();
    let found = breaks(Rule::SpecialSlot, &file, |file| {
        let requirements = file.blob(2);
        file.0[requirements + 12] ^= 1;
    });
    assert!(found.expected.starts_with("slot 2: "), "{found:?}");
}

/// What is broken above is every rule that there is.
#[test]
fn every_rule_has_an_id_and_a_consequence() {
    let source = include_str!("damage.rs");
    for rule in Rule::ALL {
        assert!(
            source.contains(&format!("breaks(Rule::{rule:?}, ")),
            "{rule:?}"
        );
        assert!(!rule.consequence().is_empty() && !rule.holds().is_empty());
        let same = Rule::ALL.iter().filter(|other| other.id() == rule.id());
        assert_eq!(same.count(), 1, "{}", rule.id());
    }
    let page = include_str!("../../docs/inspect.md");
    for rule in Rule::ALL {
        assert!(page.contains(&format!("`{}`", rule.id())), "{}", rule.id());
    }
}
