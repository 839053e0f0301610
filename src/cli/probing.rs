//! Which functions to watch: the options that `run` and `attach` share.

use crate::capture::probes::{Spec, Watch};

const HEADING: &str = "Function calls (backend bpf, as root)";

/// Options that name functions.
#[derive(Debug, clap::Args)]
pub(super) struct Probing {
    /// Record entries and exits of these functions: IMAGE:FUNCTION-GLOB[:entry|call], repeatable
    #[arg(long = "probe", value_name = "PROBE", help_heading = HEADING)]
    probes: Vec<Spec>,
    /// Record the first argument of the functions named by --probe, too
    #[arg(long, help_heading = HEADING)]
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
