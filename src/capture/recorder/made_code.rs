//! Code that programs made while they ran: frames in it, and what it was made from, as far as perf
//! maps tell.
//!
//! Translated code comes here where its translator could not be looked into, else it has the
//! guest's addresses already.

use super::space::AddressSpace;
use crate::capture::decode::perf_map::{Made, Search};
use crate::trace::{FrameId, FramePlace, ImageId, MadeFrom, Pid};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Frames that are remembered at most, of all processes.
const MOST_FRAMES: usize = 1 << 20;
/// So much of a map is read, and of one line: some ten times what qemu writes for Go's compiler.
const MOST_BYTES: u64 = 256 << 20;
const MOST_OF_LINE: u64 = 4096;

/// Frames in made code, by process.
#[derive(Debug)]
pub(super) struct MadeCode {
    /// Where maps are.
    folder: PathBuf,
    /// Who may have written them.
    owners: Vec<u32>,
    /// Older maps are of other processes.
    since: SystemTime,
    images: FxHashSet<ImageId>,
    met: FxHashMap<Pid, Process>,
    frames: usize,
}

#[derive(Debug, Default)]
struct Process {
    frames: FxHashMap<u64, Vec<FrameId>>,
    /// What was mapped when it ended.
    space: AddressSpace,
}

impl MadeCode {
    pub(super) fn new(folder: PathBuf, owners: Vec<u32>, since: SystemTime) -> Self {
        Self {
            folder,
            owners,
            since,
            images: FxHashSet::default(),
            met: FxHashMap::default(),
            frames: 0,
        }
    }

    /// Memory without a file has code.
    pub(super) fn mapped(&mut self, image: ImageId) {
        self.images.insert(image);
    }

    /// A frame was seen, with the address to look it up by.
    pub(super) fn seen(&mut self, pid: Pid, address: u64, frame: FrameId, place: FramePlace) {
        let FramePlace::Image(image, _) = place else {
            return;
        };
        if !self.images.contains(&image) || self.frames >= MOST_FRAMES {
            return;
        }
        let process = self.met.entry(pid).or_default();
        let frames = process.frames.entry(address).or_default();
        if !frames.contains(&frame) {
            frames.push(frame);
            self.frames += 1;
        }
    }

    /// A process begins another program, whose map will take the place of the one before.
    pub(super) fn replaced(&mut self, pid: Pid) {
        self.met.remove(&pid);
    }

    /// A process ends, with this mapped in it.
    pub(super) fn ends(&mut self, pid: Pid, space: &AddressSpace) {
        if let Some(process) = self.met.get_mut(&pid) {
            process.space = space.clone();
        }
    }

    /// What frames were made from. What is not the same in all processes is not told.
    pub(super) fn origins(self) -> Vec<(FrameId, MadeFrom)> {
        let mut all: FxHashMap<FrameId, Option<MadeFrom>> = FxHashMap::default();
        for (pid, process) in &self.met {
            let path = self.folder.join(format!("perf-{}.map", pid.0));
            let Ok(map) = self.open(&path) else { continue };
            let mut search = Search::new(process.frames.keys().copied());
            // What could be read, counts.
            drop(read(map, &mut search));
            for (address, made) in search.found() {
                let Some(from) = process.origin(made) else {
                    continue;
                };
                for frame in process.frames.get(&address).into_iter().flatten() {
                    let known = all.entry(*frame).or_insert_with(|| Some(from.clone()));
                    if known.as_ref() != Some(&from) {
                        *known = None;
                    }
                }
            }
        }
        let all = all.into_iter();
        all.filter_map(|(frame, from)| Some((frame, from?)))
            .collect()
    }

