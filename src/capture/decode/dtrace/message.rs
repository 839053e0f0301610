//! What `dtrace` says on its standard error: why it does not work, what it has lost, how it ended.
//!
//! The texts are those of Apple's `dtrace` (libdtrace-409: `cmd/dtrace/dtrace.c`, `libproc/libproc.c`,
//! `dt_error.c`, `dt_handle.c`); a file or a process stands in most of them.

use crate::environment::Refusal;
use crate::trace::Pid;

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It does not work, or not for this process.
    Refused(Cause),
    /// Something was lost.
    Dropped {
        /// What: `events`, `aggregation`, `dynamic variable`, `speculative`, ...
        what: String,
        /// How many.
        count: u64,
    },
    /// A script could not read something in one event; that one is lost.
    Fault,
    /// The process that it watched has ended, or begun a program that may not be watched.
    Ended(Pid),
    /// It works, but for what nobody asks it.
    Notice,
    /// Anything else, which belongs into a report.
    Unknown,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It wants root.
    NotRoot,
    /// The program is a part of macOS, or signed in a way that forbids it.
    Protected,
    /// Rosetta translates the program.
    Translated,
    /// The process's symbols cannot be had: it has ended, or is protected.
    NoSymbols,
    /// The program may not be run.
    Permission,
    /// There is no such program.
    NoFile,
    /// There is no such process any more, or another tool has it.
    Grab,
    /// The process ended while `dtrace` took hold of it.
    Gone,
    /// No function is called that.
    NoFunction,
    /// The script is not understood.
    Script,
    /// dyld has not begun in the process.
    NoDyld,
    /// The kernel has no `pid` provider.
    NoProvider,
    /// A script wants to do more than watch, which System Integrity Protection forbids.
    Destructive,
    /// The system's own scripts contradict each other, as on some versions of macOS 15.
    Libraries,
}

/// Parts of messages, and what they mean; the first that is found counts.
const CAUSES: [(&str, Cause); 19] = [
    ("requires additional privileges", Cause::NotRoot),
    ("cannot instrument translated processes", Cause::Translated),
    ("signed with restricted entitlements", Cause::Protected),
    ("current security restriction", Cause::Protected),
    ("Could not create symbolicator", Cause::NoSymbols),
    ("has no dyld, and cannot be instrumented", Cause::NoDyld),
    ("pid provider is not available", Cause::NoProvider),
    ("pid provider is not installed", Cause::NoProvider),
    ("Destructive actions not allowed", Cause::Destructive),
    ("Conflicting type is already defined", Cause::Libraries),
    ("does not match any probes", Cause::NoFunction),
    ("failed to lookup '", Cause::NoFunction),
    ("failed to compile script", Cause::Script),
    ("invalid probe specifier", Cause::Script),
    ("Permission denied", Cause::Permission),
    ("No such file or directory", Cause::NoFile),
    ("failed to grab pid", Cause::Grab),
    ("exec'd set-id or unobservable program", Cause::Protected),
    ("failed to control pid", Cause::Gone),
];

impl Message {
    /// What a line says.
    #[must_use]
    pub fn of(line: &str) -> Self {
        let text = line.strip_prefix("dtrace: ").unwrap_or(line).trim_end();
        if let Some(dropped) = dropped(text) {
            return dropped;
        }
        // Of one event; what it says of its script is no failure of the script.
        if text.starts_with("error on enabled probe ID") {
            return Self::Fault;
        }
        if let Some(pid) = ended(text) {
            return Self::Ended(pid);
        }
        if text.is_empty() || text.starts_with("system integrity protection is on, some features") {
            return Self::Notice;
        }
        let cause = CAUSES.iter().find(|(part, _)| text.contains(part));
        cause.map_or(Self::Unknown, |(_, cause)| Self::Refused(*cause))
    }
}

impl Cause {
    /// Whether it is one for every program, so that there is no use in trying another.
    #[must_use]
    pub const fn is_of_machine(self) -> bool {
        matches!(
            self,
            Self::NotRoot | Self::Script | Self::NoProvider | Self::Destructive | Self::Libraries
        )
    }

