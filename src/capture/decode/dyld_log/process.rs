//! Lines of each process to events: images from several lines, targets joined with slots.
//!
//! dyld fixes images up one after the other: first it prints the targets of one, numbered from 0, then
//! the slots that it writes, with these numbers. So one image's targets are kept for a process, and go
//! when the next image's come.

use super::images::{Image, Images};
use super::line::{Line, ROSETTA, Table, Wrote};
use super::{Bound, Event, Loaded, Looked, Name, Origin, Outcome, Segment, Slot};
use crate::trace::{Avma, Pid};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Processes that are remembered at a time.
const MOST_PROCESSES: usize = 512;
/// Segments of an image.
const MOST_SEGMENTS: usize = 64;
/// Bytes of names and numbers that are kept of all processes.
const MOST_BYTES: u64 = 256 << 20;
/// What a target takes besides its name.
const TARGET_BYTES: u64 = 96;
/// The longest text of a failure.
const LONGEST_FAILURE: usize = 64 << 10;

/// What could not be told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missing {
    pub(super) unknown: u64,
    pub(super) unjoined: u64,
    pub(super) forgotten: u64,
}

/// Takes events.
type Out<'o> = &'o mut dyn FnMut(Pid, Event);

/// All processes.
#[derive(Debug)]
pub(super) struct Processes {
    all: FxHashMap<u32, Process>,
    lines: u64,
    missing: Missing,
    most_bytes: u64,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            all: FxHashMap::default(),
            lines: 0,
            missing: Missing::default(),
            most_bytes: MOST_BYTES,
        }
    }
}

/// A target of the image that is being fixed up.
#[derive(Debug)]
struct Target {
    symbol: Vec<u8>,
    provider: Option<Name>,
    address: Option<u64>,
    used: bool,
}

/// The image that is being fixed up.
#[derive(Debug, Default)]
struct Fixing {
    leaf: Vec<u8>,
    binds: FxHashMap<u64, Target>,
    weak: FxHashMap<u64, Target>,
    /// The numbers of `binds` by address, once slots come without numbers.
    by_address: Option<FxHashMap<u64, u64>>,
    /// The image, once a slot was seen in it.
    image: Option<Arc<Image>>,
    opened: bool,
    bytes: u64,
}

/// An image of which not all lines have come.
#[derive(Debug)]
struct Draft {
    loaded: Loaded,
    /// The line of `DYLD_PRINT_LIBRARIES` has.
    said: bool,
}

#[derive(Debug, Default)]
struct Process {
    images: Images,
    /// An image of which not all lines have come.
    draft: Option<Draft>,
    /// `DYLD_PRINT_LIBRARIES` is on: an image without that line was not loaded.
    prints_libraries: bool,
    fixing: Fixing,
    failure: Vec<u8>,
    wanted: Name,
    /// A path that is being looked at.
    looking: Option<Vec<u8>>,
    /// Calls of `dlopen` that have not returned.
    opening: u32,
    last_line: u64,
}

impl Processes {
    pub(super) fn line(&mut self, pid: u32, line: &Line<'_>, out: Out<'_>) {
        self.lines = self.lines.saturating_add(1);
        if !self.all.contains_key(&pid) && self.all.len() >= MOST_PROCESSES {
            self.forget_oldest(out);
        }
        let process = self.all.entry(pid).or_default();
        process.last_line = self.lines;
        let mut tell = |event| out(Pid(pid), event);
        process.read(line, &mut self.missing, &mut tell);
        if self.lines.is_multiple_of(1024) && self.bytes() > self.most_bytes {
            self.forget_largest(out);
        }
    }

    pub(super) fn finish(&mut self, out: Out<'_>) -> Missing {
        let mut pids: Vec<u32> = self.all.keys().copied().collect();
        pids.sort_unstable();
        for pid in pids {
            self.forget(pid, out);
        }
        self.missing
    }

