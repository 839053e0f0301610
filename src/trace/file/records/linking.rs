//! Rows of dynamic linking.

use super::fields::{Put, Take};
use crate::trace::file::bytes::Malformed;
use crate::trace::{
    Avma, ImageId, ImageNeeds, ImageOffset, Import, ImportKind, Interpreter, LinkCause, Linking,
    Load, LoadOrigin, Nanos, Offer, RelocationCounts, Search, SearchOutcome, Segment, Tid, Unload,
};

const PAGED_IN: u64 = 1 << 2;

pub(super) fn put_load(put: &mut Put<'_>, load: &Load) {
    put.time(load.time);
    put.process(load.process);
    put.number(u64::from(load.tid.0));
    put.number(u64::from(load.image.0));
    let cause = cause_number(load.cause);
    let origin = match load.origin {
        LoadOrigin::File => 0,
        LoadOrigin::SharedCache => 1 << 1,
    };
    put.number(cause | origin | if load.paged_in { PAGED_IN } else { 0 });
    put.number(u64::from(load.namespace));
    put.optional(load.address, |put, address| put.number(address.0));
    put.optional(load.slide, Put::number);
    put.optional(load.translated, |put, (from, to)| {
        put.number(from.0);
        put.number(to.0.wrapping_sub(from.0));
    });
}

pub(super) fn take_load(take: &mut Take<'_, '_>) -> Result<Load, Malformed> {
    let (time, process, tid) = (take.time()?, take.process()?, Tid(take.narrow()?));
    let image = take.image()?;
    let flags = take.number()?;
    if flags > 7 {
        return Err(Malformed("expected flags of 3 bits of a load, found more"));
    }
    Ok(Load {
        time,
        process,
        tid,
        image,
        cause: if flags & 1 == 0 {
            LinkCause::Start
        } else {
            LinkCause::Dlopen
        },
        origin: if flags & 2 == 0 {
            LoadOrigin::File
        } else {
            LoadOrigin::SharedCache
        },
        paged_in: flags & PAGED_IN != 0,
        namespace: take.narrow()?,
        address: take.optional(|take| take.number().map(Avma))?,
        slide: take.optional(Take::number)?,
        translated: take.optional(|take| {
            let from = take.number()?;
            Ok((Avma(from), Avma(from.wrapping_add(take.number()?))))
        })?,
    })
}

pub(super) fn put_unload(put: &mut Put<'_>, unload: &Unload) {
    put.time(unload.time);
    put.process(unload.process);
    put.number(u64::from(unload.tid.0));
    put.number(u64::from(unload.image.0));
    put.number(u64::from(unload.namespace));
}

pub(super) fn take_unload(take: &mut Take<'_, '_>) -> Result<Unload, Malformed> {
    Ok(Unload {
        time: take.time()?,
        process: take.process()?,
        tid: Tid(take.narrow()?),
        image: take.image()?,
        namespace: take.narrow()?,
    })
}

pub(super) fn put_linking(put: &mut Put<'_>, linking: &Linking) {
    put.time(linking.from);
    put.process(linking.process);
    put.number(u64::from(linking.tid.0));
    put.number(linking.to.0.wrapping_sub(linking.from.0));
    put.number(cause_number(linking.cause));
    put.optional(linking.cpu, |put, cpu| put.number(cpu.0));
}

pub(super) fn take_linking(take: &mut Take<'_, '_>) -> Result<Linking, Malformed> {
    let from = take.time()?;
    Ok(Linking {
        from,
        process: take.process()?,
        tid: Tid(take.narrow()?),
        to: Nanos(from.0.wrapping_add(take.number()?)),
        cause: match take.number()? {
            0 => LinkCause::Start,
            1 => LinkCause::Dlopen,
            _ => {
                return Err(Malformed(
                    "expected cause 0 or 1 of linking, found another one",
                ));
            }
        },
        cpu: take.optional(Take::nanos)?,
    })
}

const fn cause_number(cause: LinkCause) -> u64 {
    match cause {
        LinkCause::Start => 0,
        LinkCause::Dlopen => 1,
    }
}

pub(super) fn put_search(put: &mut Put<'_>, search: &Search) {
    put.time(search.time);
    put.process(search.process);
    put.strings(&[search.path, search.rule]);
    put_image(put, search.importer);
    put.number(match search.outcome {
        SearchOutcome::Missed => 0,
        SearchOutcome::Found => 1,
        SearchOutcome::Refused => 2,
    });
    put.number(search.count);
}

pub(super) fn take_search(take: &mut Take<'_, '_>) -> Result<Search, Malformed> {
    let (time, process) = (take.time()?, take.process()?);
    let [path, rule] = take.some_strings()?;
    Ok(Search {
        time,
        process,
        path,
        rule,
        importer: take.optional(Take::image)?,
        outcome: match take.number()? {
            0 => SearchOutcome::Missed,
            1 => SearchOutcome::Found,
            2 => SearchOutcome::Refused,
            _ => {
                return Err(Malformed(
                    "expected outcome 0 to 2 of a search, found another one",
                ));
            }
        },
        count: take.number()?,
    })
}

