//! What was lost or not seen, in one line: for whoever looks at a picture or a table of the rest.

use super::units;
use crate::analyze::Gap;

/// Losses that are named; the others are counted.
const NAMED: usize = 3;

/// `lost: 7 samples, 2 mappings; not seen: 1 thing`; `None` where there is nothing to say.
#[must_use]
pub fn line(gaps: &[Gap]) -> Option<String> {
    let mut lost: Vec<(&str, u64)> = Vec::new();
    for gap in gaps {
        let Some(count) = gap.count else { continue };
        match lost.iter_mut().find(|(what, _)| *what == &*gap.what) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => lost.push((&gap.what, count)),
        }
    }
    let unseen = gaps.iter().filter(|gap| gap.count.is_none()).count();
    let named = lost.iter().take(NAMED);
    let mut words: Vec<_> = named
        .map(|(what, count)| format!("{} {what}", units::count(*count)))
        .collect();
    if let more @ 1.. = lost.len().saturating_sub(NAMED) {
        words.push(format!("{more} more"));
    }
    let mut parts = Vec::new();
    if !words.is_empty() {
        parts.push(format!("lost: {}", words.join(", ")));
    }
    if unseen > 0 {
        let things = units::counted(unseen as u64, "thing", "things");
        parts.push(format!("not seen: {things}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
pub(in crate::render) mod tests {
    use super::*;

    pub(in crate::render) fn gap(what: &str, why: &str, count: Option<u64>) -> Gap {
        Gap {
            what: what.into(),
            why: why.into(),
            count,
        }
    }

    #[test]
    fn losses_of_a_kind_are_added_and_blind_spots_counted() {
        assert_eq!(line(&[]), None);
        let mut gaps = vec![
            gap("samples", "the ring buffer was full", Some(1_200)),
            gap("an action graph", "it was overwritten", None),
            gap("samples", "the map was full", Some(34)),
        ];
        assert_eq!(
            line(&gaps).unwrap(),
            "lost: 1,234 samples; not seen: 1 thing"
        );
        assert_eq!(line(&gaps[1..2]).unwrap(), "not seen: 1 thing");
        for what in ["a", "b", "c", "d"] {
            gaps.push(gap(what, "", Some(1)));
        }
        gaps.remove(1);
        assert_eq!(
            line(&gaps).unwrap(),
            "lost: 1,234 samples, 1 a, 1 b, 2 more"
        );
    }
}
