//! What gotrace signs: read by `signature.py`, which computes every hash anew, and by LLVM; equal to
//! what Go's linker writes where it signs after its manner; and nothing but the signature is new.

use crate::files::{built, bytes, llvm, official};
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::{Finding, Rule, Wanted};
use gotrace::analyze::toolchain::{Unsound, resigned};
use gotrace::binary::Error;
use gotrace::binary::macho::signature::{AdHoc, GET_TASK_ALLOW, Manner};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHECK: Wanted = Wanted {
    bindings: false,
    findings: true,
};

fn ad_hoc(name: &str) -> AdHoc {
    AdHoc {
        name: name.to_owned(),
        ..AdHoc::default()
    }
}

fn traceable(name: &str) -> AdHoc {
    AdHoc {
        entitlements: vec![GET_TASK_ALLOW.to_owned()],
        ..ad_hoc(name)
    }
}

/// What `signature.py` reads of a file: an object for each slice.
fn read(data: &[u8]) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(file.path(), data).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/macho/signature.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .arg(file.path())
        .output()
        .expect("python3");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "signature.py: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_sound(data: &[u8], named: &str) -> Vec<Value> {
    let read = read(data);
    for slice in &read {
        assert_eq!(slice["wrong"], Value::Array(Vec::new()), "{named}");
    }
    let found = Inspection::of(data, CHECK).unwrap();
    for slice in &found.slices {
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{named}");
    }
    read
}

/// A file with four bytes at an offset.
fn with_u32(data: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut data = data.to_vec();
    data[at..at + 4].copy_from_slice(&value.to_le_bytes());
    data
}

/// Where the load command of this number is.
fn command(data: &[u8], number: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let mut at = 32;
    while word(at) != number {
        at += word(at + 4) as usize;
    }
    at
}

#[test]
fn go_signs_the_same() {
    let Some(whole) = bytes("arm64") else {
        return;
    };
    let linker = AdHoc {
        manner: Manner::Linker,
        ..ad_hoc("a.out")
    };
    assert!(linker.sign(&whole).unwrap() == whole);
    // A signature that cannot be read is replaced like any other.
    let place = command(&whole, 0x1d);
    let start = u32::from_le_bytes(whole[place + 8..place + 12].try_into().unwrap());
    let mut blank = whole.clone();
    blank[start as usize..].fill(0);
    assert!(linker.sign(&blank).unwrap() == whole);
}

#[test]
fn what_was_not_signed_is_signed() {
    let Some(unsigned) = bytes("amd64") else {
        return;
    };
    assert_eq!(read(&unsigned)[0]["signed"], false);
    let signed = ad_hoc("hello").sign(&unsigned).unwrap();
    let read = assert_sound(&signed, "amd64");
    assert_eq!(read[0]["identifier"], "hello");
    assert_eq!(read[0]["flags"], 2);
    assert_eq!(read[0]["version"], 0x2_0400);
    assert_eq!(read[0]["identifier_at"], 88);
    assert_eq!(read[0]["page"], 4096);
    assert_eq!(read[0]["slots"], serde_json::json!([0, 2, 0x1_0000]));
    let magics = serde_json::json!(["fade0c02", "fade0c01", "fade0b01"]);
    assert_eq!(read[0]["magics"], magics);
    assert_eq!(read[0]["hashed"], serde_json::json!([2]));
    // One load command and the sizes of __LINKEDIT are new, and what is behind them.
    let different = unsigned.iter().zip(&signed).enumerate();
    let different: Vec<usize> = different
        .filter(|(_, (a, b))| a != b)
        .map(|d| d.0)
        .collect();
    let linkedit = command(&signed, 0x1d);
    assert!(
        different.iter().all(|&at| at < linkedit + 16),
        "{different:?}"
    );
    assert!(different.len() <= 2 * 4 + 2 * 8 + 16, "{different:?}");
}

