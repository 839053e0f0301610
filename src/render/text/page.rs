//! What text is drawn for: how wide it may be, and which characters and colours it may use.

use super::width;

/// The surface that text is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Columns in a line.
    pub columns: usize,
    /// Colours and bold type may be used.
    pub colour: bool,
    /// Characters beyond ASCII may be used.
    pub unicode: bool,
}

impl Default for Page {
    /// For a pipe: 100 columns without colour.
    fn default() -> Self {
        Self {
            columns: 100,
            colour: false,
            unicode: true,
        }
    }
}

/// How a piece of text is set apart from the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As everything else.
    #[default]
    Plain,
    /// What the eye should find first.
    Strong,
    /// What may be skipped: headings of columns, explanations.
    Dim,
    /// What gates the build.
    Critical,
    /// What was lost, or went wrong.
    Warning,
    /// One of the colours that tell tools apart, see [`crate::render::palette`].
    Palette(u8),
}

impl Page {
    /// The text with everything made visible that could move the cursor or hide, in ASCII where
    /// the page is.
    #[must_use]
    pub fn safe(&self, text: &str) -> String {
        let safe = width::safe(text);
        if self.unicode {
            safe
        } else {
            width::ascii(&safe)
        }
    }

    /// The text in a tone.
    #[must_use]
    pub fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Critical => "1;31",
            Tone::Warning => "33",
            Tone::Palette(index) => {
                return if self.colour && !text.is_empty() {
                    format!("\x1b[38;5;{index}m{text}\x1b[0m")
                } else {
                    text.to_owned()
                };
            }
            Tone::Plain => return text.to_owned(),
        };
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A bar of `ratio` (0 to 1) of `columns`, to an eighth of a column; empty for nothing.
    #[must_use]
    pub fn bar(&self, ratio: f64, columns: usize) -> String {
        const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
        let ratio = if ratio.is_finite() {
            ratio.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let eighths = (ratio * columns as f64 * 8.0).round() as usize;
        if !self.unicode {
            return "#".repeat((eighths + 4) / 8);
        }
        let mut bar = "█".repeat(eighths / 8);
        if let Some(last) = (eighths % 8).checked_sub(1).and_then(|at| EIGHTHS.get(at)) {
            bar.push(*last);
        }
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_escape_is_written() {
        let page = Page::default();
        for tone in [Tone::Strong, Tone::Critical, Tone::Palette(3)] {
            assert_eq!(page.paint("x", tone), "x");
        }
        let colour = Page {
            colour: true,
            ..page
        };
        assert_eq!(colour.paint("x", Tone::Strong), "\x1b[1mx\x1b[0m");
        assert_eq!(colour.paint("", Tone::Strong), "");
    }

    #[test]
    fn bars_are_exact_to_an_eighth() {
        let page = Page::default();
        assert_eq!(page.bar(0.5, 4), "██");
        assert_eq!(page.bar(1.0 / 32.0, 4), "▏");
        assert_eq!(page.bar(0.0, 4), "");
        assert_eq!(page.bar(7.0, 4), "████");
        assert_eq!(page.bar(f64::NAN, 4), "");
        let ascii = Page {
            unicode: false,
            ..page
        };
        assert_eq!(ascii.bar(0.5, 4), "##");
    }
}
