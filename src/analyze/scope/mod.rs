//! Which definition each import of a program's images comes to, by the rules of `ld.so`: loads and
//! what files ask for in, binds out that nobody has to have seen.
//!
//! - [`Scopes`] says where a loader looks, and in which order;
//! - [`Resolver`] looks there, for every image of a program;
//! - [`promised`] lays beside it what was seen.
//!
//! The rules are those of glibc 2.36 (`elf/dl-lookup.c`, `dl-deps.c`, `dl-open.c`): breadth first over
//! `DT_NEEDED` behind the program and what is preloaded; the first definition wins, weak or not;
//! versions; unique symbols; protected ones; what is copied is not looked for in the program; a
//! library opened while the program runs looks in its own group last. Not known are `RTLD_GLOBAL`
//! and `RTLD_DEEPBIND`, which no file and no event tells: what is found nowhere else is looked for
//! in whatever else is loaded.

mod order;
mod promises;
mod resolver;

pub use order::{Group, Scopes};
pub use promises::{Fit, Promise, Promised, promised};
pub use resolver::{Found, Needs, Resolved, Resolver};