#[test]
fn entitlements_are_xml_and_der() {
    for (name, _) in built().unwrap_or_default() {
        let plain = bytes(name).unwrap();
        let signed = traceable("hello").sign(&plain).unwrap();
        let read = assert_sound(&signed, name);
        assert_eq!(
            read[0]["entitlements"],
            serde_json::json!({ GET_TASK_ALLOW: true })
        );
        assert_eq!(read[0]["slots"], serde_json::json!([0, 2, 5, 7, 0x1_0000]));
        assert_eq!(read[0]["hashed"], serde_json::json!([2, 5, 7]));
        let found = Inspection::of(&signed, CHECK).unwrap();
        let signature = found.slices[0].signature.as_ref().unwrap();
        assert_eq!(signature.entitlements, [GET_TASK_ALLOW]);
        assert_eq!(signature.flags, ["ad hoc"]);
        assert_eq!(read[0]["cdhash"], signature.cdhash.clone().unwrap());
        // Signing again changes nothing, and takes the name from what is there.
        assert!(traceable("other").sign(&signed).unwrap() == signed);
    }
}

/// Two of them in both architectures; the copies of whole toolchains are checked elsewhere.
#[test]
fn official_programs_keep_their_code_and_name() {
    let small = |path: &PathBuf| path.ends_with("cover") || path.ends_with("preprofile");
    for path in official().into_iter().filter(small) {
        let named = path.display().to_string();
        let before = std::fs::read(&path).unwrap();
        let signed = traceable("unused").sign(&before).unwrap();
        let found = Inspection::of(&before, CHECK).unwrap();
        let identifier = &found.slices[0].signature.as_ref().unwrap().identifier;
        let read = assert_sound(&signed, &named);
        assert_eq!(read[0]["identifier"], identifier.as_str(), "{named}");
        assert!(identifier.starts_with("org.golang."), "{identifier}");
        assert_eq!(read[0]["flags"], 2, "hardened no more");
        // All but the certificates is shorter.
        assert!(signed.len() < before.len());
        let place = command(&before, 0x1d);
        let start = u32::from_le_bytes(before[place + 8..place + 12].try_into().unwrap());
        let different = (0..start as usize).filter(|&at| before[at] != signed[at]);
        let linkedit: Vec<usize> = different.collect();
        assert!(linkedit.iter().all(|&at| at < place + 16), "{linkedit:?}");
        assert!(linkedit.len() <= 4 + 2 * 8, "{linkedit:?}");
        let file = path.with_file_name("x");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file.file_name().unwrap());
        std::fs::write(&file, &signed).unwrap();
        // LLVM finds the same sections, symbols and bytes of code.
        let sections = |file: &Path| {
            let text = llvm(
                "llvm-objdump",
                &["--macho", "--section-headers", "--syms"],
                file,
            )?;
            Some(text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        };
        let (Some(old), Some(new)) = (sections(&path), sections(&file)) else {
            return;
        };
        assert!(old == new && old.len() > 1000, "{named}");
    }
}

#[test]
fn fat_files_have_a_signature_in_each_slice() {
    const MODULES: [&str; 2] = [
        "markupsafe-3.0.2/markupsafe/_speedups.cpython-313-darwin.so",
        "cryptography-45.0.7/cryptography/hazmat/bindings/_rust.abi3.so",
    ];
    for module in MODULES {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures");
        let Ok(before) = std::fs::read(fixtures.join(module)) else {
            println!("skipped: no {module}: scripts/fetch-fixtures");
            return;
        };
        let renamed = AdHoc {
            renames: true,
            ..ad_hoc("module")
        };
        for slice in read(&renamed.sign(&before).unwrap()) {
            assert_eq!(slice["identifier"], "module");
        }
        let signed = ad_hoc("module").sign(&before).unwrap();
        let (old, new) = (read(&before), assert_sound(&signed, module));
        assert_eq!(new.len(), 2);
        for (old, new) in old.iter().zip(&new) {
            assert_eq!(new["flags"], 2);
            if old["signed"] == true {
                assert_eq!(old["code"], new["code"], "{module}");
                assert_eq!(old["identifier"], new["identifier"]);
                assert_eq!(old["page"], new["page"]);
            }
        }
        // In a file with 64-bit places, the same slices.
        let wide = widened(&before);
        let wide = ad_hoc("module").sign(&wide).unwrap();
        assert_eq!(assert_sound(&wide, module), new);
    }
}