    fn bytes(&self) -> u64 {
        let bytes = self.all.values().map(Process::bytes);
        bytes.fold(0, u64::saturating_add)
    }

    fn forget_oldest(&mut self, out: Out<'_>) {
        let all = self.all.iter();
        let oldest = all.min_by_key(|(_, process)| process.last_line);
        if let Some(pid) = oldest.map(|(pid, _)| *pid) {
            self.forget(pid, out);
        }
    }

    /// Closes what the process that keeps most is fixing up; where its images are most, they go, too.
    fn forget_largest(&mut self, out: Out<'_>) {
        let largest = self
            .all
            .iter_mut()
            .max_by_key(|(_, process)| process.bytes());
        if let Some((pid, process)) = largest {
            let count = process
                .fixing
                .binds
                .len()
                .saturating_add(process.fixing.weak.len());
            self.missing.forgotten = self.missing.forgotten.saturating_add(count as u64);
            process.close(&mut |event| out(Pid(*pid), event));
            if process.bytes() > self.most_bytes / 2 {
                process.images = Images::default();
            }
        }
    }

    fn forget(&mut self, pid: u32, out: Out<'_>) {
        if let Some(mut process) = self.all.remove(&pid) {
            process.end(&mut |event| out(Pid(pid), event));
        }
    }
}

/// Takes the events of one process.
type Tell<'t> = &'t mut dyn FnMut(Event);

impl Process {
    /// What is kept of it.
    fn bytes(&self) -> u64 {
        self.fixing.bytes.saturating_add(self.images.bytes())
    }

    fn read(&mut self, line: &Line<'_>, missing: &mut Missing, tell: Tell<'_>) {
        if !matches!(line, Line::More { .. }) {
            self.fail(tell);
        }
        match line {
            Line::Library { .. }
            | Line::KernelMapped { .. }
            | Line::Mapping { .. }
            | Line::Cached { .. }
            | Line::Segment { .. } => self.image(line, tell),
            Line::Loader | Line::Ignored => {}
            Line::Unknown => missing.unknown = missing.unknown.saturating_add(1),
            Line::Target { .. } => self.target(line, missing, tell),
            Line::Fixup { slot, value, wrote } => {
                self.fixup((*slot, *value), *wrote, missing, tell)
            }
            Line::Find { .. }
            | Line::Possible { .. }
            | Line::Found { .. }
            | Line::Unusable { .. }
            | Line::Missed { .. }
            | Line::Refused { .. }
            | Line::NotFound => self.search(line, tell),
            Line::More { what, text } => self.fails_further(&[b"\n", *what, text].concat()),
            Line::Failure { what, text } => self.fails(what, text),
            _ => self.other(line, tell),
        }
    }

    /// The process has ended, or is not to be remembered.
    fn end(&mut self, tell: Tell<'_>) {
        self.fail(tell);
        self.complete(tell);
        self.looked(Looked::Missing, tell);
        self.close(tell);
    }

