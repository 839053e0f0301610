//! Which slice of a program runs: in, what the user asks for, the file and the machine; out, what the kernel is to
//! prefer, or why it cannot.
//!
//! On macOS a file may have code for several architectures, and the kernel takes the slice that `posix_spawn` is told
//! to prefer (`posix_spawnattr_setarchpref_np`), else that of the process that starts it. Elsewhere the file decides.

use std::str::FromStr;

use crate::binary::macho::Cpu;
use crate::environment::Refusal;
use crate::environment::head::Head;
use crate::environment::host;
use crate::environment::translator::{self, ROSETTA_2};
use crate::trace::Arch;

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// That of the machine.
    Native,
    /// One for amd64.
    Amd64,
    /// One for arm64.
    Arm64,
}

impl Slice {
    /// What `--arch` calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self::Native),
            "amd64" | "x86_64" => Ok(Self::Amd64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(format!(
                "no architecture is called {text:?}: expected native, amd64 or arm64"
            )),
        }
    }
}

/// `CPU_SUBTYPE_ANY`.
const ANY: u32 = u32::MAX;
const ARM64E: u32 = 2;

/// What the kernel is to prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Kinds of processors, the best first. With none of them there is no slice to run.
    pub cpus: &'static [Cpu],
    /// Whether programs that it starts are to have the slice of the machine, too, and not that of the process which
    /// started gotrace (`kern.curproc_arch_affinity`).
    pub forgets_affinity: bool,
}

impl Preference {
    /// arm64, of whichever kind.
    pub const ARM64: Self = Self {
        cpus: &[
            Cpu::ARM64,
            Cpu {
                subtype: ARM64E,
                ..Cpu::ARM64
            },
        ],
        forgets_affinity: true,
    };
    /// amd64, of whichever kind.
    pub const AMD64: Self = Self {
        cpus: &[Cpu {
            subtype: ANY,
            ..Cpu::AMD64
        }],
        forgets_affinity: false,
    };
    /// arm64 for one program, while what it starts has the slice that it would have had.
    pub const ARM64_ALONE: Self = Self {
        forgets_affinity: false,
        ..Self::ARM64
    };
}

impl Preference {
    /// The architecture of what it takes.
    #[must_use]
    pub fn arch(self) -> Arch {
        if self.cpus.iter().all(|cpu| cpu.is_amd64()) {
            Arch::Amd64
        } else {
            Arch::Arm64
        }
    }

    /// Who translates what it takes: there is no choice but on Apple Silicon.
    #[must_use]
    pub fn translator(self) -> &'static str {
        match self.arch() {
            Arch::Amd64 => ROSETTA_2,
            _ => "",
        }
    }
}

/// Whether tools may be had to profile themselves that a translator runs, or none: each signal has Rosetta 2 find out
/// which instruction of the program it interrupts, and programs of Go stall or die of that (golang/go#68485).
///
/// # Errors
///
/// When that is Rosetta 2, unless it is forced.
pub fn may_profile(translator: &str, is_forced: bool) -> Result<(), Refusal> {
    if translator != ROSETTA_2 || is_forced {
        return Ok(());
    }
    Err(Refusal {
        reason: "programs that Rosetta 2 translates may stall or die of the signals of a profile"
            .to_owned(),
        evidence: "the go command is translated by Rosetta 2, and so are its tools".to_owned(),
        remedy: "use a Go for arm64, or --profile=force".to_owned(),
    })
}

/// What decides on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// It has macOS.
    pub is_mac: bool,
    /// Its processor, in Go's words, whatever gotrace runs as.
    pub arch: &'static str,
    /// Rosetta 2 is installed.
    pub has_rosetta: bool,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        Self {
            is_mac: std::env::consts::OS == "macos",
            arch: host::hardware_arch(),
            has_rosetta: translator::has_rosetta_2(),
        }
    }
}

