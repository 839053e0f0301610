//! The head of perf.data: events that were recorded, and what perf noted of the machine.
//!
//! ```text
//! a file                          offset     a pipe                        offset
//! "PERFILE2"                      0          "PERFILE2"                    0
//! size of this header u64: 104    8          size of this header u64: 16   8
//! size of an event u64            16         records, among them:          16
//! events: offset u64, size u64    24           HEADER_ATTR: event, its ids
//! data: offset u64, size u64      40           HEADER_FEATURE: number u64, bytes
//! (unused)                        56           HEADER_BUILD_ID: as below
//! features: 256 bits              72
//!
//! event:     perf_event_attr, as long as its own size says │ its ids: offset u64, size u64
//! features:  behind the data, for each bit that is set: offset u64, size u64
//! string:    length u32 │ bytes, zeros at the end
//! build ids: one behind the other: type u32, misc u16, size u16 │ pid i32 │ id [20] │ length u8,
//!            [3] │ path, zeros at the end
//! ```

use super::super::Error;
use super::super::bytes::{Bytes, within};
use super::records::{Records, kind};
use rustc_hash::FxHashMap;

pub(in crate::import) const MAGIC: &[u8] = b"PERFILE2";
pub(in crate::import) const SWAPPED: &[u8] = b"2ELIFREP";
const FILE_HEADER: u64 = 104;
const PIPE_HEADER: u64 = 16;
/// Events at most: each is looked at for each record.
const MOST_EVENTS: usize = 4_096;

/// Bits of features, by number.
mod feature {
    pub(super) const BUILD_ID: u64 = 2;
    pub(super) const OS_RELEASE: u64 = 4;
    pub(super) const VERSION: u64 = 5;
    pub(super) const ARCH: u64 = 6;
    pub(super) const CPU_COUNT: u64 = 7;
    pub(super) const CPU_NAME: u64 = 8;
    pub(super) const MEMORY: u64 = 10;
    pub(super) const EVENT_NAMES: u64 = 12;
    pub(super) const CLOCK: u64 = 29;
}

/// What a field of a sample is there for: bits of `sample_type`.
pub(super) mod field {
    pub(in super::super) const IP: u64 = 1 << 0;
    pub(in super::super) const TID: u64 = 1 << 1;
    pub(in super::super) const TIME: u64 = 1 << 2;
    pub(in super::super) const ADDR: u64 = 1 << 3;
    pub(in super::super) const READ: u64 = 1 << 4;
    pub(in super::super) const CALLCHAIN: u64 = 1 << 5;
    pub(in super::super) const ID: u64 = 1 << 6;
    pub(in super::super) const CPU: u64 = 1 << 7;
    pub(in super::super) const PERIOD: u64 = 1 << 8;
    pub(in super::super) const STREAM_ID: u64 = 1 << 9;
    pub(in super::super) const IDENTIFIER: u64 = 1 << 16;
}

/// How much CPU time a sample stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// Its period: the event is a clock.
    Period,
    /// As many nanoseconds.
    Nanos(u64),
    /// It cannot be told.
    Unknown,
}

/// An event that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    kind: u32,
    config: u64,
    /// Of samples where `by_frequency`, in hertz; else the fixed period.
    rate: u64,
    by_frequency: bool,
    pub(super) sample_type: u64,
    pub(super) read_format: u64,
    /// Records other than samples end with what of a sample's fields says who and when.
    pub(super) identifies_all: bool,
    ids: Vec<u64>,
}

impl Event {
    /// ```text
    /// perf_event_attr: kind u32 │ size u32 │ config u64 │ period or frequency u64 │ sample_type u64
    ///                  │ read_format u64 │ flags u64: bit 10 frequency, bit 18 sample_id_all │ more
    /// ```
    fn read(mut bytes: Bytes<'_>) -> Option<(Self, usize)> {
        let kind = bytes.u32()?;
        // The first kernels said nothing, and meant this.
        let size = match bytes.u32()? {
            0 => 64,
            size => usize::try_from(size).ok()?,
        };
        let (config, rate) = (bytes.u64()?, bytes.u64()?);
        let (sample_type, read_format, flags) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
        let event = Self {
            name: known_name(kind, config),
            kind,
            config,
            rate,
            by_frequency: flags & 1 << 10 != 0,
            sample_type,
            read_format,
            identifies_all: flags & 1 << 18 != 0,
            ids: Vec::new(),
        };
        Some((event, size))
    }

