//! What `show` prints of a small build, against numbers worked out by hand.

#[cfg(test)]
#[path = "show/browser.rs"]
mod browser;
#[cfg(test)]
#[path = "show/build.rs"]
mod build;
#[cfg(test)]
#[path = "show/call_trees.rs"]
mod call_trees;
#[cfg(test)]
#[path = "show/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "show/difference.rs"]
mod difference;
#[cfg(test)]
#[path = "show/flamegraph.rs"]
mod flamegraph;
#[cfg(test)]
#[path = "show/gaps.rs"]
mod gaps;
#[cfg(test)]
#[path = "show/limits.rs"]
mod limits;
#[cfg(test)]
#[path = "show/pair.rs"]
mod pair;
#[cfg(test)]
#[path = "show/pictures.rs"]
mod pictures;
#[cfg(test)]
#[path = "export/python.rs"]
mod python;
#[cfg(test)]
#[path = "show/report.rs"]
mod report;
#[cfg(test)]
#[path = "show/selection.rs"]
mod selection;
#[cfg(test)]
#[path = "show/summary.rs"]
mod summary;
#[cfg(test)]
#[path = "show/tables.rs"]
mod tables;
#[cfg(test)]
#[path = "show/terminal.rs"]
mod terminal;
#[cfg(test)]
#[path = "show/timeline.rs"]
mod timeline;
#[cfg(test)]
#[path = "show/view.rs"]
mod view;
