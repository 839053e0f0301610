//! What ran, from made-up paths and the first bytes of files.

use super::{Files, Program, arch_of, path_of, program};
use crate::trace::Arch;

/// The first bytes of an ELF file for a machine.
fn elf(machine: u16) -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    head.extend(machine.to_le_bytes());
    head.extend([0; 44]);
    head
}

const AMD64: u16 = 62;
const ARM64: u16 = 183;

/// Files by their paths.
struct Known(Vec<(&'static [u8], Vec<u8>)>);

impl Files for Known {
    fn head(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let known = self.0.iter().find(|(known, _)| *known == path)?;
        Some(known.1.clone())
    }

    fn whole(&mut self, _cwd: &[u8], _path: &[u8]) -> Result<Vec<u8>, String> {
        Err("not asked for".to_owned())
    }

    fn keeps_argv0(&mut self, _interpreter: &[u8]) -> Option<bool> {
        None
    }
}

fn ran(exe: &[u8], arch: Arch, translator: &[u8]) -> Program {
    Program {
        exe: exe.to_vec(),
        arch,
        translator: translator.to_vec(),
    }
}

#[test]
fn a_path_is_put_together_from_the_inside_out() {
    assert_eq!(path_of(b"true\0bin\0usr\0"), b"/usr/bin/true");
    assert_eq!(path_of(b""), b"/");
    assert_eq!(path_of(b"/\0"), b"/");
    assert_eq!(path_of(b"a b\"\n\xff\0tmp\0"), b"/tmp/a b\"\n\xff");
    assert_eq!(path_of(b"memfd:x\0/\0"), b"/memfd:x", "of no mount");
}

#[test]
fn an_architecture_is_read_from_the_head_of_a_file() {
    assert_eq!(arch_of(&elf(AMD64)), Arch::Amd64);
    assert_eq!(arch_of(&elf(ARM64)), Arch::Arm64);
    assert_eq!(arch_of(&elf(3)), Arch::X86);
    assert_eq!(arch_of(&elf(8)), Arch::Unknown);
    assert_eq!(arch_of(b"#!/bin/sh\necho a script\n"), Arch::Unknown);
    let head = elf(AMD64);
    for length in 0..20 {
        assert_eq!(arch_of(&head[..length]), Arch::Unknown, "{length}");
    }
}

#[test]
fn what_was_asked_for_and_loaded_is_what_ran() {
    let program = program(
        b"/bin/true".to_vec(),
        &elf(AMD64),
        b"/",
        None,
        &mut Known(vec![]),
    );
    assert_eq!(program, ran(b"/bin/true", Arch::Amd64, b""));
}

#[test]
fn a_translator_that_was_called_by_name_translates() {
    let exe = b"/usr/bin/qemu-aarch64".to_vec();
    let program = program(exe, &elf(AMD64), b"/", None, &mut Known(vec![]));
    assert_eq!(
        program,
        ran(b"/usr/bin/qemu-aarch64", Arch::Arm64, b"qemu-aarch64")
    );
}

#[test]
fn a_file_of_another_architecture_runs_translated() {
    let mut files = Known(vec![(b"/home/gopher/a.out", elf(ARM64))]);
    // binfmt_misc loaded this one instead, whatever it is called.
    for (exe, name) in [
        (&b"/usr/bin/qemu-aarch64-static"[..], &b"qemu-aarch64"[..]),
        (b"/opt/translate", b"translate"),
    ] {
        for asked in [&b"/home/gopher/a.out"[..], b"a.out", b"./a.out"] {
            let program = program(
                exe.to_vec(),
                &elf(AMD64),
                b"/home/gopher",
                Some(asked),
                &mut files,
            );
            assert_eq!(program, ran(b"/home/gopher/a.out", Arch::Arm64, name));
        }
    }
}

/// What people register on Arm, and the paths that it is found at.
#[test]
fn amd64_programs_on_arm_are_run_by_whom_binfmt_names() {
    let mut files = Known(vec![(b"/go/bin/go", elf(AMD64)), (b"/bin/old", elf(3))]);
    for (exe, name) in [
        (&b"/media/rosetta/rosetta"[..], &b"rosetta"[..]),
        (b"/run/rosetta/rosetta", b"rosetta"),
        (b"/usr/local/bin/box64", b"box64"),
        (b"/usr/bin/FEXInterpreter", b"FEX"),
        (b"/usr/bin/FEX", b"FEX"),
        (b"/usr/bin/qemu-x86_64-static", b"qemu-x86_64"),
        (b"/usr/bin/buildkit-qemu-x86_64", b"qemu-x86_64"),
    ] {
        let mut of = |asked: &[u8]| {
            let host = elf(ARM64);
            program(exe.to_vec(), &host, b"/go", Some(asked), &mut files)
        };
        assert_eq!(of(b"bin/go"), ran(b"/go/bin/go", Arch::Amd64, name));
        // FEX runs both; the file tells.
        assert_eq!(of(b"/bin/old"), ran(b"/bin/old", Arch::X86, name));
    }
}

#[test]
fn a_translated_file_that_is_gone_is_known_by_its_translator() {
    let exe = b"/usr/bin/qemu-aarch64-static".to_vec();
    let asked = Some(&b"/tmp/gone"[..]);
    let program = program(exe, &elf(AMD64), b"/", asked, &mut Known(vec![]));
    assert_eq!(program, ran(b"/tmp/gone", Arch::Arm64, b"qemu-aarch64"));
}

#[test]
fn a_script_is_run_by_its_interpreter() {
    let mut files = Known(vec![(
        b"/home/gopher/all.bash",
        b"#!/bin/bash\n# Builds everything\n".to_vec(),
    )]);
    let program = program(
        b"/bin/bash".to_vec(),
        &elf(AMD64),
        b"/home/gopher",
        Some(b"./all.bash"),
        &mut files,
    );
    assert_eq!(program, ran(b"/bin/bash", Arch::Amd64, b""));
}
