//! Which toolchains can be watched.

use gotrace::analyze::toolchain::{Verdict, architectures, signatures, tracing};
use gotrace::binary::macho::signature::SignatureFlags;
use gotrace::environment::goroot::{Format, Goroot, Program, Runs, Signed, SliceOfProgram};
use std::path::PathBuf;

const GET_TASK_ALLOW: &str = "com.apple.security.get-task-allow";

fn macho(arch: &str, flags: Option<u32>, entitlements: &[&str]) -> Format {
    let signed = flags.map(|flags| Signed {
        flags: SignatureFlags(flags),
        team: None,
        entitlements: entitlements.iter().map(|&key| key.to_owned()).collect(),
    });
    Format::MachO(vec![SliceOfProgram {
        arch: arch.to_owned(),
        signature: signed,
        instrumented: false,
    }])
}

pub(crate) fn goroot(formats: Vec<Format>) -> Goroot {
    let paths = ["bin/go", "pkg/tool/x/compile", "pkg/tool/x/link"];
    let programs = paths.iter().zip(formats);
    Goroot {
        root: PathBuf::from("/go"),
        version: "go1.27.3".to_owned(),
        programs: programs
            .map(|(path, format)| Program {
                path: PathBuf::from(path),
                format,
            })
            .collect(),
    }
}

fn said(goroot: &Goroot, runs: &Runs) -> (Verdict, String, bool) {
    let found = tracing(goroot, runs);
    (found.verdict, found.why, found.remedy.is_some())
}

#[test]
fn hardened_programs_are_closed() {
    let hardened = || macho("arm64", Some(0x1_0000), &[]);
    let open = || macho("arm64", Some(0x1_0002), &[GET_TASK_ALLOW]);
    let two_of_three = goroot(vec![hardened(), open(), hardened()]);
    assert_eq!(
        said(&two_of_three, &Runs::Natively),
        (
            Verdict::No,
            "2 of 3 programs are hardened, and allow no debugger".to_owned(),
            true
        )
    );
    assert_eq!(
        signatures(&two_of_three),
        "2 hardened; 1 ad hoc, hardened, get-task-allow"
    );
    let remedy = tracing(&two_of_three, &Runs::NotHere).remedy.unwrap();
    assert_eq!(remedy, "gotrace toolchain prepare --from /go --to DIR");
    let all_open = goroot(vec![open(), open()]);
    assert_eq!(said(&all_open, &Runs::Natively).0, Verdict::Yes);
}

#[test]
fn without_a_signature_arm64_is_killed_and_amd64_is_not() {
    let arm64 = goroot(vec![macho("arm64", None, &[])]);
    let (verdict, why, _) = said(&arm64, &Runs::Natively);
    assert_eq!(
        (verdict, why.contains("a Mac kills them")),
        (Verdict::No, true)
    );
    let amd64 = goroot(vec![macho("amd64", None, &[])]);
    let by = Runs::Translated("rosetta".to_owned());
    let expected = "no program of it is hardened, translated by rosetta";
    assert_eq!(
        said(&amd64, &by),
        (Verdict::Yes, expected.to_owned(), false)
    );
    assert_eq!(signatures(&amd64), "unsigned");
    let restricted = goroot(vec![macho("amd64", Some(0x800), &[])]);
    assert_eq!(said(&restricted, &by).0, Verdict::No);
}

#[test]
fn elf_is_open_where_it_runs() {
    let elf = || Format::Elf { arch: "arm64" };
    let toolchain = goroot(vec![elf(), Format::Elf { arch: "amd64" }]);
    assert_eq!(architectures(&toolchain), "arm64, tools amd64");
    assert_eq!(said(&toolchain, &Runs::Natively).0, Verdict::Yes);
    let by = Runs::Translated("qemu-aarch64".to_owned());
    assert!(
        said(&toolchain, &by)
            .1
            .ends_with("translated by qemu-aarch64")
    );
    assert_eq!(said(&toolchain, &Runs::NotHere).0, Verdict::No);
}

#[test]
fn what_is_not_known_is_not_judged() {
    assert_eq!(
        said(&goroot(vec![Format::Other]), &Runs::Natively).0,
        Verdict::Unknown
    );
    let unread = goroot(vec![Format::Unread("not permitted".to_owned())]);
    let (verdict, why, _) = said(&unread, &Runs::NotHere);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(why.ends_with("not permitted"));
    assert_eq!(
        said(&goroot(Vec::new()), &Runs::NotHere).0,
        Verdict::Unknown
    );
}
