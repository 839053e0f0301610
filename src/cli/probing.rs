//! Which functions to watch: the options that `run` and `attach` share.

use crate::capture::probes::{Spec, Watch};

/// Options that name functions.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Function calls (backend bpf, as root)")]
pub(super) struct Probing {
    /// Record entries and exits of these functions: IMAGE:FUNCTION-GLOB[:entry|call], repeatable
    #[arg(long = "probe", value_name = "PROBE")]
    probes: Vec<Spec>,
    /// Record the first argument of the functions named by --probe, too
    #[arg(long)]
    args: bool,
}

impl Probing {
    /// What is to be watched.
    pub(super) fn watch(&self) -> anyhow::Result<Watch> {
        Ok(Watch {
            named: self.probes.clone(),
            arguments: self.args,
        })
    }
}
