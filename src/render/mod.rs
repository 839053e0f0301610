//! Draws for eyes: text tables, flamegraphs, timelines. Values in, text or SVG out.
