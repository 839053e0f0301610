//! What a link line leads to: its arguments in, the files that they name, and what is in those.
//!
//! [`Line`] reads the arguments of a linker, or of a compiler that calls one. [`survey()`] finds each
//! `-l` and framework in the folders that the linker would look in, reads every file for the symbols
//! that are asked for, follows re-exports and scripts, and looks for what is missing in folders that
//! are not on the line. [`folders_with_header()`] and [`GoFiles`] are of what compilers look for,
//! [`needs()`] and [`folders_with_library()`] of what loaders do. Who is to blame is judged in
//! `analyze::explain`.
//!
//! Files are read through [`Files`], so that a line from a Mac can be followed in a tree of files
//! anywhere.

mod files;
mod folders;
mod line;
mod loader;
mod search;
mod sources;
mod survey;

pub use files::{Disk, Files};
pub use line::{Input, Line};
pub use loader::{LibraryFolder, Needed, Needs, folders_with_library, needs, versions};
pub use sources::{GoFiles, HeaderFolder, folders_with_header, folders_with_package};
pub use survey::{Elsewhere, Found, Question, Resolved, Survey, survey};
