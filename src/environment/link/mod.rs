//! What a link line leads to: its arguments in, the files that they name, and what is in those.
//!
//! [`Line`] reads the arguments of a linker, or of a compiler that calls one. [`survey()`] finds each
//! `-l` and framework in the folders that the linker would look in, reads every file for the symbols
//! that are asked for, follows re-exports and scripts, and looks for what is missing in folders that
//! are not on the line. [`folders_with_header()`] and [`GoFiles`] are of what compilers look for. Who is to blame is judged in `analyze::explain`.
//!
//! Files are read through [`Files`], so that a line from a Mac can be followed in a tree of files
//! anywhere.

mod files;
mod folders;
mod line;
mod search;
mod sources;
mod survey;

pub use files::{Disk, Files};
pub use line::{Input, Line};
pub use sources::{GoFiles, folders_with_header};
pub use survey::{Elsewhere, Found, Question, Resolved, Survey, survey};
