//! Paths and cells, as few as were asked for, and in order.

use super::cells::{Cells, Owners, Settled};
use super::grow::Growth;
use super::{Cell, Function, Kind, Limits, Path, Paths, ROOT};
use crate::analyze::Name;
use crate::trace::Nanos;

/// What paths are called that end in what was left out.
const FOLDED: &str = "[folded: too little to be shown]";

/// Below so few paths nothing can be told.
const FEWEST: usize = 64;

pub(super) fn finish(
    growth: Growth<'_>,
    owners: &Owners,
    cells: Cells,
    limits: Limits,
    unreadable_blocks: u64,
) -> Paths {
    // Only the paths are needed from here on, not how they were found: that takes more memory than they do.
    let Growth {
        mut functions,
        mut paths,
        ..
    } = growth;
    let rest = u32::try_from(functions.len()).unwrap_or(u32::MAX);
    functions.push(Function {
        name: Name::from(FOLDED),
        file: Name::default(),
        named: false,
    });
    let mut cells = cells.settle();
    let mut most = limits.paths;
    let mut folded = fold(&mut paths, rest, owners, &mut cells, most);
    // One step is all of the time, and still each program has too many paths.
    while cells.len() > limits.cells && most > FEWEST {
        most /= 2;
        folded += fold(&mut paths, rest, owners, &mut cells, most);
    }
    let mut paths = ordered(&functions, &paths, owners, &cells);
    paths.step = cells.step;
    paths.folded = folded;
    paths.unreadable_blocks = unreadable_blocks;
    paths
}

/// What was spent in each path and in those that it begins, as parts of all time of their kind. It is added up before it
/// is divided: paths of equal times have equal parts, in whichever order their cells came.
fn totals(paths: &[Path], owners: &Owners, cells: &Settled) -> Vec<f64> {
    let mut of_kinds: [Vec<Nanos>; Kind::ALL.len()] = Default::default();
    for (key, spent) in cells.iter() {
        let Some((kind, _, _)) = owners.get(key.owner) else {
            continue;
        };
        let sums = &mut of_kinds[kind as usize];
        if sums.is_empty() {
            sums.resize(paths.len(), Nanos::ZERO);
        }
        sums[key.path as usize] += spent.weight.time;
    }
    let mut totals = vec![0.0; paths.len()];
    for mut sums in of_kinds.into_iter().filter(|sums| !sums.is_empty()) {
        for at in (1..sums.len()).rev() {
            let (sum, parent) = (sums[at], paths[at].parent as usize);
            sums[parent] += sum;
        }
        let whole = sums[ROOT as usize].0.max(1) as f64;
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.0 as f64 / whole;
        }
    }
    totals
}

/// Keeps so many paths, those that most was spent in; what was spent in others goes to one that each kept
/// caller has for them, of the function `rest`. Returns how many paths are left out.
fn fold(
    paths: &mut Vec<Path>,
    rest: u32,
    owners: &Owners,
    cells: &mut Settled,
    most: usize,
) -> usize {
    let all = paths.len();
    let totals = totals(paths, owners, cells);
    let ids = (0..).zip(&totals).skip(1);
    let mut ranked: Vec<u32> = ids
        .filter(|(_, total)| **total > 0.0)
        .map(|(at, _)| at)
        .collect();
    if ranked.len() <= most {
        return 0;
    }
    let total = |at: u32| totals[at as usize];
    // A path is behind its caller's, and never has more.
    ranked.select_nth_unstable_by(most, |&a, &b| total(b).total_cmp(&total(a)).then(a.cmp(&b)));
    let mut is_kept = vec![false; all];
    is_kept[ROOT as usize] = true;
    for &at in ranked.iter().take(most) {
        is_kept[at as usize] = true;
    }
    let mut nearest_kept = vec![ROOT; all];
    let mut rest_of = vec![ROOT; all];
    for (at, path) in (0..).zip(&*paths) {
        // From folding before.
        if path.function == rest {
            rest_of[path.parent as usize] = at;
        }
    }
    let mut moved: Vec<u32> = (0..).take(all).collect();
    for at in 1..all {
        if is_kept[at] {
            nearest_kept[at] = moved[at];
        } else {
            let kept = nearest_kept[paths[at].parent as usize];
            nearest_kept[at] = kept;
            let place = &mut rest_of[kept as usize];
            if *place == ROOT {
                *place = u32::try_from(paths.len()).unwrap_or(u32::MAX);
                paths.push(Path {
                    parent: kept,
                    function: rest,
                    line: 0,
                    inlined: false,
                });
            }
            moved[at] = *place;
        }
    }
    cells.move_to(|path| moved.get(path as usize).copied().unwrap_or(path));
    ranked.len() - most
}

/// Puts each path directly before those that it begins, without those that nothing ends in.
fn ordered(all_functions: &[Function], all: &[Path], owners: &Owners, cells: &Settled) -> Paths {
    let count = all.len();
    let mut is_used = vec![false; count];
    is_used[ROOT as usize] = true;
    for (key, _) in cells.iter() {
        is_used[key.path as usize] = true;
    }
    for at in (1..count).rev() {
        if is_used[at] {
            is_used[all[at].parent as usize] = true;
        }
    }
    // The last path that each begins, and of each the one before it; the root for none.
    let (mut last, mut before) = (vec![ROOT; count], vec![ROOT; count]);
    for (at, path) in (0..).zip(all).skip(1) {
        if is_used[at as usize] {
            before[at as usize] = std::mem::replace(&mut last[path.parent as usize], at);
        }
    }
    let mut found = Paths::default();
    let mut functions = vec![None; all_functions.len()];
    let mut places = vec![ROOT; count];
    let mut steps = vec![(ROOT, ROOT)];
    while let Some((old, parent)) = steps.pop() {
        let place = u32::try_from(found.paths.len()).unwrap_or(u32::MAX);
        places[old as usize] = place;
        let path = all[old as usize];
        let function = match old {
            ROOT => 0,
            _ => *functions[path.function as usize].get_or_insert_with(|| {
                found
                    .functions
                    .push(all_functions[path.function as usize].clone());
                u32::try_from(found.functions.len() - 1).unwrap_or(u32::MAX)
            }),
        };
        found.paths.push(Path {
            parent,
            function,
            ..path
        });
        let mut next = last[old as usize];
        while next != ROOT {
            steps.push((next, place));
            next = before[next as usize];
        }
    }
    let cells = cells.iter().filter_map(|(key, spent)| {
        let (kind, process, place) = owners.get(key.owner)?;
        Some(Cell {
            kind,
            process,
            path: places[key.path as usize],
            place,
            from: spent.from,
            to: spent.to,
            weight: spent.weight,
        })
    });
    found.cells = cells.collect();
    let key = |cell: &Cell| (cell.kind, cell.process, cell.to, cell.path, cell.place);
    found.cells.sort_unstable_by_key(key);
    found
}
