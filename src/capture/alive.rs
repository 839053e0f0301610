//! Processes that run, as this system shows them to others.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Executed, Monotonic, system, translated};
use crate::environment::toolchain::executable_arch;
use crate::trace::{Arch, Pid, Usage};

/// What the system says of a process that has not been waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alive {
    /// Who forked it, or adopted it.
    pub(super) parent: Pid,
    /// When it was forked.
    pub(super) start: Monotonic,
    /// CPU time that it used itself; `None` where the system does not tell, or not any more.
    pub(super) usage: Option<Usage>,
    /// A signal has stopped it.
    pub(super) is_stopped: bool,
    /// It has ended, and waits to be waited for.
    pub(super) has_ended: bool,
}

impl Alive {
    /// Looks at a process; `None` where there is none of that number.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        system::process::alive(pid)
    }
}

/// What a process runs; what it runs under a translator, where that is another program.
pub(super) fn program(pid: Pid, time: Monotonic) -> Executed {
    let mut executed = system::process::program(pid);
    executed.time = time;
    executed.pid = pid;
    if executed.arch == Arch::Unknown {
        executed.arch = arch(Path::new(OsStr::from_bytes(&executed.exe)));
    }
    translated::reveal(&mut executed);
    executed
}

/// The architecture of an executable.
pub(super) fn arch(executable: &Path) -> Arch {
    Arch::from_name(executable_arch(executable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::sys;
    use std::os::unix::ffi::OsStringExt as _;
    use std::process::Command;

    #[test]
    fn this_process_is_found_as_it_knows_itself() {
        let own = Pid(std::process::id());
        let found = Alive::of(own).expect("alive");
        assert_eq!(found.parent, Pid(std::os::unix::process::parent_id()));
        assert!(!found.is_stopped && !found.has_ended);
        assert!(found.start < sys::now());
        let program = program(own, Monotonic(7));
        let exe = std::env::current_exe().expect("known");
        assert_eq!(program.exe, exe.into_os_string().into_vec());
        let cwd = std::env::current_dir().expect("known");
        assert_eq!(program.cwd, cwd.into_os_string().into_vec());
        let argv: Vec<u8> = std::env::args_os()
            .flat_map(|word| [word.into_vec(), vec![0]].concat())
            .collect();
        assert_eq!((program.argv, program.time), (argv, Monotonic(7)));
        assert_eq!(program.arch, Arch::from_name(std::env::consts::ARCH));
    }

    #[test]
    fn a_child_is_among_the_children_until_it_was_waited_for() {
        let mut child = Command::new("/bin/cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        let (own, pid) = (Pid(std::process::id()), Pid(child.id()));
        assert!(system::process::children(own).contains(&pid));
        drop(child.stdin.take());
        assert!(child.wait().expect("waited").success());
        assert!(!system::process::children(own).contains(&pid));
        assert_eq!(Alive::of(pid), None);
    }
}
