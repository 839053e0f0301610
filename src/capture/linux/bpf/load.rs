//! Loads the BPF programs and attaches them to one tree of processes: what needs rights.
//!
//! In: the tree's root. Out: [`Descriptors`], which keep the programs at work as long as they are
//! open, wherever: the process that loads may hand them to another and end.
#![cfg_attr(
    not(feature = "bpf"),
    expect(dead_code, reason = "what is here is for the loader")
)]

use super::attach::Attacher;
use super::{Options, RunningProcess};
use crate::capture::linux::sys;
use crate::environment::translator::{self, BinfmtEntry};
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;

/// What watching consists of. When they are closed, it ends.
#[derive(Debug)]
pub(super) struct Descriptors {
    /// Ring buffer of records.
    pub(super) ring: OwnedFd,
    /// Counters, shared.
    pub(super) counters: OwnedFd,
    /// Layouts of executables, shared.
    pub(super) layouts: OwnedFd,
    /// Attached programs.
    pub(super) links: Vec<OwnedFd>,
    /// Perf side-band, one a processor.
    pub(super) side: Vec<OwnedFd>,
    /// What puts the probing program to its places, where any is asked for.
    pub(super) attacher: Option<Attacher>,
    /// Which generation of each probe counts, shared; likewise.
    pub(super) generations: Option<OwnedFd>,
    /// Hits of probes, shared; likewise.
    pub(super) lanes: Option<SharedLanes>,
}

/// Memory that hits of probes are put into: a lane for each processor.
#[derive(Debug)]
pub(super) struct SharedLanes {
    /// The map.
    pub(super) map: OwnedFd,
    /// How many there are.
    pub(super) count: usize,
    /// Entries of each: a power of two.
    pub(super) entries: usize,
}

/// Why loading failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// A step failed.
    #[error("{step} failed")]
    Step {
        /// Which.
        step: String,
        /// How.
        #[source]
        source: io::Error,
    },
    /// This build holds no loader.
    #[cfg(not(feature = "bpf"))]
    #[error("gotrace was built without the feature bpf")]
    NotBuilt,
}

fn step(step: impl Into<String>) -> impl FnOnce(io::Error) -> LoadError {
    move |source| LoadError::Step {
        step: step.into(),
        source,
    }
}

/// Whom to watch, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Root of the tree: a process that has not called exec yet, or runs already.
    pub(super) root: u32,
    /// Show only processes of this user; `None` for everybody's.
    pub(super) user: Option<u32>,
    /// The root runs its program already.
    pub(super) running: Option<RunningProcess>,
}

#[cfg(not(feature = "bpf"))]
pub(super) fn load(_target: Target, _options: &Options) -> Result<Descriptors, LoadError> {
    Err(LoadError::NotBuilt)
}

#[cfg(feature = "bpf")]
pub(super) fn load(target: Target, options: &Options) -> Result<Descriptors, LoadError> {
    libbpf::load(target, options)
}

/// What tells this gotrace's programs, and so the form of their records, from another's.
pub(super) fn checksum() -> u32 {
    #[cfg(feature = "bpf")]
    return crc32fast::hash(libbpf::OBJECT);
    #[cfg(not(feature = "bpf"))]
    0
}

/// The processors that are switched on.
fn processors() -> Result<Vec<u32>, LoadError> {
    const PATH: &str = "/sys/devices/system/cpu/online";
    let text = std::fs::read_to_string(PATH).map_err(step(format!("reading {PATH}")))?;
    Ok(parse_processors(text.trim()))
}

/// `0-3,5` is 0, 1, 2, 3 and 5.
fn parse_processors(text: &str) -> Vec<u32> {
    text.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
        })
        .flatten()
        .collect()
}

fn side_band(root: u32) -> Result<Vec<OwnedFd>, LoadError> {
    // A translator maps the code of what it runs so that it is only read.
    let all = translator::binfmt_entries()
        .iter()
        .any(BinfmtEntry::is_for_programs);
    processors()?
        .into_iter()
        .map(|cpu| {
            sys::side_event(root, cpu, all).map_err(step(format!(
                "perf_event_open for process {root} on processor {cpu}"
            )))
        })
        .collect()
}

