//! `gotrace toolchain list`: which Go toolchains there are, and which can be watched.

use crate::analyze::toolchain::tracing;
use crate::cli::output::{self, Output};
use crate::environment::goroot::{Place, Surroundings, list};
use crate::export::json;
use crate::render::text::toolchain as text;
use std::process::ExitCode;

/// Lists the Go toolchains of this machine: version, architecture, signature, whether they can be watched.
///
/// They are looked for on PATH, by GOROOT and GOTOOLCHAIN, in /usr/local/go and ~/sdk, in the module cache,
/// of Homebrew and of packages. None of them is run. Where there is none, standard error says so.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write JSON (docs/json-schema.md): each program, too
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let around = Surroundings::of(|name| std::env::var_os(name));
        let listed = list(&around);
        let judged = listed
            .iter()
            .map(|one| (one, tracing(&one.goroot, &one.runs)));
        let judged: Vec<_> = judged.collect();
        let mut out = Output::stdout();
        if self.json {
            json::toolchains(&judged, around.toolchain.as_deref(), &mut out)?;
        } else {
            let page = out.page();
            text::list(&judged, &page, &mut out)?;
        }
        out.finish()?;
        if listed.is_empty() {
            output::note("no Go toolchain found: on PATH, in GOROOT, or where they are installed");
            output::hint("where one is elsewhere: GOROOT=FOLDER gotrace toolchain list");
        }
        if let Some(wanted) = &around.toolchain {
            let mut places = listed.iter().flat_map(|one| &one.places);
            if !places.any(|place| *place == Place::Toolchain) {
                output::note(&format!(
                    "GOTOOLCHAIN={wanted}: not in the module cache: a go command would fetch it"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
