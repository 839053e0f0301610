//! Which way `dtrace` takes hold of a program before its first instruction: tried on gotrace's own executable.
//!
//! Tools are watched by the first way. The second cannot take its place, for what `dtrace` starts is root's and has
//! its descriptors; but where the first does not work and the second does, it is the first that is at fault, not the
//! machine.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};

use super::script::Script;
use super::target::{ScriptFile, Target, Watched};
use super::tracer::{Go, Job, Subject, Tracer};
use crate::capture::calls::Pool;
use crate::capture::held_child::HeldChild;
use crate::capture::repeat::PrivateFolder;
use crate::capture::system::process;
use crate::capture::toolexec::shim;
use crate::capture::{Environment, Observation, launch, standstill, sys};
use crate::environment::Refusal;
use crate::trace::ProbeId;

/// How a program is watched from its first instruction on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is started suspended, and `dtrace -p` takes hold of it.
    Suspended,
    /// `dtrace -c` starts it.
    Started,
}

/// Whether `dtrace` sees the function `main` of a program that it is to watch this way.
///
/// # Errors
///
/// Why it does not.
pub fn trial(way: Way) -> Result<(), Refusal> {
    let dtrace = super::find()?;
    let own = std::env::current_exe().map_err(|error| failed("its own executable", &error))?;
    // A shim without orders prints nothing, and ends.
    try_with(&dtrace, &[own.into_os_string(), shim::MARK.into()], way)
}

fn try_with(dtrace: &Path, command: &[OsString], way: Way) -> Result<(), Refusal> {
    let target = target(command).map_err(|error| failed("a place for a script", &error))?;
    let (begun, told) = bounded(1);
    let (out, observations) = bounded(1 << 12);
    let (stopped, stop) = io::pipe().map_err(|error| failed("a pipe", &error))?;
    let job = |subject| Job {
        program: dtrace.to_owned(),
        subject,
        target,
        go: Go::Command(begun),
        pool: Arc::new(Pool::default()),
        out,
    };
    match way {
        Way::Started => Tracer::run(job(Subject::Command(line(command))), &stopped),
        Way::Suspended => {
            let started = |error: io::Error| failed("the program", &error);
            let environment = Environment::inherited();
            let mut program = launch::program(command, &environment, None).map_err(started)?;
            program.starts_stopped = true;
            let mask = sys::block_signals(&[]);
            let held = sys::fork_held(&program, &mask).map_err(started)?;
            let pid = held.pid;
            let mut held = Some(held);
            if process::STARTS_STOPPED {
                held.take()
                    .map_or(Ok(()), HeldChild::release)
                    .map_err(started)?;
                standstill::reached(pid);
            }
            let job = job(Subject::Process(pid));
            std::thread::scope(|scope| {
                scope.spawn(|| Tracer::run(job, &stopped));
                // Whatever is told: it goes on, and ends.
                drop(told.recv());
                let released = held.take().map_or(Ok(()), HeldChild::release);
                standstill::leave(pid);
                drop(sys::wait(pid, true));
                released
            })
            .map_err(started)?;
        }
    }
    drop(stop);
    seen(&observations)
}

fn target(command: &[OsString]) -> io::Result<Arc<Target>> {
    let folder = Arc::new(PrivateFolder::create("dtrace", Path::new("/tmp"), None)?);
    let script = ScriptFile::new(folder, "trial.d");
    fs::write(script.path(), Script::of_main())?;
    let watched = Watched {
        probe: ProbeId(0),
        exits: false,
        argument: false,
    };
    Ok(Arc::new(Target {
        script: Some(script),
        functions: [(b"main".to_vec(), watched)].into_iter().collect(),
        path: command.first().map(PathBuf::from).unwrap_or_default(),
        ..Target::default()
    }))
}

/// What was observed: a call, or why there is none.
fn seen(observations: &Receiver<Observation>) -> Result<(), Refusal> {
    let mut evidence = String::new();
    for observation in observations.try_iter() {
        match observation {
            Observation::Called(_) => return Ok(()),
            Observation::Unseen { why, .. } | Observation::Lost { why, .. } => evidence = why,
            _ => {}
        }
    }
    if evidence.is_empty() {
        "its probes were armed, and none was hit".clone_into(&mut evidence);
    }
    Err(Refusal {
        reason: "dtrace does not see a function of a program that it takes hold of".to_owned(),
        evidence,
        remedy: "a report with this line".to_owned(),
    })
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    Refusal {
        reason: format!("{what} is not to be had"),
        evidence: error.to_string(),
        remedy: String::new(),
    }
}

/// The words as `dtrace -c` takes them apart: at white space that has no backslash before it; there are no quotes.
fn line(command: &[OsString]) -> String {
    let words = command.iter().map(|word| {
        let word = String::from_utf8_lossy(word.as_bytes()).into_owned();
        let letters = word.chars().flat_map(|letter| {
            let escape = letter.is_whitespace() || letter == '\\';
            escape.then_some('\\').into_iter().chain([letter])
        });
        letters.collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/dtrace/dtrace.py");

    /// A trial with a `dtrace` that prints this transcript.
    fn tried(transcript: &str, way: Way) -> Result<(), Refusal> {
        let folder = tempfile::tempdir().expect("folder");
        let dtrace = folder.path().join("dtrace");
        fs::copy(REPLAY, &dtrace).expect("copied");
        let text = format!("when pid$target:a.out:?ain:entry\n{transcript}");
        fs::write(folder.path().join("all.transcript"), text).expect("written");
        let result = try_with(&dtrace, &["true".into()], way);
        let asked = fs::read_dir(folder.path()).expect("listed");
        let asked = asked.map(|entry| entry.expect("read").path());
        let asked = asked.filter(|path| path.extension().is_some_and(|end| end == "asked"));
        let asked: Vec<String> = asked
            .map(|path| fs::read_to_string(path).expect("read"))
            .collect();
        let option = match way {
            Way::Suspended => " -p ",
            Way::Started => " -c true\n",
        };
        assert!(
            asked.iter().all(|asked| asked.contains(option)),
            "{asked:?}"
        );
        result
    }

    #[test]
    fn a_way_works_where_main_is_seen() {
        let main = "> b\t1\t{pid}\t{wall}\n> e\t2\t{pid}\t7\ttrue\tmain\t1\t-\t16fdff000\nwait\n";
        let nothing = "> b\t1\t{pid}\t{wall}\nwait\n! dtrace: pid {pid} has exited\n";
        let refuses = "! dtrace: failed to execute true: DTrace cannot control executables signed with restricted entitlements\nexit 1\n";
        for way in [Way::Suspended, Way::Started] {
            assert_eq!(tried(main, way), Ok(()));
            let refusal = tried(nothing, way).expect_err("nothing was seen");
            assert_eq!(refusal.evidence, "its probes were armed, and none was hit");
            let refusal = tried(refuses, way).expect_err("refused");
            assert!(refusal.evidence.contains("macOS protects the program"));
        }
    }

    #[test]
    fn words_are_one_line_that_dtrace_takes_apart_again() {
        let words = ["/a b/go\ttrace", "x\\y", "z"].map(OsString::from);
        assert_eq!(line(&words), "/a\\ b/go\\\ttrace x\\\\y z");
    }
}
