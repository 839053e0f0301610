//! Makes traces of builds that were never run, as a fleet of CI machines would record them:
//! `cargo run --example fleet -- FOLDER BUILDS`. `scripts/fleet-demo` asks questions of them.
//!
//! A trace lies at `date=D/repository=R/host=H/revision=V/run=N.gotrace`, for how a fleet is partitioned.
//! What is to be found in them is planted: `web/templates` is the slowest package; from revision 20 on
//! `billing/ledger` takes 1.6 times as long; what host `mac-2` runs is translated, and takes 1.8 times as
//! long. All else varies by a tenth, by a number that follows from the build.

use anyhow::Context as _;
use gotrace::trace::file::Writer;
use gotrace::trace::{
    Action, Arch, ClockAnchor, Ending, Exec, Exit, ExitStatus, Host, Nanos, Pid, Process,
    ProcessId, Record, Toolchain, Usage,
};
use std::path::Path;

/// Days, and commits of each repository: one a day.
const DAYS: u64 = 30;
/// 2026-11-01, in seconds since 1970.
const FIRST_DAY: u64 = 1_793_491_200;
/// Name of a repository, and of its packages, each with its milliseconds of CPU time.
const REPOSITORIES: [(&str, [(&str, u64); 4]); 3] = [
    (
        "api",
        [
            ("api/wire", 240),
            ("api/auth", 410),
            ("api/routes", 620),
            ("api/server", 350),
        ],
    ),
    (
        "billing",
        [
            ("billing/money", 180),
            ("billing/ledger", 700),
            ("billing/tax", 390),
            ("billing/cmd", 260),
        ],
    ),
    (
        "web",
        [
            ("web/assets", 310),
            ("web/templates", 1_900),
            ("web/pages", 540),
            ("web/cmd", 280),
        ],
    ),
];
const HOSTS: [&str; 5] = ["ci-1", "ci-2", "ci-3", "mac-1", "mac-2"];
const TRANSLATED: &str = "mac-2";

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let usage = "usage: fleet FOLDER BUILDS";
    let folder = words.next().context(usage)?;
    let builds: u64 = words.next().context(usage)?.parse().context(usage)?;
    for number in 0..builds {
        Build::of(number, builds).record(Path::new(&folder))?;
    }
    Ok(())
}

/// One build: when, of what, where.
struct Build {
    number: u64,
    commit: u64,
    repository: usize,
    host: &'static str,
}

impl Build {
    fn of(number: u64, builds: u64) -> Self {
        let host = usize::try_from(number / 3 % HOSTS.len() as u64).unwrap_or(0);
        Self {
            number,
            commit: number * DAYS / builds,
            repository: usize::try_from(number % 3).unwrap_or(0),
            host: HOSTS[host],
        }
    }

    /// Milliseconds that a package takes here.
    fn cost(&self, package: &str, base: u64) -> u64 {
        let slower = if package == "billing/ledger" && self.commit >= 20 {
            160
        } else {
            100
        };
        let translated = if self.host == TRANSLATED { 180 } else { 100 };
        // One in a hundred steps from 90 to 110 %: a multiplicative hash of what it is about.
        let mixed = package.bytes().fold(self.number + 1, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let noise = 9_000 + (mixed >> 33) % 2_001;
        base * slower * translated / 10_000 * noise / 10_000
    }

    fn record(&self, folder: &Path) -> anyhow::Result<()> {
        let (repository, packages) = REPOSITORIES[self.repository];
        let date = format!("date=2026-11-{:02}", self.commit + 1);
        let folder = folder.join(date).join(format!("repository={repository}"));
        let folder = folder
            .join(format!("host={}", self.host))
            .join(format!("revision={:02}", self.commit));
        std::fs::create_dir_all(&folder)?;
        let unix_ns = (FIRST_DAY + self.commit * 86_400 + self.number * 7 % 80_000) * 1_000_000_000;
        let anchor = ClockAnchor {
            monotonic_ns: 0,
            unix_ns,
        };
        let path = folder.join(format!("run={}.gotrace", self.number));
        let mut writer = Writer::create(&path, anchor)?;
        self.machine(&mut writer)?;
        let mut at = 40;
        for (number, (package, base)) in (1..).zip(packages) {
            let end = at + self.cost(package, base);
            self.compile(&mut writer, number, package, (at, end))?;
            at = end;
        }
        self.program(&mut writer, 0, &["go", "build", "./..."], (0, at + 10), 30)?;
        writer.record(Record::Ending(Ending {
            command_end: ms(at + 10),
            status: Some(ExitStatus::Code(0)),
            ..Ending::default()
        }))?;
        Ok(writer.finish()?)
    }

    fn machine(&self, writer: &mut Writer) -> anyhow::Result<()> {
        let mac = self.host.starts_with("mac");
        let translated = self.host == TRANSLATED;
        let arch = if mac { Arch::Arm64 } else { Arch::Amd64 };
        let host = Host {
            os: writer.string(if mac { b"macos 26.1" } else { b"linux 6.18" }),
            arch,
            cores: 8,
            gotrace: writer.string(env!("CARGO_PKG_VERSION").as_bytes()),
            ..Host::default()
        };
        writer.record(Record::Host(host))?;
        let toolchain = Toolchain {
            version: writer.string(b"go1.27.3"),
            arch: if translated { Arch::Amd64 } else { arch },
            translator: writer.string(if translated { b"rosetta" } else { b"" }),
            ..Toolchain::default()
        };
        Ok(writer.record(Record::Toolchain(toolchain))?)
    }

    /// An action that needs the one before it, and the compiler that it ran.
    fn compile(
        &self,
        writer: &mut Writer,
        number: u32,
        package: &str,
        (start, end): (u64, u64),
    ) -> anyhow::Result<()> {
        let objdir = format!("/tmp/go-build1/b{number:03}/");
        let output = format!("{objdir}_pkg_.a");
        let words = ["/go/pkg/tool/compile", "-p", package, "-o", &output];
        self.program(writer, number, &words, (start, end), end - start)?;
        let action = Action {
            go: Some(ProcessId(0)),
            number,
            mode: writer.string(b"build"),
            package: writer.string(package.as_bytes()),
            objdir: writer.string(objdir.as_bytes()),
            deps: (number > 1).then_some(number - 1).into_iter().collect(),
            ready: Some(ms(start)),
            start: Some(ms(start)),
            done: Some(ms(end)),
            need_build: true,
            ..Action::default()
        };
        Ok(writer.record(Record::Action(action))?)
    }

    fn program(
        &self,
        writer: &mut Writer,
        number: u32,
        words: &[&str],
        (start, end): (u64, u64),
        cpu: u64,
    ) -> anyhow::Result<()> {
        let argv = words
            .iter()
            .map(|word| writer.string(word.as_bytes()))
            .collect();
        let id = ProcessId(number);
        let process = Process {
            id,
            pid: Pid(100 + number),
            parent: (number > 0).then_some(ProcessId(0)),
            start: ms(start),
            exec_at: ms(start),
            exec: Exec {
                argv,
                exe: writer.string(words.first().copied().unwrap_or_default().as_bytes()),
                ..Exec::default()
            },
            ..Process::default()
        };
        writer.record(Record::ProcessStarted(process))?;
        let usage = Usage {
            user: ms(cpu),
            ..Usage::default()
        };
        let status = ExitStatus::Code(0);
        let at = ms(end);
        Ok(writer.record(Record::ProcessEnded(id, Exit { at, status, usage }))?)
    }
}

/// Milliseconds.
const fn ms(count: u64) -> Nanos {
    Nanos(count * 1_000_000)
}
