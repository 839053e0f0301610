//! Bindings in columns.
//!
//! The processes of a build load the same libraries and bind the same symbols over and over. What
//! repeats is told once a block (who wants which symbol and who has it), and addresses are guessed
//! from where the same symbol was in another process, moved by what its library has moved.

use super::blocks::Columns;
use super::bytes::{Bytes, Malformed, difference, follow, narrow, put_varint};
use super::columns::{put_column, take_column};
use super::layout::Kind;
use super::threads::{Threads, take_threads, thread_at};
use crate::trace::{Avma, BindHow, BindKind, Binding, ImageId, Nanos, ProcessId, StringId};
use rustc_hash::FxHashMap;

/// A run of bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindingBlock(Vec<Binding>);

impl BindingBlock {
    /// The bindings of this block, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Binding> + '_ {
        self.0.iter().copied()
    }

    /// Number of bindings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, binding: Binding) {
        self.0.push(binding);
    }

    /// Whether every id has a row in its table.
    pub(super) fn is_defined(&self, processes: usize, images: usize, strings: usize) -> bool {
        self.iter().all(|bind| {
            bind.process.index() < processes
                && bind.importer.index() < images
                && bind.provider.is_none_or(|image| image.index() < images)
                && bind.symbol.index() < strings
        })
    }
}

impl From<&[Binding]> for BindingBlock {
    fn from(bindings: &[Binding]) -> Self {
        Self(bindings.to_vec())
    }
}

impl Columns for BindingBlock {
    const KIND: Kind = Kind::Bindings;

    fn rows(&self) -> usize {
        self.len()
    }

    fn span(&self) -> (Nanos, Nanos) {
        let times = || self.iter().map(|bind| bind.time);
        (
            times().min().unwrap_or_default(),
            times().max().unwrap_or_default(),
        )
    }

    /// The contents of a block of bindings.
    ///
    /// ```text
    /// the list of threads
    /// number of links varint │ column: their importers │ column: their providers + 1, 0 for none
    /// column: their symbols, each of the three a difference from the link before (0 at first)
    /// column: how + 4 × kind (how: 0 eager, 1 lazy, 2 dlsym, 3 derived; kind: 0 call, 1 data)
    /// column: time, difference from the row before (0 at first)
    /// column: thread, its position in the list
    /// column: link: 0 the one that followed the row before's link when that was last followed in
    ///         this block; else 1 + difference from the number of links that have occurred
    /// column: address, difference from the guess
    /// column: 1 for rows with a slot, else 0
    /// column: slots, difference from the guess
    /// ```
    fn encode(&self) -> Vec<u8> {
        let mut threads: Threads<()> = Threads::default();
        let mut links = Links::default();
        let mut columns: [Vec<u64>; 6] = Default::default();
        let [times, indexes, numbers, addresses, with_slot, slots] = &mut columns;
        let (mut time, mut turn, mut guesses) = (0, Turn::default(), Guesses::default());
        for bind in self.iter() {
            times.push(difference(bind.time.0, time));
            time = bind.time.0;
            indexes.push(threads.of(bind.process, bind.tid).0);
            let link = links.of(Link::of(&bind));
            numbers.push(turn.told(link));
            addresses.push(guesses.address(&bind, link, |guess| difference(bind.address.0, guess)));
            with_slot.push(u64::from(bind.slot.is_some()));
            if let Some(slot) = bind.slot {
                slots.push(guesses.slot(&bind, link, |guess| difference(slot.0, guess)));
            }
        }
        let mut out = Vec::new();
        threads.put(&mut out);
        links.put(&mut out);
        for column in &columns {
            put_column(&mut out, column);
        }
        out
    }

