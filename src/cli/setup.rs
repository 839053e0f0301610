//! `gotrace setup`: shows what it will do, asks, does it; and takes it back with `--undo`.

use super::exit;
use super::output::Output;
use crate::environment::{Grant, HELPER};
use anyhow::{Context as _, bail};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Grants gotrace what it needs to see more, after showing what that is.
///
/// Installs a small helper executable that may load BPF programs. gotrace asks it for them when
/// you trace a command; it shows you nothing of other users' processes. gotrace itself gets no
/// rights.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Remove what an earlier setup installed.
    #[arg(long)]
    undo: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if std::env::consts::OS != "linux" {
            bail!("setup: there is nothing to set up on this system");
        }
        let itself = std::env::current_exe().context("cannot find this executable")?;
        let grant = grant(&itself);
        // To take the helper away, the one to install is not needed.
        if !self.undo && !grant.source.is_file() {
            bail!("{}: not found beside gotrace", grant.source.display());
        }
        let (steps, purpose) = if self.undo {
            (
                grant.undo_steps(),
                "To take the rights away again, this will:",
            )
        } else {
            (
                grant.steps(),
                "To let gotrace watch processes with BPF, this will:",
            )
        };
        show(purpose, &steps)?;
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if !nix::unistd::geteuid().is_root() {
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
        if self.undo {
            grant.undo()?;
        } else {
            grant.apply()?;
        }
        let mut out = Output::stdout();
        writeln!(out, "Done.")?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What to install: the helper that was built with this gotrace, for the user who called sudo.
fn grant(itself: &Path) -> Grant {
    Grant {
        source: itself.with_file_name("gotrace-helper"),
        destination: PathBuf::from(HELPER),
        group: calling_group(),
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
