//! What was lost or not seen, in sentences: a few below the summary, or all.

use super::page::{Page, Tone};
use super::summary::line;
use super::width::columns;
use crate::analyze::Gap;
use crate::render::units;
use std::io;

/// The most lines about one thing, where there is room for a few alone.
const LINES_A_GAP: usize = 2;

/// Things that are told of in one sentence.
struct Told {
    words: String,
    /// How many they are.
    gaps: usize,
}

/// What was lost is told of one by one, and what was not seen for the same reason together.
fn sentences(gaps: &[Gap]) -> Vec<Told> {
    let mut told: Vec<(Told, Option<&str>)> = Vec::new();
    for gap in gaps {
        if let Some(count) = gap.count {
            let words = format!("lost: {} {}: {}", units::count(count), gap.what, gap.why);
            told.push((Told { words, gaps: 1 }, None));
            continue;
        }
        let same = |(_, why): &&mut (Told, Option<&str>)| *why == Some(&*gap.why);
        if let Some((told, _)) = told.iter_mut().find(same) {
            told.words.push_str(&format!(", {}", gap.what));
            told.gaps += 1;
        } else {
            let words = format!("not seen: {}", gap.what);
            told.push((Told { words, gaps: 1 }, Some(&gap.why)));
        }
    }
    told.into_iter()
        .map(|(told, why)| Told {
            words: match why {
                Some(why) => format!("{}: {why}", told.words),
                None => told.words,
            },
            ..told
        })
        .collect()
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
    for told in sentences(gaps) {
        let lines = wrapped(page, &told.words, LINES_A_GAP);
        // The last line is kept for those that do not fit.
        if lines.len() + usize::from(left > told.gaps) > room {
            let words = match left < gaps.len() {
                true => format!("{left} more: gotrace show --by gap"),
                false => format!("{left} lost or not seen: gotrace show --by gap"),
            };
            return line(page, out, &words, Tone::Warning);
        }
        room -= lines.len();
        left -= told.gaps;
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
    let told = sentences(gaps);
    if told.is_empty() {
        let words = "nothing is known to be lost or not seen";
        return writeln!(out, "{}", page.paint(words, Tone::Dim));
    }
    for told in told.iter().take(top) {
        for text in wrapped(page, &told.words, usize::MAX) {
            writeln!(out, "{}", page.paint(&text, Tone::Plain))?;
        }
    }
    match told.len().saturating_sub(top) {
        0 => Ok(()),
        left => {
            let rows = units::counted(left as u64, "more is", "more are");
            let words = format!("{rows} left out: --top 0 shows all");
            writeln!(out, "{}", page.paint(&words, Tone::Dim))
        }
    }
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

    fn gap(what: &str, why: &str, count: Option<u64>) -> Gap {
        Gap {
            what: what.into(),
            why: why.into(),
            count,
        }
    }

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
    }
}
