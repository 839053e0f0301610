//! Processes that a translator runs: what `/proc` says of the translator in, the program that it
//! runs out.

use super::Executed;
use super::decode::arguments;
use super::decode::guest::{Guest, Invocation};
use crate::environment::toolchain::executable_arch;
use crate::environment::translator::{self, BinfmtEntry, Translator};
use crate::trace::Arch;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Makes of a translator, as `/proc/PID/exe` and `cmdline` tell of it, the program that it runs.
/// Other programs stay what they are.
pub(super) fn reveal(executed: &mut Executed) {
    if Translator::at(&executed.exe).is_some() {
        reveal_by(&translator::binfmt_entries(), executed);
    }
}

/// The same, where these are the entries of `binfmt_misc`.
fn reveal_by(entries: &[BinfmtEntry], executed: &mut Executed) {
    let Some(known) = Translator::at(&executed.exe) else {
        return;
    };
    executed.translator = known.name.clone().into_bytes();
    executed.arch = Arch::from_name(known.guest);
    let interpreter = arguments::split(&executed.argv).first().copied();
    let interpreter = interpreter.unwrap_or_default();
    let entry = entries
        .iter()
        .find(|entry| entry.interpreter == interpreter);
    let how = entry.map_or(Invocation::ByName, |entry| Invocation::Binfmt {
        keeps_argv0: entry.keeps_argv0(),
    });
    let Some(guest) = Guest::of(&known.name, &executed.argv, how) else {
        return;
    };
    let cwd = Path::new(OsStr::from_bytes(&executed.cwd));
    let program = cwd.join(OsString::from_vec(guest.program));
    match Arch::from_name(executable_arch(&program)) {
        Arch::Unknown => {}
        arch => executed.arch = arch,
    }
    executed.exe = program.into_os_string().into_vec();
    executed.argv = guest.argv;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translator_is_its_program_and_another_program_is_itself() {
        let mut qemu = Executed {
            exe: b"/usr/bin/qemu-aarch64-static".to_vec(),
            argv: b"qemu-aarch64-static\0-L\0/x\0./gone\0build\0".to_vec(),
            cwd: b"/home/gopher".to_vec(),
            ..Executed::default()
        };
        reveal(&mut qemu);
        assert_eq!(qemu.exe, b"/home/gopher/./gone");
        assert_eq!(qemu.argv, b"./gone\0build\0");
        assert_eq!(
            (qemu.arch, &qemu.translator[..]),
            (Arch::Arm64, &b"qemu-aarch64"[..])
        );
        // A program that is not there: the translator tells what it is.
        let at = |flags: &str, interpreter: &str| {
            let entry = format!(
                "enabled\ninterpreter {interpreter}\nflags: {flags}\noffset 0\nmagic 7f454c46\n"
            );
            BinfmtEntry::parse(&entry).expect("an entry")
        };
        for (flags, interpreter, exe, argv, name, arch) in [
            (
                "OCF",
                "/media/rosetta/rosetta",
                "/media/rosetta/rosetta",
                "/gone/go\0build\0./...\0",
                "rosetta",
                Arch::Amd64,
            ),
            (
                "",
                "/usr/local/bin/box64",
                "/usr/local/bin/box64",
                "/gone/go\0build\0./...\0",
                "box64",
                Arch::Amd64,
            ),
            (
                "POCF",
                "/usr/bin/FEXInterpreter",
                "/usr/bin/FEX",
                "/gone/go\0go\0build\0./...\0",
                "FEX",
                Arch::Amd64,
            ),
            (
                "POF",
                "/usr/libexec/qemu-binfmt/aarch64-binfmt-P",
                "/usr/bin/qemu-aarch64-static",
                "/gone/go\0go\0build\0./...\0",
                "qemu-aarch64",
                Arch::Arm64,
            ),
        ] {
            let mut translated = Executed {
                exe: exe.into(),
                argv: format!("{interpreter}\0{argv}").into_bytes(),
                ..Executed::default()
            };
            let entries = [at("", "/usr/bin/wine"), at(flags, interpreter)];
            reveal_by(&entries, &mut translated);
            let first = if flags.contains('P') {
                "go"
            } else {
                "/gone/go"
            };
            assert_eq!(translated.exe, b"/gone/go", "{name}");
            let expected = format!("{first}\0build\0./...\0");
            assert_eq!(translated.argv, expected.as_bytes(), "{name}");
            assert_eq!(translated.translator, name.as_bytes());
            assert_eq!(translated.arch, arch);
        }
        let shell = Executed {
            exe: b"/bin/sh".to_vec(),
            argv: b"sh\0-c\0true\0".to_vec(),
            arch: Arch::Amd64,
            ..Executed::default()
        };
        let mut same = shell.clone();
        reveal(&mut same);
        assert_eq!(same, shell);
    }
}
