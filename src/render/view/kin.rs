//! Who is below whom: parents in, children out.

/// A forest of rows, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Kin {
    parents: Vec<Option<u32>>,
    /// Where the children of each row begin; behind the last row's, the roots.
    starts: Vec<usize>,
    children: Vec<u32>,
}

impl Kin {
    /// Rows without parents.
    pub(super) fn flat(rows: usize) -> Self {
        Self::of(vec![None; rows])
    }

    /// Rows with their parents. A circle, as a damaged trace may hold one, is opened; a parent that is no row is
    /// none.
    pub(super) fn of(mut parents: Vec<Option<u32>>) -> Self {
        let rows = parents.len();
        for parent in &mut parents {
            *parent = parent.filter(|&parent| (parent as usize) < rows);
        }
        open_circles(&mut parents);
        let above = |parent: &Option<u32>| parent.map_or(rows, |parent| parent as usize);
        let mut starts = vec![0; rows + 2];
        for parent in &parents {
            starts[above(parent) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut children = vec![0; rows];
        for (row, parent) in (0..).zip(&parents) {
            let place = &mut next[above(parent)];
            children[*place] = row;
            *place += 1;
        }
        Self {
            parents,
            starts,
            children,
        }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.parents.len()
    }

    /// What a row is below of.
    pub(super) fn parent(&self, row: u32) -> Option<u32> {
        *self.parents.get(row as usize)?
    }

    /// The rows below one, or those below none.
    pub(super) fn below(&self, row: Option<u32>) -> &[u32] {
        let at = row.map_or(self.parents.len(), |row| row as usize);
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&from), Some(&to)) => self.children.get(from..to).unwrap_or_default(),
            _ => &[],
        }
    }
}

fn open_circles(parents: &mut [Option<u32>]) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Now,
        Before,
    }
    let mut seen = vec![Seen::No; parents.len()];
    for start in 0..parents.len() {
        let mut path = Vec::new();
        let mut at = start;
        while seen[at] == Seen::No {
            seen[at] = Seen::Now;
            path.push(at);
            let Some(up) = parents[at] else { break };
            if seen[up as usize] == Seen::Now {
                parents[at] = None;
                break;
            }
            at = up as usize;
        }
        for at in path {
            seen[at] = Seen::Before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_below_their_parents() {
        let kin = Kin::of(vec![None, Some(0), Some(0), Some(2), None]);
        assert_eq!(kin.below(None), [0, 4]);
        assert_eq!(kin.below(Some(0)), [1, 2]);
        assert_eq!(kin.below(Some(2)), [3]);
        assert_eq!((kin.below(Some(4)), kin.below(Some(9))), (&[][..], &[][..]));
        assert_eq!((kin.parent(3), kin.parent(0)), (Some(2), None));
        assert_eq!(Kin::flat(2).below(None), [0, 1]);
    }

    #[test]
    fn a_circle_is_opened_and_an_unknown_parent_is_none() {
        let kin = Kin::of(vec![Some(1), Some(2), Some(0), Some(9), Some(4)]);
        let roots = kin.below(None);
        assert_eq!(roots, [2, 3, 4]);
        let mut met = 0;
        let mut steps = roots.to_vec();
        while let Some(row) = steps.pop() {
            met += 1;
            steps.extend(kin.below(Some(row)));
        }
        assert_eq!(met, 5);
    }
}
