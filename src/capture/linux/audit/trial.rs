//! Whether the backend works here: a small program is run under it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Audit, Options, buffer::BufferFile, library};
use crate::capture::backend::Backend as _;
use crate::capture::run_folder::{self, RunFolder};
use crate::environment::Refusal;

/// What is run: there is one everywhere, and nearly everywhere it is linked dynamically.
const PROGRAM: &str = "/bin/sh";

/// Trials so far: threads may try at once.
static TRIALS: AtomicU32 = AtomicU32::new(0);

/// Whether ld.so loads the library, and the library finds its place.
///
/// # Errors
///
/// What came of the trial, and what would help.
pub fn availability() -> Result<(), Refusal> {
    library::tells_machines_apart()?;
    let refused = |evidence: String| Refusal {
        reason: "ld.so does not tell what it does (LD_AUDIT)".to_owned(),
        evidence,
        remedy: "glibc has it, musl has not: run the build where its tools are linked with glibc"
            .to_owned(),
    };
    let number = TRIALS.fetch_add(1, Ordering::Relaxed);
    let own = std::process::id();
    let path = std::env::temp_dir().join(format!("{}{own}-trial-{number}", run_folder::PREFIX));
    let folder = RunFolder::create(path.clone())
        .map_err(|error| refused(format!("{}: {error}", path.display())))?;
    let audit = Audit::new(Options {
        folder: folder.path(),
        secret: &format!("trial-{number}"),
        invoker: None,
        users: None,
        follows_tree: false,
    })?;
    let ran = Command::new(PROGRAM)
        .args(["-c", ":"])
        // What a user has ld.so preload or print is said by every program, with audit or without.
        .env_clear()
        .envs(audit.environment())
        .stdin(Stdio::null())
        .output();
    match ran {
        Err(error) => Err(refused(format!("{PROGRAM}: {error}"))),
        Ok(output) if !output.stderr.is_empty() => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(refused(format!("{PROGRAM} says: {}", said.trim_end())))
        }
        Ok(_) => wrote(&audit).map_err(refused),
    }
}

/// Whether a buffer was written.
fn wrote(audit: &Audit) -> Result<(), String> {
    let nothing = || format!("{PROGRAM} was run with it, and told nothing");
    let files = audit.files();
    let file = files.first().ok_or_else(nothing)?;
    let file = BufferFile::open(file, &audit.owners);
    let header = file.and_then(|mut file| file.read(0, true));
    match header {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