fn clocks(rate_hz: u32) -> Result<Vec<OwnedFd>, LoadError> {
    let Some(period) = super::period_of(rate_hz) else {
        return Ok(Vec::new());
    };
    let event = |(cpu, period): (u32, NonZero<u64>)| {
        sys::clock_event(cpu, period).map_err(step(format!(
            "perf_event_open for a clock on processor {cpu}"
        )))
    };
    processors()?
        .into_iter()
        .map(|cpu| event((cpu, period)))
        .collect()
}

#[cfg(feature = "bpf")]
mod libbpf {
    use super::super::attach::Programs;
    use super::{
        Attacher, Descriptors, LoadError, Options, SharedLanes, Target, clocks, side_band, step,
        sys,
    };
    use libbpf_rs::{Map, MapCore as _, MapFlags, Object, ObjectBuilder, OpenObject, ProgramMut};
    use std::ffi::OsStr;
    use std::io;
    use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

    #[cfg(target_arch = "x86_64")]
    pub(super) static OBJECT: &[u8] =
        include_bytes!("../../../../probes/prebuilt/linux-amd64/gotrace.bpf.o");
    #[cfg(target_arch = "aarch64")]
    pub(super) static OBJECT: &[u8] =
        include_bytes!("../../../../probes/prebuilt/linux-arm64/gotrace.bpf.o");

    /// `struct process` of gotrace.bpf.c: executable (3 numbers), start of code, largest resident
    /// set, run delay; then 32-bit: threads, status, hidden, forked; then what it translates (3), and where.
    const PROCESS_BYTES: usize = 6 * 8 + 4 * 4 + 4 * 8;
    const PROCESS_THREADS: usize = 6 * 8;
    const PROCESS_HIDDEN: usize = PROCESS_THREADS + 2 * 4;

    /// The probing program, for many places at once and for one.
    const MANY: &str = "on_probe";
    const ONE: &str = "on_probe_single";
    /// Where each leaves for another one, which records arguments, too.
    const WITH_ARGUMENT: [(&str, &str); 2] = [
        ("many_with_argument", "on_argument"),
        ("one_with_argument", "on_argument_single"),
    ];

    /// Hits that a lane keeps until they are read, a power of two: of sets, which have some
    /// thousands in a whole build, and where the user names functions, which may be hit a million
    /// times a second.
    const ENTRIES_OF_SETS: usize = 8_192;
    const ENTRIES: usize = 65_536;
    /// Of all lanes together at most: 64 MiB.
    const MAX_ENTRIES: usize = (64 << 20) / sys::LANE_ENTRY_BYTES;
    const LANE_MAP: &str = "lanes";

    /// gotrace is woken when the ring buffer is filled to one part in so many.
    const WAKE_SHARE: u32 = 4;

    fn failed(what: impl Into<String>) -> impl FnOnce(libbpf_rs::Error) -> LoadError {
        |error| {
            let kind = match error.kind() {
                libbpf_rs::ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
                libbpf_rs::ErrorKind::NotFound => io::ErrorKind::NotFound,
                _ => io::ErrorKind::Other,
            };
            step(what)(io::Error::new(kind, error))
        }
    }

    pub(super) fn load(target: Target, options: &Options) -> Result<Descriptors, LoadError> {
        libbpf_rs::set_print(None);
        let open = ObjectBuilder::default()
            .name("gotrace")
            .and_then(|builder| builder.open_memory(OBJECT))
            .map_err(failed("opening the BPF object"))?;
        let open = configure(open, target, options)?;
        let object = open.load().map_err(failed("loading the BPF programs"))?;
        let side = side_band(target.root)?;
        let links = attach(&object, options)?;
        enter_root(&object, target)?;
        Ok(Descriptors {
            ring: descriptor(&object, "events")?,
            counters: descriptor(&object, "counts")?,
            layouts: descriptor(&object, "layouts")?,
            links,
            side,
            attacher: attacher(&object, options)?,
            generations: Some(descriptor(&object, "generations")?),
            lanes: shared_lanes(&object, options)?,
        })
    }

