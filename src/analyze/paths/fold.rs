//! Paths and cells, as few as were asked for, and in order.

use super::grow::Growth;
use super::{Cell, Cells, Function, Kind, Limits, Path, Paths, ROOT};
use crate::analyze::Name;
use crate::trace::Nanos;

/// What paths are called that end in what was left out.
const FOLDED: &str = "[folded: too little to be shown]";

/// Below so few paths nothing can be told.
const FEWEST: usize = 64;

pub(super) fn finish(
    mut growth: Growth<'_>,
    mut cells: Cells,
    limits: Limits,
    unreadable_blocks: u64,
) -> Paths {
    cells.coarsen();
    let mut most = limits.paths;
    let mut folded = fold(&mut growth, &mut cells, most);
    // One step is all of the time, and still each program has too many paths.
    while cells.of.len() > limits.cells && most > FEWEST {
        most /= 2;
        folded += fold(&mut growth, &mut cells, most);
    }
    let mut paths = ordered(&growth, &cells);
    paths.step = cells.step;
    paths.folded = folded;
    paths.unreadable_blocks = unreadable_blocks;
    paths
}

/// What was spent in each path and in those that it begins, as parts of all time of their kind.
fn totals(growth: &Growth<'_>, cells: &Cells) -> Vec<f64> {
    let mut whole = [Nanos::ZERO; Kind::ALL.len()];
    for (((kind, ..), _), spent) in &cells.of {
        whole[*kind as usize] += spent.weight.time;
    }
    let mut totals = vec![0.0; growth.paths.len()];
    for (((kind, _, path), _), spent) in &cells.of {
        totals[*path as usize] +=
            spent.weight.time.0 as f64 / whole[*kind as usize].0.max(1) as f64;
    }
    for at in (1..totals.len()).rev() {
        let parent = growth.paths[at].parent as usize;
        totals[parent] += totals[at];
    }
    totals
}

/// Keeps so many paths, those that most was spent in; what was spent in others goes to one that each kept
/// caller has for them. Returns how many paths are left out.
fn fold(growth: &mut Growth<'_>, cells: &mut Cells, most: usize) -> usize {
    let all = growth.paths.len();
    let totals = totals(growth, cells);
    let mut ranked: Vec<usize> = (1..all).filter(|&at| totals[at] > 0.0).collect();
    if ranked.len() <= most {
        return 0;
    }
    // A path is behind its caller's, and never has more.
    ranked.sort_unstable_by(|&a, &b| totals[b].total_cmp(&totals[a]).then(a.cmp(&b)));
    let mut is_kept = vec![false; all];
    is_kept[ROOT as usize] = true;
    for &at in ranked.iter().take(most) {
        is_kept[at] = true;
    }
    let rest = growth.id(Function {
        name: Name::from(FOLDED),
        file: Name::default(),
        named: false,
    });
    let mut nearest_kept = vec![ROOT; all];
    let mut moved: Vec<u32> = (0..).take(all).collect();
    for at in 1..all {
        if is_kept[at] {
            nearest_kept[at] = moved[at];
        } else {
            let kept = nearest_kept[growth.paths[at].parent as usize];
            nearest_kept[at] = kept;
            moved[at] = growth.child(kept, rest, 0, false);
        }
    }
    cells.move_to(|path| moved.get(path as usize).copied().unwrap_or(path));
    ranked.len() - most
}

/// Puts each path directly before those that it begins, without those that nothing ends in.
fn ordered(growth: &Growth<'_>, cells: &Cells) -> Paths {
    let count = growth.paths.len();
    let mut is_used = vec![false; count];
    is_used[ROOT as usize] = true;
    for ((_, _, path), _) in cells.of.keys() {
        is_used[*path as usize] = true;
    }
    for at in (1..count).rev() {
        if is_used[at] {
            is_used[growth.paths[at].parent as usize] = true;
        }
    }
    let mut begun: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (at, path) in (0..).zip(&growth.paths).skip(1) {
        if is_used[at as usize] {
            begun[path.parent as usize].push(at);
        }
    }
    let mut found = Paths::default();
    let mut functions = vec![None; growth.functions.len()];
    let mut places = vec![ROOT; count];
    let mut steps = vec![(ROOT, ROOT)];
    while let Some((old, parent)) = steps.pop() {
        let place = u32::try_from(found.paths.len()).unwrap_or(u32::MAX);
        places[old as usize] = place;
        let path = growth.paths[old as usize];
        let function = match old {
            ROOT => 0,
            _ => *functions[path.function as usize].get_or_insert_with(|| {
                found
                    .functions
                    .push(growth.functions[path.function as usize].clone());
                u32::try_from(found.functions.len() - 1).unwrap_or(u32::MAX)
            }),
        };
        found.paths.push(Path {
            parent,
            function,
            ..path
        });
        steps.extend(begun[old as usize].iter().rev().map(|&next| (next, place)));
    }
    let all = cells
        .of
        .iter()
        .map(|(((kind, process, path), _), spent)| Cell {
            kind: *kind,
            process: *process,
            path: places[*path as usize],
            from: spent.from,
            to: spent.to,
            weight: spent.weight,
        });
    found.cells = all.collect();
    let key = |cell: &Cell| (cell.kind, cell.process, cell.to, cell.path);
    found.cells.sort_unstable_by_key(key);
    found
}