    fn decode(contents: &[u8], rows: usize) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(contents);
        let threads = take_threads(&mut bytes, rows)?;
        let links = take_links(&mut bytes, rows)?;
        let mut column = |rows| {
            let mut column = Vec::new();
            take_column(&mut bytes, rows, &mut column).map(|()| column)
        };
        let times = column(rows)?;
        let indexes = column(rows)?;
        let numbers = column(rows)?;
        let addresses = column(rows)?;
        let with_slot = column(rows)?;
        if with_slot.iter().any(|&with| with > 1) {
            return Err(Malformed("expected 0 or 1 for a slot, found another value"));
        }
        let count = with_slot.iter().filter(|&&with| with == 1).count();
        let mut slots = column(count)?.into_iter();
        if !bytes.is_empty() {
            return Err(Malformed(
                "expected the end of the bindings, found more bytes",
            ));
        }
        let (mut time, mut turn, mut guesses) = (0, Turn::default(), Guesses::default());
        let mut bindings = Vec::with_capacity(rows);
        let told = times.into_iter().zip(indexes).zip(numbers);
        for (((step, index), number), (address, with_slot)) in
            told.zip(addresses.into_iter().zip(with_slot))
        {
            time = follow(time, step);
            let (process, tid) = thread_at(&threads, index)?;
            let (number, link) = turn.link(number, &links)?;
            let mut bind = link.bind(Nanos(time), process);
            bind.tid = tid;
            guesses.address(&bind.clone(), number, |guess| {
                bind.address = Avma(follow(guess, address));
                address
            });
            if with_slot == 1 {
                let step = slots.next().unwrap_or_default();
                guesses.slot(&bind.clone(), number, |guess| {
                    bind.slot = Some(Avma(follow(guess, step)));
                    step
                });
            }
            bindings.push(bind);
        }
        Ok(Self(bindings))
    }
}

/// What repeats: who wants which symbol, who has it, and how they come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    importer: ImageId,
    provider: Option<ImageId>,
    symbol: StringId,
    how: BindHow,
    kind: BindKind,
}

impl Link {
    const fn of(bind: &Binding) -> Self {
        Self {
            importer: bind.importer,
            provider: bind.provider,
            symbol: bind.symbol,
            how: bind.how,
            kind: bind.kind,
        }
    }

    fn bind(&self, time: Nanos, process: ProcessId) -> Binding {
        Binding {
            time,
            process,
            importer: self.importer,
            provider: self.provider,
            symbol: self.symbol,
            how: self.how,
            kind: self.kind,
            ..Binding::default()
        }
    }

    const fn flags(&self) -> u64 {
        let how = match self.how {
            BindHow::Eager => 0,
            BindHow::Lazy => 1,
            BindHow::Dlsym => 2,
            BindHow::Derived => 3,
        };
        let kind = match self.kind {
            BindKind::Call => 0,
            BindKind::Data => 4,
        };
        how | kind
    }
}

const fn flags_from(flags: u64) -> Result<(BindHow, BindKind), Malformed> {
    let how = match flags & 3 {
        0 => BindHow::Eager,
        1 => BindHow::Lazy,
        2 => BindHow::Dlsym,
        _ => BindHow::Derived,
    };
    let kind = match flags >> 2 {
        0 => BindKind::Call,
        1 => BindKind::Data,
        _ => {
            return Err(Malformed(
                "expected kind 0 or 1 of a binding, found another one",
            ));
        }
    };
    Ok((how, kind))
}

/// The links of a block in the order in which they first occur.
#[derive(Default)]
struct Links {
    indexes: FxHashMap<Link, usize>,
    list: Vec<Link>,
}

impl Links {
    fn of(&mut self, link: Link) -> usize {
        let next = self.list.len();
        let index = *self.indexes.entry(link).or_insert(next);
        if index == next {
            self.list.push(link);
        }
        index
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.list.len() as u64);
        let mut columns: [Vec<u64>; 4] = Default::default();
        let [importers, providers, symbols, flags] = &mut columns;
        let mut before = [0; 3];
        let [importer, provider, symbol] = &mut before;
        for link in &self.list {
            let of = link
                .provider
                .map_or(0, |image| u64::from(image.0).saturating_add(1));
            importers.push(step(importer, u64::from(link.importer.0)));
            providers.push(step(provider, of));
            symbols.push(step(symbol, u64::from(link.symbol.0)));
            flags.push(link.flags());
        }
        for column in &columns {
            put_column(out, column);
        }
    }
}

/// The difference to a value from the one before, which it then is.
const fn step(before: &mut u64, value: u64) -> u64 {
    let step = difference(value, *before);
    *before = value;
    step
}