/// The fat file with a table of 64 bits: there is room behind the table.
fn widened(data: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
    let mut wide = data.to_vec();
    wide[..8].copy_from_slice(&[0xca, 0xfe, 0xba, 0xbf, 0, 0, 0, 2]);
    for slice in 0..2 {
        let mut entry = data[8 + slice * 20..16 + slice * 20].to_vec();
        entry.extend(u64::from(word(16 + slice * 20)).to_be_bytes());
        entry.extend(u64::from(word(20 + slice * 20)).to_be_bytes());
        entry.extend(word(24 + slice * 20).to_be_bytes());
        entry.extend([0; 4]);
        wide[8 + slice * 32..40 + slice * 32].copy_from_slice(&entry);
    }
    wide
}

fn refused(data: &[u8]) -> String {
    let error = ad_hoc("x").sign(data).unwrap_err();
    assert!(matches!(
        error,
        Error::Unexpected { .. } | Error::Missing { .. } | Error::NotMachO { .. }
    ));
    error.to_string()
}

#[test]
fn what_cannot_be_signed_is_refused() {
    assert!(refused(b"\x7fELF and so on").starts_with("not a Mach-O file"));
    let (Some(amd64), Some(arm64)) = (bytes("amd64"), bytes("arm64")) else {
        return;
    };
    let behind = [amd64.as_slice(), b"more"].concat();
    assert!(refused(&behind).starts_with("end of __LINKEDIT"));
    assert!(refused(&with_u32(&amd64, 12, 1)).contains("found object"));
    let place = command(&arm64, 0x1d);
    let size = u32::from_le_bytes(arm64[place + 12..place + 16].try_into().unwrap());
    let early = with_u32(&arm64, place + 12, size - 16);
    assert!(refused(&early).starts_with("end of the old signature"));
    let commands = u32::from_le_bytes(amd64[20..24].try_into().unwrap()) as usize;
    let mut full = amd64.clone();
    full[32 + commands + 8] = 1;
    assert!(refused(&full).contains("for LC_CODE_SIGNATURE, found other bytes"));
    let name = amd64.windows(10).position(|name| name == b"__LINKEDIT");
    let mut nameless = amd64.clone();
    nameless[name.unwrap()] = b'-';
    assert!(refused(&nameless).starts_with("no segment __LINKEDIT"));
    // More bytes of load commands than these have.
    let long = with_u32(&amd64, 20, u32::try_from(commands).unwrap() + 8);
    assert!(refused(&long).starts_with("size of the load commands at 0x14"));
    // A segment right behind the one that a signature makes larger: __LINKEDIT, set before __DATA.
    let mut before = amd64.clone();
    let at = |name: &[u8; 11]| amd64.windows(11).position(|bytes| bytes == name).unwrap() + 16;
    let data = u64::from_le_bytes(amd64[at(b"__DATA\0\0\0\0\0")..][..8].try_into().unwrap());
    before[at(b"__LINKEDIT\0")..][..8].copy_from_slice(&(data - 0x1000).to_le_bytes());
    let said = refused(&before);
    assert!(
        said.starts_with("address of a segment") && said.ends_with(", __DATA"),
        "{said}"
    );
    let mut archive = b"!<arch>\n".to_vec();
    let (zero, mode, size) = (0, 644, amd64.len());
    let head = format!(
        "{:<16}{zero:<12}{zero:<6}{zero:<6}{mode:<8}{size:<10}`\n",
        "a/"
    );
    archive.extend([head.as_bytes(), &amd64].concat());
    assert!(refused(&archive).contains("found a member of an archive"));
}

/// What a copy of a toolchain is held to, each time with one thing that is not as it should be.
#[test]
fn a_signed_program_that_is_another_one_is_unsound() {
    let Some(original) = bytes("amd64") else {
        return;
    };
    let signed = ad_hoc("x").sign(&original).unwrap();
    assert_eq!(resigned(&original, &signed, &[]).unwrap().identifier, "x");
    let unread = resigned(&original, b"nothing", &[]).unwrap_err();
    assert!(matches!(unread, Unsound::Unread(_)), "{unread}");
    let unsigned = resigned(&original, &original, &[]).unwrap_err();
    assert_eq!(unsigned.to_string(), "expected 1 signed slices, found 0");
    // A byte of code, behind the signature's back.
    let place = 0x2000;
    let mut broken = signed;
    broken[place] ^= 1;
    match resigned(&original, &broken, &[]).unwrap_err() {
        Unsound::Broken(finding) => assert_eq!(finding.rule, Rule::PageHash),
        other => panic!("{other}"),
    }
    // The same byte, and signed like that.
    let mut changed = original.clone();
    changed[place] ^= 1;
    let changed = ad_hoc("x").sign(&changed).unwrap();
    assert_eq!(
        resigned(&original, &changed, &[]).unwrap_err().to_string(),
        "__TEXT at +0x2000: expected the bytes of the original, found others"
    );
}