    fn shared_lanes(object: &Object, options: &Options) -> Result<Option<SharedLanes>, LoadError> {
        if options.watch.is_empty() {
            return Ok(None);
        }
        let (count, entries) = lane_sizes(options)?;
        Ok(Some(SharedLanes {
            map: descriptor(object, LANE_MAP)?,
            count,
            entries,
        }))
    }

    /// How many lanes, one for each processor that there can ever be, and how many entries each.
    fn lane_sizes(options: &Options) -> Result<(usize, usize), LoadError> {
        let count = libbpf_rs::num_possible_cpus().map_err(failed("counting processors"))?;
        let most = (MAX_ENTRIES / count.max(1)).max(2);
        let wanted = match options.watch.named.is_empty() {
            true => ENTRIES_OF_SETS,
            false => ENTRIES,
        };
        Ok((count, wanted.min(1 << most.ilog2())))
    }

    /// Whether a program is one that [`Attacher`] puts to its places.
    fn is_probe(name: &OsStr) -> bool {
        let with_argument = WITH_ARGUMENT.map(|(_, program)| program);
        [MANY, ONE]
            .iter()
            .chain(&with_argument)
            .any(|probe| name == *probe)
    }

    fn attacher(object: &Object, options: &Options) -> Result<Option<Attacher>, LoadError> {
        if options.watch.is_empty() {
            return Ok(None);
        }
        let program = |name: &str| {
            let mut programs = object.progs();
            let program = programs.find(|program| program.name() == name);
            let program = program.ok_or_else(|| {
                step(format!("finding the program {name}"))(io::ErrorKind::NotFound.into())
            })?;
            copy(program.as_fd())
        };
        let mut tables = Vec::new();
        for (table, name) in WITH_ARGUMENT {
            let with_argument = program(name)?;
            let number = with_argument.as_raw_fd().to_ne_bytes();
            let map = map(object, table)?;
            map.update(&0_u32.to_ne_bytes(), &number, MapFlags::ANY)
                .map_err(failed(format!("entering {name} into {table}")))?;
            tables.push(copy(map.as_fd())?);
        }
        let (many, one) = (program(MANY)?, program(ONE)?);
        let programs = Programs::new(many, one, tables, options.one_by_one);
        Ok(Some(Attacher::Ourselves(programs)))
    }

    fn configure(
        mut open: OpenObject,
        target: Target,
        options: &Options,
    ) -> Result<OpenObject, LoadError> {
        for mut program in open.progs_mut() {
            let wanted = match program.name().to_str() {
                Some("on_sample") => options.rate_hz > 0,
                Some("on_switch") => options.off_cpu,
                Some("on_last_switch") => !options.off_cpu,
                _ if is_probe(program.name()) => !options.watch.is_empty(),
                _ => true,
            };
            program.set_autoload(wanted);
        }
        let mut rodata = open
            .maps_mut()
            .find(|map| map.name().to_string_lossy().ends_with(".rodata"));
        let (lanes, entries) = lane_sizes(options)?;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        // `watcher`, `sampling`, `wake_bytes`, `page_bytes` and `lane_mask`, in the order of their
        // declaration.
        let settings = [
            target.user.unwrap_or(u32::MAX),
            u32::from(options.rate_hz > 0),
            options.ring_bytes / WAKE_SHARE,
            number(sys::page_size()),
            number(entries - 1),
        ];
        rodata
            .as_mut()
            .and_then(|map| map.initial_value_mut())
            .and_then(|value| value.as_chunks_mut().0.first_chunk_mut())
            .map(|words: &mut [[u8; 4]; 5]| *words = settings.map(u32::to_ne_bytes))
            .ok_or_else(|| step("setting up the BPF programs")(io::Error::other("no .rodata")))?;
        for mut map in open.maps_mut() {
            if map.name() == "events" {
                map.set_max_entries(options.ring_bytes)
                    .map_err(failed("giving the ring buffer its size"))?;
            }
            if map.name() == LANE_MAP && !options.watch.is_empty() {
                map.set_max_entries(number(lanes))
                    .and_then(|()| map.set_value_size(number(sys::lane_bytes(entries))))
                    .map_err(failed("giving the lanes of probes their size"))?;
            }
        }
        Ok(open)
    }

