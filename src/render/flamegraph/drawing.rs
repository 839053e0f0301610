//! What inferno is given, and what is added to its picture: a legend, a foot, colours of the page.

use super::Error;
use crate::render::palette::Rgb;
use crate::render::xml;
use inferno::flamegraph as inferno_graph;
use inferno_graph::color::{BackgroundColor, Color, PaletteMap};
use std::fmt::Write as _;

/// A picture that inferno has not drawn yet.
pub(super) struct Drawing {
    pub(super) title: String,
    /// Folded lines as [`super::tree::Tree::folded`] gives them.
    pub(super) lines: Vec<String>,
    pub(super) palette: PaletteMap,
    /// Under the title.
    pub(super) legend: Legend,
    /// At the foot, below inferno's own lines.
    pub(super) foot: Option<String>,
    /// Frames narrower than this part of the picture, in percent, are left out.
    pub(super) min_width: f64,
    /// The root is at the top.
    pub(super) inverted: bool,
}

/// Text and page colours beside inferno's own. A rule wins over inferno's attributes.
const STYLE: &str = "
#frames text { pointer-events:none; fill:#14171a; }
@media (prefers-color-scheme: dark) {
  svg > rect { fill:#15181c; }
  #title, #details, #unzoom, #search, #matched, .legend text { fill:#e3e6ea; }
  #frames > *:hover { stroke:white; }
}
";

impl Drawing {
    /// The picture as inferno draws it, with what is added here.
    pub(super) fn svg(mut self) -> Result<String, Error> {
        let mut settings = inferno_graph::Options::default();
        settings.title = std::mem::take(&mut self.title);
        // Keeps the row under the title free: the legend stands there.
        settings.subtitle = Some(" ".to_owned());
        settings.palette_map = Some(&mut self.palette);
        settings.bgcolors = Some(BackgroundColor::Flat(Color::new(255, 255, 255)));
        settings.font_size = FONT_SIZE;
        settings.frame_height = 17;
        settings.min_width = self.min_width;
        settings.count_name = "ms".to_owned();
        settings.factor = 1e-6;
        settings.name_type = String::new();
        // As the lines come, and not sorted by name: see `Tree::folded`. In this mode inferno
        // begins with the last line.
        settings.flame_chart = true;
        if self.inverted {
            settings.direction = inferno_graph::Direction::Inverted;
        }
        let lines = self.lines.iter().rev().map(String::as_str);
        let mut drawn = Vec::new();
        inferno_graph::from_lines(&mut settings, lines, &mut drawn).map_err(Error::Write)?;
        let svg = String::from_utf8_lossy(&drawn);
        let svg = svg.replacen("</style>", &format!("{STYLE}</style>"), 1);
        let frames = r#"<svg id="frames""#;
        let added = self.legend.svg() + &foot(self.foot.as_deref());
        Ok(svg.replacen(frames, &format!("{added}{frames}"), 1))
    }
}

/// Size of the text, in pixels.
pub(super) const FONT_SIZE: usize = 12;

pub(super) fn colour(colour: Rgb) -> Color {
    Color::new(colour.0, colour.1, colour.2)
}

fn foot(words: Option<&str>) -> String {
    let Some(words) = words.map(xml::escape) else {
        return String::new();
    };
    format!(
        r#"<svg class="legend" overflow="visible"><text x="50%" y="100%" dy="-4" text-anchor="middle" style="font-size:11px">{words}</text></svg>"#
    )
}

/// A row of swatches and words in the middle, under the title.
#[derive(Default)]
pub(super) struct Legend {
    entries: String,
    /// Where the next entry begins, in pixels.
    x: f64,
    /// Where the last one ended.
    end: f64,
}

impl Legend {
    /// Width of a character, of a swatch, of the gap behind it, and between entries, in pixels.
    const CHARACTER: f64 = 6.7;
    const SWATCH: f64 = 11.0;
    const GAP: f64 = 5.0;
    const BETWEEN: f64 = 18.0;

    /// Adds swatches side by side, and what they stand for.
    pub(super) fn add(&mut self, swatches: &[Rgb], words: &str) {
        for colour in swatches {
            let written = write!(
                self.entries,
                r#"<rect x="{:.0}" y="39" width="11" height="11" rx="2" fill="{colour}"/>"#,
                self.x
            );
            debug_assert!(written.is_ok(), "writing to a string does not fail");
            self.x += Self::SWATCH + 1.0;
        }
        if !swatches.is_empty() {
            self.x += Self::GAP - 1.0;
        }
        let written = write!(
            self.entries,
            r#"<text x="{:.0}" y="49" style="font-size:11px">{}</text>"#,
            self.x,
            xml::escape(words)
        );
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        self.end = self.x + words.chars().count() as f64 * Self::CHARACTER;
        self.x = self.end + Self::BETWEEN;
    }

    fn svg(&self) -> String {
        format!(
            r#"<svg class="legend" x="50%" overflow="visible"><g transform="translate({:.0} 0)">{}</g></svg>"#,
            -self.end / 2.0,
            self.entries
        )
    }
}
