//! What dynamic linking took: times of relocation in, what each program and each image had of them out.

use super::count::Counted;
use super::{Counts, Takes, image_name};
use crate::analyze::{Name, shares};
use crate::trace::{
    ImageId, ImageNeeds, LinkCause, Linking, Load, Nanos, ProcessId, StringId, Trace,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// Time of relocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Wall time.
    pub wall: Nanos,
    /// CPU time: as measured, or where it was not, the wall time as far as that is told.
    pub cpu: Nanos,
    /// How much of `cpu` was not measured.
    pub unmeasured: Nanos,
    /// How many times of relocation: one a program, and one for each `dlopen`.
    pub count: u64,
}

impl Cost {
    fn add(&mut self, linking: &Linking) {
        let wall = linking.to.since(linking.from);
        self.wall += wall;
        self.cpu += linking.cpu.unwrap_or(wall);
        self.unmeasured += linking.cpu.map_or(wall, |_| Nanos::ZERO);
        self.count += 1;
    }
}

/// All images of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageRow {
    /// Path.
    pub image: Name,
    /// How often it was loaded.
    pub loads: u64,
    /// Of these, how often because the program asked for it while it ran.
    pub dlopens: u64,
    /// Programs that loaded it.
    pub processes: u64,
    /// Its relocations; `None` where its file was not read.
    pub relocations: Option<u64>,
    /// Why its file could not be read, or not to its end.
    pub unread: Option<Name>,
    /// What it wanted bound.
    pub wants: Counts,
    /// What others wanted of it.
    pub gives: Counts,
    /// Its part of the CPU time of relocation, by how much there is to relocate: an estimate.
    pub estimate: Nanos,
}

/// Rows of images, costs of programs, and the cost of all.
pub(super) fn of(
    trace: &Trace,
    takes: &Takes,
    counted: &Counted,
) -> (Vec<ImageRow>, FxHashMap<ProcessId, Cost>, Cost) {
    let needs: FxHashMap<ImageId, &ImageNeeds> =
        trace.needs.iter().map(|one| (one.image, one)).collect();
    let mut images = Images::default();
    let mut loads: FxHashMap<ProcessId, Vec<&Load>> = FxHashMap::default();
    for load in &trace.loads {
        loads.entry(load.process).or_default().push(load);
        if takes.at(load.process, load.time) {
            images.loaded(trace, load);
        }
    }
    let mut by_process: FxHashMap<ProcessId, Cost> = FxHashMap::default();
    let mut all = Cost::default();
    let mut ends: FxHashMap<ProcessId, Nanos> = FxHashMap::default();
    // Binds at first calls are made outside of these times.
    for linking in trace.linkings.iter().filter(|_| !takes.lazy) {
        let since = ends.insert(linking.process, linking.to).unwrap_or_default();
        if !takes.at(linking.process, linking.from) {
            continue;
        }
        all.add(linking);
        by_process.entry(linking.process).or_default().add(linking);
        let relocated = loads.get(&linking.process).into_iter().flatten();
        let relocated = relocated.filter(|load| is_relocated(load, linking, since));
        let work: Vec<(ImageId, u64)> = relocated
            .filter_map(|load| Some((load.image, shares::work(needs.get(&load.image)?))))
            .collect();
        let cpu = linking.cpu.unwrap_or(linking.to.since(linking.from));
        for (image, part) in shares::share(cpu, &work) {
            images.row(trace, image).estimate += part;
        }
    }
    for (image, (wants, gives)) in &counted.by_image {
        let row = images.row(trace, *image);
        row.wants.add_all(wants);
        row.gives.add_all(gives);
    }
    for (image, needs) in needs {
        let Some(row) = images.known(trace, image) else {
            continue;
        };
        let relocations = needs.relocations.total();
        if needs.unread != StringId::EMPTY {
            row.unread = Some(Name::from(trace.strings.get(needs.unread)));
        }
        if row.unread.is_none() || relocations > 0 {
            row.relocations = Some(row.relocations.unwrap_or(0).max(relocations));
        }
    }
    (images.rows(takes.lazy), by_process, all)
}

/// Whether an image was relocated in this time: at the start all that were loaded for it; later, what
/// was loaded since the time before.
fn is_relocated(load: &Load, linking: &Linking, since: Nanos) -> bool {
    load.cause == linking.cause
        && load.time <= linking.to
        && (load.cause == LinkCause::Start || load.time >= since)
}

/// Rows by path.
#[derive(Default)]
struct Images {
    paths: FxHashMap<Name, ImageRow>,
    seen: FxHashSet<(Name, ProcessId)>,
}

impl Images {
    fn row(&mut self, trace: &Trace, image: ImageId) -> &mut ImageRow {
        self.paths
            .entry(image_name(trace, image))
            .or_insert_with_key(|name| ImageRow {
                image: name.clone(),
                ..ImageRow::default()
            })
    }

    fn known(&mut self, trace: &Trace, image: ImageId) -> Option<&mut ImageRow> {
        self.paths.get_mut(&image_name(trace, image))
    }

    fn loaded(&mut self, trace: &Trace, load: &Load) {
        let first = self
            .seen
            .insert((image_name(trace, load.image), load.process));
        let row = self.row(trace, load.image);
        row.loads += 1;
        row.dlopens += u64::from(load.cause == LinkCause::Dlopen);
        row.processes += u64::from(first);
    }

    /// The costliest first; of `lazy` binds, which have no times, those with most.
    fn rows(self, lazy: bool) -> Vec<ImageRow> {
        let mut rows: Vec<ImageRow> = self.paths.into_values().collect();
        rows.sort_by(|a, b| {
            let order = |row: &ImageRow| {
                let binds = (row.wants.total(), row.gives.total());
                let first = if lazy { binds } else { (0, 0) };
                (first, row.estimate, row.loads, binds.1)
            };
            order(b).cmp(&order(a)).then_with(|| a.image.cmp(&b.image))
        });
        rows
    }
}
