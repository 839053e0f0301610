//! Processes that a translator runs: what `/proc` says of the translator in, the program that it
//! runs out.

use super::Executed;
use super::decode::arguments;
use super::decode::guest::{Guest, Invocation};
use crate::environment::toolchain::executable_arch;
use crate::environment::translator::{self, Translator};
use crate::trace::Arch;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Makes of a translator, as `/proc/PID/exe` and `cmdline` tell of it, the program that it runs.
/// Other programs stay what they are.
pub(super) fn reveal(executed: &mut Executed) {
    let Some(known) = Translator::at(&executed.exe) else {
        return;
    };
    executed.translator = known.name.clone().into_bytes();
    executed.arch = Arch::from_name(known.guest);
    let interpreter = arguments::split(&executed.argv).first().copied();
    let interpreter = interpreter.unwrap_or_default();
    let entries = translator::binfmt_entries();
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
