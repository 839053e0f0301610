//! `gotrace toolchain verify`: whether two toolchains can be laid side by side.

use crate::analyze::toolchain::{Read, Standing, pair};
use crate::cli::output::Output;
use crate::environment::goroot::{Contents, Runs, Side};
use crate::export::json;
use crate::render::text::toolchain as text;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks whether two toolchains can be compared: native and translated, mostly.
///
/// They can with the same version, the same standard library by SHA-256, folders of their own, and
/// settings that agree. Exit code 1 where they cannot.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A GOROOT, or a folder of scripts/dual-sdk, with the toolchain in go and settings in env
    base: PathBuf,
    /// The other
    new: PathBuf,
    /// Show what is as it should be, too
    #[arg(long)]
    all: bool,
    /// Write JSON (docs/json-schema.md): all checks
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (base, new) = (read(&self.base)?, read(&self.new)?);
        let checks = pair(base.as_read(), new.as_read());
        let names = [&base, &new].map(|one| one.side.name.as_str());
        let mut out = Output::stdout();
        if self.json {
            json::pair(names, &checks, &mut out)?;
        } else {
            let page = out.page();
            text::pair(names, &checks, self.all, &page, &mut out)?;
        }
        out.finish()?;
        let broken = checks.iter().any(|one| one.standing == Standing::Error);
        Ok(ExitCode::from(u8::from(broken)))
    }
}

struct Operand {
    side: Side,
    contents: Contents,
    runs: Runs,
}

impl Operand {
    const fn as_read(&self) -> Read<'_> {
        Read {
            side: &self.side,
            contents: &self.contents,
            runs: &self.runs,
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Operand> {
    let side = Side::read(path, |name| std::env::var_os(name))?;
    let contents = Contents::of(&side.goroot.root).map_err(|(path, error)| {
        anyhow::Error::new(error).context(format!("{}: cannot be read", path.display()))
    });
    let contents = contents.context("the standard library cannot be compared")?;
    let runs = side.goroot.runs();
    Ok(Operand {
        side,
        contents,
        runs,
    })
}
