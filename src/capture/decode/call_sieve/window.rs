//! When calls of a program are meant: from the entry of one function to the exit of another.

/// Turns in the order of their time, once they are sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    is_open: bool,
    turns: Vec<(u64, bool)>,
    is_sorted: bool,
}

impl Window {
    /// From this reading of the counter on, calls are meant, or are not.
    pub(super) fn turn(&mut self, ticks: u64, opens: bool) {
        self.turns.push((ticks, opens));
        self.is_sorted = false;
    }

    /// To be called when all turns are known up to what is taken next.
    pub(super) fn sort(&mut self) {
        if !self.is_sorted {
            self.turns.sort_by_key(|(ticks, _)| *ticks);
            self.is_sorted = true;
        }
    }

    /// Whether calls are meant that begin at this reading.
    pub(super) fn is_open_at(&self, ticks: u64) -> bool {
        let passed = self.turns.partition_point(|(turn, _)| *turn <= ticks);
        let last = passed.checked_sub(1).and_then(|at| self.turns.get(at));
        last.map_or(self.is_open, |(_, opens)| *opens)
    }

    /// A round is over.
    pub(super) fn settle(&mut self) {
        self.sort();
        self.is_open = self.is_open_at(u64::MAX);
        self.turns.clear();
    }
}