    /// Opens a map that the process can have written: anyone may put a file there.
    fn open(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = options.read(true).custom_flags(flags).open(path)?;
        let about = file.metadata()?;
        let is_its = self.owners.contains(&about.uid()) && about.modified()? >= self.since;
        match about.is_file() && is_its {
            true => Ok(file),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl Process {
    fn origin(&self, made: Made) -> Option<MadeFrom> {
        match made {
            Made::Function(name) => Some(MadeFrom::Function(name)),
            Made::Guest(address) => match self.space.place(address, address) {
                place @ FramePlace::Image(..) => Some(MadeFrom::Code(place)),
                _ => None,
            },
        }
    }
}

fn read(map: File, search: &mut Search) -> io::Result<()> {
    let mut map = BufReader::new(map.take(MOST_BYTES));
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut map).take(MOST_OF_LINE).read_until(b'\n', &mut line)? {
            0 => return Ok(()),
            _ => search.line(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::ImageOffset;
    use std::time::Duration;

    const MADE: ImageId = ImageId(1);
    const PROGRAM: ImageId = ImageId(2);
    const PID: Pid = Pid(7);

    fn in_image(image: ImageId, offset: u64) -> FramePlace {
        FramePlace::Image(image, ImageOffset(offset))
    }

    /// Two processes with a frame each at the same address of made code, and one more.
    fn met(folder: &Path) -> MadeCode {
        let owner = std::fs::metadata(folder).expect("folder").uid();
        let since = SystemTime::now() - Duration::from_secs(60);
        let mut made = MadeCode::new(folder.to_owned(), vec![owner], since);
        made.mapped(MADE);
        let mut space = AddressSpace::default();
        space.map(0x1_0000, 0x2_0000, 0x200, PROGRAM);
        for pid in [PID, Pid(8)] {
            made.seen(pid, 0x8010, FrameId(3), in_image(MADE, 0x8010));
            made.ends(pid, &space);
        }
        made.seen(PID, 0x8020, FrameId(4), in_image(MADE, 0x8020));
        made.seen(PID, 0x1_0000, FrameId(5), in_image(PROGRAM, 0x200));
        made
    }

    fn write(folder: &Path, pid: u32, text: &[u8]) {
        std::fs::write(folder.join(format!("perf-{pid}.map")), text).expect("written");
    }

    #[test]
    fn frames_are_those_of_the_program_that_the_map_names() {
        let folder = tempfile::tempdir().expect("folder");
        write(
            folder.path(),
            7,
            b"8000 20 guest-0x10040\n8020 8 main.f+0x10\n",
        );
        let mut origins = met(folder.path()).origins();
        origins.sort_by_key(|(frame, _)| *frame);
        let expected = [
            (FrameId(3), MadeFrom::Code(in_image(PROGRAM, 0x240))),
            (FrameId(4), MadeFrom::Function(b"main.f".to_vec())),
        ];
        assert_eq!(origins, expected);
    }

    #[test]
    fn what_two_processes_tell_differently_is_not_told() {
        let folder = tempfile::tempdir().expect("folder");
        write(folder.path(), 7, b"8000 20 guest-0x10040\n");
        write(folder.path(), 8, b"8000 20 guest-0x10044\n");
        assert_eq!(met(folder.path()).origins(), []);
        write(folder.path(), 8, b"8000 20 guest-0x10040\n");
        assert_eq!(met(folder.path()).origins().len(), 1);
        // The guest has nothing there.
        write(folder.path(), 7, b"8000 20 guest-0x40040\n");
        write(folder.path(), 8, b"");
        assert_eq!(met(folder.path()).origins(), []);
    }

    #[test]
    fn a_map_that_another_user_or_another_process_left_is_not_read() {
        let folder = tempfile::tempdir().expect("folder");
        write(folder.path(), 7, b"8000 20 f\n");
        let mut made = met(folder.path());
        made.since = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(made.origins(), []);
        let mut made = met(folder.path());
        made.owners.clear();
        assert_eq!(made.origins(), []);
        let mut made = met(folder.path());
        made.replaced(PID);
        assert_eq!(made.origins(), []);
        let real = folder.path().join("real");
        std::fs::rename(folder.path().join("perf-7.map"), &real).expect("moved");
        std::os::unix::fs::symlink(&real, folder.path().join("perf-7.map")).expect("linked");
        assert_eq!(met(folder.path()).origins(), []);
    }

    #[test]
    fn lines_without_end_and_any_bytes_are_read_through() {
        let folder = tempfile::tempdir().expect("folder");
        let mut map = vec![b'x'; 3 << 20];
        map.extend((0..=255).cycle().take(4096).collect::<Vec<u8>>());
        map.extend(b"\n8000 20 f\n");
        write(folder.path(), 7, &map);
        assert_eq!(met(folder.path()).origins().len(), 1);
    }
}