    /// A clock tells time; cycles do where the kernel held them to a frequency.
    pub(super) fn worth(&self) -> Worth {
        let per_sample = 1_000_000_000_u64.checked_div(self.rate);
        let by_frequency = match per_sample {
            Some(nanos) if self.by_frequency => Worth::Nanos(nanos),
            _ => Worth::Unknown,
        };
        match (self.kind, self.config & 0xffff_ffff) {
            (SOFTWARE, CPU_CLOCK | TASK_CLOCK) => match by_frequency {
                _ if self.sample_type & field::PERIOD != 0 => Worth::Period,
                Worth::Unknown => Worth::Nanos(self.rate),
                known => known,
            },
            (HARDWARE, CYCLES | REFERENCE_CYCLES) => by_frequency,
            _ => Worth::Unknown,
        }
    }
}

const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const CYCLES: u64 = 0;
const REFERENCE_CYCLES: u64 = 9;
const CPU_CLOCK: u64 = 0;
const TASK_CLOCK: u64 = 1;

/// What an event is called where perf did not note its name.
fn known_name(kind: u32, config: u64) -> String {
    match (kind, config) {
        (HARDWARE, CYCLES) => "cycles".to_owned(),
        (HARDWARE, REFERENCE_CYCLES) => "ref-cycles".to_owned(),
        (SOFTWARE, CPU_CLOCK) => "cpu-clock".to_owned(),
        (SOFTWARE, TASK_CLOCK) => "task-clock".to_owned(),
        _ => format!("{kind}:{config:#x}"),
    }
}

/// When, by perf's clock, the wall clock showed what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) unix_ns: u64,
    pub(super) time: u64,
}

/// What perf noted of the machine; empty or zero where it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine<'a> {
    pub(super) release: &'a [u8],
    pub(super) perf: &'a [u8],
    pub(super) arch: &'a [u8],
    pub(super) cpu: &'a [u8],
    pub(super) cores: u32,
    pub(super) memory_kib: u64,
}

/// All that stands before the records, or beside them.
#[derive(Clone, Debug)]
pub(super) struct Header<'a> {
    /// Where the records begin, and where they end.
    pub(super) data: (u64, u64),
    /// perf did not live to write how long the records are.
    pub(super) unfinished: bool,
    pub(super) events: Vec<Event>,
    by_id: FxHashMap<u64, usize>,
    /// Build ids by path.
    pub(super) build_ids: FxHashMap<&'a [u8], &'a [u8]>,
    pub(super) machine: Machine<'a>,
    pub(super) clock: Option<Clock>,
}

