//! How long the runs of a series took, as a table.

use super::page::Page;
use super::table::{Column, Table};
use crate::render::units;
use crate::trace::Nanos;
use std::io;

/// The runs of one configuration.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// How long each run took.
    pub walls: Vec<Nanos>,
}

/// Writes the rows: number of runs, shortest, median, longest.
///
/// # Errors
///
/// Those of the writer.
pub fn write(rows: &[Row], page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::name("configuration"),
        Column::number("runs"),
        Column::number("median"),
        Column::number("shortest"),
        Column::number("longest"),
    ]);
    let scale = units::Scale::of_all(rows.iter().flat_map(|row| row.walls.iter().copied()));
    for row in rows {
        let mut walls = row.walls.clone();
        walls.sort_unstable();
        let time = |wall: Option<&Nanos>| wall.map_or("-".to_owned(), |wall| scale.write(*wall));
        table.push(vec![
            row.name.as_str().into(),
            units::count(walls.len() as u64).into(),
            time(median(&walls).as_ref()).into(),
            time(walls.first()).into(),
            time(walls.last()).into(),
        ]);
    }
    table.write(page, out)
}

/// The middle one, or the mean of the two in the middle.
fn median(sorted: &[Nanos]) -> Option<Nanos> {
    let high = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    let low = *sorted.get(sorted.len() / 2 - 1)?;
    Some(Nanos(low.0.midpoint(high.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_summed_up_by_their_median() {
        let row = |name: &str, walls: &[u64]| Row {
            name: name.into(),
            walls: walls.iter().map(|ms| Nanos(ms * 1_000_000)).collect(),
        };
        let rows = [
            row("a", &[30, 10, 20]),
            row("b", &[40, 10]),
            row("none", &[]),
        ];
        let mut out = Vec::new();
        write(&rows, &Page::default(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "configuration  runs   median  shortest  longest\n\
             a                 3  20.0 ms   10.0 ms  30.0 ms\n\
             b                 2  25.0 ms   10.0 ms  40.0 ms\n\
             none              0        -         -        -\n"
        );
    }
}
