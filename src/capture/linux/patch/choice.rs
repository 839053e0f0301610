//! What of a program is to be put into its copy: what is asked for in, places out.

use super::account::{Account, Function, Mark, Unseen, What, without_address};
use crate::binary::Error;
use crate::binary::elf::{Elf, Machine};
use crate::binary::go::Pclntab;
use crate::binary::trampoline::{Exempt, Marked, Place, Survey, Unpatched};
use crate::capture::probes::Asked;
use crate::trace::ArgumentKind;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;

/// So many functions that are left alone are named; of more, how many for which reason.
const NAMED: usize = 20;
/// Functions from which on it is worth a thread to look at some of them.
const MANY: usize = 256;

/// What can be put into a copy, and what cannot.
#[derive(Debug, Default)]
pub(super) struct Choice {
    functions: Vec<(Asked, ArgumentKind, Vec<Place>)>,
    left_alone: Vec<(Asked, Alone)>,
}

/// Why a function is left alone.
#[derive(Clone, Debug)]
enum Alone {
    /// Nothing proves that its code can be replaced.
    Unpatched(Unpatched),
    /// Its first argument is a string, which the kernel's probes record, and copies do not.
    HasText,
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpatched(why) => why.fmt(f),
            Self::HasText => f.write_str("its first argument is a string"),
        }
    }
}

impl Choice {
    /// Finds the places of functions. `arguments` are how their first arguments are to be recorded; those that are
    /// strings may be left to the kernel's probes.
    ///
    /// # Errors
    ///
    /// When the program's functions cannot be read.
    pub(super) fn of(
        elf: &Elf<'_>,
        survey: &Survey<'_>,
        (asked, leaves_strings): (Vec<Asked>, bool),
        arguments: &[ArgumentKind],
    ) -> Result<Self, Error> {
        let table = Pclntab::of(elf)?;
        let mut choice = Self::default();
        let found = side_by_side(&asked, |asked| asked.places(&table, survey));
        for ((asked, argument), places) in asked.into_iter().zip(arguments).zip(found) {
            match places {
                Ok(_) if leaves_strings && *argument == ArgumentKind::Text => {
                    choice.left_alone.push((asked, Alone::HasText));
                }
                Ok(places) => choice.functions.push((asked, *argument, places)),
                Err(why) => choice.left_alone.push((asked, Alone::Unpatched(why))),
            }
        }
        Ok(choice)
    }

    /// The places, with the numbers of their functions in records.
    pub(super) fn marked(&self) -> Vec<Marked<'_>> {
        let functions = self.functions.iter();
        Marked::all(
            functions
                .map(|(_, argument, places)| (*argument != ArgumentKind::None, places.as_slice())),
        )
    }

    /// What there is to know of it once the copy is made.
    pub(super) fn account(&self, elf: &Elf<'_>) -> Account {
        let functions = self.functions.iter().map(|(asked, argument, places)| {
            let entry = places.first().map(|place| place.address);
            let entry = entry.and_then(|entry| elf.memory().offset_of(entry));
            Function {
                name: text(&asked.name),
                file: text(&asked.file),
                address: asked.address.0,
                entry: entry.map_or(0, |offset| offset.0),
                exits: u32::try_from(places.len().saturating_sub(1)).unwrap_or(u32::MAX),
                set: asked.set.clone(),
                phase: asked.phase.as_ref().map(Mark::from),
                argument: (*argument).into(),
            }
        });
        Account {
            build_id: elf.build_id().unwrap_or_default().to_vec(),
            is_for_arm64: elf.machine == Machine::Arm64,
            functions: functions.collect(),
            unseen: self.unseen(),
            rest: self.rest(),
            has_all: true,
            ..Account::default()
        }
    }

    fn unseen(&self) -> Vec<Unseen> {
        let alone = self.left_alone.iter().filter(|(asked, why)| {
            // Nobody asked for those of the runtime: sets are for all backends.
            !(asked.set.is_some() && matches!(why, Alone::Unpatched(Unpatched::Exempt(_))))
        });
        let (rest, alone): (Vec<_>, Vec<_>) = alone.partition(|(asked, why)| is_rest(asked, why));
        let with_why = |(asked, why): &(Asked, Alone)| (asked.name.clone(), why.to_string());
        let [rest, alone] =
            [rest, alone].map(|all| all.into_iter().map(with_why).collect::<Vec<_>>());
        let texts = self.functions.iter();
        let texts = texts.filter(|(_, argument, _)| *argument == ArgumentKind::Text);
        let why = "they are strings: copies record numbers alone, the backend bpf strings, too";
        let texts: Vec<_> = texts
            .map(|(asked, ..)| (asked.name.clone(), why.to_owned()))
            .collect();
        let mut unseen = grouped((What::Calls, false), &alone);
        unseen.extend(grouped((What::Calls, true), &rest));
        unseen.extend(grouped((What::Arguments, false), &texts));
        unseen
    }

    fn rest(&self) -> Vec<u64> {
        let rest = self.left_alone.iter();
        let rest = rest.filter(|(asked, why)| is_rest(asked, why));
        rest.map(|(asked, _)| asked.address.0).collect()
    }
}

