//! Who signs Mach-O files here: the system's `codesign` where there is one, gotrace itself elsewhere.
//!
//! In: the path of a file that nobody runs, and what it is to be entitled to. It is signed in its place:
//! for nobody in particular (ad hoc), and not hardened.

use crate::binary::macho::Slices;
use crate::binary::macho::signature::{AdHoc, Signature, list_of};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where macOS has it.
const CODESIGN: &str = "/usr/bin/codesign";

/// A program, or a part of this one, that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The system's.
    Codesign(PathBuf),
    /// gotrace's own.
    Own,
}

/// What cannot be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The file is none that has a signature.
    #[error("{}: cannot be signed", path.display())]
    Unsignable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: crate::binary::Error,
    },
    /// The system's signer refused it.
    #[error("{}: cannot be signed: {} says: {told}", path.display(), signer.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Who.
        signer: PathBuf,
        /// The last line that it said.
        told: String,
    },
    /// A step failed.
    #[error("{}: cannot {step}", path.display())]
    Step {
        /// What it was done to.
        path: PathBuf,
        /// What was to be done.
        step: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl SigningError {
    /// The same error of another file, of which the one that was to be signed is a copy.
    #[must_use]
    pub fn of(self, original: &Path) -> Self {
        let path = original.to_owned();
        match self {
            Self::Unsignable { source, .. } => Self::Unsignable { path, source },
            Self::Refused { signer, told, .. } => Self::Refused { path, signer, told },
            Self::Step { .. } => self,
        }
    }
}

fn step(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> SigningError {
    let path = path.to_owned();
    move |source| SigningError::Step { path, step, source }
}

impl Signer {
    /// That of this system.
    #[must_use]
    pub fn of_this_system() -> Self {
        let codesign = Path::new(CODESIGN);
        match std::env::consts::OS == "macos" && codesign.is_file() {
            true => Self::Codesign(codesign.to_owned()),
            false => Self::Own,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Codesign(path) => path.display().to_string(),
            Self::Own => "gotrace itself".to_owned(),
        }
    }

    /// Signs the file at `path`. `name` is what a file is called whose old signature does not say it;
    /// `entitlements` are keys that are true.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, or cannot have a signature.
    pub fn sign(
        &self,
        path: &Path,
        name: &str,
        entitlements: &[String],
    ) -> Result<(), SigningError> {
        match self {
            Self::Codesign(codesign) => by_codesign(codesign, path, name, entitlements),
            Self::Own => by_ourselves(path, name, entitlements),
        }
    }
}

fn by_ourselves(path: &Path, name: &str, entitlements: &[String]) -> Result<(), SigningError> {
    let data = std::fs::read(path).map_err(step(path, "be read"))?;
    let signer = AdHoc {
        name: name.to_owned(),
        entitlements: entitlements.to_vec(),
        ..AdHoc::default()
    };
    let signed = signer
        .sign(&data)
        .map_err(|source| SigningError::Unsignable {
            path: path.to_owned(),
            source,
        })?;
    std::fs::write(path, signed).map_err(step(path, "be written"))
}

fn by_codesign(
    codesign: &Path,
    path: &Path,
    name: &str,
    entitlements: &[String],
) -> Result<(), SigningError> {
    let mut command = Command::new(codesign);
    command.args(["--force", "--sign", "-"]);
    let data = std::fs::read(path).map_err(step(path, "be read"))?;
    // What a file is called in its old signature goes on.
    match is_signed(&data) {
        true => command.arg("--preserve-metadata=identifier"),
        false => command.args(["--identifier", name]),
    };
    let list = path.with_added_extension("entitlements");
    if !entitlements.is_empty() {
        std::fs::write(&list, list_of(entitlements)).map_err(step(&list, "be written"))?;
        command.arg("--entitlements").arg(&list);
    }
    let output = command.arg(path).stdin(Stdio::null()).output();
    if !entitlements.is_empty() {
        std::fs::remove_file(&list).map_err(step(&list, "be removed"))?;
    }
    let output = output.map_err(step(codesign, "be run"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(SigningError::Refused {
        path: path.to_owned(),
        signer: codesign.to_owned(),
        told: told.lines().last().unwrap_or("nothing").to_owned(),
    })
}

/// Whether a slice of a file has a signature.
fn is_signed(data: &[u8]) -> bool {
    let slices = Slices::of(data).ok();
    let mut images = slices.iter().flat_map(Slices::images);
    images.any(|image| matches!(Signature::of(&image), Ok(Some(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Something that takes what `codesign` is given, keeps it, and ends with this code.
    fn fake(folder: &Path, code: u8) -> Signer {
        let path = folder.join("codesign");
        let script = format!(
            "#!/bin/sh\necho \"$@\" >{0}/arguments\n[ ! -f {0}/it.entitlements ] || cp {0}/it.entitlements {0}/list\necho no identity >&2\nexit {code}\n",
            folder.display()
        );
        std::fs::write(&path, script).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("run");
        Signer::Codesign(path)
    }

    #[test]
    fn codesign_is_told_what_to_make_and_its_refusal_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it");
        std::fs::write(&file, "no program").expect("written");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name));
        fake(folder.path(), 0)
            .sign(&file, "tool", &[])
            .expect("signed");
        let expected = format!("--force --sign - --identifier tool {}\n", file.display());
        assert_eq!(read("arguments").expect("run"), expected);
        let keys = ["a.key".to_owned()];
        let refused = fake(folder.path(), 1)
            .sign(&file, "tool", &keys)
            .expect_err("refused");
        assert!(read("arguments").expect("run").contains("it.entitlements"));
        assert!(
            read("list")
                .expect("a list")
                .contains("<key>a.key</key>\n\t<true/>")
        );
        assert!(read("it.entitlements").is_err(), "it is removed again");
        let refused = refused.of(Path::new("/original")).to_string();
        assert!(
            refused.starts_with("/original: cannot be signed: "),
            "{refused}"
        );
        assert!(refused.ends_with("says: no identity"), "{refused}");
    }

    #[test]
    fn what_is_no_program_is_not_signed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it");
        std::fs::write(&file, "no program").expect("written");
        let error = Signer::Own.sign(&file, "it", &[]).expect_err("no program");
        assert!(matches!(error, SigningError::Unsignable { .. }), "{error}");
        assert_eq!(std::fs::read(&file).expect("there"), b"no program");
        let missing = Signer::Own.sign(&folder.path().join("none"), "it", &[]);
        assert!(matches!(
            missing,
            Err(SigningError::Step {
                step: "be read",
                ..
            })
        ));
    }
}
