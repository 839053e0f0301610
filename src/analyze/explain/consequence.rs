//! What follows from something else that is wrong: a library that was not found, and the symbols
//! that are missing for it.

use super::{Cause, Diagnosis, Note, Remedy};

/// Puts the symbols that a missing library would have had to its diagnosis: one thing mends both.
/// `libraries` and `symbols` are those of one link line; what is left of the symbols is given back.
pub(super) fn fold(libraries: &mut [Diagnosis], symbols: Vec<Diagnosis>) -> Vec<Diagnosis> {
    let alone = libraries.len() == 1;
    let (mut left, mut folded) = (Vec::new(), Vec::new());
    for one in symbols {
        let cause = libraries
            .iter()
            .position(|library| explains(library, &one, alone));
        match cause {
            Some(library) => folded.push((library, one)),
            None => left.push(one),
        }
    }
    for (at, one) in folded {
        if let Some(library) = libraries.get_mut(at) {
            // Files that were asked for the symbols tell more than those that were looked for.
            if same_file(library, &one) && library.symbols.is_empty() {
                library.witnesses = one.witnesses;
            }
            library.symbols.extend(one.symbols);
            let new = |line: &usize| !library.lines.contains(line);
            let lines: Vec<usize> = one.lines.into_iter().filter(new).collect();
            library.lines.extend(lines);
            if one.cause == Cause::Unknown && !library.notes.contains(&Note::SymbolsLikely) {
                library.notes.push(Note::SymbolsLikely);
            }
        }
    }
    left
}

/// Whether symbols are missing because a library is.
fn explains(library: &Diagnosis, symbols: &Diagnosis, alone: bool) -> bool {
    if !matches!(library.cause, Cause::LibraryMissing | Cause::WrongSlice) {
        return false;
    }
    let by_name = symbols.notes.iter().any(
        |note| matches!(note, Note::ByName(flag) if library.subject.as_deref() == Some(*flag)),
    );
    let flags = |one: &Diagnosis| match one.remedies.first() {
        Some(Remedy::Flags(flags)) => Some(flags.clone()),
        _ => None,
    };
    let same_flags = flags(library).is_some() && flags(library) == flags(symbols);
    // What nothing has is most likely of what nobody found.
    let nowhere = alone && symbols.cause == Cause::Unknown;
    by_name || same_file(library, symbols) || same_flags || nowhere
}

/// Whether both lead to one file.
fn same_file(library: &Diagnosis, symbols: &Diagnosis) -> bool {
    let first = |one: &Diagnosis| one.witnesses.first().map(|witness| witness.path.clone());
    first(library).is_some() && first(library) == first(symbols)
}
