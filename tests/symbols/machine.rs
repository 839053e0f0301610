//! What runs programs of this machine, and of another one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Of libc6-arm64-cross, for programs that are linked to run at any address.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// A processor, and what its programs are run by: nothing, or an emulator.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// As Go names it.
    pub(crate) arch: &'static str,
    pub(crate) runner: Vec<PathBuf>,
}

impl Machine {
    /// All that there are here: the machine itself and, on amd64, arm64 by each qemu; says which is missing.
    pub(crate) fn all() -> Vec<Self> {
        let native = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let mut machines = vec![Self {
            arch: native,
            runner: Vec::new(),
        }];
        if native == "amd64" {
            let installed = std::env::var_os("PATH").unwrap_or_default();
            let installed = std::env::split_paths(&installed)
                .map(|folder| folder.join("qemu-aarch64-static"))
                .find(|qemu| qemu.is_file());
            let backports = Path::new(env!("CARGO_MANIFEST_DIR"));
            let backports = backports.join(".tools/qemu-backports/qemu-aarch64");
            for (qemu, remedy) in [
                (installed, "--no-toolchain"),
                (
                    Some(backports).filter(|qemu| qemu.is_file()),
                    "--no-toolchain --backports",
                ),
            ] {
                match qemu {
                    Some(qemu) => machines.push(Self {
                        arch: "arm64",
                        runner: [qemu, "-L".into(), LIBRARIES.into()].to_vec(),
                    }),
                    None => println!("skipped: a qemu for arm64; scripts/emulate {remedy}"),
                }
            }
        }
        machines
    }

    /// Runs a program.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut words = self.runner.iter().map(PathBuf::as_path).chain([program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command
    }
}