#[test]
fn objects_and_other_files_take_no_signature() {
    assert!(!AdHoc::takes(b"#!/bin/sh\n"));
    assert!(!AdHoc::takes(&std::fs::read("/bin/sh").unwrap()));
    let (Some(amd64), Some(fat)) = (bytes("amd64"), bytes("arm64")) else {
        return;
    };
    assert!(AdHoc::takes(&amd64) && AdHoc::takes(&fat));
    assert!(!AdHoc::takes(&with_u32(&amd64, 12, 1)));
}

/// A program of 64 bytes of code and as many of symbols, with room for a load command.
fn tiny() -> Vec<u8> {
    let mut file = Vec::new();
    // Header: amd64, executable, two load commands of 72 bytes each and one of an old signature.
    let header = [0xfeed_facf, 0x0100_0007, 3, 2, 3, 160, 0x20_0085, 0_u32];
    file.extend(header.into_iter().flat_map(u32::to_le_bytes));
    for (name, address, offset, size) in [
        (b"__TEXT\0\0\0\0", 0x1000_u64, 0_u64, 0x200_u64),
        (b"__LINKEDIT", 0x2000, 0x200, 0x80),
    ] {
        file.extend([0x19_u32, 72].into_iter().flat_map(u32::to_le_bytes));
        file.extend(name.iter().chain(&[0; 6]));
        let places = [address, 0x1000, offset, size];
        file.extend(places.into_iter().flat_map(u64::to_le_bytes));
        file.extend([5_u32, 5, 0, 0].into_iter().flat_map(u32::to_le_bytes));
    }
    let signature = [0x1d_u32, 16, 0x240, 0x40];
    file.extend(signature.into_iter().flat_map(u32::to_le_bytes));
    file.resize(0x280, 0);
    file
}

/// Whatever is signed at all is signed right, and nothing panics.
#[test]
fn headers_that_are_changed_do_no_harm() {
    let program = tiny();
    assert_sound(&traceable("tiny").sign(&program).unwrap(), "tiny");
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut signed = 0;
    for _ in 0..20_000 {
        let mut changed = program.clone();
        for _ in 0..=next() % 3 {
            let at = usize::try_from(next() % 192).unwrap();
            changed[at] = next().to_le_bytes()[0];
        }
        let Ok(made) = traceable("tiny").sign(&changed) else {
            continue;
        };
        signed += 1;
        let found = Inspection::of(&made, CHECK).unwrap();
        let findings = found.slices[0].findings.as_ref().unwrap();
        let of_signature = |finding: &&Finding| {
            matches!(
                finding.rule,
                Rule::SignatureForm | Rule::SignatureLimit | Rule::SpecialSlot | Rule::PageHash
            )
        };
        let wrong = findings.iter().find(of_signature);
        assert_eq!(wrong, None, "{changed:x?}");
    }
    assert!(signed > 5_000, "{signed}");
}

#[test]
fn slices_are_not_put_gigabytes_apart() {
    let program = tiny();
    let mut fat = vec![0xca, 0xfe, 0xba, 0xbe];
    let size = u32::try_from(program.len()).unwrap();
    let entry = [1, 0x0100_0007, 3, 0x40, size, 31];
    fat.extend(entry.into_iter().flat_map(u32::to_be_bytes));
    fat.resize(0x40, 0);
    fat.extend(&program);
    let error = ad_hoc("x").sign(&fat).unwrap_err().to_string();
    assert_eq!(
        error,
        "alignment of a slice at 0x18: expected 2^15 at most, found 2^31"
    );
    fat[27] = 14;
    assert_sound(&ad_hoc("x").sign(&fat).unwrap(), "fat");
}
