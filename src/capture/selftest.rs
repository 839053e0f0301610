//! What a selftest runs: small programs, built with the user's own Go in a folder of their own, and
//! gotrace itself as a user would call it, each for a limited time.
//!
//! Programs run as children, not within this process: what crashes or hangs is then a result like any
//! other, and each command line in the report can be typed again.

use super::Environment;
use super::repeat::PrivateFolder;
use crate::environment::invoker::Invoker;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The sources of the programs.
const SOURCES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../../samples/selftest/go.mod")),
    ("main.go", include_str!("../../samples/selftest/main.go")),
];
/// The package that is compiled anew in each selftest.
const NUMBERS: &str = include_str!("../../samples/selftest/numbers/numbers.go");
/// Longest time of a build; on a slow machine it compiles the standard library first.
const LONGEST_BUILD: Duration = Duration::from_secs(300);
/// Longest time of anything else.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// How long a program that is told to end may take for it.
const LAST_MOMENTS: Duration = Duration::from_secs(5);
/// How often it is asked whether a program has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// A folder with the sources, and what is built and recorded.
#[derive(Debug)]
pub struct Workshop {
    folder: PrivateFolder,
    environment: Environment,
    invoker: Option<Invoker>,
}

/// A program that was run to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line.
    pub command: Vec<OsString>,
    /// How it ended; `None` where its time was over, and it was told to end.
    pub status: Option<ExitStatus>,
    /// What it printed on standard output.
    pub said: String,
    /// And on standard error.
    pub told: String,
}

impl Ran {
    /// Whether it ended with 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    #[must_use]
    pub fn end(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => "did not end in time".to_owned(),
        }
    }
}

/// A program that runs.
#[derive(Debug)]
pub struct Started {
    command: Vec<OsString>,
    child: Child,
    /// Closed, it tells the programs of `samples/selftest` to end.
    input: Option<ChildStdin>,
    output: [JoinHandle<Vec<u8>>; 2],
}

impl Workshop {
    /// Makes the folder and writes the sources; `environment` is that of the user, `invoker` who called
    /// sudo.
    ///
    /// # Errors
    ///
    /// When that cannot be done in the folder of temporary files.
    pub fn open(environment: Environment, invoker: Option<Invoker>) -> io::Result<Self> {
        let temporary = environment.temporary_folder();
        let workshop = Self {
            folder: PrivateFolder::create("selftest", &temporary, invoker.as_ref())?,
            environment,
            invoker,
        };
        for (name, text) in SOURCES {
            workshop.write(name, text)?;
        }
        workshop.number("0")?;
        Ok(workshop)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the next build a number of its own, so that no cache has its packages.
    ///
    /// # Errors
    ///
    /// When the source cannot be written.
    pub fn number(&self, number: &str) -> io::Result<()> {
        let line = format!("OfThisBuild = \"{number}\"");
        self.write(
            "numbers/numbers.go",
            &NUMBERS.replace("OfThisBuild = \"0\"", &line),
        )
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path().join(name);
        let (uid, gid) = match &self.invoker {
            Some(invoker) => (Some(invoker.uid), Some(invoker.gid)),
            None => (None, None),
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::create_dir(folder)?;
            std::os::unix::fs::lchown(folder, uid, gid)?;
        }
        fs::write(&path, text)?;
        std::os::unix::fs::lchown(&path, uid, gid)
    }

    /// What builds the program as `name`, for this architecture in Go's words.
    #[must_use]
    pub fn build_command(go: &Path, name: &str) -> Vec<OsString> {
        let words = [
            OsStr::new("build"),
            OsStr::new("-o"),
            OsStr::new(name),
            OsStr::new("."),
        ];
        let words = std::iter::once(go.as_os_str()).chain(words);
        words.map(OsStr::to_owned).collect()
    }

    /// Builds the program for an architecture, without recording it.
    ///
    /// # Errors
    ///
    /// When the go command cannot be started.
    pub fn build(&self, go: &Path, name: &str, arch: &str) -> io::Result<Ran> {
        let command = Self::build_command(go, name);
        let started = self.start_as(&command, &[("GOARCH", arch)], self.invoker.as_ref())?;
        Ok(started.end(LONGEST_BUILD))
    }

    /// Runs a command as the user.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn run(&self, command: &[OsString], variables: &[(&str, &str)]) -> io::Result<Ran> {
        Ok(self
            .start_as(command, variables, self.invoker.as_ref())?
            .end(LONGEST_RUN))
    }

    /// Starts a command as the user.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(&self, command: &[OsString]) -> io::Result<Started> {
        self.start_as(command, &[], self.invoker.as_ref())
    }

    /// Runs gotrace with gotrace's own rights: this executable, with these arguments.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn gotrace(&self, arguments: &[OsString]) -> io::Result<Ran> {
        let mut command = vec![std::env::current_exe()?.into_os_string()];
        command.extend_from_slice(arguments);
        Ok(self.start_as(&command, &[], None)?.end(LONGEST_BUILD))
    }

    fn start_as(
        &self,
        words: &[OsString],
        variables: &[(&str, &str)],
        invoker: Option<&Invoker>,
    ) -> io::Result<Started> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.pairs());
        // The build is of one module, on its own, with the toolchain that is there, and without C.
        let alone = [
            ("GOWORK", "off"),
            ("GO111MODULE", "on"),
            ("GOTOOLCHAIN", "local"),
            ("CGO_ENABLED", "0"),
        ];
        command.envs(alone).envs(variables.iter().copied());
        command.current_dir(self.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(invoker) = invoker {
            invoker.become_this(&mut command);
        }
        let mut child = command.spawn()?;
        let output = [collect(child.stdout.take()), collect(child.stderr.take())];
        Ok(Started {
            command: words.to_vec(),
            input: child.stdin.take(),
            child,
            output,
        })
    }
}

impl Started {
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes its standard input and waits for its end, but not longer than its time.
    #[must_use]
    pub fn end(mut self, longest: Duration) -> Ran {
        drop(self.input.take());
        let status = self.wait(longest);
        if status.is_none() {
            self.signal(Signal::SIGTERM);
            if self.wait(LAST_MOMENTS).is_none() {
                self.signal(Signal::SIGKILL);
            }
            drop(self.child.wait());
        }
        let [said, told] = self.output.map(|thread| {
            let bytes = thread.join().unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ran {
            command: self.command,
            status,
            said,
            told,
        }
    }

    fn wait(&mut self, longest: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + longest;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Err(_) => return None,
                Ok(None) if Instant::now() >= end => return None,
                Ok(None) => thread::sleep(PAUSE),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Where it has ended by itself meanwhile, there is nothing left to be told.
            let _ended = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Reads all that a pipe brings, on a thread of its own: a full one would hold the program up.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            drop(pipe.read_to_end(&mut bytes));
        }
        bytes
    })
}
