//! Lines as `show` paints them for a terminal, put into the cells of a frame.

use crate::render::text::{Page, columns};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use std::io;

/// What a writer writes for a page, line by line. Writing to memory does not fail.
pub(super) fn lines(
    page: &Page,
    write: impl FnOnce(&Page, &mut dyn io::Write) -> io::Result<()>,
) -> Vec<String> {
    let mut text = Vec::new();
    if let Err(error) = write(page, &mut text) {
        return vec![error.to_string()];
    }
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::to_owned).collect()
}

/// Puts a line into a frame, as much of it as the area is wide; all that it holds of escapes is what
/// [`Page::paint`] writes.
pub(super) fn put(buffer: &mut Buffer, area: Rect, line: &str, base: Style) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    buffer.set_style(Rect { height: 1, ..area }, base);
    let mut style = base;
    let mut at = area.x;
    for (number, piece) in line.split('\x1b').enumerate() {
        let mut text = piece;
        if number > 0 {
            let (codes, rest) = piece
                .strip_prefix('[')
                .and_then(|piece| piece.split_once('m'))
                .unwrap_or(("0", piece));
            style = base.patch(style_of(codes));
            text = rest;
        }
        let room = area.right().saturating_sub(at);
        (at, _) = buffer.set_stringn(at, area.y, text, usize::from(room), style);
    }
}

/// Puts a safe text into a frame, broken between words where it has to be.
pub(super) fn wrap(buffer: &mut Buffer, area: Rect, text: &str) {
    let lines = broken(text, usize::from(area.width), "");
    for (at, line) in (0..area.height).zip(&lines) {
        let row = Rect {
            y: area.y + at,
            height: 1,
            ..area
        };
        put(buffer, row, line, Style::new());
    }
}

/// A safe text in lines of so many columns, broken between words; all but the first begin with `indent`. A word that
/// is longer than a line has one of its own.
pub(super) fn broken(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines
}

/// The style of the codes that [`Page::paint`] writes.
fn style_of(codes: &str) -> Style {
    if let Some(index) = codes.strip_prefix("38;5;") {
        let index = index.parse().ok();
        return index.map_or(Style::new(), |index| Style::new().fg(Color::Indexed(index)));
    }
    codes
        .split(';')
        .fold(Style::new(), |style, code| match code {
            "1" => style.add_modifier(Modifier::BOLD),
            "2" => style.add_modifier(Modifier::DIM),
            "31" => style.fg(Color::Red),
            "33" => style.fg(Color::Yellow),
            _ => style,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::Tone;

    #[test]
    fn tones_become_styles_and_what_does_not_fit_is_cut() {
        let page = Page {
            colour: true,
            ..Page::default()
        };
        let line = ["a", "b", "c", "d", "e"];
        let tones = [
            Tone::Plain,
            Tone::Strong,
            Tone::Critical,
            Tone::Palette(74),
            Tone::Warning,
        ];
        let painted: String = line
            .into_iter()
            .zip(tones)
            .map(|(text, tone)| page.paint(text, tone))
            .collect();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        put(&mut buffer, Rect::new(1, 0, 4, 1), &painted, Style::new());
        let cells: Vec<_> = buffer
            .content()
            .iter()
            .map(|cell| (cell.symbol(), cell.fg, cell.modifier))
            .collect();
        let none = Modifier::empty();
        assert_eq!(
            cells,
            [
                (" ", Color::Reset, none),
                ("a", Color::Reset, none),
                ("b", Color::Reset, Modifier::BOLD),
                ("c", Color::Red, Modifier::BOLD),
                ("d", Color::Indexed(74), none),
                (" ", Color::Reset, none),
            ]
        );
        put(&mut buffer, Rect::new(0, 7, 4, 1), "beyond", Style::new());
    }
}
