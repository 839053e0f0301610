//! The elements of which the pictures of a comparison are made, and their page.

use crate::render::palette::Change;
use crate::render::xml;
use std::fmt::Write as _;
use std::io;

/// A picture that grows.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
}

/// Height of a line of text.
pub(super) const LINE: f64 = 15.0;

/// Width of a character of text on average, generous for fonts that run wide.
pub(super) const CHARACTER: f64 = 6.6;

impl Canvas {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        let written = self.body.write_fmt(element);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        self.body.push('\n');
    }

    /// Text whose left end, or middle or right end by its class, is at `x`.
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = xml::escape(text);
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#
        ));
    }

    /// Begins what belongs together, and is explained together where one points at it.
    pub(super) fn begin(&mut self, tooltip: &str) {
        let tooltip = xml::escape(tooltip);
        self.add(format_args!("<g><title>{tooltip}</title>"));
    }

    pub(super) fn end(&mut self) {
        self.add(format_args!("</g>"));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    /// A bar from a corner to the one opposite.
    pub(super) fn bar(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (x, y) = (from.0.min(to.0), from.1.min(to.1));
        let (width, height) = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" class="{class}"/>"#
        ));
    }

    pub(super) fn triangle(&mut self, corners: [(f64, f64); 3], class: &str) {
        let points = corners.map(|(x, y)| format!("{x:.1},{y:.1}")).join(" ");
        self.add(format_args!(
            r#"<polygon points="{points}" class="{class}"/>"#
        ));
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, radius: f64, class: &str) {
        self.add(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" class="{class}"/>"#
        ));
    }

    /// Writes the page, which is as large as it is said to be.
    pub(super) fn write(
        &self,
        (width, height): (f64, f64),
        name: &str,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let rules = |colour: fn(Change) -> String| {
            let rules = Change::ALL.map(|change| {
                let (word, colour) = (change.word(), colour(change));
                format!(".{word}{{fill:{colour};stroke:{colour}}}")
            });
            rules.concat()
        };
        let light = rules(|change| change.light().to_string());
        let dark = rules(|change| change.dark().to_string());
        writeln!(
            out,
            r#"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" style="max-width:100%;height:auto" font-family="system-ui,sans-serif" role="img" aria-label="{}">
<style>
{light}
text{{fill:#14171a;stroke:none;font-size:11px}}
text.slower,text.faster,text.same{{stroke:none;font-weight:700}}
.title{{font-size:17px;font-weight:600}}
.strong{{font-weight:600}}
.quiet{{fill:#5b626b}}
.end{{text-anchor:end}}
.middle{{text-anchor:middle}}
line.same{{stroke-width:1}}
line.slower,line.faster{{stroke-width:2.2}}
.faint{{opacity:.35}}
.one-sided{{stroke:#8a9099;stroke-width:1.2;stroke-dasharray:2 3}}
circle.one-sided{{fill:#fff;stroke-dasharray:none}}
.grid{{stroke:#d5d9de;stroke-width:.7}}
.leader{{stroke:#b4b8bf;stroke-width:.6}}
.axis{{stroke:#8a9099;stroke-width:1}}
.interval{{stroke:none;opacity:.3}}
polygon.interval{{opacity:.16}}
.band{{fill:#8a9099;opacity:.16}}
.median{{stroke-width:2.4}}
.run{{stroke-width:1;fill-opacity:.55}}
#page{{fill:#fff}}
@media (prefers-color-scheme:dark){{
{dark}
text{{fill:#e3e6ea}}
.quiet{{fill:#a2a9b2}}
circle.one-sided{{fill:#15181c}}
.grid{{stroke:#333a42}}
.leader{{stroke:#59616b}}
#page{{fill:#15181c}}
}}
</style>
<rect id="page" width="100%" height="100%"/>"#,
            xml::escape(name)
        )?;
        out.write_all(self.body.as_bytes())?;
        out.write_all(b"</svg>\n")
    }
}