    fn attach(object: &Object, options: &Options) -> Result<Vec<OwnedFd>, LoadError> {
        let mut links = Vec::new();
        for program in object.progs_mut() {
            if !program.autoload() || is_probe(program.name()) {
                continue;
            }
            if program.name() == "on_sample" {
                links.extend(attach_clocks(&program, options)?);
                continue;
            }
            let name = program.name().to_string_lossy().into_owned();
            let link = program
                .attach()
                .map_err(failed(format!("attaching {name}")))?;
            links.push(copy(link.as_fd())?);
        }
        Ok(links)
    }

    fn attach_clocks(
        program: &ProgramMut<'_>,
        options: &Options,
    ) -> Result<Vec<OwnedFd>, LoadError> {
        let mut links = Vec::new();
        for clock in clocks(options.rate_hz)? {
            // libbpf closes the descriptor that it is given, and stops the event, when its link
            // is dropped; the event lives on with the copy of the link, and is started again.
            let given = copy(clock.as_fd())?;
            let raw = given.as_raw_fd();
            let link = program
                .attach_perf_event(raw)
                .map_err(failed("attaching to the clock"))?;
            std::mem::forget(given);
            links.push(copy(link.as_fd())?);
            drop(link);
            sys::enable(clock.as_fd()).map_err(step("starting the clock"))?;
        }
        Ok(links)
    }

    /// Enters the root, with its one thread. Whether it may be shown to an ordinary user is told
    /// by its first exec: until then it is hidden, for it can become another program while this
    /// one is at work.
    fn enter_root(object: &Object, target: Target) -> Result<(), LoadError> {
        let Target {
            root,
            user,
            running,
        } = target;
        let mut process = [0; PROCESS_BYTES];
        let threads = running.map_or(1, |running| running.threads);
        if let Some((numbers, rest)) = process.split_at_mut_checked(PROCESS_THREADS) {
            for (byte, new) in rest.iter_mut().zip(threads.to_ne_bytes()) {
                *byte = new;
            }
            let known = running.map(|running| {
                let key = running.key;
                [key.dev, key.ino, key.size, running.start_code]
            });
            let known = known.into_iter().flatten().flat_map(u64::to_ne_bytes);
            for (byte, new) in numbers.iter_mut().zip(known) {
                *byte = new;
            }
        }
        if let Some((_, [hidden, ..])) = process.split_at_mut_checked(PROCESS_HIDDEN) {
            *hidden = u8::from(user.is_some());
        }
        map(object, "tree")?
            .update(&root.to_ne_bytes(), &process, MapFlags::ANY)
            .map_err(failed(format!("entering process {root}")))
    }

    fn map<'o>(object: &'o Object, name: &str) -> Result<Map<'o>, LoadError> {
        let mut maps = object.maps();
        maps.find(|map| map.name() == name)
            .ok_or_else(|| step(format!("finding the map {name}"))(io::ErrorKind::NotFound.into()))
    }

    fn descriptor(object: &Object, name: &str) -> Result<OwnedFd, LoadError> {
        copy(map(object, name)?.as_fd())
    }

    fn copy(fd: std::os::fd::BorrowedFd<'_>) -> Result<OwnedFd, LoadError> {
        fd.try_clone_to_owned()
            .map_err(step("copying a descriptor"))
    }
}

#[cfg(test)]
mod tests {
    use super::parse_processors;

    #[test]
    fn ranges_of_processors_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_processors("0-1"), [0, 1]);
        assert_eq!(parse_processors("0"), [0]);
        assert_eq!(parse_processors("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(parse_processors(""), [0; 0]);
    }
}
