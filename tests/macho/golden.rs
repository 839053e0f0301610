//! What is shown and written of a made-up file that has everything, as golden files have it
//! (`UPDATE=1` writes them anew), and the keys of the JSON, as the page has them.

use crate::expected;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::placement::{PlacedSegment, Placement, Shown};
use gotrace::analyze::inspect::symbols::{
    Answer, Asked, Lookup, Place, Symbol, SymbolFacts, Table, Witness, Witnesses,
};
use gotrace::analyze::inspect::{
    AbiFacts, CommandFacts, Finding, GoFacts, Import, LibraryFacts, LinkedBy, Module,
    PlatformFacts, Rule, SegmentFacts, SignatureFacts, SliceFacts, Unwound,
};
use gotrace::binary::{FileOffset, Svma};
use gotrace::export::json;
use gotrace::render::text::{Page, inspect as text};
use gotrace::trace::Avma;

fn module(path: &str, replaced_by: Option<&str>) -> Module {
    Module {
        path: path.to_owned(),
        version: "v1.2.3".to_owned(),
        replaced_by: replaced_by.map(str::to_owned),
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn signature() -> SignatureFacts {
    SignatureFacts {
        flags: strings(&["hardened"]),
        identifier: "weather".to_owned(),
        team: Some("TEAM123456".to_owned()),
        hash: "SHA-256".to_owned(),
        pages: 1234,
        page_size: 4096,
        cdhash: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        certificates: true,
        entitlements: strings(&["com.apple.security.get-task-allow"]),
        undecided: vec!["whether Apple has notarized it"],
    }
}

fn import(symbol: &str, library: Option<u64>) -> Import {
    Import {
        symbol: symbol.to_owned(),
        version: None,
        kind: None,
        provider: "/usr/lib/libSystem.B.dylib".to_owned(),
        library,
        slot: library.map(|_| Svma(0x1_0002_0000)),
        section: library.map(|_| "__DATA_CONST,__got".to_owned()),
        stub: library.map(|_| Svma(0x1_0001_0000)),
        how: "chained fixup",
        lazy: false,
        addend: 0,
        weak: library.is_some(),
        signed: library.is_some(),
        exported_as: library.is_none().then(|| format!("_own{symbol}")),
    }
}

/// One of an ELF file.
fn versioned() -> Import {
    Import {
        version: Some("GLIBC_2.2.5".to_owned()),
        kind: Some("function"),
        provider: "libc.so.6".to_owned(),
        section: Some(".got.plt".to_owned()),
        how: "JUMP_SLOT",
        lazy: true,
        weak: false,
        signed: false,
        ..import("puts", Some(1))
    }
}

const GO: Witness = Witness {
    table: Table::Pclntab,
    debug_file: false,
};
const DSYM: Witness = Witness {
    table: Table::Dwarf,
    debug_file: true,
};

fn answer(by: Witness, name: &str, places: &[(&str, u32)]) -> Answer {
    Answer {
        by,
        name: name.to_owned(),
        start: Svma(0x1_0000_4bc0),
        end: Svma(0x1_0000_4c00),
        places: places
            .iter()
            .map(|(function, line)| Place {
                function: (*function).to_owned(),
                file: "sky.go".to_owned(),
                line: *line,
            })
            .collect(),
    }
}

fn placement() -> Placement {
    Placement {
        slide: Some(0x4a0_0000),
        loaded: Some(Avma(0x1_04a0_0000)),
        segments: vec![
            PlacedSegment {
                name: "__TEXT".to_owned(),
                stated: Svma(0x1_0000_0000),
                actual: Some(Avma(0x1_04a0_0000)),
                size: 0x2_0000,
            },
            PlacedSegment {
                name: "__DATA".to_owned(),
                stated: Svma(0x1_0002_0000),
                actual: None,
                size: 0x4000,
            },
        ],
        problems: strings(&["__DATA at 0x100020000: expected at 0x104a20000, found no memory"]),
        elsewhere: vec![Shown {
            start: Avma(0x2_0000_0000),
            size: 0x4000,
            offset: FileOffset(0x4000),
            executable: false,
        }],
    }
}

fn symbols() -> SymbolFacts {
    let found = |asked, answers| Lookup {
        asked,
        stated: None,
        section: None,
        answers,
        near: Vec::new(),
        refused: None,
    };
    let symbol = |name: &str, line| Symbol {
        name: name.to_owned(),
        start: Svma(0x1_0000_4bc0),
        size: 64,
        section: "__TEXT,__text".into(),
        file: if line > 0 { "sky.go" } else { "" }.into(),
        line,
        by: Witnesses::of(GO).and(Witnesses::of(DSYM)),
    };
    SymbolFacts {
        tables: vec![(GO, 2345), (DSYM, 2)],
        unread: vec!["exports: export trie at 0x10: expected 1 bytes, found 0".to_owned()],
        debug_file: Some("weather.dSYM/Contents/Resources/DWARF/weather".to_owned()),
        symbols: Some(vec![symbol("main.rain", 12), symbol("", 0)]),
        lookups: vec![
            Lookup {
                stated: Some(Svma(0x1_0000_4bd0)),
                section: Some("__TEXT,__text".to_owned()),
                ..found(
                    Asked::Address(0x1_04a0_4bd0),
                    vec![
                        answer(GO, "main.rain", &[("main.drop", 3), ("main.rain", 12)]),
                        answer(DSYM, "main.snow", &[("main.snow", 0)]),
                    ],
                )
            },
            found(
                Asked::Name("main.rain".to_owned()),
                vec![answer(GO, "main.rain", &[("main.rain", 12)])],
            ),
            Lookup {
                near: strings(&["main.rain"]),
                ..found(Asked::Name("rain".to_owned()), Vec::new())
            },
            found(Asked::Address(8), Vec::new()),
            Lookup {
                refused: Some("an object has no addresses yet: look up names"),
                ..found(Asked::Address(16), Vec::new())
            },
        ],
    }
}

fn platform() -> PlatformFacts {
    PlatformFacts {
        name: "macOS".to_owned(),
        minimum: "13.0".to_owned(),
        sdk: Some("26.2".to_owned()),
    }
}

fn whole() -> SliceFacts {
    let table = GoFacts {
        version: "go1.27.3".to_owned(),
        package: "example.com/weather".to_owned(),
        module: Some(module("example.com/weather", None)),
        dependencies: vec![module("example.com/sky", Some("../sky"))],
        settings: vec![("CGO_ENABLED".to_owned(), "1".to_owned())],
        table: Ok("Go 1.20"),
        functions: 2345,
        linked_by: LinkedBy::System,
    };
    SliceFacts {
        arch: "arm64".to_owned(),
        offset: FileOffset(0x4000),
        size: 1_234_567,
        kind: "executable".to_owned(),
        platforms: vec![platform()],
        flags: strings(&["DYLDLINK", "TWOLEVEL", "PIE"]),
        identity: Some("93BDB8A7-1953-30C7-99BE-B40E2957DE97".to_owned()),
        own_name: Some("@rpath/libweather.dylib".to_owned()),
        loader: Some("/usr/lib/dyld".to_owned()),
        entry: Some(Svma(0x1_0000_4bc0)),
        source_version: Some("1.0".to_owned()),
        segments: vec![SegmentFacts {
            name: "__TEXT".to_owned(),
            address: Svma(0x1_0000_0000),
            size: 0x2_0000,
            offset: FileOffset(0x4000),
            file_size: 0x1_f000,
            protection: "r-x".to_owned(),
        }],
        commands: vec![CommandFacts {
            name: "LC_MAIN",
            number: 0x8000_0028,
            offset: FileOffset(0x4a80),
            size: 24,
        }],
        libraries: vec![LibraryFacts {
            path: "/usr/lib/libSystem.B.dylib".to_owned(),
            version: Some("1351.0".to_owned()),
            used: "weak, delayed".to_owned(),
        }],
        run_paths: strings(&["@loader_path/../lib"]),
        abi: AbiFacts {
            unwind: vec!["compact", "eh_frame"],
            signed_pointers: true,
            frame_pointers: Some(true),
            unwound: Some(Ok(Unwound {
                frame_pointer: 12,
                frameless: 3,
                dwarf: 4,
                nothing: 2_345,
            })),
        },
        go: Some(table),
        debug_information: true,
        signature: Some(signature()),
        imports: vec![import("_malloc", Some(1)), import("_free", None)],
        findings: Some(vec![
            Finding {
                rule: Rule::StubEmpty,
                section: Some("__TEXT,__stubs".to_owned()),
                offset: FileOffset(0x5000),
                expected: "a jump through the pointer of _malloc".to_owned(),
                found: "zeroes".to_owned(),
            },
            Finding {
                rule: Rule::IndirectSymbol,
                section: None,
                offset: FileOffset(0x6000),
                expected: "_malloc".to_owned(),
                found: "_free in the table of indirect symbols".to_owned(),
            },
        ]),
        placement: Some(placement()),
        symbols: Some(symbols()),
        ..SliceFacts::default()
    }
}

/// A fat file with a slice that has everything, one that is not read, and a member of an archive.
fn everything() -> Inspection {
    let unread = SliceFacts {
        arch: "386".to_owned(),
        offset: FileOffset(0x20_0000),
        size: 4096,
        unread: Some(
            "Mach-O file at 0x80000: expected 64 bits, little-endian, found 32 bits, for 386"
                .to_owned(),
        ),
        ..SliceFacts::default()
    };
    let mut member = SliceFacts {
        arch: "amd64".to_owned(),
        member: Some("weather.o".to_owned()),
        kind: "object".to_owned(),
        size: 2_345_678,
        findings: Some(Vec::new()),
        ..SliceFacts::default()
    };
    member.abi.unwound = Some(Err(
        "version of compact unwinding: expected 1, found 0x2".to_owned()
    ));
    member.imports = vec![versioned()];
    member.go = whole().go.map(|go| GoFacts {
        table: Err("no start of Go code".to_owned()),
        ..go
    });
    Inspection {
        format: "fat Mach-O",
        size: 2_345_678,
        slices: vec![whole(), unread, member],
    }
}

fn json() -> Vec<u8> {
    let mut written = Vec::new();
    let files = [("weather".to_owned(), everything())];
    json::inspect(&files, true, &mut written).unwrap();
    written
}

#[test]
fn text_and_json_are_as_they_were() {
    let (found, page) = (everything(), Page::default());
    let mut facts = Vec::new();
    text::file("weather", &found, &page, &mut facts).unwrap();
    text::commands(&found, &page, &mut facts).unwrap();
    expected::file("inspect/facts.txt", &facts);
    let mut bindings = Vec::new();
    text::bindings("weather", &found, &page, &mut bindings).unwrap();
    expected::file("inspect/bindings.txt", &bindings);
    let mut findings = Vec::new();
    text::findings("weather", &found, &page, &mut findings).unwrap();
    expected::file("inspect/check.txt", &findings);
    let mut symbols = Vec::new();
    text::symbols("weather", &found, &page, &mut symbols).unwrap();
    text::lookups("weather", &found, &page, &mut symbols).unwrap();
    expected::file("inspect/symbols.txt", &symbols);
    let mut placement = Vec::new();
    text::placement("weather", &found, &page, &mut placement).unwrap();
    expected::file("inspect/placement.txt", &placement);
    expected::file("inspect/inspect.json", &json());
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    expected::keys("inspect", &[json()]);
}
