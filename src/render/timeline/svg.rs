//! The frame of a timeline's SVG, and the shapes in it.

use super::CHARACTER;
use crate::render::palette::Family;
use crate::render::text::middle;
use crate::render::xml;
use std::io;

/// A bar with a tooltip, and a label where it is wide enough for one.
pub(super) struct Shape {
    pub(super) x: f64,
    pub(super) end: f64,
    pub(super) y: f64,
    pub(super) height: f64,
    pub(super) class: String,
    pub(super) tooltip: String,
    pub(super) label: String,
}

/// No bar is drawn narrower: what happened must be seen.
const NARROWEST: f64 = 0.4;
/// The fewest characters of a label.
const FEWEST: usize = 3;

impl Shape {
    pub(super) fn draw(&self) -> String {
        let width = (self.end - self.x).max(NARROWEST);
        let fits = ((width - 6.0) / CHARACTER).max(0.0) as usize;
        let label = if fits < FEWEST {
            String::new()
        } else {
            let label = xml::escape(&middle(&self.label, fits, '…'));
            let (x, y) = (self.x + 3.0, self.y + self.height - 5.0);
            format!(r#"<text x="{x:.1}" y="{y:.1}" class="on-bar">{label}</text>"#)
        };
        format!(
            "<g><title>{}</title><rect x=\"{:.2}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"{}\" rx=\"2\" class=\"{}\"/>{label}</g>\n",
            xml::escape(&self.tooltip),
            self.x,
            self.y,
            self.height,
            self.class,
        )
    }
}

/// Writes what stands before the first shape.
pub(super) fn begin(width: f64, height: f64, out: &mut dyn io::Write) -> io::Result<()> {
    let colours = |colour: fn(Family) -> String| {
        let rules =
            Family::ALL.map(|family| format!(".{}{{fill:{}}}", family.class(), colour(family)));
        rules.concat()
    };
    let light = colours(|family| family.light().to_string());
    let dark = colours(|family| family.dark().to_string());
    writeln!(
        out,
        r#"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0}" width="{width}" height="{height:.0}" style="max-width:100%;height:auto" font-family="system-ui,sans-serif" role="img">
<style>
{light}
text{{fill:#14171a;font-size:11px}}
.title{{font-size:17px;font-weight:600}}
.end{{text-anchor:end}}
.on-bar{{font-size:10.5px;pointer-events:none}}
.cpu{{fill:#2f7fc1;opacity:.35}}
.under-way{{fill:none;stroke:#14171a;stroke-width:1}}
.grid,.tick{{stroke:#8a9099;stroke-width:.7;stroke-dasharray:3 3}}
.tick{{stroke-dasharray:none}}
.waiting{{fill:#e4e7eb;stroke:#8a9099;stroke-width:.5}}
.sample{{stroke:#14171a;stroke-width:.7;opacity:.6}}
.load{{stroke:#14171a;stroke-width:.6}}
.critical{{stroke:#c5221f;stroke-width:1.6}}
.none{{fill:none}}
#page{{fill:#fff}}
@media (prefers-color-scheme:dark){{
{dark}
text{{fill:#e3e6ea}}
.on-bar{{fill:#0b0d0f}}
.under-way{{stroke:#e3e6ea}}
.waiting{{fill:#3a4048}}
.waiting~.on-bar{{fill:#e3e6ea}}
.critical{{stroke:#ff7b72}}
#page{{fill:#15181c}}
}}
</style>
<rect id="page" width="100%" height="100%"/>"#
    )
}
