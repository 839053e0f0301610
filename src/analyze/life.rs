//! When one program ran and waited: samples in, time on and off the CPU over its life out.

use super::{Analysis, filter};
use crate::trace::{Nanos, Process, SampleKind};

/// A program's life in equal parts, and what its samples tell of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When it began.
    pub start: Nanos,
    /// When it ended; where that was not seen, when the trace does.
    pub end: Nanos,
    /// CPU time of all its threads, part by part.
    pub cpu: Vec<Nanos>,
    /// Time that its threads waited, part by part, where that was recorded.
    pub waiting: Vec<Nanos>,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl Life {
    /// Divides the life of a program into so many parts. Reads all samples once. A sample stands for the time before
    /// it; what of that lies before the program's start counts in the first part.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, process: &Process, parts: usize) -> Self {
        let parts = parts.max(1);
        let (start, end) = (process.start, process.end_or(analysis.end));
        let mut life = Self {
            start,
            end,
            cpu: vec![Nanos::ZERO; parts],
            waiting: vec![Nanos::ZERO; parts],
            unreadable_blocks: 0,
        };
        life.unreadable_blocks = filter::walk(analysis.trace, |sample| {
            if sample.process != process.id {
                return;
            }
            let of = match sample.kind {
                SampleKind::OnCpu => &mut life.cpu,
                SampleKind::OffCpu => &mut life.waiting,
            };
            let from = sample.time.since(sample.weight);
            spread(of, (start, end), (from, sample.time), sample.weight);
        });
        life
    }

    /// How long a part is.
    #[must_use]
    pub fn part(&self) -> Nanos {
        Nanos(self.end.since(self.start).0 / self.cpu.len().max(1) as u64)
    }
}

/// Adds a weight to the parts of a life that it lies in, to each as much of it as it holds of the time.
fn spread(parts: &mut [Nanos], life: (Nanos, Nanos), time: (Nanos, Nanos), weight: Nanos) {
    let count = parts.len() as u128;
    let length = u128::from(life.1.since(life.0).0.max(1));
    // Places in units of a part's length over `length`, so that nothing is rounded before the end.
    let place = |time: Nanos| u128::from(time.since(life.0).0).min(length) * count;
    let (from, to) = (place(time.0), place(time.1));
    let part_at = |place: u128| usize::try_from(place / length).unwrap_or(usize::MAX);
    let last = parts.len() - 1;
    let (first_part, last_part) = (part_at(from).min(last), part_at(to).min(last));
    let mut left = weight.0;
    for (at, part) in parts
        .iter_mut()
        .enumerate()
        .take(last_part)
        .skip(first_part)
    {
        let end = (at as u128 + 1) * length;
        let within = end - from.max(at as u128 * length);
        let share = u128::from(weight.0) * within / (to - from).max(1);
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(left);
        left -= share;
        *part += Nanos(share);
    }
    // The rest goes to the last part: what is added is the weight, whatever was rounded.
    parts[last_part] += Nanos(left);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_over(time: (u64, u64), weight: u64) -> Vec<u64> {
        let mut parts = [Nanos::ZERO; 4];
        let time = (Nanos(time.0), Nanos(time.1));
        spread(&mut parts, (Nanos(100), Nanos(500)), time, Nanos(weight));
        parts.map(|part| part.0).to_vec()
    }

    #[test]
    fn a_sample_counts_where_it_lies() {
        assert_eq!(spread_over((100, 200), 100), [100, 0, 0, 0]);
        assert_eq!(spread_over((150, 350), 200), [50, 100, 50, 0]);
        assert_eq!(spread_over((450, 500), 50), [0, 0, 0, 50]);
        assert_eq!(spread_over((300, 300), 7), [0, 0, 7, 0]);
    }

    #[test]
    fn nothing_is_lost_at_the_ends() {
        assert_eq!(spread_over((0, 100), 100), [100, 0, 0, 0]);
        assert_eq!(spread_over((490, 700), 210), [0, 0, 0, 210]);
        assert_eq!(spread_over((0, 1_000), 999).iter().sum::<u64>(), 999);
        let mut one = [Nanos::ZERO];
        spread(
            &mut one,
            (Nanos(5), Nanos(5)),
            (Nanos(1), Nanos(9)),
            Nanos(3),
        );
        assert_eq!(one, [Nanos(3)]);
    }
}
