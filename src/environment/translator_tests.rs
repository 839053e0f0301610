//! Translators as their packages register them, and machines as they show them.

use super::{BinfmtEntry, Head, Translator, of_machine, of_program_on_macos};

fn name_and_guest(path: &str) -> Option<(String, &'static str)> {
    Translator::at(path.as_bytes()).map(|known| (known.name, known.guest))
}

#[test]
fn translators_are_known_by_their_names() {
    for (path, name, guest) in [
        ("/usr/bin/qemu-aarch64-static", "qemu-aarch64", "arm64"),
        (
            "/usr/libexec/qemu-binfmt/aarch64-binfmt-P",
            "qemu-aarch64",
            "arm64",
        ),
        ("qemu-x86_64", "qemu-x86_64", "amd64"),
        ("/usr/bin/buildkit-qemu-x86_64", "qemu-x86_64", "amd64"),
        ("/usr/bin/qemu-i386", "qemu-i386", "386"),
        ("/usr/bin/qemu-riscv64", "qemu-riscv64", ""),
        ("/run/rosetta/rosetta", "rosetta", "amd64"),
        ("/mnt/lima-rosetta/rosetta", "rosetta", "amd64"),
        ("/usr/local/bin/box64", "box64", "amd64"),
        ("/usr/bin/FEXInterpreter", "FEX", "amd64"),
        ("/usr/bin/FEX", "FEX", "amd64"),
        ("/usr/local/bin/box86", "box86", "386"),
    ] {
        assert_eq!(name_and_guest(path), Some((name.to_owned(), guest)));
    }
    for other in [
        "/usr/bin/qemu-system-x86_64",
        "/usr/bin/qemu-img",
        "/usr/bin/gcc",
        "/",
        "",
    ] {
        assert_eq!(name_and_guest(other), None, "{other}");
    }
    assert_eq!(Translator::at(b"/bin/\xff"), None);
    assert_eq!(Translator::name_of(b"/opt/translate"), "translate");
}

/// As Linux 6.18 shows what Debian 12 registers.
const QEMU: &str = "enabled\n\
    interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\n\
    flags: POF\n\
    offset 0\n\
    magic 7f454c460201010000000000000000000200b700\n\
    mask ffffffffffffff00fffffffffffffffffeffffff\n";

/// What Apple's guide registers by update-binfmts, with `--credentials yes --preserve no
/// --fix-binary yes`.
const ROSETTA: &str = "enabled\n\
    interpreter /media/rosetta/rosetta\n\
    flags: OCF\n\
    offset 0\n\
    magic 7f454c4602010100000000000000000002003e00\n\
    mask fffffffffffefe00fffffffffffffffffeffffff\n";

/// What box64 puts into /etc/binfmt.d, without flags.
const BOX64: &str = "enabled\n\
    interpreter /usr/local/bin/box64\n\
    flags: \n\
    offset 0\n\
    magic 7f454c4602010100000000000000000002003e00\n\
    mask fffffffffffefe00fffffffffffffffffeffffff\n";

const FEX: &str = "enabled\n\
    interpreter /usr/bin/FEXInterpreter\n\
    flags: POCF\n\
    offset 0\n\
    magic 7f454c4602010100000000000000000002003e00\n\
    mask fffffffffffefe00fffffffffffffffffeffffff\n";

fn head(kind: u8, machine: u8) -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    head.extend([kind, 0, machine, 0]);
    head
}

#[test]
fn an_entry_says_for_which_files_and_how() {
    const ARM64: u8 = 183;
    const AMD64: u8 = 62;
    for (text, machine, other, argv0, name) in [
        (QEMU, ARM64, AMD64, true, "qemu-aarch64"),
        (ROSETTA, AMD64, ARM64, false, "rosetta"),
        (BOX64, AMD64, ARM64, false, "box64"),
        (FEX, AMD64, ARM64, true, "FEX"),
    ] {
        let entry = BinfmtEntry::parse(text).expect("an entry");
        assert_eq!(entry.keeps_argv0(), argv0, "{name}");
        assert_eq!(Translator::name_of(&entry.interpreter), name);
        // Executables (2) and position-independent ones (3), not relocatable files (1).
        assert!(entry.takes(&head(2, machine)) && entry.takes(&head(3, machine)));
        assert!(!entry.takes(&head(1, machine)) && !entry.takes(&head(2, other)));
        assert!(!entry.takes(b"#!/bin/sh\n") && !entry.takes(&head(2, machine)[..19]));
    }
}

#[test]
fn what_is_no_entry_for_the_beginning_of_files_is_none() {
    for text in [
        "enabled\n",
        "",
        "enabled\ninterpreter /usr/bin/wine\nflags: \nextension .exe\n",
        "enabled\ninterpreter /x\nflags: \noffset x\nmagic 7f\n",
        "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f4\n",
        "enabled\ninterpreter /x\nflags: \noffset 0\nmagic zz\n",
    ] {
        assert_eq!(BinfmtEntry::parse(text), None, "{text}");
    }
    let off = BinfmtEntry::parse(&QEMU.replace("enabled", "disabled")).expect("an entry");
    assert!(!off.takes(&head(2, 183)));
    let far = BinfmtEntry::parse(&QEMU.replace("offset 0", "offset 300")).expect("an entry");
    assert!(!far.takes(&head(2, 183)));
}

#[test]
fn an_emulated_machine_is_told_by_its_processor() {
    let rosetta = "processor\t: 0\nvendor_id\t: VirtualApple\nmodel name\t: VirtualApple @ 2.50GHz processor\n";
    let real = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R)\n";
    let arm = "processor\t: 0\nBogoMIPS\t: 48.00\nCPU implementer\t: 0x61\n";
    let qemu =
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: QEMU TCG CPU version 2.5+\n";
    // A virtual machine of qemu is a machine: its programs run natively.
    let machine =
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: QEMU Virtual CPU version 2.5+\n";
    for (arch, cpuinfo, expected) in [
        ("amd64", rosetta, Some("rosetta")),
        ("amd64", real, None),
        ("arm64", arm, None),
        ("amd64", qemu, Some("qemu-x86_64")),
        ("amd64", machine, None),
        ("amd64", arm, Some("a translator on an Arm processor")),
        ("arm64", real, Some("qemu-aarch64")),
        ("arm64", "", None),
        ("amd64", "", None),
    ] {
        assert_eq!(
            of_machine(arch, cpuinfo).as_deref(),
            expected,
            "{arch} {cpuinfo}"
        );
    }
}

#[test]
fn rosetta_runs_what_macos_gives_it() {
    let head = |archs: &[&str]| Head {
        archs: archs.iter().map(|&arch| arch.to_owned()).collect(),
        ..Head::default()
    };
    let universal: &[&str] = &["amd64", "arm64e"];
    // Architectures of the program, whether the processor is Apple's, what starts it.
    for (archs, silicon, own, translated) in [
        (&["amd64"][..], true, "arm64", true),
        (&["amd64"], true, "amd64", true),
        (&["amd64"], false, "amd64", false),
        (&["arm64"], true, "arm64", false),
        (&["arm64"], true, "amd64", false),
        (universal, true, "arm64", false),
        (universal, true, "amd64", true),
        (universal, false, "amd64", false),
        (&[], true, "arm64", false),
    ] {
        let found = of_program_on_macos(&head(archs), silicon, own);
        assert_eq!(found, translated, "{archs:?} {silicon} {own}");
    }
}