impl<'a> Header<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self, Error> {
        if file.is_empty() {
            return Err(Error::Empty);
        }
        if file.starts_with(SWAPPED) {
            return Err(Error::BigEndian);
        }
        if !file.starts_with(MAGIC) {
            let found = file.iter().take(MAGIC.len());
            let found: Vec<String> = found.map(|byte| format!("{byte:02x}")).collect();
            let found = found.join(" ");
            return Err(Error::NotPerf { found });
        }
        let size = Bytes(within(file, 8, 8)).u64();
        let header = match size {
            Some(PIPE_HEADER) => Self::of_pipe(file)?,
            Some(size) if size >= FILE_HEADER => Self::of_file(file)?,
            size => {
                let found = size.map_or("the end".to_owned(), |size| size.to_string());
                let expected = "a header of 104 bytes, or of 16 for a pipe";
                return Err(damaged(8, expected, found));
            }
        };
        header.check()?;
        Ok(header)
    }

    const fn new(data: (u64, u64)) -> Self {
        Self {
            data,
            unfinished: false,
            events: Vec::new(),
            by_id: FxHashMap::with_hasher(rustc_hash::FxBuildHasher),
            build_ids: FxHashMap::with_hasher(rustc_hash::FxBuildHasher),
            machine: Machine {
                release: &[],
                perf: &[],
                arch: &[],
                cpu: &[],
                cores: 0,
                memory_kib: 0,
            },
            clock: None,
        }
    }

    fn of_file(file: &'a [u8]) -> Result<Self, Error> {
        let mut bytes = Bytes(within(file, 24, FILE_HEADER.saturating_sub(24)));
        let is_whole = file.len() as u64 >= FILE_HEADER;
        let mut pair = || is_whole.then_some((bytes.u64()?, bytes.u64()?));
        let (Some(events), Some(data), Some(_unused)) = (pair(), pair(), pair()) else {
            let found = format!("the end at {:#x}", file.len());
            return Err(damaged(8, "a header of 104 bytes", found));
        };
        let all = file.len() as u64;
        let unfinished = data.1 == 0;
        let end = if unfinished {
            all
        } else {
            data.0.saturating_add(data.1)
        };
        let mut header = Self::new((data.0, end.min(all)));
        header.unfinished = unfinished || end > all;
        header.events_of_file(file, events)?;
        if header.unfinished {
            return Ok(header);
        }
        let mut place = end;
        for number in 0..256_u64 {
            let word = bytes
                .0
                .get(usize::try_from(number / 64).unwrap_or(0).saturating_mul(8)..);
            let word = word.and_then(|word| Bytes(word).u64()).unwrap_or(0);
            if word >> (number % 64) & 1 == 0 {
                continue;
            }
            let mut section = Bytes(within(file, place, 16));
            if let (Some(offset), Some(size)) = (section.u64(), section.u64()) {
                header.feature(number, within(file, offset, size));
            }
            place = place.saturating_add(16);
        }
        Ok(header)
    }

    fn events_of_file(&mut self, file: &[u8], (offset, size): (u64, u64)) -> Result<(), Error> {
        let end = offset.saturating_add(size);
        let mut at = offset;
        while at < end && self.events.len() < MOST_EVENTS {
            let bytes = Bytes(within(file, at, end.saturating_sub(at)));
            let cut = || damaged(at, "an event and where its ids are", "the end".to_owned());
            let (mut event, length) = Event::read(bytes).ok_or_else(cut)?;
            let ids_at = at.saturating_add(length as u64);
            let mut ids = Bytes(within(file, ids_at, 16));
            let (offset, size) = (ids.u64(), ids.u64());
            let (offset, size) = offset.zip(size).ok_or_else(cut)?;
            event.ids = ids_of(Bytes(within(file, offset, size)));
            self.push(event);
            at = ids_at.saturating_add(16);
        }
        Ok(())
    }

    fn of_pipe(file: &'a [u8]) -> Result<Self, Error> {
        let mut header = Self::new((PIPE_HEADER, file.len() as u64));
        for record in Records::of(file, &header).plain() {
            let mut bytes = Bytes(record.body);
            match record.kind {
                kind::HEADER_ATTR if header.events.len() < MOST_EVENTS => {
                    let cut =
                        || damaged(record.offset, "an event and its ids", "the end".to_owned());
                    let (mut event, length) = Event::read(bytes).ok_or_else(cut)?;
                    let _event = bytes.take(length).ok_or_else(cut)?;
                    event.ids = ids_of(bytes);
                    header.push(event);
                }
                kind::HEADER_FEATURE => {
                    if let Some(number) = bytes.u64() {
                        header.feature(number, bytes.0);
                    }
                }
                kind::HEADER_BUILD_ID => header.build_id(record.misc, bytes),
                _ => {}
            }
        }
        Ok(header)
    }

    fn push(&mut self, event: Event) {
        let number = self.events.len();
        self.by_id.extend(event.ids.iter().map(|id| (*id, number)));
        self.events.push(event);
    }

    fn feature(&mut self, number: u64, bytes: &'a [u8]) {
        let mut bytes = Bytes(bytes);
        let machine = &mut self.machine;
        match number {
            feature::OS_RELEASE => machine.release = string(bytes).unwrap_or_default(),
            feature::VERSION => machine.perf = string(bytes).unwrap_or_default(),
            feature::ARCH => machine.arch = string(bytes).unwrap_or_default(),
            feature::CPU_NAME => machine.cpu = string(bytes).unwrap_or_default(),
            feature::CPU_COUNT => {
                // Those that there are, then those that are online.
                let _all = bytes.u32();
                machine.cores = bytes.u32().unwrap_or(0);
            }
            feature::MEMORY => machine.memory_kib = bytes.u64().unwrap_or(0),
            feature::EVENT_NAMES => self.name_events(bytes).unwrap_or_default(),
            feature::BUILD_ID => self.build_ids(bytes).unwrap_or_default(),
            feature::CLOCK => {
                let (version, _clock) = (bytes.u32(), bytes.u32());
                let times = bytes.u64().zip(bytes.u64());
                let times = times.filter(|_| version == Some(1));
                self.clock = times.map(|(unix_ns, time)| Clock { unix_ns, time });
            }
            _ => {}
        }
    }

    /// ```text
    /// number u32 │ size of an event u32 │ of each: event │ number of ids u32 │ string │ ids
    /// ```
    fn name_events(&mut self, mut bytes: Bytes<'_>) -> Option<()> {
        let _number = bytes.u32()?;
        let size = usize::try_from(bytes.u32()?).ok()?;
        for event in &mut self.events {
            let _event = bytes.take(size)?;
            let ids = usize::try_from(bytes.u32()?).ok()?;
            let length = usize::try_from(bytes.u32()?).ok()?;
            let name = Bytes(bytes.take(length)?).string();
            event.name = String::from_utf8_lossy(name).into_owned();
            let _ids = bytes.take(ids.checked_mul(8)?)?;
        }
        Some(())
    }

    fn build_ids(&mut self, mut bytes: Bytes<'a>) -> Option<()> {
        while !bytes.is_empty() {
            let _kind = bytes.u32()?;
            let misc = bytes.u16()?;
            let length = usize::from(bytes.u16()?).checked_sub(8)?;
            self.build_id(misc, Bytes(bytes.take(length)?));
        }
        Some(())
    }

    fn build_id(&mut self, misc: u16, mut bytes: Bytes<'a>) {
        const HAS_LENGTH: u16 = 1 << 15;
        let mut parts = || {
            let _pid = bytes.u32()?;
            let id = bytes.take(20)?;
            let length = usize::from(bytes.u8()?);
            let _padding = bytes.take(3)?;
            Some((id, length))
        };
        let Some((id, length)) = parts() else {
            return;
        };
        let id = if misc & HAS_LENGTH == 0 {
            whole_words(id)
        } else {
            id.get(..length).unwrap_or(id)
        };
        if !id.is_empty() {
            self.build_ids.insert(bytes.string(), id);
        }
    }

    /// The event of a record with this id.
    pub(super) fn event_with(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The event whose samples tell CPU time: the first of those that do.
    pub(super) fn clock_event(&self) -> Option<usize> {
        let tells = |event: &Event| event.worth() != Worth::Unknown;
        self.events.iter().position(tells)
    }

    /// What importing needs is there.
    fn check(&self) -> Result<(), Error> {
        let Some(first) = self.events.first() else {
            let expected = "events that were recorded";
            return Err(damaged(self.data.0, expected, "none".to_owned()));
        };
        let same = |event: &Event| event.sample_type == first.sample_type;
        let marked = |event: &Event| event.sample_type & field::IDENTIFIER != 0;
        if !self.events.iter().all(same) && !self.events.iter().all(marked) {
            return Err(Error::Indistinct);
        }
        let names: Vec<&str> = self.events.iter().map(|event| &*event.name).collect();
        let found = names.join(", ");
        let clock = self.clock_event().and_then(|at| self.events.get(at));
        let clock = clock.ok_or(Error::NoCpuTime { found })?;
        let needed = field::TID | field::TIME;
        if clock.sample_type & needed != needed {
            let event = clock.name.clone();
            return Err(Error::NoTime { event });
        }
        Ok(())
    }
}

fn ids_of(mut bytes: Bytes<'_>) -> Vec<u64> {
    std::iter::from_fn(|| bytes.u64()).collect()
}

fn string(mut bytes: Bytes<'_>) -> Option<&[u8]> {
    let length = usize::try_from(bytes.u32()?).ok()?;
    bytes.take(length).map(|text| Bytes(text).string())
}

/// A build id whose length perf did not write yet: without the words of zeros at its end.
fn whole_words(id: &[u8]) -> &[u8] {
    let zeros = id
        .rchunks(4)
        .take_while(|word| word.iter().all(|byte| *byte == 0));
    let length = id.len().saturating_sub(zeros.map(<[u8]>::len).sum());
    id.get(..length).unwrap_or_default()
}

const fn damaged(offset: u64, expected: &'static str, found: String) -> Error {
    Error::Damaged {
        offset,
        expected,
        found,
    }
}