    fn image(&mut self, line: &Line<'_>, tell: Tell<'_>) {
        match *line {
            Line::Library { uuid, path } => {
                self.prints_libraries = true;
                let mapped = |draft: &mut Draft| !draft.said && *draft.loaded.path == *path;
                let mapped = self.draft.take_if(mapped);
                let is_whole = mapped.is_some();
                self.complete(tell);
                let mut draft = mapped.unwrap_or_else(|| self.draft(path, Origin::Unsaid));
                draft.said = true;
                draft.loaded.uuid = uuid_of(uuid);
                self.draft = Some(draft);
                // The segments of the program itself come after this line.
                if is_whole {
                    self.complete(tell);
                }
            }
            Line::KernelMapped { path } => {
                let said = |draft: &mut Draft| {
                    *draft.loaded.path == *path && draft.loaded.origin == Origin::Unsaid
                };
                let said = self.draft.take_if(said);
                self.end(tell);
                *self = Self {
                    last_line: self.last_line,
                    prints_libraries: said.is_some(),
                    ..Self::default()
                };
                let mut draft = self.draft(path, Origin::Kernel);
                draft.loaded.uuid = said.and_then(|draft| draft.loaded.uuid);
                tell(Event::Began {
                    path: Arc::clone(&draft.loaded.path),
                });
                self.draft = Some(draft);
            }
            Line::Mapping { path, slice_offset } => {
                self.complete(tell);
                let slice = slice_offset;
                self.draft = Some(self.draft(path, Origin::File { slice }));
            }
            Line::Cached { path } => {
                self.complete(tell);
                self.draft = Some(self.draft(path, Origin::Cache));
            }
            Line::Segment {
                name,
                rights,
                start,
                end,
                paged_in: false,
            } => {
                let Some(Draft { loaded: draft, .. }) = &mut self.draft else {
                    return;
                };
                if name == ROSETTA {
                    draft.translated = Some((Avma(start), Avma(end)));
                } else if draft.segments.len() < MOST_SEGMENTS {
                    draft.segments.push(Segment {
                        name: name.to_vec(),
                        rights: rights.to_vec(),
                        start: Avma(start),
                        end: Avma(end),
                    });
                }
            }
            _ => {}
        }
    }

    fn draft(&self, path: &[u8], origin: Origin) -> Draft {
        let loaded = Loaded {
            path: path.into(),
            uuid: None,
            origin,
            segments: Vec::new(),
            translated: None,
            opened: self.opening > 0,
        };
        Draft {
            loaded,
            said: false,
        }
    }

    /// All lines of an image have come.
    fn complete(&mut self, tell: Tell<'_>) {
        let Some(Draft { loaded, said }) = self.draft.take() else {
            return;
        };
        let file = matches!(loaded.origin, Origin::File { .. });
        if file && !said && self.prints_libraries {
            // It was mapped, and could not be used after all.
            return;
        }
        self.images.add(&loaded);
        tell(Event::Loaded(loaded));
    }

    fn target(&mut self, line: &Line<'_>, missing: &mut Missing, tell: Tell<'_>) {
        let Line::Target {
            importer,
            number,
            address,
            provider,
            symbol,
            table,
        } = *line
        else {
            return;
        };
        self.complete(tell);
        if self.fixing.leaf != importer || self.is_anew(number, table) {
            self.close(tell);
            self.fixing.leaf = importer.to_vec();
            self.fixing.opened = self.opening > 0;
        }
        let fixing = &mut self.fixing;
        let bytes = (symbol.len() as u64).saturating_add(provider.len() as u64);
        fixing.bytes = fixing
            .bytes
            .saturating_add(bytes)
            .saturating_add(TARGET_BYTES);
        fixing.by_address = None;
        let targets = match table {
            Table::Weak => &mut fixing.weak,
            Table::Either if fixing.binds.contains_key(&number) => &mut fixing.weak,
            Table::Binds | Table::Either => &mut fixing.binds,
        };
        let target = Target {
            symbol: symbol.to_vec(),
            provider: self.images.provider(provider, address.unwrap_or(0)),
            address,
            used: false,
        };
        if targets.insert(number, target).is_some() {
            missing.unjoined = missing.unjoined.saturating_add(1);
        }
    }

    /// Whether this target is the first of another image with the same name.
    fn is_anew(&self, number: u64, table: Table) -> bool {
        let Fixing { binds, weak, .. } = &self.fixing;
        number == 0
            && match table {
                Table::Binds => !binds.is_empty() || !weak.is_empty(),
                Table::Weak => !weak.is_empty(),
                Table::Either => !binds.is_empty() && !weak.is_empty(),
            }
    }

