//! Analysis, against values worked out by hand, by other programs, and against its laws.

mod builder;
mod builds;
mod graphs;
mod laws;
mod roles;
mod stacks;
mod times;
