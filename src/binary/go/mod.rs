//! What Go's linker and compiler leave in an executable: [`Pclntab`], [`BuildInfo`], and
//! in [`RuntimeLayout`] where the runtime keeps its goroutines.
//!
//! None of it needs symbols or DWARF: stripped executables have it all, for the runtime itself
//! reads it to print tracebacks.

mod build_info;
mod container;
mod function;
mod module_data;
mod name;
mod object;
mod pc_values;
mod pclntab;
mod runtime_layout;
mod thread_local;

pub use build_info::{BuildInfo, Dependency, Version};
pub use container::Container;
pub use function::{Function, Line};
pub use name::display_name;
pub use object::GoObject;
pub use pclntab::{Format, Pclntab};
pub use runtime_layout::{GoroutineFields, RuntimeLayout, StackEdges};
