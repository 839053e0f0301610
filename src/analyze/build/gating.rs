//! The shape of a graph: an order with dependencies first, and what gates what.

use super::{ActionIndex, BuildAction};

/// An order in which each action stands after its dependencies.
///
/// Graphs have no circles; of a damaged trace's graph, those actions that stand in or behind
/// one lose their dependencies. Dependencies that are no action are taken out.
pub(super) fn order(actions: &mut [BuildAction]) -> Vec<ActionIndex> {
    let count = actions.len();
    for action in actions.iter_mut() {
        action.deps.retain(|dep| dep.index() < count);
    }
    let dependents = Dependents::of(actions);
    let mut open: Vec<usize> = actions.iter().map(|action| action.deps.len()).collect();
    let mut order: Vec<ActionIndex> = indices(count)
        .filter(|index| open[index.index()] == 0)
        .collect();
    let mut at = 0;
    while let Some(&done) = order.get(at) {
        at += 1;
        for &next in dependents.of_action(done) {
            open[next.index()] -= 1;
            if open[next.index()] == 0 {
                order.push(next);
            }
        }
    }
    if order.len() < count {
        for index in indices(count).filter(|index| open[index.index()] > 0) {
            actions[index.index()].deps.clear();
            order.push(index);
        }
    }
    order
}

fn indices(count: usize) -> impl Iterator<Item = ActionIndex> {
    (0..).map(ActionIndex).take(count)
}

/// The actions that depend on each, in one vector.
#[derive(Clone, Debug)]
pub(super) struct Dependents {
    starts: Vec<usize>,
    flat: Vec<ActionIndex>,
}

impl Dependents {
    /// Turns all dependencies around. They must all be actions.
    pub(super) fn of(actions: &[BuildAction]) -> Self {
        let mut starts = vec![0; actions.len() + 1];
        for dep in actions.iter().flat_map(|action| &action.deps) {
            starts[dep.index() + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut flat = vec![ActionIndex(0); starts.last().copied().unwrap_or(0)];
        for (index, action) in indices(actions.len()).zip(actions) {
            for dep in &action.deps {
                let place = &mut next[dep.index()];
                flat[*place] = index;
                *place += 1;
            }
        }
        Self { starts, flat }
    }

    pub(super) fn of_action(&self, index: ActionIndex) -> &[ActionIndex] {
        let at = index.index();
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&from), Some(&to)) => self.flat.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// The dependency that ended last: the one that an action really waited for. Of those that
/// ended together, the first.
pub(super) fn last_dep(actions: &[BuildAction], action: &BuildAction) -> Option<ActionIndex> {
    action
        .deps
        .iter()
        .copied()
        .filter_map(|dep| Some((actions.get(dep.index())?.end, std::cmp::Reverse(dep))))
        .max()
        .map(|(_, dep)| dep.0)
}

/// Counts for each action what it unlocks and gates, dependents first.
pub(super) fn count(actions: &mut [BuildAction], order: &[ActionIndex]) {
    for &index in order.iter().rev() {
        let action = &actions[index.index()];
        let Some(dep) = last_dep(actions, action) else {
            continue;
        };
        let (unlocks, gates) = if action.works() {
            (1, action.gates.saturating_add(1))
        } else {
            (action.unlocks, action.gates)
        };
        let dep = &mut actions[dep.index()];
        dep.unlocks = dep.unlocks.saturating_add(unlocks);
        dep.gates = dep.gates.saturating_add(gates);
    }
}
