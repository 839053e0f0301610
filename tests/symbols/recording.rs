//! Traces in the making: frames are asked for, and have names when the trace is read.

use gotrace::symbolize;
use gotrace::trace::file::Writer;
use gotrace::trace::{
    Arch, Avma, ClockAnchor, Exec, Frame, FrameId, FramePlace, FrameRole, Image, ImageId,
    ImageKind, ImageOffset, MadeFrom, Mapping, Nanos, Pid, Process, ProcessId, Record, Trace,
    Unnamed,
};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Functions of a frame, innermost first: name, file, line.
pub(crate) type Names = Result<Vec<(String, String, u32)>, Unnamed>;

/// A trace in the making, of one image.
pub(crate) struct Recording {
    folder: tempfile::TempDir,
    pub(crate) writer: Writer,
    pub(crate) image: ImageId,
    pub(crate) origins: Vec<(FrameId, MadeFrom)>,
}

impl Recording {
    pub(crate) fn of(path: &Path, kind: ImageKind, build_id: &[u8]) -> Self {
        Self::by(Arch::Unknown, path, kind, build_id)
    }

    /// The same, of an image that a program of this architecture mapped.
    pub(crate) fn by(arch: Arch, path: &Path, kind: ImageKind, build_id: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let anchor = ClockAnchor {
            monotonic_ns: 0,
            unix_ns: now(),
        };
        let mut writer = Writer::create(&folder.path().join("t.gotrace"), anchor).unwrap();
        let image = Image {
            path: writer.string(path.as_os_str().as_bytes()),
            build_id: build_id.to_vec(),
            kind,
            ..Image::default()
        };
        let image = writer.image(&image);
        let process = Process {
            id: ProcessId(0),
            pid: Pid(7),
            parent: None,
            predecessor: None,
            start: Nanos::ZERO,
            exec_at: Nanos::ZERO,
            exec: Exec {
                arch,
                ..Exec::default()
            },
            exit: None,
            counts: None,
            own: false,
        };
        let mapping = Mapping {
            time: Nanos::ZERO,
            process: process.id,
            image,
            start: Avma(0),
            end: Avma(1 << 30),
            offset: ImageOffset(0),
        };
        writer.record(Record::ProcessStarted(process)).unwrap();
        writer.record(Record::Mapping(mapping)).unwrap();
        Self {
            folder,
            writer,
            image,
            origins: Vec::new(),
        }
    }

    pub(crate) fn of_file(path: &Path) -> Self {
        Self::of(path, ImageKind::File, &[])
    }

    pub(crate) fn ask(&mut self, place: FramePlace, role: FrameRole) -> FrameId {
        self.writer.frame(Frame { place, role })
    }

    pub(crate) fn offset(&mut self, offset: u64, role: FrameRole) -> FrameId {
        self.ask(FramePlace::Image(self.image, ImageOffset(offset)), role)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("t.gotrace")
    }

    /// Names everything that was asked for, and reads the trace anew.
    pub(crate) fn named(mut self, held: Option<File>) -> Vec<Names> {
        let held: Vec<(ImageId, File)> = held.map(|file| (self.image, file)).into_iter().collect();
        symbolize::name_frames(&mut self.writer, &held, &self.origins).unwrap();
        let path = self.path();
        self.writer.finish().unwrap();
        names_of(&Trace::open(&path).unwrap())
    }
}

pub(crate) fn names_of(trace: &Trace) -> Vec<Names> {
    let ids = (0..).take(trace.frames.len()).map(FrameId);
    let names = ids.map(|frame| {
        let locations = trace.symbol(frame)?.iter().map(|location| {
            let function = &trace.functions[location.function.index()];
            let text = |id| trace.text(id).into_owned();
            (text(function.name), text(function.file), location.line)
        });
        Ok(locations.collect())
    });
    names.collect()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}