    /// The refusal of a backend, with the line that says it.
    #[must_use]
    pub fn refusal(self, line: &str) -> Refusal {
        let (reason, remedy) = match self {
            Self::NotRoot => (
                "dtrace wants root",
                "sudo gotrace run --backend dtrace -- COMMAND",
            ),
            Self::Protected => (
                "macOS protects the program from dtrace",
                "gotrace toolchain prepare --from GOROOT --to DIR: a copy that may be traced",
            ),
            Self::Translated => (
                "dtrace does not watch programs that Rosetta translates",
                "--backend toolexec --profile=force, or a toolchain for arm64",
            ),
            Self::NoSymbols => (
                "dtrace cannot read the program's symbols",
                "gotrace toolchain prepare --from GOROOT --to DIR: a copy that may be traced",
            ),
            Self::Permission => (
                "dtrace may not run the program",
                "the file's mode: ls -le FILE",
            ),
            Self::NoFile => ("there is no such program", ""),
            Self::Grab => (
                "dtrace cannot take hold of the process",
                "end other debuggers of it",
            ),
            Self::Gone => ("the process ended as soon as it had begun", ""),
            Self::NoFunction => (
                "no function of the program is called that",
                "gotrace inspect --symbols FILE",
            ),
            Self::Script => (
                "dtrace does not understand gotrace's script",
                "a report with this line",
            ),
            Self::NoDyld => (
                "the process has not begun: dyld is not in it yet",
                "a report with this line",
            ),
            Self::NoProvider => (
                "the kernel lets dtrace watch no functions",
                "csrutil enable --without dtrace, in recovery mode",
            ),
            Self::Destructive => (
                "System Integrity Protection lets dtrace stop no process",
                "csrutil enable --without dtrace, in recovery mode",
            ),
            Self::Libraries => (
                "dtrace's own scripts contradict each other on this version of macOS",
                "a newer version of macOS",
            ),
        };
        Refusal {
            reason: reason.to_owned(),
            evidence: line.trim_end().to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// `12 drops on CPU 3`, `1 aggregation drop on CPU 0`, `7 dynamic variable drops with non-empty dirty list`.
fn dropped(text: &str) -> Option<Message> {
    let (count, what) = text.split_once(' ')?;
    let count = count.parse().ok()?;
    let end = what.find("drop")?;
    let what = what.get(..end)?.trim_end();
    let what = if what.is_empty() { "events" } else { what };
    Some(Message::Dropped {
        what: what.to_owned(),
        count,
    })
}

/// `pid 12 has exited`, `pid 12 exited with status 1`, `pid 12 exec'd a set-id or unobservable program`.
fn ended(text: &str) -> Option<Pid> {
    let (pid, rest) = text.strip_prefix("pid ")?.split_once(' ')?;
    let ends = [
        "has exited",
        "exited with status",
        "terminated by",
        "exec'd a set-id",
    ];
    let ended = ends.iter().any(|end| rest.starts_with(end));
    ended.then_some(Pid(pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_known_by_what_dtrace_says() {
        // As in macOS 11 to 26, each with what stands around it.
        for (line, cause) in [
            (
                "dtrace: failed to initialize dtrace: DTrace requires additional privileges",
                Cause::NotRoot,
            ),
            (
                "dtrace: failed to execute /bin/ls: DTrace cannot control executables signed with restricted entitlements",
                Cause::Protected,
            ),
            (
                "dtrace: failed to execute /bin/ls: dtrace cannot control executables signed with restricted entitlements",
                Cause::Protected,
            ),
            (
                "dtrace: failed to grab pid 7: the current security restriction (system integrity protection enabled) prevents dtrace from attaching to an executable not signed with the [com.apple.security.get-task-allow] entitlement",
                Cause::Protected,
            ),
            (
                "dtrace: failed to grab pid 7: DTrace cannot instrument translated processes",
                Cause::Translated,
            ),
            (
                "dtrace: failed to execute /usr/local/go/bin/go: DTrace cannot instrument translated processes",
                Cause::Translated,
            ),
            (
                "dtrace: failed to grab pid 7: Could not create symbolicator for task",
                Cause::NoSymbols,
            ),
            (
                "dtrace: failed to execute ./x: Permission denied",
                Cause::Permission,
            ),
            (
                "dtrace: failed to execute ./x: No such file or directory",
                Cause::NoFile,
            ),
            ("dtrace: failed to grab pid 7: No such process", Cause::Grab),
            (
                "dtrace: invalid probe specifier pid7::main.x:entry: probe description pid7::main.x:entry does not match any probes. System Integrity Protection is on",
                Cause::NoFunction,
            ),
            (
                "dtrace: failed to compile script calls.d: line 3: failed to lookup 'f' in module 'a.out'",
                Cause::NoFunction,
            ),
            (
                "dtrace: failed to compile script calls.d: line 3: syntax error near \"if\"",
                Cause::Script,
            ),
            (
                "dtrace: invalid probe specifier pid7::f:foo: 'foo' is an invalid probe name",
                Cause::Script,
            ),
            (
                "dtrace: failed to compile script calls.d: process ./x has no dyld, and cannot be instrumented",
                Cause::NoDyld,
            ),
            (
                "dtrace: failed to compile script calls.d: pid provider is not available: Device busy",
                Cause::NoProvider,
            ),
            (
                "dtrace: could not enable tracing: Destructive actions not allowed",
                Cause::Destructive,
            ),
            (
                "dtrace: failed to compile script calls.d: \"/usr/lib/dtrace/darwin.d\", line 175: failed to copy type of 'pr_gid': Conflicting type is already defined",
                Cause::Libraries,
            ),
        ] {
            assert_eq!(Message::of(line), Message::Refused(cause), "{line}");
            let refusal = cause.refusal(line);
            assert_eq!(refusal.evidence, line);
            let has_remedy = cause != Cause::NoFile;
            assert_eq!(!refusal.remedy.is_empty(), has_remedy, "{cause:?}");
        }
    }

    #[test]
    fn processes_that_end_while_they_are_taken_hold_of_are_known() {
        for (line, cause) in [
            (
                "dtrace: failed to control pid 7: process exited with status 0",
                Cause::Gone,
            ),
            (
                "dtrace: failed to control pid 7: process died from signal 9",
                Cause::Gone,
            ),
            (
                "dtrace: failed to control pid 7: process exec'd set-id or unobservable program",
                Cause::Protected,
            ),
            (
                "dtrace: failed to compile script x.d: pid provider is not installed on this system",
                Cause::NoProvider,
            ),
        ] {
            assert_eq!(Message::of(line), Message::Refused(cause), "{line}");
            assert_eq!(cause.is_of_machine(), cause == Cause::NoProvider, "{line}");
        }
    }

    #[test]
    fn losses_are_counted() {
        for (line, what, count) in [
            ("dtrace: 12 drops on CPU 3", "events", 12),
            ("dtrace: 1 drop on CPU 0\n", "events", 1),
            ("dtrace: 5 aggregation drops on CPU 0", "aggregation", 5),
            (
                "dtrace: 7 dynamic variable drops with non-empty dirty list",
                "dynamic variable",
                7,
            ),
            (
                "dtrace: 2 speculative drops (1 due to busy buffers)",
                "speculative",
                2,
            ),
        ] {
            let what = what.to_owned();
            assert_eq!(
                Message::of(line),
                Message::Dropped { what, count },
                "{line}"
            );
        }
    }

    #[test]
    fn the_rest_is_told_apart() {
        let fault = "dtrace: error on enabled probe ID 3 (ID 9120: pid7:compile:main.main:entry): invalid user access in action #1 at DIF offset 28";
        assert_eq!(Message::of(fault), Message::Fault);
        for line in [
            "dtrace: pid 812 has exited",
            "dtrace: pid 812 exited with status 1",
            "dtrace: pid 812 terminated by SIGKILL",
            "dtrace: pid 812 exec'd a set-id or unobservable program",
        ] {
            assert_eq!(Message::of(line), Message::Ended(Pid(812)), "{line}");
        }
        let notice =
            "dtrace: system integrity protection is on, some features will not be available";
        assert_eq!(Message::of(notice), Message::Notice);
        assert_eq!(Message::of("\n"), Message::Notice);
        for line in [
            "dtrace: 4294967296 bottles of beer",
            "dtrace: pid x has exited",
            "what is this",
        ] {
            assert_eq!(Message::of(line), Message::Unknown, "{line}");
        }
    }
}
