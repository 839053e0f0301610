//! What was lost or not seen, in sentences: a few below the summary, or all.

use super::page::{Page, Tone};
use super::summary::line;
use super::table::left_out;
use super::width::columns;
use crate::analyze::Gap;
use crate::render::units;
use rustc_hash::FxHashMap;
use std::io;

/// The most lines about one thing, where there is room for a few alone.
const LINES_A_GAP: usize = 2;
/// The most things that are named then of those that have one reason.
const NAMED: usize = 3;

/// Things that are told of in one sentence: one that was lost, or all that were not seen for one reason.
struct Told<'a> {
    what: Vec<&'a str>,
    why: &'a str,
    lost: Option<u64>,
}

impl<'a> Told<'a> {
    fn all(gaps: &'a [Gap]) -> Vec<Self> {
        let mut told: Vec<Self> = Vec::new();
        let mut of_reason: FxHashMap<&str, usize> = FxHashMap::default();
        for gap in gaps {
            let next = told.len();
            let place = match gap.count {
                Some(_) => next,
                None => *of_reason.entry(&gap.why).or_insert(next),
            };
            match told.get_mut(place) {
                Some(told) => told.what.push(&gap.what),
                None => told.push(Self {
                    what: vec![&gap.what],
                    why: &gap.why,
                    lost: gap.count,
                }),
            }
        }
        told
    }

    /// The sentence, in which at most so many things are named.
    fn words(&self, most: usize) -> String {
        let mut named: Vec<_> = self.what.iter().take(most).copied().collect();
        let more = self.what.len().saturating_sub(most);
        let more = format!("{} more", units::count(more as u64));
        if self.what.len() > most {
            named.push(&more);
        }
        let (what, why) = (named.join(", "), self.why);
        match self.lost {
            Some(count) => format!("lost: {} {what}: {why}", units::count(count)),
            None => format!("not seen: {what}: {why}"),
        }
    }
}

/// Writes those for which there is room in `most` lines, and how many there are besides.
///
/// # Errors
///
/// Those of the writer.
pub(super) fn brief(
    gaps: &[Gap],
    most: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let (mut room, mut left) = (most, gaps.len());
    for told in Told::all(gaps) {
        let lines = wrapped(page, &told.words(NAMED), LINES_A_GAP);
        // The last line is kept for those that do not fit.
        if lines.len() + usize::from(left > told.what.len()) > room {
            let words = match left < gaps.len() {
                true => format!("{left} more: gotrace show --by gap"),
                false => format!("{left} lost or not seen: gotrace show --by gap"),
            };
            return line(page, out, &words, Tone::Warning);
        }
        room -= lines.len();
        left -= told.what.len();
        for text in lines {
            line(page, out, &text, Tone::Warning)?;
        }
    }
    Ok(())
}

/// Writes at most `top` sentences, each whole.
///
/// # Errors
///
/// Those of the writer.
pub(super) fn whole(
    gaps: &[Gap],
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let told = Told::all(gaps);
    if told.is_empty() {
        let words = "nothing is known to be lost or not seen";
        return writeln!(out, "{}", page.paint(words, Tone::Dim));
    }
    for told in told.iter().take(top) {
        for text in wrapped(page, &told.words(usize::MAX), usize::MAX) {
            writeln!(out, "{}", page.paint(&text, Tone::Plain))?;
        }
    }
    let more = told.len().saturating_sub(top);
    left_out(more, ("more is", "more are"), page, out)
}

/// The text in at most so many lines that fit the page, those after the first indented; what is left stands behind the
/// last one, and is to be cut.
fn wrapped(page: &Page, text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in page.safe(text).split(' ') {
        let full = lines.len() == most;
        let Some(last) = lines.last_mut() else { break };
        if !full && columns(last) + 1 + columns(word) > page.columns {
            lines.push(format!("  {word}"));
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::gaps::tests::gap;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_has_one_reason_is_one_sentence() {
        let gaps = [
            gap("samples", "no rights", None),
            gap("samples", "the ring was full", Some(1_200)),
            gap("calls of f", "no rights", None),
            gap("images", "no rights", None),
            gap("arguments", "too long", None),
        ];
        let page = Page {
            columns: 30,
            ..Page::default()
        };
        let all = "not seen: samples, calls of f,\n  images: no rights\nlost: 1,200 samples: the ring\n  was full\n\
                   not seen: arguments: too long\n";
        let whole = |top| text(|out| whole(&gaps, top, &page, out));
        assert_eq!(whole(usize::MAX), all);
        assert_eq!(
            whole(2),
            all.replace(
                "not seen: arguments: too long",
                "1 more is left out: --top 0 shows all"
            )
        );
        // Three sentences take five lines, two and the last one three.
        let brief = |most| text(|out| brief(&gaps, most, &page, out));
        assert_eq!(brief(5), all);
        let first = "not seen: samples, calls of f,\n  images: no rights\n";
        let wide = Page::default();
        let more = text(|out| super::brief(&gaps, 2, &wide, out));
        assert_eq!(
            more,
            "not seen: samples, calls of f, images: no rights\n2 more: gotrace show --by gap\n"
        );
        assert!(brief(4).starts_with(first), "{}", brief(4));
        assert_eq!(brief(4).lines().count(), 3);
        // Of many with one reason some are named, and all are told of.
        let many: Vec<Gap> = ["a", "b", "c", "d", "e"]
            .map(|what| gap(what, "no rights", None))
            .to_vec();
        let few = text(|out| super::brief(&many, 3, &wide, out));
        assert_eq!(few, "not seen: a, b, c, 2 more: no rights\n");
        let all = text(|out| super::whole(&many, 1, &wide, out));
        assert_eq!(all, "not seen: a, b, c, d, e: no rights\n");
    }
}