/// Whether the kernel's probes are to watch a function instead. There are thousands in the runtime, which are called all
/// the time: of these only those that were meant.
fn is_rest(asked: &Asked, why: &Alone) -> bool {
    !matches!(why, Alone::Unpatched(Unpatched::Exempt(Exempt::Runtime)))
        || !asked.glob.begins_with_any()
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Names and reasons: each by itself, or of many, how many for which reason.
fn grouped((what, is_rest): (What, bool), all: &[(Vec<u8>, String)]) -> Vec<Unseen> {
    if all.len() <= NAMED {
        let each = all.iter().map(|(name, why)| Unseen {
            what,
            functions: 1,
            is_rest,
            name: text(name),
            why: why.clone(),
        });
        return each.collect();
    }
    let mut reasons: BTreeMap<&str, (usize, &[u8])> = BTreeMap::new();
    for (name, why) in all {
        reasons.entry(without_address(why)).or_insert((0, name)).0 += 1;
    }
    let each = reasons.into_iter().map(|(why, (functions, name))| Unseen {
        what,
        functions,
        is_rest,
        name: text(name),
        why: why.to_owned(),
    });
    each.collect()
}

/// Does some work for each item, on all processors where there are many; in their order.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(items.len().div_ceil(MANY)).max(1);
    let work = &work;
    // Large functions lie near each other.
    let share = |of: usize| items.iter().skip(of).step_by(threads).map(work);
    let mut shares: Vec<std::vec::IntoIter<R>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|of| scope.spawn(move || share(of).collect::<Vec<R>>()))
            .collect();
        let own: Vec<R> = share(0).collect();
        let others = others.into_iter().map(|thread| {
            let done = thread.join();
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let all = [own].into_iter().chain(others);
        all.map(Vec::into_iter).collect()
    });
    let next = (0..items.len()).map(|at| shares.get_mut(at % threads)?.next());
    next.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_shared_comes_back_in_order() {
        for count in [0, 1, MANY, 10 * MANY + 3] {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = (0..count).map(|item| item * 2).collect();
            assert_eq!(side_by_side(&items, |item| item * 2), expected);
        }
    }

    #[test]
    fn few_are_named_and_many_are_counted_by_reason() {
        let of = |count: usize, why: &str| vec![(b"f".to_vec(), why.to_owned()); count];
        let calls = (What::Calls, false);
        let named = grouped(calls, &of(NAMED, "its exit at 0x1 has no room"));
        assert_eq!(named.len(), NAMED);
        assert_eq!(named[0].why, "its exit at 0x1 has no room");
        let all = [
            of(NAMED, "its exit at 0x1"),
            of(2, "its exit at 0x2"),
            of(1, "b"),
        ]
        .concat();
        let counted = grouped(calls, &all);
        let counted: Vec<_> = counted
            .iter()
            .map(|row| (row.functions, &*row.why))
            .collect();
        assert_eq!(counted, [(1, "b"), (NAMED + 2, "its exit")]);
    }
}