    fn fixup(
        &mut self,
        (slot, value): (u64, u64),
        wrote: Wrote<'_>,
        missing: &mut Missing,
        tell: Tell<'_>,
    ) {
        self.complete(tell);
        let (table, leaf, number, numbered) = match wrote {
            Wrote::Other => return,
            Wrote::Target(table, leaf, number) => (table, leaf, number, true),
            Wrote::Skipped(leaf, number) => (Table::Weak, leaf, number, true),
            Wrote::Unsaid => match self.fixing.number_of(value) {
                // An address of the image itself, most likely.
                None => return,
                Some(number) => (Table::Binds, &[][..], number, false),
            },
        };
        let fixing = &mut self.fixing;
        let image = fixing.image.take_if(|image| image.holds(slot));
        let image = image.or_else(|| self.images.holder(slot, &fixing.leaf).cloned());
        let targets = match table {
            Table::Weak => &mut fixing.weak,
            Table::Binds | Table::Either => &mut fixing.binds,
        };
        let joined = !numbered || fixing.leaf == leaf;
        let Some(target) = targets.get_mut(&number).filter(|_| joined) else {
            missing.unjoined = missing.unjoined.saturating_add(1);
            return;
        };
        target.used = true;
        let slot = Slot {
            address: Avma(slot),
            offset: image.as_ref().and_then(|image| image.offset(slot)),
            numbered,
        };
        fixing.image = image;
        let bound = self.fixing.bound(table, number, Some(slot), &self.images);
        bound.map(tell);
    }

    /// No more slots come for the targets that are kept.
    fn close(&mut self, tell: Tell<'_>) {
        let fixing = std::mem::take(&mut self.fixing);
        for (table, targets) in [(Table::Binds, &fixing.binds), (Table::Weak, &fixing.weak)] {
            let unused = targets.iter().filter(|(_, target)| !target.used);
            let mut unused: Vec<u64> = unused.map(|(number, _)| *number).collect();
            unused.sort_unstable();
            for number in unused {
                let bound = fixing.bound(table, number, None, &self.images);
                bound.map(&mut *tell);
            }
        }
    }

    fn search(&mut self, line: &Line<'_>, tell: Tell<'_>) {
        match *line {
            Line::Find { path } => {
                self.complete(tell);
                self.looked(Looked::Missing, tell);
                self.wanted = path.into();
            }
            Line::Possible { path } => {
                self.looked(Looked::Missing, tell);
                self.looking = Some(path.to_vec());
            }
            Line::Found { how, path } => {
                // Where the path is another one, it was found behind a link.
                self.looking.get_or_insert_with(|| path.to_vec());
                self.looked(Looked::Found(how.to_vec()), tell);
            }
            Line::Unusable { path, why } => {
                self.looking = Some(path.to_vec());
                self.looked(Looked::Unusable(why.to_vec()), tell);
            }
            Line::Missed { path, errno } => {
                self.looking = Some(path.to_vec());
                self.looked(Looked::Errno(errno), tell);
            }
            Line::Refused { path, why } => {
                self.looking = Some(path.to_vec());
                self.looked(Looked::Unusable(why.to_vec()), tell);
            }
            _ => self.looked(Looked::Missing, tell),
        }
    }

    /// How the look at the last path ended; dyld prints nothing where there is no such file.
    fn looked(&mut self, looked: Looked, tell: Tell<'_>) {
        if let Some(path) = self.looking.take() {
            tell(Event::Searched {
                wanted: Arc::clone(&self.wanted),
                path,
                looked,
            });
        }
    }

