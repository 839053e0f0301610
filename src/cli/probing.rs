//! Which functions to watch: the options that `run` and `attach` share.

use super::exit::Usage;
use super::input;
use crate::capture::probes::{self, MaxTax, ProbeSet, Spec, Watch};
use anyhow::Context as _;
use std::path::Path;

/// A file that names a set of functions has no more bytes.
const LONGEST_SET: u64 = 1 << 20;

const HEADING: &str = "Function calls (backends bpf and dtrace; named functions as root)";

/// Options that name functions.
#[derive(Debug, clap::Args)]
pub(super) struct Probing {
    /// Record entries and exits of these functions: IMAGE:FUNCTION-GLOB[:entry|call], repeatable
    #[arg(long = "probe", value_name = "PROBE", help_heading = HEADING)]
    probes: Vec<Spec>,
    /// Record the functions of a set, too: a name that `probes sets` lists, or a file; repeatable
    #[arg(long = "probe-set", value_name = "SET", help_heading = HEADING)]
    sets: Vec<String>,
    /// Record no functions, not even those of the set go-build
    #[arg(long, conflicts_with_all = ["probes", "sets"], help_heading = HEADING)]
    no_probes: bool,
    /// Record entries alone: exits cost many times as much
    #[arg(long, help_heading = HEADING)]
    entries_only: bool,
    /// Give functions up that cost more than this part of the command's CPU time: 4%, or off; those
    /// named by --probe only when this is given [default: 4%]
    #[arg(long, value_name = "PERCENT", help_heading = HEADING)]
    max_tax: Option<MaxTax>,
    /// Record the first argument of the functions named by --probe, too
    #[arg(long, help_heading = HEADING)]
    args: bool,
}

impl Probing {
    /// What is to be watched.
    ///
    /// # Errors
    ///
    /// When a set is not known, or its file is wrong.
    pub(super) fn watch(&self) -> anyhow::Result<Watch> {
        if self.no_probes {
            return Ok(Watch::default());
        }
        let cwd = std::env::current_dir().unwrap_or_default();
        let named = self.probes.iter().cloned().map(|spec| Spec {
            image: spec.image.below(&cwd).resolved(),
            ..spec
        });
        let mut sets = Vec::new();
        for name in std::iter::once(probes::DEFAULT).chain(self.sets.iter().map(String::as_str)) {
            let set = set(name)?;
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        Ok(Watch {
            named: named.collect(),
            sets,
            entries_only: self.entries_only,
            max_tax: self.max_tax.unwrap_or_default(),
            arguments: self.args,
        })
    }
}

/// What is watched where nothing was asked for.
///
/// # Errors
///
/// When the built-in sets cannot be read.
pub(super) fn by_default() -> anyhow::Result<Watch> {
    Ok(Watch {
        sets: vec![set(probes::DEFAULT)?],
        ..Watch::default()
    })
}

/// A set by its name, or from a file.
fn set(name: &str) -> anyhow::Result<ProbeSet> {
    if name.contains(['/', '.']) {
        let text = input::text(Path::new(name), LONGEST_SET);
        let text = text.with_context(|| format!("{name}: cannot read"))?;
        return Ok(ProbeSet::parse(name, &text)?);
    }
    let known = ProbeSet::embedded()?;
    let names: Vec<String> = known.iter().map(|set| set.name.clone()).collect();
    let found = known.into_iter().find(|set| set.name == name);
    found.ok_or_else(|| {
        let names = names.join(", ");
        Usage(format!(
            "--probe-set {name}: no set has that name; there are {names}, and files (./NAME.toml)"
        ))
        .into()
    })
}
