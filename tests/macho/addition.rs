//! Programs with segments and a library more, whatever they were linked by: those of Apple's linkers, too.

use crate::files::official_named;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use gotrace::binary::Svma;
use gotrace::binary::macho::signature::AdHoc;
use gotrace::binary::macho::{Addition, Gap, MachO, NewSegment, Protection, Slices};
use std::path::Path;

/// A file, by its path from the project's folder.
fn fixture(path: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if !path.is_file() {
        println!("skipped: scripts/fetch-fixtures");
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

/// The slices of files, each as a file of its own.
fn programs() -> Vec<Vec<u8>> {
    let files = [
        ".tools/fixtures/ninja-1.13.2/ninja-1.13.2.data/scripts/ninja",
        ".tools/fixtures/py2app-0.28.8/py2app/apptemplate/prebuilt/main-arm64",
    ]
    .map(fixture);
    let official = official_named("amd64", "link").map(|path| std::fs::read(path).unwrap());
    let slices = files.iter().chain([&official]).flatten().flat_map(|file| {
        let slices = Slices::of(file).unwrap().slices;
        slices
            .iter()
            .map(|slice| slice.data.to_vec())
            .collect::<Vec<_>>()
    });
    slices.collect()
}

fn added(data: &[u8], contents: &[u8]) -> Vec<u8> {
    let slices = Slices::of(data).unwrap();
    let image = MachO::parse(&slices.slices[0]).unwrap();
    let segment = |name, protection| NewSegment {
        name,
        section: "__it",
        protection: Protection(protection),
        flags: 0,
        contents,
    };
    let addition = Addition {
        segments: &[segment("__ONE", 3), segment("__TWO", 5)],
        library: "@executable_path/it.dylib",
    };
    let signer = AdHoc {
        name: "it".to_owned(),
        ..AdHoc::default()
    };
    signer.sign(&addition.to(&image, data).unwrap()).unwrap()
}

/// What a program binds, and where it has addresses written, is what it was; of both segments every byte is there.
#[test]
fn pointers_and_libraries_are_what_they_were() {
    for data in programs() {
        let slices = Slices::of(&data).unwrap();
        let old = MachO::parse(&slices.slices[0]).unwrap();
        let gap = Gap::of(&old).unwrap();
        let contents = [7; 0x4001];
        let copy = added(&data, &contents);
        let slices = Slices::of(&copy).unwrap();
        let new = MachO::parse(&slices.slices[0]).unwrap();
        let [before, after] = [&old, &new].map(|image| {
            let chains = image.chained().unwrap();
            let binds = chains.binds.iter().map(|bind| format!("{bind:?}"));
            let symbols = image.symbols().unwrap();
            let symbols = symbols.iter().map(|symbol| format!("{symbol:?}"));
            (
                binds.collect::<Vec<_>>(),
                chains.rebases,
                symbols.collect::<Vec<_>>(),
                image.entry(),
            )
        });
        assert!(before == after);
        for (name, address) in [("__ONE", gap.address.0), ("__TWO", gap.address.0 + 0x8000)] {
            let section = new.section(name, "__it").unwrap();
            assert_eq!(
                (section.address, section.data),
                (Svma(address), &contents[..])
            );
        }
        let libraries: Vec<&[u8]> = new.dylibs().map(|dylib| dylib.path).collect();
        let (last, others) = libraries.split_last().unwrap();
        assert_eq!(*last, b"@executable_path/it.dylib");
        assert_eq!(
            others,
            old.dylibs().map(|dylib| dylib.path).collect::<Vec<_>>()
        );
        let wanted = Wanted {
            findings: true,
            ..Wanted::default()
        };
        let [was, is] = [&data, &copy].map(|data| {
            let slices = Inspection::of(data, wanted).unwrap().slices;
            let findings = slices[0].findings.clone().unwrap_or_default();
            findings
                .into_iter()
                .map(|finding| finding.rule.id())
                .collect::<Vec<_>>()
        });
        assert_eq!(is, was);
    }
}
