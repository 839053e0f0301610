//! Text for terminals and pipes: a [`Page`] that says what can be shown, tables, summaries.

pub mod bindings;
pub mod calls;
pub mod compare;
pub mod doctor;
pub mod experiment;
pub mod explain;
mod gaps;
pub mod inspect;
mod limits;
mod page;
pub mod probes;
pub mod ranking;
pub mod selftest;
pub mod series;
pub mod summary;
mod table;
pub mod timeline;
pub mod toolchain;
mod width;

pub use page::{Page, Tone};
pub use table::{Cell, Column, Table};
pub use width::{columns, middle, safe};
