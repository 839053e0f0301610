//! What is fuzzed: a name, where its seeds are, and a function that takes any bytes and says in a few
//! words what came out. A new target is one line in [`ALL`].

use crate::trampoline::trampoline;
use gotrace::analyze::Inspection;
use gotrace::analyze::explain::{Answers, Here, Log, diagnose, inquiries};
use gotrace::analyze::inspect::placement::Loaded;
use gotrace::analyze::inspect::symbols::{self, Asked, DebugFile};
use gotrace::analyze::inspect::{Rule, Wanted};
use gotrace::analyze::toolchain::{Unsound, resigned};
use gotrace::binary::elf::{Dynamic, Elf};
use gotrace::binary::go::{GoroutineFields, Pclntab, Version};
use gotrace::binary::linkable::{Arch, Format, Linkable, Wanted as WantedSymbols};
use gotrace::binary::macho::signature::{AdHoc, GET_TASK_ALLOW, Manner};
use gotrace::capture::decode::audit::{Buffer, Header, Ring, Story};
use gotrace::capture::decode::dtrace::line::{Event, Lines};
use gotrace::capture::decode::dtrace::message::Message;
use gotrace::capture::decode::dtrace::order::Order;
use gotrace::capture::decode::dyld_log::DyldLog;
use gotrace::capture::decode::image_infos::{DyldInfo, ImageInfos};
use gotrace::capture::decode::mach::native;
use gotrace::capture::decode::mach::text::Text;
use gotrace::capture::decode::mach::thread::Position;
use gotrace::capture::decode::mach::{goroutine, translated};
use gotrace::capture::decode::memory::{MemoryCopy, Pieces, ReadMemory as _};
use gotrace::capture::decode::preload::Hello;
use gotrace::capture::decode::rosetta::fragments::Runtime;
use gotrace::capture::decode::rosetta::registers::{ContextLayout, Registers};
use gotrace::environment::link::{Files, survey};
use gotrace::import::Foreign;
use gotrace::trace::Avma;
use gotrace::trace::file::Writer;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Name, folders or files of seeds from the root of the repository, function.
pub(crate) type Target = (&'static str, &'static [&'static str], fn(&[u8]) -> String);

pub(crate) const ALL: &[Target] = &[
    ("macho", &["tests/data/macho"], inspect),
    (
        "fat",
        &["tests/data/macho/plus.a", "fuzz/seeds/fat"],
        inspect,
    ),
    ("elf", &["fuzz/seeds/elf"], elf),
    ("dsym", &[DSYM], debug_file),
    ("pclntab", &["fuzz/seeds/pclntab"], pclntab),
    ("signature", &["fuzz/seeds/signature"], signature),
    ("signer", &["tests/data/macho", "fuzz/seeds/fat"], signer),
    ("link-log", &["tests/data/explain/logs"], link_log),
    (
        "linkable",
        &["tests/data/explain/mac", "tests/data/explain/linux"],
        linkable,
    ),
    ("tbd", &[STUBS], linkable),
    ("dyld-log", &["tests/data/dyld"], dyld_log),
    ("dtrace", &["fuzz/seeds/dtrace"], dtrace),
    ("image-infos", &["fuzz/seeds/image-infos"], image_infos),
    ("rosetta", &["fuzz/seeds/rosetta"], rosetta),
    ("stack", &["fuzz/seeds/stack"], stack),
    ("audit", &["fuzz/seeds/audit"], audit),
    ("preload", &["fuzz/seeds/preload"], preload),
    ("import", &["tests/data/import"], import),
    ("trampoline", &["fuzz/seeds/trampoline"], trampoline),
    ("config", &["fuzz/seeds/config"], config),
];

/// What fails on purpose, so that it is known that failures are told.
pub(crate) const FAILING: &[Target] = &[
    ("panics", &[STUBS], panics),
    ("hangs", &[STUBS], hangs),
    ("devours", &[STUBS], devours),
];

#[expect(clippy::panic, reason = "it is what is tried")]
fn panics(_: &[u8]) -> String {
    panic!("on purpose")
}

/// Works and does not wait: it is CPU time that is judged.
fn hangs(_: &[u8]) -> String {
    let Ok(start) = crate::used() else {
        return String::new();
    };
    while crate::used().is_ok_and(|now| now.saturating_sub(start) <= crate::SLOW) {}
    String::new()
}

fn devours(_: &[u8]) -> String {
    String::from_utf8_lossy(&vec![0; 5 << 30]).into_owned()
}

const STUBS: &str =
    "tests/data/explain/mac/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk/usr/lib";
const DSYM: &str = "tests/data/macho/classic.dSYM/Contents/Resources/DWARF/classic";

/// All that `gotrace inspect` can be asked of a file.
fn inspect(data: &[u8]) -> String {
    let wanted = Wanted {
        bindings: true,
        findings: true,
    };
    let mut found = match Inspection::of(data, wanted) {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    found.place(|stated| stated.loaded(Loaded::At(Avma(0x1_04a0_0000))));
    let asked = [
        Asked::Address(0x1_04a0_1628),
        Asked::Name("main".to_owned()),
    ];
    let added = symbols::add(&mut found, data, None, true, &asked);
    let mut said = format!("{added:?} {}", found.format);
    for slice in &found.slices {
        let rules = slice.findings.iter().flatten().map(|one| one.rule.id());
        let unread = slice.symbols.iter().flat_map(|one| &one.unread);
        said.extend(rules.chain(unread.map(String::as_str)));
        said.push_str(slice.unread.as_deref().unwrap_or_default());
    }
    said
}

/// The same of an ELF file, and all that a dynamic loader reads of it.
fn elf(data: &[u8]) -> String {
    let said = inspect(data);
    let dynamic = match Dynamic::parse(data) {
        Ok(dynamic) => dynamic,
        Err(error) => return format!("{said} {error}"),
    };
    let named = dynamic
        .relocations()
        .filter_map(|one| dynamic.symbol(one.symbol));
    format!(
        "{said} {:?} {} {} {} {}",
        dynamic.flags(),
        named.count(),
        dynamic.offers().count(),
        dynamic.stubs().len(),
        dynamic.needed().count()
    )
}

/// The bytes as the dSYM of a program.
fn debug_file(data: &[u8]) -> String {
    const PROGRAM: &[u8] = include_bytes!("../tests/data/macho/classic");
    let mut found = match Inspection::of(PROGRAM, Wanted::default()) {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    let file = DebugFile {
        named: "debug file",
        data,
    };
    let asked = [
        Asked::Address(0x1_0000_1650),
        Asked::Name("main".to_owned()),
    ];
    let added = symbols::add(&mut found, PROGRAM, Some(file), true, &asked);
    let unread = found.slices.iter().flat_map(|slice| &slice.symbols);
    format!(
        "{added:?} {:?}",
        unread.map(|one| &one.unread).collect::<Vec<_>>()
    )
}

/// The bytes as the function table of an ELF file that has nothing else.
fn pclntab(data: &[u8]) -> String {
    const BASE: u64 = 0x40_0000;
    let size = data.len() as u64 + 0x1000;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([2_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([BASE, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    // One segment, which may be read and run, longer in memory than in the file.
    file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    file.extend(
        [0, BASE, BASE, size, 0x10_0000, 0x1000]
            .map(u64::to_le_bytes)
            .concat(),
    );
    file.resize(0x1000, 0);
    file.extend(data);
    let Ok(elf) = Elf::parse(&file) else {
        return "no ELF".to_owned();
    };
    let table = match Pclntab::of(&elf) {
        Ok(table) => table,
        Err(error) => return error.to_string(),
    };
    let mut wrong = 0_u32;
    // A table may say that it has any number of functions.
    for function in table.functions().take(200) {
        let Ok(function) = function else {
            wrong += 1;
            continue;
        };
        for address in [function.entry(), function.end()] {
            wrong += u32::from(function.lines(address).is_err());
            wrong += u32::from(function.stack_depth(address).is_err());
            wrong += u32::from(table.find(address).is_err());
        }
        wrong += u32::from(function.name().is_err());
    }
    let named = table.named(&["main.main", "internal/abi.NoEscape"]).len();
    format!("{:?} {named} {}", table.format(), wrong.min(9))
}

/// The bytes as the signature of a program.
fn signature(data: &[u8]) -> String {
    static PROGRAM: OnceLock<(Vec<u8>, usize)> = OnceLock::new();
    let (program, command) = PROGRAM.get_or_init(|| {
        let mut program = include_bytes!("../tests/data/macho/classic").to_vec();
        let command = [0x1d_u32, 16].map(u32::to_le_bytes).concat();
        let at = program
            .windows(8)
            .position(|bytes| bytes == command)
            .unwrap_or(0);
        let start = program
            .get(at + 8..at + 12)
            .and_then(|start| start.try_into().ok());
        let start = start.map_or(0, u32::from_le_bytes);
        program.truncate(usize::try_from(start).unwrap_or(0));
        (program, at)
    });
    let mut file = [program, data].concat();
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(room) = file.get_mut(command + 12..command + 16) {
        room.copy_from_slice(&size);
    }
    inspect(&file)
}

/// The bytes as a program that is signed anew: what comes out verifies, and has the same code. (The
/// file may break rules that have nothing to do with signatures.)
#[expect(
    clippy::panic,
    reason = "that is how a target says that something is wrong"
)]
fn signer(data: &[u8]) -> String {
    let signers = [
        (Vec::new(), Manner::Tool),
        (vec![GET_TASK_ALLOW.to_owned()], Manner::Tool),
        (Vec::new(), Manner::Linker),
    ];
    let mut said = String::new();
    for (entitlements, manner) in signers {
        let signer = AdHoc {
            name: "fuzzed".to_owned(),
            entitlements,
            manner,
            ..AdHoc::default()
        };
        let signed = match signer.sign(data) {
            Ok(signed) => signed,
            Err(error) => {
                said.push_str(&error.to_string());
                continue;
            }
        };
        let wanted = Wanted {
            bindings: false,
            findings: true,
        };
        let found = match Inspection::of(&signed, wanted) {
            Ok(found) => found,
            Err(error) => panic!("what was signed is not read: {error}"),
        };
        for finding in found
            .slices
            .iter()
            .flat_map(|slice| &slice.findings)
            .flatten()
        {
            assert!(!OF_SIGNATURES.contains(&finding.rule), "{finding:?}");
            said.push_str(finding.rule.id());
        }
        match resigned(data, &signed, &[]) {
            Ok(found) => said.push_str(&found.signature.join(" ")),
            Err(Unsound::Broken(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    said
}

/// The rules that a signer is to keep.
const OF_SIGNATURES: [Rule; 5] = [
    Rule::SignatureMissing,
    Rule::SignatureForm,
    Rule::SignatureLimit,
    Rule::SpecialSlot,
    Rule::PageHash,
];

/// A machine without files: where a log leads is followed as far as its words go.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn size(&self, _path: &Path) -> Option<u64> {
        None
    }

    fn list(&self, _folder: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// All that `gotrace explain` makes of what a build has printed.
fn link_log(data: &[u8]) -> String {
    let log = Log::read(data);
    let here = Here {
        arch: Arch::Amd64,
        format: Format::Elf,
    };
    let inquiries = inquiries(&log, &here);
    let surveys: Vec<_> = inquiries
        .iter()
        .map(|inquiry| survey(&inquiry.question(None), &NoFiles))
        .collect();
    let answers = Answers {
        surveys,
        ..Answers::default()
    };
    let found = diagnose(&log, &inquiries, &answers, &here);
    let causes: Vec<_> = found.iter().map(|one| &one.cause).collect();
    format!("{} {causes:?}", log.problems.len())
}

/// What a linker sees of the bytes: a stub, an object, an archive, a library, a script.
fn linkable(data: &[u8]) -> String {
    let wanted = WantedSymbols::new(["_frob_open", "plain", "frob::close(long)", "_one"], true);
    format!("{:?}", Linkable::of(data, &wanted))
}

/// What dyld prints of processes, in pieces of odd sizes.
fn dyld_log(data: &[u8]) -> String {
    let mut log = DyldLog::default();
    let mut said = String::new();
    let mut count = 0_u32;
    let mut out = |_pid, event| {
        count += 1;
        let event = format!("{event:?}");
        said.push_str(event.split([' ', '(']).next().unwrap_or_default());
        said.push(' ');
    };
    for piece in data.chunks(777) {
        log.feed(piece, &mut out);
    }
    let shortfall = log.finish(&mut out);
    format!("{said} {shortfall:?} {count}")
}

/// Both what scripts print and what `dtrace` says.
fn dtrace(data: &[u8]) -> String {
    let (mut lines, mut order) = (Lines::default(), Order::new(200));
    let mut said = String::new();
    let mut out = |event: Event| {
        let what = format!("{:?}", event.what);
        said.push_str(what.split([' ', '(']).next().unwrap_or_default());
        said.push(' ');
    };
    for piece in data.chunks(777) {
        lines.feed(piece, &mut |event| order.add(event, &mut out));
    }
    let shortfall = lines.finish(&mut |event| order.add(event, &mut out));
    let late = order.finish(&mut out);
    let messages = String::from_utf8_lossy(data);
    let messages = messages
        .lines()
        .map(|line| format!("{:?} ", Message::of(line)));
    format!(
        "{said} {shortfall:?} {late} {}",
        messages.collect::<String>()
    )
}

/// Where the memory of made-up processes begins.
const START: u64 = 0x1_0460_4000;

/// The memory of a process that has nothing but the bytes, and zeros up to the end of their page.
fn process(data: &[u8]) -> MemoryCopy {
    let mut bytes = data.to_vec();
    bytes.resize(data.len().next_multiple_of(0x1000), 0);
    MemoryCopy {
        start: START,
        bytes,
    }
}

/// What programs send that say hello.
fn preload(data: &[u8]) -> String {
    Hello::read(data).map_or_else(|error| error.to_string(), |hello| format!("{hello:?}"))
}

/// What dyld has loaded into a process, by its memory.
fn image_infos(data: &[u8]) -> String {
    let info = DyldInfo {
        address: Avma(START),
        bytes: data.len() as u64,
        format: 1,
    };
    match ImageInfos::read(&process(data), info) {
        Ok(found) => {
            let named = found.images.iter().filter(|image| image.path.is_some());
            let (named, error) = (named.count(), found.error.map(|error| error.kind));
            let counts = (found.images.len(), found.translated.len());
            format!("{counts:?} {named} {error:?}")
        }
        Err(error) => error.to_string(),
    }
}

/// Stacks of a thread, by the memory of its process; the first words are its registers.
fn stack(data: &[u8]) -> String {
    let memory = process(data);
    let word = |at: u64| memory.long(START.wrapping_add(at)).unwrap_or_default();
    let at = Position {
        pc: word(0),
        sp: word(8),
        fp: word(16),
        link: Some(word(24)),
        g: word(32),
    };
    let function = |address: u64| Some(address & !0x3f);
    let found = native::stack(&Pieces::of(&memory), at, 47, &function);
    let version = Version {
        major: 1,
        minor: 27,
    };
    let fields = GoroutineFields::of(version).ok();
    let goroutine = fields.and_then(|fields| goroutine::of_thread(&memory, at.g, at.sp, &fields));
    let registers = Registers {
        x: [word(8); 29],
        fp: at.fp,
        lr: 0,
        sp: at.sp,
        pc: at.pc,
    };
    let rosetta = translated::Rosetta {
        context: ContextLayout::of(13),
        ..translated::Rosetta::default()
    };
    let guest = translated::stack(&memory, &registers, &rosetta, &|_| 231);
    let text = Text::read(&memory, Avma(START)).is_some();
    let lengths = (found.addresses.len(), guest.addresses.len());
    format!("{lengths:?} {} {goroutine:?} {text}", found.truncated)
}

/// Where the program is at places of translated code. The first word is the root of the tree.
fn rosetta(data: &[u8]) -> String {
    let memory = process(data);
    let runtime = Runtime {
        address: START,
        root: 0,
    };
    let hosts = (0x2000..0x4000).step_by(0x44);
    let places = hosts.map(|host| match runtime.guest(&memory, host) {
        Ok(guest) => format!("{guest:?} "),
        Err(torn) => format!("{torn:?} "),
    });
    places.collect()
}

/// A file of a process under `LD_AUDIT`; beyond its end there are zeros.
struct AuditFile<'d>(&'d [u8]);

impl AuditFile<'_> {
    fn bytes<const N: usize>(&self, from: usize) -> [u8; N] {
        let mut bytes = [0; N];
        let there = self.0.get(from..).unwrap_or_default();
        for (byte, there) in bytes.iter_mut().zip(there) {
            *byte = *there;
        }
        bytes
    }
}

impl Buffer for AuditFile<'_> {
    fn counter(&self, place: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(place))
    }

    fn cell(&self, number: u32) -> [u8; 64] {
        let place = usize::try_from(number % 65_536).unwrap_or_default();
        self.bytes(4096 + 64 * place)
    }
}

/// What a process wrote, as long as it lives, and when it is gone.
fn audit(data: &[u8]) -> String {
    let header = match Header::parse(data) {
        Ok(header) => header,
        Err(error) => return error.to_string(),
    };
    let (mut ring, mut story) = (Ring::default(), Story::new(header.fork_of.is_some()));
    let mut said = String::new();
    for gone in [false, true] {
        let mut told = Vec::new();
        let drained = ring.drain(&AuditFile(data), gone, |event| story.hear(event, &mut told));
        if gone {
            story.end(&mut told);
        }
        for event in told.iter().take(200) {
            let what = format!("{:?}", event.what);
            said.push_str(what.split(['(', ' ']).next().unwrap_or_default());
            said.push(' ');
        }
        said.push_str(&drained.torn.to_string());
    }
    said
}

/// A recording of another tool, as a trace in a file that is gone at once.
fn import(data: &[u8]) -> String {
    let foreign = match Foreign::open(data, None) {
        Ok(foreign) => foreign,
        Err(error) => return error.to_string(),
    };
    let path = std::env::temp_dir().join(format!("gotrace-fuzz-{}", std::process::id()));
    let mut writer = match Writer::create(&path, foreign.anchor()) {
        Ok(writer) => writer,
        Err(error) => return error.to_string(),
    };
    drop(std::fs::remove_file(&path));
    match foreign
        .write(&mut writer)
        .map(|imported| (imported, writer.finish()))
    {
        Ok((imported, sealed)) => format!("{imported:?} {sealed:?}"),
        Err(error) => error.to_string(),
    }
}

/// The bytes as a user's `gotrace.toml`, and as a repository's, to which not all is open.
fn config(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let [user, repository] =
        [false, true].map(|of_repository| gotrace::cli::settings_in(&text, of_repository));
    if let Ok(taken) = &repository {
        assert!(user.as_ref() == Ok(taken), "{taken:?} and not {user:?}");
    }
    format!("{user:?} {repository:?}")
}