impl Slice {
    /// What the kernel is to prefer for a program; `None` where there is nothing to choose.
    ///
    /// # Errors
    ///
    /// When the machine, or the program, has no such thing.
    pub fn of(
        self,
        program: &str,
        head: &Head,
        machine: Machine,
    ) -> Result<Option<Preference>, Refusal> {
        let arch = match self {
            Self::Native => machine.arch,
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        };
        if !head.archs.is_empty() && !head.is_for(arch) {
            return Err(Refusal {
                reason: format!("{program} has no code for {arch}"),
                evidence: format!("it is for {}", head.archs.join(", ")),
                remedy: format!("run one that was built for {arch}, as with GOARCH={arch}"),
            });
        }
        if !machine.is_mac {
            if arch == machine.arch {
                return Ok(None);
            }
            return Err(Refusal {
                reason: format!("the file of a program decides on {}", std::env::consts::OS),
                evidence: format!("asked for {arch} on {}", machine.arch),
                remedy: format!("run a program that was built for {arch}, without --arch"),
            });
        }
        match (arch, machine.arch) {
            ("amd64", "amd64") => Ok(None),
            ("arm64", "arm64") => Ok(Some(Preference::ARM64)),
            ("amd64", _) if machine.has_rosetta => Ok(Some(Preference::AMD64)),
            ("amd64", _) => Err(Refusal {
                reason: "Rosetta 2 is not installed".to_owned(),
                evidence: "/usr/libexec/rosetta/runtime is not there".to_owned(),
                remedy: "softwareupdate --install-rosetta".to_owned(),
            }),
            _ => Err(Refusal {
                reason: format!("a Mac with an {} processor runs no {arch}", machine.arch),
                evidence: format!("asked for {arch}"),
                remedy: "run it on Apple Silicon".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILICON: Machine = Machine {
        is_mac: true,
        arch: "arm64",
        has_rosetta: true,
    };
    const INTEL: Machine = Machine {
        arch: "amd64",
        has_rosetta: false,
        ..SILICON
    };
    const LINUX: Machine = Machine {
        is_mac: false,
        ..INTEL
    };

    fn program(archs: &[&str]) -> Head {
        Head {
            archs: archs.iter().map(|&arch| arch.to_owned()).collect(),
            ..Head::default()
        }
    }

    fn of(slice: Slice, archs: &[&str], machine: Machine) -> Result<Option<Preference>, String> {
        let chosen = slice.of("go", &program(archs), machine);
        chosen.map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn words_of_others_are_taken() {
        assert_eq!("x86_64".parse(), Ok(Slice::Amd64));
        assert_eq!("arm64".parse(), Ok(Slice::Arm64));
        assert_eq!("native".parse(), Ok(Slice::Native));
        assert!("i386".parse::<Slice>().is_err());
    }

    /// The numbers are those that arch(1) of `system_cmds` gives for `-arm64` and `-x86_64`.
    #[test]
    fn macs_choose_a_slice() {
        let (both, arm) = (["amd64", "arm64e"], Ok(Some(Preference::ARM64)));
        assert_eq!(of(Slice::Native, &both, SILICON), arm);
        assert_eq!(of(Slice::Arm64, &["arm64"], SILICON), arm);
        let numbers: Vec<_> = Preference::ARM64
            .cpus
            .iter()
            .map(|cpu| (cpu.family, cpu.subtype))
            .collect();
        assert_eq!(numbers, [(0x0100_000c, 0), (0x0100_000c, 2)]);
        let amd = of(Slice::Amd64, &both, SILICON);
        let amd = amd.expect("taken").expect("chosen");
        assert_eq!((amd.arch(), amd.translator()), (Arch::Amd64, "Rosetta 2"));
        assert_eq!(Preference::ARM64.arch(), Arch::Arm64);
        assert_eq!((amd.cpus[0].family, amd.cpus[0].subtype), (0x0100_0007, !0));
        assert!(!amd.forgets_affinity, "what it starts is translated, too");
        assert_eq!(of(Slice::Native, &both, INTEL), Ok(None));
        // A script, whose interpreter is not looked into.
        assert_eq!(of(Slice::Native, &[], SILICON), arm);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let bare = Machine {
            has_rosetta: false,
            ..SILICON
        };
        for (slice, archs, machine, why) in [
            (
                Slice::Amd64,
                &["arm64"][..],
                SILICON,
                "go has no code for amd64: it is for arm64",
            ),
            (
                Slice::Native,
                &["amd64"],
                SILICON,
                "go has no code for arm64: it is for amd64",
            ),
            (Slice::Amd64, &["amd64"], bare, "Rosetta 2 is not installed"),
            (
                Slice::Arm64,
                &["amd64", "arm64"],
                INTEL,
                "a Mac with an amd64 processor runs no arm64",
            ),
            (
                Slice::Arm64,
                &[],
                LINUX,
                "the file of a program decides on linux",
            ),
            (
                Slice::Native,
                &["arm64"],
                LINUX,
                "go has no code for amd64: it is for arm64",
            ),
        ] {
            let refusal = of(slice, archs, machine).expect_err(why);
            assert!(
                refusal.contains(why.split(": ").next().expect("words")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn profiles_of_translated_tools_must_be_forced() {
        assert_eq!(may_profile("", false), Ok(()));
        assert_eq!(may_profile("qemu-x86_64", false), Ok(()));
        assert_eq!(may_profile("Rosetta 2", true), Ok(()));
        let refusal = may_profile("Rosetta 2", false).expect_err("refused");
        assert!(refusal.remedy.contains("--profile=force"));
    }

    #[test]
    fn elsewhere_only_the_machines_own_is_taken() {
        assert_eq!(of(Slice::Native, &["amd64"], LINUX), Ok(None));
        assert_eq!(of(Slice::Amd64, &["amd64"], LINUX), Ok(None));
    }
}
