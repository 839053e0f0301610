//! Logs and files that mean harm: cut short, with bytes changed at random, made up.

use crate::{data, logs};
use gotrace::analyze::explain::{Answers, Here, Log, Program, diagnose, inquiries};
use gotrace::binary::linkable::{Arch, Format, Linkable, Wanted};
use gotrace::binary::tbd::{Error, Stub};
use gotrace::environment::link::{Disk, GoFiles, HeaderFolder, survey};
use std::path::{Path, PathBuf};

/// The next number of a sequence that is the same in each run (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn changed(bytes: &[u8], count: u64, state: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..count {
        let at = usize::try_from(next(state) % bytes.len() as u64).unwrap();
        bytes[at] = next(state).to_le_bytes()[0];
    }
    bytes
}

fn judge(text: &[u8]) {
    let log = Log::read(text);
    let here = Here {
        arch: Arch::Amd64,
        format: Format::Elf,
    };
    let disk = Disk {
        root: Some(data().join("no-such-tree")),
        folder: PathBuf::from("/"),
    };
    let inquiries = inquiries(&log, &here);
    let surveys: Vec<_> = inquiries
        .iter()
        .map(|inquiry| survey(&inquiry.question(None), &disk))
        .collect();
    let programs: Vec<Program> = log
        .programs()
        .into_iter()
        .map(|path| Program::of(path, None))
        .collect();
    let folders = log.folders();
    let answers = Answers {
        folders: folders
            .map(|folder| (folder.to_owned(), GoFiles::of(Path::new(folder), &disk)))
            .collect(),
        headers: log
            .headers()
            .map(|header| {
                let path = PathBuf::from("/usr/include");
                let folder = HeaderFolder {
                    path,
                    searched: true,
                };
                (header.to_owned(), vec![folder])
            })
            .collect(),
        surveys,
        programs,
        ..Answers::default()
    };
    let found = diagnose(&log, &inquiries, &answers, &here);
    assert!(found.len() <= log.problems.len());
}

#[test]
fn logs_do_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for log in logs() {
        let text = std::fs::read(data().join(format!("logs/{log}.log"))).unwrap();
        for length in (0..text.len()).step_by(37) {
            judge(&text[..length]);
        }
        for count in 0..40 {
            judge(&changed(&text, count, &mut state));
        }
    }
    for text in [
        "undefined reference to ",
        "undefined reference to `",
        "Undefined symbols for architecture \n  \"",
        "ignoring file '",
        "ignoring file , building for -",
        "(): unsupported ELF machine number 99999999999",
        "Library not loaded: \n  Reason: tried: '' (((",
        "fork/exec : exec format error",
        "gcc \"\n-l\n-L\n-framework",
        "gcc -o -L -l -F -framework -arch -target -Wl,",
    ] {
        judge(text.as_bytes());
        judge(text.repeat(3).as_bytes());
    }
}

#[test]
fn files_do_no_harm() {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let wanted = Wanted::new(["_frob_open", "plain", "frob::close(long)", "_one"], true);
    let sdk = "mac/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk/usr/lib";
    for name in [
        "mac/opt/frob/lib/libfrob.a",
        "mac/home/frob/arm64/libfrob.a",
        "linux/home/frob/lib/libfrobpp.so",
        "linux/home/frob/a64/libplain.a",
        "linux/usr/lib/x86_64-linux-gnu/libscripted.so",
        &format!("{sdk}/libone.tbd"),
        &format!("{sdk}/libtwo.tbd"),
        &format!("{sdk}/libthree.tbd"),
        &format!("{sdk}/libfive.tbd"),
        &format!("{sdk}/libSystem.tbd"),
    ] {
        let bytes = std::fs::read(data().join(name)).unwrap();
        for length in (0..bytes.len()).step_by(13) {
            drop(Linkable::of(&bytes[..length], &wanted));
        }
        for count in 0..200 {
            drop(Linkable::of(
                &changed(&bytes, count % 9, &mut state),
                &wanted,
            ));
        }
    }
}

/// Each error of the reader of stubs, from a text that has it.
#[test]
fn stubs_say_what_is_wrong_with_them() {
    let error = |text: &[u8]| Stub::parse(text).unwrap_err();
    assert!(matches!(error(b"hello"), Error::NotStub));
    assert!(matches!(error(b""), Error::NotStub));
    assert!(matches!(error(b"--- \xff"), Error::NotText { offset: 4 }));
    assert!(matches!(error(b"---\na"), Error::Line { line: 2, .. }));
    assert!(
        matches!(error(b"--- !tapi-tbd\ntbd-version: 9\n"), Error::Version { found } if found == "9")
    );
    assert!(matches!(
        error(b"--- !tapi-tbd-v9\n"),
        Error::Version { .. }
    ));
    for (text, expected) in [
        ("--- !tapi-tbd\ninstall-name: a\n", "tbd-version"),
        ("---\narchs: [ a ]\n", "install-name"),
        ("---\ninstall-name: a\n", "archs"),
        (
            "--- !tapi-tbd\ntbd-version: 4\ninstall-name: a\n",
            "targets",
        ),
        ("{ \"tapi_tbd_version\": 5 }", "main_library"),
        ("{ \"x\": \"tapi_tbd_version\" }", "tapi_tbd_version"),
        (
            "{ \"tapi_tbd_version\": 5, \"main_library\": {} }",
            "install_names",
        ),
        (
            "{ \"tapi_tbd_version\": 5, \"main_library\": { \"install_names\": [ { \"name\": \"a\" } ] } }",
            "target_info",
        ),
    ] {
        match error(text.as_bytes()) {
            Error::Missing { key } => assert_eq!(key, expected),
            other => panic!("{text}: {other}"),
        }
    }
    assert!(matches!(error(b"{ tapi_tbd_version"), Error::Json(_)));
    assert!(matches!(
        error(b"{ \"tapi_tbd_version\": 6 }"),
        Error::Version { .. }
    ));
}
