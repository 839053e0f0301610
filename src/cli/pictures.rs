//! Pictures that `gotrace compare` draws beside its tables.

use super::exit::Usage;
use super::output::Output;
use crate::analyze::compare::{Comparison, Key, picks};
use crate::render::comparison::{distributions, slopes};
use std::path::{Path, PathBuf};

/// Which pictures, and where they go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pictures")]
pub(super) struct Pictures {
    /// Draw a line for each package, from its CPU time in base to that in new (SVG)
    #[arg(long, value_name = "FILE")]
    slopes: Option<PathBuf>,
    /// Lines of --slopes that bear their names: of the packages that differ most
    #[arg(long, value_name = "N", default_value_t = slopes::NAMED, requires = "slopes")]
    names: usize,
    /// Draw every run as a dot (SVG): wall and CPU time, and the packages and tools that differ
    /// most
    #[arg(long, value_name = "FILE")]
    distributions: Option<PathBuf>,
    /// Draw with --distributions these packages, tools or phases instead:
    /// `package=example.com/m/...` (`...` stands for any text); may be given several times
    #[arg(long, value_name = "KIND=NAME", value_parser = pick, requires = "distributions")]
    pick: Vec<Pick>,
}

/// A kind of row, and what its name looks like.
#[derive(Clone, Debug)]
struct Pick {
    kind: String,
    pattern: String,
}

/// `package=m/...`.
fn pick(text: &str) -> Result<Pick, String> {
    let expected = "expected KIND=NAME, as in package=example.com/m";
    let (kind, pattern) = text.split_once('=').ok_or(expected)?;
    if !["package", "tool", "phase"].contains(&kind) {
        return Err(format!("{kind}: expected package, tool or phase"));
    }
    Ok(Pick {
        kind: kind.to_owned(),
        pattern: pattern.to_owned(),
    })
}

impl Pictures {
    /// Refuses what cannot be drawn, before anything is read.
    ///
    /// # Errors
    ///
    /// When a picture is to go where the tables go.
    pub(super) fn check(&self) -> Result<(), Usage> {
        let paths = [
            ("--slopes", &self.slopes),
            ("--distributions", &self.distributions),
        ];
        for (option, path) in paths {
            if path.as_deref() == Some(Path::new("-")) {
                let words = format!("{option} -: the tables go to standard output, name a file");
                return Err(Usage(words));
            }
        }
        Ok(())
    }

    /// Draws all that were asked for.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, or nothing is called as what was picked.
    pub(super) fn draw(&self, comparison: &Comparison) -> anyhow::Result<()> {
        if let Some(path) = &self.slopes {
            let mut output = Output::to(Some(path))?;
            slopes::draw(comparison, self.names, &mut output)?;
            output.finish()?;
        }
        if let Some(path) = &self.distributions {
            let is_picked = |key: &Key| self.pick.iter().any(|pick| pick.is(key));
            let picked: Option<&dyn Fn(&Key) -> bool> = match &self.pick[..] {
                [] => None,
                picks => {
                    let keys = || comparison.rows.iter().map(|row| &row.key);
                    if let Some(idle) = picks.iter().find(|pick| !keys().any(|key| pick.is(key))) {
                        let Pick { kind, pattern } = idle;
                        let words = format!("--pick {kind}={pattern}: neither side has it");
                        return Err(Usage(words).into());
                    }
                    Some(&is_picked)
                }
            };
            let mut output = Output::to(Some(path))?;
            distributions::draw(
                comparison,
                &distributions::rows(comparison, picked),
                &mut output,
            )?;
            output.finish()?;
        }
        Ok(())
    }
}

impl Pick {
    fn is(&self, key: &Key) -> bool {
        picks(&self.kind, &self.pattern, key)
    }
}