    fn other(&mut self, line: &Line<'_>, tell: Tell<'_>) {
        self.complete(tell);
        match *line {
            Line::Bind {
                slot,
                value,
                importer,
                provider,
                symbol,
            } => {
                let image = self.images.holder(slot, importer);
                tell(Event::Bound(Bound {
                    importer: image
                        .map_or_else(|| importer.into(), |image| Arc::clone(&image.path)),
                    symbol: symbol.to_vec(),
                    provider: self.images.provider(provider, value),
                    outcome: Outcome::Bound(Avma(value)),
                    slot: Some(Slot {
                        address: Avma(slot),
                        offset: image.and_then(|image| image.offset(slot)),
                        numbered: true,
                    }),
                    weak: false,
                    opened: self.opening > 0,
                }));
            }
            Line::PageIn { path } => tell(Event::PagedIn { path: path.into() }),
            Line::Initializer { address, path } => {
                self.close(tell);
                tell(Event::Initializer {
                    address: Avma(address),
                    path: path.into(),
                });
            }
            Line::Interposed {
                by,
                symbol,
                from,
                to,
            } => tell(Event::Interposed {
                by: by.to_vec(),
                symbol: symbol.to_vec(),
                from: Avma(from),
                to: Avma(to),
            }),
            // Without a path it returns at once, and says nothing.
            Line::Open { path } if path == b"(null)" => {}
            Line::Open { .. } => self.opening = self.opening.saturating_add(1),
            Line::Opened => self.opening = self.opening.saturating_sub(1),
            Line::OpenFailed { why } => {
                self.opening = self.opening.saturating_sub(1);
                self.fails(b"", why);
            }
            Line::LookedUp { symbol, address } => {
                let image = address.and_then(|address| self.images.holder(address, b""));
                tell(Event::LookedUp {
                    symbol: symbol.to_vec(),
                    address: address.map(Avma),
                    provider: image.map(|image| Arc::clone(&image.path)),
                });
            }
            Line::Unmapped { start, end, path } => {
                self.images.remove(Avma(start));
                tell(Event::Unloaded {
                    path: path.into(),
                    range: (Avma(start), Avma(end)),
                });
            }
            _ => {}
        }
    }

    fn fails(&mut self, word: &[u8], text: &[u8]) {
        self.failure = [word, text].concat();
        self.failure.truncate(LONGEST_FAILURE);
    }

    fn fails_further(&mut self, text: &[u8]) {
        let room = LONGEST_FAILURE.saturating_sub(self.failure.len());
        let text = text.get(..room.min(text.len())).unwrap_or_default();
        self.failure.extend_from_slice(text);
    }

    fn fail(&mut self, tell: Tell<'_>) {
        if self.failure.is_empty() {
            return;
        }
        let mut why = std::mem::take(&mut self.failure);
        // `dlopen(NAME) => NULL, 'WHY'`
        if why.last() == Some(&b'\'') {
            why.pop();
        }
        tell(Event::Failed { why });
    }
}

impl Fixing {
    /// The target that has an address.
    fn number_of(&mut self, address: u64) -> Option<u64> {
        let binds = &self.binds;
        let by_address = self.by_address.get_or_insert_with(|| {
            let numbers = binds.iter();
            let mut numbers: Vec<_> = numbers
                .filter_map(|(number, target)| Some((target.address?, *number)))
                .collect();
            // Of several the first.
            numbers.sort_unstable_by(|one, other| other.cmp(one));
            numbers.into_iter().collect()
        });
        by_address.get(&address).copied().filter(|_| address != 0)
    }

    /// A target of this image, as an event.
    fn bound(
        &self,
        table: Table,
        number: u64,
        slot: Option<Slot>,
        images: &Images,
    ) -> Option<Event> {
        let target = match table {
            Table::Weak => self.weak.get(&number)?,
            Table::Binds | Table::Either => self.binds.get(&number)?,
        };
        let image = self.image.as_deref().or_else(|| images.only(&self.leaf));
        let address = target.address.filter(|address| *address != 0);
        Some(Event::Bound(Bound {
            importer: image.map_or_else(
                || self.leaf.as_slice().into(),
                |image| Arc::clone(&image.path),
            ),
            symbol: target.symbol.clone(),
            provider: target.provider.clone(),
            outcome: address.map_or(Outcome::Missing, |address| Outcome::Bound(Avma(address))),
            slot,
            weak: table == Table::Weak,
            opened: self.opened,
        }))
    }
}

fn uuid_of(text: &[u8]) -> Option<[u8; 16]> {
    let digits = text.iter().filter(|byte| **byte != b'-');
    let digits: String = digits.map(|byte| char::from(*byte)).collect();
    (digits.len() == 32).then_some(())?;
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