fn put_image(put: &mut Put<'_>, image: Option<ImageId>) {
    put.optional(image, |put, image| put.number(u64::from(image.0)));
}

pub(super) fn put_interpreter(put: &mut Put<'_>, interpreter: &Interpreter) {
    put.process(interpreter.process);
    put.strings(&[interpreter.path, interpreter.unwatched]);
}

pub(super) fn take_interpreter(take: &mut Take<'_, '_>) -> Result<Interpreter, Malformed> {
    let process = take.process()?;
    let [path, unwatched] = take.some_strings()?;
    Ok(Interpreter {
        process,
        path,
        unwatched,
    })
}

const BIND_NOW: u64 = 1;
const SYMBOLIC: u64 = 1 << 1;

pub(super) fn put_needs(put: &mut Put<'_>, needs: &ImageNeeds) {
    put.number(u64::from(needs.image.0));
    put.string(needs.unread);
    put.string(needs.own_name);
    put.strings(&needs.libraries);
    let bind_now = if needs.bind_now { BIND_NOW } else { 0 };
    let symbolic = if needs.symbolic { SYMBOLIC } else { 0 };
    put.number(bind_now | symbolic);
    put.number(needs.segments.len() as u64);
    for segment in &needs.segments {
        put.number(segment.offset.0);
        put.number(segment.stated);
        put.number(segment.length);
        put.number(segment.in_file);
        put.flag(segment.executable);
    }
    let counts = &needs.relocations;
    for count in [
        counts.relative,
        counts.jump_slot,
        counts.data,
        counts.copy,
        counts.other,
    ] {
        put.number(count);
    }
    put.number(needs.left_out);
    put.number(needs.imports.len() as u64);
    let mut slot = 0_u64;
    for import in &needs.imports {
        put.string(import.symbol);
        put.string(import.version);
        put.string(import.library);
        put.signed(import.slot.wrapping_sub(slot).cast_signed());
        slot = import.slot;
        put.optional(import.stub, Put::number);
        put.number(match import.kind {
            ImportKind::Call => 0,
            ImportKind::Data => 1,
            ImportKind::Copy => 2,
            ImportKind::ThreadLocal => 3,
        });
        put.flag(import.weak);
        put.number(import.places);
    }
    put.number(needs.offers.len() as u64);
    for offer in &needs.offers {
        put.string(offer.symbol);
        put.string(offer.version);
        put.number(u64::from(offer.number));
        for flag in [offer.hidden, offer.unique, offer.protected, offer.stub] {
            put.flag(flag);
        }
    }
}

pub(super) fn take_needs(take: &mut Take<'_, '_>) -> Result<ImageNeeds, Malformed> {
    let mut needs = ImageNeeds {
        image: take.image()?,
        unread: take.string()?,
        own_name: take.string()?,
        libraries: take.strings()?,
        ..ImageNeeds::default()
    };
    let flags = take.number()?;
    if flags > BIND_NOW | SYMBOLIC {
        return Err(Malformed(
            "expected flags of 2 bits of what a file asks for, found more",
        ));
    }
    needs.bind_now = flags & BIND_NOW != 0;
    needs.symbolic = flags & SYMBOLIC != 0;
    // No allocation ahead of the bytes: a damaged count must not claim memory.
    for _ in 0..take.number()? {
        needs.segments.push(Segment {
            offset: ImageOffset(take.number()?),
            stated: take.number()?,
            length: take.number()?,
            in_file: take.number()?,
            executable: take.flag()?,
        });
    }
    needs.relocations = RelocationCounts {
        relative: take.number()?,
        jump_slot: take.number()?,
        data: take.number()?,
        copy: take.number()?,
        other: take.number()?,
    };
    needs.left_out = take.number()?;
    let mut slot = 0_u64;
    for _ in 0..take.number()? {
        needs.imports.push(take_import(take, &mut slot)?);
    }
    for _ in 0..take.number()? {
        needs.offers.push(Offer {
            symbol: take.string()?,
            version: take.string()?,
            number: take.narrow()?,
            hidden: take.flag()?,
            unique: take.flag()?,
            protected: take.flag()?,
            stub: take.flag()?,
        });
    }
    Ok(needs)
}

/// Slots are stored as what they are further on than the one before.
fn take_import(take: &mut Take<'_, '_>, slot: &mut u64) -> Result<Import, Malformed> {
    let (symbol, version, library) = (take.string()?, take.string()?, take.string()?);
    *slot = slot.wrapping_add(take.signed()?.cast_unsigned());
    Ok(Import {
        symbol,
        version,
        library,
        slot: *slot,
        stub: take.optional(Take::number)?,
        kind: match take.number()? {
            0 => ImportKind::Call,
            1 => ImportKind::Data,
            2 => ImportKind::Copy,
            3 => ImportKind::ThreadLocal,
            _ => {
                return Err(Malformed(
                    "expected kind 0 to 3 of an import, found another one",
                ));
            }
        },
        weak: take.flag()?,
        places: take.number()?,
    })
}
