//! `gotrace setup`: shows what it will do, asks, does it; and takes it back with `--undo`.

use super::exit;
use super::output::Output;
use crate::environment::entitled::Entitled;
use crate::environment::signing::Signer;
use crate::environment::{Grant, HELPER};
use anyhow::{Context as _, bail};
use nix::unistd::{AccessFlags, access};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Grants gotrace what it needs to see more, after showing what that is.
///
/// On Linux: installs a small helper executable that may load BPF programs. gotrace asks it for them when
/// you trace a command; it shows you nothing of other users' processes. gotrace itself gets no
/// rights. On macOS: signs gotrace anew, ad hoc, as a debugger, so that it may ask for the task of a program
/// that does not hand it over; hardened programs and those of the system give theirs to nobody.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Take back what an earlier setup granted.
    #[arg(long)]
    undo: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// What is to be done.
struct Plan {
    purpose: &'static str,
    steps: Vec<String>,
    /// Only root can do it.
    for_root: bool,
    /// Does it.
    act: Box<dyn FnOnce() -> anyhow::Result<()>>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let itself = std::env::current_exe().context("cannot find this executable")?;
        let plan = match std::env::consts::OS {
            "linux" => self.with_helper(&itself)?,
            "macos" => self.as_debugger(&itself),
            _ => bail!("setup: there is nothing to set up on this system"),
        };
        show(plan.purpose, &plan.steps)?;
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if plan.for_root && !nix::unistd::geteuid().is_root() {
            let undo = if self.undo { " --undo" } else { "" };
            let mut out = Output::stdout();
            writeln!(
                out,
                "Only root can do that:\n  sudo {} setup{undo}",
                itself.display()
            )?;
            out.finish()?;
            return Ok(ExitCode::from(exit::NOT_PERMITTED));
        }
        if !self.yes && !agreed()? {
            bail!("setup: nothing was done");
        }
        (plan.act)()?;
        let mut out = Output::stdout();
        writeln!(out, "Done.")?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }

    /// Installs the helper that was built with this gotrace, for the user who called sudo.
    fn with_helper(&self, itself: &Path) -> anyhow::Result<Plan> {
        let grant = Grant {
            source: itself.with_file_name("gotrace-helper"),
            destination: PathBuf::from(HELPER),
            group: calling_group(),
        };
        if self.undo {
            return Ok(Plan {
                purpose: "To take the rights away again, this will:",
                steps: grant.undo_steps(),
                for_root: true,
                act: Box::new(move || Ok(grant.undo()?)),
            });
        }
        // To take the helper away, the one to install is not needed.
        if !grant.source.is_file() {
            bail!("{}: not found beside gotrace", grant.source.display());
        }
        Ok(Plan {
            purpose: "To let gotrace watch processes with BPF, this will:",
            steps: grant.steps(),
            for_root: true,
            act: Box::new(move || Ok(grant.apply()?)),
        })
    }

    /// Signs this executable anew.
    fn as_debugger(&self, itself: &Path) -> Plan {
        let folder = itself.parent().unwrap_or(Path::new("/"));
        let for_root = access(folder, AccessFlags::W_OK).is_err();
        let entitled = Entitled {
            path: itself.to_owned(),
            signer: Signer::of_this_system(),
        };
        if self.undo {
            return Plan {
                purpose: "To take the entitlement away again, this will:",
                steps: entitled.undo_steps(),
                for_root,
                act: Box::new(move || Ok(entitled.undo()?)),
            };
        }
        Plan {
            purpose: "To let gotrace ask for the tasks of other programs, this will:",
            steps: entitled.steps(),
            for_root,
            act: Box::new(move || Ok(entitled.apply()?)),
        }
    }
}

/// The group of the user who called sudo.
fn calling_group() -> Option<u32> {
    std::env::var("SUDO_GID").ok()?.parse().ok()
}

/// What will be done is on the screen before anything is.
fn show(purpose: &str, steps: &[String]) -> anyhow::Result<()> {
    let mut out = Output::stdout();
    writeln!(out, "{purpose}")?;
    for (number, step) in (1..).zip(steps) {
        writeln!(out, "  {number}. {step}")?;
    }
    out.finish()?;
    Ok(())
}

fn agreed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("setup: there is nobody to ask: add --yes");
    }
    let mut out = Output::stdout();
    write!(out, "Go on? [y/N] ")?;
    out.finish()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
