//! gotrace itself under Rosetta 2: it cannot see registers of other programs then, nor be quick about it. In, who
//! translates it and what its own file has; out, whether it becomes its own arm64 slice.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt as _;

use super::slice::Preference;
use super::sys::{self, Program};
use crate::environment::Refusal;
use crate::environment::head::Head;
use crate::environment::translator::{self, ROSETTA_2};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: it runs as what it is, or under a translator that has nothing else to run.
    Stay,
    /// It has a slice for the machine.
    Become,
    /// It has none.
    Cannot(Refusal),
}

fn judge(translator: Option<&str>, own: &Head) -> Verdict {
    if translator != Some(ROSETTA_2) {
        return Verdict::Stay;
    }
    if own.is_for("arm64") {
        return Verdict::Become;
    }
    Verdict::Cannot(Refusal {
        reason: "gotrace is translated by Rosetta 2, and has no code for arm64".to_owned(),
        evidence: format!("its file is for {}", own.archs.join(", ")),
        remedy: "use the gotrace for arm64, or the one for both".to_owned(),
    })
}

/// Makes gotrace run natively where Rosetta 2 translates it: begins anew, with the same words. What it then starts is
/// what it would have been where the kernel keeps to what the process was (`P_AFFINITY`), which is not seen on a Mac yet:
/// nothing in the open code of xnu sets that at an exec. Returns where there is nothing to do, and with a refusal
/// where it goes on translated.
#[must_use]
pub fn become_native() -> Option<Refusal> {
    let path = std::env::current_exe().ok()?;
    match judge(translator::ours().as_deref(), &Head::at(&path)) {
        Verdict::Stay => return None,
        Verdict::Cannot(refusal) => return Some(refusal),
        Verdict::Become => {}
    }
    let words = std::env::args_os().map(|word| CString::new(word.into_vec()));
    let program = Program {
        paths: vec![CString::new(path.into_os_string().into_vec()).ok()?],
        argv: words.collect::<Result<_, _>>().ok()?,
        environment: sys::raw_environment(),
        identity: None,
        dies_with_parent: false,
        // Only arm64: the kernel cannot choose the slice that is translated once more.
        slice: Some(Preference::ARM64_ALONE),
        starts_stopped: false,
        stands_in: None,
    };
    let error = sys::replace(&program, &sys::block_signals(&[]));
    Some(Refusal {
        reason: "gotrace is translated by Rosetta 2".to_owned(),
        evidence: format!("its code for arm64 cannot be run: {error}"),
        remedy: "arch -arm64 gotrace ...".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(archs: &[&str]) -> Head {
        Head {
            archs: archs.iter().map(|&arch| arch.to_owned()).collect(),
            ..Head::default()
        }
    }

    #[test]
    fn only_rosetta_has_something_else_to_run() {
        let both = head(&["amd64", "arm64"]);
        assert_eq!(judge(None, &both), Verdict::Stay);
        assert_eq!(judge(Some("qemu-x86_64"), &both), Verdict::Stay);
        assert_eq!(judge(Some(ROSETTA_2), &both), Verdict::Become);
        let Verdict::Cannot(refusal) = judge(Some(ROSETTA_2), &head(&["amd64"])) else {
            panic!("it has no other slice");
        };
        assert_eq!(refusal.evidence, "its file is for amd64");
    }

    #[test]
    fn a_native_gotrace_goes_on() {
        assert_eq!(become_native(), None);
    }
}
