//! Watches functions: executables that run in, probes on them out.
//!
//! An executable is planned and armed once, before the command starts where it is known by then,
//! else when it is first executed.

use super::attach::Attacher;
use super::now;
use super::trial::Costs;
use crate::binary::elf::Elf;
use crate::binary::go::RuntimeLayout;
use crate::binary::instruction::Stepping;
use crate::capture::decode::bpf::{ExeKey, TRIAL};
use crate::capture::linux::sys::FileView;
use crate::capture::observation::Probed;
use crate::capture::probes::{Plan, Planned, PlannedSite, Watch};
use crate::capture::{Monotonic, Observation, plain_file};
use crate::trace::{ArgumentKind, CallEdge, Nanos, ProbeId};
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The cookie of a place, see records.h.
const PROBE_BITS: u32 = 24;
const EDGE_SHIFT: u32 = 24;
const REGISTER: u64 = 1 << 26;
const INTEGER: u64 = 1 << 27;
const TEXT: u64 = 1 << 28;
const GOID_SHIFT: u32 = 32;
const DEPTH_SHIFT: u32 = 48;

/// The executables that are armed.
#[derive(Debug)]
pub(super) struct Armed {
    attacher: Attacher,
    costs: Costs,
    watch: Watch,
    known: FxHashSet<ExeKey>,
    links: Vec<OwnedFd>,
    next: u32,
}

impl Armed {
    pub(super) fn new(attacher: Attacher, costs: Costs, watch: Watch) -> Self {
        Self {
            attacher,
            costs,
            watch,
            known: FxHashSet::default(),
            links: Vec::new(),
            next: 0,
        }
    }

    /// Arms a file that will run.
    pub(super) fn expect(&mut self, path: &Path, out: &mut dyn FnMut(Observation)) {
        let Ok(path) = path.canonicalize() else {
            return;
        };
        if let Ok(metadata) = std::fs::metadata(&path) {
            self.ran(
                ExeKey::of(&metadata),
                path.as_os_str().as_bytes(),
                None,
                out,
            );
        }
    }

    /// Arms a file that runs since `running`, where something in it is asked for.
    pub(super) fn ran(
        &mut self,
        key: ExeKey,
        path: &[u8],
        running: Option<Monotonic>,
        out: &mut dyn FnMut(Observation),
    ) {
        if !self.watch.concerns(path) || !self.known.insert(key) {
            return;
        }
        match self.arm(key, path, out) {
            Ok(0) => {}
            Ok(_) => {
                if let Some(began) = running {
                    let late = Nanos(now().0.saturating_sub(began.0));
                    out(Observation::Unseen {
                        time: began,
                        what: format!("calls in {}", String::from_utf8_lossy(path)),
                        why: format!(
                            "it was not known before it ran, and is watched since {:.1} ms after its start",
                            late.0 as f64 / 1e6
                        ),
                    });
                }
            }
            Err(why) => out(Observation::Unseen {
                time: now(),
                what: format!("calls in {}", String::from_utf8_lossy(path)),
                why,
            }),
        }
    }

    /// Returns how many functions are watched now.
    fn arm(
        &mut self,
        key: ExeKey,
        path: &[u8],
        out: &mut dyn FnMut(Observation),
    ) -> Result<usize, String> {
        let file = plain_file::open(Path::new(OsStr::from_bytes(path)));
        let file = file.map_err(|error| error.to_string())?;
        let size = file.metadata().map_err(|error| error.to_string())?.size();
        if size != key.size {
            return Err("another file is there now".to_owned());
        }
        let view = FileView::map(&file).map_err(|error| error.to_string())?;
        let elf = Elf::parse(view.bytes()).map_err(|error| error.to_string())?;
        let plan = self
            .watch
            .plan(&elf, path)
            .map_err(|error| error.to_string())?;
        let layout = RuntimeLayout::of(&elf)
            .ok()
            .filter(|layout| !layout.assumed);
        let goid = layout.map_or(0, |layout| layout.fields.g_goid);
        let build_id = elf.build_id().unwrap_or_default();
        self.tell_left_out(path, &plan, out);
        self.attach(&file, &plan, goid)?;
        for function in &plan.functions {
            let probe = ProbeId(self.next);
            self.next += 1;
            out(Observation::Probed(Box::new(
                self.probed(probe, function, path, build_id),
            )));
        }
        Ok(plan.functions.len())
    }

    fn attach(&mut self, file: &File, plan: &Plan, goid: u16) -> Result<(), String> {
        let mut places = Vec::new();
        for (number, function) in (self.next..).zip(&plan.functions) {
            if number >= TRIAL.0 {
                return Err("more functions than a run can watch".to_owned());
            }
            let sites = function.sites.iter();
            let known = (self.watch.argument(function), goid);
            places.extend(sites.map(|site| (site.offset, cookie(number, function, site, known))));
        }
        if places.is_empty() {
            return Ok(());
        }
        let links = self.attacher.attach(file, &places);
        let links = links
            .map_err(|error| format!("{} places could not be probed: {error}", places.len()))?;
        self.links.extend(links);
        Ok(())
    }

    fn tell_left_out(&self, path: &[u8], plan: &Plan, out: &mut dyn FnMut(Observation)) {
        let path = String::from_utf8_lossy(path);
        for left_out in &plan.left_out {
            out(Observation::Unseen {
                time: now(),
                what: format!(
                    "calls of {} in {path}",
                    String::from_utf8_lossy(&left_out.name)
                ),
                why: left_out.why.to_string(),
            });
        }
    }

    fn probed(&self, probe: ProbeId, function: &Planned, path: &[u8], build_id: &[u8]) -> Probed {
        let cost = |site: &PlannedSite| match site.stepping {
            Stepping::Emulated => self.costs.emulated,
            Stepping::SingleStepped => self.costs.single_stepped,
        };
        let entry = |site: &&PlannedSite| site.edge == CallEdge::Entry;
        let entry = function.sites.iter().find(entry);
        let exits = function
            .sites
            .iter()
            .filter(|site| site.edge != CallEdge::Entry);
        Probed {
            probe,
            path: path.to_vec(),
            build_id: build_id.to_vec(),
            function: function.name.clone(),
            file: function.file.clone(),
            entry: entry.map_or(0, |site| site.offset),
            instruction: entry.map_or_else(String::new, |site| site.text.clone()),
            entry_cost: entry.map_or(Nanos::ZERO, cost),
            exits: u32::try_from(exits.clone().count()).unwrap_or(u32::MAX),
            exit_cost: exits.map(cost).max().unwrap_or_default(),
            set: function.set.clone().unwrap_or_default(),
            phase: function.phase.clone(),
            argument: self.watch.argument(function),
        }
    }
}

fn cookie(
    number: u32,
    function: &Planned,
    site: &PlannedSite,
    (argument, goid): (ArgumentKind, u16),
) -> u64 {
    let edge = match site.edge {
        CallEdge::Entry => 0,
        CallEdge::Exit => 1,
        CallEdge::TailJump => 2,
    };
    let argument = match argument {
        ArgumentKind::None => 0,
        ArgumentKind::Integer => INTEGER,
        ArgumentKind::Text => TEXT,
    };
    let register = if function.g_in_register { REGISTER } else { 0 };
    u64::from(number) & ((1 << PROBE_BITS) - 1)
        | edge << EDGE_SHIFT
        | register
        | argument
        | u64::from(goid) << GOID_SHIFT
        | u64::from(site.stack_depth) << DEPTH_SHIFT
}