fn take_links(bytes: &mut Bytes<'_>, rows: usize) -> Result<Vec<Link>, Malformed> {
    let count = usize::try_from(bytes.varint()?)
        .ok()
        .filter(|&count| count <= rows)
        .ok_or(Malformed("expected no more links than bindings"))?;
    let mut column = || {
        let mut column = Vec::new();
        take_column(bytes, count, &mut column).map(|()| column)
    };
    let (importers, providers, symbols, flags) = (column()?, column()?, column()?, column()?);
    let (mut importer, mut provider, mut symbol) = (0, 0, 0);
    let ids = importers.into_iter().zip(providers).zip(symbols);
    ids.zip(flags)
        .map(|(((of_importer, of_provider), of_symbol), flags)| {
            importer = follow(importer, of_importer);
            provider = follow(provider, of_provider);
            symbol = follow(symbol, of_symbol);
            let (how, kind) = flags_from(flags)?;
            Ok(Link {
                importer: ImageId(narrow(importer)?),
                provider: match provider.checked_sub(1) {
                    Some(image) => Some(ImageId(narrow(image)?)),
                    None => None,
                },
                symbol: StringId(narrow(symbol)?),
                how,
                kind,
            })
        })
        .collect()
}

/// Which link comes next, as both sides remember it.
#[derive(Default)]
struct Turn {
    /// By link: the one that followed it last.
    followers: FxHashMap<usize, usize>,
    last: Option<usize>,
    /// How many links have occurred.
    seen: usize,
}

impl Turn {
    fn expected(&self) -> Option<usize> {
        self.followers.get(&self.last?).copied()
    }

    fn told(&mut self, link: usize) -> u64 {
        let told = if self.expected() == Some(link) {
            0
        } else {
            difference(link as u64, self.seen as u64).saturating_add(1)
        };
        self.take(link);
        told
    }

    fn link<'a>(&mut self, told: u64, links: &'a [Link]) -> Result<(usize, &'a Link), Malformed> {
        let link = match told.checked_sub(1) {
            None => self.expected(),
            Some(step) => usize::try_from(follow(self.seen as u64, step)).ok(),
        };
        let found = link.and_then(|link| Some((link, links.get(link)?)));
        let found = found.ok_or(Malformed(
            "expected a link of the block's list, found another one",
        ))?;
        self.take(found.0);
        Ok(found)
    }

    fn take(&mut self, link: usize) {
        if let Some(last) = self.last.replace(link) {
            self.followers.insert(last, link);
        }
        self.seen = self.seen.max(link.saturating_add(1));
    }
}

/// Guesses of addresses and slots, alike on both sides.
#[derive(Default)]
struct Guesses {
    addresses: Places,
    slots: Places,
}

impl Guesses {
    /// Has `tell` say by how much an address differs from the guess, and learns from that.
    fn address(&mut self, bind: &Binding, link: usize, tell: impl FnOnce(u64) -> u64) -> u64 {
        match bind.provider {
            Some(provider) => self.addresses.tell(bind.process, provider, link, tell),
            None => tell(0),
        }
    }

    fn slot(&mut self, bind: &Binding, link: usize, tell: impl FnOnce(u64) -> u64) -> u64 {
        self.slots.tell(bind.process, bind.importer, link, tell)
    }
}

/// Where things of images were: the base of an image in a process, and by link the offset from
/// it, which is the same in all processes.
#[derive(Default)]
struct Places {
    bases: FxHashMap<(ProcessId, ImageId), u64>,
    offsets: FxHashMap<usize, u64>,
    /// By image: the last base in any process, and the last offset.
    last: FxHashMap<ImageId, (u64, u64)>,
}

impl Places {
    fn tell(
        &mut self,
        process: ProcessId,
        image: ImageId,
        link: usize,
        tell: impl FnOnce(u64) -> u64,
    ) -> u64 {
        let (last_base, last_offset) = self.last.get(&image).copied().unwrap_or_default();
        let base = self.bases.get(&(process, image)).copied();
        let known = self.offsets.get(&link).copied();
        let offset = known.unwrap_or(last_offset);
        let guess = base.unwrap_or(last_base).wrapping_add(offset);
        let step = tell(guess);
        let place = follow(guess, step);
        // An offset that is known stays: the image has moved. Of a new one it is the other way round.
        let (base, offset) = match (base, known) {
            (Some(base), None) => (base, place.wrapping_sub(base)),
            _ => (place.wrapping_sub(offset), offset),
        };
        self.bases.insert((process, image), base);
        self.offsets.insert(link, offset);
        self.last.insert(image, (base, offset));
        step
    }
}
