//! `gotrace probes`: what can be watched, before anything is.

use super::exit::Usage;
use super::input;
use super::output::{self, Output};
use crate::binary::elf::Elf;
use crate::binary::instruction::Stepping;
use crate::capture::Environment;
use crate::capture::probes::{
    DEFAULT, LeftOut, Mode, Plan, Planned, ProbeSet, SetProbe, Spec, plan,
};
use crate::environment::invoker::invoker;
use crate::environment::toolchain::{self, Toolchain};
use crate::export::json::{self, ProbedRow, RefusedRow, SiteRow, UnseenRow};
use crate::render::text::probes as text;
use crate::symbolize::Contents;
use crate::trace::CallEdge;
use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows without `--top`.
const TOP: usize = 40;

/// Shows which functions can be watched, and sets of them.
///
/// Nothing is recorded: what would be probed, and at what cost, is read from the file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists functions of an executable, and where each would be probed
    List(List),
    /// Lists the sets of functions that gotrace knows
    Sets,
}

#[derive(Debug, clap::Args)]
struct List {
    /// An executable: a path, a tool of the Go toolchain (compile), or a command of PATH
    target: PathBuf,
    /// Which functions; `*` is any characters, `?` any one
    #[arg(default_value = "*")]
    glob: String,
    /// Rows to show; 0 for all [default: 40]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Write JSON (docs/json-schema.md); without `--top`, all rows
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(list) => list.run(),
            Command::Sets => sets(),
        }
    }
}

fn sets() -> anyhow::Result<ExitCode> {
    let mut output = Output::stdout();
    let page = output.page();
    for (at, set) in ProbeSet::embedded()?.iter().enumerate() {
        if at > 0 {
            writeln!(output)?;
        }
        let on = if set.name == DEFAULT {
            " (on by default)"
        } else {
            ""
        };
        let title = format!("{}{on}: {}", set.name, set.description);
        let functions: Vec<_> = set.probes.iter().map(of_set).collect();
        text::set(&title, &functions, &page, &mut output)?;
    }
    output.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let path = find(&self.target)?;
        let named = path.display();
        let spec = Spec {
            image: "*".parse()?,
            function: self.glob.parse()?,
            mode: Mode::Call,
            set: None,
            phase: None,
        };
        let bytes = input::open(&path).and_then(Contents::of);
        let bytes = bytes.with_context(|| format!("{named}: cannot read"))?;
        let elf =
            Elf::parse(&bytes).with_context(|| format!("{named}: no program that is read"))?;
        let plan = plan(&elf, &[&spec]).with_context(|| format!("{named}"))?;
        if let Some(unmatched) = plan.unmatched.first() {
            return Err(anyhow!(unmatched.words(&named.to_string())));
        }
        self.show(&path, &plan)
    }

    fn show(&self, path: &Path, plan: &Plan) -> anyhow::Result<ExitCode> {
        let top = match (self.top, self.json) {
            (Some(0), _) | (None, true) => usize::MAX,
            (Some(top), _) => top,
            (None, false) => TOP,
        };
        let mut output = Output::stdout();
        let page = output.page();
        if self.json {
            let probed: Vec<ProbedRow> = plan.functions.iter().map(probed_row).collect();
            let refused: Vec<RefusedRow> = plan.left_out.iter().map(refused_row).collect();
            let image = path.display().to_string();
            json::probes(&image, &probed, &refused, top, &mut output)?;
            output.finish()?;
            return Ok(ExitCode::SUCCESS);
        }
        let probed: Vec<text::Probed> = plan.functions.iter().map(probed).collect();
        let refused = plan.left_out.iter().map(refused_row);
        let refused: Vec<_> = refused.map(|row| (row.function, row.why)).collect();
        text::list(&probed, &refused, top, &page, &mut output)?;
        output.finish()?;
        output::note(&text::totals(&probed, refused.len()));
        Ok(ExitCode::SUCCESS)
    }
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn probed(function: &Planned) -> text::Probed {
    let entry = function.sites.first();
    let unseen = function.blind_exits.first();
    text::Probed {
        function: name(&function.name),
        address: function.address.to_string(),
        offset: entry.map_or(0, |site| site.offset),
        instruction: entry.map_or_else(String::new, |site| site.text.clone()),
        stepping: entry.map_or(Stepping::SingleStepped, |site| site.stepping),
        exits: function.sites.len().saturating_sub(1),
        unseen_exit: unseen.map(|(_, why)| why.to_string()),
    }
}

fn probed_row(function: &Planned) -> ProbedRow {
    let sites = function.sites.iter().map(|site| SiteRow {
        edge: match site.edge {
            CallEdge::Entry => "entry",
            CallEdge::Exit => "exit",
            CallEdge::TailJump => "tail_jump",
        },
        offset: format!("{:#x}", site.offset),
        instruction: site.text.clone(),
        cost: match site.stepping {
            Stepping::Emulated => "emulated",
            Stepping::SingleStepped => "single_stepped",
        },
    });
    let unseen = function.blind_exits.iter().map(|(address, why)| UnseenRow {
        address: address.to_string(),
        why: why.to_string(),
    });
    ProbedRow {
        function: name(&function.name),
        file: name(&function.file),
        address: function.address.to_string(),
        sites: sites.collect(),
        unseen_exits: unseen.collect(),
    }
}

fn refused_row(function: &LeftOut) -> RefusedRow {
    RefusedRow {
        function: name(&function.name),
        why: function.why.to_string(),
    }
}

fn of_set(probe: &SetProbe) -> text::OfSet {
    let phase = probe.spec.phase.as_ref();
    text::OfSet {
        image: probe.spec.image.to_string(),
        function: probe.spec.function.text().to_owned(),
        exits: probe.spec.mode == Mode::Call,
        phase: phase.map_or_else(String::new, |phase| match phase.name.as_str() {
            "" => format!("(ends that of {})", phase.track),
            name => name.to_owned(),
        }),
        releases: match (probe.since, probe.until) {
            (None, None) => String::new(),
            (Some(since), None) => format!("since {since}"),
            (None, Some(until)) => format!("until {until}"),
            (Some(since), Some(until)) => format!("{since} to {until}"),
        },
    }
}

/// The executable that is meant.
fn find(target: &Path) -> anyhow::Result<PathBuf> {
    let name = target.as_os_str();
    if target.components().count() > 1 || target.is_file() {
        return Ok(target.to_owned());
    }
    let environment = Environment::inherited();
    let path = environment.get("PATH").unwrap_or_default();
    let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
    let go = toolchain::find_on_path(OsStr::new("go"), path);
    let go = go.and_then(|go| Toolchain::ask(&go, environment.pairs(), invoker.as_ref()).ok());
    let tool = go
        .map(|go| go.tools().join(name))
        .filter(|tool| tool.is_file());
    tool.or_else(|| toolchain::find_on_path(name, path))
        .ok_or_else(|| {
            let name = target.display();
            Usage(format!(
                "{name}: no such file, no tool of the Go toolchain, and no command of PATH"
            ))
            .into()
        })
}
