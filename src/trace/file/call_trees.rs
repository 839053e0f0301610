//! Aggregated calls in columns: trees whose nodes are functions, by who called them.

use super::blocks::Columns;
use super::bytes::{Bytes, Malformed, difference, follow, narrow};
use super::columns::{put_column, take_column};
use super::layout::Kind;
use crate::trace::{CallTreeRow, Nanos, ProbeId, ProcessId};

/// Call trees, each a root and what it leads to, in preorder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTreeBlock {
    rows: Vec<CallTreeRow>,
    /// Time of the first and of the last event that they were made of.
    span: Option<(Nanos, Nanos)>,
}

impl CallTreeBlock {
    /// The rows of this block, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = CallTreeRow> + '_ {
        self.rows.iter().copied()
    }

    /// Number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds rows, each of level 0 or at most one below the one before.
    pub(super) fn extend(&mut self, rows: &[CallTreeRow], (from, to): (Nanos, Nanos)) {
        self.rows.extend_from_slice(rows);
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Whether every id has a row in its table.
    pub(super) fn is_defined(&self, processes: usize, probes: usize) -> bool {
        self.iter()
            .all(|row| row.process.index() < processes && row.probe.index() < probes)
    }
}

impl Columns for CallTreeBlock {
    const KIND: Kind = Kind::CallTrees;

    fn rows(&self) -> usize {
        self.len()
    }

    fn span(&self) -> (Nanos, Nanos) {
        self.span.unwrap_or_default()
    }

    /// The contents of a block of call trees.
    ///
    /// ```text
    /// column: level: how many levels above that of a callee of the row before (of a root at first)
    /// column: for rows of level 0: process, difference from the one before (0 at first)
    /// column: probe │ column: calls │ column: open ones of them │ column: total in ns
    /// ```
    fn encode(&self) -> Vec<u8> {
        let mut columns: [Vec<u64>; 6] =
            std::array::from_fn(|_| Vec::with_capacity(self.rows.len()));
        let [levels, processes, probes, calls, open, totals] = &mut columns;
        let (mut below, mut process) = (0_u32, 0_u64);
        for row in &self.rows {
            levels.push(u64::from(below.saturating_sub(row.level)));
            below = row.level.saturating_add(1);
            if row.level == 0 {
                processes.push(difference(u64::from(row.process.0), process));
                process = u64::from(row.process.0);
            }
            probes.push(u64::from(row.probe.0));
            calls.push(row.calls);
            open.push(row.open);
            totals.push(row.total.0);
        }
        let mut out = Vec::new();
        for column in &columns {
            put_column(&mut out, column);
        }
        out
    }

    fn decode(contents: &[u8], rows: usize) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(contents);
        let mut column = |rows| {
            let mut column = Vec::new();
            take_column(&mut bytes, rows, &mut column).map(|()| column)
        };
        let levels = levels(&column(rows)?)?;
        let roots = levels.iter().filter(|&&level| level == 0).count();
        let mut processes = column(roots)?.into_iter();
        let (probes, calls, open) = (column(rows)?, column(rows)?, column(rows)?);
        let totals = column(rows)?;
        if !bytes.is_empty() {
            return Err(Malformed(
                "expected the end of the call trees, found more bytes",
            ));
        }
        let counts = calls.into_iter().zip(open).zip(totals);
        let mut block = Self::default();
        let mut process = 0;
        for ((level, probe), ((calls, open), total)) in levels.into_iter().zip(probes).zip(counts) {
            if level == 0 {
                process = follow(process, processes.next().unwrap_or_default());
            }
            if open > calls {
                return Err(Malformed(
                    "expected no more open calls than calls of a function",
                ));
            }
            block.rows.push(CallTreeRow {
                process: ProcessId(narrow(process)?),
                level,
                probe: ProbeId(narrow(probe)?),
                calls,
                open,
                total: Nanos(total),
            });
        }
        Ok(block)
    }
}

/// The levels of rows, by how far each is above the lowest that it may have.
fn levels(column: &[u64]) -> Result<Vec<u32>, Malformed> {
    let mut below = 0_u32;
    let mut levels = Vec::with_capacity(column.len());
    for &above in column {
        let level = u32::try_from(above)
            .ok()
            .and_then(|above| below.checked_sub(above))
            .ok_or(Malformed(
                "expected a level of a call tree, found one above its root",
            ))?;
        below = level.saturating_add(1);
        levels.push(level);
    }
    Ok(levels)
}

impl From<&[CallTreeRow]> for CallTreeBlock {
    fn from(rows: &[CallTreeRow]) -> Self {
        Self {
            rows: rows.to_vec(),
            span: None,
        }
    }
}
